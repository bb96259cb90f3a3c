#include "lib/std.h"

#include "lib/sqlite/btree.h"

/* The flag byte (1.6, "b-tree page type") is made of these. */
#define LEAF 8
#define INTERIOR_INDEX 2
#define INTERIOR_TABLE 5

#define CELL_MIN 4	/* a cell takes at least as much as the free block that it may become */
#define PAYLOAD_MAX 0x7fffffff

const char *btree_page(struct btree_page *p, const unsigned char *data, uint32_t usable, uint32_t number)
{
	const unsigned char *h = data + (number == 1 ? 100 : 0);
	uint32_t array_end, x = usable - 12;

	switch (h[0] & ~LEAF) {
	case INTERIOR_INDEX:
		p->table = false;
		break;
	case INTERIOR_TABLE:
		p->table = true;
		break;
	default:
		return "it is no b-tree page";
	}
	p->data = data;
	p->usable = usable;
	p->leaf = (h[0] & LEAF) != 0;
	p->freeblock = btree_u16(h + 1);
	p->cells = btree_u16(h + 3);
	p->content = btree_u16(h + 5) != 0 ? btree_u16(h + 5) : BTREE_PAGE_MAX;
	p->fragments = h[7];
	p->right = p->leaf ? 0 : btree_u32(h + 8);
	p->array = (uint32_t)(h - data) + (p->leaf ? 8 : 12);
	/* 1.6, "cell payload overflow pages": X, and M */
	p->max_local = p->table ? usable - 35 : x * 64 / 255 - 23;
	p->min_local = x * 32 / 255 - 23;

	array_end = p->array + 2 * p->cells;
	if (p->content > usable)
		return "its content begins behind its end";
	if (array_end > p->content)
		return "its cell pointers reach into its content";
	return NULL;
}

/* How many bytes of the payload are in the cell (1.6, K). */
static uint32_t local_part(const struct btree_page *p, uint32_t payload)
{
	uint32_t k;

	if (payload <= p->max_local)
		return payload;
	k = p->min_local + (payload - p->min_local) % (p->usable - 4);
	return k <= p->max_local ? k : p->min_local;
}

const char *btree_cell(const struct btree_page *p, uint32_t i, struct btree_cell *c)
{
	const unsigned char *end = p->data + p->usable, *s;
	uint64_t n = 0;

	c->at = btree_u16(p->data + p->array + 2 * i);
	if (c->at < p->content || c->at > p->usable - CELL_MIN)
		return "a cell lies outside of the content";
	s = p->data + c->at;
	c->child = c->payload = c->local_len = c->overflow = 0;
	c->rowid = 0;
	c->local = s;
	if (!p->leaf) {
		c->child = btree_u32(s);
		s += 4;
	}
	if (p->leaf || !p->table) {
		s = btree_varint(s, end, &n);
		if (s == NULL || n > PAYLOAD_MAX)
			return "a cell has an impossible length";
		c->payload = (uint32_t)n;
	}
	if (p->table) {
		s = btree_varint(s, end, &n);
		if (s == NULL)
			return "a cell does not end";
		c->rowid = (int64_t)n;
	}
	if (p->leaf || !p->table) {
		c->local = s;
		c->local_len = local_part(p, c->payload);
		if (c->local_len > (size_t)(end - s))
			return "a cell reaches behind the end of the page";
		s += c->local_len;
		if (c->local_len < c->payload) {
			if (end - s < 4)
				return "a cell reaches behind the end of the page";
			c->overflow = btree_u32(s);
			s += 4;
		}
	}
	c->size = (uint32_t)(s - (p->data + c->at));
	if (c->size < CELL_MIN)
		c->size = CELL_MIN;
	return NULL;
}

void btree_cover_start(struct btree_cover *v, const struct btree_page *p)
{
	memset(v->used, 0, (p->usable + 63) / 64 * 8);
	v->total = 0;
	v->overlap = false;
}

/* Bytes at..at + size - 1, which are in the page. */
static void cover(struct btree_cover *v, uint32_t at, uint32_t size)
{
	uint32_t first = at / 64, last = (at + size - 1) / 64;
	uint64_t from = UINT64_MAX << (at % 64), to = UINT64_MAX >> (63 - (at + size - 1) % 64), taken;

	v->total += size;
	if (first == last) {
		taken = v->used[first] & from & to;
		v->used[first] |= from & to;
	} else {
		taken = (v->used[first] & from) | (v->used[last] & to);
		v->used[first] |= from;
		v->used[last] |= to;
		for (uint32_t i = first + 1; i < last; i++) {
			taken |= v->used[i];
			v->used[i] = UINT64_MAX;
		}
	}
	if (taken != 0)
		v->overlap = true;
}

void btree_cover_add(struct btree_cover *v, const struct btree_cell *c)
{
	cover(v, c->at, c->size);
}

const char *btree_cover_end(struct btree_cover *v, const struct btree_page *p)
{
	/* 1.6, "freeblock": next and size, 16 bits each; ascending, and never so near that they could be one */
	for (uint32_t at = p->freeblock, next, size; at != 0; at = next) {
		if (at < p->content || at > p->usable - CELL_MIN)
			return "a free block lies outside of the content";
		next = btree_u16(p->data + at);
		size = btree_u16(p->data + at + 2);
		if (size < CELL_MIN || size > p->usable - at)
			return "a free block has an impossible length";
		if (next != 0 && next < at + size + CELL_MIN)
			return "its free blocks are out of order";
		cover(v, at, size);
	}
	if (v->overlap)
		return "a byte is used twice";
	if (p->usable - p->content - v->total != p->fragments)
		return "its free bytes do not add up";
	return NULL;
}
