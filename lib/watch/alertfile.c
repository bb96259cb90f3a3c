#include "lib/watch/alertfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/stop.h"

static char *path_of(const char *dir, const char *key, const char *before, const char *after)
{
	char *path;

	if (asprintf(&path, "%s/%s%s%s", dir, before, key, after) < 0)
		abort();
	return path;
}

/* Was the first file written after the second, or is it alone? */
static bool is_newer(const char *first, const char *second)
{
	struct stat a, b;

	if (stat(first, &a) != 0)
		return false;
	if (stat(second, &b) != 0)
		return true;
	return a.st_mtim.tv_sec != b.st_mtim.tv_sec ? a.st_mtim.tv_sec > b.st_mtim.tv_sec : a.st_mtim.tv_nsec > b.st_mtim.tv_nsec;
}

static void read_newer(const char *path, const char *spare, struct alert *a)
{
	struct buf text = BUF_INIT(ALERT_FILE);

	if (is_newer(spare, path))
		path = spare;
	*a = (struct alert){ .state = STATE_OK };
	if (access(path, F_OK) == 0 && file_slurp(path, &text) == EX_OK &&
	    !alert_parse(buf_text(&text), text.len, a))
		msg_err(path, "not a record of an alert; it begins anew");
	buf_free(&text);
}

void alertfile_read(const struct alertplace *at, const char *key, struct alert *a)
{
	char *path = path_of(at->dir, key, "", ""), *spare = path_of(at->spare, key, "", "");

	read_newer(path, spare, a);
	free(spare);
	free(path);
}

int alertfile_open(struct alertfile *r, const struct alertplace *at, const char *key, bool wait)
{
	char *lock = path_of(at->dir, key, ".", ".lock");
	int rc = EX_OK;

	*r = (struct alertfile){ .key = key, .path = path_of(at->dir, key, "", ""),
				 .spare = path_of(at->spare, key, "", ""), .lock = -1 };
	/* reading is enough for a lock, so it may belong to another member of the group */
	r->lock = open(lock, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0660);
	if (r->lock < 0) {
		msg_errno(lock, "cannot open");
		rc = file_write_status(errno);
	} else if (flock(r->lock, LOCK_EX | (wait ? 0 : LOCK_NB)) != 0) {
		rc = EX_TEMPFAIL;
		if (wait)
			msg_errno(lock, "cannot lock");
	}
	free(lock);
	read_newer(r->path, r->spare, &r->a);
	return rc;
}

/* Into SPARE, if there can be such a directory; the group's bit comes from the one above, for a sandbox gives it to nothing. Silent without one. */
static bool save_spare(const struct alertfile *r, const char *line)
{
	char *dir = strndup(r->spare, (size_t)(strrchr(r->spare, '/') - r->spare));
	bool there = dir != NULL && (mkdir(dir, 0775) == 0 || errno == EEXIST);

	free(dir);
	return there && file_replace(r->spare, 0640, line, strlen(line)) == EX_OK;
}

int alertfile_save(struct alertfile *r)
{
	char *line = alert_write(&r->a);
	int rc = r->failed != EX_OK ? r->failed : file_replace(r->path, 0640, line, strlen(line));

	r->failed = rc;
	r->kept = rc == EX_OK || save_spare(r, line);
	/* the older one, which is passed over where it cannot go */
	if (rc == EX_OK)
		unlink(r->spare);
	free(line);
	return rc;
}

void alertfile_close(struct alertfile *r)
{
	if (r->lock >= 0)
		close(r->lock);
	free(r->path);
	free(r->spare);
}

bool alertfile_inhibited(const struct alertplace *at, const struct alert *a)
{
	bool held = false;

	for (size_t i = 0; !held && a->state != STATE_OK && i < a->inhibitor_count; i++) {
		struct alert other;

		alertfile_read(at, a->inhibitors[i], &other);
		held = other.state != STATE_OK;
		if (held)
			msg_info("held back by %s", a->inhibitors[i]);
	}
	return held;
}

static int is_key(const struct dirent *d)
{
	return alert_key_valid(d->d_name);
}

/* Every key in dir but those in without (NULL: none). */
static int each_in(const char *dir, const char *without, int (*work)(const char *key))
{
	struct dirent **names = NULL;
	int count = scandir(dir, &names, is_key, alphasort), rc = EX_OK;

	if (count < 0 && errno != ENOENT) {
		msg_errno(dir, "cannot read");
		return EX_IOERR;
	}
	for (int i = 0; i < count; i++) {
		char *other = without != NULL ? path_of(without, names[i]->d_name, "", "") : NULL;
		int one = EX_OK;

		if (other == NULL || access(other, F_OK) != 0)
			one = stop_asked() ? EX_TEMPFAIL : work(names[i]->d_name);
		rc = rc == EX_OK ? one : rc;
		free(other);
		free(names[i]);
	}
	free(names);
	return rc;
}

int alertfile_each(const struct alertplace *at, int (*work)(const char *key))
{
	int rc = each_in(at->dir, NULL, work), spare = each_in(at->spare, at->dir, work);

	return rc == EX_OK ? spare : rc;
}
