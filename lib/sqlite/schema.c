#include "lib/std.h"

#include <inttypes.h>
#include <strings.h>

#include "lib/sqlite/schema.h"
#include "lib/sqlite/sqltext.h"

enum { TYPE, NAME, TABLE, ROOT, SQL, COLUMNS };

void schema_free(struct schema *s)
{
	for (size_t i = 0; i < s->count; i++) {
		free((void *)(uintptr_t)s->rows[i].type);
		free((void *)(uintptr_t)s->rows[i].name);
		free((void *)(uintptr_t)s->rows[i].table);
		free((void *)(uintptr_t)s->rows[i].module);
		free(s->rows[i].why);
	}
	free(s->rows);
	free(s->by_name);
	*s = (struct schema){ NULL, 0, 0, NULL };
}

/* ---- one row ---- */

static size_t put_utf8(char *out, uint32_t c)
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const unsigned char first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (size_t i = n; i-- > 1; c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)(first[n] | c);
	return n;
}

/* A text of len bytes as UTF-8; malloc'ed, NULL without memory. */
static char *decode(const unsigned char *p, uint32_t len, uint32_t encoding)
{
	uint32_t hi = encoding == 2, lo = encoding != 2;
	char *out = malloc(encoding <= 1 ? len + 1 : (size_t)len / 2 * 3 + 1);
	size_t n = 0;

	if (out == NULL)
		return NULL;
	if (encoding <= 1) {
		memcpy(out, p, len);
		n = len;
	}
	for (uint32_t i = 0; encoding > 1 && i + 1 < len; i += 2) {
		uint32_t c = (uint32_t)p[i + hi] << 8 | p[i + lo], d;

		if (c >= 0xd800 && c < 0xdc00 && i + 3 < len) {
			d = (uint32_t)p[i + 2 + hi] << 8 | p[i + 2 + lo];
			if (d >= 0xdc00 && d < 0xe000) {
				c = 0x10000 + ((c & 0x3ff) << 10) + (d & 0x3ff);
				i += 2;
			}
		}
		n += put_utf8(out + n, c);
	}
	out[n] = '\0';
	return out;
}

/* Column i when it is a text that was read whole, "" otherwise; *len is what it takes, NULs inside included. */
static char *text_of(const struct field *fields, uint32_t count, uint32_t i, const unsigned char *p, uint32_t have,
		     uint32_t encoding)
{
	uint32_t size = i < count ? record_size(fields[i].type) : 0;
	char *text;

	if (i >= count || record_kind(fields[i].type, NULL) != KIND_TEXT || (uint64_t)fields[i].at + size > have)
		return calloc(1, 1);
	text = decode(p + fields[i].at, size, encoding);
	/* a NUL in it would hide what follows */
	if (text != NULL && encoding <= 1 && strlen(text) != size)
		text[0] = '\0';
	return text;
}

/* A root that is no number is no page: SQLite reads no schema with such a row, not even where it is that of a view. */
static uint32_t root_of(const struct field *fields, uint32_t count, const unsigned char *p, uint32_t have)
{
	int64_t root;

	if (count <= ROOT || record_kind(fields[ROOT].type, NULL) != KIND_INT ||
	    fields[ROOT].at + record_size(fields[ROOT].type) > have)
		return UINT32_MAX;
	root = record_int(fields[ROOT].type, p + fields[ROOT].at);
	return root >= 0 && root < UINT32_MAX ? (uint32_t)root : UINT32_MAX;
}

/* Does the statement say what the other columns do? */
static bool agrees(const struct schema_row *r, const struct sqltext_statement *st)
{
	static const char *const types[] = {
		[SQLTEXT_TABLE] = "table", [SQLTEXT_VIRTUAL] = "table", [SQLTEXT_INDEX] = "index",
		[SQLTEXT_VIEW] = "view", [SQLTEXT_TRIGGER] = "trigger",
	};
	bool has_pages = st->type == SQLTEXT_TABLE || st->type == SQLTEXT_INDEX;
	struct sqltext table = st->type == SQLTEXT_INDEX || st->type == SQLTEXT_TRIGGER ? st->on : st->name;

	return strcmp(r->type, types[st->type]) == 0 && sqltext_is_name(st->name, r->name) &&
	       sqltext_is_name(table, r->table) && (r->root != 0) == has_pages;
}

