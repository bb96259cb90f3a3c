#include "lib/std.h"

#include "lib/expect.h"

#include "tests/unit/check.h"

#define BODY "{\"n\":10,\"x\":1.50,\"s\":\"20\",\"t\":true,\"z\":null,\"a/b\":{\"~\":[1,\"two\"]},\"sp\":\"a b\",\"\":7,\"big\":1e999}"

/* What is expected of BODY: 1 it is so, 0 it is not, -1 it is no expectation. */
static const struct { const char *text; int is; } rows[] = {
	{ "/n=10", 1 }, { "/n=10.0", 1 }, { "/n=1e1", 1 }, { "/n=11", 0 }, { "/n!=10", 0 }, { "/n!=9", 1 }, { "/n=ten", 0 },
	{ "/n!=ten", 1 }, { "/n!=", 1 }, { "/n=", 0 }, { "/n<10", 0 }, { "/n<10.5", 1 }, { "/n<1e3", 1 }, { "/n>-1", 1 },
	{ "/n>10", 0 }, { "/x=1.5", 1 }, { "/x>1.49", 1 }, { "/big>1e300", 1 },
	/* a text is compared as one, and is no number */
	{ "/s=20", 1 }, { "/s=20.0", 0 }, { "/s!=21", 1 }, { "/s>1", 0 }, { "/s<99", 0 }, { "/sp=a b", 1 }, { "/sp = a b ", 1 },
	{ "/t=true", 1 }, { "/t!=false", 1 }, { "/t>0", 0 }, { "/z=null", 1 }, { "/a~1b/~0/1=two", 1 }, { "/a~1b/~0/0<2", 1 },
	{ "/a~1b/~0=[1,\"two\"]", 1 }, { "/=7", 1 },
	/* what is not there compares with nothing */
	{ "/none=1", 0 }, { "/none!=1", 0 }, { "/none<1", 0 }, { "/n/x=1", 0 },
	/* spaces do not count */
	{ "  /n \t= 10 ", 1 }, { "/n < 10.5", 1 }, { "/n != 9", 1 }, { "/s = 20", 1 },
	{ "/n", -1 }, { "", -1 }, { " ", -1 }, { "=1", -1 }, { "n=1", -1 }, { "/n<", -1 }, { "/n<ten", -1 }, { "/n<=5", -1 },
	{ "/n>=5", -1 }, { "/n>\"1\"", -1 }, { "/n>1 2", -1 }, { "/~=1", -1 }, { "/~2=1", -1 }, { "/n!", -1 }, { "/n>nan", -1 },
	{ "/n>0x10", -1 },
};

/* A list: how many expectations, or 0; then the number of the bad one. */
static const struct { const char *list; size_t count; unsigned bad; } lists[] = {
	{ "/ /n=1", 1, 0 }, { "/a /n=1;/b /s = x y", 2, 0 }, { "\n/a\t/n > 1\r\n\n ; /a?x=1&y=<2> /n<3;;\n", 2, 0 },
	{ "", 0, 0 }, { " ;\n;", 0, 0 }, { "/a", 0, 1 }, { "/a /n=1; /b", 0, 2 }, { "a /n=1", 0, 1 }, { "http://h/ /n=1", 0, 1 },
	{ "/a /n=1;/b n=1", 0, 2 }, { "/a /n>one", 0, 1 }, { "/\x1b[2J /n=1", 0, 1 }, { "/a /n=\x01", 0, 1 }, { "/\xc3\xa9 /n=1", 0, 1 },
	{ "/a\x7f /n=1", 0, 1 }, { "/a /n=\xc3\xa9", 1, 0 },
};

static void one(const char *text, int is, const json *body)
{
	struct expectation e;
	char *own = strdup(text), why[384] = "";
	const char *fault;

	if (own == NULL)
		abort();
	fault = expect_parse(own, &e);
	check((fault != NULL) == (is < 0), "'%s': %s", text, fault != NULL ? fault : "is none");
	if (fault == NULL)
		check(expect_met(&e, body, why) == (is == 1), "'%s': %s", text, why);
	if (fault == NULL)
		check((*why == '\0') == (is == 1), "'%s': the reason is '%s'", text, why);
	if (fault == NULL)
		check(!expect_met(&e, NULL, why) && strcmp(why, "the answer is not JSON") == 0, "'%s' of no JSON: %s", text, why);
	free(own);
}

static void reasons(const json *body)
{
	static const struct { const char *text, *why; } said[] = {
		{ "/n>10", "/n is 10, wanted more than 10" }, { "/s<5", "/s is 20, which is no number, wanted less than 5" },
		{ "/s!=20", "/s is 20, wanted another than 20" }, { "/none=1", "without /none" }, { "/n = x", "/n is 10, wanted x" },
	};
	struct expectation e;
	char why[384];

	for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
		char *own = strdup(said[i].text);

		check(own != NULL && expect_parse(own, &e) == NULL && !expect_met(&e, body, why) && strcmp(why, said[i].why) == 0,
		      "%s: %s", said[i].text, why);
		free(own);
	}
}

int main(void)
{
	json *body = json_parse(BODY, strlen(BODY));
	struct expect_pages pages;
	char long_list[EXPECT_PAGES_MOST * 10 + 20] = "", *path = malloc(EXPECT_PATH_MOST + 20);
	unsigned bad;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		one(rows[i].text, rows[i].is, body);
	reasons(body);
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		const char *why = expect_pages_parse(lists[i].list, &pages, &bad);

		check((why == NULL ? pages.count : 0) == lists[i].count && (why == NULL || bad == lists[i].bad), "'%s': %zu, %u: %s",
		      lists[i].list, pages.count, bad, why != NULL ? why : "is one");
		expect_pages_free(&pages);
	}
	check(expect_pages_parse("/a /n=1; /b?x=<1> /s = a  b ", &pages, &bad) == NULL && strcmp(pages.paths[1], "/b?x=<1>") == 0 &&
	      strcmp(pages.wants[1].pointer, "/s") == 0 && strcmp(pages.wants[1].value, "a  b") == 0, "the parts of a list");
	expect_pages_free(&pages);
	for (size_t i = 0; i < EXPECT_PAGES_MOST; i++)
		memcpy(long_list + 9 * i, "/a /n=1;\n", 10);
	check(expect_pages_parse(long_list, &pages, &bad) == NULL && pages.count == EXPECT_PAGES_MOST, "as many as there may be");
	expect_pages_free(&pages);
	memcpy(long_list + 9 * EXPECT_PAGES_MOST, "/a /n=1", 8);
	check(expect_pages_parse(long_list, &pages, &bad) != NULL && bad == EXPECT_PAGES_MOST + 1, "one too many");
	if (path == NULL)
		abort();
	memset(path, 'x', EXPECT_PATH_MOST);
	*path = '/';
	memcpy(path + EXPECT_PATH_MOST, " /n=1", 6);
	check(expect_pages_parse(path, &pages, &bad) == NULL, "the longest path");
	expect_pages_free(&pages);
	memcpy(path + EXPECT_PATH_MOST, "x /n=1", 7);
	check(expect_pages_parse(path, &pages, &bad) != NULL && bad == 1, "a longer path");
	free(path);
	json_free(body);
	return check_done();
}
