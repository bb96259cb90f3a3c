#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cli.h"
#include "lib/copy.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/rights.h"
#include "lib/sqlite/exchange.h"
#include "lib/sqlite/holders.h"
#include "lib/sqlite/sqlite.h"
#include "lib/stop.h"

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

int64_t exchange_data_at(const struct exchange *x)
{
	return x->wish->as_of != INT64_MIN ? x->wish->as_of : (int64_t)x->st.st_mtim.tv_sec;
}

/* ---- what is there ---- */

int exchange_candidate(struct exchange *x)
{
	struct sqlite_header header;
	struct holders h;
	int rc;

	x->fd = open(x->candidate, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (x->fd < 0 && errno == ELOOP) {
		msg_err(x->candidate, "a symbolic link");
		return EX_NOINPUT;
	}
	if (x->fd < 0 || fstat(x->fd, &x->st) != 0) {
		msg_errno(x->candidate, "cannot open");
		return EX_NOINPUT;
	}
	if (!S_ISREG(x->st.st_mode)) {
		msg_err(x->candidate, "not a regular file");
		return EX_NOINPUT;
	}
	x->from_prev = keep_is(x->names.prev, &x->st);
	if (x->from_prev && x->wish->keep)
		return cli_usage("%s: changes places with the live one, it cannot be kept", x->candidate);
	if (keep_is(x->names.work, &x->st) || keep_is(x->names.prev_tmp, &x->st))
		return cli_usage("%s: is a name for unfinished work", x->candidate);
	/* of LIVE itself, link() made the second name of a run that was killed: that is for exchange_live */
	if (x->st.st_nlink != 1 && !x->wish->keep && !keep_is(x->names.live, &x->st)) {
		msg_err(x->candidate, "has %lu names: under another one it could be changed", (unsigned long)x->st.st_nlink);
		return EX_DATAERR;
	}
	if (keep_is(x->names.live, &x->st))
		return EX_OK;
	rc = sqlite_header_read(x->fd, x->candidate, &header);
	if (rc != EX_OK)
		return rc;
	if (sqlite_no_side_files(x->candidate) != EX_OK) {
		msg_hint("its content may be in there: db-snapshot makes a copy that is complete by itself");
		return EX_DATAERR;
	}
	if (alone_has(x->fd))
		return EX_OK;
	rc = holders_find(x->candidate, &h);
	if (rc == EX_OK && h.count > 0) {
		msg_err(x->candidate, "in use by %s", h.who);
		rc = EX_CANTCREAT;
	}
	return rc;
}

int exchange_live(struct exchange *x)
{
	int rc = keep_look(&x->names, x->live, &x->old);

	x->have_old = rc == EX_OK;
	if (rc == EX_NOINPUT) {
		if (x->wish->quarantine || sqlite_no_side_files(x->live) == EX_OK)
			return EX_OK;
		msg_hint("of a database that is gone; --quarantine puts it aside");
		return EX_CANTCREAT;
	}
	if (rc == EX_OK && keep_is_linked(&x->names, &x->old) && !x->wish->quarantine) {
		msg_err(x->live, "has %lu names: SQLite would look for its journal under another one",
			(unsigned long)x->old.st_nlink);
		return EX_CANTCREAT;
	}
	return rc;
}

static bool is_alike(const struct exchange *x)
{
	bool same = false;
	int fd;

	if (!x->have_old || same_file(&x->st, &x->old))
		return x->have_old;
	if (x->wish->quick || x->st.st_size != x->old.st_size || retire_has_side_files(x->names.live))
		return false;
	fd = open(x->names.live, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0) {
		same = copy_is_same(x->fd, fd, (uint64_t)x->st.st_size);
		close(fd);
	}
	return same;
}

void exchange_compare(struct exchange *x)
{
	x->alike = is_alike(x);
	/* only its owner can set a file's mode and time: for another user it is replaced all the same */
	x->same = x->alike && (geteuid() == 0 || x->old.st_uid == geteuid() || same_file(&x->st, &x->old));
}

/* ---- the new one ---- */

int exchange_dress(const struct exchange *x, int fd)
{
	const struct stat *like = &x->old;
	struct rights r = { .uid = x->wish->owner, .gid = x->wish->group, .mode = x->wish->mode, .like = x->have_old ? x->names.live : NULL,
			    .share = x->wish->owner == RIGHTS_UID_KEEP };
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, x->st.st_mtim };
	struct stat dir;
	int rc;

	/* the first one belongs to whom its directory belongs; only root can give files away */
	if (!x->have_old) {
		if (stat(x->names.dir, &dir) != 0)
			dir.st_uid = RIGHTS_UID_KEEP, dir.st_gid = RIGHTS_GID_KEEP;
		else if (geteuid() != 0)
			dir.st_uid = RIGHTS_UID_KEEP, dir.st_gid = x->wish->group_writes ? dir.st_gid : RIGHTS_GID_KEEP;
		dir.st_mode = 0640;
		like = &dir;
	}
	if (r.uid == RIGHTS_UID_KEEP)
		r.uid = like->st_uid;
	if (r.gid == RIGHTS_GID_KEEP)
		r.gid = like->st_gid;
	if (r.mode == (mode_t)-1)
		r.mode = (like->st_mode & 0777) | (x->wish->group_writes ? 060 : 0);
	rc = rights_apply(fd, x->live, &r);
	if (rc != EX_OK)
		return rc;
	if (x->wish->as_of != INT64_MIN)
		times[1] = (struct timespec){ .tv_sec = (time_t)x->wish->as_of };
	/* of another's file the record alone has the time */
	if (futimens(fd, times) != 0 && (errno != EPERM || !x->wish->on_record)) {
		msg_errno(x->live, "cannot set its time");
		return errno == EPERM ? EX_NOPERM : EX_IOERR;
	}
	if (fsync(fd) != 0) {
		msg_errno(x->live, "cannot write it to disk");
		return EX_IOERR;
	}
	return EX_OK;
}

