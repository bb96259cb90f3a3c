load helper
load sqlite

setup() {
	cd "$BATS_TEST_TMPDIR"
	# what bats made is for root alone; some tests become another user
	chmod 711 "$BATS_RUN_TMPDIR" .. .
	mkdir d
	cd d
}

teardown() {
	app_dies
}

# make_new FILE [SIDE]: a candidate with 300 rows of that side (default new), of 2024-05-06
make_new() {
	make_db "$1"
	sqlite3 "$1" "UPDATE t SET side='${2-new}'"
	touch -d 2024-05-06T07:08:09Z "$1"
}

# holds FILE SIDES: a whole database without side files
holds() {
	[ -z "$(find . -name "$1-*")" ]
	[ "$(sqlite3 "file:$1?immutable=1" 'PRAGMA integrity_check')" = ok ]
	[ "$(sides "$1")" = "$2" ]
}

# everything: all that can change, but for access times
everything() {
	ls -lAR --time-style=full-iso
	find . -type f -print0 | sort -z | xargs -0 sha256sum
}

# stopped_install SYSCALLS WHEN ARG...: starts db-install ($strace_pid) and stops it ($pid) after that call
stopped_install() {
	local calls=$1 when=$2
	shift 2
	strace -f -o ../trace -e "trace=$calls" -e "inject=$calls:signal=STOP:when=$when" db-install "$@" 3>&- >../out 2>&1 &
	strace_pid=$!
	until_true grep -qs 'stopped by SIGSTOP' ../trace
	pid=$(sed -n 's/^\([0-9]*\) .*stopped by SIGSTOP.*/\1/p' ../trace | head -n 1)
}

# goes_on: until its end; $status and $output as after run
goes_on() {
	kill -CONT "$pid"
	ends "$strace_pid"
	output=$(cat ../out)
}

# xattr FILE NAME [HEX]: sets an extended attribute, or prints it
xattr() {
	python3 -c 'import os, sys
if len(sys.argv) > 3: os.setxattr(sys.argv[1], sys.argv[2], bytes.fromhex(sys.argv[3]))
else: print(os.getxattr(sys.argv[1], sys.argv[2]).hex())' "$@"
}
# acl(5) as the kernel keeps it: owner rw, user 1234 r, group r, mask rw, others nothing
ACL=0200000001000600ffffffff02000400d204000004000400ffffffff10000600ffffffff20000000ffffffff

@test "the first database: in place with mode 0640, owner of the directory, its own time; nothing else is left" {
	make_new new
	chmod 600 new
	[ "$(id -u)" -ne 0 ] || chown 1234:2345 .
	run db-install new live
	expect 0 '^$'
	holds live 'new 300'
	[ "$(stat -c '%a %Y' live)" = "640 $(date -d 2024-05-06T07:08:09Z +%s)" ]
	[ "$(id -u)" -ne 0 ] || [ "$(stat -c %u:%g live)" = 1234:2345 ]
	[ "$(ls -A)" = live ]
}

@test "the next one: the old is kept as .prev, owner and mode are those of the old" {
	make_db live
	make_new new
	chmod 660 live
	[ "$(id -u)" -ne 0 ] || chown 1234:2345 live
	rights=$(stat -c '%u %g %a' live)
	run db-install new live
	expect 0 '^$'
	holds live 'new 300'
	holds live.prev 'old 300'
	[ "$(stat -c '%u %g %a' live)" = "$rights" ]
	[ "$(ls -A)" = $'live\nlive.prev' ]
	# and the one after that
	make_new newer newer
	run db-install newer live
	expect 0
	holds live 'newer 300'
	holds live.prev 'new 300'
	[ "$(ls -A)" = $'live\nlive.prev' ]
}

@test "the access control list and the user's attributes of the old database are taken over, and no others" {
	make_db live
	make_new new
	xattr live user.note 6869 2>/dev/null || skip "no extended attributes here"
	xattr live system.posix_acl_access "$ACL"
	mode=$(stat -c %a live)
	run db-install new live
	expect 0
	[ "$(xattr live user.note)" = 6869 ]
	[ "$(xattr live system.posix_acl_access)" = "$ACL" ]
	[ "$(stat -c %a live)" = "$mode" ]
	# the same content once more leaves them as they are
	cp live same
	run db-install --as-of 2025-01-02T03:04:05Z same live
	expect 0
	[ "$(xattr live system.posix_acl_access)" = "$ACL" ]
	# a candidate brings no rights along
	make_db plain
	make_new new
	xattr new system.posix_acl_access "$ACL"
	run db-install new plain
	expect 0
	run xattr plain system.posix_acl_access
	expect 1 'No data available'
}

@test "--owner, --mode and --as-of say it otherwise" {
	needs_root 'to give files away'
	make_new new
	run db-install --owner 1234 --mode 0604 --as-of 2025-01-02T03:04:05Z new live
	expect 0
	[ "$(stat -c '%u %g %a %Y' live)" = "1234 $(stat -c %g .) 604 $(date -d 2025-01-02T03:04:05Z +%s)" ]
	make_new new newer
	run db-install --owner nobody:nogroup --mode 640 new live
	expect 0
	[ "$(stat -c '%U:%G %a %Y' live)" = "nobody:nogroup 640 $(date -d 2024-05-06T07:08:09Z +%s)" ]
	make_new new newest
	run db-install --owner root new live
	expect 0
	[ "$(stat -c '%U:%G' live)" = "root:nogroup" ]
}

@test "what a killed application had committed to its -wal is in .prev, and not in the new one" {
	make_crashed_wal live
	sqlite3 'file:live?immutable=1' 'SELECT DISTINCT side FROM t' | grep -qx old
	make_new other other
	run db-install other live
	expect 0 '^$'
	holds live 'other 300'
	holds live.prev 'new 300'
	# nor when it is opened as the application does
	[ "$(sqlite3 live 'PRAGMA journal_mode=WAL; SELECT DISTINCT side FROM t' | tail -n 1)" = other ]
}

@test "the half transaction of a -journal is rolled back in .prev, and not played into the new one" {
	make_hot_journal live
	make_new other other
	run db-install other live
	expect 0 '^$'
	holds live 'other 300'
	holds live.prev 'old 300'
}

