#include "lib/std.h"

#include <errno.h>
#include <sys/stat.h>

#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/sqlite/change.h"
#include "lib/sqlite/live.h"
#include "lib/sqlite/place.h"
#include "lib/stop.h"

#define CHUNK (256u << 10)
#define NOTE_MAX 4096
#define NOTE_SCHEMA 1

int place_digest(int fd, const char *name, struct place *p)
{
	uint32_t size = p->page_size, count = p->page_count, step = CHUNK / size, lock = live_lock_page(size, count);
	unsigned char *chunk = malloc(CHUNK);
	int rc = EX_OK;

	if (chunk == NULL) {
		msg_err(name, "out of memory");
		return EX_IOERR;
	}
	p->digest = (struct pagehash){ 0, 0 };
	for (uint32_t page = 1; rc == EX_OK && page <= count; page += step) {
		uint32_t some = count - page < step ? count - page + 1 : step;

		if (file_pread(fd, chunk, (size_t)some * size, (off_t)(page - 1) * size) != (ssize_t)((size_t)some * size)) {
			msg_errno(name, "cannot read");
			rc = EX_IOERR;
		} else if (stop_asked()) {
			msg_err(name, "interrupted");
			rc = EX_TEMPFAIL;
		}
		if (page == 1)
			chunk[18] = chunk[19] = 1;
		for (uint32_t i = 0; rc == EX_OK && i < some; i++)
			if (page + i != lock)
				pagehash_add(&p->digest, pagehash_of(chunk + (size_t)i * size, size, page + i));
	}
	free(chunk);
	return rc;
}

json *place_json(const struct place *p)
{
	char digest[PAGEHASH_TEXT], at[CLOCK_TEXT];
	json *j = json_object();

	json_put_int(j, "n", p->n);
	json_put_int(j, "epoch", p->epoch);
	json_put_str(j, "snapshot_at", clock_text(at, p->snapshot_at));
	json_put_int(j, "page_size", p->page_size);
	json_put_int(j, "page_count", p->page_count);
	json_put_str(j, "digest", pagehash_text(digest, p->digest));
	return j;
}

static bool place_parse(const json *j, struct place *p)
{
	const char *digest = json_str(j, "digest"), *at = json_str(j, "snapshot_at");
	int64_t size, count;

	if (!json_int(j, "n", 0, CHANGE_MOST, &p->n) || !json_int(j, "epoch", 0, CHANGE_MOST, &p->epoch) ||
	    !json_int(j, "page_size", 512, 65536, &size) || !json_int(j, "page_count", 1, UINT32_MAX - 1, &count) ||
	    at == NULL || clock_parse(at, &p->snapshot_at) != NULL || digest == NULL || !pagehash_parse(digest, &p->digest))
		return false;
	p->page_size = (uint32_t)size;
	p->page_count = (uint32_t)count;
	return true;
}

int note_write(const char *path, const struct note *n)
{
	json *j = json_object();
	char *text;
	int rc;

	json_put_int(j, "schema", NOTE_SCHEMA);
	json_put(j, "is", place_json(&n->is));
	if (n->has_target)
		json_put(j, "target", place_json(&n->target));
	else
		json_put_null(j, "target");
	text = json_text(j);
	rc = file_replace(path, 0644, text, strlen(text));
	free(text);
	json_free(j);
	return rc;
}

static int refuse(const char *path, const char *why)
{
	msg_err(path, "%s", why);
	return EX_DATAERR;
}

int note_read(const char *path, struct note *n)
{
	struct buf text = BUF_INIT(NOTE_MAX);
	json *j = NULL;
	int64_t schema;
	struct stat st;
	int rc;

	*n = (struct note){ .known = false };
	if (lstat(path, &st) != 0 && errno == ENOENT)
		return EX_OK;
	rc = file_slurp(path, &text);
	if (rc == EX_OK)
		j = json_parse(buf_text(&text), text.len);
	if (rc == EX_OK && (j == NULL || !json_int(j, "schema", 1, CHANGE_MOST, &schema)))
		rc = refuse(path, "not a note of db-apply");
	else if (rc == EX_OK && schema != NOTE_SCHEMA)
		rc = refuse(path, "was written by a newer version of these programs");
	else if (rc == EX_OK && !place_parse(json_get(j, "is"), &n->is))
		rc = refuse(path, "does not say which state its file is");
	if (rc == EX_OK)
		n->known = true;
	if (rc == EX_OK && json_is_object(json_get(j, "target"))) {
		n->has_target = place_parse(json_get(j, "target"), &n->target);
		if (!n->has_target)
			rc = refuse(path, "does not say which state its file becomes");
	}
	json_free(j);
	buf_free(&text);
	return rc;
}
