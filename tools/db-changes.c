/*
 * db-changes - what changed in a live database since the state that was published last
 *
 *	db-changes [--full] [--file FILE] [options] --since STATE SRC OUT
 *	db-changes --confirm [--rev REV] | --drop | --show STATE
 *
 * OUT is an object for /changes (lib/sqlite/change.h); FILE, if asked for, the whole state of the same moment. Both are on
 * disk under their names before STATE knows of them, and what STATE knows is pending until it is confirmed. SRC is never
 * checkpointed and never written; in WAL mode its writers do not wait, in rollback mode 100 ms at most (with --file
 * for as long as it takes).
 */
#include "lib/std.h"

#include <unistd.h>

#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/exits.h"
#include "lib/hash.h"
#include "lib/json.h"
#include "lib/msg.h"
#include "lib/option.h"
#include "lib/pace.h"
#include "lib/shell.h"
#include "lib/sqlite/look.h"
#include "lib/sqlite/published.h"
#include "lib/sqlite/target.h"
#include "lib/stop.h"

static const char *const names[] = { "changed", "n", "epoch", "pages", "page_size", "page_count", "snapshot_at", "digest",
				     "path", "size", "object", "content_hash", "base", "full", "lost_after", "missed",
				     "looked_at", "rev", "pending_n", "pending_epoch", "pending_object", "pending_path", "pending_content_hash", "pending_base", "wait", "wait_why",
				     NULL };

static struct {
	const char *state, *file, *append, *node, *rev, *parent;
	int64_t wait_ms;
	int64_t every_ms;		/* 0: not given */
	uint64_t monthly, calls;
	uint64_t n, epoch;		/* 0 and UINT64_MAX: not given */
	bool full, base, no_base, confirm, drop, show, json;
	struct shell shell;
} opt = { .wait_ms = 60000, .node = "", .epoch = UINT64_MAX, .shell = { .names = names } };

static void print_json(json *j)
{
	char *text = json_text(j);

	puts(text);
	free(text);
	json_free(j);
}

/* A state as `mirror-head publish` reads it. */
static json *state_json(const struct published_state *s)
{
	char path[CHANGE_PATH];
	json *j = change_json(&s->change);

	json_put_bool(j, "base", s->change.base);
	json_put_str(j, "path", change_path(path, &s->change));
	json_put_str(j, "object", s->object);
	return j;
}

static int report(const struct look *k)
{
	const struct change *c = k->changed ? &k->now.change : &k->was->change;
	char digest[PAGEHASH_TEXT], path[CHANGE_PATH], at[CLOCK_TEXT], looked_at[CLOCK_TEXT];
	struct shell *s = &opt.shell;
	json *j;
	int rc;

	clock_text(looked_at, k->began_ns / 1000000000);
	shell_bool(s, "changed", k->changed);
	shell_int(s, "n", c->n);
	shell_set(s, "object", k->changed ? k->now.object : k->was->object);
	if (k->changed) {
		shell_int(s, "epoch", c->epoch);
		shell_int(s, "pages", c->pages);
		shell_int(s, "page_size", c->page_size);
		shell_int(s, "page_count", c->page_count);
		shell_set(s, "snapshot_at", clock_text(at, c->snapshot_at));
		shell_set(s, "digest", pagehash_text(digest, c->after));
		shell_set(s, "path", change_path(path, c));
		shell_int(s, "size", (int64_t)k->out_size);
		shell_set(s, "content_hash", c->content_hash);
		shell_bool(s, "base", c->base);
	}
	shell_bool(s, "full", k->full);
	shell_int(s, "missed", k->missed);
	shell_set(s, "looked_at", looked_at);
	if (k->lost)
		shell_int(s, "lost_after", k->was->change.n);
	j = k->changed ? state_json(&k->now) : json_object();
	json_put_bool(j, "changed", k->changed);
	json_put_bool(j, "full", k->full);
	json_put_int(j, "missed", k->missed);
	json_put_str(j, "looked_at", looked_at);
	if (k->changed) {
		json_put_int(j, "size", (int64_t)k->out_size);
	} else {
		json_put_int(j, "n", c->n);
		json_put_str(j, "object", k->was->object);
	}
	if (k->lost)
		json_put_int(j, "lost_after", k->was->change.n);
	rc = json_append(j, opt.append);
	if (opt.json) {
		print_json(j);
		return rc;
	}
	json_free(j);
	if (!shell_asked(s) && k->changed)
		printf("%s: state %lld: %u of %u pages\n", k->out, (long long)c->n, c->pages, c->page_count);
	else if (!shell_asked(s))
		printf("%s: nothing changed\n", k->src);
	return rc;
}

