#include "lib/std.h"

#include <inttypes.h>
#include <strings.h>

#include "lib/msg.h"
#include "lib/sqlite/sieve.h"
#include "lib/sqlite/sqltext.h"
#include "lib/sqlite/untrusted.h"
#include "lib/sqlite/walk_inner.h"

#define COMPUTE_TRIES 3	/* what is computed may be another value each time */
#define XINTEGRITY 3044000	/* since then SQLite's check looks into virtual tables (sqlite.org/changes.html) */

/* ---- statements of SQLite ---- */

static int open_sql(struct worker *k)
{
	char why[200];
	int rc;

	if (k->db != NULL)
		return SQLITE_OK;
	rc = untrusted_open(k->w->o->path, walk_look, k->w, &k->db);
	if (rc == SQLITE_OK && (rc = untrusted_read_schema(k->db, why, sizeof why)) != SQLITE_OK) {
		sqlite3_close(k->db);
		k->db = NULL;
	}
	return rc;
}

/* Each row of a statement to take. SQLITE_DONE, or what came instead. */
static int run_statement(struct worker *k, const char *sql, void (*take)(void *ctx, sqlite3_stmt *s), void *ctx)
{
	sqlite3_stmt *s = NULL;
	int rc = open_sql(k);

	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(k->db, sql, -1, &s, NULL);
	if (rc == SQLITE_OK)
		while ((rc = sqlite3_step(s)) == SQLITE_ROW)
			take(ctx, s);
	sqlite3_finalize(s);
	return rc;
}

/* SQLite could not compute something of a table or an index: damage that it met, or a doubt. */
static void tell_failure(struct worker *k, const struct tree *t, int rc, const char *what)
{
	const char *why = k->db != NULL ? sqlite3_errmsg(k->db) : sqlite3_errstr(rc);
	struct damage *damage = k->w->o->damage;

	switch (rc & 0xff) {
	case SQLITE_INTERRUPT:
		break;
	case SQLITE_CORRUPT:
		bad(k, DAMAGE_RECORD, 0, "SQLite: %s", why);
		break;
	case SQLITE_NOMEM:
	case SQLITE_TOOBIG:
		damage_add(damage, t->type, t->name, DOUBT_MEMORY, 1, 0, "%.100s", what);
		break;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		walk_unjudge(k->w, "%s %.60s: SQLite: %s", t->type, t->name, why);
		break;
	default:
		damage_add(damage, t->type, t->name, DOUBT_COMPUTING, 1, 0, "%.60s: %.100s", what, why);
		break;
	}
}

/* ---- what only SQLite can compute ---- */

/* Where the rows of a statement go. */
struct taking {
	struct worker *k;
	struct table *t;
	struct index *i;	/* of a statement for one index */
	uint64_t *failing;	/* rows, for each demand */
	uint32_t demand;	/* of a statement for one demand */
};

/* The columns of one index, from `column` on. */
static void take_entry(struct taking *taking, const struct index *i, sqlite3_stmt *s, int column)
{
	const struct plan *plan = taking->k->w->o->plan;
	struct sum *sum = &taking->k->sums[i->number];
	uint64_t hash = hash_start(&plan->secret);

	for (uint32_t j = 0; j < i->columns; j++)
		hash = hash_column(&plan->secret, hash, plan_hash(plan, s, column + (int)j));
	sum->count++;
	sum->sum += hash;
}

static void take_all(void *ctx, sqlite3_stmt *s)
{
	struct taking *taking = ctx;
	int column = (int)taking->t->demand_count;

	for (uint32_t i = 0; i < taking->t->demand_count; i++)
		taking->failing[i] += sqlite3_column_int(s, (int)i) == 1;
	for (const struct index *i = taking->t->indexes; i != NULL; i = i->next) {
		if (i->sql == NULL)
			continue;
		if (!i->partial || sqlite3_column_int(s, column) == 1)
			take_entry(taking, i, s, column + i->partial);
		column += (int)i->columns + i->partial;
	}
}

static void take_one_index(void *ctx, sqlite3_stmt *s)
{
	struct taking *taking = ctx;

	take_entry(taking, taking->i, s, 0);
}

