/*
 * schemas - makes databases of every kind that SQLite's grammar knows, and has each judged by SQLite and by us
 *
 *	schemas [-n CASES] [-f FIRST] [-s SEED] [-k] [-v] DIR
 *	schemas -j FILE...
 *
 * Each database follows from SEED and its number alone: tables, indexes, rows, then ALTER TABLE, more rows and more
 * indexes over them. One that PRAGMA integrity_check (on a writable copy: of a file that it cannot write it forgets
 * the CHECK constraints) calls sound must be OK for db-verify at both levels. Then one of its tables or indexes is
 * damaged, and the copy must be CRITICAL where the damage lies in what SQLite does not compute, and never OK. Ends with
 * 1 when that does not hold; the copy stays in DIR as case-N.db or twin-N.db (-k keeps every sound one).
 * With -j only judges files that another version has made: what it computes differently may be a WARNING.
 */
#include "lib/std.h"

#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/sqlite/btree.h"
#include "lib/sqlite/verify.h"

#define FILE_MAX (8u << 20)
#define LIMIT_MS 20000		/* for one file; a hang ends the process by SIGALRM */
#define COLUMNS_MAX 24
#define FUNCTIONS_MAX 400
#define LENGTH_MAX 100000	/* bytes of a value */

/* ---- chance ---- */

static uint64_t chance;

