/* status.c, page.c: each state of the document from its inputs, and what the page makes of it. */
#include "lib/std.h"

#include <stdarg.h>

#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/watch/html.h"
#include "lib/watch/metrics.h"
#include "lib/watch/document.h"

#include "tests/unit/check.h"

#define NOW INT64_C(1795500000)	/* 2026-11-24T06:00:00Z */

#define HOST "{\"id\":\"host\",\"node\":\"pi2\",\"role\":\"standby\",\"version\":\"0\"}"
#define ACTIVE "{\"id\":\"host\",\"node\":\"pi2\",\"role\":\"active\",\"version\":\"0\"}"
#define PRIMARY(s) "{\"id\":\"primary\",\"check\":\"http-probe\",\"object\":\"http://p/\",\"state\":\"" s "\",\"http_status\":200,\"latency_ms\":1043,\"at\":\"2026-11-24T05:59:59Z\"}"
#define COPY(s) "{\"id\":\"standby\",\"state\":\"" s "\",\"age_seconds\":50580,\"data_at\":\"2026-11-23T15:57:00Z\",\"size_bytes\":1503236096}"
#define DOWNLOAD(result, exit, started, ok) "{\"id\":\"download\",\"result\":\"" result "\",\"exit\":" exit ",\"message\":\"m\",\"started_at\":\"" started "\",\"finished_at\":\"" started "\",\"last_ok_at\":" ok "}"
#define GOOD_DOWNLOAD DOWNLOAD("ok", "0", "2026-11-24T02:30:00Z", "\"2026-11-24T02:31:14Z\"")
#define READY(s) "{\"id\":\"ready\",\"check\":\"db_fresh\",\"state\":\"" s "\",\"text\":\"14h < 36h\"}"

static const struct {
	const char *what, *lines, *overall, *summary;
	bool ready;
} table[] = {
	{ "all is well", "[" HOST "," PRIMARY("ok") "," COPY("ok") "," GOOD_DOWNLOAD "," READY("ok") "]",
	  "ok", "Standby ready. The primary is serving.", true },
	{ "nothing is known", "[]", "unknown", "Not everything is known", false },
	{ "the primary was not probed", "[" HOST "," COPY("ok") "," GOOD_DOWNLOAD "," READY("ok") "]",
	  "unknown", "Not everything is known", true },
	{ "the primary is down", "[" HOST "," PRIMARY("critical") "," COPY("ok") "," GOOD_DOWNLOAD "," READY("ok") "]",
	  "critical", "The primary is down; the standby is ready to take over", true },
	{ "both are down",
	  "[" HOST "," PRIMARY("critical") "," COPY("critical") "," GOOD_DOWNLOAD "," READY("critical") "]",
	  "critical", "The primary is down, and the standby cannot take over", false },
	{ "the standby is not ready", "[" HOST "," PRIMARY("ok") "," COPY("ok") "," GOOD_DOWNLOAD "," READY("critical") "]",
	  "critical", "The standby cannot take over", false },
	{ "a condition with a warning still counts as ready",
	  "[" HOST "," PRIMARY("ok") "," COPY("ok") "," GOOD_DOWNLOAD "," READY("warning") "]",
	  "warning", "Standby ready, with a warning", true },
	{ "a check that tells by its id which condition it is, and blocks",
	  "[" HOST "," PRIMARY("ok") "," COPY("ok") "," GOOD_DOWNLOAD ",{\"id\":\"ready/disk_free\",\"check\":\"room-check\",\"state\":\"unknown\"}]",
	  "unknown", "Not everything is known", false },
	{ "a check that only warns is never worse than a warning",
	  "[" HOST "," PRIMARY("ok") "," COPY("ok") "," GOOD_DOWNLOAD "," READY("ok") ",{\"id\":\"warn/timer_armed\",\"check\":\"svc-ctl\",\"state\":\"critical\"}]",
	  "warning", "Standby ready, with a warning", true },
	{ "the data is old", "[" HOST "," PRIMARY("ok") "," COPY("warning") "," GOOD_DOWNLOAD "," READY("ok") "]",
	  "warning", "The standby is ready, but its data is old", true },
	{ "the copy was written to",
	  "[" HOST "," PRIMARY("ok") "," COPY("ok") ",{\"id\":\"verify\",\"state\":\"warning\"}," GOOD_DOWNLOAD "," READY("ok") "]",
	  "warning", "The standby is ready, but its copy is not as it was installed", true },
	{ "last night failed, the night before worked",
	  "[" HOST "," PRIMARY("ok") "," COPY("ok") "," DOWNLOAD("failed", "69", "2026-11-24T02:30:00Z",
	  "\"2026-11-23T08:31:14Z\"") "," READY("ok") "]",
	  "warning", "The standby is ready, but the last sync failed", true },
	{ "two nights failed",
	  "[" HOST "," PRIMARY("ok") "," COPY("ok") "," DOWNLOAD("failed", "69", "2026-11-24T02:30:00Z",
	  "\"2026-11-22T02:31:14Z\"") "," READY("ok") "]",
	  "critical", "The standby is ready, but the last sync failed", true },
	{ "it never worked",
	  "[" HOST "," PRIMARY("ok") "," COPY("ok") "," DOWNLOAD("failed", "69", "2026-11-24T02:30:00Z", "null") "," READY("ok") "]",
	  "critical", "The standby is ready, but the last sync failed", true },
	{ "no record of a sync", "[" HOST "," PRIMARY("ok") "," COPY("ok") "," READY("ok") "]",
	  "unknown", "Not everything is known", true },
	{ "a failover is active",
	  "[" ACTIVE "," PRIMARY("critical") "," COPY("critical") "," GOOD_DOWNLOAD "," READY("ok") "]",
	  "warning", "Failover is active: this host is serving", true },
	{ "a failover is active, and its application is ill",
	  "[" ACTIVE "," PRIMARY("critical") "," COPY("critical") "," GOOD_DOWNLOAD "," READY("critical") "]",
	  "critical", "Failover is active, and this host does not serve as it should", false },
	{ "wrong types are not known",
	  "[{\"id\":\"primary\",\"state\":5},{\"id\":\"standby\",\"state\":[]},{\"id\":\"ready\",\"check\":{}}]",
	  "unknown", "Not everything is known", false },
};

