/*
 * jobmark.h - moments of a run that its texts may name: after `mark serving` is `%{serving}` in a text the seconds from
 * the beginning of the run to that moment, such as 1.2.
 */
#ifndef LIB_JOBMARK_H
#define LIB_JOBMARK_H

#include "lib/std.h"

#define JOBMARKS 4	/* later ones are passed over */

struct jobmarks {
	struct {
		char name[24];
		int64_t ms;
	} at[JOBMARKS];
	size_t count;
};

/* ms from the beginning of the run */
void jobmark_set(struct jobmarks *m, const char *name, int64_t ms);

/* text with the moments in their places, cut off where buf ends; the last moment of a name counts. Returns buf. */
const char *jobmark_text(const struct jobmarks *m, char *buf, size_t size, const char *text);

#endif
