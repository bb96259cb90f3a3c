# db-changes and db-apply together: what leaves the one leads the other's file to the same bytes

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
	rm -rf "${STRESS-}"
}

# live [MODE]: a database of 200 rows
live() {
	sqlite3 live.db "PRAGMA journal_mode=${1:-wal}" 'CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); CREATE INDEX i ON t(v);' \
		"WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i<200)
		INSERT INTO t SELECT i, printf('%0200d', i) FROM n" >/dev/null
}

# state FILE: the bytes that live.db is published as, made at rest by SQLite itself
state() {
	rm -f "$1" "$1-wal"
	cp live.db "$1"
	[ ! -e live.db-wal ] || cp live.db-wal "$1-wal"
	sqlite3 "$1" 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
	printf '\1\1' | dd of="$1" bs=1 seek=18 conv=notrunc status=none
}

# began: STATE knows live.db as state 1, and base is the file
began() {
	live "${1:-wal}"
	db-changes --since st --file base live.db out
	db-changes --confirm st
}

@test "the first state is a base: its description, its whole file, and nothing else to apply" {
	live
	state want
	run -0 db-changes --json --since st --file base live.db out
	jq -e '.n == 1 and .base and .pages == 0 and .digest_before == null and .parent == null' <<<"$output"
	cmp base want
	[ "$(zstd -dc out | wc -c)" -eq 0 ]
	[ "$(jq -r .content_hash <<<"$output")" = "$(db-verify -l header --json base | jq -r .content_hash)" ] ||
		db-verify -l header --hash "$(jq -r .content_hash <<<"$output")" base
}

@test "a change is a write-ahead log that SQLite itself applies, byte for byte, with nothing of ours" {
	began
	sqlite3 live.db "UPDATE t SET v='x' WHERE id=7; INSERT INTO t SELECT id+1000, v FROM t"
	run -0 db-changes --json --since st live.db out
	jq -e '.n == 2 and .base == false and .pages > 2' <<<"$output"
	state want
	zstd -qdc out >base-wal
	sqlite3 base 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
	cmp base want
}

@test "db-apply makes the same of it, and its note says which state the file is" {
	began
	cp base newest
	cp out 1
	sqlite3 live.db "UPDATE t SET v='x' WHERE id=7"
	db-changes --since st live.db 2
	db-changes --confirm st
	sqlite3 live.db "DELETE FROM t WHERE id>50"
	sqlite3 live.db VACUUM
	db-changes --since st live.db 3
	state want
	run -0 db-apply --json 1 2 3 newest
	jq -e '.n == 3 and .applied == 2' <<<"$output"
	cmp newest want
	[ "$(jq .is.n newest.note)" = 3 ]
	[ "$(jq -r .is.digest newest.note)" = "$(db-apply --digest newest | sed 's/.* //')" ]
	run -0 db-apply --json 1 2 3 newest
	jq -e '.n == 3 and .applied == 0' <<<"$output"
	run -0 ls -A
	expect 0
	[ "$(ls newest*)" = $'newest\nnewest.lock\nnewest.note' ]
}

@test "-o makes a new file from a base, and leaves the base as it is" {
	began
	cp out 1
	sqlite3 live.db "UPDATE t SET v='x' WHERE id=7"
	db-changes --since st live.db 2
	state want
	cp base kept
	run -0 db-apply --shell -o new 1 2 base
	grep -Fx "n='2'" <<<"$output"
	cmp new want
	cmp base kept
	[ "$(ls -A | grep new)" = $'new\nnew.note' ]
}

@test "nothing changed: nothing is made, and an idle look writes nothing at all" {
	began
	# the connection that wrote is still open, as an application's is
	coproc APP { exec sqlite3 live.db 3>&-; }
	echo "UPDATE t SET v='x' WHERE id=7; SELECT 1;" >&"${APP[1]}"
	read -r _ <&"${APP[0]}"
	db-changes --since st live.db out
	db-changes --confirm st
	rm out
	db-changes --since st live.db out
	run -0 strace -f -o trace db-changes --since st live.db out
	expect 0 'nothing changed'
	[ ! -e out ]
	grep -E '^[0-9]+ +(write|pwrite64|ftruncate|fsync|fdatasync|unlink|rename)' trace >written
	run ! grep -v 'write(1,' written
	exec {APP[1]}>&-
	wait "$APP_PID" || true
}

