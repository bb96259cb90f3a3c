#include "lib/std.h"

#include "lib/sqlite/sqltext.h"

#include "tests/unit/check.h"

static bool equal(struct sqltext t, const char *want)
{
	return strlen(want) == t.len && memcmp(t.p, want, t.len) == 0;
}

static const struct {
	const char *sql, *columns[4], *where;
} indexes[] = {
	{ "CREATE INDEX i ON t(a)", { "a" }, NULL },
	{ "create unique index if not exists \"i(\" on [t)] ( a , b desc, c COLLATE nocase ASC )",
	  { "a", "b", "c COLLATE nocase" }, NULL },
	{ "CREATE INDEX i ON t(lower(a), substr(b, 1, 2) DESC)", { "lower(a)", "substr(b, 1, 2)" }, NULL },
	{ "CREATE INDEX i ON t(a || ')', b /* , */ , 'it''s, ok')", { "a || ')'", "b", "'it''s, ok'" }, NULL },
	{ "CREATE INDEX i ON t(a -- ),\n, `b,`)", { "a", "`b,`" }, NULL },
	{ "CREATE INDEX i ON t(\"desc\", desc)", { "\"desc\"", "desc" }, NULL },
	{ "CREATE INDEX i ON t(a) WHERE b IS NOT NULL", { "a" }, " b IS NOT NULL" },
	{ "CREATE INDEX \"where\" ON t((a), ((b)) DESC) where(b > (1))", { "(a)", "((b))" }, "(b > (1))" },
	{ "CREATE INDEX i ON t(a", { NULL }, NULL },
	{ "", { NULL }, NULL },
	{ "CREATE INDEX i ON t('", { NULL }, NULL },
};

static const struct {
	const char *sql, *checks[4];
	bool without_rowid, strict;
} tables[] = {
	{ "CREATE TABLE t(a, b)", { NULL }, false, false },
	{ "CREATE TABLE t(a CHECK (a > 0), CHECK(a < b AND (b)))", { "a > 0", "a < b AND (b)" }, false, false },
	{ "CREATE TABLE t(\"check\" TEXT, [check] DEFAULT (check(1)), x CONSTRAINT c Check ( x IN (')',2) ))",
	  { " x IN (')',2) " }, false, false },
	{ "CREATE TABLE t(a PRIMARY KEY) WITHOUT ROWID", { NULL }, true, false },
	{ "CREATE TABLE \"a(\"(a INT PRIMARY KEY) strict,without/**/ROWID", { NULL }, true, true },
	{ "CREATE TABLE t(a INT DEFAULT 'WITHOUT', b TEXT DEFAULT ') STRICT')", { NULL }, false, false },
	{ "CREATE TABLE t(a CHECK/* ( */(a) -- CHECK (b)\n, b)", { "a" }, false, false },
	{ "CREATE TABLE t(a CHECK (a", { "a" }, false, false },
	{ "CREATE TABLE t(", { NULL }, false, false },
	{ "", { NULL }, false, false },
};

static const struct {
	const char *sql, *name, *on;
	enum sqltext_type type;
} whole[] = {
	{ "CREATE TABLE t(a, b) STRICT, WITHOUT ROWID", "t", NULL, SQLTEXT_TABLE },
	{ "create table \"a \"\" (b\" (a DEFAULT ')' /* ) */) SOMETHING NEW -- )", "a \" (b", NULL, SQLTEXT_TABLE },
	{ "CREATE VIRTUAL TABLE [v] USING fts5(a, b = '(')", "v", NULL, SQLTEXT_VIRTUAL },
	{ "CREATE VIRTUAL TABLE v USING m", "v", NULL, SQLTEXT_VIRTUAL },
	{ "CREATE INDEX i ON `t t`(a ->> '$.x') WHERE b NEW SYNTAX (c)", "i", "t t", SQLTEXT_INDEX },
	{ "CREATE UNIQUE INDEX 'i''' ON t(a)", "i'", "t", SQLTEXT_INDEX },
	{ "CREATE VIEW v AS SELECT group_concat(a ORDER BY b) FROM t", "v", NULL, SQLTEXT_VIEW },
	{ "CREATE VIEW \"as\"(a, b) AS VALUES (1, 2)", "as", NULL, SQLTEXT_VIEW },
	{ "CREATE TRIGGER r AFTER UPDATE OF a ON t BEGIN SELECT 1; END", "r", "t", SQLTEXT_TRIGGER },
	{ "CREATE TRIGGER r INSTEAD OF DELETE ON t FOR EACH ROW WHEN (1) BEGIN DELETE FROM t; END -- x", "r", "t",
	  SQLTEXT_TRIGGER },
};

