/*
 * exchange.h - a database takes the live name of another one, which is kept: the steps of db-install, in their order. Until
 * exchange_do nothing under the live name changes but what puts the old one in order; in it LIVE is at every instant a
 * complete database, the old one or the new one.
 */
#ifndef LIB_SQLITE_EXCHANGE_H
#define LIB_SQLITE_EXCHANGE_H

#include "lib/std.h"

#include <limits.h>
#include <sys/stat.h>

#include "lib/sqlite/alone.h"
#include "lib/sqlite/keep.h"
#include "lib/sqlite/retire.h"

/* How it is to be done; the rest are promises of db-install(1). */
struct exchange_wish {
	uid_t owner;
	gid_t group;
	mode_t mode;			/* (mode_t)-1: that of the old one */
	int64_t as_of;			/* seconds since the epoch; INT64_MIN: the candidate's own time */
	bool keep, quarantine, quick, group_writes;
	bool on_record;			/* a record has the time of the data, too */
};

struct exchange {
	const char *candidate, *live;	/* as the operator named them */
	const struct exchange_wish *wish;
	struct keep names;		/* live without symbolic links, and what it may be called when it is replaced */
	char aside[RETIRE_PATH];
	int lock;			/* of names.work, -1 without */
	int fd;				/* of what is installed */
	const char *source;		/* its path: candidate or names.work */
	struct stat st, old;		/* of candidate and live */
	bool have_old, alike;		/* there is a LIVE; its content is what is to be installed */
	bool same;			/* so there is nothing to replace */
	bool from_prev;			/* the candidate is LIVE.prev: they change places */
	bool put_aside;			/* the old one, as it was */
	const char *kept_as;		/* NULL, or the name that the old one has now */
	struct alone alone;
};

/* The time of the data, in seconds since the epoch. */
int64_t exchange_data_at(const struct exchange *x);

/* Look at the candidate (fd, st, from_prev) and at the live database (old, have_old). An exit status, reported. */
int exchange_candidate(struct exchange *x);
int exchange_live(struct exchange *x);

/* Are the two the same, to the last byte? Then alike and same are so. */
void exchange_compare(struct exchange *x);

/* Owner, rights and time of what will be LIVE, the file fd, and all of it on disk. An exit status, reported. */
int exchange_dress(const struct exchange *x, int fd);

/* The live database has this content already: its owner, rights and time are set, and a candidate that is no copy is removed. */
int exchange_nothing(struct exchange *x, bool copy);

/* Puts the old database in order, so that its log or journal is taken in, or puts it aside with them. An exit status, reported. */
int exchange_put_away(struct exchange *x);

/* The two change places, unless a signal came first. EX_OK, also EX_CANTCREAT when it is done and somebody still has the old one. */
int exchange_do(struct exchange *x);

#endif
