#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/copy.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/sqlite/followed.h"
#include "lib/sqlite/retire.h"
#include "lib/sqlite/sqlite.h"

#define CARD_BYTES (INT64_C(4) << 20)	/* a second, page by page onto a slow card */

void followed_against(struct followed *f, const char *fmt, ...)
{
	va_list ap;

	if (f->against[0] != '\0')
		return;
	va_start(ap, fmt);
	vsnprintf(f->against, sizeof f->against, fmt, ap);
	va_end(ap);
}

bool followed_names(struct followed *f, const char *live)
{
	const char *slash = strrchr(live, '/');

	if (slash == NULL || snprintf(f->dir, sizeof f->dir, "%.*s/.follow", (int)(slash - live), live) >= (int)sizeof f->dir)
		return false;
	snprintf(f->path, sizeof f->path, "%s/newest.db", f->dir);
	return true;
}

/* A file that another user could have made is not believed: the directory must be the state's owner's, and closed to others. */
static void look_at_owner(struct followed *f, const char *state, const struct stat *file)
{
	struct stat dir, ours;

	if (lstat(f->dir, &dir) != 0 || !S_ISDIR(dir.st_mode) || stat(state, &ours) != 0)
		followed_against(f, "lies in no directory of ours");
	else if (dir.st_uid != ours.st_uid || (dir.st_mode & 02) != 0 || ((dir.st_mode & 020) != 0 && dir.st_gid != ours.st_gid))
		followed_against(f, "lies where others than us write");
	else if (file->st_uid != dir.st_uid)
		followed_against(f, "is another user's");
}

/* The size, and the first bytes. */
static void look_at_content(struct followed *f, int fd, const struct stat *st, uint64_t least)
{
	unsigned char head[100];
	struct sqlite_header h;
	char why[SQLITE_WHY];
	ssize_t len = file_pread(fd, head, sizeof head, 0);

	if ((uint64_t)st->st_size != (uint64_t)f->is.page_size * f->is.page_count)
		followed_against(f, "has another size than state %lld", (long long)f->is.n);
	else if (len != (ssize_t)sizeof head)
		followed_against(f, "cannot be read: %s", strerror(len < 0 ? errno : EIO));
	else if (!sqlite_header_parse(head, sizeof head, (uint64_t)st->st_size, &h, why))
		followed_against(f, "is no whole database: %s", why);
	else if ((uint64_t)st->st_size < least)
		followed_against(f, "is smaller than CTV_MIN_SIZE");
}

void followed_look(struct followed *f, const char *state, uint64_t least)
{
	char path[PATH_MAX + 32];
	struct note note;
	struct stat st, wal;
	int fd;

	if (lstat(f->path, &st) != 0) {
		followed_against(f, errno == ENOENT || errno == ENOTDIR ? "is not there" : "cannot be reached: %s", strerror(errno));
		return;
	}
	f->there = true;
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1) {
		followed_against(f, "is not a plain file");
		return;
	}
	look_at_owner(f, state, &st);
	/* the process that takes the state will finish a half-done apply: the note that says so must be one of ours */
	if (f->against[0] != '\0')
		return;
	snprintf(path, sizeof path, "%s.note", f->path);
	if (note_read(path, &note) != EX_OK || !note.known) {
		followed_against(f, "has no note of which state it is");
		return;
	}
	f->half = note.has_target || retire_is_pending(f->path);
	f->is = note.is;
	f->known = true;
	snprintf(path, sizeof path, "%s-wal", f->path);
	if (note.has_target && stat(path, &wal) == 0) {
		f->target = note.target;
		f->target_s = 1 + wal.st_size / CARD_BYTES;
	}
	if (f->half)
		followed_against(f, "is half applied");
	else if (retire_has_side_files(f->path))
		followed_against(f, "has files of an application beside it");
	fd = open(f->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		followed_against(f, "cannot be opened: %s", strerror(errno));
		return;
	}
	look_at_content(f, fd, &st, least);
	snprintf(path, sizeof path, "%s/..", f->dir);
	if (copy_needed(fd, path))
		followed_against(f, "is on another disk");
	close(fd);
}