int exchange_nothing(struct exchange *x, bool copy)
{
	int fd = open(x->names.live, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), rc = EX_CANTCREAT;
	struct stat st;

	if (fd < 0)
		msg_errno(x->live, "cannot open");
	else if (fstat(fd, &st) != 0 || !same_file(&st, &x->old))
		msg_err(x->live, "was replaced meanwhile");
	/* another member of the group, who may set nothing of it: there is nothing to set */
	else if (same_file(&x->st, &x->old) && geteuid() != 0 && st.st_uid != geteuid() && st.st_mtim.tv_sec == exchange_data_at(x))
		rc = EX_OK;
	else
		rc = exchange_dress(x, fd);
	if (fd >= 0)
		close(fd);
	if (rc == EX_OK && !copy && !x->from_prev && !same_file(&x->st, &x->old))
		unlink(x->candidate);
	return rc;
}

/* ---- the old one ---- */

int exchange_put_away(struct exchange *x)
{
	/* with a second name (only --quarantine comes here so) its journal may be under that one: SQLite is not asked */
	bool aside = x->have_old ? keep_is_linked(&x->names, &x->old) : retire_has_side_files(x->names.live);
	int rc = EX_OK;

	if (x->have_old && !aside)
		rc = retire_database(x->names.live, x->live);
	if (rc == EX_DATAERR && !x->wish->quarantine)
		msg_hint("--quarantine puts it aside with all its files and installs the new one");
	if (rc == EX_DATAERR && x->wish->quarantine)
		aside = true;
	else if (rc != EX_OK)
		return rc;
	if (aside)
		rc = retire_aside(x->names.live, x->aside);
	x->put_aside = aside && rc == EX_OK;
	return aside ? rc : EX_OK;
}

/* ---- the two ---- */

