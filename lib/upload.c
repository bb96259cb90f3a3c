#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/journal.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/stop.h"
#include "lib/upload.h"

#define SESSIONS_MOST 3		/* how often a session may turn out to be gone */
#define REPAIRS_MOST 8		/* of one chunk's offset */
#define STALE (-1)		/* instead of an exit status: the session is gone, begin another */

/* --- the commit --- */

static json *commit_info(const struct upload *u, int64_t mtime)
{
	json *commit = json_object(), *mode;
	char time[CLOCK_TEXT];

	json_put_str(commit, "path", u->remote);
	if (u->if_rev != NULL) {
		mode = json_object();
		json_put_str(mode, ".tag", "update");
		json_put_str(mode, "update", u->if_rev);
		json_put(commit, "mode", mode);
	} else {
		json_put_str(commit, "mode", u->overwrite ? "overwrite" : "add");
	}
	json_put_bool(commit, "autorename", false);
	json_put_str(commit, "client_modified", clock_text(time, mtime));
	json_put_bool(commit, "mute", true);
	/* without it an update onto a deleted file, or of equal content, would count as won */
	json_put_bool(commit, "strict_conflict", u->if_rev != NULL);
	return commit;
}

/* Is what Dropbox has what we sent? EX_OK or EX_DATAERR (reported). */
static int confirm(const struct upload *u, const struct dropbox_meta *m, uint64_t size, const char *hash)
{
	if (m->kind == 'f' && (uint64_t)m->size == size && strcmp(m->content_hash, hash) == 0)
		return EX_OK;
	msg_err(u->remote, "Dropbox has other bytes than were sent (content_hash %s, not %s)",
		m->content_hash[0] != '\0' ? m->content_hash : "unknown", hash);
	return EX_DATAERR;
}

/*
 * What came of a commit. A lost reply or a conflict after one is resolved by looking whether our content
 * is there. EX_OK with m filled, STALE, or an exit status (reported).
 */
static int settle(const struct upload *u, struct http *h, const struct dropbox_answer *a, uint64_t size,
		  const char *hash, struct dropbox_meta *m)
{
	int rc;

	if (a->rc == EX_OK) {
		if (dropbox_meta_read(m, a->body))
			return confirm(u, m, size, hash);
		msg_err(u->remote, "the answer is not Dropbox's metadata");
		return EX_PROTOCOL;
	}
	if (a->lost && !stop_asked()) {
		rc = dropbox_metadata(u->dropbox, h, u->remote, m);
		if (rc == EX_OK && m->kind == 'f' && (uint64_t)m->size == size && strcmp(m->content_hash, hash) == 0) {
			msg_info("the reply was lost, but Dropbox has the file");
			return EX_OK;
		}
		if (rc == EX_OK)
			dropbox_meta_free(m);
	}
	if (strcmp(a->tag, "lookup_failed/not_found") == 0 || strcmp(a->tag, "lookup_failed/closed") == 0)
		return STALE;
	return dropbox_report(u->remote, a);
}

/* --- a file --- */

enum piece { TO_DO, LISTED, TAKEN, SENT };

/* One file on its way. The threads share it; what changes is under the lock. */
struct run {
	const struct upload *u;
	const char *local;
	int fd;
	uint64_t size, pieces;
	struct journal *journal;		/* NULL: no resuming, the directory cannot be written */
	char head[4608];
	char *session;
	struct progress *progress;
	pthread_mutex_t lock;
	unsigned char *state;			/* enum piece, one a piece */
	char (*listed)[HASH_TEXT];		/* the hash that a LISTED piece was sent with */
	unsigned char (*digest)[HASH_LEN];	/* of each block, known once its piece was hashed */
	int rc;					/* the first error, or STALE */
};

/* A part of the file as the body of a request. */
struct span {
	const struct run *r;
	uint64_t from;
};

static size_t read_span(void *ctx, uint64_t at, char *buf, size_t len)
{
	const struct span *s = ctx;
	ssize_t n = file_pread(s->r->fd, buf, len, (off_t)(s->from + at));

	if (n > 0) {
		progress_add(s->r->progress, (uint64_t)n);
		return (size_t)n;
	}
	if (n < 0)
		msg_errno(s->r->local, "cannot read");
	else
		msg_err(s->r->local, "became shorter while it was read");
	return 0;
}

