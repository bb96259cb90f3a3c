/*
 * say-check - what a script has found out, as the answer of a check
 *
 *	say-check [--hint HINT] [--json | --as ID | --shell] NAME OBJECT STATE TEXT
 *
 * A check that is a script judges for itself, and says it in the forms and with the exit status of every other check. Its
 * text may be anybody's: what it prints is escaped as theirs is.
 */
#include "lib/std.h"

#include <strings.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/cli.h"
#include "lib/msg.h"
#include "lib/option.h"

static const char *hint;
static const char *const names[] = { CHECK_NAMES, "hint", NULL };
static struct check_form form = { .shell.names = names };

static int say(const char *name, const char *object, enum state state, const char *text)
{
	struct check c;
	int rc;

	check_init(&c, name, object, &form);
	check_text(&c, "hint", hint);
	rc = check_done(&c, state, "%s", text);
	if (hint != NULL && !form.json && !shell_asked(&form.shell))
		msg_hint("%s", hint);
	return rc;
}

static const struct option_row options[] = {
	{ 0, "hint", "HINT", option_text, &hint, "what mends it" },
	CHECK_OPTIONS(form, "OBJECT")
};

static const struct command command = {
	.usage = "[--hint HINT] [--json | --as ID | --shell] NAME OBJECT STATE TEXT",
	.about = "The answer of a check, for a script that has looked at OBJECT by itself: the line\n"
		 "NAME STATE: TEXT, where STATE is ok, warning, critical or unknown.",
	.options = options,
	.after = CHECK_STATUSES,
	.check = true,
};

int main(int argc, char **argv)
{
	enum state state = STATE_OK;
	int rc;

	msg_init(argv[0]);
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	if (argc - optind != 4)
		return cli_usage("wants a name, an object, a state and a text");
	while (state <= STATE_UNKNOWN && strcasecmp(argv[optind + 2], check_word(state)) != 0)
		state++;
	if (state > STATE_UNKNOWN)
		return cli_usage("%s: not ok, warning, critical or unknown", argv[optind + 2]);
	return say(argv[optind], argv[optind + 1], state, argv[optind + 3]);
}
