#include "lib/std.h"

#include "lib/pace.h"

#include "tests/unit/check.h"

#define MIN 60000
#define DAY INT64_C(86400)
/* 2026-11-01 and 2028-02-01, UTC; November has 30 days, that February 29 */
#define NOVEMBER INT64_C(1793491200)
#define FEBRUARY INT64_C(1832976000)
#define MOST 20000	/* of which 6000 are November's nights' */

static const struct { const char *what; int64_t every, most, used, now, ms; } rows[] = {
	{ "nothing used", MIN, MOST, 0, NOVEMBER, MIN },
	{ "no limit", MIN, 0, 1000000, NOVEMBER, MIN },
	{ "a tenth at once", MIN, MOST, 1400, NOVEMBER, MIN },
	{ "more than a tenth at once", MIN, MOST, 1402, NOVEMBER, 30 * DAY * 1000 / 6299 },
	{ "half of it in half a month", MIN, MOST, 7000, NOVEMBER + 15 * DAY, MIN },
	{ "nearly all of it in half a month", MIN, MOST, 13000, NOVEMBER + 15 * DAY, 15 * DAY * 1000 / 500 },
	{ "all of it", MIN, MOST, 14000, NOVEMBER + 15 * DAY, 15 * DAY * 1000 },
	{ "more than all", MIN, MOST, 20000, NOVEMBER + 15 * DAY, 15 * DAY * 1000 },
	{ "so long a period that it suffices", 86400000, MOST, 1402, NOVEMBER, 86400000 },
	{ "fewer than the nights need", MIN, 1000, 0, NOVEMBER, 30 * DAY * 1000 },
	{ "the last second of a month", MIN, MOST, 14000, NOVEMBER + 30 * DAY - 1, MIN },
	{ "a leap year", MIN, MOST, 14200, FEBRUARY + 28 * DAY, DAY * 1000 },
};

int main(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t ms = pace_ms(rows[i].every, rows[i].most, rows[i].used, rows[i].now);

		check(ms == rows[i].ms, "%s: %lld", rows[i].what, (long long)ms);
	}
	check(pace_month(NOVEMBER - 1) + 1 == pace_month(NOVEMBER) && pace_month(NOVEMBER) == pace_month(NOVEMBER + 29 * DAY),
	      "a month begins at midnight, UTC");
	check(pace_month(FEBRUARY) == pace_month(NOVEMBER) + 15, "months are counted over the years");
	return check_done();
}
