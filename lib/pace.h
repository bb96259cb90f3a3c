/*
 * pace.h - how often may be looked for changes, by what a look costs, and what a publication counts against a month's limit.
 *
 * A month's calls are there from its first second on, but are meant for all of it: a tenth may be spent at once, the rest as the
 * month goes by. Who has spent more than that is slowed down to where the calls that are left suffice; once a day is looked
 * whatever happens. Each night's are set aside, but never more than half: a small limit is the minutes' as well.
 */
#ifndef LIB_PACE_H
#define LIB_PACE_H

#include "lib/std.h"

#define PACE_CALLS 2		/* of each publication: its object, and the record */
#define PACE_LOOK 10		/* times what a look took */
#define PACE_NIGHT 200		/* of each night */

/* The month of a time, in UTC, as a number that rises. */
int64_t pace_month(int64_t now_s);

struct pace {
	int64_t every_ms;		/* as it is asked for */
	int64_t most, used;		/* calls of this month; most 0: no limit */
	int64_t took_ms;		/* by the last look that read everything: it may take a tenth of the time */
};

/* Milliseconds until the next look: every_ms or more; *why is then a word for it, else "". */
int64_t pace_ms(const struct pace *p, int64_t now_s, const char **why);

#endif
