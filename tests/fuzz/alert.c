/* The record of an alert and the text that goes into it: what is taken is written and read again the same. */
#include "lib/std.h"

#include "lib/watch/alert.h"
#include "lib/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void round_trip(const struct alert *a)
{
	struct alert again;
	char *line = alert_write(a), *twice;

	if (!alert_parse(line, strlen(line), &again))
		abort();
	twice = alert_write(&again);
	if (strcmp(line, twice) != 0)
		abort();
	free(line);
	free(twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *src = strndup((const char *)data, len), text[200], twice[200];
	const char *channels[] = { "teams" };
	struct alert_news n = { .state = STATE_WARNING, .text = text, .todo = "", .channels = channels, .channel_count = 1 };
	struct alert_repeat r;
	struct alert a;

	if (alert_parse((const char *)data, len, &a))
		round_trip(&a);
	alert_parse_repeat(src, &r);
	alert_clean(text, sizeof text, src);
	if (!utf8_valid(text) || strlen(text) >= sizeof text || strcmp(alert_clean(twice, sizeof twice, text), text) != 0)
		abort();
	a = (struct alert){ .state = STATE_OK };
	alert_take(&a, &n, 1795500000);
	round_trip(&a);
	free(src);
	return 0;
}
