/*
 * zst.h - zstd frames (RFC 8878) to and from an open file; the only module that knows libzstd. A skippable frame (3.1.2)
 * in front of them is passed over by every decoder: a place for what `zstd -d` does not mind.
 * Functions that return an exit status have reported the failure with the path that they were given.
 */
#ifndef LIB_ZST_H
#define LIB_ZST_H

#include "lib/std.h"

#define ZST_SKIP_LEN 8
/* The header of a skippable frame of len bytes; and back, false when these bytes are none. */
void zst_skip_make(unsigned char bytes[ZST_SKIP_LEN], uint32_t len);
bool zst_skip_parse(const unsigned char bytes[ZST_SKIP_LEN], uint32_t *len);

/* One frame, at level 3 (level 1 is 12 % larger, level 9 hardly smaller), written behind the file's position. */
struct zst_out;
struct zst_out *zst_out_new(int fd, const char *path);	/* NULL without memory, reported */
int zst_out_add(struct zst_out *o, const void *data, size_t len);
int zst_out_end(struct zst_out *o);
void zst_out_free(struct zst_out *o);

/*
 * Frames up to the end of the file, from its position on. A window of more than 8 MiB is refused, for the memory that
 * it would take; the caller has to limit how much comes out.
 */
struct zst_in;
struct zst_in *zst_in_new(int fd, const char *path);	/* NULL without memory, reported */
/* Up to len bytes, fewer only at the end. EX_OK and *got, EX_DATAERR, EX_IOERR. */
int zst_in_read(struct zst_in *i, void *data, size_t len, size_t *got);
void zst_in_free(struct zst_in *i);

#endif
