#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/hash.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/sqlite/btree.h"
#include "lib/sqlite/look.h"
#include "lib/sqlite/target.h"

#define SPARE ((uint64_t)64 << 20)	/* what a long OUT leaves to whoever else writes on its disk: the application */
#define BURDEN_MS 500		/* a tenth of the shortest period */
#define FLUSH ((uint64_t)4 << 20)
#define SPARE_EVERY 1024		/* pages of OUT */
#define CHUNK (64u << 10)	/* read at once: a page of the largest size; more than the processor's cache holds costs twice */

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

/* The marks by which a later look knows that the file was not written since; read before SQLite opens anything. */
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
	bool all = k->all || k->file != NULL || k->was == NULL || k->was->change.page_size != k->live.page_size;
	enum live_since since;
	int rc = live_scan(&k->live, usable ? &before->mark : NULL, all, &since);

	k->lost = since == LIVE_LOST;
	k->quick = since == LIVE_WENT_ON && !all;
	k->later = since == LIVE_WENT_ON && all ? (int64_t)before->mark.frames : -1;
	k->missed = 0;
	return rc;
}

/* The names of the outputs; none may be SRC, or take another database's place by mistake. */
static int name_outputs(struct look *k)
{
	int rc;

	k->out_tmp = file_sibling(k->out, ".new");
	k->file_tmp = k->file != NULL ? file_sibling(k->file, ".new") : NULL;
	if (k->out_tmp == NULL || (k->file != NULL && k->file_tmp == NULL))
		return EX_IOERR;
	rc = target_file(k->out, k->out_tmp, k->src);
	return rc == EX_OK && k->file != NULL ? target_database(k->file, k->file_tmp, k->src) : rc;
}

static int claim(struct look *k)
{
	int rc = file_claim(k->out_tmp, &k->out_fd);

	return rc == EX_OK && k->file != NULL ? file_claim(k->file_tmp, &k->file_fd) : rc;
}

/* The disk may be the application's: no look takes its last room for what cannot be whole anyway. */
static int enough_room(int fd, const char *object, uint64_t size)
{
	char need[NUM_TEXT], have[NUM_TEXT];
	struct statvfs fs;

	if (fstatvfs(fd, &fs) != 0 || fs.f_bavail >= size / fs.f_frsize + 1)
		return EX_OK;
	msg_err(object, "needs %s, %s are free", num_size_text(need, size), num_size_text(have, (uint64_t)fs.f_bavail * fs.f_frsize));
	return EX_IOERR;
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
	if (k->file_fd >= 0)
		rc = enough_room(k->file_fd, k->file, (uint64_t)k->live.page_count * k->live.page_size);
	if (rc != EX_OK)
		return rc;
	k->change = change_begin(k->out_fd, k->out, &k->now.change);
	if (k->change == NULL)
		rc = EX_IOERR;
	content_hash_free(k->hash);
	k->hash = content_hash_new();
	if (rc == EX_OK && k->hash == NULL)
		rc = no_memory(k->src);
	return rc == EX_OK ? published_begin(k->state) : rc;
}

/* Sets what the look begins with; done anew after LIVE_AGAIN, since the sizes may have changed. */
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
		rc = published_hash(k->state, page, &was);
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
	rc = published_add(k->state, page, is);
	if (rc != EX_OK || c->base)
		return rc;
	if (++c->pages % SPARE_EVERY == 0)
		rc = enough_room(k->out_fd, k->out, SPARE);
	return rc == EX_OK ? change_add(k->change, page, data) : rc;
}

static int read_pages(struct look *k, uint32_t first, uint32_t count)
{
	uint32_t size = k->live.page_size, lock = live_lock_page(size, k->live.page_count);
	int rc = live_read(&k->live, first, count, k->chunk);
	uint64_t end;

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
		msg_errno(k->file, "cannot write");
		return EX_IOERR;
	}
	end = ((uint64_t)first - 1 + count) * size;
	/* a hint, as db-snapshot's: writing all at the end would hold up the commits of everybody on this disk */
	if (end % FLUSH == 0)
		sync_file_range(k->file_fd, (off_t)(end - FLUSH), (off_t)FLUSH, SYNC_FILE_RANGE_WRITE);
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
		rc = published_hash(k->state, page, &gone);
		pagehash_take(&k->now.change.after, gone);
	}
	return rc;
}

/* The log has grown by nothing that counts. */
static bool idle(const struct look *k)
{
	return k->quick && k->live.map.count == 0 && k->live.page_count == k->was->change.page_count;
}

/* Takes one state of SRC, whatever is written meanwhile. */
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

	return k->was == NULL || c->base || k->file != NULL || c->pages > 0 || c->page_count != k->was->change.page_count ||
	       c->page_size != k->was->change.page_size;
}

static bool same_look(const struct published_look *a, const struct published_look *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime_ns == b->mtime_ns &&
	       a->ctime_ns == b->ctime_ns && a->counter == b->counter && a->wal == b->wal &&
	       memcmp(&a->mark, &b->mark, sizeof a->mark) == 0;
}

/* Not even to be opened? */
static bool is_untouched(const struct look *k)
{
	return k->was != NULL && k->file == NULL && !k->all && untouched(k->src, &k->was->look);
}

int look_take(struct look *k)
{
	int64_t began;
	int rc;

	k->out_fd = k->file_fd = -1;
	k->began_ns = wall_ns();
	if (is_untouched(k))
		return EX_OK;
	rc = name_outputs(k);
	if (rc != EX_OK)
		return rc;
	k->chunk = malloc(CHUNK);
	if (k->chunk == NULL)
		return no_memory(k->src);
	rc = live_open(&k->live, k->src, k->wait_ms, k->file != NULL);
	began = clock_ms();
	if (rc == EX_OK)
		rc = take_look(k);
	k->took_ms = clock_ms() - began;
	if (rc == EX_OK) {
		k->looked = true;
		k->full = !k->quick;
		remember_look(k);
		k->changed = is_change(k);
	}
	/* as soon as possible: until then the -wal can only grow */
	live_close(&k->live);
	if (rc == EX_OK && k->lost)
		msg_err(k->src, "its log lacks what was published as state %lld: this host lost commits",
			(long long)k->was->change.n);
	return rc;
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
			msg_errno(k->file, "cannot set mode and time");
			return EX_CANTCREAT;
		}
		rc = file_commit(k->file_fd, k->file_tmp, k->file);
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
	return published_pend(k->state, &k->now);
}

/* A night's look is not one of those that come again and again. */
static int remember_time(struct look *k)
{
	return k->file == NULL ? published_took(k->state, k->full && k->took_ms >= BURDEN_MS ? k->took_ms : 0) : EX_OK;
}

int look_keep(struct look *k)
{
	int rc = remember_time(k);

	if (rc != EX_OK)
		return rc;
	if (k->changed)
		return keep(k);
	/* the next one may begin where this one ended */
	if (k->looked && (!same_look(&k->now.look, &k->was->look) || (k->full && !was_at_rest(&k->was->look))))
		return published_looked(k->state, &k->now.look);
	return EX_OK;
}

void look_free(struct look *k)
{
	change_out_free(k->change);
	content_hash_free(k->hash);
	if (k->out_tmp != NULL)
		file_unclaim(k->out_tmp, k->out_fd);
	if (k->file_tmp != NULL)
		file_unclaim(k->file_tmp, k->file_fd);
	free(k->out_tmp);
	free(k->file_tmp);
	free(k->chunk);
}
