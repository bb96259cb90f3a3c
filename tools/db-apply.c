/*
 * db-apply - a file of ours, one published state further
 *
 *	db-apply [options] CHANGE... FILE
 *	db-apply -o NEW [options] [CHANGE...] BASE
 *	db-apply --to HASH [-o NEW] [options] CHANGE... FILE
 *	db-apply --finish | --show | --digest FILE
 *
 * Everything is checked before anything is written: the chain, the sizes, the page numbers, and the digest that FILE will
 * have. Then SQLite itself applies the changes, as one transaction of a log beside FILE that nobody else has open. A note
 * beside FILE says which state it is, and which one is on its way: whatever kills a run, --finish or the next run knows
 * what is to be done, and does it again without harm (pages are whole).
 */
#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <sqlite3.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <linux/fs.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/option.h"
#include "lib/shell.h"
#include "lib/sqlite/chain.h"
#include "lib/sqlite/change.h"
#include "lib/sqlite/live.h"
#include "lib/sqlite/sqlite.h"
#include "lib/stop.h"

#define CHUNK (256u << 10)
#define SPARE ((uint64_t)256 << 20)	/* beside room for one more database: what follows must not fill the disk */
#define BATCH_MAX ((uint64_t)64 << 20)	/* of a log: then it is taken in, and another one begun */
#define NOTE_MAX 4096
#define NOTE_SCHEMA 1

static const char *const names[] = { "n", "epoch", "snapshot_at", "digest", "page_size", "page_count", "applied", "pages",
				     "target", "content_hash", NULL };

static struct {
	const char *out;
	const char *to;			/* content_hash of the object to lead to; NULL: apply all, as they come */
	int64_t wait_ms;
	bool finish, show, digest, json;
	struct shell shell;
} opt = { .wait_ms = 60000, .shell = { .names = names } };

/* Which state a file is. n 0: not known, only its digest. */
struct place {
	int64_t n, epoch, snapshot_at;
	uint32_t page_size, page_count;
	struct pagehash digest;
};

struct apply {
	const char *file;		/* as named, for messages */
	char path[PATH_MAX];		/* what is changed: FILE, or the unfinished copy for NEW */
	char wal[PATH_MAX + 8], next[PATH_MAX + 16];	/* its log, and the name of one that is not yet whole */
	char note[PATH_MAX + 16], lock_path[PATH_MAX + 16];
	int lock, fd, next_fd;
	bool known;			/* what FILE is */
	bool has_target;
	struct place is, target;
	char whole[HASH_TEXT];		/* content_hash of what FILE is, where its object says so */
	uint32_t applied;		/* changes */
	uint64_t pages;
	/* the log that is being made */
	struct wal_header header;
	struct wal_mark at;
	struct wal_map map;
	unsigned char *old, *frame;
};

static int no_memory(const char *object)
{
	msg_err(object, "out of memory");
	return EX_IOERR;
}

static int refuse(const char *object, const char *why)
{
	msg_err(object, "%s", why);
	return EX_DATAERR;
}

/* ---- the note ---- */

static json *place_json(const struct place *p)
{
	char digest[PAGEHASH_TEXT], at[CLOCK_TEXT];
	json *j = json_object();

	json_put_int(j, "n", p->n);
	json_put_int(j, "epoch", p->epoch);
	json_put_str(j, "snapshot_at", clock_text(at, p->snapshot_at));
	json_put_int(j, "page_size", p->page_size);
	json_put_int(j, "page_count", p->page_count);
	json_put_str(j, "digest", pagehash_text(digest, p->digest));
	return j;
}

static bool place_parse(const json *j, struct place *p)
{
	const char *digest = json_str(j, "digest"), *at = json_str(j, "snapshot_at");
	int64_t size, count;

	if (!json_int(j, "n", 0, CHANGE_MOST, &p->n) || !json_int(j, "epoch", 0, CHANGE_MOST, &p->epoch) ||
	    !json_int(j, "page_size", 512, 65536, &size) || !json_int(j, "page_count", 1, UINT32_MAX - 1, &count) ||
	    at == NULL || clock_parse(at, &p->snapshot_at) != NULL || digest == NULL || !pagehash_parse(digest, &p->digest))
		return false;
	p->page_size = (uint32_t)size;
	p->page_count = (uint32_t)count;
	return true;
}

