#include "lib/std.h"

#include "lib/sqlite/btree.h"
#include "lib/sqlite/wal.h"

#define MAGIC 0x377f0682u	/* its lowest bit says that the sums are of big-endian words */
#define VERSION 3007000u
#define MAP_SLACK 4096		/* unsorted entries that are not worth a sort */

static void put_u32(unsigned char *p, uint32_t v)
{
	p[0] = (unsigned char)(v >> 24);
	p[1] = (unsigned char)(v >> 16);
	p[2] = (unsigned char)(v >> 8);
	p[3] = (unsigned char)v;
}

static uint32_t word(bool big_endian, const unsigned char *p)
{
	uint32_t v = btree_u32(p);

	return big_endian ? v : __builtin_bswap32(v);
}

/* len is a multiple of 8 */
static void add_sum(bool big_endian, uint32_t sum[2], const unsigned char *data, size_t len)
{
	uint32_t a = sum[0], b = sum[1];

	for (const unsigned char *end = data + len; data < end; data += 8) {
		a += word(big_endian, data) + b;
		b += word(big_endian, data + 4) + a;
	}
	sum[0] = a;
	sum[1] = b;
}

static bool page_size_valid(uint32_t n)
{
	return n >= 512 && n <= 65536 && (n & (n - 1)) == 0;
}

bool wal_header_parse(const unsigned char b[WAL_HEADER_LEN], struct wal_header *out)
{
	uint32_t magic = btree_u32(b);
	struct wal_header h = { .page_size = btree_u32(b + 8), .big_endian = (magic & 1) != 0,
				.start = { .salt = { btree_u32(b + 16), btree_u32(b + 20) } } };

	if ((magic & ~1u) != MAGIC || btree_u32(b + 4) != VERSION || !page_size_valid(h.page_size))
		return false;
	add_sum(h.big_endian, h.start.sum, b, 24);
	if (h.start.sum[0] != btree_u32(b + 24) || h.start.sum[1] != btree_u32(b + 28))
		return false;
	*out = h;
	return true;
}

void wal_header_make(unsigned char b[WAL_HEADER_LEN], uint32_t page_size, const uint32_t salt[2], struct wal_header *out)
{
	*out = (struct wal_header){ .page_size = page_size, .start = { .salt = { salt[0], salt[1] } } };
	put_u32(b, MAGIC);
	put_u32(b + 4, VERSION);
	put_u32(b + 8, page_size);
	put_u32(b + 12, 0);
	put_u32(b + 16, salt[0]);
	put_u32(b + 20, salt[1]);
	add_sum(false, out->start.sum, b, 24);
	put_u32(b + 24, out->start.sum[0]);
	put_u32(b + 28, out->start.sum[1]);
}

bool wal_frame_parse(const struct wal_header *wal, struct wal_mark *at, const unsigned char b[WAL_FRAME_LEN],
		     const unsigned char *data, struct wal_frame *out)
{
	uint32_t sum[2] = { at->sum[0], at->sum[1] };

	if (btree_u32(b) == 0 || btree_u32(b + 8) != at->salt[0] || btree_u32(b + 12) != at->salt[1])
		return false;
	add_sum(wal->big_endian, sum, b, 8);
	add_sum(wal->big_endian, sum, data, wal->page_size);
	if (sum[0] != btree_u32(b + 16) || sum[1] != btree_u32(b + 20))
		return false;
	*out = (struct wal_frame){ .page = btree_u32(b), .commit = btree_u32(b + 4) };
	at->sum[0] = sum[0];
	at->sum[1] = sum[1];
	at->frames++;
	return true;
}

void wal_frame_make(const struct wal_header *wal, struct wal_mark *at, unsigned char b[WAL_FRAME_LEN],
		    const unsigned char *data, struct wal_frame frame)
{
	put_u32(b, frame.page);
	put_u32(b + 4, frame.commit);
	put_u32(b + 8, at->salt[0]);
	put_u32(b + 12, at->salt[1]);
	add_sum(wal->big_endian, at->sum, b, 8);
	add_sum(wal->big_endian, at->sum, data, wal->page_size);
	put_u32(b + 16, at->sum[0]);
	put_u32(b + 20, at->sum[1]);
	at->frames++;
}

uint64_t wal_offset(uint32_t page_size, uint32_t i)
{
	return WAL_HEADER_LEN + (uint64_t)i * (WAL_FRAME_LEN + page_size);
}

/* ---- the map ---- */

int wal_map_add(struct wal_map *m, uint32_t page, uint32_t frame)
{
	if (m->count == m->room) {
		size_t room = m->room == 0 ? 256 : 2 * m->room;
		struct wal_entry *bigger = reallocarray(m->entries, room, sizeof *bigger);

		if (bigger == NULL)
			return -1;
		m->entries = bigger;
		m->room = room;
	}
	m->entries[m->count++] = (struct wal_entry){ page, frame };
	return 0;
}

/* By page, the newest frame first. */
static int compare(const void *a, const void *b)
{
	const struct wal_entry *x = a, *y = b;

	if (x->page != y->page)
		return x->page < y->page ? -1 : 1;
	return x->frame > y->frame ? -1 : x->frame < y->frame;
}

static void sort(struct wal_map *m)
{
	size_t kept = 0;

	qsort(m->entries, m->count, sizeof *m->entries, compare);
	for (size_t i = 0; i < m->count; i++)
		if (kept == 0 || m->entries[i].page != m->entries[kept - 1].page)
			m->entries[kept++] = m->entries[i];
	m->count = m->committed = m->sorted = kept;
}

void wal_map_commit(struct wal_map *m)
{
	m->committed = m->count;
	/* a page that is written again and again takes no more room than once */
	if (m->count > 2 * m->sorted + MAP_SLACK)
		sort(m);
}

void wal_map_close(struct wal_map *m)
{
	m->count = m->committed;
	if (m->count > 0)
		sort(m);
}

int64_t wal_map_find(const struct wal_map *m, uint32_t page)
{
	size_t low = 0, high = m->sorted;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (m->entries[middle].page < page)
			low = middle + 1;
		else
			high = middle;
	}
	return low < m->sorted && m->entries[low].page == page ? (int64_t)m->entries[low].frame : -1;
}

void wal_map_free(struct wal_map *m)
{
	free(m->entries);
	*m = (struct wal_map){ 0 };
}
