/*
 * headreg.h - the head record's place in Dropbox: a register that is read whole and written only by
 * compare-and-swap, so that of two writers at once one wins and the other looks again.
 */
#ifndef LIB_DROPBOX_HEADREG_H
#define LIB_DROPBOX_HEADREG_H

#include "lib/dropbox/dropbox.h"
#include "lib/dropbox/head.h"

#define HEADREG_PATH "/mirror-head.json"

/* The register as Dropbox had it when we looked. */
struct headreg {
	bool exists;
	struct head head;
	char rev[HEAD_REV];	/* of the record itself: what the swap compares */
	/* by Dropbox's clock, 0 where this was not told: when it was written, and what time it was when we looked */
	int64_t server_modified, asked_at;
};

/*
 * Content and revision come from one answer. EX_OK also when there is no record; otherwise reported:
 * EX_DATAERR when it is damaged or not a record of our schema; exists and rev are set then if it could be replaced all the
 * same, which one of a newer schema could not.
 */
int headreg_read(struct dropbox *d, struct http *h, struct headreg *out);

/*
 * Writes next->head, with a fresh nonce, where old was read (where nothing was, if it did not exist). EX_OK
 * with *won and next->rev, or without when another writer was faster; otherwise reported. A lost reply is
 * settled by the nonce.
 */
int headreg_swap(struct dropbox *d, struct http *h, const struct headreg *old, struct headreg *next, bool *won);

#endif
