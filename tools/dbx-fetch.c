/*
 * dbx-fetch [-o FILE] [-c FILE] [--rev REV] [-j N] [--min-size S] [--limit-rate R] [--timeout D] [--json]
 * REMOTE - download a file from Dropbox
 * dbx-fetch --into DIR [-j N] [--timeout D] REMOTE... - many small ones, side by side
 *
 * With -o, FILE is at every instant the old file or the complete new one: parallel ranges of one pinned
 * revision go into a hidden part, each block is hashed as it arrives, and the part gets its name only
 * when length and content_hash are the remote's. A run that was killed goes on where it was. Without -o
 * the bytes go to standard output in order; then the exit status alone says whether they were right.
 */
#include "lib/option.h"
#include "lib/shell.h"
#include "lib/std.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cli.h"
#include "lib/settings.h"
#include "lib/dropbox/download.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/stop.h"

#define LOOKS_MOST 3	/* how often REMOTE may change before its bytes are asked for */

static const char *output;		/* NULL: standard output */
static const char *into;		/* a directory for all REMOTEs, or NULL */
static const char *compare;
static const char *rev;
static uint64_t jobs = 4;
static uint64_t min_size;		/* bytes */
static uint64_t limit_rate;		/* bytes a second, 0 for no limit */
static int64_t timeout_ms;		/* 0 for none */
static bool as_json;
static const char *const names[] = {
	"fetched", "path", "rev", "size", "size_text", "content_hash", "client_modified", "server_modified", "id", "file", NULL,
};
static struct shell answer = { .names = names };
static enum progress_when progress = PROGRESS_TERMINAL;

/* Does the file have this content already? A file that cannot be read does not. */
static bool has_content(const char *path, const struct dropbox_meta *m)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char hash[HASH_TEXT];
	struct stat st;
	bool same = false;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == m->size &&
	    content_hash_fd(fd, 0, (uint64_t)m->size, hash) == EX_OK)
		same = strcmp(hash, m->content_hash) == 0;
	close(fd);
	return same;
}

static int check_remote(const char *remote, const struct dropbox_meta *m)
{
	char size[NUM_TEXT], least[NUM_TEXT];

	if (m->kind != 'f') {
		msg_err(remote, "a folder, not a file");
		return EX_DATAERR;
	}
	if (m->content_hash[0] == '\0') {
		msg_err(remote, "has no content_hash: it can be exported, but not downloaded as a file");
		return EX_DATAERR;
	}
	if ((uint64_t)m->size < min_size) {
		msg_err(remote, "only %s, at least %s are expected", num_size_text(size, (uint64_t)m->size),
			num_size_text(least, min_size));
		return EX_DATAERR;
	}
	return EX_OK;
}

/* m is the revision --rev: is it one of REMOTE? An answer without a path is taken for yes. */
static bool is_of(const char *remote, const struct dropbox_meta *m)
{
	return strncmp(remote, "id:", 3) == 0 ? strcmp(m->id, remote) == 0 :
						m->path[0] != '/' || dropbox_same_path(m->path, remote);
}

/* The metadata of REMOTE, in revision --rev if that is given. */
static int look_up(struct dropbox *d, const char *remote, struct dropbox_meta *m)
{
	struct http *h = dropbox_connect(d);
	char *path = NULL;
	int rc = EX_SOFTWARE;

	if (h == NULL || (rev != NULL && asprintf(&path, "rev:%s", rev) < 0))
		goto out;
	rc = dropbox_metadata(d, h, path != NULL ? path : remote, m);
	if (rc == EX_NOINPUT)
		msg_err(remote, rev != NULL ? "no such revision in Dropbox: %s" : "not found in Dropbox", rev);
	if (rc == EX_OK && rev != NULL && !is_of(remote, m)) {
		msg_err(remote, "revision %s is not of this file but of %s", rev, m->path);
		dropbox_meta_free(m);
		rc = EX_NOINPUT;
	}
	if (rc == EX_OK)
		rc = check_remote(remote, m);
out:
	free(path);
	http_free(h);
	return rc;
}

