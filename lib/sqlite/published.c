#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/pace.h"
#include "lib/sqlite/sqlite.h"
#include "lib/sqlite/published.h"

#define BLOCK 64			/* pages whose hashes lie together */
#define BLOCK_LEN (BLOCK * PAGEHASH_LEN)
#define VERSION 1			/* user_version */
#define APPLICATION 0x63747643		/* application_id, "ctvC" */

static const char schema[] =
	"CREATE TABLE hashes(block INTEGER PRIMARY KEY, data BLOB NOT NULL);"
	"CREATE TABLE pending_hashes(block INTEGER PRIMARY KEY, data BLOB NOT NULL);"
	"CREATE TABLE states(which TEXT PRIMARY KEY, n INTEGER, epoch INTEGER, node TEXT, snapshot_at INTEGER,"
	" page_size INTEGER, page_count INTEGER, pages INTEGER, base INTEGER, digest_before BLOB, digest BLOB,"
	" parent TEXT, content_hash TEXT, object TEXT, rev TEXT,"
	" began_ns INTEGER, dev INTEGER, ino INTEGER, size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, counter INTEGER,"
	" wal INTEGER, salt1 INTEGER, salt2 INTEGER, sum1 INTEGER, sum2 INTEGER, frames INTEGER) WITHOUT ROWID;";

static int failed(struct published *s, int rc)
{
	s->damaged |= (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB;
	return sqlite_fail(s->db, s->path, "cannot be used", rc);
}

static int run(struct published *s, const char *sql)
{
	int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? EX_OK : failed(s, rc);
}

/* ---- rows ---- */

static void get_text(sqlite3_stmt *st, int column, char *out, size_t size)
{
	const unsigned char *text = sqlite3_column_text(st, column);

	snprintf(out, size, "%s", text != NULL ? (const char *)text : "");
}

static struct pagehash get_digest(sqlite3_stmt *st, int column)
{
	const void *blob = sqlite3_column_blob(st, column);

	return blob != NULL && sqlite3_column_bytes(st, column) == PAGEHASH_LEN ? pagehash_load(blob) :
									     (struct pagehash){ 0, 0 };
}

static void get_row(sqlite3_stmt *st, struct published_state *row)
{
	struct change *c = &row->change;
	struct published_look *l = &row->look;
	int i = 1;

	row->known = true;
	c->n = sqlite3_column_int64(st, i++);
	c->epoch = sqlite3_column_int64(st, i++);
	get_text(st, i++, c->node, sizeof c->node);
	c->snapshot_at = sqlite3_column_int64(st, i++);
	c->page_size = (uint32_t)sqlite3_column_int64(st, i++);
	c->page_count = (uint32_t)sqlite3_column_int64(st, i++);
	c->pages = (uint32_t)sqlite3_column_int64(st, i++);
	c->base = sqlite3_column_int(st, i++) != 0;
	c->before = get_digest(st, i++);
	c->after = get_digest(st, i++);
	get_text(st, i++, c->parent, sizeof c->parent);
	get_text(st, i++, c->content_hash, sizeof c->content_hash);
	get_text(st, i++, row->object, sizeof row->object);
	get_text(st, i++, row->rev, sizeof row->rev);
	l->began_ns = sqlite3_column_int64(st, i++);
	l->dev = (uint64_t)sqlite3_column_int64(st, i++);
	l->ino = (uint64_t)sqlite3_column_int64(st, i++);
	l->size = (uint64_t)sqlite3_column_int64(st, i++);
	l->mtime_ns = sqlite3_column_int64(st, i++);
	l->ctime_ns = sqlite3_column_int64(st, i++);
	l->counter = (uint32_t)sqlite3_column_int64(st, i++);
	l->wal = sqlite3_column_int(st, i++) != 0;
	l->mark.salt[0] = (uint32_t)sqlite3_column_int64(st, i++);
	l->mark.salt[1] = (uint32_t)sqlite3_column_int64(st, i++);
	l->mark.sum[0] = (uint32_t)sqlite3_column_int64(st, i++);
	l->mark.sum[1] = (uint32_t)sqlite3_column_int64(st, i++);
	l->mark.frames = (uint32_t)sqlite3_column_int64(st, i++);
}

static void bind_look(sqlite3_stmt *st, int i, const struct published_look *l)
{
	const int64_t values[] = { l->began_ns, (int64_t)l->dev, (int64_t)l->ino, (int64_t)l->size, l->mtime_ns, l->ctime_ns,
				   l->counter, l->wal, l->mark.salt[0], l->mark.salt[1], l->mark.sum[0], l->mark.sum[1],
				   l->mark.frames };

	for (size_t k = 0; k < sizeof values / sizeof *values; k++)
		sqlite3_bind_int64(st, i++, values[k]);
}

static int read_rows(struct published *s)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(s->db, "SELECT * FROM states", -1, &st, NULL);

	s->confirmed = s->pending = (struct published_state){ 0 };
	while (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		const char *which = (const char *)sqlite3_column_text(st, 0);
		bool is_pending = which != NULL && strcmp(which, "pending") == 0;

		get_row(st, is_pending ? &s->pending : &s->confirmed);
		rc = SQLITE_OK;
	}
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? EX_OK : failed(s, rc);
}

