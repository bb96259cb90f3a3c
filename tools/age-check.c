/*
 * age-check - how old is the data in a file
 *
 *	age-check [-w DURATION] [-c DURATION] [--time-of OTHER | --any-age]
 *		[--min-size SIZE] [--json | --as ID | --shell] FILE...
 *
 * The age is that of the modification time, which dbx-fetch and db-install set to the time of the
 * snapshot: a copy made today of last week's data is a week old. A database that serves gets a new time with every
 * write, but no newer data: its time from before is then that of another file. No file is opened. What is not known is
 * never OK: a missing file and a time in the future are CRITICAL, a file that cannot be reached is
 * UNKNOWN. The exit status is that of the worst file. Links libc alone.
 */
#include "lib/std.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/option.h"
#include "lib/settingtable.h"

/* Clocks of two hosts differ a little; more than this is a clock that nobody should believe. */
#define FUTURE_MS INT64_C(60000)

static int64_t warning_ms = DATA_LATE_H * INT64_C(3600000);
static int64_t critical_ms = DATA_OLD_H * INT64_C(3600000);
static const char *time_of;	/* the file with the time, or NULL */
static uint64_t min_size;
static bool any_age;
static const char *const names[] = {
	CHECK_NAMES, "age_seconds", "age_text", "data_at", "data_on", "size_bytes", "size_text",
	 "warn_seconds", "crit_seconds", NULL,
};
static struct check_form form = { .shell.names = names };

struct finding {
	const char *path;
	enum state state;
	bool known, dated;	/* the size is; age and time are */
	int64_t age_ms, data_at, size;
	char text[1024];
};

/* Milliseconds from t to now; a file system may hold any 64-bit time, 200 million years are enough. */
static int64_t age_of(const struct timespec *t)
{
	int64_t most = INT64_C(1) << 52, s = t->tv_sec < -most ? -most : t->tv_sec > most ? most : t->tv_sec;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return ((int64_t)now.tv_sec - s) * 1000 + (now.tv_nsec - t->tv_nsec) / 1000000;
}

static void PRINTF_LIKE(3, 4) find(struct finding *f, enum state state, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->text, sizeof f->text, fmt, ap);
	va_end(ap);
	f->state = state;
}

static void set_age(struct finding *f, const struct stat *st)
{
	f->dated = true;
	f->age_ms = age_of(&st->st_mtim);
	f->data_at = (int64_t)st->st_mtim.tv_sec;
}

/* The file that has the time instead, where there is one. False when that is not known. */
static bool look_at_time(struct finding *f)
{
	struct stat st;

	if (time_of == NULL || (stat(time_of, &st) != 0 && errno == ENOENT))
		return true;
	if (stat(time_of, &st) != 0) {
		find(f, STATE_UNKNOWN, "%s cannot be reached: %s", time_of, strerror(errno));
		return false;
	}
	set_age(f, &st);
	return true;
}

static void judge(struct finding *f)
{
	char age[NUM_TEXT], size[NUM_TEXT], least[NUM_TEXT], at[CLOCK_TEXT], target[PATH_MAX], name[800];
	struct stat st, link;

	snprintf(name, sizeof name, "%s", f->path);
	if (!look_at_time(f))
		return;
	if (stat(f->path, &st) != 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			find(f, STATE_CRITICAL, "%s is missing", name);
		else
			find(f, STATE_UNKNOWN, "%s cannot be reached: %s", name, strerror(errno));
		return;
	}
	if (!S_ISREG(st.st_mode)) {
		find(f, STATE_CRITICAL, "%s is not a regular file", name);
		return;
	}
	if (lstat(f->path, &link) == 0 && S_ISLNK(link.st_mode) && realpath(f->path, target) != NULL)
		snprintf(name, sizeof name, "%.390s -> %.390s", f->path, target);

	f->known = true;
	if (!f->dated)
		set_age(f, &st);
	f->size = (int64_t)st.st_size;
	msg_info("%s: modified at %lld s, %lld ms ago", name, (long long)f->data_at, (long long)f->age_ms);
	clock_text(at, f->data_at);
	num_size_text(size, (uint64_t)f->size);
	if ((uint64_t)f->size < min_size) {
		find(f, STATE_CRITICAL, "%s has %s, at least %s are wanted", name, size, num_size_text(least, min_size));
		return;
	}
	if (any_age) {
		find(f, STATE_OK, "%s has %s%s%s", name, size, min_size > 0 ? ", at least " : "",
		     min_size > 0 ? num_size_text(least, min_size) : "");
		return;
	}
	if (f->age_ms < -FUTURE_MS) {
		find(f, STATE_CRITICAL, "clock: %s is %s in the future (%s), %s", name,
		     num_duration_text(age, -f->age_ms), at, size);
		return;
	}
	if (f->age_ms < 0)
		f->age_ms = 0;
	find(f, f->age_ms > critical_ms ? STATE_CRITICAL : f->age_ms > warning_ms ? STATE_WARNING : STATE_OK,
	     "%s is %s old (%s), %s", name, num_duration_text(age, f->age_ms), at, size);
}