# looked FILE: SQLite's files that are opened by a look that finds nothing
looked() {
	strace -f -o trace -e trace=openat,openat2 db-changes --since st live.db out
	grep -c 'live.db-wal' trace || true
}

@test "a database that lies still is not even opened, though somebody who only reads has it open" {
	began
	coproc APP { exec sqlite3 live.db 3>&-; }
	echo "SELECT count(*) FROM t;" >&"${APP[1]}"
	read -r _ <&"${APP[0]}"
	[ -e live.db-wal ] && [ ! -s live.db-wal ]
	# a change of this very second could be one after the look
	until [ $(($(date +%s) - $(stat -c %Z live.db))) -ge 3 ]; do sleep .1; done
	db-changes --since st live.db out
	run -0 looked
	expect 0 'nothing changed'
	[ "${lines[-1]}" = 0 ]
	exec {APP[1]}>&-
	wait "$APP_PID" || true
}

@test "what the log tells is what a look at every page finds" {
	began
	coproc APP { exec sqlite3 live.db 3>&-; }
	for i in 1 2 3; do
		echo "UPDATE t SET v='$i' WHERE id%50=$i; SELECT $i;" >&"${APP[1]}"
		read -r _ <&"${APP[0]}"
		db-changes --json --since st live.db quick >quick.json
		db-changes --drop st
		db-changes --full --json --since st live.db full >full.json
		db-changes --confirm st
		[ "$i" = 1 ] || jq -e '.full == false' quick.json
		jq -e '.full and .missed == 0' full.json
		[ "$(jq -r .digest quick.json)" = "$(jq -r .digest full.json)" ]
		zstd -dc quick | cmp - <(zstd -dc full)
	done
	exec {APP[1]}>&-
	wait "$APP_PID" || true
}

@test "a look ends, however fast others write: the log is read as far as it went when the look began" {
	began
	# one commit after the other, until the look is over
	python3 - <<-'END' 3>&- &
		import os, sqlite3, time
		db = sqlite3.connect("live.db", isolation_level=None, timeout=60)
		db.execute("PRAGMA wal_autocheckpoint=0")
		db.execute("PRAGMA synchronous=OFF")
		n = 0
		while not os.path.exists("over"):
		    db.execute("UPDATE t SET v=? WHERE id=?", (str(n), 1 + n % 200))
		    n += 1
		    if n == 50:
		        open("busy", "w").close()
		    # faster than the look reads, and still few until it begins
		    time.sleep(0.01)
	END
	writer=$!
	until [ -e busy ]; do kill -0 "$writer"; done
	run timeout 200 strace -f -o /dev/null -P "$PWD/live.db-wal" -e inject=pread64:delay_exit=10000 \
		db-changes --since st live.db out
	touch over
	wait "$writer"
	[ "$status" -eq 0 ]
}

@test "what is pending stays so until it is confirmed or dropped, and no other look begins" {
	began
	sqlite3 live.db "UPDATE t SET v='x' WHERE id=7"
	db-changes --since st live.db out
	run -75 db-changes --since st live.db out2
	expect 75 'state 2 is pending'
	[ ! -e out2 ]
	eval "$(db-changes --show --shell st)"
	[ "$n/$pending_n" = 1/2 ]
	[ "$pending_object" = "$(dbx_hash out)" ]
	db-changes --drop st
	run -0 db-changes --shell --since st live.db out
	grep -Fx "n='2'" <<<"$output"
	db-changes --confirm --rev 0123 st
	eval "$(db-changes --show --shell st)"
	[ "$n/$rev/$pending_n" = 2/0123/ ]
}

