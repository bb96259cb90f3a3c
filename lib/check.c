#include "lib/std.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>

#include "lib/check.h"
#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/msg.h"

#define TEXT_MAX 2048

/* An answer is small; what does not fit is left out rather than the whole answer. */
static void add(struct buf *b, const char *text)
{
	buf_adds(b, text);
}

/* A JSON string (RFC 8259, 7) of src, which is printable UTF-8 after msg_escape. */
static void add_json(struct buf *b, const char *src)
{
	char text[TEXT_MAX];

	msg_escape(text, sizeof text, src);
	add(b, "\"");
	for (const char *s = text; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			add(b, "\\");
		buf_add(b, s, 1);
	}
	add(b, "\"");
}

static void add_member(struct buf *b, const char *member)
{
	add(b, ",\"");
	add(b, member);
	add(b, "\":");
}

void check_init(struct check *c, const char *name, const char *object, bool json)
{
	*c = (struct check){ .name = name, .object = object, .json = json,
			     .perf = BUF_INIT(64 << 10), .fields = BUF_INIT(64 << 10) };
}

void check_perf(struct check *c, const char *label, const char *value, const char *unit, const char *rest)
{
	add(&c->perf, c->perf.len > 0 ? " '" : "'");
	add(&c->perf, label);
	add(&c->perf, "'=");
	add(&c->perf, value);
	add(&c->perf, unit);
	if (rest != NULL) {
		add(&c->perf, ";");
		add(&c->perf, rest);
	}
}

void check_text(struct check *c, const char *member, const char *text)
{
	add_member(&c->fields, member);
	if (text != NULL)
		add_json(&c->fields, text);
	else
		add(&c->fields, "null");
}

void check_int(struct check *c, const char *member, int64_t value)
{
	char number[32];

	snprintf(number, sizeof number, "%lld", (long long)value);
	check_number(c, member, number);
}

void check_number(struct check *c, const char *member, const char *value)
{
	add_member(&c->fields, member);
	add(&c->fields, value);
}

void check_bool(struct check *c, const char *member, bool value)
{
	add_member(&c->fields, member);
	add(&c->fields, value ? "true" : "false");
}

enum state check_worse(enum state a, enum state b)
{
	static const int rank[] = { [STATE_OK] = 0, [STATE_UNKNOWN] = 1, [STATE_WARNING] = 2, [STATE_CRITICAL] = 3 };

	return rank[a] >= rank[b] ? a : b;
}

const char *check_word(enum state s)
{
	static const char *const words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };

	return words[s];
}

static void print_line(struct check *c, enum state state, const char *text)
{
	char line[TEXT_MAX];

	msg_escape(line, sizeof line, text);
	/* a '|' would start perfdata */
	for (char *s = line; *s != '\0'; s++)
		if (*s == '|')
			*s = ' ';
	printf("%s %s: %s%s%s\n", c->name, check_word(state), line, c->perf.len > 0 ? " | " : "",
	       buf_text(&c->perf));
}

static void print_json(struct check *c, enum state state, const char *text)
{
	struct buf b = BUF_INIT(256 << 10);
	char word[16], at[CLOCK_TEXT];

	snprintf(word, sizeof word, "%s", check_word(state));
	for (char *s = word; *s != '\0'; s++)
		*s = (char)tolower((unsigned char)*s);
	add(&b, "{\"check\":");
	add_json(&b, msg_program());
	add_member(&b, "object");
	add_json(&b, c->object);
	add_member(&b, "state");
	add_json(&b, word);
	add_member(&b, "text");
	add_json(&b, text);
	add_member(&b, "at");
	add_json(&b, clock_text(at, clock_wall()));
	add(&b, buf_text(&c->fields));
	add(&b, "}\n");
	fputs(buf_text(&b), stdout);
	buf_free(&b);
}

int check_done(struct check *c, enum state state, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (c->json)
		print_json(c, state, text);
	else
		print_line(c, state, text);
	buf_free(&c->perf);
	buf_free(&c->fields);
	if (fflush(stdout) != 0) {
		if (errno == EPIPE)
			cli_die_sigpipe();
		msg_errno("standard output", "cannot write");
		return STATE_UNKNOWN;
	}
	return (int)state;
}
