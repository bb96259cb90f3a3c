#include "lib/std.h"

#include "lib/json.h"

#include "tests/unit/check.h"

/* RFC 6901, 5, with more below it: an array of arrays, and an object whose names look like indexes. */
#define RFC "{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,\"i\\\\j\":5,\"k\\\"l\":6," \
	    "\" \":7,\"m~n\":8,\"~1\":9,\"deep\":{\"\":{\"\":10},\"a\":[[11,12],{\"x\":null}],\"0\":13,\"00\":14,\"-\":15}," \
	    "\"Foo\":16,\"\xc3\xa9\":17,\"twice\":18,\"twice\":19," \
	    "\"long\":[0,1,2,3,4,5,6,7,8,9,10],\"none\":[],\"text\":\"abc\"}"

/* NULL: there is no such value. */
static const struct { const char *pointer, *value; } pointers[] = {
	{ "/foo", "[\"bar\",\"baz\"]" }, { "/foo/0", "bar" }, { "/foo/1", "baz" }, { "/", "0" }, { "/a~1b", "1" }, { "/c%d", "2" },
	{ "/e^f", "3" }, { "/g|h", "4" }, { "/i\\j", "5" }, { "/k\"l", "6" }, { "/ ", "7" }, { "/m~0n", "8" },
	{ "/~01", "9" }, { "/deep/", "{\"\":10}" }, { "/deep//", "10" }, { "/deep/a/0/1", "12" }, { "/deep/a/1/x", "null" },
	{ "/Foo", "16" }, { "/\xc3\xa9", "17" }, { "/text", "abc" }, { "/twice", "18" },
	/* the rules of an index hold in arrays only */
	{ "/deep/0", "13" }, { "/deep/00", "14" }, { "/deep/-", "15" }, { "/long/10", "10" },
	{ "/foo/2", NULL }, { "/long/11", NULL }, { "/none/0", NULL }, { "/foo/-", NULL }, { "/foo/00", NULL }, { "/foo/01", NULL },
	{ "/foo/-1", NULL }, { "/foo/+1", NULL }, { "/foo/ 1", NULL }, { "/foo/1 ", NULL }, { "/foo/1x", NULL }, { "/foo/0x1", NULL },
	{ "/foo/1e0", NULL }, { "/foo/", NULL }, { "/foo//", NULL }, { "/foo/4294967296", NULL }, { "/foo/18446744073709551616", NULL },
	{ "/foo/18446744073709551615", NULL }, { "/foo/x", NULL },
	/* no further than a scalar, and no name but the whole one */
	{ "/foo/0/", NULL }, { "/foo/0/0", NULL }, { "/text/0", NULL }, { "//", NULL }, { "/fo", NULL }, { "/fooo", NULL },
	{ "/FOO", NULL }, { "/foo/0/bar", NULL }, { "/absent", NULL }, { "/absent/x/y", NULL }, { "/deep/a/1/x/y", NULL },
	/* what is no pointer */
	{ "foo", NULL }, { "0", NULL }, { "#/foo", NULL }, { "/m~n", NULL }, { "/m~2n", NULL },
	{ "/a~2b", NULL }, { "/m~", NULL }, { "/~", NULL },
	{ "/a/b", NULL }, { "/~1", NULL }, { "/m~00n", NULL },
};

/* The text as an HTTP header can carry it; NULL: not JSON. */
static const struct { const char *in, *out; } ascii[] = {
	{ "{\"path\" : \"/a b\"}", "{\"path\":\"/a b\"}" }, { "\"\xc3\xa9\"", "\"\\u00e9\"" }, { "\"\\u00E9\"", "\"\\u00e9\"" },
	{ "\"\xe2\x82\xac\"", "\"\\u20ac\"" }, { "\"\xf0\x9f\x98\x80\"", "\"\\ud83d\\ude00\"" },
	{ "\"\\ud83d\\ude00\"", "\"\\ud83d\\ude00\"" }, { "\"\xf0\x90\x80\x80\"", "\"\\ud800\\udc00\"" },
	{ "\"\xf4\x8f\xbf\xbf\"", "\"\\udbff\\udfff\"" }, { "\"\xef\xbf\xbf\"", "\"\\uffff\"" }, { "\"\x7f\"", "\"\\u007f\"" },
	{ "\"\\u0001\\u001f\"", "\"\\u0001\\u001f\"" }, { "\"\\n\\t\\r\\b\\f\"", "\"\\n\\t\\r\\b\\f\"" },
	{ "\"\\\"\\\\\\/\"", "\"\\\"\\\\/\"" }, { "{\"\xc3\xa9\":[1,true,null]}", "{\"\\u00e9\":[1,true,null]}" },
	/* a server's text that is not UTF-8: U+FFFD for each bad byte */
	{ "\"\xff\"", "\"\\ufffd\"" }, { "\"a\xe2\x82z\"", "\"a\\ufffd\\ufffdz\"" }, { "\"\xc0\x8a\"", "\"\\ufffd\\ufffd\"" },
	{ "\"\xed\xa0\x80\"", "\"\\ufffd\\ufffd\\ufffd\"" },
	{ "\"\\ud83d\"", NULL }, { "\"\\ude00\"", NULL }, { "\"\\ud83dx\"", NULL }, { "\"\\u12\"", NULL }, { "\"\\x41\"", NULL },
	{ "\"open", NULL }, { "", NULL }, { " ", NULL }, { "1 2", NULL }, { "{}x", NULL }, { "{\"a\":1", NULL }, { "[1,]", NULL },
	{ "{\"a\"}", NULL }, { "nul", NULL }, { "<html>", NULL },
};

