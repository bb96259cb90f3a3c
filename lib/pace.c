#include "lib/std.h"

#include <time.h>

#include "lib/pace.h"

#define DAY 86400
#define LONGEST_MS ((int64_t)DAY * 1000)

static int64_t begin_of(int year, int month)
{
	struct tm tm = { .tm_year = year, .tm_mon = month, .tm_mday = 1 };

	return (int64_t)timegm(&tm);
}

int64_t pace_month(int64_t now_s)
{
	time_t now = (time_t)now_s;
	struct tm tm;

	gmtime_r(&now, &tm);
	return (int64_t)tm.tm_year * 12 + tm.tm_mon;
}

/* How long the calls that are left make one wait; 0 where they suffice. */
static int64_t by_calls(const struct pace *p, int64_t now_s)
{
	int64_t month = pace_month(now_s);
	int64_t begin = begin_of((int)(month / 12), (int)(month % 12)), end = begin_of((int)(month / 12), (int)(month % 12) + 1);
	int64_t gone = now_s - begin, all = end - begin, nights = PACE_NIGHT * (all / DAY), most, left;

	most = p->most - (nights < p->most / 2 ? nights : p->most / 2);
	if (most == 0 || p->used <= most / 10 + (most - most / 10) * gone / all)
		return 0;
	left = (most - p->used) / PACE_CALLS;
	return (all - gone) * 1000 / (left > 0 ? left : 1);
}

int64_t pace_ms(const struct pace *p, int64_t now_s, const char **why)
{
	int64_t ms = p->every_ms, calls = by_calls(p, now_s);

	*why = "";
	if (p->took_ms * PACE_LOOK > ms) {
		ms = p->took_ms * PACE_LOOK;
		*why = "long looks";
	}
	if (calls > ms) {
		ms = calls;
		*why = "the month's calls";
	}
	return ms < LONGEST_MS ? ms : LONGEST_MS;
}
