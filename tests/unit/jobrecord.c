#include "lib/std.h"

#include <stdlib.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/jobrecord.h"

#include "tests/unit/check.h"

#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"
#define LOS_ANGELES "PST8PDT,M3.2.0,M11.1.0"

/* Are the two moments of one night? It begins at 02:05 of the zone. */
static const struct { const char *zone, *a, *b; bool same; } nights[] = {
	{ "UTC", "2026-11-24T02:05:00Z", "2026-11-24T02:05:00Z", true },
	{ "UTC", "2026-11-24T02:05:00Z", "2026-11-25T02:04:59Z", true },
	{ "UTC", "2026-11-24T02:04:59Z", "2026-11-24T02:05:00Z", false },
	{ "UTC", "2026-11-24T02:05:00Z", "2026-11-25T02:05:00Z", false },
	{ "UTC", "2026-11-24T12:00:00Z", "2026-11-25T00:30:00Z", true },
	{ "UTC", "2025-11-24T12:00:00Z", "2026-11-24T12:00:00Z", false },
	{ "UTC", "2026-12-31T12:00:00Z", "2027-01-01T02:04:00Z", true },
	{ "UTC", "2026-12-31T12:00:00Z", "2027-01-01T02:05:00Z", false },
	{ "UTC", "2028-02-29T12:00:00Z", "2028-03-01T02:04:59Z", true },
	{ "UTC", "2028-02-29T02:04:59Z", "2028-02-29T02:05:00Z", false },
	{ BERLIN, "2026-11-24T01:05:00Z", "2026-11-25T01:04:59Z", true },
	{ BERLIN, "2026-11-24T01:04:59Z", "2026-11-24T01:05:00Z", false },
	/* 02:05 does not exist: 01:59 is followed by 03:00 */
	{ BERLIN, "2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z", false },
	{ BERLIN, "2026-03-28T12:00:00Z", "2026-03-29T00:59:59Z", true },
	{ BERLIN, "2026-03-29T01:00:00Z", "2026-03-30T00:04:59Z", true },
	/* 02:05 comes twice: what ran after the first is tonight's when it is looked at after the second */
	{ BERLIN, "2026-10-25T00:04:59Z", "2026-10-25T00:05:00Z", false },
	{ BERLIN, "2026-10-25T00:10:00Z", "2026-10-25T01:10:00Z", true },
	{ BERLIN, "2026-10-25T01:10:00Z", "2026-10-26T01:04:59Z", true },
	{ BERLIN, "2026-10-25T01:10:00Z", "2026-10-26T01:05:00Z", false },
	{ LOS_ANGELES, "2026-11-24T10:04:59Z", "2026-11-24T10:05:00Z", false },
	{ LOS_ANGELES, "2026-11-24T10:05:00Z", "2026-11-25T10:04:59Z", true },
	/* the day of UTC changes in the evening there */
	{ LOS_ANGELES, "2026-11-24T23:59:59Z", "2026-11-25T00:00:00Z", true },
	{ LOS_ANGELES, "2026-03-08T09:59:59Z", "2026-03-08T10:00:00Z", false },
	{ LOS_ANGELES, "2026-03-08T10:00:00Z", "2026-03-09T09:04:59Z", true },
	{ LOS_ANGELES, "2026-03-08T10:00:00Z", "2026-03-09T09:05:00Z", false },
	/* here the hour that comes twice is the one before 02:00, so there is one 02:05 */
	{ LOS_ANGELES, "2026-11-01T08:30:00Z", "2026-11-01T09:30:00Z", true },
	{ LOS_ANGELES, "2026-11-01T10:04:59Z", "2026-11-01T10:05:00Z", false },
	{ LOS_ANGELES, "2026-11-01T10:05:00Z", "2026-11-02T10:04:59Z", true },
};

/* Is NAME:KIND with the value a fact, and how does it stand in the record? NULL: it is none. */
static const struct { const char *name, *value, *stands; } facts[] = {
	{ "size:int", "42", "42" }, { "size:int", "", "null" }, { "size:int", "999999999999999", "999999999999999" },
	{ "size:int", "9007199254740993", NULL }, { "size:int", "-1", NULL }, { "size:int", "many", NULL },
	{ "rev:text", "a\"b", "a\"b" }, { "rev:text", "", "null" }, { "done:bool", "yes", "true" }, { "done:bool", "", "false" },
	{ "done:bool", "1", "false" }, { "size", "1", NULL }, { ":int", "1", NULL }, { "size:long", "1", NULL },
	{ "size:", "1", NULL }, { "Size:int", "1", NULL }, { "exit:int", "1", NULL }, { "steps:text", "x", NULL },
	{ "a234567890123456789012345678901:int", "1", "1" }, { "a2345678901234567890123456789012:int", "1", NULL },
};

/*
 * For the test of the timers: lines `SECONDS WORD` on standard input, in order, come out with the number of the night
 * before them, the night of `from` being 0.
 */
static int number_nights(long long from)
{
	long long at;
	char word[16];
	int number = 0;

	for (; scanf("%lld %15s", &at, word) == 2; from = at) {
		number += !jobrecord_same_night(from, at);
		printf("%d %lld %s\n", number, at, word);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2)
		return number_nights(strtoll(argv[1], NULL, 10));
	for (size_t i = 0; i < sizeof nights / sizeof *nights; i++) {
		int64_t a = 0, b = 0;

		setenv("TZ", nights[i].zone, 1);
		tzset();
		check(clock_parse(nights[i].a, &a) == NULL && clock_parse(nights[i].b, &b) == NULL, "row %zu", i);
		check(jobrecord_same_night(a, b) == nights[i].same, "row %zu: %s and %s", i, nights[i].a, nights[i].b);
	}
	for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
		struct jobrecord r = { .facts = json_object(), .steps = json_array() };
		bool is = jobrecord_fact(&r, facts[i].name, facts[i].value);
		const json *fact = json_first(r.facts);
		char *text = fact != NULL ? json_value_text(fact) : NULL;

		check(is == (facts[i].stands != NULL) && is == (fact != NULL), "%s %s", facts[i].name, facts[i].value);
		check(!is || (text != NULL && strcmp(text, facts[i].stands) == 0), "%s %s: %s", facts[i].name, facts[i].value, text);
		free(text);
		jobrecord_free(&r);
	}
	return check_done();
}
