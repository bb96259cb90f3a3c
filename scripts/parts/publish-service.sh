# publish-service.sh - round after round of publish-changes.sh, for ever, and what ends that. Sourced, never run
#
# What always holds: no failure of a round ends the service, so nobody has to start it again; words that the round before has said
# are not said again; trouble that no next round mends by itself is told to people once, and once more when it is over.
# shellcheck shell=sh disable=SC2154,SC2034  # the settings and answers are the scripts'

# stopped: CTV_CHANGES_EVERY is off, so this host does not look any more, and the record says so. A host that never looked asks nobody.
# For a value that is neither a time nor off, which ctv-conf has named, the round ends with 78.
stopped() {
	[ "$(ctv-conf CTV_CHANGES_EVERY '')" = off ] || exit 78
	if [ -e "$states" ]; then
		get mirror-head show --shell=record_ || [ "$get_status" -eq 66 ] || exit "$get_status"
		[ "$record_owner" != "$node" ] || [ -z "$record_confirmed_at" ] ||
			mirror-head publish --owner "$node" --confirm null || exit
	fi
	say "CTV_CHANGES_EVERY is off: there is the nightly copy alone"
}

# still STEP...: is the next step one of these, now that the round has ended?
still() {
	get change-next --shell=next_ --owner "$node" -t 1m "$states" 2>/dev/null || return
	case " $* " in *" $next_step "*) ;; *) return 1 ;; esac
}

# fenced: is the record another host's? If so, it waits for a change of the record, or an hour
fenced() {
	still fenced || return
	pace_wait=5s paced=''
	dbx-wait -t 1h --not "$next_record_rev" /mirror-head.json >/dev/null 2>&1 || [ $? -eq 75 ] || pace_wait=2m
}

# trouble PAUSE: tells people of what no next round mends by itself, and sets the pause before it is tried again all the same
trouble() {
	alert-post --key ctv-publish.service --state warning --repeat 4h --do "journalctl -u ctv-publish.service" \
		"${node:-$(uname -n)}: what changes is not published
$said" >/dev/null 2>&1 || :
	pace_wait=$1 paced=''
}

# serve: round after round, each a process of its own, which reads the settings anew; only `off` ends the service
serve() {
	before=first
	while :; do
		code=0
		said=$("$0" --once 2>&1) || code=$?
		get ctv-conf --shell 2>/dev/null || changes_every=60s
		states=$state/changes/state.db was=$pace_wait_why
		if [ "$code" -ne 0 ]; then
			# a request has another number each time
			what=$(printf '%s\n' "$said" | sed 's/ (request [^)]*)//')
			[ "$what" = "$before" ] || printf '%s\n' "$said"
			before=$what
		elif [ -n "$before" ]; then
			[ "$before" = first ] || say "publishes again"
			before=
			alert-post --key ctv-publish.service --state ok || :
		fi
		# a good round may have a warning, as that this host lost commits
		[ "$code" -ne 0 ] || [ -z "$said" ] || printf '%s\n' "$said" | grep -vx -e 'state [0-9]* is published' || :
		case $changes_every/$code in
		# a round that had begun before the minutes were switched off has not told the record, and the next one does
		/0) case $said in *'_EVERY is off'*) return ;; *) pace_wait=5s paced='' ;; esac ;;
		/78) trouble 5m ;;
		# with the minutes off the nightly job tells of a Dropbox that is away and of a record that is not believed
		/*) pace_wait=5m paced='' ;;
		# after an idle round the pace is asked for only if that may have changed
		*/0) [ "$said$pace_wait_why/$paced" = "/$changes_every" ] || set_pace ;;
		*/69 | */75)
			set_pace
			# need_base said so
			case $said in *' base waits'*) ! still base wait || { seldom; pace_wait_why='a base is waited for'; } ;; esac
			;;
		# not allowed; where a month's calls are used up, each try may cost one more
		*/77) fenced || trouble 1h ;;
		*) trouble 5m ;;
		esac
		[ "$pace_wait_why" = "$was" ] || say "a look every $pace_wait${pace_wait_why:+: $pace_wait_why}"
		sleep "$pace_wait"
	done
}
