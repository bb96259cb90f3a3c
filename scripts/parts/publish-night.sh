# publish-night.sh - the whole state: the night's round of publish-changes.sh, and how a base is asked for. Sourced, never run
#
# What always holds: only the nightly job publishes a whole state, and a minute's round asks for one, at most once a day besides the
# night's; no fault of the minutes keeps a night from its file; a night that was interrupted goes on only with a state that is on
# record, or will be by its file.
# shellcheck shell=sh disable=SC2154,SC2034  # the settings, options and answers are the scripts'

# need_base WHY: ends a minute's round, which cannot go on before a whole state is published: it starts the nightly job, if that may
# be, or waits for the night. The record says which.
need_base() {
	base_word='a base is waited for' base_text="so the base waits"
	get job-run --last=last_ upload
	base_code=75 base_lock=free
	flock -n -E 99 "$state/lock" true 2>/dev/null || [ $? -ne 99 ] || base_lock=held
	# a run of another night does not count
	[ -n "$last_ended_tonight" ] || last_base='' last_exit='' last_base_exit=''
	case $base_lock/$last_base/$last_exit/$last_base_exit in
	# the nightly job is at work, by whomever it was started
	held/*) base_word='base under way' base_text='the base is under way' ;;
	*/yes/*/*) base_text="the base of today is made, so this base waits for the night's" ;;
	*/65/* | */70/* | */77/* | */78/*) base_text='the nightly job waits for a person, so the base waits' ;;
	# the night's own look at the chain failed, which upload.log tells, though the night did not
	*/*/*/?*) base_code=$last_base_exit base_text="what was asked for one is of no state, so this base waits for the night's" ;;
	*)
		if age-check -w 1h -c 1h "$state/last-upload.json" >/dev/null 2>&1; then
			base_text='the nightly job has run within the hour, so the base waits'
		else
			start_base
		fi
		;;
	esac
	set_pace
	[ "$base_word" = 'base under way' ] || seldom
	mirror-head publish --owner "$node" --timeout 1m --pace "$pace_wait" --why "$base_word" >/dev/null 2>&1 || :
	fail "$base_code" "$1: $base_text"
}

# seldom: sets $pace_wait to 5 minutes at least, for while a base is waited for each round looks at all that changed since the last
# state, only to drop it. It is empty in a night that knows no CTV_CHANGES_EVERY
seldom() {
	pace_wait=${pace_wait:-0s}
	[ "${pace_wait%s}" -ge 300 ] || pace_wait=300s
}

start_base() {
	started=0
	svc-ctl -t 5s start ctv-db-sync.service || started=$?
	case $started in
	0 | 75) base_word='base under way' base_text='ctv-db-sync.service makes a base' ;;
	77) base_text='polkit does not let this job start the nightly one, so the base waits for the night' ;;
	*) exit "$started" ;;
	esac
}

# missed: tells people of pages whose change only the night's full look has seen: a fault of ours, which nobody else would notice
missed() {
	if [ "${look_missed:-0}" -eq 0 ]; then
		alert-post --key changes-missed --state ok || :
	else
		alert-post --key changes-missed --state warning --repeat 24h \
			"$node: $look_missed pages of state $look_n had changed, which the looks of the minutes should have seen" || :
	fi >/dev/null 2>&1
}

# whole: the night's round. A pending state is published, or dropped and looked at again, and keeps no night from its file. A base
# is pending until its file is on record. The file is described last of all, so that a night that was interrupted goes on only with
# a state that is on record, or will be by the file, and has its object in Dropbox.
whole() {
	one_at_a_time
	# a minute's look may have come in between, and its pending state is settled here in the second turn
	for time in first last; do
		what_next
		case $next_step in
		put | confirm) (settle) || remembered --drop || exit ;;
		drop | wait) remembered --drop || exit ;;
		esac
		look_at_installed 2>/dev/null || :
		what_next --list --above "${installed_n:-0}"
		set -- --full --file "$file" --node "$node" --epoch "${epoch:-1}"
		[ "$next_step" = look ] ||
			set -- "$@" --base --number "$next_number" ${next_newest_object:+--parent "$next_newest_object"}
		get db-changes --shell=look_ -t 10m "$@" --since "$states" "$live" "$out" || :
		case $get_status/$time in 0/*) break ;; 75/first) ;; *) exit "$get_status" ;; esac
	done
	missed
	if [ "$next_step" = look ]; then
		put_for=''
		settle
		[ "$published" = "$look_object" ] || fail 75 "the record changes too often"
	else
		dbx-put -c "$out" "$look_path" || exit
	fi
	remembered --show --append "$lines" >/dev/null || exit
}