/* splitmix64 */
static uint64_t draw(void)
{
	uint64_t z = chance += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static unsigned below(unsigned n)
{
	return n > 0 ? (unsigned)(draw() % n) : 0;
}

static bool one_in(unsigned n)
{
	return below(n) == 0;
}

#define PICK(list) list[below(sizeof list / sizeof *list)]

/* ---- the database at hand ---- */

static sqlite3 *db;
static struct { char name[24]; bool generated; } columns[COLUMNS_MAX];
static unsigned column_count;
static char table[24];
static bool strict, without_rowid, verbose;
static struct { char name[40]; int args; } functions[FUNCTIONS_MAX];
static unsigned function_count;

/* What SQLite refuses is no part of this database. */
static bool run(char *sql)
{
	bool ok = sql != NULL && sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;

	if (verbose && sql != NULL)
		printf("%s%s;\n", ok ? "" : "-- refused: ", sql);
	sqlite3_free(sql);
	return ok;
}

static bool say(const char *sql)
{
	return run(sqlite3_mprintf("%s", sql));
}

/* ---- words of the grammar ---- */

static const char *a_value(void)
{
	static const char *const values[] = {
		"NULL", "0", "1", "-1", "2", "7", "127", "128", "-128", "32768", "8388608", "2147483648", "140737488355328",
		"9007199254740993", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "0x7f", "0xFFFFFFFFFFFFFFFF",
		"1.5", "1.50", ".5", "1e3", "-0.0", "0.1", "1e300", "9e999", "-9e999", "9007199254740993.0", "5.0", "1e-10", "TRUE", "FALSE",
		"''", "'a'", "'A'", "'a '", "'b'", "'1'", "'1.0'", "'1e3'", "' 12'", "'12 '", "'0x10'", "'\xc3\xa9'", "'\xc3\x89'",
		"'\xf0\x9f\x98\x80'", "'{\"a\":1,\"b\":[2]}'", "'2026-11-29'", "'abc' || char(0) || 'def'", "'NULL'", "'%d %s'",
		"printf('%.*c', 300, 'x')", "printf('%.*c', 5000, 'y')", "x''", "x'00'", "x'61'", "x'ff00ff'", "zeroblob(900)",
		"char(65533)", "'it''s'", "'9223372036854775808'", "'-0'", "'1_0'",
	};
	return PICK(values);
}

/* Of DEFAULT: a value, a sign before a number, or an expression in parentheses. */
static const char *a_default(void)
{
	static const char *const defaults[] = {
		"0", "1", "-1", "+1", "1.50", "-1.5", ".5", "1e3", "-1e-3", "0x7f", "9223372036854775808", "-9223372036854775808",
		"9007199254740993.0", "NULL", "''", "'a'", "'1'", "'1.50'", "' 7 '", "\"dq\"", "TRUE", "FALSE", "x'61'", "x''",
		"(1)", "(-(5))", "(1+1)", "('a' || 'b')", "(CAST('7' AS REAL))", "(CAST(1.9 AS INT))", "(abs(-3))", "(1e3)",
		"('x' COLLATE NOCASE)", "(NULL)", "(x'00')", "('caf\xc3\xa9')", "'caf\xc3\xa9'", "word", "(upper('a'))", "(json('{}'))",
		"(random())", "CURRENT_TIMESTAMP", "(printf('%.3f', 2.5))", "(round(2.5))",
	};
	return PICK(defaults);
}

static const char *a_type(void)
{
	static const char *const types[] = {
		"", "INT", "INTEGER", "TEXT", "REAL", "BLOB", "NUMERIC", "VARCHAR(10)", "DOUBLE PRECISION", "BOOLEAN", "DATE",
		"DECIMAL(10,5)", "ANY", "FLOAT", "CHARINT", "UNSIGNED BIG INT", "STRING", "CLOB", "DATETIME", "JSON",
	};
	static const char *const stricts[] = { "INT", "INTEGER", "REAL", "TEXT", "BLOB", "ANY" };

	return strict ? PICK(stricts) : PICK(types);
}

static const char *a_collation(void)
{
	static const char *const collations[] = { " COLLATE NOCASE", " COLLATE RTRIM", " COLLATE BINARY" };

	return one_in(4) ? PICK(collations) : "";
}

static void add_name(sqlite3_str *s, const char *name)
{
	sqlite3_str_appendf(s, "\"%w\"", name);
}

static const char *a_column(void)
{
	return column_count > 0 ? columns[below(column_count)].name : "rowid";
}

static void add_expression(sqlite3_str *s, unsigned depth);

static void add_call(sqlite3_str *s, unsigned depth)
{
	unsigned i = below(function_count), n = functions[i].args >= 0 ? (unsigned)functions[i].args : 1 + below(4);

	sqlite3_str_appendf(s, "%s(", functions[i].name);
	for (unsigned a = 0; a < n; a++) {
		if (a > 0)
			sqlite3_str_appendall(s, ", ");
		add_expression(s, depth);
	}
	sqlite3_str_appendall(s, ")");
}

static void add_operation(sqlite3_str *s, unsigned depth)
{
	static const char *const between[] = {
		" + ", " - ", " * ", " / ", " % ", " || ", " & ", " | ", " << ", " >> ", " < ", " <= ", " = ", " <> ", " IS ",
		" IS NOT ", " AND ", " OR ", " LIKE ", " GLOB ", " -> ", " ->> ", " IS NOT DISTINCT FROM ",
	};
	static const char *const before[] = { "-", "+", "~", "NOT " };
	static const char *const after[] = { " IS NULL", " NOTNULL", " IN (1, 'a', NULL)", " BETWEEN 0 AND 9", " COLLATE NOCASE", " IS TRUE" };
	static const char *const casts[] = { "INT", "REAL", "TEXT", "BLOB", "NUMERIC" };

	switch (below(6)) {
	case 0:
		sqlite3_str_appendf(s, "(%s", PICK(before));
		add_expression(s, depth);
		break;
	case 1:
		sqlite3_str_appendall(s, "(");
		add_expression(s, depth);
		sqlite3_str_appendall(s, PICK(after));
		break;
	case 2:
		sqlite3_str_appendall(s, "CAST(");
		add_expression(s, depth);
		sqlite3_str_appendf(s, " AS %s", PICK(casts));
		break;
	case 3:
		sqlite3_str_appendall(s, "(CASE WHEN ");
		add_expression(s, depth);
		sqlite3_str_appendall(s, " THEN ");
		add_expression(s, depth);
		sqlite3_str_appendall(s, " ELSE 5 END");
		break;
	default:
		sqlite3_str_appendall(s, "(");
		add_expression(s, depth);
		sqlite3_str_appendall(s, PICK(between));
		add_expression(s, depth);
		break;
	}
	sqlite3_str_appendall(s, ")");
}

static void add_expression(sqlite3_str *s, unsigned depth)
{
	unsigned kind = below(10);

	if (depth == 0 || kind < 3) {
		if (one_in(4))
			sqlite3_str_appendall(s, a_value());
		else
			add_name(s, a_column());
	} else if (kind < 7) {
		add_call(s, depth - 1);
	} else {
		add_operation(s, depth - 1);
	}
}

/* Mostly true, whatever the columns hold. */
static void add_check(sqlite3_str *s)
{
	sqlite3_str_appendall(s, " CHECK (");
	add_expression(s, 2);
	sqlite3_str_appendall(s, one_in(3) ? " IS NOT 1234567)" : one_in(2) ? " OR 1)" : one_in(8) ? ")" : " IS NOT 'never')");
}

/* What may follow a column's type. */
static void add_constraints(sqlite3_str *s, bool in_alter)
{
	if (one_in(5)) {
		sqlite3_str_appendall(s, one_in(3) ? " AS (" : " GENERATED ALWAYS AS (");
		add_expression(s, 2);
		sqlite3_str_appendall(s, in_alter || one_in(2) ? ") VIRTUAL" : ") STORED");
		columns[column_count - 1].generated = true;
	} else if (one_in(in_alter ? 1 : 4) || (in_alter && !one_in(5))) {
		sqlite3_str_appendf(s, " DEFAULT %s", a_default());
	}
	if (one_in(6))
		sqlite3_str_appendall(s, " NOT NULL");
	sqlite3_str_appendall(s, a_collation());
	if (one_in(8))
		add_check(s);
	if (!in_alter && one_in(8))
		sqlite3_str_appendall(s, " UNIQUE");
	if (one_in(20))
		sqlite3_str_appendall(s, " REFERENCES t9 (x)");
}

static void new_column(const char *const *names, unsigned count)
{
	unsigned i = below(count);

	/* a number where two would have one name */
	snprintf(columns[column_count].name, sizeof columns->name, "%s", names[i]);
	for (unsigned c = 0; c < column_count; c++)
		if (sqlite3_stricmp(columns[c].name, names[i]) == 0)
			snprintf(columns[column_count].name, sizeof columns->name, "c%u", column_count);
	columns[column_count].generated = false;
	column_count++;
}

static void new_name(void)
{
	static const char *const names[] = {
		"a", "b", "id", "name", "select", "a b", "\xc3\xa9", "order", "x\"y", "oid", "note", "v(1)", "--", "check", "c",
	};
	new_column(names, sizeof names / sizeof *names);
}

/* ---- statements ---- */

static void add_key_columns(sqlite3_str *s)
{
	unsigned n = 1 + below(3), first = below(column_count);

	for (unsigned i = 0; i < n && i < column_count; i++) {
		sqlite3_str_appendall(s, i > 0 ? ", " : "");
		add_name(s, columns[(first + i) % column_count].name);
		sqlite3_str_appendf(s, "%s%s", a_collation(), one_in(4) ? " DESC" : "");
	}
}

static bool create_table(unsigned number)
{
	static const char *const keys[] = {
		"INTEGER PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT", "INTEGER PRIMARY KEY DESC", "INT PRIMARY KEY", "TEXT PRIMARY KEY",
	};
	unsigned wanted = 1 + below(7);
	bool has_key = one_in(2);
	sqlite3_str *s = sqlite3_str_new(db);

	strict = one_in(5);
	without_rowid = one_in(4);
	column_count = 0;
	snprintf(table, sizeof table, one_in(6) ? "t %u\"q" : "t%u", number);
	sqlite3_str_appendf(s, "CREATE TABLE \"%w\" (", table);
	if (has_key) {
		new_name();
		add_name(s, columns[0].name);
		sqlite3_str_appendf(s, " %s", PICK(keys));
	}
	for (unsigned i = 0; i < wanted; i++) {
		new_name();
		if (column_count > 1)
			sqlite3_str_appendall(s, ", ");
		add_name(s, columns[column_count - 1].name);
		sqlite3_str_appendf(s, " %s", a_type());
		add_constraints(s, false);
	}
	if (!has_key && (without_rowid || one_in(3))) {
		sqlite3_str_appendall(s, ", PRIMARY KEY (");
		add_key_columns(s);
		sqlite3_str_appendall(s, ")");
	}
	if (one_in(6)) {
		sqlite3_str_appendall(s, ", UNIQUE (");
		add_key_columns(s);
		sqlite3_str_appendall(s, ")");
	}
	if (one_in(5)) {
		sqlite3_str_appendall(s, ", ");
		add_check(s);
	}
	sqlite3_str_appendf(s, ")%s%s%s", without_rowid ? " WITHOUT ROWID" : "", without_rowid && strict ? "," : "",
			    strict ? " STRICT" : "");
	return run(sqlite3_str_finish(s));
}

static void insert_rows(void)
{
	unsigned rows = one_in(6) ? 0 : one_in(8) ? 200 : 1 + below(30);

	say("BEGIN");
	for (unsigned r = 0; r < rows; r++) {
		sqlite3_str *s = sqlite3_str_new(db);
		unsigned n = 0;

		sqlite3_str_appendf(s, "INSERT OR IGNORE INTO \"%w\" (", table);
		for (unsigned c = 0; c < column_count; c++) {
			if (columns[c].generated)
				continue;
			sqlite3_str_appendall(s, n++ > 0 ? ", " : "");
			add_name(s, columns[c].name);
		}
		sqlite3_str_appendall(s, ") VALUES (");
		while (n > 0) {
			if (one_in(3))
				sqlite3_str_appendf(s, "%d", (int)below(500) - 100);
			else if (one_in(4))
				sqlite3_str_appendf(s, "'r%u'", below(500));
			else
				sqlite3_str_appendall(s, a_value());
			sqlite3_str_appendall(s, --n > 0 ? ", " : "");
		}
		sqlite3_str_appendall(s, ")");
		run(sqlite3_str_finish(s));
	}
	say("COMMIT");
}

static void create_index(unsigned number)
{
	unsigned n = 1 + below(3);
	sqlite3_str *s = sqlite3_str_new(db);

	sqlite3_str_appendf(s, "CREATE %sINDEX i%u ON \"%w\" (", one_in(8) ? "UNIQUE " : "", number, table);
	for (unsigned i = 0; i < n; i++) {
		sqlite3_str_appendall(s, i > 0 ? ", " : "");
		if (one_in(2))
			add_name(s, a_column());
		else
			add_expression(s, 2);
		sqlite3_str_appendf(s, "%s%s", a_collation(), one_in(4) ? " DESC" : "");
	}
	sqlite3_str_appendall(s, ")");
	if (one_in(4)) {
		sqlite3_str_appendall(s, " WHERE ");
		add_expression(s, 2);
	}
	run(sqlite3_str_finish(s));
}

static void add_column(void)
{
	sqlite3_str *s = sqlite3_str_new(db);

	if (column_count + 1 >= COLUMNS_MAX) {
		sqlite3_free(sqlite3_str_finish(s));
		return;
	}
	new_name();
	sqlite3_str_appendf(s, "ALTER TABLE \"%w\" ADD COLUMN \"%w\" %s", table, columns[column_count - 1].name, a_type());
	add_constraints(s, true);
	if (!run(sqlite3_str_finish(s)))
		column_count--;
}

static void alter(void)
{
	unsigned c = below(column_count);
	char name[24];

	switch (below(6)) {
	case 0:
		snprintf(name, sizeof name, "n%u", below(100));
		if (run(sqlite3_mprintf("ALTER TABLE \"%w\" RENAME COLUMN \"%w\" TO \"%w\"", table, columns[c].name, name)))
			snprintf(columns[c].name, sizeof columns[c].name, "%s", name);
		break;
	case 1:
		snprintf(name, sizeof name, "r%u", below(100));
		if (run(sqlite3_mprintf("ALTER TABLE \"%w\" RENAME TO \"%w\"", table, name)))
			snprintf(table, sizeof table, "%s", name);
		break;
	case 2:
		if (run(sqlite3_mprintf("ALTER TABLE \"%w\" DROP COLUMN \"%w\"", table, columns[c].name)))
			columns[c] = columns[--column_count];
		break;
	default:
		add_column();
		break;
	}
}

static void change_rows(void)
{
	sqlite3_str *s = sqlite3_str_new(db);

	if (one_in(3)) {
		sqlite3_str_appendf(s, "DELETE FROM \"%w\" WHERE \"%w\" > %s", table, a_column(), a_value());
	} else {
		sqlite3_str_appendf(s, "UPDATE OR IGNORE \"%w\" SET \"%w\" = ", table, a_column());
		add_expression(s, 1);
		sqlite3_str_appendf(s, " WHERE \"%w\" < %s", a_column(), a_value());
	}
	run(sqlite3_str_finish(s));
}

static void add_other_objects(unsigned number)
{
	sqlite3_str *s;

	if (one_in(5)) {
		s = sqlite3_str_new(db);
		sqlite3_str_appendf(s, "CREATE VIEW v%u AS SELECT ", number);
		add_expression(s, 2);
		sqlite3_str_appendf(s, " AS e FROM \"%w\"", table);
		run(sqlite3_str_finish(s));
	}
	if (one_in(8))
		run(sqlite3_mprintf("CREATE TRIGGER g%u AFTER DELETE ON \"%w\" BEGIN SELECT old.\"%w\"; END", number, table, a_column()));
	if (one_in(30))
		run(sqlite3_mprintf("CREATE VIRTUAL TABLE f%u USING fts5(x)", number));
	if (one_in(40))
		run(sqlite3_mprintf("CREATE VIRTUAL TABLE s%u USING rtree(id, a, b)", number));
}

/* The functions that this SQLite has; which of them may stand where, it says itself. */
static void list_functions(void)
{
	sqlite3_stmt *s = NULL;

	sqlite3_open(":memory:", &db);
	sqlite3_prepare_v2(db, "SELECT DISTINCT name, narg FROM pragma_function_list WHERE builtin AND type = 's' AND name NOT LIKE '%->%' AND "
			   "name NOT IN ('load_extension', 'fts3_tokenizer', 'sqlite_log', 'match') ORDER BY 1, 2", -1, &s, NULL);
	while (function_count < FUNCTIONS_MAX && sqlite3_step(s) == SQLITE_ROW) {
		snprintf(functions[function_count].name, sizeof functions->name, "%s", (const char *)sqlite3_column_text(s, 0));
		functions[function_count++].args = sqlite3_column_int(s, 1);
	}
	sqlite3_finalize(s);
	sqlite3_close(db);
}

static bool make(const char *path)
{
	static const char *const encodings[] = { "UTF-8", "UTF-8", "UTF-16le", "UTF-16be" };
	static const unsigned sizes[] = { 512, 1024, 4096, 4096, 4096, 8192, 65536 };
	unsigned tables = one_in(3) ? 2 : 1, indexes = 0;

	if (sqlite3_open(path, &db) != SQLITE_OK)
		return false;
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, LENGTH_MAX);
	say("PRAGMA journal_mode = OFF");
	say("PRAGMA synchronous = OFF");
	sqlite3_db_config(db, SQLITE_DBCONFIG_LEGACY_FILE_FORMAT, one_in(8), NULL);
	run(sqlite3_mprintf("PRAGMA page_size = %u", PICK(sizes)));
	run(sqlite3_mprintf("PRAGMA encoding = '%s'", PICK(encodings)));
	run(sqlite3_mprintf("PRAGMA auto_vacuum = %u", one_in(3) ? below(3) : 0));
	for (unsigned t = 0; t < tables; t++) {
		for (int tries = 0; tries < 10 && !create_table(t); tries++)
			column_count = 0;
		if (column_count == 0)
			continue;
		for (unsigned n = below(3); n > 0; n--)
			create_index(indexes++);
		insert_rows();
		for (unsigned n = below(4); n > 0; n--) {
			alter();
			if (one_in(2))
				insert_rows();
			if (one_in(3))
				change_rows();
		}
		for (unsigned n = below(4); n > 0; n--)
			create_index(indexes++);
		add_other_objects(t);
	}
	if (one_in(10))
		say("ANALYZE");
	if (one_in(10))
		say("VACUUM");
	return sqlite3_close(db) == SQLITE_OK;
}

