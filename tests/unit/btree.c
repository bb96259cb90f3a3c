#include "lib/std.h"

#include <inttypes.h>

#include "lib/sqlite/btree.h"

#include "tests/unit/check.h"

#define PAGE 512u

/* ---- variable-length integers ---- */

static const struct {
	const char *bytes;
	size_t len;		/* how many there are to read */
	size_t used;		/* 0: it does not end */
	uint64_t value;
} varints[] = {
	{ "", 0, 0, 0 },
	{ "\x00", 1, 1, 0 },
	{ "\x7f", 1, 1, 127 },
	{ "\x80", 1, 0, 0 },
	{ "\x81\x00", 2, 2, 128 },
	{ "\x81\x00", 1, 0, 0 },
	{ "\x80\x01", 2, 2, 1 },			/* longer than need be, but a number */
	{ "\xff\x7f", 2, 2, 16383 },
	{ "\x81\x80\x00", 3, 3, 16384 },
	{ "\x8f\xff\xff\xff\x7f", 5, 5, 0xffffffff },
	{ "\xff\xff\xff\xff\xff\xff\xff\x7f", 8, 8, (UINT64_C(1) << 56) - 1 },
	{ "\x80\xc0\x80\x80\x80\x80\x80\x80\x00", 9, 9, UINT64_C(1) << 56 },
	{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9, 9, UINT64_MAX },
	{ "\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 9, 9, UINT64_MAX - 128 },	/* of the ninth all bits count */
	{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff", 8, 0, 0 },
};

static void test_varints(void)
{
	for (size_t i = 0; i < sizeof varints / sizeof *varints; i++) {
		const unsigned char *p = (const unsigned char *)varints[i].bytes;
		uint64_t v = 0;
		const unsigned char *end = btree_varint(p, p + varints[i].len, &v);

		if (varints[i].used == 0)
			check(end == NULL, "varint %zu ends", i);
		else
			check(end == p + varints[i].used && v == varints[i].value, "varint %zu: %" PRIu64, i, v);
	}
}

/* ---- pages ---- */

/* A leaf of a table with one cell at its end: rowid 5, a record of two bytes; and a free block before it. */
static void good(unsigned char *p)
{
	memset(p, 0, PAGE);
	p[0] = 13;
	p[2] = 0xf0, p[1] = 1;		/* free block at 496 */
	p[4] = 1;			/* cells */
	p[5] = 1, p[6] = 0xf0;		/* content at 496 */
	p[7] = 2;			/* fragments */
	p[8] = 1, p[9] = 0xfc;		/* the cell at 508 */
	p[496 + 3] = 10;		/* the free block: 496..505; 506 and 507 are fragments */
	memcpy(p + 508, "\x02\x05\x02\x08", 4);
}

/* Bytes changed, and what comes of it at which step. */
static const struct {
	const char *what;
	struct { unsigned at, byte; } change[3];	/* 0, 0 for none: the first byte is never changed to 0 */
	const char *page, *cell, *cover;
} pages[] = {
	{ "the good page", { { 0, 0 } }, NULL, NULL, NULL },
	{ "no page type", { { 0, 12 } }, "no b-tree page", NULL, NULL },
	{ "an index's leaf", { { 0, 10 } }, NULL, NULL, NULL },
	{ "content behind the end", { { 5, 2 }, { 6, 1 } }, "content begins behind", NULL, NULL },
	{ "too many cells", { { 3, 1 } }, "reach into", NULL, NULL },
	{ "content at 65536", { { 5, 0 }, { 6, 0 } }, "content begins behind", NULL, NULL },
	{ "a cell before the content", { { 9, 0x80 } }, NULL, "outside", NULL },
	{ "a cell in the header", { { 8, 0 }, { 9, 4 } }, NULL, "outside", NULL },
	{ "a cell at the very end", { { 9, 0xfd } }, NULL, "outside", NULL },
	{ "a payload behind the end", { { 508, 3 } }, NULL, "behind the end", NULL },
	{ "a fragment less", { { 7, 1 } }, NULL, NULL, "add up" },
	{ "a fragment more", { { 7, 3 } }, NULL, NULL, "add up" },
	{ "a free block that goes on in the cell", { { 499, 13 } }, NULL, NULL, "used twice" },
	{ "a free block behind the end", { { 499, 17 } }, NULL, NULL, "impossible length" },
	{ "a free block of 3 bytes", { { 499, 3 } }, NULL, NULL, "impossible length" },
	{ "a free block before the content", { { 2, 0x80 } }, NULL, NULL, "outside" },
	{ "free blocks in a circle", { { 496, 1 }, { 497, 0xf0 } }, NULL, NULL, "out of order" },
	{ "free blocks that touch", { { 496, 1 }, { 497, 0xfa } }, NULL, NULL, "out of order" },
};

static bool says(const char *got, const char *want)
{
	return want == NULL ? got == NULL : got != NULL && strstr(got, want) != NULL;
}

static void test_pages(void)
{
	static unsigned char bytes[PAGE];
	static struct btree_cover cover;
	struct btree_page p;
	struct btree_cell c;

	for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
		const char *why;

		good(bytes);
		for (size_t j = 0; j < 3; j++)
			if (pages[i].change[j].at != 0 || pages[i].change[j].byte != 0)
				bytes[pages[i].change[j].at] = (unsigned char)pages[i].change[j].byte;
		why = btree_page(&p, bytes, PAGE, 2);
		check(says(why, pages[i].page), "%s: page: %s", pages[i].what, why);
		if (why != NULL)
			continue;
		why = btree_cell(&p, 0, &c);
		check(says(why, pages[i].cell), "%s: cell: %s", pages[i].what, why);
		if (why != NULL)
			continue;
		btree_cover_start(&cover, &p);
		btree_cover_add(&cover, &c);
		why = btree_cover_end(&cover, &p);
		check(says(why, pages[i].cover), "%s: cover: %s", pages[i].what, why);
	}
	/* the nine bytes of a length are wanted, four are there */
	good(bytes);
	memset(bytes + 508, 0xff, 4);
	check(btree_page(&p, bytes, PAGE, 2) == NULL && says(btree_cell(&p, 0, &c), "impossible length"), "endless length");
	memcpy(bytes + 508, "\x02\xff\xff\xff", 4);
	check(says(btree_cell(&p, 0, &c), "does not end"), "endless rowid");

	good(bytes);
	check(btree_page(&p, bytes, PAGE, 2) == NULL && p.leaf && p.table && p.cells == 1 && p.right == 0, "fields of a page");
	check(btree_cell(&p, 0, &c) == NULL && c.rowid == 5 && c.payload == 2 && c.local_len == 2 && c.overflow == 0 &&
	      c.local == bytes + 510 && c.size == 4, "fields of a cell");
	/* page 1 has its header behind the file's */
	memmove(bytes + 100, bytes, 10);
	check(btree_page(&p, bytes, PAGE, 1) == NULL && p.array == 108 && btree_cell(&p, 0, &c) == NULL && c.rowid == 5,
	      "page 1");

	/* in pages of 65536 bytes, 0 stands for a content area that begins at the end */
	{
		static unsigned char big[BTREE_PAGE_MAX];

		big[0] = 13;
		check(btree_page(&p, big, BTREE_PAGE_MAX, 2) == NULL && p.cells == 0 && p.content == BTREE_PAGE_MAX, "an empty page");
		btree_cover_start(&cover, &p);
		check(btree_cover_end(&cover, &p) == NULL, "all of an empty page is free");
	}

	/* an interior page: the child before the key, the rightmost in the header */
	memset(bytes, 0, PAGE);
	memcpy(bytes, "\x05\0\0\0\1\1\xfb\0\0\0\0\x09\1\xfb", 14);
	memcpy(bytes + 507, "\0\0\0\7\x2a", 5);
	check(btree_page(&p, bytes, PAGE, 2) == NULL && !p.leaf && p.right == 9 && btree_cell(&p, 0, &c) == NULL &&
	      c.child == 7 && c.rowid == 42 && c.payload == 0 && c.size == 5, "an interior page");
}

/*
 * How much of a payload stays in its cell (1.6): in pages of 512 bytes of a table all of up to 477 bytes, of
 * an index up to 102; else 39 and what the last overflow page would not fill, 508 in each.
 */
static const struct { bool table; uint32_t payload, local; } locals[] = {
	{ true, 477, 477 }, { true, 478, 39 }, { true, 546, 39 }, { true, 547, 39 }, { true, 548, 40 },
	{ true, 39 + 508 + 438, 477 }, { true, 39 + 508 + 439, 39 },
	{ false, 102, 102 }, { false, 103, 39 }, { false, 39 + 508 + 63, 102 }, { false, 39 + 508 + 64, 39 },
};

static void test_locals(void)
{
	static unsigned char bytes[PAGE];
	struct btree_page p;
	struct btree_cell c;

	for (size_t i = 0; i < sizeof locals / sizeof *locals; i++) {
		uint32_t at = 16, n = locals[i].payload, head;

		memset(bytes, 0, PAGE);
		bytes[0] = locals[i].table ? 13 : 10;
		bytes[4] = 1;
		bytes[6] = bytes[9] = (unsigned char)at;
		bytes[at] = (unsigned char)(n >> 7 | 0x80);
		bytes[at + 1] = n & 0x7f;
		bytes[at + 2] = locals[i].table ? 1 : 0;
		head = locals[i].table ? 3 : 2;
		if (locals[i].local < n)
			bytes[at + head + locals[i].local + 3] = 77;
		check(btree_page(&p, bytes, PAGE, 2) == NULL && btree_cell(&p, 0, &c) == NULL && c.payload == n &&
		      c.local_len == locals[i].local && c.overflow == (locals[i].local < n ? 77 : 0) &&
		      c.size == head + c.local_len + (c.overflow != 0 ? 4 : 0),
		      "%s of %" PRIu32 " bytes: %" PRIu32 " in the cell, then page %" PRIu32, locals[i].table ? "row" : "entry",
		      n, c.local_len, c.overflow);
	}
}

int main(void)
{
	test_varints();
	test_pages();
	test_locals();
	return check_done();
}
