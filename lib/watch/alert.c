#include "lib/std.h"

#include <time.h>

#include "lib/watch/alert.h"
#include "lib/json.h"
#include "lib/msg.h"
#include "lib/num.h"

#define SCHEMA 1
#define HOUR 3600
#define WAIT_MOST HOUR
#define TIME_MOST INT64_C(253402300799)

static const char *const words[] = { "ok", "warning", "critical", "unknown" };	/* by enum state */

const char *alert_word(enum state state)
{
	return words[state];
}

bool alert_parse_state(const char *word, enum state *out)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strcmp(words[i], word) == 0) {
			*out = (enum state)i;
			return true;
		}
	}
	return false;
}

bool alert_key_valid(const char *key)
{
	size_t n = strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@-");

	return n > 0 && n < ALERT_KEY && key[n] == '\0' && *key != '.';
}

const char *alert_parse_repeat(const char *s, struct alert_repeat *out)
{
	static const char why[] = "not such as 30m, 30m,2h,4h or 09:00";
	int64_t ms[3];
	char part[32];
	int count = 0;

	*out = (struct alert_repeat){ .on = true, .daily = -1 };
	if (strlen(s) == 5 && s[2] == ':') {
		uint64_t hour, minute;

		if (num_u64((char[]){ s[0], s[1], '\0' }, 0, 23, &hour) != NULL || num_u64(s + 3, 0, 59, &minute) != NULL)
			return why;
		out->daily = (int)(hour * 60 + minute);
		return NULL;
	}
	for (;; s++) {
		size_t n = strcspn(s, ",");

		if (count == 3 || n >= sizeof part)
			return why;
		memcpy(part, s, n);
		part[n] = '\0';
		if (num_duration(part, &ms[count++]) != NULL)
			return why;
		s += n;
		if (*s == '\0')
			break;
	}
	if (count == 2)
		return why;
	out->every = ms[0] / 1000;
	out->after = count == 3 ? ms[1] / 1000 : 0;
	out->then = count == 3 ? ms[2] / 1000 : 0;
	return NULL;
}

char *alert_clean(char *dst, size_t size, const char *src)
{
	static const char cut[] = " ...";
	size_t len = 0, most = 4 * strlen(src) + 2;
	char *all = malloc(most), *copy = strdup(src);

	if (all == NULL || copy == NULL)
		abort();
	/* of all control characters a line end alone is meant; a tab is meant as a space */
	for (char *line = copy, *end; line != NULL; line = end) {
		end = strchr(line, '\n');
		if (end != NULL)
			*end++ = '\0';
		for (char *c = line; *c != '\0'; c++)
			if (*c == '\t' || *c == '\r')
				*c = ' ';
		len += strlen(msg_escape(all + len, most - len, line));
		all[len++] = '\n';
	}
	while (len > 0 && (all[len - 1] == ' ' || all[len - 1] == '\n'))
		len--;
	if (len >= size) {
		len = size - sizeof cut;
		/* not in the middle of a character */
		while (len > 0 && ((unsigned char)all[len] & 0xc0) == 0x80)
			len--;
		memcpy(dst + len, cut, sizeof cut);
	} else {
		dst[len] = '\0';
	}
	memcpy(dst, all, len);
	free(copy);
	free(all);
	return dst;
}

/* ---- the record in a file ---- */

static bool get_state(const json *j, const char *name, enum state *out)
{
	const char *word = json_str(j, name);

	return word != NULL && alert_parse_state(word, out);
}

static bool get_text(const json *j, const char *name, char *out, size_t size)
{
	const char *s = json_str(j, name);

	if (s == NULL || strlen(s) >= size)
		return false;
	memcpy(out, s, strlen(s) + 1);
	return true;
}

/* Text as alert_clean makes it: cleaning it once more changes nothing. */
static bool get_clean(const json *j, const char *name, char *out, size_t size)
{
	char again[ALERT_TEXT];

	return get_text(j, name, out, size) && strcmp(alert_clean(again, size, out), out) == 0;
}

static bool name_valid(const char *name)
{
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name) && *name != '\0';
}

static bool get_channel(const json *j, struct alert_channel *c)
{
	const json *sent = json_get(j, "sent");
	size_t n = 0;

	c->pending = json_bool(j, "pending", false);
	c->doubt = json_bool(j, "doubt", false);
	json_int(j, "delivered", 0, INT32_MAX, &c->delivered);
	json_int(j, "failed", 0, INT32_MAX, &c->failed);
	for (const json *t = json_first(sent); t != NULL; t = json_next(t)) {
		if (n == ALERT_BURST || !json_int(t, "at", 1, TIME_MOST, &c->sent[n++]))
			return false;
	}
	return get_text(j, "name", c->name, sizeof c->name) && name_valid(c->name) &&
	       get_state(j, "told", &c->told) && json_int(j, "not_before", 0, TIME_MOST, &c->not_before) &&
	       get_clean(j, "why", c->why, sizeof c->why);
}