@test "--settle puts a database in order, and nothing else: what was committed is in it, what was not is gone" {
	make_crashed_wal live
	mkdir state
	echo standby >state/role
	run db-install --settle --state state live
	expect 0 '^$'
	holds live 'new 300'
	[ "$(ls -A | grep live)" = live ]
	[ ! -e state/installed.json ]
	make_hot_journal other
	run db-install --settle other
	expect 0 '^$'
	holds other 'old 300'
	# again: there is nothing to do
	sha256sum other >sums
	run db-install --settle other
	expect 0 '^$'
	sha256sum --quiet -c sums
}

@test "--settle: the time of the data stays that of the last write, to the log too; where there is nothing to do nothing changes" {
	make_crashed_wal live
	touch -d 2024-05-06T07:08:09Z live
	touch -d 2024-05-06T07:09:09Z live-wal
	db-install --settle live
	[ "$(date -u -r live +%FT%TZ)" = 2024-05-06T07:09:09Z ]
	make_hot_journal other
	touch -d 2024-05-06T07:08:09Z other
	touch -d 2024-05-05T07:08:09Z other-journal
	db-install --settle other
	[ "$(date -u -r other +%FT%TZ)" = 2024-05-06T07:08:09Z ]
	stat -c '%y %z' other >times
	db-install --settle other
	[ "$(stat -c '%y %z' other)" = "$(cat times)" ]
}

@test "--settle leaves alone what somebody has open, what serves, what is not there, and a journal that leads elsewhere" {
	make_hot_journal live
	mkdir state
	echo active >state/role
	sha256sum live* >sums
	run db-install --settle --state state live
	expect 73 'this host has begun to serve'
	exec 9<live
	run db-install --settle live
	exec 9<&-
	expect 73 '^db-install: live: in use by '
	sha256sum --quiet -c sums
	run db-install --settle nosuch
	expect 66 '^db-install: nosuch: not there'
	[ ! -e nosuch ]
	ln -s live link
	run db-install --settle link
	expect 73 'a symbolic link'
	mkfifo fifo.lock
	cp live plain
	mkfifo plain-journal
	run -65 timeout 5 db-install --settle plain
	expect 65 'plain-journal'
}

@test "a -journal that is left on purpose, and a -shm that a reboot left, are cleaned away" {
	for mode in persist truncate; do
		make_db live
		sqlite3 live "PRAGMA journal_mode=$mode; UPDATE t SET side='$mode'" >/dev/null
		[ -e live-journal ]
		make_new new
		run db-install new live
		expect 0
		holds live 'new 300'
		holds live.prev "$mode 300"
		rm live*
	done
	make_db live wal
	head -c 32768 /dev/urandom >live-shm
	make_new new
	run db-install new live
	expect 0
	holds live 'new 300'
	holds live.prev 'old 300'
}

@test "a database that an application has open is never replaced: 73, its name and pid, nothing changed" {
	make_db live wal
	make_new new
	app live
	sql 'SELECT count(*) FROM t;'
	before=$(everything)
	run db-install new live
	expect 73 "^db-install: live: in use by sqlite3 \(pid $app_pid\)$"
	[ "${lines[1]}" = 'hint: stop what has it open; db-install never does' ]
	[ "$(everything)" = "$before" ]
	app_dies
	# an idle connection in rollback mode holds no lock
	make_db idle
	app idle
	sql 'SELECT count(*) FROM t;'
	before=$(everything)
	run db-install new idle
	expect 73 "idle: in use by sqlite3 \(pid $app_pid\)$"
	[ "$(everything)" = "$before" ]
}

@test "a process with any of its files open is seen: by another name, by a side file, by a mapping" {
	make_db live
	make_new new
	mkdir elsewhere
	# by another name of the directory
	ln -s .. elsewhere/link
	exec 9<elsewhere/link/live
	run db-install new live
	exec 9<&-
	expect 73 "in use by [^ ]+ \(pid [0-9]+\)"
	for side in -wal -shm -journal; do
		: >"live$side"
		sleep 60 9<"live$side" 3>&- &
		until_true grep -qsx sleep /proc/$!/comm
		run db-install new live
		{ kill $! && wait $!; } 2>/dev/null || true
		rm "live$side"
		expect 73 "in use by sleep \(pid $!\)"
	done
	# mapped, and the descriptor closed
	python3 -c 'import mmap, os, sys
fd = os.open("live", os.O_RDONLY)
m = mmap.mmap(fd, 4096, prot=mmap.PROT_READ)
os.close(fd)
# mmap keeps a duplicate: close all that is not standard
os.closerange(3, 64)
open("mapped", "w").close()
sys.stdin.read()' < <(sleep 60 3>&-) 3>&- &
	app_pid=$!
	until_true test -e mapped
	run db-install new live
	expect 73 "in use by python3 \(pid $app_pid\)"
	holds live 'old 300'
	[ -e new ]
}

@test "the candidate must not be in use either" {
	make_db live
	make_new new
	sleep 60 9>>new 3>&- &
	until_true grep -qsx sleep /proc/$!/comm
	app_pid=$!
	run db-install new live
	expect 73 "^db-install: new: in use by sleep \(pid $app_pid\)$"
	holds live 'old 300'
}