static uint64_t piece_len(const struct run *r, uint64_t piece)
{
	uint64_t left = r->size - piece * UPLOAD_PIECE;

	return left < UPLOAD_PIECE ? left : UPLOAD_PIECE;
}

/* The digests of the piece's blocks and its own content_hash. EX_OK, or EX_IOERR (reported). */
static int hash_piece(struct run *r, uint64_t piece, char hash[HASH_TEXT])
{
	uint64_t len = piece_len(r, piece), at = piece * UPLOAD_PIECE, block = at / HASH_BLOCK, done = 0;
	struct sha256 *s = sha256_new();
	char *chunk = malloc(64 << 10);
	int rc = EX_IOERR;

	if (s == NULL || chunk == NULL) {
		msg_err(r->local, "out of memory");
		goto out;
	}
	while (done < len) {
		uint64_t in_block = HASH_BLOCK - done % HASH_BLOCK, left = len - done;
		size_t want = 64 << 10;

		want = left < want ? (size_t)left : want;
		if (file_pread(r->fd, chunk, want, (off_t)(at + done)) != (ssize_t)want) {
			msg_errno(r->local, "cannot read");
			goto out;
		}
		sha256_add(s, chunk, want);
		done += want;
		if (want == in_block || done == len)
			sha256_end(s, r->digest[block++]);
	}
	content_hash_of_blocks(r->digest[at / HASH_BLOCK], block - at / HASH_BLOCK, hash);
	rc = EX_OK;
out:
	sha256_free(s);
	free(chunk);
	return rc;
}

static json *cursor(const char *session, uint64_t offset)
{
	json *c = json_object();

	json_put_str(c, "session_id", session);
	json_put_int(c, "offset", (int64_t)offset);
	return c;
}

/* Starts a session of the kind and returns its id, malloc'ed; NULL when it failed, *rc says why (reported). */
static char *start_session(const struct upload *u, struct http *h, const char *kind, int *rc)
{
	json *arg = json_object();
	struct dropbox_call c = { .style = DROPBOX_UPLOAD, .route = "files/upload_session/start", .arg = arg };
	struct dropbox_answer a;
	const char *id;
	char *out = NULL;

	json_put_str(arg, "session_type", kind);
	dropbox_do(u->dropbox, h, &c, &a);
	id = json_str(a.body, "session_id");
	*rc = a.rc;
	if (a.rc != EX_OK) {
		dropbox_report(u->remote, &a);
	} else if (id == NULL || *id == '\0' || strlen(id) > 1024 || strpbrk(id, " \r\n") != NULL) {
		msg_err(u->remote, "the answer has no session_id");
		*rc = EX_PROTOCOL;
	} else if ((out = strdup(id)) == NULL) {
		*rc = EX_SOFTWARE;
	}
	dropbox_answer_free(&a);
	json_free(arg);
	return out;
}

/* Sends a piece; the last one closes the session. EX_OK, STALE, or an exit status (reported). */
static int send_piece(struct run *r, struct http *h, uint64_t piece, const char *hash)
{
	struct span s = { .r = r, .from = piece * UPLOAD_PIECE };
	json *arg = json_object();
	struct dropbox_call c = { .style = DROPBOX_UPLOAD, .route = "files/upload_session/append_v2", .arg = arg,
				  .body_len = piece_len(r, piece), .read = read_span, .ctx = &s };
	struct dropbox_answer a;
	bool last = piece == r->pieces - 1;
	int rc;

	json_put(arg, "cursor", cursor(r->session, s.from));
	json_put_bool(arg, "close", last);
	json_put_str(arg, "content_hash", hash);
	dropbox_do(r->u->dropbox, h, &c, &a);
	rc = a.rc;
	/* it was closed by this piece, and the reply was lost */
	if (last && a.lost && strcmp(a.tag, "closed") == 0)
		rc = EX_OK;
	else if (strcmp(a.tag, "not_found") == 0 || strcmp(a.tag, "closed") == 0)
		rc = STALE;
	else if (rc != EX_OK)
		dropbox_report(r->u->remote, &a);
	dropbox_answer_free(&a);
	json_free(arg);
	return rc;
}

