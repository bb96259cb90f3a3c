/*
 * headfields.h - the head record as a list of names and values: what `mirror-head show` prints.
 */
#ifndef LIB_DROPBOX_HEADFIELDS_H
#define LIB_DROPBOX_HEADFIELDS_H

#include "lib/dropbox/headreg.h"
#include "lib/shell.h"

#define HEADFIELD_TEXT 32

/* In the order of the manual, NULL at the end; the last two, size_text and base, are not here to be read. */
const char *const *headfield_names(void);
/* The place of a name that can be read; -1 when there is none. */
int headfield_find(const char *name);
/* Its value, "" for what is not there; buf is room for it. */
const char *headfield_value(const struct headreg *r, int field, char buf[HEADFIELD_TEXT]);

/* All of it: each name for a shell where s was asked, else for people those that are there, `NAME=VALUE` lines. */
void headfield_list(const struct headreg *r, struct shell *s);

#endif
