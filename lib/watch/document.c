#include "lib/std.h"

#include "lib/check.h"
#include "lib/clock.h"
#include "lib/num.h"
#include "lib/watch/document.h"
#include "lib/watch/lag.h"
#include "lib/watch/proof.h"

const json *status_input(const json *inputs, const char *id)
{
	for (const json *j = json_first(inputs); j != NULL; j = json_next(j)) {
		const char *own = json_str(j, "id");

		if (own != NULL && strcmp(own, id) == 0)
			return j;
	}
	return NULL;
}

static enum state state_of(const json *j)
{
	static const char *const words[] = { "ok", "warning", "critical" };
	const char *word = json_str(j, "state");

	for (size_t i = 0; word != NULL && i < sizeof words / sizeof *words; i++)
		if (strcmp(word, words[i]) == 0)
			return (enum state)i;
	return STATE_UNKNOWN;
}

const char *status_word(enum state s)
{
	static const char *const words[] = { "ok", "warning", "critical", "unknown" };

	return words[s];
}

/* Copies the members named in a list that ends with NULL; an absent one becomes null. */
static void put_members(json *to, const json *from, const char *const *names)
{
	for (; *names != NULL; names++) {
		const json *j = json_get(from, *names);

		if (j != NULL)
			json_put(to, *names, json_copy(j));
		else
			json_put_null(to, *names);
	}
}

/* A time member in seconds since the epoch; false when it is absent or none. */
static bool time_of(const json *j, const char *name, int64_t *out)
{
	const char *text = json_str(j, name);

	return text != NULL && clock_parse(text, out) == NULL;
}

static json *build_primary(const json *inputs, const json *before, int64_t now, enum state *state)
{
	static const char *const members[] = { "http_status", "latency_ms", NULL };
	const json *probe = status_input(inputs, "primary"), *old = json_get(before, "primary");
	const char *failed;
	char at[CLOCK_TEXT];
	json *j = json_object();

	*state = state_of(probe);
	json_put_str(j, "state", status_word(*state));
	json_put_text(j, "url", json_str(probe, "object"));
	json_put_text(j, "text", json_str(probe, "text"));
	put_members(j, probe, members);
	json_put_text(j, "checked_at", json_str(probe, "at"));
	clock_text(at, now);
	json_put_text(j, "last_ok_at", *state == STATE_OK ? at : json_str(old, "last_ok_at"));
	/* when it was first seen to fail: one write of the history in an outage, not one in each round */
	failed = json_str(old, "last_fail_at");
	json_put_text(j, "last_fail_at", *state == STATE_CRITICAL && (failed == NULL || state_of(old) != *state) ? at : failed);
	return j;
}

static json *build_standby(const json *inputs, const char *role, enum state *state)
{
	const json *age = status_input(inputs, "standby"), *verify = status_input(inputs, "verify");
	static const char *const ages[] = { "age_seconds", "size_bytes", NULL };
	int64_t warn = STATUS_WARN_S, crit = STATUS_CRIT_S;
	json *j = json_object(), *v = json_object();

	json_int(age, "warn_seconds", 1, INT32_MAX, &warn);
	json_int(age, "crit_seconds", 1, INT32_MAX, &crit);

	*state = state_of(age);
	if (verify != NULL && strcmp(role, "active") != 0)
		*state = check_worse(*state, state_of(verify));
	json_put_str(j, "state", status_word(*state));
	json_put_text(j, "text", json_str(age, "text"));
	json_put_text(j, "snapshot_at", json_str(age, "data_at"));
	json_put_text(j, "file_mtime", json_str(verify, "file_mtime"));
	put_members(j, age, ages);
	json_put_int(j, "warn_seconds", warn);
	json_put_int(j, "crit_seconds", crit);
	json_put_text(v, "level", json_str(verify, "level"));
	json_put_bool(v, "ok", json_bool(verify, "unchanged", false));
	json_put_text(v, "at", json_str(verify, json_get(verify, "installed_at") != NULL ? "installed_at" : "at"));
	json_put(j, "verify", v);
	return j;
}

/* How a nightly job stands: its last run, and how long ago it was last good. One that runs is as it was before. */
static enum state job_state(const json *record, enum state before, int64_t now)
{
	const char *result = json_str(record, "result");
	int64_t exit_status, ok_at;
	enum state s = STATE_OK;

