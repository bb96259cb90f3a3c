/*
 * path.h - what names a file in Dropbox: a path, `rev:...` or `id:...`. Pure, and without the account: who only reads what was
 * kept of the record loads no library for calls.
 */
#ifndef LIB_DROPBOX_PATH_H
#define LIB_DROPBOX_PATH_H

#include "lib/std.h"

#define DROPBOX_REV_LEAST 9	/* hex digits of a revision */
#define DROPBOX_REV_MOST 127

/* Are they one path to Dropbox, which does not tell upper from lower case? */
bool dropbox_same_path(const char *a, const char *b);

/*
 * Is path what Dropbox takes: `/...` without a trailing slash or blank, components of at most 255
 * characters, valid UTF-8 without controls? NULL, or the reason.
 */
const char *dropbox_path_fault(const char *path);
/* The same for a path, `rev:...` or `id:...`. */
const char *dropbox_ref_fault(const char *ref);

bool dropbox_is_rev(const char *text);
/* A revision, as an option: option.h; const char **. */
const char *dropbox_take_rev(const char *text, void *to);

#endif
