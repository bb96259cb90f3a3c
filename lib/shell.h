/*
 * shell.h - the answer of a tool as a script reads it: with --shell[=PREFIX] one object, a line
 * `PREFIXname='value'` for each name, quoted for the shell's eval (the idiom of git for-each-ref --shell).
 * The names come from the tool's own table, never from data, and each of them is printed at every end of the
 * tool but a usage error: what is absent is empty, so that no value of an earlier answer survives in the
 * script. A boolean is `yes` or empty. A list is no object: lists are lines.
 */
#ifndef LIB_SHELL_H
#define LIB_SHELL_H

#include "lib/std.h"

#define SHELL_NAMES 64

struct shell {
	const char *const *names;	/* of this tool, NULL at the end; each is [a-z][a-z0-9_]* */
	const char *prefix;		/* NULL: --shell was not given */
	char *values[SHELL_NAMES];	/* owned; NULL is absent */
};

/* --shell was given, with this prefix or with NULL. Returns NULL, or what is wrong with it. */
const char *shell_ask(struct shell *s, const char *prefix);
bool shell_asked(const struct shell *s);

/* Remembers a value; the last one counts. A name that is not in the table is a bug and ends the process. */
void shell_set(struct shell *s, const char *name, const char *value);	/* NULL is absent */
void shell_int(struct shell *s, const char *name, int64_t value);
void shell_bool(struct shell *s, const char *name, bool value);
/* `1433 MiB`, for people. */
void shell_size(struct shell *s, const char *name, uint64_t bytes);

/*
 * To be called once, at the tool's end: writes the answer in one write(2), if it was asked for, and frees it.
 * Returns status, or EX_IOERR (reported) when it could not be written and status was 0.
 */
int shell_end(struct shell *s, int status);

#endif
