/*
 * http-probe - does each URL answer as it should?
 *
 *	http-probe [-w DURATION] [-c DURATION] [-t DURATION] [--connect-timeout DURATION]
 *		[--wait DURATION [--interval DURATION] [--stable N]]
 *		[--status LIST] [--expect CONDITION]... [--newer-than DURATION --pointer POINTER] [--match TEXT]
 *		[--if-absent URL] [--json | --as ID | --shell] URL...
 *	http-probe --pages LIST [options] URL
 *
 * One GET for each, in their order, or with --wait one after the other until it is up; with --pages for each
 * page below URL of which the list expects something. Only 200 is good
 * unless --status says otherwise: a 206 of a degraded application, a redirect to a login page are not.
 * The time is bounded, the name lookup included, and so is the size of the body; no redirect is followed
 * and nothing is remembered: each try is a connection of its own.
 */
#include "lib/std.h"

#include <unistd.h>

#include "lib/check.h"
#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/http.h"
#include "lib/msg.h"
#include "lib/option.h"
#include "lib/probe.h"
#include "lib/stop.h"

#define EXPECT_MOST 32
#define NOT_SAID (-1)		/* of an option for which 0 is a value */
#define INTERVAL_MS 250

static struct expectation expects[EXPECT_MOST];
static struct expect_pages pages;	/* of --pages; count 0: not said */
static struct probe want = {
	.try_ms = 10000, .statuses = "200", .expects = expects,
	.warning_ms = INT64_MAX, .critical_ms = INT64_MAX, .newer_ms = NOT_SAID,
};
static int64_t wait_ms;			/* until it is up; 0: one try */
static int64_t interval_ms = NOT_SAID;	/* between the end of a try and the next one */
static const char *other;		/* looked at instead where the answer is 404; NULL: nothing */
static bool want_nobody;		/* good is what takes no connection */
static uint64_t stable;			/* good tries in a row; 0: not said */
static const char *const names[] = {
	CHECK_NAMES, "http_status", "connected", "latency_ms", "connect_ms", "first_byte_ms", "size_bytes", "tries",
	"waited_ms", "age_seconds", NULL,
};
static struct check_form form = { .shell.names = names };

/* Tries until it is up so many times in a row; the last try is in f. Returns the number of tries. */
static int64_t wait_until_up(int64_t until_ms, struct probe_finding *f)
{
	char text[sizeof f->text];
	int64_t tries = 0;
	uint64_t good = 0;

	do {
		if (tries++ > 0)
			clock_sleep(interval_ms);
		probe_once(&want, until_ms, f);
		good = probe_is_up(f) ? good + 1 : 0;
		if (good == stable || stop_asked())
			return tries;
	} while (clock_ms() + interval_ms < until_ms);
	if (good > 0) {
		snprintf(text, sizeof text, "%s", f->text);
		snprintf(f->text, sizeof f->text, "up, but not %llu times in a row; last: %.400s",
			 (unsigned long long)stable, text);
		f->state = STATE_CRITICAL;
	}
	return tries;
}

/* Seconds in decimal, as perfdata wants them; nothing for a limit that there is not. */
static const char *seconds(char text[32], int64_t us)
{
	snprintf(text, 32, "%lld.%06lld", (long long)us / 1000000, (long long)us % 1000000);
	return text;
}

static const char *limit(char text[32], int64_t ms)
{
	*text = '\0';
	return ms == INT64_MAX ? text : seconds(text, ms * 1000);
}

static int answer(const struct probe_finding *f, int64_t tries, int64_t waited_ms)
{
	char number[32], warning[32], critical[32], limits[80], took[64] = "";
	struct check c;

	check_init(&c, "HTTP", want.url, &form);
	snprintf(limits, sizeof limits, "%s;%s;0", limit(warning, want.warning_ms),
		 limit(critical, want.critical_ms));
	check_perf(&c, "time", seconds(number, f->total_us), "s", limits);
	check_perf(&c, "connect", seconds(number, f->connect_us), "s", ";;0");
	check_perf(&c, "firstbyte", seconds(number, f->first_byte_us), "s", ";;0");
	snprintf(number, sizeof number, "%llu", (unsigned long long)f->body_bytes);
	check_perf(&c, "size", number, "B", ";;0");
	snprintf(number, sizeof number, "%lld", (long long)tries);
	check_perf(&c, "tries", number, "", ";;1");
	check_int(&c, "http_status", f->status);
	check_bool(&c, "connected", f->connect_us > 0);
	check_int(&c, "latency_ms", f->total_us / 1000);
	check_int(&c, "connect_ms", f->connect_us / 1000);
	check_int(&c, "first_byte_ms", f->first_byte_us / 1000);
	check_int(&c, "size_bytes", (int64_t)f->body_bytes);
	check_int(&c, "tries", tries);
	check_int(&c, "waited_ms", waited_ms);
	if (f->dated)
		check_int(&c, "age_seconds", f->age_s);
	else
		check_text(&c, "age_seconds", NULL);
	if (wait_ms > 0)
		snprintf(took, sizeof took, " (%lld %s, %.1f s)", (long long)tries,
			 tries == 1 ? "try" : "tries", (double)waited_ms / 1000);
	return check_done(&c, f->state, "%s %s%s", want.url, f->text, took);
}

