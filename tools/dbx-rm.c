/*
 * dbx-rm [-n] [--days] REMOTE... - delete files in Dropbox
 *
 * Only files, and only the revision that was there a moment ago: a file that was replaced since
 * stays. Folders are refused: one slip of a name must not take a year of backups. With --days the folder
 * of one day of changes is accepted, /changes/YYYYMMDD and nothing above, below or beside it.
 */
#include "lib/option.h"
#include "lib/std.h"

#include <unistd.h>

#include "lib/cli.h"
#include "lib/dropbox/dropbox.h"
#include "lib/msg.h"
#include "lib/stop.h"

static bool dry, days;
static int64_t timeout_ms;	/* 0 for none */

static bool is_day(const char *path)
{
	static const char form[] = "/changes/########";

	for (size_t i = 0; i < sizeof form; i++)
		if (form[i] == '#' ? path[i] < '0' || path[i] > '9' : path[i] != form[i])
			return false;
	return true;
}

static int remove_one(struct dropbox *d, struct http *h, const char *remote)
{
	struct dropbox_meta m;
	char name[4096];
	int rc = dropbox_metadata(d, h, remote, &m);
	bool day = rc == EX_OK && days && m.kind == 'd' && is_day(remote);

	if (rc == EX_OK && m.kind != 'f' && !day) {
		msg_err(remote, "a folder, and only files are deleted");
		rc = EX_DATAERR;
	} else if (rc == EX_OK && dry) {
		printf("%s\n", msg_escape(name, sizeof name, m.path));
	} else if (rc == EX_OK) {
		rc = dropbox_delete(d, h, remote, day ? NULL : m.rev);
		if (rc == EX_OK)
			msg_info("%s: deleted, %s%s", remote, day ? "with all in it" : "revision ", day ? "" : m.rev);
	}
	if (rc == EX_NOINPUT)
		msg_err(remote, "not found in Dropbox");
	dropbox_meta_free(&m);
	return rc;
}

static const struct option_row options[] = {
	{ 'n', "dry-run", NULL, option_flag, &dry, "only print what would be deleted" },
	{ 0, "days", NULL, option_flag, &days, "a REMOTE may be /changes/YYYYMMDD, with all in it" },
	{ 0, "timeout", "DURATION", option_duration, &timeout_ms, "give up after this" },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};

static const struct command command = {
	.usage = "[-n] [--days] REMOTE...",
	.about = "Delete files in Dropbox.",
	.options = options,
	.operands = { 1, OPERANDS_ANY, "at least one REMOTE is needed", dropbox_path_fault },
};

int main(int argc, char **argv)
{
	int rc;

	msg_init(argv[0]);
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	stop_init();
	return cli_close(dropbox_each(argv + optind, argc - optind, timeout_ms, remove_one));
}
