/*
 * headwrite.h - the head record as a host uses it: looked at, and believed or not; and written, by compare-and-swap,
 * as headmove.h would have it, over the writes of others. What was read or written is remembered (headseen.h).
 */
#ifndef LIB_DROPBOX_HEADWRITE_H
#define LIB_DROPBOX_HEADWRITE_H

#include "lib/dropbox/headmove.h"
#include "lib/dropbox/headreg.h"

/* The connection, and what this host wants. */
struct headwrite {
	struct dropbox *dropbox;
	struct http *http;
	bool dry;			/* remember nothing of what is read */
	const struct head_wish *wish;	/* of headwrite_move */
};

/* The record, if it can be believed; *now may not exist. EX_OK, or an exit status, reported. */
int headwrite_look(const struct headwrite *w, struct headreg *seen, struct headreg *now);

/*
 * Writes the record as move would have it. What a program that does not know the chain dropped is put back besides, by
 * its owner. *is is the record as it is then. EX_OK, EX_NOPERM (not the owner), EX_TEMPFAIL (it is not where the wish
 * begins, others were faster, it was removed meanwhile), or another exit status; reported.
 */
int headwrite_move(const struct headwrite *w, head_move *move, struct headreg *is);

/*
 * The object of a change as Dropbox has it now: what is not there is never on record. EX_OK; EX_DATAERR (another one),
 * EX_NOINPUT, or another exit status; reported.
 */
int headwrite_object(const struct headwrite *w, const struct head_state *s, struct head_change *out);

#endif
