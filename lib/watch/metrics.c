#include "lib/std.h"

#include "lib/clock.h"
#include "lib/watch/metrics.h"

static void add(struct buf *b, const char *text)
{
	buf_put(b, text, strlen(text));
}

static void metric(struct buf *b, const char *name, const char *type, const char *help)
{
	const char *const words[] = { "# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n" };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		add(b, words[i]);
}

/* A label's value; a NULL is "". */
static void label(struct buf *b, const char *value)
{
	for (const char *s = value != NULL ? value : ""; *s != '\0'; s++) {
		if (*s == '\\' || *s == '"')
			buf_put(b, "\\", 1);
		buf_put(b, *s == '\n' ? "\\n" : s, *s == '\n' ? 2 : 1);
	}
}

/* labels: name and value in turn, and NULL; an array of NULL alone for none. */
static void sample_text(struct buf *b, const char *name, const char *const *labels, const char *value)
{
	add(b, name);
	for (size_t i = 0; labels[i] != NULL; i += 2) {
		add(b, i > 0 ? "," : "{");
		add(b, labels[i]);
		add(b, "=\"");
		label(b, labels[i + 1]);
		add(b, "\"");
	}
	add(b, labels[0] != NULL ? "} " : " ");
	add(b, value);
	add(b, "\n");
}

static void sample(struct buf *b, const char *name, const char *const *labels, int64_t value)
{
	char text[24];

	snprintf(text, sizeof text, "%lld", (long long)value);
	sample_text(b, name, labels, text);
}

/* A metric of one sample. */
static void gauge(struct buf *b, const char *name, const char *help, const char *const *labels, int64_t value)
{
	metric(b, name, "gauge", help);
	sample(b, name, labels, value);
}

static int64_t epoch_of(const json *j, const char *name)
{
	const char *text = json_str(j, name);
	int64_t at;

	return text != NULL && clock_parse(text, &at) == NULL ? at : 0;
}

static bool is_ok(const json *j)
{
	const char *word = json_str(j, "state");

	return word != NULL && strcmp(word, "ok") == 0;
}

static int64_t number_of(const json *j, const char *name)
{
	int64_t n;

	return json_int(j, name, 0, INT64_MAX, &n) ? n : 0;
}

/* The same, where it may be below 0. */
static int64_t whole(const json *j, const char *name)
{
	int64_t n;

	return json_int(j, name, INT64_MIN, INT64_MAX, &n) ? n : 0;
}

/* The document's own words for a number, if it is one (and no string with a digit in front). */
static void number_text(char out[32], const json *j, const char *name)
{
	char *text = json_str(j, name) == NULL ? json_value_text(json_get(j, name)) : NULL;

	snprintf(out, 32, "%s", text != NULL && *text >= '0' && *text <= '9' ? text : "0");
	free(text);
}

static const char *const tasks[] = { "upload", "download" };

static void task_metrics(struct buf *b, const char *name, const char *help, const json *sync, const char *member)
{
	metric(b, name, "gauge", help);
	for (size_t i = 0; i < 2; i++) {
		const json *job = json_get(sync, tasks[i]);
		char value[32];

		if (json_str(job, "result") == NULL)
			continue;
		number_text(value, job, member);
		if (strstr(name, "_timestamp_") != NULL)
			snprintf(value, sizeof value, "%lld", (long long)epoch_of(job, member));
		sample_text(b, name, (const char *const[]){ "task", tasks[i], NULL }, value);
	}
}

/* Counters by result. */
static void counters(struct buf *b, const char *name, const char *what, const char *of, const json *j,
		     const char *good, const char *bad)
{
	sample(b, name, (const char *const[]){ what, of, "result", "ok", NULL }, number_of(j, good));
	sample(b, name, (const char *const[]){ what, of, "result", "failed", NULL }, number_of(j, bad));
}

static void copy_metrics(struct buf *b, const json *s)
{
	static const char *const copy[] = { "copy", "standby", NULL };
	const json *v = json_get(s, "verify");
	const char *const verified[] = { "copy", "standby", "level", json_str(v, "level"), NULL };

	gauge(b, "ctv_db_snapshot_timestamp_seconds",
	      "Unix time at which the primary produced the snapshot held in this copy.", copy, epoch_of(s, "snapshot_at"));
	gauge(b, "ctv_db_file_modified_timestamp_seconds", "Modification time of the database file.", copy,
	      epoch_of(s, "file_mtime"));
	gauge(b, "ctv_db_size_bytes", "Size of the database file.", copy, number_of(s, "size_bytes"));
	gauge(b, "ctv_db_verify_ok", "Whether the last db-verify run passed (1) or failed (0).", verified,
	      json_bool(v, "ok", false));
	gauge(b, "ctv_db_verify_timestamp_seconds", "Unix time of the last db-verify run.", verified, epoch_of(v, "at"));
}

