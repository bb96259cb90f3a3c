# db-verify on sound databases of other people's making: an application's SQLite may be a newer one, have functions and
# collations of its own, and compute otherwise. Such a database is never called damaged; a damaged one of its kind is.

load helper
load verdict

setup() {
	dir=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d -p "$BATS_TEST_TMPDIR")
	cd "$dir"
	# an application with functions and collations of its own
	cat >app.py <<-'PY'
		import re, sqlite3, sys
		def connect(path):
		    c = sqlite3.connect(path, isolation_level=None)
		    c.create_function("lower", 1, lambda s: str(s)[::-1], deterministic=True)
		    c.create_function("regexp", 2, lambda p, s: re.search(p, s) is not None, deterministic=True)
		    for name in "NOCASE", "LOCALIZED":
		        c.create_collation(name, lambda a, b: (a < b) - (a > b))
		    return c
		if __name__ == "__main__":  # DB INDEX SQL, while its SQLite does not know of the index
		    c = connect(sys.argv[1])
		    c.execute("PRAGMA writable_schema = ON")
		    row = c.execute("SELECT * FROM sqlite_schema WHERE name = ?", sys.argv[2:3]).fetchone()
		    c.execute("DELETE FROM sqlite_schema WHERE name = ?", sys.argv[2:3])
		    c.execute("PRAGMA writable_schema = RESET")
		    c.execute(sys.argv[3])
		    c.execute("PRAGMA writable_schema = ON")
		    c.execute("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", row)
	PY
}

teardown() {
	rm -rf "$dir"
}

# sound DB: SQLite and we say so, at both levels
sound() {
	[ "$(sqlite3 -readonly "$1" 'PRAGMA integrity_check')" = ok ]
	for level in quick full; do
		verdict 0 OK -l $level "$1"
	done
}

# schema DB SQL: changes sqlite_schema behind SQLite's back
schema() {
	sqlite3 -bail -cmd '.dbconfig defensive off' "$1" "PRAGMA writable_schema = ON; $2"
}

# zero DB NAME: the root page of that object begins with zeros
zero() {
	root=$(sqlite3 -cmd '.dbconfig defensive off' -readonly "$1" "PRAGMA writable_schema = ON; SELECT (rootpage - 1) * (SELECT page_size FROM pragma_page_size) FROM sqlite_schema WHERE name = '$2'" | tail -n 1)
	dd if=/dev/zero of="$1" bs=1 seek="$root" count=8 conv=notrunc status=none
}

@test "JSON in an index, a condition, a generated column and a CHECK" {
	sqlite3 -bail t.db "CREATE TABLE t (id INTEGER PRIMARY KEY, j TEXT CHECK (json_valid(j)), v AS (json_extract(j, '\$.a')),
			s AS (json_type(j)) STORED);
		INSERT INTO t (j) VALUES ('{\"a\": 5}'), ('{\"a\": \"x\"}'), ('[1]');
		CREATE INDEX i1 ON t (json_extract(j, '\$.a'), id); CREATE INDEX i2 ON t (j ->> '\$.a') WHERE j -> 'a' IS NOT NULL;
		CREATE INDEX i3 ON t (v); CREATE INDEX i4 ON t (s); CREATE UNIQUE INDEX i5 ON t (json_array_length(j), id)"
	sound t.db
	verdict 0 OK -l header --table t:3 t.db
	for i in i1 i3 i5; do
		cp t.db bad.db
		hide bad.db $i 'DELETE FROM t WHERE id = 2'
		verdict 2 "CRITICAL: bad.db: index $i: 1 entry belongs to no row \(row 2\)" -l full bad.db
	done
	hide t.db i2 'DELETE FROM t WHERE id = 2'
	verdict 2 'CRITICAL: t.db: index i2: 1 entry belongs to no row \(row 2\)' -l full t.db
}

