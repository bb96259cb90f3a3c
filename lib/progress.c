#include "lib/std.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/progress.h"

#define EVERY_MS 250		/* on a terminal */
#define LOG_EVERY_MS 5000	/* into a log, where each is a line */

struct progress {
	char what[64];
	uint64_t total;
	_Atomic uint64_t done, before;
	int64_t start_ms, drawn_ms;
	pthread_mutex_t drawing;
	bool terminal;
};

/*
 * Is standard error a terminal on which a line can be drawn again? A dumb one would show the escape sequences. Behind the pipe
 * of job-run(1) there may be such a terminal; job-run says so by the pipe's number.
 */
static bool on_terminal(void)
{
	const char *term = getenv("TERM"), *pipe = getenv("CTV_PROGRESS");
	struct stat st;

	if (pipe != NULL && fstat(STDERR_FILENO, &st) == 0 && S_ISFIFO(st.st_mode))
		return strtoull(pipe, NULL, 10) == st.st_ino;
	return isatty(STDERR_FILENO) && (term == NULL || strcmp(term, "dumb") != 0);
}

const char *progress_always(const char *text, void *to)
{
	(void)text;
	*(enum progress_when *)to = PROGRESS_ALWAYS;
	return NULL;
}

const char *progress_never(const char *text, void *to)
{
	(void)text;
	*(enum progress_when *)to = PROGRESS_NEVER;
	return NULL;
}

struct progress *progress_new(enum progress_when when, const char *what, uint64_t total)
{
	bool terminal = on_terminal();
	struct progress *p;

	if (when == PROGRESS_NEVER || (when == PROGRESS_TERMINAL && !terminal))
		return NULL;
	p = calloc(1, sizeof *p);
	if (p == NULL)
		return NULL;
	msg_escape(p->what, sizeof p->what, what);
	p->total = total;
	p->terminal = terminal;
	p->start_ms = p->drawn_ms = clock_ms();
	pthread_mutex_init(&p->drawing, NULL);
	return p;
}

static void draw(struct progress *p, int64_t now)
{
	uint64_t fresh = p->done, done = fresh + p->before;
	int64_t spent = now - p->start_ms;
	uint64_t speed = spent > 0 ? fresh * 1000 / (uint64_t)spent : 0;
	char have[NUM_TEXT], all[NUM_TEXT], pace[NUM_TEXT], left[NUM_TEXT], line[256];
	int n;

	/* bytes that came twice count twice */
	if (p->total > 0 && done > p->total)
		done = p->total;
	if (p->total > 0)
		n = snprintf(line, sizeof line, "%s: %3u %%  %s of %s  %s/s  %s left", p->what,
			     (unsigned)(done * 100 / p->total), num_size_text(have, done),
			     num_size_text(all, p->total), num_size_text(pace, speed),
			     speed > 0 ? num_duration_text(left, (int64_t)((p->total - done) * 1000 / speed)) : "?");
	else
		n = snprintf(line, sizeof line, "%s: %s  %s/s", p->what, num_size_text(have, done),
			     num_size_text(pace, speed));
	if (n <= 0)
		return;
	msg_half_line = p->terminal;
	fprintf(stderr, p->terminal ? "\r%s\033[K" : "%s\n", line);
}

void progress_skip(struct progress *p, uint64_t bytes)
{
	if (p != NULL)
		p->before += bytes;
}

void progress_add(struct progress *p, uint64_t bytes)
{
	int64_t now;

	if (p == NULL)
		return;
	p->done += bytes;
	if (pthread_mutex_trylock(&p->drawing) != 0)
		return;
	now = clock_ms();
	if (now - p->drawn_ms >= (p->terminal ? EVERY_MS : LOG_EVERY_MS)) {
		draw(p, now);
		p->drawn_ms = now;
	}
	pthread_mutex_unlock(&p->drawing);
}

void progress_end(struct progress *p)
{
	if (p == NULL)
		return;
	if (!p->terminal)
		draw(p, clock_ms());
	else if (atomic_exchange(&msg_half_line, false))
		fputs("\r\033[K", stderr);
	pthread_mutex_destroy(&p->drawing);
	free(p);
}
