#include "lib/std.h"

#include <time.h>

#include "lib/clock.h"
#include "lib/dropbox/backupname.h"

#include "tests/unit/check.h"

/* A name, and the time that stands in it; NULL: no backup's. */
static const struct { const char *name, *time; } names[] = {
	{ "database_backup_20261124_020508.db", "2026-11-24T02:05:08Z" },
	{ "failover_backup_20261124_020508.db", "2026-11-24T02:05:08Z" },
	{ "database_backup_20240229_235959.db", "2024-02-29T23:59:59Z" },
	{ "database_backup_99991231_235959.db", "9999-12-31T23:59:59Z" },
	{ "database_backup_00010101_000000.db", "0001-01-01T00:00:00Z" },
	{ "", NULL }, { "database", NULL }, { "database_backup_", NULL }, { "_backup_20261124_020508.db", NULL },
	{ "database_backup_20230229_235959.db", NULL }, { "database_backup_20261301_000000.db", NULL },
	{ "database_backup_20261124_240000.db", NULL }, { "database_backup_20261124_020508.db.tmp", NULL },
	{ "database_backup_20261124_020508.d", NULL }, { "Database_backup_20261124_020508.db", NULL },
	{ "database_backup_20261124-020508.db", NULL }, { "database_backup_2026 124_020508.db", NULL },
	{ "database_backup_########_######.db", NULL }, { "xdatabase_backup_20261124_020508.db", NULL },
	{ "other_backup_20261124_020508.db", NULL }, { "databasefailover_backup_20261124_020508.db", NULL },
	{ "database_backup_20261124_020508.db/database_backup_20261124_020508.db", NULL },
};

/*
 * What may go: the times of backups (YYYYMMDD_HHMMSS, of failovers with an F before it) in any order, and of those that
 * may go in theirs, newest first.
 */
#define NONE BACKUPNAME_KEEP_NONE
#define NEWEST BACKUPNAME_KEEP_NEWEST
#define NIGHTS BACKUPNAME_KEEP_NIGHTS
static const struct {
	const char *zone, *now;
	int keep;
	int64_t count;
	const char *given, *go;
} rules[] = {
	{ "UTC", "2026-11-24T12:00:00Z", NONE, 0, "", "" },
	{ "UTC", "2026-11-24T12:00:00Z", NONE, 0, "20261122_020500 20991124_020500 20261123_020500",
	  "20991124_020500 20261123_020500 20261122_020500" },
	{ "UTC", "2026-11-24T12:00:00Z", NEWEST, 2, "20261122_020500 20261124_020500 20261123_020500", "20261122_020500" },
	{ "UTC", "2026-11-24T12:00:00Z", NEWEST, 3, "20261122_020500 20261124_020500 20261123_020500", "" },
	{ "UTC", "2026-11-24T12:00:00Z", NEWEST, 0, "20261124_020500 F20261124_020500", "20261124_020500 F20261124_020500" },
	/* each kind for itself */
	{ "UTC", "2026-11-24T12:00:00Z", NEWEST, 1, "20261124_020500 F20261101_000000 20261123_020500 F20261001_000000",
	  "20261123_020500 F20261001_000000" },
	/* the future begins a day ahead of the clock; it stays, and takes nobody's place */
	{ "UTC", "2026-11-24T12:00:00Z", NEWEST, 1, "20261125_120001 20261124_020500 20261123_020500", "20261123_020500" },
	{ "UTC", "2026-11-24T12:00:00Z", NEWEST, 1, "20261125_120000 20261124_020500 20261123_020500",
	  "20261124_020500 20261123_020500" },
	{ "UTC", "2026-11-24T12:00:00Z", NEWEST, 0, "20261125_120001", "" },
	{ "UTC", "2026-11-24T12:00:00Z", NIGHTS, 1, "20991124_020500 20261124_020500 20261124_010500", "20261124_010500" },
	/* a clock that is years behind: everything is from the future, and nothing goes */
	{ "UTC", "1970-01-01T00:00:00Z", NIGHTS, 1, "20261124_020500 20261123_020500 20261122_020500", "" },
	{ "UTC", "1970-01-01T00:00:00Z", NEWEST, 1, "20261124_020500 20261123_020500 20261122_020500", "" },
	/* a night each */
	{ "UTC", "2026-11-24T12:00:00Z", NIGHTS, 3, "20261121_020500 20261122_020500 20261123_020500 20261124_020500", "20261121_020500" },
	/* of several in a day the newest stays, and the N newest in any case */
	{ "UTC", "2026-11-24T12:00:00Z", NIGHTS, 2, "20261124_020500 20261124_030500 20261124_040500 20261123_020500 20261123_010500",
	  "20261124_020500 20261123_010500" },
	/* a day without any is none of them, however long ago the others are */
	{ "UTC", "2026-11-24T12:00:00Z", NIGHTS, 3, "20261120_020500 20261121_020500 20261124_020500 20261119_020500", "20261119_020500" },
	{ "UTC", "2026-11-24T12:00:00Z", NIGHTS, 3,
	  "20261124_040500 20261124_030500 20261124_020500 20261110_020500 20261109_030500 20261109_020500 20261108_020500",
	  "20261109_020500 20261108_020500" },
	/* a clock that is a year ahead makes no night an old one; nor does it when it is put right again */
	{ "UTC", "2027-11-24T12:00:00Z", NIGHTS, 2, "20271124_020500 20261124_040500 20261124_020500 20261123_020500 20261122_020500",
	  "20261124_020500 20261123_020500 20261122_020500" },
	{ "UTC", "2026-11-25T12:00:00Z", NIGHTS, 2, "20271124_020500 20261125_020500 20261124_040500 20261124_020500",
	  "20261124_020500" },
	{ "UTC", "2026-11-24T12:00:00Z", NIGHTS, 2, "20251120_020500 20251121_020500 20251122_020500", "20251120_020500" },
	{ "UTC", "2026-11-24T12:00:00Z", NIGHTS, 1, "20261124_020500 F20261001_000000 F20261002_000000", "F20261001_000000" },
	/* over the turn of a year, and of a leap day */
	{ "UTC", "2027-01-01T12:00:00Z", NIGHTS, 2, "20261231_010500 20261231_020500 20270101_020500 20261230_020500",
	  "20261231_010500 20261230_020500" },
	{ "UTC", "2028-03-01T12:00:00Z", NIGHTS, 2, "20280301_020500 20280229_010500 20280229_020500 20280228_020500",
	  "20280229_010500 20280228_020500" },
	/* whose day it is depends on the zone: 09 and 11 o'clock of UTC are two days where it is 14 hours later */
	{ "UTC", "2026-11-24T12:00:00Z", NIGHTS, 2, "20261124_020000 20261124_010000 20261123_110000 20261123_090000",
	  "20261123_090000" },
	{ "UTC-14", "2026-11-24T12:00:00Z", NIGHTS, 2, "20261124_120000 20261124_113000 20261123_110000 20261123_090000",
	  "20261123_090000" },
	{ "UTC-14", "2026-11-24T09:00:00Z", NIGHTS, 2, "20261124_020000 20261124_010000 20261123_110000 20261123_090000",
	  "20261123_110000" },
	/* a day of 23 hours, of 25: a quarter past midnight and a quarter to it are one day, the hour that comes twice too */
	{ "CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T21:00:00Z", NIGHTS, 1, "20260329_204500 20260328_231500 20260328_224500",
	  "20260328_231500 20260328_224500" },
	{ "CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-30T12:00:00Z", NIGHTS, 2,
	  "20260330_020500 20260329_214500 20260328_231500 20260328_224500", "20260328_231500 20260328_224500" },
	{ "CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-26T12:00:00Z", NIGHTS, 2,
	  "20261026_020500 20261025_224500 20261025_013000 20261025_003000 20261024_221500 20261024_214500",
	  "20261025_013000 20261025_003000 20261024_221500 20261024_214500" },
};

