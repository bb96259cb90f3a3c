load helper
load sqlite

setup() {
	cd "$BATS_TEST_TMPDIR"
	# what bats made is for root alone; some tests become another user
	chmod 711 "$BATS_RUN_TMPDIR" .. .
}

teardown() {
	app_dies
}

# is_snapshot FILE SIDES: a whole database in rollback mode, alone, with these rows
is_snapshot() {
	[ "$(od -An -tu1 -j18 -N2 "$1" | tr -d ' \n')" = 11 ]
	[ "$(sqlite3 "$1" 'PRAGMA integrity_check')" = ok ]
	[ "$(sides "$1")" = "$2" ]
	[ -z "$(find . -name "$1-*")" ]
	[ ! -e ".$1.snapshot" ]
}

@test "a closed database is copied, to a file in rollback mode that needs nothing beside it" {
	for mode in delete wal; do
		make_db "$mode.db" "$mode"
		run db-snapshot "$mode.db" "$mode.snap"
		expect 0 '^$'
		is_snapshot "$mode.snap" 'old 300'
		[ "$(sqlite3 "$mode.snap" .dump | md5sum)" = "$(sqlite3 "$mode.db" .dump | md5sum)" ]
	done
}

@test "a closed WAL database is left byte for byte and without side files" {
	make_db a.db wal
	touch -d 2020-01-01 a.db
	before=$(sha256sum a.db; stat -c '%i %y %a' a.db)
	run db-snapshot a.db snap
	expect 0
	[ "$(sha256sum a.db; stat -c '%i %y %a' a.db)" = "$before" ]
	[ "$(ls)" = $'a.db\nsnap' ]
}

@test "the rows that a running application has in its -wal are in the copy, and the -wal stays as it is" {
	make_db a.db wal
	app a.db
	sql "PRAGMA wal_autocheckpoint=0; UPDATE t SET side='new';"
	before=$(sha256sum a.db a.db-wal)
	run db-snapshot a.db snap
	expect 0
	is_snapshot snap 'new 300'
	[ "$(sha256sum a.db a.db-wal)" = "$before" ]
	# and the application goes on
	sql "INSERT INTO t(side) VALUES ('later');"
}

@test "the rows that a killed application left in its -wal are in the copy, and are not checkpointed" {
	make_crashed_wal a.db
	before=$(sha256sum a.db a.db-wal)
	run db-snapshot a.db snap
	expect 0
	is_snapshot snap 'new 300'
	[ "$(sha256sum a.db a.db-wal)" = "$before" ]
}

@test "a WAL database that its application has open by another name is not copied without its log" {
	local snapshot='db-snapshot alias snap' changes='db-changes --since st --base --epoch 1 alias out'
	make_db a.db wal
	app a.db
	sql "UPDATE t SET side = 'new';"
	ln a.db alias
	for empty in '' yes; do
		# as a reader without these guards leaves them
		[ -z "$empty" ] || touch alias-wal alias-shm
		for tool in "$snapshot" "$changes"; do
			run $tool
			expect 78 "^${tool%% *}: alias: is open by another name"
		done
	done
	[ ! -e snap ] && [ ! -e out ]
	rm alias-*
	# by its own name, and through a link to that, it is
	ln -s a.db link
	db-snapshot link snap
	is_snapshot snap 'new 300'
}

@test "the half transaction that a killed application left in its -journal is not in the copy" {
	make_hot_journal a.db
	run db-snapshot -v a.db snap
	expect 0 'rolling it back'
	is_snapshot snap 'old 300'
	[ ! -e a.db-journal ]
}

# pad FILE: 12 MB more, so that the copy takes several steps
pad() {
	sqlite3 "$1" 'CREATE TABLE pad(x); INSERT INTO pad VALUES (randomblob(12000000))'
}

# stopped_copy SRC DST: starts it ($strace_pid) and stops it ($pid) in the middle of its second step
stopped_copy() {
	strace -f -o trace -e trace=pwrite64 -e inject=pwrite64:signal=STOP:when=1500 db-snapshot "$1" "$2" 3>&- &
	strace_pid=$!
	until_true grep -qs 'stopped by SIGSTOP' trace
	pid=$(sed -n 's/^\([0-9]*\) .*stopped by SIGSTOP.*/\1/p' trace | head -n 1)
}

later_than() {
	[ "$(date +%s)" -gt "$1" ]
}

