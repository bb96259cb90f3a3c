#include "lib/std.h"

#include <inttypes.h>

#include "lib/utf8.h"

#include "tests/unit/check.h"

/* The first character by RFC 3629; n is 0 for what is none. */
static const struct { const char *what, *in; size_t n; uint32_t c; } table[] = {
	{ "the end", "", 1, 0 }, { "a letter", "a", 1, 'a' }, { "a control", "\x7f", 1, 0x7f },
	{ "the first of two bytes", "\xc2\x80", 2, 0x80 }, { "the last of two bytes", "\xdf\xbf", 2, 0x7ff },
	{ "the first of three bytes", "\xe0\xa0\x80", 3, 0x800 }, { "before the surrogates", "\xed\x9f\xbf", 3, 0xd7ff },
	{ "behind the surrogates", "\xee\x80\x80", 3, 0xe000 }, { "the last of three bytes", "\xef\xbf\xbf", 3, 0xffff },
	{ "the first of four bytes", "\xf0\x90\x80\x80", 4, 0x10000 }, { "the last one", "\xf4\x8f\xbf\xbf", 4, 0x10ffff },
	{ "only the first counts", "\xc3\xa9\xff", 2, 0xe9 },
	{ "behind the last one", "\xf4\x90\x80\x80", 0, 0 }, { "a lead byte past all", "\xf5\x80\x80\x80", 0, 0 },
	{ "five bytes, by their lead", "\xf8\x90\x80\x80", 0, 0 },
	{ "five bytes", "\xf8\x88\x80\x80\x80", 0, 0 }, { "fe", "\xfe", 0, 0 }, { "ff", "\xff", 0, 0 },
	{ "NUL in two bytes", "\xc0\x80", 0, 0 }, { "a slash in two bytes", "\xc0\xaf", 0, 0 },
	{ "the longest of two bytes too many", "\xc1\xbf", 0, 0 }, { "a slash in three bytes", "\xe0\x80\xaf", 0, 0 },
	{ "the longest of three bytes too many", "\xe0\x9f\xbf", 0, 0 }, { "a slash in four bytes", "\xf0\x80\x80\xaf", 0, 0 },
	{ "the longest of four bytes too many", "\xf0\x8f\xbf\xbf", 0, 0 },
	{ "the first surrogate", "\xed\xa0\x80", 0, 0 }, { "the last surrogate", "\xed\xbf\xbf", 0, 0 },
	{ "a pair of surrogates", "\xed\xa0\xbd\xed\xb8\x80", 0, 0 },
	{ "a continuation alone", "\x80", 0, 0 }, { "the last continuation alone", "\xbf", 0, 0 },
	{ "one of two", "\xc3", 0, 0 }, { "two of three", "\xe2\x82", 0, 0 }, { "three of four", "\xf0\x9f\x98", 0, 0 },
	{ "a letter in the middle", "\xe2" "a\x82", 0, 0 }, { "a lead in the middle", "\xe2\xe2\x82\xac", 0, 0 },
	{ "Latin 1", "\xe9t\xe9", 0, 0 },
};

int main(void)
{
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		uint32_t c = 0;
		size_t n = utf8_next(table[i].in, &c);
		char text[16];

		check(n == table[i].n && (n == 0 || c == table[i].c), "%s: %zu bytes, U+%04" PRIX32, table[i].what, n, c);
		/* alone, and behind good text */
		snprintf(text, sizeof text, "a\xc3\xa9%s", table[i].in);
		if (strlen(table[i].in) == n || n == 0 || c == 0)
			check(utf8_valid(table[i].in) == (n > 0) && utf8_valid(text) == (n > 0), "%s: validity", table[i].what);
	}
	check(!utf8_valid("\xc3\xa9\xff"), "good and bad");
	return check_done();
}
