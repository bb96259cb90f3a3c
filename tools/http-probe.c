/*
 * http-probe - does each URL answer as it should?
 *
 *	http-probe [-w DURATION] [-c DURATION] [-t DURATION] [--connect-timeout DURATION]
 *		[--wait DURATION [--interval DURATION] [--stable N]]
 *		[--status LIST] [--expect CONDITION]... [--newer-than DURATION --pointer POINTER] [--match TEXT]
 *		[--json | --as ID | --shell] URL...
 *
 * One GET for each, in their order, or with --wait one after the other until it is up. Only 200 is good
 * unless --status says otherwise: a 206 of a degraded application, a redirect to a login page are not.
 * Time is bounded with the name lookup included, and the body in size; nothing is followed and nothing
 * remembered: each try is a connection of its own.
 */
#include "lib/std.h"

#include <getopt.h>

#include "lib/check.h"
#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/http.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/probe.h"
#include "lib/stop.h"

#define EXPECT_MOST 32

static const char *expects[EXPECT_MOST];
static struct probe want = {
	.try_ms = 10000, .statuses = "200", .expects = expects,
	.warning_ms = INT64_MAX, .critical_ms = INT64_MAX,
};
static int64_t wait_ms;			/* until it is up; 0: one try */
static int64_t interval_ms = 250;	/* between the end of a try and the next one */
static bool want_nobody;		/* good is what takes no connection */
static uint64_t stable = 1;		/* good tries in a row */
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

static int probe(void)
{
	int64_t begun = clock_ms(), tries = 1;
	struct probe_finding f;

	if (want_nobody) {
		probe_once(&want, INT64_MAX, &f);
		f.state = f.connect_us > 0 ? STATE_CRITICAL : STATE_OK;
		snprintf(f.text, sizeof f.text, f.connect_us > 0 ? "somebody listens there" : "nobody listens there");
	} else if (wait_ms > 0) {
		tries = wait_until_up(begun + wait_ms, &f);
	} else {
		probe_once(&want, INT64_MAX, &f);
	}
	return answer(&f, tries, clock_ms() - begun);
}

/* A line for each; returns how it is with the worst of them. */
static int probe_all(char **urls)
{
	enum state worst = STATE_OK;

	for (; *urls != NULL; urls++) {
		want.url = *urls;
		worst = check_worse(worst, (enum state)probe());
	}
	return (int)worst;
}

/* A duration that is not 0. */
static const char *positive(const char *s, int64_t *ms)
{
	const char *why = num_duration(s, ms);

	return why == NULL && *ms == 0 ? "must be longer than 0" : why;
}

static const char help[] =
	"usage: http-probe [options] URL...\n"
	"One GET: does URL answer as it should? Or wait until it does. With several,\n"
	"one after the other, a line for each, and the exit status of the worst.\n"
	"\n"
	"  -w, --warning DURATION   WARNING when the answer takes longer\n"
	"  -c, --critical DURATION  CRITICAL when it takes longer\n"
	"  -t, --timeout DURATION   give up a try after this (default 10s)\n"
	"      --connect-timeout DURATION  give up its connection after this\n"
	"      --wait DURATION      try again until it is up, so long at most\n"
	"      --interval DURATION  pause between two tries (default 250ms)\n"
	"      --stable N           up means N good tries in a row (default 1)\n"
	"      --status LIST        good statuses, such as 200,404 or 200-299 (default 200)\n"
	"      --expect CONDITION   PTR=VALUE, PTR!=VALUE, PTR<NUMBER or PTR>NUMBER: so the answer,\n"
	"                           which is JSON, compares at the JSON Pointer PTR\n"
	"      --newer-than DURATION  the time at --pointer is not older, nor further ahead\n"
	"      --pointer PTR        where the answer, which is JSON, has that time\n"
	"      --match TEXT         the answer contains TEXT\n"
	"      --nobody             good is only that nobody takes the connection\n"
	"      --json               print one JSON object\n"
	"      --as ID              the same, beginning with this id; of one URL\n"
	"      --shell[=PREFIX]     assignments for a shell; of one URL\n"
	"  -v, --verbose            narrate on standard error\n"
	"  -h, --help               this text\n"
	"  -V, --version            the version\n"
	"\n"
	"DURATION is digits and ms, s, m, h or d. Exit status: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.\n";

