#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/sqlite/syscalls.h"

enum kind { STRANGER, DATABASE, SIDE_FILE, DIRECTORY, DEVICE };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char **admitted;			/* under the lock */
static size_t admitted_count;		/* under the lock */
static char refusal[PATH_MAX + 64];	/* under the lock; the first one stays */

static int PRINTF_LIKE(2, 3) refuse(int error, const char *fmt, ...)
{
	va_list ap;

	pthread_mutex_lock(&lock);
	va_start(ap, fmt);
	if (refusal[0] == '\0')
		vsnprintf(refusal, sizeof refusal, fmt, ap);
	va_end(ap);
	pthread_mutex_unlock(&lock);
	errno = error;
	return -1;
}

static enum kind kind_beside(const char *name, const char *db)
{
	size_t len = strlen(db), dir = (size_t)(strrchr(db, '/') - db);

	if (strncmp(name, db, len) == 0) {
		if (name[len] == '\0')
			return DATABASE;
		if (strcmp(name + len, "-journal") == 0 || strcmp(name + len, "-wal") == 0 || strcmp(name + len, "-shm") == 0)
			return SIDE_FILE;
	}
	/* whose entry SQLite brings to disk when it has made or removed a journal */
	dir += dir == 0;
	return strncmp(name, db, dir) == 0 && name[dir] == '\0' ? DIRECTORY : STRANGER;
}

static enum kind kind_of(const char *name)
{
	enum kind kind = STRANGER;

	/* random numbers; and what fills the descriptors 0 to 2 */
	if (strcmp(name, "/dev/urandom") == 0 || strcmp(name, "/dev/null") == 0)
		return DEVICE;
	pthread_mutex_lock(&lock);
	for (size_t i = 0; kind == STRANGER && i < admitted_count; i++)
		kind = kind_beside(name, admitted[i]);
	pthread_mutex_unlock(&lock);
	return kind;
}

/* Opens a part of a path that is no link (O_PATH would open the link itself); an empty part is the directory itself. */
static int open_part(int dir, const char *part, int flags, mode_t mode)
{
	int fd = openat(dir, *part == '\0' ? "." : part, flags | O_NOFOLLOW, mode);
	struct stat st;

	if (fd < 0 || (fstat(fd, &st) == 0 && !S_ISLNK(st.st_mode)))
		return fd;
	close(fd);
	errno = ELOOP;
	return -1;
}

/* `name` part by part from the root, each in what the one before was when it was opened */
static int open_by_parts(const char *name, int flags, mode_t mode)
{
	char copy[PATH_MAX], *rest = copy, *part;
	int fd;

	if (snprintf(copy, sizeof copy, "%s", name) >= (int)sizeof copy) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = open("/", O_PATH | O_CLOEXEC);
	while (fd >= 0 && (part = strsep(&rest, "/")) != NULL) {
		int dir = fd, error;

		fd = open_part(dir, part, rest != NULL ? O_PATH | O_CLOEXEC : flags, mode);
		error = errno;
		close(dir);
		errno = error;
	}
	return fd;
}

/* openat2(2) has no function in glibc; a kernel may not know it, and in a unit with RestrictSUIDSGID= it is refused. */
static int open_no_links(const char *name, int flags, mode_t mode)
{
	struct open_how how = { .flags = (uint64_t)(unsigned)flags, .mode = flags & O_CREAT ? mode & 07777 : 0,
				.resolve = RESOLVE_NO_SYMLINKS };
	long fd = syscall(SYS_openat2, AT_FDCWD, name, &how, sizeof how);

	if (fd >= 0 || errno != ENOSYS)
		return (int)fd;
	/* SQLite would tell it as the cause of whatever fails next */
	errno = 0;
	return open_by_parts(name, flags, mode);
}

/* SQLite's open; the arguments are those of open(2) */
static int guarded_open(const char *name, int flags, int mode)
{
	enum kind kind = kind_of(name);
	struct stat st;
	int fd, error;

	if (kind == DEVICE)
		return open(name, flags | O_CLOEXEC);
	if (kind == STRANGER || (kind == DIRECTORY && (flags & (O_ACCMODE | O_CREAT)) != O_RDONLY))
		return refuse(EPERM, "%s: another file, which it must not open", name);
	fd = open_no_links(name, flags | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC, (mode_t)mode);
	if (fd < 0 && errno == ELOOP)
		return refuse(ELOOP, "%s: a symbolic link", name);
	/* a FIFO without reader, opened to write */
	if (fd < 0 && errno == ENXIO)
		return refuse(ENXIO, "%s: not a regular file", name);
	if (fd < 0 || kind == DIRECTORY)
		return fd;
	if (fstat(fd, &st) != 0) {
		error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	if (!S_ISREG(st.st_mode) || (kind == SIDE_FILE && st.st_nlink > 1)) {
		close(fd);
		return refuse(EPERM, S_ISREG(st.st_mode) ? "%s: has a second name" : "%s: not a regular file", name);
	}
	return fd;
}

static int guarded_unlink(const char *name)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(name, '/');
	int fd, rc, error;

	if (kind_of(name) != SIDE_FILE)
		return refuse(EPERM, "%s: another file, which it must not remove", name);
	snprintf(dir, sizeof dir, "%.*s", slash == name ? 1 : (int)(slash - name), name);
	fd = open_no_links(dir, O_PATH | O_CLOEXEC, 0);
	if (fd < 0)
		return errno == ELOOP ? refuse(ELOOP, "%s: a symbolic link", dir) : -1;
	rc = unlinkat(fd, slash + 1, 0);
	error = errno;
	close(fd);
	errno = error;
	return rc;
}

static bool take_over(void)
{
	sqlite3_vfs *unix_vfs = sqlite3_vfs_find("unix");

	return unix_vfs != NULL && unix_vfs->iVersion >= 3 &&
	       unix_vfs->xSetSystemCall(unix_vfs, "open", (sqlite3_syscall_ptr)guarded_open) == SQLITE_OK &&
	       unix_vfs->xSetSystemCall(unix_vfs, "unlink", (sqlite3_syscall_ptr)guarded_unlink) == SQLITE_OK;
}

bool syscalls_admit(const char *path)
{
	char **more, *copy;
	bool ok = true;

	if (path[0] != '/' || sqlite3_initialize() != SQLITE_OK)
		return false;
	pthread_mutex_lock(&lock);
	refusal[0] = '\0';
	for (size_t i = 0; i < admitted_count; i++)
		if (strcmp(admitted[i], path) == 0)
			goto out;
	copy = strdup(path);
	more = realloc(admitted, (admitted_count + 1) * sizeof *more);
	if (more != NULL)
		admitted = more;
	ok = copy != NULL && more != NULL && (admitted_count > 0 || take_over());
	if (ok)
		admitted[admitted_count++] = copy;
	else
		free(copy);
out:
	pthread_mutex_unlock(&lock);
	return ok;
}

const char *syscalls_refusal(void)
{
	return refusal[0] != '\0' ? refusal : NULL;
}