/* Hashes a piece and sends it, unless the session has just these bytes from an earlier run. */
static int do_piece(struct run *r, struct http *h, uint64_t piece, bool listed)
{
	char hash[HASH_TEXT];
	int rc = hash_piece(r, piece, hash);

	if (rc != EX_OK)
		return rc;
	if (listed) {
		progress_skip(r->progress, piece_len(r, piece));
		return strcmp(hash, r->listed[piece]) == 0 ? EX_OK : STALE;
	}
	rc = send_piece(r, h, piece, hash);
	pthread_mutex_lock(&r->lock);
	if (rc == EX_OK && r->journal != NULL)
		rc = journal_add(r->journal, "piece %llu %s", (unsigned long long)piece, hash);
	pthread_mutex_unlock(&r->lock);
	return rc;
}

/* The next piece, known ones first; the last one only when closing. False when there is none for now. */
static bool take_piece(struct run *r, uint64_t *piece, bool *listed)
{
	bool found = false;

	pthread_mutex_lock(&r->lock);
	for (int want = LISTED; want >= TO_DO && !found && r->rc == EX_OK; want--) {
		for (uint64_t i = 0; i + 1 < r->pieces && !found; i++) {
			found = r->state[i] == want;
			*piece = i;
		}
		*listed = want == LISTED;
	}
	if (found)
		r->state[*piece] = TAKEN;
	pthread_mutex_unlock(&r->lock);
	return found;
}

static void end_with(struct run *r, int rc)
{
	pthread_mutex_lock(&r->lock);
	if (r->rc == EX_OK)
		r->rc = rc;
	pthread_mutex_unlock(&r->lock);
}

static void limit(const struct upload *u, struct http *h, unsigned threads)
{
	http_limit_rate(h, u->limit_rate > 0 && u->limit_rate < threads ? 1 : u->limit_rate / (threads > 0 ? threads : 1));
}

static void *work(void *ctx)
{
	struct run *r = ctx;
	struct http *h = dropbox_connect(r->u->dropbox);
	uint64_t piece;
	bool listed;

	if (h == NULL) {
		end_with(r, EX_SOFTWARE);
		return NULL;
	}
	limit(r->u, h, r->u->jobs);
	while (take_piece(r, &piece, &listed)) {
		int rc = stop_asked() ? EX_TEMPFAIL : do_piece(r, h, piece, listed);

		if (rc != EX_OK) {
			end_with(r, rc);
			break;
		}
		pthread_mutex_lock(&r->lock);
		r->state[piece] = SENT;
		pthread_mutex_unlock(&r->lock);
	}
	http_free(h);
	return NULL;
}

/* A record of the journal: `session ID` first, then `piece N HASH`. */
static int take_line(void *ctx, const char *line)
{
	struct run *r = ctx;
	const char *space;
	char number[21];
	uint64_t piece;

	if (strncmp(line, "session ", 8) == 0 && r->session == NULL && line[8] != '\0') {
		r->session = strdup(line + 8);
		return r->session != NULL ? 0 : -1;
	}
	if (strncmp(line, "piece ", 6) != 0 || r->session == NULL)
		return -1;
	line += 6;
	space = strchr(line, ' ');
	if (space == NULL || space - line >= (ptrdiff_t)sizeof number || !hash_valid(space + 1))
		return -1;
	snprintf(number, sizeof number, "%.*s", (int)(space - line), line);
	if (num_u64(number, 0, r->pieces - 1, &piece) != NULL)
		return -1;
	snprintf(r->listed[piece], HASH_TEXT, "%s", space + 1);
	r->state[piece] = LISTED;
	return 0;
}

/* `.NAME.XXXXXXXX.upload`: one for each remote path, so that two uploads of one file do not meet. */
static char *journal_name(const struct run *r)
{
	struct sha256 *s = sha256_new();
	unsigned char digest[HASH_LEN];
	char hex[HASH_TEXT], suffix[32];

	if (s == NULL)
		return NULL;
	sha256_add(s, r->u->remote, strlen(r->u->remote));
	sha256_end(s, digest);
	sha256_free(s);
	snprintf(suffix, sizeof suffix, ".%.8s.upload", hash_hex(digest, hex));
	return file_sibling(r->local, suffix);
}

