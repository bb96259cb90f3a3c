/*
 * db-install - make a database the live one
 *
 *	db-install [--owner USER[:GROUP]] [--mode MODE] [--as-of TIME] [-k] [-n] [--quarantine] [--json] CANDIDATE LIVE
 *	db-install --settle [--state DIR] LIVE
 *	db-install --state DIR [--rev REV --content-hash HASH | --digest HEX] [--epoch N --seq N] ... CANDIDATE LIVE
 *
 * LIVE is at every instant a complete database, the old one or the new one, and never beside another's -wal
 * or -journal. Nobody has it open while it changes. What a crashed application had committed is recovered
 * into the old database before that is put away as LIVE.prev. On any failure the old one stays.
 */
#include "lib/std.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/copy.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/hash.h"
#include "lib/installed.h"
#include "lib/json.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/option.h"
#include "lib/rights.h"
#include "lib/shell.h"
#include "lib/sqlite/exchange.h"
#include "lib/sqlite/sqlite.h"
#include "lib/stop.h"

#define NUMBER_MOST (UINT64_C(1) << 53)	/* what JSON's readers take exactly */

static const char *const names[] = {
	"path", "dry_run", "unchanged", "size", "size_text", "data_at", "previous", "kept", "quarantine", "processes", NULL,
};

static struct {
	struct exchange_wish wish;
	uint64_t epoch, seq, n;		/* UINT64_MAX: not given */
	bool dry, settle, json;
	struct shell shell;
	struct installed record;
} opt = {
	.wish = { .owner = RIGHTS_UID_KEEP, .group = RIGHTS_GID_KEEP, .mode = (mode_t)-1, .as_of = INT64_MIN },
	.epoch = UINT64_MAX, .seq = UINT64_MAX, .n = UINT64_MAX, .shell = { .names = names }, .record = { .lock = -1 },
};

/*
 * Was the old one written to since it was installed by the record? Then it exists nowhere else. What waits in a -wal or
 * -journal is written, too; and so is what the record does not know at all.
 */
static int look_for_writes(struct exchange *x)
{
	const json *known;
	char hash[HASH_TEXT];
	int fd, rc = EX_OK;

	if (!x->have_old || x->old.st_size == 0 || keep_found(&x->names, &x->old) || opt.record.state == NULL)
		return EX_OK;
	if (!retire_is_pending(x->names.live)) {
		known = installed_entry(opt.record.before, &x->old);
		/* a followed state does not put another one in the place of last night's */
		if (known != NULL && opt.record.digest != NULL && json_str(known, "digest") != NULL && !x->from_prev)
			return keep_choose(&x->names, &x->old);
		if (known != NULL)
			return EX_OK;
		fd = opt.wish.quick ? -1 : open(x->names.live, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0)
			rc = content_hash_fd(fd, 0, (uint64_t)x->old.st_size, hash);
		if (fd >= 0)
			close(fd);
		if (fd >= 0 && rc == EX_OK && installed_hash_is(&opt.record, hash))
			return EX_OK;
	}
	return keep_choose(&x->names, &x->old);
}

static void answer(const struct exchange *x)
{
	bool written = x->kept_as == x->names.kept;
	char at[CLOCK_TEXT], size[NUM_TEXT];
	json *j;

	clock_text(at, exchange_data_at(x));
	num_size_text(size, (uint64_t)x->st.st_size);
	if (x->put_aside && x->have_old)
		msg_err(x->aside, "the old database was put aside here");
	if (written)
		msg_err(x->names.kept, "what was written here since the last installation is kept here");
	if (!opt.json && !shell_asked(&opt.shell)) {
		if (opt.dry)
			printf("%s %s: %s, as of %s, %s\n", x->same ? "nothing to do for" : "would install", x->live,
			       x->candidate, at, size);
		return;
	}
	j = json_object();
	json_put_str(j, "path", x->live);
	json_put_bool(j, "dry_run", opt.dry);
	json_put_bool(j, "unchanged", x->same);
	json_put_int(j, "size", (int64_t)x->st.st_size);
	json_put_str(j, "data_at", at);
	json_put_text(j, "previous", written ? NULL : x->kept_as);
	json_put_text(j, "kept", written ? x->kept_as : NULL);
	json_put_text(j, "quarantine", x->put_aside ? x->aside : NULL);
	json_put_str(j, "processes", x->alone.all_seen ? "all" : "own");
	shell_set(&opt.shell, "size_text", size);
	json_answer(j, opt.json, &opt.shell);
}