@test "a condition that guards what stands behind it" {
	sqlite3 -bail t.db "CREATE TABLE t (id INTEGER PRIMARY KEY, j TEXT, CHECK (NOT json_valid(j) OR json_type(j) = 'object'));
		CREATE INDEX ix ON t (json_extract(j, '\$.a')) WHERE json_valid(j) AND json_type(j) = 'object';
		INSERT INTO t (j) VALUES ('no JSON'), ('{\"a\": 5}'), (NULL)"
	sound t.db
	schema t.db "UPDATE sqlite_schema SET sql = replace(sql, '''object''))', '''array''))')"
	verdict 1 'WARNING: t.db: table t: 1 row fails a CHECK constraint' t.db
}

# SQLite would take the index for the table where it has all that is asked for.
@test "an index on an expression of a WITHOUT ROWID table is compared with the table, not with itself" {
	sqlite3 -bail t.db "CREATE TABLE t (a TEXT PRIMARY KEY, b INT CHECK (b < 900)) WITHOUT ROWID; CREATE INDEX ix ON t (abs(b), b, a);
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO t SELECT 'a' || i, i FROM n"
	sound t.db
	cp t.db bad.db
	hide bad.db ix 'DELETE FROM t WHERE b = 77'
	verdict 2 'CRITICAL: bad.db: index ix: 1 entry belongs to no row' -l full bad.db
	hide t.db ix "PRAGMA ignore_check_constraints = ON; INSERT INTO t VALUES ('new', 901)"
	verdict 2 'CRITICAL: t.db: index ix: 1 row is missing from it' -l full t.db
	run db-verify -v t.db
	expect 2 'WARNING: table t: 1 row fails a CHECK constraint'
}

# What SQLite fills in for a row from before the column is not always what INSERT or an ALTER elsewhere would.
@test "rows from before ALTER TABLE ADD COLUMN hold what SQLite says" {
	local n=0
	while IFS='|' read -r options column; do
		n=$((n + 1))
		for encoding in UTF-8 UTF-16le UTF-16be; do
			rm -f t.db
			sqlite3 -bail t.db "PRAGMA encoding = '$encoding'; CREATE TABLE \"t \"\"(\" (id INT, a TEXT$options;
				INSERT INTO \"t \"\"(\" VALUES (1, 'x'), (2, 'y'), (3, NULL); ALTER TABLE \"t \"\"(\" ADD COLUMN \"c '\" $column;
				CREATE INDEX ix ON \"t \"\"(\" (\"c '\", id); CREATE INDEX iy ON \"t \"\"(\" (\"c '\") WHERE id > 1;
				CREATE INDEX iz ON \"t \"\"(\" (id + 1, \"c '\"); INSERT INTO \"t \"\"(\" (id, a) VALUES (4, 'z')" ||
				{ echo "$options|$column"; false; }
			sound t.db || { echo "$options|$column|$encoding"; false; }
		done
	done <<-COLUMNS
		)|VARCHAR(10) NOT NULL DEFAULT 0.00
		)|TEXT DEFAULT 1.50
		)|CLOB DEFAULT .5
		)|TEXT DEFAULT 1e3
		)|TEXT DEFAULT 007
		)|TEXT DEFAULT TRUE
		)|TEXT DEFAULT 12345678901234567890
		)|INT DEFAULT (CAST('5' AS INT))
		)|INT DEFAULT (-(5))
		)|INT DEFAULT 0x7fffffffffffffff
		)|REAL DEFAULT 9007199254740993
		)|FLOAT DEFAULT 5
		)|BLOB DEFAULT '5'
		)|DEFAULT (NULL)
		)|NUMERIC DEFAULT '1e2'
		)|TEXT COLLATE NOCASE DEFAULT 'It''s' CHECK (length("c '") < 9)
		, PRIMARY KEY (id)) WITHOUT ROWID|TEXT DEFAULT 1.50
		, PRIMARY KEY (id DESC)) WITHOUT ROWID|REAL DEFAULT 9007199254740993
		, UNIQUE (id)) STRICT|ANY DEFAULT '0123'
		, PRIMARY KEY (id)) STRICT, WITHOUT ROWID|REAL DEFAULT 7
	COLUMNS
	[ "$n" -eq 20 ]
}

