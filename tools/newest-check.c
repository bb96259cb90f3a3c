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
#include <limits.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/check.h"
#include "lib/cli.h"
#include "lib/clock.h"
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
#include "lib/sqlite/followed.h"
#include "lib/sqlite/retire.h"

#define RECORD_MAX ((size_t)64 << 10)
#define FUTURE_S 60

static const char *const names[] = {
	CHECK_NAMES, "there", "usable", "half", "suspect", "old", "n", "epoch", "seq", "digest", "snapshot_at", "as_of", "as_of_on",
	"age_seconds", "behind", "clock", "serves", "target_on", "target_seconds", "live_n", "live_at", "live_on", "live_seconds", "prev_n", "prev_on", NULL,
};
static struct check_form form = { .shell.names = names };

struct finding {
	const char *live, *state;
	struct followed newest;
	const char *against_live;	/* what speaks against replacing the live one, NULL for nothing */
	char cause[128];		/* room for it */
	bool suspect;
	json *record;			/* of the installation */
	const json *entry;		/* what it knows of the live database; NULL: it is not as it was installed */
	struct headreg seen;
	int64_t as_of, behind;		/* up to when newest.db has all that was entered; states on record that it lacks */
	int64_t epoch;			/* of newest.db, or of the record that names it and what is installed */
};

/* ---- production.db ---- */

static const char *serves(const struct finding *f)
{
	return f->entry == NULL ? "other" : json_str(f->entry, "content_hash") != NULL ? "night" : "newest";
}

/*
 * A reason not to replace the live database, or NULL: only a file that the record knows, unchanged since it was installed, is
 * replaced; one that a person put there, or that the application wrote to, serves as it is.
 */
static const char *look_at_live(struct finding *f)
{
	int64_t n;
	struct stat st;

	f->record = installed_read(f->state);
	/* no live database: nothing speaks against replacing it */
	if (lstat(f->live, &st) != 0) {
		if (errno == ENOENT)
			return NULL;
		snprintf(f->cause, sizeof f->cause, "cannot be reached: %s", strerror(errno));
		return f->cause;
	}
	if (!S_ISREG(st.st_mode))
		return "is not a regular file";
	if (f->record == NULL)
		return "has no record of its installation";
	if (retire_has_side_files(f->live))
		return "has files of an application beside it";
	f->entry = installed_entry(f->record, &st);
	if (f->entry == NULL)
		return "was written to, or put there, since last night's copy was installed";
	if (!json_int(f->entry, "n", 0, INT64_C(1) << 53, &n))
		return "is of no known number in the chain of states";
	return strcmp(serves(f), "night") != 0 ? "was put there by an earlier failover" : NULL;
}

/* The last quick verification, made every six hours. One that did not come to its end does not count. */
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
		followed_against(&f->newest, "was found damaged by its last verification");
	json_free(record);
	buf_free(&text);
}

/* ---- newest.db against the live database and the head record as last seen ---- */

static void compare(struct finding *f)
{
	const struct head *h = &f->seen.head;
	const struct place *is = &f->newest.is;
	struct head_newest newest;
	char digest[PAGEHASH_TEXT];
	int64_t epoch, n;
	bool seen = headseen_load(&f->seen) == EX_OK && f->seen.exists;

	if (!f->newest.known)
		return;
	f->as_of = is->snapshot_at;
	f->epoch = is->epoch;
	if (!seen) {
		followed_against(&f->newest, "is held against no head record: none was seen here");
		return;
	}
	newest = head_newest(h);
	pagehash_text(digest, is->digest);
	if (is->n > newest.n || is->epoch > h->epoch || (is->n == newest.n && strcmp(digest, newest.digest) != 0))
		followed_against(&f->newest, "is not the state that the head record names");
	f->behind = newest.n > is->n ? newest.n - is->n : 0;
	/* the owner has looked since, and there was nothing newer */
	if (is->n == newest.n && h->confirmed_at > f->as_of)
		f->as_of = h->confirmed_at;
	f->suspect = h->suspect_n > 0 && h->suspect_n <= is->n;
	if (f->entry != NULL && json_int(f->entry, "n", 0, INT64_C(1) << 53, &n) &&
	    json_int(f->entry, "epoch", 0, INT64_C(1) << 53, &epoch)) {
		/* The epoch of what is installed is that of the record then, which a failback raises without a new state; where this
		 * record names one of the two, they are of one chain, and n alone tells which is older. */
		if (epoch <= h->epoch && (is->n == newest.n || n == h->n))
			f->epoch = is->epoch > epoch ? is->epoch : epoch;
		if (f->epoch < epoch || (f->epoch == epoch && is->n <= n))
			followed_against(&f->newest, is->n == n ? "is the same state" : "is older");
	}
}

/* ---- the answer ---- */

/* Seconds since then. The clocks of two hosts differ a little, which counts as 0; a greater difference shows as a negative age. */
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

	check_bool(c, "there", f->newest.there);
	check_bool(c, "usable", f->newest.against[0] == '\0');
	check_bool(c, "half", f->newest.half);
	check_bool(c, "suspect", f->suspect);
	check_clock(c, &f->seen);
	if (!f->newest.known)
		return;
	num_duration(setting("max_age"), &most_ms);
	check_bool(c, "old", age > most_ms / 1000);
	check_int(c, "n", f->newest.is.n);
	check_int(c, "epoch", f->epoch);
	/* between two nights it has the number of the night */
	if (json_int(f->entry, "seq", 0, INT64_C(1) << 53, &seq))
		check_int(c, "seq", seq);
	check_text(c, "digest", pagehash_text(digest, f->newest.is.digest));
	check_text(c, "snapshot_at", clock_text(text, f->newest.is.snapshot_at));
	check_text(c, "as_of", clock_text(text, f->as_of));
	check_on(c, "as_of_on", f->as_of);
	check_int(c, "age_seconds", age);
	check_int(c, "behind", f->behind);
	if (f->newest.target_s > 0) {
		check_on(c, "target_on", f->newest.target.snapshot_at);
		check_int(c, "target_seconds", f->newest.target_s);
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
	uint64_t least = 0;
	struct check c;

	check_init(&c, "NEWEST", f->newest.path, &form);
	f->against_live = look_at_live(f);
	num_size(setting("min_size"), &least);
	followed_look(&f->newest, f->state, least);
	if (f->newest.there)
		look_at_verification(f);
	compare(f);
	tell_newest(&c, f);
	tell_live(&c, f);
	if (f->newest.against[0] != '\0')
		return check_done(&c, STATE_CRITICAL, "newest.db %s", f->newest.against);
	if (f->against_live != NULL)
		return check_done(&c, STATE_CRITICAL, "%s %s", strrchr(f->live, '/') + 1, f->against_live);
	if (f->suspect)
		return check_done(&c, STATE_WARNING, "newest.db, state %lld, is suspect: %s", (long long)f->newest.is.n,
				  f->seen.head.suspect_why);
	num_duration_text(age, llabs((long long)(clock_wall() - f->as_of)) * 1000);
	return check_done(&c, STATE_OK, "newest.db is state %lld of %s, known to be the newest %s %s", (long long)f->newest.is.n,
			  clock_text(at, f->newest.is.snapshot_at), age, clock_wall() < f->as_of ? "from now" : "ago");
}

static int look(void)
{
	struct finding f = { .live = setting("live"), .state = setting("state") };
	int rc;

	if (!followed_names(&f.newest, f.live)) {
		msg_err(f.live, "not a path from / on, or too long");
		return STATE_UNKNOWN;
	}
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