@test "what is written and checkpointed during the copy is not in it" {
	make_db a.db wal
	pad a.db
	app a.db
	sql "PRAGMA wal_autocheckpoint=0; UPDATE t SET side='new' WHERE id <= 100;"
	stopped_copy a.db snap
	stopped_at=$(date +%s)
	sql "UPDATE t SET side='late', body='x'; INSERT INTO t(side) VALUES ('late');"
	sql "PRAGMA wal_checkpoint(PASSIVE);"
	# its time is that of the moment it shows, not that of its end
	until_true later_than "$stopped_at"
	kill -CONT "$pid"
	ends "$strace_pid"
	expect 0
	is_snapshot snap $'new 100\nold 200'
	[ "$(stat -c %Y snap)" -le "$stopped_at" ]
	[ "$(sqlite3 a.db "SELECT count(*) FROM t WHERE side='late'")" = 301 ]
}

@test "an application that comes and goes during the copy finds its -wal again, not checkpointed" {
	make_db a.db wal
	pad a.db
	before=$(sha256sum a.db)
	stopped_copy a.db snap
	sqlite3 a.db "PRAGMA wal_autocheckpoint=0; UPDATE t SET side='late';" >/dev/null
	kill -CONT "$pid"
	ends "$strace_pid"
	expect 0
	is_snapshot snap 'old 300'
	[ "$(sha256sum a.db)" = "$before" ]
	[ -s a.db-wal ]
	[ "$(sqlite3 a.db "SELECT count(*) FROM t WHERE side='late'")" = 300 ]
}

@test "a writer that never pauses does not make it start over" {
	make_db a.db wal
	yes "INSERT INTO t(side) VALUES ('more'),('more');" 3>&- | sqlite3 a.db 3>&- 2>/dev/null &
	app_pid=$!
	for i in 1 2 3 4 5; do
		run timeout 60 db-snapshot a.db snap
		expect 0
		[ "$(sqlite3 snap 'PRAGMA integrity_check')" = ok ]
		[ "$(sqlite3 snap "SELECT count(*) % 2 FROM t WHERE side='more'")" = 0 ]
	done
}

@test "--json tells time, size, hash and pages, and the file has that time, size and hash" {
	make_db a.db wal
	before=$(date +%s)
	run --separate-stderr db-snapshot --json a.db snap
	expect 0
	[ "${#lines[@]}" -eq 1 ]
	jq -e '.path == "snap" and .page_size == 4096 and .size == .page_size * .page_count' <<<"$output"
	[ "$(jq .size <<<"$output")" = "$(stat -c %s snap)" ]
	at=$(date -d "$(jq -r .snapshot_at <<<"$output")" +%s)
	[ "$at" = "$(stat -c %Y snap)" ]
	[ "$at" -ge "$before" ] && [ "$at" -le "$(date +%s)" ]
	# one block of 4 MiB or less: the hash of its hash
	[ "$(jq -r .content_hash <<<"$output")" = "$(openssl dgst -sha256 -binary snap | sha256sum | cut -d' ' -f1)" ]
}

@test "the hash of a copy of several blocks is Dropbox's content_hash" {
	make_db a.db
	sqlite3 a.db 'CREATE TABLE b(x); INSERT INTO b VALUES (randomblob(9000000))'
	run db-snapshot --json a.db snap
	expect 0
	split -b 4M snap block.
	want=$(for b in block.*; do openssl dgst -sha256 -binary "$b"; done | sha256sum | cut -d' ' -f1)
	[ "$(jq -r .content_hash <<<"$output")" = "$want" ]
}

@test "the same state gives the same bytes" {
	make_db a.db wal
	db-snapshot a.db one
	db-snapshot a.db two
	cmp one two
}

@test "page sizes, encodings, auto-vacuum and reserved bytes are kept" {
	for setup in 'page_size=512' 'page_size=65536' 'encoding="UTF-16be"' 'auto_vacuum=FULL' 'auto_vacuum=INCREMENTAL'; do
		rm -f v.db*
		sqlite3 v.db "PRAGMA $setup" 'CREATE TABLE t(side, body); INSERT INTO t VALUES ("old", randomblob(200000))' \
			'PRAGMA journal_mode=WAL' >/dev/null
		run db-snapshot --json v.db snap
		expect 0
		is_snapshot snap 'old 1'
		pragma=${setup%%=*}
		[ "$(sqlite3 snap "PRAGMA $pragma")" = "$(sqlite3 v.db "PRAGMA $pragma")" ]
	done
	rm -f v.db*
	sqlite3 v.db '.filectrl reserve_bytes 32' 'CREATE TABLE t(side); INSERT INTO t VALUES ("old")' >/dev/null
	run db-snapshot v.db snap
	expect 0
	is_snapshot snap 'old 1'
	[ "$(od -An -tu1 -j20 -N1 snap | tr -d ' ')" = 32 ]
}

