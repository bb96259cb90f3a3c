/*
 * dbx-put [-f | --if-rev REV] [-c] [-j N] [--limit-rate R] [--timeout D] [--json] [--append FILE] LOCAL|- REMOTE
 * - upload a file or standard input to Dropbox
 *
 * REMOTE changes in one step, to bytes whose content_hash Dropbox confirmed, or not at all. Without -f or
 * --if-rev nothing that exists is ever overwritten; --if-rev overwrites that one revision only.
 */
#include "lib/option.h"
#include "lib/shell.h"
#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cli.h"
#include "lib/settings.h"
#include "lib/msg.h"
#include "lib/dropbox/uploadpieces.h"
#include "lib/stop.h"
#include "lib/dropbox/upload.h"

static bool force;
static const char *if_rev;
static bool compare;
static uint64_t jobs = 4;
static uint64_t limit_rate;		/* bytes a second, 0 for no limit */
static int64_t timeout_ms;		/* 0 for none */
static bool as_json;
static const char *append_to;	/* a file, NULL for none */
static const char *const names[] = {
	"uploaded", "path", "rev", "size", "size_text", "content_hash", "client_modified", "server_modified", "id", NULL,
};
static struct shell answer = { .names = names };
static enum progress_when progress = PROGRESS_TERMINAL;

/* Where others may write, a link may be theirs, and lead us to what they may not read. */
static bool is_foreign_link(const char *local)
{
	struct stat st;

	return lstat(local, &st) == 0 && S_ISLNK(st.st_mode) && st.st_uid != 0 && st.st_uid != geteuid();
}