static int install(struct exchange *x)
{
	struct stat dressed;
	bool copy;
	int rc = keep_names(&x->names, x->live);

	x->alone.path = x->names.live;
	x->alone.object = x->live;
	if (rc == EX_OK)
		rc = exchange_candidate(x);
	if (rc != EX_OK)
		return rc;
	if (!opt.dry) {
		rc = file_claim(x->names.work, &x->lock);
		if (rc != EX_OK)
			return rc;
	}
	rc = exchange_live(x);
	if (rc != EX_OK)
		return rc;
	copy = opt.wish.keep || copy_needed(x->fd, x->names.dir);
	exchange_compare(x);
	if (!opt.dry) {
		rc = installed_begin(&opt.record);
		if (rc == EX_OK && opt.record.state != NULL && opt.record.content_hash == NULL && opt.record.digest == NULL) {
			rc = installed_recall(&opt.record, x->candidate, &x->st);
			opt.wish.as_of = opt.record.data_at;
		}
		opt.record.data_at = exchange_data_at(x);
		if (rc != EX_OK)
			return rc;
	}
	if (x->same)
		return opt.dry ? EX_OK : exchange_nothing(x, copy);
	rc = alone_look(&x->alone);
	if (rc == EX_OK && copy)
		rc = copy_room(x->live, x->names.dir, (uint64_t)x->st.st_size);
	if (rc != EX_OK || opt.dry)
		return rc;
	if (!x->alike)
		rc = look_for_writes(x);

	if (rc == EX_OK && copy) {
		rc = copy_verified(x->fd, x->candidate, x->lock, x->live, (uint64_t)x->st.st_size);
		close(x->fd);
		x->fd = x->lock;
		x->source = x->names.work;
	}
	if (rc == EX_OK)
		rc = exchange_dress(x, x->fd);
	if (rc == EX_OK && fstat(x->fd, &dressed) != 0) {
		msg_errno(x->live, "cannot look at what is to be installed");
		rc = EX_IOERR;
	}
	if (rc == EX_OK)
		rc = installed_next(&opt.record, &dressed);
	if (rc == EX_OK)
		rc = exchange_put_away(x);
	return rc == EX_OK ? exchange_do(x) : rc;
}

/* When LIVE or what lies beside it was written last. */
static struct timespec last_write(const struct exchange *x)
{
	struct timespec at = x->old.st_mtim;
	char side[RETIRE_PATH];
	struct stat st;

	for (const char *const *s = sqlite_side_files; *s != NULL; s++) {
		snprintf(side, sizeof side, "%s%s", x->names.live, *s);
		if (strcmp(*s, "-shm") != 0 && lstat(side, &st) == 0 && st.st_mtim.tv_sec > at.tv_sec)
			at = st.st_mtim;
	}
	return at;
}

/* --settle: the journal or log that a killed application left beside LIVE is rolled back or taken in; nothing is installed. */
static int settle(struct exchange *x)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	int rc = keep_names(&x->names, x->live);
	bool pending = false;

	x->alone.path = x->names.live;
	x->alone.object = x->live;
	if (rc == EX_OK)
		rc = file_claim(x->names.work, &x->lock);
	if (rc == EX_OK)
		rc = exchange_live(x);
	if (rc == EX_OK && !x->have_old) {
		msg_err(x->live, "not there");
		rc = EX_NOINPUT;
	}
	if (rc == EX_OK)
		rc = installed_begin(&opt.record);
	if (rc == EX_OK)
		rc = alone_look(&x->alone);
	if (rc == EX_OK) {
		pending = retire_is_pending(x->names.live);
		times[1] = last_write(x);
		rc = retire_database(x->names.live, x->live);
	}
	/* the file's time tells people how old the data is; a user who may not set it keeps that elsewhere, as a failover does */
	if (rc == EX_OK && pending)
		(void)utimensat(AT_FDCWD, x->names.live, times, AT_SYMLINK_NOFOLLOW);
	installed_end(&opt.record);
	file_unclaim(x->names.work, x->lock);
	return rc;
}

static int install_on_record(struct exchange *x)
{
	struct installed *r = &opt.record;
	int rc;

	r->epoch = opt.epoch != UINT64_MAX ? (int64_t)opt.epoch : -1;
	r->seq = opt.seq != UINT64_MAX ? (int64_t)opt.seq : -1;
	r->n = opt.n != UINT64_MAX ? (int64_t)opt.n : -1;
	rc = install(x);
	if (rc == EX_OK && !opt.dry)
		rc = installed_done(r, x->live, x->names.live, x->names.prev);
	installed_end(r);
	if (rc == EX_OK)
		answer(x);
	alone_end(&x->alone);
	if (x->fd >= 0 && x->fd != x->lock)
		close(x->fd);
	file_unclaim(x->names.work, x->lock);
	return rc;
}

/* ---- the command line ---- */

static const char *take_owner(const char *text, void *to)
{
	(void)to;
	return rights_parse_owner(text, &opt.wish.owner, &opt.wish.group);
}

static const char *take_mode(const char *text, void *to)
{
	return rights_parse_mode(text, to);
}

static const char *take_time(const char *text, void *to)
{
	return clock_parse(text, to);
}

