#!/usr/bin/env bats
# svc-ctl against real systemd, in a host of the lab; what needs no systemd stands first.

load helper

lab() { "$ROOT/tests/lab/lab" -d "$BATS_FILE_TMPDIR/lab" "$@"; }

setup_file() {
	LAB_WHY=$(lab check 2>&1) || { export LAB_WHY; return 0; }
	lab up -w "$BATS_ROOT_PID"
	lab boot pi2
	lab install pi2
	lab run pi2 ln -sf /usr/src/ctv-mirror/build/svc-ctl /usr/local/bin/
}

teardown_file() {
	[ -n "${LAB_WHY-}" ] || lab down
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	# the first six need no systemd. Here, for a skip inside `run` or a pipe would leave out nothing
	[ -z "${LAB_WHY-}" ] || [ "$BATS_TEST_NUMBER" -le 6 ] || skip "$LAB_WHY"
}

# host COMMAND...: in the lab's host; operator, visitor: the same as such a user
host() {
	lab run pi2 "$@"
}
svc() { host timeout 60 svc-ctl "$@"; }
as() {
	local who=$1
	shift
	lab run -u "$who" pi2 svc-ctl "$@"
}

# unit NAME: a unit file from standard input; the unit is stopped, and its starts of before are forgotten, which systemd 257
# counts through a reload
unit() {
	host sh -c "cat >/etc/systemd/system/$1 && systemctl daemon-reload && { systemctl stop $1 2>&1 || :; } &&
		{ systemctl reset-failed $1 2>/dev/null || :; }"
}

# sleeper [NAME]: a service that runs until it is stopped
sleeper() {
	printf '[Service]\nExecStart=/bin/sleep infinity\n' | unit "${1:-sleeper.service}"
}

# ---- without systemd ----

@test "a wrong command line is refused and says what is wrong" {
	local rows=0
	while IFS='~' read -r args message; do
		eval "run svc-ctl $args"
		expect 64 "^svc-ctl: $message"
		[ "${lines[1]}" = 'hint: see svc-ctl --help' ]
		rows=$((rows + 1))
	done <<'TABLE'
~wants a verb and one unit
start~wants a verb and one unit
--~wants a verb and one unit
start a b~wants a verb and one unit
reload x~reload: no such verb
'' x~: no such verb
Start x~Start: no such verb
start ''~: not a unit's name
start 'a b'~a b: not a unit's name
start ../../x~\.\./\.\./x: not a unit's name
start '*'~\*: not a unit's name
start $'a\nb'~a.x0ab: not a unit's name
start $'\xff'~.xff: not a unit's name
start .service~\.service: not a unit's name
start a@.service~a@\.service: a template needs its instance
start a@~a@: a template needs its instance
start @b.service~@b\.service: a template needs its instance
start $(printf %0250d 0)~0*: longer than a unit's name can be
-x start x~-x: no such option
--jsonx start x~--jsonx: no such option
--json=1 start x~--json=1: takes no value
start x -t~-t: needs a value
start x --settle~--settle: needs a value
-t 5x start x~--timeout 5x: not a duration
-t -1 start x~--timeout -1: not a duration
-t 0 start x~--timeout 0: must be longer than 0
--settle 1.5s start x~--settle 1.5s: not a duration
--settle 2m start x~--timeout must be longer than --settle
-t 3s --settle 3s restart x~--timeout must be longer than --settle
--settle 1s stop x~--settle is for start and restart
--settle 1s is-active x~--settle is for start and restart
TABLE
	[ "$rows" -ge 20 ]
}

@test "--help and --version answer on standard output; the page lists the same options" {
	run --separate-stderr svc-ctl --help
	expect 0 '^usage: svc-ctl \[-t DURATION\] \[--settle DURATION\] \[--json \| --shell\] VERB UNIT'
	[ -z "$stderr" ]
	for option in $(grep -oE -- '--[a-z]+' <<<"$output" | sort -u); do
		grep -Eq "Fl -${option#--}" "$ROOT/man/svc-ctl.1"
	done
	run svc-ctl -V
	expect 0 '^svc-ctl [0-9]+\.[0-9]+\.[0-9]+$'
}

