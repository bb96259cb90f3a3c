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

/* ---- a statement that SQLite may not have parsed ---- */

/* A text, name or blank ends where its own closing sign is, and no byte is one that no statement has. */
static bool is_sound_token(enum token t, const char *s, const char *end)
{
	size_t len = (size_t)(end - s);

	if (t == QUOTED)
		return len >= 2 && end[-1] == (*s == '[' ? ']' : *s);
	return t != OTHER || ((unsigned char)*s > ' ' && *s != 0x7f);
}

/* Every token sound, every bracket closed that was opened, and none but those. */
static bool is_balanced(const char *sql)
{
	unsigned depth = 0;
	const char *end;
	enum token t;

	for (const char *s = sql; (t = next(s, &end)) != END; s = end) {
		if (!is_sound_token(t, s, end) || (t == CLOSE && depth == 0))
			return false;
		depth += t == OPEN;
		depth -= t == CLOSE;
	}
	return depth == 0;
}

/* The next token that is no blank, at *s, which goes behind it. */
static enum token take(const char **s, struct sqltext *out)
{
	const char *end;
	enum token t;

	while ((t = next(*s, &end)) == SPACE)
		*s = end;
	*out = (struct sqltext){ *s, (size_t)(end - *s) };
	*s = end;
	return t;
}

static bool is_word_of(struct sqltext t, const char *word)
{
	return is(word, t.p, t.p + t.len);
}

/* Goes behind the next unquoted word of that name outside of brackets. */
static bool skip_to(const char **s, const char *word)
{
	unsigned depth = 0;
	struct sqltext text;
	enum token t;

	while ((t = take(s, &text)) != END) {
		depth += t == OPEN;
		depth -= t == CLOSE && depth > 0;
		if (t == WORD && depth == 0 && is_word_of(text, word))
			return true;
	}
	return false;
}

static bool take_name(const char **s, struct sqltext *out)
{
	enum token t = take(s, out);

	return t == WORD || t == QUOTED;
}

/* Behind a list in brackets, which comes next. */
static bool skip_list(const char **s)
{
	struct sqltext text;

	if (take(s, &text) != OPEN)
		return false;
	*s = closing(*s);
	return *(*s)++ == ')';
}

/* A list of columns, and perhaps options. */
static bool is_table(const char *s)
{
	return skip_list(&s);
}

/* USING module, and perhaps a list of arguments. */
static bool is_virtual(const char *s, struct sqltext_statement *out)
{
	struct sqltext text;
	const char *rest;

	if (take(&s, &text) != WORD || !is_word_of(text, "using") || !take_name(&s, &out->module))
		return false;
	rest = s;
	return take(&rest, &text) == END || (skip_list(&s) && take(&s, &text) == END);
}

/* ON table (columns), and perhaps more, but no end behind WHERE. */
static bool is_index(const char *s, struct sqltext_statement *out)
{
	struct sqltext text, last = { "", 0 };

	if (!skip_to(&s, "on") || !take_name(&s, &out->on) || !skip_list(&s))
		return false;
	while (take(&s, &text) != END)
		last = text;
	return !is_word_of(last, "where");
}

/* Columns perhaps, AS, and a SELECT. */
static bool is_view(const char *s)
{
	struct sqltext text;

	return skip_to(&s, "as") && take(&s, &text) == WORD && take(&s, &text) != END;
}

/* What for, ON table, BEGIN ... END */
static bool is_trigger(const char *s, struct sqltext_statement *out)
{
	struct sqltext text, last = { "", 0 };

	if (!skip_to(&s, "on") || !take_name(&s, &out->on) || !skip_to(&s, "begin"))
		return false;
	while (take(&s, &text) != END)
		last = text;
	return is_word_of(last, "end");
}

bool sqltext_whole(const char *sql, struct sqltext_statement *out)
{
	const char *s = sql;
	struct sqltext word;
	bool unique = false, virtual = false;

	*out = (struct sqltext_statement){ .type = SQLTEXT_TABLE };
	if (!is_balanced(sql) || take(&s, &word) != WORD || !is_word_of(word, "create") || take(&s, &word) != WORD)
		return false;
	if ((unique = is_word_of(word, "unique")) || (virtual = is_word_of(word, "virtual")))
		take(&s, &word);
	if (!take_name(&s, &out->name))
		return false;
	if (is_word_of(word, "index") && !virtual) {
		out->type = SQLTEXT_INDEX;
		return is_index(s, out);
	}
	if (is_word_of(word, "table") && virtual) {
		out->type = SQLTEXT_VIRTUAL;
		return is_virtual(s, out);
	}
	if (unique || virtual)
		return false;
	if (is_word_of(word, "table")) {
		out->type = SQLTEXT_TABLE;
		return is_table(s);
	}
	if (is_word_of(word, "view")) {
		out->type = SQLTEXT_VIEW;
		return is_view(s);
	}
	out->type = SQLTEXT_TRIGGER;
	return is_word_of(word, "trigger") && is_trigger(s, out);
}

bool sqltext_is_name(struct sqltext written, const char *name)
{
	const char *s = written.p, *end = s + written.len;
	char quote = '\0';

	if (written.len >= 2 && !is_word(*s)) {
		quote = *s == '[' ? ']' : *s;
		s++;
		end--;
	}
	for (; s < end && *name != '\0'; s++, name++) {
		if (strncasecmp(s, name, 1) != 0)
			return false;
		if (quote != '\0' && quote != ']' && *s == quote)
			s++;	/* written twice */
	}
	return s == end && *name == '\0';
}
