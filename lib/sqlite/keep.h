/*
 * keep.h - the names under which a replaced database stays. LIVE.prev is the copy before, of which Dropbox knows;
 * LIVE.kept-TIME is what was written here, which exists nowhere else, and no later copy takes its place. Both are second
 * names of the file (link(2)), given before it loses its own: it is never without a name, and nothing is copied.
 */
#ifndef LIB_SQLITE_KEEP_H
#define LIB_SQLITE_KEEP_H

#include <sys/stat.h>

#include "lib/std.h"

#define KEEP_PATH (PATH_MAX + 64)

struct keep {
	char dir[PATH_MAX];	/* without symbolic links */
	char live[KEEP_PATH];
	char work[KEEP_PATH];	/* beside it: the lock of an installation, and the place for a copy */
	char prev[KEEP_PATH], prev_tmp[KEEP_PATH];	/* the second is the step before */
	char kept[KEEP_PATH];	/* chosen by keep_choose; empty: it was not written to */
};

/* The names of a database that may not be there yet. EX_OK, EX_USAGE (it can be no database's), EX_CANTCREAT; reported. */
int keep_names(struct keep *k, const char *live);

/*
 * May what stands at LIVE be replaced? live is its name in messages. EX_OK, EX_NOINPUT (nothing is there, not reported),
 * EX_CANTCREAT (a symbolic link, a mount point, no regular file; reported).
 */
int keep_look(const struct keep *k, const char *live, struct stat *st);

/* Is it the file that st is of? */
bool keep_is(const char *path, const struct stat *st);

/* Has the file st a name that is not ours to give? Under that SQLite would look for another journal. */
bool keep_is_linked(const struct keep *k, const struct stat *st);

/* Has a run that was killed given the file st such a name? Then kept is that one. */
bool keep_found(struct keep *k, const struct stat *st);
/*
 * Chooses LIVE.kept-TIME for the file st: TIME is the one of its last write, or of the write to its -wal. To be called
 * before SQLite puts it in order. EX_OK, EX_CANTCREAT (reported).
 */
int keep_choose(struct keep *k, const struct stat *st);

/* Gives the file st the name kept, or prev without one. *as is the name. EX_OK, EX_CANTCREAT, EX_IOERR; reported. */
int keep_name(struct keep *k, const struct stat *st, const char **as);

#endif