/* `'age'=50580s;93600;129600;0 'size'=1503236096B;;;0`; of several files the labels are numbered. */
static void add_perf(struct check *c, const struct finding *f, int number)
{
	char age[16] = "age", size[16] = "size", value[24] = "U", limits[64];

	if (number > 0) {
		snprintf(age, sizeof age, "age%d", number);
		snprintf(size, sizeof size, "size%d", number);
	}
	snprintf(limits, sizeof limits, "%lld;%lld;0", (long long)warning_ms / 1000, (long long)critical_ms / 1000);
	/* U: the contract's word for a value that is not known */
	if (f->dated)
		snprintf(value, sizeof value, "%lld", (long long)f->age_ms / 1000);
	check_perf(c, age, value, f->dated ? "s" : "", limits);
	snprintf(value, sizeof value, "U");
	if (f->known)
		snprintf(value, sizeof value, "%lld", (long long)f->size);
	check_perf(c, size, value, f->known ? "B" : "", ";;0");
}

static int print_fields(const struct finding *f)
{
	char age[NUM_TEXT] = "", at[CLOCK_TEXT] = "", on[64] = "", size[NUM_TEXT] = "";
	struct check c;
	struct tm tm;

	check_init(&c, "AGE", f->path, &form);
	if (f->dated) {
		num_duration_text(age, f->age_ms);
		clock_text(at, f->data_at);
		if (localtime_r(&(time_t){ f->data_at }, &tm) != NULL)
			strftime(on, sizeof on, "%a %d %b, %H:%M", &tm);
		check_int(&c, "age_seconds", f->age_ms / 1000);
	} else {
		check_text(&c, "age_seconds", NULL);
	}
	if (f->known) {
		num_size_text(size, (uint64_t)f->size);
		check_int(&c, "size_bytes", f->size);
	} else {
		check_text(&c, "size_bytes", NULL);
	}
	check_text(&c, "age_text", f->dated ? age : NULL);
	check_text(&c, "data_at", f->dated ? at : NULL);
	check_text(&c, "data_on", f->dated ? on : NULL);
	check_text(&c, "size_text", f->known ? size : NULL);
	check_int(&c, "warn_seconds", warning_ms / 1000);
	check_int(&c, "crit_seconds", critical_ms / 1000);
	return check_done(&c, f->state, "%s", f->text);
}

/* The contract wants one line for all: the worst first, because a long line may be cut. */
static int print_line(const struct finding *found, int count, enum state worst)
{
	static const enum state order[] = { STATE_CRITICAL, STATE_WARNING, STATE_UNKNOWN, STATE_OK };
	struct buf text = BUF_INIT(1 << 20);
	struct check c;
	int rc;

	check_init(&c, "AGE", found[0].path, &form);
	for (size_t o = 0; o < sizeof order / sizeof *order; o++) {
		for (int i = 0; i < count; i++) {
			if (found[i].state != order[o])
				continue;
			buf_adds(&text, text.len > 0 ? "; " : "");
			buf_adds(&text, found[i].text);
		}
	}
	for (int i = 0; i < count; i++)
		add_perf(&c, &found[i], count > 1 ? i + 1 : 0);
	rc = check_done(&c, worst, "%s", buf_text(&text));
	buf_free(&text);
	return rc;
}

static int check_files(char **paths, int count)
{
	struct finding *found = calloc((size_t)count, sizeof *found);
	enum state worst = STATE_OK;

	if (found == NULL) {
		msg_err(NULL, "out of memory");
		return STATE_UNKNOWN;
	}
	for (int i = 0; i < count; i++) {
		found[i].path = paths[i];
		judge(&found[i]);
		worst = check_worse(worst, found[i].state);
	}
	if (!form.json && !shell_asked(&form.shell))
		worst = (enum state)print_line(found, count, worst);
	else
		for (int i = 0; i < count; i++)
			worst = check_worse(worst, (enum state)print_fields(&found[i]));
	free(found);
	return (int)worst;
}

static const struct option_row options[] = {
	{ 'w', "warning", "DURATION", option_duration, &warning_ms, "WARNING when older (default 26h)" },
	{ 'c', "critical", "DURATION", option_duration, &critical_ms, "CRITICAL when older (default 36h)" },
	{ 0, "time-of", "OTHER", option_text, &time_of, "the time is that of OTHER, where that is there; of one FILE" },
	{ 0, "any-age", NULL, option_flag, &any_age, "OK whatever the age: is it there, and large enough?" },
	{ 0, "min-size", "SIZE", option_size, &min_size, "CRITICAL when smaller" },
	CHECK_OPTIONS(form, "FILE")
};

static const struct command command = {
	.usage = "[-w DURATION] [-c DURATION] [--time-of OTHER | --any-age]\n"
		 "          [--min-size SIZE] [--json | --as ID | --shell] FILE...",
	.about = "How old is the data in FILE, by its modification time.",
	.options = options,
	.operands = { 1, OPERANDS_ANY, "no FILE given", NULL },
	.after = "DURATION is digits and ms, s, m, h or d. " CHECK_STATUSES,
	.check = true,
};

int main(int argc, char **argv)
{
	int rc;

	msg_init(argv[0]);
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	if (warning_ms > critical_ms)
		return cli_usage("-w is longer than -c: CRITICAL would come before WARNING");
	if (argc - optind > 1 && (time_of != NULL || check_form_is_of_one(&form)))
		return cli_usage("--as, --shell and --time-of are for one FILE");
	return check_files(argv + optind, argc - optind);
}
