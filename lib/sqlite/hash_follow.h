/*
 * hash_follow.h - the content_hash of a file while it is being written, by a thread that follows the writer. On
 * a machine with less memory than the file a second pass would read it all from the disk again.
 */
#ifndef LIB_SQLITE_HASH_FOLLOW_H
#define LIB_SQLITE_HASH_FOLLOW_H

#include "lib/hash.h"

struct follow;

/* For a file of size bytes, which fd can read. NULL without memory or thread (reported with path). */
struct follow *follow_new(int fd, uint64_t size, const char *path);

/* The first bytes are written and do not change any more, except in the first block (HASH_BLOCK). */
void follow_ready(struct follow *f, uint64_t bytes);

/* All is written and final. EX_OK and the hash, or EX_IOERR (reported). */
int follow_end(struct follow *f, char text[HASH_TEXT]);

/* Stops the thread wherever it is. NULL is fine. */
void follow_free(struct follow *f);

#endif
