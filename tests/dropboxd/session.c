/*
 * session.c - upload sessions: pieces of one file that become visible all at once.
 *
 * All pieces go into one file at their places; hashes come from the digests of its blocks, so that
 * finish neither copies nor reads. A piece counts only when its request is complete. A sequential
 * session takes one piece after the other: when two requests race for the same place (a client that
 * lost its connection and came back), the later one wins and the earlier one is told so.
 */
#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "lib/msg.h"
#include "tests/dropboxd/dropboxd.h"

struct session {
	char id[80];
	char tmp[40];
	int fd;
	bool concurrent, closed;
	int64_t born;
	struct chash hash;              /* sequential: of everything so far */
	unsigned char *digest;          /* concurrent: of each block */
	bool *have;
	size_t cap;                     /* blocks that the two have room for */
	uint64_t end;                   /* concurrent: highest byte seen */
	unsigned long turn;
	unsigned users;                 /* calls that write to it */
	bool dead;                      /* finished: freed by its last user */
	struct session *next;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct session *sessions;
static struct { char id[24]; char *reply; } jobs[16];   /* finish_batch, answered at once */
static unsigned jobs_n;

static struct session *session_new(bool concurrent)
{
	struct session *s = xmalloc(sizeof *s);
	char random[51];

	memset(s, 0, sizeof *s);
	/* both forms have been seen in the field */
	if (chance(2)) {
		chance_text(random, 50, URLSAFE);
		snprintf(s->id, sizeof s->id, "pid_upload_session:%s", random);
	} else {
		chance_text(random, 22, URLSAFE);
		snprintf(s->id, sizeof s->id, "%s", random);
	}
	s->fd = -1;
	s->concurrent = concurrent;
	s->born = server_now();
	chash_init(&s->hash);
	s->next = sessions;
	sessions = s;
	return s;
}

static void session_free(struct session *s)
{
	if (s->tmp[0] != '\0')
		(void)unlinkat(root_fd, s->tmp, 0);
	if (s->fd >= 0)
		close(s->fd);
	chash_free(&s->hash);
	free(s->digest);
	free(s->have);
	free(s);
}

static void session_end(struct session *s)
{
	struct session **p = &sessions;

	while (*p != s)
		p = &(*p)->next;
	*p = s->next;
	s->dead = true;
	if (s->users == 0)
		session_free(s);
}

static struct session *session_find(const char *id)
{
	for (struct session *s = sessions; s != NULL; s = s->next) {
		if (strcmp(s->id, id) != 0)
			continue;
		if (server_now() - s->born > SESSION_LIFE) {
			session_end(s);
			return NULL;
		}
		return s;
	}
	return NULL;
}

static uint64_t session_size(const struct session *s)
{
	return s->concurrent ? s->end : s->hash.len;
}

/* The prefix is "lookup_failed/" for finish, "" for append. */
static void refuse(struct call *c, const char *prefix, const char *tag)
{
	char *tags = xasprintf("%s%s", prefix, tag);

	reply_error(c, tags);
	free(tags);
}

/* correct_offset stands beside the tag: the payload is a struct */
static cJSON *offset_error(const char *prefix, uint64_t correct)
{
	cJSON *e = json_tag("incorrect_offset");

	cJSON_AddNumberToObject(e, "correct_offset", (double)correct);
	if (*prefix == '\0')
		return e;
	cJSON *outer = json_tag("lookup_failed");
	cJSON_AddItemToObject(outer, "lookup_failed", e);
	return outer;
}

static void refuse_offset(struct call *c, const char *prefix, uint64_t correct)
{
	char *tags = xasprintf("%sincorrect_offset", prefix);

	reply_error_with(c, tags, offset_error(prefix, correct));
	free(tags);
}

/* ---- start ---- */

void start_begin(struct call *c)
{
	bool concurrent = strcmp(json_tag_of(json_get(c->arg, "session_type")), "concurrent") == 0;
	char name[40];

	if (concurrent && json_flag(c->arg, "close", false)) {
		reply_error(c, "concurrent_session_close_not_allowed");
		return;
	}
	int fd = tmp_open(name);
	if (fd < 0)
		c->sink.failed = true;
	else
		sink_open(c, fd, name);
}

/* The body of a call that opened a temporary file is now a session's. Holds the mutex. */
static struct session *adopt(struct call *c, bool concurrent)
{
	struct session *s = session_new(concurrent);

