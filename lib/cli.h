/*
 * cli.h - what every command line has in common: help and version on standard output, a usage error
 * on standard error, and a standard output whose write errors are not lost.
 */
#ifndef LIB_CLI_H
#define LIB_CLI_H

#include "lib/std.h"

/* Prints text to standard output. Returns the exit status. */
int cli_help(const char *text);
/* Prints `program VERSION`. Returns the exit status. */
int cli_version(void);

/*
 * `program: cause` and a hint at --help. Returns EX_USAGE, or what cli_usage_status has set: STATE_UNKNOWN for a check (a
 * broken command line must never look OK to a monitoring system), which cli_check_usage always returns.
 */
int cli_usage(const char *fmt, ...) PRINTF_LIKE(1, 2);
int cli_check_usage(const char *fmt, ...) PRINTF_LIKE(1, 2);
void cli_usage_status(int status);

/*
 * The usage error for what getopt_long refused: c is its answer, ':' or '?'. Wants opterr 0 and ':' first
 * in the short options. Returns EX_USAGE; a check returns STATE_UNKNOWN itself.
 */
int cli_bad_option(int c, char **argv);

/*
 * To be called last: flushes standard output. Returns status, or EX_IOERR with a message when the
 * answer could not be written and status was 0. A reader who left (EPIPE) ends the process by
 * SIGPIPE as any Unix tool does.
 */
int cli_close(int status);

/* Ends the process by SIGPIPE, which is ignored for libcurl's sake. */
void cli_die_sigpipe(void);

#endif
