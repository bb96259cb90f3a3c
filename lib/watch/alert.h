/*
 * alert.h - what is known of one alert: how it stands, since when, and for each channel what was told last and
 * whether something is still to be told. A pure state machine over struct alert: it reads no clock and no
 * file, so that a table can test it. Times are seconds since the epoch, by a clock that may be set back.
 *
 * The rules are those of Alertmanager (github.com/prometheus/alertmanager, notify/dedup_stage.go): told once
 * when it begins and when it becomes another state; again only when `repeat` has passed; once when it is over, and
 * only where the problem was told. What could not be delivered stays pending, and a newer word replaces it.
 */
#ifndef LIB_WATCH_ALERT_H
#define LIB_WATCH_ALERT_H

#include "lib/exits.h"
#include "lib/std.h"

#define ALERT_KEY 128		/* with the NUL: [A-Za-z0-9._@-], no dot first */
#define ALERT_NAME 32		/* of a channel, with the NUL */
#define ALERT_TEXT 2048		/* with the NUL; lines, each printable UTF-8 */
#define ALERT_TODO 512
#define ALERT_WHY 128
#define ALERT_CHANNELS 8
#define ALERT_INHIBITORS 8
#define ALERT_BURST 4		/* messages an hour to a channel; after them only a critical state is told at once */
#define ALERT_FILE ((size_t)32 << 10)

struct alert_channel {
	char name[ALERT_NAME];
	enum state told;		/* STATE_OK: nothing that would need a resolution */
	bool pending;			/* the state of the alert is to be told */
	bool doubt;			/* it may have been told: begun, and no answer came */
	int64_t not_before;		/* the service asked us to wait until then; 0 */
	int64_t sent[ALERT_BURST];	/* the last deliveries, newest first; 0 for none */
	char why[ALERT_WHY];		/* of the last failed try, "" */
	int64_t delivered, failed;	/* tries, since there is this record */
};

struct alert {
	enum state state;
	int64_t since;			/* when it left OK; kept when it is over */
	int64_t until;			/* when it came back to OK; 0 */
	int64_t count;			/* times it was worth telling since then */
	int64_t waiting, waited;	/* a problem that is not old enough to be one: since when, and last seen; 0 */
	char text[ALERT_TEXT];		/* the first line is the headline; of the problem, also when it is over */
	char over[ALERT_TEXT];		/* what was said when it was over, "" */
	char todo[ALERT_TODO];		/* what to do next, "" */
	char inhibitors[ALERT_INHIBITORS][ALERT_KEY];
	size_t inhibitor_count;
	struct alert_channel channels[ALERT_CHANNELS];
	size_t channel_count;
};

/* When an alert that stays as it is is told again. All 0 but daily -1: never. */
struct alert_repeat {
	bool on;
	int64_t every;			/* seconds; 0: each time that it is raised */
	int64_t after, then;		/* from this age on, if not 0, every `then` instead */
	int daily;			/* minute of the day, local time, instead of `every`; -1 */
};

struct alert_news {
	enum state state;
	const char *text;		/* safe text (alert_clean); NULL only for OK */
	const char *todo;		/* "" for none */
	struct alert_repeat repeat;
	int64_t after;			/* seconds that the problem must have lasted before it is one; 0 */
	const char *const *inhibitors;
	size_t inhibitor_count;
	const char *const *channels;	/* whom to tell */
	size_t channel_count;
};

/* "ok", "warning", "critical", "unknown", and back. */
const char *alert_word(enum state state);
bool alert_parse_state(const char *word, enum state *out);

bool alert_key_valid(const char *key);

/* `30m`, `30m,2h,4h` (every 30m, from an age of 2h on every 4h), `09:00` (daily). NULL, or the reason. */
const char *alert_parse_repeat(const char *s, struct alert_repeat *out);

/* src made fit for any reader: lines of printable UTF-8 (msg_escape), cut to fit with a mark. Returns dst. */
char *alert_clean(char *dst, size_t size, const char *src);

/* The record in a file. False when text is none of ours; *a is then as if nothing were known. */
bool alert_parse(const char *text, size_t len, struct alert *a);
/* malloc'ed, one line of JSON and a line end. */
char *alert_write(const struct alert *a);

/*
 * Takes the news: sets which channels are pending. True when the record is another than before. A problem younger
 * than n->after leaves the alert OK and a->waiting set; it is given up when it has not been seen for that long.
 */
bool alert_take(struct alert *a, const struct alert_news *n, int64_t now);

/* May c be told now? Otherwise it is not pending, was asked to wait, or has had enough for this hour. */
bool alert_may_tell(const struct alert *a, const struct alert_channel *c, int64_t now);
/* When one more message uses up the burst: when the next may come; otherwise 0. */
int64_t alert_held_until(const struct alert_channel *c, int64_t now);
/* The outcome of a try. wait_s: what the service asked for, or 0. */
void alert_told(const struct alert *a, struct alert_channel *c, int64_t now);
void alert_failed(struct alert_channel *c, int64_t now, int64_t wait_s, bool doubt, const char *why);

bool alert_pending(const struct alert *a);

#endif
