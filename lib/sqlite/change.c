#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/sqlite/change.h"
#include "lib/sqlite/live.h"
#include "lib/zst.h"

#define TEXT_MAX 4096		/* of the description */

static const uint32_t salt[2] = { 0x6374762d, 0x6d697272 };	/* any two numbers: the log stands alone */

char *change_path(char path[CHANGE_PATH], const struct change *c)
{
	time_t at = (time_t)c->snapshot_at;
	struct tm tm;
	char day[16], moment[24];

	gmtime_r(&at, &tm);
	strftime(day, sizeof day, "%Y%m%d", &tm);
	strftime(moment, sizeof moment, "%Y%m%dT%H%M%SZ", &tm);
	snprintf(path, CHANGE_PATH, "/changes/%s/%09lld-%s.wal.zst", day, (long long)c->n, moment);
	return path;
}

bool change_path_parse(const char *path, struct change *c)
{
	const char *name = strrchr(path, '/'), *p;
	char time[CLOCK_TEXT], again[CHANGE_PATH];
	int64_t n = 0;

	if (name == NULL)
		return false;
	for (p = ++name; *p >= '0' && *p <= '9' && n <= CHANGE_MOST; p++)
		n = n * 10 + (*p - '0');
	if (n < 1 || n > CHANGE_MOST || *p++ != '-' || strlen(p) < sizeof "20261130T123456Z" - 1)
		return false;
	snprintf(time, sizeof time, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", p, p + 4, p + 6, p + 9, p + 11, p + 13);
	c->n = n;
	return clock_parse(time, &c->snapshot_at) == NULL && strcmp(change_path(again, c), path) == 0;
}

static void put_text(json *j, const char *name, const char *text)
{
	if (*text != '\0')
		json_put_str(j, name, text);
	else
		json_put_null(j, name);
}

json *change_json(const struct change *c)
{
	char digest[PAGEHASH_TEXT], at[CLOCK_TEXT];
	json *j = json_object();

	json_put_int(j, "schema", CHANGE_SCHEMA);
	json_put_int(j, "n", c->n);
	json_put_int(j, "epoch", c->epoch);
	put_text(j, "node", c->node);
	json_put_str(j, "snapshot_at", clock_text(at, c->snapshot_at));
	json_put_int(j, "page_size", c->page_size);
	json_put_int(j, "page_count", c->page_count);
	json_put_int(j, "pages", c->pages);
	put_text(j, "digest_before", c->base ? "" : pagehash_text(digest, c->before));
	json_put_str(j, "digest", pagehash_text(digest, c->after));
	put_text(j, "parent", c->parent);
	put_text(j, "content_hash", c->content_hash);
	return j;
}

/* ---- writing ---- */

struct change_out {
	int fd;
	const char *path;
	uint32_t text_room;		/* for the description, at the beginning of the file */
	struct zst_out *z;
	struct wal_header wal;
	struct wal_mark at;
	uint32_t page_size, page_count;
	uint32_t held;			/* a page that waits for what comes after it: the last one is the commit */
	unsigned char frame[WAL_FRAME_LEN + 65536];
};

/* The description, filled up with spaces to room bytes (0 for its own length); malloc'ed. */
static char *description(const struct change *c, uint32_t room, uint32_t *len)
{
	json *j = change_json(c);
	char *text = json_text(j), *padded;
	size_t own = strlen(text);

	json_free(j);
	*len = room == 0 ? (uint32_t)own : room;
	padded = own <= *len ? malloc((size_t)*len + 1) : NULL;
	if (padded != NULL)
		snprintf(padded, (size_t)*len + 1, "%-*s", (int)*len, text);
	free(text);
	return padded;
}

/* Leaves room for the head, whose numbers are not known yet: as much as they can take at most. */
static int reserve(struct change_out *o, const struct change *c)
{
	struct change widest = *c;
	unsigned char head[ZST_SKIP_LEN];
	char *text;
	int rc = EX_OK;

	widest.pages = widest.page_count = UINT32_MAX;
	memset(widest.content_hash, '0', HASH_TEXT - 1);
	text = description(&widest, 0, &o->text_room);
	zst_skip_make(head, o->text_room);
	if (text == NULL || file_write(o->fd, head, sizeof head) != 0 || file_write(o->fd, text, o->text_room) != 0) {
		msg_errno(o->path, "cannot write");
		rc = EX_IOERR;
	}
	free(text);
	return rc;
}

struct change_out *change_begin(int fd, const char *path, const struct change *c)
{
	struct change_out *o = calloc(1, sizeof *o);

	if (o == NULL) {
		msg_err(path, "out of memory");
		return NULL;
	}
	o->fd = fd;
	o->path = path;
	o->page_size = c->page_size;
	if (reserve(o, c) != EX_OK) {
		change_out_free(o);
		return NULL;
	}
	return o;
}

void change_out_free(struct change_out *o)
{
	if (o != NULL)
		zst_out_free(o->z);
	free(o);
}

static int begin_log(struct change_out *o)
{
	unsigned char head[WAL_HEADER_LEN];

	o->z = zst_out_new(o->fd, o->path);
	if (o->z == NULL)
		return EX_IOERR;
	wal_header_make(head, o->page_size, salt, &o->wal);
	o->at = o->wal.start;
	return zst_out_add(o->z, head, sizeof head);
}

static int put_held(struct change_out *o, uint32_t commit)
{
	wal_frame_make(&o->wal, &o->at, o->frame, o->frame + WAL_FRAME_LEN, (struct wal_frame){ o->held, commit });
	return zst_out_add(o->z, o->frame, WAL_FRAME_LEN + o->page_size);
}

int change_add(struct change_out *o, uint32_t page, const unsigned char *data)
{
	int rc = o->held == 0 ? begin_log(o) : put_held(o, 0);

	o->held = page;
	memcpy(o->frame + WAL_FRAME_LEN, data, o->page_size);
	return rc;
}

int change_end(struct change_out *o, const struct change *c)
{
	uint32_t len;
	char *text;
	int rc = EX_OK;

	if (o->held != 0) {
		rc = put_held(o, c->page_count);
		if (rc == EX_OK)
			rc = zst_out_end(o->z);
	}
	if (rc != EX_OK)
		return rc;
	text = description(c, o->text_room, &len);
	if (text == NULL || file_pwrite(o->fd, text, len, ZST_SKIP_LEN) != 0) {
		msg_errno(o->path, "cannot write");
		rc = EX_IOERR;
	}
	free(text);
	return rc;
}

/* ---- reading ---- */

struct change_in {
	const char *path;
	int fd;
	struct change c;
	struct zst_in *z;		/* NULL when there is no log */
	struct wal_header wal;
	struct wal_mark at;
	uint32_t seen, last;		/* pages so far, and the number of the last one */
	unsigned char frame[WAL_FRAME_LEN + 65536];
};

static int refuse(const struct change_in *i, const char *why)
{
	msg_err(i->path, "%s", why);
	return EX_DATAERR;
}

/* A hash or null; false for anything else. */
static bool get_hash(const json *j, const char *name, char out[HASH_TEXT])
{
	const char *text = json_str(j, name);

	*out = '\0';
	if (text == NULL)
		return json_is_null(json_get(j, name));
	if (!hash_valid(text))
		return false;
	memcpy(out, text, HASH_TEXT);
	return true;
}

static bool get_u32(const json *j, const char *name, uint32_t min, uint32_t *out)
{
	int64_t v;

	if (!json_int(j, name, min, UINT32_MAX - 1, &v))
		return false;
	*out = (uint32_t)v;
	return true;
}

/* Everything that it says must make sense by itself. NULL, or what does not. */
static const char *read_description(const json *j, struct change *c)
{
	const char *at = json_str(j, "snapshot_at"), *node = json_str(j, "node");
	const char *before = json_str(j, "digest_before"), *after = json_str(j, "digest");
	int64_t schema;

	if (!json_int(j, "schema", 1, CHANGE_MOST, &schema))
		return "its description is not one of a change";
	if (schema != CHANGE_SCHEMA)
		return "was written by a newer version of these programs";
	if (!json_int(j, "n", 1, CHANGE_MOST, &c->n) || !json_int(j, "epoch", 0, CHANGE_MOST, &c->epoch))
		return "its description has no number or no epoch";
	if (at == NULL || clock_parse(at, &c->snapshot_at) != NULL)
		return "its description has no time";
	if ((node != NULL && strlen(node) >= sizeof c->node) || (node == NULL && !json_is_null(json_get(j, "node"))))
		return "its description has no name of a host";
	snprintf(c->node, sizeof c->node, "%s", node != NULL ? node : "");
	if (!get_u32(j, "page_size", 512, &c->page_size) || c->page_size > 65536 ||
	    (c->page_size & (c->page_size - 1)) != 0 || !get_u32(j, "page_count", 1, &c->page_count) ||
	    !get_u32(j, "pages", 0, &c->pages) || c->pages > c->page_count)
		return "its description has sizes that cannot be";
	c->base = before == NULL;
	if ((c->base && !json_is_null(json_get(j, "digest_before"))) || (!c->base && !pagehash_parse(before, &c->before)) ||
	    after == NULL || !pagehash_parse(after, &c->after))
		return "its description has no digest";
	if (!get_hash(j, "parent", c->parent) || !get_hash(j, "content_hash", c->content_hash))
		return "its description has a hash that is none";
	if (c->base && c->pages > 0)
		return "a base with pages";
	return NULL;
}

static int read_head(struct change_in *i)
{
	unsigned char head[ZST_SKIP_LEN];
	char text[TEXT_MAX];
	const char *why;
	uint32_t len;
	ssize_t n;
	json *j;

	n = file_read(i->fd, head, sizeof head);
	if (n == (ssize_t)sizeof head && zst_skip_parse(head, &len) && len < sizeof text)
		n = file_read(i->fd, text, len);
	else if (n >= 0)
		return refuse(i, "does not begin as a change does");
	if (n < 0) {
		msg_errno(i->path, "cannot read");
		return EX_IOERR;
	}
	if ((uint32_t)n < len)
		return refuse(i, "ends in the middle of its description");
	j = json_parse(text, (size_t)n);
	why = j == NULL ? "its description is not JSON" : read_description(j, &i->c);
	json_free(j);
	return why == NULL ? EX_OK : refuse(i, why);
}

/* The log's header; without pages there is no log. */
static int read_log_head(struct change_in *i)
{
	unsigned char head[WAL_HEADER_LEN];
	size_t got;
	int rc;

	i->z = zst_in_new(i->fd, i->path);
	if (i->z == NULL)
		return EX_IOERR;
	rc = zst_in_read(i->z, head, i->c.pages > 0 ? sizeof head : 1, &got);
	if (rc != EX_OK)
		return rc;
	if (i->c.pages == 0)
		return got == 0 ? EX_OK : refuse(i, "has a log, and no pages by its description");
	if (got < sizeof head || !wal_header_parse(head, &i->wal) || i->wal.page_size != i->c.page_size)
		return refuse(i, "its log does not begin as one");
	i->at = i->wal.start;
	return EX_OK;
}

struct change_in *change_read(int fd, const char *name, struct change *c, int *rc)
{
	struct change_in *i = calloc(1, sizeof *i);

	if (i == NULL) {
		msg_err(name, "out of memory");
		close(fd);
		*rc = EX_IOERR;
		return NULL;
	}
	i->path = name;
	i->fd = fd;
	*rc = read_head(i);
	if (*rc == EX_OK)
		*rc = read_log_head(i);
	if (*rc != EX_OK) {
		change_in_free(i);
		return NULL;
	}
	*c = i->c;
	return i;
}

struct change_in *change_open(const char *path, struct change *c, int *rc)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0) {
		msg_errno(path, "cannot open");
		*rc = errno == EACCES ? EX_NOPERM : EX_NOINPUT;
	} else if (!S_ISREG(st.st_mode)) {
		msg_err(path, "not a regular file");
		*rc = EX_NOINPUT;
	} else {
		return change_read(fd, path, c, rc);
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}

