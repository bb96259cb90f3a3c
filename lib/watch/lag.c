#include "lib/std.h"

#include "lib/clock.h"
#include "lib/num.h"
#include "lib/watch/document.h"
#include "lib/watch/lag.h"

#define N_MAX (INT64_C(1) << 50)

static bool time_of(const json *j, const char *name, int64_t *out)
{
	const char *text = json_str(j, name);

	return text != NULL && clock_parse(text, out) == NULL;
}

/* The number of the newest state on record, -1 without one. */
static int64_t newest_on_record(const json *record)
{
	int64_t night = -1, minute = -1;

	json_int(json_get(record, "head"), "n", 0, N_MAX, &night);
	json_int(json_get(record, "change"), "n", 0, N_MAX, &minute);
	return night > minute ? night : minute;
}

/* Until when is nothing missing? The latest time that is known of state n, which is here. False when none is. */
static bool known_until(const json *inputs, const json *record, int64_t n, int64_t newest_n, const json *old, int64_t *at)
{
	const json *copy = status_input(inputs, "standby"), *newest = status_input(inputs, "newest");
	int64_t of, later;
	bool known = n >= 0 ? time_of(newest, "snapshot_at", at) : time_of(copy, "data_at", at);

	if (json_int(old, "n", -1, N_MAX, &of) && of == n && time_of(old, "at", &later) && (!known || later > *at)) {
		*at = later;
		known = true;
	}
	if (n >= newest_n && time_of(record, "confirmed_at", &later) && (!known || later > *at)) {
		*at = later;
		known = true;
	}
	return known;
}

static enum state judge(int64_t seconds, int64_t warn, int64_t crit)
{
	/* by a clock that is wrong: nobody knows how far it is behind */
	if (seconds < -STATUS_AHEAD_S)
		return STATE_UNKNOWN;
	return seconds > crit ? STATE_CRITICAL : seconds > warn ? STATE_WARNING : STATE_OK;
}

/* The quarters of an hour of the last day that were looked at, with the one of now. */
static json *build_day(const json *before, int64_t seconds, int64_t now)
{
	int64_t bucket = now - now % LAG_BUCKET_S, worst = seconds > 0 ? seconds : 0, at, was;
	char text[CLOCK_TEXT];
	json *day = json_array(), *last = json_object();

	for (const json *old = json_first(json_get(before, "day")); old != NULL; old = json_next(old)) {
		if (!time_of(old, "at", &at) || !json_int(old, "seconds", 0, INT32_MAX, &was))
			continue;
		if (at == bucket)
			worst = was > worst ? was : worst;
		else if (at < bucket && at > bucket - LAG_BUCKETS * LAG_BUCKET_S)
			json_push(day, json_copy(old));
	}
	json_put_str(last, "at", clock_text(text, bucket));
	json_put_int(last, "seconds", worst);
	json_push(day, last);
	return day;
}

json *lag_build(const json *inputs, const json *before, int64_t now, enum state *state)
{
	const json *record = status_input(inputs, "head"), *newest = status_input(inputs, "newest"), *limits = status_input(inputs, "lag");
	const json *old = json_get(before, "lag");
	int64_t warn = INT32_MAX, crit = INT32_MAX, n = -1, at = now, newest_n = newest_on_record(record);
	char words[NUM_TEXT], text[CLOCK_TEXT], behind[128] = "";
	char *line;
	json *j;

	*state = STATE_OK;
	if (limits == NULL)
		return NULL;
	if (record == NULL) {
		/* Dropbox away: what was on record counts, and what is here grows older */
		if (!json_int(old, "newest_n", 0, N_MAX, &newest_n))
			return NULL;
	} else if (newest_n < 0 || json_str(record, "confirmed_at") == NULL) {
		return NULL;
	}
	json_int(limits, "warn_seconds", 1, INT32_MAX, &warn);
	json_int(limits, "crit_seconds", 1, INT32_MAX, &crit);
	json_int(newest, "n", 0, N_MAX, &n);
	j = json_object();
	if (known_until(inputs, record, n, newest_n, old, &at))
		*state = judge(now - at, warn, crit);
	else
		*state = STATE_UNKNOWN;
	if (n < 0)
		snprintf(behind, sizeof behind, ": nothing has been followed yet");
	else if (n < newest_n)
		snprintf(behind, sizeof behind, ", state %lld of %lld", (long long)n, (long long)newest_n);
	num_duration_text(words, (now > at ? now - at : at - now) * 1000);
	if ((now - at < -STATUS_AHEAD_S ? asprintf(&line, "the primary's last word is of %s in the future%s", words, behind) :
					  asprintf(&line, "what is followed is %s behind%s", words, behind)) < 0)
		abort();
	json_put_str(j, "state", status_word(*state));
	json_put_str(j, "text", line);
	free(line);
	json_put_int(j, "n", n);
	json_put_int(j, "newest_n", newest_n);
	json_put_str(j, "at", clock_text(text, at));
	json_put_int(j, "seconds", now - at);
	json_put_int(j, "warn_seconds", warn);
	json_put_int(j, "crit_seconds", crit);
	json_put(j, "day", build_day(old, now - at, now));
	return j;
}
