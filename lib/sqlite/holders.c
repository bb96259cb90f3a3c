#include "lib/std.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/exits.h"
#include "lib/sqlite/holders.h"
#include "lib/msg.h"

#define FILES 4
#define GOES_MS 2000	/* who is asked to let go of it does so between two steps of a copy */

/* Where SQLite's unix VFS locks: https://www.sqlite.org/src/file/src/os.h and os_unix.c */
static const struct { const char *suffix; off_t lock_at, lock_len; } files[FILES] = {
	{ "", 0x40000000, 512 },	/* PENDING, RESERVED and the SHARED range */
	{ "-wal", 0, 0 },
	{ "-shm", 120, 9 },		/* WRITE, CKPT, RECOVER, READ 0-4, DMS */
	{ "-journal", 0, 0 },
};

struct target { bool exists; dev_t dev; ino_t ino; };

/* A process names itself: nothing in its name may look like another one, or drive a terminal. */
static void read_name(long pid, char name[32])
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof path, "/proc/%ld/comm", pid);
	f = fopen(path, "re");
	if (f == NULL)
		return;
	if (fgets(name, 32, f) != NULL)
		name[strcspn(name, "\n")] = '\0';
	fclose(f);
	for (char *c = name; *c != '\0'; c++)
		if (*c < ' ' || *c > '~' || strchr("(),", *c) != NULL)
			*c = '?';
}

/* Adds a process to the list; pid 0 or less is one that this namespace cannot name. */
static void add(struct holders *h, long pid)
{
	size_t used = strlen(h->who), listed = strlen(h->pids);
	char comm[32] = "process", word[80];

	if (pid <= 0) {
		snprintf(word, sizeof word, "a process that cannot be named");
	} else {
		read_name(pid, comm);
		snprintf(word, sizeof word, "%s (pid %ld)", comm, pid);
		if (strstr(h->who, strrchr(word, '(')) != NULL)
			return;
		if (listed + 24 < sizeof h->pids)
			snprintf(h->pids + listed, sizeof h->pids - listed, "%s%ld", listed > 0 ? " " : "", pid);
	}
	h->count++;
	if (used + strlen(word) + 8 < sizeof h->who)
		snprintf(h->who + used, sizeof h->who - used, "%s%s", used > 0 ? ", " : "", word);
	else if (strcmp(h->who + used - 3, "...") != 0)
		snprintf(h->who + used, sizeof h->who - used, " ...");
}

static bool matches(const struct target t[FILES], dev_t dev, ino_t ino)
{
	for (size_t i = 0; i < FILES; i++)
		if (t[i].exists && t[i].dev == dev && t[i].ino == ino)
			return true;
	return false;
}

static int find_locks(const char *path, off_t at, off_t len, struct holders *h)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = len };
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), rc = EX_OK;

	if (fd < 0 && errno == ENOENT)
		return EX_OK;
	/* the kernel names one holder only, which is enough to know that there is one */
	if (fd < 0 || fcntl(fd, F_OFD_GETLK, &lock) != 0) {
		msg_errno(path, "cannot ask for locks");
		rc = EX_CANTCREAT;
	} else if (lock.l_type != F_UNLCK) {
		add(h, (long)lock.l_pid);
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

static bool holds_descriptor(int proc, const char *pid, const struct target t[FILES], bool *seen)
{
	char path[NAME_MAX + 8];
	bool found = false;
	struct dirent *e;
	int fd;
	DIR *d;

	snprintf(path, sizeof path, "%s/fd", pid);
	fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd >= 0 ? fdopendir(fd) : NULL;
	if (d == NULL) {
		/* a process that ended meanwhile holds nothing */
		if (errno != ENOENT && errno != ESRCH)
			*seen = false;
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (!found && (e = readdir(d)) != NULL) {
		struct stat st;

		found = e->d_name[0] != '.' && fstatat(dirfd(d), e->d_name, &st, 0) == 0 &&
			matches(t, st.st_dev, st.st_ino);
	}
	closedir(d);
	return found;
}

/* A mapping outlives its descriptor: proc(5), /proc/PID/maps. */
static bool holds_mapping(int proc, const char *pid, const struct target t[FILES])
{
	char path[NAME_MAX + 8], line[PATH_MAX + 128];
	bool found = false;
	int fd;
	FILE *f;

	snprintf(path, sizeof path, "%s/maps", pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	f = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (f == NULL) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (!found && fgets(line, sizeof line, f) != NULL) {
		unsigned major, minor;
		uint64_t ino;

		found = sscanf(line, "%*s %*s %*s %x:%x %" SCNu64, &major, &minor, &ino) == 3 &&
			matches(t, makedev(major, minor), ino);
	}
	fclose(f);
	return found;
}

static void find_processes(const struct target t[FILES], struct holders *h)
{
	DIR *d = opendir("/proc");
	bool first = false;
	struct dirent *e;

	h->all_seen = d != NULL;
	while (d != NULL && (e = readdir(d)) != NULL) {
		char *end;
		long pid = strtol(e->d_name, &end, 10);

		if (*end != '\0' || pid <= 0 || pid == (long)getpid())
			continue;
		if (holds_descriptor(dirfd(d), e->d_name, t, &h->all_seen) || holds_mapping(dirfd(d), e->d_name, t))
			add(h, pid);
		/* hidepid= leaves out what we may not see: who sees process 1 sees all */
		first = first || pid == 1;
	}
	h->all_seen = h->all_seen && (first || getpid() == 1);
	if (d != NULL)
		closedir(d);
}

/*
 * A process that only copies the database holds a lease of it (alone.h), and lets go when another opens it for writing; where
 * nobody holds a lease that changes nothing.
 */
static void ask_borrower(const char *db)
{
	int64_t end = clock_ms() + GOES_MS;
	int fd;

	while ((fd = open(db, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)) < 0 && errno == EWOULDBLOCK && clock_ms() < end)
		clock_sleep(5);
	if (fd >= 0)
		close(fd);
}

int holders_find(const char *db, struct holders *out)
{
	struct target t[FILES] = { 0 };
	char path[PATH_MAX];
	struct stat db_is;

	*out = (struct holders){ .count = 0 };
	/* a FIFO would be opened, too */
	if (lstat(db, &db_is) == 0 && S_ISREG(db_is.st_mode))
		ask_borrower(db);
	for (size_t i = 0; i < FILES; i++) {
		struct stat st;
		int rc = EX_OK;

		snprintf(path, sizeof path, "%s%s", db, files[i].suffix);
		if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode))
			continue;
		t[i] = (struct target){ .exists = true, .dev = st.st_dev, .ino = st.st_ino };
		if (files[i].lock_len > 0)
			rc = find_locks(path, files[i].lock_at, files[i].lock_len, out);
		if (rc != EX_OK)
			return rc;
	}
	find_processes(t, out);
	return EX_OK;
}
