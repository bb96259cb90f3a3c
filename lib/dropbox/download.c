#include "lib/std.h"

#include <errno.h>
#include <pthread.h>

#include "lib/cli.h"
#include "lib/dropbox/download.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/dropbox/partfile.h"
#include "lib/rate.h"
#include "lib/stop.h"

#define GATHER ((size_t)256 << 10)
#define STARTS_MOST 3	/* from the beginning, when what arrived is not what was promised */
#define PROGRESS ((uint64_t)1 << 20)	/* a stream that breaks after less has not gone on: a byte a try would never end */
#define WRONG (-1)	/* instead of an exit status: just that */

/* A download. The threads share it; members that change are guarded by the lock. */
struct run {
	const struct download *d;
	json *arg;		/* {"path":"rev:..."} */
	struct part *part;
	struct progress *progress;
	struct rate rate;
	unsigned threads;
	bool whole;		/* the server ignores ranges: one request, one thread */
	pthread_mutex_t lock;
	int rc;			/* the first error */
	bool ranges_ignored;
};

/*
 * One request under way, of one thread. Bytes are gathered before they are written: threads that write to
 * one file wait for each other at every write(2).
 */
struct stream {
	struct run *run;
	struct sha256 *sha;
	char *gather;			/* GATHER bytes, used of them filled */
	size_t used;
	uint64_t block, in_block;	/* where the next byte goes, the gathered ones included */
	uint64_t end;			/* behind the last block of the request */
};

static json *pin(const struct dropbox_meta *m)
{
	json *arg = json_object();
	char *path;

	if (asprintf(&path, "rev:%s", m->rev) < 0)
		abort();
	json_put_str(arg, "path", path);
	free(path);
	return arg;
}

/* The bytes must be of the revision that we pinned, whatever a server or a proxy thinks. */
static int same_content(const struct download *d, const struct dropbox_meta *got)
{
	if (got->size == d->meta->size && strcmp(got->content_hash, d->meta->content_hash) == 0)
		return EX_OK;
	msg_err(d->remote, "the server sends another revision than was asked for");
	return EX_PROTOCOL;
}

static bool ranges_ignored(const struct dropbox_answer *a)
{
	return strcmp(a->tag, "range_ignored") == 0;
}

static void too_short(struct dropbox_answer *a)
{
	a->rc = EX_UNAVAILABLE;
	a->again = true;
	snprintf(a->cause, sizeof a->cause, "the answer is shorter than it should be");
}

/* --- into a file --- */

/* The first error is the run's; the others only end their thread. */
static void end_with(struct run *r, const struct dropbox_answer *a)
{
	pthread_mutex_lock(&r->lock);
	if (r->rc == EX_OK) {
		r->rc = a->rc;
		r->ranges_ignored = ranges_ignored(a);
		if (!r->ranges_ignored && a->rc != EX_NOINPUT)
			dropbox_report(r->d->remote, a);
	}
	pthread_mutex_unlock(&r->lock);
}

static bool ended(struct run *r)
{
	bool e;

	pthread_mutex_lock(&r->lock);
	e = r->rc != EX_OK;
	pthread_mutex_unlock(&r->lock);
	return e;
}

static int on_begin(void *ctx, const struct dropbox_meta *m)
{
	struct stream *s = ctx;

	return same_content(s->run->d, m);
}

/* Hashes and writes what is gathered; at the end of a block the block is done. */
static int flush(struct stream *s)
{
	struct part *p = s->run->part;
	unsigned char digest[HASH_LEN];
	/* a block that is there already comes along with the whole: it stays as it was checked */
	bool wanted = !s->run->whole || !part_has(p, s->block);
	int rc = EX_OK;

	if (wanted) {
		rc = part_write(p, s->block * HASH_BLOCK + s->in_block - s->used, s->gather, s->used);
		sha256_add(s->sha, s->gather, s->used);
		progress_add(s->run->progress, s->used);
	}
	s->used = 0;
	if (rc != EX_OK || s->in_block < part_block_len(p, s->block))
		return rc;
	if (wanted) {
		sha256_end(s->sha, digest);
		rc = part_done(p, s->block, digest);
	}
	if (rc == EX_OK)
		s->block++;
	s->in_block = 0;
	return rc;
}

