#include "lib/std.h"

#include <time.h>

#include "lib/clock.h"
#include "lib/dropbox/backupname.h"

#define AHEAD INT64_C(86400)	/* seconds; a name further ahead is from the future */

const char *const backupname_kinds[BACKUPNAME_KINDS] = { "database", "failover" };

bool backupname_parse(const char *name, struct backupname *out)
{
	static const char form[] = "_backup_########_######.db";
	const char *d, *p = NULL;
	char time[CLOCK_TEXT];

	if (strlen(name) >= BACKUPNAME_MOST)
		return false;
	for (size_t i = 0; i < BACKUPNAME_KINDS && p == NULL; i++) {
		size_t len = strlen(backupname_kinds[i]);

		if (strncmp(name, backupname_kinds[i], len) == 0) {
			out->kind = i;
			p = name + len;
		}
	}
	if (p == NULL || strlen(p) != sizeof form - 1)
		return false;
	for (size_t i = 0; i < sizeof form - 1; i++) {
		if (form[i] == '#' ? p[i] < '0' || p[i] > '9' : p[i] != form[i])
			return false;
	}
	d = p + sizeof "_backup_" - 1;
	snprintf(time, sizeof time, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", d, d + 4, d + 6, d + 9, d + 11, d + 13);
	if (clock_parse(time, &out->time) != NULL)
		return false;
	snprintf(out->name, sizeof out->name, "%s", name);
	return true;
}

void backupname_make(size_t kind, int64_t time, struct backupname *out)
{
	char t[CLOCK_TEXT];

	*out = (struct backupname){ .time = time, .kind = kind };
	clock_text(t, time);
	snprintf(out->name, sizeof out->name, "%s_backup_%.4s%.2s%.2s_%.2s%.2s%.2s.db", backupname_kinds[kind], t, t + 5, t + 8,
		 t + 11, t + 14, t + 17);
}

static int newest_first(const void *a, const void *b)
{
	const struct backupname *x = a, *y = b;

	return x->time != y->time ? (x->time < y->time ? 1 : -1) : strcmp(x->name, y->name);
}

/* The local day of a time, counted from some day on. */
static int64_t day_of(int64_t at)
{
	time_t t = (time_t)at;
	struct tm tm;

	localtime_r(&t, &tm);
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	return (int64_t)timegm(&tm) / 86400;
}

bool backupname_ahead(const struct backupname *b, int64_t now)
{
	return b->time > now + AHEAD;
}

/* The names of one kind that were counted so far, from the newest on. */
struct seen {
	int64_t count, days, last_day;
};

static bool stays(const struct backupname *b, struct seen *seen, const struct backupname_rule *rule)
{
	int64_t day;
	bool newest_of_day;

	if (rule->keep == BACKUPNAME_KEEP_NONE)
		return false;
	if (backupname_ahead(b, rule->now))
		return true;
	day = day_of(b->time);
	newest_of_day = seen->count == 0 || day != seen->last_day;
	seen->last_day = day;
	seen->days += newest_of_day;
	return seen->count++ < rule->count ||
	       (rule->keep == BACKUPNAME_KEEP_NIGHTS && newest_of_day && seen->days <= rule->count);
}

size_t backupname_beyond(struct backupname *list, size_t count, const struct backupname_rule *rule)
{
	struct seen seen[BACKUPNAME_KINDS] = { { 0, 0, 0 } };
	size_t left = 0;

	qsort(list, count, sizeof *list, newest_first);
	for (size_t i = 0; i < count; i++)
		if (!stays(&list[i], &seen[list[i].kind], rule))
			list[left++] = list[i];
	return left;
}
