/*
 * newest-check - may the state that was followed take the place of the nightly copy now?
 *
 *	newest-check [--json | --as ID | --shell]
 *
 * OK: .follow/newest.db beside the database is a whole state of the chain, newer than production.db, which is last night's copy
 * as it was installed. WARNING: so it is, but suspect, and a person has to say yes. CRITICAL: it is not to be taken, and the
 * text says why; `usable` is whether newest.db itself is good, so that only what stands there speaks against it. What
 * is not known counts against it. No database is opened by SQLite and none is read but for its first bytes: on a cold disk a
 * failover has no time for 1.4 GB.
 */
#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/check.h"
#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/copy.h"
#include "lib/dropbox/headmove.h"
#include "lib/dropbox/headseen.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/installed.h"
#include "lib/json.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/option.h"
#include "lib/settings.h"
#include "lib/settingtable.h"
#include "lib/sqlite/place.h"
#include "lib/sqlite/retire.h"
#include "lib/sqlite/sqlite.h"

#define RECORD_MAX ((size_t)64 << 10)
#define WHY 400
#define FUTURE_S 60
#define CARD_BYTES (INT64_C(4) << 20)	/* a second, page by page onto a slow card */

static const char *const names[] = {
	CHECK_NAMES, "there", "usable", "half", "suspect", "old", "n", "epoch", "seq", "digest", "snapshot_at", "as_of", "as_of_on",
	"age_seconds", "behind", "clock", "serves", "target_on", "target_seconds", "live_n", "live_at", "live_on", "live_seconds", "prev_n", "prev_on", NULL,
};
static struct check_form form = { .shell.names = names };

/* What speaks against it; "" for nothing. The first reason stays. */
struct why {
	char text[WHY];
};

static void PRINTF_LIKE(2, 3) because(struct why *why, const char *fmt, ...)
{
	va_list ap;

	if (why->text[0] != '\0')
		return;
	va_start(ap, fmt);
	vsnprintf(why->text, sizeof why->text, fmt, ap);
	va_end(ap);
}

struct finding {
	const char *live, *state;
	char dir[PATH_MAX];		/* .follow, beside the database itself */
	char path[PATH_MAX + 16];	/* of newest.db in it */
	struct why of_live, of_newest;
	bool there, half, known;	/* a newest.db; with a run's unfinished work; and which state it is */
	bool suspect;
	struct place is, target;	/* and which it becomes */
	int64_t target_s;		/* in about so many seconds; 0: it is at rest */
	json *record;			/* of the installation */
	const json *entry;		/* what it knows of the live database; NULL: it is not as it was installed */
	struct headreg seen;
	int64_t as_of, behind;		/* up to when it has all that was entered; states on record that it lacks */
};

/* ---- production.db ---- */

static const char *serves(const struct finding *f)
{
	return f->entry == NULL ? "other" : json_str(f->entry, "content_hash") != NULL ? "night" : "newest";
}

/* Only what the record knows, as it was left, is replaced: what a person put or an application wrote there serves as it is. */
static void look_at_live(struct finding *f)
{
	int64_t n;
	struct stat st;

	f->record = installed_read(f->state);
	if (lstat(f->live, &st) != 0) {
		/* nothing stands there that would be better */
		if (errno != ENOENT)
			because(&f->of_live, "cannot be reached: %s", strerror(errno));
		return;
	}
	if (!S_ISREG(st.st_mode)) {
		because(&f->of_live, "is not a regular file");
		return;
	}
	if (f->record == NULL)
		because(&f->of_live, "has no record of its installation");
	else if (retire_has_side_files(f->live))
		because(&f->of_live, "has files of an application beside it");
	else if ((f->entry = installed_entry(f->record, &st)) == NULL)
		because(&f->of_live, "was written to, or put there, since last night's copy was installed");
	else if (!json_int(f->entry, "n", 0, INT64_C(1) << 53, &n))
		because(&f->of_live, "is of no known number in the chain of states");
	else if (strcmp(serves(f), "night") != 0)
		because(&f->of_live, "was put there by an earlier failover");
}

/* ---- newest.db ---- */

