/*
 * backupname.h - the names of backups, and which backups may go
 *
 * The time of a backup stands in its name, KIND_backup_YYYYMMDD_HHMMSS.db, in UTC, and nowhere else that a copy or a
 * wrong clock leaves alone. A file without such a name is no backup, and never among those that may go.
 */
#ifndef LIB_DROPBOX_BACKUPNAME_H
#define LIB_DROPBOX_BACKUPNAME_H

#include "lib/std.h"

#define BACKUPNAME_MOST 64	/* of a name that is a backup's, with its NUL */
#define BACKUPNAME_KINDS 2

extern const char *const backupname_kinds[BACKUPNAME_KINDS];

struct backupname {
	int64_t time;		/* seconds since the epoch */
	size_t kind;		/* of backupname_kinds */
	char name[BACKUPNAME_MOST];
};

/* Is this the name of a backup? */
bool backupname_parse(const char *name, struct backupname *out);

/* The name of a backup of that kind with data of that time. */
void backupname_make(size_t kind, int64_t time, struct backupname *out);

/* Is it from the future, by more than clocks differ? */
bool backupname_ahead(const struct backupname *b, int64_t now);

/* Which backups are kept; each kind is counted for itself. */
struct backupname_rule {
	enum {
		BACKUPNAME_KEEP_NONE,	/* nothing */
		BACKUPNAME_KEEP_NEWEST,	/* the `count` newest */
		BACKUPNAME_KEEP_NIGHTS,	/* the newest of each of the last `count` local days that have one, and the `count` newest */
	} keep;
	int64_t count;
	int64_t now;		/* seconds since the epoch */
};

/*
 * Sorts the backups, newest first, and leaves those in the list that do not stay. A backup from the future (a clock was
 * wrong) stays and is not counted, but with BACKUPNAME_KEEP_NONE. Returns how many are left.
 */
size_t backupname_beyond(struct backupname *list, size_t count, const struct backupname_rule *rule);

#endif
