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

#include <getopt.h>
#include <inttypes.h>
#include <sched.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/sqlite/verify.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/stop.h"
#include "lib/sqlite/untrusted.h"

#define TABLES_MAX 256
#define JOBS_MAX 64
#define SQLITE_MEMORY (UINT64_C(40) << 20)	/* of the 64 MiB that the manual promises */

static const char *const levels[] = {
	[DBCHECK_HEADER] = "header", [DBCHECK_QUICK] = "quick", [DBCHECK_FULL] = "full",
};

static struct dbcheck_table tables[TABLES_MAX];
static struct dbcheck_options wanted = {
	.level = DBCHECK_QUICK, .tables = tables, .deadline_ms = INT64_MAX, .progress = PROGRESS_TERMINAL,
};
static const char *const names[] = {
	CHECK_NAMES, "level", "ok", "pages", "page_size", "size_bytes", "content_hash", "seconds", "errors",
	"not_judged", "not_judged_count", NULL,
};
static struct check_form form = { .shell.names = names };

/* What a sound file holds that was not judged. */
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
	const char *level = levels[wanted.level];
	char seconds[32], number[32];
	struct check c;

	check_init(&c, "DBVERIFY", path, &form);
	snprintf(seconds, sizeof seconds, "%" PRId64 ".%03d", r->spent_ms / 1000, (int)(r->spent_ms % 1000));
	check_perf(&c, "time", seconds, "s", ";;0");
	snprintf(number, sizeof number, "%" PRIu64, r->errors);
	check_perf(&c, "errors", number, "", ";0;0");
	snprintf(number, sizeof number, "%" PRIu64, r->size);
	check_perf(&c, "size", number, "B", ";;0");

	check_text(&c, "level", level);
	check_bool(&c, "ok", r->state == STATE_OK);
	check_int(&c, "pages", r->pages);
	check_int(&c, "page_size", r->page_size);
	check_int(&c, "size_bytes", (int64_t)r->size);
	check_text(&c, "content_hash", r->hash[0] != '\0' ? r->hash : NULL);
	check_number(&c, "seconds", seconds);
	check_int(&c, "errors", (int64_t)r->errors);
	add_not_judged(&c, r);

	if (r->state == STATE_OK)
		return check_done(&c, STATE_OK, "%s: %s, %" PRIu32 " pages, 0 errors, %.1f s", path, level,
				  r->pages, (double)r->spent_ms / 1000);
	if (r->errors > 1)
		return check_done(&c, r->state, "%s: %s; and %" PRIu64 " more errors (%s)", path, r->text,
				  r->errors - 1, level);
	if (r->state == STATE_WARNING && r->not_judged_count > 1)
		return check_done(&c, r->state, "%s: %s; and %" PRIu64 " more that were not judged (%s)", path, r->text,
				  r->not_judged_count - 1, level);
	return check_done(&c, r->state, "%s: %s (%s)", path, r->text, level);
}

/* NAME[:MINROWS]; a name may hold colons, so only digits after the last one are a number. */
static const char *add_table(char *arg)
{
	struct dbcheck_table *t = &tables[wanted.table_count];
	char *colon = strrchr(arg, ':');

	if (wanted.table_count == TABLES_MAX)
		return "too many tables";
	*t = (struct dbcheck_table){ .name = arg };
	if (colon != NULL) {
		const char *why = num_u64(colon + 1, 0, INT64_MAX, &t->min_rows);

		if (why != NULL)
			return "the number of rows is wrong";
		*colon = '\0';
	}
	if (arg[0] == '\0')
		return "no name";
	wanted.table_count++;
	return NULL;
}

static const char *set_level(const char *arg)
{
	for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
		if (strcmp(arg, levels[i]) == 0) {
			wanted.level = (enum dbcheck_level)i;
			return NULL;
		}
	}
	return "not header, quick or full";
}

static unsigned processors(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;

	return n < 1 ? 1 : n > JOBS_MAX ? JOBS_MAX : (unsigned)n;
}

