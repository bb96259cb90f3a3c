# db-verify on every kind of database there is, and its bounds: sound ones are OK, each kind of damage is named

load helper
load verdict

setup() {
	# many small files: in memory where there is such a place
	dir=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d -p "$BATS_TEST_TMPDIR")
	cd "$dir"
}

teardown() {
	rm -rf "$dir"
}

# sound DB: SQLite and we say so, at both levels, with one thread and with several
sound() {
	[ "$(sqlite3 -readonly "$1" 'PRAGMA integrity_check')" = ok ]
	for jobs in 1 3; do
		verdict 0 OK -j $jobs "$1"
		verdict 0 OK -j $jobs -l full "$1"
	done
}

# schema DB OLD NEW: another text in the schema, the rows stay
schema() {
	sqlite3 -bail -cmd '.dbconfig defensive off' "$1" "PRAGMA writable_schema = ON;
		UPDATE sqlite_schema SET sql = replace(sql, '$2', '$3')"
}

# peak ARG...: db-verify takes at most the 64 MiB that the page promises
peak() {
	status=0
	output=$(/usr/bin/time -o peak -f %M db-verify "$@" 2>&1) || status=$?
	# the sanitizers bring memory of their own
	[ -n "${SANITIZE-}" ] || [ "$(tail -n 1 peak)" -le 65536 ] || { echo "$* took $(tail -n 1 peak) KiB"; return 1; }
}

# Rows i = 1..300 of SQL's choice: rows 'EXPRESSIONS' [TABLE]
rows() {
	echo "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO ${2-t} SELECT $1 FROM n;"
}

# place ROW ENTRIES ROWS: what is told of the first difference; of a table without rowids there is no number to tell
place() {
	if [ "$kind" = 'without rowid' ]; then echo "$2 entries for $3 rows"; else echo "row $1"; fi
}

