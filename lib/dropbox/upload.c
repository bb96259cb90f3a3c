#include "lib/std.h"

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/dropbox/uploadpieces.h"
#include "lib/rate.h"
#include "lib/stop.h"
#include "lib/dropbox/upload.h"

#define SESSIONS_MOST 3		/* how often a session may turn out to be gone */
#define REPAIRS_MOST 8		/* of one chunk's offset */
#define CHUNK (HASH_BLOCK / 4)	/* of a stream: with 2 MiB, curl 8.14, OpenSSL 3.5 and the pages of their libraries are more than 16 in all */

/* --- a file --- */

/* An upload. The threads share it; members that change are guarded by the lock. */
struct run {
	const struct upload *u;
	const char *local;
	int fd;
	struct pieces *pieces;
	struct progress *progress;
	struct rate rate;
	pthread_mutex_t lock;
	int rc;			/* the first error, an exit status or SESSION_GONE */
};

/* Notes the first error, which is the run's. True: this is it, and it is to be reported. */
static bool is_first(struct run *r, int rc)
{
	bool first;

	pthread_mutex_lock(&r->lock);
	first = r->rc == EX_OK;
	if (first)
		r->rc = rc;
	pthread_mutex_unlock(&r->lock);
	return first;
}

static bool ended(struct run *r)
{
	bool e;

	pthread_mutex_lock(&r->lock);
	e = r->rc != EX_OK;
	pthread_mutex_unlock(&r->lock);
	return e;
}

/* The file could not be read (error is an errno), or is not what it was. */
static int report_local(const char *local, int rc, int error)
{
	errno = error;
	if (rc == EX_DATAERR)
		msg_err(local, "changed while it was read");
	else
		msg_errno(local, "cannot read");
	return rc;
}

/* A part of the file as the body of a request. */
struct span {
	struct run *r;
	uint64_t from;
	int rc, error;		/* why it could not be read */
};

static size_t read_span(void *ctx, uint64_t at, char *buf, size_t len)
{
	struct span *s = ctx;
	ssize_t n = file_pread(s->r->fd, buf, len, (off_t)(s->from + at));

	s->error = errno;
	/* bytes that are not those that were hashed need not be sent */
	s->rc = n < 0 ? EX_IOERR : n == 0 || !pieces_unchanged(s->r->pieces) ? EX_DATAERR : EX_OK;
	if (s->rc != EX_OK || ended(s->r))
		return 0;
	progress_add(s->r->progress, (uint64_t)n);
	return (size_t)n;
}

/* Sends a piece, unless the session has just these bytes from an earlier run. False: the run has ended. */
static bool do_piece(struct run *r, struct http *h, uint64_t piece)
{
	struct span s = { .r = r, .from = piece * PIECE };
	struct body b = { .len = pieces_len(r->pieces, piece), .read = read_span, .ctx = &s };
	const char *sent = pieces_sent(r->pieces, piece);
	bool last = piece == pieces_count(r->pieces) - 1;
	struct dropbox_answer a;
	char hash[HASH_TEXT];
	int rc;

	s.rc = pieces_hash(r->pieces, piece, hash);
	s.error = errno;
	if (s.rc == EX_OK && sent != NULL) {
		progress_skip(r->progress, b.len);
		if (strcmp(hash, sent) == 0)
			return true;
		is_first(r, SESSION_GONE);
		return false;
	}
	if (s.rc == EX_OK) {
		rc = session_append(&r->u->to, h, pieces_session(r->pieces), s.from, &b, hash, last, NULL, &a);
		if (rc == EX_OK)
			pieces_note(r->pieces, piece, hash);
		else if (s.rc == EX_OK && is_first(r, rc) && rc != SESSION_GONE)
			dropbox_report(r->u->to.remote, &a);
		dropbox_answer_free(&a);
		if (s.rc == EX_OK)
			return rc == EX_OK;
	}
	if (is_first(r, s.rc))
		report_local(r->local, s.rc, s.error);
	return false;
}

static void *work(void *ctx)
{
	struct run *r = ctx;
	struct http *h = dropbox_connect(r->u->to.dropbox);
	uint64_t piece;

	if (h == NULL)
		is_first(r, EX_SOFTWARE);
	else
		http_limit_rate(h, &r->rate);
	while (!ended(r) && pieces_take(r->pieces, &piece) && do_piece(r, h, piece)) {
		if (stop_asked() && is_first(r, EX_TEMPFAIL))
			msg_err(r->u->to.remote, "interrupted");
	}
	http_free(h);
	return NULL;
}