static const char help[] =
	"usage: db-verify [-l LEVEL] [--min-size SIZE] [--table NAME[:MINROWS]]... [--hash HEX]\n"
	"                 [--timeout DURATION] [-j N] [--json | --as ID | --shell]\n"
	"                 [--append FILE] DB...\n"
	"Is DB a whole, uncorrupted, plausible SQLite database? DB must not change meanwhile.\n"
	"\n"
	"  -l, --level LEVEL        header: the first 100 bytes and the size\n"
	"                           quick: every page and row (default)\n"
	"                           full: indexes against tables and uniqueness as well\n"
	"      --min-size SIZE      CRITICAL when smaller\n"
	"      --table NAME[:ROWS]  CRITICAL without this table, or with fewer rows\n"
	"      --hash HEX           CRITICAL when the content_hash is another one\n"
	"      --timeout DURATION   give up after so long (UNKNOWN)\n"
	"  -j, --jobs N             threads (default: the processors)\n"
	"      --json               a JSON object for each DB, one a line\n"
	"      --append FILE        append it to FILE, as a line\n"
	"      --as ID              the same, beginning with this id; of one DB\n"
	"      --shell[=PREFIX]     assignments for a shell; of one DB\n"
	"      --progress           show progress also when standard error is no terminal\n"
	"      --no-progress        show none\n"
	"  -v, --verbose            narrate on standard error, every finding included\n"
	"  -h, --help               this text\n"
	"  -V, --version            the version\n"
	"\n"
	"SIZE takes K, M, G or T, DURATION ms, s, m, h or d.\n"
	"Exit status: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.\n";

int main(int argc, char **argv)
{
	enum { MIN_SIZE = 256, TABLE, HASH, TIMEOUT, JSON, APPEND, AS, SHELL, PROGRESS, NO_PROGRESS };
	static const struct option options[] = {
		{ "level", required_argument, NULL, 'l' },
		{ "min-size", required_argument, NULL, MIN_SIZE },
		{ "table", required_argument, NULL, TABLE },
		{ "hash", required_argument, NULL, HASH },
		{ "timeout", required_argument, NULL, TIMEOUT },
		{ "jobs", required_argument, NULL, 'j' },
		{ "json", no_argument, NULL, JSON },
		{ "append", required_argument, NULL, APPEND },
		{ "as", required_argument, NULL, AS },
		{ "shell", optional_argument, NULL, SHELL },
		{ "progress", no_argument, NULL, PROGRESS },
		{ "no-progress", no_argument, NULL, NO_PROGRESS },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	enum state worst = STATE_OK;
	int64_t timeout_ms;
	uint64_t jobs = processors();
	bool left_behind = false;
	const char *why;
	int c;

	msg_init(argv[0]);
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":l:j:vhV", options, NULL)) != -1) {
		why = NULL;
		switch (c) {
		case 'l':
			why = set_level(optarg);
			break;
		case MIN_SIZE:
			why = num_size(optarg, &wanted.min_size);
			break;
		case TABLE:
			why = add_table(optarg);
			break;
		case HASH:
			why = hash_valid(optarg) ? NULL : "not a content_hash (64 lower-case hex digits)";
			wanted.hash = optarg;
			break;
		case TIMEOUT:
			why = num_duration(optarg, &timeout_ms);
			wanted.deadline_ms = why == NULL ? clock_ms() + timeout_ms : INT64_MAX;
			break;
		case 'j':
			why = num_u64(optarg, 1, JOBS_MAX, &jobs);
			break;
		case JSON:
			form.json = true;
			break;
		case APPEND:
			form.append = optarg;
			break;
		case AS:
			form.json = true;
			form.id = optarg;
			break;
		case SHELL:
			why = shell_ask(&form.shell, optarg);
			break;
		case PROGRESS:
			wanted.progress = PROGRESS_ALWAYS;
			break;
		case NO_PROGRESS:
			wanted.progress = PROGRESS_NEVER;
			break;
		case 'v':
			msg_verbose = true;
			break;
		case 'h':
			return cli_help(help);
		case 'V':
			return cli_version();
		default:
			cli_bad_option(c, argv);
			return STATE_UNKNOWN;
		}
		if (why != NULL)
			return cli_check_usage("%s: %s", optarg, why);
	}
	if (optind == argc)
		return cli_check_usage("no DB given");
	if (argc - optind > 1 && (form.id != NULL || shell_asked(&form.shell)))
		return cli_check_usage("--as and --shell are for one DB");
	wanted.jobs = (unsigned)jobs;

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
