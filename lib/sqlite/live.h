/*
 * live.h - the pages of a database that others write to, raw, and all of one moment.
 *
 * The pages are read inside a read transaction of SQLite's, through SQLite's own file handles: a descriptor of our own,
 * opened and closed, would drop this process's locks on the file (https://www.sqlite.org/howtocorrupt.html, 2.2).
 *
 * WAL mode: of each page the newest committed frame, the rest from the file. While the transaction lasts nobody writes
 * pages into the file that it may not see, so the file with all frames up to any later commit is a state, too. There is one
 * exception: where the whole log was in the file when the transaction began, a writer may begin the log anew, once. The
 * log's header tells, looked at again after the last page; the file alone is then the state, and is read again.
 *
 * Rollback mode: a reader keeps every writer waiting. So the lock is held for a slice of at most 100 ms, and the slices
 * are one state when the change counter, which each commit raises, stayed the same.
 *
 * Nothing is written, and no log is checkpointed. What a page is used for does not matter here.
 */
#ifndef LIB_SQLITE_LIVE_H
#define LIB_SQLITE_LIVE_H

#include "lib/sqlite/source.h"
#include "lib/sqlite/wal.h"

#define LIVE_SLICE_MS 100	/* a writer in rollback mode waits no longer for a minute's look */
#define LIVE_AGAIN (-1)		/* beside exit statuses: what was read so far is of no one moment; begin with page 1 */

struct live {
	struct source src;
	bool wal;		/* in WAL mode */
	bool hold;		/* rollback mode: one lock throughout */
	sqlite3_file *file, *log;	/* SQLite's; log NULL without one */
	uint32_t page_size, page_count;
	unsigned char first[100];	/* of the file, when the transaction began: its header, unless that stands in the log */
	bool has_log;		/* frames of the log count */
	struct wal_header header;	/* of the log, when has_log */
	struct wal_mark mark;	/* behind the last commit that counts */
	struct wal_map map;
	int64_t slice;		/* clock_ms() when the lock was taken */
	int tries;		/* so often has a writer come between */
};

/*
 * Opens the database and begins; waits up to wait_ms for locks. With hold a database in rollback mode is locked
 * throughout. *l is to be closed whatever is returned. EX_OK, EX_NOINPUT, EX_DATAERR, EX_IOERR, EX_CANTCREAT (locked),
 * EX_NOPERM (what reading it makes would shut the application out), EX_TEMPFAIL (a signal), all reported.
 */
int live_open(struct live *l, const char *path, int64_t wait_ms, bool hold);

/* How the log has changed since an earlier look. */
enum live_since {
	LIVE_UNKNOWN,	/* begun anew, or no log: every page may be another one */
	LIVE_WENT_ON,	/* the frame that was last then stands where it stood: only pages of later frames are others */
	LIVE_LOST,	/* the log is the same and that frame is gone: this host lost commits, by a power cut */
};

/*
 * Reads the log up to its last commit; to be called before live_read, after LIVE_AGAIN too. With since, the mark of an
 * earlier look (NULL for none), *what is found, and after LIVE_WENT_ON the map has the pages of later frames only, unless
 * all are wanted: then those of a number from since->frames on are the later ones.
 */
int live_scan(struct live *l, const struct wal_mark *since, bool all, enum live_since *what);

/*
 * Pages first..first+count-1 <= page_count into out. EX_OK, LIVE_AGAIN, or an exit status, reported. After LIVE_AGAIN
 * page_count and page_size may be others. After LIVE_WENT_ON only the pages in the map are told as they are.
 */
int live_read(struct live *l, uint32_t first, uint32_t count, unsigned char *out);

/* To be called after the last page: EX_OK when all that was read is one state; else as live_read. */
int live_end(struct live *l);

void live_close(struct live *l);

/* The page at offset 2^30, which SQLite never writes; 0 when the database does not reach so far. */
uint32_t live_lock_page(uint32_t page_size, uint32_t page_count);

#endif