static int open_journal(struct run *r)
{
	char *name = journal_name(r), *slash;
	bool fresh;
	int rc = EX_OK;

	if (name == NULL)
		return EX_SOFTWARE;
	snprintf(r->head, sizeof r->head, "upload 1 %llu %s", (unsigned long long)r->size, r->u->remote);
	/* a file in a place that cannot be written is uploaded all the same, only not resumed */
	slash = strrchr(name, '/');
	if (slash != NULL)
		*slash = '\0';
	if (faccessat(AT_FDCWD, slash == NULL ? "." : *name != '\0' ? name : "/", W_OK, AT_EACCESS) != 0) {
		msg_info("%s: its directory cannot be written, an interrupted upload will start over", r->local);
	} else {
		if (slash != NULL)
			*slash = '/';
		rc = journal_open(&r->journal, name, r->head, take_line, r, &fresh);
	}
	free(name);
	return rc;
}

/* Begins with an empty session. */
static int new_session(struct run *r, struct http *h)
{
	int rc = EX_OK;

	memset(r->state, TO_DO, r->pieces);
	free(r->session);
	r->session = start_session(r->u, h, "concurrent", &rc);
	if (rc == EX_OK && r->journal != NULL)
		rc = journal_reset(r->journal, r->head);
	if (rc == EX_OK && r->journal != NULL)
		rc = journal_add(r->journal, "session %s", r->session);
	return rc;
}

static int finish(struct run *r, struct http *h, int64_t mtime, struct dropbox_meta *m)
{
	json *arg = json_object();
	struct dropbox_call c = { .style = DROPBOX_UPLOAD, .route = "files/upload_session/finish", .arg = arg };
	struct dropbox_answer a;
	char hash[HASH_TEXT];
	int rc;

	content_hash_of_blocks(r->digest, (r->size + HASH_BLOCK - 1) / HASH_BLOCK, hash);
	json_put(arg, "cursor", cursor(r->session, r->size));
	json_put(arg, "commit", commit_info(r->u, mtime));
	dropbox_do(r->u->dropbox, h, &c, &a);
	rc = settle(r->u, h, &a, r->size, hash, m);
	dropbox_answer_free(&a);
	json_free(arg);
	return rc;
}

/* Is the file still what it was when we began? */
static int unchanged(const struct run *r, const struct stat *before)
{
	struct stat now;

	if (fstat(r->fd, &now) == 0 && now.st_size == before->st_size &&
	    now.st_mtim.tv_sec == before->st_mtim.tv_sec && now.st_mtim.tv_nsec == before->st_mtim.tv_nsec)
		return EX_OK;
	msg_err(r->local, "changed while it was read");
	return EX_DATAERR;
}

/* One session from its start (or from where an earlier run left it) to the commit. */
static int run_session(struct run *r, struct http *h, const struct stat *st, struct dropbox_meta *m)
{
	pthread_t threads[UPLOAD_JOBS_MOST];
	uint64_t last = r->pieces - 1;
	unsigned started = 0;

	r->rc = r->session != NULL ? EX_OK : new_session(r, h);
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
		r->rc = do_piece(r, h, last, r->state[last] == LISTED);
	if (r->rc == EX_OK)
		r->rc = unchanged(r, st);
	if (r->rc == EX_OK)
		r->rc = finish(r, h, (int64_t)st->st_mtime, m);
	return r->rc;
}

