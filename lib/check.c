#include "lib/std.h"

#include <ctype.h>
#include <stdarg.h>

#include "lib/check.h"
#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/file.h"
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

const char *check_as(const char *text, void *to)
{
	struct check_form *form = to;

	form->json = true;
	form->id = text;
	return NULL;
}

bool check_form_is_of_one(const struct check_form *form)
{
	return form->id != NULL || shell_asked(&form->shell);
}

void check_init(struct check *c, const char *name, const char *object, struct check_form *form)
{
	*c = (struct check){ .name = name, .object = object, .form = form,
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
	shell_set(&c->form->shell, member, text);
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
	shell_set(&c->form->shell, member, value);
}

void check_bool(struct check *c, const char *member, bool value)
{
	add_member(&c->fields, member);
	add(&c->fields, value ? "true" : "false");
	shell_bool(&c->form->shell, member, value);
}

void check_list(struct check *c, const char *member)
{
	add_member(&c->fields, member);
	c->list = member;
	c->list_at = c->fields.len;
	add(&c->fields, "[");
}

void check_item(struct check *c, const char *const members[], const char *const texts[], size_t count)
{
	const char *so_far = buf_text(&c->fields);

	if (so_far[strlen(so_far) - 1] != '[')
		add(&c->fields, ",");
	for (size_t i = 0; i < count; i++) {
		add(&c->fields, i == 0 ? "{\"" : ",\"");
		add(&c->fields, members[i]);
		add(&c->fields, "\":");
		add_json(&c->fields, texts[i]);
	}
	add(&c->fields, "}");
}

void check_list_end(struct check *c)
{
	add(&c->fields, "]");
	shell_set(&c->form->shell, c->list, buf_text(&c->fields) + c->list_at);
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

/* "ok", "warning", "critical", "unknown" */
static void small_word(char word[16], enum state state)
{
	snprintf(word, 16, "%s", check_word(state));
	for (char *s = word; *s != '\0'; s++)
		*s = (char)tolower((unsigned char)*s);
}

static void make_json(struct buf *b, struct check *c, enum state state, const char *text)
{
	char word[16], at[CLOCK_TEXT];

	small_word(word, state);
	add(b, "{");
	if (c->form->id != NULL) {
		add(b, "\"id\":");
		add_json(b, c->form->id);
		add(b, ",");
	}
	add(b, "\"check\":");
	add_json(b, msg_program());
	add_member(b, "object");
	add_json(b, c->object);
	add_member(b, "state");
	add_json(b, word);
	add_member(b, "text");
	add_json(b, text);
	add_member(b, "at");
	add_json(b, clock_text(at, clock_wall()));
	add(b, buf_text(&c->fields));
	add(b, "}\n");
}

/* The text as people read it in the line: a script prints it again. */
static int print_shell(struct check *c, enum state state, const char *text)
{
	char word[16], line[TEXT_MAX];

	small_word(word, state);
	shell_set(&c->form->shell, "verdict", word);
	shell_set(&c->form->shell, "text", msg_escape(line, sizeof line, text));
	shell_set(&c->form->shell, "object", c->object);
	return shell_end(&c->form->shell, EX_OK);
}

int check_done(struct check *c, enum state state, const char *fmt, ...)
{
	struct buf json = BUF_INIT(256 << 10);
	char text[TEXT_MAX];
	va_list ap;
	int rc = EX_OK;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	make_json(&json, c, state, text);
	if (c->form->append != NULL && file_append_object(c->form->append, json.data, json.len) != EX_OK) {
		/* a reader of that file must not miss the verdict while the caller believes that it stands there */
		state = STATE_UNKNOWN;
		snprintf(text, sizeof text, "%s: what was found could not be appended to it", c->form->append);
	}
	if (shell_asked(&c->form->shell))
		rc = print_shell(c, state, text);
	else if (c->form->json)
		fputs(buf_text(&json), stdout);
	else
		print_line(c, state, text);
	buf_free(&c->perf);
	buf_free(&c->fields);
	buf_free(&json);
	if (rc == EX_OK)
		rc = cli_close(EX_OK);
	return rc == EX_OK ? (int)state : STATE_UNKNOWN;
}
