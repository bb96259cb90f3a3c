/*
 * jobrecord.h - last-TASK.json in the state directory: how the last run of a task went, for the status page and for
 * later questions. It is written when a run begins (`running`: a machine that lost its power shows it for ever
 * after) and when it ends. Its members, schema 1:
 *
 *	schema, task, node, result, exit, step, message, hint, started_at, finished_at (null while it runs), seconds,
 *	last_ok_at (null before the first), runs_ok, runs_failed, the task's own members, steps: [{name, result, seconds}]
 */
#ifndef LIB_JOBRECORD_H
#define LIB_JOBRECORD_H

#include "lib/std.h"

#include "lib/json.h"

struct jobrecord {
	const char *path;	/* the caller's, as are the texts */
	const char *task, *node;
	int64_t started_ms;	/* clock_ms of the beginning */
	const char *started_at;	/* the same as people write it */
	int64_t runs_ok, runs_failed;
	char *last_ok_at;	/* owned, NULL before the first good end */
	json *facts, *steps;	/* owned */
};

/*
 * Reads what the task's last record counts; a record that is damaged, or none, counts as none. False when there is
 * something at path that no record is: a link, a FIFO, a file with a second name (reported).
 */
bool jobrecord_begin(struct jobrecord *r);

/* The result of a step that has ended, in the order of their ends; tenths of a second. */
void jobrecord_step(struct jobrecord *r, const char *name, const char *result, int64_t tenths);

/*
 * A member of the task's own, `NAME:KIND`, KIND one of text, int, bool (`yes`, else false); an empty text or int is
 * null. The last value of a name counts. False when it is none: a member of schema 1, an unknown kind, no number.
 */
bool jobrecord_fact(struct jobrecord *r, const char *name_kind, const char *value);

/* result is `running` or the end's; EX_OK, EX_IOERR, EX_CANTCREAT (reported). An end counts as good when exit is 0. */
int jobrecord_write(struct jobrecord *r, const char *result, int exit_status, const char *step, const char *message,
		    const char *hint);

/*
 * How the last run went, for a script: the record's members of jobrecord_last_names that are there, and of its times
 * whether they were tonight. A record that is not there, or damaged, says nothing. Returns an object of the caller's.
 */
extern const char *const jobrecord_last_names[];
json *jobrecord_last(const char *path, int64_t now);

/* Are these times (seconds since the epoch) of one night? It begins with the timers' first try, at 02:05 of the local clock. */
bool jobrecord_same_night(int64_t a, int64_t b);

void jobrecord_free(struct jobrecord *r);

/* Seconds as records and screens have them: `1.2`. */
#define JOBRECORD_TENTHS(ms) (((ms) + 50) / 100)

#endif