@test "an old copy is replaced, its mode is that of the source" {
	make_db a.db
	make_db snap
	chmod 640 a.db
	chmod 666 snap
	sqlite3 a.db "UPDATE t SET side='new'"
	run db-snapshot a.db snap
	expect 0
	is_snapshot snap 'new 300'
	[ "$(stat -c %a snap)" = 640 ]
}

@test "source and destination may be links, far away, and have names of any kind" {
	mkdir -p 'a dir?x#1%20' out
	make_db 'a dir?x#1%20/file:b&c=d.db' wal
	ln -s 'a dir?x#1%20/file:b&c=d.db' link
	run db-snapshot link out/snap
	expect 0
	cp out/snap .
	is_snapshot snap 'old 300'
	[ "$(ls -A 'a dir?x#1%20')" = 'file:b&c=d.db' ]
	run db-snapshot 'a dir?x#1%20/file:b&c=d.db' 'file:snap?mode=memory'
	expect 0
	[ -s 'file:snap?mode=memory' ]
}

@test "a lock on the source is waited for" {
	make_db a.db
	app a.db
	sql 'BEGIN EXCLUSIVE;'
	db-snapshot a.db snap 3>&- &
	pid=$!
	# it has asked for the lock once its copy is claimed
	until_true test -e .snap.snapshot
	[ ! -e snap ]
	sql 'COMMIT;'
	ends "$pid"
	expect 0
	is_snapshot snap 'old 300'
}

@test "a lock that stays is not waited for longer than --timeout" {
	make_db a.db
	app a.db
	sql 'BEGIN EXCLUSIVE;'
	run db-snapshot -t 100ms a.db snap
	expect 73 '^db-snapshot: a.db: cannot read: database is locked$'
	[ "$(ls -A)" = a.db ]
}

@test "SIGTERM while it waits or copies ends it: 75, nothing left, the old copy in place" {
	make_db a.db
	make_db snap
	before=$(sha256sum snap)
	app a.db
	sql 'BEGIN EXCLUSIVE;'
	db-snapshot -t 60s a.db snap 3>&- 2>err &
	pid=$! start=$SECONDS
	until_true test -e .snap.snapshot
	kill "$pid"
	ends "$pid"
	expect 75
	[ $((SECONDS - start)) -lt 30 ]
	grep -q '^db-snapshot: snap: interrupted$' err
	sql 'COMMIT;'
	[ "$(sha256sum snap)" = "$before" ]
	[ ! -e .snap.snapshot ]
	pad a.db
	for sig in TERM INT HUP; do
		run strace -f -o trace -e trace=pwrite64 -e "inject=pwrite64:signal=$sig:when=20" db-snapshot a.db snap
		grep -q "SIG$sig" trace
		# of 3000 pages
		[ "$(grep -c pwrite64 trace)" -lt 2000 ]
		expect 75 'snap: interrupted'
		[ "$(sha256sum snap)" = "$before" ]
		[ ! -e .snap.snapshot ]
	done
}

@test "what a killed run left is swept by the next one" {
	make_db a.db
	run strace -f -o trace -e trace=pwrite64 -e inject=pwrite64:signal=KILL:when=20 db-snapshot a.db snap
	[ -e .snap.snapshot ] && [ ! -e snap ]
	head -c 9000000 /dev/urandom >>.snap.snapshot
	run db-snapshot a.db snap
	expect 0
	is_snapshot snap 'old 300'
}

@test "two runs for one destination: the second one leaves" {
	make_db a.db
	app a.db
	sql 'BEGIN EXCLUSIVE;'
	db-snapshot a.db snap 3>&- &
	pid=$!
	until_true test -e .snap.snapshot
	run db-snapshot a.db snap
	expect 73 'snap.snapshot: in use by another process'
	[ -e .snap.snapshot ]
	sql 'COMMIT;'
	ends "$pid"
	expect 0
	is_snapshot snap 'old 300'
}

