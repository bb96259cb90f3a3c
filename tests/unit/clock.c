#include "lib/std.h"

#include "lib/clock.h"

#include "tests/unit/check.h"

/* The seconds are those of GNU date -u -d TEXT +%s. */
static const struct { const char *text; int64_t s; } good[] = {
	/* what Windows and .NET write into a file that has no time */
	{ "0001-01-01T00:00:00Z", INT64_C(-62135596800) }, { "1601-01-01T00:00:00Z", INT64_C(-11644473600) },
	{ "0987-06-05T04:03:02Z", INT64_C(-31007044618) }, { "1969-12-31T23:59:59Z", -1 },
	{ "1970-01-01T00:00:00Z", 0 }, { "1970-01-01T00:00:01Z", 1 }, { "1999-12-31T23:59:59Z", 946684799 },
	{ "2000-02-29T12:00:00Z", 951825600 }, { "2024-02-29T00:00:00Z", 1709164800 },
	{ "2026-11-23T06:00:00Z", 1795413600 }, { "2038-01-19T03:14:08Z", INT64_C(2147483648) },
	{ "2400-02-29T23:59:59Z", INT64_C(13574649599) }, { "9999-12-31T23:59:59Z", INT64_C(253402300799) },
};

static const char *const bad[] = {
	/* no such day */
	"2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-02-30T00:00:00Z",
	"2026-04-31T00:00:00Z", "2026-01-32T00:00:00Z", "2026-01-00T00:00:00Z", "2026-00-01T00:00:00Z",
	"2026-13-01T00:00:00Z", "2026-99-01T00:00:00Z",
	/* no such second; a leap second is none to us */
	"2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z", "2016-12-31T23:59:60Z",
	/* before the first year, and behind the last year */
	"0000-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z",
	/* another form of RFC 3339 or of ISO 8601 */
	"2026-11-23T06:00:00+00:00", "2026-11-23T06:00:00-05:00", "2026-11-23T06:00:00.000Z", "2026-11-23T06:00:00,5Z",
	"2026-11-23t06:00:00Z", "2026-11-23T06:00:00z", "2026-11-23 06:00:00Z", "2026-11-23T06:00:00", "2026-11-23T06:00Z",
	"2026-11-23", "20261123T060000Z", "2026-328T06:00:00Z",
	/* none at all */
	"", "Z", " 2026-11-23T06:00:00Z", "2026-11-23T06:00:00Z ", "2026-11-23T06:00:00ZZ", "2026-11-23T06:00:00Z\n",
	"+026-11-23T06:00:00Z", "-026-11-23T06:00:00Z", "2026- 1-23T06:00:00Z", "2026-11-23T-6:00:00Z",
	"2026-11-23T0x:00:00Z", "2026-11-2\xd9\xa3T06:00:00Z", "now", "1795413600",
};

static const int64_t outside[] = { INT64_C(-62135596801), INT64_MIN, INT64_C(253402300800), INT64_MAX };

int main(void)
{
	char text[CLOCK_TEXT];

	/* the host's zone has no say */
	setenv("TZ", "America/New_York", 1);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		int64_t s = -1;
		const char *why = clock_parse(good[i].text, &s);

		check(why == NULL && s == good[i].s, "%s: %lld", good[i].text, (long long)s);
		check(strcmp(clock_text(text, good[i].s), good[i].text) == 0, "%lld: %s", (long long)good[i].s, text);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		int64_t s = 42;

		check(clock_parse(bad[i], &s) != NULL && s == 42, "'%s' taken as %lld", bad[i], (long long)s);
	}
	for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
		check(strcmp(clock_text(text, outside[i]), "1970-01-01T00:00:00Z") == 0, "%lld: %s",
		      (long long)outside[i], text);
	return check_done();
}
