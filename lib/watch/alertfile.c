#include "lib/watch/alertfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
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

void alertfile_read(const char *dir, const char *key, struct alert *a)
{
	char *path = path_of(dir, key, "", "");
	struct buf text = BUF_INIT(ALERT_FILE);

	*a = (struct alert){ .state = STATE_OK };
	if (access(path, F_OK) == 0 && file_slurp(path, &text) == EX_OK &&
	    !alert_parse(buf_text(&text), text.len, a))
		msg_err(path, "not a record of an alert; it begins anew");
	buf_free(&text);
	free(path);
}

int alertfile_open(struct alertfile *r, const char *dir, const char *key, bool wait)
{
	char *lock = path_of(dir, key, ".", ".lock");
	int rc = EX_OK;

	*r = (struct alertfile){ .key = key, .path = path_of(dir, key, "", ""), .lock = -1 };
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
	alertfile_read(dir, key, &r->a);
	return rc;
}

int alertfile_save(const struct alertfile *r)
{
	char *line = alert_write(&r->a);
	int rc = file_replace(r->path, 0640, line, strlen(line));

	free(line);
	return rc;
}

void alertfile_close(struct alertfile *r)
{
	if (r->lock >= 0)
		close(r->lock);
	free(r->path);
}

bool alertfile_inhibited(const char *dir, const struct alert *a)
{
	bool held = false;

	for (size_t i = 0; !held && a->state != STATE_OK && i < a->inhibitor_count; i++) {
		struct alert other;

		alertfile_read(dir, a->inhibitors[i], &other);
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

int alertfile_each(const char *dir, int (*work)(const char *key))
{
	struct dirent **names = NULL;
	int count = scandir(dir, &names, is_key, alphasort), rc = EX_OK;

	if (count < 0 && errno != ENOENT) {
		msg_errno(dir, "cannot read");
		return EX_IOERR;
	}
	for (int i = 0; i < count; i++) {
		int one = stop_asked() ? EX_TEMPFAIL : work(names[i]->d_name);

		rc = rc == EX_OK ? one : rc;
		free(names[i]);
	}
	free(names);
	return rc;
}
