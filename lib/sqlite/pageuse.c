#include "lib/std.h"

#include <stdatomic.h>

#include "lib/sqlite/pageuse.h"

#define LOCK_BYTE 0x40000000u	/* 1.5: the page that holds it is never used */
#define MAP_ENTRY 5		/* bytes */

static uint32_t lock_page(const struct pages *p)
{
	return LOCK_BYTE / p->size + 1;
}

/* 1.8: page 2 is the first map, each has an entry for each page behind it, up to the next; none lies on the locks. */
static uint32_t map_of(const struct pages *p, uint32_t number)
{
	uint32_t group = p->usable / MAP_ENTRY + 1, map = (number - 2) / group * group + 2;

	return map == lock_page(p) ? map + 1 : map;
}

static void claim_fixed(struct pages *p)
{
	if (lock_page(p) <= p->count)
		pages_claim(p, lock_page(p));
	for (uint64_t n = 2; p->mapped && n <= p->count; n += p->usable / MAP_ENTRY + 1) {
		uint32_t map = map_of(p, (uint32_t)n);

		if (map <= p->count)
			pages_claim(p, map);
	}
}

int pages_init(struct pages *p, const struct sqlite_header *h)
{
	*p = (struct pages){ .count = h->page_count, .size = h->page_size, .usable = h->page_size - h->reserved,
			     .mapped = h->largest_root != 0 };
	p->used = calloc((size_t)p->count / 64 + 1, sizeof *p->used);
	if (p->used == NULL)
		return -1;
	claim_fixed(p);
	return 0;
}

void pages_free(struct pages *p)
{
	free((void *)p->used);
}

void pages_clear(struct pages *p)
{
	memset((void *)p->used, 0, ((size_t)p->count / 64 + 1) * sizeof *p->used);
	claim_fixed(p);
}

bool pages_claim(struct pages *p, uint32_t number)
{
	uint64_t bit = UINT64_C(1) << (number % 64);

	return (atomic_fetch_or_explicit(&p->used[number / 64], bit, memory_order_relaxed) & bit) == 0;
}

uint32_t pages_unused(const struct pages *p, uint32_t *first)
{
	uint32_t unused = 0;

	*first = 0;
	for (uint64_t n = 1; n <= p->count; n++) {
		if ((p->used[n / 64] >> (n % 64) & 1) == 0 && unused++ == 0)
			*first = (uint32_t)n;
	}
	return unused;
}

uint32_t pages_map(const struct pages *p, uint32_t number, uint32_t *offset)
{
	uint32_t map = p->mapped && number > 2 ? map_of(p, number) : number;

	if (number <= map)
		return 0;
	*offset = MAP_ENTRY * (number - map - 1);
	return map;
}
