# mirror-role: the role of a host, and the time of its data

load helper

setup() {
	cd "$BATS_TEST_TMPDIR"
	mkdir state
	export CTV_ENV_FILE=/nonexistent CTV_STATE_DIR=$PWD/state DATABASE_PATH=$PWD/live.db
	: >live.db
	touch -d 2026-11-20T02:05:00Z live.db
}

@test "show: the role, nothing where it was never set, and 78 for what is none" {
	run mirror-role show
	expect 0
	[ -z "$output" ]
	mirror-role show --shell=my_ | grep -qx "my_role=''"
	for role in standby active primary; do
		mirror-role set $role
		[ "$(cat state/role)" = $role ]
		[ "$(mirror-role show)" = $role ]
		mirror-role show --shell | grep -qx "role='$role'"
	done
	for bad in '' 'stand by' Active $'primary\nactive' $'\033[31m'; do
		echo "$bad" >state/role
		case $bad in primary*) expect_status=0 ;; *) expect_status=78 ;; esac
		run --separate-stderr mirror-role show --shell
		[ "$status" -eq $expect_status ]
		[[ $stderr != *$'\033'* ]]
	done
	rm state/role
	mkfifo state/role
	run timeout -s KILL 20 mirror-role show
	expect 78 'not a regular file'
}

@test "check: may this host take over" {
	run mirror-role check
	expect 0 '^ROLE OK: the role is standby'
	mirror-role set active
	run mirror-role check --shell
	expect 0 "^role='active'"
	mirror-role set primary
	run mirror-role check --as ready/role
	expect 2 '"id":"ready/role"'
	echo x >state/role
	run mirror-role check
	expect 3 '^ROLE UNKNOWN: .*/role: names no role'
	# what mends it is not what ends a failover
	run standby-check.sh --for failover role_clear
	expect 78 '^no  role_clear .*names no role$'
	expect 78 'hint: mirror-role set standby, if that is what this host is$'
	CTV_LOG_DIR=$PWD run failover-to-pi2.sh
	expect 78 'hint: mirror-role set standby'
}

@test "mark --served: the file has content then, and the same time" {
	mirror-role mark
	[ ! -s state/data-of ]
	touch live.db
	mirror-role mark --served
	[ -s state/data-of ]
	mirror-role mark
	[ -s state/data-of ]
	[ "$(date -u -r state/data-of +%FT%TZ)" = 2026-11-20T02:05:00Z ]
}

@test "set: what stands there is replaced, be it a link or no role; the file is everybody's to read" {
	echo theirs >other
	ln -s ../other state/role
	mirror-role set standby
	[ "$(cat other)" = theirs ]
	[ "$(stat -c %a state/role)" = 644 ]
	[ -f state/news ]
	echo garbage >state/role
	mirror-role set primary
	[ "$(cat state/role)" = primary ]
	[ "$(ls -A state | sort | tr '\n' ' ')" = 'news role role.lock ' ]
}

@test "a host that becomes active keeps the time of its data; one that is active already does not" {
	mirror-role set standby
	[ ! -e state/data-of ]
	mirror-role set active
	[ "$(date -u -r state/data-of +%FT%TZ)" = 2026-11-20T02:05:00Z ]
	touch live.db
	mirror-role set standby
	mirror-role set active
	[ "$(date -u -r state/data-of +%FT%TZ)" = 2026-11-20T02:05:00Z ]
	rm state/data-of
	mirror-role set active
	[ ! -e state/data-of ]
	touch -d 2026-11-21T02:05:00Z live.db
	mirror-role mark
	[ "$(date -u -r state/data-of +%FT%TZ)" = 2026-11-21T02:05:00Z ]
	mirror-role mark
	rm state/data-of live.db
	mirror-role set standby
	mirror-role set active
	[ ! -e state/data-of ]
}

@test "the change waits for role.lock: a download that ends meanwhile is before or after both" {
	mkfifo let_go
	mirror-role set standby
	flock state/role.lock sh -c 'echo >locked; cat let_go; cat state/role; ls state/data-of' >seen 2>&1 3>&- &
	download=$!
	until [ -e locked ]; do sleep 0.01; done
	mirror-role set active 3>&- &
	failover=$!
	mirror-role set primary >told 2>&1 3>&- &
	waits=$!
	until [ -n "$(find /proc/$waits/fd -lname '*/role.lock')" ]; do kill -0 $waits && sleep 0.01; done
	kill $waits
	status=0
	wait $waits || status=$?
	[ "$status" -eq 75 ]
	grep -q 'role.lock: interrupted' told
	: >let_go
	wait $download $failover
	[ "$(head -n 1 seen)" = standby ]
	grep -q 'No such file' seen
	[ "$(cat state/role)" = active ]
	[ -e state/data-of ]
}

@test "a lock or a place that is no file: 73, and nothing is changed" {
	mirror-role set standby
	for kind in 'ln -s ../live.db' mkfifo mkdir; do
		rm -rf state/role.lock
		$kind state/role.lock
		run timeout -s KILL 20 mirror-role set active
		expect 73 'role.lock: cannot open: (not a plain file|Is a directory)'
	done
	[ "$(cat state/role)" = standby ]
	[ ! -e state/data-of ]
}

@test "a disk that is full: 74, the role and the time stay as they were" {
	needs_root 'to mount a small disk'
	may_mount
	run unshare -m sh -c 'mount -t tmpfs -o size=16k none state && mirror-role set standby && { cat /dev/zero >state/fill || :; } 2>/dev/null
		mirror-role set active; echo "$? $(cat state/role)"'
	[ "${lines[-1]}" = '74 standby' ]
	expect 0 'No space left on device'
}

@test "leave, left: an entry is whole or not there, replaces what stands there, and is no link's" {
	mirror-role leave claim
	[ -f state/wanted/claim ] && [ ! -s state/wanted/claim ]
	[ "$(stat -c %a state/wanted/claim)" = 640 ]
	mirror-role leave failover_backup_20261120_020500.db "$PWD/a copy.db"
	[ "$(mirror-role left failover_backup_20261120_020500.db)" = "$PWD/a copy.db" ]
	[ -z "$(mirror-role left claim)" ]
	run mirror-role left nothing
	expect 66 'state/wanted/nothing: '
	# a link is replaced, and what it leads to stays; a pipe holds nobody up
	echo precious >victim
	for kind in 'ln -s ../../victim' mkfifo; do
		for name in claim .claim.tmp; do
			rm -f state/wanted/claim
			$kind "state/wanted/$name"
			timeout -s KILL 20 mirror-role leave claim text
			[ "$(mirror-role left claim)" = text ]
		done
		rm -f state/wanted/claim
		$kind state/wanted/claim
		run timeout -s KILL 20 mirror-role left claim
		[ "$status" -ne 0 ] && [ "$status" -ne 137 ]
	done
	[ "$(cat victim)" = precious ]
	rm -rf state/wanted/claim
	mkdir state/wanted/claim
	run mirror-role leave claim
	expect 73 'state/wanted/claim: '
}

@test "a command line that is none: 64" {
	for args in '' 'show x' 'set' 'set Active' 'set active x' 'mark x' 'move' 'set active --shell' '--bogus show' 'show --json' 'set active --served' \
		leave 'leave a b c' left 'left a b' 'leave .hidden' 'leave a.tmp' 'leave ../a' 'leave a/b' 'leave a --served'; do
		# shellcheck disable=SC2086  # words
		run mirror-role $args
		expect 64 '^mirror-role: '
	done
	[ -z "$(ls -A state)" ]
}