static void print_answer(const struct dropbox_meta *m, bool fetched)
{
	json *j = dropbox_meta_json(m);

	json_put_str(j, "file", output);
	json_put_bool(j, "fetched", fetched);
	shell_size(&answer, "size_text", (uint64_t)m->size);
	json_answer(j, as_json, &answer);
}

/* Looks REMOTE up and gets it. EX_NOINPUT when the revision goes between the two, not reported. */
static int get(struct download *d, const char *path, struct dropbox_meta *m, bool *current)
{
	int rc = look_up(d->dropbox, d->remote, m);

	if (rc != EX_OK)
		return rc;
	*current = compare != NULL && has_content(compare, m);
	if (*current) {
		msg_info("%s has this content already", compare);
		return EX_OK;
	}
	return path != NULL ? download_file(d, path) : download_stream(d, STDOUT_FILENO);
}

/* The same until a revision is caught; path NULL: to standard output. */
static int catch_one(struct download *d, const char *path, struct dropbox_meta *m, bool *current)
{
	int rc;

	d->meta = m;
	rc = get(d, path, m, current);
	for (int n = 1; rc == EX_NOINPUT && m->kind == 'f' && n < LOOKS_MOST; n++) {
		msg_info("%s changed meanwhile: once more", d->remote);
		dropbox_meta_free(m);
		rc = get(d, path, m, current);
	}
	if (rc == EX_NOINPUT && m->kind == 'f')
		msg_err(d->remote, "its revision %s is gone from Dropbox", m->rev);
	return rc;
}

static int fetch_one(struct dropbox *dropbox, const char *remote)
{
	struct dropbox_meta meta = { .kind = 'x' };
	struct download d = { .dropbox = dropbox, .remote = remote, .jobs = (unsigned)jobs, .limit_rate = limit_rate,
			      .progress = progress };
	bool current = false;
	int rc = catch_one(&d, output, &meta, &current);

	/* without -o the file itself is on standard output, and no answer about it can be there */
	if (rc == EX_OK && output != NULL)
		print_answer(&meta, !current);
	dropbox_meta_free(&meta);
	return rc;
}

/* Many files at once. The threads share it; members that change are guarded by the lock. */
struct many {
	struct dropbox *dropbox;
	char **remotes;
	int count;
	pthread_mutex_t lock;
	int next, rc;			/* the first failure: none is begun behind it */
};

static const char *take_next(struct many *m, int rc)
{
	const char *remote = NULL;

	pthread_mutex_lock(&m->lock);
	if (m->rc == EX_OK)
		m->rc = rc;
	if (m->rc == EX_OK && m->next < m->count && !stop_asked())
		remote = m->remotes[m->next++];
	pthread_mutex_unlock(&m->lock);
	return remote;
}

/* A small file: a call to look what it is would take as long as its bytes. */
static int fetch_small(struct download *d, struct http *h, const char *path)
{
	struct dropbox_meta meta = { .kind = 'x' };
	bool current;
	int rc = download_at_once(d, h, path);

	if (rc == DOWNLOAD_NOT_SO)
		rc = catch_one(d, path, &meta, &current);
	dropbox_meta_free(&meta);
	return rc;
}

static void *work(void *arg)
{
	struct many *m = arg;
	struct download d = { .dropbox = m->dropbox, .jobs = 1, .progress = PROGRESS_NEVER };
	struct http *h = dropbox_connect(m->dropbox);
	int rc = h != NULL ? EX_OK : EX_SOFTWARE;

	while ((d.remote = take_next(m, rc)) != NULL) {
		char *path = NULL;

		rc = asprintf(&path, "%s%s", into, strrchr(d.remote, '/')) < 0 ? EX_SOFTWARE : fetch_small(&d, h, path);
		free(path);
	}
	http_free(h);
	return NULL;
}

static int fetch_many(struct dropbox *dropbox, char **remotes, int count)
{
	struct many m = { .dropbox = dropbox, .remotes = remotes, .count = count };
	pthread_t threads[DOWNLOAD_JOBS_MOST];
	unsigned started = 0;

	pthread_mutex_init(&m.lock, NULL);
	while (started + 1 < jobs && started + 1 < (unsigned)count && pthread_create(&threads[started], NULL, work, &m) == 0)
		started++;
	work(&m);
	while (started > 0)
		pthread_join(threads[--started], NULL);
	pthread_mutex_destroy(&m.lock);
	return m.rc != EX_OK || m.next == count ? m.rc : EX_TEMPFAIL;
}