# What an index holds of an expression, and which rows a partial one has, is what SQLite computes: that is doubted. What
# else is in an entry, and that there is one for each row and a row for each, is not.
@test "every kind of index: sound is OK, a lost, a changed and a left-over entry are named" {
	local kind pragmas sql n=0 doubt="1 WARNING: t.db: index ix: 1 entry is not what SQLite [0-9.]+ computes"
	while IFS='|' read -r kind pragmas sql; do
		n=$((n + 1))
		echo "# $kind"
		rm -f t.db
		sqlite3 -bail t.db "$pragmas; CREATE TABLE $sql; $(rows "i, 'Key' || (i * 7919 % 301) || substr('   ', 1, i % 4), i % 17 * 0.5" "t (id, a, b)")"
		sound t.db
		cp t.db sound.db
		hide t.db ix "INSERT INTO t (id, a, b) VALUES (1000, 'Key new', 80)"
		lost="2 CRITICAL: t.db: index ix: 1 row is missing from it \($(place 1000 300 301)\)"
		changed='2 CRITICAL: t.db: index ix: 1 row is missing from it .*and 1 more errors'
		case $kind in
		partial) lost=$doubt changed='2 CRITICAL: t.db: index ix: 1 entry belongs to no row \(row 299\)' ;;
		expression | generated) changed=$doubt ;;
		esac
		verdict "${lost%% *}" "${lost#* }" -l full t.db
		cp sound.db t.db
		hide t.db ix "DELETE FROM t WHERE id = 299"
		verdict 2 "CRITICAL: t.db: index ix: 1 entry belongs to no row \($(place 299 300 299)\)" -l full t.db
		cp sound.db t.db
		hide t.db ix "UPDATE t SET a = a || 'x', b = b + 100 WHERE id = 299"
		verdict 0 OK t.db
		verdict "${changed%% *}" "${changed#* }" -l full t.db
		[ "$(sqlite3 -readonly t.db 'PRAGMA integrity_check(1)')" != ok ]
	done <<-KINDS
		plain||t (id INTEGER PRIMARY KEY, a TEXT, b REAL); CREATE INDEX ix ON t (a, b)
		descending||t (id INTEGER PRIMARY KEY, a TEXT, b REAL); CREATE INDEX ix ON t (b DESC, a DESC)
		without case||t (id INTEGER PRIMARY KEY, a TEXT COLLATE NOCASE, b REAL); CREATE INDEX ix ON t (a)
		without spaces||t (id INTEGER PRIMARY KEY, a TEXT, b REAL); CREATE INDEX ix ON t (a COLLATE RTRIM DESC)
		unique||t (id INTEGER PRIMARY KEY, a TEXT, b REAL); CREATE UNIQUE INDEX ix ON t (a, id)
		partial||t (id INTEGER PRIMARY KEY, a TEXT, b REAL); CREATE INDEX ix ON t (a) WHERE id > 290 AND b IS NOT NULL
		expression||t (id INTEGER PRIMARY KEY, a TEXT, b REAL); CREATE INDEX ix ON t (lower(a), b * 2 DESC)
		generated||t (id INTEGER PRIMARY KEY, a TEXT, b REAL, v AS (a || b)); CREATE INDEX ix ON t (v)
		generated and stored||t (id INTEGER PRIMARY KEY, a TEXT, b REAL, s TEXT AS (a || b) STORED); CREATE INDEX ix ON t (s)
		without rowid||t (id INT, a TEXT, b REAL, PRIMARY KEY (b DESC, id)) WITHOUT ROWID; CREATE INDEX ix ON t (a)
		strict||t (id INTEGER PRIMARY KEY, a TEXT, b REAL) STRICT; CREATE INDEX ix ON t (b, a)
		UTF-16le|PRAGMA encoding = 'UTF-16le'|t (id INTEGER PRIMARY KEY, a TEXT, b REAL); CREATE INDEX ix ON t (a COLLATE NOCASE)
		UTF-16be|PRAGMA encoding = 'UTF-16be'|t (id INTEGER PRIMARY KEY, a TEXT, b REAL); CREATE INDEX ix ON t (a, lower(a))
		auto_vacuum full|PRAGMA auto_vacuum = FULL|t (id INTEGER PRIMARY KEY, a TEXT, b REAL); CREATE INDEX ix ON t (a)
		auto_vacuum incremental|PRAGMA auto_vacuum = INCREMENTAL|t (id INTEGER PRIMARY KEY, a TEXT, b REAL); CREATE INDEX ix ON t (a)
		pages of 512|PRAGMA page_size = 512|t (id INTEGER PRIMARY KEY, a TEXT, b REAL); CREATE INDEX ix ON t (a)
		pages of 65536|PRAGMA page_size = 65536|t (id INTEGER PRIMARY KEY, a TEXT, b REAL); CREATE INDEX ix ON t (a)
	KINDS
	[ "$n" -eq 17 ]
}

@test "no table, an empty table, one row, full-text and spatial indexes are OK; their shadow tables are looked at" {
	sqlite3 none.db 'CREATE TABLE t (a); DROP TABLE t'
	sqlite3 empty.db 'CREATE TABLE t (a PRIMARY KEY, b UNIQUE); CREATE TABLE w (a PRIMARY KEY) WITHOUT ROWID'
	sqlite3 one.db 'CREATE TABLE t (a PRIMARY KEY); INSERT INTO t VALUES (1)'
	sqlite3 text.db "CREATE VIRTUAL TABLE t USING fts5 (a); $(rows "'word ' || i || ' ' || i % 9")"
	sqlite3 space.db "CREATE VIRTUAL TABLE t USING rtree (id, x0, x1); $(rows 'i, i, i + 1')"
	for db in none empty one text space; do sound $db.db; done

	for shadow in text:t_idx space:t_node; do
		db=${shadow%:*}.db
		root=$(sqlite3 -readonly "$db" "SELECT (rootpage - 1) * 4096 FROM sqlite_schema WHERE name = '${shadow#*:}'")
		dd if=/dev/zero of="$db" bs=1 seek="$root" count=8 conv=notrunc status=none
		for level in quick full; do
			verdict 2 "CRITICAL: $db: table ${shadow#*:}: 1 malformed page" -l $level "$db"
		done
	done
}

