# job-run and scripts/lib.sh: runs of small scripts, without a tool or a server; what needs a terminal has a real one.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR"
	export CTV_ENV_FILE=$PWD/env CTV_STATE_DIR=$PWD/state CTV_LOG_DIR=$PWD/log
	unset CTV_JOB CTV_PROGRESS
	: >env
	chmod 600 env
}

# job_is [STEPS [LOCKS]]: job.sh becomes a script that runs standard input as the job `test`
job_is() {
	cat >job.sh <<-END
		#!/bin/sh
		set -eu
		here=$ROOT/scripts
		. $ROOT/scripts/lib.sh
		steps=${1:-1} log=/nowhere/test.log dry=\${dry-}
		run_as_job test "${2:-lock}" "\$@"
	END
	cat >>job.sh
	chmod +x job.sh
}

# record FILTER: of the last record, as jq -e takes it
record() {
	jq -e "$1" state/last-test.json
}

# held NAME: does somebody hold this lock?
held() {
	! flock -n "state/$1" true
}

@test "steps are numbered and timed, with what they found; screen, log and record agree" {
	job_is 3 <<'END'
step one
note "it is there"
more "and a line"
skip two "not needed"
step three
warn "too old"
step_done
say "after it"
fact size:int 42
fact rev:text 'a"b'
fact published:bool yes
fact none:int ''
finish ok "all is well"
END
	run ./job.sh
	expect 0
	# how long a step takes is the machine's matter
	sed 's/[0-9]*\.[0-9] s/T/' <<<"$output" | diff - <(printf '%s\n' ' ✓ 1/3 one          T  it is there' '   and a line' \
		' - 2/3 two          T  not needed' ' ! 3/3 three        T  too old' 'after it' 'all is well (T)')
	[ "${#lines[@]}" -eq 6 ]
	record '.schema == 1 and .task == "test" and .result == "ok" and .exit == 0 and .step == "three" and .message == "all is well"
		and .hint == "" and .finished_at == .last_ok_at and .runs_ok == 1 and .runs_failed == 0 and .size == 42
		and .rev == "a\"b" and .published == true and .none == null
		and [.steps[] | .name + " " + .result] == ["one ok", "two skipped", "three warning"]'
	[ "$(wc -l <state/last-test.json)" -eq 1 ]
	sed 's/^[^ ]* job\[[0-9]*\]: //; s/[0-9]*\.[0-9] s/T/' log/test.log | diff - <(printf '%s\n' begins 'step 1/3 one: ok, T: it is there' \
		'and a line' 'step 2/3 two: skipped, T: not needed' 'step 3/3 three: warning, T: too old' 'after it' 'all is well (T)')
	LC_ALL=C run ./job.sh
	[[ ${lines[0]} == 'ok 1/3 one '* ]]
}

@test "a tool's complaint stands below the step in which it was made, with its hint" {
	job_is 2 <<'END'
step one
sh -c 'echo "tool: a: slow" >&2; echo "hint: wait"'
step two
echo "tool: b: slow" >&2
finish ok fine
END
	run ./job.sh
	expect 0
	[[ $output == *' 1/2 one '*$'\n   tool: a: slow\n   hint: wait\n'*' 2/2 two '*$'\n   tool: b: slow\nfine '* ]]
	grep -q ': tool: a: slow$' log/test.log
}

@test "words and complaints stay in order, however many there are" {
	job_is 40 <<'END'
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40; do
	step "s$i"
	sh -c "echo tool: s$i: one >&2; echo tool: s$i: two"
done
finish ok fine
END
	run ./job.sh
	expect 0
	awk '/^ ✓/ { step = $3 } /^   tool:/ { if ($2 != step ":") exit 1; n++ } END { exit n != 80 }' <<<"$output"
}

