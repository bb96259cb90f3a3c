/*
 * buf.h - a growable byte buffer with a compulsory maximum, for text of unknown length from a server
 * or a pipe. Always followed by a NUL that is not counted. Zeroed on free: it may hold a token.
 */
#ifndef LIB_BUF_H
#define LIB_BUF_H

#include "lib/std.h"

struct buf {
	char *data;	/* owned; never NULL after the first buf_add */
	size_t len;
	size_t room;
	size_t max;	/* len never passes it */
};

#define BUF_INIT(maximum) { .data = NULL, .len = 0, .room = 0, .max = (maximum) }

/* 0, or -1 when it would pass max or memory is out; the buffer is then as before. */
int buf_add(struct buf *b, const void *data, size_t len);
int buf_adds(struct buf *b, const char *text);
/* The same for a text whose end tells whether it is whole: once something did not fit, nothing fits (len is max then). */
void buf_put(struct buf *b, const void *data, size_t len);
/* Empties it, keeps the memory. */
void buf_clear(struct buf *b);
void buf_free(struct buf *b);
/* The content as a string, "" when nothing was added. */
const char *buf_text(const struct buf *b);

#endif
