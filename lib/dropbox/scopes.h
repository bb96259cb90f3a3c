/*
 * scopes.h - what the app may do. A renewed token does not say it, and what is missing shows at the first use: so each scope
 * is used here, on a file that is not there. Should one be there, it stays: its revision is another.
 */
#ifndef LIB_DROPBOX_SCOPES_H
#define LIB_DROPBOX_SCOPES_H

#include "lib/dropbox/dropbox.h"

#define SCOPES_TEXT 128	/* bytes that hold all of them */

/*
 * The scopes that the suite needs and the app has, with a space between two; a hint names each other one. EX_OK, or an exit
 * status when it cannot be told (reported).
 */
int scopes_try(struct dropbox *d, struct http *h, char scopes[SCOPES_TEXT]);

#endif
