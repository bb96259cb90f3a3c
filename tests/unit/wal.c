#include "lib/std.h"

#include "lib/pagehash.h"
#include "lib/sqlite/change.h"
#include "lib/sqlite/live.h"
#include "lib/sqlite/wal.h"
#include "lib/zst.h"

#include "tests/unit/check.h"

/* A log of ours, with the frames PAGE:COMMIT, is read back until something in it does not count. */
static void test_log(void)
{
	static const uint32_t salt[2] = { 7, 9 }, other[2] = { 7, 10 };
	unsigned char head[WAL_HEADER_LEN], frame[WAL_FRAME_LEN], page[512];
	struct wal_header made, read;
	struct wal_mark at, back;
	struct wal_frame f;

	memset(page, 'x', sizeof page);
	wal_header_make(head, 512, salt, &made);
	check(wal_header_parse(head, &read) && read.page_size == 512 && read.start.salt[1] == 9 &&
	      read.start.sum[0] == made.start.sum[0], "a header that was made is not read back");
	at = made.start;
	wal_frame_make(&made, &at, frame, page, (struct wal_frame){ 3, 12 });
	back = read.start;
	check(wal_frame_parse(&read, &back, frame, page, &f) && f.page == 3 && f.commit == 12 && back.frames == 1,
	      "a frame that was made is not read back");
	check(!wal_frame_parse(&read, &back, frame, page, &f) && back.frames == 1, "a frame counts twice");
	back = read.start;
	page[100]++;
	check(!wal_frame_parse(&read, &back, frame, page, &f), "a changed page counts");
	page[100]--;
	memcpy(back.salt, other, sizeof other);
	check(!wal_frame_parse(&read, &back, frame, page, &f), "another log's frame counts");
	for (int i = 0; i < WAL_HEADER_LEN; i++) {
		/* the checkpoint's number counts for nothing but the sum */
		head[i]++;
		check(!wal_header_parse(head, &read), "a header with another byte %d counts", i);
		head[i]--;
	}
	check(wal_offset(4096, 0) == 32 && wal_offset(4096, 2) == 32 + 2 * 4120, "a frame is elsewhere");
}

static void test_map(void)
{
	struct wal_map m = { 0 };

	for (uint32_t i = 0; i < 20000; i++) {
		check(wal_map_add(&m, 1 + i % 100, i) == 0, "no memory");
		if (i % 10 == 9)
			wal_map_commit(&m);
	}
	check(m.room <= 16384, "memory for each frame, not for each page: %zu", m.room);
	wal_map_add(&m, 5, 30000);
	wal_map_close(&m);
	check(m.count == 100 && wal_map_find(&m, 5) == 19904 && wal_map_find(&m, 1) == 19900, "not the newest committed frame");
	check(wal_map_find(&m, 101) == -1 && wal_map_find(&m, 0) == -1, "a page that is not there");
	wal_map_free(&m);
	wal_map_close(&m);
	check(wal_map_find(&m, 1) == -1, "an empty map has a page");
}

static void test_digest(void)
{
	struct pagehash a = pagehash_of("aaaaaaaa", 8, 1), b = pagehash_of("aaaaaaaa", 8, 2), sum = { 0, 0 }, back;
	unsigned char bytes[PAGEHASH_LEN];
	char text[PAGEHASH_TEXT];

	check(a.high != b.high, "the same page elsewhere is another one");
	pagehash_add(&sum, a);
	pagehash_add(&sum, b);
	pagehash_take(&sum, a);
	check(sum.high == b.high && sum.low == b.low, "what was taken away is still there");
	pagehash_store(bytes, a);
	back = pagehash_load(bytes);
	check(back.high == a.high && back.low == a.low, "stored, and another one");
	check(pagehash_parse(pagehash_text(text, a), &back) && back.high == a.high && back.low == a.low, "as text another one");
	/* the values are those of the reference implementation (xxhsum -H128 of an empty input has seed 0) */
	check(strcmp(pagehash_text(text, pagehash_of("", 0, 0)), "99aa06d3014798d86001c324468d497f") == 0, "not XXH3-128: %s", text);
	check(!pagehash_parse("99aa06d3014798d86001c324468d497", &back) && !pagehash_parse("99AA06d3014798d86001c324468d497f", &back) &&
	      !pagehash_parse("99aa06d3014798d86001c324468d497f0", &back), "no digest is taken for one");
}

static void test_small(void)
{
	struct change c = { .n = 42, .snapshot_at = 1764451800 };
	unsigned char bytes[ZST_SKIP_LEN];
	char path[CHANGE_PATH];
	uint32_t len;

	check(strcmp(change_path(path, &c), "/changes/20251129/000000042-20251129T213000Z.wal.zst") == 0, "path %s", path);
	check(live_lock_page(4096, 262144) == 0 && live_lock_page(4096, 262145) == 262145 && live_lock_page(512, 3000000) == 2097153,
	      "the lock page is elsewhere");
	zst_skip_make(bytes, 0x01020304);
	check(memcmp(bytes, "\x50\x2a\x4d\x18\4\3\2\1", 8) == 0 && zst_skip_parse(bytes, &len) && len == 0x01020304, "a skippable frame");
	bytes[0]++;
	check(!zst_skip_parse(bytes, &len), "another frame is taken for a skippable one");
}

int main(void)
{
	test_log();
	test_map();
	test_digest();
	test_small();
	return check_done();
}
