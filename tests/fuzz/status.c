/* The status document and what is drawn from it: whatever a check or an old document says, it stays text, and a round
 * with nothing new changes nothing. The first line is the document of the last round, the others are the checks'. */
#include "lib/std.h"

#include "lib/watch/html.h"
#include "lib/watch/metrics.h"
#include "lib/watch/document.h"
#include "lib/utf8.h"

#define NOW 1795500000
#define MOST ((size_t)1 << 22)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static json *line_of(const char *line)
{
	return utf8_valid(line) ? json_parse(line, strlen(line)) : NULL;
}

/* Only the page's own tags: one script, no image. */
static void draw_page(const json *status)
{
	struct buf b = BUF_INIT(MOST);
	const char *script;

	if (html_page(status, &b) == 0) {
		script = strstr(buf_text(&b), "<script");
		if (!utf8_valid(buf_text(&b)) || script == NULL || strstr(script + 1, "<script") != NULL ||
		    strstr(buf_text(&b), "<img") != NULL)
			abort();
	}
	buf_free(&b);
}

/* Each line a comment or one of our samples, which ends with a number. */
static void draw_metrics(const json *status)
{
	struct buf b = BUF_INIT(MOST);

	if (metrics_text(status, &b) == 0) {
		for (const char *line = buf_text(&b), *end; *line != '\0'; line = end + 1) {
			end = strchr(line, '\n');
			if (end == NULL || (strncmp(line, "# ", 2) != 0 && strncmp(line, "ctv_", 4) != 0) ||
			    (*line == 'c' && (end[-1] < '0' || end[-1] > '9')))
				abort();
		}
	}
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = strndup((const char *)data, len), *rest = text, *line = strsep(&rest, "\n"), *once, *twice;
	json *before = line_of(line), *inputs = json_array(), *first, *second;

	while ((line = strsep(&rest, "\n")) != NULL) {
		json *j = line_of(line);

		if (json_is_object(j))
			json_push(inputs, j);
		else
			json_free(j);
	}
	first = status_build(inputs, before, NOW);
	second = status_build(inputs, first, NOW);
	once = json_text(first);
	twice = json_text(second);
	if (strpbrk(once, "\r\n") != NULL || strcmp(once, twice) != 0)
		abort();
	if (json_bool(json_get(first, "failover"), "ready", false) &&
	    json_first(json_get(json_get(first, "failover"), "checks")) == NULL)
		abort();
	draw_page(first);
	draw_metrics(first);
	json_free(before);
	json_free(inputs);
	json_free(first);
	json_free(second);
	free(once);
	free(twice);
	free(text);
	return 0;
}
