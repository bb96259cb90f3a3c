#!/usr/bin/env bats
# The monitors of the runbook in a real Uptime Kuma: each sees its fault, or is told it by real rounds. By `make
# test-kuma`; the definition is the real one but for the addresses and for the intervals, the shortest that Kuma takes.

load ../helper
load ../hosts
load ../receiver
load kuma

API='Pi-CTV API Endpoint' HEALTH='Pi-CTV System Health' STATION='Pi2 Control Station' SYNC='Pi2 Database Sync'

setup_file() {
	[ -e "$KUMA/package.json" ] || { echo "Uptime Kuma is not there: make test-kuma installs it" >&2; return 1; }
	F=$BATS_FILE_TMPDIR SEEN=$BATS_FILE_TMPDIR/seen
	: >"$SEEN"

	# the primary's application, whose answers the definition is about
	python3 "$ROOT/tests/app/seed.py" "$F/production.db" 100
	PRIMARY=http://127.0.0.1:$(free_port)
	keep "$F/app" env -C "$ROOT/tests/app" DATABASE_PATH="$F/production.db" APP_FAULTS="$F/faults" PYTHONDONTWRITEBYTECODE=1 \
		python3 -m flask --app src.web.app:create_app run --port "${PRIMARY##*:}"

	# It asks nobody for a newer version: its proxy for https is a port where nobody answers.
	AT=http://127.0.0.1:$(free_port)
	mkdir "$F/data"
	keep "$F/kuma" env -C "$KUMA" UPTIME_KUMA_DB_TYPE=sqlite DATA_DIR="$F/data/" https_proxy=http://127.0.0.1:9 \
		UPTIME_KUMA_HOST=127.0.0.1 UPTIME_KUMA_PORT="${AT##*:}" node server/server.js
	within 120 curl -s -o /dev/null "$AT"
	within 30 curl -s -o /dev/null "$PRIMARY"

	# the account first, then whom it tells, then the monitors
	BATS_TEST_TMPDIR=$F receiver_start
	export F SEEN PRIMARY AT R
	echo '[]' >"$F/none.json"
	import "$F/none.json"
	watch "$url/teams"
	MARK=0
	within 60 beats watch.js UP
	sed "s,http://100.81.73.46:8000,$PRIMARY,; s/\"interval\": [0-9]*/\"interval\": 20/
		s/\"retryInterval\": [0-9]*/\"retryInterval\": 1/" "$ROOT/systemd/kuma.json" >"$F/kuma.json"
	import "$F/kuma.json" >>"$F/settings"
	chmod 600 "$F/settings"
}

setup() {
	hosts_start
	upload >log
	download >>log
	mkdir pi2/app
	# systemd as this test has it, and no waiting between two looks
	stub svc-ctl <<-'EOF'
		case $1-$2 in
		*-flaskapp.service) exit 3 ;;
		*-control-station.service) exit 4 ;;
		*) echo active ;;
		esac
	EOF
	stub sleep <<-'EOF'
		[ "$1" = 30 ] || exec "$real" "$@"
	EOF
}

teardown() {
	dropbox_stop
}

# round: pi2's, with the settings that the import gave, and nothing else of Kuma
round() {
	on pi2 env CTV_RUN_DIR="$PWD/pi2/run" CTV_ENV_FILE="$F/settings" CTV_PRIMARY_URL="$PRIMARY" \
		CTV_STANDBY_URL=http://127.0.0.1:9 mirror-status.sh
}

# app FAULT: the primary's application begins again with this fault
app() {
	echo "$1" >"$F/faults"
	restart "$F/app" "$PRIMARY"
}

@test "the definition becomes the runbook's four monitors, which tell whom Kuma tells by default; again, nothing changes" {
	# shellcheck disable=SC2016  # jq's
	jq -s -r 'map(.monitor | select(.)) | sort_by(.id) | .[] | [.name, .type, .maxretries, .resendInterval,
		(.accepted_statuscodes | join(",")), (.notificationIDList | keys | join(","))] | join("|")' "$SEEN" >got
	cat >wanted <<-EOF
		$API|json-query|2|0|200|1
		$HEALTH|json-query|2|0|200|1
		$STATION|push|0|0|200|1
		$SYNC|push|0|384|200|1
	EOF
	diff wanted got
	import "$F/kuma.json" | diff "$F/settings" -
	[ "$(sql "$F/data/kuma.db" 'SELECT count(*) FROM monitor')" = 4 ]
}

@test "what the import cannot do: its reason, its exit status, and no monitor" {
	KUMA_PASSWORD=wrong run import "$F/kuma.json"
	expect 77 '^kuma-import.js: login as admin: '
	run import none
	expect 66 '^kuma-import.js: none: cannot read'
	AT=http://127.0.0.1:9 run import "$F/kuma.json"
	expect 69 '^kuma-import.js: http://127.0.0.1:9: '
	[ "$(sql "$F/data/kuma.db" 'SELECT count(*) FROM monitor')" = 4 ]
}

@test "a healthy mirror: all four are up, and the pushed ones say what the page says" {
	from_now
	round
	becomes 60 "$STATION" UP '^Standby ready. The primary is serving.$'
	becomes 60 "$SYNC" UP 's old .*20.*Z'
	becomes 60 "$API" UP
	becomes 60 "$HEALTH" UP
}

@test "the primary answers 500: both of its monitors go down, people are told, and the page's monitor says so; and back" {
	: >"$R/log"
	from_now
	app errors_for=99999
	becomes 60 "$API" DOWN 500
	becomes 60 "$HEALTH" DOWN 500
	within 60 grep -q "$API.*[Dd]own" "$R/log"
	from_now
	round
	becomes 60 "$STATION" DOWN '^CRITICAL The primary is down'
	becomes 60 "$SYNC" UP
	from_now
	app ''
	round
	becomes 60 "$STATION" UP '^Standby ready'
	becomes 60 "$API" UP
	becomes 60 "$HEALTH" UP
}

@test "the primary has lost its database: it answers, and both of its monitors go down" {
	from_now
	mv "$F/production.db" "$F/away.db"
	becomes 60 "$API" DOWN 503
	becomes 60 "$HEALTH" DOWN 503
	mv "$F/away.db" "$F/production.db"
}

@test "no failover would work: no /ready, and the page's monitor is down with the reason" {
	rm pi2/data/production.db
	from_now
	round
	[ ! -e pi2/run/www/ready ]
	becomes 60 "$STATION" DOWN "^CRITICAL $(jq -r .summary pi2/run/www/status.json | head -c 20)"
	becomes 60 "$SYNC" DOWN '^CRITICAL '
}

@test "a copy that is too old: the sync's monitor is down, and says how old" {
	touch -d '-40 hours' pi2/data/production.db
	from_now
	round
	becomes 60 "$SYNC" DOWN '^CRITICAL .*(40h|1d).* old'
}

@test "silence for an interval is down, and the next round is up" {
	round
	from_now
	becomes 60 "$STATION" DOWN '^No heartbeat in the time window$'
	becomes 60 "$SYNC" DOWN '^No heartbeat in the time window$'
	from_now
	round
	becomes 60 "$STATION" UP
	becomes 60 "$SYNC" UP
}

@test "Kuma starts anew: the next round is heard, and silence is seen again" {
	from_now
	restart "$F/kuma" "$AT"
	within 60 beats watch.js UP
	from_now
	round
	becomes 60 "$STATION" UP '^Standby ready'
	becomes 60 "$SYNC" UP
	from_now
	becomes 60 "$STATION" DOWN '^No heartbeat in the time window$'
}
