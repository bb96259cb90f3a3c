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

/* Does the file role say `active`? An unreadable one was judged before; this asks again only lest a failover be overtaken. */
static bool is_active(const char *role)
{
	struct buf text = BUF_INIT(256);
	bool active = false;

	if (access(role, F_OK) == 0 && file_slurp(role, &text) == EX_OK)
		active = strncmp(buf_text(&text), "active", 6) == 0 && strchr(" \t\r\n", buf_text(&text)[6]) != NULL;
	buf_free(&text);
	return active;
}

json *installed_read(const char *state)
{
	struct buf text = BUF_INIT(RECORD_MAX);
	char path[PATH_MAX];
	json *j = NULL;

	if (snprintf(path, sizeof path, "%s/installed.json", state) < (int)sizeof path && access(path, F_OK) == 0 &&
	    file_slurp(path, &text) == EX_OK)
		j = json_parse(buf_text(&text), text.len);
	buf_free(&text);
	if (!json_is_object(j)) {
		json_free(j);
		j = NULL;
	}
	return j;
}

int installed_begin(struct installed *i)
{
	char path[PATH_MAX];
	int rc;

	i->lock = -1;
	if (i->state == NULL)
		return EX_OK;
	rc = in_state(i, "role.lock", path) ? file_lock_at(path, LOCK_WAIT_MS, &i->lock) : EX_CANTCREAT;
	if (rc == EX_OK && in_state(i, "role", path) && is_active(path)) {
		msg_err(path, "this host has begun to serve; what it serves stays");
		rc = EX_CANTCREAT;
	}
	/* a record that is damaged is none */
	if (rc == EX_OK)
		i->before = installed_read(i->state);
	return rc;
}

/* A write changes the times, and what is put in its place has another inode. */
static char *stamp(char text[STAMP_TEXT], const struct stat *st)
{
	snprintf(text, STAMP_TEXT, "%llu.%lld.%lld.%09ld.%lld.%09ld", (unsigned long long)st->st_ino, (long long)st->st_size,
		 (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec, (long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
	return text;
}

/* How much of a stamp is inode, size and time of the content. */
static size_t content_part(const char *text)
{
	size_t len = 0;

	for (int dots = 0; text[len] != '\0'; len++)
		if (text[len] == '.' && ++dots == 4)
			break;
	return len;
}

static bool has_stamp(const json *entry, const struct stat *st, bool exactly)
{
	const char *was = json_str(entry, "stamp");
	char is[STAMP_TEXT];
	size_t len;

	if (was == NULL)
		return false;
	stamp(is, st);
	len = content_part(is);
	return exactly ? strcmp(is, was) == 0 : content_part(was) == len && strncmp(is, was, len) == 0;
}

static const json *find_entry(const json *record, const struct stat *st, bool exactly)
{
	static const char *const others[] = { "next", "previous" };

	if (has_stamp(record, st, exactly))
		return record;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (has_stamp(json_get(record, others[i]), st, false))
			return json_get(record, others[i]);
	return NULL;
}

const json *installed_entry(const json *record, const struct stat *st)
{
	return find_entry(record, st, st->st_nlink == 1);
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

static int64_t number_of(const json *entry, const char *name)
{
	int64_t number;

	return json_int(entry, name, 0, INT64_C(1) << 53, &number) ? number : -1;
}

int installed_recall(struct installed *i, const char *path, const struct stat *st)
{
	const json *entry = installed_entry(i->before, st);
	const char *at = json_str(entry, "snapshot_at");

	i->rev = json_str(entry, "rev");
	i->content_hash = json_str(entry, "content_hash");
	i->digest = json_str(entry, "digest");
	i->verified = json_str(entry, "verified_by");
	if ((i->content_hash == NULL && i->digest == NULL) || at == NULL || clock_parse(at, &i->data_at) != NULL) {
		msg_err(path, "is not on record as it is");
		return EX_DATAERR;
	}
	i->epoch = number_of(entry, "epoch");
	i->seq = number_of(entry, "seq");
	i->n = number_of(entry, "n");
	return EX_OK;
}

static void put_number(json *j, const char *name, int64_t number)
{
	if (number >= 0)
		json_put_int(j, name, number);
	else
		json_put_null(j, name);
}

/* The entry of the file that is installed, or is about to be; st is of that file. */
static void put_entry(json *j, const struct installed *i, const struct stat *st)
{
	const char *hash = json_str(i->before, "content_hash"), *verified = i->verified;
	char data[CLOCK_TEXT], text[STAMP_TEXT];

	if (verified == NULL && hash != NULL && i->content_hash != NULL && strcmp(hash, i->content_hash) == 0)
		verified = json_str(i->before, "verified_by");
	put_number(j, "epoch", i->epoch);
	put_number(j, "seq", i->seq);
	put_number(j, "n", i->n);
	json_put_text(j, "rev", i->rev);
	json_put_int(j, "size", (int64_t)st->st_size);
	json_put_text(j, "content_hash", i->content_hash);
	json_put_text(j, "digest", i->digest);
	json_put_str(j, "snapshot_at", clock_text(data, i->data_at));
	json_put_str(j, "verified_by", verified != NULL ? verified : "unknown");
	json_put_str(j, "stamp", stamp(text, st));
}

int installed_next(struct installed *i, const struct stat *st)
{
	json *j, *next;

	if (i->state == NULL)
		return EX_OK;
	j = i->before != NULL ? json_copy(i->before) : json_object();
	if (i->before == NULL)
		json_put_int(j, "schema", 1);
	json_remove(j, "next_content_hash");
	json_remove(j, "next");
	json_put_text(j, "next_content_hash", i->content_hash);
	next = json_object();
	put_entry(next, i, st);
	json_put(j, "next", next);
	return write_record(i, j);
}

/* The entry `previous`: what the record knew of the file at prev, which was the live one until now. */
static void put_previous(json *j, const struct installed *i, const char *prev)
{
	json *previous = NULL;
	char text[STAMP_TEXT];
	struct stat st;

	if (lstat(prev, &st) == 0 && find_entry(i->before, &st, false) != NULL) {
		previous = json_copy(find_entry(i->before, &st, false));
		for (const char *const *name = (const char *const[]){ "schema", "path", "stamp", "next_content_hash", "next", "previous",
								      NULL }; *name != NULL; name++)
			json_remove(previous, *name);
		json_put_str(previous, "stamp", stamp(text, &st));
	}
	if (previous != NULL)
		json_put(j, "previous", previous);
	else
		json_put_null(j, "previous");
}

int installed_done(struct installed *i, const char *live, const char *real, const char *prev)
{
	char now[CLOCK_TEXT], path[PATH_MAX];
	struct stat st;
	json *j;
	int rc;

	if (i->state == NULL)
		return EX_OK;
	if (lstat(real, &st) != 0) {
		msg_errno(live, "cannot look at what was installed");
		return EX_IOERR;
	}
	j = json_object();
	json_put_int(j, "schema", 1);
	put_entry(j, i, &st);
	json_put_str(j, "installed_at", clock_text(now, clock_wall()));
	json_put_str(j, "path", live);
	put_previous(j, i, prev);
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