# With another default in the schema our SQLite computes other entries, as another version might.
@test "a default that we compute otherwise is a doubt in the rows that have it, and in no other" {
	sqlite3 -bail t.db "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, 'x'), (2, 'y'), (3, 'z');
		ALTER TABLE t ADD COLUMN c TEXT DEFAULT 'old'; CREATE INDEX ix ON t (c, a); INSERT INTO t VALUES (4, 'w', 'own')"
	sound t.db
	cp t.db full.db && cp t.db rows.db && cp t.db plain.db
	schema t.db "UPDATE sqlite_schema SET sql = replace(sql, 'old', 'new')"
	verdict 1 'WARNING: t.db: index ix: 3 entries are not what SQLite [0-9.]+ computes' -l full t.db
	hide full.db ix "UPDATE t SET c = 'other' WHERE id = 4"
	schema full.db "UPDATE sqlite_schema SET sql = replace(sql, 'old', 'new')"
	verdict 2 'CRITICAL: full.db: index ix: 1 row is missing from it \(row 4\)' -l full full.db
	hide rows.db ix 'DELETE FROM t WHERE id = 2'
	schema rows.db "UPDATE sqlite_schema SET sql = replace(sql, 'old', 'new')"
	verdict 2 'CRITICAL: rows.db: index ix: 1 entry belongs to no row \(row 2\)' -l full rows.db
}

# SQLite makes UTF-16 text of a blob of an odd length with whatever byte lies behind it.
@test "what SQLite computes in one way now and in another then is no doubt where it is once as in the index" {
	local expression
	for expression in 'upper(a)' "concat(a, 'x')" "replace(a, 'x', 'y')"; do
		rm -f t.db
		sqlite3 t.db "PRAGMA encoding = 'UTF-16be'; CREATE TABLE t (a, b); INSERT INTO t VALUES (x'ff00ff', 'b'), ('a', 'b')"
		sqlite3 t.db "CREATE INDEX i ON t ($expression)" || continue	# concat() is of 3.44
		for _ in 1 2 3 4 5; do
			run db-verify -l full t.db
			[ "$status" -eq 0 ] || [[ $output == *'index i: 1 entry is not'* ]]
		done
	done
}

# An application's own lower(), log() and NOCASE, as different as those of another version may be.
@test "what an application computes or compares otherwise is a doubt; the rows and the plain columns are not" {
	python3 - <<-'PY'
		import app
		c = app.connect("t.db")
		c.executescript("""
		    CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b INT, g AS (lower(a)));
		    CREATE INDEX whole ON t (lower(a), b); CREATE INDEX part ON t (b) WHERE lower(a) > '5'; CREATE INDEX gen ON t (g);
		    CREATE INDEX texts ON t (a COLLATE NOCASE, b); CREATE INDEX plain ON t (b, a);
		    CREATE TABLE w (a TEXT COLLATE NOCASE PRIMARY KEY, b) WITHOUT ROWID; BEGIN""")
		for i in range(300):
		    c.execute("INSERT INTO t VALUES (?, ?, ?)", (i, "K%d" % i, i % 9))
		    c.execute("INSERT INTO w VALUES (?, ?)", ("K%d" % i, i))
		c.execute("COMMIT")
	PY
	verdict 0 OK t.db
	run db-verify --json -l full t.db
	jq -e '.state == "warning" and .errors == 0 and ([.not_judged[].object] | sort) == ["index gen", "index part", "index texts", "index whole", "table w"]' <<<"$output"
	for i in whole part gen texts plain; do
		cp t.db bad.db
		python3 app.py bad.db $i 'DELETE FROM t WHERE id = 99'
		verdict 2 "CRITICAL: bad.db: index $i: 1 entry belongs to no row \(row 99\)" -l full bad.db
	done
}

