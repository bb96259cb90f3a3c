#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/stop.h"

int file_write(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR && !stop_asked())
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int file_pwrite(int fd, const void *data, size_t len, off_t at)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = pwrite(fd, p, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

ssize_t file_read(int fd, void *data, size_t len)
{
	char *p = data;
	size_t have = 0;

	while (have < len) {
		ssize_t n = read(fd, p + have, len - have);

		if (n < 0 && errno == EINTR && !stop_asked())
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

ssize_t file_pread(int fd, void *data, size_t len, off_t at)
{
	char *p = data;
	size_t have = 0;

	while (have < len) {
		ssize_t n = pread(fd, p + have, len - have, at + (off_t)have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

char *file_sibling(const char *path, const char *suffix)
{
	const char *slash = strrchr(path, '/');
	int dir = slash != NULL ? (int)(slash - path + 1) : 0;
	char *out;

	if (asprintf(&out, "%.*s.%s%s", dir, path, path + dir, suffix) < 0) {
		msg_err(path, "out of memory");
		return NULL;
	}
	return out;
}

/* The directory of path, malloc'ed; NULL without memory. */
static char *parent(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? strdup(".") : slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

int file_creatable(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = parent(path);
	struct stat st;
	int error = 0;

	if (dir == NULL || stat(dir, &st) != 0 || faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) != 0)
		error = errno;
	else if (!S_ISDIR(st.st_mode))
		error = ENOTDIR;
	else if (strlen(slash != NULL ? slash + 1 : path) > NAME_MAX)
		error = ENAMETOOLONG;
	free(dir);
	errno = error;
	return error == 0 ? 0 : -1;
}

int file_make_directory(const char *path)
{
	char above[PATH_MAX];
	struct stat st;

	if ((size_t)snprintf(above, sizeof above, "%s", path) >= sizeof above) {
		errno = ENAMETOOLONG;
		return -1;
	}
	for (char *slash = above + 1; *above != '\0' && (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		mkdir(above, 0777);
		*slash = '/';
	}
	if (mkdir(path, 0777) == 0)
		return 0;
	if (errno == EEXIST && stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		errno = ENOTDIR;
	return errno == EEXIST ? 0 : -1;
}

int file_sync_parent(const char *path)
{
	char *dir = parent(path);
	int fd = -1, rc = -1, saved;

	if (dir != NULL)
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		rc = fsync(fd);
	saved = errno;
	if (fd >= 0)
		close(fd);
	free(dir);
	errno = saved;
	return rc;
}

int file_write_status(int error)
{
	switch (error) {
	case ENOSPC: case EDQUOT: case EIO: case EFBIG: case ENOMEM: case EBADF:
		return EX_IOERR;
	default:
		return EX_CANTCREAT;
	}
}

int file_commit(int fd, const char *tmp, const char *path)
{
	/* a failed fsync must never be tried again: Linux may have dropped the pages */
	if (fsync(fd) != 0) {
		msg_errno(path, "cannot write to disk");
		return EX_IOERR;
	}
	if (rename(tmp, path) != 0) {
		msg_errno(path, "cannot replace");
		return file_write_status(errno);
	}
	if (file_sync_parent(path) != 0) {
		msg_errno(path, "in place, but its directory cannot be written to disk");
		return EX_IOERR;
	}
	return EX_OK;
}

int file_replace(const char *path, mode_t mode, const void *data, size_t len)
{
	return file_replace_owned(path, mode, (uid_t)-1, (gid_t)-1, data, len);
}

int file_replace_owned(const char *path, mode_t mode, uid_t owner, gid_t group, const void *data, size_t len)
{
	char *tmp = file_sibling(path, ".tmp");
	int fd = -1, rc = EX_CANTCREAT;

	if (tmp == NULL)
		return EX_IOERR;
	/* a temporary name of a fixed form: what a crash leaves is swept by the next run */
	if (unlink(tmp) != 0 && errno != ENOENT) {
		msg_errno(tmp, "cannot remove");
		goto out;
	}
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		msg_errno(path, "cannot create");
		rc = file_write_status(errno);
		goto out;
	}
	if (file_write(fd, data, len) != 0 || (owner != (uid_t)-1 && fchown(fd, owner, group) != 0) ||
	    fchmod(fd, mode) != 0) {
		msg_errno(path, "cannot write");
		rc = EX_IOERR;
	} else {
		rc = file_commit(fd, tmp, path);
	}
	if (rc != EX_OK)
		unlink(tmp);
out:
	if (fd >= 0)
		close(fd);
	free(tmp);
	return rc;
}

const char *file_open_plain(const char *path, int flags, mode_t mode, int *fd)
{
	static const char strange[] = "not a plain file";
	int safe = (flags & ~O_CREAT) | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	struct stat st;

	*fd = open(path, safe);
	/* exclusively: what another put there meanwhile is looked at like anything else */
	for (int i = 0; *fd < 0 && errno == ENOENT && (flags & O_CREAT) != 0 && i < 3; i++) {
		*fd = open(path, safe | O_CREAT | O_EXCL, mode);
		if (*fd < 0 && errno == EEXIST)
			*fd = open(path, safe);
	}
	if (*fd >= 0 && fstat(*fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1)
		return NULL;
	if (*fd < 0)
		/* of a link, and of a FIFO that nobody reads */
		return errno == ELOOP || errno == ENXIO ? strange : strerror(errno);
	close(*fd);
	*fd = -1;
	return strange;
}

int file_append_object(const char *path, const void *data, size_t len)
{
	int fd, rc = EX_OK;
	const char *why = file_open_plain(path, O_RDWR | O_APPEND | O_CREAT, file_work_mode(), &fd);
	char first;

	if (why != NULL) {
		msg_err(path, "cannot be appended to: %s", why);
		return EX_CANTCREAT;
	}
	if (pread(fd, &first, 1, 0) == 1 && first != '{') {
		msg_err(path, "cannot be appended to: has other than JSON objects");
		rc = EX_CANTCREAT;
	} else if (file_write(fd, data, len) != 0 || fsync(fd) != 0 || file_sync_parent(path) != 0) {
		msg_errno(path, "cannot be appended to");
		rc = EX_IOERR;
	}
	close(fd);
	return rc;
}

int file_slurp(const char *path, struct buf *out)
{
	int rc = EX_OK, fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char chunk[4096];
	struct stat st;
	ssize_t n;

	if (fd < 0) {
		msg_errno(path, "cannot open");
		return EX_NOINPUT;
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		msg_err(path, "not a regular file");
		rc = EX_NOINPUT;
		goto out;
	}
	while ((n = file_read(fd, chunk, sizeof chunk)) > 0) {
		if (buf_add(out, chunk, (size_t)n) != 0) {
			msg_err(path, "larger than %zu bytes", out->max);
			rc = EX_DATAERR;
			goto out;
		}
	}
	if (n < 0) {
		msg_errno(path, "cannot read");
		rc = EX_IOERR;
	}
out:
	close(fd);
	return rc;
}

int file_lock(int fd, const char *path)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return EX_OK;
	if (errno == EWOULDBLOCK)
		msg_err(path, "in use by another process");
	else
		msg_errno(path, "cannot lock");
	return EX_CANTCREAT;
}

static void ring(int sig)
{
	(void)sig;
}

bool file_lock_wait(int fd, int64_t ms)
{
	/* again and again: one that rang before flock began would not end it */
	struct itimerval often = { .it_value = { .tv_usec = 50000 }, .it_interval = { .tv_usec = 50000 } }, never = { 0 };
	struct sigaction act = { .sa_handler = ring }, old;
	int64_t until = clock_ms() + ms;
	bool have = flock(fd, LOCK_EX | LOCK_NB) == 0;

	sigaction(SIGALRM, &act, &old);
	setitimer(ITIMER_REAL, &often, NULL);
	while (!have && clock_ms() < until && !stop_asked())
		have = flock(fd, LOCK_EX) == 0;
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &old, NULL);
	return have;
}

static bool is_named(int fd, const char *path)
{
	struct stat st, named;

	return fstat(fd, &st) == 0 && lstat(path, &named) == 0 && named.st_dev == st.st_dev &&
	       named.st_ino == st.st_ino;
}

int file_lock_at(const char *path, int64_t wait_ms, int *fd)
{
	int64_t deadline = clock_ms() + wait_ms;
	struct stat st;

	*fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, file_work_mode());
	if (*fd < 0 || fstat(*fd, &st) != 0) {
		msg_errno(path, "cannot open");
		return EX_CANTCREAT;
	}
	if (!S_ISREG(st.st_mode)) {
		msg_err(path, "not a regular file");
		return EX_CANTCREAT;
	}
	while (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
		if (stop_asked()) {
			msg_err(path, "interrupted");
			return EX_TEMPFAIL;
		}
		if ((errno != EWOULDBLOCK && errno != EINTR) || clock_ms() >= deadline) {
			msg_err(path, "held by another process");
			return EX_CANTCREAT;
		}
		clock_sleep(20);
	}
	return EX_OK;
}

mode_t file_work_mode(void)
{
	mode_t mask = umask(077);

	umask(mask);
	return mask & 020 ? 0600 : 0660;
}

int file_claim(const char *tmp, int *out)
{
	struct stat st;
	int rc, fd;

	for (;;) {
		fd = open(tmp, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, file_work_mode());
		if (fd < 0 || fstat(fd, &st) != 0) {
			rc = file_write_status(errno);
			msg_errno(tmp, "cannot create");
			goto fail;
		}
		if (!S_ISREG(st.st_mode) || st.st_nlink > 1) {
			msg_err(tmp, "in the way of a temporary file, and not one of ours");
			rc = EX_CANTCREAT;
			goto fail;
		}
		rc = file_lock(fd, tmp);
		if (rc != EX_OK)
			goto fail;
		/* its last owner may have renamed, removed or written it between our open and our lock */
		if (is_named(fd, tmp)) {
			if (lseek(fd, 0, SEEK_END) == 0 && st.st_uid == geteuid())
				break;
			/* a killed run's, perhaps of another user, whose file we could not finish */
			if (unlink(tmp) != 0) {
				rc = file_write_status(errno);
				msg_errno(tmp, "cannot remove");
				goto fail;
			}
		}
		close(fd);
	}
	*out = fd;
	return EX_OK;
fail:
	if (fd >= 0)
		close(fd);
	return rc;
}

void file_unclaim(const char *tmp, int fd)
{
	if (fd < 0)
		return;
	if (is_named(fd, tmp))
		unlink(tmp);
	close(fd);
}
