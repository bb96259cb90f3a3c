#!/bin/sh
# mirror-status.sh [-n] - how it stands with this host: the status page, the alerts, the pulse
#
# What always holds: what could not be looked at is unknown, never OK; the conditions of a failover are judged as in
# its dry run, by oldlib.sh; the page comes before anybody is told, and telling nobody is no reason for no page; with
# nothing new, nothing is written to a disk: the page lives in /run, and is to be gone after a boot.
set -eu
here=$(readlink -f "$0") here=${here%/*}
# shellcheck source=scripts/oldlib.sh
. "$here/oldlib.sh"

usage() {
	cat <<'END'
usage: mirror-status.sh [-n]

On the standby: looks at the primary, the copy, the nightly job, the readiness;
writes the status page, raises and resolves the alerts, pushes the state to
Uptime Kuma and to the dead-man's switch. On the primary: watches the standby.

  -n, --dry-run    print what was found, write and tell nothing
  -h, --help       this text
  -V, --version    the version

Settings come from the environment and /etc/ctv-db-sync.env, ctv-db-sync.env(5).
END
}

while [ $# -gt 0 ]; do
	case $1 in
	-n | --dry-run) dry=yes ;;
	-h | --help) usage; exit 0 ;;
	-V | --version) echo "$program $version"; exit 0 ;;
	*) usage_error "$1: nothing is taken" ;;
	esac
	shift
done

settings
# which of the two, and why, ctv-conf has said
case $run_dir:$station in :* | *:) die 78 "no page without CTV_RUN_DIR and CTV_STATION_URL" ;; esac
kuma=$kuma_url_set kuma_sync=$kuma_sync_url_set switch=$healthchecks_url_set
www=$run_dir/www
# every message links to it
export CTV_STATION_URL="$station"

# ---- what is found, a JSON line each, as status-render wants them -----------------------------

# as ID FILE: a check's line, marked
as() {
	read -r line 2>/dev/null <"$2" && [ -n "$line" ] || return 0
	printf '{"id":"%s",%s\n' "$1" "${line#?}"
}

# One program for all three: what it takes to start costs more than the questions. Sets $seen_primary, $seen_own,
# $seen_page: no file, for that a full disk must not hide a primary that is down.
look_by_http() {
	seen_primary='' seen_own='' seen_page='' own_page=api/system-stats
	[ "$role_was" != active ] || own_page=health/database
	probed=0
	seen=$(probe "$primary_url/health/database" "$own_url/$own_page" "$station/status.json") || probed=$?
	[ -n "$seen" ] || [ "$probed" -ne 3 ] || name_bad_url
	{
		read -r seen_primary && read -r seen_own && read -r seen_page
	} <<END || :
$seen
END
	primary_serves || {
		# once is no proof of the contrary
		sleep 30
		seen_primary=$(probe "$primary_url/health/database") || :
		primary_serves || :
	}
}

# name_bad_url: it asked nobody, for one of them is no URL. The value is not repeated: it may hold a password.
name_bad_url() {
	for setting in "CTV_PRIMARY_URL $primary_url" "CTV_STANDBY_URL $own_url" "CTV_STATION_URL $station"; do
		probed=0
		cause=$(probe -t 1ms "${setting#* }" 2>&1 >/dev/null) || probed=$?
		[ "$probed" -ne 3 ] || die 78 "${setting%% *}: $(printf '%s\n' "$cause" | sed -n '1s/^.*URL 1: //p')"
	done
	die 78 "CTV_PRIMARY_URL, CTV_STANDBY_URL, CTV_STATION_URL: http-probe takes them one by one, and not together"
}

probe() {
	http-probe --json --connect-timeout 5s -t 10s "$@"
}

# it serves when it answers and reaches its database; an application without that page says 404
primary_serves() {
	member_of http_status "$seen_primary"
	[ "$value" != 404 ] || seen_primary=$(probe "$primary_url/api/system-stats") || :
	member_of state "$seen_primary"
	[ "$value" = ok ]
}

# served LINE
served() {
	string_of text "$1"
	fact=$value
	member_of state "$1"
	[ "$value" = ok ] || unmet 69 "${fact:-not known}"
}

# Only told by its size and time: a check that has the file open would make the nightly job refuse to replace it. Every
# page was read when it was installed; the dry run reads them all again.
look_at_copy() {
	copy_is=unknown copy_text="nothing to verify"
	[ -e "$live" ] || return 0
	copy_is=ok copy_text="as it was installed" unchanged=true
	as_installed || copy_is=warning copy_text="written to since it was installed" unchanged=false
	# while it serves that is what it is for
	[ "$role_was" != active ] || copy_is=ok
	pick verified_by "$state/installed.json"
	copy_level=$value
	pick installed_at "$state/installed.json"
	printf '{"state":"%s","text":"%s","unchanged":%s,"level":"%s","at":"%s","file_mtime":"%s"}\n' \
		"$copy_is" "$copy_text" "$unchanged" "$copy_level" "$value" "$written_at"
}

# quiet_replace FILE: in /run, where nothing has to outlive a crash
quiet_replace() {
	beside=$(mktemp "$1.XXXXXX") && cat >"$beside" && chmod 660 "$beside" && mv -fT "$beside" "$1"
}

# condition NAME FUNCTION [warning]: one of the readiness; with `warning` it stands in no failover's way
condition() {
	word=ok
	"$2" || word=${3:-critical}
	{
		printf '{"id":"ready","check":"%s","state":"%s","text":' "$1" "$word"
		json_text "$fact"
		echo '}'
	} >>"$scratch/conditions" || :
	case $1/$word in
	# old data has an alert of its own
	*/ok | db_fresh/*) ;;
	*/critical) hindrance=${hindrance:-"$1: $fact"} ;;
	*) problem=${problem:-"$1: $fact"} ;;
	esac
}

