/*
 * db-install - make a database the live one
 *
 *	db-install [--owner USER[:GROUP]] [--mode MODE] [--as-of TIME] [-k] [-n] [--quarantine] [--json] CANDIDATE LIVE
 *	db-install --state DIR --rev REV --content-hash HASH [--epoch N --seq N] [--verified LEVEL] ... CANDIDATE LIVE
 *
 * LIVE is at every instant a complete database, the old one or the new one, and never beside another's -wal
 * or -journal. Nobody has it open while it changes. What a crashed application had committed is recovered
 * into the old database before that is put away as LIVE.prev. On any failure the old one stays.
 */
#include "lib/shell.h"
#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/copy.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/sqlite/holders.h"
#include "lib/installed.h"
#include "lib/json.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/sqlite/retire.h"
#include "lib/rights.h"
#include "lib/sqlite/sqlite.h"
#include "lib/stop.h"

#define NAME_ROOM (PATH_MAX + 64)
#define NUMBER_MOST (UINT64_C(1) << 53)	/* what JSON's readers take exactly */

static uid_t owner = RIGHTS_UID_KEEP;
static gid_t group = RIGHTS_GID_KEEP;
static mode_t mode = (mode_t)-1;	/* not given */
static int64_t as_of = INT64_MIN;	/* seconds since the epoch; INT64_MIN: the candidate's own time */
static bool keep, dry, quarantine, json_wanted;
static struct installed on_record = { .epoch = -1, .seq = -1, .lock = -1 };
static const char *const shell_names[] = {
	"path", "dry_run", "unchanged", "size", "size_text", "data_at", "previous", "quarantine", "processes", NULL,
};
static struct shell shell = { .names = shell_names };

struct install {
	const char *candidate, *live;	/* as the operator named them */
	char dir[PATH_MAX];		/* of live, without symbolic links */
	char real[NAME_ROOM];		/* live in it */
	char tmp[NAME_ROOM];		/* the lock of this installation, and the place for a copy */
	char prev[NAME_ROOM], prev_tmp[NAME_ROOM];
	char aside[RETIRE_PATH];
	int lock;			/* of tmp, -1 without */
	int fd;				/* of what is installed */
	const char *source;		/* its path: candidate or tmp */
	struct stat st, old;		/* of candidate and live */
	bool have_old, alike;		/* there is a LIVE; its content is what is to be installed */
	bool same;			/* so there is nothing to replace */
	bool from_prev;			/* the candidate is LIVE.prev: they change places */
	bool put_aside, kept;		/* what became of the old one */
	bool all_seen;			/* every process could be looked into */
	int lease;			/* a descriptor of the old one, on which a write lease was taken; -1 without */
};

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool names(const char *path, const struct stat *st)
{
	struct stat named;

	return lstat(path, &named) == 0 && same_file(&named, st);
}

/* ---- what is there ---- */

static void in_dir(char out[NAME_ROOM], const char *dir, const char *before, const char *base, const char *after)
{
	snprintf(out, NAME_ROOM, "%s/%s%s%s", strcmp(dir, "/") == 0 ? "" : dir, before, base, after);
}

