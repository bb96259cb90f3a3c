#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/sqlite/source.h"
#include "lib/sqlite/sqlite.h"
#include "lib/stop.h"

static bool has(const struct source *s, const char *suffix)
{
	char path[PATH_MAX + 8];
	struct stat st;

	snprintf(path, sizeof path, "%s%s", s->real, suffix);
	return lstat(path, &st) == 0;
}

/*
 * The -shm and -wal that reading makes have the database's mode, this user, and the group that new files get in its
 * directory. An application that starts meanwhile must be able to use them: as their group, for it is not their owner.
 */
static int look_at_sharing(const struct source *s)
{
	char dir[PATH_MAX];
	struct stat st;
	gid_t group = getegid();

	/* root's are given to the owner, by SQLite */
	if (geteuid() == 0 || geteuid() == s->st.st_uid || (s->st.st_mode & S_IWOTH) != 0)
		return EX_OK;
	if ((s->st.st_mode & S_IWGRP) == 0) {
		msg_err(s->path, "belongs to another user, who could not use the -shm that reading it makes");
		msg_hint("run this as root or as user %ld, or while the application runs", (long)s->st.st_uid);
		return EX_NOPERM;
	}
	snprintf(dir, sizeof dir, "%.*s", (int)(strrchr(s->real, '/') - s->real) + 1, s->real);
	if (stat(dir, &st) == 0 && (st.st_mode & S_ISGID) != 0)
		group = st.st_gid;
	if (group == s->st.st_gid)
		return EX_OK;
	msg_err(s->path, "the -shm that reading it makes would be of group %ld: its owner could not use it", (long)group);
	if (st.st_gid == s->st.st_gid)
		msg_hint("chmod g+s %s", dir);
	else
		msg_hint("chgrp %ld %s && chmod g+s %s", (long)s->st.st_gid, dir, dir);
	return EX_NOPERM;
}

/* The lock that another process has on part of a file: F_UNLCK, F_RDLCK or F_WRLCK. */
static short locked(int fd, off_t at, off_t len)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = len };

	return fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 ? lock.l_type : F_UNLCK;
}

/*
 * The log lies beside the name by which the application opened the file: where that is another one (a second name; a file that
 * was mounted into a container), a copy would be without the newest commits, and of no one moment. A connection in WAL mode holds
 * a lock on the file, and soon after one on the -shm beside that name (os_unix.c of SQLite: SHARED_FIRST, UNIX_SHM_DMS).
 */
static bool opened_elsewhere(const struct source *s, int fd)
{
	char shm[PATH_MAX + 8];

	snprintf(shm, sizeof shm, "%s-shm", s->real);
	for (int64_t end = clock_ms() + 500; locked(fd, 0x40000002, 510) == F_RDLCK; clock_sleep(10)) {
		int beside = open(shm, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		bool held = beside >= 0 ? locked(beside, 128, 1) != F_UNLCK : errno != ENOENT;

		if (beside >= 0)
			close(beside);
		if (held)
			return false;
		if (clock_ms() >= end)
			return true;
	}
	return false;
}

int source_look(struct source *s, const char *path)
{
	/* a writer may be at it, so only what never changes can be judged here */
	unsigned char head[20];
	int fd, rc = EX_OK;
	ssize_t n = 0;

	*s = (struct source){ .path = path };
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &s->st) != 0 || realpath(path, s->real) == NULL) {
		msg_errno(path, "cannot open");
		rc = EX_NOINPUT;
	} else if (!S_ISREG(s->st.st_mode)) {
		msg_err(path, "not a regular file");
		rc = EX_NOINPUT;
	} else if ((n = file_pread(fd, head, sizeof head, 0)) < 0) {
		msg_errno(path, "cannot read");
		rc = EX_IOERR;
	} else if (n == 0) {
		msg_err(path, "empty file, not a database");
		rc = EX_DATAERR;
	} else if (n < (ssize_t)sizeof head || memcmp(head, "SQLite format 3", 16) != 0) {
		msg_err(path, "not a SQLite database");
		rc = EX_DATAERR;
	} else if (s->st.st_size < (head[16] == 0 ? 65536 : head[16] << 8)) {
		/* SQLite would read the missing rest of the page as zeros */
		msg_err(path, "not one page of it is whole");
		rc = EX_DATAERR;
	} else if (head[19] == 2 && opened_elsewhere(s, fd)) {
		msg_err(path, "is open by another name: its newest rows lie in a -wal beside that");
		msg_hint("name it as its application does: a second name, or a file mounted by itself, has a -wal of its own");
		rc = EX_CONFIG;
	}
	if (fd >= 0)
		close(fd);
	if (rc != EX_OK)
		return rc;
	s->wal = head[19] == 2;
	s->tidy = s->wal && !has(s, "-wal");
	return s->wal && (s->tidy || !has(s, "-shm")) ? look_at_sharing(s) : EX_OK;
}

static int on_busy(void *ctx, int tries)
{
	struct source *s = ctx;

	(void)tries;
	if (stop_asked() || clock_ms() >= s->deadline)
		return 0;
	clock_sleep(10);
	return 1;
}

int source_begin(struct source *s)
{
	int64_t ignored;
	int rc = sqlite3_exec(s->db, "BEGIN", NULL, NULL, NULL);

	s->deadline = clock_ms() + s->wait_ms;
	s->at = clock_wall();
	/* this pragma reads the header, and no schema */
	return rc == SQLITE_OK ? sqlite_int(s->db, "PRAGMA user_version", &ignored) : rc;
}

static int open_with(struct source *s, int flags)
{
	int rc = sqlite_open(s->real, NULL, flags, NULL, &s->db);

	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_busy_handler(s->db, on_busy, s);
	return rc == SQLITE_OK ? source_begin(s) : rc;
}

int source_open(struct source *s, int64_t wait_ms)
{
	int rc;

	s->wait_ms = wait_ms;
	/* only a connection that may write removes the side files that it made */
	rc = open_with(s, s->tidy ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
	if (rc == SQLITE_READONLY_ROLLBACK || rc == SQLITE_READONLY_RECOVERY) {
		msg_info("%s: was left in the middle of a transaction, rolling it back", s->path);
		sqlite3_close(s->db);
		s->db = NULL;
		rc = open_with(s, SQLITE_OPEN_READWRITE);
	}
	return rc;
}

int source_fail(struct source *s, int rc)
{
	int status;

	if (stop_asked()) {
		msg_err(s->path, "interrupted");
		return EX_TEMPFAIL;
	}
	status = sqlite_fail(s->db, s->path, "cannot read", rc);
	if (status == EX_DATAERR)
		return status;
	if ((rc & 0xff) == SQLITE_BUSY)
		msg_hint("another process has kept it locked for %lld s", (long long)s->wait_ms / 1000);
	else if (s->wal && ((rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_READONLY))
		msg_hint("a WAL database needs a -shm file: its directory must be writable for this user");
	return status;
}

void source_close(struct source *s)
{
	char wal[PATH_MAX + 8];
	struct stat st;

	if (s->db == NULL)
		return;
	sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	snprintf(wal, sizeof wal, "%s-wal", s->real);
	/* nothing to checkpoint: the close only removes the empty -wal and the -shm */
	if (s->tidy && stat(wal, &st) == 0 && st.st_size == 0)
		sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	sqlite3_close(s->db);
	s->db = NULL;
}
