/*
 * plan.h - what a database's schema demands of its pages: which b-trees there are, what each column of
 * their records may hold, what each index consists of, and what only SQLite can compute. Read once through
 * SQLite before the pages are walked, and not changed by the walk but for the sums.
 */
#ifndef LIB_SQLITE_PLAN_H
#define LIB_SQLITE_PLAN_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "lib/sqlite/damage.h"
#include "lib/sqlite/record.h"
#include "lib/sqlite/schema.h"
#include "lib/sqlite/sqlite.h"
#include "lib/std.h"

/* Order-independent: how many entries, and the sum of their hashes. */
struct tally {
	_Atomic uint64_t count, sum;
};

/* A b-tree of the file, and what the walk learns of it. */
struct tree {
	const char *type;		/* "table" or "index", for messages */
	const char *name;
	uint32_t root;
	bool rowids;			/* keys are rowids, records are rows */
	bool opaque;			/* its definition could not be read: the root page says what the keys are */
	struct table *table;		/* whose rows its records are; NULL in an index */
	struct index *index;		/* how its records are ordered; NULL when keys are rowids */
	_Atomic uint32_t leaf_depth;	/* of the first leaf that was met, 0 before */
	_Atomic uint64_t entries;
	_Atomic bool too_long;		/* has a key that does not fit our memory: SQLite's own check must do */
};

/* A column of the records of a table, in the order in which they are stored. */
struct stored {
	const char *name;
	unsigned forbidden;		/* kinds of value that it may not hold (record.h) */
	bool not_null;			/* whether NULL is among them, for the message */
	unsigned suspect;		/* kinds of value of which the bytes decide, or that are forbidden */
	bool numeric;			/* NUMERIC affinity: a text that looks like a number may not stand there */
	int slot;			/* where its hash goes for the indexes, -1 when none needs it */
	bool has_default;		/* a record from before ALTER TABLE ADD COLUMN ends before this column: */
	uint64_t default_hash;		/* this is what it then counts as, NULL without a default */
	_Atomic bool defaulted;		/* such a record was met, and the default used */
};

/* Where an index finds a column: its place in the table's records, or */
#define PLACE_ROWID (-1)
#define PLACE_COMPUTED (-2)

struct index {
	struct tree tree;		/* of the primary key of a WITHOUT ROWID table: unused */
	struct index *next;		/* of the same table, */
	uint32_t number;		/* counted from 0 */
	bool unique;
	uint32_t key_columns;		/* those that CREATE INDEX names */
	uint32_t columns;		/* all, with the rowid or primary key behind them */
	struct column_order *order;	/* one a column */
	bool has_rowid;			/* the last column: not in a WITHOUT ROWID table */
	const char *own_collation;	/* of a column, one that only the application has; NULL for none */
	int *places;			/* one a column */
	int *slots;			/* one a column, when we derive the entries from the rows ourselves */
	bool computed;			/* otherwise SQLite computes them, */
	bool partial;			/* where a condition is true, */
	const char *sql;		/* by this statement, */
	bool *rounds;			/* which reads these columns rounded: REAL with a default, where a larger number may
					 * stand as it was written; NULL for none */
	_Atomic bool failed;		/* it did not: what it should hold is not known */
	struct tally expected, found;	/* from the rows, from the entries */
	struct sieve *sieve;		/* which entries differ, when some do; NULL otherwise */
};

/* A condition of the schema that a row must meet: an expression that is false when it does not, NULL when it may. */
struct demand {
	enum damage_kind kind;
	const char *text;	/* for messages: the constraint, or the column */
	const char *sql;	/* SELECT it, as a condition, FROM table: 0 where it is false */
	const char *bare_sql;	/* the same with nothing around it, which SQLite might not take */
};

struct table {
	struct tree tree;
	struct table *next;
	struct stored *stored;
	uint32_t stored_count;
	uint32_t slots;			/* hashes that a row needs, that of its rowid included */
	int rowid_slot;			/* -1 for none */
	uint32_t last_needed;		/* columns from here on are needed by nobody */
	struct index *indexes;
	uint32_t index_count;
	const char *from;	/* its name in a statement that reads its rows */
	const char *rowid;	/* a name for the rowid that no column has, NULL for none */
	/*
	 * What only SQLite can compute, in one pass over the rows: first a column for each demand, 1 when the
	 * row fails it, then those of each computed index. Without such an index only failing rows are
	 * returned. NULL when there is nothing to compute. A value that this statement cannot compute is computed by a
	 * statement of its own.
	 */
	const char *sql;
	bool again;		/* SQLite had too little memory for it beside the others' */
	struct demand *demands;
	uint32_t demand_count;
	bool fallback;			/* only SQLite's own integrity_check can judge the indexes */
};

struct plan {
	struct table *tables;		/* the schema itself first */
	struct schema schema;		/* its rows */
	char unread[200];		/* why SQLite could not read all of it, "" when it could */
	uint64_t schema_bytes;		/* what the schema takes in each connection */
	uint32_t encoding;		/* 1 UTF-8, 2 UTF-16le, 3 UTF-16be */
	struct secret secret;
	struct chunk *memory;		/* everything above */
};

/* The plan for the schema table alone, which is walked before SQLite reads it. 0, or -1 (memory, randomness). */
int plan_start(struct plan *p, uint32_t encoding);

/*
 * The whole schema, of which p has the rows. full: the indexes' entries matter, not only their pages. A definition
 * that SQLite cannot read is a doubt, and its object's pages are planned as they are; db is NULL when it could read none.
 * SQLITE_OK, or SQLite's code with the reason in sqlite3_errmsg(db).
 */
int plan_read(struct plan *p, sqlite3 *db, bool full, const struct sqlite_header *header, struct damage *damage);

/* Has the plain columns of an index hashed in the rows, whatever is computed in it; its places say which they are. */
int plan_plain(struct plan *p, struct table *t, struct index *i);

/* The hash of a result column, by the secret of the plan and in the encoding of the file. */
uint64_t plan_hash(const struct plan *p, sqlite3_stmt *s, int column);

void plan_free(struct plan *p);

#endif
