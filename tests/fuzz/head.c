/* The head record and the lines that publish reads: what is taken is written and read again the same. */
#include "lib/std.h"

#include "lib/dropbox/headlines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void round_trip(const struct head *h)
{
	struct head again;
	char why[HEAD_WHY], *text, *twice;
	json *j = head_json(h);

	text = json_text(j);
	json_free(j);
	/* one line, whatever the names in it are: show prints name=value lines */
	if (strpbrk(text, "\r\n") != NULL || strpbrk(h->path, "\r\n") != NULL || strpbrk(h->owner, "=\r\n") != NULL)
		abort();
	if (!head_parse(text, strlen(text), &again, why))
		abort();
	j = head_json(&again);
	twice = json_text(j);
	json_free(j);
	if (strcmp(text, twice) != 0)
		abort();
	free(text);
	free(twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *text = (const char *)data;
	struct head_state state;
	struct head h;
	char why[HEAD_WHY];

	if (head_parse(text, len, &h, why))
		round_trip(&h);
	h = (struct head){ .epoch = 1, .owner = "a", .seq = 1, .nonce = "0" };
	if (head_read_lines(text, len, &h, &state, why))
		round_trip(&h);
	head_read_state(text, len, &state, why);
	return 0;
}