/* LIVE and the file other change places; without other LIVE is replaced. */
static int take_name(struct exchange *x, const char *other)
{
	int rc;

	if (x->source == x->candidate && !keep_is(x->candidate, &x->st)) {
		msg_err(x->candidate, "was replaced meanwhile");
		return EX_CANTCREAT;
	}
	if (other != NULL)
		rc = renameat2(AT_FDCWD, other, AT_FDCWD, x->names.live, RENAME_EXCHANGE);
	else if (x->have_old)
		rc = rename(x->source, x->names.live);
	else	/* an application that started now has made an empty one */
		rc = renameat2(AT_FDCWD, x->source, AT_FDCWD, x->names.live, RENAME_NOREPLACE);
	if (rc != 0) {
		rc = file_write_status(errno);
		msg_errno(x->live, "cannot replace");
		return rc;
	}
	if (file_sync_parent(x->names.live) != 0) {
		msg_errno(x->live, "installed, but its directory cannot be written to disk");
		return EX_IOERR;
	}
	return EX_OK;
}

/* A process that opened the old database in the last instant would read old data, and lose its writes. */
static int nobody_has_old(struct exchange *x)
{
	const char *old = x->put_aside ? x->aside : x->kept_as != NULL ? x->kept_as : x->alike ? x->source : NULL;
	bool wanted = alone_is_wanted(&x->alone), alone = x->alone.lease >= 0 && !wanted;
	struct holders h;

	/* to look for locks the file is opened */
	alone_end(&x->alone);
	if (!x->have_old || old == NULL || alone || holders_find(old, &h) != EX_OK || (h.count == 0 && !wanted))
		return EX_OK;
	msg_err(x->live, "installed, but the old one is still open in %s", h.count > 0 ? h.who : "a process that waited for it");
	msg_hint("restart it: what it writes goes to %s", old);
	return EX_CANTCREAT;
}

/* From here on signals only set a flag that nobody looks at: it is done, or it was not begun. */
int exchange_do(struct exchange *x)
{
	/* an empty file is not worth the place of the one before */
	bool worth_keeping = x->have_old && x->old.st_size > 0 && !x->put_aside;
	const char *swap = !worth_keeping || *x->names.kept != '\0' ? NULL : x->from_prev ? x->names.prev :
			   x->alike ? x->source : NULL;
	int rc;

	/* the side files' absence has to be on disk before the new name is */
	if (sqlite_no_side_files(x->live) != EX_OK)
		return EX_CANTCREAT;
	if (file_sync_parent(x->names.live) != 0) {
		msg_errno(x->live, "cannot write its directory to disk");
		return EX_IOERR;
	}
	rc = x->have_old ? alone_lease(&x->alone, &x->old) : alone_look(&x->alone);
	if (rc == EX_OK && stop_asked()) {
		msg_err(x->live, "interrupted");
		rc = EX_TEMPFAIL;
	}
	if (rc == EX_OK && x->have_old)
		msg_info("%s: the old database is out of use%s", x->live, x->put_aside ? "" : " and in order");
	/* a database of the same content is not kept as "the one before" */
	if (rc == EX_OK && worth_keeping && swap == NULL)
		rc = keep_name(&x->names, &x->old, &x->kept_as);
	if (rc == EX_OK && alone_is_wanted(&x->alone)) {
		msg_err(x->live, "in use: a process is opening it");
		rc = EX_CANTCREAT;
	}
	if (rc == EX_OK)
		rc = take_name(x, swap);
	if (rc != EX_OK)
		return rc;
	if (swap == x->names.prev)
		x->kept_as = swap;
	msg_info("%s: installed%s%s", x->live, x->kept_as != NULL ? ", the one before is " : "",
		 x->kept_as != NULL ? x->kept_as : "");
	rc = nobody_has_old(x);
	if (rc == EX_OK && swap == x->source)
		unlink(swap);
	return rc;
}
