/*
 * apply.h - changes are taken into a file of ours that nobody else opens, batch by batch. A batch is a log beside FILE, which SQLite
 * itself checkpoints; the note beside FILE says which state it is, and which one is on its way. The order on the disk: the
 * log whole, the note with the target, the log's name, SQLite, the note without: whatever kills a run, apply_finish knows what
 * is to be done, and does it again without harm.
 */
#ifndef LIB_SQLITE_APPLY_H
#define LIB_SQLITE_APPLY_H

#include "lib/std.h"

#include <limits.h>

#include "lib/sqlite/advance.h"
#include "lib/sqlite/place.h"

struct apply {
	const char *file;		/* as named, for messages */
	char path[PATH_MAX];		/* what is changed: FILE, or the unfinished copy for NEW */
	char wal[PATH_MAX + 8], next[PATH_MAX + 16];	/* its log, and the name of one that is not yet whole */
	char note_path[PATH_MAX + 16], lock_path[PATH_MAX + 16];
	int lock;
	int64_t wait_ms;		/* for others, at most */
	struct note note;		/* what FILE is, and what it becomes */
	struct advance log;
};

/* The names that belong to path. EX_OK, EX_USAGE (reported). */
int apply_names(struct apply *a, const char *path);

/* Ends what an earlier run began, or forgets it where its log had no name yet. An exit status, reported. */
int apply_finish(struct apply *a);

/* Gathers as many changes as fit one log, from *i on: everything is checked here. An exit status, reported. */
int apply_collect(struct apply *a, char **changes, int count, int *i);

/* The log that was collected, under its name and into FILE. An exit status, reported. */
int apply_batch(struct apply *a);

#endif
