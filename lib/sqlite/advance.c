#include "lib/std.h"

#include <errno.h>
#include <unistd.h>

#include "lib/exits.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/sqlite/advance.h"
#include "lib/sqlite/live.h"
#include "lib/stop.h"

#define LOG_MAX ((uint64_t)64 << 20)
#define BUFFER (3 * 65536 + WAL_FRAME_LEN)	/* an old page, a new one, and a frame */

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

/* The page as it will be before this change: from the log that is being made, else from FILE. */
static int old_page(struct advance *v, uint32_t page, unsigned char *data)
{
	uint32_t size = v->to.page_size;
	int64_t frame = v->map.count > 0 ? wal_map_find(&v->map, page) : -1;
	ssize_t n = frame >= 0 ? file_pread(v->log_fd, data, size, (off_t)wal_offset(size, (uint32_t)frame) + WAL_FRAME_LEN) :
				 file_pread(v->fd, data, size, (off_t)(page - 1) * size);

	if (n != (ssize_t)size) {
		msg_errno(v->file, "cannot read page %u", page);
		return EX_IOERR;
	}
	if (page == 1)
		data[18] = data[19] = 1;
	return EX_OK;
}

/* Old pages' hashes leave the digest: of one page, or of all that a smaller database lacks. */
static int take_away(struct advance *v, uint32_t first, uint32_t last)
{
	uint32_t lock = live_lock_page(v->to.page_size, last);
	int rc = EX_OK;

	for (uint32_t page = first; rc == EX_OK && page <= last; page++) {
		if (page == lock)
			continue;
		rc = old_page(v, page, v->buffer);
		if (rc == EX_OK)
			pagehash_take(&v->to.digest, pagehash_of(v->buffer, v->to.page_size, page));
	}
	return rc;
}

static int begin_log(struct advance *v, uint32_t page_size)
{
	static const uint32_t salt[2] = { 0x6374762d, 0x6170706c };	/* any two numbers: the log stands alone */
	unsigned char head[WAL_HEADER_LEN];
	int rc = v->log_fd >= 0 ? EX_OK : file_claim(v->path, &v->log_fd);

	if (rc != EX_OK)
		return rc;
	wal_header_make(head, page_size, salt, &v->header);
	v->at = v->header.start;
	wal_map_free(&v->map);
	if (ftruncate(v->log_fd, 0) != 0 || file_pwrite(v->log_fd, head, sizeof head, 0) != 0) {
		msg_errno(v->path, "cannot write");
		return file_write_status(errno);
	}
	return EX_OK;
}

int advance_begin(struct advance *v, const struct place *from)
{
	if (v->buffer == NULL && (v->buffer = malloc(BUFFER)) == NULL)
		return no_memory(v->file);
	v->to = *from;
	return begin_log(v, from->page_size);
}

static int put_frame(struct advance *v, struct wal_frame f, const unsigned char *data)
{
	uint32_t i = v->at.frames;
	unsigned char *frame = v->buffer + 2 * 65536;

	wal_frame_make(&v->header, &v->at, frame, data, f);
	memcpy(frame + WAL_FRAME_LEN, data, v->header.page_size);
	if (wal_map_add(&v->map, f.page, i) != 0)
		return no_memory(v->file);
	if (file_pwrite(v->log_fd, frame, WAL_FRAME_LEN + v->header.page_size, (off_t)wal_offset(v->header.page_size, i)) != 0) {
		msg_errno(v->path, "cannot write");
		return file_write_status(errno);
	}
	return EX_OK;
}

/* Does this change begin where we are? */
static int fits(const struct advance *v, const char *name, const struct change *c)
{
	const struct place *is = &v->to;

	if (c->base)
		return refuse(name, "is a base: it begins with the whole file that it describes");
	if (is->n != 0 && c->n != is->n + 1) {
		msg_err(name, "leads to state %lld, and %s is state %lld", (long long)c->n, v->file, (long long)is->n);
		return EX_DATAERR;
	}
	if (is->n != 0 && c->epoch < is->epoch)
		return refuse(name, "was made by an owner of an older epoch");
	if (c->before.high != is->digest.high || c->before.low != is->digest.low) {
		msg_err(name, "begins with another state than %s is", v->file);
		return EX_DATAERR;
	}
	return EX_OK;
}

/* A new page size changes every page: what is there goes away whole. */
static int change_page_size(struct advance *v, const char *name, const struct change *c)
{
	uint32_t lock = live_lock_page(c->page_size, c->page_count);

	if (c->pages != c->page_count - (lock != 0))
		return refuse(name, "changes the page size, and lacks pages");
	v->to.digest = (struct pagehash){ 0, 0 };
	v->to.page_size = c->page_size;
	v->to.page_count = 0;
	return begin_log(v, c->page_size);
}

/* Adds a change to the log, behind those before it; the state that it leads to must be the one that it names. */
int advance_add(struct advance *v, const char *name, struct change_in *in, const struct change *c)
{
	unsigned char *data = v->buffer + 65536;
	uint32_t page, seen = 0, grown = 0, had, lock;
	int rc = fits(v, name, c);

	if (rc == EX_OK && c->page_size != v->to.page_size)
		rc = change_page_size(v, name, c);
	had = v->to.page_count;
	if (rc == EX_OK && c->page_count < had)
		rc = take_away(v, c->page_count + 1, had);
	while (rc == EX_OK && (rc = change_next(in, &page, data)) == EX_OK && page != 0) {
		if (stop_asked()) {
			msg_err(v->file, "interrupted");
			return EX_TEMPFAIL;
		}
		if (page <= had)
			rc = take_away(v, page, page);
		else
			grown++;
		pagehash_add(&v->to.digest, pagehash_of(data, c->page_size, page));
		if (rc == EX_OK)
			rc = put_frame(v, (struct wal_frame){ page, ++seen == c->pages ? c->page_count : 0 }, data);
	}
	if (rc != EX_OK)
		return rc;
	lock = live_lock_page(c->page_size, c->page_count);
	if (c->page_count > had && grown != c->page_count - had - (lock > had))
		return refuse(name, "lacks pages that the database has grown by");
	if (v->to.digest.high != c->after.high || v->to.digest.low != c->after.low)
		return refuse(name, "does not lead to the state that it says");
	wal_map_commit(&v->map);
	wal_map_close(&v->map);
	v->to.n = c->n;
	v->to.epoch = c->epoch;
	v->to.snapshot_at = c->snapshot_at;
	v->to.page_count = c->page_count;
	memcpy(v->whole, c->content_hash, sizeof v->whole);
	v->applied++;
	v->pages += c->pages;
	return EX_OK;
}

/* A change that leads to where FILE is already is passed over; of a file of unknown number it says the number. */
bool advance_is_behind(struct advance *v, const struct change *c)
{
	struct place *p = &v->to;

	if (p->n != 0)
		return c->n <= p->n;
	if (c->after.high != p->digest.high || c->after.low != p->digest.low || c->page_size != p->page_size ||
	    c->page_count != p->page_count)
		return false;
	p->n = c->n;
	p->epoch = c->epoch;
	p->snapshot_at = c->snapshot_at;
	memcpy(v->whole, c->content_hash, sizeof v->whole);
	return true;
}

/* A log has one page size, and is to fit on the disk beside what follows. */
bool advance_is_full(const struct advance *v, const struct change *c)
{
	return v->at.frames > 0 && (c->page_size != v->to.page_size ||
				    wal_offset(v->header.page_size, v->at.frames) > LOG_MAX);
}

void advance_free(struct advance *v)
{
	wal_map_free(&v->map);
	free(v->buffer);
	v->buffer = NULL;
}
