# proof.sh - how a proof copies the database, and judges what it has seen of the application. Sourced by prove-failover.sh, never
# run
#
# What always holds: the database is only read; the copy is removed wherever a run ended; an application that needs a network
# outside, and so cannot start in one of its own, is not said to have failed.
# shellcheck shell=sh disable=SC2154,SC2034  # the settings, options and answers are the script's

# ---- the copy ----------------------------------------------------------------------------------

# enter: makes a directory of ours alone the working directory, in which all names are from here on, whatever becomes of its own
# name. Beside the database the application may write, and could put a link where we are to write.
enter() {
	cd -P "$live_dir" || fail 73
	beside=$PWD
	{ [ -O .proof ] && [ ! -h .proof ] && [ -d .proof ]; } || rm -rf .proof || :
	[ -d .proof ] || (umask 077 && mkdir .proof) || fail 73
	cd -P .proof || fail 77
	{ [ "$PWD" = "$beside/.proof" ] && [ -O . ]; } || fail 77 "$beside/.proof: is not ours" "sudo rm -r $beside/.proof"
	chmod 00700 . || fail 77
}

# clean: removes the files of a proof, also of one that was killed. Directories that the application made, its unit removes when it
# has stopped.
clean() { find . -mindepth 1 -maxdepth 1 -exec rm -rf {} +; }

remove() {
	{ clean && cd .. && rmdir .proof; } || fail 74 "$live_dir/.proof: cannot be removed" "sudo rm -r $live_dir/.proof"
}

# room: a copy must leave room for the next night, and enough that the follower need not remove its files
room() {
	get room-check --shell=room_ -c $((2 * copy_size_bytes + spare)) . ||
		skipped "$room_text: too little for a copy and for the next night" "make room in $live_dir"
}

# copied FROM TO: shares the blocks where the file system can; refuses a link
copied() {
	cp -pP --remove-destination -T --reflink=always "$1" "$2" 2>/dev/null || {
		room
		cp -pP --remove-destination -T --reflink=auto "$1" "$2" || fail 74 "$1: cannot be copied"
	}
	{ [ -f "$2" ] && [ ! -h "$2" ]; } || skipped "$live_dir/${1#../}: is not a regular file"
	{ chgrp --reference="$live" "$2" && chmod --reference="$live" "$2"; } || fail 77
}

# size_of FILE: sets $copy_size_bytes
size_of() {
	get age-check --shell=copy_ --any-age "$1" || :
	[ -n "$copy_size_bytes" ] || skipped "$live_dir/${1#../}: is not there"
}

copy_night() {
	look_at_installed || :
	n=$installed_n snapshot_at=$installed_snapshot_at
	size_of "$night"
	was=$(stat -c '%d %i %s %Y' "$night")
	copied "$night" "$copy"
	# a log that an ended application has left belongs to the database
	for log in -wal -journal; do
		[ ! -s "$night$log" ] || copied "$night$log" "$copy$log"
	done
	[ "$was" = "$(stat -c '%d %i %s %Y' "$night")" ] || skipped "$live: has changed meanwhile" "run it again"
}

# the follower writes newest.db under its lock, which this run holds until it has the copy
copy_newest() {
	{ [ -O ../.follow ] && [ ! -h ../.follow ]; } || skipped "$live_dir/.follow: nothing is followed here"
	size_of ../.follow/newest.db
	get db-apply --shell --finish ../.follow/newest.db || skipped "$live_dir/.follow/newest.db: cannot be used now"
	copied ../.follow/newest.db "$copy"
	unlock follow.lock
}

# ---- verdicts ----------------------------------------------------------------------------------

# skipped TEXT [HINT]: the proof could not be made this time
skipped() { fact verdict:text skipped; fail 75 "$1" "${2-}"; }

# cannot TEXT HINT: the application cannot be proved in this way
cannot() { fact verdict:text cannot; fail 75 "$1" "$2, or CTV_PROVE=no"; }

# bare: sets $bare to a directory on which no layer could be mounted, and $layer to the unit that was to do it. Then the application
# has not been started.
bare() {
	bare=
	for unit_of in $(systemctl show -P Requires "$app_unit"); do
		case $unit_of in run-ctvproof-*.mount) ;; *) continue ;; esac
		ended=$(systemctl show -p ActiveState -p Result "$unit_of")
		case $ended in *State=failed*) ;; *) continue ;; esac
		layer=$unit_of bare=$(systemctl show -P Description "$unit_of") bare=${bare%%,*}
		# one that was ended, because another could not be mounted, says nothing of why
		case $ended in *Result=signal*) ;; *) break ;; esac
	done
	[ -n "$bare" ]
}

# last_words: the application's last messages in one line, without tracebacks. A repeated one stands where it was said last: the
# reason that two workers give is not lost behind what comes between them.
last_words() {
	journalctl -q -o cat -n 200 "_SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID "$app_unit")" 2>/dev/null | LC_ALL=C tr -c '\n -~' '?' |
		grep -vE '^( |$|Traceback |During handling|The above exception)|\[(INFO|DEBUG)\]' | tac |
		awk '!seen[$0]++ && n++ < 7' | tac | cut -c 1-250 | sed ':a;N;$!ba;s,\n, / ,g' || :
}

# failed STEP TEXT: the application does not come up, or not as it should. One that asks for a network outside only cannot be proved.
failed() {
	said=$(last_words)
	fact app_said:text "$said"
	case $1/$said/$(asked_outside) in
	start/*'Network is unreachable'* | start/*'name resolution'* | start/*'Name or service not known'* | start/*'Cannot assign requested address'* | start/*/yes)
		cannot "$1: $2: it asks for a network outside, so it cannot be proved this way" \
			"let it start without that, as a failover without network must"
		;;
	esac
	case $1 in stop | verify) ;; *) on_code "${prove_rollback:+back}" ;; esac
	fact verdict:text failed
	fail 69 "$1: $2" "journalctl -u $app_unit -n 50"
}

# on_code [VERDICT]: leaves the verdict on this code as a note for update-code.sh(8). There is none on the newest data, which may be
# the cause themselves, nor on code that has changed meanwhile.
on_code() {
	[ -n "$commit" ] && [ -z "$newest" ] && [ "$commit" = "$("$here/code-check.sh" --commit 2>/dev/null)" ] || return 0
	# asked before the note is written, which is carried out at once
	[ "${1-}" != back ] || back_to=$("$here/code-check.sh" --back 2>/dev/null) || back_to=
	code-note "${1:-failed}" "$commit" || return 0
	[ "${1-}" != back ] || fact back_to:text "$back_to"
}

# trusted FILE: could nobody but root and this user have written it, or put it there?
trusted() {
	at=$(readlink -e "$1") || return
	while [ -z "$(find "${at:-/}" -maxdepth 0 \( ! -user root ! -user "$(id -un)" -o -perm /022 ! -perm -1000 \))" ]; do
		[ -n "$at" ] || return 0
		at=${at%/*}
	done
	return 1
}

# asked_outside: has anybody in this network asked for an address that is not in it?
asked_outside() {
	awk '$1 == "Ip:" && !at { for (i = 2; i <= NF; i++) if ($i == "OutNoRoutes") at = i; next }
		$1 == "Ip:" && $at != 0 || $1 == "Ip6OutNoRoutes" && $2 != 0 { found = 1 } END { if (found) print "yes" }' \
		/proc/net/snmp /proc/net/snmp6
}
