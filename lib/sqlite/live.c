#include "lib/std.h"

#include "lib/clock.h"
#include "lib/exits.h"
#include "lib/msg.h"
#include "lib/sqlite/btree.h"
#include "lib/sqlite/live.h"
#include "lib/stop.h"

#define TRIES_MAX 3		/* after so many writers in between a quieter moment is waited for */
#define LOCK_BYTE (1u << 30)

uint32_t live_lock_page(uint32_t page_size, uint32_t page_count)
{
	uint32_t page = LOCK_BYTE / page_size + 1;

	return page <= page_count ? page : 0;
}

/* ---- opening ---- */

/* Sizes and mode of what the transaction sees. */
static int look_inside(struct live *l)
{
	sqlite3_int64 size = 0;
	int rc;

	if (sqlite3_file_control(l->src.db, "main", SQLITE_FCNTL_FILE_POINTER, &l->file) != SQLITE_OK || l->file == NULL ||
	    l->file->pMethods == NULL) {
		msg_err(l->src.path, "SQLite gives no handle of it");
		return EX_SOFTWARE;
	}
	rc = l->file->pMethods->xRead(l->file, l->first, sizeof l->first, 0);
	if (rc == SQLITE_IOERR_SHORT_READ)
		rc = SQLITE_OK;	/* a new database whose pages are all in the log: zeros */
	if (rc == SQLITE_OK)
		rc = l->file->pMethods->xFileSize(l->file, &size);
	if (rc != SQLITE_OK)
		return source_fail(&l->src, rc);
	l->wal = l->first[18] == 2 || size == 0;
	l->log = NULL;
	if (l->wal && (sqlite3_file_control(l->src.db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &l->log) != SQLITE_OK ||
		       l->log == NULL || l->log->pMethods == NULL))
		l->log = NULL;
	l->page_size = btree_u16(l->first + 16) == 1 ? 65536 : btree_u16(l->first + 16);
	if (size > 0 && (l->page_size < 512 || (l->page_size & (l->page_size - 1)) != 0)) {
		msg_err(l->src.path, "page size %u in the header", l->page_size);
		return EX_DATAERR;
	}
	/* 1.3.7: the header's count counts when its writer set both numbers */
	l->page_count = btree_u32(l->first + 28);
	if (size > 0 && (l->page_count == 0 || btree_u32(l->first + 24) != btree_u32(l->first + 92)))
		l->page_count = (uint32_t)(size / l->page_size);
	return EX_OK;
}

int live_open(struct live *l, const char *path, int64_t wait_ms, bool hold)
{
	int rc;

	*l = (struct live){ .hold = hold };
	rc = source_look(&l->src, path);
	if (rc != EX_OK)
		return rc;
	rc = source_open(&l->src, wait_ms);
	l->slice = clock_ms();
	return rc == SQLITE_OK ? look_inside(l) : source_fail(&l->src, rc);
}

void live_close(struct live *l)
{
	wal_map_free(&l->map);
	source_close(&l->src);
}

/* ---- the log ---- */

static int no_memory(const struct live *l)
{
	msg_err(l->src.path, "out of memory");
	return EX_IOERR;
}

/* The log's first bytes: false when there is none that counts. */
static bool log_header(struct live *l, struct wal_header *out)
{
	unsigned char bytes[WAL_HEADER_LEN];

	return l->log != NULL && l->log->pMethods->xRead(l->log, bytes, sizeof bytes, 0) == SQLITE_OK &&
	       wal_header_parse(bytes, out);
}

static bool same_salt(const struct wal_mark *a, const struct wal_mark *b)
{
	return a->salt[0] == b->salt[0] && a->salt[1] == b->salt[1];
}

/* Does the frame before this place still say what it said? */
static bool stands_at(struct live *l, const struct wal_mark *since)
{
	unsigned char bytes[WAL_FRAME_LEN];

	if (since->frames == 0)
		return true;
	if (l->log->pMethods->xRead(l->log, bytes, sizeof bytes,
				    (sqlite3_int64)wal_offset(l->header.page_size, since->frames - 1)) != SQLITE_OK ||
	    btree_u32(bytes + 8) != since->salt[0] || btree_u32(bytes + 12) != since->salt[1] ||
	    btree_u32(bytes + 16) != since->sum[0] || btree_u32(bytes + 20) != since->sum[1])
		return false;
	/* a mark stands behind a commit, which has the number of pages */
	l->page_count = btree_u32(bytes + 4);
	return true;
}

