#include "lib/std.h"

#include "lib/msg.h"
#include "lib/utf8.h"

#include "tests/unit/check.h"

static const struct { const char *what, *in, *out; } table[] = {
	{ "nothing", "", "" }, { "text", "a b~!", "a b~!" }, { "a backslash", "a\\n", "a\\n" },
	{ "a line end", "a\nb\r", "a\\x0ab\\x0d" }, { "a tab", "\t", "\\x09" }, { "an escape sequence", "\x1b[2J", "\\x1b[2J" },
	{ "the first and the last control", "\x01\x1f\x7f", "\\x01\\x1f\\x7f" },
	{ "C1 controls", "\xc2\x80\xc2\x9b\xc2\x9f", "\\xc2\\x80\\xc2\\x9b\\xc2\\x9f" },
	{ "behind C1", "\xc2\xa0", "\xc2\xa0" }, { "letters, and a smile", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
						   "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
	/* all of Unicode's Bidi_Control, and the separators of lines */
	{ "U+061C", "\xd8\x9c", "\\xd8\\x9c" }, { "U+200E", "\xe2\x80\x8e", "\\xe2\\x80\\x8e" },
	{ "U+200F", "\xe2\x80\x8f", "\\xe2\\x80\\x8f" }, { "U+202A", "\xe2\x80\xaa", "\\xe2\\x80\\xaa" },
	{ "U+202E", "\xe2\x80\xae", "\\xe2\\x80\\xae" }, { "U+2066", "\xe2\x81\xa6", "\\xe2\\x81\\xa6" },
	{ "U+2069", "\xe2\x81\xa9", "\\xe2\\x81\\xa9" }, { "U+2028", "\xe2\x80\xa8", "\\xe2\\x80\\xa8" },
	{ "U+2029", "\xe2\x80\xa9", "\\xe2\\x80\\xa9" },
	{ "their neighbours", "\xd8\x9b\xe2\x80\x8d\xe2\x80\x90\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa",
	  "\xd8\x9b\xe2\x80\x8d\xe2\x80\x90\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa" },
	{ "Latin 1", "\xe9t\xe9", "\\xe9t\\xe9" }, { "a cut character", "a\xe2\x82", "a\\xe2\\x82" },
	{ "a long form of a line end", "\xc0\x8a", "\\xc0\\x8a" }, { "a surrogate", "\xed\xa0\x80", "\\xed\\xa0\\x80" },
};

/* What fits a buffer of so many bytes: no half of a character or of an escape. */
static const struct { size_t size; const char *in, *out; } cuts[] = {
	{ 1, "abc", "" }, { 3, "abc", "ab" }, { 4, "abc", "abc" }, { 4, "a\n", "a" }, { 5, "a\n", "a" }, { 6, "a\n", "a\\x0a" },
	{ 3, "a\xe2\x82\xac", "a" }, { 4, "a\xe2\x82\xac", "a" }, { 5, "a\xe2\x82\xac", "a\xe2\x82\xac" }, { 4, "\x01z", "" },
};

int main(void)
{
	char out[64];

	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		check(strcmp(msg_escape(out, sizeof out, table[i].in), table[i].out) == 0, "%s: '%s'", table[i].what, out);
	for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
		memset(out, '#', sizeof out);
		check(strcmp(msg_escape(out, cuts[i].size, cuts[i].in), cuts[i].out) == 0, "row %zu in %zu bytes: '%s'", i,
		      cuts[i].size, out);
		check(out[cuts[i].size] == '#', "row %zu: past its %zu bytes", i, cuts[i].size);
	}
	/* each byte alone comes out as printable text */
	for (int byte = 1; byte < 256; byte++) {
		char in[2] = { (char)byte, '\0' };

		msg_escape(out, sizeof out, in);
		check(byte >= 0x20 && byte < 0x7f ? strcmp(out, in) == 0 : strlen(out) == 4 && out[0] == '\\',
		      "byte %02x: '%s'", (unsigned)byte, out);
		check(utf8_valid(out), "byte %02x: not UTF-8", (unsigned)byte);
	}
	return check_done();
}