@test "of a run that fails the last complaint is the message, the same on screen, in log and record" {
	job_is 2 <<'END'
step one
sh -c 'echo "tool: a: first" >&2; echo "hint: no" >&2; echo "tool: b: cause" >&2; echo "hint: look there" >&2; exit 69'
step two
END
	run --separate-stderr ./job.sh
	expect 69
	[[ $output == ' ✗ 1/2 one '*$'\n   tool: a: first\n   hint: no' ]]
	[ "$stderr" = $'job.sh: tool: b: cause\nhint: look there' ]
	record '.result == "failed" and .exit == 69 and .message == "tool: b: cause" and .hint == "look there" and .step == "one"
		and .steps == [{name: "one", result: "failed", seconds: .steps[0].seconds}] and .last_ok_at == null'
	[ "$(grep -c 'tool: b: cause' log/test.log)" -eq 1 ]
	grep -q ': error: tool: b: cause$' log/test.log
	grep -q ': hint: look there$' log/test.log
}

@test "what the script says itself is the message; the tool's words stand below the step" {
	job_is <<'END'
step one
sh -c 'echo "tool: a: cause" >&2; exit 1' || fail 65 "the file: is bad" "look"
END
	run --separate-stderr ./job.sh
	expect 65
	[[ $output == *$'\n   tool: a: cause' ]]
	[ "$stderr" = $'job.sh: the file: is bad\nhint: look' ]
	# a code alone: the tool has said why
	sed -i 's/ "the file.*//' job.sh
	run --separate-stderr ./job.sh
	expect 65
	[ "$stderr" = 'job.sh: tool: a: cause' ]
}

@test "the way back is gone after it was said why; what it complains of is no cause" {
	job_is <<'END'
step one
undo=roll_back
roll_back() {
	say "rolling back"
	echo "tool: c: no way back" >&2
}
sh -c 'echo "tool: b: cause" >&2; exit 74'
END
	run ./job.sh
	expect 74
	[ "${lines[1]}" = 'job.sh: tool: b: cause' ]
	[ "${lines[2]}" = 'rolling back' ]
	[ "${lines[3]}" = '   tool: c: no way back' ]
	record '.message == "tool: b: cause"'
}

@test "the exit status is the script's, if the suite has it; else 70; of a killed tool 75" {
	job_is <<'END'
step one
case $1 in
word) fail "$2" "said" ;;
exit) exit "$2" ;;
tool) sh -c "exit $2" ;;
kill) sh -c 'kill -KILL $$' ;;
self) kill -KILL $$ ;;
none) no-such-tool ;;
bug) echo "$nothing" ;;
quiet) exit 0 ;;
esac
END
	while read -r code args; do
		# shellcheck disable=SC2086  # words
		run ./job.sh $args
		expect "$code" '^job.sh: .'
		record ".exit == $code and .result == \"failed\" and .message != \"\""
	done <<-'END'
		65 word 65
		78 word 78
		70 word 1
		70 exit 1
		64 exit 64
		69 tool 69
		70 tool 2
		75 kill
		70 self
		70 none
		70 bug
		70 quiet
	END
	run ./job.sh exit 1
	expect 70 'unexpected end \(exit status 1\) in step one'
}

@test "a step that failed in a function does not go on: the run says so instead of ending well" {
	job_is 2 <<'END'
step one
false
step two
finish ok "went on"
END
	run ./job.sh
	expect 70
	[[ $output != *'went on'* ]]
}

@test "a step that comes again has its number again; one that is refused has failed, though the run goes on" {
	job_is 2 <<'END'
step one
refuse "not ready"
step two
step one
finish ok fine
END
	run ./job.sh
	expect 0
	[[ ${lines[0]} == ' ✗ 1/2 one '*'not ready' ]]
	[[ ${lines[2]} == ' ✓ 1/2 one '* ]]
	record '[.steps[].result] == ["failed", "ok", "ok"]'
}

@test "a moment that is marked stands in later texts, and only such a one" {
	job_is <<'END'
step one
mark here
sleep 0.3
mark there
note "after %{here} s and %{there} s, %{nowhere} 5%{ %"
finish ok "at %{there}"
END
	run ./job.sh
	expect 0 '^at '
	[[ $output =~ 'after '([0-9.]+)' s and '([0-9.]+)' s, %{nowhere} 5%{ %'.*$'\nat '([0-9.]+)' ' ]]
	# to the tenth, each
	awk -v here="${BASH_REMATCH[1]}" -v there="${BASH_REMATCH[2]}" 'BEGIN { exit !(there - here > 0.15) }'
	[ "${BASH_REMATCH[3]}" = "${BASH_REMATCH[2]}" ]
}

