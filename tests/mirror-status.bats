#!/usr/bin/env bats
# mirror-status.sh: what it finds, whom it tells, and what it writes. The rounds of a real host: station.bats.

load helper
load hosts

setup() {
	hosts_night
	web_start
	# systemd as this test has it, no waiting between two looks, and a messenger that notes what it was told, and remembers
	# it as ever, but reaches nobody
	stub svc-ctl <<-'END'
		cd "$BATS_TEST_TMPDIR"
		for last; do :; done
		case $* in
		*control-station.service*) [ -e page-server ] && echo "unit_load='loaded'" || { echo "unit_load='not-found'"; exit 4; } ;;
		*is-active*) cat unit 2>/dev/null || echo inactive; exit 3 ;;
		*.timer*) say-check --as "$last" UNIT timer "$([ -e timer ] && echo critical || echo ok)" "ctv-pi2-download.timer is $(cat timer 2>/dev/null || echo active)" ;;
		*check*) say-check --as "$last" UNIT flaskapp.service "$(cat startable 2>/dev/null || echo ok)" "flaskapp.service is inactive" ;;
		esac
	END
	stub sleep <<-'END'
		echo "$1" >>"$BATS_TEST_TMPDIR/slept"
	END
	stub alert-post <<-'END'
		case $1 in
		--list) exec "$real" "$@" ;;
		--flush) echo flush >>"$BATS_TEST_TMPDIR/flushed"; exit 0 ;;
		esac
		echo "$*" | tr '\n' ' ' >>"$BATS_TEST_TMPDIR/told"
		echo >>"$BATS_TEST_TMPDIR/told"
		case $* in *--key*) "$real" "$@" 2>/dev/null || : ;; esac
		[ ! -e "$BATS_TEST_TMPDIR/mute" ] || { echo "alert-post: refused" >&2; exit "$(cat "$BATS_TEST_TMPDIR/mute")"; }
	END
	mkdir pi2/app
	: >told
}

teardown() {
	kill "$web" 2>/dev/null || true
	dropbox_stop
}

