#include "lib/std.h"

#include "lib/clock.h"
#include "lib/watch/document.h"
#include "lib/watch/told.h"

const char *const told_names[] = {
	"overall", "summary", "hindrance", "problem", "stale", "old", "age_text", "sync_late", "sync_ok_at", "sync_message", "sync_pulse",
	"sync_text", "lag", "lag_text", "clock", "proof", "proof_text", "queued", NULL,
};

static bool is(const char *word, const char *wanted)
{
	return word != NULL && strcmp(word, wanted) == 0;
}

/* `NAME: DETAIL` of the first condition of that kind that is not as it should be. */
static bool set_condition(struct shell *to, const char *name, const json *status, bool blocks, const char *apart)
{
	for (const json *c = json_first(json_get(json_get(status, "failover"), "checks")); c != NULL; c = json_next(c)) {
		const char *id = json_str(c, "id"), *state = json_str(c, "state"), *detail = json_str(c, "detail");
		char *text;

		if (json_bool(c, "ok", false) == blocks || is(state, "ok") || (apart != NULL && is(id, apart)))
			continue;
		if (asprintf(&text, "%s: %s", id, detail != NULL ? detail : state) < 0)
			abort();
		shell_set(to, name, text);
		free(text);
		return true;
	}
	return false;
}

/* Is it long ago that the nightly job was good? A time in the future is by a clock that was wrong. */
static bool is_late(const char *ok_at, int64_t now)
{
	int64_t at;

	return ok_at == NULL || clock_parse(ok_at, &at) != NULL || now - at > STATUS_WARN_S || now - at < -STATUS_AHEAD_S;
}

/*
 * The beat for the push monitor of the synchronisation: the nightly download and the minutes, as one state. A warning does not
 * stop the beat, it is told as an alert. While this host serves, nothing is downloaded or followed, which is in order.
 */
static void set_pulse(struct shell *to, const json *status)
{
	const char *sync = json_str(json_get(status, "sync"), "state"), *copy = json_str(json_get(status, "standby"), "state");
	const char *age = json_str(json_get(status, "standby"), "text"), *behind = json_str(json_get(status, "lag"), "text");
	bool nightly = (is(sync, "ok") || is(sync, "warning")) && (is(copy, "ok") || is(copy, "warning"));
	bool minutely = !is(json_str(json_get(status, "lag"), "state"), "critical");
	char *text;

	shell_set(to, "sync_pulse", is(json_str(status, "role"), "active") || (nightly && minutely) ? "ok" : "critical");
	if (asprintf(&text, "%s%s%s", age != NULL ? age : "the age of the data is not known", behind != NULL ? "; " : "",
		     behind != NULL ? behind : "") < 0)
		abort();
	shell_set(to, "sync_text", text);
	free(text);
}

void told_set(struct shell *to, const json *inputs, const json *status, const char *apart, int64_t now)
{
	const json *sync = json_get(status, "sync"), *standby = json_get(status, "standby");
	const json *lag = json_get(status, "lag"), *proof = json_get(status, "proof");
	const json *job = json_get(sync, is(json_str(status, "role"), "primary") ? "upload" : "download");
	/* of the data alone: the copy's own state is that of its content, too */
	const char *age = json_str(status_input(inputs, "standby"), "state");
	int64_t seconds;
	bool age_known = is(age, "ok") || is(age, "warning") || is(age, "critical");

	shell_set(to, "overall", json_str(status, "overall"));
	shell_set(to, "summary", json_str(status, "summary"));
	if (!set_condition(to, "hindrance", status, true, apart) && is(json_str(json_get(status, "failover"), "state"), "unknown"))
		shell_set(to, "hindrance", "the readiness is not known");
	if (!set_condition(to, "problem", status, false, apart)) {
		if (is(json_str(json_get(status, "primary"), "state"), "unknown"))
			shell_set(to, "problem", "how it is with the primary is not known");
		else if (is(json_str(lag, "state"), "unknown"))
			shell_set(to, "problem", json_str(lag, "text"));
		else if (!age_known)
			shell_set(to, "problem", "the age of the data is not known");
	}
	shell_set(to, "stale", !age_known ? "unknown" : is(age, "critical") ? "warning" : "ok");
	shell_bool(to, "old", json_int(standby, "age_seconds", 0, INT64_C(1) << 40, &seconds));
	shell_set(to, "age_text", json_str(standby, "text"));
	shell_bool(to, "sync_late", is_late(json_str(job, "last_ok_at"), now));
	shell_set(to, "sync_ok_at", json_str(job, "last_ok_at"));
	shell_set(to, "sync_message", json_str(job, "message"));
	set_pulse(to, status);
	shell_set(to, "lag", json_str(lag, "behind"));
	shell_set(to, "lag_text", json_str(lag, "text"));
	shell_set(to, "clock", json_str(lag, "clock_text"));
	shell_set(to, "proof", json_str(proof, "state"));
	shell_set(to, "proof_text", json_str(proof, "text"));
	for (const json *in = json_first(inputs); in != NULL; in = json_next(in))
		if (is(json_str(in, "id"), "deliveries") && json_bool(in, "pending", false))
			shell_bool(to, "queued", true);
}
