/*
 * db-snapshot - a consistent copy of a live database
 *
 *	db-snapshot [-t DURATION] [--json | --shell] [--append FILE] SRC DST
 *
 * The copy is one read transaction of SRC, however long it takes and whatever is written meanwhile. SRC is
 * never checkpointed and, in WAL mode, its writers never wait. DST is a complete database in rollback-
 * journal mode, on disk, with the time of the snapshot as its modification time, before it gets its name;
 * on any failure it is what it was.
 */
#include "lib/shell.h"
#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/copy.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/sqlite/hash_follow.h"
#include "lib/sqlite/holders.h"
#include "lib/json.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/sqlite/sqlite.h"
#include "lib/stop.h"

static int64_t wait_ms = 60000;		/* for locks on SRC */
static bool json_wanted;
static const char *append_to;	/* a file, NULL for none */
static const char *const names[] = {
	"path", "snapshot_at", "size", "size_text", "content_hash", "page_size", "page_count", NULL,
};
static struct shell answer = { .names = names };

struct snapshot {
	const char *src, *dst;
	char real[PATH_MAX];		/* src without symbolic links: its -wal lies beside that */
	struct stat st;			/* of src */
	bool wal;			/* src is a WAL database */
	bool tidy;			/* it had no -wal: what opening it makes is ours to remove */
	sqlite3 *from, *to;
	sqlite3_backup *backup;		/* from one to the other */
	bool by_hand;			/* the files were copied, because SQLite cannot read them where they are */
	uint32_t writer;		/* SQLite's version of who wrote src last */
	int64_t deadline;		/* clock_ms(), for locks */
	int64_t at;			/* when the read transaction began, seconds since the epoch */
	uint64_t page_size, size;	/* bytes */
	char *tmp;
	int fd;				/* of tmp, -1 when it is not ours */
	struct sqlite_header header;
	char hash[HASH_TEXT];
};

static int interrupted(const struct snapshot *s)
{
	msg_err(s->dst, "interrupted");
	return EX_TEMPFAIL;
}

static bool exists(const char *path, const char *suffix)
{
	char full[PATH_MAX + 16];
	struct stat st;

	snprintf(full, sizeof full, "%s%s", path, suffix);
	return lstat(full, &st) == 0;
}

/*
 * The -shm and -wal that reading makes have SRC's mode, this user, and the group that new files get in its directory.
 * An application that starts meanwhile must be able to use them: as their group, for it is not their owner.
 */
static int look_at_sharing(const struct snapshot *s)
{
	char dir[PATH_MAX];
	struct stat st;
	gid_t group = getegid();

	/* root's are given to SRC's owner, by SQLite */
	if (geteuid() == 0 || geteuid() == s->st.st_uid || (s->st.st_mode & S_IWOTH) != 0)
		return EX_OK;
	if ((s->st.st_mode & S_IWGRP) == 0) {
		msg_err(s->src, "belongs to another user, who could not use the -shm that reading it makes");
		msg_hint("run this as root or as user %ld, or while the application runs", (long)s->st.st_uid);
		return EX_NOPERM;
	}
	snprintf(dir, sizeof dir, "%.*s", (int)(strrchr(s->real, '/') - s->real) + 1, s->real);
	if (stat(dir, &st) == 0 && (st.st_mode & S_ISGID) != 0)
		group = st.st_gid;
	if (group == s->st.st_gid)
		return EX_OK;
	msg_err(s->src, "the -shm that reading it makes would be of group %ld: its owner could not use it",
		(long)group);
	if (st.st_gid == s->st.st_gid)
		msg_hint("chmod g+s %s", dir);
	else
		msg_hint("chgrp %ld %s && chmod g+s %s", (long)s->st.st_gid, dir, dir);
	return EX_NOPERM;
}