# bus PYTHON: a bus at $DBUS_SYSTEM_BUS_ADDRESS that does this with each connection c; it logs what it reads
bus() {
	mkfifo ready
	python3 - "$PWD" "$1" <<'PY' 3>&- &
import os, socket, sys
os.chdir(sys.argv[1])
s = socket.socket(socket.AF_UNIX)
s.bind("bus")
s.listen()
open("ready", "w").close()
keep = []
while True:
    c, _ = s.accept()
    keep.append(c)
    exec(sys.argv[2])
PY
	BUS=$!
	cat ready
	export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$PWD/bus
}

teardown() {
	[ -z "${BUS-}" ] || kill "$BUS"
}

@test "without a bus systemd cannot be reached" {
	export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$PWD/none
	for verb in start stop restart is-active is-enabled status; do
		run --separate-stderr svc-ctl $verb x
		[ "$status" -eq 69 ]
		[ "$stderr" = "svc-ctl: x.service: $verb: cannot reach systemd: No such file or directory" ]
		[ -z "$output" ]
	done
	export DBUS_SYSTEM_BUS_ADDRESS=nonsense
	run svc-ctl is-active x
	expect 69 'is-active: cannot reach systemd: '
}

@test "a bus that says nothing ends with the time given" {
	bus 'open("log", "ab").write(c.recv(1))'
	for verb in start is-active; do
		run timeout 20 svc-ctl -t 300ms $verb x
		expect 75 "^svc-ctl: x.service: $verb: cannot reach systemd: Connection timed out"
	done
	until [ -s log ]; do sleep 0.05; done
}

@test "a bus that lets nobody do anything ends with the time given" {
	# the handshake succeeds; then nobody answers
	bus 'c.recv(512); c.sendall(b"DATA\r\nOK 00000000000000000000000000000000\r\nAGREE_UNIX_FD\r\n"); c.recv(512)'
	run timeout 20 svc-ctl -t 300ms start x
	expect 75 '^svc-ctl: x.service: start: cannot reach systemd: Connection timed out'
}

@test "a bus that hangs up or talks nonsense is one that cannot be reached" {
	bus 'c.recv(1); c.close()'
	run timeout 20 svc-ctl start x
	expect 69 'cannot reach systemd: '
	kill "$BUS"
	rm bus ready
	bus 'c.recv(1); c.sendall(b"\x00HTTP/1.1 200 OK\r\n\r\n" * 9)'
	run timeout 20 svc-ctl start x
	expect 69 'cannot reach systemd: '
}

# ---- with systemd ----

@test "start, stop and restart are silent and true when they return" {
	sleeper
	run svc start sleeper
	expect 0
	[ -z "$output" ]
	pid=$(host systemctl show -P MainPID sleeper)
	[ "$pid" -gt 0 ]
	run svc restart sleeper.service
	expect 0
	[ -z "$output" ]
	[ "$(host systemctl show -P MainPID sleeper)" != "$pid" ]
	run svc stop sleeper
	expect 0
	[ -z "$output" ]
	[ "$(host systemctl is-active sleeper)" = inactive ]
}

@test "what is as asked already is success" {
	sleeper
	svc start sleeper
	run svc --settle 50ms start sleeper
	expect 0
	svc stop sleeper
	run svc stop sleeper
	expect 0
}

@test "the end of a job is never missed" {
	sleeper
	run host sh -c 'set -e; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
		svc-ctl -t 20s start sleeper; svc-ctl is-active sleeper; svc-ctl -t 20s stop sleeper; done'
	expect 0
	[ "$(grep -cx active <<<"$output")" -eq 15 ]
	[ "${#lines[@]}" -eq 15 ]
}

@test "it waits for its own job, whatever other jobs end meanwhile" {
	printf '[Service]\nType=oneshot\nExecStart=/bin/sh -c "read x </run/slow"\n' | unit slow.service
	sleeper other.service
	host mkfifo /run/slow
	svc start slow 3>&- &
	waiting=$!
	until [ "$(host systemctl is-active slow)" = activating ]; do :; done
	for i in 1 2 3; do
		svc start other
		svc stop other
	done
	# so do a reload and a new systemd
	host systemctl daemon-reload
	host systemctl daemon-reexec
	kill -0 $waiting
	[ "$(host systemctl is-active slow)" = activating ]
	host sh -c 'echo go >/run/slow'
	wait $waiting
}