static const char *const broken[] = {
	"", "CREATE", "CREATE TABLE", "CREATE TABLE t", "CREATE TABLE t(a", "CREATE TABLE t(a))", "CREATE TABLE t'(a)",
	"CREATE TABLE t(a\001b)", "CREATE TABLE t(a DEFAULT 'x)", "CREATE TABLE t(a) STRICT (", "CREATE TABLE (a)",
	"CRXATE TABLE t(a)", "CREATE UNIQUE TABLE t(a)", "CREATE VIRTUAL INDEX i ON t(a)", "CREATE VIRTUAL TABLE v",
	"CREATE VIRTUAL TABLE v USING m(", "CREATE INDEX i ON t", "CREATE INDEX i ON t(a) WHERE", "CREATE INDEX i t(a)",
	"CREATE VIEW v AS", "CREATE VIEW v SELECT 1", "CREATE VIEW v AS SELECT", "SELECT 1",
	"CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1;", "CREATE TRIGGER r AFTER INSERT BEGIN SELECT 1; END",
	"CREATE VIEW v AS SELECT \"a FROM t", "CREATE VIEW v AS SELECT a\177 FROM t",
};

static void test_whole(const char *sql, const char *name, const char *on, enum sqltext_type type)
{
	struct sqltext_statement st;
	bool is_whole = sqltext_whole(sql, &st);

	check(is_whole, "%s: not whole", sql);
	if (!is_whole)
		return;
	check(st.type == type, "%s: of type %d", sql, (int)st.type);
	check(sqltext_is_name(st.name, name), "%s: not named %s", sql, name);
	check(!sqltext_is_name(st.name, "nam") && !sqltext_is_name(st.name, ""), "%s: named otherwise", sql);
	check(on == NULL || sqltext_is_name(st.on, on), "%s: not on %s", sql, on);
}

static void test_index(const char *sql, const char *const columns[4], const char *where)
{
	struct sqltext t;
	unsigned i;

	for (i = 0; columns[i] != NULL; i++)
		check(sqltext_index_column(sql, i, &t) && equal(t, columns[i]), "%s: column %u is not %s", sql, i,
		      columns[i]);
	check(!sqltext_index_column(sql, i, &t), "%s: more than %u columns", sql, i);
	if (where != NULL)
		check(sqltext_index_where(sql, &t) && equal(t, where), "%s: not where %s", sql, where);
	else
		check(!sqltext_index_where(sql, &t), "%s: has a WHERE clause", sql);
}

static void test_table(const char *sql, const char *const checks[4], bool without_rowid, bool strict)
{
	const char *at = sql;
	struct sqltext t;
	unsigned depth = 0;
	bool w, s;

	for (unsigned i = 0; checks[i] != NULL; i++)
		check(sqltext_next_check(&at, &depth, &t) && equal(t, checks[i]), "%s: not CHECK %s", sql, checks[i]);
	check(!sqltext_next_check(&at, &depth, &t), "%s: more CHECKs", sql);
	sqltext_options(sql, &w, &s);
	check(w == without_rowid && s == strict, "%s: options %d %d", sql, w, s);
}

int main(void)
{
	for (size_t i = 0; i < sizeof indexes / sizeof *indexes; i++)
		test_index(indexes[i].sql, indexes[i].columns, indexes[i].where);
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		test_table(tables[i].sql, tables[i].checks, tables[i].without_rowid, tables[i].strict);
	for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
		test_whole(whole[i].sql, whole[i].name, whole[i].on, whole[i].type);
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		struct sqltext_statement st;

		check(!sqltext_whole(broken[i], &st), "%s: said to be whole", broken[i]);
	}
	return check_done();
}
