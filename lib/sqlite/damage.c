#include "lib/std.h"

#include <inttypes.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>

#include "lib/sqlite/damage.h"

#define LINES_MAX 1000	/* of a file in shreds the rest says nothing new; it is still counted */

static const struct { const char *one, *many; } words[DOUBT_DEFINITION] = {
	[DAMAGE_PAGE] = { "malformed page", "malformed pages" },
	[DAMAGE_SCHEMA] = { "row that is no whole definition", "rows that are no whole definitions" },
	[DAMAGE_POINTER] = { "reference to no page", "references to no page" },
	[DAMAGE_SHARED] = { "page that is used elsewhere as well", "pages that are used elsewhere as well" },
	[DAMAGE_DEPTH] = { "leaf at another depth", "leaves at another depth" },
	[DAMAGE_ROWID] = { "rowid out of order", "rowids out of order" },
	[DAMAGE_OVERFLOW] = { "overflow chain of the wrong length", "overflow chains of the wrong length" },
	[DAMAGE_RECORD] = { "malformed record", "malformed records" },
	[DAMAGE_FREELIST] = { "error", "errors" },
	[DAMAGE_UNUSED] = { "page is used by nothing", "pages are used by nothing" },
	[DAMAGE_POINTER_MAP] = { "wrong entry in the pointer map", "wrong entries in the pointer map" },
	[DAMAGE_NULL] = { "NULL in a NOT NULL column", "NULLs in a NOT NULL column" },
	[DAMAGE_TYPE] = { "value of a type that its column cannot hold",
			  "values of a type that their column cannot hold" },
	[DAMAGE_CHECK] = { "row fails a CHECK constraint", "rows fail a CHECK constraint" },
	[DAMAGE_ORDER] = { "entry out of order", "entries out of order" },
	[DAMAGE_UNIQUE] = { "entry is not unique", "entries are not unique" },
	[DAMAGE_MISSING] = { "row is missing from it", "rows are missing from it" },
	[DAMAGE_EXTRA] = { "entry belongs to no row", "entries belong to no row" },
	[DAMAGE_COUNT] = { "entry too many or too few", "entries too many or too few" },
};

#define REINDEX "; REINDEX by the application's own SQLite makes sure"

/* One (many) SQLite 3.40.1 VERB (example) HINT. Without many there is no number. */
static const struct { const char *one, *many, *verb, *hint; } doubts[DAMAGE_KINDS] = {
	[DOUBT_DEFINITION] = { "its definition is none that", NULL, "can read", "" },
	[DOUBT_MEMORY] = { "it takes more memory than", NULL, "is granted here", "" },
	[DOUBT_COLLATION] = { "its order is by a collation that", NULL, "does not know", "" },
	[DOUBT_COMPUTING] = { "it demands what", NULL, "does not compute", "" },
	[DOUBT_ENTRIES] = { "entry is not what", "entries are not what", "computes", REINDEX },
	[DOUBT_ORDER] = { "entry is out of order as", "entries are out of order as", "compares texts", REINDEX },
	[DOUBT_UNIQUE] = { "entry is not unique as", "entries are not unique as", "compares texts", REINDEX },
	[DOUBT_CHECK] = { "row fails a CHECK constraint as", "rows fail a CHECK constraint as", "computes it", "" },
	[DOUBT_NULL] = { "NULL in a generated column as", "NULLs in a generated column as", "computes it", "" },
	[DOUBT_TYPE] = { "value of another type in a generated column as", "values of another type in a generated column as",
			 "computes it", "" },
	[DOUBT_OWN_CHECK] = { "finding of", "findings of", "alone", "" },
};

struct line {
	const char *type, *name;
	enum damage_kind kind;
	uint64_t count;
	int64_t at;
	char example[200];
};

struct damage {
	pthread_mutex_t lock;
	struct line *lines;
	unsigned used, room;
};

struct damage *damage_new(void)
{
	struct damage *d = calloc(1, sizeof *d);

