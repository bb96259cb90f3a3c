/*
 * clock.c - a wrong clock for one host of the lab, whose kernel has only the machine's: what is started there with this in
 * /etc/ld.so.preload lives a day later, and so do the files that are written from the time of /etc/ld.so.preload on. PID 1 does
 * not, for its timers are the kernel's. Of a machine whose long has 32 bits, and other system calls, no lab is made: there it is empty.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#ifdef __LP64__

#define DAY 86400

static int64_t ahead, since;	/* seconds; from which time of the kernel's on */

__attribute__((constructor)) static void begin(void)
{
	struct stat st;

	if (getpid() == 1 || syscall(SYS_newfstatat, AT_FDCWD, "/etc/ld.so.preload", &st, 0) != 0)
		return;
	ahead = DAY;
	since = st.st_mtime;
}

static int64_t later(int64_t s)
{
	return s >= since ? s + ahead : s;
}

static int64_t earlier(int64_t s)
{
	return s >= since + ahead ? s - ahead : s;
}

/* ---- the time ---- */

int clock_gettime(clockid_t id, struct timespec *t)
{
	int rc = (int)syscall(SYS_clock_gettime, id, t);

	if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE || id == CLOCK_TAI))
		t->tv_sec += ahead;
	return rc;
}

int timespec_get(struct timespec *t, int base)
{
	return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, t) == 0 ? base : 0;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec t;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &t);
	*tv = (struct timeval){ .tv_sec = t.tv_sec, .tv_usec = t.tv_nsec / 1000 };
	return 0;
}

time_t time(time_t *out)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	if (out != NULL)
		*out = t.tv_sec;
	return t.tv_sec;
}

/* ---- of files ---- */

int fstatat(int dir, const char *restrict path, struct stat *restrict st, int flags)
{
	int rc = (int)syscall(SYS_newfstatat, dir, path, st, flags);

	if (rc != 0)
		return rc;
	st->st_atim.tv_sec = later(st->st_atim.tv_sec);
	st->st_mtim.tv_sec = later(st->st_mtim.tv_sec);
	st->st_ctim.tv_sec = later(st->st_ctim.tv_sec);
	return 0;
}

int stat(const char *restrict path, struct stat *restrict st)
{
	return fstatat(AT_FDCWD, path, st, 0);
}

int lstat(const char *restrict path, struct stat *restrict st)
{
	return fstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

int fstat(int fd, struct stat *st)
{
	return fstatat(fd, "", st, AT_EMPTY_PATH);
}

/* the same struct where a long has 64 bits */
_Static_assert(sizeof(struct stat64) == sizeof(struct stat), "struct stat64");

int fstatat64(int dir, const char *restrict path, struct stat64 *restrict st, int flags)
{
	return fstatat(dir, path, (struct stat *)st, flags);
}

int stat64(const char *restrict path, struct stat64 *restrict st)
{
	return stat(path, (struct stat *)st);
}

int lstat64(const char *restrict path, struct stat64 *restrict st)
{
	return lstat(path, (struct stat *)st);
}

int fstat64(int fd, struct stat64 *st)
{
	return fstat(fd, (struct stat *)st);
}

int statx(int dir, const char *restrict path, int flags, unsigned int mask, struct statx *restrict st)
{
	int rc = (int)syscall(SYS_statx, dir, path, flags, mask, st);

	if (rc != 0)
		return rc;
	st->stx_atime.tv_sec = later(st->stx_atime.tv_sec);
	st->stx_btime.tv_sec = later(st->stx_btime.tv_sec);
	st->stx_ctime.tv_sec = later(st->stx_ctime.tv_sec);
	st->stx_mtime.tv_sec = later(st->stx_mtime.tv_sec);
	return 0;
}

static int set(int dir, const char *path, const struct timespec t[2], int flags)
{
	struct timespec raw[2];

	for (int i = 0; t != NULL && i < 2; i++) {
		raw[i] = t[i];
		if (t[i].tv_nsec != UTIME_NOW && t[i].tv_nsec != UTIME_OMIT)
			raw[i].tv_sec = earlier(t[i].tv_sec);
	}
	return (int)syscall(SYS_utimensat, dir, path, t != NULL ? raw : NULL, flags);
}

int utimensat(int dir, const char *path, const struct timespec t[2], int flags)
{
	return set(dir, path, t, flags);
}

int futimens(int fd, const struct timespec t[2])
{
	return set(fd, NULL, t, 0);
}

#endif
