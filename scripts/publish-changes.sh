#!/bin/sh
# publish-changes.sh [--once | --file FILE] - what changed in the primary's database, minute by minute, into Dropbox
#
# What always holds: the application's database is only looked at; a change is on record only where it follows the newest
# state there, so a fenced host publishes nothing and two publishers make one chain; a round that was killed anywhere is
# ended by the next one, which finds what it left in STATE; a round in which nothing changed calls nobody, writes nothing,
# says nothing. A round needs no memory but STATE, the record and the database.
set -eu
here=$(readlink -f "$0") here=${here%/*}
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
live='' node='' state='' changes_every='' confirm_every='' monthly_calls='' pace_wait='' pace_wait_why='' look_changed=''
look_object='' look_looked_at='' look_missed='' put_rev='' put_content_hash='' next_step='' next_why='' next_n='' next_path=''
next_object='' next_rev='' next_epoch='' next_owner='' next_record_rev='' next_newest_object='' next_number='' installed_n=''
look_n='' look_path='' record_owner='' record_confirmed_at='' last_base='' last_base_exit='' last_ended_tonight='' last_exit='' paced=''

usage() {
	cat <<'END'
usage: publish-changes.sh [--once]
       publish-changes.sh --file FILE --append LINES

Publishes what changed in the primary's database since the last state in Dropbox,
every CTV_CHANGES_EVERY, for ever; what a round says is told when it is news.

      --once       one round
      --file FILE  the night's round: the whole state, too, is written to FILE
      --append LINES  and what it is, for mirror-head publish, is added to LINES
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

# what_next [OPTION...]: sets $next_step, by STATE and the record; ends the round unless this host owns the record, or there is none
what_next() {
	get change-next --shell=next_ --owner "$node" -t 1m "$@" "$states" || exit
	epoch=$next_epoch
	[ "$next_step" != fenced ] ||
		fail 77 "this host ($node) is fenced: $next_owner has owned the record since epoch $next_epoch; nothing is published"
}

# one_at_a_time: from here on only this round changes the pending state in STATE. A night's round does so, too, and waits for longer
# than a minute's upload may take.
one_at_a_time() {
	[ -z "$alone" ] || return 0
	exec 9<"$changes"
	flock -w 600 9 || fail 75 "$changes: another round is at work"
	alone=yes
}

# remembered OPTION...: db-changes of STATE, whose lock another round's look may hold for minutes
remembered() {
	db-changes -t 10m "$@" "$states"
}

# tell OPTION...: mirror-head publish, with how often this host looks
tell() {
	set_pace
	mirror-head publish --owner "$node" --timeout 1m "$@" ${pace_wait:+--pace "$pace_wait" --why "$pace_wait_why"}
}

# set_pace: sets $pace_wait, how long to wait after a round: longer than was asked for where looks take long, or a month's calls
# would not suffice
set_pace() {
	get remembered --show --shell=pace_ --every "$changes_every" --monthly "$monthly_calls" 2>/dev/null || :
	pace_wait=${pace_wait:-$changes_every} paced=$changes_every
}

# put: the pending state goes into Dropbox, then on record, and then it is the last one. When the record was refused, or its answer
# lost, $refused is set, and settle asks once more what is to be done.
put() {
	[ -z "$refused" ] || exit "$refused"
	get dbx-put --shell=put_ ${put_for:+--timeout "$put_for"} -c "$out" "$next_path" || refused=$?
	case ${refused:-0}/$put_content_hash in
	0/"$next_object") ;;
	# Dropbox has another object of this name, or the file of the pending one is another, or gone
	0/* | 66/* | 73/*)
		remembered --drop || exit
		fail 75 "the next round looks again"
		;;
	*) exit "$refused" ;;
	esac
	remembered --show --json | tell --change || refused=$?
	[ -n "$refused" ] || keep "$put_rev"
}

# keep REV: the pending state is on record, and becomes the last one
keep() {
	remembered --confirm --rev "$1" || exit
	published=$next_object
	[ -n "$file" ] || say "state $next_n is published"
}

# settle: the pending state is published or dropped; $published is its object, or empty. A round that was killed had done part of this,
# which change-next finds done.
settle() {
	published='' refused=''
	for _ in 1 2 3 4; do
		what_next
		case $next_step in
		confirm) keep "$next_rev" ;;
		put) put ;;
		drop) remembered --drop || exit ;;
		base | wait) need_base "$next_why" ;;
		*) return 0 ;;
		esac
		[ -z "$published" ] || return 0
	done
	fail 75 "the record changes too often"
}

# confirm: from time to time an idle owner writes into the record that it looked. When it last wrote there is the time of the file
# that remembers the record. That another host owns the record an idle one learns here, and no sooner, for that would cost a call a
# minute; no change is lost by that, for before each publication the record is read.
confirm() {
	! age-check -w "$confirm_every" -c "$confirm_every" "$state/.head-seen.json" >/dev/null 2>&1 || return 0
	confirmed=0
	tell --confirm "$look_looked_at" --object "$look_object" || confirmed=$?
	if [ "$confirmed" -eq 0 ]; then
		remembered --show --calls 1 >/dev/null || exit
		return 0
	fi
	one_at_a_time
	settle
	[ -n "$published" ] || exit "$confirmed"
}

round() {
	get db-changes --shell=look_ --no-base -t 10m --node "$node" ${epoch:+--epoch "$epoch"} --since "$states" "$live" "$out" || :
	case $get_status in
	0) [ -n "$look_changed" ] || { confirm; return; } ;;
	# STATE knows no state yet
	66) [ -f "$live" ] || exit 66 ;;
	# a state is pending, or others wrote again and again
	75) ;;
	*) exit "$get_status" ;;
	esac
	one_at_a_time
	settle
	[ -z "$published" ] || return 0
	[ -z "$again" ] || fail 75 "the next round looks again"
	# the pending state, if there was one, is settled
	again=yes
	round
}

# shellcheck source=scripts/parts/publish-night.sh
. "$here/parts/publish-night.sh"
# shellcheck source=scripts/parts/publish-service.sh
. "$here/parts/publish-service.sh"
if [ -z "$once$file" ]; then
	serve
	exit 0
fi
get ctv-conf --shell
[ -n "$node" ] || fail 78 "CTV_NODE: not set, and without a name this host cannot own the head record"
changes=$state/changes states=$changes/state.db out=$changes/out epoch='' again='' alone='' put_for=6m
case $(mirror-role show) in
primary | '') ;;
*) fail 77 "$state/role: this is not the primary; what a standby holds is not published" ;;
esac
[ -d "$changes" ] || fail 73 "$changes: no such directory" "systemd-tmpfiles --create, or mkdir"
if [ -n "$file" ]; then
	whole
elif [ -z "$changes_every" ]; then
	stopped
else
	round
fi
