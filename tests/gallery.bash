# gallery.bash - a standby in each state that its page has. The ages are real ones, of files and times, by the checks themselves, so
# that a page that contradicts itself is the page's own fault.

gallery='ready old-data old-night old-copy minutes-behind nothing-followed clock-wrong sync-failed proof-failed primary-down not-ready both-down
	serving serving-ill off unknown'

# at SECONDS-AGO: that time
at() { date -u -d "@$((now - $1))" +%Y-%m-%dT%H:%M:%SZ; }

# ready ID STATE TEXT: a condition that blocks; warns: one that does not
ready() { say-check --as "ready/$1" "$1" "$1" "$2" "$3" || true; }
warns() { say-check --as "warn/$1" "$1" "$1" "$2" "$3" || true; }

# alert KEY SEVERITY TEXT: one that was told ten minutes ago
alert() { jq -nc --arg key "$1" --arg severity "$2" --arg text "$3" --arg since "$(at 600)" '{id: "alert"} + $ARGS.named'; }

# record TASK RESULT EXIT SECONDS-AGO GOOD-SECONDS-AGO [NAME VALUE]...: how its last run went
record() {
	jq -nc --arg id "$1" --arg result "$2" --argjson exit "$3" --arg started_at "$(at "$4")" --arg finished_at "$(at "$4")" \
		--arg last_ok_at "$(at "$5")" --args '$ARGS.named + ([$ARGS.positional | _nwise(2) | {(.[0]): .[1]}] | add // {}) |
		(.answer_ms, .size) |= (if . then tonumber else . end)' "${@:6}"
}

# primary STATE: what the probe says of it
primary() {
	case $1 in
	ok) jq -nc --arg at "$(at 0)" '{id: "primary", object: "http://100.81.73.46:8000/health/database", state: "ok", text: "200 in 12 ms",
		http_status: 200, latency_ms: 12, at: $at}' ;;
	*) jq -nc --arg at "$(at 0)" '{id: "primary", object: "http://100.81.73.46:8000/health/database", state: "critical",
		text: "Failed to connect after 5000 ms", at: $at}' ;;
	esac
}

