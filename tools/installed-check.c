/*
 * installed-check - is the database as it was installed?
 *
 *	installed-check --record FILE [--json | --as ID | --shell] DB
 *
 * When it was installed every page was read. As long as it is the file on record, or its size and its time are those of
 * the data there, and nothing waits in a -wal or -journal beside it, nobody has written to it since, and that verdict holds. Nothing is opened but the
 * record, so this may be asked at any time, also while the nightly job is about to replace the database.
 */
#include "lib/std.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/check.h"
#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/installed.h"
#include "lib/json.h"
#include "lib/msg.h"
#include "lib/option.h"

#define RECORD_MAX ((size_t)64 << 10)

static const char *record_path;
/* members of the record that are passed on unchanged */
static const char *const numbers[] = { "epoch", "seq", "n", NULL };
static const char *const texts[] = { "rev", "content_hash", "digest", "next_content_hash", "snapshot_at", NULL };
static const char *const names[] = {
	CHECK_NAMES, "unchanged", "level", "installed_at", "file_mtime",
	"epoch", "seq", "n", "rev", "content_hash", "digest", "next_content_hash", "snapshot_at", "prev_n", NULL,
};
static struct check_form form = { .shell.names = names };

/* Does something wait beside it, to be played into it at the next opening? */
static bool is_pending(const char *db, const char *suffix)
{
	char path[PATH_MAX];
	struct stat st;

	return snprintf(path, sizeof path, "%s%s", db, suffix) < (int)sizeof path && stat(path, &st) == 0 && st.st_size > 0;
}

/* NULL, or what differs from the record. */
static const char *difference(const json *record, const char *db, const struct stat *st)
{
	const char *at = json_str(record, "snapshot_at");
	int64_t size, time;

	/* the file itself is known; whoever may not set its time left it */
	if (installed_entry(record, st) != NULL)
		return is_pending(db, "-wal") || is_pending(db, "-journal") ? "written to since it was installed" : NULL;
	if (!json_int(record, "size", 0, INT64_MAX, &size) || at == NULL || clock_parse(at, &time) != NULL)
		return "the record of its installation is not complete";
	if (size != (int64_t)st->st_size || time != (int64_t)st->st_mtim.tv_sec || is_pending(db, "-wal") ||
	    is_pending(db, "-journal"))
		return "written to since it was installed";
	return NULL;
}

static int judge(const char *db, const json *record)
{
	char real[PATH_MAX], mtime[CLOCK_TEXT];
	const json *entry;
	const char *why;
	struct check c;
	struct stat st;
	int64_t number;
	int there;

	check_init(&c, "INSTALLED", db, &form);
	/* by its real name, beside which SQLite has its -wal */
	there = realpath(db, real) != NULL && stat(real, &st) == 0 ? 0 : errno;
	/* a run that was killed may have left what it was about to put on record */
	entry = there == 0 ? installed_entry(record, &st) : NULL;
	if (entry == NULL)
		entry = record;
	check_text(&c, "level", json_str(entry, "verified_by"));
	check_text(&c, "installed_at", json_str(record, "installed_at"));
	for (const char *const *name = numbers; *name != NULL; name++)
		if (json_int(entry, *name, 0, (int64_t)1 << 53, &number))
			check_int(&c, *name, number);
	for (const char *const *name = texts; *name != NULL; name++)
		check_text(&c, *name, json_str(strcmp(*name, "next_content_hash") == 0 ? record : entry, *name));
	if (json_int(json_get(record, "previous"), "n", 0, (int64_t)1 << 53, &number))
		check_int(&c, "prev_n", number);
	if (there == ENOENT || there == ENOTDIR)
		return check_done(&c, STATE_UNKNOWN, "%s is missing: nothing to judge", db);
	if (there != 0)
		return check_done(&c, STATE_UNKNOWN, "%s cannot be reached: %s", db, strerror(there));
	check_text(&c, "file_mtime", clock_text(mtime, (int64_t)st.st_mtim.tv_sec));
	why = record == NULL ? "there is no record of its installation" : difference(record, real, &st);
	check_bool(&c, "unchanged", why == NULL);
	if (why != NULL)
		return check_done(&c, STATE_WARNING, "%s: %s", db, why);
	return check_done(&c, STATE_OK, "%s is as it was installed", db);
}

static int look(const char *db)
{
	struct buf text = BUF_INIT(RECORD_MAX);
	json *record = NULL;
	int rc;

	if (access(record_path, F_OK) == 0 && file_slurp(record_path, &text) == EX_OK)
		record = json_parse(buf_text(&text), text.len);
	rc = judge(db, record);
	json_free(record);
	buf_free(&text);
	return rc;
}

static const struct option_row options[] = {
	{ 'r', "record", "FILE", option_text, &record_path, "what was installed, as the nightly job leaves it" },
	CHECK_OPTIONS(form, "DB")
};

static const struct command command = {
	.usage = "--record FILE [--json | --as ID | --shell] DB",
	.about = "Is the database DB as it was installed, for which every page was read?",
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
	if (record_path == NULL)
		return cli_usage("--record is needed");
	return look(argv[optind]);
}