/* Without an option that is only for an installation? */
static bool only_settles(void)
{
	const struct exchange_wish *w = &opt.wish;
	const struct installed *r = &opt.record;
	bool how = w->owner != RIGHTS_UID_KEEP || w->group != RIGHTS_GID_KEEP || w->mode != (mode_t)-1 || w->as_of != INT64_MIN ||
		   w->keep || w->quarantine || w->quick || w->group_writes;
	bool what = r->content_hash != NULL || r->digest != NULL || r->verified != NULL ||
		    (opt.epoch & opt.seq & opt.n) != UINT64_MAX;

	return !how && !what && !opt.dry && !opt.json && !shell_asked(&opt.shell);
}

static const struct option_row options[] = {
	{ 0, "owner", "USER[:GROUP]", take_owner, NULL, "its owner (default: that of the old one)" },
	{ 0, "mode", "MODE", take_mode, &opt.wish.mode, "its mode, octal (default: that of the old one, or 0640)" },
	{ 0, "group-writes", NULL, option_flag, &opt.wish.group_writes, "its group may write it, whatever the mode of the old one; of the\n"
	  "first one it is that of the directory" },
	{ 0, "as-of", "TIME", take_time, &opt.wish.as_of, "when its data was current, such as 2026-11-23T06:00:00Z\n"
	  "(default: the modification time of CANDIDATE)" },
	{ 'k', "keep", NULL, option_flag, &opt.wish.keep, "copy CANDIDATE instead of moving it" },
	{ 'n', "dry-run", NULL, option_flag, &opt.dry, "check everything, change nothing" },
	{ 0, "settle", NULL, option_flag, &opt.settle, "only put LIVE in order: what an application that was ended has left\n"
	  "beside it is taken in, or rolled back" },
	{ 0, "quarantine", NULL, option_flag, &opt.wish.quarantine, "put a damaged old database aside with all its files" },
	{ 0, "quick", NULL, option_flag, &opt.wish.quick, "read no whole file to learn whether the two differ, or whether\n"
	  "the old one was written to" },
	{ 0, "state", "DIR", option_text, &opt.record.state, "keep the record of it there, installed.json, and refuse when\n"
	  "the role there is active; what was written to the old one\nsince then is kept as LIVE.kept-TIME" },
	{ 0, "rev", "REV", option_text, &opt.record.rev, "of what is installed, for that record," },
	{ 0, "content-hash", "HASH", option_text, &opt.record.content_hash, "this," },
	{ 0, "digest", "HEX", option_text, &opt.record.digest, "or, of a state that was followed, this (default: what the record\n"
	  "knows of CANDIDATE)," },
	{ 0, "epoch", "N", option_number, &(struct option_range){ &opt.epoch, 0, NUMBER_MOST }, "its number, if it has one," },
	{ 0, "seq", "N", option_number, &(struct option_range){ &opt.seq, 0, NUMBER_MOST }, "in two parts," },
	{ 0, "number", "N", option_number, &(struct option_range){ &opt.n, 0, NUMBER_MOST }, "its number in the chain of states," },
	{ 0, "verified", "LEVEL", option_text, &opt.record.verified, "and how it was verified" },
	{ 0, "json", NULL, option_flag, &opt.json, "print what was done as a JSON object" },
	{ 0, "shell", "[=PREFIX]", option_shell, &opt.shell, "print it for a shell" },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};

static const struct command command = {
	.usage = "[--owner USER[:GROUP]] [--mode MODE] [--group-writes] [--as-of TIME] [-k]\n [-n] [--quarantine] [--quick] [--json]\n [--state DIR [--rev REV --content-hash HASH | --digest HEX] ...] CANDIDATE LIVE\n--settle [--state DIR] LIVE",
	.about = "Makes the database CANDIDATE the live one; the old one is kept as LIVE.prev.",
	.options = options,
};

int main(int argc, char **argv)
{
	struct exchange x = { .wish = &opt.wish, .lock = -1, .fd = -1, .alone = { .lease = -1, .all_seen = true } };
	int rc;

	msg_init(argv[0]);
	stop_init();
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	if ((opt.record.rev == NULL) != (opt.record.content_hash == NULL))
		return cli_usage("--rev and --content-hash go together");
	if (opt.record.digest != NULL && opt.record.content_hash != NULL)
		return cli_usage("--digest is for what has no --content-hash");
	if (opt.settle && !only_settles())
		return cli_usage("--settle goes with --state only");
	if (argc - optind != (opt.settle ? 1 : 2) || *argv[optind] == '\0')
		return cli_usage(opt.settle ? "--settle needs LIVE" : "needs CANDIDATE and LIVE");
	opt.wish.on_record = opt.record.state != NULL;
	x.live = argv[argc - 1];
	x.source = x.candidate = argv[optind];
	rc = cli_close(opt.settle ? settle(&x) : install_on_record(&x));
	return rc == EX_USAGE ? rc : shell_end(&opt.shell, rc);
}