/* Before SQLite opens it: SQLite takes an empty file for an empty database, and makes a missing one. */
static int look_at_source(struct snapshot *s)
{
	/* a writer may be at it, so only what never changes can be judged here */
	unsigned char head[20];
	int fd = open(s->src, O_RDONLY | O_NONBLOCK | O_CLOEXEC), rc = EX_OK;
	ssize_t n = 0;

	if (fd < 0 || fstat(fd, &s->st) != 0 || realpath(s->src, s->real) == NULL) {
		msg_errno(s->src, "cannot open");
		rc = EX_NOINPUT;
	} else if (!S_ISREG(s->st.st_mode)) {
		msg_err(s->src, "not a regular file");
		rc = EX_NOINPUT;
	} else if ((n = file_pread(fd, head, sizeof head, 0)) < 0) {
		msg_errno(s->src, "cannot read");
		rc = EX_IOERR;
	} else if (n == 0) {
		msg_err(s->src, "empty file, not a database");
		rc = EX_DATAERR;
	} else if (n < (ssize_t)sizeof head || memcmp(head, "SQLite format 3", 16) != 0) {
		msg_err(s->src, "not a SQLite database");
		rc = EX_DATAERR;
	} else if (s->st.st_size < (head[16] == 0 ? 65536 : head[16] << 8)) {
		/* what is missing SQLite would take for zeros */
		msg_err(s->src, "not one page of it is whole");
		rc = EX_DATAERR;
	}
	if (fd >= 0)
		close(fd);
	if (rc != EX_OK)
		return rc;

	s->wal = head[19] == 2;
	s->tidy = s->wal && !exists(s->real, "-wal");
	if (s->wal && (s->tidy || !exists(s->real, "-shm")))
		return look_at_sharing(s);
	return EX_OK;
}

static bool is_source(const struct snapshot *s, const struct stat *st)
{
	return st->st_dev == s->st.st_dev && st->st_ino == s->st.st_ino;
}

/* What stands in DST's place must be replaceable: no database in use, and no side files that would outlive it. */
static int look_at_destination(struct snapshot *s)
{
	struct holders holders;
	size_t len = strlen(s->dst);
	struct stat st;
	int rc;

	for (const char *const *side = sqlite_side_files; *side != NULL; side++) {
		size_t n = strlen(*side);

		if (len >= n && strcmp(s->dst + len - n, *side) == 0)
			return cli_usage("%s: SQLite keeps files of its own under names in %s", s->dst, *side);
	}
	if (lstat(s->tmp, &st) == 0 && is_source(s, &st))
		return cli_usage("%s: is the name for the unfinished copy", s->src);
	rc = sqlite_no_side_files(s->dst);
	if (rc != EX_OK)
		return rc;
	if (lstat(s->dst, &st) != 0)
		return EX_OK;	/* a path that cannot be reached fails when the copy is made */
	if (is_source(s, &st))
		return cli_usage("%s and %s are the same file", s->src, s->dst);
	if (!S_ISREG(st.st_mode)) {
		msg_err(s->dst, "not a regular file");
		return EX_CANTCREAT;
	}
	rc = holders_find(s->dst, &holders);
	if (rc == EX_OK && holders.count > 0) {
		msg_err(s->dst, "in use by %s", holders.who);
		rc = EX_CANTCREAT;
	}
	return rc;
}

static int on_busy(void *ctx, int tries)
{
	struct snapshot *s = ctx;

	(void)tries;
	if (stop_asked() || clock_ms() >= s->deadline)
		return 0;
	clock_sleep(20);
	return 1;
}

/*
 * Opens SRC and begins the read transaction. Nothing here has SQLite parse the schema: a newer one's syntax is no
 * reason to be without a copy. SQLite's code.
 */
