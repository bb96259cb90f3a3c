#!/bin/sh
# publish-changes.sh [--once | --file FILE] - what changed in the primary's database, minute by minute, into Dropbox
#
# What always holds: the application's database is only looked at; a change is on record only where it follows the newest
# state there, so a fenced host publishes nothing and two publishers make one chain; a round that was killed anywhere is
# ended by the next one, which finds what it left in STATE; a round in which nothing changed calls nobody, writes nothing,
# says nothing. A round keeps nothing in mind: what there is to know is in STATE, in the record and in the database.
set -eu
here=$(readlink -f "$0") here=${here%/*}
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
live='' node='' state='' changes_every='' confirm_every='' monthly_calls='' pace_wait=''
look_changed='' look_object='' look_looked_at='' state_n='' state_object='' state_pending_n='' state_pending_path=''
state_pending_object='' state_pending_base='' put_rev='' put_content_hash='' record_owner='' record_epoch=''
record_confirmed_at='' record_newest_object='' record_record_rev='' record_change_rev='' record_rev='' record_newest_n=''
state_pending_epoch='' installed_n='' get_status='' last_base='' last_ended_tonight='' last_exit=''

usage() {
	cat <<'END'
usage: publish-changes.sh [--once]
       publish-changes.sh --file FILE --append LINES

Publishes what changed in the primary's database since the last state in Dropbox,
every CTV_CHANGES_EVERY, for ever; what a round says is told when it is news.

      --once       one round
      --file FILE  the night's round: the whole state, too, is written to FILE
      --append LINES  and what it is, for mirror-head publish, is added to LINES
  -h, --help       this text
  -V, --version    the version

Settings come from the environment and /etc/ctv-db-sync.env, ctv-db-sync.env(5).
END
}

once='' file='' lines='' expected=
for option; do
	case $expected$option in
	file:*) file=$option expected='' ;;
	lines:*) lines=$option expected='' ;;
	--once) once=yes ;;
	--file) expected=file: ;;
	--append) expected=lines: ;;
	*) common_option "$option" ;;
	esac
done
[ -z "$expected" ] || usage_error "a file is missing"
[ -z "$file$lines" ] || { [ -n "$file" ] && [ -n "$lines" ] && [ -z "$once" ]; } ||
	usage_error "--file and --append go together, without --once"

# whose: reads the record; the round ends unless this host owns it. Without a record nobody does.
whose() {
	get mirror-head show --shell=record_ || [ "$get_status" -eq 66 ] || exit "$get_status"
	[ "${record_owner:-$node}" = "$node" ] ||
		fail 77 "this host ($node) is fenced: $record_owner has owned the record since epoch $record_epoch; nothing is published"
}

# look: what changed since the state that was published last becomes pending. A night's look takes its time.
look() {
	get db-changes --shell=look_ --no-base -t 10m --node "$node" ${epoch:+--epoch "$epoch"} --since "$states" "$live" "$out"
}

# one_at_a_time: what STATE knows, which only this round changes from here on. The night's look is such a round, too.
one_at_a_time() {
	if [ -z "$alone" ]; then
		exec 9<"$changes"
		flock -w 600 9 || fail 75 "$changes: another round is at work"
		alone=yes
	fi
	get db-changes --show --shell=state_ "$states" || exit
}

# From time to time an owner says that he looked. When he, or anybody, last wrote the record is the time of what is remembered of it.
confirm() {
	! age-check -w "$confirm_every" -c "$confirm_every" "$state/.head-seen.json" >/dev/null 2>&1 || return 0
	confirmed=0
	mirror-head publish --owner "$node" --confirm "$look_looked_at" --object "$look_object" || confirmed=$?
	[ "$confirmed" -ne 0 ] || return 0
	one_at_a_time
	[ -z "$state_pending_n" ] && [ "$state_object" = "$look_object" ] || return 0
	after "$confirmed"
}

# publish: what is pending goes into Dropbox, then on record, and then it is the last state. Whatever of this was done
# before is found done. What was looked at in another epoch may be older than what is on record: it is looked at again.
publish() {
	whose
	if [ "$record_newest_object" = "$state_pending_object" ]; then
		published "$record_change_rev"
		return
	fi
	if [ -n "$record_epoch" ] && [ "$record_epoch" != "$state_pending_epoch" ]; then
		db-changes --drop "$states" || exit
		[ -z "$epoch" ] || fail 75 "the record changes too often"
		epoch=$record_epoch
		round
		return
	fi
	put=0
	get dbx-put --shell=put_ -c "$out" "$state_pending_path" || put=$?
	case $put/$put_content_hash in
	0/"$state_pending_object") ;;
	# another object of this number and second, or another file than what is pending, or none
	0/* | 66/* | 73/*)
		db-changes --drop "$states" || exit
		fail 75 "the next round looks again"
		;;
	*) exit "$put" ;;
	esac
	put=0
	db-changes --show --json "$states" | mirror-head publish --change --owner "$node" || put=$?
	[ "$put" -eq 0 ] || after "$put"
	published "$put_rev"
}

published() {
	db-changes --confirm --rev "$1" "$states" || exit
	[ -n "$file" ] || say "state $state_pending_n is published"
}

# after STATUS: mirror-head took nothing, or its answer was lost. A record that names another state takes a base alone.
after() {
	[ "$1" -eq 75 ] || [ "$1" -eq 77 ] || exit "$1"
	whose
	[ -z "$state_pending_n" ] || [ "$record_newest_object" != "$state_pending_object" ] ||
		fail 75 "state $state_pending_n is on record all the same"
	db-changes --drop "$states" || exit
	[ "$record_newest_object" = "$state_object" ] ||
		need_base "the record does not name the state that was published last here${state_n:+, $state_n}"
	fail 75 "the next round looks again"
}

# need_base WHY: the nightly job publishes the whole state; by night, and once a day besides
need_base() {
	case $(unit_state ctv-db-sync.service) in
	active | activating | reloading) fail 75 "$1: the base is under way" ;;
	esac
	get job-run --last=last_ upload
	[ "$last_ended_tonight$last_base" != yesyes ] || fail 75 "$1: the base of today is made, so it waits for the night's"
	case $last_ended_tonight$last_exit in
	yes65 | yes70 | yes77 | yes78) fail 75 "$1: the nightly job waits for a person, and the base for it" ;;
	esac
	! age-check -w 1h -c 1h "$state/last-upload.json" >/dev/null 2>&1 ||
		fail 75 "$1: the nightly job has run within the hour, so the base waits"
	started=0
	svc-ctl -t 5s start ctv-db-sync.service || started=$?
	[ "$started" -eq 0 ] || [ "$started" -eq 75 ] || [ "$started" -eq 77 ] || exit "$started"
	[ "$started" -ne 77 ] || fail 75 "$1: polkit does not let this job start the nightly one, so the base waits for the night"
	fail 75 "$1: ctv-db-sync.service makes a base"
}

# settle STATUS: there is something to be published, or the look says why it cannot be told
settle() {
	one_at_a_time
	if [ -n "$state_pending_base" ]; then
		whose
		[ "$record_newest_object" = "$state_pending_object" ] || need_base "base $state_pending_n is not published yet"
		published "$record_rev"
	elif [ -n "$state_pending_n" ]; then
		publish
	elif [ -z "$state_n" ]; then
		whose
		need_base "no state was published by this host"
	elif [ "$1" -eq 75 ] && [ -z "$again" ]; then
		# what was in its way has been published meanwhile
		again=yes
		round
	else
		exit "$1"
	fi
}

round() {
	look_code=0
	look || look_code=$?
	case $look_code in
	0) [ -n "$look_changed" ] || { confirm; return; } ;;
	66 | 75) ;;
	*) exit "$look_code" ;;
	esac
	settle "$look_code"
}

# next_number: of a base, greater than all that there ever was
next_number() {
	get installed-check --shell=installed_ --record "$state/installed.json" "$live" 2>/dev/null || :
	last=$(dbx-ls -R /changes 2>/dev/null | change-names | tail -n 1)
	number=0
	for known in "$state_n" "$record_newest_n" "$installed_n" "${last%% *}"; do
		[ "${known:-0}" -le "$number" ] || number=$known
	done
	number=$((number + 1))
}

# whole: the night's round. What is pending is published, or looked at again, but keeps no night from its file. A base
# is on record when its file is; until then it is pending. The file is described last of all: a night that was interrupted
# goes on only with what is on record, or will be by the file, and has its object in Dropbox.
whole() {
	one_at_a_time
	whose
	if [ -z "$state_pending_n" ]; then
		:
	elif [ -n "$state_pending_base" ] && [ "$record_newest_object" != "$state_pending_object" ]; then
		db-changes --drop "$states" || exit
	else
		(publish) || db-changes --drop "$states" || exit
		one_at_a_time
		whose
	fi
	set -- --full --file "$file" --node "$node" --epoch "${record_epoch:-1}"
	if [ -z "$state_n" ] || [ "$record_newest_object" != "$state_object" ]; then
		next_number
		set -- "$@" --base --number "$number" ${record_newest_object:+--parent "$record_newest_object"}
	fi
	get db-changes --shell=look_ -t 10m "$@" --since "$states" "$live" "$out" || exit
	get db-changes --show --shell=state_ "$states" || exit
	if [ -z "$state_pending_base" ]; then
		epoch=$record_epoch
		publish
	else
		dbx-put -c "$out" "$state_pending_path" || exit
	fi
	get db-changes --show --shell=state_ --append "$lines" "$states" || exit
}

# stopped: nobody looks any more, and the record says so. Where nobody ever did, nobody is asked.
stopped() {
	[ ! -e "$states" ] || unconfirmed
	say "CTV_CHANGES_EVERY is off: there is the nightly copy alone"
}

unconfirmed() {
	get mirror-head show --shell=record_ || [ "$get_status" -eq 66 ] || exit "$get_status"
	[ "$record_owner" != "$node" ] || [ -z "$record_confirmed_at" ] ||
		mirror-head publish --owner "$node" --confirm null || exit
}

# a fenced host waits until the record is another, and looks from time to time besides
fenced() {
	get mirror-head show --shell=record_ 2>/dev/null && [ "$record_owner" != "$node" ] || return
	dbx-wait -t 1h --not "$record_record_rev" /mirror-head.json >/dev/null 2>&1 || [ $? -eq 75 ] || return
}

# set_pace: how long to wait after a round, which is longer than asked for where a month's calls would not suffice
set_pace() {
	was=$pace_wait
	get db-changes --show --shell=pace_ --every "$changes_every" --monthly "$monthly_calls" "$states" 2>/dev/null || :
	pace_wait=${pace_wait:-$changes_every}
	[ "$pace_wait" = "${was:-$changes_every}" ] || say "a look every $pace_wait, so that the month's $monthly_calls calls suffice"
}

# the service: round after round, each a process of its own
serve() {
	before=first
	[ -z "$changes_every" ] || set_pace
	while [ -n "$changes_every" ]; do
		code=0
		said=$("$0" --once 2>&1) || code=$?
		if [ "$code" -ne 0 ]; then
			[ "$said" = "$before" ] || printf '%s\n' "$said"
			before=$said
		elif [ -n "$before" ]; then
			[ "$before" = first ] || say "publishes again"
			before=
			alert-post --key ctv-publish.service --state ok || :
		fi
		# that this host lost commits ends no round, and is not to be lost, too
		[ "$code" -ne 0 ] || [ -z "$said" ] || printf '%s\n' "$said" | grep -vx -e 'state [0-9]* is published' || :
		case $code in
		0 | 69 | 75)
			# nothing was published where nothing was said
			[ -z "$said" ] || set_pace
			sleep "$pace_wait"
			;;
		77) fenced || exit 77 ;;
		*) exit "$code" ;;
		esac
	done
	# with the minutes off no trouble is news: a Dropbox that is away, or a record that is not believed, is the night's
	until said=$("$0" --once 2>&1); do
		[ "$said" = "$before" ] || printf '%s\n' "$said"
		before=$said
		sleep 5m
	done
	say "$said"
	alert-post --key ctv-publish.service --state ok || :
}

get ctv-conf --shell
[ -n "$node" ] || fail 78 "CTV_NODE: not set, and without a name this host cannot own the head record"
changes=$state/changes states=$changes/state.db out=$changes/out epoch='' again='' alone=
case $(mirror-role show) in
primary | '') ;;
*) fail 77 "$state/role: this is not the primary; what a standby holds is not published" ;;
esac
[ -d "$changes" ] || fail 73 "$changes: no such directory" "systemd-tmpfiles --create, or mkdir"
if [ -n "$file" ]; then
	whole
elif [ -z "$once" ]; then
	serve
elif [ -z "$changes_every" ]; then
	stopped
else
	round
fi