@test "is-active prints the word and exits as systemctl promises: 0, 3, 4" {
	sleeper
	svc start sleeper
	run svc is-active sleeper
	expect 0 '^active$'
	svc stop sleeper
	run svc is-active sleeper
	expect 3 '^inactive$'
	run svc is-active no-such-unit
	expect 4 '^inactive$'
	printf '[Service]\nType=oneshot\nExecStart=/bin/false\n' | unit bad.service
	host systemctl start bad || true
	run svc is-active bad
	expect 3 '^failed$'
	run svc is-active multi-user.target
	expect 0 '^active$'
	run svc is-active -- -.mount
	expect 0 '^active$'
}

@test "is-enabled prints the state of the unit's file: 0 enabled, 1 not, 4 no such unit" {
	printf '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n' |
		unit enabled.service
	run svc is-enabled enabled
	expect 1 '^disabled$'
	host systemctl enable -q enabled
	run svc is-enabled enabled
	expect 0 '^enabled$'
	sleeper
	run svc is-enabled sleeper
	expect 0 '^static$'
	host systemctl mask -q nothing-here
	run svc is-enabled nothing-here
	expect 1 '^masked'
	run svc is-enabled no-such-unit
	expect 4 '^not-found$'
}

@test "status says it in one line" {
	sleeper
	svc start sleeper
	run svc status sleeper
	expect 0 '^sleeper.service: active \(running\) since 20[0-9T:-]+Z, pid [0-9]+, static$'
	svc stop sleeper
	run svc status sleeper
	expect 3 '^sleeper.service: inactive \(dead\)( since 20[0-9T:-]+Z)?, static$'
	run svc status no-such-unit
	expect 4 '^no-such-unit.service: inactive \(dead\), not-found$'
	# what systemd sees at the start alone
	printf '[Service]\nExecStart=/opt/venv/bin/app -x\n' | unit hollow.service
	run svc status hollow
	expect 3 '^hollow.service: inactive \(dead\), static, /opt/venv/bin/app is not there$'
	run svc --json status hollow
	expect 3 '"missing":"/opt/venv/bin/app"'
	# env-exec becomes its command
	printf '#!/bin/sh\n' | host sh -c 'cat >/tmp/env-exec && chmod 755 /tmp/env-exec'
	printf '[Service]\nExecStart=/tmp/env-exec /opt/app/.env /opt/venv/bin/app -x\n' | unit hollow.service
	run svc status hollow
	expect 3 '/opt/venv/bin/app is not there$'
	host rm /tmp/env-exec
	run svc status hollow
	expect 3 '/tmp/env-exec is not there$'
	run svc status -- -.mount
	expect 0 '^-.mount: active \(mounted\)'
	printf '[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n' | unit sleeper.timer
	svc start sleeper.timer
	run svc status sleeper.timer
	expect 0 '^sleeper.timer: active \(waiting\) since .*, disabled$'
}

@test "check: can it be started? What does not run is OK, what would not start CRITICAL, no systemd UNKNOWN" {
	sleeper
	run svc check sleeper
	expect 0 '^UNIT OK: sleeper.service is inactive \(dead\), static$'
	run svc check --active sleeper
	expect 2 '^UNIT CRITICAL: sleeper.service is inactive'
	svc start sleeper
	run svc check --active --as ready sleeper
	expect 0 '^\{"id":"ready","check":"svc-ctl","object":"sleeper.service","state":"ok"'
	run svc check none
	expect 2 '^UNIT CRITICAL: none.service: no such unit'
	printf '[Service]\nExecStart=/none/program\n' | unit gone.service
	run svc check --shell gone
	expect 2 "^missing='/none/program'$"
	grep -q "^text='gone.service: /none/program is not there'$" <<<"$output"
	printf '[Timer]\nOnCalendar=2199-01-01 02:30:00 UTC\n' | unit sleeper.timer
	svc start sleeper.timer
	run svc check --active --shell sleeper.timer
	expect 0 "^next_at='2199-01-01T02:30:00Z'$"
	run svc check --shell sleeper
	expect 0 "^next_at=''$"
	unit wrong.service <<<'[Service]'
	run svc check wrong
	expect 2 'wrong.service is bad-setting'
	DBUS_SYSTEM_BUS_ADDRESS=unix:path=$PWD/none run svc-ctl check x
	expect 3 'UNIT UNKNOWN: x.service: systemd cannot be asked'
	run svc-ctl --active status x
	expect 64 'are for check'
}

