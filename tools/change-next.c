/*
 * change-next --owner NAME [--list] STATE - what is to be done next about the chain of changes
 *
 * It compares the published and the pending state in STATE with the head record, and names the next step. It changes nothing,
 * with one exception: a record of this owner that an older program wrote without the members it does not know is written whole
 * again, before anything else. So a round that was killed anywhere needs no memory of its own: the next one asks where it was.
 */
#include "lib/std.h"

#include <stdarg.h>
#include <unistd.h>

#include "lib/cli.h"
#include "lib/dropbox/headwrite.h"
#include "lib/dropbox/listing.h"
#include "lib/exits.h"
#include "lib/msg.h"
#include "lib/option.h"
#include "lib/shell.h"
#include "lib/sqlite/published.h"
#include "lib/stop.h"

#define WHY 160
#define WAIT_MS 600000		/* for a look that is under way: it holds the lock */
#define STATES_MOST 1000000	/* since a night */

static struct head_wish wish;
static const char *const names[] = { "step", "why", "n", "path", "object", "rev", "epoch", "owner", "record_rev", "newest_object",
				     "number", NULL };
static struct {
	int64_t timeout_ms;
	uint64_t above;
	bool list;
	struct shell shell;
} opt = { .shell = { .names = names } };

/* The objects in /changes in Dropbox. */
struct objects {
	struct listing all;
	int64_t greatest;		/* of the numbers */
};

/* ---- the decision ---- */

__attribute__((format(printf, 3, 4)))
static const char *say(char why[WHY], const char *step, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, WHY, format, args);
	va_end(args);
	return step;
}

/* The pending state: may it follow the newest one on record, is it on record already, or can it never be? */
static const char *judge_pending(const struct published_state *p, const struct head *h, char why[WHY])
{
	struct head_newest newest = head_newest(h);

	if (newest.n > 0 && strcmp(newest.object, p->object) == 0)
		return say(why, "confirm", "state %lld is on record", (long long)p->change.n);
	if (p->change.base)
		return say(why, "wait", "base %lld is not published yet", (long long)p->change.n);
	/* another owner was at work meanwhile, or this host under another epoch: it may be older than what is on record */
	if (p->change.epoch != h->epoch || p->change.n != newest.n + 1 || strcmp(p->change.parent, newest.object) != 0)
		return say(why, "drop", "state %lld follows nothing that is on record", (long long)p->change.n);
	return say(why, "put", "state %lld is to be published", (long long)p->change.n);
}

/* Is an object of each state since the night's there? A follower begins at a night. The first that is not, or 0. */
static int64_t find_hole(const struct head *h, const struct objects *o)
{
	struct head_newest newest = head_newest(h);
	int64_t count = newest.n - h->n, hole = 0;
	bool *there = count > 0 && count < STATES_MOST ? calloc((size_t)count, sizeof *there) : NULL;

	for (size_t i = 0; there != NULL && i < o->all.count; i++) {
		const char *path = json_str(o->all.at[i], "path_display"), *hash = json_str(o->all.at[i], "content_hash");
		struct change c;

		if (path == NULL || !change_path_parse(path, &c) || c.n <= h->n || c.n > newest.n)
			continue;
		/* of the newest number it must be the object that the next change will follow */
		if (c.n < newest.n || (hash != NULL && strcmp(hash, newest.object) == 0))
			there[c.n - h->n - 1] = true;
	}
	for (int64_t i = 0; there != NULL && i < count && hole == 0; i++)
		if (!there[i])
			hole = h->n + 1 + i;
	free(there);
	return hole;
}

static const char *decide(const struct published *s, const struct headreg *r, const struct objects *o, char why[WHY])
{
	const struct published_state *last = &s->confirmed;
	struct head_newest newest = head_newest(&r->head);
	int64_t hole;

	if (r->exists && strcmp(r->head.owner, wish.owner) != 0)
		return say(why, "fenced", "the record is another's since epoch %lld", (long long)r->head.epoch);
	if (s->pending.known)
		return judge_pending(&s->pending, &r->head, why);
	if (!last->known)
		return say(why, "base", "no state was published by this host");
	if (newest.n == 0 || strcmp(newest.object, last->object) != 0)
		return say(why, "base", "the record does not name the state that was published last here, %lld", (long long)last->change.n);
	hole = o != NULL ? find_hole(&r->head, o) : 0;
	if (hole > 0)
		return say(why, "base", "the object of state %lld is not in Dropbox any more", (long long)hole);
	return say(why, "look", "nothing is pending after state %lld", (long long)last->change.n);
}

