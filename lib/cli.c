#include "lib/std.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#include "lib/cli.h"
#include "lib/exits.h"
#include "lib/msg.h"

static int usage_status = EX_USAGE;

int cli_help(const char *text)
{
	fputs(text, stdout);
	return cli_close(EX_OK);
}

int cli_version(void)
{
	printf("%s %s\n", msg_program(), CTV_VERSION);
	return cli_close(EX_OK);
}

static void __attribute__((format(printf, 1, 0))) usage(const char *fmt, va_list ap)
{
	char cause[512];

	vsnprintf(cause, sizeof cause, fmt, ap);
	msg_err(NULL, "%s", cause);
	msg_hint("see %s --help", msg_program());
}

int cli_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	usage(fmt, ap);
	va_end(ap);
	return usage_status;
}

void cli_usage_status(int status)
{
	usage_status = status;
}

int cli_check_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	usage(fmt, ap);
	va_end(ap);
	return STATE_UNKNOWN;
}

int cli_bad_option(int c, char **argv)
{
	const char *last = argv[optind - 1];
	/* of a short option getopt tells the letter, of a long one only where it stands */
	bool is_long = optopt == 0 || (strncmp(last, "--", 2) == 0 && (c == ':' || strchr(last, '=') != NULL));
	char letter[] = { '-', (char)optopt, '\0' };

	if (c == ':')
		return cli_usage("%s: needs a value", is_long ? last : letter);
	if (is_long && optopt != 0)
		return cli_usage("%s: takes no value", last);
	return cli_usage("%s: no such option", is_long ? last : letter);
}

void cli_die_sigpipe(void)
{
	signal(SIGPIPE, SIG_DFL);
	raise(SIGPIPE);
	_exit(128 + SIGPIPE);
}

int cli_close(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (errno == EPIPE)
		cli_die_sigpipe();
	if (status != EX_OK)
		return status;
	msg_errno("standard output", "cannot write");
	return EX_IOERR;
}