	if (record == NULL || !json_int(record, "exit", 0, 255, &exit_status))
		return STATE_UNKNOWN;
	if (!time_of(record, "last_ok_at", &ok_at) || now - ok_at > STATUS_CRIT_S)
		return STATE_CRITICAL;
	/* by a clock that was wrong: nobody knows when it was */
	if (now - ok_at < -STATUS_AHEAD_S)
		return STATE_UNKNOWN;
	if (now - ok_at > STATUS_WARN_S)
		s = STATE_WARNING;
	if (result != NULL && strcmp(result, "running") == 0)
		return check_worse(s, before);
	return exit_status != 0 ? check_worse(s, STATE_WARNING) : s;
}

static json *build_job(const json *record, const char *next_at)
{
	static const char *const members[] = { "result", "exit", "step", "message", "last_ok_at", "size", "runs_ok",
					       "runs_failed", NULL };
	const json *seconds = json_get(record, "seconds");
	json *j = json_object();

	json_put_text(j, "last_run_at", json_str(record, "finished_at"));
	put_members(j, record, members);
	json_put_text(j, "next_run_at", next_at);
	if (seconds != NULL)
		json_put(j, "duration_s", json_copy(seconds));
	else
		json_put_null(j, "duration_s");
	return j;
}

static json *build_sync(const json *inputs, const json *before, const char *role, int64_t now, enum state *state)
{
	const json *up = status_input(inputs, "upload"), *down = status_input(inputs, "download");
	/* each host judges the job that is its own */
	const json *own = strcmp(role, "primary") == 0 ? up : down;
	const char *next_at = json_str(status_input(inputs, "warn/timer_armed"), "next_at");
	json *j = json_object();

	*state = job_state(own, state_of(json_get(before, "sync")), now);
	json_put_str(j, "state", status_word(*state));
	json_put_text(j, "next_run_at", next_at);
	json_put(j, "upload", build_job(up, own == up ? next_at : NULL));
	json_put(j, "download", build_job(down, own == down ? next_at : NULL));
	return j;
}

/* The name of the condition that an input tells of, or NULL; its state, and whether it blocks a failover. */
static const char *condition(const json *in, enum state *state, bool *blocks)
{
	const char *id = json_str(in, "id");

	*state = state_of(in);
	*blocks = true;
	if (id == NULL)
		return NULL;
	if (strcmp(id, "ready") == 0)
		return json_str(in, "check");
	if (strncmp(id, "ready/", 6) == 0)
		return id + 6;
	if (strncmp(id, "warn/", 5) != 0)
		return NULL;
	*blocks = false;
	if (*state != STATE_OK)
		*state = STATE_WARNING;
	return id + 5;
}

static json *build_failover(const json *inputs, const char *role, enum state *state)
{
	const json *drill = status_input(inputs, "drill");
	json *j = json_object(), *checks = json_array(), *last = json_object();
	unsigned count = 0, good = 0;	/* of those that block */

	*state = STATE_OK;
	for (const json *in = json_first(inputs); in != NULL; in = json_next(in)) {
		enum state one;
		bool blocks, ok;
		const char *name = condition(in, &one, &blocks);
		json *c;

		if (name == NULL)
			continue;
		ok = one == STATE_OK || one == STATE_WARNING;
		c = json_object();
		json_put_str(c, "id", name);
		json_put_bool(c, "ok", ok);
		json_put_str(c, "state", status_word(one));
		json_put_text(c, "detail", json_str(in, "text"));
		json_push(checks, c);
		count += blocks;
		good += blocks && ok;
		*state = check_worse(*state, one);
	}
	if (count == 0)
		*state = STATE_UNKNOWN;
	json_put_str(j, "state", status_word(*state));
	json_put_bool(j, "ready", count > 0 && good == count);
	json_put_bool(j, "active", strcmp(role, "active") == 0);
	json_put(j, "checks", checks);
	json_put_text(last, "at", json_str(drill, "finished_at"));
	json_put_text(last, "result", json_str(drill, "result"));
	json_put(j, "last_drill", last);
	return j;
}

static json *build_alerts(const json *inputs)
{
	static const char *const members[] = { "key", "severity", "text", "since", NULL };
	json *alerts = json_array();

	for (const json *in = json_first(inputs); in != NULL; in = json_next(in)) {
		const char *id = json_str(in, "id");
		json *a;

		if (id == NULL || strcmp(id, "alert") != 0)
			continue;
		a = json_object();
		put_members(a, in, members);
		json_push(alerts, a);
	}
	return alerts;
}