/* ---- its damaged twin ---- */

static unsigned char file[FILE_MAX];
static size_t file_len;
static uint32_t page_size;

/* A table or an index; plain: it holds nothing but columns in BINARY order, of every row */
struct object { char kind[40]; uint32_t root; bool plain, is_table; };

static bool read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? file_read(fd, file, sizeof file) : -1;

	if (fd >= 0)
		close(fd);
	file_len = n > 0 ? (size_t)n : 0;
	page_size = file_len > 20 ? btree_u16(file + 16) : 0;
	page_size = page_size == 1 ? 65536 : page_size;
	return file_len > 0 && file_len < sizeof file;
}

static bool write_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && file_write(fd, file, file_len) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool pick_object(const char *path, struct object *o)
{
	static const char sql[] =
		"SELECT CASE WHEN s.type = 'index' THEN CASE"
		"  WHEN (SELECT max(x.cid = -2) FROM pragma_index_xinfo(s.name) x) THEN 'expression index'"
		"  WHEN (SELECT l.partial FROM pragma_index_list(s.tbl_name) l WHERE l.name = s.name) THEN 'partial index'"
		"  WHEN (SELECT max(x.coll <> 'BINARY') FROM pragma_index_xinfo(s.name) x) THEN 'index in another order'"
		"  WHEN (SELECT max(c.hidden > 0) FROM pragma_index_xinfo(s.name) x, pragma_table_xinfo(s.tbl_name) c WHERE c.cid = x.cid)"
		"   THEN 'index of a generated column'"
		"  WHEN s.sql IS NULL THEN 'index of a constraint' ELSE 'plain index' END"
		" WHEN l.wr THEN 'table without rowid' WHEN l.strict THEN 'strict table' ELSE 'table' END, s.rootpage, s.type = 'table'"
		" FROM sqlite_schema s LEFT JOIN pragma_table_list l ON l.schema = 'main' AND l.name = s.name WHERE s.rootpage > 0"
		" ORDER BY s.rowid";
	sqlite3_stmt *s = NULL;
	unsigned seen = 0;

	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK && sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK)
		while (sqlite3_step(s) == SQLITE_ROW)
			if (one_in(++seen)) {
				snprintf(o->kind, sizeof o->kind, "%s", (const char *)sqlite3_column_text(s, 0));
				o->root = (uint32_t)sqlite3_column_int64(s, 1);
				o->is_table = sqlite3_column_int(s, 2) != 0;
				o->plain = strcmp(o->kind, "plain index") == 0 || strcmp(o->kind, "table") == 0 ||
					   strcmp(o->kind, "strict table") == 0;
			}
	sqlite3_finalize(s);
	sqlite3_close(db);
	return seen > 0;
}

