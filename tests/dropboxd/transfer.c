/* transfer.c - bytes out (download) and in (the body of every upload style call). */
#include "lib/std.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "lib/msg.h"
#include "tests/dropboxd/dropboxd.h"

/* ---- download ---- */

/*
 * `bytes=A-B`, `bytes=A-`, `bytes=-N`: 1 with the part of a file of `size`; 0 there is no range
 * that we understand, all is served; -1 it lies outside.
 */
static int range_of(const char *s, uint64_t size, uint64_t *from, uint64_t *n)
{
	uint64_t a, b;
	int end = 0;

	*from = 0;
	*n = size;
	if (s == NULL || strncmp(s, "bytes=", 6) != 0)
		return 0;
	s += 6;
	if (*s == '-') {
		if (sscanf(s, "-%19" SCNu64 "%n", &b, &end) < 1 || s[end] != '\0')
			return 0;
		if (b == 0 || size == 0)
			return -1;
		*n = b < size ? b : size;
		*from = size - *n;
		return 1;
	}
	if (*s < '0' || *s > '9' || sscanf(s, "%19" SCNu64 "-%n", &a, &end) < 1 || end == 0)
		return 0;
	if (s[end] == '\0') {
		b = UINT64_MAX;
	} else {
		int more = 0;

		if (s[end] < '0' || s[end] > '9'
			|| sscanf(s + end, "%19" SCNu64 "%n", &b, &more) < 1
			|| s[end + more] != '\0' || b < a)
			return 0;
	}
	if (a >= size)
		return -1;
	*from = a;
	*n = b < size ? b - a + 1 : size - a;
	return 1;
}

static void result_header(struct call *c, const struct rev *r)
{
	static const char *const names[] = { "Dropbox-Api-Result", "dropbox-api-result",
		"Dropbox-API-Result" };
	cJSON *j = meta_file(r, false);
	char *text = json_text(j, opt.style, true);

	reply_header(c, names[chance(3)], text);
	free(text);
	cJSON_Delete(j);
}

void route_download(struct call *c)
{
	const char *path = json_str(c->arg, "path", ""), *why = NULL;
	const char *pin = json_str(c->arg, "rev", NULL), *known = header(c, "If-None-Match");
	struct fault *f = c->fault;
	struct where w = { 0 };
	char text[128], etag[48];

	if (is_root(path)) {
		reply_bad(c,
			"HTTP header \"Dropbox-API-Arg\": path: The root folder is unsupported.");
		return;
	}
	store_lock();
	struct rev *r = NULL;
	if (where_read(path, &w, &why)) {
		r = pin != NULL ? rev_find(pin) : w.rev;
		if (strncmp(path, "rev:", 4) != 0 && pin == NULL
			&& (w.entry == NULL || w.entry->kind != ENTRY_FILE))
			r = NULL;
		if (r == NULL)
			why = w.entry != NULL && w.entry->kind == ENTRY_FOLDER
				? "not_file" : "not_found";
	}
	int fd = r != NULL ? blob_open(r->hash) : -1;
	store_unlock();
	where_free(&w);
	if (why != NULL || fd < 0) {
		snprintf(text, sizeof text, "path/%s", why != NULL ? why : "not_found");
		reply_error(c, text);
		return;
	}
	snprintf(etag, sizeof etag, "W/\"%s\"", r->rev);
	c->decided = true;
	reply_header(c, "Etag", etag);
	if (known != NULL && strcmp(known, etag) == 0) {
		c->reply.status = 304;
		close(fd);
		return;
	}
	int part = f != NULL && f->act == F_IGNORE_RANGE ? range_of(NULL, r->size, &c->reply.off,
		&c->reply.n) : range_of(header(c, "Range"), r->size, &c->reply.off, &c->reply.n);
	if (part < 0) {
		/* which of the two the real service sends is not recorded: be ready for both */
		close(fd);
		if (chance(2)) {
			reply_error(c, "range/not_satisfiable");
		} else {
			reply_text(c, 416, "text/plain; charset=utf-8",
				"Requested Range Not Satisfiable");
			snprintf(text, sizeof text, "bytes */%" PRIu64, r->size);
			reply_header(c, "Content-Range", text);
		}
		return;
	}
	c->reply.fd = fd;
	c->reply.status = part ? 206 : 200;
	c->reply.type = "application/octet-stream";
	reply_header(c, "Accept-Ranges", "bytes");
	reply_header(c, "Cache-Control", "no-cache");
	snprintf(text, sizeof text, "%" PRIu64, r->size);
	reply_header(c, "Original-Content-Length", text);
	if (f == NULL || f->act != F_NO_RESULT)
		result_header(c, r);
	if (f != NULL && f->act != F_NONE && !f->apply)
		f->in_body = fault_spot(f, c->reply.off, c->reply.n);
	if (f != NULL && f->act == F_TRUNCATE && f->in_body >= 0
		&& (uint64_t)f->in_body < c->reply.n) {
		c->reply.n = (uint64_t)f->in_body;
		f->in_body = -1;
	}
	if (part) {
		uint64_t from = c->reply.off, to = from + c->reply.n - 1, size = r->size;

		if (f != NULL && f->act == F_WRONG_RANGE) {
			from += strcmp(f->kind, "wrong-content-range") == 0;
			size += strcmp(f->kind, "wrong-total") == 0;
		}
		snprintf(text, sizeof text, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, from, to,
			size);
		if (f == NULL || strcmp(f->kind, "no-content-range") != 0)
			reply_header(c, "Content-Range", text);
	}
}