static const char *overall(const json *j)
{
	return json_str(j, "overall");
}

static json *build(const char *lines, const json *before, int64_t now)
{
	json *inputs = json_parse(lines, strlen(lines)), *status;

	check(inputs != NULL, "not JSON: %s", lines);
	status = status_build(inputs, before, now);
	json_free(inputs);
	return status;
}

static void test_table(void)
{
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		json *j = build(table[i].lines, NULL, NOW);

		check(strcmp(overall(j), table[i].overall) == 0, "%s: overall %s", table[i].what, overall(j));
		check(strcmp(json_str(j, "summary"), table[i].summary) == 0, "%s: %s", table[i].what,
		      json_str(j, "summary"));
		check(json_bool(json_get(j, "failover"), "ready", false) == table[i].ready, "%s: ready", table[i].what);
		json_free(j);
	}
}

/* The sync of the day that is so many days ago. */
static const char *day(const json *status, int ago)
{
	const json *d = json_first(json_get(status, "days"));

	for (int i = STATUS_DAYS - 1; i > ago && d != NULL; i--)
		d = json_next(d);
	return d != NULL ? json_str(d, "sync") : "absent";
}

static void test_history(void)
{
	static const char failed[] = "[" HOST "," PRIMARY("critical") ","
		DOWNLOAD("failed", "69", "2026-11-24T02:30:00Z", "null") "]";
	static const char good[] = "[" HOST "," PRIMARY("ok") "," GOOD_DOWNLOAD "]";
	json *first = build(failed, NULL, NOW), *second = build(good, first, NOW + 300);
	json *later = build(good, second, NOW + 86400), *last = build(good, later, NOW + 14 * 86400);
	json *again = build(failed, first, NOW + 300);

	check(strcmp(day(first, 0), "failed") == 0, "a failed day: %s", day(first, 0));
	check(strcmp(day(second, 0), "ok") == 0, "a day that failed and then worked: %s", day(second, 0));
	check(strcmp(day(later, 1), "ok") == 0 && strcmp(day(later, 0), "none") == 0, "the next day");
	check(strcmp(day(last, 13), "none") == 0, "a day falls out after two weeks");
	check(strcmp(json_str(json_get(again, "primary"), "last_fail_at"), "2026-11-24T06:00:00Z") == 0,
	      "an outage has one time");
	check(json_str(json_get(first, "primary"), "last_ok_at") == NULL, "never ok");
	check(strcmp(json_str(json_get(later, "primary"), "last_fail_at"), "2026-11-24T06:00:00Z") == 0,
	      "the last failure is remembered");
	json_free(again);
	json_free(first);
	json_free(second);
	json_free(later);
	json_free(last);
}

static const char *sync_state(const json *status)
{
	return json_str(json_get(status, "sync"), "state");
}

