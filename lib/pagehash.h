/*
 * pagehash.h - a number for each page and one for the whole database, to find drift: a bug of ours, a bad disk. Against
 * damage on the way and strangers stands the content_hash. The only module that knows xxhash
 * (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md).
 *
 * A page's is XXH3-128 of its bytes with the page's number as the seed; page 1 counts with bytes 18 and 19 as 1, as it is
 * published. The digest of a state is their sum, lane by lane modulo 2^64, over all pages but the lock page: a change
 * takes the old pages' away and adds the new ones', whatever their order.
 */
#ifndef LIB_PAGEHASH_H
#define LIB_PAGEHASH_H

#include "lib/std.h"

#define PAGEHASH_LEN 16		/* bytes, as they are stored: high lane first, big-endian */
#define PAGEHASH_TEXT 33

struct pagehash {
	uint64_t high, low;
};

/* Page 1 is to come with bytes 18 and 19 as 1. */
struct pagehash pagehash_of(const void *page, uint32_t size, uint32_t number);
void pagehash_add(struct pagehash *sum, struct pagehash page);
void pagehash_take(struct pagehash *sum, struct pagehash page);

void pagehash_store(unsigned char bytes[PAGEHASH_LEN], struct pagehash h);
struct pagehash pagehash_load(const unsigned char bytes[PAGEHASH_LEN]);
/* 32 lower-case hexadecimal digits. Returns text. */
char *pagehash_text(char text[PAGEHASH_TEXT], struct pagehash h);
/* False when text is not just that. */
bool pagehash_parse(const char *text, struct pagehash *out);

#endif
