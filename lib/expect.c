#include "lib/std.h"

#include "lib/expect.h"

#define SPACES " \t\r"

/* text without the spaces at its ends; it is changed in place. */
static char *trim(char *text)
{
	size_t len;

	text += strspn(text, SPACES);
	for (len = strlen(text); len > 0 && strchr(SPACES, text[len - 1]) != NULL; len--)
		;
	text[len] = '\0';
	return text;
}

static bool number_of(const char *text, double *out)
{
	json *j = json_parse(text, strlen(text));
	bool is = json_number(j, out);

	json_free(j);
	return is;
}

const char *expect_parse(char *text, struct expectation *e)
{
	char *op;
	double number;

	text = trim(text);
	op = text + strcspn(text, "=<>");
	if (*text != '/' || *op == '\0')
		return "not a JSON Pointer, one of = != < > and a value, such as /status=ok";
	e->op = *op;
	e->value = trim(op + 1);
	if (*op == '=' && op[-1] == '!') {
		e->op = '!';
		op--;
	}
	*op = '\0';
	e->pointer = trim(text);
	for (const char *c = e->pointer; *c != '\0'; c++)
		if (*c == '~' && c[1] != '0' && c[1] != '1')
			return "is no JSON Pointer: a ~ in it is ~0, and a / in a name ~1";
	if ((e->op == '<' || e->op == '>') && !number_of(e->value, &number))
		return "is compared with what is no number";
	return NULL;
}

/* As numbers where the answer has one; of what is no number nothing is less or more, and it is another than any. */
static bool compares(const struct expectation *e, const json *at, const char *text)
{
	double is, wanted;

	if (json_number(at, &is) && number_of(e->value, &wanted))
		return e->op == '<' ? is < wanted : e->op == '>' ? is > wanted : (is < wanted || is > wanted) == (e->op == '!');
	return (e->op == '=' || e->op == '!') && (strcmp(text, e->value) == 0) == (e->op == '=');
}

bool expect_met(const struct expectation *e, const json *body, char why[384])
{
	static const char *const wanted[] = { ['='] = "", ['!'] = "another than ", ['<'] = "less than ", ['>'] = "more than " };
	const json *at = json_at(body, e->pointer);
	char *text = at != NULL ? json_value_text(at) : NULL;
	bool good = text != NULL && compares(e, at, text);
	double number;

	if (body == NULL)
		snprintf(why, 384, "the answer is not JSON");
	else if (text == NULL)
		snprintf(why, 384, "without %.200s", e->pointer);
	else if (!good)
		snprintf(why, 384, "%.150s is %.100s, %swanted %s%.100s", e->pointer, text,
			 (e->op == '<' || e->op == '>') && !json_number(at, &number) ? "which is no number, " : "",
			 wanted[(unsigned char)e->op], e->value);
	free(text);
	return good;
}

/* `PATH POINTER OP VALUE`; the path ends at the first space. */
static const char *parse_page(char *row, const char **path, struct expectation *e)
{
	char *end = row + strcspn(row, SPACES);

	for (const char *c = row; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' && *c != '\t')
			return "has a control character";
	if (end - row > EXPECT_PATH_MOST)
		return "the path of its page is too long";
	if (*row != '/' || *end == '\0')
		return "not PATH POINTER OP VALUE, such as /api/system-stats /spots > 1000";
	for (const char *c = row; c < end; c++)
		if (*c >= '\x7f' || *c < ' ')
			return "the path of its page is not ASCII: others are written as %XX";
	*end = '\0';
	*path = row;
	return expect_parse(end + 1, e);
}

const char *expect_pages_parse(const char *list, struct expect_pages *pages, unsigned *row)
{
	const char *why = NULL;
	char *rest = strdup(list), *entry;

	*pages = (struct expect_pages){ .text = rest };
	*row = 0;
	if (rest == NULL)
		return "out of memory";
	while (why == NULL && (entry = strsep(&rest, ";\n")) != NULL) {
		entry = trim(entry);
		if (*entry == '\0')
			continue;
		*row = (unsigned)pages->count + 1;
		if (pages->count == EXPECT_PAGES_MOST)
			why = "too many";
		else
			why = parse_page(entry, &pages->paths[pages->count], &pages->wants[pages->count]);
		pages->count++;
	}
	if (why == NULL && pages->count == 0) {
		*row = 0;
		why = "holds no PATH POINTER OP VALUE";
	}
	if (why != NULL)
		expect_pages_free(pages);
	return why;
}

void expect_pages_free(struct expect_pages *pages)
{
	free(pages->text);
	pages->text = NULL;
	pages->count = 0;
}
