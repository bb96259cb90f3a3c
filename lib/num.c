#include "lib/std.h"

#include <inttypes.h>

#include "lib/num.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define LONGEST (36525 * DAY)

/* Reads the digits at *s into *out and moves *s behind them. */
static const char *digits(const char **s, uint64_t *out)
{
	uint64_t n = 0;
	const char *p = *s;

	if (*p < '0' || *p > '9')
		return "not a number";
	for (; *p >= '0' && *p <= '9'; p++) {
		unsigned digit = (unsigned)(*p - '0');

		if (n > (UINT64_MAX - digit) / 10)
			return "too large";
		n = n * 10 + digit;
	}
	*s = p;
	*out = n;
	return NULL;
}

const char *num_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t n;
	const char *why = digits(&s, &n);

	if (why != NULL)
		return why;
	if (*s != '\0')
		return "not a number";
	if (n < min)
		return "too small";
	if (n > max)
		return "too large";
	*out = n;
	return NULL;
}

const char *num_size(const char *s, uint64_t *out)
{
	static const char units[] = "KMGT";
	uint64_t n;
	unsigned shift = 0;
	const char *why = digits(&s, &n);

	if (why != NULL)
		return "not a size (digits and K, M, G or T)";
	if (*s != '\0') {
		const char *unit = strchr(units, *s >= 'a' && *s <= 'z' ? *s - 'a' + 'A' : *s);

		if (unit == NULL || s[1] != '\0')
			return "not a size (digits and K, M, G or T)";
		shift = 10 * (unsigned)(unit - units + 1);
	}
	if (n > (UINT64_C(1) << 62) >> shift)
		return "too large";
	*out = n << shift;
	return NULL;
}

const char *num_duration(const char *s, int64_t *out_ms)
{
	static const struct { const char *name; int64_t ms; } units[] = {
		{ "", SECOND }, { "ms", 1 }, { "s", SECOND }, { "m", MINUTE }, { "min", MINUTE }, { "h", HOUR }, { "d", DAY },
	};
	uint64_t n;

	if (digits(&s, &n) != NULL)
		return "not a duration (digits and ms, s, m, h or d)";
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (strcmp(s, units[i].name) != 0)
			continue;
		if (n > (uint64_t)(LONGEST / units[i].ms))
			return "too large";
		*out_ms = (int64_t)n * units[i].ms;
		return NULL;
	}
	return "not a duration (digits and ms, s, m, h or d)";
}

char *num_duration_text(char *buf, int64_t ms)
{
	int64_t t = ms < 0 ? -ms : ms;
	const char *sign = ms < 0 ? "-" : "";

	if (t < 10 * SECOND)
		snprintf(buf, NUM_TEXT, "%s%" PRId64 ".%" PRId64 "s", sign, t / 1000, t % 1000 / 100);
	else if (t < MINUTE)
		snprintf(buf, NUM_TEXT, "%s%" PRId64 "s", sign, t / SECOND);
	else if (t < HOUR)
		snprintf(buf, NUM_TEXT, "%s%" PRId64 "m%02" PRId64 "s", sign, t / MINUTE, t % MINUTE / SECOND);
	else if (t < 2 * DAY)
		snprintf(buf, NUM_TEXT, "%s%" PRId64 "h%02" PRId64 "m", sign, t / HOUR, t % HOUR / MINUTE);
	else
		snprintf(buf, NUM_TEXT, "%s%" PRId64 "d%02" PRId64 "h", sign, t / DAY, t % DAY / HOUR);
	return buf;
}

char *num_size_text(char *buf, uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	size_t u = 0;

	while (u < 4 && bytes >= 10240) {
		bytes = (bytes + 512) / 1024;
		u++;
	}
	snprintf(buf, NUM_TEXT, "%" PRIu64 " %s", bytes, units[u]);
	return buf;
}