# copy AGE: the installed one, of so many seconds
copy() {
	truncate -s 1503236096 "$copy"
	touch -d "@$((now - $1))" "$copy"
	age-check --as standby -w 26h -c 36h "$copy" || true
	case $role/$minutes in
	active/*) ;;
	standby/[0-9]*) ready db_fresh ok "newest.db is state ${minutes%% *}" ;;
	*) age-check --as ready/db_fresh -w 36h -c 36h "$copy" || true ;;
	esac
}

# minutes STATE AGE SILENT [EDIT]: state STATE, that old, is followed, of 9; its owner looked SILENT seconds ago
minutes() {
	jq -nc --arg now "$(at 0)" --arg looked "$(at "$3")" '{head: {n: 5}, change: {n: 9}, nonce: "a", confirmed_at: $looked,
		server_modified: $looked, asked_at: $now, pace: {seconds: 60}}'" ${4-}" | sed 's/^/head /'
	[ "$1" = none ] || printf 'newest {"n":%s,"snapshot_at":"%s"}\n' "$1" "$(at "$2")"
}

# day: twenty-four hours in which following stood still for some, and a look was missed
day() {
	jq -nc --argjson now "$now" '{lag: {day: [range(95; 0; -1) | select(. != 50) | {at: ($now - $now % 900 - 900 * . | todate),
		seconds: (if . > 30 and . < 40 then (40 - .) * 900 else 45 + . % 7 * 5 end)}]}}'
}

# findings STATE: what all the checks say
findings() {
	local role=standby primary=ok copy_age=50580 night=12600 good=12600 minutes='9 3600 40' proof=ok blocked='' clock='' written=ok
	case $1 in
	unknown) return ;;
	old-data) copy_age=140000 good=99000 minutes='' ;;
	old-night) copy_age=140000 good=99000 ;;
	old-copy) written=warning ;;
	minutes-behind) minutes='8 7260 40' ;;
	nothing-followed) minutes='none 0 40' ;;
	clock-wrong) clock='| .confirmed_at = "'$(at -9000)'"' ;;
	sync-failed) copy_age=97000 good=98000 ;;
	proof-failed) proof=failed ;;
	primary-down) primary=down minutes='9 3600 900' ;;
	not-ready) blocked=yes ;;
	both-down) primary=down blocked=yes minutes='9 3600 900' ;;
	serving) role=active primary=down minutes='' ;;
	serving-ill) role=active primary=down minutes='' blocked=yes ;;
	off) minutes='' proof='' ;;
	esac
	jq -nc --arg role $role '{id: "host", node: "pi2", role: $role, version: "0"}'
	primary $primary
	copy $copy_age
	jq -nc --arg state $written --arg at "$(at $good)" '{id: "verify", state: $state, level: "quick", unchanged: ($state == "ok"), at: $at,
		installed_at: $at, file_mtime: $at}'
	if [ $night -eq $good ]; then
		record download ok 0 $night $good message 'a copy of 1434 MiB' size 1503236096
	else
		record download failed 69 $night $good message 'fetch: dbx-fetch: /database.db: Dropbox cannot be reached' step fetch
	fi
	record drill ok 0 1900000 1900000 message 'the drill has passed: 3.1 s'
	case $proof in
	ok) record proof ok 0 10000 10000 verdict ok answer_ms 1234 message 'the application answers 1234 ms after its start' ;;
	failed) record proof failed 69 10000 96400 verdict failed message 'start: the unit is failed, exit-code' commit 0123456789abcdef \
		app_said "ModuleNotFoundError: No module named 'flask'" ;;
	esac
	[ -z "$minutes" ] || eval "minutes $minutes '$clock'"
	ready role_clear ok "the role is $role"
	if [ $role = active ]; then
		if [ -n "$blocked" ]; then ready app_serves critical '503 of http://100.96.96.109:8000/health/database'; else ready app_serves ok '200 in 9 ms'; fi
	else
		ready db_present ok '1434 MiB'
		if [ -n "$blocked" ]; then ready port_free critical 'somebody listens on port 8000'; else ready port_free ok 'nobody listens there'; fi
		warns timer_armed ok 'ctv-pi2-download.timer at 02:30'
	fi
	alerts "$1"
}

# alerts STATE: those that would stand by then, as mirror-status.sh has them
alerts() {
	case $1 in primary-down | both-down | serving*) alert primary-down critical 'pi-ctv is down' ;; esac
	case $1 in
	old-data | old-night) alert db-stale warning 'the data of pi2 is older than 36h' ;;
	minutes-behind | nothing-followed) alert data-lag critical 'pi2 lacks the last minutes of pi-ctv' ;;
	clock-wrong) alert clock-wrong warning 'a clock is wrong' ;;
	proof-failed) alert proof warning 'the application was not proved on the data of pi2' ;;
	not-ready | both-down) alert standby-not-ready warning 'pi2 could not take over for 15 minutes' ;;
	serving-ill) alert standby-issue critical 'pi2 serves in place of pi-ctv, and not as it should' ;;
	esac
	case $1 in old-data | old-night | sync-failed) alert sync-failed warning 'no nightly download of pi2 was good for 26 hours' ;; esac
}

# sample STATE: its page in $www, and what is told of it in told_NAME
sample() {
	cd "$BATS_TEST_TMPDIR"
	now=$(date +%s) copy=production.db
	rm -f "$www"/*
	day >"$www/status.json"
	findings "$1" >"$BATS_TEST_TMPDIR/lines"
	status-render -o "$www" --warn-lag 20m --max-lag 60m --shell=told_ --apart db_fresh <"$BATS_TEST_TMPDIR/lines" >"$BATS_TEST_TMPDIR/told"
	# shellcheck disable=SC1091
	. "$BATS_TEST_TMPDIR/told"
}
