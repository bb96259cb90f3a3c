/*
 * retire.h - a database that is about to lose its name to another one. What lies beside it (-wal, -journal)
 * belongs to it and to no other: left there it would be replayed into the new one, removed by hand it would
 * take committed rows along. So SQLite puts the old one in order first; one that SQLite cannot read is
 * moved away with all its files together.
 */
#ifndef LIB_SQLITE_RETIRE_H
#define LIB_SQLITE_RETIRE_H

#include "lib/std.h"

#define RETIRE_PATH 4200

/*
 * Recovers what a crashed application left in path, and ends with no side files; fails unless nobody else
 * is attached (of a rollback-mode database an idle connection is not seen: see holders.h). object is
 * path's name in messages. EX_OK; EX_DATAERR damaged; EX_CANTCREAT in use or not writable; EX_IOERR.
 * Reported.
 */
int retire_database(const char *path, const char *object);

/*
 * Gives path, when it exists, the second name aside (path.quarantine-TIME), and moves its side files to
 * that name; path itself stays for its successor to replace. Run again, it goes on. EX_OK or EX_CANTCREAT
 * (reported).
 */
int retire_aside(const char *path, char aside[RETIRE_PATH]);

/* Is there any side file beside path? */
bool retire_has_side_files(const char *path);
/* Does something wait in one, to be played into path at its next opening? */
bool retire_is_pending(const char *path);

#endif