/* ---- opening ---- */

/* An empty file is a new STATE; anything else must be one of ours. */
static int know_schema(struct published *s)
{
	char text[sizeof schema + 160];
	int64_t version = 0, application = 0, tables = 0;
	int rc = sqlite_int(s->db, "PRAGMA user_version", &version);

	if (rc == SQLITE_OK)
		rc = sqlite_int(s->db, "PRAGMA application_id", &application);
	if (rc == SQLITE_OK)
		rc = sqlite_int(s->db, "SELECT count(*) FROM sqlite_schema", &tables);
	if (rc != SQLITE_OK)
		return failed(s, rc);
	if (tables == 0 && application == 0) {
		snprintf(text, sizeof text, "BEGIN; %s PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT", schema,
			 APPLICATION, VERSION);
		return run(s, text);
	}
	if (application == APPLICATION && version == VERSION)
		return EX_OK;
	msg_err(s->path, application == APPLICATION ? "was written by a newer version of these programs" :
						      "a database, and none of db-changes");
	return EX_DATAERR;
}

/* As SQLite makes it, another member of the group could read it and not go on with it. What is wrong with its name SQLite says. */
static void make(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, file_work_mode());

	if (fd >= 0)
		close(fd);
}

/* Renames a damaged STATE, which frees its name, under the lock. What it remembered is nowhere else; the next base begins anew. */
static int put_aside(struct published *s)
{
	char aside[PATH_MAX], journal[PATH_MAX];

	sqlite3_finalize(s->get);
	sqlite3_finalize(s->put);
	sqlite3_close(s->db);
	s->get = s->put = NULL;
	s->db = NULL;
	s->damaged = false;
	if (snprintf(aside, sizeof aside, "%s.damaged", s->path) >= (int)sizeof aside ||
	    snprintf(journal, sizeof journal, "%s-journal", s->path) >= (int)sizeof journal ||
	    (unlink(journal) != 0 && errno != ENOENT) || rename(s->path, aside) != 0) {
		msg_errno(s->path, "damaged, and cannot be put aside");
		return EX_DATAERR;
	}
	msg_err(s->path, "damaged: put aside as %s, a base begins the chain anew", aside);
	return EX_OK;
}

