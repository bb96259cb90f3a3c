#include "lib/std.h"

#include "lib/exits.h"
#include "lib/lines.h"
#include "lib/msg.h"

#define STEP 1000	/* elements by which the array grows */

/* False at the end. *good: the line can be taken. */
static bool next_line(char line[LINES_LONGEST + 1], bool *good)
{
	size_t len = 0;
	int c;

	*good = true;
	while ((c = getchar_unlocked()) != EOF && c != '\n') {
		if (c == '\0' || len == LINES_LONGEST)
			*good = false;
		else
			line[len++] = (char)c;
	}
	line[len] = '\0';
	return c != EOF || len > 0;
}

int lines_read(const struct lines *l, void **array, size_t *count)
{
	char line[LINES_LONGEST + 1];
	size_t room = 0;
	bool good;

	*array = NULL;
	*count = 0;
	while (next_line(line, &good)) {
		if (*count == room) {
			char *more = room < l->most ? realloc(*array, (room + STEP) * l->size) : NULL;

			if (more == NULL) {
				msg_err("standard input", "more than %zu %s", room, l->what);
				return EX_DATAERR;
			}
			*array = more;
			room += STEP;
		}
		if (good && l->take(line, (char *)*array + *count * l->size))
			++*count;
	}
	if (ferror(stdin)) {
		msg_errno("standard input", "cannot read");
		return EX_IOERR;
	}
	return EX_OK;
}