	if (d != NULL)
		pthread_mutex_init(&d->lock, NULL);
	return d;
}

void damage_free(struct damage *d)
{
	if (d == NULL)
		return;
	pthread_mutex_destroy(&d->lock);
	free(d->lines);
	free(d);
}

/* The line of this object and kind, made when there is none; NULL when there is no room for it. */
static struct line *line_of(struct damage *d, const char *type, const char *name, enum damage_kind kind)
{
	for (unsigned i = 0; i < d->used; i++)
		if (d->lines[i].kind == kind && d->lines[i].name == name && strcmp(d->lines[i].type, type) == 0)
			return &d->lines[i];
	if (d->used == LINES_MAX)
		return NULL;
	if (d->used == d->room) {
		unsigned room = d->room > 0 ? 2 * d->room : 16;
		struct line *more = realloc(d->lines, room * sizeof *more);

		if (more == NULL)
			return d->used > 0 ? &d->lines[d->used - 1] : NULL;
		d->lines = more;
		d->room = room;
	}
	d->lines[d->used] = (struct line){ .type = type, .name = name, .kind = kind, .at = INT64_MAX };
	return &d->lines[d->used++];
}

void damage_add(struct damage *d, const char *type, const char *name, enum damage_kind kind, uint64_t count,
		int64_t at, const char *fmt, ...)
{
	struct line *l;
	va_list ap;

	pthread_mutex_lock(&d->lock);
	l = line_of(d, type, name, kind);
	if (l != NULL) {
		if (l->count == 0 || at < l->at) {
			va_start(ap, fmt);
			vsnprintf(l->example, sizeof l->example, fmt, ap);
			va_end(ap);
			l->at = at;
		}
		l->count += count;
	}
	pthread_mutex_unlock(&d->lock);
}

unsigned damage_count(const struct damage *d)
{
	unsigned n = 0;

	for (unsigned i = 0; i < d->used; i++)
		n += !damage_is_doubt(d->lines[i].kind);
	return n;
}

bool damage_has(struct damage *d, const char *name, enum damage_kind from, enum damage_kind to)
{
	bool has = false;

	pthread_mutex_lock(&d->lock);
	for (unsigned i = 0; i < d->used; i++)
		has = has || (d->lines[i].name == name && d->lines[i].kind >= from && d->lines[i].kind <= to);
	pthread_mutex_unlock(&d->lock);
	return has;
}

static int by_weight(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	int c = (int)x->kind - (int)y->kind;

	if (c == 0)
		c = strcmp(x->type, y->type);
	if (c == 0)
		c = strcmp(x->name != NULL ? x->name : "", y->name != NULL ? y->name : "");
	return c;
}

void damage_tell(struct damage *d, void (*tell)(void *ctx, bool doubt, const char *object, const char *why),
		 void *ctx)
{
	char object[150], why[400], number[32];

	if (d->used > 1)
		qsort(d->lines, d->used, sizeof *d->lines, by_weight);
	for (unsigned i = 0; i < d->used; i++) {
		const struct line *l = &d->lines[i];
		bool doubt = damage_is_doubt(l->kind);

		snprintf(object, sizeof object, "%s%s%.100s", l->type, l->name != NULL ? " " : "",
			 l->name != NULL ? l->name : "");
		snprintf(number, sizeof number, "%" PRIu64 " ", l->count);
		if (doubt)
			snprintf(why, sizeof why, "%s%s SQLite %s %s (%s)%s", doubts[l->kind].many != NULL ? number : "",
				 l->count == 1 || doubts[l->kind].many == NULL ? doubts[l->kind].one : doubts[l->kind].many,
				 sqlite3_libversion(), doubts[l->kind].verb, l->example, doubts[l->kind].hint);
		else
			snprintf(why, sizeof why, "%s%s (%s)", number,
				 l->count == 1 ? words[l->kind].one : words[l->kind].many, l->example);
		tell(ctx, doubt, object, why);
	}
}
