#!/bin/sh
# mirror-status.sh [-n] - how it stands with this host: the status page, the alerts, the pulse
#
# What always holds: a state that could not be looked at is unknown, never OK; the conditions of a failover are judged as in
# its dry run, by standby-check.sh; the page is written before anybody is told, and whether or not anybody can be told; a round
# without news writes nothing to a disk: the page lives in /run, and is gone after a boot.
set -eu
here=$(readlink -f "$0") here=${here%/*}
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
node='' primary='' standby='' app='' unit='' live='' live_dir='' state='' run_dir='' primary_url='' station_url='' max_age='' warn_age=''
changes_every='' warn_lag='' max_lag='' kuma_url_set='' kuma_sync_url_set='' healthchecks_url_set='' primary_verdict='' primary_text=''
seen_verdict='' seen_text='' seen_age_seconds='' dead_stands='' head_owner='' page_overall='' page_summary=''
page_hindrance='' page_problem='' page_stale='' page_old='' page_age_text='' page_sync_late='' page_sync_ok_at='' page_sync_message=''
page_sync_pulse='' page_sync_text='' page_lag='' page_lag_text='' page_clock='' page_proof='' page_proof_text='' page_queued=''

usage() {
	cat <<'END'
usage: mirror-status.sh [-n]

On the standby: looks at the primary, the copy, the nightly job, the readiness;
writes the status page, raises and resolves the alerts, pushes the state to
Uptime Kuma and to the dead-man's switch. On the primary: watches the standby.

  -n, --dry-run    print what was found, write and tell nothing
END
}

# ---- on the standby: what is found, a line each for status-render --------------------------------

probe() {
	http-probe --connect-timeout 5s -t 10s "$@"
}

# ask_primary: sets $primary_line, and $primary_verdict and $primary_text for the alert. The primary serves when it answers, and
# reaches its database where it has a page that says so.
ask_primary() {
	set -- --if-absent "$primary_url/api/system-stats" "$primary_url/health/database"
	primary_verdict=ok
	primary_line=$(probe --as primary "$@") && return
	primary_verdict=unknown
	get probe --shell=primary_ "$@" || :
	return 1
}

# an unreadable lock counts as free, so that alerts still fire
operator_at_work() {
	[ -e "$state/operator.lock" ] && ! { flock -n -E 99 "$state/operator.lock" true 2>/dev/null || [ $? -ne 99 ]; }
}

# No check opens the database: that would make the nightly job refuse to replace it.
look() {
	printf '%s\n' "$primary_line"
	age-check --as standby -w "$warn_age" -c "$max_age" --time-of "$state/data-of" "$live" || :
	installed-check --as verify --record "$state/installed.json" "$live" || :
	"$here/standby-check.sh" --json --for "$run" || :
	if [ -n "$follows" ]; then
		tagged head mirror-head show --json --timeout 5s || :
		tagged newest db-apply --show --json "$live_dir/.follow/newest.db" || :
	fi
	listed=0
	alert-post --list --as warn/alerts_told || listed=$?
	# 74 has said so itself
	case $listed in 0 | 74) return 0 ;; esac
	say-check --as warn/alerts_told ALERTS alert-post UNKNOWN "the alerts cannot be listed: exit status $listed of alert-post" || :
}

# render: writes the page, and sets page_*, by which the alerts are raised. Old data has an alert of its own.
render() {
	# shellcheck disable=SC2317  # by its name
	look | status-render --shell=page_ --node "$node" --role "$role" --records "$state" --keep "$state/status.json" \
		${follows:+--warn-lag "$warn_lag" --max-lag "$max_lag"} --apart db_fresh ${attended:+--only-warns app_serves} -o "$www"
}

# ---- the pulse: each round sends the state to push monitors; one that misses it, or gets a bad one, raises the alarm ----

# pulse CHANNEL ADDRESS-IS-SET STATE TEXT
pulse() {
	[ -z "$2" ] || alert-post --to "$1" --state "$3" "$4" || :
}

pulse_of_host() {
	pulse kuma "$kuma_url_set" "$1" "$2"
	pulse healthchecks "$healthchecks_url_set" "$1" "$2"
}

# ---- the alerts ----------------------------------------------------------------------------------

# alert KEY STATE OVER TEXT [OPTION...]: STATE warning or critical raises the alert KEY with TEXT; ok, or an empty one, ends it
# with OVER; unknown changes nothing. alert-post remembers what was told, and an alert that it does not know needs no end. That
# it cannot deliver it says itself, which is no failure of the round: the queue is tried again, and a missing pulse is noticed.
alert() {
	key=$1 is=${2:-ok} text=$4
	case $is in
	unknown) return 0 ;;
	ok)
		[ -e "$state/alerts/$key" ] || [ -e "$run_dir/alerts/$key" ] || return 0
		text=$3
		;;
	esac
	shift 4
	alert-post --key "$key" --state "$is" "$@" "$text" || :
}

tell() {
	alert primary-down "$primary_verdict" "$primary answers again" "$primary is down
$primary_text, twice within 30 s" --repeat 30m,2h,4h --do "$app/scripts/failover-to-pi2.sh on $node"
	if [ "$role" = active ]; then tell_of_active; else tell_of_standby; fi
}

# The alerts of a standby. One that has to last for a quarter of an hour has 14 minutes, for a round comes a little early. A run
# that failed is told by its unit; here it is told that none was good for long. Two alerts are about the standby's condition, so
# that the worse is told although the other stands.
tell_of_standby() {
	alert standby-issue "${page_problem:+warning}" "$node is in order again" \
		"$node has not been in order for 15 minutes
$page_problem" --after 14m --repeat 24h --do "mirror-status.sh -n on $node"
	# without a page nothing more is known, and no alert can end
	[ -n "$page_overall" ] || return 0
	alert standby-not-ready "${page_hindrance:+warning}" "$node is in order again" \
		"$node could not take over for 15 minutes
$page_hindrance" --after 14m --repeat 24h --do "mirror-status.sh -n on $node"
	stale="the age of the data of $node is not in order"
	[ -z "$page_old" ] || stale="the data of $node is older than $max_age"
	alert db-stale "$page_stale" "the data of $node is younger than $max_age again" "$stale
$page_age_text" --repeat 09:00
	alert data-lag "$page_lag" "$node has the last minutes of $primary again" "$node lacks the last minutes of $primary
$page_lag_text" --repeat 4h --inhibited-by primary-down --inhibited-by ctv-follow.service \
		--do "journalctl -u ctv-follow.service here, -u ctv-publish.service on $primary"
	alert clock-wrong "${page_clock:+warning}" "the clocks of $primary and $node are right again" \
		"a clock is wrong
$page_clock, says Dropbox's" --repeat 24h --do "timedatectl there"
	alert sync-failed "${page_sync_late:+warning}" "the nightly download works again" \
		"no nightly download of $node was good for 26 hours
${page_sync_ok_at:+the last was at $page_sync_ok_at }${page_sync_message:-no run is on record}" \
		--repeat 24h --inhibited-by primary-down --inhibited-by ctv-pi2-download.service \
		--do "tail /var/log/ctv-pi2-download/download.log; systemctl start ctv-pi2-download.service"
	alert proof "$page_proof" "the application works on the data of $node again" "the application was not proved on the data of $node
$page_proof_text" --repeat 24h --inhibited-by ctv-proof.service --do "prove-failover.sh on $node, and its log"
	# an application that failed while this host served is not started here any more, so no start ends its alert
	[ -e "$state/alerts/$unit" ] || return 0
	case $(svc-ctl -t 30s is-active "$unit") in
	inactive | failed) alert "$unit" ok "$unit does not run on $node any more, as it should be" '' ;;
	esac
}

# The alerts of a host that serves: its data is the newest there is, and nothing is downloaded. Trouble amid an operator's failover
# or failback is not told: he sees it himself, and the end of his run makes another round.
tell_of_active() {
	[ -z "$attended" ] || [ -z "$page_problem" ] || return 0
	[ -n "$page_overall" ] || page_hindrance=$page_problem
	alert standby-not-ready "${page_hindrance:+unknown}" "$node is in order again" ''
	alert standby-issue "${page_hindrance:+critical}" "$node is in order again" \
		"$node serves in place of $primary, and not as it should
$page_hindrance" --repeat 30m,2h,4h
}

# ---- the head record -----------------------------------------------------------------------------

# settle_by_role: makes the record name the owner that the role asks for. It does not take the operators' lock, for no operator
# is to wait for a round. A run that changes the role does so before the record; so where the role has changed by the end, the
# record is settled once more.
settle_by_role() {
	settled_by=$role
	settle_record || return
	role=$(mirror-role show) || return
	[ "$role" = "$settled_by" ] || settle_by_role
}

# The head record has to name the host that serves. An active host claims a record that somebody has restored or removed; a
# standby hands back one that still names it; a case that only a person can decide is told in each round until he has. That
# Dropbox does not answer is told by the nightly jobs.
watch_record() {
	record='' todo='' why=
	get mirror-head show --shell=head_ --timeout 5s 2>/dev/null || case $? in
	65) why=$(mirror-head show --timeout 5s 2>&1 >/dev/null | head -n 1) ;;
	*) return 0 ;;
	esac
	case $role/$head_owner in
	primary/"$node" | active/"$node") ;;
	primary/?*)
		record="$node is fenced: $head_owner owns the head record, and nothing is published here
this is right while $head_owner serves"
		todo="failback-to-pi-ctv.sh on $head_owner, once $node is well"
		;;
	active/* | standby/"$node" | /"$node")
		# an operator at work may be about to change it himself
		! operator_at_work || return 0
		if words=$(settle_by_role 2>&1); then
			# a Dropbox that does not answer any more must not end the round
			says=$(mirror-head show --field owner --timeout 5s 2>/dev/null) || says="who serves"
			record="the head record was wrong (${head_owner:-$why}), and says $says again"
		else
			record="the head record is wrong (${head_owner:-$why}): $(printf '%s\n' "$words" | head -n 1)"
			todo=$(printf '%s\n' "$words" | sed -n 's/^hint: //p')
		fi
		;;
	*/) record=$why todo="when it is certain who serves: mirror-head anew --owner NAME" ;;
	esac
	alert head-record "${record:+warning}" "the head record is in order again" "$node: $record" \
		--repeat 24h ${todo:+--do "$todo"}
}

