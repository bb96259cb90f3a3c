#!/bin/sh
# follow-changes.sh [--once | --check] - the primary's state of the last minute, in a file of its own on this standby
#
# What always holds: production.db is read, never touched; everything is in .follow beside it, which may go at any time and is
# made again; newest.db there is a state of the chain that the head record names, or is not taken for one; a round that was
# killed anywhere is ended by the next.
set -eu
here=$(readlink -f "$0") here=${here%/*}
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
live='' live_dir='' state='' changes_every='' record_n='' record_rev='' record_size='' record_content_hash='' record_object='' record_newest_n=''
record_newest_digest='' record_newest_object='' record_newest_path='' record_suspect_n='' record_suspect_why=''
installed_content_hash='' installed_n='' n='' digest='' snapshot_at='' content_hash='' room_text='' file_content_hash=''

usage() {
	cat <<'END'
usage: follow-changes.sh [--once | --check]

Keeps .follow/newest.db beside this standby's database at the newest state that
the primary has published, minute by minute, until it is stopped.

      --once       one round, and what newest.db is then
      --check      a quick verification of newest.db, as a job of its own
  -h, --help       this text
  -V, --version    the version

Settings come from the environment and /etc/ctv-db-sync.env, ctv-db-sync.env(5).
END
}

task=follow spare=268435456
for option; do
	case $option in
	--once | --check | --locked) task=${option#--} ;;
	*) common_option "$option" ;;
	esac
done

# ---- .follow -----------------------------------------------------------------------------------

# enter: from here on all names are in it, whatever becomes of its own name. What the application could write there, others
# would believe.
enter() {
	follow=$live_dir/.follow
	cd -P "$live_dir" || fail 73
	beside=$PWD
	# nobody's before it is our group's
	[ -d .follow ] || (umask 077 && mkdir .follow) || fail 73
	cd -P .follow || fail 77
	[ "$PWD" = "$beside/.follow" ] || fail 77 "$follow: a symbolic link" "remove it"
	[ -O . ] || fail 77 "$follow: is another user's" "sudo -u ctvsync $program --once follows; or remove it"
	[ -z "$(find . -maxdepth 0 -perm /007)" ] || fail 77 "$follow: open to everybody" "remove it"
	# five digits: without the group's bit, which our sandbox gives to nothing
	[ "$(stat -c %g:%a .)" = "$(id -g):770" ] || { chgrp "$(id -g)" . && chmod 00770 .; } || fail 77
}

# forget: newest.db goes, its note and its log first: a log that was left beside another file would be taken for that one's
forget() {
	{ rm -f newest.db.note newest.db-next newest.db-wal newest.db-shm newest.db-journal && sync . &&
		rm -f newest.db night.db night.tmp && sync .; } || fail 74
}

# room BYTES: so many are to stay free; else what is here goes first, for it can be made again
room() {
	get room-check --shell=room_ -c "$1" . || {
		forget
		# and what a killed run left of a base that it fetched or copied
		rm -rf in .newest.db.*
		fail 74 "$follow: $room_text: what was followed has gone, so that the night finds room"
	}
}

# dress FILE: what is to take the live name one day has its group and mode already
dress() {
	if [ -e "$live" ]; then
		chgrp --reference="$live" "$1" && chmod --reference="$live" "$1"
	else
		chgrp --reference="$live_dir" "$1" && chmod 0660 "$1"
	fi || fail 77
}

look_at_installed() {
	get installed-check --shell=installed_ --record "$state/installed.json" "$live" || :
}

# ---- steps -------------------------------------------------------------------------------------

# fetch N: what lies beyond state N, up to the newest, into in/; a name is never used twice, so what is there stays
fetch() {
	paths=$record_newest_path
	[ "$1" -eq $((record_newest_n - 1)) ] || paths=$(dbx-ls -R /changes) || exit
	paths=$(printf '%s\n' "$paths" | change-names --after "$1" --to "$record_newest_n" | cut -d ' ' -f 3)
	[ -n "$paths" ] || fail 66 "$record_newest_path: is on record, and is not there"
	mkdir -p in || fail 74
	# shellcheck disable=SC2016  # for that shell
	printf '%s\n' "$paths" | xargs -n 1 -P 4 sh -c \
		'[ -e "in/${1##*/}" ] || exec dbx-fetch --no-progress -o "in/${1##*/}" "$1"' fetch || fail 75
}

# lead OBJECT [-o NEW] FILE: towards its state, as far as the first whole one on the way. Sets n, digest and the like
lead() {
	get db-apply --shell --to "$@"
}

# night HASH: newest.db is a whole state, as it was or will be published: a copy, proved, for daily-download.sh to install
night() {
	look_at_installed
	rm -f night.db night.tmp || fail 74
	[ "$1" != "$installed_content_hash" ] || return 0
	# where the next round would find too little room, all of it would go, to be made again and again
	if ! get room-check --shell=room_ -c $((2 * record_size + spare)) . || ! cp -pP --remove-destination newest.db night.tmp ||
		! sync night.tmp; then
		rm -f night.tmp
		warn "night.db: was not made, so the night will be downloaded"
		return 0
	fi
	proved=0
	db-verify -l header --timeout 2h --hash "$1" night.tmp >/dev/null || proved=$?
	case $proved in
	0) ;;
	2)
		forget
		fail 65 "newest.db: state $n was not to the last byte what its owner made; following stops" \
			"systemctl start ctv-follow.service begins again with last night's copy"
		;;
	*) fail 74 "night.tmp: cannot be proved" ;;
	esac
	dress night.tmp
	{ mv -T night.tmp night.db && sync .; } || fail 74
}