/* What a clock that was wrong has written is neither old nor new. */
static void test_ahead(void)
{
	static const char job[] = "[" HOST "," DOWNLOAD("ok", "0", "2026-11-24T06:04:00Z", "\"2026-11-24T06:04:00Z\"") "]";
	static const char far[] = "[" HOST "," DOWNLOAD("ok", "0", "2026-11-25T06:04:00Z", "\"2026-11-25T06:04:00Z\"") "]";
	json *near_by = build(job, NULL, NOW), *ahead = build(far, NULL, NOW);

	check(strcmp(sync_state(near_by), "ok") == 0, "four minutes ahead: %s", sync_state(near_by));
	check(strcmp(sync_state(ahead), "unknown") == 0, "a day ahead: %s", sync_state(ahead));
	json_free(near_by);
	json_free(ahead);
}

/* A job that runs is neither good nor bad yet. */
static void test_running(void)
{
	static const char failed[] = "[" HOST "," DOWNLOAD("failed", "69", "2026-11-24T02:30:00Z", "\"2026-11-23T08:31:14Z\"") "]";
	static const char good[] = "[" HOST "," GOOD_DOWNLOAD "]";
	static const char running[] = "[" HOST "," DOWNLOAD("running", "0", "2026-11-24T03:30:00Z", "\"2026-11-23T08:31:14Z\"") "]";
	json *bad = build(failed, NULL, NOW), *retry = build(running, bad, NOW), *well = build(good, NULL, NOW);
	json *next = build(running, well, NOW), *late = build(running, well, NOW + 6 * 3600), *none = build(running, NULL, NOW);

	check(strcmp(sync_state(retry), "warning") == 0, "the retry of one that failed: %s", sync_state(retry));
	check(strcmp(sync_state(next), "ok") == 0, "the run after a good one: %s", sync_state(next));
	check(strcmp(sync_state(late), "warning") == 0, "one that runs for ever: %s", sync_state(late));
	check(strcmp(sync_state(none), "unknown") == 0, "nothing is known before: %s", sync_state(none));
	json_free(bad);
	json_free(retry);
	json_free(well);
	json_free(next);
	json_free(late);
	json_free(none);
}

static void test_page(void)
{
	static const char hostile[] = "[{\"id\":\"host\",\"node\":\"<b>pi2</b>\",\"role\":\"standby\"},"
		"{\"id\":\"primary\",\"state\":\"<script>\",\"object\":\"http://x/\\\"><script>alert(1)</script>\"},"
		"{\"id\":\"alert\",\"key\":\"k&\",\"text\":\"a <i>b</i>\",\"since\":\"'\"},"
		"{\"id\":\"ready\",\"check\":\"a\\\"b\\\\c\\nd\",\"state\":\"ok\"}]";
	struct buf html = BUF_INIT(1 << 20), prom = BUF_INIT(1 << 20), tiny = BUF_INIT(100);
	json *j = build(hostile, NULL, NOW);

	check(html_page(j, &html) == 0, "the page does not fit");
	check(strstr(html.data, "<script>alert") == NULL && strstr(html.data, "<b>pi2") == NULL &&
	      strstr(html.data, "<i>b") == NULL && strstr(html.data, "k&amp;") != NULL, "not escaped");
	check(strstr(html.data, "http://") == strstr(html.data, "http://x/"), "a request leaves the page");
	check(metrics_text(j, &prom) == 0, "the metrics do not fit");
	check(strstr(prom.data, "{check=\"a\\\"b\\\\c\\nd\"} 1\n") != NULL, "label not escaped: %s", prom.data);
	check(prom.data[prom.len - 1] == '\n', "the last line must end");
	check(html_page(j, &tiny) != 0, "a page that does not fit is not said");
	buf_free(&html);
	buf_free(&prom);
	buf_free(&tiny);
	json_free(j);
}