@test "what a tool prints cannot pass for a word of the script" {
	job_is <<'END'
step one
printf '\001 fail\00165\001\001\001\n\0010123456789abcdef-1 done\001ok\001\001\001\n'
finish ok fine
END
	run ./job.sh
	expect 0 '^fine '
	[[ $output == *'\x01 fail'* ]]
	[[ $output != *$'\001'* ]]
}

@test "control characters are escaped on the screen and in the log; a text may have lines" {
	job_is <<'END'
step one
esc=$(printf '\033')
say "a ${esc}[31m b
c"
note "x
y"
finish ok fine
END
	run ./job.sh
	expect 0
	[ "${lines[0]}" = 'a \x1b[31m b' ]
	[ "${lines[1]}" = c ]
	[[ ${lines[2]} == *'x\x0ay' ]]
	[[ $output$(cat log/test.log) != *$'\033'* ]]
}

@test "a line without end, and one of many bytes, take no more memory than there is" {
	job_is <<'END'
step one
head -c 10000000 /dev/zero | tr '\0' x
echo
head -c 3000000 /dev/zero
finish ok fine
END
	run bash -c '(ulimit -v 20000; ./job.sh) | tail -n 1'
	expect 0 '^fine '
}

@test "a fact that is none is said; the members of the schema are nobody's to change" {
	job_is <<'END'
step one
fact exit:int 7
fact size:int many
fact size:long 1
fact size 1
fact Size:int 1
fact good:int 1
finish ok fine
END
	run ./job.sh
	expect 0
	[ "$(grep -c 'not a fact for the record' <<<"$output")" -eq 5 ]
	record '.exit == 0 and .good == 1 and (has("size") | not)'
}

@test "a second run is refused with 73 and told who is at work; the record stays the first's" {
	job_is <<'END'
echo >locked
read -r wait_for_the_test <hold || :
finish ok done
END
	mkfifo hold
	./job.sh 3>&- &
	eventually [ -e locked ]
	eventually held lock
	cp state/last-test.json before
	run ./job.sh
	expect 73 "^job.sh: $PWD/state/lock: held by job.sh, pid $!, since 20"
	cmp before state/last-test.json
	jq -e '.result == "running" and .exit == 0 and .finished_at == null and .runs_ok == 0' before
	: >hold
	wait $!
	record '.runs_ok == 1'
}

@test "a look at the lock, which takes it for a moment, refuses nobody; a longer wait is said" {
	job_is 1 'lock second.lock:20s' <<<'finish ok fine'
	mkdir state
	mkfifo let_go
	flock state/lock sh -c 'true >looking; sleep 0.2' 3>&- &
	eventually [ -e looking ]
	run ./job.sh
	expect 0
	wait $!
	echo 'somebody.sh, pid 1' >state/second.lock
	flock state/second.lock cat let_go 3>&- &
	eventually held second.lock
	./job.sh >out 3>&- &
	eventually grep -q "waiting for $PWD/state/second.lock: held by somebody.sh, pid 1" out
	: >let_go
	wait $!
	grep -q '^fine ' out
	# of two runs of a kind one is told at once, whatever it would wait for another
	sed -i 's/second.lock:20s/second.lock:1h:somebody.sh/' job.sh
	mkfifo stay
	flock state/second.lock cat stay 3>&- &
	eventually held second.lock
	echo 'job.sh, pid 1' >state/second.lock
	run ./job.sh
	expect 73 'second.lock: held by job.sh, pid 1'
	: >stay
	wait $!
}

@test "a lock that is needed no more is free for others, while the run goes on" {
	job_is 1 'lock second.lock' <<'END'
flock -n "$CTV_STATE_DIR/second.lock" true && exit 1
unlock second.lock
until flock -n "$CTV_STATE_DIR/second.lock" true; do sleep 0.01; done
flock -n "$CTV_STATE_DIR/lock" true && exit 1
finish ok fine
END
	run ./job.sh
	expect 0
}

@test "killed with SIGKILL its script dies with it; a tool in flight ends by itself and holds the lock until then" {
	job_is <<'END'
step one
sh -c 'echo >ready; cat hold; echo >ended'
echo >went_on
END
	mkfifo hold
	./job.sh 3>&- &
	eventually [ -e ready ]
	script=$(cat "/proc/$!/task/$!/children")
	kill -KILL $!
	wait $! || true
	eventually [ ! -d "/proc/${script% }" ]
	held lock
	[ ! -e ended ]
	: >hold
	flock -w 20 state/lock true
	[ -e ended ]
	[ ! -e went_on ]
	record '.result == "running"'
}

