/*
 * change-history - of a listing on standard input, which states can be had again
 *
 *	change-history [options]			those of each hour, for people
 *	change-history (--at TIME | --state N) [options]	one state, and how it is made
 *
 * The listing is that of dbx-ls -lR: copies in /backups, objects in /changes. A choice needs objects, too: --names says which are
 * missing, and it is asked again when they are in --objects DIR.
 */
#include "lib/std.h"

#include <unistd.h>

#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/dropbox/backupname.h"
#include "lib/exits.h"
#include "lib/lines.h"
#include "lib/moment.h"
#include "lib/msg.h"
#include "lib/option.h"
#include "lib/shell.h"
#include "lib/sqlite/shelf.h"

#define LINES_MOST 1000000

static const char *const names[] = { "n", "snapshot_at", "local", "later", "unproven", "missing", "base",
				     "base_size_text", "base_content_hash", "changes", "object", NULL };

static struct {
	const char *at, *objects, *names, *file, *newest_object;
	uint64_t state, newest;
	struct shell shell;
} opt = { .shell = { .names = names } };

/* ---- the listing ---- */

struct line {
	enum { COPY, OBJECT } kind;
	int64_t at, size;
	int64_t n;			/* of an object */
	char hash[HASH_TEXT];
	char path[128];			/* of a copy */
};

/* One line of dbx-ls -l: size, time, content_hash, path. A line of a folder has none of these, and is passed over. */
static bool take(const char *text, void *element)
{
	struct line *l = element;
	struct backupname b;
	struct change c;
	char time[32], hash[128];
	long long size;
	const char *path;
	int begin = 0;

	if (sscanf(text, " %lld %31s %127s %n", &size, time, hash, &begin) != 3 || begin == 0 || text[begin] != '/' ||
	    !hash_valid(hash) || clock_parse(time, &l->at) != NULL)
		return false;
	path = text + begin;
	l->size = size;
	memcpy(l->hash, hash, HASH_TEXT);
	if (change_path_parse(path, &c)) {
		l->kind = OBJECT;
		l->n = c.n;
		l->at = c.snapshot_at;
		return true;
	}
	l->kind = COPY;
	snprintf(l->path, sizeof l->path, "%s", path);
	if (opt.file != NULL && strcmp(path, opt.file) == 0)
		return true;
	if (strncmp(path, "/backups/", 9) != 0 || !backupname_parse(path + 9, &b) || b.kind != 0)
		return false;
	l->at = b.time;
	return true;
}

static int put_on_shelf(const struct line *lines, size_t count, struct shelf *s)
{
	int rc = shelf_room(s, count);

	if (rc != EX_OK)
		return rc;
	for (size_t i = 0; i < count; i++) {
		const struct line *l = &lines[i];

		if (l->kind == COPY) {
			struct shelf_copy *c = &s->copies[s->copy_count++];

			*c = (struct shelf_copy){ .at = l->at, .size = l->size };
			snprintf(c->hash, sizeof c->hash, "%s", l->hash);
			snprintf(c->path, sizeof c->path, "%s", l->path);
		} else if (l->kind == OBJECT) {
			s->objects[s->object_count++] = (struct shelf_object){ .n = l->n, .at = l->at };
		}
	}
	shelf_order(s);
	return EX_OK;
}

/* ---- the answers ---- */

/* The hour of a state by the local clock, and its offset: an hour that comes twice is two. */
static bool same_hour(int64_t a, int64_t b)
{
	char x[MOMENT_TEXT], y[MOMENT_TEXT];

	moment_text(x, a);
	moment_text(y, b);
	return strncmp(x, y, sizeof "2026-11-30T14" - 1) == 0 && strcmp(x + 19, y + 19) == 0;
}

/* Of each hour the last and the first state, and those of which there is a copy; the newest first. */
static void print_history(const struct shelf *s)
{
	size_t *at = calloc(s->object_count + 1, sizeof *at), count = 0;
	char time[MOMENT_TEXT];

	for (size_t i = 0; at != NULL && i < s->object_count; i = shelf_next(s, i))
		if (opt.newest == 0 || s->objects[i].n <= (int64_t)opt.newest)
			at[count++] = i;
	for (size_t i = count; i-- > 0;) {
		const struct shelf_object *o = &s->objects[shelf_next(s, at[i]) - 1], *older = i > 0 ? &s->objects[at[i] - 1] : NULL;
		const struct shelf_copy *c = shelf_copy_of(s, o->n);

		if (c != NULL || older == NULL || !same_hour(o->at, older->at) || i + 1 == count ||
		    !same_hour(o->at, s->objects[shelf_next(s, at[i + 1]) - 1].at))
			printf("%10lld  %s%s%s\n", (long long)o->n, moment_text(time, o->at), c != NULL ? "  " : "", c != NULL ? c->path : "");
		if (older != NULL && older->n + 1 < o->n && c == NULL)
			printf("%10s  %lld to %lld\n", "missing", (long long)older->n + 1, (long long)o->n - 1);
	}
	free(at);
}