@test "another user sees locks if not processes, and says which it was" {
	needs_root 'to become nobody'
	chmod 777 .
	make_db live wal
	make_new new
	chown 65534:65534 live new .
	app live
	sql 'SELECT count(*) FROM t;'
	chmod 666 live-wal live-shm
	run as_nobody db-install new live
	expect 73 "^db-install: live: in use by sqlite3 \(pid $app_pid\)$"
	app_dies
	sqlite3 live 'PRAGMA journal_mode=DELETE' >/dev/null
	chown 65534:65534 ./*
	# root's idle descriptor is out of its sight, and not out of the kernel's
	exec 9<live
	run as_nobody db-install new live
	exec 9<&-
	expect 73 '^db-install: live: in use by a process that cannot be seen$'
	run as_nobody db-install --json -v new live
	expect 0 "live: other users' processes cannot be seen"
	[ "$(jq -r .processes <<<"$(grep '^{' <<<"$output")")" = own ]
	holds live 'new 300'
}

@test "who opens it between the checks and the exchange is noticed in time" {
	make_crashed_wal live
	make_new other other
	# after SQLite has put the old one in order
	stopped_install unlinkat 1 other live
	exec 9<live
	goes_on
	exec 9<&-
	expect 73 '^db-install: live: in use by '
	holds live 'new 300'
	[ -e other ] && [ ! -e live.prev ]
	run db-install other live
	expect 0
	holds live 'other 300'
}

@test "who opens it in the last instant waits, and the old one stays" {
	make_db live
	make_new new
	stopped_install '?link,?linkat' 1 new live
	sqlite3 live 'SELECT count(*) FROM t' >count 3>&- &
	reader=$!
	# the kernel lets nobody in while there is a lease
	until_true grep -qs 'BREAKING' /proc/locks
	goes_on
	expect 73 '^db-install: live: in use: a process is opening it'
	ends "$reader"
	[ "$(cat count)" = 300 ]
	holds live 'old 300'
	[ -e new ]
}

@test "what has it open is seen by the lease where its process cannot be seen" {
	needs_root 'to hide processes'
	make_db live
	make_new new
	chown 65534 . live new
	app live
	sql 'SELECT count(*) FROM t;'
	# the locks of an idle connection in rollback mode are none
	run as_nobody db-install new live
	expect 73 '^db-install: live: in use by (a process that cannot be seen|sqlite3)'
	holds live 'old 300'
	app_dies
	run as_nobody db-install new live
	expect 0
}

@test "who may take no lease goes on with what locks and processes say" {
	needs_root 'to be no owner'
	make_db live
	make_new new
	chown 1234 live
	run setpriv --bounding-set -lease --inh-caps -lease db-install -v new live
	expect 0 '^db-install: live: no lease on it \(Permission denied\)'
	holds live 'new 300'
	[ "$(stat -c %u live)" = 1234 ]
}

@test "who opened it in the last instant is named, as loud as an error" {
	needs_root 'to be no owner'
	make_db live
	make_new new
	chown 1234 live
	strace -f -o ../trace -e 'trace=?link,?linkat' -e 'inject=?link,?linkat:signal=STOP:when=1' \
		setpriv --bounding-set -lease --inh-caps -lease db-install new live 3>&- >../out 2>&1 &
	strace_pid=$!
	until_true grep -qs 'stopped by SIGSTOP' ../trace
	pid=$(sed -n 's/^\([0-9]*\) .*stopped by SIGSTOP.*/\1/p' ../trace | head -n 1)
	exec 9<live
	goes_on
	exec 9<&-
	expect 73 '^db-install: live: installed, but the old one is still open in [^ ]+ \(pid'
	[[ $output == *'hint: restart it: what it writes goes to '*/live.prev ]]
	holds live 'new 300'
	holds live.prev 'old 300'
}

@test "a database that an application made during the first installation stays" {
	make_new new
	stopped_install fsync 2 new live
	sqlite3 live "CREATE TABLE t(side); INSERT INTO t VALUES ('app')"
	goes_on
	expect 73 '^db-install: live: cannot replace: File exists$'
	holds live 'app 1'
	[ -e new ]
}

@test "two installations of one database: the second one leaves" {
	make_db live
	make_new new
	make_new newer newer
	stopped_install fsync 1 new live
	before=$(everything)
	run db-install newer live
	expect 73 'live.install: in use by another process'
	[ "$(everything)" = "$before" ]
	# of another database in the same directory it is none of their business
	make_db other
	run db-install newer other
	expect 0
	goes_on
	expect 0
	holds live 'new 300'
}

@test "SIGTERM before the exchange: 75, the old one stays; after it has begun it is finished" {
	make_db live
	make_new new
	for sig in TERM INT HUP; do
		run strace -o ../trace -e trace=fsync -e "inject=fsync:signal=$sig:when=1" db-install new live
		grep -q "SIG$sig" ../trace
		expect 75 'live: interrupted'
		holds live 'old 300'
		[ "$(ls -A)" = $'live\nnew' ]
	done
	run strace -o ../trace -e 'trace=?link,?linkat' -e 'inject=?link,?linkat:signal=TERM:when=1' db-install new live
	grep -q SIGTERM ../trace
	expect 0
	holds live 'new 300'
	holds live.prev 'old 300'
}

@test "what a killed run left does not stop the next one" {
	for call in '?link,?linkat' '?rename,?renameat,?renameat2' fsync; do
		rm -f live* new
		make_db live
		make_new new
		run strace -o ../trace -e "trace=$call" -e "inject=$call:signal=KILL:when=1" db-install new live
		grep -q 'killed by SIGKILL' ../trace
		holds live 'old 300'
		run db-install new live
		expect 0
		holds live 'new 300'
		holds live.prev 'old 300'
		[ "$(ls -A)" = $'live\nlive.prev' ]
	done
}

@test "the same content again: nothing to do, .prev stays, the time is the new one" {
	make_new live
	make_db live.prev
	make_new new
	cp -p live new
	inode=$(stat -c %i live)
	run db-install --json --as-of 2025-01-02T03:04:05Z new live
	expect 0
	jq -e '.unchanged and .previous == null and .data_at == "2025-01-02T03:04:05Z"' <<<"$output"
	[ "$(stat -c '%i %Y' live)" = "$inode $(date -d 2025-01-02T03:04:05Z +%s)" ]
	holds live.prev 'old 300'
	[ ! -e new ]
	run db-install live live
	expect 0 '^$'
	holds live 'new 300'
	# but with a -wal the content is another
	cp -p live new
	app live
	sql "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; UPDATE t SET side='mine';"
	app_dies
	cp live new
	run db-install new live
	expect 0
	holds live.prev 'mine 300'
}

@test "the same content by another member of the group: it is his then, .prev stays, whatever ends the run" {
	needs_root 'to be several users'
	cp "$(command -v db-install)" .
	member=(setpriv --reuid nobody --regid irc --clear-groups)
	make_new live
	make_db live.prev
	chown irc:irc . live live.prev
	chmod 2775 .
	chmod 660 live live.prev
	for at in renameat2:signal=KILL unlink:signal=KILL renameat2:error=ENOSPC fsync:error=EIO:when=2; do
		chown irc live
		"${member[@]}" cp live new
		run "${member[@]}" env ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o /dev/null -e "inject=$at" ./db-install new live
		[ "$status" -ne 0 ]
		holds live 'new 300'
		holds live.prev 'old 300'
		[ -e new ] || "${member[@]}" cp live new
		"${member[@]}" ./db-install new live
		holds live 'new 300'
		holds live.prev 'old 300'
		[ "$(stat -c %U live)" = nobody ]
		[ "$(ls -A)" = $'db-install\nlive\nlive.prev' ]
	done
}