# ---- conditions that only this page knows ----------------------------------------------------

# what look_at_copy found
db_verified() {
	fact=$copy_text
	[ "$copy_is" = ok ] || unmet 65 "$fact"
}

# what age-check found
db_in_time() {
	pick state "$scratch/age"
	age_is=$value
	string_of text "$line"
	fact="${value##*"$live is "}, at most $max_age"
	case $age_is in ok | warning) ;; *) unmet 65 "$fact" ;; esac
}

# what code-check.sh found
code_present() {
	fact=${code_said#CODE [A-Z]*: }
	[ "$code_is" -eq 0 ] || unmet 77 "$fact"
}

# the nightly download needs room for a second copy
room_for_next() {
	pick size_bytes "$scratch/age"
	room_for "${value:-0}" "the next download"
}

timer_armed() {
	run svc-ctl is-active ctv-pi2-download.timer || :
	read -r fact <"$out" || fact=unknown
	fact="ctv-pi2-download.timer is $fact"
	[ "$status" -eq 0 ] || unmet 69 "$fact"
}

# people look there, and the primary listens for us there; before the first round the page is missing
page_served() {
	served "$seen_page" && return
	member_of http_status "$seen_page"
	[ "$value" = 404 ] && [ ! -e "$www/status.json" ]
}

# a host without a page has no such unit
page_wanted() {
	page_served && return
	run svc-ctl status control-station.service || :
	[ "$status" -ne 4 ]
}

# what was not good is asked again: the role may have changed since, while the primary had its second chance
app_serves() {
	member_of state "$seen_own"
	[ "$value" = ok ] || seen_own=$(probe "$own_url/health/database") || :
	member_of http_status "$seen_own"
	[ "$value" != 404 ] || seen_own=$(probe "$own_url/api/system-stats") || :
	served "$seen_own"
}

port_is_free() {
	member_of connected "$seen_own"
	[ "$value" = false ] || port_free
}

# what cannot be told must at least be seen
alerts_told() {
	fact="nothing that could not be told"
	if [ -e "$state/alerts" ] && { [ ! -r "$state/alerts" ] || [ ! -x "$state/alerts" ]; }; then
		unmet 74 "$state/alerts: cannot read"
	elif [ "$listed" -ne 0 ]; then
		unmet "$listed" "the alerts cannot be listed: exit status $listed of alert-post"
	elif [ -n "$untold" ]; then
		unmet 69 "somebody could not be told: alert-post --list"
	fi
}

# a lock that cannot be opened is nobody's: no alarm may be missed for it
operator_at_work() {
	[ -e "$state/operator.lock" ] || return 1
	held=0
	flock -n -E 99 "$state/operator.lock" true 2>/dev/null || held=$?
	[ "$held" -eq 99 ]
}

look_at_readiness() {
	problem='' hindrance='' attended='' unit_was=
	true >"$scratch/conditions"
	condition role_clear role_clear
	if [ "$role_was" = active ]; then
		# a failover that begins, a failback that ends: the operator sees it, and the end of his run makes another round
		! operator_at_work || attended=warning
		condition app_serves app_serves $attended
		condition disk_free disk_free
		# for the page alone: it is no matter of how this host serves
		served_ill=$problem
		condition alerts_told alerts_told warning
		problem=$served_ill
		return 0
	fi
	condition db_present db_present
	condition db_fresh db_in_time
	condition db_verified db_verified warning
	code_is=0 code_ill=critical
	code_said=$("$here/code-check.sh" 2>/dev/null) || code_is=$?
	[ "$code_is" -eq 2 ] || code_ill=warning
	condition code_present code_present "$code_ill"
	condition unit_startable unit_startable
	condition port_free port_is_free
	condition disk_free disk_free
	condition room_for_next room_for_next warning
	condition data_writable data_writable
	condition state_writable state_writable
	condition timer_armed timer_armed warning
	condition alerts_told alerts_told warning
	! page_wanted || condition page_served page_served warning
}

# next_run TASK TIMER: sets $next. Asked after each run, and again as long as there is none: while the job still ends.
next_run() {
	read -r known next 2>/dev/null <"$run_dir/next.$1" || known='' next=''
	[ "$known" != "$finished" ] || [ -z "$next" ] || return 0
	next=$(systemctl show -P NextElapseUSecRealtime "$2" 2>/dev/null) || next=
	[ -z "$next" ] || next=$(date -u -d "$next" +%Y-%m-%dT%H:%M:%SZ 2>/dev/null) || next=
	echo "$finished $next" | quiet_replace "$run_dir/next.$1"
}

# record_of TASK [TIMER]: for the page; TIMER is the one on this host that begins it
record_of() {
	[ -e "$state/last-$1.json" ] || return 0
	pick finished_at "$state/last-$1.json"
	finished=$value next=
	[ -z "${2-}" ] || next_run "$1" "$2"
	read -r record <"$state/last-$1.json" || return 0
	record=${record#?}
	printf '{"id":"%s",%s,"next_run_at":%s}\n' "$1" "${record%?}" "${next:+\"}${next:-null}${next:+\"}"
}

# those on record: sets $standing to their keys, $queued when somebody is still to be told, $untold when that has failed
look_at_alerts() {
	queued='' untold='' standing=' ' listed=0
	true >"$scratch/alerts"
	[ -z "$alerts" ] || alert-post --list --json >"$scratch/alerts" || listed=$?
	while read -r line; do
		case $line in
		*'"pending":true,"why":""'*) queued=yes ;;
		*'"pending":true'*) queued=yes untold=yes ;;
		*'"id":"alert"'*) member_of key "$line"; standing="$standing$value " ;;
		esac
	done <"$scratch/alerts"
}

