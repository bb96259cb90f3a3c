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
#include "lib/json.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/option.h"
#include "lib/shell.h"
#include "lib/sqlite/advance.h"
#include "lib/sqlite/alone.h"
#include "lib/sqlite/chain.h"
#include "lib/sqlite/change.h"
#include "lib/sqlite/place.h"
#include "lib/sqlite/sqlite.h"
#include "lib/stop.h"

#define SPARE ((uint64_t)256 << 20)	/* beside room for one more database: what follows must not fill the disk */

static const char *const names[] = { "n", "epoch", "snapshot_at", "digest", "page_size", "page_count", "applied", "pages",
				     "target", "content_hash", NULL };

static struct {
	const char *out;
	const char *to;			/* content_hash of the object to lead to; NULL: apply all, as they come */
	int64_t wait_ms;
	bool finish, show, digest, json;
	struct shell shell;
} opt = { .wait_ms = 60000, .shell = { .names = names } };

struct apply {
	const char *file;		/* as named, for messages */
	char path[PATH_MAX];		/* what is changed: FILE, or the unfinished copy for NEW */
	char wal[PATH_MAX + 8], next[PATH_MAX + 16];	/* its log, and the name of one that is not yet whole */
	char note_path[PATH_MAX + 16], lock_path[PATH_MAX + 16];
	int lock;
	struct note note;		/* what FILE is, and what it becomes */
	struct advance log;
};

/* ---- opening ---- */