static int on_data(void *ctx, const void *data, size_t len)
{
	struct stream *s = ctx;
	const char *p = data;

	while (len > 0) {
		uint64_t left;
		size_t n;
		int rc;

		if (s->block >= s->end) {
			msg_err(s->run->d->remote, "the server sends more bytes than were asked for");
			return EX_PROTOCOL;
		}
		left = part_block_len(s->run->part, s->block) - s->in_block;
		n = len < left ? len : (size_t)left;
		n = n < GATHER - s->used ? n : GATHER - s->used;
		memcpy(s->gather + s->used, p, n);
		s->used += n;
		s->in_block += n;
		p += n;
		len -= n;
		if (s->used < GATHER && n < left)
			continue;
		rc = flush(s);
		if (rc != EX_OK)
			return rc;
	}
	/* another thread's failure is the end of all */
	return ended(s->run) ? EX_TEMPFAIL : EX_OK;
}

/* Fetches the blocks of w; after a broken connection goes on with the block that it broke in. */
static void fetch_blocks(struct run *r, struct http *h, struct sha256 *sha, char *gather,
			 const struct part_work *w)
{
	struct stream s = { .run = r, .sha = sha, .gather = gather, .block = w->first,
			    .end = w->first + w->count };
	struct dropbox_call c = { .style = DROPBOX_DOWNLOAD, .route = "files/download", .arg = r->arg,
				  .ranged = !r->whole, .begin = on_begin, .write = on_data, .ctx = &s };
	struct retry pace = dropbox_pace(r->d->dropbox);
	struct dropbox_answer a;
	unsigned char scrap[HASH_LEN];
	uint64_t furthest = w->first;

	for (;;) {
		if (r->whole)
			s.block = w->first;	/* such a server always starts at the beginning */
		c.from = s.block * HASH_BLOCK;
		c.to = (s.end - 1) * HASH_BLOCK + part_block_len(r->part, s.end - 1) - 1;
		dropbox_try(r->d->dropbox, h, &c, &a);
		sha256_end(sha, scrap);	/* the bytes of a broken block are not the next one's */
		s.in_block = s.used = 0;
		if (s.block == s.end)
			break;
		if (a.rc == EX_OK)
			too_short(&a);
		if (s.block > furthest) {
			furthest = s.block;
			retry_progress(&pace);
		}
		if (ended(r) || !dropbox_again(&pace, &a))
			break;
		dropbox_answer_free(&a);
	}
	if (!r->whole)
		part_give_back(r->part, s.block, s.end - s.block);
	if (s.block < s.end || a.rc == EX_PROTOCOL)
		end_with(r, &a);
	dropbox_answer_free(&a);
}

static void *work(void *ctx)
{
	struct run *r = ctx;
	struct http *h = dropbox_connect(r->d->dropbox);
	struct sha256 *sha = sha256_new();
	char *gather = malloc(GATHER);
	struct dropbox_answer failed = { .rc = EX_SOFTWARE };	/* without a cause: reported already */
	static const struct dropbox_answer interrupted = { .rc = EX_TEMPFAIL, .cause = "interrupted" };
	struct part_work w;

	if (h == NULL || sha == NULL || gather == NULL) {
		end_with(r, &failed);
		goto out;
	}
	http_limit_rate(h, &r->rate);
	if (r->whole)
		fetch_blocks(r, h, sha, gather, &(struct part_work){ .count = part_blocks(r->part) });
	while (!r->whole && !ended(r) && part_take(r->part, r->threads, &w)) {
		bool good = false;

		if (!w.check) {
			fetch_blocks(r, h, sha, gather, &w);
			continue;
		}
		failed.rc = part_check(r->part, w.first, &good);
		if (failed.rc != EX_OK)
			end_with(r, &failed);
		else if (stop_asked())
			end_with(r, &interrupted);
		else if (good)
			progress_skip(r->progress, part_block_len(r->part, w.first));
	}
out:
	free(gather);
	sha256_free(sha);
	http_free(h);
	return NULL;
}

/* All blocks by several threads. EX_OK or the first error. */
static int run_threads(struct run *r)
{
	pthread_t threads[DOWNLOAD_JOBS_MOST];
	unsigned started = 0;

	r->rc = EX_OK;
	r->ranges_ignored = false;
	r->threads = r->whole ? 1 : r->d->jobs;
	r->progress = progress_new(r->d->progress, r->d->remote, (uint64_t)r->d->meta->size);
	/* the calling thread is the last of the workers */
	while (started + 1 < r->threads && pthread_create(&threads[started], NULL, work, r) == 0)
		started++;
	work(r);
	while (started > 0)
		pthread_join(threads[--started], NULL);
	progress_end(r->progress);
	return r->rc;
}