lines() {
	while read -r line; do
		printf '%s\n' "$line"
	done <"$1"
}

# look: all of it, in $scratch/lines
look() {
	role_was=$(role)
	look_by_http
	age-check --json -w "$warn_age" -c "$max_age" "$(data_of)" >"$scratch/age" || :
	# it has the time only
	[ ! -e "$state/data-of" ] || sed -i "s|$state/data-of|$live|g; s|, 0 B||; s|\"size_bytes\":0|\"size_bytes\":$(stat -Lc %s "$live" 2>/dev/null || echo null)|" \
		"$scratch/age"
	# what cannot be written down must not end the round: the alerts come later
	look_at_copy >"$scratch/copy" || :
	look_at_alerts
	look_at_readiness
	{
		printf '{"id":"host","node":%s,"role":"%s","version":"%s"}\n' "$(json_text "$node")" \
			"$([ "$role_was" = active ] && echo active || echo standby)" "$version"
		[ -z "$seen_primary" ] || printf '{"id":"primary",%s\n' "${seen_primary#?}"
		as standby "$scratch/age"
		as verify "$scratch/copy"
		record_of upload
		record_of download ctv-pi2-download.timer
		for job in failover failback drill; do
			as $job "$state/last-$job.json"
		done
		lines "$scratch/alerts"
		lines "$scratch/conditions"
	} >"$scratch/lines" || :
}

