#include "lib/std.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#include "lib/cli.h"
#include "lib/exits.h"
#include "lib/msg.h"

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

static void usage(const char *fmt, va_list ap)
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
	return EX_USAGE;
}

int cli_check_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	usage(fmt, ap);
	va_end(ap);
	return STATE_UNKNOWN;
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
