# followed.sh - the directory .follow beside the standby's database: how it is entered, filled, and removed again. Sourced by
# follow-changes.sh, never run
#
# What always holds: the directory is this user's own and reached through no link; its files may be removed at any time, for they
# can be made again.
# shellcheck shell=sh disable=SC2154,SC2034  # the settings and answers are the script's

# enter: makes it the working directory, in which all names are from here on, whatever becomes of its own name. The application
# must not write there, for a failover believes what it finds.
enter() {
	follow=$live_dir/.follow
	cd -P "$live_dir" || fail 73
	beside=$PWD
	# closed to everybody else until it has our group
	[ -d .follow ] || (umask 077 && mkdir .follow) || fail 73
	cd -P .follow || fail 77
	[ "$PWD" = "$beside/.follow" ] || fail 77 "$follow: a symbolic link" "remove it"
	[ -O . ] || fail 77 "$follow: is another user's" "sudo -u ctvsync $program --once follows; or remove it"
	[ "$(stat -c %g:%a .)" != "$(id -g):770" ] || return 0
	[ -z "$(find . -maxdepth 0 -perm /007)" ] || fail 77 "$follow: open to everybody" "remove it"
	# five digits: without the group's bit, which our sandbox gives to nothing
	{ chgrp "$(id -g)" . && chmod 00770 .; } || fail 77
}

# clean: removes the unfinished files of ended runs, and the objects that were fetched
clean() {
	rm -rf in night.tmp .night.tmp.* .newest.db.* || fail 74
}

# forget: removes newest.db, but first its note and its log: a log that is left beside another file would be taken for that one's
forget() {
	{ rm -rf newest.db.note newest.db-next newest.db-wal newest.db-shm newest.db-journal && sync . &&
		rm -rf newest.db night.db && sync .; } || fail 74
}

# leave: removes the directory, on a host where nothing is followed any more
leave() {
	[ -d "$live_dir/.follow" ] || return 0
	enter
	forget
	clean
	{ rm -f newest.db.lock && cd .. && rmdir .follow; } || fail 74
}

# room BYTES: ends the run when less is free, and removes what was followed, so that the night has that room
room() {
	room-check -c "$1" . >/dev/null || {
		forget
		clean
		fail 74 "$follow: less than $1 bytes were free: what was followed has gone, so that the night finds room"
	}
}

# dress FILE: gives it the group and mode of the live database, whose name it may take one day. Where we may not, the failover has to
dress() {
	as=$live
	[ -e "$live" ] || as=$live_dir
	{ chgrp --reference="$as" "$1" && if [ "$as" = "$live" ]; then chmod --reference="$live" "$1"; else chmod 0660 "$1"; fi; } ||
		warn "$1: is not of the group of $as: a failover to it may need root; usermod -aG $(stat -c %G "$as") ctvsync"
}

# ---- what comes from Dropbox --------------------------------------------------------------------

# fetch N: brings the objects beyond state N, up to the newest, into in/; a name is never used for two objects, so those that are
# there stay. Called as a condition; 66: one of them is missing in Dropbox
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

# lead OBJECT [-o NEW] FILE: brings FILE, or a copy of it, towards OBJECT's state, as far as the first night on the way. Sets n,
# digest and the other names of db-apply
lead() {
	to=$1
	shift
	if [ "$1" = -o ]; then set -- -o "$2" in "$3"; else set -- in "$1"; fi
	get db-apply --shell --to "$to" "$@"
}
