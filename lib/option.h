/*
 * option.h - a command line from one table: each option is a row, and the help text, the parsing and the
 * words of a bad value all come from it. The options that every tool has (-v, -h, -V) are not in the table.
 */
#ifndef LIB_OPTION_H
#define LIB_OPTION_H

#include "lib/std.h"

#include <limits.h>

/* Takes the value of an option (NULL: it was given without one) to its place. NULL, or what is wrong with it. */
typedef const char *option_taker(const char *text, void *to);

struct option_row {
	int letter;		/* of the short form; 0: none */
	const char *name;	/* of the long form; NULL ends the table */
	const char *value;	/* what the help calls its value: "FILE"; "[=PREFIX]": it may be missing; NULL: there is none;
				   of a choice the help has the words themselves, so that completion can offer them */
	option_taker *take;
	void *to;		/* as the taker wants it */
	const char *help;	/* a line of it may end with \n for another one */
};

/* The kinds. What they want of `to` stands behind them. */
option_taker option_flag;	/* bool *: becomes true */
option_taker option_text;	/* const char ** */
option_taker option_duration;	/* int64_t *: milliseconds */
option_taker option_positive;	/* the same, more than 0 */
option_taker option_size;	/* uint64_t *: bytes */
option_taker option_number;	/* struct option_range */
option_taker option_choice;	/* struct option_words */
option_taker option_shell;	/* struct shell * */

struct option_range {
	uint64_t *to, min, max;
};

struct option_words {
	int *to;			/* the place of the word in words */
	const char *const *words;	/* NULL at the end */
};

struct operands {
	int least, most;	/* how many of them */
	const char *wanted;	/* the usage error of another number; NULL: the tool counts them itself */
	const char *(*fault)(const char *operand);	/* what is wrong with one of them; NULL: any is good */
};
#define OPERANDS_ANY INT_MAX

struct command {
	const char *usage;	/* behind the tool's name; another form begins on a new line, a line that goes on with a space */
	const char *about;	/* what the tool does */
	const struct option_row *options;
	const char *after;	/* what the help says at last, or NULL */
	struct operands operands;
	bool check;		/* a usage error is UNKNOWN, for a monitoring system must never take it for OK */
	bool runs;		/* the first operand ends the options: what follows may be another command, with its own */
};

#define OPTION_GO_ON (-1)
/*
 * Reads the command line, to be called first. OPTION_GO_ON, and argv + optind are the operands; else the exit status:
 * after -h or -V, or a usage error (reported). From then on cli_usage returns what is right for this command.
 */
int option_read(const struct command *c, int argc, char **argv);

#endif
