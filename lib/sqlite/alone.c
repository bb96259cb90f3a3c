#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/exits.h"
#include "lib/msg.h"
#include "lib/sqlite/alone.h"
#include "lib/sqlite/holders.h"

#define HINT "stop what has it open; db-install never does"

int alone_look(struct alone *a)
{
	struct holders h;
	int rc = holders_find(a->path, &h);

	if (rc != EX_OK)
		return rc;
	if (h.count > 0) {
		msg_err(a->object, "in use by %s", h.who);
		msg_hint(HINT);
		return EX_CANTCREAT;
	}
	/* to turn off WAL mode SQLite needs to be alone, whoever can be seen */
	if (!h.all_seen && a->all_seen)
		msg_info("%s: other users' processes cannot be seen, their locks can: nobody has one", a->object);
	a->all_seen = h.all_seen;
	return EX_OK;
}

bool alone_has(int fd)
{
	/* the default action of the signal that somebody waits is to end this process */
	signal(SIGIO, SIG_IGN);
	if (fcntl(fd, F_SETLEASE, F_WRLCK) != 0)
		return false;
	fcntl(fd, F_SETLEASE, F_UNLCK);
	return true;
}

/* EX_OK; EX_TEMPFAIL when somebody has it open, or EX_UNAVAILABLE without a lease; EX_CANTCREAT, reported. */
static int take_lease(struct alone *a, const struct stat *st)
{
	struct stat now;
	int why;

	signal(SIGIO, SIG_IGN);
	a->lease = open(a->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	/* a file that this user may not read he may replace all the same */
	if (a->lease < 0 && errno == EACCES)
		return EX_UNAVAILABLE;
	if (a->lease < 0 || fstat(a->lease, &now) != 0 || now.st_dev != st->st_dev || now.st_ino != st->st_ino) {
		msg_err(a->object, "was replaced meanwhile");
		return EX_CANTCREAT;
	}
	if (fcntl(a->lease, F_SETLEASE, F_WRLCK) == 0)
		return EX_OK;
	why = errno;
	alone_end(a);
	if (why == EAGAIN)
		return EX_TEMPFAIL;
	msg_info("%s: no lease on it (%s): that nobody has it open is what its locks and the visible processes say", a->object,
		 strerror(why));
	return EX_UNAVAILABLE;
}

int alone_lease(struct alone *a, const struct stat *st)
{
	int rc = take_lease(a, st), seen;

	if (rc == EX_OK || rc == EX_CANTCREAT)
		return rc;
	/* this names the holder, if there is one; a process that only copies the file lets go of it */
	seen = alone_look(a);
	if (seen != EX_OK || rc == EX_UNAVAILABLE)
		return seen;
	rc = take_lease(a, st);
	if (rc == EX_TEMPFAIL) {
		msg_err(a->object, "in use by a process that cannot be seen");
		msg_hint(HINT);
		rc = EX_CANTCREAT;
	}
	return rc == EX_UNAVAILABLE ? EX_OK : rc;
}

int alone_lend(int fd, const char *object)
{
	if (fcntl(fd, F_SETSIG, SIGTERM) == 0 && fcntl(fd, F_SETLEASE, F_RDLCK) == 0)
		return EX_OK;
	if (errno == EAGAIN) {
		msg_err(object, "is open for writing");
		return EX_TEMPFAIL;
	}
	msg_info("%s: no lease on it (%s): who wants it waits for its copy", object, strerror(errno));
	return EX_OK;
}

bool alone_is_wanted(const struct alone *a)
{
	return a->lease >= 0 && fcntl(a->lease, F_GETLEASE) != F_WRLCK;
}

void alone_end(struct alone *a)
{
	if (a->lease >= 0)
		close(a->lease);
	a->lease = -1;
}