@test "a collation and a function that only the application has: the rest is judged" {
	python3 - <<-'PY'
		import app
		c = app.connect("t.db")
		c.executescript("""
		    CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT COLLATE LOCALIZED UNIQUE, mail TEXT CHECK (mail REGEXP '@'), n INT CHECK (n > 0));
		    CREATE INDEX ours ON t (n) WHERE mail REGEXP '@'; CREATE INDEX fine ON t (n + 1); BEGIN""")
		for i in range(1, 300):
		    c.execute("INSERT INTO t VALUES (?, ?, ?, ?)", (i, "name %d" % i, "%d@example.com" % i, i))
		c.execute("COMMIT")
	PY
	for level in quick full; do verdict 1 WARNING -l $level t.db; done
	run db-verify --json -l full t.db
	jq -e '[.not_judged[] | .object + ": " + .why] | length == 3 and
		any(test("^index sqlite_autoindex_t_1: .*a collation that SQLite [0-9.]+ does not know \\(LOCALIZED\\)")) and
		any(test("^index ours: .*no such function: REGEXP")) and any(test("^table t: .*no such function: REGEXP"))' <<<"$output"
	cp t.db bad.db
	schema bad.db "UPDATE sqlite_schema SET sql = replace(sql, 'n > 0', 'n > 1') WHERE name = 't'"
	run db-verify -v bad.db
	expect 1 'table t: 1 row fails a CHECK constraint as SQLite [0-9.]+ computes it \(n > 1\)'
	for i in fine ours; do
		cp t.db bad.db
		python3 app.py bad.db $i 'DELETE FROM t WHERE id = 6'
		verdict 2 "CRITICAL: bad.db: index $i: 1 entry belongs to no row \(row 6\)" -l full bad.db
	done
	zero t.db sqlite_autoindex_t_1
	for level in quick full; do verdict 2 'CRITICAL: t.db: index sqlite_autoindex_t_1: 1 malformed page' -l $level t.db; done
}

# objects ENCODING: sound.db, with an object of each type
objects() {
	rm -f sound.db
	sqlite3 -bail sound.db "PRAGMA page_size = 512; PRAGMA encoding = '$1'; CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b INT);
		CREATE INDEX ix ON t (a); CREATE TABLE w (a TEXT PRIMARY KEY, b) WITHOUT ROWID; CREATE INDEX iw ON w (b);
		CREATE TABLE u (a UNIQUE); CREATE VIEW v AS SELECT a FROM t; CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 1; END;
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO t SELECT i, 'a' || i, i FROM n;
		INSERT INTO w SELECT a, b FROM t; INSERT INTO u SELECT a FROM t; CREATE VIEW \"ä😀\" AS SELECT 1"
}

# As a newer SQLite may have written it.
@test "a definition that SQLite cannot read is named, and its pages are judged as they are" {
	while IFS='|' read -r encoding name old new; do
		echo "# $name"
		objects "$encoding"
		cp sound.db t.db
		schema t.db "UPDATE sqlite_schema SET sql = replace(sql, '$old', '$new') WHERE name = '$name'"
		[ "$(sqlite3 t.db 'PRAGMA integrity_check' 2>&1)" != ok ]
		for level in quick full; do
			run db-verify --json -l $level t.db
			expect 1
			jq -e --arg name "$name" '.errors == 0 and any(.not_judged[]; .object | endswith(" " + $name))' <<<"$output"
		done
		verdict 1 WARNING --table t:300 --table w:300 --table u t.db
		verdict 2 'CRITICAL: t.db: table t has 300 rows, wanted 301' --table t:301 t.db
		verdict 2 'CRITICAL: t.db: table t has 300 rows, wanted 301' -l header --table t:301 t.db
		verdict 2 'CRITICAL: t.db: no table v' --table v t.db
		for damaged in t ix w iw u; do
			cp t.db bad.db
			zero bad.db $damaged
			verdict 2 "CRITICAL: bad.db: (table|index) $damaged: 1 malformed page" bad.db
		done
	done <<-'ROWS'
		UTF-8|t|b INT|b NEW ! TYPE
		UTF-16le|ix|(a)|(a) NEWLY (b)
		UTF-16be|w|b)|b) NEWLY,
		UTF-8|u|UNIQUE|UNIQUE ON NEW MOON
		UTF-16le|v|a FROM|group_concat(a ORDER BY b ! c) FROM
		UTF-16be|ä😀|SELECT|SELECT ! NEW
		UTF-8|tr|SELECT 1|SELECT NEW WORDS 1
	ROWS
}

