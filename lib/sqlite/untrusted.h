/*
 * untrusted.h - SQLite on a file that nobody vouches for (https://www.sqlite.org/security.html, 1): opened
 * immutable and read-only, so that nothing beside the file is read, made or locked and a stale -wal cannot
 * get in; triggers, views and extensions off; every statement but reading refused, and in ours every function that
 * SQLite itself does not call innocuous. For a file that does not change while it is open: immutable promises SQLite so.
 *
 * The schema is called trusted. Otherwise no schema with a JSON function in an index or a generated column could be
 * read with SQLite 3.40, which calls these functions not innocuous by mistake; and it would guard little: neither that
 * nor SQLITE_DIRECTONLY keeps a CHECK constraint from calling a function. What guards is that nothing a function of
 * SQLite's own can do here does harm, and that there are no others on this connection.
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
 * with SQLITE_INTERRUPT. The schema has not been read yet. SQLITE_OK and *db (to be closed), or SQLite's code,
 * unreported, and *db NULL.
 */
int untrusted_open(const char *path, int (*stop)(void *ctx), void *ctx, sqlite3 **db);

/*
 * Has SQLite read the schema. Where it cannot read a definition (a newer SQLite's syntax) it reads the others, and
 * *why, of `size` bytes, tells the first that it could not; "" when it read all. SQLITE_OK, or SQLite's code.
 */
int untrusted_read_schema(sqlite3 *db, char *why, size_t size);

/*
 * Lets SQLite's own check of a full-text or spatial index run, whose module prepares statements that write. They
 * cannot: the file is open for reading only.
 */
void untrusted_allow_modules(sqlite3 *db);

/* The memory that a connection may take beside the schema: for its cache and a row or two. */
#define UNTRUSTED_MEMORY (UINT64_C(1536) << 10)

#endif