bool alert_parse(const char *text, size_t len, struct alert *a)
{
	json *j = json_parse(text, len);
	int64_t schema;
	bool good;

	*a = (struct alert){ .state = STATE_OK };
	good = json_int(j, "schema", SCHEMA, SCHEMA, &schema) && get_state(j, "state", &a->state) &&
	       json_int(j, "since", 0, TIME_MOST, &a->since) && json_int(j, "until", 0, TIME_MOST, &a->until) &&
	       json_int(j, "count", 0, INT32_MAX, &a->count) && get_clean(j, "text", a->text, sizeof a->text) &&
	       get_clean(j, "over", a->over, sizeof a->over) && get_clean(j, "todo", a->todo, sizeof a->todo);
	/* a record of an older version has none */
	json_int(j, "waiting", 0, TIME_MOST, &a->waiting);
	json_int(j, "waited", 0, TIME_MOST, &a->waited);
	for (const json *k = json_first(json_get(j, "inhibited_by")); good && k != NULL; k = json_next(k)) {
		good = a->inhibitor_count < ALERT_INHIBITORS &&
		       get_text(k, "key", a->inhibitors[a->inhibitor_count], ALERT_KEY) &&
		       alert_key_valid(a->inhibitors[a->inhibitor_count]);
		a->inhibitor_count += good;
	}
	for (const json *c = json_first(json_get(j, "channels")); good && c != NULL; c = json_next(c)) {
		good = a->channel_count < ALERT_CHANNELS && get_channel(c, &a->channels[a->channel_count]);
		a->channel_count += good;
	}
	json_free(j);
	if (!good)
		*a = (struct alert){ .state = STATE_OK };
	return good;
}

static json *put_channel(const struct alert_channel *c)
{
	json *j = json_object(), *sent = json_array();

	for (size_t i = 0; i < ALERT_BURST && c->sent[i] != 0; i++) {
		json *t = json_object();

		json_put_int(t, "at", c->sent[i]);
		json_push(sent, t);
	}
	json_put_str(j, "name", c->name);
	json_put_str(j, "told", alert_word(c->told));
	json_put_bool(j, "pending", c->pending);
	json_put_bool(j, "doubt", c->doubt);
	json_put_int(j, "not_before", c->not_before);
	json_put_str(j, "why", c->why);
	json_put_int(j, "delivered", c->delivered);
	json_put_int(j, "failed", c->failed);
	json_put(j, "sent", sent);
	return j;
}

char *alert_write(const struct alert *a)
{
	json *j = json_object(), *inhibitors = json_array(), *channels = json_array();
	char *text, *line = NULL;

	json_put_int(j, "schema", SCHEMA);
	json_put_str(j, "state", alert_word(a->state));
	json_put_int(j, "since", a->since);
	json_put_int(j, "until", a->until);
	json_put_int(j, "count", a->count);
	json_put_int(j, "waiting", a->waiting);
	json_put_int(j, "waited", a->waited);
	json_put_str(j, "text", a->text);
	json_put_str(j, "over", a->over);
	json_put_str(j, "todo", a->todo);
	for (size_t i = 0; i < a->inhibitor_count; i++) {
		json *k = json_object();

		json_put_str(k, "key", a->inhibitors[i]);
		json_push(inhibitors, k);
	}
	json_put(j, "inhibited_by", inhibitors);
	for (size_t i = 0; i < a->channel_count; i++)
		json_push(channels, put_channel(&a->channels[i]));
	json_put(j, "channels", channels);
	text = json_text(j);
	if (asprintf(&line, "%s\n", text) < 0)
		abort();
	free(text);
	json_free(j);
	return line;
}

/* ---- the rules ---- */

/* The last time that it was this minute of the day, at or before now. */
static int64_t last_daily(int minute, int64_t now)
{
	time_t t = (time_t)now;
	struct tm tm;

	localtime_r(&t, &tm);
	tm.tm_hour = minute / 60;
	tm.tm_min = minute % 60;
	tm.tm_sec = 0;
	tm.tm_isdst = -1;
	t = mktime(&tm);
	if ((int64_t)t > now) {
		tm.tm_mday--;
		tm.tm_hour = minute / 60;
		tm.tm_min = minute % 60;
		tm.tm_isdst = -1;
		t = mktime(&tm);
	}
	return (int64_t)t;
}

static bool repeat_due(const struct alert_repeat *r, int64_t since, int64_t last, int64_t now)
{
	if (!r->on)
		return false;
	/* the clock was set back since: rather once too often */
	if (last > now)
		return true;
	if (r->daily >= 0)
		return last < last_daily(r->daily, now);
	return now - last >= (r->after > 0 && now - since >= r->after ? r->then : r->every);
}

static struct alert_channel *channel(struct alert *a, const char *name)
{
	struct alert_channel *c;

	for (size_t i = 0; i < a->channel_count; i++)
		if (strcmp(a->channels[i].name, name) == 0)
			return &a->channels[i];
	if (a->channel_count == ALERT_CHANNELS)
		return NULL;
	c = &a->channels[a->channel_count++];
	*c = (struct alert_channel){ .told = STATE_OK };
	snprintf(c->name, sizeof c->name, "%s", name);
	return c;
}

