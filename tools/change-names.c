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
};

static struct change *changes;
static size_t count;

static int read_paths(void)
{
	char line[CHANGE_PATH + 1];
	bool whole = true;	/* the line began where this piece begins */
	size_t room = 0;

	while (fgets(line, sizeof line, stdin) != NULL) {
		size_t len = strcspn(line, "\n");
		bool begins = whole;
		struct change c;

		whole = line[len] == '\n' || feof(stdin);
		line[len] = '\0';
		if (!begins || !whole || !change_path_parse(line, &c) || c.n <= (int64_t)after || c.n > (int64_t)to)
			continue;
		if (count == room) {
			struct change *more = room < NAMES_MOST ? realloc(changes, (room + 2000) * sizeof *more) : NULL;

			if (more == NULL) {
				msg_err("standard input", "more than %zu changes", room);
				return EX_DATAERR;
			}
			changes = more;
			room += 2000;
		}
		changes[count++] = c;
	}
	if (ferror(stdin)) {
		msg_errno("standard input", "cannot read");
		return EX_IOERR;
	}
	return EX_OK;
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
	char time[CLOCK_TEXT], path[CHANGE_PATH];
	int rc = read_paths();

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
	if (argc > optind)
		return cli_usage("%s: no operand is taken", argv[optind]);
	return cli_close(filter());
}