@test "no space: 74 before anything is copied, nothing left" {
	may_mount
	mkdir small
	make_db a.db
	run unshare -m sh -c 'mount -t tmpfs -o size=64k none small && db-snapshot a.db small/snap; echo $?; ls -A small'
	[ "${lines[0]}" = 'db-snapshot: small/snap: needs 308 KiB, 64 KiB are free' ] ||
		[[ ${lines[0]} =~ needs\ [0-9]+\ KiB,\ [0-9]+\ KiB\ are\ free ]]
	[ "${lines[1]}" = 74 ]
	[ "${#lines[@]}" -eq 2 ]
}

@test "a file size limit: 74, nothing left" {
	make_db a.db
	run bash -c 'ulimit -f 100; exec db-snapshot a.db snap'
	expect 74 'snap: .*File too large'
	[ "$(ls -A)" = a.db ]
}

@test "memory does not grow with the database: less than 16 MiB" {
	unsanitized
	sqlite3 a.db 'PRAGMA journal_mode=WAL; CREATE TABLE b(x);
		INSERT INTO b VALUES (zeroblob(30000000)), (zeroblob(30000000)), (zeroblob(30000000))' >/dev/null
	run env time -f %M db-snapshot a.db snap
	expect 0
	[ "${lines[0]}" -lt 16384 ]
}

@test "a user who could not share the files that reading makes is refused; the owner's group is not" {
	needs_root 'to become others'
	mkdir d
	chmod 777 d
	make_db d/a.db wal
	chmod 644 d/a.db
	run setpriv --reuid 65534 --regid 65534 --clear-groups db-snapshot d/a.db d/snap
	expect 77 "d/a.db: belongs to another user.*"
	[ "$(ls -A d)" = a.db ]
	chmod 664 d/a.db
	run setpriv --reuid 65534 --regid 0 --clear-groups db-snapshot d/a.db d/snap
	expect 0
	# while the application runs, its own files are used
	rm d/snap
	chmod 644 d/a.db
	chmod 777 d
	app d/a.db
	sql 'SELECT count(*) FROM t;'
	chmod 666 d/a.db-shm d/a.db-wal
	run setpriv --reuid 65534 --regid 65534 --clear-groups db-snapshot d/a.db d/snap
	expect 0
}

@test "a -shm that the application could not use is not made: its directory would give it another group" {
	needs_root 'to become others'
	mkdir d
	make_db d/a.db wal
	chown 1234:2345 d d/a.db
	chmod 660 d/a.db
	chmod 777 d
	as_another() { setpriv --reuid 65534 --regid 65534 --groups 2345 "$@"; }
	run as_another db-snapshot d/a.db d/snap
	expect 77 '^db-snapshot: d/a.db: the -shm that reading it makes would be of group 65534'
	[ "${lines[1]}" = "hint: chmod g+s $(pwd -P)/d/" ]
	[ "$(ls -A d)" = a.db ]
	chgrp 0 d
	run as_another db-snapshot d/a.db d/snap
	expect 77
	[ "${lines[1]}" = "hint: chgrp 2345 $(pwd -P)/d/ && chmod g+s $(pwd -P)/d/" ]
	# what the hint says helps; so does that group as one's own
	chgrp 2345 d
	chmod g+s d
	run as_another db-snapshot d/a.db d/snap
	expect 0
	rm d/snap
	chmod g-s d
	run setpriv --reuid 65534 --regid 2345 --clear-groups db-snapshot d/a.db d/snap
	expect 0
}

@test "a WAL database in a directory that cannot be written says what it needs" {
	needs_root 'to become nobody'
	mkdir d out
	make_db d/a.db wal
	chown 65534 d/a.db out
	run setpriv --reuid 65534 --regid 65534 --clear-groups db-snapshot d/a.db out/snap
	expect 73 '^db-snapshot: d/a.db: cannot read: '
	[[ $output == *'hint: a WAL database needs a -shm file: its directory must be writable for this user' ]]
	[ -z "$(ls -A out)" ]
}

# newer_schema FILE: with a view in a syntax that no SQLite reads, written by a version to come
newer_schema() {
	# since 3.42 the shell forbids it
	sqlite3 -cmd '.dbconfig defensive off' "$1" "CREATE TABLE IF NOT EXISTS more (x); CREATE VIEW v AS SELECT 1; PRAGMA writable_schema = ON;
		UPDATE sqlite_schema SET sql = 'CREATE VIEW v AS SELECT x FROM more ANEW ORDER' WHERE name = 'v'" >/dev/null
	printf '\000\056\231\261' | dd of="$1" bs=1 seek=96 conv=notrunc status=none
}

