# unit-alert.sh: what is told of a unit that failed, and with which words. alert-units.bats has the same under systemd.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR"
	export CTV_ENV_FILE=$PWD/env CTV_STATE_DIR=$PWD/state PATH=$PWD/bin:$PATH
	unset MONITOR_SERVICE_RESULT SERVICE_RESULT
	printf 'CTV_NODE=pi2\nCTV_STANDBY_URL=http://a:8000\n' >env
	chmod 600 env
	mkdir bin
	cat >bin/alert-post <<'STUB'
#!/bin/sh
printf '%s\n' "station $CTV_STATION_URL" "$@" >told
exit 74
STUB
	cat >bin/journalctl <<'STUB'
#!/bin/sh
echo "$*" >asked
echo 'the last $(words) `here`'
STUB
	chmod +x bin/*
}

@test "a failed unit: told with the link to the page, its result, its last words; and the end is alert-post's" {
	run env MONITOR_SERVICE_RESULT=exit-code MONITOR_EXIT_CODE=exited MONITOR_EXIT_STATUS=65 MONITOR_INVOCATION_ID=abc \
		unit-alert.sh x.service
	expect 74 '^$'
	diff told - <<'TOLD'
station http://a:5001
--key
x.service
--state
warning
--repeat
4h
--do
systemctl status x.service; journalctl -u x.service
pi2: x.service failed: exit-code (exited 65)
the last $(words) `here`
TOLD
	grep -qx -- '.* _SYSTEMD_INVOCATION_ID=abc + INVOCATION_ID=abc' asked
}

@test "a journal that gives no answer makes no alert late beyond what its unit may take: it is told without last words" {
	real=$(command -v timeout)
	printf '#!/bin/sh\nexec sleep 600\n' >bin/journalctl
	# the time is the script's, and shorter here
	printf '#!/bin/sh\nshift\nexec %s 0.5 "$@"\n' "$real" >bin/timeout
	chmod +x bin/timeout
	run "$real" 60 env MONITOR_SERVICE_RESULT=oom-kill MONITOR_INVOCATION_ID=abc unit-alert.sh x.service
	expect 74 '^$'
	grep -qx 'pi2: x.service failed: oom-kill' told
}

@test "a nightly job is told once a night, and not where the primary's end explains it; without the application it is critical" {
	for unit in ctv-db-sync.service ctv-pi2-download.service; do
		run unit-alert.sh $unit
		[ "$(sed -n '2,9p' told | tr '\n' ' ')" = "--key $unit --state warning --repeat 02:00 --inhibited-by primary-down " ]
	done
	for unit in flaskapp.service ctv-resume.service; do
		# ours is not the run that failed
		run env INVOCATION_ID=ours unit-alert.sh $unit
		[ "$(sed -n '4,7p' told | tr '\n' ' ')" = '--state critical --repeat 4h ' ]
	done
	grep -qx -- '.* -u ctv-resume.service' asked
}

@test "a download that a failover or a person ended has not failed; one that took too long has, and so has whatever ended otherwise" {
	mkdir state
	# RECORD RESULT STATUS UNIT
	ended() {
		rm -f told
		echo "{\"result\": \"$1\", \"exit\": 75}" >state/last-download.json
		run env MONITOR_SERVICE_RESULT="$2" MONITOR_EXIT_CODE=exited MONITOR_EXIT_STATUS="$3" unit-alert.sh "$4"
	}
	ended interrupted exit-code 75 ctv-pi2-download.service
	expect 0 '^$'
	[ ! -e told ]
	for how in 'interrupted timeout 75 ctv-pi2-download.service' 'interrupted exit-code 74 ctv-pi2-download.service' \
		'failed exit-code 75 ctv-pi2-download.service' 'interrupted exit-code 75 ctv-db-sync.service'; do
		# shellcheck disable=SC2086  # words
		ended $how
		grep -q ' failed: ' told || { echo "$how" >&2; return 1; }
	done
	# before its run had begun, as in a round of the follower's that comes first
	killed() { run env MONITOR_SERVICE_RESULT="$1" MONITOR_EXIT_CODE=killed MONITOR_EXIT_STATUS="$2" unit-alert.sh "$3"; }
	echo '{"result": "ok", "exit": 0}' >state/last-download.json
	rm -f told
	killed signal TERM ctv-pi2-download.service
	expect 0 '^$'
	[ ! -e told ]
	for how in 'signal KILL ctv-pi2-download.service' 'timeout TERM ctv-pi2-download.service' 'signal TERM ctv-db-sync.service'; do
		rm -f told
		# shellcheck disable=SC2086  # words
		killed $how
		grep -q ' failed: ' told || { echo "$how" >&2; return 1; }
	done
}

@test "a unit that is started again for ever: its good end is told to nobody" {
	run env SERVICE_RESULT=success EXIT_CODE=exited EXIT_STATUS=0 unit-alert.sh x.service
	expect 0 '^$'
	[ ! -e told ]
	run env SERVICE_RESULT=signal EXIT_CODE=killed EXIT_STATUS=KILL unit-alert.sh x.service
	grep -qx 'pi2: x.service failed: signal (killed KILL)' told
}

@test "settings that are not in order silence nothing: alert-post says so" {
	echo 'not a line' >env
	run unit-alert.sh x.service
	expect 74 '^$'
	grep -qx 'station ' told
	grep -qx "$(uname -n): x.service failed" told
}

@test "bad command lines" {
	while IFS='|' read -r code args message; do
		# shellcheck disable=SC2086  # words
		run unit-alert.sh $args
		expect "$code" "$message"
	done <<'TABLE'
64||a unit is needed
64|--|--: unknown option
64|-x|-x: unknown option
64|a.service b|b: one unit is taken
0|--help|usage: unit-alert.sh UNIT
TABLE
	[ ! -e told ]
}
