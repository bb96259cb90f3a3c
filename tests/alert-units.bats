#!/usr/bin/env bats
# Under a real systemd: however a service that we ship fails, the alert arrives, and so does its end.

load helper

lab() { "$ROOT/tests/lab/lab" -d "${LAB:-$BATS_FILE_TMPDIR/lab}" "$@"; }
pi2() { lab run pi2 "$@"; }

UNITS='ctv-pi2-download ctv-resume ctv-settle ctv-status control-station flaskapp ctv-db-sync'
R=/var/lib/receiver

# shellcheck disable=SC2016  # expanded on the host
setup_file() {
	LAB_WHY=$(lab check 2>&1) || { export LAB_WHY; return 0; }
	lab up -w "$BATS_ROOT_PID"
	lab boot pi2
	lab install pi2
	# the primary's service beside the standby's, and a receiver; nothing is started but by the test
	pi2 sh -c 'systemctl stop ctv-status.path ctv-status.timer ctv-settle.path ctv-status.service &&
		rm /etc/systemd/system/ctv-status.path &&
		make -s -C /usr/src/ctv-mirror install ROLE=primary DESTDIR=/tmp/primary &&
		cp -a /tmp/primary/etc/systemd/system/ctv-db-sync.service* /etc/systemd/system/ && mkdir $0 &&
		systemd-run -q --unit receiver python3 /usr/src/ctv-mirror/tests/receiver.py $0 7777 &&
		echo CTV_TEAMS_URL=http://127.0.0.1:7777/teams/s3cr3t >>/etc/ctv-db-sync.env &&
		until curl -s -o /dev/null http://127.0.0.1:7777/; do sleep 0.1; done' $R
}

teardown_file() {
	[ -n "${LAB_WHY-}" ] || lab down
}

setup() {
	[ -z "${LAB_WHY-}" ] || skip "$LAB_WHY"
	pi2 systemctl stop flaskapp ctv-settle ctv-resume control-station
	forget
}
STATE=/var/lib/ctv-mirror

# forget: nothing has been told; who is at it saves its record only after the answer
forget() {
	pi2 sh -c "while systemctl list-units -q --plain --state=activating 'ctv-alert@*' 'ctv-resolve@*' | grep -q .; do sleep 0.1; done
		systemctl reset-failed; : >$R/log; rm -f $STATE/alerts/*"
}

# all LINE...: these lines join [Service] of every service; then all are started, whatever was started before, which Debian
# 13's systemd counts through a reload
all() {
	local unit
	for unit in $UNITS; do
		printf '%s\n' '[Unit]' StartLimitBurst=2 '[Service]' RestartSec=100ms ExecCondition= "$@" |
			pi2 sh -c "mkdir -p /run/systemd/system/$unit.service.d && cat >/run/systemd/system/$unit.service.d/zz.conf"
	done
	pi2 sh -c "sed -i s/^Restart.*// /run/systemd/system/ctv-settle.service.d/zz.conf; systemctl daemon-reload
		systemctl reset-failed; systemctl start --no-block $UNITS"
}

# heard WORD: how many of the services has the receiver heard of so?
heard() {
	pi2 cat $R/log | jq -r '.body | fromjson? | .attachments[0].content.body[0].inlines[0].text' | grep "$1" |
		grep -oE "($(tr ' ' '|' <<<"$UNITS"))\.service" | sort -u | wc -l
}

# arrives WORD: of every service, within two minutes
arrives() {
	local n=0
	until [ "$(heard "$1")" -eq "$(wc -w <<<"$UNITS")" ]; do
		n=$((n + 1))
		[ $n -lt 240 ] || { pi2 cat $R/log; pi2 journalctl --no-pager -n 40; return 1; }
		sleep 0.5
	done
}

# recovers: it works again, and that is told; the application says when it is ready
recovers() {
	all ExecStart= 'ExecStart=sh -c "systemd-notify --ready; [ $$PPID -ne 1 ] || sleep 2"' NotifyAccess=all Restart=no User=ctvapps
	arrives RESOLVED
}

# card FILTER: of the download's alert
card() {
	pi2 cat $R/log | jq -r '.body | fromjson? | .attachments[0].content.body | select(.[0].inlines[0].text | test("pi2-download")) | '"$1" |
		head -n 1
}

