/*
 * check.h - the answer of a check: one line of the monitoring-plugins contract
 * (https://www.monitoring-plugins.org/doc/guidelines.html), `NAME STATE: text | perfdata`; or with
 * --json the same as one object `{"id","check","object","state","text","at",...fields}`, whose id (--as) says to
 * its reader what was asked; or with --shell as names for a script (shell.h). libc alone, because age-check
 * is. Text may come from a server: '|' and control characters never reach the line.
 */
#ifndef LIB_CHECK_H
#define LIB_CHECK_H

#include "lib/buf.h"
#include "lib/exits.h"
#include "lib/option.h"
#include "lib/shell.h"

/* How the answer is wanted. Zero: a line for people. */
struct check_form {
	bool json;
	const char *id;		/* of the JSON object, or NULL */
	const char *append;	/* the file that the JSON object is appended to as well, or NULL */
	struct shell shell;	/* its names begin with CHECK_NAMES (verdict is the state: $state is a setting of the scripts); the others are those of the fields */
};
#define CHECK_NAMES "verdict", "text", "object"

/* The last rows of a check's options: they fill form; what is what it looks at, such as "FILE". */
#define CHECK_OPTIONS(form, what) \
	{ 0, "json", NULL, option_flag, &(form).json, "a JSON object for each " what ", one a line" }, \
	{ 0, "as", "ID", check_as, &(form), "the same, beginning with this id; of one " what }, \
	{ 0, "shell", "[=PREFIX]", option_shell, &(form).shell, "assignments for a shell; of one " what }, \
	{ 0, NULL, NULL, NULL, NULL, NULL }
#define CHECK_STATUSES "Exit status: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN."

option_taker check_as;	/* struct check_form * */
/* --as and --shell are: of several objects nobody could tell which one is meant. */
bool check_form_is_of_one(const struct check_form *form);

struct check {
	const char *name;	/* "AGE", "HTTP", "DBVERIFY" */
	const char *object;	/* the file or URL, as the operator named it */
	struct check_form *form;
	struct buf perf;	/* perfdata so far */
	struct buf fields;	/* JSON members so far */
	const char *list;	/* the member whose list is being made, */
	size_t list_at;		/* and where in fields it begins */
};

void check_init(struct check *c, const char *name, const char *object, struct check_form *form);

/*
 * One measured value: label (no '=' or quote), the value in decimal, its unit ("s", "B", "" ...), and the
 * rest of the perfdata form as text (`93600;129600;0`, or NULL).
 */
void check_perf(struct check *c, const char *label, const char *value, const char *unit, const char *rest);

/* Fields: members of the JSON form, names of the shell's. A NULL text is absent. */
void check_text(struct check *c, const char *member, const char *text);
void check_int(struct check *c, const char *member, int64_t value);
/* A number as JSON writes it, such as "8.412". */
void check_number(struct check *c, const char *member, const char *value);
void check_bool(struct check *c, const char *member, bool value);
/* A list of objects, each of `count` members: begin, one check_item for each object, end. For a shell it is that JSON. */
void check_list(struct check *c, const char *member);
void check_item(struct check *c, const char *const members[], const char *const texts[], size_t count);
void check_list_end(struct check *c);

/* Prints the answer to standard output, frees c, returns the exit status (STATE_UNKNOWN when it cannot be printed). */
int check_done(struct check *c, enum state state, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* OK < UNKNOWN < WARNING < CRITICAL: the worse of two. */
enum state check_worse(enum state a, enum state b);
/* "OK", "WARNING", "CRITICAL", "UNKNOWN". */
const char *check_word(enum state s);

#endif