dbx_hash() {
	python3 -c 'import hashlib, sys
d = open(sys.argv[1], "rb").read()
print(hashlib.sha256(b"".join(hashlib.sha256(d[i:i + (4 << 20)]).digest() for i in range(0, len(d), 4 << 20))).hexdigest())' "$1"
}

@test "commits that this host lost are said, with the state that still holds them" {
	began
	coproc APP { exec sqlite3 live.db 3>&-; }
	echo "UPDATE t SET v='x' WHERE id=7; SELECT 1;" >&"${APP[1]}"
	read -r _ <&"${APP[0]}"
	cp live.db-wal short
	echo "UPDATE t SET v='y' WHERE id=8; SELECT 1;" >&"${APP[1]}"
	read -r _ <&"${APP[0]}"
	db-changes --since st live.db out
	db-changes --confirm st
	kill -KILL "$APP_PID"
	wait "$APP_PID" || true
	# a power cut took the end of the log
	cp short live.db-wal
	rm -f live.db-shm
	run -0 --separate-stderr db-changes --shell --since st live.db out
	grep -Fx "lost_after='2'" <<<"$output"
	[[ $stderr == *'this host lost commits' ]]
	state want
	cp base new
	zstd -qdc out >/dev/null
}

@test "in rollback mode a look waits for no longer than its time, and a busy database is said" {
	began delete
	rm out
	coproc APP { exec sqlite3 live.db 3>&-; }
	echo "BEGIN EXCLUSIVE; SELECT 1;" >&"${APP[1]}"
	read -r _ <&"${APP[0]}"
	run -73 db-changes -t 50ms --since st live.db out
	expect 73 'live.db: cannot read: database is locked'
	exec {APP[1]}>&-
	wait "$APP_PID" || true
	[ ! -e out ]
}

@test "STATE is one of ours, and held by one run at a time" {
	live
	sqlite3 other 'CREATE TABLE t(a)'
	run -65 db-changes --since other live.db out
	expect 65 'other: a database, and none of db-changes'
	flock st.lock sleep 100 &
	until [ -e st.lock ] && ! flock -n st.lock true; do :; done
	run -73 db-changes -t 10ms --since st live.db out
	expect 73 'st.lock: held by another process'
	kill $!
	mkfifo pipe.lock
	run -73 timeout 5 db-changes --since pipe live.db out
	expect 73 'pipe.lock: not a regular file'
}

@test "a damaged STATE is put aside and said once, and a base begins anew, whenever the damage is found" {
	live
	echo nonsense nonsense nonsense >torn
	cp torn was
	run -0 db-changes --json --since torn live.db out
	expect 0 'torn: damaged: put aside as torn.damaged, a base begins the chain anew'
	cmp was torn.damaged
	rm out
	db-changes --confirm torn
	# where the hashes are: it is found in the middle of a look, which is none then
	root=$(sqlite3 torn "SELECT rootpage FROM sqlite_schema WHERE name = 'hashes'")
	size=$(sqlite3 torn 'PRAGMA page_size')
	yes damage | dd of=torn bs="$size" count=1 seek=$((root - 1)) conv=notrunc iflag=fullblock status=none
	sqlite3 live.db "INSERT INTO t(v) VALUES ('new')"
	run -75 db-changes --full --since torn live.db out
	expect 75 'torn: damaged: put aside as torn.damaged'
	[ ! -e out ] && [ ! -e torn ]
	run -66 db-changes --no-base --since torn live.db out
	[[ $output != *damaged* ]]
}

