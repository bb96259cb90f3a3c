#!/usr/bin/env bats
# env-exec: what systemd's EnvironmentFile=-FILE does, by who runs it, and of a regular file only

load helper

setup() {
	cd "$BATS_TEST_TMPDIR"
}

@test "the command gets the settings, with systemd's quotes, and keeps its arguments" {
	printf 'GREETING="hello  there"\nTWO=1\nTWO=2\nEMPTY=\nexport X=no\nS='"'"'$HOME `x`'"'"'\n' >f
	EMPTY=full TWO=0 run --separate-stderr env-exec f sh -c 'printf "%s|" "$GREETING" "$TWO" "$EMPTY" "${X-none}" "$S" "$@"' x -a 'b c'
	[ "$status" -eq 0 ]
	# shellcheck disable=SC2016  # literal
	[ "$output" = 'hello  there|2||none|$HOME `x`|-a|b c|' ]
	# shellcheck disable=SC2154
	[ "$stderr" = 'env-exec: f: line 5 is no assignment, and passed over' ]
}

@test "a file that is not there is no error; the exit status is the command's" {
	run env-exec nothing sh -c 'exit 7'
	expect 7
	[ -z "$output" ]
}

@test "what systemd passes over starts all the same, and is named" {
	printf 'A=1\nnonsense\nB=\xff\nC=3\n' >f
	run env-exec f sh -c 'echo "$A$B$C"'
	expect 0 '^13$'
	expect 0 '^env-exec: f: line 2 is no'
	expect 0 '^env-exec: f: line 3 is no'
	printf 'A=1\n\0B=2\n' >f
	run env-exec f sh -c 'echo "$A${B-none}"'
	expect 0 '^1none$'
	truncate -s 5M f
	run env-exec f echo runs
	expect 0 'larger than'
	expect 0 '^runs$'
}

@test "a file that cannot be read is said, with what would help its owner, and the command starts" {
	printf 'A=secret\n' >f
	chmod 0 f
	chmod 755 .
	run as_nobody env-exec "$PWD/f" sh -c 'echo "starts ${A-without}"'
	expect 0 "^env-exec: $PWD/f: cannot open, so its settings are missing: Permission denied$"
	expect 0 "^hint: as its owner: chgrp .* $PWD/f; chmod 640 $PWD/f$"
	expect 0 '^starts without$'
}

@test "a link, a FIFO, a device, a directory and a socket are 78 at once, and nothing starts" {
	printf 'A=secret\n' >other
	ln -s other link
	ln -s /dev/null null
	mkfifo fifo
	mkdir dir
	python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
	for f in link null fifo dir socket /dev/null; do
		run timeout 5 env-exec $f echo runs
		expect 78 "^env-exec: $f: not a regular file$"
		[[ $output != *runs* ]]
	done
}

@test "it becomes the command: the same process, no descriptor left open" {
	echo A=1 >f
	run sh -c 'echo $$; exec env-exec f sh -c "echo \$\$; ls /proc/self/fd"'
	expect 0
	[ "$(sed -n 1p <<<"$output")" = "$(sed -n 2p <<<"$output")" ]
}

@test "a wrong command line, and a command that is not there or cannot be run" {
	run env-exec f
	expect 64 'wants a file and a command'
	run env-exec --nonsense f true
	expect 64
	run env-exec f ./nothing
	expect 66 '^env-exec: ./nothing: cannot run: No such file or directory$'
	: >plain
	run env-exec f ./plain
	expect 77 '^env-exec: ./plain: cannot run: Permission denied$'
}
