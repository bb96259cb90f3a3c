/*
 * session.h - the calls that bring bytes into Dropbox: one request with all of them, or an upload session
 * (https://www.dropbox.com/developers/documentation/http/documentation#files-upload_session-start) of many
 * requests that a last one commits. A commit counts only when Dropbox has computed our content_hash. When its
 * reply was lost we look: it happened if and only if the path has our content.
 */
#ifndef LIB_DROPBOX_SESSION_H
#define LIB_DROPBOX_SESSION_H

#include "lib/dropbox/dropbox.h"

/* Where a commit goes, and on which condition. */
struct target {
	struct dropbox *dropbox;
	const char *remote;		/* a path */
	bool overwrite;			/* whatever is there; otherwise nothing may be there */
	const char *if_rev;		/* or only this revision may be there; NULL */
};

/* len bytes: of data, or of read when data is NULL (see http.h). */
struct body {
	const char *data;
	uint64_t len;
	size_t (*read)(void *ctx, uint64_t at, char *buf, size_t len);
	void *ctx;
};

/* Instead of an exit status: Dropbox does not know the session, or it is closed; a place to go on from. */
#define SESSION_GONE (-1)
#define SESSION_ELSEWHERE (-2)

/* kind is sequential or concurrent. The session's id, malloc'ed; NULL when it failed, *rc says why (reported). */
char *session_start(const struct target *t, struct http *h, const char *kind, int *rc);

/*
 * The bytes that belong at offset, with their content_hash. close: they are the last ones.
 * EX_OK; SESSION_GONE; SESSION_ELSEWHERE with *at, when a sequential session (at is not NULL) has some of these
 * bytes; or an exit status, not reported: a says why (free it in any case).
 */
int session_append(const struct target *t, struct http *h, const char *id, uint64_t offset, const struct body *b,
		   const char *hash, bool close, uint64_t *at, struct dropbox_answer *a);

/*
 * Commits a session of size bytes with this content_hash. EX_OK with m filled (release it); SESSION_GONE; or an
 * exit status, reported: EX_CANTCREAT when the condition does not hold, EX_DATAERR when Dropbox has other bytes.
 */
int session_finish(const struct target *t, struct http *h, const char *id, uint64_t size, const char *hash,
		   int64_t mtime, struct dropbox_meta *m);

/* Everything in one request, at most 150 MiB. As session_finish, but never SESSION_GONE. */
int session_whole(const struct target *t, struct http *h, const struct body *b, const char *hash, int64_t mtime,
		  struct dropbox_meta *m);

#endif
