/*
 * backup-names [--beyond N | --nights N] - of names on standard input, those of backups: `TIME KIND NAME`, newest first
 *
 * A line that is no name of a backup is never printed, so a pipe into dbx-rm removes nothing else. With --beyond or --nights a
 * name from the future (a clock was wrong) is neither printed nor counted: it stays, and no other goes in its favour.
 *
 * backup-names --name KIND [--at TIME] - how a backup is named by the time of its data
 * backup-names --next NAME - by one second later: two clocks that begin at the same moment make one name twice
 */
#include "lib/std.h"

#include <unistd.h>

#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/dropbox/backupname.h"
#include "lib/exits.h"
#include "lib/lines.h"
#include "lib/msg.h"
#include "lib/option.h"

#define NAMES_MOST 100000	/* a folder of more is refused: memory stays bounded */
#define NOT_ASKED UINT64_MAX

static uint64_t beyond = NOT_ASKED, nights = NOT_ASKED;

static const char *const kinds[] = { "database", "failover", NULL };
static int kind = -1;
static const char *at, *next;

static const struct option_row options[] = {
	{ 0, "beyond", "N", option_number, &(struct option_range){ &beyond, 0, NAMES_MOST },
	  "of each kind, only those beyond the N newest" },
	{ 0, "nights", "N", option_number, &(struct option_range){ &nights, 1, NAMES_MOST },
	  "of each kind, all but the newest of each of the last N days\nthat have one, and but the N newest" },
	{ 0, "name", "KIND", option_choice, &(struct option_words){ &kind, kinds }, "print the name of a backup of now" },
	{ 0, "at", "TIME", option_text, &at, "of data of this time (RFC 3339, UTC)" },
	{ 0, "next", "NAME", option_text, &next, "print the name that comes one second after NAME" },
	{ .name = NULL },
};

static const struct command command = {
	.usage = "[--beyond N | --nights N] < NAMES\n--name KIND [--at TIME]\n--next NAME",
	.about = "Of the names on standard input those of backups, one a line: TIME KIND NAME, the\n"
		 "newest first; KIND is database or failover.",
	.options = options,
	.operands = { 0, 0, "no operand is taken", NULL },
};

static bool take(const char *line, void *element)
{
	return backupname_parse(line, element);
}

static int filter(void)
{
	static const struct lines names = { "backups", sizeof(struct backupname), NAMES_MOST, take };
	struct backupname_rule rule = { .now = clock_wall() };
	struct backupname *backups;
	char time[CLOCK_TEXT];
	void *taken;
	size_t count;
	int rc = lines_read(&names, &taken, &count);

	backups = taken;

	if (beyond != NOT_ASKED) {
		rule.keep = BACKUPNAME_KEEP_NEWEST;
		rule.count = (int64_t)beyond;
	} else if (nights != NOT_ASKED) {
		rule.keep = BACKUPNAME_KEEP_NIGHTS;
		rule.count = (int64_t)nights;
	}
	if (rc == EX_OK && count > 0)
		count = backupname_beyond(backups, count, &rule);
	for (size_t i = 0; rc == EX_OK && i < count; i++)
		printf("%s %s %s\n", clock_text(time, backups[i].time), backupname_kinds[backups[i].kind],
		       backups[i].name);
	free(backups);
	return rc;
}

/* A name, for a backup that is to be made. */
static int print_name(void)
{
	struct backupname b = { .kind = (size_t)kind, .time = clock_wall() };
	const char *why = at != NULL ? clock_parse(at, &b.time) : NULL;

	if (why != NULL)
		return cli_usage("--at: %s: %s", at, why);
	if (next != NULL && !backupname_parse(next, &b))
		return cli_usage("--next: %s: not the name of a backup", next);
	backupname_make(b.kind, b.time + (next != NULL), &b);
	puts(b.name);
	return EX_OK;
}

int main(int argc, char **argv)
{
	int rc;

	msg_init(argv[0]);
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	if (beyond != NOT_ASKED && nights != NOT_ASKED)
		return cli_usage("--beyond or --nights, not both");
	if ((kind >= 0) + (next != NULL) + (beyond != NOT_ASKED || nights != NOT_ASKED) > 1)
		return cli_usage("--name, --next and the choice of those that may go exclude each other");
	if (at != NULL && kind < 0)
		return cli_usage("--at is for --name");
	return cli_close(kind >= 0 || next != NULL ? print_name() : filter());
}
