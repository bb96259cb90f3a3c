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
 * beside FILE says which state it is, and which one is on its way: wherever a run was killed, --finish or the next run
 * reads there what is left to do, and may do it twice without harm (whole pages are written).
 */
#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/copy.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/msg.h"
#include "lib/option.h"
#include "lib/shell.h"
#include "lib/sqlite/alone.h"
#include "lib/sqlite/apply.h"
#include "lib/sqlite/chain.h"
#include "lib/sqlite/change.h"
#include "lib/sqlite/place.h"
#include "lib/sqlite/sqlite.h"
#include "lib/sqlite/target.h"
#include "lib/stop.h"

static const char *const names[] = { "n", "epoch", "snapshot_at", "digest", "page_size", "page_count", "applied", "pages",
				     "target", "content_hash", NULL };

static struct {
	const char *out;
	const char *to;			/* content_hash of the object to lead to; NULL: apply all, as they come */
	int64_t wait_ms;
	bool finish, show, digest, json;
	struct shell shell;
} opt = { .wait_ms = 60000, .shell = { .names = names } };

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

/* ---- the steps ---- */

static int apply_all(struct apply *a, char **changes, int count)
{
	struct chain_from from = { a->file, a->note.is.n, a->note.is.digest, a->note.is.page_size, a->note.is.page_count };
	char **paths = NULL, **way = NULL;
	int rc = EX_OK, all = 0;

	if (opt.to != NULL)
		rc = chain_names(changes, count, &paths, &all);
	if (opt.to != NULL && rc == EX_OK)
		rc = chain_order(&from, opt.to, paths, all, &way, &count);
	changes = way != NULL ? way : changes;
	for (int i = 0; rc == EX_OK && i < count;) {
		rc = apply_collect(a, changes, count, &i);
		if (rc == EX_OK)
			rc = apply_batch(a);
	}
	free(way);
	chain_names_free(paths, all);
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

/* A copy of BASE under the unfinished name of NEW, which is this run's alone from here on. */
static int copy_base(struct apply *a, const char *base)
{
	struct stat st;
	int from = -1, rc = file_claim(a->path, &a->lock);

	/* the log that a killed run left here would be applied to this copy */
	if (rc == EX_OK && unlink(a->wal) != 0 && errno != ENOENT) {
		msg_errno(a->wal, "cannot remove");
		rc = EX_CANTCREAT;
	}
	if (rc == EX_OK) {
		unlink(a->next);
		unlink(a->note_path);
		rc = sqlite_no_side_files(base);
	}
	if (rc == EX_OK) {
		from = open(base, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (from < 0 || fstat(from, &st) != 0) {
			msg_errno(base, "cannot open");
			rc = EX_NOINPUT;
		} else if (!S_ISREG(st.st_mode)) {
			msg_err(base, "not a regular file");
			rc = EX_NOINPUT;
		}
	}
	if (rc == EX_OK)
		rc = alone_lend(from, base);
	if (rc == EX_OK)
		rc = copy_shared(from, base, a->lock, a->file, (uint64_t)st.st_size);
	if (rc == EX_OK && fchmod(a->lock, st.st_mode & 0777) != 0) {
		msg_errno(a->file, "cannot set its mode");
		rc = EX_CANTCREAT;
	}
	if (from >= 0)
		close(from);
	return rc;
}

/* The copy becomes NEW, with its note; the other working files are removed while the unfinished name still protects them. */
static int name_new(struct apply *a)
{
	int rc;

	unlink(a->note_path);
	rc = file_commit(a->lock, a->path, opt.out);
	if (rc != EX_OK)
		return rc;
	snprintf(a->note_path, sizeof a->note_path, "%s.note", opt.out);
	return a->note.known || a->note.is.n != 0 ? note_write(a->note_path, &a->note) : EX_OK;
}

/* Which state FILE is, by its note; waits for a run that is at work on it. */
static int find_out(struct apply *a)
{
	int rc = opt.show || opt.digest ? EX_OK : file_lock_at(a->lock_path, a->wait_ms, &a->lock);

	if (rc == EX_OK && !opt.digest)
		rc = note_read(a->note_path, &a->note);
	if (rc == EX_OK && !opt.digest && !opt.show)
		rc = apply_finish(a);
	if (rc == EX_OK && !a->note.known && (opt.finish || opt.show)) {
		msg_err(a->file, "has no note");
		rc = EX_NOINPUT;
	}
	return rc;
}

/* An input must be none of the files that come and go during a run: those beside FILE, and the note of NEW. */
static int apart_from_work(const struct apply *a, const char *input)
{
	char note[sizeof a->note_path];
	const char *const work[] = { a->wal, a->next, a->note_path, a->lock_path, note };
	int rc = EX_OK;

	snprintf(note, sizeof note, "%s.note", a->file);
	for (size_t i = 0; i < sizeof work / sizeof *work && rc == EX_OK; i++)
		rc = target_unfinished(a->file, work[i], input);
	return rc;
}

static int apply(char **changes, int count, const char *file)
{
	struct apply a = { .file = opt.out != NULL ? opt.out : file, .lock = -1, .wait_ms = opt.wait_ms, .log = { .fd = -1, .log_fd = -1 } };
	char *tmp = opt.out != NULL ? file_sibling(opt.out, ".applied") : NULL;
	int rc = opt.out != NULL && tmp == NULL ? EX_IOERR : apply_names(&a, tmp != NULL ? tmp : file);

	if (rc == EX_OK && opt.out != NULL)
		rc = target_database(opt.out, tmp, file);
	for (int i = 0; i < count && rc == EX_OK && opt.out != NULL; i++)
		rc = target_apart(opt.out, tmp, changes[i]);
	for (int i = 0; i < count && rc == EX_OK; i++)
		rc = apart_from_work(&a, changes[i]);
	if (rc == EX_OK && opt.out != NULL)
		rc = apart_from_work(&a, file);
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
	/* where the note names a target, the empty unfinished log tells the next run that nothing was begun: it stays */
	if (a.note.has_target && a.log.log_fd >= 0)
		close(a.log.log_fd);
	else
		file_unclaim(a.next, a.log.log_fd);
	/* the file under the unfinished name is this run's only when it was claimed: else it may be BASE, or another run's */
	if (opt.out != NULL && a.lock >= 0 && rc != EX_OK) {
		unlink(a.wal);
		unlink(a.note_path);
	}
	if (opt.out != NULL)
		file_unclaim(a.path, a.lock);
	else if (a.lock >= 0)
		close(a.lock);
	if (a.log.fd >= 0)
		close(a.log.fd);
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
