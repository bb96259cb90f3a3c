#include "lib/std.h"

#include "lib/pace.h"

#include "tests/unit/check.h"

#define MIN 60000
#define DAY INT64_C(86400)
/* 2026-11-01 and 2028-02-01, UTC; November has 30 days, that February 29 */
#define NOVEMBER INT64_C(1793491200)
#define FEBRUARY INT64_C(1832976000)
#define MOST 20000	/* of which 6000 are November's nights' */

/* of `why` what is not written is told by the time */
static const struct { const char *what; int64_t every, most, used, now, ms, took; const char *why; } rows[] = {
	{ "nothing used", MIN, MOST, 0, NOVEMBER, MIN, 0, NULL },
	{ "no limit", MIN, 0, 1000000, NOVEMBER, MIN, 0, NULL },
	{ "a tenth at once", MIN, MOST, 1400, NOVEMBER, MIN, 0, NULL },
	{ "more than a tenth at once", MIN, MOST, 1402, NOVEMBER, 30 * DAY * 1000 / 6299, 0, NULL },
	{ "half of it in half a month", MIN, MOST, 7000, NOVEMBER + 15 * DAY, MIN, 0, NULL },
	{ "nearly all of it in half a month", MIN, MOST, 13000, NOVEMBER + 15 * DAY, 15 * DAY * 1000 / 500, 0, NULL },
	{ "all of it", MIN, MOST, 14000, NOVEMBER + 15 * DAY, DAY * 1000, 0, NULL },
	{ "more than all", MIN, MOST, 20000, NOVEMBER + 15 * DAY, DAY * 1000, 0, NULL },
	{ "so long a period that it suffices", 86400000, MOST, 1402, NOVEMBER, 86400000, 0, NULL },
	{ "fewer than the nights need", MIN, 6000, 0, NOVEMBER, MIN, 0, NULL },
	{ "half of that is the minutes'", MIN, 6000, 302, NOVEMBER, 30 * DAY * 1000 / 1349, 0, NULL },
	{ "a call for each", MIN, 2, 1, NOVEMBER, DAY * 1000, 0, NULL },
	{ "one call", MIN, 1, 1, NOVEMBER, DAY * 1000, 0, NULL },
	{ "the last second of a month", MIN, MOST, 14000, NOVEMBER + 30 * DAY - 1, MIN, 0, NULL },
	{ "a look of a tenth of the period", MIN, 0, 0, NOVEMBER, MIN, 6000, "" },
	{ "a longer one", MIN, 0, 0, NOVEMBER, 70000, 7000, "long looks" },
	{ "a long look, and calls that matter more", MIN, MOST, 14000, NOVEMBER + 15 * DAY, DAY * 1000, 7000, "the month's calls" },
	{ "a longer look than the calls make one wait", MIN, MOST, 1402, NOVEMBER, 420000, 42000, "long looks" },
	{ "a leap year", MIN, MOST, 14200, FEBRUARY + 28 * DAY, DAY * 1000, 0, NULL },
};

int main(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct pace p = { rows[i].every, rows[i].most, rows[i].used, rows[i].took };
		const char *expected = rows[i].why != NULL ? rows[i].why : rows[i].ms > rows[i].every ? "the month's calls" : "", *why;
		int64_t ms = pace_ms(&p, rows[i].now, &why);

		check(ms == rows[i].ms && strcmp(why, expected) == 0, "%s: %lld, %s", rows[i].what, (long long)ms, why);
	}
	check(pace_month(NOVEMBER - 1) + 1 == pace_month(NOVEMBER) && pace_month(NOVEMBER) == pace_month(NOVEMBER + 29 * DAY),
	      "a month begins at midnight, UTC");
	check(pace_month(FEBRUARY) == pace_month(NOVEMBER) + 15, "months are counted over the years");
	return check_done();
}