@test "an exit code: with the code, the last words and what to do; and its end" {
	all ExecStart= 'ExecStart=sh -c "echo not my last words; echo the last words; exit 65"'
	arrives failed
	[ "$(card '.[0].inlines[0].text')" = 'WARNING: pi2: ctv-pi2-download.service failed: exit-code (exited 65)' ]
	card 'map(.inlines[]?.text) | join(" ")' | grep -q 'the last words'
	card 'map(.inlines[]?.text) | join(" ")' | grep -q 'Do:  systemctl status ctv-pi2-download.service; .*'
	# the application is what it is all for
	pi2 jq -r '.body | fromjson? | .attachments[0].content.body[0].inlines[0].text' $R/log | grep -q '^CRITICAL: pi2: flaskapp.service failed'
	recovers
}

@test "a kill" {
	all ExecStart= 'ExecStart=sh -c "kill -KILL $$$$"'
	arrives failed
	[ "$(card '.[0].inlines[0].text')" = 'WARNING: pi2: ctv-pi2-download.service failed: signal (killed KILL)' ]
}

@test "a time-out" {
	# a start that takes too long, or a life: the page's server counts as started at once
	all ExecStart= 'ExecStart=sleep 600' TimeoutStartSec=1 RuntimeMaxSec=1
	arrives failed
	card '.[0].inlines[0].text' | grep -q 'failed: timeout (killed TERM)$'
}

@test "a program that is not there" {
	all ExecStart= ExecStart=/usr/local/lib/ctv-mirror/none.sh
	arrives failed
	card '.[0].inlines[0].text' | grep -q 'failed: exit-code (exited 203)$'
	card 'map(.inlines[]?.text) | join(" ")' | grep -q 'none.sh.*No such file'
}

@test "last words that the journal takes only a while after the end" {
	UNITS=ctv-pi2-download
	pi2 systemctl kill -s STOP systemd-journald
	all ExecStart= ExecStart=/usr/local/lib/ctv-mirror/none.sh
	until pi2 systemctl list-units -q --all --plain 'ctv-alert@*' | grep -q .; do sleep 0.1; done
	sleep 1
	pi2 systemctl kill -s CONT systemd-journald
	arrives failed
	card 'map(.inlines[]?.text) | join(" ")' | grep -q 'none.sh.*No such file'
}

@test "a sandbox that cannot be made" {
	all ReadWritePaths=/nonexistent/directory
	# the one that raises its own alarm is in the same sandbox: it has no other
	UNITS=${UNITS/ctv-settle /}
	arrives failed
	card '.[0].inlines[0].text' | grep -q 'failed: exit-code (exited 226)$'
}

@test "a condition that cannot be judged is a failure, one that is not met is none" {
	UNITS=${UNITS/ctv-settle /}
	all 'ExecCondition=sh -c "exit 255"'
	arrives failed
	forget
	all 'ExecCondition=false'
	pi2 sh -c "systemctl start $UNITS; systemctl start ctv-alert@last-one.service.service"
	[ "$(pi2 jq -r '.body | fromjson? | .attachments[0].content.body[0].inlines[0].text' $R/log)" = 'WARNING: pi2: last-one.service failed' ] ||
		{ pi2 cat $R/log; return 1; }
}

@test "an alarm that cannot be delivered raises no alarm of its own, and is delivered later" {
	pi2 sh -c "echo 503 >$R/answer"
	UNITS=ctv-pi2-download
	all ExecStart= ExecStart=false
	until [ "$(pi2 systemctl is-failed ctv-alert@ctv-pi2-download.service.service)" = failed ]; do sleep 0.2; done
	[ "$(pi2 systemctl list-units --all --plain --no-legend 'ctv-alert@ctv-alert*' | wc -l)" -eq 0 ]
	pi2 sh -c "rm $R/answer; : >$R/log"
	pi2 setpriv --reuid ctvsync --regid ctvsync --init-groups alert-post --flush
	arrives failed
	pi2 journalctl -t alert-post -o cat -p warning | grep -q '^ctv-pi2-download.service warning: .*not told yet: teams: it answered 503'
	run ! pi2 sh -c "journalctl | grep -q s3cr3t || grep -rq s3cr3t $STATE/alerts"
}