@test "the one before comes back, and the two change places" {
	make_db live
	make_new new
	db-install new live
	run db-install live.prev live
	expect 0
	holds live 'old 300'
	holds live.prev 'new 300'
	# also when the application died in the one that goes
	app live
	sql "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; UPDATE t SET side='mine';"
	app_dies
	run db-install --json live.prev live
	expect 0
	[ "$(jq -r .previous <<<"$output")" = "$PWD/live.prev" ]
	holds live 'new 300'
	holds live.prev 'mine 300'
	# and when there is nothing to change places with
	rm live
	run db-install live.prev live
	expect 0
	holds live 'mine 300'
	[ "$(ls -A)" = live ]
}

@test "--keep copies: the candidate stays as it is" {
	make_db live
	make_new new
	before=$(sha256sum new; stat -c '%i %a %y' new)
	run db-install --keep new live
	expect 0
	[ "$(sha256sum new; stat -c '%i %a %y' new)" = "$before" ]
	holds live 'new 300'
	holds live.prev 'old 300'
	[ "$(stat -c %Y live)" = "$(date -d 2024-05-06T07:08:09Z +%s)" ]
	[ "$(ls -A)" = $'live\nlive.prev\nnew' ]
	# a candidate with other names can be kept, but not moved
	make_db other
	ln new second
	run db-install -k new other
	expect 0
	holds other 'new 300'
}

@test "a candidate on another file system is copied, and stays there" {
	may_mount
	make_db live
	mkdir far
	run unshare -m sh -c "mount -t tmpfs none far && cp live far/new && sqlite3 far/new \"UPDATE t SET side='new'\" &&
		db-install far/new live && ls far"
	expect 0 '^new$'
	holds live 'new 300'
	holds live.prev 'old 300'
	# the same file system seen through another mount
	make_new new newer
	mkdir near
	mv new near
	run unshare -m sh -c "mount --bind near far && db-install far/new live"
	expect 0 '^$'
	holds live 'newer 300'
}

@test "a copy that is not on disk as it was written is not installed" {
	make_db live
	make_new new
	run strace -o ../trace -e trace=pwrite64 -e "inject=pwrite64:retval=$(stat -c %s new):when=1" db-install -k new live
	grep -q INJECTED ../trace
	expect 74 'live: a copy is not on disk as it was written'
	holds live 'old 300'
	[ "$(ls -A)" = $'live\nnew' ]
}

@test "no space for a copy: 74, the old one stays" {
	may_mount
	make_new new
	make_db old
	mkdir small
	run unshare -m sh -c "mount -t tmpfs -o size=400k none small && cp old small/live && db-install -k new small/live
		echo \$?; ls -A small"
	expect 0
	[[ ${lines[0]} =~ ^db-install:\ small/live:\ the\ copy\ needs\ [0-9]+\ KiB,\ [0-9]+\ KiB\ are\ free$ ]]
	[ "${lines[1]}" = 74 ]
	[ "${lines[2]}" = live ]
	[ "${#lines[@]}" -eq 3 ]
}

@test "--dry-run checks the same and changes nothing" {
	make_crashed_wal live
	make_new new
	before=$(everything)
	run db-install -n --as-of 2025-01-02T03:04:05Z new live
	expect 0 '^would install live: new, as of 2025-01-02T03:04:05Z, [0-9]+ KiB$'
	[ "$(everything)" = "$before" ]
	run db-install -n --json new live
	expect 0
	jq -e '.dry_run and (.unchanged | not) and .path == "live"' <<<"$output"
	run db-install -n new first
	expect 0 '^would install first: '
	cp -p new same
	run db-install -n same new
	expect 0 '^nothing to do for new: '
	rm same
	exec 9<live
	run db-install -n new live
	exec 9<&-
	expect 73 'in use by'
	run db-install -n -k nope live
	expect 66
	[ "$(everything)" = "$before" ]
}

@test "an old database whose schema only a newer SQLite reads is put in order: what its application had committed is in .prev" {
	make_crashed_wal live
	app live
	sql "PRAGMA wal_autocheckpoint=0; CREATE VIEW v AS SELECT 1; PRAGMA writable_schema = ON;
		UPDATE sqlite_schema SET sql = 'CREATE VIEW v AS SELECT side FROM t ANEW ORDER' WHERE name = 'v';"
	app_dies
	make_new other other
	run db-install other live
	expect 0 '^$'
	holds live 'other 300'
	[ "$(ls -A)" = $'live\nlive.prev' ]
	[ "$(sqlite3 live.prev 'PRAGMA writable_schema = ON; SELECT side, count(*) FROM t GROUP BY side')" = 'new|300' ]
}

@test "an old database that cannot be put in order stays, until the operator has it put aside" {
	make_db live wal
	app live
	sql "PRAGMA wal_autocheckpoint=0; UPDATE t SET side='mine';"
	app_dies
	# page 1 is damaged in the file and in the -wal
	printf 'garbage' | dd of=live bs=1 conv=notrunc status=none
	printf '\0\0\0\0' | dd of=live-wal bs=1 conv=notrunc status=none
	make_new new
	make_new live.prev before
	before=$(sha256sum live live-wal live.prev)
	run db-install new live
	expect 65 '^db-install: live: cannot put the old database in order: file is not a database$'
	[[ ${lines[1]} == 'hint: --quarantine puts it aside'* ]]
	[ -e new ] && [ "$(sha256sum live | cut -c1-64)" = "$(head -c 64 <<<"$before")" ]
	wal=$(sha256sum <live-wal)
	run db-install --quarantine --json new live
	expect 0 'quarantine-[0-9]{8}T[0-9]{6}Z: the old database was put aside here'
	aside=$(jq -r .quarantine <<<"$(grep '^{' <<<"$output")")
	[[ $aside == "$PWD/live.quarantine-"* ]]
	[ "$(sha256sum <"$aside" | cut -c1-64)" = "$(head -c 64 <<<"$before")" ]
	[ "$(sha256sum <"$aside-wal")" = "$wal" ]
	[ ! -e live-wal ] && [ ! -e live-shm ]
	[ "$(sides live)" = 'new 300' ]
	holds live.prev 'before 300'
}

