#include "lib/std.h"

#include "lib/dropbox/dropbox.h"

#include "tests/unit/check.h"

#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A250 A50 A50 A50 A50 A50
#define E50 "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9" \
	    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9" \
	    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9" \
	    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9" \
	    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"

/* why: part of the reason, NULL when the path is good */
static const struct { const char *path; const char *why; } paths[] = {
	{ "/a", NULL }, { "/database.db", NULL }, { "/a/b c/d", NULL }, { "/ a", NULL }, { "/caf\xc3\xa9/\xf0\x9f\x98\x80", NULL },
	{ "/rev:x", NULL }, { "/\"*?<>|:", NULL }, { "/~", NULL }, { "/" A250 "aaaaa", NULL }, { "/" A250 "aaaaa/" A250 "aaaaa", NULL },
	{ "/" E50 E50 E50 E50 E50 "\xc3\xa9", NULL },	/* characters, not bytes */
	{ "", "starts with" }, { "a", "starts with" }, { "a/b", "starts with" }, { " /a", "starts with" }, { "./a", "starts with" },
	{ "~/a", "starts with" }, { "/", "root" },
	{ "//", "empty component" }, { "//a", "empty component" }, { "/a//b", "empty component" }, { "/a/", "ends with '/'" },
	{ "/a/b/", "ends with '/'" }, { "/a ", "ends with a blank" }, { "/ ", "ends with a blank" },
	{ "/a\nb", "control" }, { "/a\tb", "control" }, { "/\x01", "control" }, { "/a\x1f", "control" }, { "/a\x7f", "control" },
	{ "/a\xc2\x80", "control" }, { "/\xc2\x85/a", "control" }, { "/a\xc2\x9b" "31m", "control" }, { "/\xc2\x9f", "control" },
	{ "/a\xc2\xa0", NULL },
	{ "/a\\b", "backslash" }, { "/\xff", "UTF-8" }, { "/a\xc3", "UTF-8" }, { "/\xc0\xaf", "UTF-8" }, { "/\xed\xa0\x80", "UTF-8" },
	{ "/" A250 "aaaaaa", "255" }, { "/a/" A250 "aaaaaa/b", "255" }, { "/" E50 E50 E50 E50 E50 A50, "255" },
};

static const struct { const char *path; bool ok; } refs[] = {
	{ "rev:196576c68", true }, { "rev:015f9a3b2c1d0e4f5a6b7c8d9e0f1", true }, { "rev:19657 6c68", false },
	{ "rev:196576c6", false }, { "rev:", false }, { "rev:196576C68", false }, { "rev:196576c68x", false },
	{ "rev:196576c68/a", false }, { "rev:196576c68\n", false }, { "REV:196576c68", false }, { "rev", false },
	{ "id:a4ayc_80_OEAAAAAAAAAXw", true }, { "id:", false }, { "id", false }, { "ID:a", false }, { "ns:1", false },
};

static const struct { const char *a, *b; bool same; } pairs[] = {
	{ "/a", "/a", true }, { "/Database.DB", "/database.db", true }, { "/caf\xc3\x89", "/CAF\xc3\xa9", true }, { "", "", true },
	{ "/a", "/b", false }, { "/a", "/a/", false }, { "/a/b", "/a", false }, { "/a", "/", false }, { "/e", "/\xc3\xa9", false },
	{ "/\xff", "/\xff", false },	/* no path at all */
};

int main(void)
{
	const char *why;

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		/* whether references are taken makes no difference to a path */
		for (int ref = 0; ref < 2; ref++) {
			why = ref == 0 ? dropbox_path_fault(paths[i].path) : dropbox_ref_fault(paths[i].path);
			check(paths[i].why == NULL ? why == NULL : why != NULL && strstr(why, paths[i].why) != NULL, "'%s': %s",
			      paths[i].path, why != NULL ? why : "taken");
		}
	}
	for (size_t i = 0; i < sizeof refs / sizeof *refs; i++) {
		why = dropbox_ref_fault(refs[i].path);
		check((why == NULL) == refs[i].ok, "'%s': %s", refs[i].path, why != NULL ? why : "taken");
		check(dropbox_path_fault(refs[i].path) != NULL, "'%s' taken where a path is asked for", refs[i].path);
	}
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
		check(dropbox_same_path(pairs[i].a, pairs[i].b) == pairs[i].same && dropbox_same_path(pairs[i].b, pairs[i].a) ==
		      pairs[i].same, "'%s' and '%s': %s", pairs[i].a, pairs[i].b, pairs[i].same ? "not one" : "one");
	return check_done();
}