/* A whole number from 0 to 100 in the member n, or none. */
static const struct { const char *text; int64_t n; } ints[] = {
	{ "{\"n\":0}", 0 }, { "{\"n\":100}", 100 }, { "{\"n\":1e2}", 100 }, { "{\"n\":7.0}", 7 }, { "{\"n\":-0}", 0 },
	{ "{\"n\":101}", -1 }, { "{\"n\":-1}", -1 }, { "{\"n\":1.5}", -1 }, { "{\"n\":1e300}", -1 }, { "{\"n\":-1e300}", -1 },
	{ "{\"n\":1e999}", -1 }, { "{\"n\":18446744073709551616}", -1 }, { "{\"n\":\"7\"}", -1 }, { "{\"n\":true}", -1 },
	{ "{\"n\":null}", -1 }, { "{\"n\":[7]}", -1 }, { "{\"N\":7}", -1 }, { "{}", -1 }, { "[7]", -1 }, { "7", -1 },
};

/* 2^53 is the first that a double cannot tell from its neighbour */
#define EDGES "{\"a\":9007199254740991,\"b\":9007199254740992,\"c\":-9007199254740991,\"d\":9007199254740993}"

/* Text that is written; each byte that is not UTF-8 is U+FFFD. */
static const struct { const char *in, *out; } mended[] = {
	{ "plain", "\"plain\"" }, { "\xc3\xa9", "\"\xc3\xa9\"" }, { "a\xff" "b", "\"a\xef\xbf\xbd" "b\"" },
	{ "\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\"" }, { "\xc3\xa9\xe9", "\"\xc3\xa9\xef\xbf\xbd\"" }, { "\n\"", "\"\\n\\\"\"" },
};

static void check_pointers(void)
{
	json *j = json_parse(RFC, strlen(RFC));

	check(j != NULL && json_at(j, "") == j, "the whole document");
	for (size_t i = 0; i < sizeof pointers / sizeof *pointers; i++) {
		const json *at = json_at(j, pointers[i].pointer);
		char *text = at != NULL ? json_value_text(at) : NULL;

		check((text != NULL) == (pointers[i].value != NULL) &&
		      (text == NULL || strcmp(text, pointers[i].value) == 0), "'%s': %s", pointers[i].pointer,
		      text != NULL ? text : "nothing");
		free(text);
	}
	check(json_at(NULL, "/a") == NULL && json_at(NULL, "") == NULL, "nothing at all");
	json_free(j);
}

static void check_ints(void)
{
	int64_t n = 0;
	json *j;

	for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
		bool found;

		n = -1;
		j = json_parse(ints[i].text, strlen(ints[i].text));
		found = json_int(j, "n", 0, 100, &n);
		check(found == (ints[i].n >= 0) && n == ints[i].n, "%s: %lld", ints[i].text, (long long)n);
		json_free(j);
	}
	j = json_parse(EDGES, strlen(EDGES));
	check(json_int(j, "a", INT64_MIN, INT64_MAX, &n) && n == INT64_C(9007199254740991), "2^53-1: %lld", (long long)n);
	check(json_int(j, "c", INT64_MIN, INT64_MAX, &n) && n == INT64_C(-9007199254740991), "1-2^53: %lld", (long long)n);
	check(!json_int(j, "b", INT64_MIN, INT64_MAX, &n) && !json_int(j, "d", INT64_MIN, INT64_MAX, &n), "2^53 and behind");
	json_free(j);
}

int main(void)
{
	check_pointers();
	check_ints();
	for (size_t i = 0; i < sizeof ascii / sizeof *ascii; i++) {
		json *j = json_parse(ascii[i].in, strlen(ascii[i].in));
		char *text = j != NULL ? json_ascii(j) : NULL;

		check((text != NULL) == (ascii[i].out != NULL) && (text == NULL || strcmp(text, ascii[i].out) == 0), "'%s': %s",
		      ascii[i].in, text != NULL ? text : "not JSON");
		free(text);
		json_free(j);
	}
	for (size_t i = 0; i < sizeof mended / sizeof *mended; i++) {
		json *a = json_array();
		char *text, want[64];

		json_push_str(a, mended[i].in);
		text = json_text(a);
		snprintf(want, sizeof want, "[%s]", mended[i].out);
		check(strcmp(text, want) == 0, "'%s': %s", mended[i].in, text);
		free(text);
		json_free(a);
	}
	return check_done();
}
