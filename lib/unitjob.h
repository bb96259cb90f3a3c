/*
 * unitjob.h - a unit that is started, stopped or watched: is it then as asked, and does it stay so? For systemd a job has
 * ended well also when a condition of the unit was not met, when the unit ended at once, and when it came back. What is wrong
 * is told behind the unit's own last lines of the journal, for the last line of all is the message.
 */
#ifndef LIB_UNITJOB_H
#define LIB_UNITJOB_H

#include "lib/std.h"
#include "lib/systemd.h"

/* All is the caller's: what unit_open was called with. */
struct unitjob {
	const char *name, *verb;
	struct unit *unit;
};

/*
 * Asks for the job (unit_job), judges its end, and for settle_ms after it the unit must stay as it is: the same process, no
 * restart, active. *l is how the unit is after the job. EX_OK; EX_UNAVAILABLE, EX_TEMPFAIL (canceled), or as systemd.h says;
 * reported.
 */
int unitjob_do(const struct unitjob *j, const char *method, int64_t settle_ms, struct unit_look *l);

/*
 * Watches for so many milliseconds that the unit does not fail for good: between two of its own starts it is activating, and
 * active again. One that an operator stopped counts as down as well: it does not serve. As unitjob_do.
 */
int unitjob_watch(const struct unitjob *j, int64_t for_ms);

#endif