/* The file's own header: page size and number of pages. */
static int look_at_file(struct apply *a)
{
	struct sqlite_header h;
	int rc;

	a->log.fd = open(a->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (a->log.fd < 0) {
		msg_errno(a->file, "cannot open");
		return errno == ENOENT ? EX_NOINPUT : errno == EACCES ? EX_NOPERM : EX_CANTCREAT;
	}
	rc = sqlite_header_read(a->log.fd, a->file, &h);
	if (rc != EX_OK)
		return rc;
	if (a->note.known && (h.page_size != a->note.is.page_size || h.page_count != a->note.is.page_count)) {
		msg_err(a->file, "is not the state that its note says");
		return EX_DATAERR;
	}
	a->note.is.page_size = h.page_size;
	a->note.is.page_count = h.page_count;
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

/*
 * What a run began with a target on its note is ended, or forgotten when its log had not got its name yet. The order of a
 * run: log whole and on disk - note with the target - the log's name - SQLite - note without.
 */
static int finish(struct apply *a)
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

/* ---- the steps ---- */

/* As many of the changes as go together, from *i on, into a log. */
static int collect(struct apply *a, char **changes, int count, int *i)
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

/* The log that was collected, under its name and into FILE. */
static int write_batch(struct apply *a)
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
	return finish(a);
}

static int apply_all(struct apply *a, char **changes, int count)
{
	struct chain_from from = { a->file, a->note.is.n, a->note.is.digest, a->note.is.page_size, a->note.is.page_count };
	int rc = EX_OK;

	if (opt.to != NULL)
		rc = chain_names(changes, count, &changes, &count);
	if (opt.to != NULL && rc == EX_OK)
		rc = chain_order(&from, opt.to, changes, &count);
	for (int i = 0; rc == EX_OK && i < count;) {
		rc = collect(a, changes, count, &i);
		if (rc == EX_OK)
			rc = write_batch(a);
	}
	/* the names of --to are ours until the end of the program */
	return rc;
}

static void report(const struct apply *a)
{
	const struct place *p = &a->note.is;
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
	shell_int(s, "applied", a->log.applied);
	shell_int(s, "pages", (int64_t)a->log.pages);
	if (a->log.whole[0] != '\0')
		shell_set(s, "content_hash", a->log.whole);
	if (a->note.has_target)
		shell_int(s, "target", a->note.target.n);
	if (opt.json) {
		json *j = place_json(p);
		char *text;

		json_put_int(j, "applied", a->log.applied);
		json_put_int(j, "pages", (int64_t)a->log.pages);
		if (a->log.whole[0] != '\0')
			json_put_str(j, "content_hash", a->log.whole);
		if (a->note.has_target)
			json_put(j, "target", place_json(&a->note.target));
		text = json_text(j);
		puts(text);
		free(text);
		json_free(j);
	} else if (!shell_asked(s) && p->n != 0) {
		printf("%s: state %lld of %s, %u changes of %llu pages applied\n", a->file, (long long)p->n,
		       clock_text(at, p->snapshot_at), a->log.applied, (unsigned long long)a->log.pages);
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
	snprintf(a->note_path, sizeof a->note_path, "%s.note", a->path);
	a->log.file = a->file;
	a->log.path = a->next;
	snprintf(a->lock_path, sizeof a->lock_path, "%s.lock", a->path);
	return EX_OK;
}

/* A copy of BASE under the unfinished name of NEW. */
static int copy_base(struct apply *a, const char *base)
{
	struct stat st;
	int from = open(base, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), to = -1, rc;

	/* what a killed run left would be applied to this copy */
	if (unlink(a->wal) != 0 && errno != ENOENT) {
		msg_errno(a->wal, "cannot remove");
		rc = EX_CANTCREAT;
	} else {
		unlink(a->next);
		unlink(a->note_path);
		rc = sqlite_no_side_files(base);
	}
	if (from < 0 || fstat(from, &st) != 0 || !S_ISREG(st.st_mode)) {
		msg_errno(base, "cannot open");
		rc = EX_NOINPUT;
	}
	if (rc == EX_OK)
		rc = alone_lend(from, base);
	if (rc == EX_OK)
		rc = file_claim(a->path, &to);
	if (rc == EX_OK)
		rc = copy_shared(from, base, to, a->file, (uint64_t)st.st_size);
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
	unlink(a->note_path);
	snprintf(note, sizeof note, "%s.note", opt.out);
	snprintf(a->note_path, sizeof a->note_path, "%s", note);
	return a->note.known || a->note.is.n != 0 ? note_write(a->note_path, &a->note) : EX_OK;
}

/* What FILE is by its note, once an earlier run is at its end. */
static int find_out(struct apply *a)
{
	int rc = opt.show || opt.digest ? EX_OK : file_lock_at(a->lock_path, opt.wait_ms, &a->lock);

	if (rc == EX_OK && !opt.digest)
		rc = note_read(a->note_path, &a->note);
	if (rc == EX_OK && !opt.digest && !opt.show)
		rc = finish(a);
	if (rc == EX_OK && !a->note.known && (opt.finish || opt.show)) {
		msg_err(a->file, "has no note");
		rc = EX_NOINPUT;
	}
	return rc;
}

static int apply(char **changes, int count, const char *file)
{
	struct apply a = { .file = opt.out != NULL ? opt.out : file, .lock = -1, .log = { .fd = -1, .log_fd = -1 } };
	char *tmp = opt.out != NULL ? file_sibling(opt.out, ".applied") : NULL;
	int rc = opt.out != NULL && tmp == NULL ? EX_IOERR : names_for(&a, tmp != NULL ? tmp : file);

	if (rc == EX_OK)
		rc = opt.out != NULL ? copy_base(&a, file) : find_out(&a);
	if (rc == EX_OK && !opt.finish && !opt.show) {
		rc = sqlite_no_side_files(a.path);
		if (rc == EX_OK)
			rc = look_at_file(&a);
		if (rc == EX_OK && !a.note.known)
			rc = place_digest(a.log.fd, a.file, &a.note.is);
		if (rc == EX_OK)
			rc = apply_all(&a, changes, count);
		if (rc == EX_OK && opt.out != NULL)
			rc = name_new(&a);
	}
	if (rc == EX_OK)
		report(&a);

	advance_free(&a.log);
	/* with a target on the note it is what tells the next run that nothing was begun */
	if (a.note.has_target && a.log.log_fd >= 0)
		close(a.log.log_fd);
	else
		file_unclaim(a.next, a.log.log_fd);
	if (opt.out != NULL && rc != EX_OK) {
		unlink(a.path);
		unlink(a.wal);
		unlink(a.note_path);
	}
	if (a.log.fd >= 0)
		close(a.log.fd);
	if (a.lock >= 0)
		close(a.lock);
	free(tmp);
	return rc;
}

static const struct option_row options[] = {
	{ 'o', "output", "NEW", option_text, &opt.out, "leave BASE as it is, and make NEW" },
	{ 0, "to", "HASH", option_text, &opt.to, "apply what leads to the object of this content_hash, as far as\n"
	  "the first whole state on the way; a directory is all in it" },
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