/* The leftmost leaf of its tree with at least two cells. */
static unsigned char *find_leaf(uint32_t root, struct btree_page *p)
{
	for (uint32_t number = root, depth = 0; depth < 20 && (size_t)number * page_size <= file_len; depth++) {
		unsigned char *page = file + (size_t)(number - 1) * page_size;
		struct btree_cell c;

		if (btree_page(p, page, page_size - file[20], number) != NULL)
			return NULL;
		if (p->leaf)
			return p->cells >= 2 ? page : NULL;
		if (p->cells == 0 || btree_cell(p, 0, &c) != NULL)
			return NULL;
		number = c.child;
	}
	return NULL;
}

static void put16(unsigned char *p, uint32_t v)
{
	p[0] = (unsigned char)(v >> 8);
	p[1] = (unsigned char)v;
}

/* The page's last cell, if it is the lowest one of the content area: gone without a trace, a row or an entry is missing. */
static bool drop_entry(unsigned char *page, const struct btree_page *p)
{
	uint32_t i = p->cells;
	struct btree_cell c;

	while (i > 0 && (btree_cell(p, i - 1, &c) != NULL || c.at != p->content))
		i--;
	if (i == 0)
		return false;
	memmove(page + p->array + 2 * (i - 1), page + p->array + 2 * i, 2 * (p->cells - i));
	put16(page + p->array - 8 + 3, p->cells - 1);
	put16(page + p->array - 8 + 5, p->content + c.size);
	return true;
}

