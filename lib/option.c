#include "lib/std.h"

#include <getopt.h>

#include "lib/buf.h"
#include "lib/cli.h"
#include "lib/exits.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/option.h"
#include "lib/shell.h"

#define ROWS_MAX 48
#define FIRST_LONG 256	/* getopt's answer for the row number 0; letters are below */
#define COLUMN_MAX 27	/* of the help texts, where an option is not longer */

/* ---- the kinds ---- */

const char *option_flag(const char *text, void *to)
{
	(void)text;
	*(bool *)to = true;
	return NULL;
}

const char *option_text(const char *text, void *to)
{
	*(const char **)to = text;
	return NULL;
}

const char *option_duration(const char *text, void *to)
{
	return num_duration(text, to);
}

const char *option_positive(const char *text, void *to)
{
	int64_t ms;
	const char *why = num_duration(text, &ms);

	if (why == NULL && ms == 0)
		return "must be longer than 0";
	if (why == NULL)
		*(int64_t *)to = ms;
	return why;
}

const char *option_size(const char *text, void *to)
{
	return num_size(text, to);
}

const char *option_number(const char *text, void *to)
{
	const struct option_range *r = to;

	return num_u64(text, r->min, r->max, r->to);
}

const char *option_choice(const char *text, void *to)
{
	static char why[128];
	const struct option_words *w = to;
	size_t len = 0;

	for (int i = 0; w->words[i] != NULL; i++) {
		if (strcmp(w->words[i], text) == 0) {
			*w->to = i;
			return NULL;
		}
		if (len < sizeof why)
			len += (size_t)snprintf(why + len, sizeof why - len, "%s%s", i == 0 ? "not " : " or ", w->words[i]);
	}
	return why;
}

const char *option_shell(const char *text, void *to)
{
	return shell_ask(to, text);
}

/* ---- the help text ---- */

static const struct option_row common[] = {
	{ 'v', "verbose", NULL, option_flag, &msg_verbose, "narrate on standard error" },
	{ 'h', "help", NULL, NULL, NULL, "this text" },
	{ 'V', "version", NULL, NULL, NULL, "the version" },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};

/* The value of an option as the help shows it; for a choice, its words as `one|two`. */
static const char *value_of(char out[96], const struct option_row *r)
{
	const struct option_words *w = r->to;
	size_t len = 0;

	if (r->take != option_choice)
		return r->value != NULL ? r->value : "";
	for (int i = 0; w->words[i] != NULL && len < 96; i++)
		len += (size_t)snprintf(out + len, 96 - len, "%s%s", i == 0 ? "" : "|", w->words[i]);
	return out;
}

/* `  -w, --warning DURATION` */
static int synopsis(char out[128], const struct option_row *r)
{
	char letter[8] = "    ", value[96];

	if (r->letter != 0)
		snprintf(letter, sizeof letter, "-%c, ", r->letter);
	return snprintf(out, 128, "  %s--%s%s%s", letter, r->name, r->value == NULL || *r->value == '[' ? "" : " ",
			value_of(value, r));
}

static int widest(const struct option_row *rows)
{
	char text[128];
	int most = 0;

	for (; rows->name != NULL; rows++) {
		int width = synopsis(text, rows);

		most = width > most && width + 2 <= COLUMN_MAX ? width : most;
	}
	return most;
}

static void add_rows(struct buf *b, const struct option_row *rows, int column)
{
	char text[128], padded[256];

	for (; rows->name != NULL; rows++) {
		const char *line = rows->help, *end;

		synopsis(text, rows);
		snprintf(padded, sizeof padded, "%-*s  ", column, text);
		buf_adds(b, padded);
		for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
			snprintf(padded, sizeof padded, "\n%*s", column + 2, "");
			buf_add(b, line, (size_t)(end - line));
			buf_adds(b, padded);
		}
		buf_adds(b, line);
		buf_adds(b, "\n");
	}
}

static int print_help(const struct command *c)
{
	int own = widest(c->options), column = widest(common), rc;
	struct buf b = BUF_INIT(64 << 10);
	const char *line = c->usage;

	column = own > column ? own : column;
	for (size_t n; *line != '\0'; line += n + (line[n] == '\n')) {
		n = strcspn(line, "\n");
		buf_adds(&b, line == c->usage ? "usage: " : "       ");
		buf_adds(&b, *line == ' ' ? "" : msg_program());
		buf_adds(&b, *line == ' ' ? "" : " ");
		buf_add(&b, line, n);
		buf_adds(&b, "\n");
	}
	buf_adds(&b, c->about);
	buf_adds(&b, "\n\n");
	add_rows(&b, c->options, column);
	add_rows(&b, common, column);
	if (c->after != NULL) {
		buf_adds(&b, "\n");
		buf_adds(&b, c->after);
		buf_adds(&b, "\n");
	}
	rc = cli_help(buf_text(&b));
	buf_free(&b);
	return rc;
}

/* ---- parsing ---- */

/* Both tables as getopt_long wants them; an option's answer is FIRST_LONG and its place in rows. */
struct parser {
	const struct option_row *rows[ROWS_MAX];
	struct option longs[ROWS_MAX + 1];
	char letters[2 * ROWS_MAX + 3];
	int count;
};

static void add(struct parser *p, const struct option_row *rows)
{
	for (; rows->name != NULL; rows++) {
		size_t len = strlen(p->letters);

		if (p->count == ROWS_MAX)
			abort();
		p->rows[p->count] = rows;
		p->longs[p->count].name = rows->name;
		p->longs[p->count].has_arg = rows->value == NULL ? no_argument :
					     *rows->value == '[' ? optional_argument : required_argument;
		p->longs[p->count].val = FIRST_LONG + p->count;
		if (rows->letter != 0)
			snprintf(p->letters + len, sizeof p->letters - len, "%c%s", rows->letter, rows->value != NULL ? ":" : "");
		p->count++;
	}
}

static const struct option_row *row_of(const struct parser *p, int answer)
{
	if (answer >= FIRST_LONG)
		return p->rows[answer - FIRST_LONG];
	for (int i = 0; i < p->count; i++)
		if (p->rows[i]->letter == answer)
			return p->rows[i];
	abort();
}

static int check_operands(const struct operands *o, char **given, int count)
{
	if (o->wanted != NULL && (count < o->least || count > o->most))
		return cli_usage("%s", o->wanted);
	for (int i = 0; i < count && o->fault != NULL; i++) {
		const char *why = o->fault(given[i]);

		if (why != NULL)
			return cli_usage("%s: %s", given[i], why);
	}
	return OPTION_GO_ON;
}

int option_read(const struct command *c, int argc, char **argv)
{
	struct parser p = { 0 };
	int answer;

	cli_usage_status(c->check ? STATE_UNKNOWN : EX_USAGE);
	snprintf(p.letters, sizeof p.letters, "%s:", c->runs ? "+" : "");
	add(&p, c->options);
	add(&p, common);
	opterr = 0;
	/* what we call has options behind its operands, too, whatever an environment wishes */
	unsetenv("POSIXLY_CORRECT");
	while ((answer = getopt_long(argc, argv, p.letters, p.longs, NULL)) != -1) {
		const struct option_row *row;
		const char *why;

		if (answer == '?' || answer == ':')
			return cli_bad_option(answer, argv);
		row = row_of(&p, answer);
		if (row->take == NULL)
			return row->letter == 'h' ? print_help(c) : cli_version();
		why = row->take(optarg, row->to);
		if (why != NULL)
			return cli_usage("--%s %s: %s", row->name, optarg != NULL ? optarg : "", why);
	}
	return check_operands(&c->operands, argv + optind, argc - optind);
}
