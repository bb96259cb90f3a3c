/*
 * btree.h - one page of a b-tree, decoded from its bytes (https://www.sqlite.org/fileformat2.html, 1.6).
 * Pure: no function here reads a file, and whatever the bytes are, nothing outside of the page is touched.
 * Reasons are constant texts, phrases for a message.
 *
 *	header | cell pointers | free space | cells and free blocks, in any order | reserved
 *	       ^ array                      ^ content                             ^ usable
 */
#ifndef LIB_SQLITE_BTREE_H
#define LIB_SQLITE_BTREE_H

#include "lib/std.h"

#define BTREE_PAGE_MAX 65536u

struct btree_page {
	const unsigned char *data;
	uint32_t usable;	/* bytes of the page in use: its size without the reserved ones */
	bool leaf;
	bool table;		/* keys are rowids; otherwise they are records */
	uint32_t cells;		/* their number */
	uint32_t array;		/* offset of the cell pointers */
	uint32_t content;	/* offset of the content area */
	uint32_t freeblock;	/* offset of the first free block, 0 for none */
	uint32_t fragments;	/* bytes in gaps too small for a free block, says the header */
	uint32_t right;		/* the rightmost child; 0 in a leaf */
	uint32_t max_local, min_local;	/* how much of a payload stays in its cell */
};

/* A cell of a page. A payload longer than local_len goes on in a chain of overflow pages. */
struct btree_cell {
	uint32_t at, size;	/* its bytes in the page */
	uint32_t child;		/* the page of the keys up to this one; 0 in a leaf */
	int64_t rowid;		/* of a table */
	uint32_t payload;	/* length of the whole payload; 0 in an interior page of a table */
	const unsigned char *local;
	uint32_t local_len;
	uint32_t overflow;	/* first overflow page, 0 for none */
};

/*
 * The header of page `number`, whose first `usable` bytes are at data (page 1 has the file's header before
 * its own). Returns NULL, or why it is no page of a b-tree; then *p must not be used.
 */
const char *btree_page(struct btree_page *p, const unsigned char *data, uint32_t usable, uint32_t number);

/* Cell i < p->cells. Returns NULL, or why it is none. */
const char *btree_cell(const struct btree_page *p, uint32_t i, struct btree_cell *c);

/*
 * Every byte of the content area belongs to one cell, one free block or a fragment. To be called for a page:
 * start, add for each of its cells, end; which returns NULL, or what is wrong.
 */
struct btree_cover {
	uint64_t used[BTREE_PAGE_MAX / 64];	/* a bit for each byte of the page */
	uint32_t total;				/* bytes covered */
	bool overlap;
};

void btree_cover_start(struct btree_cover *v, const struct btree_page *p);
void btree_cover_add(struct btree_cover *v, const struct btree_cell *c);
const char *btree_cover_end(struct btree_cover *v, const struct btree_page *p);

/* Big-endian numbers, as everywhere in the file. */
static inline uint32_t btree_u16(const unsigned char *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static inline uint32_t btree_u32(const unsigned char *p)
{
	return btree_u16(p) << 16 | btree_u16(p + 2);
}

/*
 * A variable-length integer: 1 to 9 bytes of seven bits, the ninth of eight (1.6, "varint").
 * Returns the byte behind it, or NULL when it does not end before end.
 */
static inline const unsigned char *btree_varint(const unsigned char *p, const unsigned char *end, uint64_t *out)
{
	uint64_t v = 0;

	if (p < end && *p < 0x80) {
		*out = *p;
		return p + 1;
	}
	for (int i = 0; i < 8; i++) {
		if (p >= end)
			return NULL;
		v = v << 7 | (*p & 0x7f);
		if (*p++ < 0x80) {
			*out = v;
			return p;
		}
	}
	if (p >= end)
		return NULL;
	*out = v << 8 | *p++;
	return p;
}

#endif