static int fetch(char **remotes, int count)
{
	struct dropbox *dropbox = NULL;
	int rc = config_load();

	if (rc == EX_OK)
		rc = dropbox_open(&dropbox, timeout_ms);
	if (rc == EX_OK)
		rc = into != NULL ? fetch_many(dropbox, remotes, count) : fetch_one(dropbox, remotes[0]);
	dropbox_close(dropbox);
	config_free();
	return rc;
}

/* Faults that no single row of the option table can find. NULL, or the fault as cli_usage says it. */
static const char *command_line_fault(const char *remote, int count)
{
	if (into == NULL && count > 1)
		return "one REMOTE is needed, or --into";
	if (into != NULL)
		return output != NULL || compare != NULL || rev != NULL || min_size > 0 || limit_rate > 0 || as_json || shell_asked(&answer) ?
			       "with --into there is none of the options for one REMOTE" : NULL;
	if (rev != NULL && strncmp(remote, "rev:", 4) == 0)
		return "is a revision already, --rev is one too many";
	if (output != NULL && (*output == '\0' || output[strlen(output) - 1] == '/'))
		return "-o needs the name of a file";
	if (output == NULL && (as_json || shell_asked(&answer)))
		return "--json and --shell need -o: standard output is the file's";
	if (output == NULL && isatty(STDOUT_FILENO))
		return "standard output is a terminal: use -o FILE, or a pipe";
	return NULL;
}

static const struct option_row options[] = {
	{ 'o', "output", "FILE", option_text, &output, "write FILE: parallel, resumable, verified before the name appears" },
	{ 0, "into", "DIR", option_text, &into, "write each REMOTE, a path, to DIR by its name; -j are at work at once" },
	{ 'c', "compare", "FILE", option_text, &compare, "do nothing when FILE already has that content" },
	{ 0, "rev", "REV", dropbox_take_rev, &rev, "download this revision of REMOTE" },
	{ 'j', "jobs", "N", option_number, &(struct option_range){ &jobs, 1, DOWNLOAD_JOBS_MOST },
	  "connections with -o or --into (1 to 16, default 4)" },
	{ 0, "min-size", "SIZE", option_size, &min_size, "refuse a remote file that is smaller" },
	{ 0, "limit-rate", "SIZE", option_size, &limit_rate, "at most so many bytes a second in all" },
	{ 0, "timeout", "DURATION", option_duration, &timeout_ms, "give up after this (default: never, but a stall of 1m ends)" },
	{ 0, "json", NULL, option_flag, &as_json, "print one object that says what was fetched (with -o)" },
	{ 0, "shell", "[=PREFIX]", option_shell, &answer, "the same as assignments for a shell" },
	{ 0, "progress", NULL, progress_always, &progress, "show progress even without a terminal" },
	{ 0, "no-progress", NULL, progress_never, &progress, "never show progress" },
	{ .name = NULL },
};

static const struct command command = {
	.usage = "[options] REMOTE\n--into DIR [-j N] [--timeout DURATION] REMOTE...",
	.about = "Download a file from Dropbox: to standard output, or with -o atomically to a file.\n"
		 "REMOTE is a path, rev:REVISION or id:ID.",
	.options = options,
	.operands = { 1, OPERANDS_ANY, "one REMOTE is needed", dropbox_ref_fault },
};

int main(int argc, char **argv)
{
	const char *why;
	int rc;

	msg_init(argv[0]);
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	why = command_line_fault(argv[optind], argc - optind);
	for (int i = optind; into != NULL && why == NULL && i < argc; i++)
		why = dropbox_path_fault(argv[i]);
	if (why != NULL)
		return cli_usage("%s: %s", argv[optind], why);
	stop_init();
	return shell_end(&answer, cli_close(fetch(argv + optind, argc - optind)));
}
