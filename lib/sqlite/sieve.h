/*
 * sieve.h - which elements do two multisets not have in common? Each element of one is added and each of the
 * other taken away; what both have cancels out, and what is left can be listed as long as it is not much more
 * than the sieve holds (an invertible Bloom lookup table: Goodrich, Mitzenmacher 2011, arXiv 1101.2245).
 * The memory is the same however many elements pass.
 */
#ifndef LIB_SQLITE_SIEVE_H
#define LIB_SQLITE_SIEVE_H

#include "lib/std.h"

struct sieve;

struct sieve *sieve_new(void);	/* NULL without memory */
void sieve_free(struct sieve *s);

/* count is 1 or -1; hash is the element's identity; what follows from it alone, mark, is told back with it. */
void sieve_add(struct sieve *s, uint64_t hash, int64_t mark, int count);

/*
 * Calls tell for each element that did not cancel out, count as above; empties the sieve. False when there are
 * too many of them to list all.
 */
bool sieve_list(struct sieve *s, void (*tell)(void *ctx, int count, uint64_t hash, int64_t mark), void *ctx);

#endif
