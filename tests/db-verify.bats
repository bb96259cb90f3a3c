load helper

setup() {
	cd "$BATS_TEST_TMPDIR"
	sqlite3 good.db <<-SQL
		PRAGMA page_size = 1024;
		CREATE TABLE spots (id INTEGER PRIMARY KEY, code TEXT NOT NULL, amount REAL CHECK (amount < 1000));
		CREATE UNIQUE INDEX spots_code ON spots (code);
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
		INSERT INTO spots SELECT i, 'code' || i, i % 100 FROM n;
	SQL
}

# poke FILE OFFSET HEX: writes bytes
poke() {
	printf '%b' "$(sed 's/../\\x&/g' <<<"$3")" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# edit SQL: a copy of the good database with the schema or rows changed behind SQLite's back
edit() {
	cp good.db bad.db
	sqlite3 -cmd '.dbconfig defensive off' bad.db "PRAGMA writable_schema = ON; $1"
}

# root NAME: offset of its root page
root() {
	echo $((($(sqlite3 -readonly "${2:-good.db}" "SELECT rootpage FROM sqlite_schema WHERE name = '$1'") - 1) * 1024))
}

verdict() {
	status_wanted=$1 text=$2
	shift 2
	run db-verify "$@"
	expect "$status_wanted" "^DBVERIFY $text"
	[ "${#lines[@]}" -eq 1 ]
}

@test "a sound database is OK at each level, in one line of the plugin form" {
	for level in header quick full; do
		verdict 0 "OK: good.db: $level, [0-9]+ pages, 0 errors, [0-9.]+ s \| 'time'=[0-9.]+s;;;0 'errors'=0;;0;0 'size'=[0-9]+B;;;0$" -l $level good.db
	done
}

@test "the default level is quick" {
	verdict 0 'OK: good.db: quick' good.db
}

@test "--json is one object with what the scripts read" {
	run db-verify --json -l full --hash "$(hash_of good.db)" good.db
	expect 0
	jq -e '.check == "db-verify" and .object == "good.db" and .state == "ok" and .ok == true and
		.level == "full" and .page_size == 1024 and .pages * 1024 == .size_bytes and .errors == 0 and
		(.content_hash | length) == 64 and .seconds >= 0' <<<"$output"
	run db-verify --json good.db
	jq -e '.content_hash == null and .not_judged == [] and .not_judged_count == 0' <<<"$output"
}

# the content_hash of a file of less than 4 MiB
hash_of() {
	openssl dgst -sha256 -binary "$1" | openssl dgst -sha256 -r | cut -d ' ' -f 1
}

@test "another content_hash is CRITICAL, and nothing is judged after it" {
	verdict 2 "CRITICAL: good.db: content_hash is $(hash_of good.db), wanted 0{64}" \
		--hash "$(printf '%064d' 0)" --table nowhere good.db
}

@test "files that are no database are CRITICAL, whatever SQLite would say of them" {
	: >empty
	echo '<!DOCTYPE html><title>502</title>' >html
	head -c 100000 /dev/zero >zeros
	head -c 100 good.db >header-only
	head -c 99 good.db >short
	head -c $(($(stat -c %s good.db) - 1024)) good.db >truncated
	head -c $(($(stat -c %s good.db) - 1)) good.db >torn
	cp good.db trailing-byte && echo >>trailing-byte
	cp good.db trailing-page && head -c 1024 /dev/zero >>trailing-page
	gzip -c good.db >packed
	for level in header quick full; do
		verdict 2 'CRITICAL: empty: empty file' -l $level empty
		verdict 2 'CRITICAL: html: not a SQLite database' -l $level html
		verdict 2 'CRITICAL: zeros: not a SQLite database' -l $level zeros
		verdict 2 'CRITICAL: header-only: ' -l $level header-only
		verdict 2 'CRITICAL: short: 99 bytes are too short' -l $level short
		verdict 2 'CRITICAL: truncated: [0-9]+ pages in the header, [0-9]+ in the file' -l $level truncated
		verdict 2 'CRITICAL: torn: [0-9]+ bytes are no whole number of 1024-byte pages' -l $level torn
		verdict 2 'CRITICAL: trailing-byte: ' -l $level trailing-byte
		verdict 2 'CRITICAL: trailing-page: [0-9]+ pages in the header, [0-9]+ in the file' -l $level trailing-page
		verdict 2 'CRITICAL: packed: not a SQLite database' -l $level packed
	done
}

@test "a directory, a device and a pipe are not opened for long" {
	mkfifo pipe
	verdict 2 'CRITICAL: \.: not a regular file' .
	verdict 2 'CRITICAL: /dev/null: not a regular file' /dev/null
	verdict 2 'CRITICAL: pipe: not a regular file' pipe
	run db-verify /dev/stdin < <(cat good.db)
	expect 2 'CRITICAL: /dev/stdin: not a regular file'
	cp good.db gone.db
	exec 9<gone.db
	rm gone.db
	verdict 3 'UNKNOWN: /dev/fd/9: not judged: it has no name any more' /dev/fd/9
	exec 9<&-
}

@test "a missing file is CRITICAL, one that cannot be reached UNKNOWN" {
	verdict 2 'CRITICAL: nix.db: missing' nix.db
	verdict 2 'CRITICAL: good.db/nix.db: missing' good.db/nix.db
	ln -s loop loop
	verdict 3 'UNKNOWN: loop: cannot open' loop
}

@test "a symbolic link is followed" {
	ln -s good.db link.db
	verdict 0 'OK: link.db' link.db
}

@test "names with a meaning in a URI are names" {
	for name in 'a?mode=memory.db' 'b#c.db' 'd%41.db' 'e f.db' '--g.db'; do
		cp good.db "./$name"
		run db-verify -- "$name"
		expect 0 '^DBVERIFY OK'
	done
}

@test "a wrong but valid database is CRITICAL by its size and its tables" {
	verdict 0 OK --min-size 1K --table spots --table SPOTS:500 good.db
	verdict 2 "CRITICAL: good.db: [0-9]+ bytes, wanted at least 104857600" --min-size 100M good.db
	verdict 2 'CRITICAL: good.db: no table rates' --table spots:1 --table rates good.db
	verdict 2 'CRITICAL: good.db: table spots has 500 rows, wanted 501' --table spots:501 good.db
	sqlite3 other.db 'CREATE VIEW spots AS SELECT 1; CREATE TABLE "a:1" (x)'
	verdict 2 'CRITICAL: other.db: no table spots' --table spots other.db
	verdict 0 OK --table a:1:0 other.db
	verdict 2 'CRITICAL: good.db: no table rates' -l header --table rates good.db
}

@test "a page of zeros is found by quick and full" {
	cp good.db bad.db
	dd if=/dev/zero of=bad.db bs=1024 seek=5 count=1 conv=notrunc status=none
	for level in quick full; do verdict 2 CRITICAL -l $level bad.db; done
	verdict 0 OK -l header bad.db
}

@test "an index that disagrees with its table is found by full" {
	# the same table without its index in the schema, changed, and the index back
	cp good.db bad.db
	sqlite3 -cmd '.dbconfig defensive off' bad.db <<-SQL
		PRAGMA writable_schema = ON;
		CREATE TEMP TABLE was AS SELECT * FROM sqlite_schema WHERE name = 'spots_code';
		DELETE FROM sqlite_schema WHERE name = 'spots_code';
		PRAGMA writable_schema = RESET;
		DELETE FROM spots WHERE id = 77;
		PRAGMA writable_schema = ON;
		INSERT INTO sqlite_schema SELECT * FROM was;
	SQL
	[ "$(sqlite3 -readonly bad.db 'PRAGMA integrity_check(1)')" != ok ]
	verdict 2 'CRITICAL: bad.db: index spots_code: 1 entry belongs to no row' -l full bad.db
}

@test "a NULL in a NOT NULL column is damage; a failed CHECK is a doubt, for the application may compute it otherwise" {
	edit "UPDATE sqlite_schema SET sql = replace(sql, '< 1000', '< 99') WHERE name = 'spots'"
	for level in quick full; do
		verdict 1 'WARNING: bad.db: table spots: 5 rows fail a CHECK constraint as SQLite [0-9.]+ computes it \(amount < 99\)' -l $level bad.db
	done
	edit "UPDATE sqlite_schema SET sql = replace(sql, ' NOT NULL', '') WHERE name = 'spots'"
	sqlite3 -cmd '.dbconfig defensive off' bad.db "UPDATE spots SET code = NULL WHERE id = 5; PRAGMA writable_schema = ON;
		UPDATE sqlite_schema SET sql = replace(sql, 'code TEXT', 'code TEXT NOT NULL') WHERE name = 'spots'"
	for level in quick full; do verdict 2 'CRITICAL: bad.db: table spots: 1 NULL in a NOT NULL column \(column code, row 5\)' -l $level bad.db; done
}

@test "a log or a hot journal beside a clean file is a WARNING and stays untouched" {
	cp good.db wal.db && echo frames >wal.db-wal
	verdict 1 'WARNING: wal.db: a write-ahead log lies beside it' wal.db
	[ "$(cat wal.db-wal)" = frames ] && [ ! -e wal.db-shm ]
	cp good.db hot.db && echo pages >hot.db-journal
	verdict 1 'WARNING: hot.db: a rollback journal lies beside it' -l full hot.db
	[ "$(cat hot.db-journal)" = pages ]
	ln -s wal.db link.db
	verdict 1 'WARNING: link.db: a write-ahead log' link.db
}

# spilled FILE SQL: its writer is killed in the middle of a transaction that has reached the file already
spilled() {
	python3 - "$@" <<-'PY'
		import os, sqlite3, sys
		c = sqlite3.connect(sys.argv[1], isolation_level=None)
		c.executescript("PRAGMA cache_size = 5; BEGIN; " + sys.argv[2])
		os._exit(0)
	PY
}

# half_checkpointed FILE: the first page of its log is in the file, which is as far as the checkpoint came
half_checkpointed() {
	python3 - "$1" <<-'PY'
		import os, sqlite3, struct, sys
		db = sys.argv[1]
		c = sqlite3.connect(db, isolation_level=None)
		c.executescript("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; UPDATE spots SET code = 'x' || code || hex(randomblob(60))")
		log, page = open(db + "-wal", "rb").read(), 1024
		last = {}
		for at in range(32, len(log), page + 24):
		    last[struct.unpack(">I", log[at:at + 4])[0]] = log[at + 24:at + 24 + page]
		f = open(db, "r+b")
		f.write(last[1])
		f.flush()
		os._exit(0)
	PY
	rm -f "$1-shm"
}

@test "a file that is whole only with what an ended application left beside it is not called damaged, before that is put in order" {
	cp good.db hot.db
	spilled hot.db "UPDATE spots SET code = 'x' || code || hex(randomblob(60)); DELETE FROM spots WHERE id % 3 = 0"
	cp good.db log.db
	half_checkpointed log.db
	sha256sum hot.db* log.db* >sums
	for level in header quick full; do
		verdict 3 'UNKNOWN: hot.db: not judged: a rollback journal lies beside it, without which it is no whole database: ' -l $level hot.db
		verdict 3 'UNKNOWN: log.db: not judged: a write-ahead log lies beside it, without which it is no whole database: ' -l $level log.db
	done
	sha256sum --quiet -c sums
	# what its bytes are does not depend on that, and what is no journal is none
	cp log.db-wal good.db-wal
	verdict 2 'CRITICAL: good.db: content_hash' -l header --hash "$(printf %064d 0)" good.db
	cp hot.db torn.db
	echo pages >torn.db-journal
	head -c 5000 /dev/zero >torn.db-wal
	verdict 2 'CRITICAL: torn.db: ' torn.db
	cp log.db-wal torn.db-wal
	poke torn.db-wal 60 00
	verdict 2 'CRITICAL: torn.db: ' torn.db
	head -c 2048 /dev/urandom >page.db
	cp hot.db-journal page.db-journal
	verdict 2 'CRITICAL: page.db: not a SQLite database' page.db
	for db in hot.db log.db; do
		db-install --settle $db
		verdict 0 "OK: $db" -l full $db
	done
}

@test "an empty log and a journal with a zeroed header are none" {
	cp good.db calm.db && : >calm.db-wal && head -c 512 /dev/zero >calm.db-journal
	verdict 0 'OK: calm.db' calm.db
}

@test "a WAL-mode database is judged without making side files" {
	sqlite3 good.db 'PRAGMA journal_mode = WAL' >/dev/null
	verdict 0 OK -l full good.db
	[ "$(echo good.db*)" = good.db ]
}

@test "the file's bytes and times are left alone" {
	touch -d @1000000000 good.db
	before=$(stat -c '%Y %s' good.db; cksum <good.db)
	db-verify -l full good.db
	[ "$(stat -c '%Y %s' good.db; cksum <good.db)" = "$before" ]
}

@test "a deadline that has passed is UNKNOWN" {
	verdict 3 'UNKNOWN: good.db: not finished within the time allowed' --timeout 0 -l full good.db
}

@test "a sound file whose reading ends in the middle of a page is UNKNOWN, never damaged" {
	sqlite3 good.db "WITH RECURSIVE n (i) AS (SELECT 501 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
		INSERT INTO spots SELECT i, 'code' || i || hex(randomblob(40)), 1 FROM n"
	for level in quick full; do
		for ((ms = 1; ms <= 20; ms++)); do
			run db-verify -j 4 --timeout ${ms}ms -l $level good.db
			[[ $output == 'DBVERIFY OK: '* || $output == 'DBVERIFY UNKNOWN: good.db: not finished within the time allowed '* ]]
		done
	done
}

# one call of a function of SQLite's that would take hours, for a limit, a signal and another file behind it
@test "the time allowed and a signal hold inside of one call of SQLite as well" {
	python3 - endless.db <<-'PY'
		import sqlite3, sys
		c = sqlite3.connect(sys.argv[1])
		c.execute("CREATE TABLE t (a, b, CHECK (instr(a, b) = 0))")
		c.execute("PRAGMA ignore_check_constraints = 1")
		c.execute("INSERT INTO t VALUES (?, ?)", ("a" * 6000000, "a" * 3000000 + "b"))
		c.commit()
	PY
	run timeout -s KILL 30 db-verify --timeout 200ms --json endless.db good.db
	expect 3
	jq -es 'length == 2 and all(.state == "unknown" and .text == (.object + ": not finished within the time allowed (quick)"))' <<<"$output"

	db-verify -j 1 endless.db >said 3>&- &
	pid=$!
	# what it has read is more than the whole file: that one call has begun
	until [ "$(sed -n 's/^rchar: //p' /proc/$pid/io)" -gt "$(stat -c %s endless.db)" ]; do
		kill -0 $pid
		sleep 0.02
	done
	kill $pid
	timeout 60 tail -s 0.1 --pid=$pid -f /dev/null || kill -s KILL $pid
	status=0
	wait $pid || status=$?
	output=$(cat said)
	expect 3 '^DBVERIFY UNKNOWN: endless.db: interrupted before the end of the check'
}

@test "of several files each has its line, and the worst decides" {
	: >empty
	run db-verify good.db empty
	expect 2 '^DBVERIFY CRITICAL: empty'
	[ "${#lines[@]}" -eq 2 ]
}

@test "a trigger, a view and an unknown virtual table in the schema run nothing" {
	sqlite3 good.db 'CREATE VIEW v AS SELECT load_extension(code) FROM spots;
		CREATE TRIGGER t AFTER INSERT ON spots BEGIN SELECT load_extension(new.code); END;'
	sqlite3 -cmd '.dbconfig defensive off' good.db "PRAGMA writable_schema = ON; INSERT INTO sqlite_schema
		VALUES ('table', 'ghost', 'ghost', 0, 'CREATE VIRTUAL TABLE ghost USING nosuch(x)')"
	verdict 0 OK -l full --table spots:1 good.db
}

# what happens with a wrong command line: nothing on standard output, UNKNOWN
@test "a wrong command line is UNKNOWN with the reason" {
	local rows=0
	while IFS='|' read -r args reason; do
		# shellcheck disable=SC2086  # words
		run --separate-stderr db-verify $args
		[ "$status" -eq 3 ] && [ -z "$output" ]
		grep -q -- "^db-verify: .*$reason" <<<"$stderr" || { echo "$args: $stderr"; false; }
		rows=$((rows + 1))
	done <<-TABLE
		|no DB given
		-l|needs
		-l deep good.db|deep: not header or quick or full
		-l Full good.db|Full: not header
		--level= good.db|not header
		--min-size x good.db|not a size
		--min-size -1 good.db|not a size
		--min-size 1KB good.db|not a size
		--min-size 9999999999999G good.db|too large
		--table :5 good.db|no name
		--table spots: good.db|number of rows
		--table spots:x good.db|number of rows
		--table spots:-1 good.db|number of rows
		--hash abc good.db|not a content_hash
		--hash $(printf '%064d' 0 | tr 0 A) good.db|not a content_hash
		--timeout soon good.db|not a duration
		--timeout -5 good.db|not a duration
		-j 0 good.db|too small
		-j 65 good.db|too large
		-j two good.db|not a number
		-x good.db|-x
		--full good.db|--full
		--json=yes good.db|--json
	TABLE
	[ "$rows" -ge 20 ]
}

@test "help and version are answers" {
	run --separate-stderr db-verify --help
	[ "$status" -eq 0 ] && [ -z "$stderr" ]
	run --separate-stderr db-verify -V
	[ "$status" -eq 0 ] && [[ $output == 'db-verify '* ]]
}