# web_start: on a free port the primary's application (it answers the status that stands in app or pages), and the
# standby's page
web_start() {
	cat >server.py <<'END'
import http.server, os, sys
def said(name): return open(name).read().strip() if os.path.exists(name) else "200"
class H(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def do_GET(self):
        answer = b"{}"
        if self.path == "/api/system-stats": status = said("app")
        elif self.path == "/health/database": status = said("pages")
        elif self.path == "/status.json":
            status = said("station")
            answer = open("station.json", "rb").read() if status == "200" else b""
        else: status = "404"
        self.send_response(int(status)); self.send_header("Content-Length", str(len(answer))); self.end_headers()
        self.wfile.write(answer)
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
print(s.server_port, flush=True)
s.serve_forever()
END
	mkfifo port
	setpriv --pdeathsig TERM python3 server.py >port 3>&- &
	web=$!
	read -r -t 20 at <port
	export CTV_PRIMARY_URL=http://127.0.0.1:$at
	# nobody answers at port 9
	export CTV_STANDBY_URL=http://127.0.0.1:9
}

status_on() {
	local host=$1
	shift
	on "$host" env CTV_RUN_DIR="$PWD/$host/run" "$@" mirror-status.sh
}
round() { status_on pi2 "$@"; }
page() { jq -r "$1" pi2/run/www/status.json; }
told() { grep -c -- "$1" told; }

@test "all is well: the page says so, condition by condition with its number, and nobody is told" {
	run round
	expect 0
	[ -z "$output" ]
	[ "$(page '.overall, .failover.ready, .summary' | paste -sd' ')" = 'ok true Standby ready. The primary is serving.' ]
	[ "$(page '.failover.checks | map(.id) | join(" ")')" = 'role_clear db_present db_size db_unchanged db_fresh code_present unit_startable port_free disk_free room_for_next data_writable state_writable timer_armed page_served alerts_told' ]
	page '.failover.checks[] | select(.id == "db_fresh") | .detail' | grep -Eq 'production.db is [0-9]+.*s old '
	page '.failover.checks[] | select(.id == "db_unchanged") | .detail' | grep -q 'is as it was installed$'
	[ "$(page '.standby.verify.level, .sync.download.result' | paste -sd' ')" = 'quick ok' ]
	[ -e pi2/run/www/ready ]
	run told 'state \(warning\|critical\|unknown\)'
	expect 1 0
}

@test "with nothing new, the second round touches no file outside /run" {
	round
	tree pi2/state >before
	on pi2 env ASAN_OPTIONS=detect_leaks=0 CTV_RUN_DIR="$PWD/pi2/run" strace -f -qq -o trace -e trace=%file,ftruncate,fsync mirror-status.sh
	tree pi2/state | diff before -
	# opened for writing, or named to be changed, anywhere but in /run, /dev and /proc
	run grep -E '(O_WRONLY|O_RDWR|O_CREAT)|rename|unlink|mkdir\(|truncate|link\(' trace
	printf '%s\n' "${lines[@]}" | grep -vE "= -1 |\"($PWD/pi2/run|/dev|/proc)/|unlinkat\([0-9]|readlink" >wrote || true
	run cat wrote
	[ -z "$output" ]
}

@test "the next boot has the history, and no page before its first round" {
	round
	jq -c '.days[0].sync = "failed"' pi2/state/status.json >edited
	mv edited pi2/state/status.json
	rm -r pi2/run
	round
	# which may be yesterday by now
	[ "$(page '.days | any(.sync == "failed")')" = true ]
}

@test "a primary that is down is looked at twice, 30 seconds apart, and told at once, with the next command" {
	echo 503 >pages
	round
	[ "$(cat slept)" = 30 ]
	[ "$(page '.overall, .primary.state' | paste -sd' ')" = 'critical critical' ]
	grep -E -- '--key primary-down --state critical --repeat 30m,2h,4h .*failover-to-pi2.sh on pi2 pi-ctv is down .*503' told
	rm pages
	: >told
	round
	[ "$(page .overall)" = ok ]
	grep -- '--key primary-down --state ok' told
	[ "$(jq -r .state pi2/state/alerts/primary-down)" = ok ]
}

@test "a primary that fails once and answers 30 seconds later is up" {
	echo 503 >pages
	stub sleep <<-'END'
		rm "$BATS_TEST_TMPDIR/pages"
	END
	round
	[ "$(page .primary.state)" = ok ]
	run told 'primary-down --state critical'
	expect 1 0
}

@test "a primary that answers but cannot reach its database is down; one without that page is not" {
	echo 503 >pages
	round
	[ "$(page .primary.state)" = critical ]
	page .primary.url | grep -q '/health/database$'
	echo 404 >pages
	round
	[ "$(page .primary.state)" = ok ]
	echo 500 >app
	round
	[ "$(page .primary.state)" = critical ]
}

@test "a nightly run that failed is on the page, and told by its unit; no good one for 26 hours is told here" {
	jq -c '.result = "failed" | .exit = 69 | .message = "no \"answer\""' pi2/state/last-download.json >edited
	cp edited pi2/state/last-download.json
	round
	[ "$(page .sync.state)" = warning ]
	run told 'sync-failed --state warning'
	expect 1 0
	jq -c --arg t "$(date -u -d '-27 hours' +%Y-%m-%dT%H:%M:%SZ)" '.last_ok_at = $t' edited >pi2/state/last-download.json
	round
	grep -F -- '--key sync-failed --state warning --repeat 24h --inhibited-by primary-down --inhibited-by ctv-pi2-download.service' told
	grep -F 'no "answer"' told
	# one that runs is no good one yet
	: >told
	jq -c '.result = "running" | .exit = 0' pi2/state/last-download.json >edited
	mv edited pi2/state/last-download.json
	round
	run told 'sync-failed --state ok'
	expect 1 0
}

@test "data older than 36 hours is told once a day, and is not ready" {
	was=$(date -u -d '-40 hours' +%Y-%m-%dT%H:%M:%SZ)
	touch -d "$was" pi2/data/production.db
	sed -i "s/\"snapshot_at\":\"[^\"]*\"/\"snapshot_at\":\"$was\"/" pi2/state/installed.json
	round
	[ "$(page .failover.ready)" = false ]
	[ ! -e pi2/run/www/ready ]
	grep -E -- '--key db-stale --state warning --repeat 09:00 .*older than 36h' told
	# not as another problem as well
	run told 'standby-issue --state warning'
	expect 1 0
}

@test "a problem of the standby is one when it has lasted for 15 minutes" {
	echo inactive >timer
	round
	[ "$(page .failover.ready)" = true ]
	[ "$(page .overall)" = warning ]
	grep -E -- '--key standby-issue --state warning --after 14m --repeat 24h .*timer_armed: .*is inactive' told
	rm timer
	round
	grep -- '--key standby-issue --state ok' told
}

@test "each condition that is not met is seen" {
	round
	mv pi2/app pi2/gone
	round
	[ "$(page '.failover.checks[] | select(.ok | not) | .id')" = code_present ]
	mv pi2/gone pi2/app
	round CTV_STANDBY_URL="http://127.0.0.1:$at"
	[ "$(page '.failover.checks[] | select(.ok | not) | .id')" = port_free ]
	# whatever it says
	echo 503 >app
	round CTV_STANDBY_URL="http://127.0.0.1:$at"
	[ "$(page '.failover.checks[] | select(.ok | not) | .id')" = port_free ]
	rm app
	mv pi2/data/production.db kept
	round
	[ "$(page '.failover.checks[] | select(.ok | not) | .id' | paste -sd' ')" = 'db_present db_size db_fresh' ]
	mv kept pi2/data/production.db
	round
	[ "$(page .failover.ready)" = true ]
	# a venv that has gone
	echo critical >startable
	round
	[ "$(page '.failover.ready, (.failover.checks[] | select(.ok | not) | .id)' | paste -sd' ')" = 'false unit_startable' ]
}

@test "a copy that was written to since its installation is a warning" {
	sql "$copy" 'UPDATE spots SET note = 1 WHERE id = 1'
	round
	[ "$(page '.failover.ready, .overall' | paste -sd' ')" = 'true warning' ]
	page '.failover.checks[] | select(.id == "db_unchanged") | .detail' | grep -q 'written to since it was installed'
}

@test "no round opens the database: the nightly job would find it in use" {
	on pi2 env ASAN_OPTIONS=detect_leaks=0 CTV_RUN_DIR="$PWD/pi2/run" strace -f -qq -o trace -e trace=open,openat mirror-status.sh
	run grep -c 'production.db' trace
	expect 1 0
}

@test "while this host serves its own application is looked at, and its age is no news" {
	echo active >pi2/state/role
	export CTV_PRIMARY_URL=http://127.0.0.1:9
	touch -d '-40 hours' pi2/data/production.db
	round
	[ "$(page '.failover.active, .overall' | paste -sd' ')" = 'true critical' ]
	grep -E -- '--key standby-issue --state critical .*app_serves' told
	run told db-stale
	expect 1 0
	: >told
	# now its application is there
	round CTV_STANDBY_URL="http://127.0.0.1:$at"
	[ "$(page '.failover.active, .overall' | paste -sd' ')" = 'true warning' ]
	grep -- '--key standby-issue --state ok' told
}

@test "an application that starts or stops under an operator's hands is no alarm; once he is done it is" {
	echo active >pi2/state/role
	exec 5>pi2/state/operator.lock
	flock 5
	round
	[ "$(page '.failover.active, .overall' | paste -sd' ')" = 'true warning' ]
	run told standby-issue
	expect 1 0
	exec 5>&-
	round
	[ "$(page '.failover.active, .overall' | paste -sd' ')" = 'true critical' ]
	grep -E -- '--key standby-issue --state critical .*app_serves' told
}

@test "a database that has gone, whose data has a time of its own, is missing, and the page is there" {
	touch -d '-1 hour' pi2/state/data-of
	rm pi2/data/production.db
	run round
	expect 0
	[ -z "$output" ]
	[ "$(page '.overall, .standby.state, .standby.size_bytes' | paste -sd' ')" = 'critical critical null' ]
}

@test "a lock of the operators that cannot be opened hides no alarm" {
	echo active >pi2/state/role
	rm -f pi2/state/operator.lock
	# which root cannot open either
	python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("pi2/state/operator.lock")'
	round
	grep -E -- '--key standby-issue --state critical .*app_serves' told
}

@test "the pulse: Uptime Kuma and the dead-man's switch are told the state, every round, if there are any" {
	pulse=(CTV_KUMA_URL=http://x CTV_KUMA_SYNC_URL=http://x CTV_HEALTHCHECKS_URL=http://x)
	round "${pulse[@]}"
	: >told
	round "${pulse[@]}"
	grep -- '--to kuma --state ok Standby ready.' told
	grep -- '--to healthchecks --state ok Standby ready.' told
	grep -- '--to kuma-sync --state ok .* old' told
	: >told
	echo 503 >pages
	touch -d '-40 hours' pi2/data/production.db
	round "${pulse[@]}"
	grep -- '--to kuma --state critical The primary is down' told
	grep -- '--to kuma-sync --state critical ' told
	: >told
	round
	run told '--to'
	expect 1 0
}

@test "nobody can be told: the page is there all the same, and what cannot be told is named" {
	echo 75 >mute
	run round CTV_HEALTHCHECKS_URL=http://x
	expect 0 '^alert-post: refused'
	[ "$(page .overall)" = ok ]
}

@test "the alerts that stand are on the page" {
	on pi2 alert-post --key k --state warning 'it is <so>'
	round
	[ "$(page '.alerts[0].text')" = 'it is <so>' ]
}

@test "the end of an alert that could not be handed over is handed over: somebody may have heard of it" {
	round
	for status in 73 74 75 77; do
		echo $status >mute
		echo 503 >pages
		run round
		expect 0 'alert-post: refused'
		rm mute pages
		: >told
		round
		grep -- '--key primary-down --state ok' told
	done
}

@test "one that was neither recorded nor told is tried again in each round" {
	stub alert-post <<-'END'
		echo "$*" >>"$BATS_TEST_TMPDIR/told"
		echo 'alert-post: teams: it answered 503; queued' >&2
		exit 74
	END
	echo 503 >pages
	round
	: >told
	round
	grep -- '--key primary-down --state critical' told
}

@test "the disk of the state cannot be written: the page is there, and people and machines are told" {
	echo 503 >pages
	# a directory in its place cannot be replaced, not even by root
	mkdir -p pi2/state/status.json/x
	run round CTV_HEALTHCHECKS_URL=http://x
	expect 73 'state/status.json: '
	[ "$(page .primary.state)" = critical ]
	grep -- '--key primary-down --state critical' told
	grep -- '--to healthchecks --state critical' told
}

@test "the page cannot be made: people and machines are told all the same, and nothing old passes for new" {
	round
	stub status-render <<-'END'
		echo 'status-render: no room' >&2
		exit 74
	END
	echo 503 >pages
	run round CTV_HEALTHCHECKS_URL=http://x CTV_KUMA_SYNC_URL=http://x
	expect 74 'no room'
	grep -- '--key primary-down --state critical' told
	grep -- '--to healthchecks --state critical the status page cannot be made' told
	grep -- '--to kuma-sync --state critical' told
}

@test "the page cannot be made: what stands is not said to be over" {
	echo critical >startable
	round
	grep -- '--key standby-not-ready --state warning' told
	echo active >pi2/state/role
	round
	grep -E -- '--key standby-issue --state critical .*app_serves' told
	stub status-render <<<'exit 74'
	for role in active standby; do
		echo $role >pi2/state/role
		: >told
		run round
		expect 74
		run told '--key standby-[a-z-]* --state ok'
		expect 1 0
		grep -E -- '--key standby-issue --state (critical|warning) .*the status page cannot be made' told
	done
}

@test "a primary that stays down costs one write of the history, not one in each round" {
	echo 503 >pages
	round
	tree pi2/state >before
	touch -d '-1 hour' pi2/run/www/status.json
	jq -c '.primary.last_fail_at = "2026-01-01T00:00:00Z"' pi2/state/status.json >edited
	cp edited pi2/run/www/status.json
	cat edited >pi2/state/status.json
	tree pi2/state >before
	round
	tree pi2/state | diff before -
	rm pages
	round
	echo 503 >pages
	# another outage, also after a boot
	rm -r pi2/run
	round
	[ "$(page .primary.last_fail_at)" != 2026-01-01T00:00:00Z ]
}

@test "what is not known is told when that has lasted for 15 minutes" {
	round
	for what in http-probe age-check; do
		echo 'exit 127' | stub $what
		: >told
		round CTV_STANDBY_URL="http://127.0.0.1:9"
		grep -E -- '--key standby-issue --state warning .*not known' told
		rm stubs/$what
	done
}

@test "a limit for the age below 26 hours is a limit" {
	for age in 20h 90m 36h; do
		round CTV_MAX_AGE=$age
		[ "$(page .standby.state)" = ok ]
		grep -qF '"age_seconds":' pi2/run/www/status.json
	done
	touch -d '-21 hours' pi2/data/production.db
	round CTV_MAX_AGE=20h
	[ "$(page .standby.state)" = critical ]
	grep -- '--key db-stale' told
}

@test "the next run is the timer's" {
	rm stubs/svc-ctl
	stub svc-ctl <<-'END'
		for last; do :; done
		case $* in
		*.timer*) echo "{\"id\":\"$last\",\"state\":\"ok\",\"next_at\":\"2026-11-24T02:30:00Z\"}" ;;
		*check*) say-check --as "$last" UNIT x ok x ;;
		esac
	END
	round
	[ "$(page '.sync.next_run_at, .sync.download.next_run_at, .sync.upload.next_run_at' | paste -sd' ')" = '2026-11-24T02:30:00Z 2026-11-24T02:30:00Z null' ]
}