@test "a row of the schema that is no whole definition is damage" {
	while IFS='|' read -r encoding change; do
		objects "$encoding"
		schema sound.db "$change"
		for level in quick full; do
			verdict 2 'CRITICAL: sound.db: (schema: [12] rows? that (is|are) no whole definitions? \(row [0-9]|table u: 1 reference to no page)' -l $level sound.db || { echo "$change"; false; }
		done
		verdict 2 CRITICAL -l header --table t sound.db || [[ $change == *rootpage* ]]
	done <<-'ROWS'
		UTF-8|UPDATE sqlite_schema SET sql = replace(sql, 'UNIQUE)', 'UNIQUE ! NEW') WHERE name = 'u'
		UTF-16le|UPDATE sqlite_schema SET sql = 'CREATE VIEW v AS SELECT ''a FROM t' WHERE name = 'v'
		UTF-16be|UPDATE sqlite_schema SET sql = replace(sql, 'END', '') WHERE name = 'tr'
		UTF-8|UPDATE sqlite_schema SET sql = replace(sql, 'CREATE', 'CRXATE') WHERE name = 'ix'
		UTF-8|UPDATE sqlite_schema SET sql = replace(sql, 'a ', char(1) || ' ') WHERE name = 'v'
		UTF-8|UPDATE sqlite_schema SET sql = NULL WHERE name = 'u'
		UTF-16le|UPDATE sqlite_schema SET name = 'uu' WHERE name = 'u'
		UTF-8|UPDATE sqlite_schema SET type = 'index' WHERE name = 'u'
		UTF-8|UPDATE sqlite_schema SET tbl_name = 'w' WHERE name = 'ix'
		UTF-8|UPDATE sqlite_schema SET rootpage = 99999 WHERE name = 'u'
		UTF-8|UPDATE sqlite_schema SET rootpage = NULL WHERE name = 'v'
		UTF-16le|UPDATE sqlite_schema SET rootpage = 0.5 WHERE name = 'tr'
		UTF-8|UPDATE sqlite_schema SET rootpage = 5 WHERE name = 'v'; UPDATE sqlite_schema SET sql = 'CREATE VIEW' WHERE name = 'v'
		UTF-16be|DELETE FROM sqlite_schema WHERE name = 't'
		UTF-8|DELETE FROM sqlite_schema WHERE name = 'u'
		UTF-8|INSERT INTO sqlite_schema SELECT * FROM sqlite_schema WHERE name = 'v'
	ROWS
}

# peak ARG...: db-verify takes at most the 64 MiB that the page promises
peak() {
	status=0
	output=$(/usr/bin/time -o peak -f %M db-verify "$@" 2>&1) || status=$?
	# the sanitizers bring memory of their own
	[ -n "${SANITIZE-}" ] || [ "$(tail -n 1 peak)" -le 65536 ] || { echo "$* took $(tail -n 1 peak) KiB"; return 1; }
}