/* The last runs of all jobs, each once, newest first, no more than ten, and a run that goes on is none. */
static void test_events(void)
{
#define RECORD(task, result, at) "{\"id\":\"" task "\",\"result\":\"" result "\",\"exit\":0,\"message\":\"m\",\"finished_at\":\"" at "\"}"
	static const char two[] = "[" RECORD("download", "ok", "2026-11-24T02:31:00Z") "," RECORD("failover", "failed", "2026-11-24T05:00:00Z") "]";
	static const char next[] = "[" RECORD("download", "ok", "2026-11-25T02:31:00Z") "," RECORD("drill", "ok", "2026-11-24T05:30:00Z") "]";
	static const char runs[] = "[{\"id\":\"download\",\"result\":\"running\",\"finished_at\":null}]";
	json *first = build(two, NULL, NOW), *second = build(next, first, NOW), *same = build(two, second, NOW), *none = build(runs, NULL, NOW);
	json *many = json_copy(second);
	const json *e = json_first(json_get(second, "events"));
	static const char *const order[] = { "download", "drill", "failover", "download" };
	size_t n = 0;

	for (; e != NULL; e = json_next(e), n++)
		check(n < 4 && strcmp(json_str(e, "what"), order[n]) == 0, "event %zu is %s", n, json_str(e, "what"));
	check(n == 4, "%zu events", n);
	n = 0;
	for (e = json_first(json_get(same, "events")); e != NULL; e = json_next(e))
		n++;
	check(n == 4, "the same runs again: %zu events", n);
	check(json_first(json_get(none, "events")) == NULL, "a run that goes on");
	check(strcmp(json_str(json_get(json_get(second, "failover"), "last_drill"), "at"), "2026-11-24T05:30:00Z") == 0, "the drill");
	for (int i = 0; i < 12; i++) {
		char line[256];
		json *more;

		snprintf(line, sizeof line, "[" RECORD("upload", "ok", "2026-12-%02dT02:31:00Z") "]", i + 1);
		more = build(line, many, NOW);
		json_free(many);
		many = more;
	}
	n = 0;
	for (e = json_first(json_get(many, "events")); e != NULL; e = json_next(e))
		n++;
	check(n == STATUS_EVENTS, "%zu events are kept", n);
	check(strcmp(json_str(json_first(json_get(many, "events")), "at"), "2026-12-12T02:31:00Z") == 0, "the newest is first");
	json_free(first);
	json_free(second);
	json_free(same);
	json_free(none);
	json_free(many);
}

/* Whether text is in the metrics and the page of these lines. */
static void both(const char *lines, const char *in_metrics, const char *in_page)
{
	struct buf html = BUF_INIT(1 << 20), prom = BUF_INIT(1 << 20);
	json *j = build(lines, NULL, NOW);

	html_page(j, &html);
	metrics_text(j, &prom);
	check(strstr(prom.data, in_metrics) != NULL, "metrics lack %s", in_metrics);
	check(strstr(html.data, in_page) != NULL, "the page lacks %s", in_page);
	buf_free(&html);
	buf_free(&prom);
	json_free(j);
}

static void test_figures(void)
{
#define VERIFIED(b) "[{\"id\":\"standby\",\"state\":\"ok\",\"age_seconds\":60,\"warn_seconds\":3600,\"crit_seconds\":5400,\"data_at\":\"2026-11-24T02:05:00Z\"}," \
	"{\"id\":\"verify\",\"state\":\"ok\",\"level\":\"full\",\"unchanged\":" b ",\"at\":\"2026-11-24T02:31:00Z\",\"file_mtime\":\"2026-11-24T02:05:00Z\"}]"
	static const char job[] = "[{\"id\":\"download\",\"result\":\"ok\",\"exit\":0,\"finished_at\":\"2026-11-24T02:31:00Z\",\"seconds\":74.2,"
		"\"runs_ok\":41,\"runs_failed\":2},{\"id\":\"warn/timer_armed\",\"state\":\"ok\",\"next_at\":\"2026-11-25T02:30:00Z\"}]";
	static const char told[] = "[{\"id\":\"deliveries\",\"key\":\"a\",\"channel\":\"teams\",\"delivered\":2,\"failed\":1},"
		"{\"id\":\"deliveries\",\"key\":\"a\",\"channel\":\"ntfy\",\"delivered\":7,\"failed\":0},"
		"{\"id\":\"deliveries\",\"key\":\"b\",\"channel\":\"teams\",\"delivered\":3,\"failed\":0}]";

	both(VERIFIED("true"), "ctv_db_verify_ok{copy=\"standby\",level=\"full\"} 1\n", "verified (full) 02:31 UTC");
	both(VERIFIED("true"), "ctv_db_verify_timestamp_seconds{copy=\"standby\",level=\"full\"} 1795487460\n", "<span>1h</span>");
	both(VERIFIED("false"), "ctv_db_verify_ok{copy=\"standby\",level=\"full\"} 0\n", "not verified since it was written to");
	both("[" COPY("ok") "]", "ctv_db_verify_ok{copy=\"standby\",level=\"\"} 0\n", "not known to be verified");
	both(VERIFIED("true"), "ctv_db_file_modified_timestamp_seconds{copy=\"standby\"} 1795485900\n", "left:75.0%");
	both(job, "ctv_task_duration_seconds{task=\"download\"} 74.2\n", "in 74.2 s");
	both(job, "ctv_task_runs_total{task=\"download\",result=\"ok\"} 41\n", "next 2026-11-25 02:30 UTC");
	both(job, "ctv_task_runs_total{task=\"download\",result=\"failed\"} 2\n", "<strong>download</strong> ok");
	both(told, "ctv_alerts_sent_total{channel=\"teams\",result=\"ok\"} 5\nctv_alerts_sent_total{channel=\"teams\",result=\"failed\"} 1\n"
	     "ctv_alerts_sent_total{channel=\"ntfy\",result=\"ok\"} 7\n", "Recent events</h2><p>none</p>");
	both("[" PRIMARY("ok") "]", "ctv_probe_duration_seconds{target=\"primary\"} 1.043\n", "last drill –");
}