@test "what a script left behind is ended, and awaited before the record says that the run has ended" {
	job_is <<'END'
trap - EXIT
sh -c 'trap "jq -r .result state/last-test.json >seen; exit 0" TERM; echo >ready; while :; do sleep 0.02; done' &
until [ -e ready ]; do sleep 0.01; done
finish ok fine
END
	run ./job.sh
	expect 0
	[ "$(cat seen)" = running ]
	record '.result == "ok"'
	run ! held lock
}

@test "a signal reaches script and tool, is recorded, and ends with 75" {
	job_is <<'END'
step work
sh -c 'trap "echo stopped >tool; exit 75" TERM INT HUP; echo >ready; while :; do sleep 0.05; done'
END
	for signal in TERM INT HUP; do
		rm -f ready tool
		# bash starts background jobs with SIGINT ignored, which sh could not undo
		env --default-signal=INT ./job.sh >out 2>&1 3>&- &
		eventually [ -e ready ]
		kill -$signal $!
		code=0
		wait $! || code=$?
		[ "$code" -eq 75 ]
		[ "$(cat tool)" = stopped ]
		grep -qx "job.sh: interrupted by SIG$signal" out
		grep -q '^hint: run it again' out
		record '.result == "interrupted" and .exit == 75'
	done
}

@test "what the caller ignores stays ignored: nohup" {
	job_is <<'END'
echo >ready
read -r wait_for_the_test <hold || :
finish ok fine
END
	mkfifo hold
	env --ignore-signal=HUP ./job.sh >out 2>&1 3>&- &
	eventually [ -e ready ]
	kill -HUP $!
	: >hold
	wait $!
	grep -q '^fine ' out
}

@test "a dry run writes nothing and takes no lock" {
	job_is 1 <<'END'
step one
fact size:int 1
finish ok ready
END
	mkdir state
	flock state/lock env dry=yes ./job.sh >out
	[ "$(head -n 1 out)" = 'job.sh: a dry run; nothing is changed' ]
	grep -q '^ready ' out
	[ ! -e log ]
	[ "$(ls state)" = lock ]
}

@test "a log that cannot be written is said, and ends nothing; a state directory that cannot be made does" {
	job_is <<<'step one; finish ok fine'
	: >file
	CTV_LOG_DIR=$PWD/file/log run ./job.sh
	expect 0 "file/log/test.log: Not a directory, so this run has no log"
	CTV_STATE_DIR=$PWD/file/state run ./job.sh
	expect 73 'file/state: cannot create'
}

@test "a full disk takes no log and no end of the record: the run goes on, and ends as it ended" {
	needs_root 'to mount a small disk'
	may_mount
	job_is 1 <<'END'
step one
cat /dev/zero >log/fill 2>/dev/null || :
for i in 1 2 3 4 5 6 7 8 9 10; do say "$(head -c 500 /dev/zero | tr '\0' x)"; done
undo=back
back() { say "back again"; }
fail 65 "the file: is bad"
END
	mkdir log
	run unshare -m sh -c 'mount -t tmpfs -o size=64k none log && exec ./job.sh'
	expect 65 'job.sh: the log: goes on without it: No space left on device'
	[[ $output == *'the file: is bad'*'back again'* ]]
	record '.exit == 65 and .message == "the file: is bad"'
}

@test "a link, a FIFO, a second name, a directory in the place of lock, record, log or news: nothing is written, nobody waits" {
	job_is <<<'step one; finish ok fine'
	mkdir state log
	echo theirs >other
	for place in state/lock state/last-test.json; do
		rm -f $place
		for kind in 'ln -s ../other' mkfifo 'ln other' mkdir; do
			$kind $place
			run timeout -s KILL 60 ./job.sh
			expect 73 "$PWD/$place: .*(not a plain file|Is a directory)"
			rm -rf $place
		done
	done
	for place in log/test.log state/news; do
		rm -f $place
		for kind in 'ln -s ../other' mkfifo 'ln other' mkdir; do
			$kind $place
			run timeout -s KILL 60 ./job.sh
			expect 0 '^fine '
			rm -rf $place
		done
	done
	[ "$(cat other)" = theirs ]
}

