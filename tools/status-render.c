/*
 * status-render -o DIR [--metrics FILE] - the checks' JSON lines on standard input become the status page
 *
 * Writes status.json, index.html, the file `ready` (there only while the standby could take over; a static
 * web server then answers 200 or 404) and the Prometheus textfile, each atomically and 0644. `ready` goes
 * first when it must go, and comes last when it may come. With --shell a script hears what it has to tell
 * people, also when nothing could be written.
 */
#include "lib/std.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/option.h"
#include "lib/shell.h"
#include "lib/watch/document.h"
#include "lib/watch/html.h"
#include "lib/watch/inputs.h"
#include "lib/watch/metrics.h"
#include "lib/watch/told.h"

#define PAGE_MAX ((size_t)1 << 20)	/* bytes of a file that is written */

static const char *output;
static const char *metrics;
static const char *node, *role;
static const char *records;	/* the directory of last-TASK.json */
static const char *kept;	/* the document of before the last boot */
static const char *only_warns;	/* a condition that blocks nothing this time */
static int64_t warn_lag, max_lag;	/* milliseconds; 0: nobody asks */
static const char *apart;	/* a condition that is told by itself */

static struct shell answer = { .names = told_names };

/* ---- inputs that are no answers of checks ---- */

/* The input `host`: this node, its role and version. */
static json *host(void)
{
	json *j = json_object();

	json_put_str(j, "id", "host");
	json_put_str(j, "node", node);
	if (role != NULL)
		json_put_str(j, "role", strcmp(role, "active") == 0 || strcmp(role, "primary") == 0 ? role : "standby");
	json_put_str(j, "version", CTV_VERSION);
	return j;
}

/* The limits for how far the standby may be behind; and the uptime, which no change of the clock moves. */
static json *lag_limits(void)
{
	json *j = json_object();

	json_put_str(j, "id", "lag");
	json_put_int(j, "warn_seconds", (warn_lag > 0 ? warn_lag : max_lag) / 1000);
	json_put_int(j, "crit_seconds", max_lag / 1000);
	json_put_int(j, "steady_seconds", clock_ms() / 1000);
	return j;
}

/* ---- what is written ---- */

/* Replaces a file unless it has this content already: an SD card wears. */
static int write_file(const char *path, const struct buf *content)
{
	struct buf old = BUF_INIT(PAGE_MAX);
	bool same = access(path, F_OK) == 0 && file_slurp(path, &old) == EX_OK && old.len == content->len &&
		    memcmp(buf_text(&old), buf_text(content), old.len) == 0;
	int rc = same ? EX_OK : file_replace(path, 0644, buf_text(content), content->len);

	buf_free(&old);
	return rc;
}

static int write_all(const json *status, const char *json_path, const char *html_path, const char *ready_path,
		     const char *prom_path)
{
	struct buf text = BUF_INIT(PAGE_MAX), html = BUF_INIT(PAGE_MAX), prom = BUF_INIT(PAGE_MAX);
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
		msg_err(output, "the status is larger than %zu bytes", PAGE_MAX);
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

/* May the file at --keep be replaced? A slip of the command line may name another file, or a device; an empty file may be all
 * that a power cut left of ours. */
static bool is_ours(const json *known)
{
	struct stat st;

	return lstat(kept, &st) != 0 || (S_ISREG(st.st_mode) && (st.st_size == 0 || json_at(known, "/schema") != NULL));
}

/* Keeps the history for the next boot, if it is another than the kept one: that costs a write to a disk. */
static int keep(const json *status, const json *known)
{
	char *text, *line;
	int rc;

	if (kept == NULL || status_same_history(status, known))
		return EX_OK;
	if (!is_ours(known)) {
		msg_err(kept, "is no status of an earlier page, and is not replaced");
		return EX_CANTCREAT;
	}
	text = json_text(status);
	if (asprintf(&line, "%s\n", text) < 0)
		abort();
	rc = file_replace(kept, 0644, line, strlen(line));
	free(text);
	free(line);
	return rc;
}

/* ---- the page ---- */

static int render(void)
{
	char *json_path = NULL, *html_path = NULL, *ready_path = NULL, *prom_path = NULL;
	json *inputs = json_array(), *before = NULL, *known = NULL, *status = NULL;
	int64_t now = clock_wall();
	int rc = EX_SOFTWARE, saved;

	if (asprintf(&json_path, "%s/status.json", output) < 0 || asprintf(&html_path, "%s/index.html", output) < 0 ||
	    asprintf(&ready_path, "%s/ready", output) < 0 ||
	    asprintf(&prom_path, metrics != NULL ? "%s" : "%s/ctv.prom", metrics != NULL ? metrics : output) < 0)
		goto out;
	if (node != NULL)
		json_push(inputs, host());
	if (max_lag > 0)
		json_push(inputs, lag_limits());
	inputs_read(inputs, only_warns);
	if (records != NULL)
		inputs_read_records(inputs, records);
	before = inputs_file(json_path);
	known = kept != NULL ? inputs_file(kept) : NULL;
	status = status_build(inputs, before != NULL ? before : known, now);
	told_set(&answer, inputs, status, apart, now);
	rc = write_all(status, json_path, html_path, ready_path, prom_path);
	saved = keep(status, known);
	rc = rc == EX_OK ? saved : rc;
	if (rc == EX_OK)
		msg_info("%s: %s", output, json_str(status, "summary"));
out:
	json_free(inputs);
	json_free(before);
	json_free(known);
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
	{ 0, "node", "NAME", option_text, &node, "this host; without it a line \"host\" says it" },
	{ 0, "role", "ROLE", option_text, &role, "what it is: standby, active or primary" },
	{ 0, "records", "DIR", option_text, &records, "where the runs leave last-TASK.json" },
	{ 0, "keep", "FILE", option_text, &kept, "the history for the next boot, when DIR is empty" },
	{ 0, "warn-lag", "DURATION", option_positive, &warn_lag, "when what is followed minute by minute is too far behind" },
	{ 0, "max-lag", "DURATION", option_positive, &max_lag, "when that is critical; without it nothing is said of it" },
	{ 0, "only-warns", "NAME", option_text, &only_warns, "this condition blocks nothing just now" },
	{ 0, "apart", "NAME", option_text, &apart, "of --shell: neither hindrance nor problem" },
	{ 0, "shell", "[=PREFIX]", option_shell, &answer, "what it says, as assignments for a shell" },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};

static const struct command command = {
	.usage = "-o DIR [option]...",
	.about = "Read the checks' JSON lines on standard input, each with an \"id\", or behind it, and write\n"
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
	return cli_close(shell_end(&answer, render()));
}