# a_quarter_later HOST KEY: what it waits to tell has lasted for 15 minutes more
a_quarter_later() {
	jq -c '.waiting -= 900' "$1/state/alerts/$2" >edited
	cat edited >"$1/state/alerts/$2"
}

@test "on the primary: a standby that has not reported for 15 minutes is told" {
	export CTV_STATION_URL=http://127.0.0.1:$at
	fresh() { printf '{"schema":1,"generated_at":"%s"}\n' "$(date -u -d "$1" +%Y-%m-%dT%H:%M:%SZ)" >station.json; }
	fresh now
	status_on pi-ctv CTV_HEALTHCHECKS_URL=http://x
	grep -- '--to healthchecks --state ok .*/status.json 200' told
	run told checker-dead.*critical
	expect 1 0
	# its web server lives, its rounds do not
	fresh '-20 minutes'
	status_on pi-ctv CTV_HEALTHCHECKS_URL=http://x
	grep -E -- '--key checker-dead --state critical --after 0 --repeat 4h the standby has not reported for 15 minutes .*20m' told
	grep -- '--to healthchecks --state critical the standby has not' told
	fresh now
	status_on pi-ctv CTV_HEALTHCHECKS_URL=http://x
	grep -- '--key checker-dead --state ok' told
	# it is gone: alarm when that has lasted for 15 minutes, not at the first refusal
	: >told
	echo 500 >station
	status_on pi-ctv CTV_HEALTHCHECKS_URL=http://x
	grep -- 'checker-dead --state critical --after 14m' told
	run told '--to healthchecks --state critical'
	expect 1 0
	a_quarter_later pi-ctv checker-dead
	status_on pi-ctv CTV_HEALTHCHECKS_URL=http://x
	grep -E -- '--to healthchecks --state critical the standby has not reported .*500, wanted 200' told
	[ "$(jq -r .state pi-ctv/state/alerts/checker-dead)" = critical ]
	[ ! -e pi-ctv/run/www/index.html ]
}