/* The value as it stands: NULL is no failure, and zero is one (https://www.sqlite.org/lang_createtable.html). */
static void take_one_demand(void *ctx, sqlite3_stmt *s)
{
	struct taking *taking = ctx;

	taking->failing[taking->demand] += sqlite3_column_type(s, 0) != SQLITE_NULL && sqlite3_column_double(s, 0) == 0.0;
}

/* Not all at once: a function that SQLite does not know, or too many columns for one statement. */
static void compute_one_by_one(struct worker *k, struct taking *taking)
{
	struct table *t = taking->t;
	bool again = false;
	int rc;

	for (uint32_t d = 0; d < t->demand_count && walk_look(k->w) == 0; d++) {
		taking->demand = d;
		taking->failing[d] = 0;
		rc = run_statement(k, t->demands[d].sql, take_one_demand, taking);
		if ((rc & 0xff) == SQLITE_ERROR) {
			taking->failing[d] = 0;
			rc = run_statement(k, t->demands[d].bare_sql, take_one_demand, taking);
		}
		if (rc == SQLITE_DONE)
			continue;
		taking->failing[d] = 0;
		again = again || (rc & 0xff) == SQLITE_NOMEM;
		if ((rc & 0xff) != SQLITE_NOMEM || k->w->last_try)
			tell_failure(k, &t->tree, rc, t->demands[d].text);
	}
	for (struct index *i = t->indexes; i != NULL && walk_look(k->w) == 0; i = i->next) {
		if (i->sql == NULL)
			continue;
		taking->i = i;
		rc = run_statement(k, i->sql, take_one_index, taking);
		if (rc == SQLITE_DONE)
			continue;
		again = again || (rc & 0xff) == SQLITE_NOMEM;
		i->failed = true;
		if ((rc & 0xff) != SQLITE_NOMEM || k->w->last_try)
			tell_failure(k, &i->tree, rc, "an expression of it");
	}
	t->again = again && !k->w->last_try;
}

/* All of a table that is computed; when it is not to be tried again, its sums and failing rows count. */
static void compute(struct worker *k)
{
	struct table *t = k->tree->table;
	struct taking taking = { .k = k, .t = t, .failing = calloc(t->demand_count + 1, sizeof(uint64_t)) };
	int rc;

	if (taking.failing == NULL) {
		walk_out_of_memory(k->w);
		return;
	}
	for (struct index *i = t->indexes; i != NULL; i = i->next)
		i->failed = false;
	rc = run_statement(k, t->sql, take_all, &taking);
	if (rc != SQLITE_DONE && (rc & 0xff) != SQLITE_INTERRUPT && walk_prepare(k))
		compute_one_by_one(k, &taking);
	else
		t->again = false;
	if (!t->again && !k->w->stopping) {
		walk_hand_in_sums(k);
		for (uint32_t i = 0; i < t->demand_count; i++)
			if (taking.failing[i] > 0)
				damage_add(k->w->o->damage, t->tree.type, t->tree.name, t->demands[i].kind, taking.failing[i], i,
					   "%.100s", t->demands[i].text);
	}
	free(taking.failing);
}

/* The next table of which only SQLite can compute something; NULL when there is none left. */
static struct table *next_sql(struct walk *w)
{
	struct table *t;

	pthread_mutex_lock(&w->lock);
	for (t = w->sql_next; t != NULL && t->sql == NULL; t = t->next)
		;
	w->sql_next = t != NULL ? t->next : NULL;
	pthread_mutex_unlock(&w->lock);
	return t;
}

/* ---- another walk: what differs ---- */

/* An index that is compared with its table entry by entry, by one thread. */
struct sift {
	struct table *table;
	struct index *index;
	enum {
		SIFT_PLAIN,	/* the columns that nothing computes: which are in the index, or in the rows, alone? */
		SIFT_WHOLE,	/* the entries, as computed */
		SIFT_FULL_ROWS,	/* is a row that no default completes among those that the index has not? */
		SIFT_LOOK_UP,	/* is there a row for each entry? */
	} mode;
	struct sieve *sieve;
	uint64_t *wanted;	/* hashes of entries that are missing, */
	size_t wanted_count, wanted_room;
	uint64_t missing, extra;
	bool damaged;		/* something was found that no computing explains */
	sqlite3_stmt *look_up;
};