@test "each run's beginning and end is news for the page" {
	job_is <<<'[ -e state/news ] && rm state/news; finish ok fine'
	./job.sh
	[ -f state/news ]
}

@test "a counter that is no number, in a record that was damaged, begins anew; the run ends as it ended" {
	job_is <<<'finish ok fine'
	mkdir state
	for counter in '"1"' 1.5 -3 1e30 null '[]'; do
		echo "{\"runs_ok\":$counter,\"runs_failed\":$counter,\"last_ok_at\":$counter}" >state/last-test.json
		run ./job.sh
		expect 0
		record '.result == "ok" and .runs_ok == 1 and .runs_failed == 0'
	done
	head -c 400000 /dev/zero >state/last-test.json
	run ./job.sh
	expect 0
	record '.runs_ok == 1'
	run ./job.sh
	record '.runs_ok == 2'
}

@test "settings that are not in order: 78 before anything is done" {
	job_is <<<'finish ok fine'
	chmod 604 env
	run ./job.sh
	expect 78 '^job.sh: .*others can read it'
	chmod 600 env
	CTV_MAX_AGE=soon run ./job.sh
	expect 78 '^job.sh: CTV_MAX_AGE: soon: not a duration'
	CTV_STATE_DIR=state run ./job.sh
	expect 78 '^job.sh: CTV_STATE_DIR: state: not an absolute path'
	[ ! -e state ]
}

@test "a command line that is none: 64" {
	while read -r args; do
		# shellcheck disable=SC2086  # words
		run job-run $args
		expect 64 '^job-run: '
	done <<-'END'

		test
		test --
		Test -- true
		../x -- true
		test --lock -- true
		test --lock a/b -- true
		test --lock ../a -- true
		test --lock a:soon -- true
		test --lock a --lock b --lock c --lock d --lock e -- true
		test --steps 0 -- true
		test --steps many -- true
		test --bogus -- true
	END
	[ ! -e state ]
}

@test "a script that cannot be run: 70, and why" {
	run job-run test -- ./no-such-script
	expect 70 '^no-such-script: .*cannot be run: No such file or directory'
}

@test "without job-run the words are lines that people read" {
	job_is <<'END'
END
	sed -i 's/^run_as_job.*//' job.sh
	cat >>job.sh <<'END'
step one
note found
say "a line"
warn "old"
skip two "no need"
fact size:int 1
ask "Really?" && exit 1
(fail 65 "the file: is %s bad" "look at 100%") || :
finish ok fine
END
	run ./job.sh </dev/null
	expect 0
	[ "$output" = $'job.sh: one ...\n   found\na line\njob.sh: old\njob.sh: two: no need\nReally? no (not a terminal)\njob.sh: the file: is %s bad\nhint: look at 100%\nfine' ]
	[ ! -e state ]
}