static void lag_metrics(struct buf *b, const json *l)
{
	static const char *const copy[] = { "copy", "standby", NULL };

	if (!json_is_object(l))
		return;
	gauge(b, "ctv_db_lag_seconds", "How far what is followed minute by minute is behind the primary.", copy, number_of(l, "seconds"));
	gauge(b, "ctv_db_lag_timestamp_seconds", "Unix time until which nothing of the primary's data is missing in it.", copy,
	      epoch_of(l, "at"));
	gauge(b, "ctv_db_states_behind", "Published states that it does not have yet.", copy,
	      number_of(l, "newest_n") > number_of(l, "n") ? number_of(l, "newest_n") - number_of(l, "n") : 0);
	gauge(b, "ctv_db_silent_seconds", "Since when nothing was put on record, by no clock of the two hosts.", copy, number_of(l, "silent_seconds"));
	gauge(b, "ctv_changes_period_seconds", "How often the primary looks for changes; 0 when it does not say.", copy, number_of(l, "period_seconds"));
	metric(b, "ctv_clock_ahead_seconds", "gauge", "How far a host's clock is known to be ahead of Dropbox's; 0: not known to be wrong.");
	sample(b, "ctv_clock_ahead_seconds", (const char *const[]){ "host", "primary", NULL }, whole(l, "clock_seconds"));
	sample(b, "ctv_clock_ahead_seconds", (const char *const[]){ "host", "standby", NULL }, whole(l, "own_clock_seconds"));
}

static void proof_metrics(struct buf *b, const json *p)
{
	static const char *const none[] = { NULL };
	int64_t ms = number_of(p, "answer_ms");
	char seconds[32];

	if (!json_is_object(p))
		return;
	gauge(b, "ctv_proof_ok", "Whether the application works on the standby's data, as far as the last nights have proved it.", none, is_ok(p));
	gauge(b, "ctv_proof_last_run_timestamp_seconds", "Unix time at which the last proof ended, whatever its verdict.", none, epoch_of(p, "finished_at"));
	gauge(b, "ctv_proof_last_success_timestamp_seconds", "Unix time of the last proof that was good; 0 if never.", none, epoch_of(p, "last_ok_at"));
	metric(b, "ctv_proof_answer_seconds", "gauge", "From the application's start to its answer, in the last proof.");
	snprintf(seconds, sizeof seconds, "%lld.%03d", (long long)(ms / 1000), (int)(ms % 1000));
	sample_text(b, "ctv_proof_answer_seconds", none, seconds);
}

static void job_metrics(struct buf *b, const json *y)
{
	task_metrics(b, "ctv_task_last_run_timestamp_seconds", "Unix time the task last finished, whatever the result.",
		     y, "last_run_at");
	task_metrics(b, "ctv_task_last_success_timestamp_seconds",
		     "Unix time the task last finished successfully; 0 if never.", y, "last_ok_at");
	task_metrics(b, "ctv_task_last_exit_status", "Exit status of the last run of the task.", y, "exit");
	task_metrics(b, "ctv_task_duration_seconds", "Duration of the last run of the task.", y, "duration_s");
	metric(b, "ctv_task_runs_total", "counter", "Task runs since installation, by result.");
	for (size_t i = 0; i < 2; i++)
		if (json_str(json_get(y, tasks[i]), "result") != NULL)
			counters(b, "ctv_task_runs_total", "task", tasks[i], json_get(y, tasks[i]), "runs_ok", "runs_failed");
}

static void probe_metrics(struct buf *b, const json *p)
{
	static const char *const target[] = { "target", "primary", NULL };
	int64_t ms = number_of(p, "latency_ms");
	char seconds[32];

	gauge(b, "ctv_probe_success", "Whether the last HTTP probe met every condition (1) or not (0).", target,
	      is_ok(p));
	metric(b, "ctv_probe_duration_seconds", "gauge", "Duration of the last HTTP probe.");
	snprintf(seconds, sizeof seconds, "%lld.%03d", (long long)(ms / 1000), (int)(ms % 1000));
	sample_text(b, "ctv_probe_duration_seconds", target, seconds);
	gauge(b, "ctv_probe_http_status_code", "HTTP status of the last probe; 0 if no response.", target,
	      number_of(p, "http_status"));
	gauge(b, "ctv_probe_timestamp_seconds", "Unix time of the last HTTP probe.", target, epoch_of(p, "checked_at"));
}

static void failover_metrics(struct buf *b, const json *f)
{
	static const char *const none[] = { NULL };

	gauge(b, "ctv_failover_ready", "Whether the standby could take over now (1) or not (0).", none,
	      json_bool(f, "ready", false));
	metric(b, "ctv_failover_check_ok", "gauge", "Result of one readiness condition.");
	for (const json *c = json_first(json_get(f, "checks")); c != NULL; c = json_next(c))
		sample(b, "ctv_failover_check_ok", (const char *const[]){ "check", json_str(c, "id"), NULL },
		       json_bool(c, "ok", false));
	gauge(b, "ctv_failover_active", "Whether the standby is serving in place of the primary.", none,
	      json_bool(f, "active", false));
}

int metrics_text(const json *status, struct buf *b)
{
	const char *const labels[] = { "node", json_str(status, "node"), "role", json_str(status, "role"),
				       "version", json_str(status, "version"), NULL };

	gauge(b, "ctv_build_info", "Version of the standby tools on this node; the value is always 1.", labels, 1);
	copy_metrics(b, json_get(status, "standby"));
	lag_metrics(b, json_get(status, "lag"));
	proof_metrics(b, json_get(status, "proof"));
	job_metrics(b, json_get(status, "sync"));
	probe_metrics(b, json_get(status, "primary"));
	failover_metrics(b, json_get(status, "failover"));
	metric(b, "ctv_alerts_sent_total", "counter", "Alert deliveries attempted, by channel and result.");
	for (const json *c = json_first(json_get(status, "channels")); c != NULL; c = json_next(c))
		counters(b, "ctv_alerts_sent_total", "channel", json_str(c, "name"), c, "delivered", "failed");
	return b->len < b->max ? 0 : -1;
}