@test "--json: one object on one line, the same for every verb" {
	sleeper
	for verb in start restart status is-active is-enabled; do
		svc --json $verb sleeper >out
		[ "$(wc -l <out)" -eq 1 ]
		jq -e '.unit == "sleeper.service" and .load == "loaded" and .active == "active" and
			.sub == "running" and .result == "success" and .enabled == "static" and .main_pid > 0 and
			.restarts == 0 and .missing == null and (.since | test("^20[0-9T:-]+Z$"))' out
	done
	svc --json stop sleeper | jq -e '.active == "inactive" and .main_pid == 0'
	run svc --json status no-such-unit
	expect 4
	jq -e '.load == "not-found" and .enabled == "not-found" and .since == null' <<<"$output"
	run --separate-stderr svc --json start no-such-unit
	[ "$status" -eq 66 ]
	[ -z "$output" ]
}

@test "a oneshot that ran to its good end has started; one that failed has not" {
	printf '[Service]\nType=oneshot\nExecStart=/bin/true\n' | unit once.service
	run svc --settle 50ms start once
	expect 0
	[ -z "$output" ]
	printf '[Service]\nType=oneshot\nExecStart=/bin/sh -c "exit 7"\n' | unit once.service
	run svc start once
	expect 69 '^svc-ctl: once.service: start: failed: exit-code 7$'
	[ "${lines[1]}" = 'hint: journalctl -u once.service -n 50' ]
}

@test "each way to fail has its result in the message" {
	printf '[Service]\nType=oneshot\nExecStart=/bin/false\n' | unit bad.service
	while IFS='~' read -r file status message; do
		printf '%b' "$file" | unit x.service
		run svc -t 20s start x
		expect "$status" "^svc-ctl: x.service: start: $message$"
	done <<'TABLE'
[Service]\nType=notify\nExecStart=/nonexistent\n~69~failed: exit-code 203
[Service]\nType=notify\nExecStart=/bin/sleep 60\nTimeoutStartSec=200ms\n~69~failed: timeout
[Service]\nType=notify\nExecStart=/bin/true\n~69~failed: protocol
[Service]\nType=oneshot\nExecStart=/bin/sh -c "kill -9 $$$$"\n~69~failed: signal 9
[Service]\nUser=nobody-here\nType=oneshot\nExecStart=/bin/true\n~69~failed: exit-code 217
[Unit]\nRequires=y.service\nAfter=y.service\n[Service]\nExecStart=/bin/true\n~66~Unit y.service not found.
[Unit]\nRequires=bad.service\nAfter=bad.service\n[Service]\nExecStart=/bin/true\n~69~dependency: a unit that it needs failed
[Unit]\nJobTimeoutSec=200ms\n[Service]\nType=oneshot\nExecStart=/bin/sleep 60\n~69~timeout: the time limit of its job passed
[Unit]\nAssertPathExists=/nonexistent\n[Service]\nExecStart=/bin/true\n~69~assert: an assertion of the unit is not met
[Unit]\nConditionPathExists=/nonexistent\n[Service]\nType=oneshot\nExecStart=/bin/true\n~69~skipped: a condition of the unit is not met
[Unit]\nConditionPathExists=/nonexistent\n[Service]\nExecStart=/bin/sleep 60\n~69~skipped: a condition of the unit is not met
[Unit]\nRefuseManualStart=yes\n[Service]\nExecStart=/bin/true\n~77~Operation refused.*
[Service]\nNothing=here\n~78~the unit file is wrong
TABLE
	run svc start no-such-unit
	expect 66 '^svc-ctl: no-such-unit.service: start: no such unit$'
	run svc stop no-such-unit
	expect 66 'stop: no such unit$'
	host systemctl mask -q masked
	run svc start masked
	expect 78 '^svc-ctl: masked.service: start: the unit is masked$'
}

# failing RESTARTS: x.service, which says something and fails, so often
failing() {
	printf '[Unit]\nStartLimitIntervalSec=60\nStartLimitBurst=%s\n[Service]\nRestart=on-failure\nRestartSec=100ms\nExecStart=/bin/sh -c "%s; exit 3"\n' \
		"$1" 'echo first >&2; echo No module named x >&2; sleep 0.1' | unit x.service
}