/* The last look at a URL; how many tries there were and how long they took, for the answer. */
struct looked {
	struct probe_finding f;
	int64_t tries, waited_ms;
};

static void look(struct looked *l)
{
	int64_t begun = clock_ms();

	l->tries = 1;
	if (want_nobody) {
		probe_once(&want, INT64_MAX, &l->f);
		l->f.state = l->f.connect_us > 0 ? STATE_CRITICAL : STATE_OK;
		snprintf(l->f.text, sizeof l->f.text, l->f.connect_us > 0 ? "somebody listens there" : "nobody listens there");
	} else if (wait_ms > 0) {
		l->tries = wait_until_up(begun + wait_ms, &l->f);
	} else {
		probe_once(&want, INT64_MAX, &l->f);
		if (l->f.status == 404 && other != NULL) {
			want.url = other;
			probe_once(&want, INT64_MAX, &l->f);
		}
	}
	l->waited_ms = clock_ms() - begun;
}

/* A line for each; returns how it is with the worst of them. */
static int probe_all(char **urls)
{
	enum state worst = STATE_OK;
	struct looked l;

	for (; *urls != NULL; urls++) {
		want.url = *urls;
		look(&l);
		worst = check_worse(worst, (enum state)answer(&l.f, l.tries, l.waited_ms));
	}
	return (int)worst;
}

/*
 * The same of each page, which is got once for all that the list has of it in a row. A shell is told of one: the first of
 * the worst.
 */
static int probe_pages(const char *base)
{
	size_t base_len = strlen(base);
	struct looked l, told = { .tries = 0 };
	enum state worst = STATE_OK;
	char url[2 * EXPECT_PATH_MOST + 2], told_url[sizeof url];

	if (base_len > 0 && base[base_len - 1] == '/')
		base_len--;
	want.url = url;
	for (size_t i = 0; i < pages.count; i += want.expect_count) {
		want.expects = &pages.wants[i];
		want.expect_count = 1;
		while (i + want.expect_count < pages.count && strcmp(pages.paths[i], pages.paths[i + want.expect_count]) == 0)
			want.expect_count++;
		snprintf(url, sizeof url, "%.*s%s", (int)base_len, base, pages.paths[i]);
		look(&l);
		if (told.tries == 0 || check_worse(worst, l.f.state) != worst) {
			told = l;
			snprintf(told_url, sizeof told_url, "%s", url);
		}
		worst = check_worse(worst, l.f.state);
		if (!shell_asked(&form.shell))
			answer(&l.f, l.tries, l.waited_ms);
	}
	if (!shell_asked(&form.shell))
		return (int)worst;
	want.url = told_url;
	return answer(&told.f, told.tries, told.waited_ms);
}

/* --- the command line --- */

static const char *take_statuses(const char *text, void *to)
{
	*(const char **)to = text;
	return probe_listed(text, 0) < 0 ? "not a list such as 200,404 or 200-299" : NULL;
}

static const char *take_expectation(const char *text, void *to)
{
	char *own = strdup(text);
	const char *why = own == NULL ? "out of memory" : want.expect_count == EXPECT_MOST ? "too many" :
			  expect_parse(own, &expects[want.expect_count]);

	(void)to;
	if (why == NULL)
		want.expect_count++;
	else
		free(own);
	return why;
}

static const char *take_pages(const char *text, void *to)
{
	unsigned row = 0;
	const char *why = pages.count > 0 ? "is one list" : expect_pages_parse(text, &pages, &row);
	static char numbered[200];

	(void)to;
	if (why == NULL || row == 0)
		return why;
	snprintf(numbered, sizeof numbered, "number %u: %s", row, why);
	return numbered;
}

static const char *take_pointer(const char *text, void *to)
{
	*(const char **)to = text;
	return *text != '/' ? "not a JSON Pointer, such as /generated_at" : NULL;
}

