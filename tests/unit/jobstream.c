#include "lib/std.h"

#include "lib/jobstream.h"

#include "tests/unit/check.h"

#define W(word, a, b, c) "\001T1 " word "\001" a "\001" b "\001" c "\001\n"

/* in: what comes; out: W(word|a|b|c), L(line), T(transient), one after the other */
static const struct { const char *in, *out; } rows[] = {
	{ "", "" },
	{ "a: b\n", "L(a: b)" },
	{ "a\n\nb\n", "L(a)L()L(b)" },
	{ "no end", "L(no end)" },
	{ "dos\r\n", "L(dos)" },
	{ W("step", "one", "", ""), "W(step|one||)" },
	{ W("fail", "65", "text", "hint"), "W(fail|65|text|hint)" },
	{ W("note", "two\nlines", "", ""), "W(note|two\nlines||)" },
	{ W("say", "\nfirst\n", "\n", ""), "W(say|\nfirst\n|\n|)" },
	{ W("undo", "", "", ""), "W(undo|||)" },
	{ W("x", "a", "b", "c\001d"), "W(x|a|b|c)" },
	{ "a\n" W("step", "s", "", "") "b\n", "L(a)W(step|s||)L(b)" },
	{ "cut off" W("undo", "", "", ""), "L(cut off)W(undo|||)" },
	{ "\001T2 step\001one\001\n", "L(\001T2 step\001one\001)" },
	{ "say \001T1", "L(say \001T1)" },
	{ "\001T1 step\001never ends", "W(step|never ends||)" },
	{ "\rget: 5 %\033[K\rget: 7 %\033[K\r\033[K", "T(get: 5 %)T(get: 7 %)T()" },
	{ "\rget: 5 %\033[K\r\033[Kget: a: cause\n", "T(get: 5 %)T()L(get: a: cause)" },
	{ "\rget: 5 %\033[K" W("undo", "", "", ""), "T(get: 5 %)W(undo|||)" },
	{ "\rget: 5 %" W("undo", "", "", ""), "L(get: 5 %)W(undo|||)" },
	{ "git: 1 %\rgit: 2 %\rgit: done\n", "T(git: 1 %)T(git: 2 %)L(git: done)" },
};

/* the pieces of text, which comes in chunks of that size */
static void cut(const char *text, size_t chunk, char *out, size_t size)
{
	static struct jobstream s;
	size_t at = 0, len = strlen(text), n = 0;
	struct jobpiece p;

	jobstream_init(&s, "T1");
	out[0] = '\0';
	do {
		size_t room, part = len - at < chunk ? len - at : chunk;
		char *to = jobstream_room(&s, &room);

		if (part > room)
			part = room;
		memcpy(to, text + at, part);
		jobstream_added(&s, part);
		at += part;
		while (jobstream_next(&s, at == len, &p) && n < size) {
			if (p.kind == JOBPIECE_WORD)
				n += (size_t)snprintf(out + n, size - n, "W(%s|%s|%s|%s)", p.word, p.field[0], p.field[1],
						      p.field[2]);
			else
				n += (size_t)snprintf(out + n, size - n, "%c(%s)", p.kind == JOBPIECE_LINE ? 'L' : 'T', p.text);
		}
	} while (at < len);
}

int main(void)
{
	static char big[3 * JOBSTREAM_MAX], out[4 * JOBSTREAM_MAX];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (size_t chunk = 1; chunk < 40; chunk += 6) {
			cut(rows[i].in, chunk, out, sizeof out);
			check(strcmp(out, rows[i].out) == 0, "row %zu in chunks of %zu: %s", i, chunk, out);
		}
	}
	/* a line without end takes no more memory than there is, and the word behind it is still one */
	memset(big, 'x', sizeof big - 64);
	snprintf(big + sizeof big - 64, 64, "%s", W("undo", "", "", ""));
	cut(big, 4096, out, sizeof out);
	check(strstr(out, "W(undo|||)") != NULL, "behind a line without end: no word");
	return check_done();
}