/* An index for a PRIMARY KEY or UNIQUE of its table has no statement of its own. */
static bool is_automatic(const struct schema_row *r)
{
	return !r->has_sql && strcmp(r->type, "index") == 0 && strncasecmp(r->name, "sqlite_autoindex_", 17) == 0 &&
	       r->root != 0;
}

/* `content = ...` among the arguments (https://www.sqlite.org/fts5.html, 4.4; fts3.html, 6.2.2) */
static bool has_content_elsewhere(const char *arguments)
{
	for (const char *s = arguments; (s = strcasestr(s, "content")) != NULL; s++)
		if (s[7 + strspn(s + 7, " \t\r\n")] == '=')
			return true;
	return false;
}

int schema_add(struct schema *s, int64_t rowid, const struct field *fields, uint32_t count, const unsigned char *p,
	       uint32_t have, uint32_t encoding)
{
	struct schema_row *r;
	struct sqltext_statement st;
	char *sql;

	if (s->count == s->room) {
		size_t room = s->room > 0 ? 2 * s->room : 64;

		r = realloc(s->rows, room * sizeof *r);
		if (r == NULL)
			return -1;
		s->rows = r;
		s->room = room;
	}
	r = &s->rows[s->count++];
	*r = (struct schema_row){ .rowid = rowid, .root = root_of(fields, count, p, have) };
	r->type = text_of(fields, count, TYPE, p, have, encoding);
	r->name = text_of(fields, count, NAME, p, have, encoding);
	r->table = text_of(fields, count, TABLE, p, have, encoding);
	sql = text_of(fields, count, SQL, p, have, encoding);
	if (r->type == NULL || r->name == NULL || r->table == NULL || sql == NULL) {
		free(sql);
		return -1;
	}
	r->has_sql = count > SQL && record_kind(fields[SQL].type, NULL) != KIND_NULL;
	r->sql_cut = r->has_sql && (uint64_t)fields[SQL].at + record_size(fields[SQL].type) > have;
	r->sound = r->sql_cut || is_automatic(r) || (r->has_sql && sqltext_whole(sql, &st) && agrees(r, &st));
	if (r->has_sql && !r->sql_cut && r->sound && st.type == SQLTEXT_VIRTUAL) {
		if ((r->module = strndup(st.module.p, st.module.len)) == NULL) {
			free(sql);
			return -1;
		}
		r->foreign = has_content_elsewhere(st.module.p);
	}
	free(sql);
	return 0;
}

/* ---- all rows ---- */

/* Triggers have names of their own; tables, views and indexes share theirs. */
static int by_name(const void *a, const void *b)
{
	const struct schema_row *x = *(struct schema_row *const *)a, *y = *(struct schema_row *const *)b;
	int c = (strcmp(x->type, "trigger") == 0) - (strcmp(y->type, "trigger") == 0);

	if (c == 0)
		c = strcasecmp(x->name, y->name);
	return c != 0 ? c : (x->rowid > y->rowid) - (x->rowid < y->rowid);
}

int schema_sort(struct schema *s)
{
	s->by_name = calloc(s->count + 1, sizeof(struct schema_row *));
	if (s->by_name == NULL)
		return -1;
	for (size_t i = 0; i < s->count; i++)
		s->by_name[i] = &s->rows[i];
	if (s->count > 1)
		qsort(s->by_name, s->count, sizeof *s->by_name, by_name);
	return 0;
}

struct schema_row *schema_find(const struct schema *s, const char *type, const char *name)
{
	struct schema_row wanted = { .rowid = INT64_MIN, .type = type, .name = name }, *w = &wanted;
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (by_name(&s->by_name[mid], &w) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < s->count && strcasecmp(s->by_name[low]->name, name) == 0; low++)
		if (strcmp(s->by_name[low]->type, type) == 0)
			return s->by_name[low];
	return NULL;
}

/* The object that an index or a trigger belongs to; itself for any other. */
static const struct schema_row *owner_of(const struct schema *s, const struct schema_row *r)
{
	const struct schema_row *owner = r;

	if (strcmp(r->type, "index") == 0 || strcmp(r->type, "trigger") == 0)
		owner = schema_find(s, "table", r->table);
	if (owner == NULL && r->type[0] == 't')
		owner = schema_find(s, "view", r->table);
	return owner;
}