/* How far behind: by the record when it is here, by what was known before when it is not. */
static void test_lag(void)
{
#define RECORD_OF(n, confirmed) "{\"id\":\"head\",\"head\":{\"n\":5},\"change\":{\"n\":" n "},\"confirmed_at\":" confirmed "}"
#define NEWEST(n, at) "{\"id\":\"newest\",\"n\":" n ",\"snapshot_at\":\"" at "\"}"
#define LIMITS "{\"id\":\"lag\",\"warn_seconds\":1200,\"crit_seconds\":3600}"
#define WELL HOST "," PRIMARY("ok") "," COPY("ok") "," GOOD_DOWNLOAD "," READY("ok") "," LIMITS
#define ABREAST "[" WELL "," RECORD_OF("9", "\"2026-11-24T05:59:12Z\"") "," NEWEST("9", "2026-11-24T05:50:00Z") "]"
/* abreast of a record with such members, whose owner looks so often */
#define PACED(members, seconds, why) "{\"id\":\"head\",\"head\":{\"n\":5},\"change\":{\"n\":9}," members \
	",\"pace\":{\"seconds\":" seconds ",\"why\":\"" why "\"}}," NEWEST("9", "2026-11-23T20:00:00Z")
	static const struct {
		const char *what, *lines;
		int64_t later;		/* this is the round after ABREAST, so many seconds later; 0: there was none */
		const char *state;	/* NULL: there is no lag */
		int64_t seconds;
	} rows[] = {
		{ "abreast of it", ABREAST, 0, "ok", 48 },
		{ "a night newer than the change", "[" WELL "," RECORD_OF("3", "\"2026-11-24T05:59:12Z\"") "," NEWEST("5", "2026-11-24T02:05:00Z") "]", 0, "ok", 48 },
		{ "behind, and never abreast", "[" WELL "," RECORD_OF("9", "\"2026-11-24T05:59:12Z\"") "," NEWEST("8", "2026-11-24T05:30:00Z") "]", 0, "warning", 1800 },
		{ "behind, and was abreast", "[" WELL "," RECORD_OF("10", "\"2026-11-24T06:04:00Z\"") "," NEWEST("9", "2026-11-24T05:50:00Z") "]", 300, "ok", 348 },
		{ "begun anew with an older state", "[" WELL "," RECORD_OF("9", "\"2026-11-24T06:04:00Z\"") "," NEWEST("7", "2026-11-24T05:00:00Z") "]", 300, "critical", 3900 },
		{ "the publisher is silent", ABREAST, 7200, "critical", 7248 },
		{ "Dropbox is away", "[" WELL "," NEWEST("9", "2026-11-24T05:50:00Z") "]", 300, "ok", 348 },
		{ "Dropbox is away, and was never there", "[" WELL "," NEWEST("9", "2026-11-24T05:50:00Z") "]", 0, NULL, 0 },
		{ "nothing followed yet", "[" WELL "," RECORD_OF("9", "\"2026-11-24T05:59:12Z\"") "]", 0, "critical", 50580 },
		{ "nights only", "[" WELL "," RECORD_OF("9", "null") "," NEWEST("9", "2026-11-24T05:50:00Z") "]", 0, NULL, 0 },
		{ "nights only from now on", "[" WELL "," RECORD_OF("9", "null") "," NEWEST("9", "2026-11-24T05:50:00Z") "]", 300, NULL, 0 },
		{ "the primary's clock is a day ahead", "[" WELL "," RECORD_OF("9", "\"2026-11-25T05:59:12Z\"") "," NEWEST("9", "2026-11-25T05:50:00Z") "]", 0, "unknown", -86352 },
		{ "three periods as they are", "[" WELL "," PACED("\"confirmed_at\":\"2026-11-24T04:50:00Z\"", "1500", "the month's calls") "]", 0, "ok", 4200 },
		{ "more than three periods", "[" WELL "," PACED("\"confirmed_at\":\"2026-11-24T04:40:00Z\"", "1500", "the month's calls") "]", 0, "critical", 4800 },
		{ "a base is under way", "[" WELL "," PACED("\"confirmed_at\":\"2026-11-24T01:00:00Z\"", "60", "base under way") "]", 0, "ok", 18000 },
		{ "a base is under way for ever", "[" WELL "," PACED("\"confirmed_at\":\"2026-11-23T23:00:00Z\"", "60", "base under way") "]", 0, "critical", 25200 },
		{ "a pace that is none", "[" WELL "," PACED("\"confirmed_at\":\"2026-11-24T04:50:00Z\"", "-5", "") "]", 0, "critical", 4200 },
		{ "silent by Dropbox's clock, which knows better than the primary's",
		  "[" WELL "," PACED("\"confirmed_at\":\"2026-11-24T05:59:12Z\",\"server_modified\":\"2026-11-24T03:59:20Z\",\"asked_at\":\"2026-11-24T06:00:00Z\"", "60", "") "]",
		  0, "critical", 48 },
		{ "the primary's clock is a day ahead, says Dropbox's",
		  "[" WELL "," PACED("\"confirmed_at\":\"2026-11-25T05:59:12Z\",\"server_modified\":\"2026-11-24T05:59:20Z\",\"asked_at\":\"2026-11-24T06:00:00Z\"", "60", "") "]",
		  0, "warning", -86352 },
		{ "a long upload is no slow clock",
		  "[" WELL "," PACED("\"confirmed_at\":\"2026-11-24T05:55:00Z\",\"server_modified\":\"2026-11-24T05:59:20Z\",\"asked_at\":\"2026-11-24T06:00:00Z\"", "60", "") "]",
		  0, "ok", 300 },
		{ "our own clock is an hour behind",
		  "[" WELL "," PACED("\"confirmed_at\":\"2026-11-24T06:59:12Z\",\"server_modified\":\"2026-11-24T06:59:20Z\",\"asked_at\":\"2026-11-24T07:00:00Z\"", "60", "") "]",
		  0, "warning", -3552 },
		{ "nobody asks", "[" HOST "," PRIMARY("ok") "," COPY("ok") "," RECORD_OF("9", "\"2026-11-24T05:59:12Z\"") "]", 300, NULL, 0 },
		{ "wrong types", "[" WELL ",{\"id\":\"head\",\"head\":[],\"change\":3,\"confirmed_at\":7},{\"id\":\"newest\",\"n\":\"9\"}]", 0, NULL, 0 },
	};
	json *before = build(ABREAST, NULL, NOW);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		json *j = build(rows[i].lines, rows[i].later > 0 ? before : NULL, NOW + rows[i].later);
		const json *l = json_get(j, "lag");
		int64_t seconds = -1;

		check(json_is_object(l) == (rows[i].state != NULL), "%s: a lag", rows[i].what);
		if (rows[i].state != NULL) {
			json_int(l, "seconds", INT32_MIN, INT32_MAX, &seconds);
			check(strcmp(json_str(l, "state"), rows[i].state) == 0, "%s: %s", rows[i].what, json_str(l, "state"));
			check(seconds == rows[i].seconds, "%s: %lld s", rows[i].what, (long long)seconds);
			check(strcmp(overall(j), strcmp(rows[i].state, "ok") == 0 ? "ok" : "warning") == 0, "%s: overall %s", rows[i].what, overall(j));
			check(json_bool(json_get(j, "failover"), "ready", false), "%s: ready", rows[i].what);
		}
		json_free(j);
	}
	both(ABREAST, "ctv_db_lag_seconds{copy=\"standby\"} 48\n", "the worst was 48s");
	both("[" WELL "," RECORD_OF("11", "\"2026-11-24T05:59:12Z\"") "," NEWEST("8", "2026-11-24T05:30:00Z") "]",
	     "ctv_db_states_behind{copy=\"standby\"} 3\n", "the last minutes of the primary are not here");
	json_free(before);
}

