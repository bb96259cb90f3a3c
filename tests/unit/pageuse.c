#include "lib/std.h"

#include <inttypes.h>

#include "lib/sqlite/pageuse.h"

#include "tests/unit/check.h"

/* Where the entry of a page is. In pages of 1024 bytes a map would lie on the locks and moves behind them. */
static const struct { uint32_t size, reserved, number, map, offset; } maps[] = {
	{ 1024, 0, 1, 0, 0 }, { 1024, 0, 2, 0, 0 }, { 1024, 0, 3, 2, 0 }, { 1024, 0, 4, 2, 5 }, { 1024, 0, 206, 2, 1015 },
	{ 1024, 0, 207, 0, 0 }, { 1024, 0, 208, 207, 0 },
	{ 1024, 0, 1048576, 1048372, 1015 }, { 1024, 0, 1048578, 0, 0 }, { 1024, 0, 1048579, 1048578, 0 },
	{ 1024, 0, 1048781, 1048578, 1010 }, { 1024, 0, 1048782, 0, 0 }, { 1024, 0, 1048783, 1048782, 0 },
	{ 512, 0, 104, 2, 505 }, { 512, 0, 105, 0, 0 }, { 512, 12, 102, 2, 495 }, { 512, 12, 103, 0, 0 },
	{ 65536, 0, 13109, 2, 65530 }, { 65536, 0, 13110, 0, 0 }, { 65536, 0, 16386, 13110, 16375 },
};

static const struct { uint32_t size, lock; } locks[] = {
	{ 512, 2097153 }, { 1024, 1048577 }, { 4096, 262145 }, { 65536, 16385 },
};

static struct sqlite_header header(uint32_t size, uint32_t count, bool mapped)
{
	return (struct sqlite_header){ .page_size = size, .page_count = count, .largest_root = mapped ? 3 : 0 };
}

int main(void)
{
	struct sqlite_header h;
	struct pages p;
	uint32_t first, offset = 0;

	for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
		uint32_t map;

		h = header(maps[i].size, 1, true);
		h.reserved = maps[i].reserved;
		check(pages_init(&p, &h) == 0, "memory");
		map = pages_map(&p, maps[i].number, &offset);
		check(map == maps[i].map && (map == 0 || offset == maps[i].offset), "page %" PRIu32 " of %" PRIu32
		      ": map %" PRIu32 ", offset %" PRIu32, maps[i].number, maps[i].size, map, offset);
		pages_free(&p);
	}

	for (size_t i = 0; i < sizeof locks / sizeof *locks; i++) {
		uint32_t lock = locks[i].lock;

		/* just before it, with it, and with one more */
		for (uint32_t count = lock - 1; count <= lock + 1; count++) {
			h = header(locks[i].size, count, false);
			check(pages_init(&p, &h) == 0, "memory");
			check(pages_unused(&p, &first) == count - (count >= lock) && first == 1, "%" PRIu32 " pages", count);
			check(pages_claim(&p, lock - 1) && !pages_claim(&p, lock - 1), "page %" PRIu32, lock - 1);
			if (count > lock)
				check(!pages_claim(&p, lock) && pages_claim(&p, lock + 1), "page %" PRIu32, lock);
			pages_free(&p);
		}
	}

	h = header(512, 300, true);
	check(pages_init(&p, &h) == 0, "memory");
	check(pages_unused(&p, &first) == 297 && first == 1, "maps are in use");	/* 2, 105, 208 */
	check(!pages_claim(&p, 105) && !pages_claim(&p, 2) && !pages_claim(&p, 208), "maps are in use");
	for (uint32_t n = 1; n <= 300; n++)
		if (n != 64)
			pages_claim(&p, n);
	check(pages_unused(&p, &first) == 1 && first == 64, "all but one");
	pages_clear(&p);
	check(pages_unused(&p, &first) == 297, "cleared");
	pages_free(&p);

	h = header(512, 300, false);
	check(pages_init(&p, &h) == 0, "memory");
	check(pages_unused(&p, &first) == 300 && pages_map(&p, 3, &offset) == 0, "without maps");
	pages_free(&p);
	return check_done();
}
