/*
 * rescue.h - a copy of a database that SQLite cannot read where it is: a disk that fails is often mounted read-only, so that
 * no -shm can be made there and no journal rolled back. The file and its journals are copied as they are, and SQLite puts
 * the copy in order, as the application would at its next start.
 */
#ifndef LIB_SQLITE_RESCUE_H
#define LIB_SQLITE_RESCUE_H

#include "lib/sqlite/source.h"

struct rescue {
	uint64_t size;			/* of the copy */
	uint32_t writer;		/* SQLite's version of who wrote it last */
};

/* Is that what SQLite's code rc from opening it comes from? */
bool rescue_helps(const struct source *s, int rc);

/*
 * Copies the database to fd, the open file at path, and puts the copy in order. The disk may be mounted elsewhere to be written,
 * so nobody may have the database open, and at the end nothing of it may have changed. rescue_clean removes the files beside path.
 * EX_OK, EX_CANTCREAT (in use), EX_DATAERR, EX_IOERR, EX_TEMPFAIL; reported.
 */
int rescue_copy(const struct source *s, int fd, const char *path, struct rescue *out);
void rescue_clean(const char *path);

#endif