@test "get: what a tool prints becomes variables, on failure too, and its exit status is returned" {
	cat >check <<'END'
#!/bin/sh
printf "state='%s'\ntext='it'\\\\''s \$(touch evil)'\n" "$1"
exit "$2"
END
	chmod +x check
	job_is <<'END'
get ./check good 0
say "$state $text"
get ./check bad 2 || say "$? $state"
get ./check worse 65
finish ok "went on"
END
	run ./job.sh
	expect 65
	[ "${lines[0]}" = "good it's \$(touch evil)" ]
	[ "${lines[1]}" = '2 bad' ]
	[ ! -e evil ]
	# nowhere else is anything evaluated
	run ! grep -nE '\beval\b' $(grep -lF '/lib.sh"' "$ROOT"/scripts/*.sh) "$ROOT"/scripts/parts/*.sh
}

@test "a run within a run has a record of its own; it speaks on the other's screen at once" {
	job_is 1 <<'END'
step outer
./inner.sh || note "the inner one ended with $?"
finish ok fine
END
	sed 's/run_as_job test "lock"/run_as_job inner "inner.lock"/; /^step outer/,$d' job.sh >inner.sh
	cat >>inner.sh <<'END'
step within
[ "$1" ] || exit 1
END
	chmod +x inner.sh
	sed -i 's/^step within/&; echo "tool: x: cause" >\&2; exit 69/' inner.sh
	run ./job.sh
	expect 0
	[[ ${lines[0]} == ' ✗ 1/1 within '* ]]
	[[ ${lines[1]} == ' ✓ 1/1 outer '*'the inner one ended with 69' ]]
	[ "${lines[2]}" = '   inner.sh: tool: x: cause' ]
	jq -e '.exit == 69 and .message == "tool: x: cause"' state/last-inner.json
	grep -q 'job\[.*✗ 1/1 within' log/test.log
}

# ---- at a terminal ----

# at_terminal DIALOGUE COMMAND...: on a terminal of its own; DIALOGUE as terminal.py takes it
at_terminal() {
	printf '%s\n' "$1" >dialogue
	shift
	run env TERM=xterm python3 "$ROOT/tests/terminal.py" dialogue "$@"
	output=${output//$'\r\n'/$'\n'}
}

@test "at a terminal: the cause and its hint are on the screen, once, as in log and record; what moves is not in the log" {
	job_is 1 <<'END'
step one
sh -c 'printf "\rtool: 5 %%\033[K"; sleep 0.1; printf "\r\033[K"; echo "tool: a: cause" >&2; echo "hint: look" >&2; exit 69'
END
	at_terminal '' ./job.sh
	expect 69
	[[ $output == *'   1/1 one       ...'*'tool: 5 %'*' ✗ 1/1 one '*$'\njob.sh: tool: a: cause\nhint: look'* ]]
	[ "$(grep -c 'tool: a: cause' <<<"$output")" -eq 1 ]
	record '.message == "tool: a: cause" and .hint == "look"'
	grep -q ': error: tool: a: cause$' log/test.log
	run ! grep -q '5 %' log/test.log
}

@test "at a terminal: a tool's progress is drawn, by tools that see only a pipe" {
	job_is 1 <<'END'
[ -n "$CTV_PROGRESS" ]
[ ! -t 2 ]
finish ok fine
END
	at_terminal '' ./job.sh
	expect 0
	TERM=dumb run env CTV_PROGRESS=1 ./job.sh
	expect 70
}

@test "at a terminal: a question is asked, elsewhere the answer is no" {
	job_is 1 <<'END'
step one
if ask "Really? [y/N]" ${word-}; then note went; else note stayed; fi
finish ok fine
END
	for answer in y yes n '' maybe; do
		at_terminal "expect Really\? \[y/N\] \$
send $answer\\n" ./job.sh
		expect 0
		case $answer in
		y*) expect 0 '  went' ;;
		*) expect 0 '  stayed' ;;
		esac
		grep -q "Really? \[y/N\] $answer\$" log/test.log
	done
	export word=YES
	at_terminal 'expect Really
send y\n' ./job.sh
	expect 0 '  stayed'
	at_terminal 'expect Really
send YES\n' ./job.sh
	expect 0 '  went'
	run ./job.sh < <(echo YES)
	expect 0 'Really\? \[y/N\] no \(not a terminal\)'
	yes=yes run ./job.sh
	expect 0 '  went'
	yes='' no=no at_terminal '' ./job.sh
	expect 0 'no \(--no\)'
}

@test "at a terminal: Ctrl-C ends tool and script, at a question too" {
	job_is 1 <<'END'
step one
undo=back
back() { say "back again"; }
[ $# -eq 0 ] || ask "Really?" || exit 66
sh -c 'trap "exit 75" INT; echo >ready; while :; do sleep 0.05; done'
END
	at_terminal 'shell until [ -e ready ]; do sleep 0.01; done
send \x03' ./job.sh
	expect 75 'job.sh: interrupted by SIGINT'
	[[ $output == *'back again'* ]]
	record '.result == "interrupted"'
	at_terminal 'expect Really
send \x03' ./job.sh ask
	expect 75 'interrupted by SIGINT'
}

@test "at a terminal: Ctrl-Z stops all of it, fg goes on with it, question and all" {
	mkfifo go
	job_is 1 <<'END'
step one
exec 3<>go
echo >ready
read -r _ <&3
ask "Really?" || exit 66
finish ok fine
END
	at_terminal 'expect \$ $
send ./job.sh\n
shell until [ -e ready ]; do sleep 0.01; done
send \x1a
expect Stopped
expect \$ $
shell echo >go
send fg\n
expect Really\?
send y\n
expect fine
expect \$ $
send exit\n' env PS1='$ ' bash --norc --noprofile -i
	expect 0
	record '.result == "ok"'
}

@test "at a terminal: Ctrl-Z stops a run whose script waits in vfork(2) for a child that was stopped before its exec(2)" {
	# such a script can neither stop nor go on; a child that holds the moment takes the place of a shell's
	cat >between.c <<'END'
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>

/* between READY GO COMMAND...: the child makes READY, and becomes nothing before it has read from GO; then COMMAND */
int main(int argc, char **argv)
{
	char c;

	if (argc > 3 && vfork() == 0) {
		open(argv[1], O_WRONLY | O_CREAT, 0666);
		_exit(read(open(argv[2], O_RDWR), &c, 1) != 1);
	}
	execvp(argv[3], argv + 3);
	return 1;
}
END
	gcc -o between between.c
	mkfifo go
	job_is 1 <<'END'
[ -e ready ] || exec ./between ready go ./job.sh
ask "Really?" || exit 66
finish ok fine
END
	at_terminal 'expect \$ $
send ./job.sh\n
shell until [ -e ready ]; do sleep 0.01; done
send \x1a
expect Stopped
expect \$ $
shell echo >go
send fg\n
expect Really\?
send y\n
expect fine
expect \$ $
send exit\n' env PS1='$ ' bash --norc --noprofile -i
	expect 0
	record '.result == "ok"'
}

@test "at a terminal: killed with SIGKILL nothing of its group stays, and the lock is free" {
	mkfifo go
	job_is 1 <<'END'
exec 3<>go
ps -o pgid= $$ | tr -d ' ' >group
echo >ready
read -r _ <&3
END
	at_terminal 'expect \$ $
send ./job.sh\n
shell until [ -e ready ]; do sleep 0.01; done
shell kill -KILL "$(sed "s/.*, pid \([0-9]*\), .*/\1/" state/lock)"
expect Killed
expect \$ $
send exit\n' env PS1='$ ' bash --norc --noprofile -i
	gone() { ! kill -0 -- "-$(cat group)" 2>/dev/null; }
	eventually gone
	run ! held lock
}

@test "at a terminal: a run in the background that asks is stopped until it is in front" {
	job_is 1 <<'END'
step one
echo $PPID >parent
ask "Really?" || exit 66
finish ok fine
END
	# the shell tells at its next prompt of what has stopped by then
	at_terminal 'expect \$ $
send ./job.sh &\n
expect Really
shell timeout 30 sh -c "until grep -q ^State:.T /proc/\$(cat parent)/status; do sleep 0.01; done"
send \n
expect Stopped +\./job\.sh
send fg\n
expect \./job\.sh
send y\n
expect fine
send exit\n' env PS1='$ ' bash --norc --noprofile -i
	record '.result == "ok"'
}

@test "at a terminal: a run within a run asks, and Ctrl-C ends both" {
	job_is 1 <<'END'
step outer
./inner.sh
finish ok fine
END
	sed 's/run_as_job test "lock"/run_as_job inner "inner.lock"/; /^step outer/,$d' job.sh >inner.sh
	cat >>inner.sh <<'END'
step inner
ask "Really?" || exit 66
finish ok within
END
	chmod +x inner.sh
	at_terminal 'expect Really\?
send y\n' ./job.sh
	expect 0 'within '
	[[ $output == *'1/1 inner'*'1/1 outer'* ]]
	at_terminal 'expect Really\?
send \x03' ./job.sh
	expect 75
	jq -e '.result == "interrupted"' state/last-inner.json
	record '.result == "interrupted"'
}

@test "a terminal that goes away ends the run with its way back, and its record" {
	job_is 1 <<'END'
step one
undo=back
back() { true >back; }
echo >ready
while :; do sleep 0.02; done
END
	at_terminal 'shell until [ -e ready ]; do sleep 0.01; done
close' ./job.sh
	eventually [ -e back ]
	eventually record '.result == "interrupted"'
}