/* Fetches the blocks that the part lacks: EX_OK when the file has its name, WRONG, or an exit status. */
static int run_once(struct run *r)
{
	char text[NUM_TEXT];
	int rc = run_threads(r);

	if (rc != EX_OK && r->ranges_ignored) {
		msg_info("the server ignores ranges: the rest in one piece");
		r->whole = true;
		rc = run_threads(r);
	}
	if (rc == EX_TEMPFAIL || rc == EX_UNAVAILABLE)
		msg_hint("%s are kept, the next run goes on from there", num_size_text(text, part_bytes(r->part)));
	if (rc != EX_OK)
		return rc;
	rc = part_finish(r->part, r->d->meta->client_modified);
	return rc == EX_DATAERR ? WRONG : rc;
}

int download_file(const struct download *d, const char *path)
{
	struct run r = { .d = d, .arg = pin(d->meta), .rate = RATE_INIT(d->limit_rate) };
	int rc = part_open(&r.part, path, (uint64_t)d->meta->size, d->meta->content_hash);

	pthread_mutex_init(&r.lock, NULL);
	if (rc == EX_OK)
		rc = run_once(&r);
	for (int start = 1; rc == WRONG && start < STARTS_MOST && !stop_asked(); start++) {
		msg_info("what arrived has another content_hash than it should: once more from the beginning");
		rc = run_once(&r);
	}
	if (rc == WRONG) {
		msg_err(d->remote, "what arrived has another content_hash than it should");
		rc = EX_DATAERR;
	}
	/* there is nothing to go on with, and a full disk wants its space back */
	if (rc == EX_DATAERR || rc == EX_NOINPUT || rc == EX_IOERR)
		part_drop(r.part);
	part_close(r.part);
	pthread_mutex_destroy(&r.lock);
	json_free(r.arg);
	return rc;
}

/* --- in one call --- */

/* A download whose size and hash come with its first byte. */
struct first {
	struct stream stream;		/* its part is NULL until then */
	struct run run;
	struct download d;
	struct dropbox_meta meta;
	const char *path;
	bool begun;			/* by an earlier run: the ordinary way goes on from there */
};

static int on_first_begin(void *ctx, const struct dropbox_meta *m)
{
	struct first *f = ctx;
	int rc;

	if (m->content_hash[0] == '\0') {
		msg_err(f->d.remote, "came without a content_hash");
		return EX_PROTOCOL;
	}
	f->meta = (struct dropbox_meta){ .kind = 'f', .size = m->size, .client_modified = m->client_modified };
	memcpy(f->meta.content_hash, m->content_hash, HASH_TEXT);
	rc = part_open(&f->run.part, f->path, (uint64_t)m->size, m->content_hash);
	f->stream.end = rc == EX_OK ? part_blocks(f->run.part) : 0;
	f->begun = rc == EX_OK && part_begun(f->run.part);
	return f->begun ? EX_TEMPFAIL : rc;
}

static int on_first_data(void *ctx, const void *data, size_t len)
{
	return on_data(&((struct first *)ctx)->stream, data, len);
}

int download_at_once(const struct download *d, struct http *h, const char *path)
{
	struct first f = { .d = *d, .path = path };
	json *arg = json_object();
	struct dropbox_call c = { .style = DROPBOX_DOWNLOAD, .route = "files/download", .arg = arg,
				  .begin = on_first_begin, .write = on_first_data, .ctx = &f };
	struct dropbox_answer a = { .rc = EX_OK };
	int rc = EX_SOFTWARE;

	f.d.meta = &f.meta;
	f.run = (struct run){ .d = &f.d, .whole = true };
	f.stream = (struct stream){ .run = &f.run, .sha = sha256_new(), .gather = malloc(GATHER) };
	pthread_mutex_init(&f.run.lock, NULL);
	json_put_str(arg, "path", d->remote);
	if (f.stream.sha == NULL || f.stream.gather == NULL) {
		msg_err(d->remote, "out of memory");
		goto out;
	}
	dropbox_try(d->dropbox, h, &c, &a);
	/* without a cause: one of the above has reported it */
	rc = a.rc != EX_OK && a.cause[0] == '\0' && !f.begun ? a.rc : DOWNLOAD_NOT_SO;
	if (a.rc == EX_OK && f.stream.block == f.stream.end) {
		rc = part_finish(f.run.part, f.meta.client_modified);
		rc = rc == EX_DATAERR ? DOWNLOAD_NOT_SO : rc;
	}
	if (rc == EX_IOERR)
		part_drop(f.run.part);
out:
	part_close(f.run.part);
	dropbox_answer_free(&a);
	pthread_mutex_destroy(&f.run.lock);
	free(f.stream.gather);
	sha256_free(f.stream.sha);
	json_free(arg);
	return rc;
}

