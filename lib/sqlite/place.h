/*
 * place.h - which state of the chain a file of ours is, and the note beside it that says so (FILE.note, JSON, schema 1):
 *
 *	schema, is {n, epoch, snapshot_at, page_size, page_count, digest}, target (the same, while the file becomes it, or null)
 */
#ifndef LIB_SQLITE_PLACE_H
#define LIB_SQLITE_PLACE_H

#include "lib/json.h"
#include "lib/pagehash.h"

/* n 0: not known, only its digest. */
struct place {
	int64_t n, epoch, snapshot_at;
	uint32_t page_size, page_count;
	struct pagehash digest;
};

/* Computes the digest of a file of p's page_size and page_count. EX_OK, EX_IOERR, EX_TEMPFAIL; reported. */
int place_digest(int fd, const char *name, struct place *p);

json *place_json(const struct place *p);

struct note {
	bool known;		/* what the file is */
	bool has_target;	/* and what it becomes */
	struct place is, target;
};

/* A note that is not there is one of which nothing is known. EX_OK, EX_DATAERR, EX_IOERR, EX_NOINPUT; reported. */
int note_read(const char *path, struct note *n);
/* On disk before it returns. EX_OK, EX_IOERR, EX_CANTCREAT; reported. */
int note_write(const char *path, const struct note *n);

#endif