static const struct option_row options[] = {
	{ 'w', "warning", "DURATION", option_duration, &want.warning_ms, "WARNING when the answer takes longer" },
	{ 'c', "critical", "DURATION", option_duration, &want.critical_ms, "CRITICAL when it takes longer" },
	{ 't', "timeout", "DURATION", option_positive, &want.try_ms, "give up a try after this (default 10s)" },
	{ 0, "connect-timeout", "DURATION", option_positive, &want.connect_ms, "give up its connection after this" },
	{ 0, "wait", "DURATION", option_positive, &wait_ms, "try again until it is up, so long at most" },
	{ 0, "interval", "DURATION", option_duration, &interval_ms, "pause between two tries (default 250ms)" },
	{ 0, "stable", "N", option_number, &(struct option_range){ &stable, 1, 1000 },
	  "up means N good tries in a row (default 1)" },
	{ 0, "status", "LIST", take_statuses, &want.statuses, "good statuses, such as 200,404 or 200-299 (default 200)" },
	{ 0, "expect", "CONDITION", take_expectation, NULL,
	  "PTR=VALUE, PTR!=VALUE, PTR<NUMBER or PTR>NUMBER: so the answer,\n"
	  "which is JSON, compares at the JSON Pointer PTR" },
	{ 0, "pages", "LIST", take_pages, NULL,
	  "the same of several pages below URL: PATH PTR=VALUE and so on,\n"
	  "between semicolons or on lines of their own" },
	{ 0, "newer-than", "DURATION", option_duration, &want.newer_ms, "the time at --pointer is not older, nor further ahead" },
	{ 0, "pointer", "PTR", take_pointer, &want.pointer, "where the answer, which is JSON, has that time" },
	{ 0, "match", "TEXT", option_text, &want.match, "the answer contains TEXT" },
	{ 0, "if-absent", "URL", option_text, &other, "look at this one instead where the answer is 404" },
	{ 0, "nobody", NULL, option_flag, &want_nobody, "good is only that nobody takes the connection" },
	CHECK_OPTIONS(form, "URL"),
};

static const struct command command = {
	.usage = "[options] URL...\n"
		 "--pages LIST [options] URL",
	.about = "One GET: does URL answer as it should? Or wait until it does. With several,\n"
		 "one after the other, a line for each, and the exit status of the worst.",
	.options = options,
	.operands = { 1, OPERANDS_ANY, "wants a URL", NULL },
	.after = "DURATION is digits and ms, s, m, h or d. " CHECK_STATUSES,
	.check = true,
};

int main(int argc, char **argv)
{
	const char *why;
	int rc;

	msg_init(argv[0]);
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	if (argc - optind > 1 && (form.id != NULL || shell_asked(&form.shell)))
		return cli_usage("--as and --shell are for one URL");
	if (other != NULL && (argc - optind > 1 || wait_ms > 0 || want_nobody || pages.count > 0))
		return cli_usage("--if-absent is for one URL, without --wait, --nobody and --pages");
	why = other == NULL ? NULL : http_url_wrong(other);
	if (why != NULL)
		return cli_usage("--if-absent: %s", why);
	for (int i = optind; i < argc; i++) {
		why = http_url_wrong(argv[i]);
		/* not repeated: it may hold a password */
		if (why != NULL)
			return cli_usage("URL %d: %s", i - optind + 1, why);
	}
	if (pages.count > 0 && (want.expect_count > 0 || want_nobody || form.id != NULL || argc - optind > 1))
		return cli_usage("--pages is for one URL, without --expect, --nobody and --as");
	if (pages.count > 0 && strlen(argv[optind]) > EXPECT_PATH_MOST)
		return cli_usage("URL is too long");
	if (want.warning_ms > want.critical_ms)
		return cli_usage("-w is longer than -c: CRITICAL would come before WARNING");
	if ((want.newer_ms == NOT_SAID) != (want.pointer == NULL))
		return cli_usage("--newer-than and --pointer go together");
	if (want_nobody && (wait_ms > 0 || want.expect_count > 0 || want.match != NULL || want.pointer != NULL))
		return cli_usage("--nobody has no answer: --wait, --expect and --match do not go with it");
	if (wait_ms == 0 && (interval_ms != NOT_SAID || stable > 0))
		return cli_usage("--interval and --stable are for --wait");
	interval_ms = interval_ms == NOT_SAID ? INTERVAL_MS : interval_ms;
	stable = stable == 0 ? 1 : stable;
	if (http_global_init() != 0) {
		msg_err(NULL, "out of memory");
		return STATE_UNKNOWN;
	}
	stop_init();
	return pages.count > 0 ? probe_pages(argv[optind]) : probe_all(argv + optind);
}
