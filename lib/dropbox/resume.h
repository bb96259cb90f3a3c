/*
 * resume.h - what a transfer has done so far, so that the next run goes on from there: an append-only
 * text file whose first line says what it is about and whose further lines are records. A line counts
 * once its newline is there; what a power cut left behind the last one is cut off. The records are
 * claims, not proofs: their reader checks them against the data.
 */
#ifndef LIB_DROPBOX_RESUME_H
#define LIB_DROPBOX_RESUME_H

#include "lib/std.h"

struct journal;

/*
 * Opens or creates the file at path, mode 0600, and locks it for this process. When its first line is
 * head, each complete further line goes to record (a line that it refuses by non-zero ends the replay,
 * and the rest is cut off); otherwise the file starts afresh with head. *fresh says which.
 * EX_OK; EX_CANTCREAT (locked by another process, no permission) or EX_IOERR, reported.
 */
int journal_open(struct journal **out, const char *path, const char *head,
		 int (*record)(void *ctx, const char *line), void *ctx, bool *fresh);

/* Appends one line. EX_OK, or EX_IOERR (reported). */
int journal_add(struct journal *j, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Drops all records. EX_OK, or EX_IOERR (reported). */
int journal_reset(struct journal *j, const char *head);

/* Closes it; with done the work is complete and the file goes. NULL is fine. */
void journal_close(struct journal *j, bool done);

#endif
