/*
 * holders.h - who has a database open. Two ways to see it, neither complete alone: the locks that SQLite
 * holds on the file and on its -shm (an idle connection of a rollback-mode database has none, nor has one
 * that was opened and never used), and the descriptors and mappings of every process in /proc (which
 * needs the right to look into other users' processes). Inodes are compared, never names: a container or
 * a symbolic link may know the file by another one.
 */
#ifndef LIB_SQLITE_HOLDERS_H
#define LIB_SQLITE_HOLDERS_H

#include "lib/std.h"

struct holders {
	unsigned count;		/* processes other than this one; 0: none was seen */
	bool all_seen;		/* every process could be looked into: count 0 means that there is none */
	char who[400];		/* "python3 (pid 812), sqlite3 (pid 977)": printable, for a process names itself */
	char pids[200];		/* "812 977": as many as there is room for */
};

/*
 * Looks for holders of db and of its -wal, -shm and -journal; a file that does not exist is held by
 * nobody. Not to be called while this process has db open in SQLite: to ask for locks the file is opened and
 * closed, and a close drops this process's locks (fcntl(2)).
 * EX_OK, or EX_CANTCREAT (reported) when even the locks cannot be asked for.
 */
int holders_find(const char *db, struct holders *out);

#endif
