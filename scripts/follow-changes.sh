#!/bin/sh
# follow-changes.sh [--once | --check | --forget] - the primary's state of the last minute, in a file of its own on this standby
#
# What always holds: production.db is read, never touched; all files of this are in .follow beside it, which may be removed at any
# time and is made again; newest.db there is a state of the chain that the head record names, or is not taken for one; a round that
# was killed anywhere is ended by the next.
set -eu
here=$(readlink -f "$0") here=${here%/*}
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
# shellcheck source=scripts/parts/followed.sh
. "$here/parts/followed.sh"
live='' live_dir='' state='' node='' changes_every='' record_n='' record_rev='' record_size='' record_content_hash='' record_object='' record_newest_n=''
record_newest_digest='' record_newest_object='' record_newest_path='' record_suspect_n='' record_suspect_why='' record_snapshot_at='' record_confirmed_at='' record_asked_at=''
installed_unchanged='' installed_content_hash='' installed_snapshot_at='' installed_n='' installed_prev_n='' disk_digest='' n='' digest='' snapshot_at='' content_hash='' file_content_hash=''

usage() {
	cat <<'END'
usage: follow-changes.sh [--once | --check | --forget]

Keeps .follow/newest.db beside this standby's database at the newest state that
the primary has published, minute by minute, until it is stopped.

      --once       one round, and what newest.db is then
      --check      a quick verification of newest.db, as a job of its own
      --forget     remove .follow, where it is this user's
END
}

task=follow spare=268435456
for option; do
	case $option in
	--once | --check | --forget | --locked | --forgetting) task=${option#--} ;;
	*) common_option "$option" ;;
	esac
done

# ---- steps -------------------------------------------------------------------------------------

# keep_night HASH: newest.db is the state of a night, whose published file has that content_hash: a copy, proved by it and dated by
# its data, becomes night.db, which daily-download.sh installs. None is made of an older night, nor of one that it has already
keep_night() {
	[ "$n" -ge "$record_n" ] || return 0
	look_at_installed || :
	rm -f night.db night.tmp || fail 74
	[ "$1" != "$installed_content_hash" ] || [ -z "$installed_unchanged" ] || return 0
	[ "$snapshot_at" != "$(date -u -r "$live_dir/.${live##*/}.new" +%FT%TZ 2>/dev/null)" ] || return 0
	# a copy for which the next round would find too little room would cost all that was followed, again and again
	if ! room-check -c $((2 * record_size + spare)) . >/dev/null || ! cp -pP --remove-destination newest.db night.tmp ||
		! sync night.tmp; then
		rm -f night.tmp
		warn "night.db: was not made, so the night will be downloaded"
		return 0
	fi
	db-verify -l header --timeout 2h --hash "$1" night.tmp >/dev/null || case $? in
	2)
		forget
		clean
		fail 65 "newest.db: state $n was not to the last byte what its owner made"
		;;
	*) fail 74 "night.tmp: cannot be proved" ;;
	esac
	dress night.tmp
	{ db-install --as-of "$snapshot_at" night.tmp night.tmp && mv -T night.tmp night.db && sync .; } || fail 74
}

# drop_night: the copy of the night on record is not needed any more when that night was installed in another way. Any other copy
# stays: by its time it cannot be told to be older, for the primary's clock may have been wrong
drop_night() {
	[ -e night.db ] || return 0
	look_at_installed || :
	[ -z "$installed_unchanged" ] || [ "$installed_content_hash" != "$record_content_hash" ] ||
		[ "$installed_snapshot_at" != "$(date -u -r night.db +%FT%TZ)" ] || rm -f night.db || fail 74
}

# advance: brings newest.db from state $n to the newest. Called as a condition
advance() {
	# a run that was killed between a night's state and its copy
	[ "$n" != "$record_n" ] || [ -e night.db ] || keep_night "$record_content_hash"
	[ "$n $digest" != "$record_newest_n $record_newest_digest" ] || return 0
	[ "$n" -lt "$record_newest_n" ] || { warn "newest.db: state $n is not the one on record"; return 65; }
	fetch "$n" || return
	while was=$n; [ "$n" -lt "$record_newest_n" ]; do
		lead "$record_newest_object" newest.db || { advanced=$? n=$was; return "$advanced"; }
		[ -z "$content_hash" ] || keep_night "$content_hash"
	done
}