static int open_database(struct published *s)
{
	int rc;

	make(s->path);
	rc = sqlite_open(s->path, NULL, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL, &s->db);
	/* the file is ours alone under the lock; a cache that is no larger than a few blocks */
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(s->db, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA cache_size=-1024; PRAGMA synchronous=FULL;"
				  "PRAGMA temp_store=MEMORY", NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return failed(s, rc);
	rc = know_schema(s);
	return rc == EX_OK ? read_rows(s) : rc;
}

int published_open(struct published *s, const char *path, int64_t wait_ms)
{
	char *lock;
	int rc;

	*s = (struct published){ .path = path, .lock = -1, .read_block = -1, .write_block = -1 };
	s->read_data = calloc(2, BLOCK_LEN);
	if (s->read_data == NULL) {
		msg_err(path, "out of memory");
		return EX_IOERR;
	}
	s->write_data = s->read_data + BLOCK_LEN;
	if (asprintf(&lock, "%s.lock", path) < 0) {
		msg_err(path, "out of memory");
		return EX_IOERR;
	}
	rc = file_lock_at(lock, wait_ms, &s->lock);
	free(lock);
	if (rc != EX_OK)
		return rc;
	rc = open_database(s);
	if (s->damaged)
		rc = put_aside(s) == EX_OK ? open_database(s) : EX_DATAERR;
	return rc;
}

void published_close(struct published *s)
{
	/* damage that was found in the middle of a look; the next look begins anew */
	if (s->damaged && s->lock >= 0)
		put_aside(s);
	sqlite3_finalize(s->get);
	sqlite3_finalize(s->put);
	sqlite3_close(s->db);
	if (s->lock >= 0)
		close(s->lock);
	free(s->read_data);
	*s = (struct published){ .lock = -1 };
}

/* ---- hashes ---- */

/* Block from the table `hashes`, zeros when it is not there. */
static int load(struct published *s, int64_t block, unsigned char *data)
{
	int rc = s->get != NULL ? SQLITE_OK :
				  sqlite3_prepare_v2(s->db, "SELECT data FROM hashes WHERE block=?", -1, &s->get, NULL);

	memset(data, 0, BLOCK_LEN);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(s->get, 1, block);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s->get);
	if (rc == SQLITE_ROW && sqlite3_column_bytes(s->get, 0) == BLOCK_LEN)
		memcpy(data, sqlite3_column_blob(s->get, 0), BLOCK_LEN);
	sqlite3_reset(s->get);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? EX_OK : failed(s, rc);
}

int published_hash(struct published *s, uint32_t page, struct pagehash *out)
{
	int64_t block = (page - 1) / BLOCK;
	int rc = EX_OK;

	if (block != s->read_block)
		rc = load(s, block, s->read_data);
	s->read_block = rc == EX_OK ? block : -1;
	*out = pagehash_load(s->read_data + (page - 1) % BLOCK * PAGEHASH_LEN);
	return rc;
}

