#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/jobscreen.h"
#include "lib/msg.h"

#define DRAWN_MOST 256	/* bytes of a line that is drawn again */

/* ---- where ---- */

static bool locale_is_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *locale = getenv(names[i]);

		if (locale != NULL && *locale != '\0')
			return strcasestr(locale, "utf-8") != NULL || strcasestr(locale, "utf8") != NULL;
	}
	return false;
}

/* The run that started this one reads our standard output, if that is the pipe which its token names. */
static bool is_within(const char *job)
{
	const char *dash = job != NULL ? strchr(job, '-') : NULL;
	struct stat st;

	return dash != NULL && fstat(STDOUT_FILENO, &st) == 0 && S_ISFIFO(st.st_mode) &&
	       strtoull(dash + 1, NULL, 10) == st.st_ino;
}

void jobscreen_init(struct jobscreen *s, const char *script)
{
	const char *term = getenv("TERM"), *job = getenv("CTV_JOB");

	*s = (struct jobscreen){ .script = script, .log = -1, .terminal = -1, .utf8 = locale_is_utf8() };
	if (is_within(job)) {
		snprintf(s->outer, sizeof s->outer, "%.*s", (int)strcspn(job, ":"), job);
		if (getenv("CTV_PROGRESS") != NULL)
			s->terminal = STDERR_FILENO;
	} else if (term != NULL && strcmp(term, "dumb") != 0) {
		s->terminal = isatty(STDERR_FILENO) ? STDERR_FILENO : isatty(STDOUT_FILENO) ? STDOUT_FILENO : -1;
	}
}

/* A word to the run that started this one. */
static void speak(const struct jobscreen *s, const char *word, const char *a, const char *b)
{
	char line[2 * JOBSCREEN_TEXT + 256];
	int n = snprintf(line, sizeof line, "\001%s %s\001%s\001%s\001\001\n", s->outer, word, a, b);

	if (n > 0)
		file_write(STDOUT_FILENO, line, (size_t)n);
}

/* ---- the log ---- */

void jobscreen_open_log(struct jobscreen *s, const char *given, const char *dir)
{
	const char *name = strrchr(given, '/'), *cause;
	char path[JOBSCREEN_TEXT], *slash;

	if (dir != NULL)
		snprintf(path, sizeof path, "%s/%s", dir, name != NULL ? name + 1 : given);
	else
		snprintf(path, sizeof path, "%s", given);
	slash = strrchr(path, '/');
	if (slash != NULL && slash != path) {
		*slash = '\0';
		file_make_directory(path);
		*slash = '/';
	}
	cause = file_open_plain(path, O_WRONLY | O_APPEND | O_CREAT, 0666, &s->log);
	if (cause != NULL)
		msg_err(path, "%s, so this run has no log", cause);
}

void jobscreen_log(struct jobscreen *s, const char *fmt, ...)
{
	char text[JOBSCREEN_TEXT], escaped[JOBSCREEN_TEXT], now[CLOCK_TEXT], line[JOBSCREEN_TEXT + 128];
	int n, name = (int)strlen(s->script);
	va_list ap;

	if (s->log < 0)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (name > 3 && strcmp(s->script + name - 3, ".sh") == 0)
		name -= 3;
	n = snprintf(line, sizeof line, "%s %.*s[%ld]: %s\n", clock_text(now, clock_wall()), name, s->script, (long)getpid(),
		     msg_escape(escaped, sizeof escaped, text));
	if (n < 0 || file_write(s->log, line, (size_t)n) == 0)
		return;
	close(s->log);
	s->log = -1;
	msg_errno("the log", "goes on without it");
}

/* ---- the screen ---- */

void jobscreen_erase(struct jobscreen *s)
{
	if (s->drawn && s->outer[0] == '\0')
		file_write(s->terminal, "\r\033[K", 4);
	s->drawn = false;
}

void jobscreen_draw(struct jobscreen *s, const char *text)
{
	char line[DRAWN_MOST + 8], escaped[DRAWN_MOST];
	int n;

	if (s->terminal < 0)
		return;
	n = snprintf(line, sizeof line, "\r%s\033[K", msg_escape(escaped, sizeof escaped, text));
	if (n > 0)
		file_write(s->terminal, line, (size_t)n);
	s->drawn = *text != '\0';
}

/* Text and its end in one write. A failure is not told: the terminal is gone then; the log and the record remain. */
static void write_escaped(int fd, const char *text, char end)
{
	char escaped[JOBSCREEN_TEXT];
	size_t len;

	msg_escape(escaped, sizeof escaped - 1, text);
	len = strlen(escaped);
	escaped[len] = end;
	file_write(fd, escaped, len + 1);
}

void jobscreen_line(struct jobscreen *s, const char *text)
{
	char escaped[JOBSCREEN_TEXT];

	jobscreen_erase(s);
	if (s->outer[0] != '\0')
		speak(s, "say", msg_escape(escaped, sizeof escaped - 1, text), "");
	else
		write_escaped(STDOUT_FILENO, text, '\n');
}

void jobscreen_say(struct jobscreen *s, const char *margin, const char *text)
{
	char line[JOBSCREEN_TEXT + 64];
	size_t len;

	for (;; text += len + 1) {
		len = strcspn(text, "\n");
		snprintf(line, sizeof line, "%s%.*s", margin, (int)len, text);
		jobscreen_line(s, line);
		jobscreen_log(s, "%s", line + strlen(margin));
		if (text[len] == '\0')
			break;
	}
}

void jobscreen_ask(struct jobscreen *s, const char *question)
{
	jobscreen_erase(s);
	s->asking = true;
	if (s->outer[0] != '\0')
		speak(s, "ask", question, "");
	else
		write_escaped(STDERR_FILENO, question, ' ');
}

void jobscreen_answer(struct jobscreen *s, const char *question, const char *answer)
{
	s->asking = false;
	jobscreen_log(s, "%s %s", question, answer);
	if (s->outer[0] != '\0')
		speak(s, "answer", question, answer);
}

void jobscreen_cause(struct jobscreen *s, const char *cause, const char *hint)
{
	s->asking = false;
	jobscreen_erase(s);
	msg_err(NULL, "%s", cause);
	jobscreen_log(s, "error: %s", cause);
	if (*hint == '\0')
		return;
	msg_hint("%s", hint);
	jobscreen_log(s, "hint: %s", hint);
}

int jobscreen_refuse(struct jobscreen *s, int rc, const char *fmt, ...)
{
	char cause[JOBSCREEN_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cause, sizeof cause, fmt, ap);
	va_end(ap);
	jobscreen_cause(s, cause, "");
	return rc;
}
