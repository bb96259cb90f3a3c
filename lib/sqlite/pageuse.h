/*
 * pageuse.h - which pages of a database file are in use (https://www.sqlite.org/fileformat2.html, 1.3-1.8): each
 * page must be used exactly once, by a b-tree, an overflow chain or the freelist. Of two kinds the place alone decides:
 * the page where locks lie, and the pointer maps of an auto_vacuum database. One bit a page;
 * several threads may claim at once. Reads no file.
 */
#ifndef LIB_SQLITE_PAGEUSE_H
#define LIB_SQLITE_PAGEUSE_H

#include "lib/sqlite/sqlite.h"
#include "lib/std.h"

struct pages {
	uint32_t count;			/* of the file; they are numbered from 1 */
	uint32_t size, usable;		/* bytes of a page, and without those reserved at its end */
	bool mapped;			/* there are pointer maps */
	_Atomic uint64_t *used;
};

/* None is used but those fixed by their place. h was found good. 0, or -1 without memory. */
int pages_init(struct pages *p, const struct sqlite_header *h);
void pages_free(struct pages *p);

/* Again as after pages_init. */
void pages_clear(struct pages *p);

/* Takes page `number` into use, which is one of the file. False when it was so before. */
bool pages_claim(struct pages *p, uint32_t number);

/* How many are not in use; *first is the first of them. */
uint32_t pages_unused(const struct pages *p, uint32_t *first);

/*
 * The pointer map in which page `number` has its entry, of five bytes; *offset says where. 0 when it has none: page 1,
 * the maps themselves, and without maps.
 */
uint32_t pages_map(const struct pages *p, uint32_t number, uint32_t *offset);

#endif
