#include "lib/std.h"

#include <sqlite3.h>

#include "tests/fault/corpus.h"

/* What many of them do: rows numbered i, with text that neither sorts nor grows as i does. */
#define ROWS(n) "WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < " #n ") "
#define SCATTER "printf('%08x', (i * 2654435761) % 4294967296)"

static const struct {
	const char *name;
	int reserved;		/* bytes at the end of each page */
	const char *pragmas, *sql;
} corpus[] = {
	{ "empty", 0, "", "CREATE TABLE t (a); DROP TABLE t" },
	{ "one-row", 0, "PRAGMA page_size=512", "CREATE TABLE t (a PRIMARY KEY, b); INSERT INTO t VALUES (1, 2)" },
	{ "plain", 0, "PRAGMA page_size=1024",
	  "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b REAL, c);"
	  "CREATE INDEX t_a ON t (a); CREATE INDEX t_bc ON t (b, c DESC); CREATE UNIQUE INDEX t_ca ON t (c, a);"
	  ROWS(400) "INSERT INTO t SELECT i, " SCATTER ", i % 17 * 0.5, CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN i"
	  " WHEN 2 THEN 'x' || i WHEN 3 THEN x'00' || i ELSE i * 1.25 END FROM c" },
	{ "numbers", 0, "PRAGMA page_size=512",
	  "CREATE TABLE n (k PRIMARY KEY, r REAL, u NUMERIC); CREATE INDEX n_r ON n (r); CREATE INDEX n_u ON n (u DESC, r);"
	  "INSERT INTO n VALUES (0, 0, 0), (1, 1, 1), (-1, -0.0, -1), (127, 1e300, 255), (-128, -1e-300, 32767),"
	  "(8388607, 3, 9007199254740993), (-8388608, 3.5, -9007199254740993), (2147483647, 9e18, 9223372036854775807),"
	  "(-2147483648, -9e18, -9223372036854775808), (140737488355327, 281474976710656, 'abc'),"
	  "(9223372036854775807, 9223372036854775807, x'00'), (-9223372036854775808, NULL, ''), (0.1, 9e999, NULL),"
	  "('9', -9e999, 1.0), (x'39', 1.5, '1 2'), (NULL, 2, 0.25), (NULL, 2, 0.25)" },
	{ "overflow", 0, "PRAGMA page_size=512",
	  "CREATE TABLE t (id INTEGER PRIMARY KEY, big BLOB, k TEXT, tail INT); CREATE INDEX t_k ON t (k);"
	  "CREATE UNIQUE INDEX t_tail ON t (tail, k COLLATE NOCASE);"
	  ROWS(60) "INSERT INTO t SELECT i, zeroblob(i * 37), substr(" SCATTER ", 1, 3) || printf('%.*c', i * 11, 'k'),"
	  " i * 7919 % 61 FROM c" },
	{ "without-rowid", 0, "PRAGMA page_size=1024",
	  "CREATE TABLE w (a TEXT, b INT, c, d TEXT COLLATE NOCASE, PRIMARY KEY (b DESC, a)) WITHOUT ROWID;"
	  "CREATE INDEX w_c ON w (c); CREATE UNIQUE INDEX w_d ON w (d); CREATE INDEX w_ab ON w (a, b);"
	  "CREATE TABLE v (k TEXT PRIMARY KEY COLLATE NOCASE, big) WITHOUT ROWID;"
	  ROWS(250) "INSERT INTO w SELECT " SCATTER ", i % 50, i % 7, 'Key' || i FROM c;"
	  ROWS(40) "INSERT INTO v SELECT 'k' || i, printf('%.*c', i * 50, 'v') FROM c;"
	  "ALTER TABLE w ADD COLUMN e INT NOT NULL DEFAULT 5; ALTER TABLE w ADD COLUMN f; CREATE INDEX w_e ON w (e, f)" },
	{ "expressions", 0, "PRAGMA page_size=1024",
	  "CREATE TABLE e (id INTEGER PRIMARY KEY, a TEXT, b INT, g INT AS (b * 2), s TEXT AS (a || b) STORED NOT NULL,"
	  " v INT NOT NULL AS (b + 1), CHECK (b < 1000 /* ) */), CHECK (length(a) > 1));"
	  "CREATE INDEX e_up ON e (upper(a), b DESC); CREATE INDEX e_part ON e (a) WHERE b > 50 AND a IS NOT NULL;"
	  "CREATE UNIQUE INDEX e_both ON e (b % 1000, a) WHERE b % 2; CREATE INDEX e_g ON e (g, s); CREATE INDEX e_s ON e (s);"
	  ROWS(200) "INSERT INTO e (a, b) SELECT " SCATTER ", i FROM c" },
	{ "strict", 0, "PRAGMA page_size=1024",
	  "CREATE TABLE s (id INTEGER PRIMARY KEY, i INT NOT NULL, r REAL, t TEXT NOT NULL, b BLOB, a ANY, o INTEGER) STRICT;"
	  "CREATE INDEX s_r ON s (r); CREATE INDEX s_a ON s (a, t);"
	  ROWS(150) "INSERT INTO s SELECT i, i * i, i / 3.0, " SCATTER ", x'0102', CASE i % 3 WHEN 0 THEN i WHEN 1 THEN 'a' END,"
	  " NULL FROM c" },
	{ "utf16le", 0, "PRAGMA page_size=1024; PRAGMA encoding='UTF-16le'",
	  "CREATE TABLE t (a TEXT, n TEXT COLLATE NOCASE, r TEXT COLLATE RTRIM, b AS (a || n));"
	  "CREATE INDEX t_a ON t (a); CREATE INDEX t_n ON t (n); CREATE INDEX t_r ON t (r); CREATE INDEX t_b ON t (b);"
	  ROWS(120) "INSERT INTO t SELECT char(i * 601 % 65000 + 64) || i, CASE i % 2 WHEN 0 THEN 'Ab' ELSE 'aB' END || i % 9"
	  " || char(65536 + i), 'r' || i % 10 || substr('     ', 1, i % 5) FROM c" },
	{ "utf16be", 0, "PRAGMA page_size=1024; PRAGMA encoding='UTF-16be'",
	  "CREATE TABLE t (a TEXT PRIMARY KEY, n TEXT COLLATE NOCASE); CREATE INDEX t_n ON t (n DESC, a) WHERE length(n) > 2;"
	  ROWS(120) "INSERT INTO t SELECT char(i * 601 % 65000 + 64) || i, 'N' || i % 9 FROM c;"
	  "ALTER TABLE t ADD COLUMN d TEXT DEFAULT 'added'; CREATE INDEX t_d ON t (d)" },
	{ "auto-vacuum", 0, "PRAGMA page_size=512; PRAGMA auto_vacuum=FULL",
	  "CREATE TABLE t (a, b); CREATE INDEX t_a ON t (a); CREATE TABLE u (x UNIQUE);"
	  ROWS(300) "INSERT INTO t SELECT i, printf('%.*c', i % 40 * 20, 'b') FROM c; INSERT INTO u SELECT a FROM t;"
	  "DELETE FROM t WHERE a % 3 = 0" },
	{ "incremental", 0, "PRAGMA page_size=512; PRAGMA auto_vacuum=INCREMENTAL",
	  "CREATE TABLE t (a, b); CREATE INDEX t_a ON t (a); CREATE TABLE gone (x);"
	  ROWS(300) "INSERT INTO t SELECT i, printf('%.*c', i % 40 * 20, 'b') FROM c; INSERT INTO gone SELECT a FROM t;"
	  "DELETE FROM t WHERE a % 3 = 0; DROP TABLE gone" },
	{ "free-pages", 0, "PRAGMA page_size=512",
	  "CREATE TABLE t (a, b); CREATE INDEX t_a ON t (a);"
	  ROWS(1500) "INSERT INTO t SELECT i, printf('%.*c', 120, 'b') FROM c; DELETE FROM t WHERE a > 150" },
	{ "reserved", 48, "PRAGMA page_size=1024",
	  "CREATE TABLE t (a PRIMARY KEY, b); " ROWS(100) "INSERT INTO t SELECT " SCATTER ", printf('%.*c', i * 20, 'b') FROM c" },
	{ "full-text", 0, "PRAGMA page_size=1024",
	  "CREATE VIRTUAL TABLE f USING fts5 (title, body); CREATE VIRTUAL TABLE f4 USING fts4 (body);"
	  ROWS(80) "INSERT INTO f SELECT 'title ' || i, " SCATTER " || ' words of row ' || i FROM c;"
	  "INSERT INTO f4 SELECT body FROM f; DELETE FROM f WHERE rowid % 7 = 0" },
	{ "r-tree", 0, "PRAGMA page_size=1024",
	  "CREATE VIRTUAL TABLE r USING rtree (id, x0, x1, y0, y1, +note TEXT);"
	  ROWS(200) "INSERT INTO r SELECT i, i % 20, i % 20 + 1, i, i + 2, 'n' || i FROM c" },
	{ "altered", 0, "PRAGMA page_size=1024",
	  "CREATE TABLE t (id INTEGER PRIMARY KEY DESC, a INT);" ROWS(90) "INSERT INTO t SELECT i, i % 5 FROM c;"
	  "ALTER TABLE t ADD COLUMN txt TEXT DEFAULT 12; ALTER TABLE t ADD COLUMN num NUMERIC NOT NULL DEFAULT '3.0';"
	  "ALTER TABLE t ADD COLUMN r REAL DEFAULT -4; ALTER TABLE t ADD COLUMN b BLOB DEFAULT x'beef';"
	  "ALTER TABLE t ADD COLUMN q DEFAULT \"word\"; ALTER TABLE t ADD COLUMN v AS (a + 1);"
	  "CREATE INDEX t_txt ON t (txt, num); CREATE INDEX t_rb ON t (r, b); CREATE INDEX t_v ON t (v);"
	  "ALTER TABLE t RENAME COLUMN a TO \"a \"\" b\"; ALTER TABLE t RENAME TO \"t (1)\"; CREATE INDEX \"i) (\" ON \"t (1)\""
	  " (\"a \"\" b\" DESC); INSERT INTO \"t (1)\" (id, txt, num) VALUES (1000, 'x', 1); ALTER TABLE \"t (1)\" DROP COLUMN q" },
	{ "names", 0, "PRAGMA page_size=1024",
	  "CREATE TABLE \"select\" (rowid TEXT, \"order\" INT CHECK (\"order\" > 0), oid, _rowid_);"
	  "CREATE INDEX \"index\" ON \"select\" (rowid, \"order\"); CREATE INDEX x ON \"select\" (lower(rowid)) WHERE \"order\" > 3;"
	  ROWS(50) "INSERT INTO \"select\" SELECT 'R' || i, i, NULL, NULL FROM c; CREATE TABLE big (a, b UNIQUE, c UNIQUE);"
	  "CREATE TABLE seq (id INTEGER PRIMARY KEY AUTOINCREMENT, x); INSERT INTO seq (x) VALUES (1); ANALYZE" },
	{ "many-tables", 0, "PRAGMA page_size=512",
	  "CREATE TABLE t1 (a PRIMARY KEY); CREATE TABLE t2 (a INTEGER PRIMARY KEY, b UNIQUE); CREATE TABLE t3 (a UNIQUE, b);"
	  "CREATE TABLE t4 (a INTEGER PRIMARY KEY); CREATE TABLE t5 (a PRIMARY KEY) WITHOUT ROWID; CREATE TABLE t6 (x);"
	  ROWS(30) "INSERT INTO t2 SELECT i, i FROM c; INSERT INTO t3 SELECT a, b FROM t2; INSERT INTO t4 SELECT a FROM t2;"
	  "INSERT INTO t5 SELECT a FROM t2; INSERT INTO t1 SELECT a FROM t2" },
	{ "big-pages", 0, "PRAGMA page_size=65536",
	  "CREATE TABLE t (a, b); CREATE INDEX t_a ON t (a);"
	  ROWS(2000) "INSERT INTO t SELECT " SCATTER ", printf('%.*c', i % 300, 'b') FROM c; DELETE FROM t WHERE rowid % 5 = 0" },
	{ "deep", 0, "PRAGMA page_size=512",
	  "CREATE TABLE t (a TEXT, b INT, c TEXT); CREATE INDEX t_ac ON t (a, c); CREATE INDEX t_b ON t (b, a);"
	  ROWS(3000) "INSERT INTO t SELECT " SCATTER " || " SCATTER ", i * 31 % 2999, " SCATTER " || 'tail' FROM c" },
};

const size_t corpus_count = sizeof corpus / sizeof *corpus;

const char *corpus_name(size_t i)
{
	return corpus[i].name;
}

int corpus_make(size_t i, const char *path)
{
	int reserved = corpus[i].reserved;
	char *why = NULL;
	sqlite3 *db = NULL;
	int rc = sqlite3_open(path, &db);

	if (rc == SQLITE_OK && reserved > 0)
		rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, corpus[i].pragmas, NULL, NULL, &why);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, corpus[i].sql, NULL, NULL, &why);
	if (rc != SQLITE_OK)
		fprintf(stderr, "corpus %s: %s\n", corpus[i].name, why != NULL ? why : sqlite3_errmsg(db));
	sqlite3_free(why);
	sqlite3_close(db);
	return rc == SQLITE_OK ? 0 : -1;
}
