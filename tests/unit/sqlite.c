#include "lib/std.h"

#include "lib/sqlite/sqlite.h"

#include "tests/unit/check.h"

#define PAGES 10u

/* A header that adds up: 10 pages of 4096 bytes. */
static void good(unsigned char h[SQLITE_HEADER_LEN])
{
	memset(h, 0, SQLITE_HEADER_LEN);
	memcpy(h, "SQLite format 3", 16);
	h[16] = 16;			/* page size 4096 */
	h[18] = h[19] = 1;
	h[21] = 64, h[22] = h[23] = 32;
	h[27] = h[95] = 7;		/* change counter, version-valid-for */
	h[31] = PAGES;
	h[47] = 4, h[59] = 1;		/* schema format, UTF-8 */
}

/* One byte changed, and what comes of it. */
static const struct {
	const char *what;
	size_t at;
	unsigned char byte;
	uint64_t size;		/* 0: 10 pages */
	const char *why;	/* NULL: taken; else part of the reason */
} cases[] = {
	{ "the good header", 0, 'S', 0, NULL },
	{ "WAL read version", 19, 2, 0, NULL },
	{ "schema format 0", 47, 0, 0, NULL },
	{ "UTF-16be", 59, 3, 0, NULL },
	{ "untrusted size, whole pages", 95, 6, 12 * 4096, NULL },
	{ "untrusted size, torn page", 95, 6, 12 * 4096 + 1, "no whole number" },
	{ "page count absent", 31, 0, 12 * 4096, NULL },
	{ "reserved 32", 20, 32, 0, NULL },
	{ "auto-vacuum", 55, 3, 0, NULL },
	{ "bad magic", 0, 's', 0, "not a SQLite" },
	{ "magic without NUL", 15, ' ', 0, "not a SQLite" },
	{ "page size 0", 16, 0, 0, "page size 0" },
	{ "page size 4097", 17, 1, 0, "page size 4097" },
	{ "page size 12288", 16, 48, 0, "page size 12288" },
	{ "page size 256", 16, 1, 0, "page size 256" },
	{ "write version 0", 18, 0, 0, "versions 0 and 1" },
	{ "write version 3", 18, 3, 0, "versions 3 and 1" },
	{ "read version 3", 19, 3, 0, "versions 1 and 3" },
	{ "maximum fraction", 21, 65, 0, "payload fractions" },
	{ "minimum fraction", 22, 31, 0, "payload fractions" },
	{ "leaf fraction", 23, 0, 0, "payload fractions" },
	{ "one page more in the header", 31, PAGES + 1, 0, "11 pages in the header, 10 in the file" },
	{ "one page less in the header", 31, PAGES - 1, 0, "9 pages in the header, 10 in the file" },
	{ "trailing byte", 0, 'S', 10 * 4096 + 1, "no whole number" },
	{ "trailing page", 0, 'S', 11 * 4096, "10 pages in the header, 11 in the file" },
	{ "truncated", 0, 'S', 9 * 4096, "10 pages in the header, 9 in the file" },
	{ "too many pages", 95, 6, UINT64_C(4096) << 32, "more pages" },
	{ "free pages without a trunk", 39, 1, 0, "free pages" },
	{ "trunk without free pages", 35, 2, 0, "free pages" },
	{ "schema format 5", 47, 5, 0, "schema format 5" },
	{ "text encoding 4", 59, 4, 0, "text encoding 4" },
	{ "root beyond the end", 55, PAGES + 1, 0, "auto-vacuum" },
	{ "incremental without auto-vacuum", 67, 1, 0, "auto-vacuum" },
};

static void headers(void)
{
	unsigned char h[SQLITE_HEADER_LEN];
	struct sqlite_header out;
	char why[SQLITE_WHY];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bool ok;

		good(h);
		h[cases[i].at] = cases[i].byte;
		why[0] = '\0';
		ok = sqlite_header_parse(h, sizeof h, cases[i].size != 0 ? cases[i].size : PAGES * 4096, &out, why);
		check(ok == (cases[i].why == NULL), "%s: %s", cases[i].what, ok ? "taken" : why);
		check(ok || cases[i].why == NULL || strstr(why, cases[i].why) != NULL, "%s: reason '%s'",
		      cases[i].what, why);
	}

	good(h);
	check(sqlite_header_parse(h, sizeof h, PAGES * 4096, &out, why) && out.page_size == 4096 &&
	      out.page_count == PAGES && !out.wal && out.size_in_header && out.text_encoding == 1, "fields");
	check(!sqlite_header_parse(h, 0, 0, &out, why) && strstr(why, "empty") != NULL, "empty file: %s", why);
	check(!sqlite_header_parse(h, 99, 99, &out, why) && strstr(why, "too short") != NULL, "99 bytes: %s", why);
	check(!sqlite_header_parse(h, 1, 1, &out, why) && strstr(why, "too short") != NULL, "1 byte: %s", why);
	h[18] = 2;
	check(sqlite_header_parse(h, sizeof h, PAGES * 4096, &out, why) && out.wal, "WAL by the write version alone");

	/* sizes at both ends: 1 stands for 65536, and 512 with 32 reserved bytes just fits */
	good(h);
	h[16] = 0, h[17] = 1;
	check(sqlite_header_parse(h, sizeof h, PAGES * 65536, &out, why) && out.page_size == 65536, "65536: %s", why);
	h[16] = 2, h[17] = 0, h[20] = 32;
	check(sqlite_header_parse(h, sizeof h, PAGES * 512, &out, why) && out.page_size == 512, "512: %s", why);
	h[20] = 33;
	check(!sqlite_header_parse(h, sizeof h, PAGES * 512, &out, why), "512 with 33 reserved bytes");

	/* free pages: all but one may be free, page 1 never is */
	good(h);
	h[35] = 2, h[39] = PAGES - 1;
	check(sqlite_header_parse(h, sizeof h, PAGES * 4096, &out, why), "9 free pages of 10: %s", why);
	h[39] = PAGES;
	check(!sqlite_header_parse(h, sizeof h, PAGES * 4096, &out, why), "10 free pages of 10");
	h[35] = 1, h[39] = 1;
	check(!sqlite_header_parse(h, sizeof h, PAGES * 4096, &out, why), "page 1 free");
	h[35] = PAGES + 1;
	check(!sqlite_header_parse(h, sizeof h, PAGES * 4096, &out, why), "free page beyond the end");
}

static void uris(void)
{
	static const struct { const char *path, *query, *uri; } table[] = {
		{ "/a/b.db", "immutable=1", "file:///a/b.db?immutable=1" },
		{ "b.db", NULL, "file:b.db" },
		{ "/a?b#c%d e.db", "mode=ro", "file:///a%3Fb%23c%25d%20e.db?mode=ro" },
		{ "//host/x", NULL, "file:////host/x" },
		{ "/\xc3\xa9", NULL, "file:///%C3%A9" },
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		char *uri = sqlite_uri(table[i].path, table[i].query);

		check(uri != NULL && strcmp(uri, table[i].uri) == 0, "%s: %s", table[i].path, uri);
		free(uri);
	}
}

int main(void)
{
	headers();
	uris();
	return check_done();
}