int schema_statement(sqlite3 *db, const struct schema_row *r, char **out)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(db, "SELECT sql FROM main.sqlite_schema WHERE rowid = ?1", -1, &s, NULL);

	*out = NULL;
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(s, 1, r->rowid);
	if (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(s, 0);

		*out = strdup(text != NULL ? text : "");
		rc = *out != NULL ? SQLITE_OK : SQLITE_NOMEM;
	}
	sqlite3_finalize(s);
	return rc == SQLITE_DONE ? SQLITE_CORRUPT : rc;
}

/* ---- can SQLite read a definition? A database in memory tells, whose schema has only that ---- */

#define OTHER_ROOT 3	/* the root page of what is not the first there */

static int probe_open(sqlite3 **probe)
{
	int rc = sqlite3_open(":memory:", probe);

	/* root pages that exist */
	return rc == SQLITE_OK ? sqlite3_exec(*probe, "CREATE TABLE a (x); CREATE TABLE b (x)", NULL, NULL, NULL) : rc;
}

static int probe_put(sqlite3 *probe, sqlite3 *db, const struct schema_row *r, uint32_t root)
{
	char *sql = NULL;
	sqlite3_stmt *s = NULL;
	int rc = schema_statement(db, r, &sql);

	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(probe, "INSERT INTO sqlite_schema VALUES (?1, ?2, ?3, ?4, nullif(?5, ''))", -1, &s, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_bind_text(s, 1, r->type, -1, SQLITE_STATIC);
		sqlite3_bind_text(s, 2, r->name, -1, SQLITE_STATIC);
		sqlite3_bind_text(s, 3, r->table, -1, SQLITE_STATIC);
		sqlite3_bind_int64(s, 4, r->root != 0 ? root : 0);
		sqlite3_bind_text(s, 5, sql, -1, SQLITE_STATIC);
		sqlite3_step(s);
		rc = sqlite3_finalize(s);
	}
	free(sql);
	return rc;
}

/* Sets r->why when SQLite cannot read it beside its owner. */
static int probe_row(sqlite3 *probe, sqlite3 *db, const struct schema_row *owner, struct schema_row *r)
{
	sqlite3_stmt *s = NULL;
	const char *why;
	int rc = sqlite3_db_config(probe, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_exec(probe, "DELETE FROM sqlite_schema", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = probe_put(probe, db, owner, OTHER_ROOT - 1);
	if (rc == SQLITE_OK && owner != r)
		rc = probe_put(probe, db, r, OTHER_ROOT);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(probe, "PRAGMA writable_schema = RESET", NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_prepare_v2(probe, "SELECT 1 FROM sqlite_schema", -1, &s, NULL);
	sqlite3_finalize(s);
	if (rc == SQLITE_OK || (rc & 0xff) == SQLITE_NOMEM)
		return rc;
	/* malformed database schema (NAME) - why */
	why = strstr(sqlite3_errmsg(probe), ") - ");
	r->why = strdup(why != NULL ? why + 4 : sqlite3_errmsg(probe));
	return r->why != NULL ? SQLITE_OK : SQLITE_NOMEM;
}

static int probe_all(struct schema *s, sqlite3 *db)
{
	sqlite3 *probe = NULL;
	int rc = probe_open(&probe);

	for (size_t i = 0; rc == SQLITE_OK && i < s->count; i++) {
		const struct schema_row *owner = owner_of(s, &s->rows[i]);

		if (owner != NULL)
			rc = probe_row(probe, db, owner, &s->rows[i]);
	}
	sqlite3_close(probe);
	return rc;
}

int schema_judge(struct schema *s, sqlite3 *db, struct damage *damage)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct schema_row *r = s->by_name[i];
		bool twice = i > 0 && strcasecmp(r->name, s->by_name[i - 1]->name) == 0 &&
			     (strcmp(r->type, "trigger") == 0) == (strcmp(s->by_name[i - 1]->type, "trigger") == 0);

		if (!r->sound || twice || owner_of(s, r) == NULL)
			damage_add(damage, "schema", NULL, DAMAGE_SCHEMA, 1, r->rowid, "row %" PRId64 ", %.20s %.60s%s",
				   r->rowid, r->type, r->name, twice ? ": its name is another one's" : "");
	}
	return db != NULL ? probe_all(s, db) : SQLITE_OK;
}