# since SQLite 3.44 its check looks into them
@test "full-text and spatial indexes are checked by a library that can, and said to be unseen by one that cannot" {
	sqlite3 text5.db "CREATE VIRTUAL TABLE t USING fts5 (a, content); $(rows "'word ' || i || ' ' || i % 9, 'x'")"
	sqlite3 text4.db "CREATE VIRTUAL TABLE t USING fts4 (a); $(rows "'word ' || i || ' ' || i % 9")"
	sqlite3 space.db "CREATE VIRTUAL TABLE t USING rtree (id, x0, x1); $(rows 'i, i, i + 1')"
	# its content may change without it: an application's own affair
	sqlite3 else.db "CREATE TABLE c (a); CREATE VIRTUAL TABLE t USING fts4 (content=\"c\", a); $(rows "'word ' || i" c) INSERT INTO t (t) VALUES ('rebuild')"
	sqlite3 own.db "CREATE VIRTUAL TABLE t USING fts5 (a); $(rows "'word ' || i")"
	for db in text5 text4 space else own; do sound $db.db; done
	sqlite3 -cmd '.dbconfig defensive off' text5.db "UPDATE t_content SET c0 = 'other words' WHERE rowid = 7"
	sqlite3 -cmd '.dbconfig defensive off' text4.db "UPDATE t_content SET c0a = 'other words' WHERE rowid = 7"
	sqlite3 -cmd '.dbconfig defensive off' space.db 'DELETE FROM t_rowid WHERE rowid = 5'
	sqlite3 else.db "UPDATE c SET a = 'other words' WHERE rowid = 7"
	# a tokenizer of the application's own
	schema own.db 'fts5 (a)' 'fts5 (a, tokenize = klingon)'
	for db in text5 text4 space else own; do
		run db-verify -v -l full $db.db
		case $(sqlite3 :memory: 'SELECT sqlite_version()')-$db in
		3.4[0-3].*) expect 0 "^db-verify: table t: SQLite 3.4[0-9.]+ does not look into its (full-text|spatial) index$" ;;
		*-else) expect 1 '^DBVERIFY WARNING: else.db: table t: 1 finding of SQLite [0-9.]+ alone \(malformed inverted index' ;;
		*-own) expect 1 '^DBVERIFY WARNING: own.db: table t: it demands what SQLite [0-9.]+ does not compute' ;;
		*) expect 2 "^DBVERIFY CRITICAL: $db.db: table t: [0-9]+ malformed records? \\(SQLite: " ;;
		esac
		verdict 0 OK $db.db
	done
	sqlite3 -cmd '.dbconfig defensive off' text4.db "PRAGMA writable_schema = ON; INSERT INTO sqlite_schema VALUES
		('table', 'ghost', 'ghost', 0, 'CREATE VIRTUAL TABLE ghost USING nosuch(x)')"
	run db-verify -v -l full text4.db
	grep -q '^db-verify: table ghost: SQLite [0-9.]* does not look into its module$' <<<"$output"
}

@test "order and uniqueness are those that the schema demands" {
	sqlite3 t.db "CREATE TABLE t (a TEXT, b INT); CREATE INDEX ix ON t (a, b); $(rows "'k' || (i / 2), i")"
	sound t.db
	cp t.db sound.db
	schema t.db 'INDEX ix ON t (a, b)' 'UNIQUE INDEX ix ON t (a)'
	verdict 2 'CRITICAL: t.db: index ix: 1 malformed record|CRITICAL: t.db: index ix: ' -l full t.db
	sqlite3 u.db "CREATE TABLE t (a TEXT); CREATE INDEX ix ON t (a); $(rows "CASE WHEN i % 100 = 0 THEN NULL WHEN i % 100 < 3 THEN 'twin' || (i / 100) ELSE i END")"
	schema u.db 'INDEX ix' 'UNIQUE INDEX ix'
	verdict 2 'CRITICAL: u.db: index ix: 3 entries are not unique' -l full u.db
	cp sound.db d.db
	schema d.db '(a, b)' '(a DESC, b)'
	verdict 2 'CRITICAL: d.db: index ix: 1[0-9]{2} entries out of order' -l full d.db
}