/* --- in order to a descriptor --- */

struct outlet {
	const struct download *d;
	struct content_hash *hash;
	struct progress *progress;
	uint64_t done;
	uint64_t skip;	/* bytes that come once more and were written before */
	int fd;
};

static int on_outlet_begin(void *ctx, const struct dropbox_meta *m)
{
	struct outlet *o = ctx;

	return same_content(o->d, m);
}

static int on_outlet_data(void *ctx, const void *data, size_t len)
{
	struct outlet *o = ctx;
	const char *p = data;
	size_t n;

	n = len < o->skip ? len : (size_t)o->skip;
	o->skip -= n;
	p += n;
	len -= n;
	if (len > (uint64_t)o->d->meta->size - o->done) {
		msg_err(o->d->remote, "the server sends more bytes than it should");
		return EX_PROTOCOL;
	}
	if (file_write(o->fd, p, len) != 0) {
		if (errno == EPIPE)
			cli_die_sigpipe();
		if (stop_asked())
			return EX_TEMPFAIL;	/* the request ends as interrupted */
		msg_errno("standard output", "cannot write");
		return EX_IOERR;
	}
	content_hash_add(o->hash, p, len);
	o->done += len;
	progress_add(o->progress, len);
	return EX_OK;
}

int download_stream(const struct download *d, int fd)
{
	uint64_t size = (uint64_t)d->meta->size;
	struct outlet o = { .d = d, .hash = content_hash_new(), .fd = fd };
	json *arg = pin(d->meta);
	struct dropbox_call c = { .style = DROPBOX_DOWNLOAD, .route = "files/download", .arg = arg,
				  .begin = on_outlet_begin, .write = on_outlet_data, .ctx = &o };
	struct http *h = dropbox_connect(d->dropbox);
	struct retry pace = dropbox_pace(d->dropbox);
	struct dropbox_answer a = { .rc = EX_OK };
	char hash[HASH_TEXT];
	struct rate rate = RATE_INIT(d->limit_rate);
	bool whole = false;	/* the server ignores ranges */
	int rc = EX_SOFTWARE;

	if (h == NULL || o.hash == NULL)
		goto out;
	http_limit_rate(h, &rate);
	o.progress = progress_new(d->progress, d->remote, size);
	while (o.done < size) {
		uint64_t before = o.done;

		dropbox_answer_free(&a);
		/* bytes that went to standard output cannot be taken back: only the rest is asked for again */
		c.ranged = o.done > 0 && !whole;
		c.from = o.done;
		o.skip = whole ? o.done : 0;
		c.to = size - 1;
		dropbox_try(d->dropbox, h, &c, &a);
		if (o.done == size)
			break;
		if (a.rc == EX_OK)
			too_short(&a);
		if (o.done - before >= PROGRESS)
			retry_progress(&pace);
		if (ranges_ignored(&a)) {
			whole = true;
			continue;
		}
		if (!dropbox_again(&pace, &a))
			break;
	}
	progress_end(o.progress);
	rc = EX_OK;
	if (a.rc == EX_NOINPUT && o.done == 0) {
		rc = EX_NOINPUT;
	} else if (a.rc == EX_NOINPUT && o.done < size) {
		msg_err(d->remote, "was replaced in the middle, and what it was is gone");
		rc = EX_TEMPFAIL;
	} else if (o.done < size) {
		rc = dropbox_report(d->remote, &a);
	} else if (strcmp(content_hash_end(o.hash, hash), d->meta->content_hash) != 0) {
		msg_err(d->remote, "what arrived has another content_hash than it should");
		rc = EX_DATAERR;
	}
	dropbox_answer_free(&a);
out:
	content_hash_free(o.hash);
	http_free(h);
	json_free(arg);
	return rc;
}