/* On disk before the caller goes on. */
static int note_write(struct apply *a)
{
	json *j = json_object();
	char *text;
	int rc;

	json_put_int(j, "schema", NOTE_SCHEMA);
	json_put(j, "is", place_json(&a->is));
	if (a->has_target)
		json_put(j, "target", place_json(&a->target));
	else
		json_put_null(j, "target");
	text = json_text(j);
	rc = file_replace(a->note, 0644, text, strlen(text));
	free(text);
	json_free(j);
	return rc;
}

static int note_read(struct apply *a)
{
	struct buf text = BUF_INIT(NOTE_MAX);
	json *j = NULL;
	int64_t schema;
	struct stat st;
	int rc;

	a->known = a->has_target = false;
	if (lstat(a->note, &st) != 0 && errno == ENOENT)
		return EX_OK;
	rc = file_slurp(a->note, &text);
	if (rc == EX_OK)
		j = json_parse(buf_text(&text), text.len);
	if (rc == EX_OK && (j == NULL || !json_int(j, "schema", 1, CHANGE_MOST, &schema)))
		rc = refuse(a->note, "not a note of db-apply");
	else if (rc == EX_OK && schema != NOTE_SCHEMA)
		rc = refuse(a->note, "was written by a newer version of these programs");
	else if (rc == EX_OK && !place_parse(json_get(j, "is"), &a->is))
		rc = refuse(a->note, "does not say which state its file is");
	if (rc == EX_OK)
		a->known = true;
	if (rc == EX_OK && json_is_object(json_get(j, "target"))) {
		a->has_target = place_parse(json_get(j, "target"), &a->target);
		if (!a->has_target)
			rc = refuse(a->note, "does not say which state its file becomes");
	}
	json_free(j);
	buf_free(&text);
	return rc;
}

/* ---- opening ---- */

/* The file's own header: page size and number of pages. */
static int look_at_file(struct apply *a)
{
	struct sqlite_header h;
	int rc;

	a->fd = open(a->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (a->fd < 0) {
		msg_errno(a->file, "cannot open");
		return errno == ENOENT ? EX_NOINPUT : errno == EACCES ? EX_NOPERM : EX_CANTCREAT;
	}
	rc = sqlite_header_read(a->fd, a->file, &h);
	if (rc != EX_OK)
		return rc;
	if (a->known && (h.page_size != a->is.page_size || h.page_count != a->is.page_count))
		return refuse(a->file, "is not the state that its note says");
	a->is.page_size = h.page_size;
	a->is.page_count = h.page_count;
	return EX_OK;
}

/* The digest of a file of which nothing is known yet. */
static int compute_digest(struct apply *a)
{
	uint32_t size = a->is.page_size, count = a->is.page_count, step = CHUNK / size, lock = live_lock_page(size, count);

	a->is.digest = (struct pagehash){ 0, 0 };
	for (uint32_t page = 1; page <= count; page += step) {
		uint32_t some = count - page < step ? count - page + 1 : step;

		if (file_pread(a->fd, a->old, (size_t)some * size, (off_t)(page - 1) * size) != (ssize_t)some * size) {
			msg_errno(a->file, "cannot read");
			return EX_IOERR;
		}
		if (stop_asked()) {
			msg_err(a->file, "interrupted");
			return EX_TEMPFAIL;
		}
		if (page == 1)
			a->old[18] = a->old[19] = 1;
		for (uint32_t i = 0; i < some; i++)
			if (page + i != lock)
				pagehash_add(&a->is.digest, pagehash_of(a->old + (size_t)i * size, size, page + i));
	}
	return EX_OK;
}

/* ---- the end of a run: SQLite takes the log into the file ---- */

/* Alone, or not at all: a connection that came in while the log is there would be left in WAL mode. */
static int checkpoint(struct apply *a)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *st = NULL;
	int rc = sqlite_open(a->path, NULL, SQLITE_OPEN_READWRITE, NULL, &db), end;
	int result = EX_OK;

	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=FULL; PRAGMA cache_size=-256;"
				  "PRAGMA temp_store=MEMORY", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		sqlite3_busy_timeout(db, (int)(opt.wait_ms < 3000 ? opt.wait_ms : 3000));
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(db, "PRAGMA wal_checkpoint(TRUNCATE)", -1, &st, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW && sqlite3_column_int(st, 0) != 0) {
		msg_err(a->file, "in use by another process");
		result = EX_CANTCREAT;
	} else if (rc != SQLITE_ROW) {
		result = sqlite_fail(db, a->file, "cannot apply", rc);
	}
	sqlite3_finalize(st);
	end = sqlite3_close(db);
	if (result == EX_OK && end != SQLITE_OK)
		result = sqlite_fail(NULL, a->file, "cannot close", end);
	return result;
}

