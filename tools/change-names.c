/*
 * change-names [--after N] [--to N] - of paths on standard input, those of changes: `N TIME PATH`, by number
 *
 * The number and the time of a change stand in its name, as db-changes made it: /changes/YYYYMMDD/N-TIME.wal.zst. Every other
 * path is left out. Which of two changes of one number is the one that counts, the names do not say: db-apply --to does.
 */
#include "lib/std.h"

#include <unistd.h>

#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/exits.h"
#include "lib/lines.h"
#include "lib/msg.h"
#include "lib/option.h"
#include "lib/sqlite/change.h"

#define NAMES_MOST 1000000	/* two years of minutes; memory stays bounded */

static uint64_t after, to = CHANGE_MOST;

static const struct option_row options[] = {
	{ 0, "after", "N", option_number, &(struct option_range){ &after, 0, CHANGE_MOST }, "only those beyond this state" },
	{ 0, "to", "N", option_number, &(struct option_range){ &to, 0, CHANGE_MOST }, "and up to this one" },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};

static const struct command command = {
	.usage = "[--after N] [--to N] < PATHS",
	.about = "Of the paths on standard input those of changes, one a line: N TIME PATH, by\nrising number.",
	.options = options,
	.operands = { 0, 0, "no operand is taken", NULL },
};

static bool take(const char *line, void *element)
{
	struct change *c = element;

	return change_path_parse(line, c) && c->n > (int64_t)after && c->n <= (int64_t)to;
}

static int by_number(const void *a, const void *b)
{
	const struct change *x = a, *y = b;

	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	return (x->snapshot_at > y->snapshot_at) - (x->snapshot_at < y->snapshot_at);
}

static int filter(void)
{
	static const struct lines paths = { "changes", sizeof(struct change), NAMES_MOST, take };
	char time[CLOCK_TEXT], path[CHANGE_PATH];
	struct change *changes;
	void *taken;
	size_t count;
	int rc = lines_read(&paths, &taken, &count);

	changes = taken;

	if (rc == EX_OK && count > 0) {
		qsort(changes, count, sizeof *changes, by_number);
		for (size_t i = 0; i < count; i++)
			printf("%lld %s %s\n", (long long)changes[i].n, clock_text(time, changes[i].snapshot_at),
			       change_path(path, &changes[i]));
	}
	free(changes);
	return rc;
}

int main(int argc, char **argv)
{
	int rc;

	msg_init(argv[0]);
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	return cli_close(filter());
}
