/*
 * change-spent [--base N] [--newest N --newest-object HASH --objects DIR [--wanted]] - of a listing, what may go of /changes
 *
 * The listing is that of dbx-ls -R, of all copies in /backups that are kept, and of /changes. A day's folder goes, as a whole,
 * when nothing in it is as new as one of these copies, or as the record's base. Of the objects of one number those go that are
 * not on the chain, which the objects themselves must tell: which are needed for that, --wanted says. Whatever is not
 * named as an object is never printed, nor is the folder in which such a thing lies.
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

static struct {
	const char *newest_object, *objects;
	uint64_t base, newest;
	bool wanted;
} opt;

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
		/* one from the future counts for nothing: a clock was wrong */
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
	s->objects = calloc(count + 1, sizeof *s->objects);
	s->copies = calloc(count + 1, sizeof *s->copies);
	if (s->objects == NULL || s->copies == NULL) {
		msg_err(NULL, "out of memory");
		return EX_IOERR;
	}
	for (size_t i = 0; i < count; i++) {
		if (lines[i].kind == COPY)
			s->copies[s->copy_count++].at = lines[i].at;
		else if (lines[i].kind == OBJECT)
			s->objects[s->object_count++] = (struct shelf_object){ .n = lines[i].n, .at = lines[i].at };
	}
	shelf_order(s);
	return EX_OK;
}

/* ---- strays ---- */

static void print_object(const struct shelf_object *o)
{
	char path[CHANGE_PATH];

	puts(change_path(path, &(struct change){ .n = o->n, .snapshot_at = o->at }));
}

/* The first of the objects that have the number of the one before end. */
static size_t first_of(const struct shelf *s, size_t end)
{
	size_t first = end - 1;

	while (first > 0 && s->objects[first - 1].n == s->objects[first].n)
		first--;
	return first;
}

/* The first object of the greatest number before end that several have; end when none has. */
static size_t several_before(const struct shelf *s, size_t end)
{
	for (size_t i = end; i > 1; i--)
		if (s->objects[i - 1].n == s->objects[i - 2].n)
			return first_of(s, i);
	return end;
}

/* Are the objects first to end here? Those that are wanted and are not are printed. */
static bool all_here(const struct shelf *s, size_t first, size_t end)
{
	bool all = true;

	for (size_t i = first; i < end; i++) {
		if (s->objects[i].known != NULL)
			continue;
		all = false;
		if (opt.wanted)
			print_object(&s->objects[i]);
	}
	return all;
}

/*
 * Walks the chain back from the record's object, as far as there are numbers of several objects, and marks those beside it. Of
 * an object that is missing nobody knows which it names, so on what lies beyond nobody judges.
 */
static void walk(struct shelf *s)
{
	const char *hash = opt.newest_object;
	size_t end = s->object_count, first, several;

	/* what came after the record was read is none of ours */
	while (end > 0 && s->objects[end - 1].n > (int64_t)opt.newest)
		end--;
	for (; (several = several_before(s, end)) < end && all_here(s, several, end); end = first) {
		const struct shelf_known *on = NULL;

		first = first_of(s, end);
		for (size_t i = first; i < end; i++)
			if (strcmp(s->objects[i].known->object, hash) == 0)
				on = s->objects[i].known;
		for (size_t i = first; on != NULL && i < end; i++)
			s->objects[i].gone = strcmp(s->objects[i].known->object, hash) != 0;
		if (on != NULL)
			hash = on->c.parent;
	}
}

static void print_strays(const struct shelf *s)
{
	for (size_t i = 0; i < s->object_count; i++)
		if (s->objects[i].gone)
			print_object(&s->objects[i]);
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
	int64_t n = opt.base > 0 ? (int64_t)opt.base : INT64_MAX;
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
	if (rc == EX_OK && opt.objects != NULL)
		rc = shelf_know_all(&s, opt.objects);
	if (rc == EX_OK && opt.objects != NULL)
		walk(&s);
	if (rc == EX_OK && !opt.wanted)
		print_strays(&s);
	/* without a single copy nothing tells what is old */
	if (rc == EX_OK && !opt.wanted && s.copy_count > 0)
		print_days(lines, count, &s);
	shelf_free(&s);
	free(lines);
	return rc;
}

static const struct option_row options[] = {
	{ 0, "base", "N", option_number, &(struct option_range){ &opt.base, 1, CHANGE_MOST }, "the state of the record's base, which is needed, too" },
	{ 0, "newest", "N", option_number, &(struct option_range){ &opt.newest, 1, CHANGE_MOST },
	  "the newest state of the record, read before the listing" },
	{ 0, "newest-object", "HASH", option_text, &opt.newest_object, "the content_hash of its object" },
	{ 0, "objects", "DIR", option_text, &opt.objects, "the objects that are here: tell also which are on no chain" },
	{ 0, "wanted", NULL, option_flag, &opt.wanted, "print the objects that are missing there" },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};

static const struct command command = {
	.usage = "[--base N] [--newest N --newest-object HASH --objects DIR [--wanted]] < LISTING",
	.about = "Of a listing (dbx-ls -R) of the kept copies in /backups, and of /changes, what\nmay go of the latter: days that none of them needs, and objects of no chain.",
	.options = options,
	.operands = { 0, 0, "no operand is taken", NULL },
};

int main(int argc, char **argv)
{
	int asked, rc;

	msg_init(argv[0]);
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	asked = (opt.newest > 0) + (opt.newest_object != NULL) + (opt.objects != NULL);
	if (asked != 0 && asked != 3)
		return cli_usage("--newest, --newest-object and --objects go together");
	if (opt.wanted && asked == 0)
		return cli_usage("--wanted goes with --objects");
	if (opt.newest_object != NULL && !hash_valid(opt.newest_object))
		return cli_usage("%s: not a content_hash", opt.newest_object);
	return cli_close(run());
}
