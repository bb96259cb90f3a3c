#!/bin/sh
# followed.sh - the directory .follow beside the standby's database: who may be in it, what comes there, and how it goes again. Sourced
# by follow-changes.sh, never run
#
# What always holds: all of it is this user's own, reached through no link, and may go at any time, for it can be made again.
# shellcheck shell=sh disable=SC2154,SC2034  # the settings and answers are the script's

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

# clean: what ended runs have left on the way; what is in is whole
clean() {
	rm -rf in night.tmp .night.tmp.* .newest.db.* || fail 74
}

# forget: newest.db goes, its note and its log first: a log that was left beside another file would be taken for that one's
forget() {
	{ rm -rf newest.db.note newest.db-next newest.db-wal newest.db-shm newest.db-journal && sync . &&
		rm -rf newest.db night.db && sync .; } || fail 74
}

# leave: nothing of it stays on a host where nothing is followed any more
leave() {
	[ -d "$live_dir/.follow" ] || return 0
	enter
	forget
	clean
	{ rm -f newest.db.lock && cd .. && rmdir .follow; } || fail 74
}

# room BYTES: so many are to stay free; else what is here goes first, for it can be made again
room() {
	room-check -c "$1" . >/dev/null || {
		forget
		clean
		fail 74 "$follow: less than $1 bytes were free: what was followed has gone, so that the night finds room"
	}
}

# dress FILE: what is to take the live name one day has its group and mode already. Where we may not give them, who takes it has to
dress() {
	as=$live
	[ -e "$live" ] || as=$live_dir
	{ chgrp --reference="$as" "$1" && if [ "$as" = "$live" ]; then chmod --reference="$live" "$1"; else chmod 0660 "$1"; fi; } ||
		warn "$1: is not of the group of $as: a failover to it may need root; usermod -aG $(stat -c %G "$as") ctvsync"
}

# ---- what comes from Dropbox --------------------------------------------------------------------

# fetch N: what lies beyond state N, up to the newest, into in/; a name is never used twice, so what is there stays. Asked as
# a condition; 66: there is a hole
fetch() {
	if [ "$1" -eq $((record_newest_n - 1)) ]; then
		names="$record_newest_n - $record_newest_path"
	else
		names=$(dbx-ls -R /changes) || return
		names=$(printf '%s\n' "$names" | change-names --after "$1" --to "$record_newest_n") || return
	fi
	case $names in
	"$(($1 + 1)) "*) ;;
	*) warn "/changes: state $(($1 + 1)) has no object there"; return 66 ;;
	esac
	mkdir -p in || return 74
	printf '%s\n' "$names" | while read -r _ _ object; do
		[ -e "in/${object##*/}" ] || printf '%s\n' "$object"
	done | bring --into in --timeout 2h
}

# lead OBJECT [-o NEW] FILE: towards its state, as far as the first whole one on the way. Sets n, digest and the like
lead() {
	to=$1
	shift
	if [ "$1" = -o ]; then set -- -o "$2" in "$3"; else set -- in "$1"; fi
	get db-apply --shell --to "$to" "$@"
}