@test "statements that are longer or deeper than others are judged as others are, or named, in bounded memory" {
	values() { seq "$1" | awk '{ printf "%s(%d, \047%080d\047)", (NR > 1 ? "," : ""), $1, $1 }'; }
	{
		echo "CREATE TABLE t (a); CREATE VIEW v AS VALUES $(values 12000);"
		echo "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO t SELECT column1 FROM (VALUES $(values 6000)) WHERE 0; END;"
		echo "CREATE TABLE d (a, b TEXT DEFAULT '$(head -c 1100000 /dev/zero | tr '\0' x)'); INSERT INTO d (a) VALUES (1);"
		echo "CREATE TABLE c (a CHECK (a IN ($(seq 6500 | awk '{ printf "%s\047%080d\047", (NR > 1 ? "," : ""), $1 }'))));"
		echo "INSERT INTO c VALUES ('$(printf %080d 7)'); CREATE TABLE o (a INT CHECK ($(seq 998 | awk '{ printf "%sa = %d", (NR > 1 ? " OR " : ""), $1 }')));"
		echo "INSERT INTO o VALUES (7);"
	} >t.sql
	sqlite3 -bail t.db <t.sql
	sound t.db
	peak -l full t.db
	expect 0 '^DBVERIFY OK'
	schema t.db "UPDATE sqlite_schema SET sql = replace(sql, 'a = 7 ', 'a = -7 ') WHERE name = 'o'"
	verdict 1 'WARNING: t.db: table o: 1 row fails a CHECK constraint' t.db
	zero t.db o
	verdict 2 'CRITICAL: t.db: table o: 1 malformed page' t.db

	# more than SQLite is given memory for: a schema, and a value
	sqlite3 -bail big.db <<<"CREATE TABLE t (a); INSERT INTO t VALUES (1); CREATE VIEW v AS VALUES $(seq 200000 | awk '{ printf "%s(%d, \047%080d\047)", (NR > 1 ? "," : ""), $1, $1 }')"
	for level in quick full; do
		peak -l $level --table t:1 big.db
		expect 1 '^DBVERIFY WARNING: big.db: schema: it takes more memory than SQLite [0-9.]+ is granted here'
	done
	verdict 2 'CRITICAL: big.db: table t has 1 rows, wanted 2' --table t:2 big.db
	zero big.db t
	verdict 2 'CRITICAL: big.db: table t: 1 malformed page' big.db
	sqlite3 -bail value.db "CREATE TABLE t (a, b CHECK (a || 'x' <> '')); INSERT INTO t VALUES (zeroblob(30000000), 1)"
	peak -l full value.db
	expect 1 '^DBVERIFY WARNING: value.db: table t: it takes more memory than SQLite [0-9.]+ is granted here'
}