@test "a schema that only a newer SQLite reads is copied, and who wrote the file stays on record" {
	make_db a.db
	newer_schema a.db
	run sqlite3 a.db 'SELECT count(*) FROM t'
	[ "$status" -ne 0 ]
	run db-snapshot a.db snap
	expect 0 '^$'
	[ "$(sqlite3 -cmd '.dbconfig defensive off' snap 'PRAGMA writable_schema = ON; SELECT count(*) FROM t' | tail -n 1)" = 300 ]
	[ "$(od -An -tx1 -j96 -N4 snap)" = ' 00 2e 99 b1' ]
}

@test "who wrote last is read from the -wal, if the first page is in there" {
	make_db a.db wal
	app a.db
	sql "PRAGMA wal_autocheckpoint=0; CREATE TABLE more (x);"
	ours=$(od -An -tx1 -j96 -N4 a.db)
	printf '\000\056\231\261' | dd of=a.db bs=1 seek=96 conv=notrunc status=none
	run db-snapshot a.db snap
	expect 0
	[ "$(od -An -tx1 -j96 -N4 snap)" = "$ours" ]
	# and from the file, if it is not
	sql "PRAGMA wal_checkpoint(TRUNCATE); UPDATE t SET side='new' WHERE id=1;"
	printf '\000\056\231\261' | dd of=a.db bs=1 seek=96 conv=notrunc status=none
	run db-snapshot a.db snap
	expect 0
	[ "$(od -An -tx1 -j96 -N4 snap)" = ' 00 2e 99 b1' ]
}

# on_a_read_only_disk FILE: mounts its directory, d, read-only for one db-snapshot
on_a_read_only_disk() {
	unshare -m sh -c 'mount --bind d d && mount -o remount,bind,ro d && exec db-snapshot -v "$1" snap' sh "$1"
}

