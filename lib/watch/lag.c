#include "lib/std.h"

#include "lib/buf.h"
#include "lib/check.h"
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
static bool known_until(const json *inputs, const json *record, int64_t n, int64_t newest_n, const json *old, int64_t now, int64_t *at)
{
	const json *copy = status_input(inputs, "standby"), *newest = status_input(inputs, "newest");
	int64_t of, later;
	bool known = n >= 0 ? time_of(newest, "snapshot_at", at) : time_of(copy, "data_at", at);

	if (json_int(old, "n", -1, N_MAX, &of) && of == n && time_of(old, "at", &later) &&
	    /* a time in the future came from a wrong clock, and is not believed for ever */
	    later <= now + STATUS_AHEAD_S && (!known || later > *at)) {
		*at = later;
		known = true;
	}
	if (n >= newest_n && time_of(record, "confirmed_at", &later) && (!known || later > *at)) {
		*at = later;
		known = true;
	}
	return known;
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

/* ---- the clocks ---- */

struct watch {
	int64_t silent;		/* seconds since the record was last written, -1 when that is not known */
	int64_t skew;		/* of what the record's last writer took for now, beside Dropbox; 0 when that is not known */
	int64_t clock;		/* by so much the primary's clock is ahead, 0 when it is not known to be wrong */
	int64_t own_clock;	/* and ours */
	int64_t steady, seen;	/* now, and when the record was first seen as it is, by the steady clock */
	const char *nonce;	/* which tells one writing of it from the next */
};

static bool wrong(int64_t skew)
{
	return skew > LAG_CLOCK_S || skew < -LAG_CLOCK_S;
}

/*
 * The look that a record confirms was before the record was written, and a long upload between the two makes a clock look
 * slow. So a clock is called slow only when it looked so in two records, one after the other.
 */
static void look_at_clocks(struct watch *w, const json *record, const json *old, bool same, int64_t now)
{
	int64_t confirmed, modified, asked, skew_before = 0;

	json_int(old, "skew_seconds", INT32_MIN, INT32_MAX, &skew_before);
	if (record == NULL) {
		json_int(old, "clock_seconds", INT32_MIN, INT32_MAX, &w->clock);
		w->skew = skew_before;
	}
	if (!time_of(record, "server_modified", &modified))
		return;
	if (time_of(record, "confirmed_at", &confirmed))
		w->skew = confirmed - modified;
	if (same)
		json_int(old, "clock_seconds", INT32_MIN, INT32_MAX, &w->clock);
	else if (w->skew > LAG_CLOCK_S)
		w->clock = w->skew;
	else if (w->skew < -LAG_CLOCK_S && skew_before < -LAG_CLOCK_S)
		w->clock = w->skew > skew_before ? w->skew : skew_before;
	if (time_of(record, "asked_at", &asked)) {
		w->silent = asked > modified ? asked - modified : 0;
		w->own_clock = wrong(now - asked) ? now - asked : 0;
	}
}

static struct watch look(const json *record, const json *old, const json *limits, int64_t now)
{
	const char *known = json_str(old, "nonce");
	struct watch w = { .silent = -1, .nonce = record != NULL ? json_str(record, "nonce") : known };
	bool same = known != NULL && w.nonce != NULL && strcmp(known, w.nonce) == 0;
	int64_t before = 0;

	json_int(limits, "steady_seconds", 0, INT64_C(1) << 40, &w.steady);
	w.seen = w.steady;
	/* a steady clock that went back began anew with the last boot: the record is older than that */
	if (same && json_int(old, "steady", 0, INT64_C(1) << 40, &before))
		w.seen = before > w.steady || !json_int(old, "seen_steady", 0, before, &w.seen) ? 0 : w.seen;
	look_at_clocks(&w, record, old, same, now);
	if (same && w.steady - w.seen > w.silent)
		w.silent = w.steady - w.seen;
	return w;
}

/* ---- the part ---- */

static void add(struct buf *b, const char *text)
{
	buf_put(b, text, strlen(text));
}

static void add_seconds(struct buf *b, int64_t seconds)
{
	char words[NUM_TEXT];

	add(b, num_duration_text(words, (seconds < 0 ? -seconds : seconds) * 1000));
}

static void add_clock(struct buf *b, const char *whose, int64_t ahead)
{
	if (ahead == 0)
		return;
	add(b, b->len > 0 ? ", " : "");
	add(b, whose);
	add(b, " clock is ");
	add_seconds(b, ahead);
	add(b, ahead > 0 ? " ahead" : " behind");
}

/* How often the owner looks, and why so seldom; the limits are never below three of its periods. */
static const char *period(const json *record, const json *old, int64_t *seconds, int64_t *warn, int64_t *crit)
{
	const json *pace = json_get(record, "pace");
	const char *why = json_str(record != NULL ? pace : old, record != NULL ? "why" : "period_why");

	*seconds = 0;
	json_int(record != NULL ? pace : old, record != NULL ? "seconds" : "period_seconds", 1, 7 * 86400, seconds);
	if (why != NULL && strcmp(why, "base under way") == 0) {
		*warn = *warn > LAG_BASE_S ? *warn : LAG_BASE_S;
		*crit = *crit > LAG_BASE_S ? *crit : LAG_BASE_S;
	}
	*warn = *warn > 3 * *seconds ? *warn : 3 * *seconds;
	*crit = *crit > 3 * *seconds ? *crit : 3 * *seconds;
	return why != NULL && *why != '\0' ? why : NULL;
}

json *lag_build(const json *inputs, const json *before, int64_t now, enum state *state)
{
	const json *record = status_input(inputs, "head"), *newest = status_input(inputs, "newest"), *limits = status_input(inputs, "lag");
	const json *old = json_get(before, "lag");
	int64_t warn = INT32_MAX, crit = INT32_MAX, n = -1, at = now, newest_n = newest_on_record(record), every, worst;
	char time[CLOCK_TEXT], states[64];
	struct buf text = BUF_INIT(1024), clocks = BUF_INIT(256);
	enum state behind;
	const char *why;
	struct watch w;
	bool known;
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
	known = known_until(inputs, record, n, newest_n, old, now, &at);
	w = look(record, old, limits, now);
	why = period(record, old, &every, &warn, &crit);
	worst = now - at > w.silent ? now - at : w.silent;
	*state = worst > crit ? STATE_CRITICAL : worst > warn ? STATE_WARNING : STATE_OK;
	/* by a clock of which nothing more is known */
	if (!known || (now - at < -STATUS_AHEAD_S && w.silent < 0))
		*state = STATE_UNKNOWN;
	behind = *state;
	add_clock(&clocks, "the primary's", w.clock);
	add_clock(&clocks, "this host's", w.own_clock);
	if (clocks.len > 0)
		*state = check_worse(*state, STATE_WARNING);

	if (now - at < -STATUS_AHEAD_S) {
		add(&text, "the primary's last word is of ");
		add_seconds(&text, now - at);
		add(&text, " in the future");
	} else {
		add(&text, "what is followed is ");
		add_seconds(&text, now - at);
		add(&text, " behind");
	}
	if (n < newest_n) {
		snprintf(states, sizeof states, ", state %lld of %lld", (long long)n, (long long)newest_n);
		add(&text, n < 0 ? ": nothing has been followed yet" : states);
	}
	if (w.silent > now - at && w.silent > warn) {
		add(&text, "; nothing was put on record for ");
		add_seconds(&text, w.silent);
	}
	add(&text, clocks.len > 0 ? "; " : "");
	add(&text, buf_text(&clocks));
	if (why != NULL && strcmp(why, "base under way") == 0) {
		add(&text, "; a base is under way");
	} else if (why != NULL) {
		add(&text, "; a look every ");
		add_seconds(&text, every);
		add(&text, ": ");
		add(&text, why);
	}

	j = json_object();
	json_put_str(j, "state", status_word(*state));
	json_put_str(j, "text", buf_text(&text));
	json_put_str(j, "behind", status_word(behind));
	json_put_str(j, "clock_text", buf_text(&clocks));
	buf_free(&text);
	buf_free(&clocks);
	json_put_int(j, "n", n);
	json_put_int(j, "newest_n", newest_n);
	json_put_str(j, "at", clock_text(time, at));
	json_put_int(j, "seconds", now - at);
	if (w.silent >= 0)
		json_put_int(j, "silent_seconds", w.silent);
	else
		json_put_null(j, "silent_seconds");
	json_put_int(j, "clock_seconds", w.clock);
	json_put_int(j, "own_clock_seconds", w.own_clock);
	json_put_int(j, "period_seconds", every);
	json_put_text(j, "period_why", why);
	json_put_int(j, "warn_seconds", warn);
	json_put_int(j, "crit_seconds", crit);
	/* for the next round */
	json_put_int(j, "skew_seconds", w.skew);
	json_put_int(j, "steady", w.steady);
	json_put_int(j, "seen_steady", w.seen);
	if (w.nonce != NULL)
		json_put_str(j, "nonce", w.nonce);
	json_put(j, "day", build_day(old, worst, now));
	return j;
}
