#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/joblock.h"
#include "lib/msg.h"
#include "lib/num.h"

#define LOWEST_FD 20	/* below are the descriptors that a script may use itself */
#define WAIT_MS 1000	/* the status round takes a lock for a moment, to see whether it is held */

bool joblock_is_name(const char *s)
{
	return *s != '\0' && *s != '.' && *s != '-' && s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-.")] == '\0';
}

const char *joblock_parse(const char *text, struct joblock *out)
{
	size_t name = strcspn(text, ":");
	const char *wait = text[name] == ':' ? text + name + 1 : NULL, *why = NULL;
	char duration[32];

	*out = (struct joblock){ .wait_ms = WAIT_MS, .fd = -1 };
	snprintf(out->name, sizeof out->name, "%.*s", (int)name, text);
	if (wait != NULL) {
		size_t len = strcspn(wait, ":");

		snprintf(duration, sizeof duration, "%.*s", (int)len, wait);
		why = num_duration(duration, &out->wait_ms);
		out->brief = wait[len] == ':' ? wait + len + 1 : NULL;
	}
	if (why == NULL && (!joblock_is_name(out->name) || name >= sizeof out->name))
		why = "not the name of a lock";
	return why;
}

const char *joblock_add(struct joblocks *l, const char *text)
{
	const char *why;

	if (l->count == JOBLOCKS)
		return "one too many";
	why = joblock_parse(text, &l->lock[l->count]);
	if (why == NULL)
		l->count++;
	return why;
}

/* `NAME, pid N, since T` of the lock's holder */
static const char *holder_of(int fd, char *buf, size_t size)
{
	ssize_t n = file_pread(fd, buf, size - 1, 0);

	buf[n > 0 ? n : 0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return *buf != '\0' ? buf : "somebody";
}

static bool begins_with_name(const char *holder, const char *name)
{
	return strncmp(holder, name, strlen(name)) == 0 && holder[strlen(name)] == ',';
}

/* The lock is held: waits for it as long as is worth it. */
static int wait_for(const struct joblock *l, const char *path, struct jobscreen *screen)
{
	char holder[256], line[JOBSCREEN_TEXT + 512];
	int64_t wait_ms = l->wait_ms;

	holder_of(l->fd, holder, sizeof holder);
	if (l->brief != NULL && !begins_with_name(holder, l->brief))
		wait_ms = WAIT_MS;
	if (wait_ms > WAIT_MS) {
		snprintf(line, sizeof line, "   waiting for %s: held by %s", path, holder);
		jobscreen_line(screen, line);
	}
	if (!file_lock_wait(l->fd, wait_ms))
		return jobscreen_refuse(screen, EX_CANTCREAT, "%s: held by %s", path, holder_of(l->fd, holder, sizeof holder));
	return EX_OK;
}

static int take(struct joblock *l, const char *state_dir, struct jobscreen *screen)
{
	char path[JOBSCREEN_TEXT], now[CLOCK_TEXT], line[512];
	const char *cause;
	int n, fd, rc = EX_OK;

	snprintf(path, sizeof path, "%s/%s", state_dir, l->name);
	cause = file_open_plain(path, O_RDWR | O_CREAT, 0666, &fd);
	if (cause != NULL)
		return jobscreen_refuse(screen, EX_CANTCREAT, "%s: cannot open: %s", path, cause);
	l->fd = fcntl(fd, F_DUPFD, LOWEST_FD);
	close(fd);
	if (flock(l->fd, LOCK_EX | LOCK_NB) != 0)
		rc = errno == EWOULDBLOCK ? wait_for(l, path, screen) :
					    jobscreen_refuse(screen, EX_CANTCREAT, "%s: cannot lock: %s", path, strerror(errno));
	if (rc != EX_OK)
		return rc;
	/* a full disk leaves the holder's name out, not the lock */
	n = snprintf(line, sizeof line, "%.255s, pid %ld, since %s\n", screen->script, (long)getpid(), clock_text(now, clock_wall()));
	if (pwrite(l->fd, line, (size_t)n, 0) != n || ftruncate(l->fd, n) != 0)
		msg_errno(path, "does not say who holds it");
	return EX_OK;
}

int joblock_take(struct joblocks *l, const char *state_dir, struct jobscreen *screen)
{
	int rc = EX_OK;

	for (size_t i = 0; i < l->count && rc == EX_OK; i++)
		rc = take(&l->lock[i], state_dir, screen);
	return rc;
}

void joblock_release(struct joblocks *l, const char *name)
{
	for (size_t i = 0; i < l->count; i++)
		if (strcmp(l->lock[i].name, name) == 0)
			flock(l->lock[i].fd, LOCK_UN);
}