@test "on the primary: a page from the future is no sign of life" {
	export CTV_STATION_URL=http://127.0.0.1:$at
	printf '{"generated_at":"%s"}\n' "$(date -u -d '+10 days' +%Y-%m-%dT%H:%M:%SZ)" >station.json
	status_on pi-ctv
	grep -E -- 'checker-dead --state critical .*from the future' told
}

@test "messages link to the page, at the port of its own of the standby's host" {
	stub alert-post <<-'END'
		echo "$CTV_STATION_URL" >>"$BATS_TEST_TMPDIR/told"
	END
	round
	[ "$(sort -u told)" = http://127.0.0.1:5001 ]
}

@test "a page that nobody serves is a warning, where its server is installed" {
	export CTV_STATION_URL=http://127.0.0.1:$at
	: >page-server
	echo 404 >station
	round
	# there was none before the first round
	[ "$(page '.failover.checks[] | select(.id == "page_served") | .state')" = ok ]
	round
	[ "$(page '.failover.checks[] | select(.id == "page_served") | .state')" = warning ]
	echo 503 >station
	round
	[ "$(page '.failover.ready, .overall' | paste -sd' ')" = 'true warning' ]
	[ "$(page '.failover.checks[] | select(.state != "ok") | .id')" = page_served ]
}

@test "a quiet round starts few programs: on a small machine that is what it costs" {
	round
	on pi2 env ASAN_OPTIONS=detect_leaks=0 CTV_RUN_DIR="$PWD/pi2/run" strace -f -qq -o trace -e trace=execve -e status=successful mirror-status.sh
	sed -n 's/.*execve("\([^"]*\)".*/\1/p; s/.*execve resumed.*/resumed/p' trace | grep -v -e stubs/ -e /cat >started
	sort started | uniq -c
	# what loads libcurl costs five times as much as another: three questions by HTTP, the record, the list of alerts
	[ "$(grep -c -e http-probe -e mirror-head -e alert-post started)" -le 5 ]
	[ "$(wc -l <started)" -le 40 ]
}

# record KEY CHANNEL-MEMBERS: what alert-post remembers of an alert that is over, and of teams
record() {
	mkdir -p pi2/state/alerts
	printf '{"schema":1,"state":"ok","since":1,"until":2,"count":1,"text":"t","over":"","todo":"","inhibited_by":[],"channels":[{"name":"teams","told":"ok","doubt":false,"not_before":0,"delivered":1,"failed":0,"sent":[],%s}]}\n' \
		"$2" >"pi2/state/alerts/$1"
}

@test "who could not be told is told at the end of a later round; nobody is asked when nothing waits" {
	record x '"pending":false,"why":""'
	round
	[ ! -e flushed ]
	record x '"pending":true,"why":""'
	round
	[ "$(cat flushed)" = flush ]
}

@test "a worse problem is told although another stands" {
	echo inactive >timer
	round
	told '--key standby-issue --state warning'
	rm timer
	mv pi2/app pi2/gone
	round
	grep -E -- '--key standby-not-ready --state warning --after 14m --repeat 24h .*could not take over for 15 minutes code_present' told
	grep -- '--key standby-issue --state ok' told
	mv pi2/gone pi2/app
	round
	grep -- '--key standby-not-ready --state ok' told
}

@test "a round that is killed while it tells: the end is told all the same" {
	round
	rm stubs/alert-post
	stub alert-post <<-'END'
		case $1 in --list) exec "$real" "$@" ;; esac
		echo "$*" >>"$BATS_TEST_TMPDIR/told"
		case $* in *primary-down*critical*) "$real" "$@"; kill -KILL $PPID ;; esac
	END
	echo 503 >pages
	run round
	[ "$status" -ne 0 ]
	told '--key primary-down --state critical'
	rm pages
	: >told
	round
	told '--key primary-down --state ok'
}

