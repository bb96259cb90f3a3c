/*
 * change-spent [--base N] - of a listing, what may go of /changes
 *
 * The listing is that of dbx-ls -R, of all copies in /backups that are kept, and of /changes. A day's folder goes, as a whole,
 * when nothing in it is as new as one of these copies, or as the record's base; with it go the objects that are on no chain,
 * for which of one number is, no name tells. Whatever is not named as an object is never printed, nor is the folder in which such
 * a thing lies.
 */
#include "lib/std.h"

#include <unistd.h>

#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/dropbox/backupname.h"
#include "lib/exits.h"
#include "lib/lines.h"
#include "lib/msg.h"
#include "lib/option.h"
#include "lib/sqlite/shelf.h"

#define LINES_MOST 1000000
#define DAY 86400	/* seconds */

static uint64_t base;	/* 0: not given */

/* ---- the listing ---- */

struct line {
	enum { COPY, OBJECT, FOLDER, OTHER } kind;	/* OTHER: something else in a day's folder */
	int64_t day;					/* when the day of its folder begins */
	int64_t n, at;					/* of an object; of a copy at */
};

/* The folder that a path names or lies in: when its day begins, and where the path goes on behind it. */
static const char *take_day(const char *path, int64_t *day)
{
	static const char form[] = "/changes/########/";
	char time[CLOCK_TEXT];

	for (size_t i = 0; i < sizeof form - 1; i++)
		if (form[i] == '#' ? path[i] < '0' || path[i] > '9' : path[i] != form[i])
			return NULL;
	snprintf(time, sizeof time, "%.4s-%.2s-%.2sT00:00:00Z", path + 9, path + 13, path + 15);
	return clock_parse(time, day) == NULL ? path + sizeof form - 1 : NULL;
}

static bool take(const char *path, void *element)
{
	struct line *l = element;
	struct backupname b;
	struct change c;
	const char *rest;

	*l = (struct line){ .day = INT64_MIN };
	rest = take_day(path, &l->day);
	if (rest == NULL) {
		l->kind = COPY;
		/* a copy that is named after a future time does not count: the clock that named it was wrong */
		if (strncmp(path, "/backups/", 9) != 0 || !backupname_parse(path + 9, &b) || b.kind != 0 ||
		    backupname_ahead(&b, clock_wall()))
			return false;
		l->at = b.time;
	} else if (change_path_parse(path, &c)) {
		l->kind = OBJECT;
		l->n = c.n;
		l->at = c.snapshot_at;
	} else {
		l->kind = *rest == '\0' ? FOLDER : OTHER;
	}
	return true;
}

static int put_on_shelf(const struct line *lines, size_t count, struct shelf *s)
{
	int rc = shelf_room(s, count);

	if (rc != EX_OK)
		return rc;
	for (size_t i = 0; i < count; i++) {
		if (lines[i].kind == COPY)
			s->copies[s->copy_count++].at = lines[i].at;
		else if (lines[i].kind == OBJECT)
			s->objects[s->object_count++] = (struct shelf_object){ .n = lines[i].n, .at = lines[i].at };
	}
	shelf_order(s);
	return EX_OK;
}

/* ---- days ---- */

static int by_day(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	return (x->day > y->day) - (x->day < y->day);
}

/* The days before all copies whose objects, too, are older than the least state that is needed. */
static void print_days(struct line *lines, size_t count, const struct shelf *s)
{
	int64_t n = base > 0 ? (int64_t)base : INT64_MAX;
	char time[CLOCK_TEXT];

	for (size_t i = 0; i < s->copy_count; i++)
		if (s->copies[i].low > 0 && s->copies[i].low < n)
			n = s->copies[i].low;
	qsort(lines, count, sizeof *lines, by_day);
	for (size_t i = 0, end; i < count; i = end) {
		bool goes = lines[i].day + DAY <= s->copies[0].at - SHELF_NAMES_ON;

		for (end = i; end < count && lines[end].day == lines[i].day; end++)
			goes = goes && lines[end].kind != OTHER && lines[end].n < n;
		if (goes && lines[i].kind != COPY)
			printf("/changes/%.4s%.2s%.2s\n", clock_text(time, lines[i].day), time + 5, time + 8);
	}
}

static int run(void)
{
	static const struct lines listing = { "lines", sizeof(struct line), LINES_MOST, take };
	struct shelf s = { .objects = NULL };
	struct line *lines;
	void *taken;
	size_t count;
	int rc = lines_read(&listing, &taken, &count);

	lines = taken;
	if (rc == EX_OK)
		rc = put_on_shelf(lines, count, &s);
	/* without a single copy nothing tells what is old */
	if (rc == EX_OK && s.copy_count > 0)
		print_days(lines, count, &s);
	shelf_free(&s);
	free(lines);
	return rc;
}

static const struct option_row options[] = {
	{ 0, "base", "N", option_number, &(struct option_range){ &base, 1, CHANGE_MOST }, "the state of the record's base, which is needed, too" },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};

static const struct command command = {
	.usage = "[--base N] < LISTING",
	.about = "Of a listing (dbx-ls -R) of the kept copies in /backups, and of /changes, what\nmay go of the latter: days that none of them needs.",
	.options = options,
	.operands = { 0, 0, "no operand is taken", NULL },
};

int main(int argc, char **argv)
{
	int rc;

	msg_init(argv[0]);
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	return cli_close(run());
}
