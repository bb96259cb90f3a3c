#include "lib/std.h"

#include "lib/clock.h"
#include "lib/msg.h"
#include "lib/dropbox/session.h"
#include "lib/stop.h"

#define LOOKS_MOST 5	/* for a commit that cannot be seen yet */

static json *commit_info(const struct target *t, int64_t mtime)
{
	json *commit = json_object(), *mode;
	char time[CLOCK_TEXT];

	json_put_str(commit, "path", t->remote);
	if (t->if_rev != NULL) {
		mode = json_object();
		json_put_str(mode, ".tag", "update");
		json_put_str(mode, "update", t->if_rev);
		json_put(commit, "mode", mode);
	} else {
		json_put_str(commit, "mode", t->overwrite ? "overwrite" : "add");
	}
	json_put_bool(commit, "autorename", false);
	/* a file from before 1970 is rather given that year than refused */
	json_put_str(commit, "client_modified", clock_text(time, mtime < 0 ? 0 : mtime));
	json_put_bool(commit, "mute", true);
	/* without it an update onto a deleted file, or of equal content, would count as won */
	json_put_bool(commit, "strict_conflict", t->if_rev != NULL);
	return commit;
}

static json *cursor(const char *id, uint64_t offset)
{
	json *c = json_object();

	json_put_str(c, "session_id", id);
	json_put_int(c, "offset", (int64_t)offset);
	return c;
}

static bool is_ours(const struct dropbox_meta *m, uint64_t size, const char *hash)
{
	return m->kind == 'f' && (uint64_t)m->size == size && strcmp(m->content_hash, hash) == 0;
}

/* Is our content at the path? Silent. patient: looks again for a while when nothing is there. */
static bool happened(const struct target *t, struct http *h, uint64_t size, const char *hash, bool patient,
		     struct dropbox_meta *m)
{
	json *arg = json_object();
	struct dropbox_call c = { .style = DROPBOX_RPC, .route = "files/get_metadata", .arg = arg };
	struct retry pace = dropbox_pace(t->dropbox);
	struct dropbox_answer a;
	bool ours = false, again;

	json_put_str(arg, "path", t->remote);
	pace.most = LOOKS_MOST;
	do {
		dropbox_try(t->dropbox, h, &c, &a);
		if (a.rc == EX_OK && dropbox_meta_read(m, a.body)) {
			ours = is_ours(m, size, hash);
			if (!ours)
				dropbox_meta_free(m);
		}
		a.again = a.again || (patient && a.rc == EX_NOINPUT);
		again = a.rc != EX_OK && dropbox_again(&pace, &a);
		dropbox_answer_free(&a);
	} while (again);
	json_free(arg);
	return ours;
}

/* The outcome of a commit, by its answer. */
static int settle(const struct target *t, struct http *h, const struct dropbox_answer *a, uint64_t size,
		  const char *hash, struct dropbox_meta *m)
{
	bool gone = strcmp(a->tag, "lookup_failed/not_found") == 0 || strcmp(a->tag, "lookup_failed/closed") == 0;

	if (a->rc == EX_OK && !dropbox_meta_read(m, a->body)) {
		msg_err(t->remote, "the answer is not Dropbox's metadata");
		return EX_PROTOCOL;
	}
	if (a->rc == EX_OK && is_ours(m, size, hash))
		return EX_OK;
	if (a->rc == EX_OK) {
		msg_err(t->remote, "Dropbox has other bytes than were sent (content_hash %s, not %s)",
			m->content_hash[0] != '\0' ? m->content_hash : "unknown", hash);
		return EX_DATAERR;
	}
	/* a session goes when it is committed: by a try whose reply was lost, or by an earlier run */
	if ((a->lost || gone) && !stop_asked() && happened(t, h, size, hash, a->lost && gone, m)) {
		msg_info("the reply was lost, but Dropbox has the file");
		return EX_OK;
	}
	return gone ? SESSION_GONE : dropbox_report(t->remote, a);
}

