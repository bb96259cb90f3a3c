#include "lib/std.h"

#include <time.h>

#include "lib/watch/alert.h"

#include "tests/unit/check.h"

#define NOW INT64_C(1795500000)
#define HOUR 3600

static const char *const teams[] = { "teams" };
static const char *const both[] = { "teams", "slack" };

static void clean(void)
{
	static const struct { const char *what, *src, *want; size_t size; } rows[] = {
		{ "plain", "text", "text", 64 },
		{ "lines", "one\ntwo\n\n", "one\ntwo", 64 },
		{ "empty", "", "", 64 },
		{ "only white space", " \n\t\n", "", 64 },
		{ "a tab, a carriage return", "a\tb\r\nc", "a b \nc", 64 },
		{ "a control character", "a\x1b[0m", "a\\x1b[0m", 64 },
		{ "no UTF-8", "a\xff", "a\\xff", 64 },
		{ "exactly fits", "1234567", "1234567", 8 },
		{ "one too many", "12345678", "123 ...", 8 },
		{ "not in the middle of a character", "12\xc3\xa9" "45678", "12 ...", 8 },
	};
	char out[64], again[64];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		alert_clean(out, rows[i].size, rows[i].src);
		check(strcmp(out, rows[i].want) == 0, "clean: %s: '%s'", rows[i].what, out);
		check(strcmp(alert_clean(again, rows[i].size, out), out) == 0, "clean twice: %s", rows[i].what);
	}
}

static void repeats(void)
{
	static const struct { const char *s; bool good; int64_t every, after, then; int daily; } rows[] = {
		{ "30m", true, 1800, 0, 0, -1 }, { "0", true, 0, 0, 0, -1 },
		{ "30m,2h,4h", true, 1800, 7200, 14400, -1 }, { "09:00", true, 0, 0, 0, 540 },
		{ "23:59", true, 0, 0, 0, 1439 }, { "", false, 0, 0, 0, 0 }, { "30m,2h", false, 0, 0, 0, 0 },
		{ "30m,2h,4h,8h", false, 0, 0, 0, 0 }, { "24:00", false, 0, 0, 0, 0 }, { "09:60", false, 0, 0, 0, 0 },
		{ "9:000", false, 0, 0, 0, 0 }, { "+9:00", false, 0, 0, 0, 0 }, { "30m,", false, 0, 0, 0, 0 },
		{ "aa:bb", false, 0, 0, 0, 0 },
	};
	struct alert_repeat r;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool good = alert_parse_repeat(rows[i].s, &r) == NULL;

		check(good == rows[i].good && (!good || (r.on && r.every == rows[i].every && r.after == rows[i].after &&
							 r.then == rows[i].then && r.daily == rows[i].daily)),
		      "repeat %s", rows[i].s);
	}
}

/* Takes the news for teams, and tells it when it may be told. Was it? */
static bool step(struct alert *a, enum state state, const char *repeat, int64_t now)
{
	struct alert_news n = { .state = state, .text = "text", .todo = "", .channels = teams, .channel_count = 1 };
	bool told;

	if (repeat != NULL && alert_parse_repeat(repeat, &n.repeat) != NULL)
		abort();
	alert_take(a, &n, now);
	told = a->channel_count > 0 && alert_may_tell(a, &a->channels[0], now);
	if (told)
		alert_told(a, &a->channels[0], now);
	return told;
}

/* One story a row: at these times (from NOW), in these states, was it told? */
static void stories(void)
{
	enum { OK = STATE_OK, W = STATE_WARNING, C = STATE_CRITICAL };
	static const struct { const char *what, *repeat; struct { int64_t at; int state; bool told; } steps[10]; } rows[] = {
		{ "nothing wrong", NULL, { { 1, OK, false }, { 2, OK, false } } },
		{ "once, and over once", NULL, { { 1, C, true }, { 2, C, false }, { 99999, C, false }, { 100000, OK, true },
						 { 100001, OK, false } } },
		{ "worse and better", NULL, { { 1, W, true }, { 2, C, true }, { 3, C, false }, { 4, W, true } } },
		{ "repeated", "30m", { { 1, C, true }, { 1800, C, false }, { 1801, C, true }, { 1802, C, false } } },
		{ "two stages", "30m,2h,4h", { { 1, C, true }, { 1801, C, true }, { 3601, C, true }, { 5401, C, true },
					       { 7201, C, false }, { 9001, C, false }, { 19800, C, false }, { 19801, C, true } } },
		{ "each time, but four an hour", "0", { { 1, W, true }, { 2, W, true }, { 3, W, true }, { 4, W, true },
						       { 5, W, false }, { 3600, W, false }, { 3601, W, true } } },
		{ "critical in spite of that", "0", { { 1, W, true }, { 2, W, true }, { 3, W, true }, { 4, W, true },
						     { 5, C, true }, { 6, OK, false }, { 3700, OK, true } } },
		{ "flapping ends with the worse", NULL, { { 1, C, true }, { 2, OK, true }, { 3, C, true }, { 4, OK, true },
							  { 5, C, true }, { 6, OK, false }, { 7, C, false },
							  { 8, OK, false }, { 3700, OK, true } } },
		{ "the clock set back", "30m", { { 9999, C, true }, { 1, C, true }, { 2, C, false }, { 1800, C, false },
						 { 1801, C, true } } },
		{ "the clock set back at the end", NULL, { { 9999, C, true }, { 1, OK, true } } },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct alert a = { .state = STATE_OK };

		for (size_t k = 0; rows[i].steps[k].at != 0; k++)
			check(step(&a, (enum state)rows[i].steps[k].state, rows[i].repeat, NOW + rows[i].steps[k].at) ==
			      rows[i].steps[k].told, "%s: step %zu", rows[i].what, k + 1);
	}
}

