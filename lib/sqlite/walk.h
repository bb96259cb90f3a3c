/*
 * walk.h - every page and every row of a database file, once, in the order of the b-trees, by several threads.
 *
 * What must hold (https://www.sqlite.org/fileformat2.html):
 *	- each page of the file is used exactly once: by a b-tree, an overflow chain, the freelist, as a
 *	  pointer map, or not at all because locks lie there (1.3-1.8);
 *	- each b-tree page adds up; keys ascend; leaves are at one depth (1.6);
 *	- records are records, of the types that their columns may hold (2.1);
 *	- the entries of an index are those that the rows of its table have, no more and no less. Neither is
 *	  sorted or looked up: the sums of the entries' keyed hashes over the one walk and over the other
 *	  must be equal (record.h).
 *
 * Memory: a page for each level of the tree and thread, one bit for each page of the file, and bounded room for
 * keys that overflow their page. The file is read by pread: no damage to it or to the disk is a signal.
 */
#ifndef LIB_SQLITE_WALK_H
#define LIB_SQLITE_WALK_H

#include "lib/sqlite/damage.h"
#include "lib/sqlite/plan.h"
#include "lib/progress.h"
#include "lib/sqlite/sqlite.h"
#include "lib/std.h"

struct walk_options {
	int fd;				/* the database, and */
	const char *path;		/* its path for SQLite, when only SQLite can compute something */
	const struct sqlite_header *header;
	struct plan *plan;
	struct damage *damage;		/* where findings go */
	bool full;			/* records of indexes as well, and their agreement with the tables */
	unsigned jobs;			/* threads */
	int (*stop)(void *ctx);		/* asked now and then; non-zero gives up */
	void *stop_ctx;
	struct progress *progress;	/* NULL for none */
};

struct walk;

/* NULL without memory. o must live as long. */
struct walk *walk_new(const struct walk_options *o);
void walk_free(struct walk *w);

/* The schema's own b-tree, to be walked before SQLite is shown the file: plan has only that, and gets its rows. */
void walk_schema(struct walk *w);

/* Walks the b-tree of a single table, to count its rows. */
void walk_table(struct walk *w, struct table *t);

/* All the rest: plan has the whole schema. */
void walk_all(struct walk *w);

/* Why the walk could not be done (a read error, memory); "" when it was. What else could not be judged is a doubt. */
const char *walk_unjudged(const struct walk *w);

/* stop said so. */
bool walk_stopped(const struct walk *w);

#endif