/* How often each channel was told something, over all alerts. */
static json *build_channels(const json *inputs)
{
	json *channels = json_array();

	for (const json *in = json_first(inputs); in != NULL; in = json_next(in)) {
		const char *id = json_str(in, "id"), *name = json_str(in, "channel");
		int64_t delivered = 0, failed = 0, n;
		bool earlier = false;
		json *c;

		if (id == NULL || strcmp(id, "deliveries") != 0 || name == NULL)
			continue;
		for (const json *done = json_first(channels); done != NULL && !earlier; done = json_next(done))
			earlier = strcmp(json_str(done, "name"), name) == 0;
		if (earlier)
			continue;
		for (const json *same = in; same != NULL; same = json_next(same)) {
			const char *other = json_str(same, "channel");

			if (other == NULL || strcmp(other, name) != 0)
				continue;
			delivered += json_int(same, "delivered", 0, INT32_MAX, &n) ? n : 0;
			failed += json_int(same, "failed", 0, INT32_MAX, &n) ? n : 0;
		}
		c = json_object();
		json_put_str(c, "name", name);
		json_put_int(c, "delivered", delivered);
		json_put_int(c, "failed", failed);
		json_push(channels, c);
	}
	return channels;
}

/* A job's record as an event of the page; NULL while the job has not ended. */
static json *event_of(const json *record, const char *what)
{
	static const char *const members[] = { "result", "message", NULL };
	const char *at = json_str(record, "finished_at"), *result = json_str(record, "result");
	json *e;

	if (at == NULL || result == NULL || strcmp(result, "running") == 0)
		return NULL;
	e = json_object();
	json_put_str(e, "at", at);
	json_put_str(e, "what", what);
	put_members(e, record, members);
	return e;
}

static int newest_first(const void *a, const void *b)
{
	return strcmp(json_str(*(json *const *)b, "at"), json_str(*(json *const *)a, "at"));
}

/* The last runs of everything, newest first: those of before, and the records of now. */
static json *build_events(const json *inputs, const json *before)
{
	static const char *const tasks[] = { "upload", "download", "failover", "failback", "drill", "proof" };
	enum { TASKS = sizeof tasks / sizeof *tasks };
	json *found[TASKS + STATUS_EVENTS], *events = json_array();
	size_t n = 0;

	for (size_t i = 0; i < TASKS; i++) {
		found[n] = event_of(status_input(inputs, tasks[i]), tasks[i]);
		n += found[n] != NULL;
	}
	for (const json *old = json_first(json_get(before, "events")); old != NULL && n < TASKS + STATUS_EVENTS;
	     old = json_next(old)) {
		const char *at = json_str(old, "at"), *what = json_str(old, "what");
		bool known = at == NULL || what == NULL;

		for (size_t i = 0; i < n && !known; i++)
			known = strcmp(json_str(found[i], "at"), at) == 0 && strcmp(json_str(found[i], "what"), what) == 0;
		if (!known)
			found[n++] = json_copy(old);
	}
	qsort(found, n, sizeof *found, newest_first);
	for (size_t i = 0; i < n; i++) {
		if (i < STATUS_EVENTS)
			json_push(events, found[i]);
		else
			json_free(found[i]);
	}
	return events;
}

/* The sync of each of the last days, oldest first; a day that failed once and worked later worked. */
static json *build_days(const json *inputs, const json *before, const char *role, int64_t now)
{
	const json *record = status_input(inputs, strcmp(role, "primary") == 0 ? "upload" : "download");
	const char *result = json_str(record, "result"), *started = json_str(record, "started_at");
	json *days = json_array();

	for (int64_t d = STATUS_DAYS - 1; d >= 0; d--) {
		char text[CLOCK_TEXT];
		const char *sync = "none";
		json *day;

		clock_text(text, now - d * 86400);
		text[10] = '\0';
		for (const json *old = json_first(json_get(before, "days")); old != NULL; old = json_next(old)) {
			const char *name = json_str(old, "d"), *was = json_str(old, "sync");

			if (name != NULL && was != NULL && strcmp(name, text) == 0)
				sync = strcmp(was, "ok") == 0 ? "ok" : strcmp(was, "failed") == 0 ? "failed" : "none";
		}
		if (started != NULL && result != NULL && strncmp(started, text, 10) == 0 && strcmp(sync, "ok") != 0) {
			if (strcmp(result, "ok") == 0 || strcmp(result, "unchanged") == 0)
				sync = "ok";
			else if (strcmp(result, "running") != 0)
				sync = "failed";
		}
		day = json_object();
		json_put_str(day, "d", text);
		json_put_str(day, "sync", sync);
		json_push(days, day);
	}
	return days;
}

/* How the parts stand. age is that of the data alone, standby that of the copy with its content. Late is what is followed when no clock is to blame. */
struct parts {
	enum state primary, age, standby, sync, lag, proof, failover;
	bool active, ready, followed, late;
};

