#include "lib/std.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <time.h>
#include <unistd.h>

#include "lib/cli.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/sqlite/keep.h"
#include "lib/sqlite/retire.h"
#include "lib/sqlite/sqlite.h"

int keep_names(struct keep *k, const char *live)
{
	const char *slash = strrchr(live, '/'), *base = slash != NULL ? slash + 1 : live;
	const char *in;
	char parent[PATH_MAX];
	size_t len = strlen(base);

	snprintf(parent, sizeof parent, "%.*s", slash == NULL ? 1 : (int)(slash - live) + 1, slash == NULL ? "." : live);
	if (*base == '\0' || strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
		return cli_usage("%s: names a directory", live);
	for (const char *const *side = sqlite_side_files; *side != NULL; side++)
		if (len > strlen(*side) && strcmp(base + len - strlen(*side), *side) == 0)
			return cli_usage("%s: SQLite keeps files of its own under names in %s", live, *side);
	if (strlen(live) >= PATH_MAX || realpath(parent, k->dir) == NULL) {
		msg_errno(live, "cannot reach its directory");
		return EX_CANTCREAT;
	}
	in = strcmp(k->dir, "/") == 0 ? "" : k->dir;
	snprintf(k->live, sizeof k->live, "%s/%s", in, base);
	snprintf(k->work, sizeof k->work, "%s/.%s.install", in, base);
	snprintf(k->prev, sizeof k->prev, "%s/%s.prev", in, base);
	snprintf(k->prev_tmp, sizeof k->prev_tmp, "%s/.%s.prev", in, base);
	return EX_OK;
}

int keep_look(const struct keep *k, const char *live, struct stat *st)
{
	struct statx file, dir;

	if (lstat(k->live, st) != 0) {
		if (errno == ENOENT)
			return EX_NOINPUT;
		msg_errno(live, "cannot look at it");
		return EX_CANTCREAT;
	}
	if (!S_ISREG(st->st_mode)) {
		msg_err(live, S_ISLNK(st->st_mode) ? "a symbolic link: install to its target" : "not a regular file");
		return EX_CANTCREAT;
	}
	if (statx(AT_FDCWD, k->live, AT_SYMLINK_NOFOLLOW, STATX_MNT_ID, &file) == 0 &&
	    statx(AT_FDCWD, k->dir, 0, STATX_MNT_ID, &dir) == 0 &&
	    (file.stx_mask & dir.stx_mask & STATX_MNT_ID) != 0 && file.stx_mnt_id != dir.stx_mnt_id) {
		msg_err(live, "a mount point: it cannot be replaced, mount its directory");
		return EX_CANTCREAT;
	}
	return EX_OK;
}

bool keep_is(const char *path, const struct stat *st)
{
	struct stat named;

	return lstat(path, &named) == 0 && named.st_dev == st->st_dev && named.st_ino == st->st_ino;
}

/* The names LIVE.kept-... that the file st has: how many, and the last one that was seen, into found. */
static nlink_t find_kept(const struct keep *k, const struct stat *st, char found[KEEP_PATH])
{
	const char *base = strrchr(k->live, '/') + 1;
	size_t len = strlen(base);
	char path[KEEP_PATH];
	struct dirent *e;
	nlink_t count = 0;
	DIR *d;

	*found = '\0';
	if (st->st_nlink < 2)
		return 0;
	snprintf(path, sizeof path, "%.*s", (int)(base - k->live), k->live);
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL) {
		if (strncmp(e->d_name, base, len) != 0 || strncmp(e->d_name + len, ".kept-", 6) != 0)
			continue;
		if (snprintf(path, sizeof path, "%.*s%s", (int)(base - k->live), k->live, e->d_name) >= (int)sizeof path ||
		    !keep_is(path, st))
			continue;
		snprintf(found, KEEP_PATH, "%s", path);
		count++;
	}
	if (d != NULL)
		closedir(d);
	return count;
}

bool keep_is_linked(const struct keep *k, const struct stat *st)
{
	char found[KEEP_PATH];

	return st->st_nlink != 1u + keep_is(k->prev, st) + keep_is(k->prev_tmp, st) + find_kept(k, st, found);
}

bool keep_found(struct keep *k, const struct stat *st)
{
	return find_kept(k, st, k->kept) > 0;
}

int keep_choose(struct keep *k, const struct stat *st)
{
	char wal[KEEP_PATH + 8], at[32];
	time_t written = st->st_mtim.tv_sec;
	struct stat side;
	struct tm tm;

	snprintf(wal, sizeof wal, "%s-wal", k->live);
	if (lstat(wal, &side) == 0 && side.st_mtim.tv_sec > written)
		written = side.st_mtim.tv_sec;
	if (gmtime_r(&written, &tm) == NULL || strftime(at, sizeof at, "%Y%m%d_%H%M%S", &tm) == 0)
		snprintf(at, sizeof at, "%lld", (long long)written);
	for (int n = 1; n < 10000; n++) {
		char number[16] = "";

		if (n > 1)
			snprintf(number, sizeof number, ".%d", n);
		if (snprintf(k->kept, sizeof k->kept, "%s.kept-%s%s", k->live, at, number) >= (int)sizeof k->kept)
			break;
		if (lstat(k->kept, &side) != 0 && errno == ENOENT && !retire_has_side_files(k->kept))
			return EX_OK;
	}
	msg_err(k->live, "no name to keep it under");
	return EX_CANTCREAT;
}

static int failed(const char *path)
{
	int error = errno;

	msg_errno(path, "cannot keep the old database");
	return file_write_status(error);
}

int keep_name(struct keep *k, const struct stat *st, const char **as)
{
	int rc;

	if (*k->kept != '\0') {
		if (link(k->live, k->kept) != 0 && !keep_is(k->kept, st))
			return failed(k->kept);
		*as = k->kept;
		return EX_OK;
	}
	rc = sqlite_no_side_files(k->prev);
	if (rc != EX_OK)
		return rc;
	/* a name that a killed run left */
	if (keep_is(k->prev_tmp, st))
		unlink(k->prev_tmp);
	/* the new .prev replaces the one before in one step */
	if (link(k->live, k->prev_tmp) != 0 || rename(k->prev_tmp, k->prev) != 0)
		rc = failed(k->prev);
	/* of two names of one file rename(2) does nothing and leaves both */
	if (keep_is(k->prev_tmp, st))
		unlink(k->prev_tmp);
	if (rc == EX_OK)
		*as = k->prev;
	return rc;
}
