/*
 * check.h - the answer of a check: one line of the monitoring-plugins contract
 * (https://www.monitoring-plugins.org/doc/guidelines.html), `NAME STATE: text | perfdata`, or with
 * --json the same as one object `{"check","object","state","text","at",...fields}`. libc alone, because
 * age-check is. Text may come from a server: '|' and control characters never reach the line.
 */
#ifndef LIB_CHECK_H
#define LIB_CHECK_H

#include "lib/buf.h"
#include "lib/exits.h"

struct check {
	const char *name;	/* "AGE", "HTTP", "DBVERIFY" */
	const char *object;	/* the file or URL, as the operator named it */
	bool json;
	struct buf perf;	/* perfdata so far */
	struct buf fields;	/* JSON members so far */
};

void check_init(struct check *c, const char *name, const char *object, bool json);

/*
 * One measured value: label (no '=' or quote), the value in decimal, its unit ("s", "B", "" ...), and the
 * rest of the perfdata form as text (`93600;129600;0`, or NULL).
 */
void check_perf(struct check *c, const char *label, const char *value, const char *unit, const char *rest);

/* Members of the JSON form. A NULL text is null. */
void check_text(struct check *c, const char *member, const char *text);
void check_int(struct check *c, const char *member, int64_t value);
/* A number as JSON writes it, such as "8.412". */
void check_number(struct check *c, const char *member, const char *value);
void check_bool(struct check *c, const char *member, bool value);

/* Prints the answer to standard output, frees c, returns the exit status (STATE_UNKNOWN when it cannot be printed). */
int check_done(struct check *c, enum state state, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* OK < UNKNOWN < WARNING < CRITICAL: the worse of two. */
enum state check_worse(enum state a, enum state b);
/* "OK", "WARNING", "CRITICAL", "UNKNOWN". */
const char *check_word(enum state s);

#endif
