/*
 * headdraft.h - a draft: the lines that say what is to be published (headlines.h), as the tools append them to a file one
 * after the other, or as they come on standard input. In a file the first is the record of when the publication began.
 */
#ifndef LIB_DROPBOX_HEADDRAFT_H
#define LIB_DROPBOX_HEADDRAFT_H

#include "lib/dropbox/headmove.h"

/*
 * Reads the file at path (NULL: standard input) into wish: its snapshot, with its state where it has one, or with
 * state_alone the state. EX_OK, EX_DATAERR, EX_TEMPFAIL (a signal), or as file_slurp; reported.
 */
int headdraft_read(const char *path, bool state_alone, struct head_wish *wish);

/* The draft at path, its lines merged by head_merge_lines; *out is the caller's, NULL without one. An exit status, reported. */
int headdraft_known(const char *path, json **out);

#endif