@test "the answer is the same with any number of threads" {
	sqlite3 t.db "PRAGMA page_size = 512; CREATE TABLE t (a TEXT, b); CREATE INDEX ix ON t (a, b);
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
		INSERT INTO t SELECT printf('%08x', i * 2654435761 % 4294967296), i FROM n"
	cp t.db bad.db
	hide bad.db ix "DELETE FROM t WHERE rowid % 1000 = 1; UPDATE t SET a = 'other' WHERE rowid % 5000 = 2"
	db-verify -v -l full -j 1 bad.db 2>&1 | sed 's/ | .*//' >one || true
	grep -q 'index ix: 36 entries belong to no row' one
	for jobs in 2 3 8; do
		verdict 0 OK -l full -j $jobs t.db
		db-verify -v -l full -j $jobs bad.db 2>&1 | sed 's/ | .*//' >many || true
		diff one many
	done
}

# grown DB PAGE_SIZE VACUUM: more than 1 GiB, mostly free pages that take no room on the disk; the tables `behind`
# and its index go on where the lock page is, which nothing may use
grown() {
	sqlite3 "$1" "PRAGMA page_size = $2; PRAGMA auto_vacuum = $3; CREATE TABLE before (a, b UNIQUE);
		CREATE TABLE behind (id INTEGER PRIMARY KEY, a TEXT); CREATE INDEX behind_a ON behind (a); $(rows 'i, i' before)"
	pages=$(($(stat -c %s "$1") / $2)) lock=$((0x40000000 / $2 + 1))
	python3 - "$1" "$2" $((lock - 3)) <<-'PY'
		import struct, sys
		with open(sys.argv[1], "r+b") as f:
		    f.truncate(int(sys.argv[2]) * int(sys.argv[3]))
		    f.seek(28)
		    f.write(struct.pack(">I", int(sys.argv[3])))
	PY
	sqlite3 "$1" "PRAGMA journal_mode = OFF; WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)
		INSERT INTO behind SELECT i, printf('key%08x%040d', i * 2654435761 % 4294967296, i) FROM n" >/dev/null
	python3 - "$1" "$2" "$pages" $((lock - 3)) "$3" <<-'PY'
		import struct, sys
		size, have, last = map(int, sys.argv[2:5])
		group = size // 5 + 1 if sys.argv[5] != "NONE" else 0
		is_map = lambda n: group and (n - 2) % group == 0
		free = [n for n in range(have + 1, last + 1) if not is_map(n)]
		with open(sys.argv[1], "r+b") as f:
		    each, at, before = size // 4 - 2, 0, 0
		    while at < len(free):
		        trunk, leaves = free[at], free[at + 1:at + 1 + each]
		        f.seek((trunk - 1) * size)
		        f.write(struct.pack(">II%dI" % len(leaves), before, len(leaves), *leaves))
		        at, before = at + 1 + len(leaves), trunk
		    f.seek(32)
		    f.write(struct.pack(">II", before, len(free)))
		    for n in free if group else []:
		        mapped = n - (n - 2) % group
		        f.seek((mapped - 1) * size + 5 * (n - mapped - 1))
		        f.write(b"\2\0\0\0\0")
	PY
	[ "$(stat -c %s "$1")" -gt $((0x40000000 + $2)) ]
}

