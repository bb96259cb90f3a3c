/*
 * jobscreen.h - what people see of a run: lines on standard output and in the log, a line at a terminal that is drawn
 * again and again, a question, and why the run failed. A run that was started by another run says its lines to that
 * one. Neither a terminal that is gone nor a log that cannot be written ends a run.
 */
#ifndef LIB_JOBSCREEN_H
#define LIB_JOBSCREEN_H

#include "lib/std.h"

#define JOBSCREEN_TEXT 4096	/* bytes of one line; msg.h's have 1024 */

struct jobscreen {
	const char *script;	/* the name of what runs, as people know it */
	int log;		/* the log's descriptor, -1 without one */
	int terminal;		/* where the line that is drawn again stands, -1 for nowhere */
	bool drawn;		/* such a line stands there */
	bool asking;		/* a question stands there, and the script reads its answer */
	bool utf8;		/* the locale's characters: steps have marks for them */
	char outer[64];		/* the token of the run that started this one, "" without one */
};

/* Finds out where this run shows itself, from the environment and the descriptors. */
void jobscreen_init(struct jobscreen *s, const char *script);

/* Opens the log for appending, in dir if that is not NULL. A log that cannot be opened is reported, and there is none. */
void jobscreen_open_log(struct jobscreen *s, const char *path, const char *dir);
void jobscreen_log(struct jobscreen *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Draws text in the place of the line that stands there; takes that line away. */
void jobscreen_draw(struct jobscreen *s, const char *text);
void jobscreen_erase(struct jobscreen *s);

/* One line on standard output, and not in the log. */
void jobscreen_line(struct jobscreen *s, const char *text);

/* Each line of text on standard output, behind the margin, and in the log without it. */
void jobscreen_say(struct jobscreen *s, const char *margin, const char *text);

/* The question that the script reads the answer of; and what the answer was, for the log. */
void jobscreen_ask(struct jobscreen *s, const char *question);
void jobscreen_answer(struct jobscreen *s, const char *question, const char *answer);

/* Why the run failed: `SCRIPT: cause` and the hint ("": none), on standard error and in the log. */
void jobscreen_cause(struct jobscreen *s, const char *cause, const char *hint);
/* Why none began, the same way, without a hint. Returns rc. */
int jobscreen_refuse(struct jobscreen *s, int rc, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