static void set_zone(const char *zone)
{
	setenv("TZ", zone, 1);
	tzset();
}

static size_t parse_times(const char *times, struct backupname *list)
{
	char text[512], *rest = text, *word;
	size_t n = 0;

	snprintf(text, sizeof text, "%s", times);
	while ((word = strsep(&rest, " ")) != NULL) {
		char name[BACKUPNAME_MOST];

		if (*word == '\0')
			continue;
		snprintf(name, sizeof name, "%s_backup_%s.db", *word == 'F' ? "failover" : "database", word + (*word == 'F'));
		check(backupname_parse(name, &list[n]), "%s", name);
		n++;
	}
	return n;
}

int main(void)
{
	struct backupname b, list[16], go[16];
	char time[CLOCK_TEXT];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		bool is = backupname_parse(names[i].name, &b);

		check(is == (names[i].time != NULL), "%s", names[i].name);
		check(!is || strcmp(clock_text(time, b.time), names[i].time) == 0, "%s: %s", names[i].name, time);
		check(!is || (strcmp(b.name, names[i].name) == 0 && backupname_kinds[b.kind][0] == b.name[0]), "%s", names[i].name);
	}
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		struct backupname_rule rule = { rules[i].keep, rules[i].count, 0 };
		size_t n, left, wanted;

		set_zone(rules[i].zone);
		check(clock_parse(rules[i].now, &rule.now) == NULL, "row %zu: now", i);
		n = parse_times(rules[i].given, list);
		wanted = parse_times(rules[i].go, go);
		left = backupname_beyond(list, n, &rule);
		check(left == wanted, "row %zu: %zu may go, not %zu", i, left, wanted);
		for (size_t k = 0; k < left && k < wanted; k++)
			check(strcmp(list[k].name, go[k].name) == 0, "row %zu: %s, not %s", i, list[k].name, go[k].name);
	}
	return check_done();
}