@test "of a database on a read-only disk a copy is made: closed, crashed in WAL mode with and without -shm, in a transaction" {
	may_mount
	local left rows=0
	while read -r make left want; do
		rm -rf d snap
		mkdir d
		case $make in make_db) make_db d/live wal ;; *) "$make" d/live ;; esac
		[ "$left" != no-shm ] || rm d/live-shm
		before=$(sha256sum d/*)
		run on_a_read_only_disk d/live
		expect 0
		is_snapshot snap "$want 300"
		[ "$(sha256sum d/*)" = "$before" ]
		[ "$(ls -A)" = $'d\nsnap' ]
		rows=$((rows + 1))
	done <<'TABLE'
make_db all old
make_crashed_wal all new
make_crashed_wal no-shm new
make_hot_journal all old
TABLE
	[ "$rows" -eq 4 ]
}

@test "a read-only disk that is written from elsewhere is not copied by hand" {
	may_mount
	mkdir d
	make_crashed_wal d/live
	rm d/live-shm
	exec 9<d/live
	run on_a_read_only_disk d/live
	exec 9<&-
	expect 73 'd/live: in use by '
	[ "$(ls -A)" = d ]
}

@test "a -journal on a read-only disk leads to no other file either" {
	may_mount
	mkdir d
	make_hot_journal d/live
	rm d/live-journal
	mkfifo d/live-journal
	run timeout 20 bash -c "$(declare -f on_a_read_only_disk); on_a_read_only_disk d/live"
	expect 65 "d/live-journal: not a regular file"
	[ "$(ls -A)" = d ]
}

@test "a bad source is refused with its reason, never created, never changed" {
	make_db good.db
	size=$(stat -c %s good.db)
	: >empty
	echo '<html><body>Error 500</body></html>' >html
	head -c 100000 /dev/zero >zero
	head -c 50 good.db >short
	head -c 10 good.db >shorter
	head -c $((size - 4096)) good.db >truncated
	{ head -c 16 good.db; head -c 100000 /dev/urandom; } >magic
	mkdir dir
	mkfifo pipe
	ln -s loop loop
	ln -s nowhere dangling
	local rows=0
	while IFS='~' read -r file code message; do
		run timeout 20 db-snapshot "$file" snap
		expect "$code" "^db-snapshot: ($file: )?$message"
		[ ! -e snap ] && [ ! -e .snap.snapshot ]
		rows=$((rows + 1))
	done <<'TABLE'
nope~66~cannot open: No such file
dir/nope~66~cannot open: No such file
good.db/x~66~cannot open: Not a directory
dangling~66~cannot open: No such file
loop~66~cannot open: Too many levels
dir~66~not a regular file
pipe~66~not a regular file
/dev/null~66~not a regular file
empty~65~empty file, not a database
html~65~not a SQLite database
zero~65~not a SQLite database
shorter~65~not a SQLite database
short~65~not one page of it is whole
truncated~65~cannot read: database disk image is malformed
magic~65~cannot read: file is not a database
TABLE
	[ "$rows" -ge 15 ]
	[ ! -e nope ] && [ ! -e nowhere ]
	[ "$(stat -c %s empty)" = 0 ]
}

@test "a bad destination is refused with its reason, and left alone" {
	make_db a.db
	make_db used.db
	make_db crashed.db
	: >crashed.db-journal
	make_db wal.db
	: >wal.db-wal
	: >orphan-shm
	ln a.db hard.db
	ln -s used.db link
	ln -s nowhere dangling
	mkdir dir
	mkfifo pipe
	ln -s a.db .evil.snapshot
	mkdir .full.snapshot
	make_db .src.snapshot
	app used.db
	sql 'SELECT count(*) FROM t;'
	before=$(ls -lA --time-style=full-iso; sha256sum ./*.db)
	local rows=0
	while IFS='~' read -r args code message; do
		eval "run timeout 20 db-snapshot $args"
		expect "$code" "^db-snapshot: $message"
		[ "$(ls -lA --time-style=full-iso; sha256sum ./*.db)" = "$before" ]
		rows=$((rows + 1))
	done <<'TABLE'
a.db a.db~64~a.db and a.db are the same file
a.db ./dir/../a.db~64~a.db and ./dir/../a.db are the same file
a.db hard.db~64~a.db and hard.db are the same file
a.db a.db-wal~64~a.db-wal: SQLite keeps files of its own
a.db x-journal~64~x-journal: SQLite keeps files of its own
a.db x-shm~64~x-shm: SQLite keeps files of its own
.src.snapshot src~64~.src.snapshot: is the name for the unfinished src
a.db used.db~73~used.db: in use by sqlite3 \(pid [0-9]+\)
a.db crashed.db~73~crashed.db: has a -journal beside it
a.db wal.db~73~wal.db: has a -wal beside it
a.db orphan~73~orphan: has a -shm beside it
a.db link~73~link: not a regular file
a.db dangling~73~dangling: not a regular file
a.db dir~73~dir: not a regular file
a.db pipe~73~pipe: not a regular file
a.db nodir/x~73~nodir/.x.snapshot: cannot create: No such file
a.db used.db/x~73~used.db/x: has a -wal beside it
a.db /proc/x~73~/proc/.x.snapshot: cannot create
a.db evil~73~.evil.snapshot: cannot create: Too many levels
a.db full~73~.full.snapshot: cannot create: Is a directory
TABLE
	[ "$rows" -ge 20 ]
}

@test "a wrong command line is refused" {
	make_db a.db
	local rows=0
	while IFS='~' read -r args message; do
		eval "run db-snapshot $args"
		expect 64 "^db-snapshot: $message"
		[ "${lines[1]}" = 'hint: see db-snapshot --help' ]
		rows=$((rows + 1))
	done <<'TABLE'
~needs SRC and DST
a.db~needs SRC and DST
a.db x y~needs SRC and DST
'' x~needs SRC and DST
a.db ''~needs SRC and DST
-x a.db x~-x: no such option
--jso=1 a.db x~--jso=1: takes no value
--none a.db x~--none: no such option
-t~-t: needs a value
-t x a.db x~--timeout x: not a duration
-t -1 a.db x~--timeout -1: not a duration
--timeout= a.db x~--timeout : not a duration
TABLE
	[ "$rows" -ge 12 ]
	[ "$(ls -A)" = a.db ]
}

@test "--help and --version answer on standard output; the page lists the same options" {
	run --separate-stderr db-snapshot --help
	expect 0 "^usage: db-snapshot \\[-t DURATION\\] "
	[ -z "$stderr" ]
	for option in $(grep -oE -- '--[a-z]+' <<<"$output" | sort -u); do
		grep -Eq "Fl -${option#--}" "$ROOT/man/db-snapshot.1"
	done
	run db-snapshot -V
	expect 0 '^db-snapshot [0-9]+\.[0-9]+\.[0-9]+$'
}

@test "an answer that cannot be written is an error, the copy is made" {
	make_db a.db
	run bash -c 'db-snapshot --json a.db snap >/dev/full'
	expect 74 'standard output: cannot write'
	is_snapshot snap 'old 300'
}
