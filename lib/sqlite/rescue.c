#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/copy.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/sqlite/holders.h"
#include "lib/sqlite/rescue.h"
#include "lib/sqlite/sqlite.h"

bool rescue_helps(const struct source *s, int rc)
{
	struct statvfs fs;

	return ((rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_READONLY) && statvfs(s->real, &fs) == 0 &&
	       (fs.f_flag & ST_RDONLY) != 0;
}

/* The database, its -wal or its -journal, as it was when it was copied. */
struct part {
	const char *suffix;
	bool there;
	struct stat st;
};

static int copy_file(const char *from_name, int to, const char *to_name, struct stat *st)
{
	int from = open(from_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), rc = EX_IOERR;

	if (from < 0 || fstat(from, st) != 0) {
		msg_errno(from_name, "cannot read");
	} else if (!S_ISREG(st->st_mode)) {
		msg_err(from_name, "not a regular file");
		rc = EX_DATAERR;
	} else {
		rc = copy_verified(from, from_name, to, to_name, (uint64_t)st->st_size);
	}
	if (from >= 0)
		close(from);
	return rc;
}

static int copy_side_file(const struct source *s, const char *path, struct part *p)
{
	char from[PATH_MAX + 8], to[PATH_MAX + 16];
	int fd, rc;

	snprintf(from, sizeof from, "%s%s", s->real, p->suffix);
	snprintf(to, sizeof to, "%s%s", path, p->suffix);
	p->there = lstat(from, &p->st) == 0;
	if (!p->there)
		return EX_OK;
	fd = open(to, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		rc = file_write_status(errno);
		msg_errno(to, "cannot create");
		return rc;
	}
	rc = copy_file(from, fd, to, &p->st);
	close(fd);
	return rc;
}

static bool is_as_it_was(const struct source *s, const struct part *p)
{
	char path[PATH_MAX + 8];
	struct stat now;
	bool there;

	snprintf(path, sizeof path, "%s%s", s->real, p->suffix);
	there = lstat(path, &now) == 0;
	return there == p->there && (!there || (now.st_ino == p->st.st_ino && now.st_size == p->st.st_size &&
						now.st_mtim.tv_sec == p->st.st_mtim.tv_sec &&
						now.st_mtim.tv_nsec == p->st.st_mtim.tv_nsec));
}

/* No other process knows the copy, so no -shm is needed. */
static int recover(const struct source *s, int fd, const char *path, struct rescue *out)
{
	sqlite3 *db;
	struct stat st;
	int64_t ignored;
	int rc = sqlite_open(path, NULL, SQLITE_OPEN_READWRITE, NULL, &db);

	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "PRAGMA locking_mode=EXCLUSIVE", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite_int(db, "PRAGMA user_version", &ignored);
	if (rc == SQLITE_OK && s->wal)
		rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	if (rc == SQLITE_OK)
		out->writer = sqlite_last_writer(db);
	rc = rc == SQLITE_OK ? EX_OK : sqlite_fail(db, s->path, "cannot put a copy in order", rc);
	sqlite3_close(db);
	if (rc == EX_OK && fstat(fd, &st) != 0) {
		msg_errno(path, "cannot look at it");
		rc = EX_IOERR;
	}
	if (rc == EX_OK)
		out->size = (uint64_t)st.st_size;
	return rc;
}

int rescue_copy(const struct source *s, int fd, const char *path, struct rescue *out)
{
	struct part file = { "", true, { 0 } }, wal = { "-wal", false, { 0 } }, journal = { "-journal", false, { 0 } };
	struct holders h;
	int rc = holders_find(s->real, &h);

	if (rc == EX_OK && h.count > 0) {
		msg_err(s->path, "in use by %s", h.who);
		rc = EX_CANTCREAT;
	}
	if (rc != EX_OK)
		return rc;
	msg_info("%s: on a read-only disk, copied with what lies beside it and put in order there", s->path);
	rescue_clean(path);
	rc = copy_file(s->real, fd, path, &file.st);
	if (rc == EX_OK)
		rc = copy_side_file(s, path, &wal);
	if (rc == EX_OK)
		rc = copy_side_file(s, path, &journal);
	if (rc != EX_OK)
		return rc;
	if (!is_as_it_was(s, &file) || !is_as_it_was(s, &wal) || !is_as_it_was(s, &journal)) {
		msg_err(s->path, "changed while it was copied");
		return EX_TEMPFAIL;
	}
	return recover(s, fd, path, out);
}

void rescue_clean(const char *path)
{
	char side[PATH_MAX + 16];

	for (const char *const *suffix = sqlite_side_files; *suffix != NULL; suffix++) {
		snprintf(side, sizeof side, "%s%s", path, *suffix);
		unlink(side);
	}
}