/* ---- the body of an upload ---- */

void sink_open(struct call *c, int fd, const char *tmp)
{
	c->sink.fd = fd;
	if (tmp != NULL)
		snprintf(c->sink.tmp, sizeof c->sink.tmp, "%s", tmp);
	if (c->sink.hash.block == NULL)
		chash_init(&c->sink.hash);
	if (c->sink.own)
		chash_init(&c->sink.piece);
}

void sink_write(struct call *c, const char *p, size_t n)
{
	struct sink *s = &c->sink;
	off_t at = (off_t)(s->base + c->got);

	/* who was overtaken must not write over what its successor wrote */
	if (s->fd < 0 || s->failed || session_overtaken(s))
		return;
	chash_add(&s->hash, p, n);
	if (s->own)
		chash_add(&s->piece, p, n);
	while (n > 0) {
		ssize_t w = pwrite(s->fd, p, n, at);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0) {
			msg_errno(s->tmp, "cannot write");
			s->failed = true;
			return;
		}
		p += w;
		at += w;
		n -= (size_t)w;
	}
}

bool sink_hash_ok(struct call *c)
{
	const char *want = json_str(c->arg, "content_hash", NULL);
	char got[HEX_HASH];

	if (want == NULL)
		return true;
	chash_hex(
		c->sink.own ? &c->sink.piece : &c->sink.hash, c->sink.own ? 0 : c->sink.skip, got);
	return strcmp(want, got) == 0;
}

/* ---- upload in one request ---- */

void upload_begin(struct call *c)
{
	char name[40];

	if (is_root(json_str(c->arg, "path", "/"))) {
		reply_bad(c,
			"HTTP header \"Dropbox-API-Arg\": path: The root folder is unsupported.");
		return;
	}
	int fd = tmp_open(name);
	if (fd < 0)
		c->sink.failed = true;
	else
		sink_open(c, fd, name);
}

void route_upload(struct call *c)
{
	struct commit ci;
	char hash[HEX_HASH], tags[80];
	const char *why;

	if (!sink_hash_ok(c)) {
		reply_error(c, "content_hash_mismatch");
		return;
	}
	chash_hex(&c->sink.hash, 0, hash);
	commit_from(&ci, c->arg);
	store_lock();
	struct rev *r =
		store_commit(json_str(c->arg, "path", ""), &ci, c->sink.tmp, c->got, hash, &why);
	store_unlock();
	if (r != NULL) {
		c->sink.tmp[0] = '\0';
		reply_json(c, 200, meta_file(r, false));
	} else {
		snprintf(tags, sizeof tags, "path/%s", why);
		reply_error(c, tags);
	}
}
