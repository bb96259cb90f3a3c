#include "lib/std.h"

#include <time.h>

#include "lib/clock.h"
#include "lib/stop.h"

#define FIRST INT64_C(-62135596800)	/* 0001-01-01T00:00:00Z */
#define LAST  INT64_C(253402300799)	/* 9999-12-31T23:59:59Z */

int64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_wall(void)
{
	return (int64_t)time(NULL);
}

void clock_sleep(int64_t ms)
{
	int64_t until = clock_ms() + ms;

	/* Slices, because a signal that comes between the test and the sleep would not wake us. */
	for (int64_t left = ms; left > 0 && !stop_asked(); left = until - clock_ms()) {
		int64_t slice = left < 200 ? left : 200;
		struct timespec t = { .tv_sec = 0, .tv_nsec = (long)slice * 1000000 };

		nanosleep(&t, NULL);
	}
}

char *clock_text(char *buf, int64_t epoch_s)
{
	time_t t = (time_t)epoch_s;
	size_t zeros = 0;
	char text[64];
	struct tm tm;

	if (epoch_s < FIRST || epoch_s > LAST || gmtime_r(&t, &tm) == NULL ||
	    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(text, sizeof text, "1970-01-01T00:00:00Z");
	/* glibc writes the year 1 as 1 */
	while (zeros + strlen(text) < CLOCK_TEXT - 1)
		buf[zeros++] = '0';
	memcpy(buf + zeros, text, CLOCK_TEXT - zeros);
	return buf;
}

const char *clock_parse(const char *s, int64_t *out_epoch_s)
{
	static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
	static const char why[] = "not a time such as 2026-11-23T06:00:00Z";
	struct tm tm = { 0 };
	char back[CLOCK_TEXT];
	time_t t;

	for (size_t i = 0; i < sizeof form; i++)
		if (form[i] == 'd' ? s[i] < '0' || s[i] > '9' : s[i] != form[i])
			return why;
#define TWO(at) ((s[at] - '0') * 10 + s[(at) + 1] - '0')
	tm.tm_year = TWO(0) * 100 + TWO(2) - 1900;
	tm.tm_mon = TWO(5) - 1;
	tm.tm_mday = TWO(8);
	tm.tm_hour = TWO(11);
	tm.tm_min = TWO(14);
	tm.tm_sec = TWO(17);
#undef TWO
	t = timegm(&tm);
	/* timegm turns February 30 into March 2; what does not come back is not a date */
	if (t < (time_t)FIRST || strcmp(clock_text(back, (int64_t)t), s) != 0)
		return why;
	*out_epoch_s = (int64_t)t;
	return NULL;
}
