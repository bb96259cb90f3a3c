/*
 * download.h - the bytes of one revision of a file in Dropbox, checked before they count. Everything is
 * asked for as `rev:REV`, so that an upload meanwhile is never mixed in, and every answer must describe
 * the content that was promised (size and content_hash).
 */
#ifndef LIB_DROPBOX_DOWNLOAD_H
#define LIB_DROPBOX_DOWNLOAD_H

#include "lib/dropbox/dropbox.h"
#include "lib/progress.h"

#define DOWNLOAD_JOBS_MOST 16u

struct download {
	struct dropbox *dropbox;
	const char *remote;		/* as the operator named it, for messages */
	const struct dropbox_meta *meta;	/* what is expected; a file with a content_hash */
	unsigned jobs;			/* connections, 1..DOWNLOAD_JOBS_MOST */
	uint64_t limit_rate;		/* bytes a second in all, 0 for no limit */
	enum progress_when progress;
};

/*
 * Into the file path, which is at every instant the old file or the complete new one: parallel ranges go
 * into a part (part.h) that the next run takes over; mtime becomes client_modified.
 * EX_OK; EX_NOINPUT when the revision is gone (not reported); EX_DATAERR when the content_hash stays wrong;
 * EX_IOERR; after any other failure the part is kept. Reported.
 */
int download_file(const struct download *d, const char *path);

/*
 * The same for d->remote, a path, as it is now, in one call: what it is comes with its bytes, and d->meta is not needed. On the
 * connection h, which the next one may use. DOWNLOAD_NOT_SO: that did not go well, which is not reported, for the ordinary way
 * is left and says why; what arrived is kept for it. EX_CANTCREAT, EX_IOERR, EX_PROTOCOL, reported.
 */
#define DOWNLOAD_NOT_SO (-1)
int download_at_once(const struct download *d, struct http *h, const char *path);

/*
 * In order to a descriptor. What was written cannot be taken back: only the exit status says whether it
 * was right. Statuses as above, EX_NOINPUT only before the first byte; a reader that left ends the process by
 * SIGPIPE.
 */
int download_stream(const struct download *d, int fd);

#endif