@test "watch: a unit that has failed for good ends it at once, one that starts again does not; its own last words are said" {
	failing 3
	host systemctl start x
	run svc -t 50s watch x
	expect 69 '^svc-ctl: x.service: watch: it is down: failed \(failed\), exit-code 3$'
	[ "$(host systemctl show -P NRestarts x)" -ge 2 ]
	grep -qx 'svc-ctl: x.service: says: No module named x' <<<"$output"
	# the message is the last before the hint
	[ "${lines[-1]}" = 'hint: journalctl -u x.service -n 50' ]
	[[ ${lines[-2]} == *'watch: it is down'* ]]
	[ "$(grep -c says: <<<"$output")" -le 5 ]
	run as visitor -t 50s watch x
	expect 69 'it is down'
	[[ $output != *says:* ]]
	sleeper
	host systemctl start sleeper
	run svc -t 100ms watch sleeper
	expect 0
	[ -z "$output" ]
	host systemctl stop sleeper
	run svc -t 50s watch sleeper
	expect 69 'it is down: inactive'
}

@test "watch UNIT -- COMMAND: its words and exit status, at once; a unit that goes down for good ends it" {
	sleeper
	host systemctl start sleeper
	run svc -t 50s watch sleeper -- sh -c 'echo "$1"; exit 7' sh 'a  b'
	expect 7
	[ "$output" = 'a  b' ]
	run svc -t 50s watch sleeper -- /nonexistent
	expect 70 '/nonexistent: cannot run'
	# when the time is over nobody looks any more
	run svc -t 10ms watch sleeper -- sleep 0.5
	expect 0
	host systemctl stop sleeper
	run svc -t 50s watch sleeper -- sleep 100
	expect 143 'watch: it is down: inactive'
}

@test "what a unit says drives no terminal" {
	printf '[Service]\nExecStart=/bin/sh -c "printf '"'\\\\033]0;pwned\\\\007\\\\n'"' >&2; sleep 0.1; exit 3"\n' | unit x.service
	run svc -t 20s --settle 10s start x
	expect 69 'did not stay up|ended at once'
	[[ $output == *'says: \x1b]0;pwned'* ]]
	[[ $output != *$'\033'* ]]
}

@test "--settle: a service that dies after its start has not started" {
	printf '[Service]\nExecStart=/bin/sh -c "sleep 3; exit 3"\n' | unit x.service
	run svc --settle 20s start x
	expect 69 '^svc-ctl: x.service: start: it did not stay up: failed \(failed\) after [0-9.]+s, exit-code 3$'
	printf '[Service]\nExecStart=/bin/sleep 3\n' | unit x.service
	run svc --settle 20s start x
	expect 69 'did not stay up: inactive \(dead\) after [0-9.]+s, success$'
}

@test "--settle: a service that systemd has to start again has not settled" {
	printf '[Service]\nExecStart=/bin/sh -c "sleep 3; kill -9 $$$$"\nRestart=always\nRestartSec=50ms\n' |
		unit x.service
	run svc --settle 20s start x
	host systemctl stop x
	expect 69 'did not stay up: (activating \(auto-restart\)|another main process) after'
}

@test "--settle: another main process is not the one that was started" {
	printf '%s\n' '[Service]' Type=notify NotifyAccess=all \
		'ExecStart=/bin/sh -c "sleep 60 & systemd-notify --ready; sleep 3; systemd-notify MAINPID=$$!; wait"' |
		unit x.service
	run svc --settle 20s start x
	host systemctl stop x
	expect 69 'did not stay up: another main process after [0-9.]+s, 0 restarts$'
}

@test "--settle: stopped by somebody else, it is told at once" {
	sleeper
	svc --settle 1m start sleeper 3>&- 2>err &
	waiting=$!
	until [ "$(host systemctl is-active sleeper)" = active ]; do :; done
	host systemctl stop sleeper
	wait $waiting && false
	# it may be seen while it still ends
	grep -E 'it (did not stay up|ended at once): (inactive \(dead\)|deactivating \()' err || { cat err; false; }
}

@test "a service that ends at once has not started, even without --settle" {
	# systemd counts the job as done: the process was there
	printf '[Service]\nType=forking\nExecStart=/bin/true\n' | unit x.service
	run svc start x
	expect 69 'start: it ended at once: inactive \(dead\), success$'
}

