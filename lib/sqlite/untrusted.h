/*
 * untrusted.h - SQLite on a file that nobody vouches for (https://www.sqlite.org/security.html, 1): opened
 * immutable and read-only, so that nothing beside the file is read, made or locked and a stale -wal cannot
 * get in; triggers, views and extensions off; every statement but reading refused. For a file that does not
 * change while it is open: immutable promises SQLite so.
 */
#ifndef LIB_SQLITE_UNTRUSTED_H
#define LIB_SQLITE_UNTRUSTED_H

#include <sqlite3.h>

#include "lib/std.h"

/*
 * A bound for the memory that SQLite takes in this process; to be called once, before any thread starts.
 * A file that needs more gets SQLITE_NOMEM instead of the machine's memory.
 */
void untrusted_limit_memory(uint64_t bytes);

/*
 * path must hold no symbolic link. stop is asked every millisecond or so; once it returns non-zero, statements end
 * with SQLITE_INTERRUPT. SQLITE_OK and *db (to be closed), or SQLite's code, unreported, and *db NULL.
 */
int untrusted_open(const char *path, int (*stop)(void *ctx), void *ctx, sqlite3 **db);

/* What a connection may take beside the schema: its cache and a row or two. */
#define UNTRUSTED_MEMORY (UINT64_C(1536) << 10)

#endif