/* A session, from where it is to the commit. EX_OK, SESSION_GONE, or an exit status (reported). */
static int run_session(struct run *r, struct http *h, const struct stat *st, struct dropbox_meta *m)
{
	pthread_t threads[UPLOAD_JOBS_MOST];
	char hash[HASH_TEXT], *id;
	unsigned started = 0;

	r->rc = EX_OK;
	if (pieces_session(r->pieces) == NULL) {
		id = session_start(&r->u->to, h, "concurrent", &r->rc);
		if (id != NULL)
			r->rc = pieces_begin(r->pieces, id);
		free(id);
	}
	if (r->rc != EX_OK)
		return r->rc;
	while (started < r->u->jobs && pthread_create(&threads[started], NULL, work, r) == 0)
		started++;
	if (started == 0)
		work(r);
	while (started > 0)
		pthread_join(threads[--started], NULL);
	/* the closing piece only when all others are acknowledged */
	if (r->rc == EX_OK)
		do_piece(r, h, pieces_count(r->pieces) - 1);
	if (r->rc == EX_OK && !pieces_unchanged(r->pieces))
		r->rc = report_local(r->local, EX_DATAERR, 0);
	if (r->rc != EX_OK)
		return r->rc;
	return session_finish(&r->u->to, h, pieces_session(r->pieces), (uint64_t)st->st_size,
			      pieces_content_hash(r->pieces, hash), (int64_t)st->st_mtime, m);
}

static int send_session(struct run *r, struct http *h, const struct stat *st, struct dropbox_meta *m)
{
	int rc = SESSION_GONE;

	for (int n = 0; rc == SESSION_GONE && n < SESSIONS_MOST; n++) {
		if (n > 0) {
			msg_info("the upload session is gone or of other bytes: beginning another");
			pieces_lost(r->pieces);
		}
		r->progress = progress_new(r->u->progress, r->local, (uint64_t)st->st_size);
		rc = run_session(r, h, st, m);
		progress_end(r->progress);
	}
	if (rc == SESSION_GONE) {
		msg_err(r->u->to.remote, "Dropbox loses every upload session");
		rc = EX_UNAVAILABLE;
	}
	return rc;
}

static int send_whole(struct run *r, struct http *h, const struct stat *st, struct dropbox_meta *m)
{
	struct span s = { .r = r };
	struct body b = { .len = (uint64_t)st->st_size, .read = read_span, .ctx = &s };
	char hash[HASH_TEXT] = "";
	int rc;

	s.rc = pieces_count(r->pieces) > 0 ? pieces_hash(r->pieces, 0, hash) : EX_OK;
	if (s.rc != EX_OK)
		return report_local(r->local, s.rc, errno);
	r->progress = progress_new(r->u->progress, r->local, b.len);
	rc = session_whole(&r->u->to, h, &b, pieces_content_hash(r->pieces, hash), (int64_t)st->st_mtime, m);
	progress_end(r->progress);
	return s.rc != EX_OK ? report_local(r->local, s.rc, s.error) : rc;
}

int upload_file(const struct upload *u, int fd, const char *local, struct dropbox_meta *m)
{
	struct run r = { .u = u, .local = local, .fd = fd, .rate = RATE_INIT(u->limit_rate) };
	struct http *h = dropbox_connect(u->to.dropbox);
	struct stat st;
	int rc = EX_SOFTWARE;
	bool resumable;

	pthread_mutex_init(&r.lock, NULL);
	if (h == NULL)
		goto out;
	http_limit_rate(h, &r.rate);
	if (fstat(fd, &st) != 0) {
		rc = report_local(local, EX_IOERR, errno);
		goto out;
	}
	rc = pieces_open(&r.pieces, fd, local, &st, u->to.remote);
	if (rc == EX_OK)
		rc = (uint64_t)st.st_size <= PIECE ? send_whole(&r, h, &st, m) : send_session(&r, h, &st, m);
	/* a commit that was refused, or wrong bytes, leave nothing to go on with; but where it was for want of room, all is there */
	resumable = rc == EX_TEMPFAIL || rc == EX_UNAVAILABLE || rc == EX_IOERR;
	if (resumable && rc != EX_IOERR && pieces_noted(r.pieces))
		msg_hint("what was sent is kept for seven days, the next run goes on from there");
	pieces_close(r.pieces, !resumable);
out:
	http_free(h);
	pthread_mutex_destroy(&r.lock);
	return rc;
}