/* FILE must be what was computed, as far as its size tells, and its log gone. */
static int look_at_result(struct apply *a)
{
	struct stat st;

	/* SQLite takes an empty log for none, and leaves it there */
	if (lstat(a->wal, &st) == 0 && st.st_size == 0 && unlink(a->wal) != 0) {
		msg_errno(a->wal, "cannot remove");
		return EX_IOERR;
	}
	if (lstat(a->wal, &st) == 0) {
		msg_err(a->wal, "is still there");
		return EX_CANTCREAT;
	}
	if (stat(a->path, &st) != 0 || (uint64_t)st.st_size != (uint64_t)a->target.page_count * a->target.page_size) {
		msg_err(a->file, "has another size than state %lld", (long long)a->target.n);
		return EX_DATAERR;
	}
	if (file_sync_parent(a->path) != 0) {
		msg_errno(a->file, "cannot sync its directory");
		return EX_IOERR;
	}
	return EX_OK;
}

/*
 * What a run began with a target on its note is ended, or forgotten when its log had not got its name yet. The order of a
 * run: log whole and on disk - note with the target - the log's name - SQLite - note without.
 */
static int finish(struct apply *a)
{
	struct stat st;
	int rc = EX_OK;

	if (!a->has_target)
		return unlink(a->next) == 0 || errno == ENOENT ? EX_OK : (msg_errno(a->next, "cannot remove"), EX_IOERR);
	if (lstat(a->next, &st) == 0) {
		msg_info("%s: a run ended before it began to write", a->file);
		a->has_target = false;
		rc = note_write(a);
		if (rc == EX_OK && unlink(a->next) != 0) {
			msg_errno(a->next, "cannot remove");
			rc = EX_IOERR;
		}
		return rc;
	}
	if (lstat(a->wal, &st) == 0 && st.st_size > 0)
		rc = checkpoint(a);
	if (rc == EX_OK)
		rc = look_at_result(a);
	if (rc != EX_OK)
		return rc;
	a->is = a->target;
	a->has_target = false;
	return note_write(a);
}

/* ---- making the log ---- */

/* The page as it will be before this change: from the log that is being made, else from FILE. */
static int old_page(struct apply *a, uint32_t page, unsigned char *data)
{
	uint32_t size = a->target.page_size;
	int64_t frame = a->map.count > 0 ? wal_map_find(&a->map, page) : -1;
	ssize_t n = frame >= 0 ? file_pread(a->next_fd, data, size, (off_t)wal_offset(size, (uint32_t)frame) + WAL_FRAME_LEN) :
				 file_pread(a->fd, data, size, (off_t)(page - 1) * size);

	if (n != (ssize_t)size) {
		msg_errno(a->file, "cannot read page %u", page);
		return EX_IOERR;
	}
	if (page == 1)
		data[18] = data[19] = 1;
	return EX_OK;
}

/* Old pages' hashes leave the digest: of one page, or of all that a smaller database lacks. */
static int take_away(struct apply *a, uint32_t first, uint32_t last)
{
	uint32_t lock = live_lock_page(a->target.page_size, last);
	int rc = EX_OK;

	for (uint32_t page = first; rc == EX_OK && page <= last; page++) {
		if (page == lock)
			continue;
		rc = old_page(a, page, a->old);
		if (rc == EX_OK)
			pagehash_take(&a->target.digest, pagehash_of(a->old, a->target.page_size, page));
	}
	return rc;
}

