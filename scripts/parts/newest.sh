# newest.sh - which state a failover serves: last night's copy, or the newest that was followed. Sourced by failover-to-pi2.sh, never run
#
# What always holds: whatever is wrong with the followed state, the database under the live name serves, as if nothing had been
# followed, and one line says why; no call here waits without end, and none reads a whole database; which state serves is told
# from the record of the installation and the file itself, by newest-check, never from how a tool ended.
# shellcheck shell=sh disable=SC2154,SC2034  # the settings, options and answers are the scripts'

newest_verdict='' newest_text='' newest_there='' newest_usable='' newest_half='' newest_old='' newest_n='' newest_epoch='' newest_seq=''
newest_digest='' newest_as_of='' newest_as_of_on='' newest_age_seconds='' newest_behind='' newest_clock='' newest_serves='' newest_live_n=''
newest_live_on='' newest_live_seconds='' newest_prev_n='' newest_prev_on='' held_holders='' newest_target_on='' newest_target_seconds=''
demand_text='' why='' ending='' drilled_rev='' drilled_content_hash='' drilled_epoch='' drilled_seq='' drilled_snapshot_at=''

look_newest() {
	newest_verdict=unknown newest_text='newest-check gives no answer' newest_there='' newest_usable='' newest_serves=other
	get newest-check --shell=newest_ 2>/dev/null
}

# make_room UNIT...: tells services that read here for minutes or hours to end, while the run goes on
make_room() {
	[ -z "$dry" ] || return 0
	undo=${undo:-follow_again}
	for other; do
		timeout -k 1s 4s svc-ctl -t 3s stop "$other.service" >/dev/null 2>&1 & ending="$ending $!"
	done
}

# room_made: waits for their end. One that has not ended is met again as the holder of a lock
room_made() {
	# shellcheck disable=SC2086  # words
	wait $ending || :
	ending=
}

# follow_again: starts the follower, which only waits while this host serves
follow_again() {
	timeout -k 1s 4s svc-ctl is-enabled ctv-follow.service >/dev/null 2>&1 || return 0
	timeout -k 1s 4s svc-ctl -t 3s start ctv-follow.service >/dev/null 2>&1 || :
}

# ---- the newest ----------------------------------------------------------------------------------

# alone: takes the follower's lock, until this run ends
alone() {
	[ -f "$state/follow.lock" ] && { command exec 8<"$state/follow.lock"; } 2>/dev/null && flock -w 3 8
}

# finish_apply: ends the change that a round was applying when it was stopped
finish_apply() {
	finished=0
	# waiting helps only where it was short of time
	timeout -k 1s 6s db-apply --finish -t 5s "$live_dir/.follow/newest.db" >/dev/null || finished=$?
	case $finished in 75 | 124 | 137)
		ask "   newest.db: wait about $newest_target_seconds s for $newest_target_on? Otherwise last night's serves. [y/N]" &&
			timeout -k 1s "$((2 * newest_target_seconds + 30))s" db-apply --finish -t 5s "$live_dir/.follow/newest.db" >/dev/null && finished=0
	esac
	look_newest || :
	return "$finished"
}

# meant WHY: does a person say yes? --yes is meant for it only with --newest
meant() { (yes=${newest:+$yes} && ask "   $1. Take it all the same? [y/N]"); }

# wanted: is the followed state good, or if it is suspect, does a person want it?
wanted() {
	case $newest_verdict in
	ok) ;;
	warning) meant "$newest_text" ;;
	# with --newest it may replace whatever stands under the live name
	*) [ -n "$newest" ] && [ -n "$newest_usable" ] ;;
	esac
}

# install_newest: tries for some seconds, for a process may have one of the two files open for a moment; one that has it for longer
# is named, and may be ended by a person
install_newest() {
	try=1
	while
		installed=0
		timeout -k 5s 10s db-install --quick --state "$state" --digest "$newest_digest" --number "$newest_n" --verified quick \
			--epoch "$newest_epoch" ${newest_seq:+--seq "$newest_seq"} --as-of "$newest_as_of" \
			"$live_dir/.follow/newest.db" "$live" >/dev/null || installed=$?
		[ "$installed" -eq 73 ]
	do
		try=$((try + 1))
		[ "$try" -gt 3 ] || { sleep 1 && continue; }
		for held in "$live" "$live_dir/.follow/newest.db"; do get holders-check --shell=held_ "$held" || [ -z "$held_holders" ] || break; done
		(yes='' && ask "   in use by ${held_holders:-somebody}. Try once more? Otherwise last night's serves. [y/N]") || return 0
	done
}

