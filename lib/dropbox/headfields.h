/*
 * headfields.h - the head record as a list of names and values: what `mirror-head show` prints.
 */
#ifndef LIB_DROPBOX_HEADFIELDS_H
#define LIB_DROPBOX_HEADFIELDS_H

#include "lib/dropbox/headreg.h"

#define HEADFIELD_TEXT 32

/* In the order of the manual, NULL at the end; the last one, size_text, is not here to be read. */
const char *const *headfield_names(void);
/* The place of a name that can be read; -1 when there is none. */
int headfield_find(const char *name);
/* Its value, "" for what is not there; buf is room for it. */
const char *headfield_value(const struct headreg *r, int field, char buf[HEADFIELD_TEXT]);
/* Is it in the list that people read: of the record itself, and there, or of what every record has? */
bool headfield_listed(int field, const char *value);

#endif