static int begin_log(struct apply *a, uint32_t page_size)
{
	static const uint32_t salt[2] = { 0x6374762d, 0x6170706c };	/* any two numbers: the log stands alone */
	unsigned char head[WAL_HEADER_LEN];
	int rc = a->next_fd >= 0 ? EX_OK : file_claim(a->next, &a->next_fd);

	if (rc != EX_OK)
		return rc;
	wal_header_make(head, page_size, salt, &a->header);
	a->at = a->header.start;
	wal_map_free(&a->map);
	if (ftruncate(a->next_fd, 0) != 0 || file_pwrite(a->next_fd, head, sizeof head, 0) != 0) {
		msg_errno(a->next, "cannot write");
		return file_write_status(errno);
	}
	return EX_OK;
}

static int put_frame(struct apply *a, struct wal_frame f, const unsigned char *data)
{
	uint32_t i = a->at.frames;
	unsigned char *frame = a->frame;

	wal_frame_make(&a->header, &a->at, frame, data, f);
	memcpy(frame + WAL_FRAME_LEN, data, a->header.page_size);
	if (wal_map_add(&a->map, f.page, i) != 0)
		return no_memory(a->file);
	if (file_pwrite(a->next_fd, frame, WAL_FRAME_LEN + a->header.page_size, (off_t)wal_offset(a->header.page_size, i)) != 0) {
		msg_errno(a->next, "cannot write");
		return file_write_status(errno);
	}
	return EX_OK;
}

/* Does this change begin where we are? */
static int fits(const struct apply *a, const char *name, const struct change *c)
{
	const struct place *is = &a->target;

	if (c->base)
		return refuse(name, "is a base: it begins with the whole file that it describes");
	if (is->n != 0 && c->n != is->n + 1) {
		msg_err(name, "leads to state %lld, and %s is state %lld", (long long)c->n, a->file, (long long)is->n);
		return EX_DATAERR;
	}
	if (is->n != 0 && c->epoch < is->epoch)
		return refuse(name, "was made by an owner of an older epoch");
	if (c->before.high != is->digest.high || c->before.low != is->digest.low) {
		msg_err(name, "begins with another state than %s is", a->file);
		return EX_DATAERR;
	}
	return EX_OK;
}

/* A new page size changes every page: what is there goes away whole. */
static int change_page_size(struct apply *a, const char *name, const struct change *c)
{
	uint32_t lock = live_lock_page(c->page_size, c->page_count);

	if (c->pages != c->page_count - (lock != 0))
		return refuse(name, "changes the page size, and lacks pages");
	a->target.digest = (struct pagehash){ 0, 0 };
	a->target.page_size = c->page_size;
	a->target.page_count = 0;
	return begin_log(a, c->page_size);
}

/* One change behind those before it, into the log; the state that it leads to must be the one that it says. */
static int add_change(struct apply *a, const char *name, struct change_in *in, const struct change *c)
{
	unsigned char *data = a->old + 65536;
	uint32_t page, seen = 0, grown = 0, had, lock;
	int rc = fits(a, name, c);

	if (rc == EX_OK && c->page_size != a->target.page_size)
		rc = change_page_size(a, name, c);
	had = a->target.page_count;
	if (rc == EX_OK && c->page_count < had)
		rc = take_away(a, c->page_count + 1, had);
	while (rc == EX_OK && (rc = change_next(in, &page, data)) == EX_OK && page != 0) {
		if (stop_asked()) {
			msg_err(a->file, "interrupted");
			return EX_TEMPFAIL;
		}
		if (page <= had)
			rc = take_away(a, page, page);
		else
			grown++;
		pagehash_add(&a->target.digest, pagehash_of(data, c->page_size, page));
		if (rc == EX_OK)
			rc = put_frame(a, (struct wal_frame){ page, ++seen == c->pages ? c->page_count : 0 }, data);
	}
	if (rc != EX_OK)
		return rc;
	lock = live_lock_page(c->page_size, c->page_count);
	if (c->page_count > had && grown != c->page_count - had - (lock > had))
		return refuse(name, "lacks pages that the database has grown by");
	if (a->target.digest.high != c->after.high || a->target.digest.low != c->after.low)
		return refuse(name, "does not lead to the state that it says");
	wal_map_commit(&a->map);
	wal_map_close(&a->map);
	a->target.n = c->n;
	a->target.epoch = c->epoch;
	a->target.snapshot_at = c->snapshot_at;
	a->target.page_count = c->page_count;
	memcpy(a->whole, c->content_hash, sizeof a->whole);
	a->applied++;
	a->pages += c->pages;
	return EX_OK;
}