static int send_session(struct run *r, struct http *h, const struct stat *st, struct dropbox_meta *m)
{
	int rc = EX_SOFTWARE;

	r->pieces = (r->size + UPLOAD_PIECE - 1) / UPLOAD_PIECE;
	r->state = calloc(r->pieces, 1);
	r->listed = calloc(r->pieces, HASH_TEXT);
	r->digest = calloc(r->pieces * (UPLOAD_PIECE / HASH_BLOCK), HASH_LEN);
	if (r->state == NULL || r->listed == NULL || r->digest == NULL) {
		msg_err(r->local, "out of memory");
		return rc;
	}
	rc = open_journal(r);
	if (rc != EX_OK)
		return rc;
	rc = STALE;
	for (int n = 0; rc == STALE && n < SESSIONS_MOST; n++) {
		if (n > 0) {
			msg_info("the upload session is gone or of other bytes: beginning another");
			free(r->session);
			r->session = NULL;
		}
		r->progress = progress_new(r->u->progress, r->local, r->size);
		rc = run_session(r, h, st, m);
		progress_end(r->progress);
	}
	if (rc == STALE) {
		msg_err(r->u->remote, "Dropbox loses every upload session");
		rc = EX_UNAVAILABLE;
	}
	if (rc == EX_TEMPFAIL || rc == EX_UNAVAILABLE)
		msg_hint("what was sent is kept for seven days, the next run goes on from there");
	/* after a refused commit or wrong bytes there is nothing to go on with */
	journal_close(r->journal, rc != EX_TEMPFAIL && rc != EX_UNAVAILABLE);
	return rc;
}

/* The whole body in one request: from memory when data is given, else from the span. */
static int send_whole(const struct upload *u, struct http *h, const char *data, struct span *s, uint64_t len,
		      const char *hash, int64_t mtime, struct dropbox_meta *m)
{
	json *arg = commit_info(u, mtime);
	struct dropbox_call c = { .style = DROPBOX_UPLOAD, .route = "files/upload", .arg = arg, .body = data,
				  .body_len = len, .read = read_span, .ctx = s };
	struct dropbox_answer a;
	int rc;

	json_put_str(arg, "content_hash", hash);
	dropbox_do(u->dropbox, h, &c, &a);
	rc = settle(u, h, &a, len, hash, m);
	dropbox_answer_free(&a);
	json_free(arg);
	return rc;
}

static int send_small(struct run *r, struct http *h, const struct stat *st, struct dropbox_meta *m)
{
	struct span s = { .r = r };
	char hash[HASH_TEXT];
	int rc;

	if (content_hash_fd(r->fd, 0, r->size, hash) != EX_OK) {
		msg_errno(r->local, "cannot read");
		return EX_IOERR;
	}
	r->progress = progress_new(r->u->progress, r->local, r->size);
	rc = send_whole(r->u, h, NULL, &s, r->size, hash, (int64_t)st->st_mtime, m);
	progress_end(r->progress);
	return rc;
}

int upload_file(const struct upload *u, int fd, const char *local, struct dropbox_meta *m)
{
	struct run r = { .u = u, .local = local, .fd = fd };
	struct http *h = dropbox_connect(u->dropbox);
	struct stat st;
	int rc = EX_SOFTWARE;

	if (h == NULL)
		return rc;
	pthread_mutex_init(&r.lock, NULL);
	if (fstat(fd, &st) != 0) {
		msg_errno(local, "cannot read");
		rc = EX_IOERR;
		goto out;
	}
	r.size = (uint64_t)st.st_size;
	rc = r.size <= UPLOAD_PIECE ? send_small(&r, h, &st, m) : send_session(&r, h, &st, m);
out:
	http_free(h);
	free(r.session);
	free(r.state);
	free(r.listed);
	free(r.digest);
	pthread_mutex_destroy(&r.lock);
	return rc;
}

/* --- a stream --- */

/* Where the server wants us to be after incorrect_offset; false when the answer is something else. */
static bool correct_offset(const struct dropbox_answer *a, uint64_t *at)
{
	int64_t n;

	if (strcmp(a->tag, "incorrect_offset") != 0 ||
	    !json_int(json_get(a->body, "error"), "correct_offset", 0, INT64_MAX, &n))
		return false;
	*at = (uint64_t)n;
	return true;
}