@test "an empty file with a -wal beside it has lost its database: SQLite would remove the -wal" {
	make_crashed_wal live
	cp live whole
	: >live
	wal=$(sha256sum <live-wal)
	make_new new other
	run db-install new live
	expect 65 '^db-install: live: the old database is empty, but has files beside it$'
	[ "$(sha256sum <live-wal)" = "$wal" ]
	run db-install --quarantine new live
	expect 0
	holds live 'other 300'
	[ "$(sha256sum <"$(ls live.quarantine-*-wal)")" = "$wal" ]
}

@test "side files of a database that is gone are not played into the new one" {
	make_crashed_wal live
	mv live gone
	make_new new other
	before=$(everything)
	run db-install new live
	expect 73 '^db-install: live: has a -wal beside it$'
	[[ ${lines[1]} == 'hint: of a database that is gone; --quarantine'* ]]
	[ "$(everything)" = "$before" ]
	run db-install --quarantine new live
	expect 0
	holds live 'other 300'
	# together they still are what they were
	aside=$(ls live.quarantine-*-wal)
	mv gone "${aside%-wal}"
	[ "$(sqlite3 "${aside%-wal}" 'SELECT DISTINCT side FROM t')" = new ]
}

@test "--quarantine does nothing to a database that is in order" {
	make_crashed_wal live
	make_new other other
	run db-install --quarantine --json other live
	expect 0
	jq -e '.quarantine == null' <<<"$output"
	holds live.prev 'new 300'
	[ "$(ls -A)" = $'live\nlive.prev' ]
}

@test "an empty file in the place of the database does not push the one before out of its place" {
	: >live
	make_db live.prev
	make_new new
	run db-install new live
	expect 0
	holds live 'new 300'
	holds live.prev 'old 300'
}

@test "a database in WAL mode is installed byte for byte" {
	make_db new wal
	make_db live
	before=$(sha256sum <new)
	sqlite3 live "UPDATE t SET side='x'"
	run db-install new live
	expect 0
	[ "$(sha256sum <live)" = "$before" ]
}

@test "--json tells what was done" {
	make_db live
	make_new new
	size=$(stat -c %s new)
	# only root sees what others have open
	seen=own
	[ "$(id -u)" -ne 0 ] || seen=all
	run --separate-stderr db-install --json new live
	expect 0
	[ "${#lines[@]}" -eq 1 ]
	jq -e --arg prev "$PWD/live.prev" --argjson size "$size" --arg seen "$seen" '. == {path: "live", dry_run: false, unchanged: false,
		size: $size, data_at: "2024-05-06T07:08:09Z", previous: $prev, kept: null, quarantine: null, processes: $seen}' \
		<<<"$output"
}

@test "names of any kind" {
	mkdir 'a dir?x#1%20'
	make_db 'a dir?x#1%20/file:b&c=d.db' wal
	make_new ./:memory:
	run db-install ':memory:' 'a dir?x#1%20/file:b&c=d.db'
	expect 0
	[ "$(ls -A 'a dir?x#1%20')" = $'file:b&c=d.db\nfile:b&c=d.db.prev' ]
	make_new new
	run db-install new ':memory:'
	expect 0
	[ -s :memory: ]
	make_new newer newer
	run db-install newer ':memory:'
	expect 0
	mv :memory: memory
	holds memory 'newer 300'
}

@test "a user who may not give the file to its owner is refused before anything is done" {
	needs_root 'to become nobody'
	make_db live
	make_new new
	chown 65534:65534 . new
	chmod 666 live
	before=$(sha256sum live)
	run as_nobody db-install new live
	expect 77 '^db-install: live: cannot give it owner 0:0 and mode 0666: Operation not permitted$'
	[ "$(sha256sum live)" = "$before" ]
	[ "$(ls -A)" = $'live\nnew' ]
	run as_nobody db-install --owner 65534:65534 new live
	expect 0
}

@test "a member of the owner's group may replace the file: it is the group's then" {
	needs_root 'to become nobody'
	make_db live
	make_new new
	# irc, a user of every Debian, is alone in the group irc
	chown irc:irc live
	chown 65534:65534 . new
	chmod 660 live
	run setpriv --reuid 65534 --regid 65534 --groups "$(id -g irc)" db-install --mode 640 -v new live
	expect 0 'group [0-9]* may use it as that user could'
	[ "$(stat -c '%u:%G %a' live)" = '65534:irc 660' ]
	# whom the group does not hold could not open it any more
	make_new new
	chown games:irc live
	run setpriv --reuid 65534 --regid 65534 --groups "$(id -g irc)" db-install new live
	expect 77 'cannot give it owner'
}

@test "memory does not grow with the database: less than 16 MiB, moved or copied" {
	unsanitized
	make_db live
	sqlite3 new 'CREATE TABLE t(side, b); INSERT INTO t VALUES ("new", zeroblob(60000000)), ("new", zeroblob(40000000))'
	run env time -f %M db-install -k new live
	expect 0
	[ "${lines[0]}" -lt 16384 ]
	sqlite3 new "UPDATE t SET side='newer'"
	run env time -f %M db-install new live
	expect 0
	[ "${lines[0]}" -lt 16384 ]
	holds live 'newer 2'
}

@test "a bad candidate is refused with its reason, and left alone" {
	make_db live
	make_new good
	size=$(stat -c %s good)
	: >empty
	echo '<html><body>Error 500</body></html>' >html
	head -c 100000 /dev/zero >zero
	head -c 50 good >short
	head -c $((size - 4096)) good >truncated
	head -c $((size - 1)) good >torn
	{ cat good; head -c 4096 /dev/zero; } >longer
	{ head -c 16 good; head -c 100000 /dev/urandom; } >magic
	cp good free
	printf '\0\0\0\1' | dd of=free bs=1 seek=36 conv=notrunc status=none
	mkdir dir
	mkfifo pipe
	ln -s good link
	cp good linked
	ln linked second
	for side in wal shm journal; do cp good "with-$side"; : >"with-$side-$side"; done
	make_new .live.install
	make_new .live.prev
	before=$(everything)
	local rows=0
	while IFS='~' read -r file code message; do
		run timeout 20 db-install "$file" live
		expect "$code" "^db-install: $file: $message"
		[ "$(everything)" = "$before" ]
		rows=$((rows + 1))
	done <<'TABLE'
nope~66~cannot open: No such file
good/x~66~cannot open: Not a directory
dir~66~not a regular file
pipe~66~not a regular file
/dev/null~66~not a regular file
link~66~a symbolic link
linked~65~has 2 names
empty~65~empty file, not a database
html~65~not a SQLite database
zero~65~not a SQLite database
short~65~50 bytes are too short
truncated~65~[0-9]+ pages in the header, [0-9]+ in the file
torn~65~[0-9]+ bytes are no whole number of 4096-byte pages
longer~65~[0-9]+ pages in the header, [0-9]+ in the file
magic~65~
free~65~1 free pages from page 0
with-wal~65~has a -wal beside it
with-shm~65~has a -shm beside it
with-journal~65~has a -journal beside it
.live.install~64~is a name for unfinished work
.live.prev~64~is a name for unfinished work
TABLE
	[ "$rows" -ge 20 ]
	run db-install --keep live.prev live
	expect 66
	make_new live.prev
	run db-install --keep live.prev live
	expect 64 'live.prev: changes places with the live one, it cannot be kept'
}