/* What anybody else could have made is not believed: the directory is that of who owns our state, and nobody else writes in it. */
static void look_at_owner(struct finding *f, const struct stat *file)
{
	struct stat dir, ours;

	if (lstat(f->dir, &dir) != 0 || !S_ISDIR(dir.st_mode) || stat(f->state, &ours) != 0)
		because(&f->of_newest, "lies in no directory of ours");
	else if (dir.st_uid != ours.st_uid || (dir.st_mode & 02) != 0 || ((dir.st_mode & 020) != 0 && dir.st_gid != ours.st_gid))
		because(&f->of_newest, "lies where others than us write");
	else if (file->st_uid != dir.st_uid)
		because(&f->of_newest, "is another user's");
}

/* The size, and the first bytes. */
static void look_at_content(struct finding *f, int fd, const struct stat *st)
{
	unsigned char head[100];
	struct sqlite_header h;
	char why[SQLITE_WHY];
	uint64_t least = 0;
	ssize_t len = file_pread(fd, head, sizeof head, 0);

	num_size(setting("min_size"), &least);
	if ((uint64_t)st->st_size != (uint64_t)f->is.page_size * f->is.page_count)
		because(&f->of_newest, "has another size than state %lld", (long long)f->is.n);
	else if (len != (ssize_t)sizeof head)
		because(&f->of_newest, "cannot be read: %s", strerror(len < 0 ? errno : EIO));
	else if (!sqlite_header_parse(head, sizeof head, (uint64_t)st->st_size, &h, why))
		because(&f->of_newest, "is no whole database: %s", why);
	else if ((uint64_t)st->st_size < least)
		because(&f->of_newest, "is smaller than CTV_MIN_SIZE");
}

static void look_at_newest(struct finding *f)
{
	char path[PATH_MAX + 32];
	struct note note;
	struct stat st, wal;
	int fd;

	if (lstat(f->path, &st) != 0) {
		because(&f->of_newest, errno == ENOENT || errno == ENOTDIR ? "is not there" : "cannot be reached: %s", strerror(errno));
		return;
	}
	f->there = true;
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1) {
		because(&f->of_newest, "is not a plain file");
		return;
	}
	look_at_owner(f, &st);
	/* whoever takes the state finishes what is half done, and that only of our own making */
	if (f->of_newest.text[0] != '\0')
		return;
	snprintf(path, sizeof path, "%s.note", f->path);
	if (note_read(path, &note) != EX_OK || !note.known) {
		because(&f->of_newest, "has no note of which state it is");
		return;
	}
	f->half = note.has_target || retire_is_pending(f->path);
	f->is = note.is;
	f->known = true;
	snprintf(path, sizeof path, "%s-wal", f->path);
	if (note.has_target && stat(path, &wal) == 0) {
		f->target = note.target;
		f->target_s = 1 + wal.st_size / CARD_BYTES;
	}
	if (f->half)
		because(&f->of_newest, "is half applied");
	else if (retire_has_side_files(f->path))
		because(&f->of_newest, "has files of an application beside it");
	fd = open(f->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		because(&f->of_newest, "cannot be opened: %s", strerror(errno));
		return;
	}
	look_at_content(f, fd, &st);
	snprintf(path, sizeof path, "%s/..", f->dir);
	if (copy_needed(fd, path))
		because(&f->of_newest, "is on another disk");
	close(fd);
}

/* The last quick verification, of every six hours. One that was not finished says nothing. */
static void look_at_verification(struct finding *f)
{
	struct buf text = BUF_INIT(RECORD_MAX);
	char path[PATH_MAX + 32];
	json *record = NULL;
	int64_t exit_status = 0;

	snprintf(path, sizeof path, "%s/last-follow-check.json", f->state);
	if (access(path, F_OK) == 0 && file_slurp(path, &text) == EX_OK)
		record = json_parse(buf_text(&text), text.len);
	if (json_int(record, "exit", 0, 255, &exit_status) && exit_status == EX_DATAERR)
		because(&f->of_newest, "was found damaged by its last verification");
	json_free(record);
	buf_free(&text);
}

/* ---- the two, and the head record as it was seen last ---- */