/* A change that leads to where FILE is already is passed over; of a file of unknown number it says the number. */
static bool is_behind(struct apply *a, const struct change *c)
{
	struct place *p = &a->target;

	if (p->n != 0)
		return c->n <= p->n;
	if (c->after.high != p->digest.high || c->after.low != p->digest.low || c->page_size != p->page_size ||
	    c->page_count != p->page_count)
		return false;
	p->n = c->n;
	p->epoch = c->epoch;
	p->snapshot_at = c->snapshot_at;
	memcpy(a->whole, c->content_hash, sizeof a->whole);
	return true;
}

/* A log has one page size, and is to fit on the disk beside what follows. */
static bool ends_batch(const struct apply *a, const struct change *c)
{
	return a->at.frames > 0 && (c->page_size != a->target.page_size ||
				    wal_offset(a->header.page_size, a->at.frames) > BATCH_MAX);
}

/* As many of the changes as go together, from *i on. */
static int collect(struct apply *a, char **changes, int count, int *i)
{
	int rc = begin_log(a, a->is.page_size);
	bool full = false;

	a->target = a->is;
	while (rc == EX_OK && !full && *i < count) {
		struct change c;
		struct change_in *in = change_open(changes[*i], &c, &rc);

		if (in == NULL)
			break;
		full = ends_batch(a, &c);
		if (!full && !is_behind(a, &c))
			rc = add_change(a, changes[*i], in, &c);
		change_in_free(in);
		if (!full)
			(*i)++;
	}
	return rc;
}

/* ---- the steps ---- */

static int enough_room(const struct apply *a)
{
	uint64_t need = (uint64_t)a->target.page_count * a->target.page_size + SPARE;
	char text[NUM_TEXT], have[NUM_TEXT];
	struct statvfs fs;

	if (fstatvfs(a->next_fd, &fs) != 0 || (uint64_t)fs.f_bavail * fs.f_frsize >= need)
		return EX_OK;
	msg_err(a->file, "%s are free on its disk, %s are to stay free", num_size_text(have, (uint64_t)fs.f_bavail * fs.f_frsize),
		num_size_text(text, need));
	return EX_IOERR;
}

/* The log that was collected, under its name and into FILE. */
static int write_batch(struct apply *a)
{
	int rc;

	if (a->at.frames == 0) {
		a->is = a->target;
		return note_write(a);
	}
	rc = enough_room(a);
	if (rc == EX_OK && (fsync(a->next_fd) != 0 || file_sync_parent(a->next) != 0)) {
		msg_errno(a->next, "cannot sync");
		rc = EX_IOERR;
	}
	if (rc != EX_OK)
		return rc;
	a->has_target = true;
	rc = note_write(a);
	if (rc == EX_OK && (rename(a->next, a->wal) != 0 || file_sync_parent(a->wal) != 0)) {
		msg_errno(a->wal, "cannot rename");
		rc = EX_CANTCREAT;
	}
	if (rc != EX_OK)
		return rc;
	close(a->next_fd);
	a->next_fd = -1;
	return finish(a);
}

static int apply_all(struct apply *a, char **changes, int count)
{
	struct chain_from from = { a->file, a->is.n, a->is.digest, a->is.page_size, a->is.page_count };
	int rc = opt.to != NULL ? chain_order(&from, opt.to, changes, &count) : EX_OK;

	for (int i = 0; rc == EX_OK && i < count;) {
		rc = collect(a, changes, count, &i);
		if (rc == EX_OK)
			rc = write_batch(a);
	}
	return rc;
}

