/*
 * alone.h - a database that is about to lose its name: nobody else may have it open, and nobody may open it meanwhile.
 *
 * Processes and locks are looked at (holders.h), and as the last word a write lease is taken: the kernel grants it only
 * while nobody has the file open, and whoever opens it then waits (fcntl(2), F_SETLEASE). Only the owner, or who has
 * CAP_LEASE, may take one, and not on every file system. An overlay grants it (Linux 6.18), for all who opened the file there; who
 * has the same file open by the name of a layer below is not seen.
 *
 * Without a lease the idle connections of other users in rollback mode stay unseen: they read old data, and SQLite
 * itself refuses their writes because the file was moved.
 */
#ifndef LIB_SQLITE_ALONE_H
#define LIB_SQLITE_ALONE_H

#include "lib/std.h"

struct alone {
	const char *path;	/* without symbolic links */
	const char *object;	/* its name in messages */
	bool all_seen;		/* every process could be looked into */
	int lease;		/* a descriptor on which a write lease was taken; -1 without */
};

/* Has nobody else the file open, as far as this user can see? EX_OK, EX_CANTCREAT (in use, by whom), EX_IOERR; reported. */
int alone_look(struct alone *a);

/*
 * Has nobody but this descriptor the file open? True is the kernel's word, which costs no look at all processes; false is none: it
 * may be that no lease can be had.
 */
bool alone_has(int fd);

struct stat;
/*
 * Takes the lease on the file that st is of; where none can be had, looks once more instead. EX_OK, EX_CANTCREAT (in use, replaced),
 * EX_IOERR; reported.
 */
int alone_lease(struct alone *a, const struct stat *st);
/*
 * The other side: a database that is only copied, which takes minutes, is lent. Who wants to be alone with it (holders.h) opens it
 * for writing; the kernel tells us by SIGTERM (stop.h), and he waits for us to close it. EX_OK, also where no lease can be had;
 * EX_TEMPFAIL: somebody has it open for writing, so that a copy would be of no moment; reported.
 */
int alone_lend(int fd, const char *object);

/* Is somebody waiting to open what is leased? */
bool alone_is_wanted(const struct alone *a);
/* No harm without a lease. */
void alone_end(struct alone *a);

#endif
