#include "lib/std.h"

#include <stdarg.h>
#include <strings.h>

#include "lib/sqlite/plan.h"
#include "lib/sqlite/shortrow.h"
#include "lib/sqlite/sqltext.h"

/* Everything of a plan lives as long as the plan: memory in chunks, freed at once. */
struct chunk {
	struct chunk *next;
	size_t used, room;
	max_align_t data[];
};

static void *take(struct plan *p, size_t size)
{
	struct chunk *c = p->memory;

	size = (size + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
	if (c == NULL || c->room - c->used < size) {
		size_t room = size > 16384 ? size : 16384;

		c = calloc(1, sizeof *c + room);
		if (c == NULL)
			return NULL;
		c->room = room;
		c->next = p->memory;
		p->memory = c;
	}
	c->used += size;
	return (char *)c->data + c->used - size;
}

static char *copy(struct plan *p, const char *s, size_t len)
{
	char *t = take(p, len + 1);

	if (t != NULL)
		memcpy(t, s, len);
	return t;
}

/* With sqlite3_mprintf's %w, which doubles quotes inside of a name. */
static char *format(struct plan *p, const char *fmt, ...)
{
	char *s, *t = NULL;
	va_list ap;

	va_start(ap, fmt);
	s = sqlite3_vmprintf(fmt, ap);
	va_end(ap);
	if (s != NULL)
		t = copy(p, s, strlen(s));
	sqlite3_free(s);
	return t;
}

void plan_free(struct plan *p)
{
	schema_free(&p->schema);
	while (p->memory != NULL) {
		struct chunk *c = p->memory;

		p->memory = c->next;
		free(c);
	}
}

static struct table *add_table(struct plan *p, struct table **last, const char *name, uint32_t root)
{
	struct table *t = take(p, sizeof *t);

	if (t == NULL)
		return NULL;
	t->tree = (struct tree){ .type = "table", .name = name, .root = root, .rowids = true, .table = t };
	t->rowid_slot = -1;
	*last = t;
	return t;
}

int plan_start(struct plan *p, uint32_t encoding)
{
	*p = (struct plan){ .encoding = encoding != 0 ? encoding : 1 };
	if (secret_draw(&p->secret) != 0 || add_table(p, &p->tables, "sqlite_schema", 1) == NULL) {
		plan_free(p);
		return -1;
	}
	return 0;
}

/*
 * Affinity by the declared type (https://www.sqlite.org/datatype3.html, 3.1): the first rule that matches.
 */
enum affinity { AFFINITY_BLOB, AFFINITY_TEXT, AFFINITY_NUMERIC, AFFINITY_INTEGER, AFFINITY_REAL };

static enum affinity affinity_of(const char *type)
{
	if (strcasestr(type, "int") != NULL)
		return AFFINITY_INTEGER;
	if (strcasestr(type, "char") != NULL || strcasestr(type, "clob") != NULL || strcasestr(type, "text") != NULL)
		return AFFINITY_TEXT;
	if (type[0] == '\0' || strcasestr(type, "blob") != NULL)
		return AFFINITY_BLOB;
	if (strcasestr(type, "real") != NULL || strcasestr(type, "floa") != NULL || strcasestr(type, "doub") != NULL)
		return AFFINITY_REAL;
	return AFFINITY_NUMERIC;
}

/* The kinds that a column of a STRICT table may not hold (https://www.sqlite.org/stricttables.html, 2). */
static unsigned strictly_forbidden(const char *type)
{
	static const struct { const char *type; unsigned allowed; } types[] = {
		{ "INT", KIND_INT }, { "INTEGER", KIND_INT }, { "REAL", KIND_INT | KIND_REAL },
		{ "TEXT", KIND_TEXT }, { "BLOB", KIND_BLOB },
	};
	unsigned every = KIND_INT | KIND_REAL | KIND_TEXT | KIND_BLOB;

	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (strcasecmp(type, types[i].type) == 0)
			return every & ~types[i].allowed;
	return 0;
}

/* A column as PRAGMA table_xinfo tells it, while the table is being planned. */
struct column {
	char *name, *type, *default_sql;
	bool not_null, computed;	/* GENERATED ALWAYS AS ... VIRTUAL: in no record */
	int primary;			/* its place in the primary key, 0 for none */
	int place;			/* in the records, -1 for none */
};

struct draft {
	struct plan *plan;
	sqlite3 *db;
	bool full;
	struct table *table;
	char *sql;			/* CREATE TABLE */
	bool without_rowid, strict;
	struct column *columns;
	int count, room;
	int alias;			/* the column that is the rowid, -1 for none */
	struct index *primary;		/* of a WITHOUT ROWID table */
};

static const char *column_text(sqlite3_stmt *s, int i)
{
	const char *t = (const char *)sqlite3_column_text(s, i);

	return t != NULL ? t : "";
}

/* PRAGMA main.what("name") */
static int ask(sqlite3 *db, const char *what, const char *name, sqlite3_stmt **s)
{
	char *sql = sqlite3_mprintf("PRAGMA main.%s(\"%w\")", what, name);
	int rc = sql != NULL ? sqlite3_prepare_v2(db, sql, -1, s, NULL) : SQLITE_NOMEM;

	sqlite3_free(sql);
	return rc;
}

static int read_columns(struct draft *d)
{
	sqlite3_stmt *s = NULL;
	int rc = ask(d->db, "table_xinfo", d->table->tree.name, &s);

	d->count = 0;
	while (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct column *c;

		rc = SQLITE_OK;
		if (d->count == d->room) {
			int room = d->room > 0 ? 2 * d->room : 32;
			struct column *more = realloc(d->columns, (size_t)room * sizeof *more);

			if (more == NULL) {
				rc = SQLITE_NOMEM;
				break;
			}
			d->columns = more;
			d->room = room;
		}
		/* cid, name, type, notnull, dflt_value, pk, hidden */
		c = &d->columns[d->count++];
		*c = (struct column){ .not_null = sqlite3_column_int(s, 3) != 0, .primary = sqlite3_column_int(s, 5),
				      .computed = sqlite3_column_int(s, 6) == 2, .place = -1 };
		c->name = copy(d->plan, column_text(s, 1), strlen(column_text(s, 1)));
		c->type = copy(d->plan, column_text(s, 2), strlen(column_text(s, 2)));
		if (sqlite3_column_type(s, 4) != SQLITE_NULL)
			c->default_sql = copy(d->plan, column_text(s, 4), strlen(column_text(s, 4)));
		if (c->name == NULL || c->type == NULL)
			rc = SQLITE_NOMEM;
	}
	sqlite3_finalize(s);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static enum collation collation_of(const char *name)
{
	static const struct { const char *name; enum collation is; } known[] = {
		{ "BINARY", COLLATE_BINARY }, { "NOCASE", COLLATE_NOCASE }, { "RTRIM", COLLATE_RTRIM },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcasecmp(name, known[i].name) == 0)
			return known[i].is;
	return COLLATE_UNKNOWN;
}

/* The columns of an index as PRAGMA index_xinfo tells them; cids holds room for as many as a table can have. */
static int read_index_columns(struct draft *d, struct index *i, int **cids)
{
	int room = d->count + 1 + 64, n = 0, rc;
	struct column_order *order;
	sqlite3_stmt *s = NULL;

	rc = ask(d->db, "index_xinfo", i->tree.name, &s);
	*cids = malloc((size_t)room * sizeof **cids);
	order = malloc((size_t)room * sizeof *order);
	while (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		rc = SQLITE_OK;
		if (n == room) {
			void *more_cids, *more_order;

			room *= 2;
			more_cids = realloc(*cids, (size_t)room * sizeof **cids);
			if (more_cids != NULL)
				*cids = more_cids;
			more_order = realloc(order, (size_t)room * sizeof *order);
			if (more_order != NULL)
				order = more_order;
			if (more_cids == NULL || more_order == NULL)
				rc = SQLITE_NOMEM;
		}
		if (*cids == NULL || order == NULL || rc != SQLITE_OK) {
			rc = SQLITE_NOMEM;
			break;
		}
		/* seqno, cid, name, desc, coll, key */
		(*cids)[n] = sqlite3_column_int(s, 1);
		order[n] = (struct column_order){ collation_of(column_text(s, 4)), sqlite3_column_int(s, 3) != 0 };
		if (order[n].collation == COLLATE_UNKNOWN && i->own_collation == NULL &&
		    (i->own_collation = copy(d->plan, column_text(s, 4), strlen(column_text(s, 4)))) == NULL) {
			rc = SQLITE_NOMEM;
			break;
		}
		if (sqlite3_column_int(s, 5) != 0)
			i->key_columns++;
		n++;
	}
	if (rc == SQLITE_DONE) {
		rc = SQLITE_OK;
		i->columns = (uint32_t)n;
		i->order = take(d->plan, ((size_t)n + 1) * sizeof *order);
		if (i->order == NULL)
			rc = SQLITE_NOMEM;
		else
			memcpy(i->order, order, (size_t)n * sizeof *order);
	}
	free(order);
	sqlite3_finalize(s);
	return rc;
}

/* Where the index finds its columns; the columns of the records have their places by now. */
static int plan_places(struct draft *d, struct index *i, const int *cids)
{
	i->computed = i->partial;
	i->places = take(d->plan, (i->columns + 1) * sizeof *i->places);
	if (i->places == NULL)
		return SQLITE_NOMEM;
	for (uint32_t c = 0; c < i->columns; c++) {
		int cid = cids[c];

		if (cid == -1 || (cid >= 0 && cid == d->alias))
			i->places[c] = PLACE_ROWID;
		else if (cid >= 0 && !d->columns[cid].computed)
			i->places[c] = d->columns[cid].place;
		else
			i->places[c] = PLACE_COMPUTED;
		i->computed = i->computed || i->places[c] == PLACE_COMPUTED;
	}
	return SQLITE_OK;
}

/* In the hashes of a row each column that an index needs has its slot. */
int plan_plain(struct plan *p, struct table *t, struct index *i)
{
	i->slots = take(p, (i->columns + 1) * sizeof *i->slots);
	if (i->slots == NULL)
		return SQLITE_NOMEM;
	for (uint32_t c = 0; c < i->columns; c++) {
		int place = i->places[c];
		int *slot = place == PLACE_ROWID ? &t->rowid_slot : &t->stored[place < 0 ? 0 : place].slot;

		if (place == PLACE_COMPUTED) {
			i->slots[c] = -1;
			continue;
		}
		if (*slot < 0)
			*slot = (int)t->slots++;
		i->slots[c] = *slot;
		if (place >= 0 && (uint32_t)place >= t->last_needed)
			t->last_needed = (uint32_t)place + 1;
	}
	return SQLITE_OK;
}

/*
 * The result columns for an index whose entries SQLite must compute. Beside those of others (all) a condition is a column
 * too, in CASE: as a value SQLite computes all of it, and what stands behind `json_valid(x) AND` may be an error for the
 * other rows, as an expression of the index may. By itself it is a WHERE clause.
 */
static int plan_select(struct draft *d, struct index *i, const int *cids, const char *sql, bool all, sqlite3_str *out)
{
	struct sqltext where = { NULL, 0 }, e;

	if (i->partial && !sqltext_index_where(sql, &where))
		return SQLITE_INTERNAL;
	if (i->partial && all)
		sqlite3_str_appendf(out, ",CASE WHEN (\n%.*s\n) THEN 1 END", (int)where.len, where.p);
	for (uint32_t c = 0; c < i->columns; c++) {
		int cid = cids[c];

		sqlite3_str_appendall(out, c > 0 || all ? "," : "SELECT ");
		if (cid >= 0 && cid != d->alias)
			sqlite3_str_appendf(out, "\"%w\"", d->columns[cid].name);
		else if (cid >= -1)
			sqlite3_str_appendf(out, "%s", d->table->rowid);
		else if (!sqltext_index_column(sql, c, &e))
			return SQLITE_INTERNAL;
		else if (i->partial && all)
			sqlite3_str_appendf(out, "CASE WHEN (\n%.*s\n) THEN (\n%.*s\n) END", (int)where.len, where.p, (int)e.len,
					    e.p);
		else
			sqlite3_str_appendf(out, "(\n%.*s\n)", (int)e.len, e.p);
	}
	if (!all)
		sqlite3_str_appendf(out, " FROM %s", d->table->from);
	if (!all && i->partial)
		sqlite3_str_appendf(out, " WHERE (\n%.*s\n)", (int)where.len, where.p);
	return SQLITE_OK;
}

static int plan_rounds(struct draft *d, struct index *i, const int *cids)
{
	for (uint32_t c = 0; c < i->columns; c++) {
		const struct column *column = cids[c] >= 0 ? &d->columns[cids[c]] : NULL;

		if (column == NULL || column->default_sql == NULL || affinity_of(column->type) != AFFINITY_REAL)
			continue;
		if (i->rounds == NULL && (i->rounds = take(d->plan, i->columns * sizeof *i->rounds)) == NULL)
			return SQLITE_NOMEM;
		i->rounds[c] = true;
	}
	return SQLITE_OK;
}

/* Has SQLite compute the entries of the index: by a statement of its own, and by the one for all of the table. */
static int plan_computed(struct draft *d, struct index *i, const int *cids, const struct schema_row *row,
			 sqlite3_str *all)
{
	sqlite3_str *own;
	char *sql = NULL, *text;
	int rc;

	/* without a name for it the rowid cannot be asked for */
	if (!d->without_rowid && d->table->rowid == NULL) {
		d->table->fallback = true;
		return SQLITE_OK;
	}
	own = sqlite3_str_new(d->db);
	rc = row != NULL ? schema_statement(d->db, row, &sql) : SQLITE_CORRUPT;
	if (rc == SQLITE_OK)
		rc = plan_select(d, i, cids, sql, true, all);
	if (rc == SQLITE_OK)
		rc = plan_select(d, i, cids, sql, false, own);
	if (rc == SQLITE_OK)
		rc = plan_rounds(d, i, cids);
	free(sql);
	text = sqlite3_str_finish(own);
	if (rc == SQLITE_OK && (text == NULL || (i->sql = copy(d->plan, text, strlen(text))) == NULL))
		rc = SQLITE_NOMEM;
	sqlite3_free(text);
	return rc;
}

static int add_index(struct draft *d, sqlite3_stmt *listed, sqlite3_str *select, struct index ***last)
{
	struct index *i = take(d->plan, sizeof *i);
	struct schema_row *row = schema_find(&d->plan->schema, "index", column_text(listed, 1));
	int *cids = NULL, rc;

	if (i == NULL)
		return SQLITE_NOMEM;
	/* seq, name, unique, origin, partial */
	i->tree = (struct tree){ .type = "index", .index = i, .root = row != NULL ? row->root : 0 };
	i->tree.name = row != NULL ? row->name : copy(d->plan, column_text(listed, 1), strlen(column_text(listed, 1)));
	if (row != NULL)
		row->planned = true;
	i->unique = sqlite3_column_int(listed, 2) != 0;
	i->partial = sqlite3_column_int(listed, 4) != 0;
	i->has_rowid = !d->without_rowid;
	rc = i->tree.name != NULL ? read_index_columns(d, i, &cids) : SQLITE_NOMEM;
	if (rc != SQLITE_OK)
		goto out;
	if (d->without_rowid && strcmp(column_text(listed, 3), "pk") == 0) {
		/* the table itself, whose records have the columns in this order */
		d->primary = i;
		for (uint32_t c = 0; c < i->columns; c++)
			if (cids[c] >= 0)
				d->columns[cids[c]].place = (int)c;
		goto out;
	}
	rc = plan_places(d, i, cids);
	if (rc == SQLITE_OK && d->full && !i->computed)
		rc = plan_plain(d->plan, d->table, i);
	else if (rc == SQLITE_OK && d->full)
		rc = plan_computed(d, i, cids, row, select);
	i->number = d->table->index_count++;
	**last = i;
	*last = &i->next;
out:
	free(cids);
	return rc;
}

/* primary: only the primary key of a WITHOUT ROWID table, or only the others. */
static int read_indexes(struct draft *d, bool primary, sqlite3_str *select)
{
	struct index **last = &d->table->indexes;
	sqlite3_stmt *s = NULL;
	int rc = ask(d->db, "index_list", d->table->tree.name, &s);

	while (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		bool is_primary = d->without_rowid && strcmp(column_text(s, 3), "pk") == 0;
		const struct schema_row *row = schema_find(&d->plan->schema, "index", column_text(s, 1));

		rc = SQLITE_OK;
		if (is_primary == primary && (row == NULL || row->why == NULL))
			rc = add_index(d, s, select, &last);
	}
	sqlite3_finalize(s);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* An INTEGER PRIMARY KEY has no index of its own: it is the rowid. */
static int find_alias(struct draft *d)
{
	static const char *const names[] = { "rowid", "_rowid_", "oid" };
	sqlite3_stmt *s = NULL;
	int primary = -1, columns = 0, rc = SQLITE_OK;

	d->alias = -1;
	d->table->rowid = NULL;
	for (size_t n = 0; n < sizeof names / sizeof *names && d->table->rowid == NULL; n++) {
		d->table->rowid = names[n];
		for (int c = 0; c < d->count; c++)
			if (strcasecmp(d->columns[c].name, names[n]) == 0)
				d->table->rowid = NULL;
	}
	for (int c = 0; c < d->count; c++) {
		if (d->columns[c].primary > 0) {
			primary = c;
			columns++;
		}
	}
	if (columns != 1 || d->without_rowid)
		return SQLITE_OK;
	rc = ask(d->db, "index_list", d->table->tree.name, &s);
	while (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		rc = SQLITE_OK;
		if (strcmp(column_text(s, 3), "pk") == 0)
			primary = -1;
	}
	sqlite3_finalize(s);
	d->alias = primary;
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* How the columns stand in the records (2.2-2.4), and what each may hold. */
static int plan_stored(struct draft *d)
{
	struct table *t = d->table;
	int place = 0;

	if (d->primary == NULL) {
		for (int c = 0; c < d->count; c++)
			if (!d->columns[c].computed)
				d->columns[c].place = place++;
	} else {
		place = (int)d->primary->columns;
	}
	t->stored = take(d->plan, ((size_t)place + 1) * sizeof *t->stored);
	if (t->stored == NULL)
		return SQLITE_NOMEM;
	t->stored_count = (uint32_t)place;
	for (int i = 0; i < place; i++) {
		t->stored[i].slot = -1;
		t->stored[i].default_hash = hash_null(&d->plan->secret);
	}
	for (int c = 0; c < d->count; c++) {
		const struct column *column = &d->columns[c];
		enum affinity affinity = affinity_of(column->type);
		struct stored *s;

		if (column->place < 0)
			continue;
		s = &t->stored[column->place];
		s->name = column->name;
		/* the alias of the rowid is stored as NULL (2.3) */
		if (c == d->alias)
			continue;
		s->not_null = column->not_null;
		s->forbidden = column->not_null ? KIND_NULL : 0;
		if (d->strict) {
			s->forbidden |= strictly_forbidden(column->type);
		} else {
			if (affinity == AFFINITY_TEXT)
				s->forbidden |= KIND_INT | KIND_REAL;
			s->numeric = affinity >= AFFINITY_NUMERIC;
		}
		s->suspect = s->forbidden | (s->numeric ? KIND_TEXT : 0) | (s->not_null ? KIND_REAL : 0);
	}
	return SQLITE_OK;
}

static int add_demand(struct draft *d, enum damage_kind kind, const char *text, const char *expression)
{
	struct table *t = d->table;
	struct demand *more = take(d->plan, (t->demand_count + 1) * sizeof *more);

	if (more == NULL || text == NULL || expression == NULL)
		return SQLITE_NOMEM;
	if (t->demand_count > 0)
		memcpy(more, t->demands, t->demand_count * sizeof *more);
	t->demands = more;
	more[t->demand_count++] = (struct demand){ kind, text, expression, NULL };
	return SQLITE_OK;
}

/* CHECK, and NOT NULL and types of columns that are in no record. For now their sql is the expression alone. */
static int plan_demands(struct draft *d)
{
	const char *at = d->sql;
	unsigned depth = 0;
	struct sqltext check;
	int rc = SQLITE_OK;

	while (rc == SQLITE_OK && sqltext_next_check(&at, &depth, &check)) {
		const char *text = copy(d->plan, check.p, check.len);

		rc = add_demand(d, DOUBT_CHECK, text, text);
	}
	for (int c = 0; rc == SQLITE_OK && c < d->count; c++) {
		const struct column *column = &d->columns[c];

		if (!column->computed)
			continue;
		if (column->not_null)
			rc = add_demand(d, DOUBT_NULL, column->name,
					format(d->plan, "\"%w\" IS NOT NULL", column->name));
		if (rc == SQLITE_OK && d->strict && strictly_forbidden(column->type) != 0)
			rc = add_demand(d, DOUBT_TYPE, column->name,
					format(d->plan, "typeof(\"%w\") IN ('null', '%s')", column->name,
					       strncasecmp(column->type, "INT", 3) == 0 ? "integer" :
					       strcasecmp(column->type, "REAL") == 0 ? "real" :
					       strcasecmp(column->type, "TEXT") == 0 ? "text" : "blob"));
	}
	return rc;
}

/* A demand by itself: as a condition, and bare, for one that is as deep as SQLite takes. */
static int plan_demand_sql(struct draft *d, struct demand *demand)
{
	const char *expression = demand->sql;

	demand->sql = format(d->plan, "SELECT CASE WHEN NOT (\n%s\n) THEN 0 END FROM %s", expression, d->table->from);
	demand->bare_sql = format(d->plan, "SELECT\n%s\nFROM %s", expression, d->table->from);
	return demand->sql != NULL && demand->bare_sql != NULL ? SQLITE_OK : SQLITE_NOMEM;
}

/*
 * The one statement for what only SQLite can compute, and one for each demand. indexes: the columns of the first for
 * the computed indexes. An expression may end in a comment: it stands on lines of its own.
 */
static int plan_sql(struct draft *d, sqlite3_str *indexes)
{
	struct table *t = d->table;
	bool has_indexes = sqlite3_str_length(indexes) > 0;
	const char *index_columns = has_indexes ? sqlite3_str_value(indexes) : "";
	sqlite3_str *s;
	char *sql;
	int rc = SQLITE_OK;

	if (t->demand_count == 0 && !has_indexes)
		return SQLITE_OK;
	s = sqlite3_str_new(d->db);
	sqlite3_str_appendall(s, "SELECT ");
	for (uint32_t i = 0; i < t->demand_count; i++)
		sqlite3_str_appendf(s, "%sCASE WHEN NOT (\n%s\n) THEN 1 END", i > 0 ? "," : "", t->demands[i].sql);
	sqlite3_str_appendf(s, "%s FROM %s", t->demand_count == 0 ? index_columns + 1 : index_columns, t->from);
	for (uint32_t i = 0; !has_indexes && i < t->demand_count; i++)
		sqlite3_str_appendf(s, "%s WHEN NOT (\n%s\n) THEN 1", i > 0 ? "" : " WHERE CASE", t->demands[i].sql);
	if (!has_indexes)
		sqlite3_str_appendall(s, " END");
	sql = sqlite3_str_finish(s);
	if (sql != NULL)
		t->sql = copy(d->plan, sql, strlen(sql));
	sqlite3_free(sql);
	for (uint32_t i = 0; rc == SQLITE_OK && i < t->demand_count; i++)
		rc = plan_demand_sql(d, &t->demands[i]);
	return t->sql != NULL ? rc : SQLITE_NOMEM;
}

/*
 * How a statement names the table, so that SQLite reads its rows, and not the entries of an index that has all columns:
 * a WITHOUT ROWID table by its primary key, which NOT INDEXED would leave no better than the others.
 */
static int plan_from(struct draft *d)
{
	const char *name = d->table->tree.name;

	d->table->from = d->primary == NULL ? format(d->plan, "main.\"%w\" NOT INDEXED", name) :
			 format(d->plan, "main.\"%w\" INDEXED BY \"%w\"", name, d->primary->tree.name);
	return d->table->from != NULL ? SQLITE_OK : SQLITE_NOMEM;
}

/*
 * The values that a record from before ALTER TABLE ADD COLUMN has in the new columns. Where SQLite cannot tell them, any hash
 * will do: the index then differs in such rows alone, and that is a doubt.
 */
static void plan_defaults(struct draft *d)
{
	struct shortrow *row = NULL;
	bool tried = false;

	for (int c = 0; c < d->count; c++) {
		const struct column *column = &d->columns[c];
		struct stored *s = column->place >= 0 ? &d->table->stored[column->place] : NULL;

		if (s == NULL || column->default_sql == NULL)
			continue;
		s->has_default = true;
		if (s->slot < 0)
			continue;
		if (!tried)
			row = shortrow_new(d->table->tree.name, d->sql, d->primary != NULL ? d->primary->key_columns : 0,
					   d->plan->encoding);
		tried = true;
		if (row != NULL)
			shortrow_hash(row, d->plan, column->name, affinity_of(column->type) == AFFINITY_REAL,
				      &s->default_hash);
	}
	shortrow_free(row);
}

static int plan_table(struct draft *d)
{
	struct table *t = d->table;
	sqlite3_str *select = sqlite3_str_new(d->db);
	int rc;

	d->primary = NULL;
	sqltext_options(d->sql, &d->without_rowid, &d->strict);
	rc = read_columns(d);
	if (rc == SQLITE_OK)
		rc = find_alias(d);
	if (rc == SQLITE_OK && d->without_rowid) {
		rc = read_indexes(d, true, select);
		if (rc == SQLITE_OK && d->primary == NULL)
			rc = SQLITE_CORRUPT;
		if (rc == SQLITE_OK) {
			t->tree.rowids = false;
			t->tree.index = d->primary;
		}
	}
	if (rc == SQLITE_OK)
		rc = plan_from(d);
	if (rc == SQLITE_OK)
		rc = plan_stored(d);
	for (uint32_t i = 0; rc == SQLITE_OK && i < t->stored_count; i++)
		if (t->stored[i].suspect != 0)
			t->last_needed = i + 1;
	if (rc == SQLITE_OK)
		rc = read_indexes(d, false, select);
	if (rc == SQLITE_OK)
		plan_defaults(d);
	if (rc == SQLITE_OK)
		rc = plan_demands(d);
	if (rc == SQLITE_OK && (rc = sqlite3_str_errcode(select)) == SQLITE_OK)
		rc = plan_sql(d, select);
	sqlite3_free(sqlite3_str_finish(select));
	return rc;
}

static bool is_table(const struct schema_row *r)
{
	return r->module == NULL && r->root != 0 && strcmp(r->type, "table") == 0;
}

/* A b-tree of which only SQLite's file format says what it is; and the doubt about it. */
static int plan_opaque(struct plan *p, struct table **last, const struct schema_row *r)
{
	struct table *t = add_table(p, last, r->name, r->root);

	if (t == NULL)
		return SQLITE_NOMEM;
	t->tree.type = r->type;
	t->tree.opaque = true;
	return SQLITE_OK;
}

/* Notes a definition that SQLite cannot read, with both versions where they may explain it. */
static void doubt(const struct schema_row *r, const struct sqlite_header *header, struct damage *damage)
{
	unsigned v = header->sqlite_version;
	char newer[60] = "";

	if (v > (unsigned)sqlite3_libversion_number())
		snprintf(newer, sizeof newer, "; the file was written by %u.%u.%u", v / 1000000, v / 1000 % 1000, v % 1000);
	damage_add(damage, r->type, r->name, DOUBT_DEFINITION, 1, r->rowid, "%.120s%s", r->why, newer);
}

/* Tables that SQLite read, with their indexes; then what is left, as it is. */
int plan_read(struct plan *p, sqlite3 *db, bool full, const struct sqlite_header *header, struct damage *damage)
{
	struct draft d = { .plan = p, .db = db, .full = full };
	struct table **last = &p->tables->next;
	int rc = SQLITE_OK, bytes = 0, most;

	for (size_t i = 0; rc == SQLITE_OK && db != NULL && i < p->schema.count; i++) {
		struct schema_row *r = &p->schema.rows[i];

		if (!is_table(r) || r->why != NULL)
			continue;
		r->planned = true;
		rc = schema_statement(db, r, &d.sql);
		if (rc == SQLITE_OK)
			d.table = add_table(p, last, r->name, r->root);
		if (rc == SQLITE_OK && d.table != NULL) {
			last = &d.table->next;
			rc = plan_table(&d);
		} else if (rc == SQLITE_OK) {
			rc = SQLITE_NOMEM;
		}
		free(d.sql);
	}
	for (size_t i = 0; rc == SQLITE_OK && i < p->schema.count; i++) {
		const struct schema_row *r = &p->schema.rows[i];

		if (r->root != 0 && !r->planned && r->sound && (rc = plan_opaque(p, last, r)) == SQLITE_OK)
			last = &(*last)->next;
		if (r->why != NULL)
			doubt(r, header, damage);
	}
	if (db != NULL)
		sqlite3_db_status(db, SQLITE_DBSTATUS_SCHEMA_USED, &bytes, &most, 0);
	p->schema_bytes = (uint64_t)bytes;
	free(d.columns);
	return rc;
}

/* UTF-16 as SQLite hands it out is in the order of this machine. */
static void swap_bytes(unsigned char *p, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2) {
		unsigned char c = p[i];

		p[i] = p[i + 1];
		p[i + 1] = c;
	}
}

static uint64_t hash_text(const struct plan *p, sqlite3_stmt *s, int column)
{
	static const uint16_t one = 1;
	bool little = *(const unsigned char *)&one == 1;
	const unsigned char *text;
	unsigned char *swapped;
	uint64_t h;
	size_t len;

	if (p->encoding == 1) {
		text = sqlite3_column_text(s, column);
		return hash_bytes(&p->secret, KIND_TEXT, text, (uint32_t)sqlite3_column_bytes(s, column));
	}
	text = sqlite3_column_text16(s, column);
	len = (size_t)sqlite3_column_bytes16(s, column);
	if ((p->encoding == 2) == little || text == NULL)
		return hash_bytes(&p->secret, KIND_TEXT, text, (uint32_t)len);
	swapped = malloc(len + 1);
	if (swapped == NULL)
		return 0;
	memcpy(swapped, text, len);
	swap_bytes(swapped, len);
	h = hash_bytes(&p->secret, KIND_TEXT, swapped, (uint32_t)len);
	free(swapped);
	return h;
}

uint64_t plan_hash(const struct plan *p, sqlite3_stmt *s, int column)
{
	const void *blob;

	switch (sqlite3_column_type(s, column)) {
	case SQLITE_INTEGER:
		return hash_int(&p->secret, sqlite3_column_int64(s, column));
	case SQLITE_FLOAT:
		return hash_real(&p->secret, sqlite3_column_double(s, column));
	case SQLITE_TEXT:
		return hash_text(p, s, column);
	case SQLITE_BLOB:
		blob = sqlite3_column_blob(s, column);
		return hash_bytes(&p->secret, KIND_BLOB, blob, (uint32_t)sqlite3_column_bytes(s, column));
	default:
		return hash_null(&p->secret);
	}
}
