#!/usr/bin/env bats
# Each alert of the runbook reaches a receiver outside of both hosts; how long after the fault stands in the output.
#
# The rounds come every five seconds instead of five minutes, and a wait of a quarter of an hour or of days is cut
# short by setting back what it is counted from. LAB_REAL=1 has the timer as it ships and waits for a quarter
# of an hour in earnest.

load lab

MESSENGER=https://100.64.0.1:7777
RUN=/run/ctv-mirror

# what an administrator would write: where to tell, and whose certificate to believe
setup_file() {
	local host upper
	lab_base
	[ -z "$LAB_WHY" ] || return 0
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=messenger \
		-addext subjectAltName=IP:100.64.0.1 -keyout "$BATS_FILE_TMPDIR/key" -out "$BATS_FILE_TMPDIR/crt" 2>/dev/null
	for host in pi-ctv pi2; do
		upper=$BATS_FILE_TMPDIR/base/$host/upper
		mkdir -p "$upper/etc/ssl/certs"
		cp "$BATS_FILE_TMPDIR/crt" "$upper/etc/ssl/certs/$(openssl x509 -hash -noout -in "$BATS_FILE_TMPDIR/crt").0"
		printf '%s\n' "CTV_TEAMS_URL=$MESSENGER/teams/$host" "CTV_HEALTHCHECKS_URL=$MESSENGER/switch/$host" \
			>>"$upper/etc/ctv-db-sync.env"
		[ -n "${LAB_REAL-}" ] || {
			mkdir -p "$upper/etc/systemd/system/ctv-status.timer.d"
			printf '[Timer]\nOnCalendar=\nOnCalendar=*:*:0/5\n' >"$upper/etc/systemd/system/ctv-status.timer.d/often.conf"
		}
	done
}
teardown_file() { lab_base_end; }

setup() {
	[ -z "${LAB_WHY-}" ] || skip "$LAB_WHY"
	LAB=$BATS_TEST_TMPDIR/lab R=$BATS_TEST_TMPDIR/receiver
	mkdir "$R"
	: >"$R/log"
	lab up -w "$BATS_ROOT_PID" -b "$BATS_FILE_TMPDIR/base"
	lab serve office python3 "$ROOT/tests/receiver.py" "$R" 7777 100.64.0.1 "$BATS_FILE_TMPDIR/crt" "$BATS_FILE_TMPDIR/key"
	lab boot pi-ctv pi2
	serving $PRIMARY
	# both have pinged the switch that all is well
	eventually pinged pi2 ''
	eventually pinged pi-ctv ''
}
teardown() { lab_end; }

# pinged HOST SUFFIX [SINCE]: did the dead-man's switch hear from it, and so?
pinged() {
	[ -n "$(jq -r --arg p "/switch/$1$2" --argjson t "${3:-0}" 'select(.path == $p and .at > $t) | .at' "$R/log")" ]
}

# said HOST: what the people were told by it
said() {
	jq -r --arg p "/teams/$1" 'select(.path == $p) | "\(.at) \(.body | fromjson | .attachments[0].content.body[0].inlines[0].text)"' "$R/log"
}

# fault NAME: from now on it is broken
fault() {
	fault=$1
	broken=$EPOCHREALTIME
}

# overdue HOST KEY: it has been the case for a quarter of an hour; not set back beneath a round, which would write what it has read
overdue() {
	[ -z "${LAB_REAL-}" ] || return 0
	eventually lab run "$1" jq -e '.waiting > 0' $STATE/alerts/$2
	lab run "$1" flock $RUN sh -c "jq -c '.waiting -= 900' $STATE/alerts/$2 >$RUN/edited && cat $RUN/edited >$STATE/alerts/$2"
}

# arrives HOST TEXT: within the time that its timer and its patience explain, and after the fault; tells how late
arrives() {
	local at patience=300
	[ -z "${LAB_REAL-}" ] || patience=1500
	patience=$((SECONDS + patience))
	until at=$(said "$1" | awk -v t="$broken" -v text="$2" '$1 > t && index($0, text) { print $1 - t; exit }') && [ -n "$at" ]; do
		[ $SECONDS -lt $patience ] || { said pi2; said pi-ctv; return 1; }
		sleep 0.2
	done
	printf '# %-44s %-58s %6.1f s\n' "$fault" "$2" "$at" >&3
}

@test "the primary dies: at once, and when it is back" {
	fault 'pi-ctv loses its power'
	lab poweroff pi-ctv
	arrives pi2 'CRITICAL: pi-ctv is down'
	fault 'pi-ctv is back'
	lab boot pi-ctv
	arrives pi2 'RESOLVED: pi-ctv answers again'
}

@test "the nightly jobs fail: each at once, from its own host" {
	for host in pi-ctv pi2; do
		lab run $host sed -i 's/^DROPBOX_REFRESH_TOKEN=.*/DROPBOX_REFRESH_TOKEN=revoked/' /etc/ctv-db-sync.env
	done
	fault 'token revoked, 02:05 on pi-ctv'
	run lab run pi-ctv systemctl start ctv-db-sync.service
	expect 1
	arrives pi-ctv 'WARNING: pi-ctv: ctv-db-sync.service failed'
	fault 'token revoked, 02:30 on pi2'
	run pi2 systemctl start ctv-pi2-download.service
	expect 1
	arrives pi2 'WARNING: pi2: ctv-pi2-download.service failed'
}

@test "nothing fails and nothing works either: silence of the jobs, old data, a standby that could not take over" {
	fault 'no good download for 26 h'
	pi2 sed -i 's/"last_ok_at":"[^"]*"/"last_ok_at":"2026-01-01T00:00:00Z"/' $STATE/last-download.json
	arrives pi2 'WARNING: no nightly download of pi2 was good for 26 hours'
	fault 'the data is 37 h old'
	pi2 touch -d '37 hours ago' $LIVE
	arrives pi2 'WARNING: the data of pi2 is older than 36h'
	fault 'the download timer has disappeared'
	pi2 systemctl stop ctv-pi2-download.timer
	overdue pi2 standby-issue
	arrives pi2 'WARNING: pi2 has not been in order for 15 minutes'
}

@test "the standby dies with all that watches on it: its pings end, and the primary tells" {
	fault 'pi2 loses its power'
	lab poweroff pi2
	local dead=$EPOCHREALTIME
	overdue pi-ctv checker-dead
	arrives pi-ctv 'CRITICAL: the standby has not reported for'
	# the switch of pi2 has heard nothing since: it will go off; that of pi-ctv hears that not all is well
	run pinged pi2 '' "$dead"
	expect 1
	eventually pinged pi-ctv /fail "$broken"
	fault 'pi2 is back'
	lab boot pi2
	arrives pi-ctv 'RESOLVED: the standby reported'
	eventually pinged pi2 '' "$broken"
}

@test "what serves after a failover does not answer any more: at once" {
	lab poweroff pi-ctv
	run failover
	expect 0 'FAILOVER COMPLETE'
	fault 'the application on pi2 answers no more'
	pi2 systemctl kill -s STOP flaskapp.service
	arrives pi2 'CRITICAL: pi2 serves in place of pi-ctv, and not as it should'
}
