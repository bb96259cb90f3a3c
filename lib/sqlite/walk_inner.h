/*
 * walk_inner.h - what the three files of the walk share, and nobody else may include: walk.c has the pages, the
 * b-trees and the threads, walk_rows.c the records in them, walk_indexes.c the agreement of indexes with rows and
 * what only SQLite can compute.
 */
#ifndef LIB_SQLITE_WALK_INNER_H
#define LIB_SQLITE_WALK_INNER_H

#include <pthread.h>

#include "lib/sqlite/btree.h"
#include "lib/sqlite/pageuse.h"
#include "lib/sqlite/walk.h"

#define DEPTH_MAX 20			/* SQLite goes no deeper (BTCURSOR_MAX_DEPTH) */

/*
 * A piece of work: a whole b-tree; or, when a thread had nothing to do and another one gave it half of what it
 * still had, the children first..end-1 of one of its interior pages; or what SQLite computes, of one table or, without a
 * tree, of all.
 */
struct walk_unit {
	enum { UNIT_TREE, UNIT_CHILDREN, UNIT_SQL, UNIT_FREELIST } what;
	struct tree *tree;
	uint32_t page;			/* UNIT_CHILDREN: the interior page, */
	unsigned depth;			/* how deep it is, */
	unsigned first, end;		/* which children, */
	bool bounded;			/* and the key that all of theirs must be below (at most, for rowids) */
	int64_t high;
	unsigned char *high_key;
	uint32_t high_len;
};

struct sift;

struct walk {
	const struct walk_options *o;
	struct pages pages;
	uint32_t overflow_room;		/* bytes, for each buffer of a thread */
	_Atomic bool stopping, stopped;
	bool takes_schema;		/* this walk collects the schema's rows */
	bool last_try;			/* one thread, so that SQLite has all its memory */
	struct sift *sift;		/* another walk over one index and its table: findings were told, only differences
					 * matter; NULL in the first one */
	char unjudged[256];

	pthread_mutex_t lock;		/* of what follows, and of unjudged */
	pthread_cond_t more;
	struct walk_unit *units;	/* a stack */
	_Atomic size_t unit_count;
	struct table *sql_next;		/* the tables before it have been given to SQLite */
	size_t unit_room;
	unsigned busy;
	_Atomic unsigned idle;
};

/* Bytes that overflowed their page, put together. */
struct buffer {
	unsigned char *p;
	uint32_t room;
};

/* An interior page on the way from the root to where a thread is. */
struct frame {
	struct btree_page page;
	uint32_t number;
	unsigned child, end;		/* the child being walked, and behind the last one that is ours */
	unsigned char *bytes;
};

struct worker {
	struct walk *w;
	struct tree *tree;
	struct walk_unit *unit;
	struct frame frames[DEPTH_MAX];
	unsigned base;			/* the frame where this unit began */
	struct btree_cover cover;
	unsigned looks;
	unsigned char *map;		/* the page of the pointer map that was read last, */
	uint32_t map_number;		/* and its number, 0 before */

	/* the order of rowids: those that follow are above low */
	bool has_low;
	int64_t low;
	/* the order of index entries: the one before, whose bytes are still in their frame or buffer */
	bool has_before;
	struct key before;
	struct field *key_fields[2];
	struct buffer key_bytes[2];
	uint32_t key_room;
	unsigned turn;			/* which of the two the next entry takes */

	/* the row being looked at */
	struct field *fields;
	uint32_t field_room;
	struct buffer row_bytes;
	uint64_t *hashes;		/* by slot */
	uint32_t hash_room;

	/* of this unit alone: of each index of a table, or of the one index that is walked */
	struct sum { uint64_t count, sum; } *sums;
	uint32_t sum_room;

	sqlite3 *db;			/* opened when it is needed first */
};

/* Something is wrong with the tree at hand, on a page or in a row with the number at. */
#define bad(k, kind, at, ...) \
	do { \
		if ((k)->w->sift == NULL) \
			damage_add((k)->w->o->damage, (k)->tree->type, (k)->tree->name, kind, 1, at, __VA_ARGS__); \
	} while (0)

/* ---- walk.c ---- */

void walk_out_of_memory(struct walk *w);
void walk_unjudge(struct walk *w, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Asks whether to give up; also for SQLite, as its progress handler. */
int walk_look(void *walk);

/*
 * At least the first need bytes of the payload of a cell that overflows its page. Follows the chain of overflow pages
 * (1.6) to its end, and claims its pages unless they are claimed already. NULL when the chain is broken (told), or when
 * need does not fit in memory (then the tree is marked).
 */
const unsigned char *walk_overflow(struct worker *k, const struct btree_cell *c, uint32_t page, uint32_t need,
				   struct buffer *b, bool claimed);

/* The same of any cell. */
static inline const unsigned char *walk_payload(struct worker *k, const struct btree_cell *c, uint32_t page,
						uint32_t need, struct buffer *b, bool claimed)
{
	return c->payload == c->local_len ? c->local : walk_overflow(k, c, page, need, b, claimed);
}

/* Work for later, and all of it done by so many threads. */
void walk_push(struct walk *w, const struct walk_unit *u);
void walk_run(struct walk *w, unsigned jobs);

/* ---- walk_rows.c ---- */

/* Room for the keys and rows of the tree at hand, and no sums. */
bool walk_prepare(struct worker *k);

/* At the end of a unit, its sums are added to those of all units. */
void walk_hand_in_sums(struct worker *k);

/* A cell of a leaf of a table: 1.6, rowids ascend. */
void walk_rowid_cell(struct worker *k, const struct btree_cell *c, uint32_t page);

/* A cell of a b-tree whose keys are records: an entry, or a row of a WITHOUT ROWID table, which is both. */
void walk_key_cell(struct worker *k, const struct btree_cell *c, uint32_t page);

/* Decodes a key that is in memory, to become the one before or to be compared with it. */
bool walk_take_key(struct worker *k, const unsigned char *p, uint32_t len, uint32_t page, struct key *key);
void walk_keep_key(struct worker *k, const struct key *key);

/* A key must come behind the one before it, and not be equal where equal keys are forbidden. */
void walk_check_order(struct worker *k, const struct key *key, uint32_t page);

/* The hash of a column of an entry. */
static inline uint64_t walk_hash_column(const struct secret *secret, const struct index *i, const struct key *key,
					uint32_t column)
{
	uint32_t type = key->fields[column].type;
	const unsigned char *p = key->p + key->fields[column].at;

	if (i->rounds != NULL && i->rounds[column] && record_kind(type, p) == KIND_INT)
		return hash_real(secret, (double)record_int(type, p));
	return hash_field(secret, type, p);
}

/* ---- walk_indexes.c ---- */

/* Has SQLite compute what only it can, for all tables or for that of the unit. */
void walk_sql(struct worker *k);

/* In another walk: an entry of the index, and a row of its table, of which `count` columns are in the record. */
void walk_sift_entry(struct worker *k, const struct key *key);
void walk_sift_row(struct worker *k, int64_t where, uint32_t count);

/* After the walk: do the indexes agree with their tables, and what do those say that only SQLite can check? */
void walk_judge_indexes(struct walk *w);

#endif