# Each function of the library in each place where one may stand.
@test "no function of SQLite's in a schema is damage, does harm, or loads an extension" {
	cat >ext.c <<-'C'
		#include <fcntl.h>
		__attribute__((constructor)) static void loaded(void) { open("loaded", O_CREAT, 0600); }
		int sqlite3_extension_init(void *db, char **why, const void *api) { (void)db, (void)why, (void)api; return 0; }
	C
	gcc -shared -fPIC -o ext.so ext.c
	sqlite3 :memory: '.load ./ext' && rm loaded	# as it would be seen
	python3 - <<-'PY'
		import sqlite3
		innocuous, deterministic, directonly = 0x200000, 0x800, 0x80000
		functions = sqlite3.connect(":memory:").execute("SELECT DISTINCT name, narg, flags FROM pragma_function_list WHERE type = 's'").fetchall()
		assert len(functions) > 100
		json = lambda name: name.lower().startswith("json") or name in ("->", "->>")
		# a function that could stand in an index and is not innocuous: may a database that calls it be read?
		odd = [name for name, _, flags in functions if flags & deterministic and not flags & innocuous and not json(name)]
		assert not odd, odd
		places = {
		    "index": ("CREATE TABLE %s (a TEXT, b INT)", "CREATE INDEX i%s ON %s (%s, b)"),
		    "partial": ("CREATE TABLE %s (a TEXT, b INT)", "CREATE INDEX i%s ON %s (b) WHERE %s IS NOT NULL"),
		    "generated": ("CREATE TABLE %s (a TEXT, b INT, g AS (%s))", "CREATE INDEX i%s ON %s (g)"),
		    "stored": ("CREATE TABLE %s (a TEXT, b INT, g AS (%s) STORED)", "CREATE INDEX i%s ON %s (g)"),
		    "check": ("CREATE TABLE %s (a TEXT, b INT, CHECK (coalesce(%s, 1) IS NOT NULL))", None),
		    "default": ("CREATE TABLE %s (a TEXT, b INT, c DEFAULT (%s))", "CREATE INDEX i%s ON %s (c)"),
		}
		counts = {}
		for place, (table, index) in places.items():
		    c = sqlite3.connect(place + ".db", isolation_level=None)
		    c.execute("PRAGMA synchronous = OFF"), c.execute("PRAGMA journal_mode = OFF")
		    for n, (name, narg, flags) in enumerate(functions):
		        for args in range(narg, narg + 1) if narg >= 0 else range(4):
		            call = '"%s"(%s)' % (name, ", ".join("'1'" if place == "default" else "a" for _ in range(args)))
		            t = "t%d_%d" % (n, args)
		            try:
		                c.execute("BEGIN")
		                c.execute(table % ((t, call) if table.count("%") == 2 else (t,)))
		                if index:
		                    c.execute(index % ((t, t, call) if index.count("%") == 3 else (t, t)))
		                c.execute("INSERT INTO %s (a, b) VALUES ('1', 1), ('2', 2)" % t)
		                c.execute("COMMIT")
		                counts[place] = counts.get(place, 0) + 1
		            except sqlite3.Error:
		                c.execute("ROLLBACK")
		# these SQLite lets nobody write, but a file may have them: a placeholder's text is changed in the schema
		for place, (table, index) in places.items():
		    c = sqlite3.connect("planted-%s.db" % place, isolation_level=None)
		    calls = ["load_extension('./ext')", "load_extension('./ext', 'sqlite3_extension_init')"] + [
		        '"%s"(%s)' % (name, ", ".join(["'./ext'"] * (narg if narg >= 0 else 1)))
		        for name, narg, flags in functions if flags & directonly or not flags & innocuous]
		    for n, call in enumerate(calls):
		        t, dummy = "t%d" % n, "abs(-%d)" % (77000 + n)
		        c.execute(table % ((t, dummy) if table.count("%") == 2 else (t,)))
		        if index:
		            c.execute(index % ((t, t, dummy) if index.count("%") == 3 else (t, t)))
		        c.execute("INSERT INTO %s (a, b) VALUES ('1', 1)" % t)
		    c.execute("PRAGMA writable_schema = ON")
		    for n, call in enumerate(calls):
		        c.execute("UPDATE sqlite_schema SET sql = replace(sql, ?, ?)", ("abs(-%d)" % (77000 + n), call))
		print(counts)
		assert all(counts[place] > 60 for place in places)
	PY
	for place in index partial generated stored check default; do
		[ "$(sqlite3 $place.db 'PRAGMA integrity_check')" = ok ]
		for level in quick full; do
			run db-verify --json -v -l $level $place.db
			[ "$status" -le 1 ] || { echo "$place: $output"; false; }
			# at most what is not the same twice, or is no function of innocuous use
			jq -e '.not_judged_count <= 12' <<<"${lines[-1]}" || { echo "$output"; false; }
			run db-verify --json -l $level planted-$place.db
			[ "$status" -le 1 ] || { echo "$place: $output"; false; }
			[ ! -e loaded ]
		done
	done
}
