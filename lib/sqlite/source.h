/*
 * source.h - a database that others write to, opened to be read: one read transaction, and afterwards no trace of it.
 *
 * The database is never checkpointed, not even at the close, and no schema is parsed: the syntax of a newer SQLite is no reason
 * to be without a copy. A file that SQLite would take for a database although it is none is refused before; and so is one beside
 * which reading would leave a -shm that its application could not use.
 */
#ifndef LIB_SQLITE_SOURCE_H
#define LIB_SQLITE_SOURCE_H

#include <limits.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "lib/std.h"

struct source {
	const char *path;		/* as the operator named it */
	char real[PATH_MAX];		/* without symbolic links: the side files lie there */
	struct stat st;			/* of the file, before it was opened */
	bool wal;			/* a WAL database */
	bool tidy;			/* it had no -wal: what opening makes is ours to remove */
	int64_t wait_ms, deadline;	/* for a lock; clock_ms() */
	sqlite3 *db;
	int64_t at;			/* when the transaction began, seconds since the epoch */
};

/* Looks at the file, before SQLite does. EX_OK, EX_NOINPUT, EX_DATAERR, EX_IOERR, EX_NOPERM, EX_CONFIG; reported. */
int source_look(struct source *s, const char *path);

/*
 * Opens it and begins, waiting up to wait_ms for a lock; what an application left half done is rolled back. To be closed,
 * whatever is returned. SQLite's code, unreported.
 */
int source_open(struct source *s, int64_t wait_ms);
/* Another transaction, after the one before has ended. SQLite's code. */
int source_begin(struct source *s);

/* Reports that it cannot be read: SQLite's code rc, or that a signal came. The exit status. */
int source_fail(struct source *s, int rc);

void source_close(struct source *s);

#endif
