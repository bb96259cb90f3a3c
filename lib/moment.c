#include "lib/std.h"

#include <time.h>

#include "lib/clock.h"
#include "lib/moment.h"

#define DAY INT64_C(86400)

/* Digits and marks as in form, where d is a digit. */
static bool is_like(const char *s, const char *form)
{
	for (; *form != '\0'; s++, form++)
		if (*form == 'd' ? *s < '0' || *s > '9' : *s != *form)
			return false;
	return true;
}

/* Seconds east of UTC at that moment. */
static int64_t offset_at(int64_t at)
{
	time_t t = (time_t)at;
	struct tm tm = { 0 };

	localtime_r(&t, &tm);
	return (int64_t)tm.tm_gmtoff;
}

/* Z, +01:00, -0330: false for anything else. */
static bool offset_parse(const char *s, int64_t *offset)
{
	int h, m;

	*offset = 0;
	if (strcmp(s, "Z") == 0)
		return true;
	if (*s != '+' && *s != '-')
		return false;
	if (strlen(s) == 6 && is_like(s + 1, "dd:dd"))
		m = (s[4] - '0') * 10 + s[5] - '0';
	else if (strlen(s) == 5 && is_like(s + 1, "dddd"))
		m = (s[3] - '0') * 10 + s[4] - '0';
	else
		return false;
	h = (s[1] - '0') * 10 + s[2] - '0';
	*offset = (*s == '-' ? -1 : 1) * (int64_t)(h * 3600 + m * 60);
	return h < 24 && m < 60;
}

const char *moment_parse(const char *text, int64_t at[2], int *count)
{
	static const char why[] = "not a time such as 2026-11-30T14:03, with Z or +01:00 if it is not the local one";
	bool seconds = is_like(text, "dddd-dd-ddTdd:dd:dd") || is_like(text, "dddd-dd-dd dd:dd:dd");
	const char *zone = text + (seconds ? 19 : 16);
	int64_t shown, offset, tries[2];
	char utc[CLOCK_TEXT];

	*count = 0;
	if (!seconds && !is_like(text, "dddd-dd-ddTdd:dd") && !is_like(text, "dddd-dd-dd dd:dd"))
		return why;
	snprintf(utc, sizeof utc, "%.10sT%.5s:%.2sZ", text, text + 11, seconds ? text + 17 : "00");
	if (clock_parse(utc, &shown) != NULL)
		return why;
	if (*zone != '\0') {
		if (!offset_parse(zone, &offset))
			return why;
		at[(*count)++] = shown - offset;
		return NULL;
	}
	/* zones change their offset at most once in two days: the one before and the one after are all there are */
	tries[0] = shown - offset_at(shown - DAY);
	tries[1] = shown - offset_at(shown + DAY);
	if (tries[0] > tries[1]) {
		offset = tries[0];
		tries[0] = tries[1];
		tries[1] = offset;
	}
	for (int i = 0; i < 2; i++)
		if (tries[i] + offset_at(tries[i]) == shown && (*count == 0 || at[0] != tries[i]))
			at[(*count)++] = tries[i];
	return NULL;
}

char *moment_text(char buf[MOMENT_TEXT], int64_t at)
{
	int64_t offset = offset_at(at);
	unsigned minutes = (unsigned)((offset < 0 ? -offset : offset) / 60) % 6000;
	char local[CLOCK_TEXT];

	clock_text(local, at + offset);
	snprintf(buf, MOMENT_TEXT, "%.19s%c%02u:%02u", local, offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
	return buf;
}