static void compare(struct finding *f)
{
	const struct head *h = &f->seen.head;
	struct head_newest newest;
	char digest[PAGEHASH_TEXT];
	int64_t epoch, n;
	bool seen = headseen_load(&f->seen) == EX_OK && f->seen.exists;

	if (!f->known)
		return;
	f->as_of = f->is.snapshot_at;
	if (!seen) {
		because(&f->of_newest, "is held against no head record: none was seen here");
		return;
	}
	newest = head_newest(h);
	pagehash_text(digest, f->is.digest);
	if (f->is.n > newest.n || f->is.epoch > h->epoch || (f->is.n == newest.n && strcmp(digest, newest.digest) != 0))
		because(&f->of_newest, "is not the state that the head record names");
	f->behind = newest.n > f->is.n ? newest.n - f->is.n : 0;
	/* the owner has looked since, and there was nothing newer */
	if (f->is.n == newest.n && h->confirmed_at > f->as_of)
		f->as_of = h->confirmed_at;
	f->suspect = h->suspect_n > 0 && h->suspect_n <= f->is.n;
	if (f->entry != NULL && json_int(f->entry, "n", 0, INT64_C(1) << 53, &n) &&
	    json_int(f->entry, "epoch", 0, INT64_C(1) << 53, &epoch) &&
	    (f->is.epoch < epoch || (f->is.epoch == epoch && f->is.n <= n)))
		because(&f->of_newest, f->is.n == n ? "is the same state" : "is older");
}

/* ---- the answer ---- */

/* Seconds since then; clocks of two hosts differ a little, and only more than that is a clock to be spoken of. */
static int64_t age_of(int64_t at)
{
	int64_t age = clock_wall() - at;

	return age < 0 && age >= -FUTURE_S ? 0 : age;
}

/*
 * How far the primary's clock was ahead of Dropbox's when it last said that nothing newer existed. That one is behind cannot be
 * told from here: between a look and the record lies an upload.
 */
static void check_clock(struct check *c, const struct headreg *seen)
{
	int64_t ahead = seen->exists && seen->server_modified != 0 ? seen->head.confirmed_at - seen->server_modified : 0;
	char span[NUM_TEXT], text[NUM_TEXT + 8] = "";

	if (ahead > FUTURE_S)
		snprintf(text, sizeof text, "%s ahead", num_duration_text(span, ahead * 1000));
	check_text(c, "clock", text);
}

/* `14:03:10`, of another day `Mon 30 Nov, 14:03:10`, by the clock of this host. */
static void check_on(struct check *c, const char *name, int64_t at)
{
	time_t now = (time_t)clock_wall(), then = (time_t)at;
	struct tm tm, today;
	char text[64] = "";

	if (localtime_r(&then, &tm) != NULL && localtime_r(&now, &today) != NULL)
		strftime(text, sizeof text, tm.tm_year == today.tm_year && tm.tm_yday == today.tm_yday ? "%H:%M:%S" : "%a %d %b, %H:%M:%S",
			 &tm);
	check_text(c, name, text);
}

static void tell_newest(struct check *c, const struct finding *f)
{
	char text[CLOCK_TEXT], digest[PAGEHASH_TEXT];
	int64_t age = age_of(f->as_of), most_ms = 0, seq;

	check_bool(c, "there", f->there);
	check_bool(c, "usable", f->of_newest.text[0] == '\0');
	check_bool(c, "half", f->half);
	check_bool(c, "suspect", f->suspect);
	check_clock(c, &f->seen);
	if (!f->known)
		return;
	num_duration(setting("max_age"), &most_ms);
	check_bool(c, "old", age > most_ms / 1000);
	check_int(c, "n", f->is.n);
	check_int(c, "epoch", f->is.epoch);
	/* between two nights it has the number of the night */
	if (json_int(f->entry, "seq", 0, INT64_C(1) << 53, &seq))
		check_int(c, "seq", seq);
	check_text(c, "digest", pagehash_text(digest, f->is.digest));
	check_text(c, "snapshot_at", clock_text(text, f->is.snapshot_at));
	check_text(c, "as_of", clock_text(text, f->as_of));
	check_on(c, "as_of_on", f->as_of);
	check_int(c, "age_seconds", age);
	check_int(c, "behind", f->behind);
	if (f->target_s > 0) {
		check_on(c, "target_on", f->target.snapshot_at);
		check_int(c, "target_seconds", f->target_s);
	}
}