	s->fd = c->sink.fd;
	memcpy(s->tmp, c->sink.tmp, sizeof s->tmp);
	chash_free(&s->hash);
	s->hash = c->sink.hash;
	memset(&c->sink.hash, 0, sizeof c->sink.hash);
	c->sink.fd = -1;
	c->sink.tmp[0] = '\0';
	return s;
}

void route_start(struct call *c)
{
	bool concurrent = strcmp(json_tag_of(json_get(c->arg, "session_type")), "concurrent") == 0;
	cJSON *j;

	if (concurrent && c->got > 0) {
		reply_error(c, "concurrent_session_data_not_allowed");
		return;
	}
	if (!sink_hash_ok(c)) {
		reply_error(c, "content_hash_mismatch");
		return;
	}
	pthread_mutex_lock(&mutex);
	struct session *s = adopt(c, concurrent);
	s->closed = json_flag(c->arg, "close", false);
	j = cJSON_CreateObject();
	cJSON_AddStringToObject(j, "session_id", s->id);
	pthread_mutex_unlock(&mutex);
	reply_json(c, 200, j);
}

char *session_adopt(struct call *c)
{
	if (c->sink.fd < 0 || c->sink.tmp[0] == '\0')
		return xstrdup("pid_upload_session:ABnone");
	pthread_mutex_lock(&mutex);
	char *id = xstrdup(adopt(c, false)->id);
	pthread_mutex_unlock(&mutex);
	return id;
}

/* ---- a piece: append, or the data that comes along with finish ---- */

/* Finds the session of the cursor and, if it takes data at that offset, points the sink at it. */
static void piece_begin(struct call *c, const char *prefix, bool finish)
{
	const cJSON *cursor = json_get(c->arg, "cursor");
	uint64_t offset = (uint64_t)json_int(cursor, "offset", 0);

	pthread_mutex_lock(&mutex);
	struct session *s = session_find(json_str(cursor, "session_id", ""));
	if (s == NULL) {
		refuse(c, prefix, "not_found");
	} else if (s->closed && !finish && !s->concurrent) {
		refuse(c, prefix, "closed");
	} else if (!s->concurrent && offset != session_size(s)) {
		refuse_offset(c, prefix, session_size(s));
	} else if (s->concurrent && !finish && offset % BLOCK != 0) {
		refuse(c, prefix, "concurrent_session_invalid_offset");
	} else if (offset > FILE_MAX) {
		refuse(c, prefix, "too_large");
	} else {
		c->sink.session = s;
		s->users++;
		c->sink.base = offset;
		if (!s->concurrent) {
			c->sink.turn = ++s->turn;
			chash_copy(&c->sink.hash, &s->hash);
			c->sink.skip = s->hash.blocks;
			c->sink.own = s->hash.len % BLOCK != 0
				&& json_get(c->arg, "content_hash") != NULL;
		}
		if (s->fd < 0) {        /* of a batch: no file yet */
			s->fd = tmp_open(s->tmp);
			c->sink.failed = s->fd < 0;
		}
		sink_open(c, s->fd, NULL);
	}
	pthread_mutex_unlock(&mutex);
}

void sink_close(struct call *c)
{
	struct sink *k = &c->sink;

	if (k->session != NULL) {
		pthread_mutex_lock(&mutex);
		if (--k->session->users == 0 && k->session->dead)
			session_free(k->session);
		pthread_mutex_unlock(&mutex);
		k->session = NULL;
	} else if (k->fd >= 0) {
		close(k->fd);
		if (k->tmp[0] != '\0')
			(void)unlinkat(root_fd, k->tmp, 0);
	}
	k->fd = -1;
	if (k->hash.block != NULL)
		chash_free(&k->hash);
	if (k->piece.block != NULL)
		chash_free(&k->piece);
}

bool session_overtaken(const struct sink *k)
{
	if (k->session == NULL || k->session->concurrent)
		return false;
	pthread_mutex_lock(&mutex);
	bool is = k->session->turn != k->turn;
	pthread_mutex_unlock(&mutex);
	return is;
}

static void room_for(struct session *s, size_t blocks)
{
	if (blocks <= s->cap)
		return;
	size_t cap = blocks * 2;
	s->digest = xrealloc(s->digest, cap * 32);
	s->have = xrealloc(s->have, cap * sizeof *s->have);
	memset(s->have + s->cap, 0, (cap - s->cap) * sizeof *s->have);
	s->cap = cap;
}

/* The piece is complete: it counts from now on. Holds the mutex; false: the call is decided. */
static bool piece_take(struct call *c, const char *prefix)
{
	struct session *s = c->sink.session;
	uint64_t end = c->sink.base + c->got;

	if (!sink_hash_ok(c)) {
		reply_error(c, "content_hash_mismatch");
		return false;
	}
	if (s->dead) {
		refuse(c, prefix, "not_found");
		return false;
	}
	if (end > FILE_MAX) {
		refuse(c, prefix, "too_large");
		return false;
	}
	if (!s->concurrent) {
		if (s->turn != c->sink.turn) {
			refuse_offset(c, prefix, session_size(s));
			return false;
		}
		s->turn++;
		chash_free(&s->hash);
		s->hash = c->sink.hash;
		memset(&c->sink.hash, 0, sizeof c->sink.hash);
		return true;
	}
	size_t first = (size_t)(c->sink.base / BLOCK), blocks = c->sink.hash.blocks;
	bool tail = c->sink.hash.len % BLOCK != 0;
	room_for(s, first + blocks + 1);
	if (blocks > 0)
		memcpy(s->digest + first * 32, c->sink.hash.digest, blocks * 32);
	for (size_t i = 0; i < blocks; i++)
		s->have[first + i] = true;
	if (tail) {
		chash_tail(&c->sink.hash, s->digest + (first + blocks) * 32);
		s->have[first + blocks] = true;
	}
	if (end > s->end)
		s->end = end;
	return true;
}

void append_begin(struct call *c)
{
	piece_begin(c, "", false);
}

void route_append(struct call *c)
{
	struct session *s = c->sink.session;
	bool close_it = json_flag(c->arg, "close", false), done = false;

	pthread_mutex_lock(&mutex);
	if (s->concurrent && s->closed && (c->got > 0 && c->sink.base + c->got > s->end))
		reply_error(c, "closed");
	else if (s->concurrent && !close_it && c->got % BLOCK != 0)
		reply_error(c, "concurrent_session_invalid_data_size");
	else
		done = piece_take(c, "");
	if (done && close_it)
		s->closed = true;
	pthread_mutex_unlock(&mutex);
	if (done)
		reply_text(c, 200, "application/json", "null");
}

/* ---- finish ---- */

/* NULL, or the tag that says why this session cannot become a file of `size`. */
static const char *not_ready(const struct session *s, uint64_t size, bool must_be_closed)
{
	if ((s->concurrent || must_be_closed) && !s->closed)
		return s->concurrent && !must_be_closed ? "concurrent_session_not_closed"
							: "not_closed";
	if (s->concurrent && size != s->end)
		return size > s->end ? "concurrent_session_missing_data" : "incorrect_offset";
	for (size_t i = 0; s->concurrent && i < (s->end + BLOCK - 1) / BLOCK; i++) {
		if (!s->have[i])
			return "concurrent_session_missing_data";
	}
	return NULL;
}

/* Makes the session a file. Holds the mutex. The revision, or NULL with *why. */
static struct rev *commit_session(struct session *s, const cJSON *commit, const char **why)
{
	struct commit ci;
	char hash[HEX_HASH];