/* Returns what must come of it: CRITICAL, or WARNING (at least); OK when there is nothing to damage. */
static enum state damage(const struct object *o)
{
	struct btree_page p;
	unsigned char *page = find_leaf(o->root, &p);
	unsigned char swap[2];

	if (page == NULL)
		return STATE_OK;
	switch (below(3)) {
	case 0:
		put16(page + p.array + 2 * below(p.cells), page_size - 1);
		return STATE_CRITICAL;
	case 1:
		memcpy(swap, page + p.array, 2);
		memcpy(page + p.array, page + p.array + 2, 2);
		memcpy(page + p.array + 2, swap, 2);
		return o->plain ? STATE_CRITICAL : STATE_WARNING;
	default:
		/* that a row of a table without indexes is gone nobody can see */
		if (o->is_table || !drop_entry(page, &p))
			return STATE_OK;
		return o->plain ? STATE_CRITICAL : STATE_WARNING;
	}
}

/* ---- judges ---- */

static bool sqlite_finds(const char *path, char *why, size_t size)
{
	sqlite3_stmt *s = NULL;
	bool found = true;

	snprintf(why, size, "cannot open");
	if (sqlite3_open(path, &db) == SQLITE_OK && sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &s, NULL) == SQLITE_OK &&
	    sqlite3_step(s) == SQLITE_ROW) {
		snprintf(why, size, "%s", (const char *)sqlite3_column_text(s, 0));
		found = strcmp(why, "ok") != 0;
	} else {
		snprintf(why, size, "%s", sqlite3_errmsg(db));
	}
	sqlite3_finalize(s);
	sqlite3_close(db);
	return found;
}