@test "what could not be told, or not be looked up, is on the page" {
	# held back is not failed
	record x '"pending":true,"why":""'
	round
	[ "$(page .overall)" = ok ]
	record x '"pending":true,"why":"it answered 403"'
	round
	[ "$(page '.overall, (.failover.checks[] | select(.state != "ok") | .id)' | paste -sd' ')" = 'warning alerts_told' ]
	# it is no matter of how this host serves
	: >told
	echo active >pi2/state/role
	round CTV_STANDBY_URL="http://127.0.0.1:$at"
	[ "$(page '.failover.checks[] | select(.state != "ok") | .id')" = alerts_told ]
	run told standby-issue.*critical
	expect 1 0
	echo standby >pi2/state/role
	stub alert-post <<<'exit 126'
	round
	page '.failover.checks[] | select(.id == "alerts_told") | .detail' | grep 'exit status 126'
}

@test "an alert of the application that failed here is over when it does not serve here any more" {
	# after a stop systemd still says so of one that had failed
	for word in inactive failed; do
		on pi2 alert-post --key flaskapp.service --state critical x
		: >told
		echo $word >unit
		round
		grep -- '--key flaskapp.service --state ok' told
	done
	: >told
	echo active >unit
	round
	run told flaskapp.service
	expect 1 0
}

@test "a full /run hides no primary that is down" {
	may_mount
	echo 503 >pages
	mkdir -p pi2/run
	# shellcheck disable=SC2016
	run on pi2 env CTV_RUN_DIR="$PWD/pi2/run" unshare -m sh -c 'mount -t tmpfs -o size=64k,nr_inodes=100 none "$CTV_RUN_DIR" &&
		mkdir "$CTV_RUN_DIR/www" && { head -c 100000 /dev/zero >"$CTV_RUN_DIR/full" || :; } 2>/dev/null; mirror-status.sh'
	echo "$output"
	[ "$status" -ne 0 ]
	told '--key primary-down --state critical'
}

@test "a /run in which no file can be made hides nothing" {
	may_mount
	mkdir -p pi2/run
	# shellcheck disable=SC2016
	run on pi2 env CTV_RUN_DIR="$PWD/pi2/run" unshare -m sh -c 'mount -t tmpfs -o size=1m,nr_inodes=100 none "$CTV_RUN_DIR" &&
		mirror-status.sh && rm -r "$CTV_APP_DIR" && touch -d "-3 days" "$DATABASE_PATH" &&
		for i in $(seq 100); do true >"$CTV_RUN_DIR/$i" || break; done 2>/dev/null; mirror-status.sh'
	grep -E -- '--key standby-[a-z-]* --state warning' told
	told '--key db-stale --state warning'
}

@test "root and the service's user take turns" {
	group_of pi2
	install -d -o irc -g irc -m 2775 pi2/run
	chmod 666 told
	for user in irc root irc nobody root nobody; do
		member $user
		# a page that would be the same to the last byte is left as it is
		echo "active for $user" >timer
		round
		[ "$(stat -c %U pi2/run/www/status.json)" = $user ]
	done
}

@test "a state directory without room is no place to take over from" {
	may_mount
	# shellcheck disable=SC2016
	on pi2 env CTV_RUN_DIR="$PWD/pi2/run" unshare -m sh -c 'cp -a "$CTV_STATE_DIR" kept && mount -t tmpfs -o size=512k none "$CTV_STATE_DIR" &&
		cp -a kept/. "$CTV_STATE_DIR" && mirror-status.sh'
	[ "$(page '.failover.ready')" = false ]
	page '.failover.checks[] | select(.id == "state_writable") | .detail' | grep 'KiB free'
}

@test "an address of the page that is none ends the round, and is no look at the port" {
	run round CTV_STATION_URL=pi2:5001
	expect 78 'ctv-conf: CTV_STATION_URL: not an http or https URL'
	for url in http://pi2:500111 http://user@pi2:5001 'http://pi2:5001/a b'; do
		run round CTV_STATION_URL="$url"
		expect 78 'ctv-conf: CTV_STATION_URL: .'
		[[ $output != *"$url"* ]]
	done
	[ ! -s told ]
	stub http-probe <<<'exit 127'
	round
	[ "$(page '.failover.ready, (.failover.checks[] | select(.id == "port_free") | .state)' | paste -sd' ')" = 'false unknown' ]
	# whether the primary serves is not known, and that is no news of it
	run told primary-down
	expect 1 0
}

