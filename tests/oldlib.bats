# The shared library of the scripts, where it can be tested without a tool or a server.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR"
	export CTV_ENV_FILE=$PWD/env CTV_STATE_DIR=$PWD/state CTV_LOG_DIR=$PWD/log
	: >env
	chmod 600 env
}

# probe_is: a script that sources lib.sh and goes on with standard input
probe_is() {
	{ echo '#!/bin/sh'; echo 'set -eu'; echo ". $ROOT/scripts/oldlib.sh"; cat; } >probe.sh
	chmod +x probe.sh
}

# short_job: one that begins and comes to its good end
short_job() {
	probe_is <<'END'
settings
begin test 1 "$CTV_LOG_DIR/test.log"
finish ok done
END
}

# eventually COMMAND: becomes true, or the test fails instead of hanging
eventually() {
	local tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ "$tries" -lt 1000 ] || return 1
		sleep 0.01
	done
}

@test "the environment wins, an empty value is an absent one" {
	printf 'CTV_NODE=file\nCTV_MAX_AGE=\n' >env
	probe_is <<'END'
settings
echo "$node $max_age"
END
	run ./probe.sh
	expect 0 '^file 36h$'
	CTV_NODE=env run ./probe.sh
	expect 0 '^env 36h$'
	CTV_NODE='' run ./probe.sh
	expect 0 '^file 36h$'
}

@test "a configuration file that is not in order ends the script with 78 before it does anything" {
	probe_is <<'END'
settings
echo went on
END
	chmod 604 env
	run ./probe.sh
	expect 78 'others can read it'
	[[ $output != *'went on'* ]]
	chmod 600 env
	echo 'not a line' >env
	run ./probe.sh
	expect 78 'line 1 is not NAME=VALUE'
	for wrong in 'DATABASE_PATH=data.db' 'CTV_STATE_DIR=state'; do
		: >env
		run env "$wrong" ./probe.sh
		expect 78 "${wrong%%=*}: ${wrong#*=}: not an absolute path"
	done
}

@test "a second run is refused with 73 and told who is at work" {
	probe_is <<'END'
settings
begin test 1 "$CTV_LOG_DIR/test.log"
echo locked
read -r wait_for_the_test || :
finish ok done
END
	mkfifo hold
	./probe.sh <hold >first.out &
	exec 4>hold
	eventually grep -qs locked first.out
	run ./probe.sh
	expect 73 "lock: held by probe.sh, pid $!, since 20"
	exec 4>&-
	wait $!
	run ./probe.sh </dev/null
	expect 0
}

@test "a look at the lock, which takes it for a moment, refuses nobody" {
	short_job
	mkdir state
	flock state/lock sh -c 'true >looking; sleep 0.2' &
	eventually [ -e looking ]
	run ./probe.sh
	wait $!
	expect 0
}

@test "the record of a refused second run does not replace that of the first" {
	short_job
	mkdir state
	exec 5>>state/lock
	flock -n 5
	echo '{"mine":true}' >state/last-test.json
	run ./probe.sh
	expect 73
	[ "$(cat state/last-test.json)" = '{"mine":true}' ]
}

@test "every end leaves a record that says how, and a bug is one of them" {
	probe_is <<'END'
settings
begin test 2 "$CTV_LOG_DIR/test.log"
step one
step two
case $1 in
ok) finish ok "all is \"well\" \\ é" ;;
die) die 65 "the file: is bad" "look" ;;
bug) false ;;
unset) echo "$nothing" ;;
tool) must sh -c 'echo "tool: thing: cause" >&2; exit 69' ;;
esac
END
	run ./probe.sh ok
	expect 0 'all is "well"'
	jq -e '.result == "ok" and .exit == 0 and .message == "all is \"well\" \\ ??" and (.steps | length) == 2
		and .last_ok_at == .finished_at and .task == "test"' state/last-test.json
	ok_at=$(jq -r .last_ok_at state/last-test.json)
	run ./probe.sh die
	expect 65 'probe.sh: the file: is bad'
	jq -e --arg t "$ok_at" '.result == "failed" and .exit == 65 and .last_ok_at == $t and .step == "two"
		and .steps[1].result == "failed"' state/last-test.json
	run ./probe.sh bug
	expect 70 'unexpected end \(exit status 1\) in step two'
	run ./probe.sh unset
	[ "$status" -ne 0 ]
	jq -e '.result == "failed" and .exit != 0' state/last-test.json
	run ./probe.sh tool
	expect 69 'probe.sh: tool: thing: cause'
	jq -e '.exit == 69 and .message == "tool: thing: cause"' state/last-test.json
	grep -q 'error: tool: thing: cause' log/test.log
	[ ! -e state/.test ]
}