# In pages of 1024 bytes the page behind the lock page is a pointer map that would lie on it.
@test "over 1 GiB: the lock page is nobody's, what lies behind it is looked at, in bounded memory" {
	for kind in 512:NONE 1024:FULL 4096:NONE 65536:NONE; do
		size=${kind%:*}
		rm -f big.db
		grown big.db "$size" "${kind#*:}"
		[ "$(sqlite3 -readonly big.db 'PRAGMA quick_check')" = ok ]
		peak big.db
		expect 0 '^DBVERIFY OK'
		peak -l full big.db
		expect 0 '^DBVERIFY OK'

		# one letter of a text behind the lock page, in the table or in the index
		at=$(tail -c +$((0x40000000 + size + 1)) big.db | grep -abo 'key[0-9a-f]*' | tail -n 1 | cut -d : -f 1)
		printf K | dd of=big.db bs=1 seek=$((0x40000000 + size + at)) conv=notrunc status=none
		verdict 0 OK big.db
		verdict 2 'CRITICAL: big.db: index behind_a: ' -l full big.db
		# a page there, and the lock page itself as if it were one
		truncate -s $((0x40000000 + size * 2)) big.db
		verdict 2 'CRITICAL: big.db: [0-9]+ pages in the header' big.db
	done
}

# 10,000 tables with an index each, by bytes: SQLite's own statements take minutes for so many
many() {
	sqlite3 -bail -cmd '.dbconfig defensive off' "$1" <<-SQL
		PRAGMA page_size = 1024;
		CREATE TABLE t0 (a TEXT CHECK (length(a) < 9));
		PRAGMA writable_schema = ON;
		CREATE TEMP TABLE n AS WITH RECURSIVE c (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < 9998) SELECT i FROM c;
		INSERT INTO sqlite_schema SELECT 'table', 't' || i, 't' || i, 1000000 + 2 * i,
			'CREATE TABLE t' || i || ' (a TEXT CHECK (length(a) < 9))' FROM (SELECT i + 1 AS i FROM n);
		INSERT INTO sqlite_schema SELECT 'index', 'i' || i, 't' || i, 1000001 + 2 * i,
			'CREATE INDEX i' || i || ' ON t' || i || ' (a)' FROM (SELECT i + 1 AS i FROM n);
		UPDATE sqlite_schema SET rootpage = rootpage - 1000001 + (SELECT page_count FROM pragma_page_count)
			WHERE rootpage > 1000000;
	SQL
	pages=$(($(stat -c %s "$1") / 1024))
	python3 - "$1" "$pages" <<-'PY'
		import struct, sys
		head = lambda kind: struct.pack(">BHHHBH", kind, 0, 1, 1016, 0, 1016).ljust(1016, b"\0")
		row, entry = head(13) + b"\x06\x01\x02\x15abcd", head(10) + b"\x07\x03\x15\x09abcd"
		with open(sys.argv[1], "r+b") as f:
		    f.seek(0, 2)
		    f.write((row + entry) * 9999)
		    f.seek(28)
		    f.write(struct.pack(">I", int(sys.argv[2]) + 2 * 9999))
	PY
}

@test "10,000 tables, in bounded memory" {
	many many.db
	[ "$(sqlite3 -readonly many.db 'SELECT count(*) FROM sqlite_schema WHERE type = "table"; PRAGMA integrity_check')" = 10000$'\n'ok ]
	peak many.db
	expect 0 '^DBVERIFY OK'
	peak -l full many.db
	expect 0 '^DBVERIFY OK'
	printf x | dd of=many.db bs=1 seek=$(((pages + 2 * 7777) * 1024 - 1)) conv=notrunc status=none
	verdict 0 OK many.db
	peak -l full many.db
	expect 2 '^DBVERIFY CRITICAL: many.db: index i7777: 1 row is missing from it \(row 1\); and 1 more error'
	truncate -s -20K many.db
	verdict 2 CRITICAL many.db
}

