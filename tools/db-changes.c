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

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/hash.h"
#include "lib/json.h"
#include "lib/msg.h"
#include "lib/option.h"
#include "lib/shell.h"
#include "lib/sqlite/btree.h"
#include "lib/sqlite/change.h"
#include "lib/sqlite/live.h"
#include "lib/sqlite/published.h"
#include "lib/sqlite/sqlite.h"
#include "lib/stop.h"

#define CHUNK (64u << 10)	/* read at once: a page of the largest size; more than the processor's cache holds costs twice */

static const char *const names[] = { "changed", "n", "epoch", "pages", "page_size", "page_count", "snapshot_at", "digest",
				     "path", "size", "object", "content_hash", "base", "full", "lost_after", "missed",
				     "looked_at", "rev", "pending_n", "pending_epoch", "pending_object", "pending_path", "pending_content_hash",
				     NULL };

static struct {
	const char *state, *file, *node, *rev, *parent;
	int64_t wait_ms;
	uint64_t n, epoch;		/* 0 and UINT64_MAX: not given */
	bool full, base, confirm, drop, show, json;
	struct shell shell;
} opt = { .wait_ms = 60000, .node = "", .epoch = UINT64_MAX, .shell = { .names = names } };

struct look {
	const char *src, *out;
	int64_t began_ns;		/* by the wall clock, before anything was looked at */
	struct published state;
	struct live live;
	bool open;			/* live is to be closed */
	bool quick;			/* the log tells what changed */
	bool lost;			/* the log lacks what was published */
	const struct published_state *was;	/* NULL: every page is new */
	struct published_state now;
	int64_t later;			/* of a full look: the first of the frames that a quick one would have gone by; -1 for none */
	uint32_t missed;		/* pages that it would not have seen */
	unsigned char *chunk;
	/* the object, and the whole state */
	char *out_tmp, *file_tmp;
	int out_fd, file_fd;
	struct change_out *change;
	struct content_hash *hash;
	uint64_t out_size;
};

static int no_memory(const char *object)
{
	msg_err(object, "out of memory");
	return EX_IOERR;
}

/* ---- has anything changed at all? ---- */

static int64_t ns_of(struct timespec t)
{
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return ns_of(t);
}

/* What tells a file that was not written since; before anything of SQLite's is opened. */
static void look_at_file(const struct stat *st, const unsigned char *head, struct published_look *l)
{
	l->dev = st->st_dev;
	l->ino = st->st_ino;
	l->size = (uint64_t)st->st_size;
	l->mtime_ns = ns_of(st->st_mtim);
	l->ctime_ns = ns_of(st->st_ctim);
	l->counter = btree_u32(head + 24);
}

/* A write in the second in which a look began may have come after it, and have left the same times. */
static bool was_at_rest(const struct published_look *l)
{
	return l->ctime_ns < l->began_ns - 1000000000 && l->mtime_ns < l->began_ns - 1000000000;
}

/* No such file beside it, or one with nothing in it: a connection that has not written yet makes an empty log. */
static bool empty(const char *src, const char *side)
{
	char path[PATH_MAX];
	struct stat st;

	return snprintf(path, sizeof path, "%s%s", src, side) < (int)sizeof path &&
	       (lstat(path, &st) == 0 ? S_ISREG(st.st_mode) && st.st_size == 0 : errno == ENOENT);
}

/*
 * A file without a log that is the one of the last look in everything, and was at rest when that look began, need not be
 * opened (to open a WAL database makes files beside it).
 */