/* The text of a part, after a round with these lines; the document becomes the one before. */
static const char *then(json **before, const char *part, const char *lines, int64_t now)
{
	json *next = build(lines, *before, now);

	json_free(*before);
	*before = next;
	return json_str(json_get(next, part), "text");
}

/* Silence, and slow clocks, by what one round leaves to the next. */
static void test_silence(void)
{
#define STEADY(s) HOST ",{\"id\":\"lag\",\"warn_seconds\":1200,\"crit_seconds\":3600,\"steady_seconds\":" s "}," NEWEST("9", "2026-11-24T05:50:00Z")
#define WRITTEN(nonce, confirmed, modified) "{\"id\":\"head\",\"nonce\":\"" nonce "\",\"head\":{\"n\":9},\"confirmed_at\":\"2026-11-24T" confirmed "Z\"," \
	"\"server_modified\":\"2026-11-24T" modified "Z\",\"asked_at\":\"2026-11-24T06:00:10Z\"}"
	json *doc = NULL;
	const char *text;

	then(&doc, "lag", "[" STEADY("1000") "," WRITTEN("a", "06:00:00", "06:00:02") "]", NOW);
	/* the wall clock stands still, Dropbox is away */
	text = then(&doc, "lag", "[" STEADY("3000") "]", NOW);
	check(strstr(text, "nothing was put on record for 33m20s") != NULL, "silent by the steady clock: %s", text);
	/* the boot after that */
	text = then(&doc, "lag", "[" STEADY("1300") "]", NOW);
	check(strstr(text, "nothing was put on record for 21m40s") != NULL, "silent since the boot: %s", text);
	text = then(&doc, "lag", "[" STEADY("1400") "," WRITTEN("b", "06:00:00", "06:00:02") "]", NOW);
	check(strstr(text, "nothing") == NULL, "a new record ends it: %s", text);
	/* one that is slow for two records */
	text = then(&doc, "lag", "[" STEADY("1500") "," WRITTEN("c", "05:50:00", "06:00:02") "]", NOW);
	check(strstr(text, "clock") == NULL, "once is an upload: %s", text);
	text = then(&doc, "lag", "[" STEADY("1600") "," WRITTEN("c", "05:50:00", "06:00:02") "]", NOW);
	check(strstr(text, "clock") == NULL, "the same record is no second one: %s", text);
	text = then(&doc, "lag", "[" STEADY("1700") "," WRITTEN("d", "05:50:05", "06:00:04") "]", NOW);
	check(strstr(text, "; the primary's clock is 9m59s behind") != NULL, "twice is a clock: %s", text);
	check(strcmp(json_str(json_get(doc, "lag"), "state"), "warning") == 0, "which is a warning");
	text = then(&doc, "lag", "[" STEADY("1800") "," WRITTEN("e", "06:00:05", "06:00:06") "]", NOW);
	check(strstr(text, "clock") == NULL, "and is over: %s", text);
	json_free(doc);
	both("[" WELL "," PACED("\"confirmed_at\":\"2026-11-25T05:59:12Z\",\"server_modified\":\"2026-11-24T05:59:12Z\"", "300", "the month's calls") "]",
	     "ctv_clock_ahead_seconds{host=\"primary\"} 86400\n", "The primary's clock is wrong</strong>: 24h00m ahead");
	both("[" WELL "," PACED("\"confirmed_at\":\"2026-11-24T05:59:12Z\"", "300", "the month's calls") "]",
	     "ctv_changes_period_seconds{copy=\"standby\"} 300\n", "the primary looks every 5m00s: the month's calls");
}

