/*
 * damage.h - what is wrong with a database, and what could not be judged, as it is found by several threads at
 * once: counted by object and kind, each with the first example, so that a million broken rows are one line and the
 * same file gives the same lines in the same order.
 *
 * Damage is what the bytes of the file alone tell. What is so only as our SQLite computes it - an expression, a
 * default, a CHECK constraint, an order by any collation but BINARY - may be right as the application's own SQLite
 * computes it, or its own functions and collations do: that is a doubt, and no damage.
 */
#ifndef LIB_SQLITE_DAMAGE_H
#define LIB_SQLITE_DAMAGE_H

#include "lib/std.h"

/* In the order in which they are told: what breaks more comes first. */
enum damage_kind {
	DAMAGE_PAGE,		/* the bytes of a page make no sense */
	DAMAGE_SCHEMA,		/* a row of the schema that is not a whole definition */
	DAMAGE_POINTER,		/* a page number that is no page's */
	DAMAGE_SHARED,		/* a page that something else uses as well */
	DAMAGE_DEPTH,		/* leaves that are not at the same depth */
	DAMAGE_ROWID,		/* rowids out of order */
	DAMAGE_OVERFLOW,	/* a chain of overflow pages of the wrong length */
	DAMAGE_RECORD,		/* the bytes of a row or entry make no sense */
	DAMAGE_FREELIST,
	DAMAGE_UNUSED,		/* pages that nothing uses */
	DAMAGE_POINTER_MAP,
	DAMAGE_NULL,		/* NULL in a NOT NULL column */
	DAMAGE_TYPE,		/* a type that the column cannot hold */
	DAMAGE_CHECK,		/* a CHECK constraint that is false */
	DAMAGE_ORDER,		/* index entries out of order */
	DAMAGE_UNIQUE,		/* equal entries in a unique index */
	DAMAGE_MISSING,		/* rows without an index entry */
	DAMAGE_EXTRA,		/* index entries without a row */
	DAMAGE_COUNT,		/* rows and entries differ in number */

	DOUBT_DEFINITION,	/* a whole statement, but none that our SQLite reads */
	DOUBT_MEMORY,		/* takes more of it than SQLite may */
	DOUBT_COLLATION,	/* of the application's own */
	DOUBT_COMPUTING,	/* a function of the application's own, or one that fails */
	DOUBT_ENTRIES,		/* entries that are others than those computed */
	DOUBT_ORDER,
	DOUBT_UNIQUE,
	DOUBT_CHECK,
	DOUBT_NULL,		/* in a generated column */
	DOUBT_TYPE,		/* the same */
	DOUBT_OWN_CHECK,	/* found by SQLite's own check */
	DAMAGE_KINDS,
};

static inline bool damage_is_doubt(enum damage_kind kind)
{
	return kind >= DOUBT_DEFINITION;
}

struct damage;

struct damage *damage_new(void);	/* NULL without memory */
void damage_free(struct damage *d);

/*
 * Counts `count` cases. type and name say of what ("index", "spots_date"; name may be NULL) and live as long
 * as d; of several cases the one with the lowest `at` (a page or row number) gives the example that is told.
 */
void damage_add(struct damage *d, const char *type, const char *name, enum damage_kind kind, uint64_t count,
		int64_t at, const char *fmt, ...) PRINTF_LIKE(7, 8);

/* How many kinds of damage were found, on all objects together; doubts are none. */
unsigned damage_count(const struct damage *d);

/* Has this object any of the kinds from..to? */
bool damage_has(struct damage *d, const char *name, enum damage_kind from, enum damage_kind to);

/*
 * Calls tell for each finding, damage first: object is `index spots_date`, why is `3 entries out of order (page 7)`.
 */
void damage_tell(struct damage *d, void (*tell)(void *ctx, bool doubt, const char *object, const char *why),
		 void *ctx);

#endif
