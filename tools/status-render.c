/*
 * status-render -o DIR [--metrics FILE] - the checks' JSON lines on standard input become the status page
 *
 * Writes status.json, index.html, the file `ready` (there only while the standby could take over; a static
 * web server then answers 200 or 404) and the Prometheus textfile, each atomically and 0644. `ready` goes
 * first when it must go, and comes last when it may come.
 */
#include "lib/option.h"
#include "lib/std.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/exits.h"
#include "lib/watch/html.h"
#include "lib/watch/metrics.h"
#include "lib/watch/document.h"
#include "lib/utf8.h"

#define INPUT_MAX ((size_t)1 << 20)

static const char *output;
static const char *metrics;

/* Standard input as an array of objects. A line that is none is left out and said: the page must come. */
static json *read_inputs(void)
{
	json *inputs = json_array();
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
		/* what is not UTF-8 would make the page and status.json something else too; a NUL is no text */
		j = strlen(line) == (size_t)(end - line) && utf8_valid(line) ? json_parse(line, strlen(line)) : NULL;
		if (json_is_object(j) && json_str(j, "id") != NULL) {
			json_push(inputs, j);
		} else {
			if (end > line)
				msg_err("standard input", "not an object with an \"id\": %.60s", line);
			json_free(j);
		}
	}
	buf_free(&all);
	return inputs;
}

/* The document of the last round, NULL when there is none that can be read. */
static json *read_before(const char *path)
{
	struct buf text = BUF_INIT(INPUT_MAX);
	json *j = NULL;

	if (access(path, F_OK) == 0 && file_slurp(path, &text) == EX_OK)
		j = utf8_valid(buf_text(&text)) ? json_parse(buf_text(&text), text.len) : NULL;
	buf_free(&text);
	return j;
}

/* Replaces a file unless it has this content already: an SD card wears. */
static int write_file(const char *path, const struct buf *content)
{
	struct buf old = BUF_INIT(INPUT_MAX);
	bool same = access(path, F_OK) == 0 && file_slurp(path, &old) == EX_OK && old.len == content->len &&
		    memcmp(buf_text(&old), buf_text(content), old.len) == 0;
	int rc = same ? EX_OK : file_replace(path, 0644, buf_text(content), content->len);

	buf_free(&old);
	return rc;
}

static int write_all(const json *status, const char *json_path, const char *html_path, const char *ready_path,
		     const char *prom_path)
{
	struct buf text = BUF_INIT(INPUT_MAX), html = BUF_INIT(INPUT_MAX), prom = BUF_INIT(INPUT_MAX);
	struct buf yes = BUF_INIT(16);
	bool ready = json_bool(json_get(status, "failover"), "ready", false);
	char *line = json_text(status);
	int rc = EX_OK;

	if (!ready && unlink(ready_path) != 0 && errno != ENOENT) {
		msg_errno(ready_path, "cannot remove");
		rc = EX_CANTCREAT;
		goto out;
	}
	if (buf_adds(&text, line) != 0 || buf_adds(&text, "\n") != 0 || html_page(status, &html) != 0 ||
	    metrics_text(status, &prom) != 0 || buf_adds(&yes, "ready\n") != 0) {
		msg_err(output, "the status is larger than %zu bytes", INPUT_MAX);
		rc = EX_DATAERR;
		goto out;
	}
	rc = write_file(json_path, &text);
	if (rc == EX_OK)
		rc = write_file(html_path, &html);
	if (rc == EX_OK)
		rc = write_file(prom_path, &prom);
	if (rc == EX_OK && ready)
		rc = write_file(ready_path, &yes);
out:
	free(line);
	buf_free(&text);
	buf_free(&html);
	buf_free(&prom);
	buf_free(&yes);
	return rc;
}

static int render(void)
{
	char *json_path = NULL, *html_path = NULL, *ready_path = NULL, *prom_path = NULL;
	json *inputs = NULL, *before = NULL, *status = NULL;
	int rc = EX_SOFTWARE;

	if (asprintf(&json_path, "%s/status.json", output) < 0 || asprintf(&html_path, "%s/index.html", output) < 0 ||
	    asprintf(&ready_path, "%s/ready", output) < 0 ||
	    asprintf(&prom_path, metrics != NULL ? "%s" : "%s/ctv.prom", metrics != NULL ? metrics : output) < 0)
		goto out;
	inputs = read_inputs();
	before = read_before(json_path);
	status = status_build(inputs, before, clock_wall());
	rc = write_all(status, json_path, html_path, ready_path, prom_path);
	if (rc == EX_OK)
		msg_info("%s: %s", output, json_str(status, "summary"));
out:
	json_free(inputs);
	json_free(before);
	json_free(status);
	free(json_path);
	free(html_path);
	free(ready_path);
	free(prom_path);
	return rc;
}

static const struct option_row options[] = {
	{ 'o', "output", "DIR", option_text, &output, "where to write" },
	{ 0, "metrics", "FILE", option_text, &metrics, "the Prometheus textfile (default: DIR/ctv.prom)" },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};

static const struct command command = {
	.usage = "-o DIR [--metrics FILE]",
	.about = "Read the checks' JSON lines on standard input, each with an \"id\", and write\n"
		 "status.json, index.html, ready and the Prometheus textfile.",
	.options = options,
};

int main(int argc, char **argv)
{
	int rc;

	msg_init(argv[0]);
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	if (output == NULL || *output == '\0')
		return cli_usage("-o DIR is needed");
	if (optind < argc)
		return cli_usage("%s: no operand is taken", argv[optind]);
	return cli_close(render());
}