@test "a bad place is refused with its reason, and left alone" {
	make_new new
	make_db good
	ln -s good link
	ln -s nowhere dangling
	make_db linked
	ln linked second
	mkdir dir
	mkfifo pipe
	echo '<html>' >html
	head -c 8192 /dev/urandom >noise
	make_db prevdir
	mkdir prevdir.prev
	make_db prevwal
	make_db prevwal.prev
	: >prevwal.prev-wal
	make_db taken
	mkdir .taken.prev
	make_db locked
	mkdir .locked.install
	before=$(everything)
	while IFS='~' read -r live code message; do
		run timeout 20 db-install new "$live"
		expect "$code" "^db-install: $message"
		run timeout 20 stat -c %n new
		expect 0
		[ "$(everything)" = "$before" ]
	done <<'TABLE'
link~73~link: a symbolic link: install to its target
dangling~73~dangling: a symbolic link
linked~73~linked: has 2 names
dir~73~dir: not a regular file
pipe~73~pipe: not a regular file
nodir/live~73~nodir/live: cannot reach its directory: No such file
good/live~73~good/live: cannot reach its directory: Not a directory
locked~73~.*/.locked.install: cannot create: Is a directory
/proc/live~73~/proc/.live.install: cannot create
.~64~.: names a directory
dir/~64~dir/: names a directory
dir/..~64~dir/..: names a directory
~64~: names a directory
good-wal~64~good-wal: SQLite keeps files of its own
x-journal~64~x-journal: SQLite keeps files of its own
x-shm~64~x-shm: SQLite keeps files of its own
TABLE
	# of these the candidate is made ready before they are found out; the old file stays as it is
	before=$(sha256sum html noise prevdir prevwal taken)
	while IFS='~' read -r live code message; do
		run timeout 20 db-install new "$live"
		expect "$code" "^db-install: $message"
		[ "$(sha256sum html noise prevdir prevwal taken)" = "$before" ]
		[ -e new ]
	done <<'TABLE'
html~65~html: cannot put the old database in order: file is not a database
noise~65~noise: cannot put the old database in order: file is not a database
prevdir~73~.*/prevdir.prev: cannot keep the old database: Is a directory
prevwal~73~.*/prevwal.prev: has a -wal beside it
taken~73~.*/taken.prev: cannot keep the old database: File exists
TABLE
	may_mount
	run unshare -m sh -c 'mount --bind good good && db-install new good'
	expect 73 'good: a mount point'
}

@test "a wrong command line is refused" {
	make_new new
	local rows=0
	while IFS='~' read -r args message; do
		eval "run db-install $args"
		expect 64 "^db-install: $message"
		[ "${lines[1]}" = 'hint: see db-install --help' ]
		rows=$((rows + 1))
	done <<'TABLE'
~needs CANDIDATE and LIVE
new~needs CANDIDATE and LIVE
new live more~needs CANDIDATE and LIVE
'' live~needs CANDIDATE and LIVE
-x new live~-x: no such option
--none new live~--none: no such option
--keep=1 new live~--keep=1: takes no value
new live --owner~--owner: needs a value
--settle~--settle needs LIVE
--settle new live~--settle needs LIVE
--settle -n new~--settle goes with --state only
--settle -k new~--settle goes with --state only
--settle --quick new~--settle goes with --state only
--settle --quarantine new~--settle goes with --state only
--settle --group-writes new~--settle goes with --state only
--settle --owner root new~--settle goes with --state only
--settle --mode 600 new~--settle goes with --state only
--settle --as-of 2026-02-03T00:00:00Z new~--settle goes with --state only
--settle --epoch 1 new~--settle goes with --state only
--settle --seq 0 new~--settle goes with --state only
--settle --number 2 new~--settle goes with --state only
--settle --verified full new~--settle goes with --state only
--settle --rev r --content-hash h new~--settle goes with --state only
--settle --digest d new~--settle goes with --state only
--settle --json new~--settle goes with --state only
--settle --shell new~--settle goes with --state only
--owner nosuchuser new live~--owner nosuchuser: no such user
--owner '' new live~--owner : no such user
--owner :root new live~--owner :root: no such user
--owner root: new live~--owner root:: no such group
--owner root:nosuchgroup new live~--owner root:nosuchgroup: no such group
--owner 4294967295 new live~--owner 4294967295: no such user
--owner -1 new live~--owner -1: no such user
--mode 0999 new live~--mode 0999: not a mode
--mode 1777 new live~--mode 1777: not a mode
--mode 64 new live~--mode 64: not a mode
--mode u+rw new live~--mode u\+rw: not a mode
--as-of now new live~--as-of now: not a time
--as-of 2026-02-30T00:00:00Z new live~--as-of 2026-02-30T00:00:00Z: not a time
--as-of 2026-11-23T06:00:00 new live~--as-of 2026-11-23T06:00:00: not a time
TABLE
	[ "$rows" -ge 20 ]
	[ "$(ls -A)" = new ]
}

@test "--help and --version answer on standard output; the page lists the same options" {
	run --separate-stderr db-install --help
	expect 0 '^usage: db-install \[--owner USER\[:GROUP\]\]'
	[ -z "$stderr" ]
	for option in $(grep -oE -- '--[a-z-]+' <<<"$output" | sort -u); do
		grep -Eq "Fl -${option#--}" "$ROOT/man/db-install.1"
	done
	run db-install -V
	expect 0 '^db-install [0-9]+\.[0-9]+\.[0-9]+$'
}