static int name_everything(struct install *in)
{
	const char *slash = strrchr(in->live, '/'), *base = slash != NULL ? slash + 1 : in->live;
	char parent[PATH_MAX];
	size_t len = strlen(base);

	snprintf(parent, sizeof parent, "%.*s", slash == NULL ? 1 : (int)(slash - in->live) + 1,
		 slash == NULL ? "." : in->live);
	if (*base == '\0' || strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
		return cli_usage("%s: names a directory", in->live);
	for (const char *const *side = sqlite_side_files; *side != NULL; side++)
		if (len > strlen(*side) && strcmp(base + len - strlen(*side), *side) == 0)
			return cli_usage("%s: SQLite keeps files of its own under names in %s", in->live, *side);
	if (strlen(in->live) >= PATH_MAX || realpath(parent, in->dir) == NULL) {
		msg_errno(in->live, "cannot reach its directory");
		return EX_CANTCREAT;
	}
	in_dir(in->real, in->dir, "", base, "");
	in_dir(in->tmp, in->dir, ".", base, ".install");
	in_dir(in->prev, in->dir, "", base, ".prev");
	in_dir(in->prev_tmp, in->dir, ".", base, ".prev");
	return EX_OK;
}

static int look_at_candidate(struct install *in)
{
	struct sqlite_header header;
	struct holders h;
	int rc;

	in->fd = open(in->candidate, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (in->fd < 0 && errno == ELOOP) {
		msg_err(in->candidate, "a symbolic link");
		return EX_NOINPUT;
	}
	if (in->fd < 0 || fstat(in->fd, &in->st) != 0) {
		msg_errno(in->candidate, "cannot open");
		return EX_NOINPUT;
	}
	if (!S_ISREG(in->st.st_mode)) {
		msg_err(in->candidate, "not a regular file");
		return EX_NOINPUT;
	}
	in->from_prev = names(in->prev, &in->st);
	if (in->from_prev && keep)
		return cli_usage("%s: changes places with the live one, it cannot be kept", in->candidate);
	if (names(in->tmp, &in->st) || names(in->prev_tmp, &in->st))
		return cli_usage("%s: is a name for unfinished work", in->candidate);
	/* of LIVE itself, link() made the second name of a run that was killed: that is for look_at_live */
	if (in->st.st_nlink != 1 && !keep && !names(in->real, &in->st)) {
		msg_err(in->candidate, "has %lu names: under another one it could be changed", (unsigned long)in->st.st_nlink);
		return EX_DATAERR;
	}
	if (names(in->real, &in->st))
		return EX_OK;
	rc = sqlite_header_read(in->fd, in->candidate, &header);
	if (rc != EX_OK)
		return rc;
	if (sqlite_no_side_files(in->candidate) != EX_OK) {
		msg_hint("its content may be in there: db-snapshot makes a copy that is complete by itself");
		return EX_DATAERR;
	}
	rc = holders_find(in->candidate, &h);
	if (rc == EX_OK && h.count > 0) {
		msg_err(in->candidate, "in use by %s", h.who);
		rc = EX_CANTCREAT;
	}
	return rc;
}

/* The names that a killed run has left it: LIVE.prev, and the step before that. */
static bool is_linked(const struct install *in)
{
	nlink_t ours = 1u + names(in->prev, &in->old) + names(in->prev_tmp, &in->old);

	return in->old.st_nlink != ours;
}

static int look_at_live(struct install *in)
{
	struct statx live, dir;

	in->have_old = lstat(in->real, &in->old) == 0;
	if (!in->have_old && errno == ENOENT) {
		if (quarantine || sqlite_no_side_files(in->live) == EX_OK)
			return EX_OK;
		msg_hint("of a database that is gone; --quarantine puts it aside");
		return EX_CANTCREAT;
	}
	if (!in->have_old) {
		msg_errno(in->live, "cannot look at it");
		return EX_CANTCREAT;
	}
	if (!S_ISREG(in->old.st_mode)) {
		msg_err(in->live, S_ISLNK(in->old.st_mode) ? "a symbolic link: install to its target" :
				  "not a regular file");
		return EX_CANTCREAT;
	}
	if (statx(AT_FDCWD, in->real, AT_SYMLINK_NOFOLLOW, STATX_MNT_ID, &live) == 0 &&
	    statx(AT_FDCWD, in->dir, 0, STATX_MNT_ID, &dir) == 0 &&
	    (live.stx_mask & dir.stx_mask & STATX_MNT_ID) != 0 && live.stx_mnt_id != dir.stx_mnt_id) {
		msg_err(in->live, "a mount point: it cannot be replaced, mount its directory");
		return EX_CANTCREAT;
	}
	if (is_linked(in) && !quarantine) {
		msg_err(in->live, "has %lu names: SQLite would look for its journal under another one",
			(unsigned long)in->old.st_nlink);
		return EX_CANTCREAT;
	}
	return EX_OK;
}

static bool is_alike(const struct install *in)
{
	bool same = false;
	int fd;

	if (!in->have_old || same_file(&in->st, &in->old))
		return in->have_old;
	if (in->st.st_size != in->old.st_size || retire_has_side_files(in->real))
		return false;
	fd = open(in->real, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0) {
		same = copy_is_same(in->fd, fd, (uint64_t)in->st.st_size);
		close(fd);
	}
	return same;
}

/* Nobody else has LIVE open, as far as this user can see. */
static int nobody_has_it(struct install *in)
{
	struct holders h;
	int rc = holders_find(in->real, &h);

	if (rc != EX_OK)
		return rc;
	if (h.count > 0) {
		msg_err(in->live, "in use by %s", h.who);
		msg_hint("stop what has it open; db-install never does");
		return EX_CANTCREAT;
	}
	/*
	 * Without the right to look into others' processes their locks still show, and to turn off WAL mode
	 * SQLite needs to be alone. What stays unseen are idle connections in rollback mode: they read old
	 * data, and SQLite itself refuses their writes because the file was moved.
	 */
	if (!h.all_seen && in->all_seen)
		msg_info("%s: other users' processes cannot be seen, their locks can: nobody has one", in->live);
	in->all_seen = h.all_seen;
	return EX_OK;
}

static void end_lease(struct install *in)
{
	if (in->lease >= 0)
		close(in->lease);
	in->lease = -1;
}

/*
 * The kernel's own word that nobody has LIVE open: a write lease is granted only then, and whoever opens the file while
 * it lasts waits (fcntl(2), F_SETLEASE). Only the owner, or who has CAP_LEASE, may take one, and not on every file
 * system; without it there remains what nobody_has_it saw.
 */
static int lease_old(struct install *in)
{
	struct stat st;

	if (!in->have_old)
		return EX_OK;
	/* the default action of the signal that somebody waits is to end this process */
	signal(SIGIO, SIG_IGN);
	in->lease = open(in->real, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (in->lease < 0 || fstat(in->lease, &st) != 0 || !same_file(&st, &in->old)) {
		/* a file that this user may not read he may replace all the same */
		if (in->lease < 0 && errno == EACCES)
			return EX_OK;
		msg_err(in->live, "was replaced meanwhile");
		return EX_CANTCREAT;
	}
	if (fcntl(in->lease, F_SETLEASE, F_WRLCK) == 0)
		return EX_OK;
	if (errno == EAGAIN) {
		msg_err(in->live, "in use by a process that cannot be seen");
		msg_hint("stop what has it open; db-install never does");
		return EX_CANTCREAT;
	}
	msg_info("%s: no lease on it (%s): that nobody has it open is what its locks and the visible processes say", in->live,
		 strerror(errno));
	end_lease(in);
	return EX_OK;
}

/* Is somebody waiting to open what is leased? */
static bool is_wanted(const struct install *in)
{
	return in->lease >= 0 && fcntl(in->lease, F_GETLEASE) != F_WRLCK;
}

/* ---- the new one ---- */

static bool on_another_mount(const struct install *in)
{
	struct statx a, b;

	if (statx(in->fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &a) != 0 ||
	    statx(AT_FDCWD, in->dir, 0, STATX_MNT_ID, &b) != 0)
		return false;	/* rename says so */
	return a.stx_dev_major != b.stx_dev_major || a.stx_dev_minor != b.stx_dev_minor ||
	       ((a.stx_mask & b.stx_mask & STATX_MNT_ID) != 0 && a.stx_mnt_id != b.stx_mnt_id);
}

static int room_for_copy(const struct install *in)
{
	char need[NUM_TEXT], have[NUM_TEXT];
	struct statvfs fs;

	if (statvfs(in->dir, &fs) != 0 ||
	    fs.f_bavail >= (uint64_t)in->st.st_size / fs.f_frsize + 1)
		return EX_OK;
	msg_err(in->live, "the copy needs %s, %s are free", num_size_text(need, (uint64_t)in->st.st_size),
		num_size_text(have, fs.f_bavail * fs.f_frsize));
	return EX_IOERR;
}

/* Owner, rights and time of what will be LIVE, and all of it on disk. */
static int dress(const struct install *in, int fd)
{
	const struct stat *like = &in->old;
	struct rights r = { .uid = owner, .gid = group, .mode = mode, .like = in->have_old ? in->real : NULL,
			    .share = owner == RIGHTS_UID_KEEP };
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, in->st.st_mtim };
	struct stat dir;
	int rc;

	/* the first one belongs to whom its directory belongs; only root can give files away */
	if (!in->have_old) {
		if (stat(in->dir, &dir) != 0 || geteuid() != 0)
			dir.st_uid = RIGHTS_UID_KEEP, dir.st_gid = RIGHTS_GID_KEEP;
		dir.st_mode = 0640;
		like = &dir;
	}
	if (r.uid == RIGHTS_UID_KEEP)
		r.uid = like->st_uid;
	if (r.gid == RIGHTS_GID_KEEP)
		r.gid = like->st_gid;
	if (r.mode == (mode_t)-1)
		r.mode = like->st_mode & 0777;
	rc = rights_apply(fd, in->live, &r);
	if (rc != EX_OK)
		return rc;
	if (as_of != INT64_MIN)
		times[1] = (struct timespec){ .tv_sec = (time_t)as_of };
	if (futimens(fd, times) != 0 || fsync(fd) != 0) {
		msg_errno(in->live, "cannot set its time and write it to disk");
		return errno == EPERM ? EX_NOPERM : EX_IOERR;
	}
	return EX_OK;
}

/* ---- the old one ---- */

/* In order, or aside: what lies beside LIVE is taken in or gone with it. */
static int put_old_away(struct install *in)
{
	/* with a second name (only --quarantine comes here so) its journal may be under that one: SQLite is not asked */
	bool aside = in->have_old ? is_linked(in) : retire_has_side_files(in->real);
	int rc = EX_OK;

	if (in->have_old && !aside)
		rc = retire_database(in->real, in->live);
	if (rc == EX_DATAERR && !quarantine)
		msg_hint("--quarantine puts it aside with all its files and installs the new one");
	if (rc == EX_DATAERR && quarantine)
		aside = true;
	else if (rc != EX_OK)
		return rc;
	if (aside)
		rc = retire_aside(in->real, in->aside);
	in->put_aside = aside && rc == EX_OK;
	return aside ? rc : EX_OK;
}

/* LIVE gets a second name, which replaces the one before in one step. */
static int keep_previous(struct install *in)
{
	int rc = sqlite_no_side_files(in->prev);

	if (rc != EX_OK)
		return rc;
	/* what a killed run left */
	if (names(in->prev_tmp, &in->old))
		unlink(in->prev_tmp);
	if (link(in->real, in->prev_tmp) == 0 && rename(in->prev_tmp, in->prev) == 0) {
		/* two names of one file: rename(2) does nothing and leaves both */
		if (names(in->prev_tmp, &in->old))
			unlink(in->prev_tmp);
		in->kept = true;
		return EX_OK;
	}
	rc = file_write_status(errno);
	msg_errno(in->prev, "cannot keep the old database");
	if (names(in->prev_tmp, &in->old))
		unlink(in->prev_tmp);
	return rc;
}

/* ---- the exchange ---- */

/* LIVE and the file other change places; without other LIVE is replaced. */
static int take_name(struct install *in, const char *other)
{
	int rc;

	if (in->source == in->candidate && !names(in->candidate, &in->st)) {
		msg_err(in->candidate, "was replaced meanwhile");
		return EX_CANTCREAT;
	}
	if (other != NULL)
		rc = renameat2(AT_FDCWD, other, AT_FDCWD, in->real, RENAME_EXCHANGE);
	else if (in->have_old)
		rc = rename(in->source, in->real);
	else	/* an application that started now has made an empty one */
		rc = renameat2(AT_FDCWD, in->source, AT_FDCWD, in->real, RENAME_NOREPLACE);
	if (rc != 0) {
		rc = file_write_status(errno);
		msg_errno(in->live, "cannot replace");
		return rc;
	}
	if (file_sync_parent(in->real) != 0) {
		msg_errno(in->live, "installed, but its directory cannot be written to disk");
		return EX_IOERR;
	}
	return EX_OK;
}

/* Whoever opened the old one in the last instant would read old data, and lose what it writes. */
static int nobody_has_old(struct install *in)
{
	const char *old = in->put_aside ? in->aside : in->kept ? in->prev : in->alike ? in->source : NULL;
	bool wanted = is_wanted(in);
	struct holders h;

	/* to look for locks the file is opened */
	end_lease(in);
	if (!in->have_old || old == NULL || holders_find(old, &h) != EX_OK || (h.count == 0 && !wanted))
		return EX_OK;
	msg_err(in->live, "installed, but the old one is still open in %s", h.count > 0 ? h.who : "a process that waited for it");
	msg_hint("restart it: what it writes goes to %s", old);
	return EX_CANTCREAT;
}

/* From here on signals only set a flag that nobody looks at: it is done, or it was not begun. */
static int exchange(struct install *in)
{
	/* an empty file is not worth the place of the one before */
	bool worth_keeping = in->have_old && in->old.st_size > 0 && !in->put_aside;
	const char *swap = !worth_keeping ? NULL : in->from_prev ? in->prev : in->alike ? in->source : NULL;
	int rc;

	/* the side files' absence has to be on disk before the new name is */
	if (sqlite_no_side_files(in->live) != EX_OK)
		return EX_CANTCREAT;
	if (file_sync_parent(in->real) != 0) {
		msg_errno(in->live, "cannot write its directory to disk");
		return EX_IOERR;
	}
	rc = nobody_has_it(in);
	if (rc == EX_OK)
		rc = lease_old(in);
	if (rc == EX_OK && stop_asked()) {
		msg_err(in->live, "interrupted");
		rc = EX_TEMPFAIL;
	}
	if (rc == EX_OK && in->have_old)
		msg_info("%s: the old database is out of use%s", in->live, in->put_aside ? "" : " and in order");
	/* what has the same content is not the one before */
	if (rc == EX_OK && worth_keeping && swap == NULL)
		rc = keep_previous(in);
	if (rc == EX_OK && is_wanted(in)) {
		msg_err(in->live, "in use: a process is opening it");
		rc = EX_CANTCREAT;
	}
	if (rc == EX_OK)
		rc = take_name(in, swap);
	if (rc != EX_OK)
		return rc;
	in->kept = in->kept || swap == in->prev;
	msg_info("%s: installed%s%s", in->live, in->kept ? ", the one before is " : "", in->kept ? in->prev : "");
	rc = nobody_has_old(in);
	if (rc == EX_OK && swap == in->source)
		unlink(swap);
	return rc;
}

static int64_t data_at(const struct install *in)
{
	return as_of != INT64_MIN ? as_of : (int64_t)in->st.st_mtim.tv_sec;
}

/* It is there already: only owner, rights and time are set, and the candidate goes as it would have. */
static int already_there(struct install *in, bool copy)
{
	int fd = open(in->real, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), rc = EX_CANTCREAT;
	struct stat st;

	if (fd < 0)
		msg_errno(in->live, "cannot open");
	else if (fstat(fd, &st) != 0 || !same_file(&st, &in->old))
		msg_err(in->live, "was replaced meanwhile");
	/* another member of the group, who may set nothing of it: there is nothing to set */
	else if (same_file(&in->st, &in->old) && geteuid() != 0 && st.st_uid != geteuid() && st.st_mtim.tv_sec == data_at(in))
		rc = EX_OK;
	else
		rc = dress(in, fd);
	if (fd >= 0)
		close(fd);
	if (rc == EX_OK && !copy && !in->from_prev && !same_file(&in->st, &in->old))
		unlink(in->candidate);
	return rc;
}

static void answer(const struct install *in)
{
	char at[CLOCK_TEXT], size[NUM_TEXT];
	json *j;

	clock_text(at, data_at(in));
	num_size_text(size, (uint64_t)in->st.st_size);
	if (in->put_aside && in->have_old)
		msg_err(in->aside, "the old database was put aside here");
	if (!json_wanted && !shell_asked(&shell)) {
		if (dry)
			printf("%s %s: %s, as of %s, %s\n", in->same ? "nothing to do for" : "would install", in->live,
			       in->candidate, at, size);
		return;
	}
	j = json_object();
	json_put_str(j, "path", in->live);
	json_put_bool(j, "dry_run", dry);
	json_put_bool(j, "unchanged", in->same);
	json_put_int(j, "size", (int64_t)in->st.st_size);
	json_put_str(j, "data_at", at);
	if (in->kept)
		json_put_str(j, "previous", in->prev);
	else
		json_put_null(j, "previous");
	if (in->put_aside)
		json_put_str(j, "quarantine", in->aside);
	else
		json_put_null(j, "quarantine");
	json_put_str(j, "processes", in->all_seen ? "all" : "own");
	shell_set(&shell, "size_text", size);
	json_answer(j, json_wanted, &shell);
}

static int install(struct install *in)
{
	bool copy;
	int rc = name_everything(in);

	if (rc == EX_OK)
		rc = look_at_candidate(in);
	if (rc != EX_OK)
		return rc;
	if (!dry) {
		rc = file_claim(in->tmp, &in->lock);
		if (rc != EX_OK)
			return rc;
	}
	rc = look_at_live(in);
	if (rc != EX_OK)
		return rc;
	copy = keep || on_another_mount(in);
	in->alike = is_alike(in);
	/* only its owner can set a file's mode and time: for another user it is replaced all the same */
	in->same = in->alike && (geteuid() == 0 || in->old.st_uid == geteuid() || same_file(&in->st, &in->old));
	if (!dry) {
		rc = installed_begin(&on_record);
		if (rc != EX_OK)
			return rc;
	}
	if (in->same)
		return dry ? EX_OK : already_there(in, copy);
	rc = nobody_has_it(in);
	if (rc == EX_OK && copy)
		rc = room_for_copy(in);
	if (rc != EX_OK || dry)
		return rc;

	if (copy) {
		rc = copy_verified(in->fd, in->candidate, in->lock, in->live, (uint64_t)in->st.st_size);
		close(in->fd);
		in->fd = in->lock;
		in->source = in->tmp;
	}
	if (rc == EX_OK)
		rc = dress(in, in->fd);
	if (rc == EX_OK)
		rc = installed_next(&on_record);
	if (rc == EX_OK)
		rc = put_old_away(in);
	return rc == EX_OK ? exchange(in) : rc;
}

static const char help[] =
	"usage: db-install [--owner USER[:GROUP]] [--mode MODE] [--as-of TIME] [-k] [-n]\n"
	"                  [--quarantine] [--json] CANDIDATE LIVE\n"
	"Makes the database CANDIDATE the live one; the old one is kept as LIVE.prev.\n"
	"\n"
	"      --owner USER[:GROUP]  its owner (default: that of the old one)\n"
	"      --mode MODE           its mode, octal (default: that of the old one, or 0640)\n"
	"      --as-of TIME          when its data was current, such as 2026-11-23T06:00:00Z\n"
	"                            (default: the modification time of CANDIDATE)\n"
	"  -k, --keep                copy CANDIDATE instead of moving it\n"
	"  -n, --dry-run             check everything, change nothing\n"
	"      --quarantine          put a damaged old database aside with all its files\n"
	"      --state DIR           keep the record of it there, installed.json, and refuse when\n"
	"                            the role there is active\n"
	"      --rev REV             of what is installed, for that record,\n"
	"      --content-hash HASH   this,\n"
	"      --epoch N, --seq N    its number, if it has one,\n"
	"      --verified LEVEL      and how it was verified\n"
	"      --json                print what was done as a JSON object\n"
	"      --shell[=PREFIX]      the same as assignments for a shell\n"
	"  -v, --verbose             narrate on standard error\n"
	"  -h, --help                this text\n"
	"  -V, --version             the version\n";

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "owner", required_argument, NULL, 'o' },
		{ "mode", required_argument, NULL, 'm' },
		{ "as-of", required_argument, NULL, 'a' },
		{ "keep", no_argument, NULL, 'k' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "quarantine", no_argument, NULL, 'q' },
		{ "state", required_argument, NULL, 's' },
		{ "rev", required_argument, NULL, 'r' },
		{ "content-hash", required_argument, NULL, 'c' },
		{ "epoch", required_argument, NULL, 'E' },
		{ "seq", required_argument, NULL, 'N' },
		{ "verified", required_argument, NULL, 'L' },
		{ "json", no_argument, NULL, 'j' },
		{ "shell", optional_argument, NULL, 'S' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	struct install in = { .lock = -1, .fd = -1, .lease = -1, .all_seen = true };
	uint64_t number = 0;
	const char *why;
	int c, rc;

	msg_init(argv[0]);
	stop_init();
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":knvhV", options, NULL)) != -1) {
		why = NULL;
		switch (c) {
		case 'o':
			why = rights_parse_owner(optarg, &owner, &group);
			break;
		case 'm':
			why = rights_parse_mode(optarg, &mode);
			break;
		case 'a':
			why = clock_parse(optarg, &as_of);
			break;
		case 'k':
			keep = true;
			break;
		case 'n':
			dry = true;
			break;
		case 'q':
			quarantine = true;
			break;
		case 's':
			on_record.state = optarg;
			break;
		case 'r':
			on_record.rev = optarg;
			break;
		case 'c':
			on_record.content_hash = optarg;
			break;
		case 'E':
			why = num_u64(optarg, 0, NUMBER_MOST, &number);
			on_record.epoch = (int64_t)number;
			break;
		case 'N':
			why = num_u64(optarg, 0, NUMBER_MOST, &number);
			on_record.seq = (int64_t)number;
			break;
		case 'L':
			on_record.verified = optarg;
			break;
		case 'j':
			json_wanted = true;
			break;
		case 'S':
			why = shell_ask(&shell, optarg);
			break;
		case 'v':
			msg_verbose = true;
			break;
		case 'h':
			return cli_help(help);
		case 'V':
			return cli_version();
		default:
			return cli_bad_option(c, argv);
		}
		if (why != NULL)
			return cli_usage("--%s %s: %s", c == 'o' ? "owner" : c == 'm' ? "mode" : c == 'S' ? "shell" :
					 c == 'E' ? "epoch" : c == 'N' ? "seq" : "as-of", optarg, why);
	}
	if (on_record.state != NULL && (on_record.rev == NULL || on_record.content_hash == NULL))
		return cli_usage("--state: --rev and --content-hash say what is installed");
	if (argc - optind != 2 || *argv[optind] == '\0')
		return cli_usage("needs CANDIDATE and LIVE");
	in.source = in.candidate = argv[optind];
	in.live = argv[optind + 1];
	rc = install(&in);
	if (rc == EX_OK && !dry)
		rc = installed_done(&on_record, in.live, (uint64_t)in.st.st_size, data_at(&in));
	installed_end(&on_record);
	if (rc == EX_OK)
		answer(&in);
	end_lease(&in);
	if (in.fd >= 0 && in.fd != in.lock)
		close(in.fd);
	file_unclaim(in.tmp, in.lock);
	return shell_end(&shell, cli_close(rc));
}
