/*
 * listing.h - the entries of a folder in Dropbox, from every page of it, sorted by path and each once. A listing
 * that could not be read whole is a failure, and so is one without end (EX_PROTOCOL): the memory and the time that it may
 * take are bounded here, not by the server.
 */
#ifndef LIB_DROPBOX_LISTING_H
#define LIB_DROPBOX_LISTING_H

#include "lib/dropbox/dropbox.h"
#include "lib/std.h"

struct listing {
	json **at;	/* files and folders as the API describes them; owned */
	size_t count, room;
};

/*
 * Lists the folder remote, "/" or "" for the root. EX_OK; EX_NOINPUT (not reported) when there is nothing; else an
 * exit status (reported).
 */
int listing_read(struct dropbox *d, struct http *h, const char *remote, bool recursive, struct listing *l);
void listing_free(struct listing *l);

#endif