static int begin(struct snapshot *s, int flags)
{
	int64_t ignored;
	int rc = sqlite_open(s->real, NULL, flags, NULL, &s->from);

	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(s->from, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_busy_handler(s->from, on_busy, s);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(s->from, "BEGIN", NULL, NULL, NULL);
	s->at = clock_wall();
	if (rc == SQLITE_OK)
		rc = sqlite_int(s->from, "PRAGMA user_version", &ignored);
	if (rc == SQLITE_OK)
		s->writer = sqlite_last_writer(s->from);
	return rc;
}

/* ---- a database that SQLite cannot read where it is ---- */

/* A disk that fails is often mounted read-only then: no -shm can be made there, and no journal rolled back. */
static bool is_on_read_only_disk(const struct snapshot *s)
{
	struct statvfs fs;

	return statvfs(s->real, &fs) == 0 && (fs.f_flag & ST_RDONLY) != 0;
}

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

/* Of what lies beside SRC, too; *is_there tells whether it did. */
static int copy_side_file(const struct snapshot *s, const char *suffix, struct stat *st, bool *is_there)
{
	char from[PATH_MAX + 8], to[PATH_MAX + 16];
	int fd, rc;

	*is_there = exists(s->real, suffix);
	if (!*is_there)
		return EX_OK;
	snprintf(from, sizeof from, "%s%s", s->real, suffix);
	snprintf(to, sizeof to, "%s%s", s->tmp, suffix);
	fd = open(to, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		rc = file_write_status(errno);
		msg_errno(to, "cannot create");
		return rc;
	}
	rc = copy_file(from, fd, to, st);
	close(fd);
	return rc;
}

static void remove_side_files(const struct snapshot *s)
{
	char path[PATH_MAX + 16];

	for (const char *const *side = sqlite_side_files; *side != NULL; side++) {
		snprintf(path, sizeof path, "%s%s", s->tmp, *side);
		unlink(path);
	}
}

static bool is_as_it_was(const struct snapshot *s, const char *suffix, const struct stat *was)
{
	char path[PATH_MAX + 8];
	struct stat now;

	snprintf(path, sizeof path, "%s%s", s->real, suffix);
	return lstat(path, &now) == 0 && now.st_ino == was->st_ino && now.st_size == was->st_size &&
	       now.st_mtim.tv_sec == was->st_mtim.tv_sec && now.st_mtim.tv_nsec == was->st_mtim.tv_nsec;
}

/* SQLite puts the copy in order, as the application would at its next start: no other process knows it, so no -shm. */
static int recover_copy(struct snapshot *s)
{
	struct stat st;
	int64_t ignored;
	int rc = sqlite_open(s->tmp, NULL, SQLITE_OPEN_READWRITE, NULL, &s->to);

	if (rc == SQLITE_OK)
		rc = sqlite3_exec(s->to, "PRAGMA locking_mode=EXCLUSIVE", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite_int(s->to, "PRAGMA user_version", &ignored);
	if (rc == SQLITE_OK && s->wal)
		rc = sqlite3_wal_checkpoint_v2(s->to, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	if (rc == SQLITE_OK)
		s->writer = sqlite_last_writer(s->to);
	if (rc == SQLITE_OK)
		rc = sqlite_int(s->to, "PRAGMA page_size", &ignored);
	if (rc != SQLITE_OK)
		return sqlite_fail(s->to, s->src, "cannot put a copy in order", rc);
	sqlite3_close(s->to);
	s->to = NULL;
	if (fstat(s->fd, &st) != 0) {
		msg_errno(s->tmp, "cannot look at it");
		return EX_IOERR;
	}
	s->page_size = (uint64_t)ignored;
	s->size = (uint64_t)st.st_size;
	return EX_OK;
}

/*
 * SRC and its journals, copied as files: its disk does not let anybody write them. Elsewhere it may be mounted to be
 * written, so nobody may have it open, and nothing may have changed at the end.
 */
static int copy_by_hand(struct snapshot *s)
{
	struct stat db, wal, journal;
	bool has_wal, has_journal;
	struct holders h;
	int rc = holders_find(s->real, &h);

	if (rc == EX_OK && h.count > 0) {
		msg_err(s->src, "in use by %s", h.who);
		rc = EX_CANTCREAT;
	}
	if (rc != EX_OK)
		return rc;
	msg_info("%s: on a read-only disk, copied with what lies beside it and put in order there", s->src);
	s->by_hand = true;
	remove_side_files(s);
	rc = copy_file(s->real, s->fd, s->tmp, &db);
	if (rc == EX_OK)
		rc = copy_side_file(s, "-wal", &wal, &has_wal);
	if (rc == EX_OK)
		rc = copy_side_file(s, "-journal", &journal, &has_journal);
	if (rc != EX_OK)
		return rc;
	if (!is_as_it_was(s, "", &db) || exists(s->real, "-wal") != has_wal || exists(s->real, "-journal") != has_journal ||
	    (has_wal && !is_as_it_was(s, "-wal", &wal)) || (has_journal && !is_as_it_was(s, "-journal", &journal))) {
		msg_err(s->src, "changed while it was copied");
		return EX_TEMPFAIL;
	}
	return recover_copy(s);
}

static int open_source(struct snapshot *s)
{
	/* only a connection that may write removes the side files that it made */
	int rc = begin(s, s->tidy ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY), status;

	if (rc == SQLITE_READONLY_ROLLBACK || rc == SQLITE_READONLY_RECOVERY) {
		msg_info("%s: was left in the middle of a transaction, rolling it back", s->src);
		sqlite3_close(s->from);
		rc = begin(s, SQLITE_OPEN_READWRITE);
	}
	if (rc == SQLITE_OK)
		return EX_OK;
	if (stop_asked())
		return interrupted(s);
	if (((rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_READONLY) && is_on_read_only_disk(s)) {
		sqlite3_close(s->from);
		s->from = NULL;
		return copy_by_hand(s);
	}
	status = sqlite_fail(s->from, s->src, "cannot read", rc);
	if (status == EX_DATAERR)
		return status;
	if ((rc & 0xff) == SQLITE_BUSY)
		msg_hint("another process has kept it locked for %lld s", (long long)wait_ms / 1000);
	else if (s->wal && ((rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_READONLY))
		msg_hint("a WAL database needs a -shm file: its directory must be writable for this user");
	return status;
}

static void close_source(struct snapshot *s)
{
	char wal[PATH_MAX + 8];
	struct stat st;

	if (s->from == NULL)
		return;
	sqlite3_backup_finish(s->backup);
	s->backup = NULL;
	sqlite3_exec(s->from, "ROLLBACK", NULL, NULL, NULL);
	snprintf(wal, sizeof wal, "%s-wal", s->real);
	/* nothing to checkpoint: the close only removes the empty -wal and the -shm */
	if (s->tidy && stat(wal, &st) == 0 && st.st_size == 0)
		sqlite3_db_config(s->from, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	sqlite3_close(s->from);
	s->from = NULL;
}

static int make_room(const struct snapshot *s)
{
	char need[NUM_TEXT], have[NUM_TEXT];
	struct statvfs fs;

	if (fstatvfs(s->fd, &fs) == 0 && fs.f_bavail < s->size / fs.f_frsize + 1) {
		msg_err(s->dst, "needs %s, %s are free", num_size_text(need, s->size),
			num_size_text(have, fs.f_bavail * fs.f_frsize));
		return EX_IOERR;
	}
	/* keeps the size, which SQLite would take for a database; a file system without it is no error */
	if (fallocate(s->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)s->size) != 0 && errno != EOPNOTSUPP && errno != ENOSYS) {
		msg_errno(s->dst, "cannot reserve %s", num_size_text(need, s->size));
		return EX_IOERR;
	}
	return EX_OK;
}

static int open_copy(struct snapshot *s)
{
	int64_t page_size = 0;
	/* private until it is complete: no locks, no journal, and one sync at the end */
	int rc = sqlite_open(s->tmp, NULL, SQLITE_OPEN_READWRITE, "unix-none", &s->to);

	if (rc == SQLITE_OK)
		rc = sqlite3_exec(s->to, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-1024",
				  NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return sqlite_fail(s->to, s->tmp, "cannot open", rc);
	s->backup = sqlite3_backup_init(s->to, "main", s->from, "main");
	if (s->backup == NULL)
		return sqlite_fail(s->to, s->src, "cannot copy", sqlite3_errcode(s->to));
	/* no page yet, but their number */
	rc = sqlite3_backup_step(s->backup, 0);
	if (rc == SQLITE_OK)
		rc = sqlite_int(s->from, "PRAGMA page_size", &page_size);
	if (rc != SQLITE_OK)
		return sqlite_fail(s->from, s->src, "cannot read", rc);
	s->page_size = (uint64_t)page_size;
	s->size = (uint64_t)sqlite3_backup_pagecount(s->backup) * s->page_size;
	return EX_OK;
}

static bool is_write_error(int rc)
{
	return (rc & 0xff) == SQLITE_FULL || rc == SQLITE_IOERR_WRITE || rc == SQLITE_IOERR_TRUNCATE;
}

/*
 * In steps, to be stoppable and to start the disk early. They are as atomic as one: the source connection
 * is in a read transaction, so no step begins or ends one and no writer can make the backup start over.
 */
static int copy(struct snapshot *s, struct follow *hash)
{
	sqlite3_backup *b = s->backup;
	int step = (int)(HASH_BLOCK / s->page_size), rc = SQLITE_OK, end;
	uint64_t done = 0, flushed = 0;

	while (!stop_asked() && (rc = sqlite3_backup_step(b, step)) == SQLITE_OK) {
		done = s->size - (uint64_t)sqlite3_backup_remaining(b) * s->page_size;
		rc = sqlite3_db_cacheflush(s->to);
		if (rc != SQLITE_OK)
			break;
		/* a hint: writing all at the end would hold up the commits of everybody on this disk */
		sync_file_range(s->fd, (off_t)flushed, (off_t)(done - flushed), SYNC_FILE_RANGE_WRITE);
		flushed = done;
		follow_ready(hash, done);
	}
	end = sqlite3_backup_finish(b);
	s->backup = NULL;
	if (rc == SQLITE_DONE)
		rc = end;
	if (rc != SQLITE_OK)
		return sqlite_fail(s->to, is_write_error(rc) ? s->dst : s->src, "cannot copy", rc);
	if (stop_asked())
		return interrupted(s);
	rc = sqlite3_close(s->to);
	if (rc != SQLITE_OK)
		return sqlite_fail(s->to, s->tmp, "cannot close", rc);
	s->to = NULL;
	return EX_OK;
}

static int copy_by_backup(struct snapshot *s, struct follow **hash)
{
	int rc = open_copy(s);

	if (rc == EX_OK)
		rc = make_room(s);
	if (rc == EX_OK && (*hash = follow_new(s->fd, s->size, s->tmp)) == NULL)
		rc = EX_IOERR;
	return rc == EX_OK ? copy(s, *hash) : rc;
}

/* The copy is all there: into rollback mode, hash, owner's rights, time, disk, name. */
static int finish(struct snapshot *s, struct follow *hash)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = (time_t)s->at } };
	const unsigned char writer[4] = { (unsigned char)(s->writer >> 24), (unsigned char)(s->writer >> 16),
					  (unsigned char)(s->writer >> 8), (unsigned char)s->writer };
	int rc;

	/*
	 * https://www.sqlite.org/fileformat2.html 1.3.3: the whole difference, when there is no -wal; and 1.3.17: that we
	 * wrote the copy says nothing, who wrote its rows says what they may need to be read
	 */
	if (file_pwrite(s->fd, "\1\1", 2, 18) != 0 || file_pwrite(s->fd, writer, 4, 96) != 0) {
		msg_errno(s->tmp, "cannot write");
		return EX_IOERR;
	}
	rc = sqlite_header_read(s->fd, s->tmp, &s->header);
	if (rc == EX_OK && hash != NULL)
		rc = follow_end(hash, s->hash);
	else if (rc == EX_OK && content_hash_fd(s->fd, 0, s->size, s->hash) != EX_OK) {
		msg_errno(s->tmp, "cannot read back");
		rc = EX_IOERR;
	}
	if (rc != EX_OK)
		return rc;
	/* the copy tells as much as the original, so it is as readable; this also narrows an old DST */
	if (fchmod(s->fd, s->st.st_mode & 0777) != 0 || futimens(s->fd, times) != 0) {
		msg_errno(s->tmp, "cannot set mode and time");
		return EX_CANTCREAT;
	}
	return file_commit(s->fd, s->tmp, s->dst);
}

static int print_answer(const struct snapshot *s)
{
	char at[CLOCK_TEXT];
	json *j = json_object();
	int rc;

	json_put_str(j, "path", s->dst);
	json_put_str(j, "snapshot_at", clock_text(at, s->at));
	json_put_int(j, "size", (int64_t)s->size);
	json_put_str(j, "content_hash", s->hash);
	json_put_int(j, "page_size", (int64_t)s->header.page_size);
	json_put_int(j, "page_count", (int64_t)s->header.page_count);
	shell_size(&answer, "size_text", s->size);
	rc = json_append(j, append_to);
	json_answer(j, json_wanted, &answer);
	return rc;
}

static int take_snapshot(const char *src, const char *dst)
{
	struct snapshot s = { .src = src, .dst = dst, .fd = -1, .tmp = file_sibling(dst, ".snapshot"),
			      .deadline = clock_ms() + wait_ms };
	struct follow *hash = NULL;
	char at[CLOCK_TEXT];
	int rc = s.tmp != NULL ? EX_OK : EX_IOERR;

	if (rc == EX_OK)
		rc = look_at_source(&s);
	if (rc == EX_OK)
		rc = look_at_destination(&s);
	if (rc == EX_OK)
		rc = file_claim(s.tmp, &s.fd);
	if (rc == EX_OK)
		rc = open_source(&s);
	if (rc == EX_OK && !s.by_hand)
		rc = copy_by_backup(&s, &hash);
	/* as soon as possible: until then the -wal can only grow */
	close_source(&s);
	if (rc == EX_OK)
		rc = finish(&s, hash);
	if (rc == EX_OK)
		msg_info("%s: %u pages of %u bytes, as of %s", dst, s.header.page_count, s.header.page_size,
			 clock_text(at, s.at));
	if (rc == EX_OK)
		rc = print_answer(&s);

	follow_free(hash);
	sqlite3_close(s.to);
	if (s.by_hand)
		remove_side_files(&s);
	file_unclaim(s.tmp, s.fd);
	free(s.tmp);
	return rc;
}

static const char help[] =
	"usage: db-snapshot [-t DURATION] [--json | --shell] [--append FILE] SRC DST\n"
	"A consistent copy of the database SRC, while others write to it.\n"
	"\n"
	"  -t, --timeout DURATION  how long to wait for a lock on SRC (default 60s)\n"
	"      --json              print time, size, hash and pages as a JSON object\n"
	"      --append FILE       append it to FILE, as a line\n"
	"      --shell[=PREFIX]    the same as assignments for a shell\n"
	"  -v, --verbose           narrate on standard error\n"
	"  -h, --help              this text\n"
	"  -V, --version           the version\n";

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "timeout", required_argument, NULL, 't' },
		{ "json", no_argument, NULL, 'j' },
		{ "append", required_argument, NULL, 'A' },
		{ "shell", optional_argument, NULL, 'S' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	const char *why;
	int c;

	msg_init(argv[0]);
	stop_init();
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":t:vhV", options, NULL)) != -1) {
		switch (c) {
		case 't':
			why = num_duration(optarg, &wait_ms);
			if (why != NULL)
				return cli_usage("-t %s: %s", optarg, why);
			break;
		case 'j':
			json_wanted = true;
			break;
		case 'A':
			append_to = optarg;
			break;
		case 'S':
			why = shell_ask(&answer, optarg);
			if (why != NULL)
				return cli_usage("--shell=%s: %s", optarg, why);
			break;
		case 'v':
			msg_verbose = true;
			break;
		case 'h':
			return cli_help(help);
		case 'V':
			return cli_version();
		default:
			return cli_bad_option(c, argv);
		}
	}
	if (argc - optind != 2 || *argv[optind] == '\0' || *argv[optind + 1] == '\0')
		return cli_usage("needs SRC and DST");
	return shell_end(&answer, cli_close(take_snapshot(argv[optind], argv[optind + 1])));
}