# begin: makes newest.db anew, of the live database or the one before it if that is on the chain, else of the base in Dropbox
begin() {
	look_at_installed || :
	rm -rf in
	first=$record_n
	for known in $installed_n $installed_prev_n; do
		[ "$known" -ge "$first" ] || first=$known
	done
	fetch $((first - 1)) || case $?/$first in
	# from the newest base at least
	66/"$record_n") exit 66 ;;
	66/*) fetch $((record_n - 1)) || exit ;;
	*) exit $? ;;
	esac
	# a run was killed when it had downloaded the base
	[ ! -e newest.db ] || [ -e newest.db.note ] || [ -e newest.db-wal ] || ! lead "$record_object" newest.db 2>/dev/null || return 0
	forget
	room $((2 * record_size + spare))
	for base in "$live" "$live.prev"; do
		# a run that has begun to fetch the base had seen that these two are not on the chain
		if [ -e .newest.db.part ] || [ ! -f "$base" ]; then continue; fi
		! lead "$record_object" -o newest.db "$base" 2>/dev/null || return 0
		# another program wants that database for itself
		[ "$get_status" -ne 75 ] || fail 75 "$base: is wanted by somebody else; its copy waits"
	done
	warn "newest.db: begins with the base in Dropbox, state $record_n"
	get dbx-fetch --shell=file_ --no-progress -o newest.db "rev:$record_rev" || exit
	[ "$file_content_hash" = "$record_content_hash" ] || fail 65 "rev $record_rev is not what the record says"
	lead "$record_object" newest.db || exit
}

# ---- a round, and all of them ------------------------------------------------------------------

# off: nothing is to be followed. For a CTV_CHANGES_EVERY that is neither a time nor off, which ctv-conf has named, the run ends
off() {
	[ -z "$changes_every" ] || return
	[ "$(ctv-conf CTV_CHANGES_EVERY '')" = off ] || exit 78
}

round() {
	role=$(mirror-role show)
	case $role in
	standby | '') ;;
	primary) leave; warn "$state/role: primary: nothing is followed"; return ;;
	*) warn "$state/role: $role: nothing is followed"; return ;;
	esac
	! off || { leave; warn "CTV_CHANGES_EVERY=off: nothing is followed"; return; }
	# mirror-head has said why a record is not believed, which a person has to mend
	get mirror-head show --shell=record_ --timeout 1m || case $? in
	65) exit 75 ;;
	66) record_newest_n= ;;
	*) exit ;;
	esac
	[ -n "$record_newest_n" ] || { warn "the head record names no state: nights only"; return; }

	enter
	drop_night
	room $((record_size + spare))
	[ ! -e newest.db ] || get db-apply --shell --finish newest.db || case $? in
	65 | 66) n= ;;
	*) fail $? "newest.db: cannot be used now" ;;
	esac
	[ -z "$n" ] || advance || case $? in
	65) n= ;;
	# a hole: from the next base on
	66) [ "$record_n" -gt "$n" ] || exit 66; n= ;;
	*) exit $? ;;
	esac
	if [ -z "$n" ]; then
		begin
		dress newest.db
		[ -z "$content_hash" ] || keep_night "$content_hash"
		advance || exit
	fi
	clean
	[ -z "$record_suspect_n" ] || warn "state $record_suspect_n and those after it are suspect: $record_suspect_why"
	say "newest.db: state $n of $snapshot_at"
}

# well: a round came to its good end, which ends the alert. The start of the service alone does not end it
well() {
	[ -n "$told" ] || alert-post --key ctv-follow.service --state ok >/dev/null 2>&1 || :
	told=yes
}

# ask_night: after a failback the data that was entered here stands under the live name, and a failover would not replace it by the
# followed state. When the night's copy is here, the nightly job is started once, if its timer runs, and keeps that data as ever.
# Should this not come about, the timer starts the job all the same.
ask_night() {
	[ -s "$state/data-of" ] && [ "$(mirror-role show)" = standby ] || return 0
	# begun after the last failover, and after the job's last run
	failback=$(find "$state/last-failback.json" -newer "$state/last-failover.json" -newer "$state/last-download.json" -printf %T@ 2>/dev/null) || :
	case $failback in '' | "$asked") return 0 ;; esac
	# the job would throw away the copy of a night that is not on record yet
	of=$(date -u -r "$live_dir/.follow/night.db" +%FT%TZ 2>/dev/null) ||
		of=$(date -u -r "$live_dir/.${live##*/}.new" +%FT%TZ 2>/dev/null) || return 0
	get mirror-head show --shell=record_ --timeout 1m 2>/dev/null || return 0
	[ "$of" = "$record_snapshot_at" ] && [ -n "$record_confirmed_at" ] &&
		looked_since "$record_confirmed_at" "$record_asked_at" || return 0
	[ "$(svc-ctl -t 10s is-active ctv-pi2-download.timer 2>/dev/null)" = active ] || return 0
	asked=$failback
	# the start alone is waited for
	svc-ctl -t 5s start ctv-pi2-download.service >/dev/null 2>&1 || :
}