# advance: newest.db, which is state $n, to the newest. Asked as a condition
advance() {
	# a run that was killed between a night's state and its copy
	[ "$n" != "$record_n" ] || [ -e night.db ] || night "$record_content_hash"
	[ "$n $digest" != "$record_newest_n $record_newest_digest" ] || return 0
	[ "$n" -lt "$record_newest_n" ] || { warn "newest.db: state $n is not the one on record"; return 65; }
	fetch "$n"
	while was=$n; [ "$n" -lt "$record_newest_n" ]; do
		lead "$record_newest_object" in/* newest.db || { advanced=$? n=$was; return "$advanced"; }
		[ -z "$content_hash" ] || night "$content_hash"
	done
}

# begin: newest.db anew, from what lies here if that is on the chain, else from the base
begin() {
	look_at_installed
	first=$record_n
	[ -z "$installed_n" ] || [ "$installed_n" -ge "$first" ] || first=$installed_n
	rm -rf in
	fetch $((first - 1))
	# a run that was killed behind its download
	[ ! -e newest.db ] || [ -e newest.db.note ] || [ -e newest.db-wal ] || ! lead "$record_object" in/* newest.db 2>/dev/null || return 0
	forget
	room $((2 * record_size + spare))
	for base in "$live" "$live.prev"; do
		# a run that has begun to fetch one has seen that these are not on the chain
		[ -e .newest.db.part ] || [ ! -f "$base" ] || ! lead "$record_object" -o newest.db in/* "$base" 2>/dev/null || return 0
	done
	warn "newest.db: begins with the base in Dropbox, state $record_n"
	get dbx-fetch --shell=file_ --no-progress -o newest.db "rev:$record_rev" || exit
	[ "$file_content_hash" = "$record_content_hash" ] || fail 65 "rev $record_rev is not what the record says"
	lead "$record_object" in/* newest.db || exit
}

# ---- a round, and all of them ------------------------------------------------------------------

round() {
	role=$(mirror-role show)
	case $role in
	standby | '') ;;
	*) warn "$state/role: $role: nothing is followed"; return ;;
	esac
	[ -n "$changes_every" ] || { warn "CTV_CHANGES_EVERY=off: nothing is followed"; return; }
	# one that is not believed is a person's to mend, and told by mirror-head
	get mirror-head show --shell=record_ --timeout 1m || case $? in 65) exit 75 ;; *) exit ;; esac
	[ -n "$record_newest_n" ] || { warn "the head record names no state: nights only"; return; }

	enter
	room $((record_size + spare))
	get db-apply --shell --finish newest.db 2>/dev/null || case $? in
	65 | 66) n= ;;
	*) fail $? "newest.db: cannot be used now" ;;
	esac
	# whoever removed it left its note
	[ -e newest.db ] || n=
	[ -z "$n" ] || advance || case $? in
	65) n= ;;
	# a hole: from the next base on
	66) [ "$record_n" -gt "$n" ] || exit 66; n= ;;
	*) exit $? ;;
	esac
	if [ -z "$n" ]; then
		begin
		dress newest.db
		[ -z "$content_hash" ] || night "$content_hash"
		advance || exit
	fi
	rm -rf in
	[ -z "$record_suspect_n" ] || warn "state $record_suspect_n and those after it are suspect: $record_suspect_why"
	say "newest.db: state $n of $snapshot_at"
}

# Until it is stopped; what is as in the round before is not said again. A record or an object that is missing, and Dropbox
# away, are waited out: how old newest.db is, the page tells.
follow() {
	[ -n "$changes_every" ] || {
		alert-post --key ctv-follow.service --state ok >/dev/null 2>&1 || :
		say "CTV_CHANGES_EVERY is off: there is the nightly copy alone"
		return
	}
	rev='' last='' told=
	while :; do
		code=0
		rev=$(dbx-wait -t 10m ${rev:+--not "$rev"} /mirror-head.json 2>/dev/null) || { [ $? -eq 75 ] || sleep 60; rev=; }
		said=$("$here/follow-changes.sh" --once 2>&1 >/dev/null) || code=$?
		[ -z "$said" ] || [ "$said" = "$last" ] || printf '%s\n' "$said" >&2
		last=$said
		# it is not well because it was started
		[ "$code" -ne 0 ] || [ -n "$told" ] || { alert-post --key ctv-follow.service --state ok >/dev/null 2>&1 || :; told=yes; }
		case $code in 0 | 66 | 69 | 75) ;; *) exit "$code" ;; esac
	done
}

check() {
	[ -d "$live_dir/.follow" ] || finish unchanged "nothing is followed here"
	enter
	[ -e newest.db ] || finish unchanged "nothing is followed here"
	step verify
	get db-apply --shell --finish newest.db || exit
	verify quick newest.db
	fact n:int "$n"
	finish ok "newest.db is sound: state $n of $snapshot_at"
}

if [ "$task" = check ]; then
	steps=1 log=/var/log/ctv-pi2-download/follow-check.log dry=
	run_as_job follow-check follow.lock:10m "$@"
fi
get ctv-conf --shell
case $task in
once)
	code=0
	flock -w 600 -E 99 "$state/follow.lock" "$here/follow-changes.sh" --locked || code=$?
	[ "$code" -ne 99 ] || fail 75 "$state/follow.lock: another round has held it for ten minutes"
	exit "$code"
	;;
locked) round ;;
check) check ;;
follow) follow ;;
esac
