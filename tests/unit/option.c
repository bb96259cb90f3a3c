#include "lib/std.h"

#include <fcntl.h>
#include <unistd.h>

#include "lib/exits.h"
#include "lib/msg.h"
#include "lib/option.h"

#include "tests/unit/check.h"

static bool flag;
static const char *text;
static int64_t wait_ms, gap_ms;
static uint64_t size, number;
static int colour;
static const char *const colours[] = { "red", "green", NULL };

static const struct option_row options[] = {
	{ 'f', "flag", NULL, option_flag, &flag, "a flag" },
	{ 't', "text", "TEXT", option_text, &text, "any text" },
	{ 0, "wait", "DURATION", option_duration, &wait_ms, "0 is a duration" },
	{ 0, "gap", "DURATION", option_positive, &gap_ms, "0 is none" },
	{ 's', "size", "SIZE", option_size, &size, "bytes" },
	{ 'n', "number", "N", option_number, &(struct option_range){ &number, 2, 9 }, "a number" },
	{ 0, "colour", "WORD", option_choice, &(struct option_words){ &colour, colours }, "one of two" },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};
static const struct command action = { .usage = "", .about = "", .options = options };
static const struct command running = { .usage = "", .about = "", .options = options, .runs = true };
static const char *not_x(const char *operand)
{
	return strcmp(operand, "x") == 0 ? "x" : NULL;
}
static const struct command counting = { .usage = "", .about = "", .options = options, .operands = { 1, 2, "one or two", not_x } };
/* Operands, and whether they are refused. */
static const struct { const char *args[3]; int rc; } operands[] = {
	{ { NULL }, EX_USAGE }, { { "a" }, OPTION_GO_ON }, { { "a", "b" }, OPTION_GO_ON }, { { "a", "b", "c" }, EX_USAGE },
	{ { "x" }, EX_USAGE }, { { "a", "x" }, EX_USAGE }, { { "-f" }, EX_USAGE }, { { "a", "-f", "b" }, OPTION_GO_ON },
};
static const struct command checking = { .usage = "", .about = "", .options = options, .check = true };

/* Up to three arguments, the answer, and how many of them are operands. */
static const struct { const char *args[3]; int rc, operands; } table[] = {
	{ { "a" }, OPTION_GO_ON, 1 }, { { "-f" }, OPTION_GO_ON, 0 }, { { "--flag", "a" }, OPTION_GO_ON, 1 },
	{ { "a", "-f" }, OPTION_GO_ON, 1 }, { { "--", "-f" }, OPTION_GO_ON, 1 }, { { "-ft", "x" }, OPTION_GO_ON, 0 },
	{ { "--text=x" }, OPTION_GO_ON, 0 }, { { "--text=" }, OPTION_GO_ON, 0 }, { { "--text" }, EX_USAGE, 0 },
	{ { "-t" }, EX_USAGE, 0 }, { { "--flag=1" }, EX_USAGE, 0 }, { { "-x" }, EX_USAGE, 0 }, { { "--none" }, EX_USAGE, 0 },
	{ { "--wait", "0" }, OPTION_GO_ON, 0 }, { { "--wait", "1m30s" }, EX_USAGE, 0 }, { { "--wait", "" }, EX_USAGE, 0 },
	{ { "--gap", "1ms" }, OPTION_GO_ON, 0 }, { { "--gap", "0" }, EX_USAGE, 0 }, { { "--gap", "0ms" }, EX_USAGE, 0 },
	{ { "-s", "1K" }, OPTION_GO_ON, 0 }, { { "-s1.5K" }, EX_USAGE, 0 }, { { "--size=-1" }, EX_USAGE, 0 },
	{ { "-n2" }, OPTION_GO_ON, 0 }, { { "-n", "9" }, OPTION_GO_ON, 0 }, { { "-n1" }, EX_USAGE, 0 }, { { "-n10" }, EX_USAGE, 0 },
	{ { "-nx" }, EX_USAGE, 0 }, { { "--colour", "green" }, OPTION_GO_ON, 0 }, { { "--colour", "blue" }, EX_USAGE, 0 },
	{ { "--colour", "gree" }, EX_USAGE, 0 },
};

int main(int argc, char **argv)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)argc;
	msg_init(argv[0]);
	if (null < 0 || dup2(null, STDERR_FILENO) < 0)
		return 1;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		char *args[5] = { argv[0] };
		int n = 1, rc;

		while (n < 4 && table[i].args[n - 1] != NULL) {
			args[n] = strdup(table[i].args[n - 1]);
			n++;
		}
		optind = 0;
		rc = option_read(&action, n, args);
		check(rc == table[i].rc, "%s: %d", table[i].args[0], rc);
		check(rc != OPTION_GO_ON || n - optind == table[i].operands, "%s: %d operands", table[i].args[0], n - optind);
		optind = 0;
		rc = option_read(&checking, n, args);
		check(rc == (table[i].rc == EX_USAGE ? STATE_UNKNOWN : table[i].rc), "%s, of a check: %d", table[i].args[0], rc);
		while (n > 1)
			free(args[--n]);
	}
	for (size_t i = 0; i < sizeof operands / sizeof *operands; i++) {
		char *args[5] = { argv[0] };
		int n = 1, rc;

		while (n < 4 && operands[i].args[n - 1] != NULL) {
			args[n] = strdup(operands[i].args[n - 1]);
			n++;
		}
		optind = 0;
		rc = option_read(&counting, n, args);
		check(rc == operands[i].rc, "operands, row %zu: %d", i, rc);
		while (n > 1)
			free(args[--n]);
	}
	for (int n = 0; n < 2; n++) {
		char *args[] = { argv[0], (char[]){ "-f" }, (char[]){ "ls" }, (char[]){ "-x" }, NULL };

		optind = 0;
		/* GNU's getopt would take the first operand for the end of all options */
		setenv("POSIXLY_CORRECT", "1", 1);
		check((option_read(n == 0 ? &action : &running, 4, args) == OPTION_GO_ON && optind == 2) == (n == 1),
		      "what follows the first operand is that command's own only where a command is run: %d", n);
	}
	check(flag && wait_ms == 0 && gap_ms == 1 && size == 1024 && number == 9 && colour == 1,
	      "a value that is wrong does not replace the one before");
	return check_done();
}