	if (s->fd < 0 && (s->fd = tmp_open(s->tmp)) < 0) {
		*why = "other";
		return NULL;
	}
	/* a hole at the end, or bytes of a piece that did not count */
	if (ftruncate(s->fd, (off_t)session_size(s)) < 0)
		msg_errno(s->tmp, "cannot truncate");
	if (s->concurrent)
		chash_of_digests(s->digest, (size_t)((s->end + BLOCK - 1) / BLOCK), hash);
	else
		chash_hex(&s->hash, 0, hash);
	commit_from(&ci, commit);
	store_lock();
	struct rev *r =
		store_commit(json_str(commit, "path", ""), &ci, s->tmp, session_size(s), hash, why);
	store_unlock();
	if (r != NULL) {
		s->tmp[0] = '\0';
		session_end(s);
	}
	return r;
}

void finish_begin(struct call *c)
{
	if (is_root(json_str(json_get(c->arg, "commit"), "path", "/"))) {
		reply_bad(c,
			"HTTP header \"Dropbox-API-Arg\": commit.path: The root folder is "
			"unsupported.");
		return;
	}
	piece_begin(c, "lookup_failed/", true);
}

void route_finish(struct call *c)
{
	struct session *s = c->sink.session;
	const char *why = NULL;
	char *tags = NULL;
	struct rev *r = NULL;

	pthread_mutex_lock(&mutex);
	if (s->concurrent && c->got > 0) {
		reply_error(c, "concurrent_session_data_not_allowed");
	} else if (s->closed && c->got > 0) {
		refuse(c, "lookup_failed/", "closed");
	} else if ((!s->concurrent || s->dead) && !piece_take(c, "lookup_failed/")) {
		;
	} else if ((why = not_ready(s, c->sink.base + c->got, false)) != NULL) {
		if (strcmp(why, "incorrect_offset") == 0)
			refuse_offset(c, "lookup_failed/", s->end);
		else if (strcmp(why, "concurrent_session_not_closed") == 0
			|| strcmp(why, "concurrent_session_missing_data") == 0)
			reply_error(c, why);
		else
			refuse(c, "lookup_failed/", why);
	} else {
		r = commit_session(s, json_get(c->arg, "commit"), &why);
		if (r == NULL)
			tags = xasprintf("path/%s", why);
	}
	pthread_mutex_unlock(&mutex);
	if (r != NULL)
		reply_json(c, 200, meta_file(r, false));
	else if (tags != NULL)
		reply_error(c, tags);
	free(tags);
}

/* ---- batches ---- */

void route_start_batch(struct call *c)
{
	bool concurrent = strcmp(json_tag_of(json_get(c->arg, "session_type")), "concurrent") == 0;
	cJSON *j = cJSON_CreateObject(), *ids = cJSON_CreateArray();

	pthread_mutex_lock(&mutex);
	for (int n = (int)json_int(c->arg, "num_sessions", 1); n > 0; n--)
		cJSON_AddItemToArray(ids, cJSON_CreateString(session_new(concurrent)->id));
	pthread_mutex_unlock(&mutex);
	cJSON_AddItemToObject(j, "session_ids", ids);
	reply_json(c, 200, j);
}

static cJSON *failure(cJSON *payload)
{
	cJSON *j = json_tag("failure");

	cJSON_AddItemToObject(j, "failure", payload);
	return j;
}

static cJSON *finish_entry(const cJSON *entry)
{
	const cJSON *cursor = json_get(entry, "cursor"), *commit = json_get(entry, "commit");
	uint64_t offset = (uint64_t)json_int(cursor, "offset", 0);
	struct session *s = session_find(json_str(cursor, "session_id", ""));
	const char *why;

	if (s == NULL)
		return failure(json_tags("lookup_failed/not_found"));
	if (!s->concurrent && offset != session_size(s))
		return failure(offset_error("lookup_failed/", session_size(s)));
	if ((why = not_ready(s, offset, true)) != NULL) {
		return failure(strcmp(why, "not_closed") == 0
				? json_tags("lookup_failed/not_closed")
				: strcmp(why, "incorrect_offset") == 0
				? offset_error("lookup_failed/", s->end)
				: json_tag(why));
	}
	struct rev *r = commit_session(s, commit, &why);
	if (r == NULL) {
		char *tags = xasprintf("path/%s", why);
		cJSON *payload = json_tags(tags);

		free(tags);
		return failure(payload);
	}
	cJSON *j = json_tag("success");
	cJSON *meta = meta_file(r, false);
	while (meta->child != NULL) {
		cJSON *e = cJSON_DetachItemViaPointer(meta, meta->child);
		cJSON_AddItemToObject(j, e->string, e);
	}
	cJSON_Delete(meta);
	return j;
}

static cJSON *finish_all(const cJSON *arg)
{
	cJSON *j = cJSON_CreateObject(), *list = cJSON_CreateArray(), *e;

	pthread_mutex_lock(&mutex);
	cJSON_ArrayForEach(e, json_get(arg, "entries"))
		cJSON_AddItemToArray(list, finish_entry(e));
	pthread_mutex_unlock(&mutex);
	cJSON_AddItemToObject(j, "entries", list);
	return j;
}

void route_finish_batch(struct call *c)
{
	reply_json(c, 200, finish_all(c->arg));
}

/* The older, asynchronous form: done at once, but told only on the check. */
void route_finish_batch_async(struct call *c)
{
	cJSON *done = finish_all(c->arg), *j = json_tag("async_job_id");

	pthread_mutex_lock(&mutex);
	unsigned i = jobs_n++ % 16;
	free(jobs[i].reply);
	chance_text(jobs[i].id, 22, URLSAFE);
	jobs[i].reply = json_text(done, STYLE_SPACED, true);
	cJSON_AddStringToObject(j, "async_job_id", jobs[i].id);
	pthread_mutex_unlock(&mutex);
	cJSON_Delete(done);
	reply_json(c, 200, j);
}

void route_finish_batch_check(struct call *c)
{
	const char *id = json_str(c->arg, "async_job_id", "");
	cJSON *done = NULL;

	pthread_mutex_lock(&mutex);
	for (unsigned i = 0; i < 16; i++) {
		if (jobs[i].reply != NULL && strcmp(jobs[i].id, id) == 0)
			done = json_parse(jobs[i].reply, strlen(jobs[i].reply));
	}
	pthread_mutex_unlock(&mutex);
	if (done == NULL) {
		reply_error(c, "invalid_async_job_id");
		return;
	}
	cJSON *j = json_tag("complete");
	cJSON_AddItemToObject(
		j, "entries", cJSON_DetachItemFromObjectCaseSensitive(done, "entries"));
	cJSON_Delete(done);
	reply_json(c, 200, j);
}

/* ---- across a restart ---- */

void sessions_save(void)
{
	cJSON *all = cJSON_CreateArray();

	for (struct session *s = sessions; s != NULL; s = s->next) {
		cJSON *j = cJSON_CreateObject();
		size_t blocks = s->concurrent ? (size_t)((s->end + BLOCK - 1) / BLOCK) : s->hash.blocks;
		char *digests = xmalloc(blocks * 65 + 1), *p = digests;

		/* a digest each, `-` for a hole */
		for (size_t i = 0; i < blocks; i++) {
			if (!s->concurrent || s->have[i]) {
				hex(p, (s->concurrent ? s->digest : s->hash.digest) + i * 32, 32);
				p += 64;
			} else {
				*p++ = '-';
			}
		}
		*p = '\0';
		cJSON_AddStringToObject(j, "id", s->id);
		cJSON_AddStringToObject(j, "tmp", s->tmp);
		cJSON_AddBoolToObject(j, "concurrent", s->concurrent);
		cJSON_AddBoolToObject(j, "closed", s->closed);
		cJSON_AddNumberToObject(j, "born", (double)s->born);
		cJSON_AddNumberToObject(j, "size", (double)session_size(s));
		cJSON_AddStringToObject(j, "digests", digests);
		cJSON_AddItemToArray(all, j);
		free(digests);
		s->tmp[0] = '\0';       /* the file stays */
	}
	char *text = json_text(all, STYLE_SPACED, true);
	int fd = openat(root_fd, "sessions", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		msg_errno("sessions", "cannot write");
	if (fd >= 0)
		close(fd);
	free(text);
	cJSON_Delete(all);
	while (sessions != NULL) {
		struct session *s = sessions;

		sessions = s->next;
		session_free(s);
	}
	for (unsigned i = 0; i < 16; i++)
		free(jobs[i].reply);
}

static void load(const cJSON *j)
{
	struct session *s = session_new(json_flag(j, "concurrent", false));
	uint64_t size = (uint64_t)json_int(j, "size", 0);
	const char *p = json_str(j, "digests", "");
	unsigned char sum[32];
	unsigned v;

	snprintf(s->id, sizeof s->id, "%s", json_str(j, "id", ""));
	snprintf(s->tmp, sizeof s->tmp, "%s", json_str(j, "tmp", ""));
	s->closed = json_flag(j, "closed", false);
	s->born = json_int(j, "born", 0);
	s->end = s->concurrent ? size : 0;
	if (s->tmp[0] != '\0')
		s->fd = openat(root_fd, s->tmp, O_RDWR | O_CLOEXEC);
	room_for(s, (size_t)(size / BLOCK + 1));
	for (size_t i = 0; *p != '\0'; i++) {
		if (*p == '-') {
			p++;
			continue;
		}
		for (size_t k = 0; k < 32 && sscanf(p, "%2x", &v) == 1; k++, p += 2)
			sum[k] = (unsigned char)v;
		memcpy(s->digest + i * 32, sum, 32);
		s->have[i] = true;
	}
	if (!s->concurrent) {
		/* the unfinished block is read again */
		char *buf = xmalloc(BLOCK);
		uint64_t whole = size / BLOCK * BLOCK;

		s->hash.digest = s->digest;
		s->hash.blocks = s->hash.cap = (size_t)(size / BLOCK);
		s->hash.cap = s->cap;
		s->digest = NULL;
		s->hash.len = whole;
		if (size > whole
			&& pread(s->fd, buf, (size_t)(size - whole), (off_t)whole) == (ssize_t)(size - whole))
			chash_add(&s->hash, buf, (size_t)(size - whole));
		free(buf);
	}
}

void sessions_load(void)
{
	struct text t = { 0 };
	char buf[8192];
	ssize_t n;
	int fd = openat(root_fd, "sessions", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	while ((n = read(fd, buf, sizeof buf)) > 0)
		text_add(&t, buf, (size_t)n);
	close(fd);
	cJSON *all = t.n > 0 ? json_parse(t.p, t.n) : NULL, *j;
	cJSON_ArrayForEach(j, all)
		load(j);
	cJSON_Delete(all);
	free(t.p);
}