# ---- the page --------------------------------------------------------------------------------

# memory FILE: of the document what the next boot must not forget
memory() {
	read -r document 2>/dev/null <"$1" || document=
	failed=${document#*\"last_fail_at\":} primary_was=${document#*\"primary\":\{\"state\":\"}
	echo "${primary_was%%\"*} ${failed%%,*} ${document##*\"days\":}"
}

# A page that cannot be made, a disk that cannot be written: all the more is to be told.
render() {
	if [ ! -e "$www/status.json" ] && [ -e "$state/status.json" ]; then
		cp "$state/status.json" "$www/status.json" || :
	fi
	input=$scratch/lines
	if run status-render -o "$www"; then
		rendered=yes
	else
		rendered='' ending=$(ended "$status")
		complain "$why"
	fi
	input=/dev/null
	if [ -n "$rendered" ] && [ "$(memory "$www/status.json")" != "$(memory "$state/status.json")" ]; then
		replace "$state/status.json" <"$www/status.json" || {
			ending=74
			complain "$state/status.json: cannot write"
		}
	fi
}

# ---- the alerts ------------------------------------------------------------------------------

# alert KEY STATE [OPTION...] TEXT: what is well and was well at the last round is no news
alert() {
	key=$1 is=$2
	shift 2
	read -r said 2>/dev/null <"$run_dir/said.$key" || said=
	case $said in
	ok) [ "$is" != ok ] || return 0 ;;
	esac
	# a round that ends while it tells has told something
	[ "$said" = "$is" ] || rm -f "$run_dir/said.$key"
	run alert-post --key "$key" --state "$is" "$@" || complain "$why"
	case $status in
	# without a channel it is on record all the same
	0 | 78) echo "$is" ;;
	esac >"$scratch/said" || :
	# who may have heard of it wants to hear of its end
	if [ -s "$scratch/said" ]; then
		mv -f "$scratch/said" "$run_dir/said.$key"
	else
		rm -f "$run_dir/said.$key"
	fi
}

# what could not be told is no reason to fail: whoever is not told hears the silence
complain() {
	printf '%s: %s\n' "$program" "$1" >&2
}

# lasting KEY PROBLEM HEADLINE: it is told when it lasts for 15 minutes, a round more or less
lasting() {
	if [ -z "$2" ]; then
		alert "$1" ok "$node is in order again"
	else
		alert "$1" warning --after 14m --repeat 24h --do "mirror-status.sh -n on $node" "$3
$2"
	fi
}

# ago TIME: seconds since then
ago() {
	printf 'now\n%s\n' "$1" | date -f - +%s | { read -r later && read -r earlier && echo $((later - earlier)); }
}

# in_page PART: the state that the page gives it
in_page() {
	[ -n "$rendered" ] || return 0
	sed -n 's/^.*"'"$1"'":{"state":"\([a-z]*\)".*$/\1/p' "$www/status.json"
}

# ---- the head record -------------------------------------------------------------------------

# The record has to name who serves by the role. An active host claims again what somebody has put back or removed; a
# standby hands back what is not its own any more; what only a person can decide is told in each round until he does.
# Whether Dropbox answers is the nightly jobs' matter.
watch_record() {
	owner='' record_text='' record_hint=''
	run mirror-head show --field owner --timeout 5s || :
	case $status in
	0) read -r owner <"$out" ;;
	65) ;;
	*) return 0 ;;
	esac
	case $(role)/$owner in
	primary/"$node" | active/"$node") ;;
	primary/?*)
		record_text="$node is fenced: $owner owns the head record, and nothing is published here