# ---- on the primary: is the standby, which watches us, alive? ----------------------------------------

# An old page is told at once, one that cannot be fetched when that has lasted. alert-post is asked before the pulse is sent, for
# it knows how long that is so.
watch_standby() {
	dead=critical after=0 dead_text="the standby has not reported for 15 minutes"
	get probe --shell=seen_ --newer-than 15m --pointer /generated_at "$station_url/status.json" || :
	case $seen_verdict/$seen_age_seconds in
	ok/*) dead=ok dead_text="the standby reported $seen_age_seconds s ago" ;;
	*/-*) dead_text="the standby's page is from the future: a clock is wrong, and whether it lives is not known" ;;
	*/?*) ;;
	*) after=14m ;;
	esac
	dead_text="$dead_text
$seen_text"
	[ -z "$dry" ] || { say "$dead: $dead_text"; exit 0; }
	get alert-post --shell=dead_ --key checker-dead --state $dead --after $after --repeat 4h "$dead_text" || :
	if [ -n "$dead_stands" ]; then pulse_of_host critical "$dead_text"; else pulse_of_host ok "$seen_text"; fi
}

# ---- a round ---------------------------------------------------------------------------------------

dry=
for option; do
	case $option in
	-n | --dry-run) dry=yes ;;
	*) common_option "$option" ;;
	esac