@test "it waits for signals and does not poll" {
	sleeper
	host strace -e trace=ppoll,poll,nanosleep,clock_nanosleep -o /tmp/trace svc-ctl --settle 5s start sleeper
	# nothing ever wakes it by time but the end of the settling
	[ "$(host grep -c '(Timeout)' /tmp/trace)" -eq 1 ]
	host grep -c sleep /tmp/trace && false
	host rm /tmp/trace
}

@test "-t bounds the whole; the job goes on" {
	printf '[Service]\nType=oneshot\nExecStart=/bin/sleep infinity\n' | unit x.service
	run svc -t 5s start x
	expect 75 '^svc-ctl: x.service: start: not done in the time given; the job goes on$'
	run svc is-active x
	expect 3 '^activating$'
	host systemctl stop x
}

@test "a job that another one replaces is canceled" {
	printf '[Service]\nType=oneshot\nExecStart=/bin/sleep infinity\n' | unit x.service
	svc start x 2>err 3>&- &
	waiting=$!
	until [ "$(host systemctl is-active x)" = activating ]; do :; done
	host systemctl stop x
	wait $waiting && false || [ $? -eq 75 ]
	grep -F 'svc-ctl: x.service: start: canceled by another request' err
}

@test "killed, it leaves the job to systemd" {
	printf '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c "read x </run/slow2"\n' | unit x.service
	host mkfifo /run/slow2
	run host timeout -s INT 5 svc-ctl start x
	expect 124
	run svc is-active x
	expect 3 '^activating$'
	host sh -c 'echo go >/run/slow2'
	run svc start x
	expect 0
	host systemctl stop x
}

@test "anybody may ask; only whom polkit lets may act" {
	sleeper
	sleeper another.service
	run as visitor is-active sleeper
	expect 3 '^inactive$'
	run as visitor status sleeper
	expect 3
	for verb in start stop restart; do
		run as visitor $verb sleeper
		expect 77 "^svc-ctl: sleeper.service: $verb: not permitted$"
		[ "${lines[1]}" = 'hint: needs root, or a polkit rule that lets you manage this unit' ]
	done
	host sh -c 'cat >/etc/polkit-1/rules.d/10-test.rules' <<'RULE'
polkit.addRule(function (action, subject) {
	if (action.id == "org.freedesktop.systemd1.manage-units" && subject.isInGroup("ctvapps") &&
	    action.lookup("unit") == "sleeper.service")
		return polkit.Result.YES;
});
RULE
	host systemctl restart polkit
	run as daseme --settle 50ms start sleeper
	expect 0
	[ "$(svc is-active sleeper)" = active ]
	run as daseme restart sleeper
	expect 0
	run as daseme stop sleeper
	expect 0
	run as daseme start another
	expect 77 'not permitted'
	run as visitor start sleeper
	expect 77 'not permitted'
	host rm /etc/polkit-1/rules.d/10-test.rules
}

@test "root reaches systemd even when the bus is down; others are told" {
	sleeper
	host systemctl stop dbus.socket dbus.service
	run svc -v start sleeper
	echo "$output"
	started=$status
	run svc --settle 100ms restart sleeper
	restarted=$status
	run as visitor is-active sleeper
	visitor=$status
	run svc stop sleeper
	stopped=$status
	host systemctl start dbus.socket dbus.service
	[ "$started $restarted $stopped $visitor" = '0 0 0 69' ]
}

@test "an answer that cannot be written is an error" {
	run host sh -c 'svc-ctl is-active multi-user.target >/dev/full'
	expect 74 'standard output: cannot write'
}

# instructions COMMAND...: how many it executes
instructions() {
	host valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1 |
		sed -n 's/.*Collected : //p'
}

@test "it costs no more instructions than systemctl" {
	sleeper
	for verb in start stop; do
		ours=$(instructions svc-ctl $verb sleeper)
		# back to where it was
		if [ $verb = start ]; then host systemctl stop sleeper; else host systemctl start sleeper; fi
		theirs=$(instructions systemctl $verb sleeper)
		echo "$verb: $ours, systemctl $theirs"
		[ "$ours" -gt 0 ] && [ "$ours" -le "$theirs" ]
	done
}