this is right while $owner serves"
		record_hint="failback-to-pi-ctv.sh on $owner, once $node is well"
		;;
	primary/) record_text=$why record_hint="when it is certain who serves: mirror-head anew --owner NAME" ;;
	active/* | standby/"$node" | /"$node")
		found=${owner:-$why}
		if settle_in_turn 0; then
			record_text="the head record was wrong ($found), and says $owner again"
		elif [ "$status" -ne 75 ]; then
			record_text="the head record is wrong ($found): $why" record_hint=$hint
		fi
		;;
	*/) record_text=$why record_hint="when it is certain who serves: mirror-head anew --owner NAME" ;;
	esac
	if [ -n "$record_text" ]; then
		alert head-record warning --repeat 24h ${record_hint:+--do "$record_hint"} "$node: $record_text"
	else
		alert head-record ok "the head record is in order again"
	fi
}

raise_alerts() {
	member_of state "$seen_primary"
	case $value in
	critical)
		string_of text "$seen_primary"
		alert primary-down critical --repeat 30m,2h,4h --do "$app/scripts/failover-to-pi2.sh on $node" "$primary is down
$value, twice within 30 s"
		;;
	ok | warning) alert primary-down ok "$primary answers again" ;;
	*) [ "$role_was" = active ] || problem=${problem:-"how it is with $primary is not known"} ;;
	esac
	pick state "$scratch/age"
	case $value in
	ok | warning | critical) ;;
	*) [ "$role_was" = active ] || problem=${problem:-"the age of the data is not known"} ;;
	esac

	if [ "$role_was" != active ]; then
		# two alerts: what is worse must be told although the other stands
		lasting standby-not-ready "$hindrance" "$node could not take over for 15 minutes"
		lasting standby-issue "$problem" "$node has not been in order for 15 minutes"
	elif [ -z "$hindrance$problem" ]; then
		lasting standby-not-ready ''
		lasting standby-issue ''
	elif [ -z "$attended" ]; then
		alert standby-issue critical --repeat 30m,2h,4h "$node serves in place of $primary, and not as it should
${hindrance:-$problem}"
	fi
	# one that failed while it served, and does not serve any more, has no start that would end its alert
	case $role_was/$unit_was/$standing in
	active/*) ;;
	*/inactive*" $unit "* | */failed*" $unit "*) run alert-post --key "$unit" --state ok "$unit does not run on $node any more, as it should be" || complain "$why" ;;
	esac

	# while this host serves its copy is the newest there is, and nothing is downloaded
	[ "$role_was" != active ] || return 0
	pick state "$scratch/age"
	case $value in
	critical)
		pick age_seconds "$scratch/age"
		case $value in
		'' | -*) what="the age of the data of $node is not in order" ;;
		*) what="the data of $node is older than $max_age" ;;
		esac
		alert db-stale warning --repeat 09:00 "$what
$(text text <"$scratch/age")"
		;;
	ok | warning) alert db-stale ok "the data of $node is younger than $max_age again" ;;
	esac
	# a run that failed is told by its unit; here, that none is good
	pick last_ok_at "$state/last-download.json"
	# what is no time, or one in the future, is none
	passed=${value:+$(ago "$value" 2>/dev/null)} || passed=
	if [ -n "$passed" ] && [ "$passed" -le 93600 ] && [ "$passed" -ge -300 ]; then
		alert sync-failed ok "the nightly download works again"
	else
		message=$(text message <"$state/last-download.json" 2>/dev/null) || message=
		alert sync-failed warning --repeat 24h --inhibited-by primary-down --inhibited-by ctv-pi2-download.service \
			--do "tail /var/log/ctv-pi2-download/download.log; systemctl start ctv-pi2-download.service" \
			"no nightly download of $node was good for 26 hours
${value:+the last was at $value }${message:-no run is on record}"
	fi
}

# ---- the pulse: the state, every round; whoever misses it or hears that it is bad raises the alarm ----