/* Over: told where the problem was told, or may have been; what is still pending elsewhere is void. */
static bool resolve(struct alert *a, const struct alert_news *n, int64_t now)
{
	if (a->state == STATE_OK)
		return false;
	a->state = STATE_OK;
	a->until = now;
	snprintf(a->over, sizeof a->over, "%s", n->text != NULL ? n->text : "");
	for (size_t i = 0; i < a->channel_count; i++)
		a->channels[i].pending = a->channels[i].told != STATE_OK || a->channels[i].doubt;
	return true;
}

static bool set_inhibitors(struct alert *a, const struct alert_news *n)
{
	bool same = a->inhibitor_count == n->inhibitor_count;

	for (size_t i = 0; same && i < n->inhibitor_count; i++)
		same = strcmp(a->inhibitors[i], n->inhibitors[i]) == 0;
	a->inhibitor_count = n->inhibitor_count;
	for (size_t i = 0; i < n->inhibitor_count; i++)
		snprintf(a->inhibitors[i], ALERT_KEY, "%s", n->inhibitors[i]);
	return !same;
}

/* A new problem: has it lasted as long as it must? */
static bool old_enough(struct alert *a, int64_t after, int64_t now)
{
	/* the state ended in between without being seen, or the clock was set back */
	if (a->waiting == 0 || a->waiting > now || now - a->waited > after)
		a->waiting = now;
	a->waited = now;
	return now - a->waiting >= after;
}

bool alert_take(struct alert *a, const struct alert_news *n, int64_t now)
{
	bool begins = a->state == STATE_OK, changed = a->state != n->state, due = false;

	if (n->state == STATE_OK) {
		changed = a->waiting != 0;
		a->waiting = a->waited = 0;
		return resolve(a, n, now) || changed;
	}
	if (begins && !old_enough(a, n->after, now))
		return true;
	if (begins || a->since > now)
		a->since = begins ? a->waiting : now;
	a->waiting = a->waited = 0;
	if (begins) {
		a->count = 0;
		a->until = 0;
		a->over[0] = '\0';
	}
	a->state = n->state;
	changed = set_inhibitors(a, n) || changed;
	for (size_t i = 0; i < n->channel_count; i++) {
		struct alert_channel *c = channel(a, n->channels[i]);

		/* a resolution that nobody has heard yet is void: for him it never ended */
		if (c != NULL && begins && c->pending && c->told == n->state)
			c->pending = false;
		if (c == NULL || c->pending)
			continue;
		if (c->told != n->state || repeat_due(&n->repeat, a->since, c->sent[0], now)) {
			c->pending = due = true;
			/* of an earlier try: of this one nothing is known yet */
			c->why[0] = '\0';
		}
	}
	a->count += due || begins;
	/* the wording alone is no news, and not worth a write, unless it is still to be told */
	if (changed || due || (alert_pending(a) && strcmp(a->text, n->text) != 0)) {
		snprintf(a->text, sizeof a->text, "%s", n->text);
		snprintf(a->todo, sizeof a->todo, "%s", n->todo);
		changed = true;
	}
	return changed;
}

/* How many of the deliveries were in the hour before now; times from before the clock was set back are none. */
static size_t lately(const struct alert_channel *c, int64_t now)
{
	size_t n = 0;

	for (size_t i = 0; i < ALERT_BURST; i++)
		n += c->sent[i] != 0 && c->sent[i] <= now && c->sent[i] > now - HOUR;
	return n;
}

bool alert_may_tell(const struct alert *a, const struct alert_channel *c, int64_t now)
{
	bool waits = c->not_before > now && c->not_before <= now + WAIT_MOST;

	return c->pending && !waits && (a->state == STATE_CRITICAL || lately(c, now) < ALERT_BURST);
}

int64_t alert_held_until(const struct alert_channel *c, int64_t now)
{
	return lately(c, now) == ALERT_BURST - 1 ? c->sent[ALERT_BURST - 2] + HOUR : 0;
}

void alert_told(const struct alert *a, struct alert_channel *c, int64_t now)
{
	memmove(c->sent + 1, c->sent, (ALERT_BURST - 1) * sizeof *c->sent);
	c->sent[0] = now;
	c->told = a->state;
	c->pending = c->doubt = false;
	c->not_before = 0;
	c->why[0] = '\0';
	c->delivered++;
}

void alert_failed(struct alert_channel *c, int64_t now, int64_t wait_s, bool doubt, const char *why)
{
	c->doubt = doubt;
	c->not_before = wait_s > 0 ? now + (wait_s < WAIT_MOST ? wait_s : WAIT_MOST) : 0;
	alert_clean(c->why, sizeof c->why, why);
	c->failed++;
}

bool alert_pending(const struct alert *a)
{
	for (size_t i = 0; i < a->channel_count; i++)
		if (a->channels[i].pending)
			return true;
	return false;
}