char *session_start(const struct target *t, struct http *h, const char *kind, int *rc)
{
	json *arg = json_object();
	struct dropbox_call c = { .style = DROPBOX_UPLOAD, .route = "files/upload_session/start", .arg = arg };
	struct dropbox_answer a;
	const char *id;
	char *out = NULL;

	json_put_str(arg, "session_type", kind);
	dropbox_do(t->dropbox, h, &c, &a);
	id = json_str(a.body, "session_id");
	*rc = a.rc;
	if (a.rc != EX_OK) {
		dropbox_report(t->remote, &a);
	} else if (id == NULL || *id == '\0' || strlen(id) > 1024 || strpbrk(id, " \r\n") != NULL) {
		msg_err(t->remote, "the answer has no session_id");
		*rc = EX_PROTOCOL;
	} else if ((out = strdup(id)) == NULL) {
		msg_err(t->remote, "out of memory");
		*rc = EX_SOFTWARE;
	}
	dropbox_answer_free(&a);
	json_free(arg);
	return out;
}

/* Where a sequential session wants to go on after incorrect_offset; false when the answer is something else. */
static bool correct_offset(const struct dropbox_answer *a, uint64_t *at)
{
	int64_t n;

	if (at == NULL || strcmp(a->tag, "incorrect_offset") != 0 ||
	    !json_int(json_get(a->body, "error"), "correct_offset", 0, INT64_MAX, &n))
		return false;
	*at = (uint64_t)n;
	return true;
}

int session_append(const struct target *t, struct http *h, const char *id, uint64_t offset, const struct body *b,
		   const char *hash, bool close, uint64_t *at, struct dropbox_answer *a)
{
	json *arg = json_object();
	struct dropbox_call c = { .style = DROPBOX_UPLOAD, .route = "files/upload_session/append_v2", .arg = arg,
				  .body = b->data, .body_len = b->len, .read = b->read, .ctx = b->ctx };

	json_put(arg, "cursor", cursor(id, offset));
	json_put_bool(arg, "close", close);
	json_put_str(arg, "content_hash", hash);
	dropbox_do(t->dropbox, h, &c, a);
	json_free(arg);
	/* closed: by these very bytes when their reply was lost */
	if (close && a->lost && strcmp(a->tag, "closed") == 0)
		return EX_OK;
	if (strcmp(a->tag, "not_found") == 0 || strcmp(a->tag, "closed") == 0)
		return SESSION_GONE;
	if (correct_offset(a, at) && *at >= offset && *at <= offset + b->len)
		return SESSION_ELSEWHERE;
	return a->rc;
}

int session_finish(const struct target *t, struct http *h, const char *id, uint64_t size, const char *hash,
		   int64_t mtime, struct dropbox_meta *m)
{
	json *arg = json_object();
	struct dropbox_call c = { .style = DROPBOX_UPLOAD, .route = "files/upload_session/finish", .arg = arg };
	struct dropbox_answer a;
	int rc;

	json_put(arg, "cursor", cursor(id, size));
	json_put(arg, "commit", commit_info(t, mtime));
	dropbox_do(t->dropbox, h, &c, &a);
	rc = settle(t, h, &a, size, hash, m);
	dropbox_answer_free(&a);
	json_free(arg);
	return rc;
}

int session_whole(const struct target *t, struct http *h, const struct body *b, const char *hash, int64_t mtime,
		  struct dropbox_meta *m)
{
	json *arg = commit_info(t, mtime);
	struct dropbox_call c = { .style = DROPBOX_UPLOAD, .route = "files/upload", .arg = arg, .body = b->data,
				  .body_len = b->len, .read = b->read, .ctx = b->ctx };
	struct dropbox_answer a;
	int rc;

	json_put_str(arg, "content_hash", hash);
	dropbox_do(t->dropbox, h, &c, &a);
	rc = settle(t, h, &a, b->len, hash, m);
	dropbox_answer_free(&a);
	json_free(arg);
	return rc;
}