int change_next(struct change_in *i, uint32_t *page, unsigned char *data)
{
	uint32_t lock = live_lock_page(i->c.page_size, i->c.page_count);
	bool last = i->seen + 1 == i->c.pages;
	struct wal_frame f;
	unsigned char more;
	size_t got;
	int rc;

	*page = 0;
	if (i->seen == i->c.pages) {
		rc = i->c.pages > 0 ? zst_in_read(i->z, &more, 1, &got) : EX_OK;
		return rc == EX_OK && i->c.pages > 0 && got > 0 ? refuse(i, "has more than its description says") : rc;
	}
	rc = zst_in_read(i->z, i->frame, WAL_FRAME_LEN + i->c.page_size, &got);
	if (rc != EX_OK)
		return rc;
	if (got < WAL_FRAME_LEN + i->c.page_size)
		return refuse(i, "has fewer pages than its description says");
	if (!wal_frame_parse(&i->wal, &i->at, i->frame, i->frame + WAL_FRAME_LEN, &f))
		return refuse(i, "a frame of its log does not go on from the one before");
	if (f.page <= i->last || f.page > i->c.page_count || f.page == lock)
		return refuse(i, "a page of a number that cannot be");
	if (f.commit != (last ? i->c.page_count : 0))
		return refuse(i, "its log is not one transaction");
	if (f.page == 1 && memcmp(i->frame + WAL_FRAME_LEN + 18, "\1\1", 2) != 0)
		return refuse(i, "its first page is not in rollback mode");
	i->last = *page = f.page;
	i->seen++;
	memcpy(data, i->frame + WAL_FRAME_LEN, i->c.page_size);
	return EX_OK;
}

void change_in_free(struct change_in *i)
{
	if (i == NULL)
		return;
	zst_in_free(i->z);
	if (i->fd >= 0)
		close(i->fd);
	free(i);
}