/* --- a stream --- */

/* Appends a chunk of len bytes that belongs at offset; what had arrived in spite of a lost reply is not sent again. */
static int append_chunk(const struct upload *u, struct http *h, const char *id, uint64_t offset, const char *data,
			uint64_t len)
{
	uint64_t end = offset + len;
	int rc = EX_OK;

	for (int repairs = 0; offset < end && rc == EX_OK; repairs++) {
		struct body b = { .data = data + len - (end - offset), .len = end - offset };
		struct content_hash *ch = content_hash_new();
		struct dropbox_answer a;
		char hash[HASH_TEXT];
		uint64_t at;

		if (ch == NULL)
			abort();
		content_hash_add(ch, b.data, (size_t)b.len);
		rc = session_append(&u->to, h, id, offset, &b, content_hash_end(ch, hash), false, &at, &a);
		content_hash_free(ch);
		if (rc == SESSION_ELSEWHERE && repairs < REPAIRS_MOST) {
			offset = at;
			rc = EX_OK;
		} else if (rc == EX_OK) {
			offset = end;
		} else if (rc != SESSION_GONE) {
			rc = dropbox_report(u->to.remote, &a);
		}
		dropbox_answer_free(&a);
	}
	return rc;
}

/* Up to a chunk of fd. EX_OK with *n, or an exit status (reported). */
static int read_chunk(const struct upload *u, int fd, const char *local, char *data, size_t *n)
{
	ssize_t got = file_read(fd, data, CHUNK);

	if (stop_asked()) {
		msg_err(u->to.remote, "interrupted");
		return EX_TEMPFAIL;
	}
	*n = got > 0 ? (size_t)got : 0;
	return got < 0 ? report_local(local, EX_IOERR, errno) : EX_OK;
}

/* A sequential session: data holds the first chunk, which is full. */
static int send_chunks(const struct upload *u, struct http *h, int fd, const char *local, char *data,
		       struct dropbox_meta *m)
{
	struct content_hash *ch = content_hash_new();
	struct progress *progress = progress_new(u->progress, u->to.remote, 0);
	char hash[HASH_TEXT], *id = NULL;
	size_t n = CHUNK;
	uint64_t size = 0;
	int rc = EX_SOFTWARE;

	if (ch == NULL)
		msg_err(local, "out of memory");
	else
		id = session_start(&u->to, h, "sequential", &rc);
	while (rc == EX_OK && n > 0) {
		rc = append_chunk(u, h, id, size, data, n);
		content_hash_add(ch, data, n);
		progress_add(progress, n);
		size += n;
		if (rc == EX_OK)
			rc = read_chunk(u, fd, local, data, &n);
	}
	progress_end(progress);
	if (rc == EX_OK)
		rc = session_finish(&u->to, h, id, size, content_hash_end(ch, hash), clock_wall(), m);
	if (rc == SESSION_GONE) {
		msg_err(u->to.remote, "the upload session is gone, and %s cannot be read again", local);
		rc = EX_TEMPFAIL;
	}
	content_hash_free(ch);
	free(id);
	return rc;
}

int upload_stream(const struct upload *u, int fd, const char *local, struct dropbox_meta *m)
{
	struct rate rate = RATE_INIT(u->limit_rate);
	struct http *h = dropbox_connect(u->to.dropbox);
	struct content_hash *ch = content_hash_new();
	char *data = malloc(CHUNK), hash[HASH_TEXT];
	size_t n;
	int rc = EX_SOFTWARE;

	if (h == NULL || ch == NULL || data == NULL) {
		msg_err(local, "out of memory");
		goto out;
	}
	http_limit_rate(h, &rate);
	rc = read_chunk(u, fd, local, data, &n);
	if (rc == EX_OK && n == CHUNK) {
		rc = send_chunks(u, h, fd, local, data, m);
	} else if (rc == EX_OK) {
		content_hash_add(ch, data, n);
		rc = session_whole(&u->to, h, &(struct body){ .data = data, .len = n }, content_hash_end(ch, hash), clock_wall(), m);
	}
out:
	content_hash_free(ch);
	free(data);
	http_free(h);
	return rc;
}
