# choice.sh - which copy daily-download.sh brings: the one on record, or one that a person has chosen, and whether that is newer than
# what is installed. Sourced by daily-download.sh, never run
#
# What always holds: nothing is changed here; a copy without rev, hash and time is none.
# shellcheck shell=sh disable=SC2154,SC2034  # the settings, options and answers are the script's

# wait_for_news: for $wait at most, until the record names a newer copy; a failure here is seen again by the steps that follow
wait_for_news() {
	look_at_installed || :
	say "waiting for a newer copy ($wait at most)"
	mirror-head wait --newer "${installed_epoch:-0}.${installed_seq:-0}" --timeout "$wait" >/dev/null 2>&1 || :
}

# timer_ends: a timer's start ends here while this host serves, or has just given back; when there is nothing new; or while the copy
# on record is the one that was refused, which only a person can mend, so that it waits for the next night. A person's start always
# gets a run.
timer_ends() {
	role=$(mirror-role show 2>/dev/null) || role=
	# an alarm about a night's copy, in the hour after a failover, would be one too many
	[ "$role" != active ] || finish unchanged "this host is serving in place of the primary; its database stays"
	get mirror-head show --shell=record_ --timeout 30s 2>/dev/null || :
	case $get_status in
	0 | 65) ;;
	66) get dbx-ls --shell=file_ "$remote" 2>/dev/null || return 0; record_rev=$file_rev ;;
	*) return 0 ;;
	esac
	if [ -s "$state/data-of" ] && [ "$role" = standby ] && [ -n "$record_confirmed_at" ] &&
		! looked_since "$record_confirmed_at" "$record_asked_at"; then
		finish unchanged "what was entered here stays until the primary has said what it has"
	fi
	get job-run --last=last_ download
	# another copy may be a good one
	{ [ "$last_exit" = 65 ] && [ "$last_rev" != "$record_rev" ]; } || leave_to_a_person ctv-pi2-download.service
	if [ "$last_exit$last_ok_tonight" = 0yes ] && look_at_installed && [ "$installed_rev" = "$record_rev" ]; then
		finish unchanged "nothing is new since this night's download"
	fi
}

# follow_first: where the minutes are followed, a round of that makes the night's copy, if it can, which then need not be fetched. A
# round under way is waited for; how this one ends, the follower says.
follow_first() {
	[ ! -e "$live_dir/.follow/newest.db" ] || timeout -k 1s 30m "$here/follow-changes.sh" --once >/dev/null 2>&1 || :
}

# ---- which one ----------------------------------------------------------------------------------

# of_file PATH: that file in Dropbox is to be installed as it is
of_file() {
	get dbx-ls --shell=file_ "$1" || exit
	rev=$file_rev hash=$file_content_hash size=$file_size size_text=$file_size_text taken=$file_client_modified
	case /$rev/$hash/$taken/ in *//*) fail 76 "$1: no file with a rev, a content_hash and a time" ;; esac
}

# of_local FILE: that file of this host is, whose time is its data's. It has no rev; db-verify tells its content_hash when it is asked
# about another.
of_local() {
	[ -f "$1" ] || fail 66 "$1: no such file"
	[ ! -h "$1" ] || fail 66 "$1: a symbolic link"
	for beside in "$1-wal" "$1-journal"; do
		[ ! -s "$beside" ] || fail 65 "$beside: is part of the database, and is not taken in yet" "sqlite3 $1 .schema takes it in"
	done
	has_content "$1" "$(printf %064d 0)" || :
	get installed-check --shell=local_ --record "$state/installed.json" "$1" || :
	rev=file hash=$content_content_hash size=$content_size_bytes size_text=$1 taken=$local_file_mtime
	case /$hash/$size/$taken/ in *//*) fail 65 "db-verify: $content_text" ;; esac
}

# read_record: sets epoch, seq, number, rev, hash, size, size_text, taken and verified of the copy that is to be installed
read_record() {
	epoch='' seq='' number='' verified=
	if [ -n "$from" ]; then
		of_file "$from"
		note "$from, $size_text, of $taken"
		return
	elif [ -n "$file" ]; then
		of_local "$file"
		note "$file, of $taken"
		return
	fi
	get mirror-head show --shell=record_ ${dry:+--dry-run} || :
	case $get_status/$record_rev/$force in
	0/?*/*)
		epoch=$record_epoch seq=$record_seq number=$record_n rev=$record_rev hash=$record_content_hash verified=$record_verified
		size=$record_size size_text=$record_size_text taken=$record_snapshot_at
		note "number $epoch.$seq, $size_text, taken $taken by $record_owner"
		;;
	# no record, or one that was claimed before anything was published: only the old uploader is at work. With --force a
	# person takes the file that is there, whatever the record says.
	0/* | 66/* | 65/*/yes)
		of_file "$remote"
		note "no copy on record: $remote is taken as it is, $size_text, of $taken"
		;;
	*) exit "$get_status" ;;
	esac
}

# is_newer: ends the run when an older copy would replace a newer one
is_newer() {
	look_at_installed || :
	[ -z "$chosen$force" ] || return 0
	case $installed_epoch/$installed_seq in
	/) return ;;
	/* | */) fail 65 "$state/installed.json: damaged: which copy is installed is not known" \
		"--force installs the newest all the same" ;;
	esac
	[ -n "$epoch" ] || fail 65 "$remote: no copy is on record any more, but number $installed_epoch.$installed_seq is installed" \
		"--force takes $remote as it is"
	[ "$epoch" -gt "$installed_epoch" ] || { [ "$epoch" -eq "$installed_epoch" ] && [ "$seq" -ge "$installed_seq" ]; } ||
		fail 65 "$remote: number $epoch.$seq is older than the installed $installed_epoch.$installed_seq" \
			"--force installs it all the same"
}