/* Appends len bytes that belong at offset; what had arrived in spite of a lost reply is not sent again. */
static int append_chunk(const struct upload *u, struct http *h, const char *session, uint64_t offset,
			const char *data, uint64_t len)
{
	uint64_t from = 0;	/* within data */
	int rc = EX_OK;

	for (int repairs = 0; from < len; repairs++) {
		json *arg = json_object();
		struct dropbox_call c = { .style = DROPBOX_UPLOAD, .route = "files/upload_session/append_v2",
					  .arg = arg, .body = data + from, .body_len = len - from };
		struct content_hash *ch = content_hash_new();
		struct dropbox_answer a;
		char hash[HASH_TEXT];
		uint64_t want;

		if (ch == NULL)
			abort();
		content_hash_add(ch, data + from, len - from);
		json_put(arg, "cursor", cursor(session, offset + from));
		json_put_bool(arg, "close", false);
		json_put_str(arg, "content_hash", content_hash_end(ch, hash));
		content_hash_free(ch);
		dropbox_do(u->dropbox, h, &c, &a);
		rc = a.rc;
		if (rc == EX_OK) {
			from = len;
		} else if (repairs < REPAIRS_MOST && correct_offset(&a, &want) && want >= offset &&
			   want <= offset + len) {
			from = want - offset;
			rc = EX_OK;
		} else {
			dropbox_report(u->remote, &a);
			from = len;
		}
		dropbox_answer_free(&a);
		json_free(arg);
	}
	return rc;
}

/* A sequential session: data holds the first chunk, which is full. */
static int send_chunks(const struct upload *u, struct http *h, int fd, const char *local, char *data,
		       struct dropbox_meta *m)
{
	struct content_hash *ch = content_hash_new();
	struct run r = { .u = u, .local = local };
	json *arg = json_object();
	struct dropbox_call c = { .style = DROPBOX_UPLOAD, .route = "files/upload_session/finish", .arg = arg };
	struct dropbox_answer a;
	char hash[HASH_TEXT];
	ssize_t n = (ssize_t)UPLOAD_CHUNK;
	int rc = EX_SOFTWARE;

	if (ch == NULL)
		goto out;
	r.session = start_session(u, h, "sequential", &rc);
	r.progress = progress_new(u->progress, u->remote, 0);
	while (rc == EX_OK && n > 0) {
		rc = append_chunk(u, h, r.session, r.size, data, (uint64_t)n);
		content_hash_add(ch, data, (size_t)n);
		progress_add(r.progress, (uint64_t)n);
		r.size += (uint64_t)n;
		if (rc == EX_OK)
			n = file_read(fd, data, UPLOAD_CHUNK);
		if (rc == EX_OK && n < 0) {
			msg_errno(local, "cannot read");
			rc = EX_IOERR;
		}
		if (rc == EX_OK && stop_asked()) {
			msg_err(u->remote, "interrupted");
			rc = EX_TEMPFAIL;
		}
	}
	progress_end(r.progress);
	if (rc != EX_OK)
		goto out;
	json_put(arg, "cursor", cursor(r.session, r.size));
	json_put(arg, "commit", commit_info(u, clock_wall()));
	dropbox_do(u->dropbox, h, &c, &a);
	rc = settle(u, h, &a, r.size, content_hash_end(ch, hash), m);
	if (rc == STALE)
		rc = dropbox_report(u->remote, &a);
	dropbox_answer_free(&a);
out:
	content_hash_free(ch);
	free(r.session);
	json_free(arg);
	return rc;
}

int upload_stream(const struct upload *u, int fd, const char *local, struct dropbox_meta *m)
{
	struct http *h = dropbox_connect(u->dropbox);
	char *data = malloc(UPLOAD_CHUNK), hash[HASH_TEXT];
	struct content_hash *ch = content_hash_new();
	ssize_t n;
	int rc = EX_SOFTWARE;

	if (h == NULL || data == NULL || ch == NULL)
		goto out;
	limit(u, h, 1);
	n = file_read(fd, data, UPLOAD_CHUNK);
	if (n < 0) {
		msg_errno(local, "cannot read");
		rc = EX_IOERR;
	} else if ((size_t)n < UPLOAD_CHUNK) {
		content_hash_add(ch, data, (size_t)n);
		rc = send_whole(u, h, data, NULL, (uint64_t)n, content_hash_end(ch, hash), clock_wall(), m);
	} else {
		rc = send_chunks(u, h, fd, local, data, m);
	}
out:
	content_hash_free(ch);
	free(data);
	http_free(h);
	return rc;
}
