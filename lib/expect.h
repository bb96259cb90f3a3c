/*
 * expect.h - what an answer of the application, a JSON document, is expected to say: `POINTER OP VALUE`, where a JSON
 * Pointer (RFC 6901) names a place in it and OP is = != < or >. Where the place holds a number, numbers are compared,
 * else texts; < and > want numbers on both sides. Spaces around OP and at both ends do not count.
 */
#ifndef LIB_EXPECT_H
#define LIB_EXPECT_H

#include "lib/json.h"
#include "lib/std.h"

struct expectation {
	const char *pointer;
	char op;		/* '=', '!' for !=, '<' or '>' */
	const char *value;
};

/* Takes text apart, in place. NULL, or what is wrong with it. */
const char *expect_parse(char *text, struct expectation *e);

/* Is it so in body (NULL: the answer was no JSON)? If not, why holds the reason, which may hold text of the server's. */
bool expect_met(const struct expectation *e, const json *body, char why[384]);

#define EXPECT_PAGES_MOST 32
#define EXPECT_PATH_MOST 1000	/* bytes */

/* A list of `PATH POINTER OP VALUE`, one on a line or between semicolons: expectations of several pages of one server. */
struct expect_pages {
	char *text;		/* owned: what the others point into */
	size_t count;
	const char *paths[EXPECT_PAGES_MOST];
	struct expectation wants[EXPECT_PAGES_MOST];
};

/* NULL, or what is wrong: then nothing is to be freed, and *row is the number of the bad one, 0 when it is not one alone. */
const char *expect_pages_parse(const char *list, struct expect_pages *pages, unsigned *row);
void expect_pages_free(struct expect_pages *pages);

#endif