int main(int argc, char **argv)
{
	enum { WAIT = 256, INTERVAL, STABLE, STATUS, EXPECT, NEWER, POINTER, MATCH, CONNECT, NOBODY, JSON, AS, SHELL };
	static const struct option options[] = {
		{ "warning", required_argument, NULL, 'w' },
		{ "critical", required_argument, NULL, 'c' },
		{ "timeout", required_argument, NULL, 't' },
		{ "connect-timeout", required_argument, NULL, CONNECT },
		{ "wait", required_argument, NULL, WAIT },
		{ "interval", required_argument, NULL, INTERVAL },
		{ "stable", required_argument, NULL, STABLE },
		{ "status", required_argument, NULL, STATUS },
		{ "expect", required_argument, NULL, EXPECT },
		{ "newer-than", required_argument, NULL, NEWER },
		{ "pointer", required_argument, NULL, POINTER },
		{ "match", required_argument, NULL, MATCH },
		{ "nobody", no_argument, NULL, NOBODY },
		{ "json", no_argument, NULL, JSON },
		{ "as", required_argument, NULL, AS },
		{ "shell", optional_argument, NULL, SHELL },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	const struct option *o;
	bool pace = false, newer = false;
	const char *why;
	int c;

	msg_init(argv[0]);
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":w:c:t:vhV", options, NULL)) != -1) {
		why = NULL;
		switch (c) {
		case 'w':
			why = num_duration(optarg, &want.warning_ms);
			break;
		case 'c':
			why = num_duration(optarg, &want.critical_ms);
			break;
		case 't':
			why = positive(optarg, &want.try_ms);
			break;
		case CONNECT:
			why = positive(optarg, &want.connect_ms);
			break;
		case WAIT:
			why = positive(optarg, &wait_ms);
			break;
		case INTERVAL:
			why = num_duration(optarg, &interval_ms);
			pace = true;
			break;
		case STABLE:
			why = num_u64(optarg, 1, 1000, &stable);
			pace = true;
			break;
		case STATUS:
			want.statuses = optarg;
			why = probe_listed(optarg, 0) < 0 ? "not a list such as 200,404 or 200-299" : NULL;
			break;
		case EXPECT:
			why = probe_expect_fault(optarg);
			if (why == NULL && want.expect_count == EXPECT_MOST)
				why = "too many";
			else if (why == NULL)
				expects[want.expect_count++] = optarg;
			break;
		case NEWER:
			why = num_duration(optarg, &want.newer_ms);
			newer = true;
			break;
		case POINTER:
			want.pointer = optarg;
			why = *optarg != '/' ? "not a JSON Pointer, such as /generated_at" : NULL;
			break;
		case MATCH:
			want.match = optarg;
			break;
		case NOBODY:
			want_nobody = true;
			break;
		case JSON:
			form.json = true;
			break;
		case AS:
			form.json = true;
			form.id = optarg;
			break;
		case SHELL:
			why = shell_ask(&form.shell, optarg);
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
		for (o = options; why != NULL && o->name != NULL; o++)
			if (o->val == c)
				return cli_check_usage("--%s %s: %s", o->name, optarg, why);
	}
	if (optind == argc)
		return cli_check_usage("wants a URL");
	if (argc - optind > 1 && (form.id != NULL || shell_asked(&form.shell)))
		return cli_check_usage("--as and --shell are for one URL");
	for (int i = optind; i < argc; i++) {
		why = http_url_wrong(argv[i]);
		/* not repeated: it may hold a password */
		if (why != NULL)
			return cli_check_usage("URL %d: %s", i - optind + 1, why);
	}
	if (want.warning_ms > want.critical_ms)
		return cli_check_usage("-w is longer than -c: CRITICAL would come before WARNING");
	if (newer != (want.pointer != NULL))
		return cli_check_usage("--newer-than and --pointer go together");
	if (want_nobody && (wait_ms > 0 || want.expect_count > 0 || want.match != NULL || newer))
		return cli_check_usage("--nobody has no answer: --wait, --expect and --match do not go with it");
	if (pace && wait_ms == 0)
		return cli_check_usage("--interval and --stable are for --wait");
	if (http_global_init() != 0) {
		msg_err(NULL, "out of memory");
		return STATE_UNKNOWN;
	}
	stop_init();
	return probe_all(argv + optind);
}