# elsewhere CONDITION: what is asked of the application here, which is at port 9, goes to the web server while that holds
elsewhere() {
	stub http-probe <<-END
		cd "\$BATS_TEST_TMPDIR"
		for word; do
			shift
			case \$word in http://127.0.0.1:9/*) ! $1 || word=http://127.0.0.1:$at/\${word#*:9/} ;; esac
			set -- "\$@" "\$word"
		done
		exec "\$real" "\$@"
	END
}

@test "a failover in the middle of a round: the application is looked at as it is then" {
	echo 503 >pages
	# its application is up from then on; the primary is not
	stub sleep <<<'cd "$BATS_TEST_TMPDIR" && echo active >pi2/state/role && : >up && echo 404 >pages && echo 200 >app'
	elsewhere '[ -e up ]'
	stub mirror-head <<<'exit 69'
	round
	[ "$(page '.failover.active, (.failover.checks[] | select(.id == "app_serves") | .state)' | paste -sd' ')" = 'true ok' ]
	run told 'standby-issue --state critical'
	expect 1 0
}

@test "a failback in the middle of a round: the port is looked at as it is then" {
	echo 503 >pages
	echo active >pi2/state/role
	# what answered at first is gone
	stub sleep <<<'cd "$BATS_TEST_TMPDIR" && echo standby >pi2/state/role && : >later'
	elsewhere '[ ! -e later ]'
	round
	[ "$(page '.failover.active, (.failover.checks[] | select(.id == "port_free") | .state)' | paste -sd' ')" = 'false ok' ]
}

@test "a port whose holder takes connections and never answers is not free" {
	python3 -u -c 'import socket, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(5); print(s.getsockname()[1]); time.sleep(600)' >mute-port 3>&- &
	local holder=$!
	eventually test -s mute-port
	# not the ten seconds
	stub http-probe <<<'exec "$real" "$@" -t 3s'
	round CTV_STANDBY_URL="http://127.0.0.1:$(cat mute-port)"
	kill $holder
	wait $holder || true
	[ "$(page '.failover.ready, (.failover.checks[] | select(.state != "ok") | .id)' | paste -sd' ')" = 'false port_free' ]
	page '.failover.checks[] | select(.id == "port_free") | .detail' | grep ' somebody listens there$'
}

@test "a last good night that is no time, or in the future, is none" {
	for at in soon 2099-01-01T00:00:00Z; do
		: >told
		jq -c --arg at "$at" '.last_ok_at = $at' pi2/state/last-download.json >edited
		cp edited pi2/state/last-download.json
		round
		grep -E -- '--key sync-failed --state warning .*no nightly download of pi2 was good' told
	done
}

@test "data that is not there or from the future is not told as old" {
	touch -d '+2 days' pi2/data/production.db
	round
	grep -E -- '--key db-stale --state warning .*not in order .*in the future' told
	: >told
	rm pi2/data/production.db
	round
	grep -E -- '--key db-stale --state warning .*not in order .*is missing' told
}

@test "while this host serves the pulse of the nightly copy goes on" {
	echo active >pi2/state/role
	touch -d '-40 hours' pi2/data/production.db
	round CTV_KUMA_SYNC_URL=http://x
	grep -- '--to kuma-sync --state ok' told
}

# followed CONFIRMED N: what the record says of state 9, and which state is followed here
followed() {
	mkdir -p pi2/data/.follow
	printf '{"head":{"n":5},"change":{"n":9},"confirmed_at":"%s"}\n' "$(date -u -d "$1" +%Y-%m-%dT%H:%M:%SZ)" >head
	printf '{"n":%s,"snapshot_at":"%s"}\n' "$2" "$(date -u -d '-3 hours' +%Y-%m-%dT%H:%M:%SZ)" >newest
}

@test "the last minutes: how far behind, on the page, told, and pushed; while this host serves it is no matter" {
	export CTV_CHANGES_EVERY=60s
	stub mirror-head <<<'case $* in "show --json"*) cat "$BATS_TEST_TMPDIR/head" ;; *) exit 69 ;; esac'
	stub db-apply <<<'cat "$BATS_TEST_TMPDIR/newest"'
	followed now 9
	# nothing of it where nothing was ever followed
	mv pi2/data/.follow kept
	round
	[ "$(page .lag)" = null ]
	mv kept pi2/data/.follow
	round
	[ "$(page '.overall, .lag.state, (.lag.day | length)' | paste -sd' ')" = 'ok ok 1' ]
	run told data-lag
	expect 1 0
	# the record goes on, and what is here does not
	followed now 8
	round CTV_KUMA_SYNC_URL=http://x
	[ "$(page '.overall, .failover.ready, .lag.state' | paste -sd' ')" = 'warning true critical' ]
	grep -E -- '--key data-lag --state critical --repeat 4h --inhibited-by primary-down --inhibited-by ctv-follow.service .*pi2 lacks the last minutes of pi-ctv .*state 8 of 9' told
	grep -E -- '--to kuma-sync --state critical .*state 8 of 9' told
	: >told
	followed now 9
	round
	grep -- '--key data-lag --state ok' told
	# by a clock that is wrong nobody knows
	: >told
	rm -r pi2/run
	followed '+1 day' 9
	round
	[ "$(page .lag.state)" = unknown ]
	grep -E -- '--key standby-issue --state warning .*in the future' told
	# but Dropbox, and then it is no matter of how far behind
	: >told
	jq -c --arg now "$(date -u +%Y-%m-%dT%H:%M:%SZ)" '. + {server_modified: $now, asked_at: $now}' head >later && mv later head
	round
	[ "$(page '.lag | .state, .behind' | paste -sd' ')" = 'warning ok' ]
	grep -E -- "--key clock-wrong --state warning .*the primary's clock is 2[34]h[0-9]*m ahead, says Dropbox's" told
	run told '--key \(data-lag\|standby-issue\) --state warning'
	expect 1 0
	: >told
	followed now 9
	round
	grep -- '--key clock-wrong --state ok' told
	echo active >pi2/state/role
	round CTV_STANDBY_URL="http://127.0.0.1:$at"
	[ "$(page .lag)" = null ]
}