/* ---- what it is decided by ---- */

static int list(const struct headwrite *w, struct objects *o)
{
	int rc = listing_read(w->dropbox, w->http, "/changes", true, &o->all);

	for (size_t i = 0; rc == EX_OK && i < o->all.count; i++) {
		const char *path = json_str(o->all.at[i], "path_display");
		struct change c;

		if (path != NULL && change_path_parse(path, &c) && c.n > o->greatest)
			o->greatest = c.n;
	}
	return rc == EX_NOINPUT ? EX_OK : rc;
}

static int64_t greater(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int report(const struct published *s, const struct headreg *r, const struct objects *o)
{
	const struct published_state *is = s->pending.known ? &s->pending : &s->confirmed;
	struct head_newest newest = head_newest(&r->head);
	struct shell *sh = &opt.shell;
	char path[CHANGE_PATH], why[WHY];
	const char *step = decide(s, r, opt.list ? o : NULL, why);
	int64_t number = greater(greater(newest.n, o->greatest), (int64_t)opt.above);

	shell_set(sh, "step", step);
	shell_set(sh, "why", why);
	if (is->known) {
		number = greater(number, is->change.n);
		shell_int(sh, "n", is->change.n);
		shell_set(sh, "path", change_path(path, &is->change));
		shell_set(sh, "object", is->object);
	}
	if (strcmp(step, "confirm") == 0)
		shell_set(sh, "rev", r->head.change.n == is->change.n ? r->head.change.rev : is->change.base ? r->head.rev : "");
	if (r->exists) {
		shell_int(sh, "epoch", r->head.epoch);
		shell_set(sh, "owner", r->head.owner);
		shell_set(sh, "record_rev", r->rev);
		shell_set(sh, "newest_object", newest.object);
	}
	shell_int(sh, "number", number + 1);
	if (!shell_asked(sh))
		printf("%s: %s\n", step, why);
	return EX_OK;
}

/* The record of this owner as it should be; another's as it is. */
static int look(const struct headwrite *w, struct headreg *r)
{
	struct headreg seen;
	int rc = headwrite_look(w, &seen, r);

	if (rc == EX_OK && r->exists && strcmp(r->head.owner, wish.owner) == 0)
		rc = headwrite_move(w, head_move_mend, r);
	return rc;
}

static const struct option_row options[] = {
	{ 0, "owner", "NAME", option_text, &wish.owner, "who publishes" },
	{ 0, "list", NULL, option_flag, &opt.list, "look at the names in /changes, too: a hole asks for a base" },
	{ 0, "above", "N", option_number, &(struct option_range){ &opt.above, 0, (uint64_t)HEAD_MOST },
	  "a state that is known besides: a base has a greater number" },
	{ 't', "timeout", "DURATION", option_duration, &opt.timeout_ms, "give up after this time" },
	{ 0, "shell", "[=PREFIX]", option_shell, &opt.shell, "print it for a shell" },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};

static const struct command command = {
	.usage = "--owner NAME [--list] [--above N] [-t DURATION] [--shell] STATE",
	.about = "What is to be done next about the chain of changes: `confirm` what is pending, `put` or\n"
		 "`drop` it, `wait` for its file, make a `base`, or `look`; or this host is `fenced`.",
	.options = options,
	.operands = { 1, 1, "wants one STATE", NULL },
};

int main(int argc, char **argv)
{
	struct headwrite w = { .wish = &wish };
	struct published state = { .lock = -1 };
	struct objects objects = { .greatest = 0 };
	struct headreg record = { .exists = false };
	int rc;

	msg_init(argv[0]);
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	if (wish.owner == NULL || !head_owner_valid(wish.owner))
		return cli_usage("needs --owner NAME");
	stop_init();
	rc = dropbox_begin(&w.dropbox, &w.http, opt.timeout_ms);
	if (rc == EX_OK)
		rc = look(&w, &record);
	/* a listing that failed, as was reported, does not stop the night: a hole in it is found tomorrow */
	if (rc == EX_OK && opt.list && list(&w, &objects) != EX_OK)
		opt.list = false;
	if (stop_asked())
		rc = EX_TEMPFAIL;
	/* opened last, so that its lock is not held during the calls to Dropbox */
	if (rc == EX_OK)
		rc = published_open(&state, argv[optind], WAIT_MS);
	if (rc == EX_OK)
		rc = report(&state, &record, &objects);
	published_close(&state);
	listing_free(&objects.all);
	dropbox_end(w.dropbox, w.http);
	return shell_end(&opt.shell, cli_close(rc));
}