/* The proof: its verdict, and since when there was none. */
static void test_proof(void)
{
#define PROVED(verdict, ok, more) "[" HOST "," PRIMARY("ok") "," COPY("ok") "," GOOD_DOWNLOAD "," READY("ok") ",{\"id\":\"proof\",\"result\":\"x\",\"message\":\"m\"," \
	"\"verdict\":\"" verdict "\",\"finished_at\":\"2026-11-24T03:00:00Z\",\"last_ok_at\":" ok more "}]"
	static const struct {
		const char *what, *lines, *state, *text;
	} rows[] = {
		{ "it worked", PROVED("ok", "\"2026-11-24T03:00:00Z\"", ",\"answer_ms\":4120"), "ok",
		  "the application was proved on last night's data at 2026-11-24T03:00:00Z: it answered 4.1 s after its start" },
		{ "on the newest", PROVED("ok", "\"2026-11-24T03:00:00Z\"", ",\"newest\":true"), "ok",
		  "the application was proved on the newest data at 2026-11-24T03:00:00Z" },
		{ "it failed", PROVED("failed", "\"2026-11-23T03:00:00Z\"", ",\"commit\":\"0123456789abcdef\",\"app_said\":\"No module\""), "warning",
		  "the proof failed: m, with the code 0123456789ab; it said: No module; the last that was good: 2026-11-23T03:00:00Z" },
		{ "it cannot be done", PROVED("cannot", "null", ""), "warning", "the application cannot be proved: m; none was ever good" },
		{ "left out tonight", PROVED("skipped", "\"2026-11-22T04:01:00Z\"", ""), "ok",
		  "the last proof was left out: m; the last that was good: 2026-11-22T04:01:00Z" },
		{ "left out for two nights", PROVED("skipped", "\"2026-11-22T03:59:00Z\"", ""), "warning",
		  "the last proof was left out: m; the last that was good: 2026-11-22T03:59:00Z" },
		{ "none for two nights", PROVED("ok", "\"2026-11-22T03:59:00Z\"", ""), "warning",
		  "there was no proof for two nights: m; the last that was good: 2026-11-22T03:59:00Z" },
		{ "by a clock that was wrong", PROVED("ok", "\"2026-11-25T03:00:00Z\"", ""), "warning",
		  "there was no proof for two nights: m; the last that was good: 2026-11-25T03:00:00Z" },
		{ "it was ended before it had a verdict", PROVED("", "\"2026-11-23T03:00:00Z\"", ""), "ok",
		  "the last proof was broken off: m; the last that was good: 2026-11-23T03:00:00Z" },
	};
	static const char runs[] = "[" HOST ",{\"id\":\"proof\",\"result\":\"running\",\"last_ok_at\":\"2026-11-24T03:00:00Z\"}]";
	json *before = NULL, *first = build(runs, NULL, NOW);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		json *j = build(rows[i].lines, NULL, NOW);
		const json *p = json_get(j, "proof");

		check(strcmp(json_str(p, "state"), rows[i].state) == 0, "%s: %s", rows[i].what, json_str(p, "state"));
		check(strcmp(json_str(p, "text"), rows[i].text) == 0, "%s: %s", rows[i].what, json_str(p, "text"));
		check(strcmp(overall(j), rows[i].state) == 0, "%s: overall %s", rows[i].what, overall(j));
		check(json_bool(json_get(j, "failover"), "ready", false), "%s: ready", rows[i].what);
		json_free(j);
	}
	check(!json_is_object(json_get(first, "proof")), "a first one that runs is nothing yet");
	then(&before, "proof", PROVED("failed", "\"2026-11-24T03:00:00Z\"", ""), NOW);
	check(strncmp(then(&before, "proof", runs, NOW), "the proof failed: m", 19) == 0, "one that runs is as the one before");
	both(PROVED("ok", "\"2026-11-24T03:00:00Z\"", ",\"answer_ms\":4120"), "ctv_proof_ok 1\n", "answered in 4.1 s");
	both(PROVED("failed", "\"2026-11-24T03:00:00Z\"", ",\"answer_ms\":4120"), "ctv_proof_answer_seconds 4.120\n", "the application was not proved on its data");
	json_free(before);
	json_free(first);
}

