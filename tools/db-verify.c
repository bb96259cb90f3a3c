/*
 * db-verify - is this file a whole, uncorrupted, plausible SQLite database
 *
 *	db-verify [-l header|quick|full] [--min-size SIZE] [--table NAME[:MINROWS]]... [--hash HEX]
 *	          [--timeout DURATION] [-j N] [--json | --as ID | --shell] [--append FILE] DB...
 *
 * A check: one line for each DB, the exit status of the worst. The file is never written, locked or
 * trusted, and no journal beside it is played into it. A file that could not be judged is not OK.
 */
#include "lib/std.h"

#include <inttypes.h>
#include <sched.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/option.h"
#include "lib/sqlite/untrusted.h"
#include "lib/sqlite/verify.h"
#include "lib/stop.h"

#define TABLES_MAX 256
#define JOBS_MAX 64
#define SQLITE_MEMORY (UINT64_C(40) << 20)	/* of the 64 MiB that the manual promises */

static const char *const levels[] = {
	[DBCHECK_HEADER] = "header", [DBCHECK_QUICK] = "quick", [DBCHECK_FULL] = "full", NULL,
};

static int level = DBCHECK_QUICK;
static int64_t timeout_ms = -1;		/* -1: none */
static uint64_t jobs;			/* 0: the processors */
static struct dbcheck_table tables[TABLES_MAX];
static struct dbcheck_options wanted = {
	.tables = tables, .deadline_ms = INT64_MAX, .progress = PROGRESS_TERMINAL,
};
static const char *const names[] = {
	CHECK_NAMES, "level", "ok", "pages", "page_size", "size_bytes", "content_hash", "seconds", "errors",
	"not_judged", "not_judged_count", NULL,
};
static struct check_form form = { .shell.names = names };

/* not_judged: the objects of a sound file that this check could not judge, each with the reason. */
static void add_not_judged(struct check *c, const struct dbcheck_report *r)
{
	static const char *const members[] = { "object", "why" };

	check_list(c, "not_judged");
	for (uint64_t i = 0; i < r->not_judged_count && i < DBCHECK_NOT_JUDGED; i++) {
		const char *texts[] = { r->not_judged[i].object, r->not_judged[i].why };

		check_item(c, members, texts, 2);
	}
	check_list_end(c);
	check_int(c, "not_judged_count", (int64_t)r->not_judged_count);
}

static int answer(const char *path, const struct dbcheck_report *r)
{
	const char *word = levels[level];
	char seconds[32], number[32];
	struct check c;

	check_init(&c, "DBVERIFY", path, &form);
	snprintf(seconds, sizeof seconds, "%" PRId64 ".%03d", r->spent_ms / 1000, (int)(r->spent_ms % 1000));
	check_perf(&c, "time", seconds, "s", ";;0");
	snprintf(number, sizeof number, "%" PRIu64, r->errors);
	check_perf(&c, "errors", number, "", ";0;0");
	snprintf(number, sizeof number, "%" PRIu64, r->size);
	check_perf(&c, "size", number, "B", ";;0");

	check_text(&c, "level", word);
	check_bool(&c, "ok", r->state == STATE_OK);
	check_int(&c, "pages", r->pages);
	check_int(&c, "page_size", r->page_size);
	check_int(&c, "size_bytes", (int64_t)r->size);
	check_text(&c, "content_hash", r->hash[0] != '\0' ? r->hash : NULL);
	check_number(&c, "seconds", seconds);
	check_int(&c, "errors", (int64_t)r->errors);
	add_not_judged(&c, r);

	if (r->state == STATE_OK)
		return check_done(&c, STATE_OK, "%s: %s, %" PRIu32 " pages, 0 errors, %.1f s", path, word,
				  r->pages, (double)r->spent_ms / 1000);
	if (r->errors > 1)
		return check_done(&c, r->state, "%s: %s; and %" PRIu64 " more errors (%s)", path, r->text,
				  r->errors - 1, word);
	if (r->state == STATE_WARNING && r->not_judged_count > 1)
		return check_done(&c, r->state, "%s: %s; and %" PRIu64 " more that were not judged (%s)", path, r->text,
				  r->not_judged_count - 1, word);
	return check_done(&c, r->state, "%s: %s (%s)", path, r->text, word);
}

