/*
 * syscalls.h - which files SQLite may touch. A rollback journal holds the name of a "super-journal"
 * (https://www.sqlite.org/fileformat2.html, 3), and SQLite removes the file of that name when it has rolled the
 * journal back: whoever can put a -journal beside a database decides which file the next program that opens it
 * deletes. So SQLite's own open and unlink are replaced (sqlite3_vfs.xSetSystemCall, in force for every unix VFS
 * of the process): they know the database, its three side files and its directory, and nothing else. What is
 * opened must be a regular file and no link, in no part of its path; no open waits for the other end of a FIFO.
 * A temporary file of SQLite's is refused, too: what needs one runs with temp_store=MEMORY.
 */
#ifndef LIB_SQLITE_SYSCALLS_H
#define LIB_SQLITE_SYSCALLS_H

#include "lib/std.h"

/*
 * From now on SQLite may touch the database `path` (absolute, its directory without symbolic links) and what
 * belongs to it. Forgets the last refusal. False when that cannot be had: without memory, or without SQLite's
 * unix VFS.
 */
bool syscalls_admit(const char *path);

/* Why a file was refused since the last admission, as a phrase that begins with its name; NULL when none was. */
const char *syscalls_refusal(void);

#endif
