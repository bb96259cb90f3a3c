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
#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/option.h"
#include "lib/shell.h"
#include "lib/sqlite/hash_follow.h"
#include "lib/sqlite/rescue.h"
#include "lib/sqlite/source.h"
#include "lib/sqlite/sqlite.h"
#include "lib/sqlite/target.h"
#include "lib/stop.h"

static const char *const names[] = {
	"path", "snapshot_at", "size", "size_text", "content_hash", "page_size", "page_count", NULL,
};

static struct {
	int64_t wait_ms;		/* for locks on SRC */
	bool json;
	const char *append;		/* a file, NULL for none */
	struct shell shell;
} opt = { .wait_ms = 60000, .shell = { .names = names } };

struct snapshot {
	struct source from;
	const char *dst;
	sqlite3 *to;
	sqlite3_backup *backup;		/* from one to the other */
	bool by_hand;			/* the files were copied, because SQLite cannot read them where they are */
	uint32_t writer;		/* SQLite's version of who wrote SRC last */
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

static int open_source(struct snapshot *s)
{
	int rc = source_open(&s->from, opt.wait_ms), status;
	struct rescue copy;

	if (rc == SQLITE_OK) {
		s->writer = sqlite_last_writer(s->from.db);
		return EX_OK;
	}
	if (stop_asked())
		return interrupted(s);
	if (!rescue_helps(&s->from, rc))
		return source_fail(&s->from, rc);
	source_close(&s->from);
	s->by_hand = true;
	status = rescue_copy(&s->from, s->fd, s->tmp, &copy);
	if (status == EX_OK) {
		s->size = copy.size;
		s->writer = copy.writer;
	}
	return status;
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
	s->backup = sqlite3_backup_init(s->to, "main", s->from.db, "main");
	if (s->backup == NULL)
		return sqlite_fail(s->to, s->from.path, "cannot copy", sqlite3_errcode(s->to));
	/* no page yet, but their number */
	rc = sqlite3_backup_step(s->backup, 0);
	if (rc == SQLITE_OK)
		rc = sqlite_int(s->from.db, "PRAGMA page_size", &page_size);
	if (rc != SQLITE_OK)
		return sqlite_fail(s->from.db, s->from.path, "cannot read", rc);
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
		return sqlite_fail(s->to, is_write_error(rc) ? s->dst : s->from.path, "cannot copy", rc);
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
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = (time_t)s->from.at } };
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
	if (fchmod(s->fd, s->from.st.st_mode & 0777) != 0 || futimens(s->fd, times) != 0) {
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
	json_put_str(j, "snapshot_at", clock_text(at, s->from.at));
	json_put_int(j, "size", (int64_t)s->size);
	json_put_str(j, "content_hash", s->hash);
	json_put_int(j, "page_size", (int64_t)s->header.page_size);
	json_put_int(j, "page_count", (int64_t)s->header.page_count);
	shell_size(&opt.shell, "size_text", s->size);
	rc = json_append(j, opt.append);
	json_answer(j, opt.json, &opt.shell);
	return rc;
}

static int take_snapshot(const char *src, const char *dst)
{
	struct snapshot s = { .dst = dst, .fd = -1, .tmp = file_sibling(dst, ".snapshot") };
	struct follow *hash = NULL;
	char at[CLOCK_TEXT];
	int rc = s.tmp != NULL ? EX_OK : EX_IOERR;

	if (rc == EX_OK)
		rc = source_look(&s.from, src);
	if (rc == EX_OK)
		rc = target_database(dst, s.tmp, s.from.path);
	if (rc == EX_OK)
		rc = file_claim(s.tmp, &s.fd);
	if (rc == EX_OK)
		rc = open_source(&s);
	if (rc == EX_OK && !s.by_hand)
		rc = copy_by_backup(&s, &hash);
	/* as soon as possible: until then the -wal can only grow */
	sqlite3_backup_finish(s.backup);
	source_close(&s.from);
	if (rc == EX_OK)
		rc = finish(&s, hash);
	if (rc == EX_OK)
		msg_info("%s: %u pages of %u bytes, as of %s", dst, s.header.page_count, s.header.page_size,
			 clock_text(at, s.from.at));
	if (rc == EX_OK)
		rc = print_answer(&s);

	follow_free(hash);
	sqlite3_close(s.to);
	if (s.by_hand)
		rescue_clean(s.tmp);
	file_unclaim(s.tmp, s.fd);
	free(s.tmp);
	return rc;
}

static const struct option_row options[] = {
	{ 't', "timeout", "DURATION", option_duration, &opt.wait_ms, "how long to wait for a lock on SRC (default 60s)" },
	{ 0, "json", NULL, option_flag, &opt.json, "print time, size, hash and pages as a JSON object" },
	{ 0, "append", "FILE", option_text, &opt.append, "append it to FILE, as a line" },
	{ 0, "shell", "[=PREFIX]", option_shell, &opt.shell, "print them for a shell" },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};

static const struct command command = {
	.usage = "[-t DURATION] [--json | --shell] [--append FILE] SRC DST",
	.about = "A consistent copy of the database SRC, while others write to it.",
	.options = options,
};

int main(int argc, char **argv)
{
	int rc;

	msg_init(argv[0]);
	stop_init();
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	if (argc - optind != 2 || *argv[optind] == '\0' || *argv[optind + 1] == '\0')
		return cli_usage("needs SRC and DST");
	rc = cli_close(take_snapshot(argv[optind], argv[optind + 1]));
	return rc == EX_USAGE ? rc : shell_end(&opt.shell, rc);
}