static void report(const struct apply *a)
{
	const struct place *p = &a->is;
	char digest[PAGEHASH_TEXT], at[CLOCK_TEXT];
	struct shell *s = &opt.shell;

	if (p->n != 0) {
		shell_int(s, "n", p->n);
		shell_int(s, "epoch", p->epoch);
		shell_set(s, "snapshot_at", clock_text(at, p->snapshot_at));
	}
	shell_set(s, "digest", pagehash_text(digest, p->digest));
	shell_int(s, "page_size", p->page_size);
	shell_int(s, "page_count", p->page_count);
	shell_int(s, "applied", a->applied);
	shell_int(s, "pages", (int64_t)a->pages);
	if (a->whole[0] != '\0')
		shell_set(s, "content_hash", a->whole);
	if (a->has_target)
		shell_int(s, "target", a->target.n);
	if (opt.json) {
		json *j = place_json(p);
		char *text;

		json_put_int(j, "applied", a->applied);
		json_put_int(j, "pages", (int64_t)a->pages);
		if (a->whole[0] != '\0')
			json_put_str(j, "content_hash", a->whole);
		if (a->has_target)
			json_put(j, "target", place_json(&a->target));
		text = json_text(j);
		puts(text);
		free(text);
		json_free(j);
	} else if (!shell_asked(s) && p->n != 0) {
		printf("%s: state %lld of %s, %u changes of %llu pages applied\n", a->file, (long long)p->n,
		       clock_text(at, p->snapshot_at), a->applied, (unsigned long long)a->pages);
	} else if (!shell_asked(s)) {
		printf("%s: digest %s\n", a->file, pagehash_text(digest, p->digest));
	}
}

static int names_for(struct apply *a, const char *path)
{
	if (snprintf(a->path, sizeof a->path, "%s", path) >= (int)sizeof a->path) {
		msg_err(path, "too long");
		return EX_USAGE;
	}
	snprintf(a->wal, sizeof a->wal, "%s-wal", a->path);
	snprintf(a->next, sizeof a->next, "%s-next", a->path);
	snprintf(a->note, sizeof a->note, "%s.note", a->path);
	snprintf(a->lock_path, sizeof a->lock_path, "%s.lock", a->path);
	return EX_OK;
}

/* A copy of BASE under the unfinished name of NEW. */
static int copy_base(struct apply *a, const char *base)
{
	struct stat st;
	int from = open(base, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), to = -1, rc;
	off_t at = 0;

	/* what a killed run left would be applied to this copy */
	if (unlink(a->wal) != 0 && errno != ENOENT) {
		msg_errno(a->wal, "cannot remove");
		rc = EX_CANTCREAT;
	} else {
		unlink(a->next);
		unlink(a->note);
		rc = sqlite_no_side_files(base);
	}
	if (from < 0 || fstat(from, &st) != 0 || !S_ISREG(st.st_mode)) {
		msg_errno(base, "cannot open");
		rc = EX_NOINPUT;
	}
	if (rc == EX_OK)
		rc = file_claim(a->path, &to);
	/* a file system that can share the blocks has nothing to copy */
	if (rc == EX_OK && ioctl(to, FICLONE, from) != 0) {
		while (at < st.st_size && !stop_asked()) {
			ssize_t n = copy_file_range(from, NULL, to, NULL, (size_t)(st.st_size - at), 0);

			if (n <= 0) {
				msg_errno(a->file, "cannot copy %s", base);
				rc = EX_IOERR;
				break;
			}
			at += n;
		}
		if (rc == EX_OK && stop_asked()) {
			msg_err(a->file, "interrupted");
			rc = EX_TEMPFAIL;
		}
	}
	if (rc == EX_OK && fchmod(to, st.st_mode & 0777) != 0) {
		msg_errno(a->file, "cannot set its mode");
		rc = EX_CANTCREAT;
	}
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	return rc;
}

/* The copy becomes NEW, with its note; what was only this run's goes away. */
static int name_new(struct apply *a)
{
	char note[PATH_MAX + 16];
	int fd = open(a->path, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0) {
		msg_errno(a->file, "cannot open");
		return EX_IOERR;
	}
	rc = file_commit(fd, a->path, opt.out);
	close(fd);
	if (rc != EX_OK)
		return rc;
	unlink(a->note);
	snprintf(note, sizeof note, "%s.note", opt.out);
	snprintf(a->note, sizeof a->note, "%s", note);
	return a->known || a->is.n != 0 ? note_write(a) : EX_OK;
}