# proof VERDICT LAST-GOOD [COMMIT]: how the last proof went, and which code that brings back
proof() {
	printf '{"schema":1,"task":"proof","result":"x","exit":%s,"message":"it did not answer","verdict":"%s","finished_at":"%s","last_ok_at":"%s","commit":"0123456789abcdef","app_said":"No module named flask","back_to":"%s"}\n' \
		"$([ "$1" = ok ] && echo 0 || echo 69)" "$1" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$(date -u -d "$2" +%Y-%m-%dT%H:%M:%SZ)" "${3-}" >pi2/state/last-proof.json
}

@test "the nightly proof: on the page, and told when it failed or is missing, and when it works again; never where there is none" {
	round
	[ "$(page '.proof')" = null ]
	run told '--key proof'
	expect 1 0
	proof failed '-20 hours'
	round
	[ "$(page '.overall, .failover.ready, .proof.state, .summary' | paste -sd' ')" = 'warning true warning The standby is ready, but the application was not proved on its data' ]
	grep -E -- '--key proof --state warning --repeat 24h --inhibited-by ctv-proof.service .*the proof failed: it did not answer, with the code 0123456789ab; it said: No module named flask; the last that was good: 2' told
	grep -q '^ctv_proof_ok 0$' pi2/run/www/ctv.prom
	# where that is asked for, both commits, and how old the one is
	proof failed '-20 hours' 'fedcba9 of 2026-11-20'
	round
	[[ $(page .proof.text) = *'with the code 0123456789ab; '*'; the code goes back to fedcba9 of 2026-11-20; the last that was good: 2'* ]]
	[ "$(page .proof.back_to)" = 'fedcba9 of 2026-11-20' ]
	: >told
	proof ok now
	round
	[ "$(page '.overall, .proof.state' | paste -sd' ')" = 'ok ok' ]
	grep -- '--key proof --state ok .*the application works on the data of pi2 again' told
	proof ok '-51 hours'
	round
	grep -E -- '--key proof --state warning .*there was no proof for two nights' told
	# while this host serves nothing is proved, and nobody is told
	: >told
	echo active >pi2/state/role
	round CTV_STANDBY_URL="http://127.0.0.1:$at"
	run told '--key proof'
	expect 1 0
}

@test "what is published and followed in earnest is what the page says of it" {
	export CTV_CHANGES_EVERY=1m
	mkdir pi-ctv/state/changes
	upload
	on pi2 follow-changes.sh --once
	on pi-ctv publish-changes.sh --once
	sql "$live" 'UPDATE spots SET note = 1 WHERE id = 3'
	on pi-ctv publish-changes.sh --once
	round
	[ "$(page '.lag.state, .lag.n, .lag.newest_n' | paste -sd' ')" = 'ok 1 2' ]
	# by Dropbox's clock, too; how often to expect something says the primary
	[ "$(page '.lag | (.silent_seconds < 60), .own_clock_seconds, .period_seconds' | paste -sd' ')" = 'true 0 60' ]
	on pi2 follow-changes.sh --once
	round
	[ "$(page '.lag.n, .lag.newest_n' | paste -sd' ')" = '2 2' ]
	# nothing newer existed then
	[[ ! $(page .lag.at) < $(dropbox_get /mirror-head.json | jq -r .change.snapshot_at) ]]
	grep -q '^ctv_db_states_behind{copy="standby"} 0$' pi2/run/www/ctv.prom
	# a day ahead
	newest=$(on pi-ctv mirror-head show -n -f newest_object)
	on pi-ctv mirror-head publish --owner pi-ctv --confirm "$(date -u -d '+1 day' +%FT%TZ)" --object "$newest"
	round
	[ "$(page '.lag | .behind, (.clock_seconds > 86000), .own_clock_seconds' | paste -sd' ')" = 'ok true 0' ]
	grep -E -- "--key clock-wrong --state warning .*the primary's clock is (24h|23h59m)[0-9a-z]* ahead, says Dropbox's" told
	grep -q "primary.*clock is" pi2/run/www/index.html
	on pi-ctv mirror-head publish --owner pi-ctv --confirm "$(date -u +%FT%TZ)" --object "$newest"
	# two hours later, says Dropbox, nothing was put on record; and then it is this host whose clock is slow
	: >told
	dropbox_control clock '{"advance":7200}' >/dev/null
	round
	[ "$(page '.lag.behind, (.lag.silent_seconds >= 7200), (.lag.own_clock_seconds < -7000)' | paste -sd' ')" = 'critical true true' ]
	grep -E -- "--key clock-wrong --state warning .*this host's clock is (1h59m|2h)[0-9a-z]* behind, says Dropbox's" told
	CTV_CHANGES_EVERY=off round
	[ "$(page .lag)" = null ]
}

@test "the pulse comes before the alerts, whose receivers may be slow" {
	echo 503 >pages
	round CTV_HEALTHCHECKS_URL=http://x
	[[ $(head -n 1 told) == '--to healthchecks '* ]]
	grep -- '--key primary-down' told
}

@test "what the standby's page says is data: a bad time is no time" {
	export CTV_STATION_URL=http://127.0.0.1:$at
	for bad in '{"generated_at":"now; reboot"}' '{}' '<html>' '{"generated_at":"99"}' '{"generated_at":"tomorrow"}' \
		'{"generated_at":"2026-99-99T00:00:00Z"}'; do
		rm -rf pi-ctv/state/alerts
		echo "$bad" >station.json
		status_on pi-ctv
		a_quarter_later pi-ctv checker-dead
		status_on pi-ctv
		[ "$(jq -r .state pi-ctv/state/alerts/checker-dead)" = critical ]
	done
}