@test "what a month's calls and long looks make of the period, and the reason" {
	live
	db-changes --since st live.db out
	db-changes --confirm st
	pace() { db-changes --show --every 1m --shell=p_ "$@" st | grep '^p_wait' | paste -sd' '; }
	[ "$(pace --monthly 20000)" = "p_wait='60s' p_wait_why=''" ]
	# what is made besides counts, too
	db-changes --show --calls 1000 st >/dev/null
	[ "$(sqlite3 st 'SELECT n FROM calls')" = 1002 ]
	sqlite3 st 'UPDATE calls SET n = 20000'
	[[ $(pace --monthly 20000) = "p_wait='"[0-9]*"s' p_wait_why='the month'\''s calls'" ]]
	[ "$(pace)" = "p_wait='60s' p_wait_why=''" ]
	sqlite3 st 'CREATE TABLE IF NOT EXISTS took (one INTEGER PRIMARY KEY, ms); INSERT OR REPLACE INTO took VALUES (1, 10000)'
	[ "$(pace)" = "p_wait='100s' p_wait_why='long looks'" ]
	# until one does not
	sqlite3 live.db "INSERT INTO t(v) VALUES ('new')"
	db-changes --full --since st live.db out
	[ "$(pace)" = "p_wait='60s' p_wait_why=''" ]
}

@test "sources that are no databases are refused before SQLite sees them" {
	: >empty
	run -65 db-changes --since st empty out
	echo text text text text text >text
	run -65 db-changes --since st text out
	run -66 db-changes --since st missing out
	mkfifo pipe
	run -66 timeout 5 db-changes --since st pipe out
}

@test "a database that is named in the wrong place is not written over, and neither is what SQLite keeps beside it" {
	began
	ln live.db hard
	ln -s live.db soft
	cp live.db another
	cp live.db .unfinished.new
	cp live.db used
	touch live.db-wal used-wal
	cp out change
	cp base .x.applied
	touch .x.applied.note
	cp out .y.applied
	cp base .z.applied-next
	cp base z.note
	cp out .z.applied-wal
	cp out .z.applied.note
	cp base b
	cp out b-next
	files() { ls -lA --time-style=full-iso | grep -v '^total\|\(files\|sums\|lock\)$'; }
	files >files
	sha256sum live.db another used st change .x.* .y.* .z.* z.note b b-next >sums
	local rows=0
	while IFS='~' read -r args code message; do
		eval "run $args"
		expect "$code" "$message"
		sha256sum --quiet -c sums
		diff files <(files)
		rows=$((rows + 1))
	done <<'TABLE'
db-changes --since st live.db live.db~64~live.db and live.db are the same file
db-changes --since st live.db hard~64~live.db and hard are the same file
db-changes --since st live.db soft~64~live.db and soft are the same file
db-changes --since st live.db live.db-wal~64~SQLite keeps files of its own under names in -wal
db-changes --since st .unfinished.new unfinished~64~.unfinished.new: is the name for the unfinished unfinished
db-changes --since st live.db another~73~another: is a database, and is not replaced
db-changes --since st live.db st~73~st: is a database, and is not replaced
db-changes --since live.db live.db out2~64~live.db and live.db are the same file
db-changes --since live.db-shm live.db out2~64~SQLite keeps files of its own under names in -shm
db-changes --since st --file live.db live.db out2~64~live.db and live.db are the same file
db-changes --since st --file soft live.db out2~64~live.db and soft are the same file
db-changes --since st --file live.db-journal live.db out2~64~SQLite keeps files of its own under names in -journal
db-changes --since st --file st live.db out2~64~st and st are the same file
db-changes --since st --file used live.db out2~73~used: has a -wal beside it
db-changes --append another --show st~73~another: cannot be appended to: has other than JSON objects
db-apply -o base change base~64~base and base are the same file
db-apply -o change change base~64~change and change are the same file
db-apply -o live.db change base~73~live.db: has a -wal beside it
db-apply -o x-wal change base~64~SQLite keeps files of its own under names in -wal
db-apply -o x change .x.applied~64~.x.applied: is the name for the unfinished x
db-apply -o y .y.applied base~64~.y.applied: is the name for the unfinished y
db-apply -o z change .z.applied-next~64~.z.applied-next: is the name for the unfinished z
db-apply -o z change z.note~64~z.note: is the name for the unfinished z
db-apply -o z .z.applied-wal base~64~.z.applied-wal: is the name for the unfinished z
db-apply -o z .z.applied.note base~64~.z.applied.note: is the name for the unfinished z
db-apply b-next b~64~b-next: is the name for the unfinished b
TABLE
	[ "$rows" -eq 26 ]
}

