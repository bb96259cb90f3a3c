/*
 * code-note - what the nightly proof has found about the application's code, for update-code.sh to carry out
 *
 *	code-note VERDICT COMMIT
 *	code-note --shell[=PREFIX]
 *
 * The user of the proof must not write the application's clone, and the clone's owner must not read the state directory: so
 * the verdict on a commit is handed over as one line in ask/code, after any crash the old or the new one. It stays there, since
 * acting on it twice does no harm. Any member of the jobs' group could have written the file: a regular file with such a line is
 * a note, anything else is none. On a host that serves no note is left, and mirror-role removes the one that is there: the code
 * that serves is not changed.
 */
#include "lib/std.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cli.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/installed.h"
#include "lib/msg.h"
#include "lib/option.h"
#include "lib/settings.h"
#include "lib/settingtable.h"
#include "lib/shell.h"

#define NOTE_MAX ((size_t)100)

static const char *const names[] = { "verdict", "commit", NULL };
static struct shell answer = { .names = names };
static const char *const verdicts[] = { "proved", "failed", "back", NULL };
static char path[PATH_MAX];

static bool is_verdict(const char *word)
{
	size_t i = 0;

	while (verdicts[i] != NULL && strcmp(word, verdicts[i]) != 0)
		i++;
	return verdicts[i] != NULL;
}

/* The whole name of a commit, by SHA-1 or SHA-256. */
static bool is_commit(const char *word)
{
	size_t len = strlen(word);

	return (len == 40 || len == 64) && strspn(word, "0123456789abcdef") == len;
}

/* Is the note there this one already? Then nothing is written, and nobody woken. */
static bool is_there(const char *line)
{
	struct buf text = BUF_INIT(NOTE_MAX);
	struct stat st;
	bool same = lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == (off_t)strlen(line) &&
		    file_slurp(path, &text) == EX_OK && strcmp(buf_text(&text), line) == 0;

	buf_free(&text);
	return same;
}

static int leave(const char *verdict, const char *commit)
{
	struct installed host = { .state = setting("state") };
	char line[NOTE_MAX];
	int rc = installed_begin(&host);

	snprintf(line, sizeof line, "%s %s\n", verdict, commit);
	/* readable for the clone's owner, to whom the directory is shown and those above it are not */
	if (rc == EX_OK && !is_there(line))
		rc = file_replace(path, 0644, line, strlen(line));
	installed_end(&host);
	return rc;
}

/* EX_OK without a note, and where this user may not look for one; EX_DATAERR for what is no note (reported). */
static int look(void)
{
	struct buf text = BUF_INIT(NOTE_MAX);
	struct stat st;
	char *commit, *end;
	int rc = EX_DATAERR;

	if (lstat(path, &st) != 0)
		return EX_OK;
	if (file_slurp(path, &text) == EX_OK) {
		char *verdict = text.len > 0 ? text.data : (char[]){ "" };

		commit = strchr(verdict, ' ');
		end = commit != NULL ? strchr(commit, '\n') : NULL;
		if (end != NULL && end[1] == '\0' && strlen(verdict) == text.len) {
			*commit++ = *end = '\0';
			if (is_verdict(verdict) && is_commit(commit)) {
				shell_set(&answer, "verdict", verdict);
				shell_set(&answer, "commit", commit);
				rc = EX_OK;
			}
		}
		if (rc != EX_OK)
			msg_err(path, "is no note of the nightly proof");
	}
	buf_free(&text);
	return rc;
}

static int act(char **words)
{
	int rc = config_load();

	if (rc == EX_OK)
		rc = setting_check();
	if (rc == EX_OK)
		snprintf(path, sizeof path, "%s/ask/code", setting("state"));
	if (rc == EX_OK)
		rc = shell_asked(&answer) ? look() : leave(words[0], words[1]);
	rc = shell_end(&answer, rc);
	setting_free();
	config_free();
	return rc;
}

static const struct option_row options[] = {
	{ 0, "shell", "[=PREFIX]", option_shell, &answer, "the note that is there, as assignments for a shell" },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};

static const struct command command = {
	.usage = "VERDICT COMMIT\n--shell[=PREFIX]",
	.about = "Leaves the verdict of the nightly proof on the application's code at COMMIT, its\n"
		 "whole name: proved, failed, or back, which is failed and to be taken back.\n"
		 "ctv-code.service carries it out, as the clone's owner.",
	.options = options,
};

int main(int argc, char **argv)
{
	int rc;

	msg_init(argv[0]);
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	argv += optind;
	argc -= optind;
	if (argc != (shell_asked(&answer) ? 0 : 2))
		return cli_usage(shell_asked(&answer) ? "--shell takes no operand" : "a VERDICT and a COMMIT are needed");
	if (argc == 2 && !is_verdict(argv[0]))
		return cli_usage("%s: neither proved, failed nor back", argv[0]);
	if (argc == 2 && !is_commit(argv[1]))
		return cli_usage("%s: not the whole name of a commit", argv[1]);
	return cli_close(act(argv));
}
