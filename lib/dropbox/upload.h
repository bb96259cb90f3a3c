/*
 * upload.h - a file or a stream into Dropbox: all at once or not at all, and only with the content_hash that
 * Dropbox computed itself (session.h).
 */
#ifndef LIB_DROPBOX_UPLOAD_H
#define LIB_DROPBOX_UPLOAD_H

#include "lib/progress.h"
#include "lib/dropbox/session.h"

#define UPLOAD_JOBS_MOST 16u

struct upload {
	struct target to;
	unsigned jobs;			/* connections for a file, 1..UPLOAD_JOBS_MOST */
	uint64_t limit_rate;		/* bytes a second in all, 0 for no limit */
	enum progress_when progress;
};

/*
 * The regular file open as fd, called local. Larger than a piece it goes by a concurrent session, which the next
 * run goes on with (pieces.h).
 * EX_OK with m filled (release it); EX_CANTCREAT when something else is there; EX_DATAERR when the file changed
 * meanwhile or Dropbox has other bytes at the end; the rest as lib/dropbox/dropbox; reported.
 */
int upload_file(const struct upload *u, int fd, const char *local, struct dropbox_meta *m);

/*
 * All of fd to its end, through one buffer of 1 MiB. The same, and EX_TEMPFAIL when the session was lost: what
 * was read cannot be read again.
 */
int upload_stream(const struct upload *u, int fd, const char *local, struct dropbox_meta *m);

#endif