night_on_record() { mirror-head show --field rev --timeout 1m 2>/dev/null || :; }

# follow: round after round, until it is stopped. However a round ends, the next one follows, and words that are the same are said
# once. That Dropbox is away raises no alert here, for the page tells how old newest.db is.
follow() {
	told=''
	! off || {
		well
		"$here/follow-changes.sh" --forget || :
		say "CTV_CHANGES_EVERY is off: there is the nightly copy alone"
		return
	}
	# wrong and twice: the night on record when a round came out wrong, and when one did so again
	rev='' last='' pause=10m wrong='' twice='' asked=''
	while :; do
		waited=0
		now=$(dbx-wait -t "$pause" ${rev:+--not "$rev"} /mirror-head.json 2>/dev/null) || waited=$?
		case $waited in 0) rev=$now ;; 75) ;; *) sleep 60; rev= ;; esac
		# after that nothing is tried before another night is on record
		[ -z "$twice" ] || [ "$(night_on_record)" != "$twice" ] || continue
		code=0 pause=1m
		said=$("$here/follow-changes.sh" --once 2>&1 >/dev/null) || code=$?
		[ -z "$said" ] || [ "$said" = "$last" ] || printf '%s\n' "$said" >&2
		last=$said
		case $code in
		0) well; ask_night; pause=10m; continue ;;
		69 | 75) continue ;;
		65)
			now=$(night_on_record)
			# the first time it is tried again at once
			if [ "$wrong" = "$now" ]; then twice=$now; else wrong=$now rev=; fi
			;;
		esac
		told=
		alert-post --key ctv-follow.service --state warning --repeat 4h --do "journalctl -u ctv-follow.service" \
			"${node:-$(uname -n)}: nothing is followed: $said" >/dev/null 2>&1 || :
		# the sandbox is older than this directory, and cannot write there: systemd starts a new one
		[ -w "$live_dir" ] || exit "$code"
	done
}

# check: is newest.db, to the last byte, the state that was followed? If not, this disk is at fault, and newest.db is made again; a
# fault in the right bytes is the primary's own
check() {
	[ -d "$live_dir/.follow" ] || finish unchanged "nothing is followed here"
	enter
	[ -e newest.db ] || finish unchanged "nothing is followed here"
	step verify
	get db-apply --shell --finish newest.db || exit
	fact n:int "$n"
	get db-apply --shell=disk_ --digest newest.db || exit
	# not 65: what is made again in its place is not the one that was found damaged
	[ "$disk_digest" = "$digest" ] || { forget; fail 74 "newest.db: was not on this disk as it was followed; it is made again"; }
	verify quick newest.db
	finish ok "newest.db is sound: state $n of $snapshot_at"
}

if [ "$task" = check ]; then
	steps=1 log=/var/log/ctv-pi2-download/follow-check.log dry=
	run_as_job follow-check follow.lock:10m "$@"
fi
get ctv-conf --shell
case $task in
once | forget)
	inner=--locked wait=600 code=0
	[ "$task" = once ] || inner=--forgetting wait=10
	flock -w "$wait" -E 99 "$state/follow.lock" "$here/follow-changes.sh" "$inner" || code=$?
	[ "$code" -ne 99 ] || fail 75 "$state/follow.lock: another round has held it for $wait s"
	exit "$code"
	;;
locked) round ;;
forgetting) leave ;;
check) check ;;
follow) follow ;;
esac
