#include "lib/std.h"

#include <errno.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/exits.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/sqlite/apply.h"
#include "lib/sqlite/sqlite.h"

#define SPARE ((uint64_t)256 << 20)	/* beside room for one more database: what follows must not fill the disk */

int apply_names(struct apply *a, const char *path)
{
	if (snprintf(a->path, sizeof a->path, "%s", path) >= (int)sizeof a->path) {
		msg_err(path, "too long");
		return EX_USAGE;
	}
	snprintf(a->wal, sizeof a->wal, "%s-wal", a->path);
	snprintf(a->next, sizeof a->next, "%s-next", a->path);
	snprintf(a->note_path, sizeof a->note_path, "%s.note", a->path);
	a->log.file = a->file;
	a->log.path = a->next;
	snprintf(a->lock_path, sizeof a->lock_path, "%s.lock", a->path);
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

	/* the pragmas read the schema: one that is newer than this SQLite is none of its business, and the digest has proved the rest */
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(db, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=FULL; PRAGMA cache_size=-256;"
				  "PRAGMA temp_store=MEMORY", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		sqlite3_busy_timeout(db, (int)(a->wait_ms < 3000 ? a->wait_ms : 3000));
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
	if (stat(a->path, &st) != 0 || (uint64_t)st.st_size != (uint64_t)a->note.target.page_count * a->note.target.page_size) {
		msg_err(a->file, "has another size than state %lld", (long long)a->note.target.n);
		return EX_DATAERR;
	}
	if (file_sync_parent(a->path) != 0) {
		msg_errno(a->file, "cannot sync its directory");
		return EX_IOERR;
	}
	return EX_OK;
}

int apply_finish(struct apply *a)
{
	struct stat st;
	int rc = EX_OK;

	if (!a->note.has_target)
		return unlink(a->next) == 0 || errno == ENOENT ? EX_OK : (msg_errno(a->next, "cannot remove"), EX_IOERR);
	if (lstat(a->next, &st) == 0) {
		msg_info("%s: a run ended before it began to write", a->file);
		a->note.has_target = false;
		rc = note_write(a->note_path, &a->note);
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
	a->note.is = a->note.target;
	a->note.has_target = false;
	return note_write(a->note_path, &a->note);
}

/* ---- a batch ---- */

int apply_collect(struct apply *a, char **changes, int count, int *i)
{
	int rc = advance_begin(&a->log, &a->note.is);
	bool full = false;

	while (rc == EX_OK && !full && *i < count) {
		struct change c;
		struct change_in *in = change_open(changes[*i], &c, &rc);

		if (in == NULL)
			break;
		full = advance_is_full(&a->log, &c);
		if (!full && !advance_is_behind(&a->log, &c))
			rc = advance_add(&a->log, changes[*i], in, &c);
		change_in_free(in);
		if (!full)
			(*i)++;
	}
	return rc;
}

static int enough_room(const struct apply *a)
{
	uint64_t need = (uint64_t)a->log.to.page_count * a->log.to.page_size + SPARE;
	char text[NUM_TEXT], have[NUM_TEXT];
	struct statvfs fs;

	if (fstatvfs(a->log.log_fd, &fs) != 0 || (uint64_t)fs.f_bavail * fs.f_frsize >= need)
		return EX_OK;
	msg_err(a->file, "%s are free on its disk, %s are to stay free", num_size_text(have, (uint64_t)fs.f_bavail * fs.f_frsize),
		num_size_text(text, need));
	return EX_IOERR;
}

int apply_batch(struct apply *a)
{
	int rc;

	if (a->log.at.frames == 0) {
		a->note.is = a->log.to;
		return note_write(a->note_path, &a->note);
	}
	rc = enough_room(a);
	if (rc == EX_OK && (fsync(a->log.log_fd) != 0 || file_sync_parent(a->next) != 0)) {
		msg_errno(a->next, "cannot sync");
		rc = EX_IOERR;
	}
	if (rc != EX_OK)
		return rc;
	a->note.target = a->log.to;
	a->note.has_target = true;
	rc = note_write(a->note_path, &a->note);
	if (rc == EX_OK && (rename(a->next, a->wal) != 0 || file_sync_parent(a->wal) != 0)) {
		msg_errno(a->wal, "cannot rename");
		rc = EX_CANTCREAT;
	}
	if (rc != EX_OK)
		return rc;
	close(a->log.log_fd);
	a->log.log_fd = -1;
	return apply_finish(a);
}