static const char *sentence(const struct parts *p, enum state overall)
{
	if (p->active)
		return p->ready ? "Failover is active: this host is serving" :
				  "Failover is active, and this host does not serve as it should";
	if (p->primary == STATE_CRITICAL)
		return p->ready ? "The primary is down; the standby is ready to take over" :
				  "The primary is down, and the standby cannot take over";
	if (p->failover == STATE_CRITICAL || (!p->ready && p->failover != STATE_UNKNOWN))
		return "The standby cannot take over";
	if (p->failover == STATE_UNKNOWN || p->primary == STATE_UNKNOWN || p->standby == STATE_UNKNOWN || p->sync == STATE_UNKNOWN)
		return "Not everything is known";
	if (p->age != STATE_OK)
		return p->followed ? "The standby is ready, but its nightly copy is old" : "The standby is ready, but its data is old";
	if (p->standby != STATE_OK)
		return "The standby is ready, but its copy is not as it was installed";
	if (p->sync != STATE_OK)
		return "The standby is ready, but the last sync failed";
	if (p->late)
		return "The standby is ready, but the last minutes of the primary are not here";
	if (p->lag != STATE_OK)
		return "The standby is ready, but a clock is wrong";
	if (p->proof != STATE_OK)
		return "The standby is ready, but the application was not proved on its data";
	return overall == STATE_OK ? "Standby ready. The primary is serving." : "Standby ready, with a warning";
}

/* The sentence at the top: the worst thing first, and what it means for a failover. */
static void summarize(json *j, const struct parts *p)
{
	enum state overall = check_worse(check_worse(p->primary, p->standby), check_worse(p->sync, p->failover));
	const char *text = sentence(p, overall);

	/* a failover works without them: it loses what it would have lost before there were minutes */
	if (p->lag != STATE_OK || p->proof != STATE_OK)
		overall = check_worse(overall, STATE_WARNING);
	/* while it serves, its copy's age and the primary's silence are no news */
	if (p->active)
		overall = p->ready ? STATE_WARNING : STATE_CRITICAL;
	json_put_str(j, "overall", status_word(overall));
	json_put_str(j, "summary", text);
}

bool status_same_history(const json *a, const json *b)
{
	static const char *const members[] = { "/days", "/events", "/primary/state", "/primary/last_fail_at" };
	bool same = true;

	for (size_t i = 0; same && i < sizeof members / sizeof *members; i++) {
		const json *left = json_at(a, members[i]), *right = json_at(b, members[i]);
		char *one = left != NULL ? json_text(left) : NULL, *other = right != NULL ? json_text(right) : NULL;

		same = one != NULL && other != NULL && strcmp(one, other) == 0;
		free(one);
		free(other);
	}
	return same;
}

static void put_part(json *j, const char *name, json *part)
{
	if (part != NULL)
		json_put(j, name, part);
	else
		json_put_null(j, name);
}

json *status_build(const json *inputs, const json *before, int64_t now)
{
	const json *host = status_input(inputs, "host");
	const char *role = json_str(host, "role"), *node = json_str(host, "node");
	struct parts parts = { .age = state_of(status_input(inputs, "standby")) };
	json *j = json_object(), *primary, *standby, *sync, *lag, *proof, *failover;
	char at[CLOCK_TEXT];

	role = role != NULL && *role != '\0' ? role : "standby";
	primary = build_primary(inputs, before, now, &parts.primary);
	standby = build_standby(inputs, role, &parts.standby);
	sync = build_sync(inputs, before, role, now, &parts.sync);
	lag = lag_build(inputs, before, now, &parts.lag);
	parts.followed = lag != NULL;
	parts.late = lag != NULL && strcmp(json_str(lag, "behind"), "ok") != 0;
	proof = proof_build(inputs, before, now, &parts.proof);
	failover = build_failover(inputs, role, &parts.failover);
	parts.active = json_bool(failover, "active", false);
	parts.ready = json_bool(failover, "ready", false);
	json_put_int(j, "schema", 1);
	json_put_str(j, "generated_at", clock_text(at, now));
	json_put_str(j, "node", node != NULL && *node != '\0' ? node : "unnamed");
	json_put_str(j, "role", role);
	json_put_text(j, "version", json_str(host, "version"));
	summarize(j, &parts);
	json_put(j, "primary", primary);
	json_put(j, "standby", standby);
	json_put(j, "sync", sync);
	put_part(j, "lag", lag);
	put_part(j, "proof", proof);
	json_put(j, "failover", failover);
	json_put(j, "alerts", build_alerts(inputs));
	json_put(j, "channels", build_channels(inputs));
	json_put(j, "days", build_days(inputs, before, role, now));
	json_put(j, "events", build_events(inputs, before));
	return j;
}
