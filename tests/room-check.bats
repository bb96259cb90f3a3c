#!/usr/bin/env bats
# room-check: free bytes and inodes, and whether a file can be made

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	mkdir dir
}

# on_tmpfs OPTIONS COMMAND: in a mount namespace where dir is such a file system
on_tmpfs() {
	may_mount
	unshare -m sh -c "mount -t tmpfs -o $1 none dir && $2"
}

@test "what is free, and the limits" {
	run room-check dir
	expect 0 "^ROOM OK: dir: [0-9]+ [KMGT]?i?B free \| 'free'=[0-9]+B;0:;0:;0$"
	run room-check -c 1K -w 2K dir
	expect 0 'free, at least 1024 B'
	run room-check -c 1023T dir
	expect 2 '^ROOM CRITICAL: dir: .* free, at least 1023 TiB are needed'
	run room-check -w 1023T dir
	expect 1 '^ROOM WARNING: dir: .* free, 1023 TiB are wanted'
}

@test "what is no directory is CRITICAL, what cannot be reached UNKNOWN" {
	touch file
	ln -s loop loop
	run room-check none
	expect 2 'none: no such directory'
	run room-check file/x
	expect 2 'no such directory'
	run room-check file
	expect 2 'file: not a directory'
	run room-check loop
	expect 3 'loop: cannot be reached: Too many levels'
}

@test "an answer for a shell: every name, absent where nothing was found out" {
	local verdict text free_bytes=stale
	eval "$(room-check --shell none)" || true
	[ "$verdict/$free_bytes" = critical/ ]
	eval "$(room-check --shell dir)"
	[ "$verdict" = ok ]
	[ "$free_bytes" -gt 0 ]
}

@test "--write makes, renames and removes a file, and leaves nothing" {
	run room-check --write dir
	expect 0 'and a file was written'
	[ -z "$(ls -A dir)" ]
}

@test "no right to write is seen without writing" {
	chmod 0755 "$BATS_TEST_TMPDIR" dir
	chmod 0555 dir
	run as_nobody room-check --writable dir
	expect 2 'dir: cannot write: Permission denied'
	run as_nobody room-check --write dir
	expect 2 'dir: cannot create a file: Permission denied'
	run as_nobody room-check dir
	expect 0
}

@test "a read-only file system" {
	run on_tmpfs size=1m,ro 'room-check --writable dir'
	expect 2 'dir: read-only'
	run on_tmpfs size=1m,ro 'room-check --write dir'
	expect 2 'dir: cannot create a file: Read-only file system'
}

@test "a full disk, and one without inodes" {
	run on_tmpfs size=64k 'head -c 1m /dev/zero >dir/full 2>/dev/null; room-check -c 1K dir'
	expect 2 'dir: 0 B free, at least 1024 B are needed'
	run on_tmpfs size=64k 'head -c 1m /dev/zero >dir/full 2>/dev/null; room-check --write dir; ls -A dir'
	expect 0 'dir: cannot write a file: No space left on device'
	[ "${lines[-1]}" = full ]
	run on_tmpfs size=1m,nr_inodes=17 'touch dir/1 dir/2; room-check dir'
	expect 2 'dir: no room for another file: 14 inodes are free'
}

@test "a wrong command line is UNKNOWN, never OK" {
	while IFS='~' read -r args message; do
		eval "run room-check $args"
		expect 3 "^room-check: $message"
	done <<'TABLE'
~wants one DIR
a b~wants one DIR
-c x dir~--critical x: not a size
-w -1 dir~--warning -1: not a size
-w 1K -c 2K dir~-w is less than -c
--frob dir~--frob: no such option
TABLE
}
