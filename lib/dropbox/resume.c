#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/exits.h"
#include "lib/file.h"
#include "lib/dropbox/resume.h"
#include "lib/msg.h"

#define LINE_MAX_BYTES 8192	/* a Dropbox path and some numbers */

struct journal {
	int fd;
	char *path;
};

int journal_reset(struct journal *j, const char *head)
{
	if (ftruncate(j->fd, 0) == 0 && lseek(j->fd, 0, SEEK_SET) == 0)
		return journal_add(j, "%s", head);
	msg_errno(j->path, "cannot write");
	return EX_IOERR;
}

/* Replays the records; leaves the file's end and position behind the last good line. */
static int replay(struct journal *j, const char *head, int (*record)(void *ctx, const char *line), void *ctx,
		  bool *fresh)
{
	FILE *f = fdopen(dup(j->fd), "r");
	char *line = NULL;
	size_t room = 0;
	off_t good = 0;
	ssize_t n;

	*fresh = true;
	if (f == NULL) {
		msg_errno(j->path, "cannot read");
		return EX_IOERR;
	}
	/* a line with a NUL in it is no text: a power cut can leave zeros where data was to come */
	while ((n = getline(&line, &room, f)) > 0 && line[n - 1] == '\n' && n < LINE_MAX_BYTES &&
	       strlen(line) == (size_t)n) {
		line[n - 1] = '\0';
		if (*fresh ? strcmp(line, head) != 0 : record(ctx, line) != 0)
			break;
		*fresh = false;
		good += n;
	}
	free(line);
	fclose(f);
	if (*fresh)
		return journal_reset(j, head);
	if (ftruncate(j->fd, good) == 0 && lseek(j->fd, good, SEEK_SET) == good)
		return EX_OK;
	msg_errno(j->path, "cannot write");
	return EX_IOERR;
}

int journal_open(struct journal **out, const char *path, const char *head,
		 int (*record)(void *ctx, const char *line), void *ctx, bool *fresh)
{
	struct journal *j = calloc(1, sizeof *j);
	struct stat st, named;
	bool begun = false;
	int rc = EX_CANTCREAT;

	*out = NULL;
	if (j == NULL || (j->path = strdup(path)) == NULL) {
		msg_err(path, "out of memory");
		free(j);
		return EX_SOFTWARE;
	}
	j->fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, file_work_mode());
	if (j->fd < 0 || fstat(j->fd, &st) != 0) {
		msg_errno(path, "cannot create");
		rc = file_write_status(errno);
	} else if (!S_ISREG(st.st_mode)) {
		msg_err(path, "not a regular file");
	} else if ((rc = file_lock(j->fd, path)) == EX_OK) {
		/* the process that held the lock may have finished its work and removed the file */
		if (stat(path, &named) != 0 || named.st_ino != st.st_ino || named.st_dev != st.st_dev) {
			journal_close(j, false);
			return journal_open(out, path, head, record, ctx, fresh);
		}
		*fresh = false;
		rc = replay(j, head, record, ctx, fresh);
		/* a journal that could not be begun is removed */
		begun = *fresh;
	}
	if (rc == EX_OK)
		*out = j;
	else
		journal_close(j, begun);
	return rc;
}

int journal_add(struct journal *j, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof line - 1, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof line - 1) {
		msg_err(j->path, "a record is too long");
		return EX_SOFTWARE;
	}
	line[n++] = '\n';
	if (file_write(j->fd, line, (size_t)n) == 0)
		return EX_OK;
	msg_errno(j->path, "cannot write");
	return EX_IOERR;
}

void journal_close(struct journal *j, bool done)
{
	if (j == NULL)
		return;
	/* removed while still locked: after that the name may be another process's file */
	if (done)
		unlink(j->path);
	if (j->fd >= 0)
		close(j->fd);
	free(j->path);
	free(j);
}
