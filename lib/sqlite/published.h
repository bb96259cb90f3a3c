/*
 * published.h - STATE: what an owner remembers of the newest state that it published. A small SQLite database of our own,
 * with one hash for each page, the description of the change that led there, and where the look that found it ended.
 *
 * A look's result is *pending* until its object is on record in Dropbox: then it is confirmed, and the next look starts
 * there; or dropped, and the next look finds the same again. Both survive any crash: each is one transaction.
 *
 * The lock (flock(2) on STATE.lock) covers a look with all that it writes; whoever restores a database under the
 * publisher's feet holds it, too.
 */
#ifndef LIB_SQLITE_PUBLISHED_H
#define LIB_SQLITE_PUBLISHED_H

#include <sqlite3.h>

#include "lib/sqlite/change.h"

#define PUBLISHED_REV 128

/* Where a look ended, so that the next one need not read everything. */
struct published_look {
	int64_t began_ns;		/* by this host's clock */
	uint64_t dev, ino, size;	/* of the file */
	int64_t mtime_ns, ctime_ns;
	uint32_t counter;		/* bytes 24 to 27 */
	bool wal;			/* it had a log, with mark */
	struct wal_mark mark;
};

/* A state of the chain, as its owner knows it. */
struct published_state {
	bool known;			/* false: there is none */
	struct change change;
	char object[HASH_TEXT];		/* content_hash of its object */
	char rev[PUBLISHED_REV];		/* and its revision in Dropbox, "" while not told */
	struct published_look look;
};

struct published {
	const char *path;
	sqlite3 *db;
	int lock;			/* -1 when not held */
	bool damaged;			/* says SQLite */
	struct published_state confirmed, pending;
	sqlite3_stmt *get, *put;
	/* blocks of hashes: the one read last, and the one that is being changed */
	int64_t read_block, write_block;
	unsigned char *read_data, *write_data;
};

/*
 * Opens STATE, or makes an empty one, and takes its lock, waiting up to wait_ms. *s is to be closed whatever is returned.
 * One that SQLite calls damaged is put aside as STATE.damaged, which is reported, here or when it is closed: then there is none.
 * EX_OK, EX_CANTCREAT (locked), EX_DATAERR (not ours, damaged), EX_IOERR, EX_TEMPFAIL (a signal), reported.
 */
int published_open(struct published *s, const char *path, int64_t wait_ms);
void published_close(struct published *s);

/* The confirmed hash of a page <= confirmed.change.page_count. EX_OK, EX_DATAERR, EX_IOERR, reported. */
int published_hash(struct published *s, uint32_t page, struct pagehash *out);

/* A look's result: begin, the pages that differ by rising number, then what it is; on disk once the last returns EX_OK. */
int published_begin(struct published *s);
int published_add(struct published *s, uint32_t page, struct pagehash hash);
int published_pend(struct published *s, const struct published_state *row);
/* A look that found no difference is remembered: a later look may start from this one. */
int published_looked(struct published *s, const struct published_look *look);

/* The pending state is published now (under rev, or NULL); or never will be, and is dropped. No harm when none is pending. */
int published_confirm(struct published *s, const char *rev);
int published_drop(struct published *s);

/* Calls that count against a month's limit were made. */
int published_called(struct published *s, int calls);
/* How long the last look at every page took; 0 where that was no burden. On disk at once, or with what is begun. */
int published_took(struct published *s, int64_t ms);
int64_t published_last_took(struct published *s);
/* How many calls the confirmations of this month stand for (pace.h). */
int64_t published_calls(struct published *s);

#endif