static bool untouched(const char *src, const struct published_look *was)
{
	unsigned char head[28];
	struct published_look now = { 0 };
	struct stat st;
	int fd = open(src, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	bool same = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		    file_pread(fd, head, sizeof head, 0) == (ssize_t)sizeof head;

	if (fd >= 0)
		close(fd);
	if (!same || !empty(src, "-wal") || !empty(src, "-journal"))
		return false;
	look_at_file(&st, head, &now);
	return !was->wal && now.dev == was->dev && now.ino == was->ino && now.size == was->size &&
	       now.mtime_ns == was->mtime_ns && now.ctime_ns == was->ctime_ns && now.counter == was->counter &&
	       was_at_rest(was);
}

/* ---- the look ---- */

/* Which pages are to be read: those of the log's later frames, or every one. */
static int scan(struct look *k)
{
	const struct published_look *before = k->was != NULL ? &k->was->look : NULL;
	bool usable = before != NULL && before->wal && before->ino == k->live.src.st.st_ino && before->dev == k->live.src.st.st_dev;
	bool all = opt.full || opt.file != NULL || k->was == NULL || k->was->change.page_size != k->live.page_size;
	enum live_since since;
	int rc = live_scan(&k->live, usable ? &before->mark : NULL, all, &since);

	k->lost = since == LIVE_LOST;
	k->quick = since == LIVE_WENT_ON && !all;
	k->later = since == LIVE_WENT_ON && all ? (int64_t)before->mark.frames : -1;
	k->missed = 0;
	return rc;
}

static int claim(struct look *k)
{
	int rc;

	k->out_tmp = file_sibling(k->out, ".new");
	if (k->out_tmp == NULL)
		return EX_IOERR;
	rc = file_claim(k->out_tmp, &k->out_fd);
	if (rc != EX_OK || opt.file == NULL)
		return rc;
	k->file_tmp = file_sibling(opt.file, ".new");
	return k->file_tmp != NULL ? file_claim(k->file_tmp, &k->file_fd) : EX_IOERR;
}

/* Nothing is made before there is something to write: an idle minute leaves the disk alone. */
static int begin_outputs(struct look *k)
{
	int rc = k->out_fd < 0 ? claim(k) : EX_OK;

	if (rc != EX_OK)
		return rc;
	change_out_free(k->change);
	k->change = NULL;
	if (ftruncate(k->out_fd, 0) != 0 || lseek(k->out_fd, 0, SEEK_SET) != 0 ||
	    (k->file_fd >= 0 && (ftruncate(k->file_fd, 0) != 0 || lseek(k->file_fd, 0, SEEK_SET) != 0))) {
		msg_errno(k->out, "cannot write");
		return EX_IOERR;
	}
	k->change = change_begin(k->out_fd, k->out, &k->now.change);
	if (k->change == NULL)
		rc = EX_IOERR;
	content_hash_free(k->hash);
	k->hash = content_hash_new();
	if (rc == EX_OK && k->hash == NULL)
		rc = no_memory(k->src);
	return rc == EX_OK ? published_begin(&k->state) : rc;
}

/* What the look begins with; again after LIVE_AGAIN, for the sizes may be others. */
static int begin(struct look *k)
{
	struct change *c = &k->now.change;

	c->page_size = k->live.page_size;
	c->page_count = k->live.page_count;
	c->pages = 0;
	c->snapshot_at = k->live.src.at;
	c->before = k->was != NULL ? k->was->change.after : (struct pagehash){ 0, 0 };
	c->after = k->quick ? c->before : (struct pagehash){ 0, 0 };
	return begin_outputs(k);
}

/* The page as it is now, beside what STATE has of it. */
static int consider(struct look *k, uint32_t page, const unsigned char *data)
{
	struct change *c = &k->now.change;
	struct pagehash is = pagehash_of(data, c->page_size, page), was;
	bool known = k->was != NULL && page <= k->was->change.page_count && c->page_size == k->was->change.page_size;
	int rc = EX_OK;

	if (known) {
		rc = published_hash(&k->state, page, &was);
		if (rc != EX_OK)
			return rc;
	}
	if (k->quick && known)
		pagehash_take(&c->after, was);
	pagehash_add(&c->after, is);
	if (known && is.high == was.high && is.low == was.low)
		return EX_OK;
	if (known && k->later >= 0 && wal_map_find(&k->live.map, page) < k->later)
		k->missed++;
	rc = published_add(&k->state, page, is);
	if (rc != EX_OK || c->base)
		return rc;
	c->pages++;
	return change_add(k->change, page, data);
}

static int read_pages(struct look *k, uint32_t first, uint32_t count)
{
	uint32_t size = k->live.page_size, lock = live_lock_page(size, k->live.page_count);
	int rc = live_read(&k->live, first, count, k->chunk);

	if (rc != EX_OK)
		return rc;
	if (first == 1)
		k->chunk[18] = k->chunk[19] = 1;
	for (uint32_t i = 0; i < count && rc == EX_OK; i++)
		if (first + i != lock)
			rc = consider(k, first + i, k->chunk + (size_t)i * size);
		else
			memset(k->chunk + (size_t)i * size, 0, size);
	if (rc != EX_OK || k->file_fd < 0)
		return rc;
	content_hash_add(k->hash, k->chunk, (size_t)count * size);
	if (file_write(k->file_fd, k->chunk, (size_t)count * size) != 0) {
		msg_errno(opt.file, "cannot write");
		return EX_IOERR;
	}
	return EX_OK;
}

static int read_all(struct look *k)
{
	uint32_t step = CHUNK / k->live.page_size, count = k->live.page_count;
	int rc = EX_OK;

	for (uint32_t page = 1; rc == EX_OK && page <= count; page += step)
		rc = read_pages(k, page, count - page < step ? count - page + 1 : step);
	return rc;
}

/* Pages of the log's later frames, and every page that the database has grown by: both by rising number. */
static int read_changed(struct look *k)
{
	uint32_t had = k->was->change.page_count, count = k->live.page_count, lock;
	struct pagehash gone;
	int rc = EX_OK;

	for (size_t i = 0; rc == EX_OK && i < k->live.map.count; i++)
		if (k->live.map.entries[i].page <= had && k->live.map.entries[i].page <= count)
			rc = read_pages(k, k->live.map.entries[i].page, 1);
	for (uint32_t page = had + 1; rc == EX_OK && page <= count; page++)
		rc = read_pages(k, page, 1);
	lock = live_lock_page(k->live.page_size, had);
	for (uint32_t page = count + 1; rc == EX_OK && page <= had; page++) {
		if (page == lock)
			continue;
		rc = published_hash(&k->state, page, &gone);
		pagehash_take(&k->now.change.after, gone);
	}
	return rc;
}

/* The log has grown by nothing that counts. */
static bool idle(const struct look *k)
{
	return k->quick && k->live.map.count == 0 && k->live.page_count == k->was->change.page_count;
}

/* One state of SRC, whatever is written meanwhile. */
static int take_look(struct look *k)
{
	int rc;

	do {
		rc = scan(k);
		if (rc == EX_OK && !idle(k)) {
			rc = begin(k);
			if (rc == EX_OK)
				rc = k->quick ? read_changed(k) : read_all(k);
		} else if (rc == EX_OK) {
			k->now.change.page_size = k->live.page_size;
			k->now.change.page_count = k->live.page_count;
		}
		if (rc == EX_OK)
			rc = live_end(&k->live);
	} while (rc == LIVE_AGAIN);
	return rc;
}

/* ---- what becomes of it ---- */

static void remember_look(struct look *k)
{
	struct published_look *l = &k->now.look;

	look_at_file(&k->live.src.st, k->live.first, l);
	l->began_ns = k->began_ns;
	l->wal = k->live.has_log;
	l->mark = k->live.mark;
}

static bool is_change(const struct look *k)
{
	const struct change *c = &k->now.change;

	return k->was == NULL || c->base || opt.file != NULL || c->pages > 0 || c->page_count != k->was->change.page_count ||
	       c->page_size != k->was->change.page_size;
}

static bool same_look(const struct published_look *a, const struct published_look *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime_ns == b->mtime_ns &&
	       a->ctime_ns == b->ctime_ns && a->counter == b->counter && a->wal == b->wal &&
	       memcmp(&a->mark, &b->mark, sizeof a->mark) == 0;
}

/* OUT and FILE under their names, then STATE: what STATE calls pending is whole on disk. */
static int keep(struct look *k)
{
	struct change *c = &k->now.change;
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = (time_t)c->snapshot_at } };
	struct stat st;
	int rc = EX_OK;

	if (k->file_fd >= 0) {
		content_hash_end(k->hash, c->content_hash);
		if (fchmod(k->file_fd, k->live.src.st.st_mode & 0777) != 0 || futimens(k->file_fd, times) != 0) {
			msg_errno(opt.file, "cannot set mode and time");
			return EX_CANTCREAT;
		}
		rc = file_commit(k->file_fd, k->file_tmp, opt.file);
	}
	if (rc == EX_OK)
		rc = change_end(k->change, c);
	if (rc == EX_OK && (fstat(k->out_fd, &st) != 0 ||
			    content_hash_fd(k->out_fd, 0, (uint64_t)st.st_size, k->now.object) != EX_OK)) {
		msg_errno(k->out, "cannot read");
		rc = EX_IOERR;
	}
	if (rc == EX_OK)
		rc = file_commit(k->out_fd, k->out_tmp, k->out);
	if (rc != EX_OK)
		return rc;
	k->out_size = (uint64_t)st.st_size;
	return published_pend(&k->state, &k->now);
}

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

