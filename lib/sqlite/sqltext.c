#include "lib/std.h"

#include <strings.h>

#include "lib/sqlite/sqltext.h"

enum token { END, SPACE, WORD, QUOTED, OPEN, CLOSE, COMMA, OTHER };

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Identifiers, keywords and numbers; every byte above ASCII may stand in an identifier. */
static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
	       c == '$' || (unsigned char)c >= 0x80;
}

/* The end of a text or name in quotes; a doubled quote is part of it. */
static const char *end_of_quoted(const char *s)
{
	char quote = *s == '[' ? ']' : *s;

	for (s++; *s != '\0'; s++) {
		if (*s != quote)
			continue;
		if (quote == ']' || s[1] != quote)
			return s + 1;
		s++;
	}
	return s;
}

/* The token at s and where it ends. */
static enum token next(const char *s, const char **end)
{
	*end = s + 1;
	if (*s == '\0') {
		*end = s;
		return END;
	}
	if (is_space(*s))
		return SPACE;
	if (s[0] == '-' && s[1] == '-') {
		*end = s + strcspn(s, "\n");
		return SPACE;
	}
	if (s[0] == '/' && s[1] == '*') {
		const char *close = strstr(s + 2, "*/");

		*end = close != NULL ? close + 2 : s + strlen(s);
		return SPACE;
	}
	if (is_word(*s)) {
		while (is_word(**end))
			(*end)++;
		return WORD;
	}
	switch (*s) {
	case '\'':
	case '"':
	case '`':
	case '[':
		*end = end_of_quoted(s);
		return QUOTED;
	case '(':
		return OPEN;
	case ')':
		return CLOSE;
	case ',':
		return COMMA;
	default:
		return OTHER;
	}
}

static bool is(const char *word, const char *s, const char *end)
{
	return (size_t)(end - s) == strlen(word) && strncasecmp(word, s, (size_t)(end - s)) == 0;
}

/* s is behind an opening bracket; the place of the one that closes it. */
static const char *closing(const char *s)
{
	unsigned depth = 1;
	const char *end;
	enum token t;

	while ((t = next(s, &end)) != END) {
		if (t == OPEN)
			depth++;
		if (t == CLOSE && --depth == 0)
			return s;
		s = end;
	}
	return s;
}

/* Behind the first opening bracket, or the end. */
static const char *list_of(const char *sql)
{
	const char *end;
	enum token t;

	while ((t = next(sql, &end)) != END && t != OPEN)
		sql = end;
	return end;
}

void sqltext_options(const char *sql, bool *without_rowid, bool *strict)
{
	const char *s = closing(list_of(sql)), *end;
	enum token t;

	*without_rowid = *strict = false;
	for (; (t = next(s, &end)) != END; s = end) {
		if (t == WORD && is("without", s, end))
			*without_rowid = true;
		if (t == WORD && is("strict", s, end))
			*strict = true;
	}
}

bool sqltext_next_check(const char **at, unsigned *depth, struct sqltext *out)
{
	const char *s = *at, *end;
	bool check = false;
	enum token t;

	/* CHECK is a reserved word: unquoted, and outside of inner brackets, it can be nothing else */
	for (; (t = next(s, &end)) != END; s = end) {
		if (t == OPEN && check) {
			const char *close = closing(end);

			*out = (struct sqltext){ end, (size_t)(close - end) };
			*at = *close != '\0' ? close + 1 : close;
			return true;
		}
		if (t == OPEN)
			++*depth;
		if (t == CLOSE && *depth > 0)
			--*depth;
		if (t != SPACE)
			check = t == WORD && *depth == 1 && is("check", s, end);
	}
	*at = s;
	return false;
}

/* Without what surrounds it and without a direction at its end, which is no part of the expression. */
static struct sqltext trim_column(const char *s, const char *end)
{
	const char *last, *last_end, *before, *e;	/* the last token, and the end of the one before */

	while (s < end && next(s, &e) == SPACE)
		s = e;
	last = last_end = before = s;
	for (const char *p = s; p < end; p = e) {
		if (next(p, &e) == SPACE)
			continue;
		before = last_end;
		last = p;
		last_end = e;
	}
	if (last > s && (is("asc", last, last_end) || is("desc", last, last_end)))
		last_end = before;
	return (struct sqltext){ s, (size_t)(last_end - s) };
}

bool sqltext_index_column(const char *sql, unsigned i, struct sqltext *out)
{
	const char *s = list_of(sql), *from = s, *end;
	unsigned depth = 0;
	enum token t;

	for (; (t = next(s, &end)) != END; s = end) {
		if (t == OPEN)
			depth++;
		if (depth == 0 && (t == COMMA || t == CLOSE)) {
			if (i-- == 0) {
				*out = trim_column(from, s);
				return true;
			}
			if (t == CLOSE)
				return false;
			from = end;
		}
		if (t == CLOSE)
			depth--;
	}
	return false;
}

bool sqltext_index_where(const char *sql, struct sqltext *out)
{
	const char *s = closing(list_of(sql)), *end;
	enum token t;

	for (; (t = next(s, &end)) != END; s = end) {
		if (t == WORD && is("where", s, end)) {
			*out = (struct sqltext){ end, strlen(end) };
			return true;
		}
	}
	return false;
}
