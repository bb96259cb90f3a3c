/*
 * followed.h - what lies where the chain is followed minute by minute, .follow/newest.db beside the live database: a whole
 * state of it, and of our own making? What is not known counts against it. SQLite does not open it and only its first bytes
 * are read: on a cold disk a failover has no time for 1.4 GB.
 */
#ifndef LIB_SQLITE_FOLLOWED_H
#define LIB_SQLITE_FOLLOWED_H

#include "lib/std.h"

#include <limits.h>

#include "lib/sqlite/place.h"

struct followed {
	char dir[PATH_MAX];		/* .follow */
	char path[PATH_MAX + 16];	/* of newest.db in it */
	char against[400];		/* what speaks against it, a phrase behind its name: the first reason; "" for nothing */
	bool there, half, known;	/* a newest.db; with a run's unfinished work; and which state it is: */
	struct place is, target;	/* this one; and which it becomes */
	int64_t target_s;		/* in about so many seconds; 0: it is at rest */
};

/* Where it is for this live database. False when live is no path from / on, or too long. */
bool followed_names(struct followed *f, const char *live);

/* Looks at it. state: the directory that is ours; least: the bytes that a database has at the least. */
void followed_look(struct followed *f, const char *state, uint64_t least);

/* Notes a reason not to take the state. The first reason stays. */
void followed_against(struct followed *f, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
