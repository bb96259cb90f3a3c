#include "lib/std.h"

#include "lib/buf.h"
#include "lib/settings.h"

#include "tests/unit/check.h"

/*
 * What systemd 252 makes of a line, EnvironmentFile= (tried there), but for what it passes over and we refuse: a line
 * without '=', a name that is none, an open quote; and a comment is one line, as systemd has it since 254. A NULL value: not assigned. Line: the broken one, else 0.
 */
static const struct { const char *text, *value; unsigned line; } table[] = {
	{ "A=plain\n", "plain", 0 }, { "A=last line without newline", "last line without newline", 0 },
	{ "A=  outer white space goes \t\n", "outer white space goes", 0 }, { "A=crlf\r\n", "crlf", 0 },
	{ "A='single $x \\ \"'\n", "single $x \\ \"", 0 }, { "A=\"double \\\" \\\\ \\` \\$ \\n\"\n", "double \" \\ ` $ \\n", 0 },
	{ "A=\" kept \"\n", " kept ", 0 }, { "A=a\\ b\\\\c\n", "a b\\c", 0 }, { "A=one\\\ntwo\n", "onetwo", 0 },
	{ "A=\"one\\\ntwo\"\n", "onetwo", 0 }, { "A='one\ntwo'\n", "one\ntwo", 0 }, { "A=end\\", "end", 0 },
	{ "A=$(reboot)\n", "$(reboot)", 0 }, { "A=`reboot`;x\n", "`reboot`;x", 0 }, { "A=x # no comment\n", "x # no comment", 0 },
	{ "A=1\nA=2\n", "2", 0 }, { "A=1\nA=\n", "", 0 }, { "# A=x\n;A=x\n\n \t\n", NULL, 0 }, { "", NULL, 0 },
	{ "AB=1\n_A=2\n", NULL, 0 }, { " \tA=indented\n", "indented", 0 }, { "B='x\n# A=y'\nA=z\n", "z", 0 },
	{ "A=x'y'\"z\"\n", "x'y'\"z\"", 0 }, { "A==\n", "=", 0 }, { "A=it's\n", "it's", 0 },
	{ "A=\"x\" y\n", "xy", 0 }, { "A='x'  \"y\"  \n", "xy", 0 }, { "A='x'  z  \n", "xz", 0 },
	{ "A=\"a\\qb\"\n", "a\\qb", 0 }, { "A=tail\\ \n", "tail ", 0 }, { "A=a \\\n b\n", "a  b", 0 },
	{ "A=\"a\"\\\nb\n", "ab", 0 }, { "A=\\\n x\n", " x", 0 }, { "A =x\n", "x", 0 }, { "A\t= x\n", "x", 0 },
	{ "# c \\\nA=one\nB=1\n", "one", 0 }, { "# c\nA=two\r\n", "two", 0 }, { "A=a\rA=b\n", "b", 0 },
	{ "A=\n", "", 0 }, { "A=\"\"\n", "", 0 }, { "A=a\\\r\nB=1\n", "a", 0 }, { "A=\xff\xfe\n", "\xff\xfe", 0 },
	{ "B=1\nA\n", NULL, 2 }, { "A B=x\n", NULL, 1 }, { "1A=x\n", NULL, 1 }, { "export A=x\n", NULL, 1 },
	{ "A=\"open\n", NULL, 1 }, { "B=x\\\ny\nA='open", NULL, 3 }, { "=x\n", NULL, 1 }, { "\xc3\xa9=x\n", NULL, 1 },
};

/* What systemd passes over: `NAME=VALUE;` for each assignment, `-LINE;` for each line that is none (tried there too). */
static const struct { const char *text, *all; size_t len; } every[] = {
	{ .text = "A=1\nB = 'x y' \n#c\nA=2", .all = "A=1;B=x y;A=2;" }, { .text = "no\nA=1\n", .all = "-1;A=1;" },
	{ .text = "export A=\"x\nB=y\"\nC=1\n", .all = "-1;C=1;" }, { .text = "A=\"open \nB=y\n", .all = "A=open \nB=y\n;" },
	{ .text = "\n\n1A=x\\\nB=2\nC=3", .all = "-3;C=3;" }, { .text = "=x\nA=\n", .all = "-1;A=;" },
	{ .text = "export A='open\nB=1\n", .all = "-1;" }, { .text = "A=1\nB=\0C=2\n", .all = "A=1;B=;-2;", .len = 12 },
	{ .text = "  x\r\nA=1\r\n", .all = "-1;A=1;" }, { .text = "", .all = "" },
};

static struct buf seen = BUF_INIT(CONFIG_MAX);

static void note(const char *name, const char *value, unsigned line)
{
	char text[64];

	if (name != NULL)
		snprintf(text, sizeof text, "%s=%s;", name, value);
	else
		snprintf(text, sizeof text, "-%u;", line);
	buf_adds(&seen, text);
}

int main(void)
{
	for (size_t i = 0; i < sizeof every / sizeof *every; i++) {
		buf_clear(&seen);
		config_each(every[i].text, every[i].len > 0 ? every[i].len : strlen(every[i].text), note);
		check(strcmp(buf_text(&seen), every[i].all) == 0, "'%s': '%s'", every[i].text, buf_text(&seen));
	}
	buf_free(&seen);
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct buf out = BUF_INIT(CONFIG_MAX);
		unsigned line;
		int found = config_find(table[i].text, strlen(table[i].text), "A", &out, &line);

		if (table[i].line > 0)
			check(found == -1 && line == table[i].line, "'%s': %d, line %u", table[i].text, found, line);
		else if (table[i].value == NULL)
			check(found == 0, "'%s': found", table[i].text);
		else
			check(found == 1 && strcmp(buf_text(&out), table[i].value) == 0, "'%s': '%s'", table[i].text, buf_text(&out));
		buf_free(&out);
	}
	return check_done();
}
