/*
 * advance.h - a write-ahead log, made of changes, that leads a file of ours from its state to a later one. Everything is
 * checked here - the chain, the sizes, the page numbers, and the digest that the file will have, from the old and the new
 * content of the changed pages - and nothing is written into the file: that is SQLite's work, when the log is whole.
 */
#ifndef LIB_SQLITE_ADVANCE_H
#define LIB_SQLITE_ADVANCE_H

#include "lib/sqlite/change.h"
#include "lib/sqlite/place.h"

struct advance {
	const char *file;		/* its name in messages */
	int fd;				/* the file, to be read */
	const char *path;		/* of the log */
	int log_fd;			/* -1 before the beginning */
	struct place to;		/* the state behind what was added */
	char whole[HASH_TEXT];		/* content_hash of that state, where its object says so */
	uint32_t applied;		/* changes, in all logs */
	uint64_t pages;
	struct wal_header header;
	struct wal_mark at;		/* at.frames 0: nothing to be done */
	struct wal_map map;
	unsigned char *buffer;		/* owned */
};

/* An empty log at path, from this state on. EX_OK, EX_IOERR, EX_CANTCREAT, EX_TEMPFAIL; reported. */
int advance_begin(struct advance *v, const struct place *from);

/*
 * Does this change lead to where the file is already, or comes before that? Of a file of unknown number it then says the
 * number.
 */
bool advance_is_behind(struct advance *v, const struct change *c);

/* Must this change begin another log? A log has one page size, and is to fit on the disk beside what follows. */
bool advance_is_full(const struct advance *v, const struct change *c);

/* Adds the change; name is its file. EX_OK, EX_DATAERR (it does not fit), EX_IOERR, EX_TEMPFAIL; reported. */
int advance_add(struct advance *v, const char *name, struct change_in *in, const struct change *c);

/* Closes nothing: the file is the caller's, and the log may have its name by then. */
void advance_free(struct advance *v);

#endif
