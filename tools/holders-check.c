/*
 * holders-check - has any process this database open?
 *
 *	holders-check [--json | --as ID | --shell] DB
 *
 * A check: OK nobody has, CRITICAL somebody has, and who; UNKNOWN nobody was seen, but not every process could be
 * looked into (only root may look into those of others). Looked at are the locks on DB and its -shm, and the
 * descriptors and mappings of every process, of its -wal, -shm and -journal too. To ask for the locks DB is opened
 * for a moment, so a program that looks at the same time may see us.
 */
#include "lib/std.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/cli.h"
#include "lib/msg.h"
#include "lib/option.h"
#include "lib/sqlite/holders.h"

static const char *const names[] = { CHECK_NAMES, "count", "holders", "pids", "all_seen", NULL };
static struct check_form form = { .shell.names = names };

static int look(const char *db)
{
	struct holders h = { .count = 0 };
	char real[PATH_MAX], number[16];
	struct check c;
	struct stat st;

	check_init(&c, "HOLDERS", db, &form);
	/* by its real name, beside which SQLite has its -wal and -shm */
	if (realpath(db, real) == NULL || stat(real, &st) != 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return check_done(&c, STATE_OK, "%s is not there, so nobody has it open", db);
		return check_done(&c, STATE_UNKNOWN, "%s cannot be reached: %s", db, strerror(errno));
	}
	if (!S_ISREG(st.st_mode))
		return check_done(&c, STATE_CRITICAL, "%s is not a regular file", db);
	if (holders_find(real, &h) != EX_OK)
		return check_done(&c, STATE_UNKNOWN, "%s cannot be looked at", db);
	snprintf(number, sizeof number, "%u", h.count);
	check_perf(&c, "holders", number, "", ";;0");
	check_int(&c, "count", h.count);
	check_text(&c, "holders", h.who);
	check_text(&c, "pids", h.pids);
	check_bool(&c, "all_seen", h.all_seen);
	if (h.count > 0)
		return check_done(&c, STATE_CRITICAL, "%s is open in %s%s", db, h.who,
				  h.all_seen ? "" : "; and not every process could be looked into");
	if (!h.all_seen)
		return check_done(&c, STATE_UNKNOWN, "%s: nobody was seen, but not every process could be looked into", db);
	return check_done(&c, STATE_OK, "nobody has %s open", db);
}

static const struct option_row options[] = { CHECK_OPTIONS(form, "DB") };

static const struct command command = {
	.usage = "[--json | --as ID | --shell] DB",
	.about = "Has any process the database DB open, or one of the files beside it?",
	.options = options,
	.operands = { 1, 1, "wants one DB", NULL },
	.after = CHECK_STATUSES,
	.check = true,
};

int main(int argc, char **argv)
{
	int rc;

	msg_init(argv[0]);
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	return look(argv[optind]);
}