static enum state judge(const char *path, enum dbcheck_level level, struct dbcheck_report *r)
{
	struct dbcheck_options o = { .level = level, .deadline_ms = INT64_MAX, .jobs = 1, .progress = PROGRESS_NEVER };

	alarm(LIMIT_MS / 1000);
	dbcheck(path, &o, r);
	alarm(0);
	return r->state;
}

static unsigned made, skipped, alarms, doubts, twins, missed;
static struct { char kind[40]; unsigned twins; } kinds[16];

static void count_kind(const char *kind)
{
	size_t i = 0;

	while (i + 1 < sizeof kinds / sizeof *kinds && kinds[i].kind[0] != '\0' && strcmp(kinds[i].kind, kind) != 0)
		i++;
	snprintf(kinds[i].kind, sizeof kinds[i].kind, "%s", kind);
	kinds[i].twins++;
}

/* A file that SQLite calls sound. */
static bool judge_sound(const char *path, const char *name)
{
	static const char *const levels[] = { "header", "quick", "full" };
	struct dbcheck_report r;
	bool fine = true;

	for (enum dbcheck_level level = DBCHECK_QUICK; level <= DBCHECK_FULL; level++) {
		judge(path, level, &r);
		if (r.state == STATE_OK)
			continue;
		if (r.state == STATE_WARNING) {
			doubts++;
			printf("DOUBT %s, %s: %s\n", name, levels[level], r.text);
		} else {
			alarms++;
			fine = false;
			printf("FALSE ALARM %s, %s: %s\n", name, levels[level], r.text);
		}
	}
	return fine;
}

