#include "lib/std.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/installed.h"
#include "lib/msg.h"

#define RECORD_MAX ((size_t)64 << 10)
#define STAMP_TEXT 128
#define LOCK_WAIT_MS 60000	/* it is held for moments */

/* name in the state directory; false when that is too long a path (reported). */
static bool in_state(const struct installed *i, const char *name, char path[PATH_MAX])
{
	if (snprintf(path, PATH_MAX, "%s/%s", i->state, name) < PATH_MAX)
		return true;
	msg_err(i->state, "too long a path");
	return false;
}

/* What is no role at all was judged before: it is only that a failover must not be overtaken. */
static bool is_active(const char *role)
{
	struct buf text = BUF_INIT(256);
	bool active = false;

	if (access(role, F_OK) == 0 && file_slurp(role, &text) == EX_OK)
		active = strncmp(buf_text(&text), "active", 6) == 0 && strchr(" \t\r\n", buf_text(&text)[6]) != NULL;
	buf_free(&text);
	return active;
}

int installed_begin(struct installed *i)
{
	struct buf text = BUF_INIT(RECORD_MAX);
	char path[PATH_MAX];
	int rc;

	i->lock = -1;
	if (i->state == NULL)
		return EX_OK;
	rc = in_state(i, "role.lock", path) ? file_lock_at(path, LOCK_WAIT_MS, &i->lock) : EX_CANTCREAT;
	if (rc == EX_OK && in_state(i, "role", path) && is_active(path)) {
		msg_err(path, "this host has begun to serve; its database stays");
		rc = EX_CANTCREAT;
	}
	/* a record that is damaged is none */
	if (rc == EX_OK && in_state(i, "installed.json", path) && access(path, F_OK) == 0 && file_slurp(path, &text) == EX_OK)
		i->before = json_parse(buf_text(&text), text.len);
	if (!json_is_object(i->before)) {
		json_free(i->before);
		i->before = NULL;
	}
	buf_free(&text);
	return rc;
}

/* A write changes the times, and what is put in its place has another inode. */
static char *stamp(char text[STAMP_TEXT], const struct stat *st)
{
	snprintf(text, STAMP_TEXT, "%llu.%lld.%lld.%09ld.%lld.%09ld", (unsigned long long)st->st_ino, (long long)st->st_size,
		 (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec, (long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
	return text;
}

bool installed_stamp_is(const struct installed *i, const struct stat *st)
{
	const char *was = json_str(i->before, "stamp");
	char is[STAMP_TEXT];

	return was != NULL && strcmp(stamp(is, st), was) == 0;
}

bool installed_hash_is(const struct installed *i, const char *content_hash)
{
	static const char *const members[] = { "content_hash", "next_content_hash" };

	for (size_t k = 0; k < sizeof members / sizeof *members; k++) {
		const char *hash = json_str(i->before, members[k]);

		if (hash != NULL && strcmp(hash, content_hash) == 0)
			return true;
	}
	return false;
}

/* Takes j. */
static int write_record(const struct installed *i, json *j)
{
	char *text = json_text(j);
	struct buf line = BUF_INIT(RECORD_MAX);
	char path[PATH_MAX];
	int rc = EX_CANTCREAT;

	if (buf_adds(&line, text) != 0 || buf_adds(&line, "\n") != 0)
		msg_err(i->state, "a record of more than 64 KiB");
	else if (in_state(i, "installed.json", path))
		rc = file_replace(path, 0644, line.data, line.len);
	buf_free(&line);
	free(text);
	json_free(j);
	return rc;
}

int installed_next(struct installed *i)
{
	json *j;

	if (i->state == NULL)
		return EX_OK;
	j = i->before != NULL ? json_copy(i->before) : json_object();
	if (i->before == NULL)
		json_put_int(j, "schema", 1);
	json_remove(j, "next_content_hash");
	json_put_str(j, "next_content_hash", i->content_hash);
	return write_record(i, j);
}

static void put_number(json *j, const char *name, int64_t number)
{
	if (number >= 0)
		json_put_int(j, name, number);
	else
		json_put_null(j, name);
}

int installed_done(struct installed *i, const char *live, const char *real, int64_t data_at)
{
	const char *hash = json_str(i->before, "content_hash"), *verified = i->verified;
	char data[CLOCK_TEXT], now[CLOCK_TEXT], path[PATH_MAX], text[STAMP_TEXT];
	struct stat st;
	json *j;
	int rc;

	if (i->state == NULL)
		return EX_OK;
	if (lstat(real, &st) != 0) {
		msg_errno(live, "cannot look at what was installed");
		return EX_IOERR;
	}
	if (verified == NULL && hash != NULL && strcmp(hash, i->content_hash) == 0)
		verified = json_str(i->before, "verified_by");
	j = json_object();
	json_put_int(j, "schema", 1);
	put_number(j, "epoch", i->epoch);
	put_number(j, "seq", i->seq);
	put_number(j, "n", i->n);
	json_put_str(j, "rev", i->rev);
	json_put_int(j, "size", (int64_t)st.st_size);
	json_put_str(j, "content_hash", i->content_hash);
	json_put_str(j, "snapshot_at", clock_text(data, data_at));
	json_put_str(j, "installed_at", clock_text(now, clock_wall()));
	json_put_str(j, "verified_by", verified != NULL ? verified : "unknown");
	json_put_str(j, "path", live);
	json_put_str(j, "stamp", stamp(text, &st));
	rc = write_record(i, j);
	if (rc == EX_OK && (!in_state(i, "data-of", path) || (unlink(path) != 0 && errno != ENOENT))) {
		msg_errno(path, "cannot remove");
		rc = EX_IOERR;
	}
	return rc;
}

void installed_end(struct installed *i)
{
	json_free(i->before);
	i->before = NULL;
	if (i->lock >= 0)
		close(i->lock);
	i->lock = -1;
}