/* A day of rounds every five minutes is 96 quarters, each with its worst; a gap stays one. */
static void test_lag_day(void)
{
	json *j = build(ABREAST, NULL, NOW);
	struct buf html = BUF_INIT(1 << 20);
	size_t n = 0, bars = 0;
	int64_t seconds = 0;

	for (int64_t at = NOW + 300; at < NOW + 100000; at += 300) {
		char line[2048];
		json *next;

		/* six hours off */
		if (at > NOW + 50000 && at < NOW + 71600)
			continue;
		snprintf(line, sizeof line, "%s", ABREAST);
		next = build(line, j, at);
		json_free(j);
		j = next;
	}
	for (const json *q = json_first(json_get(json_get(j, "lag"), "day")); q != NULL; q = json_next(q), n++)
		json_int(q, "seconds", 0, INT32_MAX, &seconds);
	check(n > 96 - 26 && n <= 96 - 23, "%zu quarters", n);
	check(seconds > 99000 && seconds < 101000, "the last is %lld", (long long)seconds);
	html_page(j, &html);
	for (const char *s = html.data; (s = strstr(s, "<div class=\"none\"></div>")) != NULL; s++)
		bars++;
	check(bars == 96 - n, "%zu gaps", bars);
	buf_free(&html);
	json_free(j);
}

/* One wrong line makes Prometheus refuse all of them. */
static void test_hostile_metrics(void)
{
	char name[400], lines[1024], want[512];

	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	snprintf(lines, sizeof lines, "[{\"id\":\"host\",\"node\":\"%s\",\"role\":\"standby\",\"version\":\"1\"},"
		 "{\"id\":\"deliveries\",\"channel\":\"%s\",\"delivered\":1,\"failed\":2}]", name, name);
	snprintf(want, sizeof want, "{node=\"%s\",role=\"standby\",version=\"1\"} 1\n", name);
	both(lines, want, name);
	snprintf(want, sizeof want, "{channel=\"%s\",result=\"failed\"} 2\n", name);
	both(lines, want, name);
	both("[{\"id\":\"download\",\"result\":\"ok\",\"exit\":\"0\\nctv 1\",\"seconds\":\"7 4\"}]",
	     "ctv_task_last_exit_status{task=\"download\"} 0\n# HELP", "");
	both("[{\"id\":\"download\",\"result\":\"ok\",\"exit\":0,\"seconds\":\"7 4\"}]",
	     "ctv_task_duration_seconds{task=\"download\"} 0\n", "");
	both("[{\"id\":\"primary\",\"state\":\"critical\",\"latency_ms\":-50}]",
	     "ctv_probe_duration_seconds{target=\"primary\"} 0.000\n", "no answer");
}

int main(void)
{
	test_table();
	test_history();
	test_ahead();
	test_running();
	test_events();
	test_figures();
	test_lag();
	test_lag_day();
	test_silence();
	test_proof();
	test_hostile_metrics();
	test_page();
	return check_done();
}
