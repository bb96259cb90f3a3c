#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/exits.h"
#include "lib/jobscript.h"
#include "lib/msg.h"

/* The child, until it is the script. */
static void become_script(char **argv, const struct jobscreen *screen, int out, const char *token)
{
	char text[96];

	/* a question that nobody would see is not asked: the answer is no */
	if (screen->outer[0] == '\0' && !isatty(STDERR_FILENO)) {
		close(STDIN_FILENO);
		open("/dev/null", O_RDONLY);
	}
	if (screen->outer[0] == '\0' && screen->terminal >= 0)
		setenv("CTV_PROGRESS", strrchr(token, '-') + 1, 1);
	else if (screen->outer[0] == '\0')
		unsetenv("CTV_PROGRESS");
	snprintf(text, sizeof text, "%s:%ld", token, (long)getpid());
	setenv("CTV_JOB", text, 1);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execvp(argv[0], argv);
	msg_errno(argv[0], "cannot be run");
	_exit(EX_SOFTWARE);
}

/* The terminal that the script gets while it is ours; -1 without one. */
static int terminal_to_give(const struct jobscreen *screen)
{
	if (isatty(STDERR_FILENO))
		return STDERR_FILENO;
	return screen->outer[0] != '\0' && isatty(STDIN_FILENO) ? STDIN_FILENO : -1;
}

static bool hear(void *words, int out)
{
	return jobwords_hear(words, out, false);
}

int jobscript_run(char **argv, struct jobgroup *group, struct jobwords *words)
{
	struct jobscreen *screen = words->steps->screen;
	uint64_t random;
	char token[64];
	struct stat st;
	pid_t pid;
	int out[2];

	if (pipe2(out, O_CLOEXEC) != 0 || fstat(out[0], &st) != 0 || getrandom(&random, sizeof random, 0) < 0)
		return jobscreen_refuse(screen, EX_SOFTWARE, "no pipe: %s", strerror(errno));
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	/* the pipe is named, so that a run within this one knows whether it speaks to it */
	snprintf(token, sizeof token, "%016llx-%llu", (unsigned long long)random, (unsigned long long)st.st_ino);
	jobstream_init(&words->stream, token);
	pid = jobgroup_fork(group, terminal_to_give(screen));
	if (pid == 0)
		become_script(argv, screen, out[1], token);
	if (pid < 0)
		return jobscreen_refuse(screen, EX_SOFTWARE, "no process: %s", strerror(errno));
	close(out[1]);
	jobgroup_attend(group, out[0], hear, words);
	while (jobwords_hear(words, out[0], true))
		;
	return EX_OK;
}
