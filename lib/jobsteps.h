/*
 * jobsteps.h - the steps of a run, the complaints of its tools, and why it failed. A step's complaints are held until it
 * ends and stand below its line; of a run that fails the cause is told once, the same on the screen, in the log and in
 * the record: what the script says, else the last complaint of a tool with its hint.
 */
#ifndef LIB_JOBSTEPS_H
#define LIB_JOBSTEPS_H

#include "lib/jobrecord.h"
#include "lib/jobscreen.h"
#include "lib/std.h"

#define JOBSTEPS_MOST 64	/* steps of different names */
#define JOBSTEPS_HELD 32	/* lines that wait for the end of their step; the first of more are shown at once */

enum jobsteps_kind { JOBSTEPS_MORE, JOBSTEPS_COMPLAINT, JOBSTEPS_HINT };

struct jobsteps {
	struct jobscreen *screen;
	struct jobrecord *record;
	uint64_t announced;	/* how many steps there will be, by the script */
	/* the step that is open, or was the last one */
	struct {
		char name[32], note[1024];
		bool open, warned, refused;
		size_t number;
		int64_t began_ms;
	} step;
	char names[JOBSTEPS_MOST][32];
	size_t name_count;
	struct {
		enum jobsteps_kind kind;
		char *text;
	} held[JOBSTEPS_HELD];
	size_t held_count;
	/* the end */
	bool failed;		/* why is told already, and stands in message and hint */
	char message[JOBSCREEN_TEXT], hint[JOBSCREEN_TEXT];
};

/* Ends the step before and begins this one; without a name ("") none begins. One that comes again has its number again. */
void jobsteps_begin(struct jobsteps *s, const char *name);
/* how is the result for the record; NULL: what the step's notes make it. Nothing without an open step. */
void jobsteps_end(struct jobsteps *s, const char *how);

/* A text about the open step, on its line. Without an open step the last three show theirs at once. */
void jobsteps_note(struct jobsteps *s, const char *text);
void jobsteps_warn(struct jobsteps *s, const char *text);	/* and it ends with a warning */
void jobsteps_refuse(struct jobsteps *s, const char *text);	/* and it has failed, though the run goes on */
void jobsteps_more(struct jobsteps *s, const char *text);	/* below its line */

/* A line that stands below the step's when the step has ended. After a failure all are shown at once. */
void jobsteps_hold(struct jobsteps *s, enum jobsteps_kind kind, const char *text);
void jobsteps_release(struct jobsteps *s);

/* The open step's line at a terminal, while no other line and no question stands there. */
void jobsteps_draw(struct jobsteps *s);

/*
 * The run fails: tells why, once (a second call does nothing). said and its hint are the script's words; said is "": the
 * last complaint, else what fmt says.
 */
void jobsteps_fail(struct jobsteps *s, const char *said, const char *hint, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* Frees what is held. */
void jobsteps_free(struct jobsteps *s);

#endif