@test "many entries, and many that differ, in bounded memory" {
	sqlite3 t.db "CREATE TABLE t (a TEXT, b INT); CREATE INDEX ix ON t (a, b); CREATE INDEX iy ON t (b + 1); CREATE UNIQUE INDEX iz ON t (b, a);
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150000)
		INSERT INTO t SELECT printf('%08x', i * 2654435761 % 4294967296), i FROM n"
	peak -l full t.db
	expect 0 '^DBVERIFY OK'
	hide t.db ix "DELETE FROM t WHERE rowid % 9 = 1"
	schema t.db 'b + 1' 'b + 2'
	peak -v -l full t.db
	expect 2 'index ix: 1 entry too many or too few \(150000 entries for 133333 rows, whose differences cannot all be listed\)'
	expect 2 'index iy: 133333 entries are not what SQLite [0-9.]+ computes \(or many of them; 133333 entries for 133333 rows\)'
}

@test "as many threads as there can be, each with a connection of SQLite, in bounded memory" {
	{
		for ((i = 0; i < 64; i++)); do
			echo "CREATE TABLE t$i (a TEXT CHECK (length(a) > 9)); INSERT INTO t$i SELECT printf('%0120d', i) FROM n;"
		done
	} | sqlite3 -cmd 'CREATE TEMP TABLE n AS WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 12000) SELECT i FROM c' t.db
	peak -j 64 t.db
	expect 0 '^DBVERIFY OK'
	peak -j 64 -l full t.db
	expect 0 '^DBVERIFY OK'
}

# left LEVEL ARG...: OK, and -v says that SQLite's own check decided on the table t
left() {
	level=$1
	shift
	run db-verify -v "$@"
	expect 0 '^DBVERIFY OK'
	expect 0 "^db-verify: table t: left to SQLite's $level\$"
}

@test "a table whose rowid has no name left for it is left to SQLite's own check" {
	sqlite3 t.db "CREATE TABLE t (rowid TEXT, oid, _rowid_); CREATE INDEX ix ON t (lower(rowid)); $(rows "'A' || i, i, i")"
	sound t.db
	left integrity_check -l full t.db
	hide t.db ix "DELETE FROM t WHERE oid = 77"
	verdict 2 'CRITICAL: t.db: table t: 1 malformed record \(SQLite: ' -l full t.db
}

# with 64 threads 64 KiB are left for each value
@test "values too long for our memory are left to SQLite's own check" {
	sqlite3 t.db "CREATE TABLE t (a TEXT, b); CREATE INDEX ix ON t (a); INSERT INTO t VALUES (printf('%.*c', 90000, 'x'), 1), ('b', 2)"
	sound t.db
	left integrity_check -j 64 -l full t.db
	hide t.db ix "UPDATE t SET a = a || 'y'"
	verdict 2 "CRITICAL: t.db: table t: [1-9] malformed records \\(SQLite: row 1 missing from index ix" -j 64 -l full t.db

	sqlite3 w.db "CREATE TABLE t (a TEXT PRIMARY KEY, b INT) WITHOUT ROWID; INSERT INTO t VALUES (printf('%.*c', 90000, 'x'), 1), ('b', 2)"
	left integrity_check -j 64 -l full w.db
	schema w.db 'b INT' 'b TEXT'
	verdict 2 'CRITICAL: w.db: table t: ' -j 64 -l full w.db

	# what quick wants to see of a row is long, and what is wrong with it stands behind that
	sqlite3 n.db "CREATE TABLE t (a NUMERIC, b INT); INSERT INTO t VALUES (printf('%.*c', 90000, 'x'), NULL)"
	left quick_check -j 64 n.db
	schema n.db 'b INT' 'b INT NOT NULL'
	for level in quick full; do
		verdict 2 'CRITICAL: n.db: table t: 1 malformed record \(SQLite: NULL value in t.b' -j 64 -l $level n.db
		verdict 2 'CRITICAL: n.db: table t: 1 NULL in a NOT NULL column' -j 1 -l $level n.db
	done
}

@test "an indexed text of 9 MB has an answer" {
	sqlite3 t.db "CREATE TABLE t (a TEXT, b); CREATE INDEX ix ON t (a); CREATE INDEX iy ON t (lower(a));
		INSERT INTO t VALUES (printf('%.*c', 9000000, 'x'), 1), ('b', 2), (printf('%.*c', 9000000, 'y'), 3)"
	peak -l full t.db
	expect 0 '^DBVERIFY OK'
	hide t.db ix "UPDATE t SET a = a || 'y' WHERE b = 3"
	peak -l full t.db
	expect 2 '^DBVERIFY CRITICAL: t.db: table t: '
}

