#!/usr/bin/env bats
# holders-check: has any process this database open

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	sqlite3 a.db 'CREATE TABLE t (x)'
}

# hold FILE [NAME]: a process of that name has it open until the test ends; sets $holder
hold() {
	# the one before may not have ended yet, and its program cannot be written to
	cp --remove-destination "$(command -v sleep)" "${2:-sleep}"
	"./${2:-sleep}" 1000 9<"$1" 3>&- &
	holder=$!
	# it has the file open before it has this name
	until [ "$(readlink "/proc/$holder/exe")" = "$PWD/${2:-sleep}" ]; do sleep 0.01; done
}

teardown() {
	[ -z "${holder-}" ] || kill "$holder"
	[ -z "${elsewhere-}" ] || rm -r "$elsewhere"
}

@test "nobody" {
	needs_root 'to look into every process'
	run holders-check a.db
	expect 0 "^HOLDERS OK: nobody has a.db open \| 'holders'=0;;;0$"
	run holders-check none.db
	expect 0 'none.db is not there, so nobody has it open'
}

@test "a process that has it open is named, also by another name of the file and by a side file" {
	hold a.db
	run holders-check a.db
	expect 2 "^HOLDERS CRITICAL: a.db is open in sleep \(pid $holder\)"
	ln -s a.db link.db
	run holders-check link.db
	expect 2 "pid $holder"
	kill "$holder"
	touch a.db-wal
	hold a.db-wal
	run holders-check a.db
	expect 2 "pid $holder"
	eval "$(holders-check --shell=h_ a.db)" || true
	# shellcheck disable=SC2154  # by eval
	[ "$h_verdict $h_count $h_pids" = "critical 1 $holder" ]
}

@test "the name of a process cannot pass for another one, or drive a terminal" {
	hold a.db $'x\e[1m(pid 1),'
	run holders-check a.db
	expect 2 "open in x.\[1m.pid 1.. \(pid $holder\)"
	[[ $output != *$'\e'* ]]
}

@test "who may not look into every process does not say that nobody has it open" {
	# nobody does not come to the test's directory from the root
	elsewhere=$(mktemp -d)
	chmod 0755 "$elsewhere"
	cp a.db "$elsewhere"
	chmod 0644 "$elsewhere/a.db"
	run as_nobody holders-check "$elsewhere/a.db"
	expect 3 'a.db: nobody was seen, but not every process could be looked into'
}

@test "what is no file is no database, and is not waited for" {
	mkfifo fifo
	run timeout 20 holders-check fifo
	expect 2 'fifo is not a regular file'
	ln -s loop loop
	run holders-check loop
	expect 3 'loop cannot be reached: Too many levels'
}

@test "a wrong command line is UNKNOWN, never OK" {
	run holders-check
	expect 3 'wants one DB'
	run holders-check a b
	expect 3 'wants one DB'
	run holders-check -x a
	expect 3 'no such option'
}