int live_scan(struct live *l, const struct wal_mark *since, bool all, enum live_since *what)
{
	sqlite3_int64 end = 0;
	unsigned char *frame = NULL;
	struct wal_mark at;
	int rc = EX_OK, got;

	*what = LIVE_UNKNOWN;
	wal_map_free(&l->map);
	l->mark = (struct wal_mark){ 0 };
	l->has_log = log_header(l, &l->header);
	if (!l->has_log)
		return EX_OK;
	/* a new database has its page size from the log alone */
	if (l->page_size == 0 || l->page_size == 1)
		l->page_size = l->header.page_size;
	if (l->header.page_size != l->page_size) {
		l->has_log = false;
		return EX_OK;
	}
	at = l->header.start;
	if (since != NULL && same_salt(&at, since)) {
		*what = stands_at(l, since) ? LIVE_WENT_ON : LIVE_LOST;
		if (*what == LIVE_WENT_ON && !all)
			at = *since;
	}
	l->mark = at;
	/* frames that are added from now on belong to the next look: this one must end, however fast others write */
	got = l->log->pMethods->xFileSize(l->log, &end);
	if (got != SQLITE_OK)
		return source_fail(&l->src, got);
	frame = malloc(WAL_FRAME_LEN + l->page_size);
	if (frame == NULL)
		rc = no_memory(l);
	while (rc == EX_OK && !stop_asked() && (sqlite3_int64)wal_offset(l->page_size, at.frames) < end) {
		struct wal_frame f;

		got = l->log->pMethods->xRead(l->log, frame, (int)(WAL_FRAME_LEN + l->page_size),
					      (sqlite3_int64)wal_offset(l->page_size, at.frames));
		if (got == SQLITE_IOERR_SHORT_READ)
			break;
		if (got != SQLITE_OK) {
			rc = source_fail(&l->src, got);
			break;
		}
		if (!wal_frame_parse(&l->header, &at, frame, frame + WAL_FRAME_LEN, &f))
			break;
		if (wal_map_add(&l->map, f.page, at.frames - 1) != 0)
			rc = no_memory(l);
		if (f.commit != 0) {
			wal_map_commit(&l->map);
			l->mark = at;
			l->page_count = f.commit;
		}
	}
	wal_map_close(&l->map);
	free(frame);
	if (rc == EX_OK && stop_asked()) {
		msg_err(l->src.path, "interrupted");
		rc = EX_TEMPFAIL;
	}
	return rc;
}

/* ---- pages ---- */

/* Rollback mode: the lock is let go when it was held long enough, and taken again. */
static int next_slice(struct live *l)
{
	unsigned char before[sizeof l->first];
	int rc;

	if (l->wal || l->hold || clock_ms() - l->slice < LIVE_SLICE_MS / 2)
		return EX_OK;
	memcpy(before, l->first, sizeof before);
	sqlite3_exec(l->src.db, "COMMIT", NULL, NULL, NULL);
	rc = source_begin(&l->src);
	l->slice = clock_ms();
	if (rc != SQLITE_OK)
		return source_fail(&l->src, rc);
	rc = look_inside(l);
	if (rc != EX_OK || memcmp(before, l->first, sizeof before) == 0)
		return rc;
	if (++l->tries < TRIES_MAX)
		return LIVE_AGAIN;
	msg_err(l->src.path, "%d writers came in between: waiting for a quieter moment", l->tries);
	return EX_TEMPFAIL;
}

int live_read(struct live *l, uint32_t first, uint32_t count, unsigned char *out)
{
	uint64_t at = (uint64_t)(first - 1) * l->page_size;
	int rc = next_slice(l);

	if (rc != EX_OK)
		return rc;
	if (stop_asked()) {
		msg_err(l->src.path, "interrupted");
		return EX_TEMPFAIL;
	}
	/* a page that was never written has no bytes yet: zeros, says SQLite's xRead */
	rc = l->file->pMethods->xRead(l->file, out, (int)(count * l->page_size), (sqlite3_int64)at);
	for (uint32_t i = 0; l->map.count > 0 && i < count && (rc == SQLITE_OK || rc == SQLITE_IOERR_SHORT_READ); i++) {
		int64_t frame = wal_map_find(&l->map, first + i);

		if (frame >= 0)
			rc = l->log->pMethods->xRead(l->log, out + (size_t)i * l->page_size, (int)l->page_size,
						     (sqlite3_int64)wal_offset(l->page_size, (uint32_t)frame) + WAL_FRAME_LEN);
	}
	return rc == SQLITE_OK || rc == SQLITE_IOERR_SHORT_READ ? EX_OK : source_fail(&l->src, rc);
}

int live_end(struct live *l)
{
	struct wal_header now;

	if (l->log == NULL || (log_header(l, &now) == l->has_log && (!l->has_log || same_salt(&now.start, &l->header.start))))
		return EX_OK;
	/* begun anew, so everything was in the file, which stays as it was while this transaction lasts */
	wal_map_free(&l->map);
	l->has_log = false;
	l->mark = (struct wal_mark){ 0 };
	l->log = NULL;
	return look_inside(l) == EX_OK ? (l->log = NULL, LIVE_AGAIN) : EX_IOERR;
}
