/*
 * uploadpieces.h - a file on its way into a concurrent upload session: which pieces of 16 MiB the session has, and the
 * digests that make them up. What was sent is noted in `.NAME.XXXXXXXX.upload` beside the file (one for each
 * remote path, so that two uploads of one file do not meet): the session's id, and each piece with the hash it
 * was sent with. The next run reads the file again and goes on with the same session where the hashes agree.
 * Where nothing can be noted (no permission, no space) the upload goes on all the same, only not resumed.
 *
 * All functions may be called by several threads at once, except open, begin and close.
 */
#ifndef LIB_DROPBOX_UPLOADPIECES_H
#define LIB_DROPBOX_UPLOADPIECES_H

#include <sys/stat.h>

#include "lib/hash.h"

#define PIECE (4 * HASH_BLOCK)	/* a session takes multiples of 4 MiB */

struct pieces;

/*
 * For the file open as fd, called local, st being what it was when it was opened.
 * EX_OK; EX_CANTCREAT when another process is at it; EX_SOFTWARE. Reported.
 */
int pieces_open(struct pieces **out, int fd, const char *local, const struct stat *st, const char *remote);

/* The session of an earlier run, NULL without one. Not owned. */
const char *pieces_session(const struct pieces *p);
/* The session is gone, begin another. */
void pieces_lost(struct pieces *p);
/* Begins with a session that has no piece yet. EX_OK, or EX_SOFTWARE (reported). */
int pieces_begin(struct pieces *p, const char *session);

uint64_t pieces_count(const struct pieces *p);
uint64_t pieces_len(const struct pieces *p, uint64_t piece);

/* The next piece but the last, which closes the session and goes when all others are there; false: none is left. */
bool pieces_take(struct pieces *p, uint64_t *piece);
/* Reads the piece: its content_hash. EX_OK, EX_DATAERR (the file changed) or EX_IOERR (errno set); not reported. */
int pieces_hash(struct pieces *p, uint64_t piece, char hash[HASH_TEXT]);
/* The hash that the session has the piece with; NULL when it does not have it. */
const char *pieces_sent(const struct pieces *p, uint64_t piece);
/* The session has the piece now. */
void pieces_note(struct pieces *p, uint64_t piece, const char *hash);

/* Is the file still what it was when it was opened? */
bool pieces_unchanged(const struct pieces *p);
/* The content_hash of the file, once every piece was hashed. */
char *pieces_content_hash(const struct pieces *p, char hash[HASH_TEXT]);

/* Is noted what the session has? */
bool pieces_noted(const struct pieces *p);
/* Frees p; with done there is nothing to go on with. NULL is fine. */
void pieces_close(struct pieces *p, bool done);

/* Removes what an earlier run noted about this upload, if no process is at it. Silent. */
void pieces_forget(const char *local, const char *remote);

#endif