/* --after of 900 s: at these times (from NOW), in these states, was it told? Where it was: since when does it stand? */
static void waits(void)
{
	enum { OK = STATE_OK, W = STATE_WARNING, C = STATE_CRITICAL };
	static const struct { const char *what; struct { int64_t at; int state; int64_t told_since; } steps[6]; } rows[] = {
		{ "told when it has lasted", { { 1, W, 0 }, { 300, W, 0 }, { 900, W, 0 }, { 901, W, 1 }, { 1200, OK, 1 } } },
		{ "over before", { { 1, W, 0 }, { 300, OK, 0 }, { 600, W, 0 }, { 1400, W, 0 }, { 1500, W, 600 } } },
		{ "worse meanwhile", { { 1, W, 0 }, { 901, C, 1 }, { 902, W, 1 } } },
		{ "not seen for too long", { { 1, W, 0 }, { 902, W, 0 }, { 1802, W, 902 } } },
		{ "the clock set back", { { 5000, W, 0 }, { 1, W, 0 }, { 900, W, 0 }, { 901, W, 1 } } },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct alert a = { .state = STATE_OK };

		for (size_t k = 0; rows[i].steps[k].at != 0; k++) {
			int64_t now = NOW + rows[i].steps[k].at, since = rows[i].steps[k].told_since;
			struct alert_news n = { .state = (enum state)rows[i].steps[k].state, .text = "text", .todo = "",
						.after = 900, .channels = teams, .channel_count = 1 };
			char *line;
			bool told;

			alert_take(&a, &n, now);
			line = alert_write(&a);
			check(alert_parse(line, strlen(line), &a), "waits: %s: the record", rows[i].what);
			free(line);
			told = a.channel_count > 0 && alert_may_tell(&a, &a.channels[0], now);
			if (told)
				alert_told(&a, &a.channels[0], now);
			check(told == (since != 0) && (!told || a.since == NOW + since), "waits: %s: step %zu", rows[i].what, k + 1);
		}
	}
}

/* 09:00 in Los Angeles: told when the hour passes, once a day, also on the days when the clock changes. */
static void daily(void)
{
	static const struct { const char *what; int64_t nine; } days[] = {
		{ "an ordinary day", 1795366800 },	/* 2026-11-22 09:00 PST */
		{ "a day of 25 hours", 1793552400 },	/* 2026-11-01 09:00 PST */
		{ "a day of 23 hours", 1772985600 },	/* 2026-03-08 09:00 PDT */
	};

	setenv("TZ", "PST8PDT,M3.2.0,M11.1.0", 1);
	tzset();
	for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
		struct alert a = { .state = STATE_OK };
		int64_t nine = days[i].nine;

		check(step(&a, STATE_WARNING, "09:00", nine - 20 * HOUR), "%s: at first", days[i].what);
		check(!step(&a, STATE_WARNING, "09:00", nine - 1), "%s: before nine", days[i].what);
		check(step(&a, STATE_WARNING, "09:00", nine), "%s: at nine", days[i].what);
		check(!step(&a, STATE_WARNING, "09:00", nine + 14 * HOUR), "%s: in the evening", days[i].what);
	}
}