static int flush(struct published *s)
{
	int rc = SQLITE_OK;

	if (s->write_block < 0)
		return EX_OK;
	if (s->put == NULL)
		rc = sqlite3_prepare_v2(s->db, "INSERT OR REPLACE INTO pending_hashes VALUES(?,?)", -1, &s->put, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(s->put, 1, s->write_block);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_blob(s->put, 2, s->write_data, BLOCK_LEN, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s->put);
	sqlite3_reset(s->put);
	s->write_block = -1;
	return rc == SQLITE_DONE ? EX_OK : failed(s, rc);
}

int published_begin(struct published *s)
{
	s->write_block = -1;
	if (!sqlite3_get_autocommit(s->db))
		run(s, "ROLLBACK");
	return run(s, "BEGIN IMMEDIATE; DELETE FROM pending_hashes");
}

int published_add(struct published *s, uint32_t page, struct pagehash hash)
{
	int64_t block = (page - 1) / BLOCK;
	int rc = EX_OK;

	if (block != s->write_block) {
		rc = flush(s);
		if (rc == EX_OK)
			rc = load(s, block, s->write_data);
		s->write_block = block;
	}
	pagehash_store(s->write_data + (page - 1) % BLOCK * PAGEHASH_LEN, hash);
	return rc;
}

/* ---- what becomes of a look ---- */

static int write_row(struct published *s, const char *which, const struct published_state *row)
{
	unsigned char before[PAGEHASH_LEN], after[PAGEHASH_LEN];
	const struct change *c = &row->change;
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(s->db, "INSERT OR REPLACE INTO states VALUES"
				    "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", -1, &st, NULL);

	pagehash_store(before, c->before);
	pagehash_store(after, c->after);
	if (rc == SQLITE_OK) {
		sqlite3_bind_text(st, 1, which, -1, SQLITE_STATIC);
		sqlite3_bind_int64(st, 2, c->n);
		sqlite3_bind_int64(st, 3, c->epoch);
		sqlite3_bind_text(st, 4, c->node, -1, SQLITE_STATIC);
		sqlite3_bind_int64(st, 5, c->snapshot_at);
		sqlite3_bind_int64(st, 6, c->page_size);
		sqlite3_bind_int64(st, 7, c->page_count);
		sqlite3_bind_int64(st, 8, c->pages);
		sqlite3_bind_int(st, 9, c->base);
		sqlite3_bind_blob(st, 10, before, sizeof before, SQLITE_STATIC);
		sqlite3_bind_blob(st, 11, after, sizeof after, SQLITE_STATIC);
		sqlite3_bind_text(st, 12, c->parent, -1, SQLITE_STATIC);
		sqlite3_bind_text(st, 13, c->content_hash, -1, SQLITE_STATIC);
		sqlite3_bind_text(st, 14, row->object, -1, SQLITE_STATIC);
		sqlite3_bind_text(st, 15, row->rev, -1, SQLITE_STATIC);
		bind_look(st, 16, &row->look);
		rc = sqlite3_step(st);
	}
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? EX_OK : failed(s, rc);
}

int published_pend(struct published *s, const struct published_state *row)
{
	int rc = flush(s);

	if (rc == EX_OK)
		rc = write_row(s, "pending", row);
	if (rc == EX_OK)
		rc = run(s, "COMMIT");
	if (rc == EX_OK) {
		s->pending = *row;
		s->pending.known = true;
	}
	return rc;
}

int published_looked(struct published *s, const struct published_look *look)
{
	int rc = EX_OK;

	s->confirmed.look = *look;
	if (sqlite3_get_autocommit(s->db))
		rc = run(s, "BEGIN IMMEDIATE");
	if (rc == EX_OK)
		rc = write_row(s, "confirmed", &s->confirmed);
	return rc == EX_OK ? run(s, "COMMIT") : rc;
}

/* The calls of months that are over are of no use. */
int published_called(struct published *s, int calls)
{
	char text[320];

	snprintf(text, sizeof text, "CREATE TABLE IF NOT EXISTS calls(month INTEGER PRIMARY KEY, n INTEGER NOT NULL);"
		 "DELETE FROM calls WHERE month<>%lld; INSERT OR IGNORE INTO calls VALUES(%lld, 0); UPDATE calls SET n=n+%d",
		 (long long)pace_month(clock_wall()), (long long)pace_month(clock_wall()), calls);
	return run(s, text);
}

int64_t published_calls(struct published *s)
{
	char text[80];
	int64_t n = 0;

	snprintf(text, sizeof text, "SELECT sum(n) FROM calls WHERE month=%lld", (long long)pace_month(clock_wall()));
	/* without the table none was counted */
	return sqlite_int(s->db, text, &n) == SQLITE_OK ? n : 0;
}

int published_took(struct published *s, int64_t ms)
{
	char text[160];

	snprintf(text, sizeof text, "CREATE TABLE IF NOT EXISTS took(one INTEGER PRIMARY KEY, ms INTEGER NOT NULL);"
		 "INSERT OR REPLACE INTO took VALUES(1, %lld)", (long long)ms);
	return ms == published_last_took(s) ? EX_OK : run(s, text);
}

int64_t published_last_took(struct published *s)
{
	int64_t ms = 0;

	return sqlite_int(s->db, "SELECT ms FROM took", &ms) == SQLITE_OK ? ms : 0;
}

int published_confirm(struct published *s, const char *rev)
{
	char last[160];
	int rc;

	if (!s->pending.known)
		return EX_OK;
	snprintf(s->pending.rev, sizeof s->pending.rev, "%s", rev != NULL ? rev : "");
	snprintf(last, sizeof last, "DELETE FROM hashes WHERE block>%u", (s->pending.change.page_count - 1) / BLOCK);
	rc = run(s, "BEGIN IMMEDIATE; INSERT OR REPLACE INTO hashes SELECT * FROM pending_hashes;"
		 "DELETE FROM pending_hashes; DELETE FROM states");
	if (rc == EX_OK)
		rc = run(s, last);
	if (rc == EX_OK)
		rc = published_called(s, PACE_CALLS);
	if (rc == EX_OK)
		rc = write_row(s, "confirmed", &s->pending);
	if (rc == EX_OK)
		rc = run(s, "COMMIT");
	if (rc == EX_OK) {
		s->confirmed = s->pending;
		s->pending = (struct published_state){ 0 };
		s->read_block = -1;
	}
	return rc;
}

int published_drop(struct published *s)
{
	int rc = run(s, "BEGIN IMMEDIATE; DELETE FROM pending_hashes; DELETE FROM states WHERE which='pending'; COMMIT");

	if (rc == EX_OK)
		s->pending = (struct published_state){ 0 };
	return rc;
}