done
get ctv-conf --shell
# ctv-conf has said which of the two is missing, and why
case $run_dir:$station_url in :* | *:) fail 78 "no page without CTV_RUN_DIR and CTV_STATION_URL" ;; esac
www=$run_dir/www ending=0
# every message links to it
export CTV_STATION_URL="$station_url"
if [ -z "$dry" ]; then
	[ -d "$www" ] || mkdir -p "$www" 2>/dev/null || fail 73 "$www: cannot create"
	exec 9<"$run_dir"
	flock -w 300 9 || fail 73 "$run_dir: another round has held its lock for five minutes"
fi
trap 'exit 75' INT TERM HUP

role=$(mirror-role show) || role=
if [ "$role" = primary ]; then
	node=${node:-$primary} page_queued=yes
	watch_standby
else
	node=${node:-$standby}
	# a single failure does not prove that the primary is down
	ask_primary || { sleep 30; ask_primary || :; }
	role=$(mirror-role show) || role=
	run=page attended='' follows=
	[ "$role" != active ] || run=active
	# while this host serves nothing is followed
	[ "$run" = active ] || [ -z "$changes_every" ] || [ ! -d "$live_dir/.follow" ] || follows=yes
	[ "$run" != active ] || ! operator_at_work || attended=yes
	[ -z "$dry" ] || { look; exit 0; }
	get render || ending=$?
	[ -n "$page_overall" ] || page_problem="the status page cannot be made" page_summary="the status page cannot be made"
	pulse_of_host "${page_overall:-critical}" "$page_summary"
	pulse kuma-sync "$kuma_sync_url_set" "${page_sync_pulse:-critical}" "${page_sync_text:-$page_summary}"
	tell
fi
watch_record
[ -z "$page_queued" ] || alert-post --flush || :
[ "$ending" -lt 126 ] || ending=70
exit "$ending"
