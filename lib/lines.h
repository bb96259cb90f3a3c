/*
 * lines.h - standard input as a filter reads it: of its lines those that mean something, in bounded memory. A line that
 * is too long, or holds a NUL, means nothing.
 */
#ifndef LIB_LINES_H
#define LIB_LINES_H

#include "lib/std.h"

#define LINES_LONGEST 1023	/* bytes */

struct lines {
	const char *what;	/* its elements, for messages: "backups" */
	size_t size, most;	/* of an element; how many at the most */
	bool (*take)(const char *line, void *element);	/* fills an element from a line; false: the line means nothing */
};

/* The elements in the order of their lines; *array is malloc'ed, also after a failure. EX_OK, EX_DATAERR, EX_IOERR (reported). */
int lines_read(const struct lines *l, void **array, size_t *count);

#endif
