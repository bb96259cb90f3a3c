/*
 * pace.h - how often may be published what counts against a month's limit of calls.
 *
 * A month's calls are there from its first second on, but are meant for all of it: a tenth may be spent at once, the rest as the
 * month goes by. Who has spent more than that is slowed down to where the calls that are left suffice, whatever happens.
 */
#ifndef LIB_PACE_H
#define LIB_PACE_H

#include "lib/std.h"

#define PACE_CALLS 2		/* of each publication: its object, and the record */
#define PACE_NIGHT 200		/* of each night, which are set aside */

/* The month of a time, in UTC, as a number that rises. */
int64_t pace_month(int64_t now_s);

/* Milliseconds until the next publication: every_ms or more, when used of most calls (0: no limit) are spent by now. */
int64_t pace_ms(int64_t every_ms, int64_t most, int64_t used, int64_t now_s);

#endif