@test "a dry run prints what it found and writes and tells nothing" {
	tree pi2 >before
	run on pi2 env CTV_RUN_DIR="$PWD/pi2/run" CTV_HEALTHCHECKS_URL=http://x mirror-status.sh -n
	expect 0 '"id":"ready/db_fresh".*"state":"ok"'
	jq -c . <<<"$output" >lines
	tree pi2 | diff before -
	# on the primary whether the standby lives, and of the head record nothing is said
	on pi-ctv mirror-head claim --owner pi2
	run on pi-ctv env CTV_RUN_DIR="$PWD/pi-ctv/run" CTV_HEALTHCHECKS_URL=http://x mirror-status.sh -n
	expect 0 '^critical: the standby has not reported for 15 minutes$'
	[ ! -s told ]
}

@test "two rounds at once wait for each other" {
	mkdir -p pi2/run/www
	stub flock <<-'END'
		: >"$BATS_TEST_TMPDIR/waits"
		exec "$real" "$@"
	END
	exec 9<pi2/run
	flock 9
	rm waits
	round 9>&- &
	pid=$!
	eventually test -e waits
	kill -0 $pid
	[ ! -e pi2/run/www/status.json ]
	exec 9>&-
	wait $pid
	[ -e pi2/run/www/status.json ]
}

@test "what is said is escaped: JSON stays JSON, whatever a setting holds" {
	run on pi2 env CTV_RUN_DIR="$PWD/pi2/run" CTV_APP_DIR=$'/none "\\ \u00e9' mirror-status.sh -n
	expect 0
	jq -c . <<<"$output" >lines
	[ "$(wc -l <lines)" -ge 15 ]
	[ "$(jq -r 'select(.id == "ready/code_present") | .text' lines)" = $'/none "\\ \u00e9: cannot be entered' ]
}

@test "bad command lines end with 64" {
	for args in x --bogus -z '-n x'; do
		# shellcheck disable=SC2086
		run mirror-status.sh $args
		expect 64 'hint: mirror-status.sh --help'
	done
}

@test "a host that serves looks at the record each round, claims again what was lost, and says so once" {
	dropbox_get /mirror-head.json >old
	echo active >pi2/state/role
	on pi2 mirror-head claim --owner pi2
	status_on pi2
	run ! grep -e '--key head-record --state warning' told
	dropbox_control put "$(jq -c '{path: "/mirror-head.json", text: tojson}' old)" >/dev/null
	status_on pi2
	grep -E -- '--key head-record --state warning .*the head record was wrong \(.*not believed.*says pi2 again' told
	[ "$(on pi2 mirror-head show -f owner)" = pi2 ]
	run upload
	expect 77 'fenced: pi2'
	dropbox_api files/delete_v2 '{"path":"/mirror-head.json"}' >/dev/null
	status_on pi2
	[ "$(on pi2 mirror-head show -f owner)" = pi2 ]
	: >told
	status_on pi2
	grep -E -- '--key head-record --state ok' told
	# an operator at work does it himself
	on pi2 mirror-head claim --owner pi-ctv
	exec 5<>pi2/state/operator.lock
	flock 5
	status_on pi2
	[ "$(on pi2 mirror-head show -f owner)" = pi-ctv ]
	exec 5>&-
	status_on pi2
	[ "$(on pi2 mirror-head show -f owner)" = pi2 ]
}

@test "a failover while a round settles the record: in the end it names who serves" {
	on pi2 mirror-head claim --owner pi2
	# the role changes behind the round's back, and the record, which is pi2's already, does not
	stub mirror-head <<-'END'
		case "$*" in settle*--from*) echo active >"$BATS_TEST_TMPDIR/pi2/state/role" ;; esac
		exec "$real" "$@"
	END
	status_on pi2
	[ "$(on pi2 mirror-head show -f owner)" = pi2 ]
}

@test "a Dropbox that answers no more once the record is settled fails no round" {
	on pi2 mirror-head claim --owner pi2
	stub mirror-head <<-'END'
		case "$*" in
		settle*) : >"$BATS_TEST_TMPDIR/settled" ;;
		show*) [ ! -e "$BATS_TEST_TMPDIR/settled" ] || exit 75 ;;
		esac
		exec "$real" "$@"
	END
	status_on pi2
	grep -E -- '--key head-record --state warning .*the head record was wrong \(pi2\), and says who serves again' told
}

@test "a record that says something else than the roles is told on each host until it is repaired, as it says" {
	# a standby that owns it gives it back
	on pi2 mirror-head claim --owner pi2
	status_on pi-ctv
	grep -E -- '--key head-record --state warning --repeat 24h --do failback-to-pi-ctv.sh on pi2.*pi-ctv: pi-ctv is fenced: pi2 owns' told
	status_on pi2
	[ "$(on pi2 mirror-head show -f owner)" = pi-ctv ]
	# what nobody here can decide is left as it is
	dropbox_get /mirror-head.json >old
	upload
	: >told
	status_on pi-ctv
	status_on pi2
	dropbox_control put "$(jq -c '{path: "/mirror-head.json", text: tojson}' old)" >/dev/null
	status_on pi2
	status_on pi-ctv
	[ "$(grep -cE -- '--key head-record --state warning .*mirror-head anew --owner NAME .*not believed' told)" -eq 2 ]
	run on pi2 mirror-head show
	expect 65
	on pi-ctv mirror-head anew --owner pi-ctv --yes
	: >told
	status_on pi2
	status_on pi-ctv
	[ "$(grep -cE -- '--key head-record --state ok' told)" -eq 2 ]
}