@test "--state keeps a record of it in both phases, and a host that serves keeps its database" {
	mkdir state
	rm -f live.db* new.db*
	sqlite3 live.db 'CREATE TABLE t (x); INSERT INTO t VALUES (1)'
	sqlite3 new.db 'CREATE TABLE t (x); INSERT INTO t VALUES (2)'
	cp new.db again.db
	echo '{"schema":1,"epoch":1,"seq":1,"content_hash":"aa","verified_by":"full"}' >state/installed.json
	echo x >state/data-of
	set -- --state state --rev 016 --content-hash bb --epoch 1 --seq 2 --as-of 2026-11-23T02:05:00Z
	echo active >state/role
	run db-install "$@" new.db live.db
	expect 73 'state/role: this host has begun to serve'
	[ "$(sqlite3 live.db 'SELECT x FROM t')" = 1 ]
	[ "$(jq -r '.content_hash, .next_content_hash' state/installed.json | tr '\n' ' ')" = 'aa null ' ]
	echo standby >state/role
	exec 5<live.db
	run db-install "$@" new.db live.db
	expect 73 'in use by'
	exec 5<&-
	[ -e state/data-of ]
	db-install "$@" --verified quick new.db live.db
	[ "$(sqlite3 live.db 'SELECT x FROM t')" = 2 ]
	[ "$(jq -r '[.epoch, .seq, .rev, .content_hash, .snapshot_at, .verified_by, .next_content_hash] | join(" ")' state/installed.json)" = \
		'1 2 016 bb 2026-11-23T02:05:00Z quick ' ]
	[ ! -e state/data-of ]
	# the same content, known as it was verified
	db-install "$@" live.db live.db
	[ "$(jq -r .verified_by state/installed.json)" = quick ]
	# nothing says what this is
	run db-install --state state again.db live.db
	expect 65 'again.db: is not on record as it is'
	[ "$(sqlite3 live.db 'SELECT x FROM t')" = 2 ]
	run db-install --state state --rev 017 again.db live.db
	expect 64 '--rev and --content-hash go together'
}

# as_installed N: live.db holds N, as the record of ./state says, and the one before is N-1
as_installed() {
	local n
	mkdir -p state
	rm -f live.db* new.db*
	for n in $(($1 - 1)) "$1"; do
		sqlite3 new.db "DROP TABLE IF EXISTS t; CREATE TABLE t (x); INSERT INTO t VALUES ($n)"
		installs "$n"
	done
}

# installs N: new.db, by its content_hash
installs() {
	local hash
	hash=$(python3 -c 'import hashlib; print(hashlib.sha256(hashlib.sha256(open("new.db", "rb").read()).digest()).hexdigest())')
	db-install --state state --rev "0$1" --content-hash "$hash" --number "$1" --as-of 2026-11-23T02:05:0"$1"Z "${@:2}" new.db live.db
}

# next N: what comes next
next() {
	sqlite3 new.db "CREATE TABLE t (x); INSERT INTO t VALUES ($1)"
}

# holds_x FILE: its rows
holds_x() {
	sqlite3 "$1" 'SELECT group_concat(x) FROM t'
}