/* What FILE is by its note, once an earlier run is at its end. */
static int find_out(struct apply *a)
{
	int rc = opt.show || opt.digest ? EX_OK : file_lock_at(a->lock_path, opt.wait_ms, &a->lock);

	if (rc == EX_OK && !opt.digest)
		rc = note_read(a);
	if (rc == EX_OK && !opt.digest && !opt.show)
		rc = finish(a);
	if (rc == EX_OK && !a->known && (opt.finish || opt.show)) {
		msg_err(a->file, "has no note");
		rc = EX_NOINPUT;
	}
	return rc;
}

static int apply(char **changes, int count, const char *file)
{
	struct apply a = { .file = opt.out != NULL ? opt.out : file, .lock = -1, .fd = -1, .next_fd = -1 };
	char *tmp = opt.out != NULL ? file_sibling(opt.out, ".applied") : NULL;
	int rc = opt.out != NULL && tmp == NULL ? EX_IOERR : names_for(&a, tmp != NULL ? tmp : file);

	if (rc == EX_OK && ((a.old = malloc(CHUNK)) == NULL || (a.frame = malloc(WAL_FRAME_LEN + 65536)) == NULL))
		rc = no_memory(a.file);
	if (rc == EX_OK)
		rc = opt.out != NULL ? copy_base(&a, file) : find_out(&a);
	if (rc == EX_OK && !opt.finish && !opt.show) {
		rc = sqlite_no_side_files(a.path);
		if (rc == EX_OK)
			rc = look_at_file(&a);
		if (rc == EX_OK && !a.known)
			rc = compute_digest(&a);
		if (rc == EX_OK)
			rc = apply_all(&a, changes, count);
		if (rc == EX_OK && opt.out != NULL)
			rc = name_new(&a);
	}
	if (rc == EX_OK)
		report(&a);

	wal_map_free(&a.map);
	/* with a target on the note it is what tells the next run that nothing was begun */
	if (a.has_target && a.next_fd >= 0)
		close(a.next_fd);
	else
		file_unclaim(a.next, a.next_fd);
	if (opt.out != NULL && rc != EX_OK) {
		unlink(a.path);
		unlink(a.wal);
		unlink(a.note);
	}
	if (a.fd >= 0)
		close(a.fd);
	if (a.lock >= 0)
		close(a.lock);
	free(a.old);
	free(a.frame);
	free(tmp);
	return rc;
}

static const struct option_row options[] = {
	{ 'o', "output", "NEW", option_text, &opt.out, "leave BASE as it is, and make NEW" },
	{ 0, "to", "HASH", option_text, &opt.to, "apply what leads to the object of this content_hash, as far as\n"
	  "the first whole state on the way" },
	{ 0, "finish", NULL, option_flag, &opt.finish, "end or drop what a killed run left" },
	{ 0, "show", NULL, option_flag, &opt.show, "which state FILE is, by the note beside it" },
	{ 0, "digest", NULL, option_flag, &opt.digest, "compute the digest of FILE" },
	{ 't', "timeout", "DURATION", option_duration, &opt.wait_ms, "how long to wait for another run (default 60s)" },
	{ 0, "json", NULL, option_flag, &opt.json, "print the state as a JSON object" },
	{ 0, "shell", "[=PREFIX]", option_shell, &opt.shell, "print it for a shell" },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};

static const struct command command = {
	.usage = "[--to HASH] [options] CHANGE... FILE\n-o NEW [--to HASH] [options] [CHANGE...] BASE\n--finish | --show | --digest FILE",
	.about = "Apply changes of db-changes to FILE, one after the other, all or nothing.",
	.options = options,
};

static int run(int argc, char **argv)
{
	int verbs = opt.finish + opt.show + opt.digest;

	if (verbs > 1 || (verbs == 1 && (opt.out != NULL || opt.to != NULL)))
		return cli_usage("--finish, --show, --digest and -o or --to exclude each other");
	if (opt.to != NULL && !hash_valid(opt.to))
		return cli_usage("%s: not a content_hash", opt.to);
	if (argc < 1 || *argv[argc - 1] == '\0' || (verbs == 1 && argc != 1))
		return cli_usage("needs %s", opt.out != NULL ? "BASE" : "FILE");
	if (verbs == 0 && opt.out == NULL && argc < 2)
		return cli_usage("needs CHANGE and FILE");
	return apply(argv, argc - 1, argv[argc - 1]);
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