static void failures(void)
{
	struct alert a = { .state = STATE_OK };
	struct alert_news n = { .state = STATE_WARNING, .text = "a", .todo = "", .channels = both, .channel_count = 2 };

	check(alert_take(&a, &n, NOW) && a.channel_count == 2 && alert_pending(&a), "two channels are due");
	alert_told(&a, &a.channels[0], NOW);
	alert_failed(&a.channels[1], NOW, 0, false, "no\nroute");
	check(!alert_take(&a, &n, NOW + 1) && alert_may_tell(&a, &a.channels[1], NOW + 1), "one stays due");
	n.text = "b";
	check(alert_take(&a, &n, NOW + 2) && strcmp(a.text, "b") == 0, "what is pending takes the newest word");
	alert_failed(&a.channels[1], NOW, 600, false, "busy");
	check(!alert_may_tell(&a, &a.channels[1], NOW + 599) && alert_may_tell(&a, &a.channels[1], NOW + 600), "it waits");
	check(alert_may_tell(&a, &a.channels[1], NOW - 99999), "but not for a clock that was set back");
	n.state = STATE_OK;
	alert_take(&a, &n, NOW + 3);
	check(a.channels[0].pending && !a.channels[1].pending, "over where it was told");
	n.state = STATE_WARNING;
	alert_take(&a, &n, NOW + 4);
	check(!a.channels[0].pending && a.channels[1].pending, "and again before anybody heard that it was over");

	a = (struct alert){ .state = STATE_OK };
	alert_take(&a, &n, NOW);
	alert_failed(&a.channels[0], NOW, 0, true, "no answer");
	n.state = STATE_OK;
	n.text = NULL;
	alert_take(&a, &n, NOW + 1);
	check(a.channels[0].pending, "over where it may have been told");
}

static void records(void)
{
	static const char *const bad[] = {
		"", "x", "[]", "{}", "{\"schema\":1}", "{\"schema\":2,\"state\":\"ok\"}",
#define REST "\"since\":0,\"until\":0,\"count\":0,\"over\":\"\",\"todo\":\"\""
		"{\"schema\":1,\"state\":\"bad\",\"text\":\"\"," REST "}",
		"{\"schema\":1,\"state\":\"ok\",\"text\":\"\\u0007\"," REST "}",
		"{\"schema\":1,\"state\":\"ok\",\"text\":\"\"," REST ",\"inhibited_by\":[{\"key\":\"../x\"}]}",
		"{\"schema\":1,\"state\":\"ok\",\"text\":\"\"," REST ",\"channels\":[{\"name\":\"A\"}]}",
		"{\"schema\":1,\"state\":\"ok\",\"text\":\"\"," REST ",\"channels\":[{\"name\":\"teams\",\"told\":\"ok\","
			"\"not_before\":0,\"why\":\"\\u001b[31m\"}]}",
	};
	static const char *const held[] = { "primary-down" };
	struct alert_news n = { .state = STATE_WARNING, .text = "a\nb", .todo = "c", .channels = both, .channel_count = 2,
				.inhibitors = held, .inhibitor_count = 1 };
	struct alert a = { .state = STATE_OK }, again;
	char *line, *twice;

	check(alert_parse("{\"schema\":1,\"state\":\"ok\",\"text\":\"\"," REST "}",
			  strlen("{\"schema\":1,\"state\":\"ok\",\"text\":\"\"," REST "}"), &again), "the least record");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		check(!alert_parse(bad[i], strlen(bad[i]), &again) && again.state == STATE_OK && again.channel_count == 0,
		      "record %zu is refused", i);
	alert_take(&a, &n, NOW);
	alert_told(&a, &a.channels[0], NOW);
	alert_failed(&a.channels[1], NOW, 5, true, "it answered 503");
	line = alert_write(&a);
	check(alert_parse(line, strlen(line), &again), "what is written is read");
	twice = alert_write(&again);
	check(strcmp(line, twice) == 0 && strchr(line, '\n') == line + strlen(line) - 1, "and is the same: %s", twice);
	free(line);
	free(twice);
}

static void keys(void)
{
	char longest[ALERT_KEY + 1];

	memset(longest, 'a', sizeof longest);
	longest[ALERT_KEY] = '\0';
	check(!alert_key_valid(longest), "a key too long");
	longest[ALERT_KEY - 1] = '\0';
	check(alert_key_valid(longest), "the longest key");
	check(alert_key_valid("ctv-alert@x_y.service") && !alert_key_valid("") && !alert_key_valid(".") &&
	      !alert_key_valid("..") && !alert_key_valid(".x") && !alert_key_valid("a/b") && !alert_key_valid("a b") &&
	      !alert_key_valid("a\n"), "keys");
}

int main(void)
{
	clean();
	repeats();
	stories();
	waits();
	daily();
	failures();
	records();
	keys();
	return check_done();
}