/* The number, the epoch and the parent of what is made: from STATE, unless the command line knows better. */
static int decide(struct look *k)
{
	const struct published_state *last = &k->state->confirmed;
	struct change *c = &k->now.change;

	if (k->state->pending.known) {
		msg_err(opt.state, "state %lld is pending", (long long)k->state->pending.change.n);
		msg_hint("db-changes --confirm when it is on record in Dropbox, else --drop");
		return EX_TEMPFAIL;
	}
	if (opt.no_base && !last->known) {
		msg_err(opt.state, "knows of no state that was published");
		return EX_NOINPUT;
	}
	k->was = last->known && !opt.base ? last : NULL;
	c->base = k->was == NULL;
	c->n = opt.n != 0 ? (int64_t)opt.n : last->known ? last->change.n + 1 : 1;
	c->epoch = opt.epoch != UINT64_MAX ? (int64_t)opt.epoch : last->known ? last->change.epoch : 1;
	snprintf(c->node, sizeof c->node, "%s", opt.node);
	if (opt.parent != NULL)
		memcpy(c->parent, opt.parent, HASH_TEXT);
	else if (k->was != NULL)
		memcpy(c->parent, last->object, HASH_TEXT);
	if (k->was != NULL && c->n != last->change.n + 1)
		return cli_usage("-n %lld: the state after %lld has the next number; --base makes one that stands alone",
				 (long long)c->n, (long long)last->change.n);
	return EX_OK;
}

static int find_changes(const char *src, const char *out)
{
	struct published state;
	struct look k = { .src = src, .out = out, .file = opt.file, .all = opt.full, .wait_ms = opt.wait_ms, .state = &state };
	int rc = target_apart(opt.state, NULL, src);

	if (rc == EX_OK && opt.file != NULL)
		rc = target_apart(opt.file, NULL, opt.state);
	if (rc != EX_OK)
		return rc;
	rc = published_open(&state, opt.state, opt.wait_ms);
	if (rc == EX_OK)
		rc = decide(&k);
	if (rc == EX_OK)
		rc = look_take(&k);
	if (rc == EX_OK)
		rc = look_keep(&k);
	if (rc == EX_OK)
		rc = report(&k);
	/* a damaged STATE is put aside, and the next look begins without one */
	if (state.damaged)
		rc = EX_TEMPFAIL;
	look_free(&k);
	published_close(&state);
	return rc;
}

static int show(const struct published *s)
{
	const struct published_state *last = &s->confirmed, *next = &s->pending;
	json *j = next->known || last->known ? state_json(next->known ? next : last) : json_object();
	int rc = json_append(j, opt.append);
	char digest[PAGEHASH_TEXT], path[CHANGE_PATH], at[CLOCK_TEXT];
	struct shell *sh = &opt.shell;

	if (last->known) {
		shell_int(sh, "n", last->change.n);
		shell_int(sh, "epoch", last->change.epoch);
		shell_set(sh, "object", last->object);
		shell_set(sh, "rev", last->rev);
		shell_set(sh, "digest", pagehash_text(digest, last->change.after));
		shell_set(sh, "snapshot_at", clock_text(at, last->change.snapshot_at));
		shell_int(sh, "page_count", last->change.page_count);
	}
	if (next->known) {
		shell_int(sh, "pending_n", next->change.n);
		shell_int(sh, "pending_epoch", next->change.epoch);
		shell_set(sh, "pending_object", next->object);
		shell_set(sh, "pending_path", change_path(path, &next->change));
		shell_set(sh, "pending_content_hash", next->change.content_hash);
		shell_bool(sh, "pending_base", next->change.base);
	}
	if (opt.json && !shell_asked(sh)) {
		print_json(j);
		return rc;
	}
	json_free(j);
	if (!shell_asked(sh) && last->known)
		printf("state %lld of %s, digest %s\n", (long long)last->change.n, clock_text(at, last->change.snapshot_at),
		       pagehash_text(digest, last->change.after));
	if (!shell_asked(sh) && next->known)
		printf("pending: state %lld, %s\n", (long long)next->change.n, change_path(path, &next->change));
	return rc;
}

/* How long to wait for the next look, as sleep(1) takes it. */
static void tell_pace(struct published *s)
{
	const struct pace p = { opt.every_ms, (int64_t)opt.monthly, published_calls(s), published_last_took(s) };
	const char *why;
	int64_t ms = pace_ms(&p, clock_wall(), &why);
	char text[24];

	snprintf(text, sizeof text, "%llds", (long long)((ms + 999) / 1000));
	shell_set(&opt.shell, "wait", text);
	shell_set(&opt.shell, "wait_why", why);
}