/* LOCAL open for reading; EX_OK, EX_NOINPUT (reported). */
static int open_local(const char *local, int *fd, struct stat *st)
{
	*fd = open(local, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (*fd < 0 && errno == ELOOP && is_foreign_link(local)) {
		msg_err(local, "a symbolic link of another user");
		return EX_NOINPUT;
	}
	if (*fd < 0 && errno == ELOOP)
		*fd = open(local, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*fd < 0 || fstat(*fd, st) != 0) {
		msg_errno(local, "cannot open");
		return EX_NOINPUT;
	}
	if (S_ISREG(st->st_mode))
		return EX_OK;
	msg_err(local, "not a regular file");
	if (!S_ISDIR(st->st_mode))
		msg_hint("dbx-put - reads standard input");
	return EX_NOINPUT;
}

/* Does REMOTE, which is there, have the content of the file already? */
static int has_content(int fd, const char *local, const struct stat *st, const struct dropbox_meta *m, bool *same)
{
	char hash[HASH_TEXT];

	*same = false;
	if (fd < 0 || m->kind != 'f' || m->size != st->st_size)
		return EX_OK;
	if (content_hash_fd(fd, 0, (uint64_t)st->st_size, hash) != EX_OK) {
		msg_errno(local, "cannot read");
		return EX_IOERR;
	}
	*same = strcmp(hash, m->content_hash) == 0;
	return EX_OK;
}

/*
 * Looks before a gigabyte is sent: is there anything to do, and would the commit be refused? The commit
 * itself asks again, so nothing depends on what happens meanwhile.
 */
static int look_ahead(struct dropbox *d, int fd, const char *local, const struct stat *st, const char *remote,
		      struct dropbox_meta *m, bool *current)
{
	struct http *h = dropbox_connect(d);
	int rc;

	*current = false;
	if (h == NULL)
		return EX_SOFTWARE;
	rc = dropbox_metadata(d, h, remote, m);
	http_free(h);
	if (rc == EX_NOINPUT && if_rev != NULL) {
		msg_err(remote, "not there any more, so it is not revision %s", if_rev);
		return EX_CANTCREAT;
	}
	if (rc != EX_OK)
		return rc == EX_NOINPUT ? EX_OK : rc;
	if (m->kind == 'd') {
		msg_err(remote, "a folder is there");
		rc = EX_CANTCREAT;
	} else if (if_rev != NULL && strcmp(m->rev, if_rev) != 0) {
		msg_err(remote, "changed in Dropbox: revision %s, not %s", m->rev, if_rev);
		rc = EX_CANTCREAT;
	} else if (compare || (!force && if_rev == NULL)) {
		rc = has_content(fd, local, st, m, current);
	}
	if (rc == EX_OK && !*current && !force && if_rev == NULL) {
		msg_err(remote, "exists in Dropbox and is not overwritten");
		msg_hint("-f overwrites it");
		rc = EX_CANTCREAT;
	}
	if (rc != EX_OK || !*current)
		dropbox_meta_free(m);
	return rc;
}

static int print_answer(const struct dropbox_meta *m, bool uploaded)
{
	json *j = dropbox_meta_json(m);
	int rc;

	json_put_bool(j, "uploaded", uploaded);
	shell_size(&answer, "size_text", (uint64_t)m->size);
	rc = json_append(j, append_to);
	json_answer(j, as_json, &answer);
	return rc;
}

static int put(const char *local, const char *remote)
{
	struct upload u = { .to = { .remote = remote, .overwrite = force, .if_rev = if_rev }, .jobs = (unsigned)jobs,
			    .limit_rate = limit_rate, .progress = progress };
	bool from_stdin = strcmp(local, "-") == 0, current = false;
	struct dropbox_meta meta = { .kind = 'x' };
	struct stat st = { .st_size = 0 };
	int fd = -1, rc = from_stdin ? EX_OK : open_local(local, &fd, &st);

	if (rc == EX_OK)
		rc = config_load();
	if (rc == EX_OK)
		rc = dropbox_open(&u.to.dropbox, timeout_ms);
	if (rc == EX_OK)
		rc = look_ahead(u.to.dropbox, fd, local, &st, remote, &meta, &current);
	if (current) {
		msg_info("%s has this content already", remote);
		if (!from_stdin)
			pieces_forget(local, remote);	/* a run that was killed behind its commit */
	} else if (rc == EX_OK) {
		rc = from_stdin ? upload_stream(&u, STDIN_FILENO, "standard input", &meta) :
		     upload_file(&u, fd, local, &meta);
	}
	if (rc == EX_OK)
		rc = print_answer(&meta, !current);
	dropbox_meta_free(&meta);
	dropbox_close(u.to.dropbox);
	config_free();
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Faults that no single row of the option table can find. NULL, or the fault as cli_usage says it. */
static const char *command_line_fault(const char *local)
{
	if (force && if_rev != NULL)
		return "-f and --if-rev exclude each other";
	if (strcmp(local, "-") == 0 && compare)
		return "-c needs a file: standard input is read only once";
	if (strcmp(local, "-") == 0 && isatty(STDIN_FILENO))
		return "standard input is a terminal";
	return NULL;
}

static const struct option_row options[] = {
	{ 'f', "force", NULL, option_flag, &force, "overwrite what is there (default: never overwrite)" },
	{ 0, "if-rev", "REV", dropbox_take_rev, &if_rev, "overwrite only if REMOTE still is this revision" },
	{ 'c', "compare", NULL, option_flag, &compare, "do nothing when REMOTE already has the content of LOCAL" },
	{ 'j', "jobs", "N", option_number, &(struct option_range){ &jobs, 1, UPLOAD_JOBS_MOST },
	  "connections for a file (1 to 16, default 4)" },
	{ 0, "limit-rate", "SIZE", option_size, &limit_rate, "at most so many bytes a second in all" },
	{ 0, "timeout", "DURATION", option_duration, &timeout_ms, "give up after this (default: never, but a stall of 1m ends)" },
	{ 0, "json", NULL, option_flag, &as_json, "print one object that says what is there now" },
	{ 0, "append", "FILE", option_text, &append_to, "append it to FILE, as a line" },
	{ 0, "shell", "[=PREFIX]", option_shell, &answer, "the same as assignments for a shell" },
	{ 0, "progress", NULL, progress_always, &progress, "show progress even without a terminal" },
	{ 0, "no-progress", NULL, progress_never, &progress, "never show progress" },
	{ .name = NULL },
};

static const struct command command = {
	.usage = "[options] LOCAL REMOTE",
	.about = "Upload the file LOCAL, or standard input for -, to the path REMOTE in Dropbox.",
	.options = options,
	.operands = { 2, 2, "LOCAL and REMOTE are needed", NULL },
};

int main(int argc, char **argv)
{
	const char *why;
	int rc;

	msg_init(argv[0]);
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	why = dropbox_path_fault(argv[optind + 1]);
	if (why != NULL)
		return cli_usage("%s: %s", argv[optind + 1], why);
	why = command_line_fault(argv[optind]);
	if (why != NULL)
		return cli_usage("%s", why);
	stop_init();
	return shell_end(&answer, cli_close(put(argv[optind], argv[optind + 1])));
}
