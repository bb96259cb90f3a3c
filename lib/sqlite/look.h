/*
 * look.h - a look at a live database: one state of it, whatever is written meanwhile, beside the one that STATE remembers.
 *
 * The pages that differ go into OUT, an object of /changes, and the whole state of the same moment into FILE, if that is asked
 * for. Both are on disk under their names before STATE knows of them. Where the log tells which pages changed only those are
 * read; a file that was not written since is not even opened.
 */
#ifndef LIB_SQLITE_LOOK_H
#define LIB_SQLITE_LOOK_H

#include "lib/sqlite/live.h"
#include "lib/sqlite/published.h"

struct look {
	/* given */
	const char *src, *out, *file;		/* file may be NULL */
	bool all;				/* read every page, whatever the log tells */
	int64_t wait_ms;			/* for a lock */
	struct published *state;		/* open */
	const struct published_state *was;	/* the state before; NULL: every page is new */
	/* found; of `now` the number, epoch, node and parent are given */
	struct published_state now;
	int64_t began_ns;			/* by the wall clock, before anything was looked at */
	bool changed;
	int64_t took_ms;			/* from the first byte to the last */
	bool full;				/* every page was read */
	bool lost;				/* the log lacks what was published: this host lost commits */
	uint32_t missed;			/* pages that a look by the log would not have seen */
	uint64_t out_size;
	/* its own */
	struct live live;
	bool looked, quick;			/* the file was opened; the log tells what changed */
	int64_t later;				/* of a full look: the first of the frames that a quick one would have gone by; -1 for none */
	unsigned char *chunk;
	char *out_tmp, *file_tmp;
	int out_fd, file_fd;
	struct change_out *change;
	struct content_hash *hash;
};

/* Looks. EX_OK, or an exit status, reported; EX_USAGE where OUT or FILE is SRC. To be freed in any case. */
int look_take(struct look *k);
/* Keeps what was found, as pending in STATE. EX_OK, EX_IOERR, EX_CANTCREAT, EX_DATAERR; reported. */
int look_keep(struct look *k);
void look_free(struct look *k);

#endif
