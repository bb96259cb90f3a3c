# doctor-watch.sh - the layers of what goes on between two nights, and of who hears of it. Sourced by ctv-doctor.sh, never run
#
# What always holds: how far the minutes are behind, and what a proof has found, is judged as on the status page, in its words.
# shellcheck shell=sh disable=SC2034,SC2154  # the settings, and the kind of this host, are the doctor's

see_round() { writable "$run_dir/www"; }

see_alerts() {
	[ -n "$teams_url_set$slack_url_set$ntfy_url_set" ] || warning "nobody is told: no channel is set" "echo CTV_NTFY_URL=... >>$env_file"
	# not repeated: they are secrets
	for each in $wrong_urls; do
		case $each in
		*_PROXY) critical "$each: not the address of a proxy" "ctv-db-sync.env(5)" ;;
		*_URL) critical "$each: not an http or https URL" "ctv-db-sync.env(5)" ;;
		*) critical "$each: a user needs a password, and neither has control characters" "ctv-db-sync.env(5)" ;;
		esac
	done
	try alert-post --list || { critical "$why"; return; }
	waiting=$(printf '%s\n' "$out" | sed -n 's/^[a-z]* *\([^ ]*\) .*not told yet: /\1, /p; T; q')
	[ -z "$waiting" ] || critical "not told: $waiting" "alert-post --flush"
	fact="somebody is told; $(printf '%s' "$out" | grep -c .) stand"
}

# on_the_page LINES...: what the page of this host would say, with what these commands tell; the one that is there knows the rest
on_the_page() {
	page_lag='' page_lag_text='' page_clock='' page_proof='' page_proof_text=''
	mkdir -p "$scratch/www"
	[ ! -f "$run_dir/www/status.json" ] || cp -pP --remove-destination "$run_dir/www/status.json" "$scratch/www" 2>/dev/null || :
	"$@" >"$scratch/lines" 2>/dev/null
	get status-render --shell=page_ --node "$node" --role "$role" --records "$state" --warn-lag "$warn_lag" --max-lag "$max_lag" \
		-o "$scratch/www" <"$scratch/lines" 2>/dev/null || :
}

# ---- the minutes -------------------------------------------------------------------------------

followed_lines() {
	age-check --as standby --time-of "$state/data-of" "$live" || :
	tagged head mirror-head show -n --json --timeout 5s || :
	tagged newest db-apply --show --json "$live_dir/.follow/newest.db" || :
}

published_lines() {
	tagged head mirror-head show -n --json --timeout 5s || :
	tagged newest db-changes -t 5s --show --json "$state/changes/state.db" || :
}

# runs UNIT: it does, and has nothing to complain of
runs() {
	about "$1" || return
	[ "$active" = active ] ||
		critical "$1 is $active since $(systemctl show -P StateChangeTimestamp "$1"): $(journalctl -q -o cat -n 1 -u "$1" 2>/dev/null)" \
			"journalctl -u $1 -n 20; systemctl start $1"
	try alert-post --list || return 0
	stopped=$(printf '%s\n' "$out" | sed -n "s/^[a-z]*  *$1  *//p")
	[ -z "$stopped" ] || warning "$1: $stopped" "journalctl -u $1 -n 20"
}

# behind FACT HINT: by the page's measure
behind() {
	case $page_lag in
	ok) fact=$1 ;;
	critical) critical "$page_lag_text; $1" "$2" ;;
	?*) warning "$page_lag_text; $1" "$2" ;;
	'')
		if try mirror-head show -n --timeout 5s; then fact="the head record confirms nothing: nights only"; else unknown "$why" "$hint"; fi
		;;
	esac
	[ -z "$page_clock" ] || warning "$page_clock, says Dropbox's" "timedatectl"
}

see_minutes() {
	case $changes_every/$role in
	/*) fact="CTV_CHANGES_EVERY is off: nights only" ;;
	*/primary) see_publishing ;;
	*/active) fact="while this host serves nothing is followed" ;;
	*) see_following ;;
	esac
}

see_publishing() {
	minute_n='' minute_snapshot_at='' minute_pending_n='' head_owner='' head_confirmed_at='' head_newest_n=''
	runs ctv-publish.service
	# its lock a look holds for as long as it takes
	get db-changes -t 5s --show --shell=minute_ "$state/changes/state.db" 2>"$scratch/err" || {
		complaint
		[ ! -e "$state/changes/state.db" ] ||
			{ unknown "$why" "${hint:-$program minutes, when a look that is under way has ended}"; return; }
	}
	[ -n "$minute_n" ] || { warning "nothing was published by this host yet" "systemctl start ctv-db-sync.service"; return; }
	on_the_page published_lines
	get mirror-head show -n --shell=head_ --timeout 5s 2>/dev/null || :
	case $head_owner in
	'' | "$node") behind "state $minute_n of $minute_snapshot_at is published, the record was confirmed at ${head_confirmed_at:-no time}" \
		"journalctl -u ctv-publish.service -n 20" ;;
	*) warning "$head_owner owns the head record, so nothing is published here" "failback-to-pi-ctv.sh on $head_owner" ;;
	esac
}

see_following() {
	newest_there='' newest_text='' newest_n='' newest_live_n='' newest_as_of_on='' newest_verdict=''
	runs ctv-follow.service
	on_the_page followed_lines
	get newest-check --shell=newest_ 2>/dev/null || :
	follower="journalctl -u ctv-follow.service -n 20 here, -u ctv-publish.service on $primary"
	behind "newest.db ${newest_n:+is state $newest_n, the newest until $newest_as_of_on}" "$follower"
	if [ -z "$newest_there" ]; then
		# without states on record there is nothing to follow
		[ -z "$page_lag" ] || warning "newest.db is not there: nothing has been followed yet" "$follower"
	# a followed state that is the installed night's own is not taken, and need not be
	elif [ "$newest_verdict" != ok ] && [ "$newest_n" != "$newest_live_n" ]; then
		warning "a failover would not take the newest state: $newest_text" "failover-to-pi2.sh --dry-run"
	fi
}

# ---- the proof -----------------------------------------------------------------------------------

see_proof() {
	[ "$kind" = standby ] || { fact="is the standby's"; return; }
	[ -n "$prove" ] || { fact="CTV_PROVE=no: the application is not proved"; return; }
	on_the_page :
	last_hint=''
	get job-run --last=last_ proof || :
	case $page_proof in
	ok) fact=$page_proof_text ;;
	'') warning "the application was never proved on its data" "prove-failover.sh" ;;
	*) warning "$page_proof_text" "${last_hint:-prove-failover.sh}" ;;
	esac
	# its unit is the application's own as it is now, and there is room for a copy
	try "$here/prove-failover.sh" -n || warning "${why#prove-failover.sh: }" "$hint"
}