static void try_case(const char *dir, uint64_t number, uint64_t seed, bool keep)
{
	char path[4096], kept[4096], twin[4096], name[64], why[300];
	struct dbcheck_report r;
	enum state expected;
	struct object o;

	snprintf(path, sizeof path, "%s/case.db", dir);
	snprintf(kept, sizeof kept, "%s/case-%" PRIu64 ".db", dir, number);
	snprintf(twin, sizeof twin, "%s/twin-%" PRIu64 ".db", dir, number);
	snprintf(name, sizeof name, "case %" PRIu64, number);
	chance = seed ^ number * UINT64_C(0xd1342543de82ef95);
	unlink(path);
	/* a database without a page is none */
	if (!make(path) || !read_file(path)) {
		skipped++;
		return;
	}
	if (sqlite_finds(path, why, sizeof why)) {
		if (verbose)
			printf("skipped case %" PRIu64 ": integrity_check: %s\n", number, why);
		skipped++;
		return;
	}
	made++;
	if (!judge_sound(path, name) || keep)
		write_file(kept);
	if (!pick_object(path, &o) || (expected = damage(&o)) == STATE_OK)
		return;
	write_file(path);
	twins++;
	count_kind(o.kind);
	judge(path, DBCHECK_FULL, &r);
	if (r.state == STATE_OK || (expected == STATE_CRITICAL && r.state != STATE_CRITICAL)) {
		missed++;
		printf("MISSED twin %" PRIu64 " (%s): %s\n", number, o.kind, r.state == STATE_OK ? "ok" : r.text);
		write_file(twin);
	}
}