static void report(const struct look *k, bool changed)
{
	const struct change *c = changed ? &k->now.change : &k->was->change;
	char digest[PAGEHASH_TEXT], path[CHANGE_PATH], at[CLOCK_TEXT], looked_at[CLOCK_TEXT];
	struct shell *s = &opt.shell;

	clock_text(looked_at, k->began_ns / 1000000000);
	shell_bool(s, "changed", changed);
	shell_int(s, "n", c->n);
	shell_set(s, "object", changed ? k->now.object : k->was->object);
	if (changed) {
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
	shell_bool(s, "full", k->open && !k->quick);
	shell_int(s, "missed", k->missed);
	shell_set(s, "looked_at", looked_at);
	if (k->lost)
		shell_int(s, "lost_after", k->was->change.n);
	if (opt.json) {
		json *j = changed ? state_json(&k->now) : json_object();

		json_put_bool(j, "changed", changed);
		json_put_bool(j, "full", k->open && !k->quick);
		json_put_int(j, "missed", k->missed);
		json_put_str(j, "looked_at", looked_at);
		if (changed) {
			json_put_int(j, "size", (int64_t)k->out_size);
		} else {
			json_put_int(j, "n", c->n);
			json_put_str(j, "object", k->was->object);
		}
		if (k->lost)
			json_put_int(j, "lost_after", k->was->change.n);
		print_json(j);
	} else if (!shell_asked(s) && changed) {
		printf("%s: state %lld: %u of %u pages\n", k->out, (long long)c->n, c->pages, c->page_count);
	} else if (!shell_asked(s)) {
		printf("%s: nothing changed\n", k->src);
	}
}

/* The number, the epoch and the parent of what is made: from STATE, unless the command line knows better. */
static int decide(struct look *k)
{
	const struct published_state *last = &k->state.confirmed;
	struct change *c = &k->now.change;

	if (k->state.pending.known) {
		msg_err(opt.state, "state %lld is pending", (long long)k->state.pending.change.n);
		msg_hint("db-changes --confirm when it is on record in Dropbox, else --drop");
		return EX_TEMPFAIL;
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
	struct look k = { .src = src, .out = out, .out_fd = -1, .file_fd = -1, .began_ns = wall_ns() };
	bool changed = false;
	int rc = published_open(&k.state, opt.state, opt.wait_ms);

	if (rc == EX_OK)
		rc = decide(&k);
	if (rc == EX_OK && k.was != NULL && opt.file == NULL && !opt.full && untouched(src, &k.was->look)) {
		report(&k, false);
		goto done;
	}
	if (rc == EX_OK && (k.chunk = malloc(CHUNK)) == NULL)
		rc = no_memory(src);
	if (rc == EX_OK) {
		k.open = true;
		rc = live_open(&k.live, src, opt.wait_ms, opt.file != NULL);
	}
	if (rc == EX_OK)
		rc = take_look(&k);
	if (rc == EX_OK) {
		remember_look(&k);
		changed = is_change(&k);
	}
	/* as soon as possible: until then the -wal can only grow */
	if (k.open)
		live_close(&k.live);
	if (rc == EX_OK && k.lost)
		msg_err(src, "its log lacks what was published as state %lld: this host lost commits", (long long)k.was->change.n);
	if (rc == EX_OK && changed)
		rc = keep(&k);
	else if (rc == EX_OK && (!same_look(&k.now.look, &k.was->look) || (!k.quick && !was_at_rest(&k.was->look))))
		rc = published_looked(&k.state, &k.now.look);
	if (rc == EX_OK)
		report(&k, changed);
done:
	change_out_free(k.change);
	content_hash_free(k.hash);
	file_unclaim(k.out_tmp, k.out_fd);
	file_unclaim(k.file_tmp, k.file_fd);
	free(k.out_tmp);
	free(k.file_tmp);
	free(k.chunk);
	published_close(&k.state);
	return rc;
}

static void show(const struct published *s)
{
	const struct published_state *last = &s->confirmed, *next = &s->pending;
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
	}
	if (shell_asked(sh))
		return;
	if (opt.json) {
		print_json(next->known || last->known ? state_json(next->known ? next : last) : json_object());
		return;
	}
	if (last->known)
		printf("state %lld of %s, digest %s\n", (long long)last->change.n, clock_text(at, last->change.snapshot_at),
		       pagehash_text(digest, last->change.after));
	if (next->known)
		printf("pending: state %lld, %s\n", (long long)next->change.n, change_path(path, &next->change));
}

static int settle(const char *state)
{
	struct published s;
	int rc = published_open(&s, state, opt.wait_ms);

	if (rc == EX_OK && opt.confirm)
		rc = published_confirm(&s, opt.rev);
	if (rc == EX_OK && opt.drop)
		rc = published_drop(&s);
	if (rc == EX_OK && opt.show)
		show(&s);
	published_close(&s);
	return rc;
}

static const struct option_row options[] = {
	{ 's', "since", "STATE", option_text, &opt.state, "where the last state is remembered; made when not there" },
	{ 0, "full", NULL, option_flag, &opt.full, "look at every page, whatever the log tells" },
	{ 0, "file", "FILE", option_text, &opt.file, "write the whole state of the same moment, too" },
	{ 0, "base", NULL, option_flag, &opt.base, "a state that stands alone: its description, no pages" },
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
	{ 't', "timeout", "DURATION", option_duration, &opt.wait_ms, "how long to wait for a lock (default 60s)" },
	{ 0, "json", NULL, option_flag, &opt.json, "print the description as a JSON object;\nwith --show of what is pending, else of the last" },
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