@test "what is as it was installed leaves as .prev; whatever was written here is kept, and .prev stays" {
	as_installed 2
	[ "$(jq .n state/installed.json)" = 2 ]
	[ "$(holds_x live.db.prev)" = 1 ]
	[ -z "$(compgen -G 'live.db.kept-*')" ]
	# a new time, and the content is the one on record
	touch live.db
	next 3
	run -0 installs 3
	expect 0 '^$'
	[ "$(holds_x live.db.prev)" = 2 ]
	sqlite3 live.db 'INSERT INTO t VALUES (100)'
	touch -d 2026-11-24T10:20:30Z live.db
	next 4
	run -0 --separate-stderr installs 4 --json
	[[ $stderr == *'live.db.kept-20261124_102030: what was written here since the last installation is kept here' ]]
	[ "$(jq -r '.previous, .kept' <<<"$output")" = "null
$PWD/live.db.kept-20261124_102030" ]
	[ "$(holds_x live.db)/$(holds_x live.db.prev)/$(holds_x live.db.kept-20261124_102030)" = 4/2/3,100 ]
	# what no record tells is no copy that could be fetched again
	rm state/installed.json
	next 5
	run -0 installs 5
	[ "$(holds_x live.db)/$(holds_x live.db.prev)" = 5/2 ]
	[ "$(compgen -G 'live.db.kept-*' | wc -l)" -eq 2 ]
}

@test "what waits in the -wal counts as written, and is taken in where it is kept; of one second two are kept" {
	as_installed 2
	sqlite3 live.db 'PRAGMA journal_mode=WAL' >/dev/null
	cp -p live.db was
	for n in 3 4; do
		app live.db
		sql "PRAGMA wal_autocheckpoint=0; INSERT INTO t VALUES (${n}00);"
		app_dies
		touch -d 2026-11-24T10:20:30Z live.db live.db-wal
		next "$n"
		run -0 installs "$n"
	done
	[ "$(holds_x live.db)/$(holds_x live.db.kept-20261124_102030)/$(holds_x live.db.kept-20261124_102030.2)" = 4/2,300/3,400 ]
	[ -z "$(compgen -G 'live.db*-wal')" ]
}

@test "a run that was killed between the name to keep and the exchange: the next one goes on, and keeps it once" {
	as_installed 2
	sqlite3 live.db 'INSERT INTO t VALUES (100)'
	next 3
	run strace -f -o ../trace -e trace=rename,renameat,renameat2 -e 'inject=rename,renameat,renameat2:signal=KILL:when=2' \
		db-install --state state --rev 03 --content-hash bb new.db live.db
	[ "$status" -ne 0 ]
	[ "$(holds_x live.db)" = 2,100 ]
	[ "$(compgen -G 'live.db.kept-*' | wc -l)" -eq 1 ]
	[ -e new.db ] || next 3
	run -0 installs 3
	[ "$(holds_x live.db)/$(holds_x live.db.prev)/$(holds_x live.db.kept-*)" = 3/1/2,100 ]
}

@test "--quick reads neither of the two: what their stamps do not prove is kept as written" {
	as_installed 2
	# larger than what SQLite itself looks at
	sqlite3 new.db "CREATE TABLE t (x); INSERT INTO t VALUES (3); CREATE TABLE large AS SELECT zeroblob(100000) z"
	installs 3
	next 4
	run -0 strace -f -o ../trace -P "$PWD/live.db" -e trace=pread64,read db-install --quick --state state --rev 04 --content-hash aa \
		new.db live.db
	[ "$(holds_x live.db)/$(holds_x live.db.prev)" = 4/3 ]
	[ "$(awk '/pread64|read\(/ { n += $NF } END { print n + 0 }' ../trace)" -lt 50000 ] || {
		cat ../trace
		false
	}
	[ -z "$(compgen -G 'live.db.kept-*')" ]
	touch live.db
	next 5
	run -0 db-install --quick --state state --rev 05 --content-hash aa new.db live.db
	[ "$(compgen -G 'live.db.kept-*' | wc -l)" -eq 1 ]
	[ "$(holds_x live.db.prev)" = 3 ]
}

@test "--group-writes: the group of the first one is the directory's, and may write it; so it may the next" {
	needs_root 'to be another user'
	make_db new.db
	mkdir shared
	chown irc:games shared
	chmod 2775 shared
	cp new.db shared/candidate
	chown irc shared/candidate
	setpriv --reuid irc --regid irc --groups games "$(command -v db-install)" --group-writes shared/candidate shared/live.db
	[ "$(stat -c '%U:%G %a' shared/live.db)" = irc:games' 660' ]
	chmod 604 shared/live.db
	sqlite3 new.db 'CREATE TABLE more (x)'
	db-install --keep --group-writes new.db shared/live.db
	[ "$(stat -c '%G %a' shared/live.db)" = 'games 664' ]
	# alone, the old mode stays
	chmod 604 shared/live.db
	sqlite3 new.db 'CREATE TABLE yet_more (x)'
	db-install --keep new.db shared/live.db
	[ "$(stat -c %a shared/live.db)" = 604 ]
}

# follows N: new.db, by its digest, as a failover installs it
follows() {
	db-install --quick --state state --digest "d$1" --number "$1" --epoch 1 --as-of 2026-11-23T03:00:0"$1"Z new.db live.db
}

on_record() { jq -r "[$1] | map(. // \"-\") | join(\" \")" state/installed.json; }

@test "what was followed takes the name by its digest, and what the record knows of the one before brings that back" {
	as_installed 2
	was=$(on_record .content_hash,.rev,.snapshot_at)
	next 3
	follows 3
	[ "$(holds_x live.db)/$(holds_x live.db.prev)" = 3/2 ]
	[ "$(on_record .n,.digest,.content_hash,.rev,.snapshot_at,.previous.n)" = '3 d3 - - 2026-11-23T03:00:03Z 2' ]
	[[ $(installed-check --shell --record state/installed.json live.db.prev) == *"unchanged='yes'"*"n='2'"* ]]
	get=$(installed-check --shell --record state/installed.json live.db)
	[[ $get == *"n='3'"* && $get == *"digest='d3'"* && $get == *"prev_n='2'"* ]]
	for again in once twice; do
		if [ $again = once ]; then run -0 db-install --quick --state state live.db.prev live.db; else run -0 db-install --quick --state state live.db live.db; fi
		[ "$(holds_x live.db)/$(holds_x live.db.prev)" = 2/3 ]
		[ "$(on_record .content_hash,.rev,.snapshot_at)" = "$was" ]
		[ "$(on_record .n,.previous.n,.previous.digest)" = '2 3 d3' ]
		[ -z "$(compgen -G 'live.db.kept-*')" ]
	done
}

@test "what was followed and then written to is kept when the one before comes back" {
	as_installed 2
	next 3
	follows 3
	sqlite3 live.db 'INSERT INTO t VALUES (100)'
	run -0 db-install --quick --state state live.db.prev live.db
	[ "$(holds_x live.db)" = 2 ]
	[ "$(holds_x live.db.kept-*)" = 3,100 ]
	[ ! -e live.db.prev ]
	[ "$(on_record .n,.previous)" = '2 -' ]
}

@test "one followed state after the other: last night's stays the one before" {
	as_installed 2
	next 3
	follows 3
	next 4
	follows 4
	[ "$(holds_x live.db)/$(holds_x live.db.prev)" = 4/2 ]
	[ "$(holds_x live.db.kept-*)" = 3 ]
	[ "$(on_record .n,.previous.n)" = '4 2' ]
	# the next night's takes its place, and the followed one is the one before
	next 5
	installs 5
	[ "$(holds_x live.db)/$(holds_x live.db.prev)" = 5/4 ]
	[ "$(on_record .n,.previous.n,.previous.digest)" = '5 4 d4' ]
}

@test "a member of the group installs another's file, of which it may set nothing: the time of the data is on record" {
	needs_root 'to be two users'
	chmod 0711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* "$BATS_FILE_TMPDIR" "${BATS_TEST_TMPDIR%/*}" 2>/dev/null || true
	cp "$(command -v db-install)" tool
	as_installed 2
	next 3
	chown -R irc:irc .
	chmod 2770 . state
	chmod 0660 live.db live.db.prev new.db state/*
	member=(setpriv --reuid 65533 --regid irc --clear-groups)
	# as it was left
	"${member[@]}" ./tool --quick --state state live.db live.db || true
	jq --arg s "$(stat -c '%i.%s.%Y' live.db).$(date -r live.db +%N).$(stat -c '%.9Z' live.db)" '.stamp = $s' state/installed.json >x
	cat x >state/installed.json
	run -0 "${member[@]}" ./tool --quick --state state --digest d3 --number 3 --epoch 1 --as-of 2026-11-23T03:00:03Z new.db live.db
	[ "$(stat -c %U:%a live.db)" = irc:660 ]
	[ "$(holds_x live.db)/$(holds_x live.db.prev)" = 3/2 ]
	[ "$(stat -c %Y live.db)" != "$(date -d 2026-11-23T03:00:03Z +%s)" ]
	run -0 installed-check --record state/installed.json live.db
	# who would have to set something is refused, and nothing has changed
	sqlite3 new.db 'CREATE TABLE t (x)'
	chown irc:irc new.db
	chmod 0600 new.db
	chmod 0666 new.db
	run -77 "${member[@]}" ./tool --quick --state state --digest d4 --number 4 --as-of 2026-11-23T03:00:04Z new.db live.db
	[ "$(holds_x live.db)" = 3 ]
}
