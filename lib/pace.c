#include "lib/std.h"

#include <time.h>

#include "lib/pace.h"

#define DAY 86400

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

int64_t pace_ms(int64_t every_ms, int64_t most, int64_t used, int64_t now_s)
{
	int64_t month = pace_month(now_s);
	int64_t begin = begin_of((int)(month / 12), (int)(month % 12)), end = begin_of((int)(month / 12), (int)(month % 12) + 1);
	int64_t gone = now_s - begin, all = end - begin, left, ms;

	if (most == 0)
		return every_ms;
	most -= PACE_NIGHT * (all / DAY);
	if (most > 0 && used <= most / 10 + (most - most / 10) * gone / all)
		return every_ms;
	left = (most - used) / PACE_CALLS;
	ms = (all - gone) * 1000 / (left > 0 ? left : 1);
	return ms > every_ms ? ms : every_ms;
}
