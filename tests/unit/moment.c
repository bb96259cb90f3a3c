#include "lib/std.h"

#include <time.h>

#include "lib/clock.h"
#include "lib/moment.h"

#include "tests/unit/check.h"

/* What a text means in a zone: the moments in UTC, "" for none, NULL: it is no time. */
static const struct { const char *zone, *text, *means; } rows[] = {
	{ "UTC", "2026-11-30T14:03:10", "2026-11-30T14:03:10Z" }, { "UTC", "2026-11-30 14:03", "2026-11-30T14:03:00Z" },
	{ "Europe/Berlin", "2026-11-30T14:03", "2026-11-30T13:03:00Z" }, { "Europe/Berlin", "2026-07-30T14:03", "2026-07-30T12:03:00Z" },
	{ "America/Los_Angeles", "2026-12-31 23:00", "2027-01-01T07:00:00Z" }, { "Asia/Kolkata", "2026-11-30T05:30", "2026-11-30T00:00:00Z" },
	/* the zone that stands there counts, whatever the local one is */
	{ "Europe/Berlin", "2026-11-30T14:03Z", "2026-11-30T14:03:00Z" }, { "Europe/Berlin", "2026-11-30T14:03:10+02:00", "2026-11-30T12:03:10Z" },
	{ "UTC", "2026-11-30T14:03-0330", "2026-11-30T17:33:00Z" }, { "UTC", "2026-10-25T02:30+01:00", "2026-10-25T01:30:00Z" },
	/* twice, and just before and behind it once */
	{ "Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30:00Z 2026-10-25T01:30:00Z" },
	{ "Europe/Berlin", "2026-10-25T02:00", "2026-10-25T00:00:00Z 2026-10-25T01:00:00Z" },
	{ "Europe/Berlin", "2026-10-25T01:59:59", "2026-10-24T23:59:59Z" }, { "Europe/Berlin", "2026-10-25T03:00", "2026-10-25T02:00:00Z" },
	{ "Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45:00Z 2026-04-04T15:15:00Z" },
	/* without summer time: the zone itself has moved */
	{ "Europe/Volgograd", "2020-12-27T01:30", "2020-12-26T21:30:00Z 2020-12-26T22:30:00Z" },
	/* never */
	{ "Europe/Berlin", "2026-03-29T02:30", "" }, { "Europe/Berlin", "2026-03-29T01:59:59", "2026-03-29T00:59:59Z" },
	{ "Europe/Berlin", "2026-03-29T03:00", "2026-03-29T01:00:00Z" }, { "Pacific/Apia", "2011-12-30T12:00", "" },
	{ "UTC", "", NULL }, { "UTC", "now", NULL }, { "UTC", "2026-11-30", NULL }, { "UTC", "14:03", NULL }, { "UTC", "2026-11-30T14", NULL },
	{ "UTC", "2026-11-30T14:03z", NULL }, { "UTC", "2026-11-30T14:03 Z", NULL }, { "UTC", "2026-11-30T14:03:10.5", NULL },
	{ "UTC", "2026-11-31T14:03", NULL }, { "UTC", "2026-02-29T14:03", NULL }, { "UTC", "2026-11-30T24:00", NULL },
	{ "UTC", "2026-11-30T14:60", NULL }, { "UTC", "2026-11-30T14:03+1", NULL }, { "UTC", "2026-11-30T14:03+24:00", NULL },
	{ "UTC", "2026-11-30T14:03+01:60", NULL }, { "UTC", "2026-11-30T14:03+01:00Z", NULL }, { "UTC", " 2026-11-30T14:03", NULL },
};

int main(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char means[64] = "", one[CLOCK_TEXT], text[MOMENT_TEXT];
		const char *why;
		int64_t at[2], back[2];
		int count, again;

		setenv("TZ", rows[i].zone, 1);
		tzset();
		why = moment_parse(rows[i].text, at, &count);
		check((why == NULL) == (rows[i].means != NULL), "%s: %s", rows[i].text, why != NULL ? why : "taken");
		if (why != NULL || rows[i].means == NULL)
			continue;
		for (int k = 0; k < count; k++) {
			size_t len = strlen(means);

			snprintf(means + len, sizeof means - len, "%s%s", k > 0 ? " " : "", clock_text(one, at[k]));
			/* as it is printed it is one moment */
			moment_text(text, at[k]);
			check(moment_parse(text, back, &again) == NULL && again == 1 && back[0] == at[k], "%s: %s", rows[i].text, text);
		}
		check(strcmp(means, rows[i].means) == 0, "%s in %s: %s", rows[i].text, rows[i].zone, means);
	}
	return check_done();
}
