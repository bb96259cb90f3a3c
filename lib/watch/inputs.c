#include "lib/std.h"

#include <unistd.h>

#include "lib/buf.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/utf8.h"
#include "lib/watch/inputs.h"

#define INPUT_MAX ((size_t)1 << 20)	/* bytes of standard input, and of a file */

/* A line, or a record, that is to be JSON. NULL when it is none; a NUL in it is no text. */
static json *parse(const char *text, size_t len)
{
	/* one line that is not UTF-8 would make the page and status.json invalid, too */
	return strlen(text) == len && utf8_valid(text) ? json_parse(text, len) : NULL;
}

/* A line: an object with an id, or `ID OBJECT`. NULL when it is none. */
static json *line_object(char *line, size_t len)
{
	size_t id = strcspn(line, " {");
	json *j;

	if (id == 0 || line[id] != ' ')
		return parse(line, len);
	j = parse(line + id, len - id);
	if (json_is_object(j)) {
		line[id] = '\0';
		json_remove(j, "id");
		json_put_str(j, "id", line);
	}
	return j;
}

/* Whatever it is called in its line: `ready/NAME` of only_warns becomes `warn/NAME`. */
static void soften(json *j, const char *only_warns)
{
	const char *id = json_str(j, "id");
	char *warn;

	if (only_warns == NULL || strncmp(id, "ready/", 6) != 0 || strcmp(id + 6, only_warns) != 0)
		return;
	if (asprintf(&warn, "warn/%s", only_warns) < 0)
		abort();
	json_remove(j, "id");
	json_put_str(j, "id", warn);
	free(warn);
}

void inputs_read(json *inputs, const char *only_warns)
{
	struct buf all = BUF_INIT(INPUT_MAX);
	char chunk[4096];
	ssize_t n;

	while ((n = file_read(STDIN_FILENO, chunk, sizeof chunk)) > 0) {
		if (buf_add(&all, chunk, (size_t)n) != 0) {
			msg_err("standard input", "larger than %zu bytes, the rest is left out", INPUT_MAX);
			break;
		}
	}
	if (n < 0)
		msg_errno("standard input", "cannot read");
	for (char *line = all.data, *end; line != NULL && line < all.data + all.len; line = end + 1) {
		json *j;

		end = memchr(line, '\n', (size_t)(all.data + all.len - line));
		if (end == NULL)
			end = all.data + all.len;
		*end = '\0';
		j = line_object(line, (size_t)(end - line));
		if (json_is_object(j) && json_str(j, "id") != NULL) {
			soften(j, only_warns);
			json_push(inputs, j);
		} else {
			if (end > line)
				msg_err("standard input", "not an object with an \"id\": %.60s", line);
			json_free(j);
		}
	}
	buf_free(&all);
}

json *inputs_file(const char *path)
{
	struct buf text = BUF_INIT(INPUT_MAX);
	json *j = NULL;

	if (access(path, F_OK) == 0 && file_slurp(path, &text) == EX_OK)
		j = parse(buf_text(&text), text.len);
	buf_free(&text);
	return j;
}

void inputs_read_records(json *inputs, const char *dir)
{
	static const char *const tasks[] = { "upload", "download", "failover", "failback", "drill", "proof" };

	for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++) {
		char *path;
		json *j;

		if (asprintf(&path, "%s/last-%s.json", dir, tasks[i]) < 0)
			abort();
		j = inputs_file(path);
		free(path);
		if (json_is_object(j)) {
			json_remove(j, "id");
			json_put_str(j, "id", tasks[i]);
			json_push(inputs, j);
		} else {
			json_free(j);
		}
	}
}