static void tell_live(struct check *c, const struct finding *f)
{
	const json *previous = json_get(f->record, "previous");
	char path[PATH_MAX + 8];
	int64_t n, at;
	struct stat st;

	check_text(c, "serves", serves(f));
	if (json_int(f->entry, "n", 0, INT64_C(1) << 53, &n))
		check_int(c, "live_n", n);
	if (json_str(f->entry, "snapshot_at") != NULL && clock_parse(json_str(f->entry, "snapshot_at"), &at) == NULL) {
		check_text(c, "live_at", json_str(f->entry, "snapshot_at"));
		check_on(c, "live_on", at);
		check_int(c, "live_seconds", age_of(at));
	}
	snprintf(path, sizeof path, "%s.prev", f->live);
	if (json_str(previous, "content_hash") == NULL || json_str(previous, "snapshot_at") == NULL || lstat(path, &st) != 0 ||
	    installed_entry(f->record, &st) != previous || clock_parse(json_str(previous, "snapshot_at"), &at) != NULL)
		return;
	check_int(c, "prev_n", json_int(previous, "n", 0, INT64_C(1) << 53, &n) ? n : 0);
	check_on(c, "prev_on", at);
}

static int judge(struct finding *f)
{
	char at[CLOCK_TEXT], age[NUM_TEXT];
	struct check c;

	check_init(&c, "NEWEST", f->path, &form);
	look_at_live(f);
	look_at_newest(f);
	if (f->there)
		look_at_verification(f);
	compare(f);
	tell_newest(&c, f);
	tell_live(&c, f);
	if (f->of_newest.text[0] != '\0')
		return check_done(&c, STATE_CRITICAL, "newest.db %s", f->of_newest.text);
	if (f->of_live.text[0] != '\0')
		return check_done(&c, STATE_CRITICAL, "%s %s", strrchr(f->live, '/') + 1, f->of_live.text);
	if (f->suspect)
		return check_done(&c, STATE_WARNING, "newest.db, state %lld, is suspect: %s", (long long)f->is.n,
				  f->seen.head.suspect_why);
	num_duration_text(age, llabs((long long)(clock_wall() - f->as_of)) * 1000);
	return check_done(&c, STATE_OK, "newest.db is state %lld of %s, known to be the newest %s %s", (long long)f->is.n,
			  clock_text(at, f->is.snapshot_at), age, clock_wall() < f->as_of ? "from now" : "ago");
}

static int look(void)
{
	struct finding f = { .live = setting("live"), .state = setting("state") };
	const char *slash = strrchr(f.live, '/');
	int rc;

	if (slash == NULL || snprintf(f.dir, sizeof f.dir, "%.*s/.follow", (int)(slash - f.live), f.live) >= (int)sizeof f.dir) {
		msg_err(f.live, "not a path from / on, or too long");
		return STATE_UNKNOWN;
	}
	snprintf(f.path, sizeof f.path, "%s/newest.db", f.dir);
	rc = judge(&f);
	json_free(f.record);
	return rc;
}

static const struct option_row options[] = { CHECK_OPTIONS(form, "host") };

static const struct command command = {
	.usage = "[--json | --as ID | --shell]",
	.about = "May the state that was followed, .follow/newest.db beside the database, take the\n"
		 "place of the nightly copy now?",
	.options = options,
	.operands = { 0, 0, "no operand is taken", NULL },
	.after = CHECK_STATUSES "\nSettings come from the environment and /etc/ctv-db-sync.env, ctv-db-sync.env(5).",
	.check = true,
};

int main(int argc, char **argv)
{
	int rc;

	msg_init(argv[0]);
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	rc = config_load() == EX_OK && setting_check() == EX_OK ? look() : shell_end(&form.shell, STATE_UNKNOWN);
	setting_free();
	config_free();
	return rc;
}