static int settle(const char *state)
{
	struct published s;
	int rc = published_open(&s, state, opt.wait_ms);

	if (rc == EX_OK && opt.confirm)
		rc = published_confirm(&s, opt.rev);
	if (rc == EX_OK && opt.drop)
		rc = published_drop(&s);
	if (rc == EX_OK && opt.calls > 0)
		rc = published_called(&s, (int)opt.calls);
	if (rc == EX_OK && opt.show && opt.every_ms > 0)
		tell_pace(&s);
	if (rc == EX_OK && opt.show)
		rc = show(&s);
	published_close(&s);
	return rc;
}

static const struct option_row options[] = {
	{ 's', "since", "STATE", option_text, &opt.state, "where the last state is remembered; made when not there" },
	{ 0, "full", NULL, option_flag, &opt.full, "look at every page, whatever the log tells" },
	{ 0, "file", "FILE", option_text, &opt.file, "write the whole state of the same moment, too" },
	{ 0, "base", NULL, option_flag, &opt.base, "a state that stands alone: its description, no pages" },
	{ 0, "no-base", NULL, option_flag, &opt.no_base, "never such a state: 66 where STATE knows of none" },
	{ 'n', "number", "N", option_number, &(struct option_range){ &opt.n, 1, (uint64_t)CHANGE_MOST },
	  "of the state (default: one more than STATE's)" },
	{ 0, "epoch", "E", option_number, &(struct option_range){ &opt.epoch, 0, (uint64_t)CHANGE_MOST },
	  "of the owner (default: STATE's)" },
	{ 0, "node", "NAME", option_text, &opt.node, "of this host" },
	{ 0, "parent", "HASH", option_text, &opt.parent, "content_hash of the object before (default: STATE's)" },
	{ 0, "confirm", NULL, option_flag, &opt.confirm, "what is pending in STATE was published" },
	{ 0, "rev", "REV", option_text, &opt.rev, "with this revision" },
	{ 0, "drop", NULL, option_flag, &opt.drop, "what is pending in STATE never will be" },
	{ 0, "show", NULL, option_flag, &opt.show, "what STATE remembers" },
	{ 0, "every", "DURATION", option_positive, &opt.every_ms, "of --show: how often changes are to be published" },
	{ 0, "monthly", "N", option_number, &(struct option_range){ &opt.monthly, 0, UINT32_MAX },
	  "and how many calls a month may take (0: no limit)" },
	{ 0, "calls", "N", option_number, &(struct option_range){ &opt.calls, 0, 1000 }, "of --show: so many were made besides" },
	{ 't', "timeout", "DURATION", option_duration, &opt.wait_ms, "how long to wait for a lock (default 60s)" },
	{ 0, "json", NULL, option_flag, &opt.json, "print the description as a JSON object;\nwith --show of what is pending, else of the last" },
	{ 0, "append", "FILE", option_text, &opt.append, "append it to FILE, as a line" },
	{ 0, "shell", "[=PREFIX]", option_shell, &opt.shell, "print it for a shell" },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};

static const struct command command = {
	.usage = "[--full] [--file FILE] [options] --since STATE SRC OUT\n(--confirm [--rev REV] | --drop | --show) STATE",
	.about = "What changed in the live database SRC since the state that STATE remembers.",
	.options = options,
};

static int run(int argc, char **argv)
{
	int verbs = opt.confirm + opt.drop + opt.show;

	if (verbs > 1)
		return cli_usage("--confirm, --drop and --show exclude each other");
	if (verbs == 1) {
		if (argc != 1 || opt.state != NULL)
			return cli_usage("needs STATE");
		return settle(argv[0]);
	}
	if (opt.base && opt.no_base)
		return cli_usage("--base and --no-base exclude each other");
	if (opt.state == NULL || argc != 2 || *argv[0] == '\0' || *argv[1] == '\0')
		return cli_usage("needs --since STATE, SRC and OUT");
	if (opt.parent != NULL && !hash_valid(opt.parent))
		return cli_usage("--parent %s: not a content_hash", opt.parent);
	if (strlen(opt.node) >= CHANGE_NODE)
		return cli_usage("--node %s: too long", opt.node);
	return find_changes(argv[0], argv[1]);
}

int main(int argc, char **argv)
{
	int rc;

	msg_init(argv[0]);
	stop_init();
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	rc = run(argc - optind, argv + optind);
	return cli_close(rc == EX_USAGE ? rc : shell_end(&opt.shell, rc));
}