@test "a counter that is no number, in a record that was damaged, begins anew; the run ends as it ended" {
	short_job
	mkdir state
	for counter in 08 1.5 abc 1:2 2026-11-24 -3 99999999999999999999; do
		echo "{\"runs_ok\":\"$counter\",\"runs_failed\":\"$counter\"}" >state/last-test.json
		run ./probe.sh
		expect 0
		jq -e '.result == "ok" and .runs_ok == 1 and .runs_failed == 0' state/last-test.json
	done
}

@test "a size is one with a small letter too, as the tools read it" {
	probe_is <<'END'
settings
echo "$min_size"
END
	CTV_MIN_SIZE=100m run ./probe.sh
	expect 0 '^100m$'
}

@test "a signal reaches the tool at once, is recorded, and ends with 75" {
	probe_is <<'END'
settings
begin test 1 "$CTV_LOG_DIR/test.log"
step work
must sh -c 'trap "echo stopped >tool; exit 75" TERM; echo >ready; while :; do sleep 0.05; done'
END
	for signal in TERM INT HUP; do
		rm -f ready tool
		# bash starts background jobs with SIGINT ignored, which sh could not undo
		env --default-signal=INT ./probe.sh >out 2>&1 &
		eventually [ -e ready ]
		kill -$signal $!
		code=0
		wait $! || code=$?
		[ "$code" -eq 75 ]
		[ "$(cat tool)" = stopped ]
		grep -q "interrupted by SIG$signal" out
		jq -e '.result == "interrupted" and .exit == 75' state/last-test.json
	done
}

@test "an absent log directory is said, not fatal; a state directory that cannot be made is" {
	short_job
	: >file
	CTV_LOG_DIR=$PWD/file/log run ./probe.sh
	expect 0 'so this run has no log'
	CTV_STATE_DIR=$PWD/file/state run ./probe.sh
	expect 73 'file/state: cannot create'
}

@test "who has a database open is seen, by side file and by another name too" {
	probe_is <<'END'
settings
holders "$1"
END
	: >db
	: >db-wal
	ln -s db link
	run ./probe.sh "$PWD/db"
	[ -z "$output" ]
	exec 6<link
	run ./probe.sh "$PWD/db"
	expect 0 "$$ \\("
	exec 6<&- 7<db-wal
	run ./probe.sh "$PWD/db"
	expect 0 "$$ \\("
	exec 7<&-
}

@test "a member of a JSON line is found, text that looks like one is not" {
	probe_is <<<'field "$1"'
	line='{"a":"x\",\"rev\":\"evil","rev":"0123abc","size":42,"none":null,"deep":{"seconds":1.5}}'
	for pair in rev=0123abc size=42 none= absent= seconds=1.5; do
		[ "$(./probe.sh "${pair%%=*}" <<<"$line")" = "${pair#*=}" ]
	done
}

@test "a port where anybody listens is not free, whatever he answers" {
	python3 -u -m http.server --bind 127.0.0.1 0 >served 2>&1 3>&- &
	local server=$!
	eventually grep -q 'port [0-9]' served
	probe_is <<'END'
settings
scratch=$PWD unit_was=stopped
port_free || echo "$status: $why"
END
	CTV_STANDBY_URL="http://127.0.0.1:$(sed -n 's/.* port \([0-9]*\).*/\1/p' served)" run ./probe.sh
	kill $server
	wait $server || true
	expect 0 '^73: .*somebody listens there, while flaskapp.service is stopped$'
	CTV_STANDBY_URL=http://127.0.0.1:1 run ./probe.sh
	expect 0 '^$'
}

@test "room is where a file can be made: blocks and inodes, of which some file systems have no number" {
	# blocks that are free, their size, inodes, those that are free
	probe_is <<'END'
stat() { echo "$words"; }
for words in '1024 4096 1000 500' '1024 4096 1000 15' '1024 4096 0 0' '3 512 9 9' '0 4096 9 9' '1024 4096 9 9'; do room_in /; echo "$room"; done
stat() { return 1; }
room_in /; echo "$room"
END
	run ./probe.sh
	[ "${lines[*]}" = '4096 0 4096 0 0 0 0' ]
}

@test "each job's beginning and end is news for the page, which is written through nobody's link" {
	probe_is <<'END'
settings
begin test 1 "$CTV_LOG_DIR/test.log"
[ -e "$state/news" ] && rm "$state/news"
finish ok done
END
	./probe.sh
	[ -f state/news ]
	rm state/news
	echo kept >other
	ln -s "$PWD/other" state/news
	run ./probe.sh
	expect 0 ''
	[ "$(cat other)" = kept ]
	# another's, that cannot be written, is news all the same
	rm state/news
	mkdir state/news
	sed -i '/rm /d' probe.sh
	./probe.sh
	# nobody waits for the reader of a pipe
	rmdir state/news
	mkfifo state/news
	timeout -s KILL 60 ./probe.sh
}

@test "the scripts carry the version that the tools carry" {
	[ "$(sed -n 's/^version=//p' "$ROOT/scripts/oldlib.sh")" = "$(sed -n 's/^VERSION = //p' "$ROOT/Makefile")" ]
}