/* NAME[:MINROWS]; a name may hold colons, so only digits after the last one are a number. */
static const char *add_table(const char *text, void *to)
{
	struct dbcheck_table *t = &tables[wanted.table_count];
	char *name, *colon;

	(void)to;
	if (wanted.table_count == TABLES_MAX)
		return "too many tables";
	name = strdup(text);
	if (name == NULL)
		return "out of memory";
	*t = (struct dbcheck_table){ .name = name };
	colon = strrchr(name, ':');
	if (colon != NULL && num_u64(colon + 1, 0, INT64_MAX, &t->min_rows) != NULL)
		return "the number of rows is wrong";
	if (colon != NULL)
		*colon = '\0';
	if (*name == '\0')
		return "no name";
	wanted.table_count++;
	return NULL;
}

static const char *take_hash(const char *text, void *to)
{
	wanted.hash = text;
	(void)to;
	return hash_valid(text) ? NULL : "not a content_hash (64 lower-case hex digits)";
}

static unsigned processors(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;

	return n < 1 ? 1 : n > JOBS_MAX ? JOBS_MAX : (unsigned)n;
}

static const struct option_row options[] = {
	{ 'l', "level", "LEVEL", option_choice, &(struct option_words){ &level, levels },
	  "header: the first 100 bytes and the size\nquick: every page and row (default)\n"
	  "full: indexes against tables and uniqueness as well" },
	{ 0, "min-size", "SIZE", option_size, &wanted.min_size, "CRITICAL when smaller" },
	{ 0, "table", "NAME[:ROWS]", add_table, NULL, "CRITICAL without this table, or with fewer rows" },
	{ 0, "hash", "HEX", take_hash, NULL, "CRITICAL when the content_hash is another one" },
	{ 0, "timeout", "DURATION", option_duration, &timeout_ms, "give up after so long (UNKNOWN)" },
	{ 'j', "jobs", "N", option_number, &(struct option_range){ &jobs, 1, JOBS_MAX }, "threads (default: the processors)" },
	{ 0, "append", "FILE", option_text, &form.append, "append the JSON object to FILE, as a line" },
	{ 0, "progress", NULL, progress_always, &wanted.progress, "show progress also when standard error is no terminal" },
	{ 0, "no-progress", NULL, progress_never, &wanted.progress, "show none" },
	CHECK_OPTIONS(form, "DB")
};

static const struct command command = {
	.usage = "[-l LEVEL] [--min-size SIZE] [--table NAME[:MINROWS]]... [--hash HEX]\n"
		 " [--timeout DURATION] [-j N] [--json | --as ID | --shell]\n [--append FILE] DB...",
	.about = "Is DB a whole, uncorrupted, plausible SQLite database? DB must not change meanwhile.",
	.options = options,
	.after = "SIZE takes K, M, G or T, DURATION ms, s, m, h or d.\n" CHECK_STATUSES,
	.check = true,
};

int main(int argc, char **argv)
{
	enum state worst = STATE_OK;
	bool left_behind = false;
	int rc;

	msg_init(argv[0]);
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	if (optind == argc)
		return cli_usage("no DB given");
	if (argc - optind > 1 && check_form_is_of_one(&form))
		return cli_usage("--as and --shell are for one DB");
	wanted.level = (enum dbcheck_level)level;
	wanted.jobs = jobs != 0 ? (unsigned)jobs : processors();
	wanted.deadline_ms = timeout_ms >= 0 ? clock_ms() + timeout_ms : INT64_MAX;

	stop_init();
	untrusted_limit_memory(SQLITE_MEMORY);
	for (int i = optind; i < argc; i++) {
		struct dbcheck_report r;

		dbcheck(argv[i], &wanted, &r);
		worst = check_worse(worst, (enum state)answer(argv[i], &r));
		left_behind = left_behind || r.left_behind;
	}
	if (left_behind)
		_exit((int)worst);	/* nothing is cleaned up under a thread that runs */
	return (int)worst;
}