/* Does something of this column have to be computed: an expression, or a default for rows that end before it? */
static bool is_computed(const struct sift *s, uint32_t column)
{
	int place = s->index->places[column];

	return place == PLACE_COMPUTED || (place >= 0 && s->table->stored[place].defaulted);
}

static void tell_difference(const struct sift *s, struct walk *w, enum damage_kind kind, int64_t row)
{
	const struct index *i = s->index;

	if (i->has_rowid)
		damage_add(w->o->damage, "index", i->tree.name, kind, 1, row, "row %" PRId64, row);
	else
		damage_add(w->o->damage, "index", i->tree.name, kind, 1, 0, "%" PRIu64 " entries for %" PRIu64 " rows",
			   (uint64_t)i->tree.entries, (uint64_t)s->table->tree.entries);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

void walk_sift_row(struct worker *k, int64_t where, uint32_t count)
{
	struct sift *s = k->w->sift;
	const struct index *i = s->index;
	const struct secret *secret = &k->w->o->plan->secret;
	uint64_t hash = hash_start(secret);
	bool completed = false;

	for (uint32_t j = 0; j < i->columns; j++) {
		if (s->mode == SIFT_PLAIN && is_computed(s, j))
			continue;
		hash = hash_column(secret, hash, k->hashes[i->slots[j]]);
		completed = completed || (i->places[j] >= 0 && (uint32_t)i->places[j] >= count);
	}
	if (s->mode != SIFT_FULL_ROWS) {
		sieve_add(s->sieve, hash, i->has_rowid ? where : 0, 1);
	} else if (!completed && bsearch(&hash, s->wanted, s->wanted_count, sizeof hash, by_value) != NULL) {
		s->damaged = true;
		tell_difference(s, k->w, DAMAGE_MISSING, where);
	}
}

/* A value of an entry against what SQLite reads in the row. A large number in a REAL column is read rounded. */
static bool is_equal(const struct plan *p, const struct key *key, uint32_t column, sqlite3_stmt *row, int at)
{
	uint32_t type = key->fields[column].type;
	const unsigned char *bytes = key->p + key->fields[column].at;

	if (record_kind(type, bytes) == KIND_INT && sqlite3_column_type(row, at) == SQLITE_FLOAT)
		return (double)record_int(type, bytes) == sqlite3_column_double(row, at);
	return hash_field(&p->secret, type, bytes) == plan_hash(p, row, at);
}

static int bind_field(sqlite3_stmt *s, int at, uint32_t type, const unsigned char *p, uint32_t encoding)
{
	double real;
	uint64_t bits;

	switch (record_kind(type, p)) {
	case KIND_INT:
		return sqlite3_bind_int64(s, at, record_int(type, p));
	case KIND_REAL:
		bits = (uint64_t)btree_u32(p) << 32 | btree_u32(p + 4);
		memcpy(&real, &bits, sizeof real);
		return sqlite3_bind_double(s, at, real);
	case KIND_TEXT:
		return sqlite3_bind_text64(s, at, (const char *)p, record_size(type), SQLITE_TRANSIENT, (unsigned char)encoding);
	case KIND_BLOB:
		return sqlite3_bind_blob64(s, at, p, record_size(type), SQLITE_TRANSIENT);
	default:
		return sqlite3_bind_null(s, at);
	}
}

/* Does an entry of the index find its row by this column: the rowid, or one of the primary key? */
static bool is_key_column(const struct sift *s, uint32_t column)
{
	int place = s->index->places[column];

	if (s->table->tree.index == NULL)
		return place == PLACE_ROWID && column == s->index->columns - 1;
	return place >= 0 && (uint32_t)place < s->table->tree.index->key_columns;
}

/* SELECT the plain columns FROM the table WHERE its key is that of the entry */
static char *look_up_sql(const struct sift *s)
{
	sqlite3_str *sql = sqlite3_str_new(NULL);
	int n = 0;

	sqlite3_str_appendall(sql, "SELECT 1");
	for (uint32_t j = 0; j < s->index->columns; j++)
		if (s->index->places[j] >= 0)
			sqlite3_str_appendf(sql, ",\"%w\"", s->table->stored[s->index->places[j]].name);
	sqlite3_str_appendf(sql, " FROM %s WHERE ", s->table->from);
	for (uint32_t j = 0; j < s->index->columns; j++) {
		if (!is_key_column(s, j))
			continue;
		sqlite3_str_appendall(sql, n++ > 0 ? " AND " : "");
		if (s->index->places[j] < 0)
			sqlite3_str_appendf(sql, "%s = ?", s->table->rowid);
		else
			sqlite3_str_appendf(sql, "\"%w\" = ?", s->table->stored[s->index->places[j]].name);
	}
	return sqlite3_str_finish(sql);
}

/* False when the entry has no row, or one of other plain columns. */
static bool has_row(struct worker *k, const struct key *key)
{
	struct sift *s = k->w->sift;
	const struct plan *plan = k->w->o->plan;
	int bound = 0, at = 1;
	bool equal;

	for (uint32_t j = 0; j < s->index->columns; j++)
		if (is_key_column(s, j))
			bind_field(s->look_up, ++bound, key->fields[j].type, key->p + key->fields[j].at, plan->encoding);
	equal = sqlite3_step(s->look_up) == SQLITE_ROW;
	for (uint32_t j = 0; equal && j < s->index->columns; j++)
		if (s->index->places[j] >= 0)
			equal = is_equal(plan, key, j, s->look_up, at++);
	/* an error of SQLite's tells nothing of the entry */
	return sqlite3_reset(s->look_up) != SQLITE_OK || equal;
}

void walk_sift_entry(struct worker *k, const struct key *key)
{
	struct sift *s = k->w->sift;
	const struct secret *secret = &k->w->o->plan->secret;
	const struct field *last = &key->fields[key->count - 1];
	int64_t row = s->index->has_rowid ? record_int(last->type, key->p + last->at) : 0;
	uint64_t hash = hash_start(secret);

	if (s->mode == SIFT_LOOK_UP) {
		if (!has_row(k, key)) {
			s->damaged = true;
			tell_difference(s, k->w, DAMAGE_EXTRA, row);
		}
		return;
	}
	for (uint32_t j = 0; j < key->count; j++)
		if (s->mode == SIFT_PLAIN && !is_computed(s, j))
			hash = hash_column(secret, hash, hash_field(secret, key->fields[j].type, key->p + key->fields[j].at));
		else if (s->mode == SIFT_WHOLE)
			hash = hash_column(secret, hash, walk_hash_column(secret, s->index, key, j));
	sieve_add(s->sieve, hash, row, -1);
}

/* A row whose entry SQLite computes. */
static void sift_computed(void *ctx, sqlite3_stmt *row)
{
	struct taking *taking = ctx;
	const struct plan *plan = taking->k->w->o->plan;
	struct sift *s = taking->k->w->sift;
	const struct index *i = s->index;
	uint64_t hash = hash_start(&plan->secret);

	for (uint32_t j = 0; j < i->columns; j++)
		hash = hash_column(&plan->secret, hash, plan_hash(plan, row, (int)j));
	sieve_add(s->sieve, hash, i->has_rowid ? sqlite3_column_int64(row, (int)i->columns - 1) : 0, 1);
}

/* ---- the verdict on one index ---- */

/* Another walk over the index, its rows, or both. */
static void sift(struct walk *w, struct sift *s)
{
	bool by_sql = s->mode == SIFT_WHOLE && s->index->computed;

	pages_clear(&w->pages);
	w->sift = s;
	if (s->mode != SIFT_FULL_ROWS)
		walk_push(w, &(struct walk_unit){ .what = UNIT_TREE, .tree = &s->index->tree });
	if (s->mode != SIFT_LOOK_UP)
		walk_push(w, &(struct walk_unit){ .what = by_sql ? UNIT_SQL : UNIT_TREE, .tree = &s->table->tree });
	walk_run(w, 1);
	w->sift = NULL;
}

struct listing {
	struct walk *w;
	struct sift *s;
};

static void list_difference(void *ctx, int count, uint64_t hash, int64_t row)
{
	struct listing *l = ctx;
	struct sift *s = l->s;

	if (count > 0)
		s->missing++;
	else
		s->extra++;
	if (s->mode == SIFT_PLAIN) {
		s->damaged = true;
		tell_difference(s, l->w, count > 0 ? DAMAGE_MISSING : DAMAGE_EXTRA, row);
	} else if (count > 0 && s->wanted_count < s->wanted_room) {
		s->wanted[s->wanted_count++] = hash;
	}
}

/* False when there are too many differences to list them, or no memory for it. */
static bool sift_and_list(struct walk *w, struct sift *s)
{
	struct listing l = { w, s };
	bool listed = false;

	s->sieve = sieve_new();
	s->missing = s->extra = 0;
	if (s->sieve != NULL) {
		sift(w, s);
		listed = !w->stopping && sieve_list(s->sieve, list_difference, &l);
	}
	sieve_free(s->sieve);
	s->sieve = NULL;
	return listed;
}

/* Whatever is computed: has each row an entry with its plain columns, and each entry such a row? */
static void judge_plain(struct walk *w, struct sift *s)
{
	const struct index *i = s->index;

	s->mode = SIFT_PLAIN;
	if (i->slots == NULL && plan_plain(w->o->plan, s->table, s->index) != SQLITE_OK) {
		walk_out_of_memory(w);
		return;
	}
	if (!sift_and_list(w, s) && !w->stopping) {
		s->damaged = true;
		damage_add(w->o->damage, "index", i->tree.name, DAMAGE_COUNT, 1, 0,
			   "%" PRIu64 " entries for %" PRIu64 " rows, whose differences cannot all be listed",
			   (uint64_t)i->tree.entries, (uint64_t)s->table->tree.entries);
	}
}

/* Which rows a partial index should have is computed; that an entry has a row is not. */
static void judge_partial(struct walk *w, struct sift *s)
{
	struct worker k = { .w = w, .tree = &s->index->tree };
	char *sql = look_up_sql(s);
	int rc = sql != NULL ? open_sql(&k) : SQLITE_NOMEM;

	s->mode = SIFT_LOOK_UP;
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(k.db, sql, -1, &s->look_up, NULL);
	if (rc == SQLITE_OK)
		sift(w, s);
	sqlite3_finalize(s->look_up);
	sqlite3_close(k.db);
	sqlite3_free(sql);
}

/* A default says nothing of rows that have a value of their own: those are damaged when they are missing. */
static void judge_full_rows(struct walk *w, struct sift *s)
{
	if (s->wanted_count == 0 || s->index->computed)
		return;
	qsort(s->wanted, s->wanted_count, sizeof *s->wanted, by_value);
	s->mode = SIFT_FULL_ROWS;
	sift(w, s);
}

/* The entries are others than those computed, and that is all. */
static void judge_computed(struct walk *w, struct sift *s)
{
	const struct index *i = s->index;
	bool listed = false, differs = true;
	uint64_t count;

	s->mode = SIFT_WHOLE;
	s->wanted_room = 16384;
	s->wanted = malloc(s->wanted_room * sizeof *s->wanted);
	if (s->wanted == NULL) {
		walk_out_of_memory(w);
		return;
	}
	/*
	 * Of a blob of an odd length SQLite makes UTF-16 text with a byte that lies behind it, whatever that is: what it computes
	 * once as it stands in the index is no difference.
	 */
	for (int tries = 0; differs && tries < (s->index->computed ? COMPUTE_TRIES : 1); tries++) {
		s->wanted_count = 0;
		listed = sift_and_list(w, s);
		differs = !listed || s->missing > 0 || s->extra > 0;
		if (!listed || w->stopping)
			break;
	}
	if (listed && differs)
		judge_full_rows(w, s);
	free(s->wanted);
	if (s->damaged || w->stopping || !differs)
		return;
	count = listed ? (s->missing > s->extra ? s->missing : s->extra) : i->found.count;
	damage_add(w->o->damage, "index", i->tree.name, DOUBT_ENTRIES, count, 0, "%s%" PRIu64 " entries for %" PRIu64 " rows",
		   listed ? "" : "or many of them; ", (uint64_t)i->found.count, (uint64_t)s->table->tree.entries);
}

static void judge_index(struct walk *w, struct table *t, struct index *i)
{
	struct sift s = { .table = t, .index = i };
	bool computed = i->partial;

	for (uint32_t j = 0; j < i->columns; j++)
		computed = computed || is_computed(&s, j);
	if (i->partial)
		judge_partial(w, &s);
	else
		judge_plain(w, &s);
	if (s.damaged || w->stopping)
		return;
	if (!computed)
		damage_add(w->o->damage, "index", i->tree.name, DAMAGE_COUNT, 1, 0, "%" PRIu64 " entries for %" PRIu64 " rows",
			   (uint64_t)i->found.count, (uint64_t)i->expected.count);
	else if (!i->computed || (i->sql != NULL && !i->failed))
		judge_computed(w, &s);
}

void walk_sql(struct worker *k)
{
	struct walk *w = k->w;
	struct taking taking = { .k = k };
	struct table *t = k->unit->tree != NULL ? k->unit->tree->table : next_sql(w);

	for (; t != NULL && walk_look(w) == 0; t = k->unit->tree != NULL ? NULL : next_sql(w)) {
		k->tree = &t->tree;
		if (w->sift != NULL)
			run_statement(k, w->sift->index->sql, sift_computed, &taking);
		else if (walk_prepare(k))
			compute(k);
	}
}

/* ---- SQLite's own check ---- */

/* `... index NAME` at the end of what SQLite's check says */
static const struct index *index_in(const struct table *t, const char *text)
{
	size_t len = strlen(text);

	for (const struct index *i = t->indexes; i != NULL; i = i->next) {
		size_t n = strlen(i->tree.name);

		if (len > n + 6 && strcmp(text + len - n, i->tree.name) == 0 && strncmp(text + len - n - 6, "index ", 6) == 0)
			return i;
	}
	return NULL;
}

/* Is what it found so only as SQLite computes it? */
static bool is_doubtful(const struct table *t, const char *text)
{
	const struct index *i = index_in(t, text);
	const char *column = strrchr(text, '.');

	if (strncmp(text, "CHECK constraint failed", 23) == 0)
		return true;
	for (uint32_t d = 0; column != NULL && d < t->demand_count; d++)
		if (t->demands[d].kind != DOUBT_CHECK && strcmp(t->demands[d].text, column + 1) == 0)
			return true;
	if (i == NULL)
		return false;
	if (i->partial || (i->computed && strncmp(text, "wrong #", 7) != 0))
		return true;
	for (uint32_t j = 0; j < i->columns; j++)
		if (i->order[j].collation != COLLATE_BINARY || (i->places[j] >= 0 && t->stored[i->places[j]].defaulted))
			return true;
	return false;
}

struct own_check {
	struct worker *k;
	const struct table *t;	/* NULL for a virtual table */
	bool foreign;		/* a full-text index of a content that is not its own, which may have changed without it */
};

static void take_finding(void *ctx, sqlite3_stmt *s)
{
	struct own_check *c = ctx;
	const char *text = (const char *)sqlite3_column_text(s, 0);

	if (text == NULL)
		text = "no answer";
	if (strcmp(text, "ok") == 0)
		return;
	if (c->foreign || (c->t != NULL && is_doubtful(c->t, text)))
		bad(c->k, DOUBT_OWN_CHECK, 0, "%s", text);
	else
		bad(c->k, DAMAGE_RECORD, 0, "SQLite: %s", text);
}

static void run_own_check(struct own_check *c, const char *check)
{
	struct worker *k = c->k;
	char *sql = sqlite3_mprintf("PRAGMA main.%s(\"%w\")", check, k->tree->name);
	int rc = SQLITE_NOMEM;

	msg_info("table %s: left to SQLite's %s", k->tree->name, check);
	if (sql != NULL)
		rc = run_statement(k, sql, take_finding, c);
	if (rc != SQLITE_DONE)
		tell_failure(k, k->tree, rc, check);
	sqlite3_free(sql);
	sqlite3_close(k->db);
}

/* SQLite's own check of one table, for what we cannot do. */
static void fall_back(struct walk *w, struct table *t)
{
	struct worker k = { .w = w, .tree = &t->tree };

	run_own_check(&(struct own_check){ .k = &k, .t = t }, w->o->full ? "integrity_check" : "quick_check");
}

static bool must_fall_back(const struct table *t)
{
	bool too_long = t->tree.too_long;

	for (const struct index *i = t->indexes; i != NULL; i = i->next)
		too_long = too_long || i->tree.too_long;
	return t->fallback || too_long;
}

/* Modules of SQLite's own whose tables its check looks into, and what they are. */
static const char *module_of(const struct schema_row *r)
{
	static const struct { const char *name, *what; } modules[] = {
		{ "fts3", "full-text index" }, { "fts4", "full-text index" }, { "fts5", "full-text index" },
		{ "rtree", "spatial index" }, { "rtree_i32", "spatial index" }, { "geopoly", "spatial index" },
	};
	struct sqltext name = { r->module, strlen(r->module) };

	for (size_t i = 0; i < sizeof modules / sizeof *modules; i++)
		if (sqltext_is_name(name, modules[i].name))
			return modules[i].what;
	return NULL;
}

/* A virtual table: what its module keeps in ordinary tables was judged as those are; does it make sense to the module? */
static void check_module(struct walk *w, const struct schema_row *r)
{
	struct tree tree = { .type = "table", .name = r->name };
	struct worker k = { .w = w, .tree = &tree };
	struct own_check check = { .k = &k, .foreign = r->foreign };
	const char *what = module_of(r);
	int rc;

	if (what == NULL || sqlite3_libversion_number() < XINTEGRITY) {
		msg_info("table %s: SQLite %s does not look into its %s", r->name, sqlite3_libversion(),
			 what != NULL ? what : "module");
		return;
	}
	rc = open_sql(&k);
	if (rc != SQLITE_OK) {
		tell_failure(&k, &tree, rc, "integrity_check");
		return;
	}
	untrusted_allow_modules(k.db);
	run_own_check(&check, "integrity_check");
}

/* ---- the whole ---- */

/* Damage that makes a comparison of entries and rows pointless: it was told, and more would only hide it. */
static bool is_broken(struct walk *w, const struct tree *t)
{
	return damage_has(w->o->damage, t->name, DAMAGE_PAGE, DAMAGE_RECORD);
}

/* Are the entries not those that the rows demand, or is it not known which those are? */
static bool differs(const struct index *i)
{
	if (i->computed && (i->sql == NULL || i->failed))
		return true;
	return i->expected.count != i->found.count || i->expected.sum != i->found.sum;
}

static void compare_index(struct walk *w, struct table *t, struct index *i)
{
	uint64_t rows = t->tree.entries, entries = i->tree.entries;

	if (is_broken(w, &t->tree) || is_broken(w, &i->tree))
		return;
	if (w->o->full && !t->tree.too_long && !i->tree.too_long) {
		if (differs(i))
			judge_index(w, t, i);
	} else if (!i->partial && rows != entries) {
		damage_add(w->o->damage, "index", i->tree.name, DAMAGE_COUNT, rows > entries ? rows - entries : entries - rows,
			   0, "%" PRIu64 " entries for %" PRIu64 " rows", entries, rows);
	}
}

/* Without its collation nobody can tell what the order of an index ought to be. */
static void doubt_order(struct walk *w, const struct index *i, const struct tree *tree)
{
	if (i != NULL && i->own_collation != NULL)
		damage_add(w->o->damage, tree->type, tree->name, DOUBT_COLLATION, 1, 0, "%.60s", i->own_collation);
}

void walk_judge_indexes(struct walk *w)
{
	const struct schema *schema = &w->o->plan->schema;

	for (struct table *t = w->o->plan->tables; t != NULL && !w->stopping; t = t->next) {
		if (must_fall_back(t))
			fall_back(w, t);
		doubt_order(w, t->tree.index, &t->tree);
		for (struct index *i = t->indexes; i != NULL && !w->stopping; i = i->next) {
			compare_index(w, t, i);
			doubt_order(w, i, &i->tree);
		}
	}
	for (size_t i = 0; w->o->full && i < schema->count && !w->stopping; i++)
		if (schema->rows[i].module != NULL && schema->rows[i].why == NULL)
			check_module(w, &schema->rows[i]);
}