int main(int argc, char **argv)
{
	uint64_t cases = 1000, seed = 1, first = 0;
	bool keep = false, foreign = false;
	const char *why = NULL;
	int c;

	msg_init(argv[0]);
	while ((c = getopt(argc, argv, "n:s:f:kjv")) != -1) {
		switch (c) {
		case 'n':
			why = num_u64(optarg, 0, UINT32_MAX, &cases);
			break;
		case 's':
			why = num_u64(optarg, 0, UINT64_MAX, &seed);
			break;
		case 'f':
			why = num_u64(optarg, 0, UINT32_MAX, &first);
			break;
		case 'k':
			keep = true;
			break;
		case 'j':
			foreign = true;
			break;
		case 'v':
			verbose = true;
			break;
		default:
			return 2;
		}
		if (why != NULL) {
			fprintf(stderr, "schemas: -%c %s: %s\n", c, optarg, why);
			return 2;
		}
	}
	if (optind == argc || (!foreign && optind + 1 != argc)) {
		fprintf(stderr, "usage: schemas [-n CASES] [-f FIRST] [-s SEED] [-k] [-v] DIR\n       schemas -j FILE...\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (; foreign && optind < argc; optind++, made++)
		judge_sound(argv[optind], argv[optind]);
	if (!foreign)
		list_functions();
	for (uint64_t n = first; !foreign && n < first + cases; n++)
		try_case(argv[optind], n, seed, keep);
	printf("SQLite %s: %u sound databases, %u false alarms, %u doubts; %u damaged twins, %u missed; %u not sound by SQLite\n",
	       sqlite3_libversion(), made, alarms, doubts, twins, missed, skipped);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds && kinds[i].kind[0] != '\0'; i++)
		printf("%6u twins: %s\n", kinds[i].twins, kinds[i].kind);
	return alarms > 0 || missed > 0;
}