# pulse CHANNEL ADDRESS STATE TEXT: if there is an address; the messenger reads it for itself
pulse() {
	[ -z "$2" ] || run alert-post --to "$1" --state "$3" "$4" || complain "$why"
}

pulse_of_host() {
	pulse kuma "$kuma" "$1" "$2"
	pulse healthchecks "$switch" "$1" "$2"
}

pulse_of_sync() {
	case $role_was/$(in_page sync)/$(in_page standby) in
	# while this host serves nothing is downloaded, and that is in order
	active/* | */ok/ok | */ok/warning | */warning/ok | */warning/warning) is=ok ;;
	*) is=critical ;;
	esac
	text=$(text text <"$scratch/age")
	pulse kuma-sync "$kuma_sync" $is "${text:-the age of the data is not known}"
}

# before the alerts: a receiver of theirs that is slow is no silence
tell_pulse() {
	if [ -n "$rendered" ]; then
		pick overall "$www/status.json"
		pulse_of_host "$value" "$(text summary <"$www/status.json")"
	else
		pulse_of_host critical "the status page cannot be made"
	fi
	pulse_of_sync
}

# ---- on the primary: is the standby, which watches us, alive? -----------------------------------

# whatever is served there: a page has some KiB
fetch_page() {
	ulimit -f 512
	exec curl -fsS -m 10 "$station/status.json"
}

watch_standby() {
	seen=$run_dir/standby-seen
	[ -e "$seen" ] || date -u +%Y-%m-%dT%H:%M:%SZ | quiet_replace "$seen"
	why=
	if run fetch_page; then
		at=$(field generated_at <"$out")
		case $at in
		????-??-??T??:??:??Z) ! date -d "$at" >/dev/null 2>&1 || echo "$at" | quiet_replace "$seen" ;;
		esac
	fi
	silent=$(($(ago "$(cat "$seen")") / 60))
	if [ "$silent" -ge 15 ]; then
		standby_is=critical standby_text="the standby has not reported for $silent min
${why:-its page is there, and old}"
	elif [ "$silent" -lt -15 ]; then
		standby_is=critical standby_text="the standby's page is from the future, by $((-silent)) min
a clock is wrong, and whether it lives is not known"
	else
		standby_is=ok standby_text="the standby reported $silent min ago"
	fi
}

# ---- a round ---------------------------------------------------------------------------------

if [ -n "$dry" ]; then
	scratch=$(mktemp -d)
	cp "$run_dir/standby-seen" "$scratch/" 2>/dev/null || :
	run_dir=$scratch
	trap 'rm -rf "$scratch"' EXIT
else
	[ -d "$www" ] || mkdir -p "$www" 2>/dev/null || die 73 "$www: cannot create"
	exec 9<>"$run_dir/lock"
	flock -w 300 9 || die 73 "$run_dir/lock: held for five minutes"
	# each file in it is begun anew by its round; another's is made anew, for root follows nobody's link
	scratch=$run_dir/scratch
	if [ -L "$scratch" ] || { [ -e "$scratch" ] && [ ! -O "$scratch" ]; }; then rm -rf "$scratch"; fi
	[ -d "$scratch" ] || mkdir "$scratch" 2>/dev/null || die 73 "$scratch: cannot create"
fi
trap 'exit 75' INT TERM HUP

ending=0
alerts=
for entry in "$state"/alerts/*; do
	[ ! -e "$entry" ] || alerts=yes
done
if [ "$(role)" = primary ]; then
	queued=$alerts
	watch_standby
	[ -z "$dry" ] || { say "$standby_is: $standby_text"; exit 0; }
	pulse_of_host "$standby_is" "$standby_text"
	alert checker-dead "$standby_is" --repeat 4h "$standby_text"
	watch_record
else
	node=${node:-pi2}
	look
	[ -z "$dry" ] || { cat "$scratch/lines"; exit 0; }
	render
	if [ -n "$kuma$kuma_sync$switch" ]; then
		tell_pulse
	fi
	raise_alerts
	watch_record
fi
[ -z "$queued" ] || run alert-post --flush || complain "$why"
[ "$ending" -eq 0 ] || exit "$ending"