/* The objects that have to be in --objects before the state can be chosen. */
static void print_wanted(const struct shelf *s, const struct shelf_plan *p, FILE *to)
{
	char path[CHANGE_PATH];

	for (size_t i = 0; i < s->object_count; i++) {
		const struct shelf_object *o = &s->objects[i];

		if (o->n >= p->first && o->n <= p->last && o->known == NULL)
			fprintf(to, "%s\n", change_path(path, &(struct change){ .n = o->n, .snapshot_at = o->at }));
	}
}

static int write_names(const struct shelf *s, const struct shelf_plan *p)
{
	FILE *to = fopen(opt.names, "we");
	bool bad = to == NULL;

	if (!bad && p->missing)
		print_wanted(s, p, to);
	if (to != NULL) {
		bad = ferror(to) != 0;
		bad = fclose(to) != 0 || bad;
	}
	if (bad)
		msg_errno(opt.names, "cannot write");
	return bad ? EX_IOERR : EX_OK;
}

static void print_plan(const struct shelf_plan *p)
{
	char utc[CLOCK_TEXT], local[MOMENT_TEXT];
	struct shell *s = &opt.shell;

	shell_int(s, "n", p->n);
	shell_set(s, "snapshot_at", clock_text(utc, p->at));
	shell_set(s, "local", moment_text(local, p->at));
	shell_bool(s, "later", p->later);
	shell_bool(s, "unproven", p->unproven);
	shell_bool(s, "missing", p->missing);
	shell_set(s, "base", p->base->path);
	shell_size(s, "base_size_text", (uint64_t)p->base->size);
	if (!p->missing) {
		shell_set(s, "base_content_hash", p->base->hash);
		shell_int(s, "changes", (int64_t)p->steps - 1);
		shell_set(s, "object", p->way[0]->known->object);
	}
	if (!shell_asked(s))
		printf("state %lld of %s, from %s%s\n", (long long)p->n, local, p->base->path,
		       p->missing ? "; objects are missing" : "");
}

static int choose(struct shelf *s)
{
	struct shelf_wish wish = { .n = (int64_t)opt.state, .time = opt.at, .newest = (int64_t)opt.newest, .newest_object = opt.newest_object };
	const char *why = opt.at != NULL ? moment_parse(opt.at, wish.at, &wish.count) : NULL;
	struct shelf_plan plan;
	int rc;

	if (why != NULL)
		return cli_usage("--at: %s: %s", opt.at, why);
	if (opt.at != NULL && wish.count == 0)
		return cli_usage("--at: %s: the local clock was put forward over this time", opt.at);
	rc = shelf_choose(s, &wish, &plan);
	if (rc == EX_OK && opt.names != NULL)
		rc = write_names(s, &plan);
	if (rc == EX_OK)
		print_plan(&plan);
	free(plan.way);
	return rc;
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
		rc = shelf_know(&s, opt.objects);
	if (rc == EX_OK && (opt.at != NULL || opt.state > 0))
		rc = choose(&s);
	else if (rc == EX_OK)
		print_history(&s);
	shelf_free(&s);
	free(lines);
	return rc;
}

static const struct option_row options[] = {
	{ 0, "at", "TIME", option_text, &opt.at, "the newest state that is not later: 2026-11-30T14:03, local\nunless Z or +01:00 follows" },
	{ 0, "state", "N", option_number, &(struct option_range){ &opt.state, 1, CHANGE_MOST }, "this state" },
	{ 0, "objects", "DIR", option_text, &opt.objects, "the objects that are here already" },
	{ 0, "names", "FILE", option_text, &opt.names, "write FILE: the objects that are missing there" },
	{ 0, "newest", "N", option_number, &(struct option_range){ &opt.newest, 1, CHANGE_MOST }, "the newest state on record; what is beyond it is of no chain" },
	{ 0, "newest-object", "HASH", option_text, &opt.newest_object, "the content_hash of its object" },
	{ 0, "file", "PATH", option_text, &opt.file, "a copy with another name than a backup's, by its time" },
	{ 0, "shell", "[=PREFIX]", option_shell, &opt.shell, "print the choice for a shell" },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};

static const struct command command = {
	.usage = "[options] < LISTING\n(--at TIME | --state N) [options] < LISTING",
	.about = "Of a listing (dbx-ls -lR) which published states can be had again: of each hour\nthe last and the first, or one, and what leads to it.",
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
	if (opt.at != NULL && opt.state > 0)
		return cli_usage("--at and --state exclude each other");
	if (opt.names != NULL && (opt.objects == NULL || (opt.at == NULL && opt.state == 0)))
		return cli_usage("--names goes with a choice and --objects");
	if (shell_asked(&opt.shell) && opt.at == NULL && opt.state == 0)
		return cli_usage("--shell is for one state");
	if (opt.newest_object != NULL && !hash_valid(opt.newest_object))
		return cli_usage("%s: not a content_hash", opt.newest_object);
	return shell_end(&opt.shell, cli_close(run()));
}