# demands_met: has it the tables and the size that this host demands of any database? Else $why. Tables that somebody has deleted
# on the primary are missing in the newest state a minute later, and last night's has them
demands_met() {
	set -- db-verify --shell=demand_ -l header --min-size "$min_size"
	for table in $tables; do set -- "$@" --table "$table"; done
	demand_text='what is in it cannot be told'
	get timeout -k 1s 10s "$@" "$live_dir/.follow/newest.db" || [ $? -eq 1 ] || { why=${demand_text#*newest.db: } && return 1; }
}

# reach_newest: newest.db is at rest and may be taken, or $why says why not
reach_newest() {
	why=$newest_text
	[ -n "$newest_there" ] || return
	why='another process holds it'
	alone || return
	look_newest || :
	why='what was being applied is not at its end'
	[ -z "$newest_half" ] || finish_apply || return
	why=$newest_text
	wanted || return
	demands_met || meant "newest.db: $why"
}

# take_newest: the followed state gets the live name, or $why says why not
take_newest() {
	reach_newest || return
	taken=$newest_n
	install_newest
	look_newest || :
	why='it could not be installed'
	[ "$newest_serves/$newest_live_n" = "newest/$taken" ]
}

# ---- last night's --------------------------------------------------------------------------------

# take_night: last night's copy takes the place of the state that an earlier failover has put there
take_night() {
	[ "$newest_serves" != night ] || return 0
	[ -n "$newest_prev_n" ] ||
		{ problem 66 "$live.prev: not last night's copy, as far as is on record" "without --last-night what is there serves" && return; }
	[ -z "$dry" ] || { more "last night's copy, of $newest_prev_on, would come back" && return; }
	timeout -k 5s 30s db-install --quick --state "$state" "$live.prev" "$live" >/dev/null || back=$?
	look_newest || :
	[ "$newest_serves" = night ] || fail "${back:-70}"
}

# ---- the choice ----------------------------------------------------------------------------------

no_newest() { problem 65 "the newest state is not to be had: ${why:-$newest_text}" "without --newest what is there serves"; }

# choose: puts the state that is to serve under the live name; of the newest a drill will take a copy
choose() {
	look_newest || :
	would_take='' put_by=
	[ -z "$dry" ] || { foresee; return; }
	room_made
	if [ -n "$last_night" ]; then
		take_night
	elif [ -n "$drill" ]; then
		[ -z "$newest" ] || reach_newest || no_newest
		would_take=${newest:+$newest_n}
	elif [ "$newest_serves" = newest ] && { [ -z "$newest" ] || [ -z "$newest_usable" ]; }; then
		put_by='an earlier run'
	elif take_newest; then
		put_by='this run'
	elif [ -n "$newest" ]; then
		no_newest
	elif [ -n "$newest_there$changes_every" ]; then
		more "newest.db is not taken: $why"
	fi
	# keeps the time of its data, for an application that serves changes that of the file
	if [ -n "$put_by" ]; then
		mirror-role mark || :
		more "the newest state that was followed, $newest_live_n, was put there by $put_by"
	fi
	serves=${would_take:+newest}
	facts serves:text "${serves:-$newest_serves}" n:int "${would_take:-$newest_live_n}"
}

# foresee: says what a failover would choose now, and stops nobody for it
foresee() {
	if [ -n "$last_night" ]; then
		take_night
	elif { [ "$newest_verdict" = ok ] || { [ -n "$newest" ] && [ -n "$newest_usable" ]; }; } && demands_met; then
		would_take=$newest_n
		more "would take newest.db, state $newest_n, with all that was entered until $newest_as_of_on"
		get holders-check --shell=held_ "$live" || [ -z "$held_holders" ] || more "but $live is in use by $held_holders"
	elif [ -n "$newest_half" ]; then
		more "newest.db is just being applied to: a failover waits for it"
	elif [ -n "$newest" ]; then
		no_newest
	elif [ -n "$newest_there$changes_every" ]; then
		more "newest.db would not be taken: ${why:-$newest_text}"
	fi
}

# tell_loss: says since when the entries are lost with the state that is to serve, by the time of its data, never of a file
tell_loss() {
	span="$((age_seconds / 3600)) h $((age_seconds / 60 % 60)) min"
	{ [ -z "$would_take" ] && [ "$newest_serves" != newest ]; } || [ "$age_seconds" -ge 3600 ] ||
		span="$((age_seconds / 60)) min $((age_seconds % 60)) s"
	if [ "$age_seconds" -lt 0 ]; then
		more "data from the future ($data_on): a clock is wrong, and what will be lost cannot be told"
	elif [ -z "$drill" ]; then
		more "you $would lose what was entered since $data_on: $span"
		[ ! -s "$state/data-of" ] || more "but what was entered here, when this host served last, is in it"
	fi
	[ -z "$newest_clock" ] || more "the clock of $primary is $newest_clock, says Dropbox's"
}