@test "more computed columns than SQLite selects at once are computed index by index" {
	columns=$(printf 'lower(a),%.0s' {1..1100})b
	sqlite3 t.db "CREATE TABLE t (a TEXT, b INT); CREATE INDEX ix ON t ($columns); CREATE INDEX iy ON t ($columns); $(rows "'A' || i, i")"
	sound t.db
	hide t.db iy 'DELETE FROM t WHERE b = 77'
	verdict 2 'CRITICAL: t.db: index iy: 1 entry belongs to no row \(row 77\)' -l full t.db
}

@test "a thousand constraints are each looked at" {
	sqlite3 t.db "CREATE TABLE t (a INT $(for ((i = 0; i < 1200; i++)); do echo "CHECK (a <> $((i + 1000)))"; done)); $(rows i)"
	sound t.db
	schema t.db '<> 1700' '<> 17'
	for level in quick full; do
		verdict 1 'WARNING: t.db: table t: 1 row fails a CHECK constraint as SQLite [0-9.]+ computes it \(a <> 17\)' -l $level t.db
	done
}

@test "of a constraint or a collation that only its application knows the rest is judged" {
	local unknown="its order is by a collation that SQLite [0-9.]+ does not know \(KLINGON\)"
	sqlite3 t.db "CREATE TABLE t (a TEXT COLLATE NOCASE, b INT CHECK (abs(b) > 0)); CREATE INDEX ix ON t (a); $(rows "'A' || i, i")"
	cp t.db sound.db
	schema t.db NOCASE KLINGON
	for level in quick full; do
		verdict 1 "WARNING: t.db: index ix: $unknown" -l $level t.db
	done
	hide sound.db ix 'DELETE FROM t WHERE b = 77'
	schema sound.db NOCASE KLINGON
	verdict 2 'CRITICAL: sound.db: index ix: 1 entry belongs to no row' -l full sound.db
	sqlite3 w.db "CREATE TABLE t (a TEXT PRIMARY KEY COLLATE RTRIM) WITHOUT ROWID; $(rows i)"
	schema w.db RTRIM KLINGON
	for level in quick full; do
		verdict 1 "WARNING: w.db: table t: $unknown" -l $level w.db
	done
	schema t.db KLINGON NOCASE
	schema t.db 'abs(b)' 'wug(b)'
	for level in quick full; do
		verdict 1 'WARNING: t.db: table t: it demands what SQLite [0-9.]+ does not compute \(wug\(b\) > 0: no such function: wug\)' -l $level t.db
	done
}

# mixed JSON: the doubts of db-verify
@test "what was not judged stands in the JSON, the first twenty by name" {
	sqlite3 t.db "CREATE TABLE t (a TEXT, b INT); $(for ((i = 0; i < 25; i++)); do echo "CREATE INDEX ix$i ON t (abs(b + $i));"; done) $(rows 'i, i')"
	schema t.db 'abs(b' 'wug(b'
	run db-verify --json -l full t.db
	expect 1
	jq -e '.state == "warning" and .ok == false and .errors == 0 and .not_judged_count == 25 and (.not_judged | length) == 20 and
		.not_judged[0].object == "index ix0" and (.not_judged[0].why | contains("no such function: wug")) and
		(.text | contains("and 24 more that were not judged"))' <<<"$output"
}

@test "progress is shown when it is asked for, and not into a log" {
	sqlite3 t.db "CREATE TABLE t (a); $(rows 'zeroblob(9000)')"
	run --separate-stderr db-verify t.db
	[ -z "$stderr" ]
	run --separate-stderr db-verify --progress -l full t.db
	[[ $stderr == *verified* ]]
	run --separate-stderr db-verify --progress --no-progress t.db
	[ -z "$stderr" ]
}
