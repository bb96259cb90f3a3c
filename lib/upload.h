/*
 * upload.h - a file or a stream into Dropbox, committed in one step at the end and confirmed by the
 * content_hash that Dropbox computed. A commit whose reply was lost is resolved by looking: it happened
 * if and only if the path has our content.
 */
#ifndef LIB_UPLOAD_H
#define LIB_UPLOAD_H

#include "lib/dropbox.h"
#include "lib/progress.h"

#define UPLOAD_JOBS_MOST 16u

struct upload {
	struct dropbox *dropbox;
	const char *remote;		/* a path */
	bool overwrite;			/* whatever is there; otherwise nothing may be there */
	const char *if_rev;		/* or only this revision may be there; NULL */
	unsigned jobs;			/* connections for a file, 1..UPLOAD_JOBS_MOST */
	uint64_t limit_rate;		/* bytes a second in all, 0 for no limit */
	enum progress_when progress;
};

/*
 * The regular file open as fd, called local. Larger than UPLOAD_PIECE it goes by a concurrent session
 * (https://www.dropbox.com/developers/documentation/http/documentation#files-upload_session-start) whose
 * state is kept beside the file, so that the next run goes on with the same session.
 * EX_OK with m filled (release it); EX_CANTCREAT when something else is there; EX_DATAERR when the file
 * changed meanwhile or Dropbox has other bytes at the end; the rest as lib/dropbox; reported.
 */
int upload_file(const struct upload *u, int fd, const char *local, struct dropbox_meta *m);

/* All of fd to its end, through one buffer of UPLOAD_CHUNK bytes. */
int upload_stream(const struct upload *u, int fd, const char *local, struct dropbox_meta *m);

#define UPLOAD_PIECE (4 * HASH_BLOCK)	/* of a concurrent session: a multiple of 4 MiB */
#define UPLOAD_CHUNK HASH_BLOCK		/* of a sequential one */

#endif