@test "a -shm that the application could not use is not made" {
	needs_root 'to become others'
	chmod 711 "$BATS_RUN_TMPDIR" .. .
	live
	mkdir d o
	mv live.db d
	chown -R 1234:2345 d
	chmod 777 d o
	chmod 660 d/live.db
	as_another() { setpriv --reuid 65534 --regid 65534 --groups 2345 "$@"; }
	run -77 as_another db-changes --since o/st d/live.db o/out
	expect 77 '^db-changes: d/live.db: the -shm that reading it makes would be of group 65534'
	[ "$(ls -A d)" = live.db ]
	chmod 640 d/live.db
	run -77 as_another db-changes --since o/st d/live.db o/out
	expect 77 '^db-changes: d/live.db: belongs to another user'
	chmod 660 d/live.db
	chmod g+s d
	run -0 as_another db-changes --since o/st d/live.db o/out
	[ "$(ls -A d)" = live.db ]
}

@test "a wrong command line is 64" {
	run -64 db-changes live.db out
	run -64 db-changes --confirm --drop st
	run -64 db-changes --since st live.db
	run -64 db-changes --since st -n 0 live.db out
	run -64 db-changes --since st --parent abc live.db out
}

# Hostile writers, in every journal mode, at any page size: each state is compared with what SQLite makes of the file and
# its log at rest, by way of the object and SQLite alone, and by db-apply in batches.
@test "a stress of writers, checkpoints, VACUUMs and page sizes: every state is the database's own, byte for byte" {
	# some thousand syncs, of which none matters here
	STRESS=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
	cd "$STRESS"
	run -0 python3 "$ROOT/tests/changes.py" 1 "${CHANGES_ROUNDS:-40}"
	expect 0 '^[1-9][0-9]* states compared'
	echo "# $output" >&3
}

@test "looks while writers go on: each state is one that the database had during the look, byte for byte" {
	STRESS=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
	cd "$STRESS"
	run -0 timeout 600 python3 "$ROOT/tests/stress.py" 1 "${STRESS_LOOKS:-32}"
	expect 0 '^[1-9][0-9]* looks, [1-9][0-9]* states'
	echo "# ${lines[0]}" >&3
}

@test "a look leaves the disk, which may be the application's, as it was where it has no room for it" {
	needs_root 'to mount a small file system'
	may_mount
	sqlite3 a.db "CREATE TABLE t (x); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
		INSERT INTO t SELECT randomblob(100000) FROM n" >/dev/null
	mkdir small
	small() {
		unshare -m sh -c 'size=$1 && shift && mount -t tmpfs -o size="$size" none small && "$@"; echo $?; ls -A small' sh "$@"
	}
	run small 1m db-changes --file small/whole --since st a.db out
	expect 0 'small/whole: needs 5888 KiB, 1024 KiB are free'
	[ "${lines[1]}" = 74 ]
	[ "${#lines[@]}" -eq 2 ]
	# what is long leaves something free, and the disk begins early
	strace -qq -o trace -e trace=sync_file_range db-changes --file whole --since st a.db out
	[ "$(grep -c '4194304, SYNC_FILE_RANGE_WRITE) = 0' trace)" -eq 1 ]
	db-changes --confirm st
	sqlite3 a.db 'UPDATE t SET x = randomblob(100000)'
	run small 32m db-changes --since st a.db small/out
	expect 0 'small/out: needs 64.*, .* are free'
	[ "${lines[1]}" = 74 ]
	[ "${#lines[@]}" -eq 2 ]
	[ "$(db-changes --show --json st | jq -r .n)" = 1 ]
	db-changes --since st a.db out
}
