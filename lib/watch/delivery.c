#include "lib/std.h"

#include <syslog.h>

#include "lib/clock.h"
#include "lib/http.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/settings.h"
#include "lib/stop.h"
#include "lib/watch/channel.h"
#include "lib/watch/delivery.h"

#define HEADLINE 200	/* bytes, with the NUL */

static int open_http(struct delivery *d)
{
	if (d->http != NULL)
		return EX_OK;
	if (http_global_init() != 0 || (d->http = http_new(config_get("DROPBOX_CA_FILE"))) == NULL) {
		msg_err(NULL, "out of memory");
		return EX_SOFTWARE;
	}
	return EX_OK;
}

/* The first line of text into head; returns what is behind it. */
static const char *split(const char *text, char head[HEADLINE])
{
	size_t n = strcspn(text, "\n");
	char *line = strndup(text, n);

	if (line == NULL)
		abort();
	alert_clean(head, HEADLINE, line);
	free(line);
	return text[n] == '\n' ? text + n + 1 : "";
}

static void word_of(const struct alert *a, char head[HEADLINE], struct channel_word *w)
{
	bool over = a->state == STATE_OK;

	*w = (struct channel_word){ .state = a->state, .headline = head, .todo = over ? "" : a->todo,
				    .link = config_get("CTV_STATION_URL") };
	w->detail = split(over && *a->over != '\0' ? a->over : a->text, head);
	/* the measurement of the problem is no news when it is over */
	if (over && *a->over == '\0')
		w->detail = "";
	clock_text(w->since, a->since);
	if (over)
		num_duration_text(w->lasted, a->until > a->since ? (a->until - a->since) * 1000 : 0);
}

/* Adds to one of the lists in the line for the journal. */
static void list(char *out, size_t size, const char *name, const char *why)
{
	size_t n = strlen(out);

	snprintf(out + n, size - n, "%s%s%s%s", n > 0 ? ", " : "", name, *why != '\0' ? ": " : "", why);
}

/* Always, and whatever else fails: the journal of this host. */
static void log_line(const struct alertfile *r, const char *told, const char *failed)
{
	static const int levels[] = { LOG_NOTICE, LOG_WARNING, LOG_CRIT, LOG_ERR };	/* by enum state */
	int level = *told == '\0' && *failed != '\0' ? LOG_CRIT : levels[r->a.state];
	char head[HEADLINE];
	struct channel_word w;

	word_of(&r->a, head, &w);
	syslog(level, "%s %s: %s%s%s%s%s%s%s", r->key, alert_word(r->a.state), head,
	       *told != '\0' ? " (told " : "", told, *told != '\0' ? ")" : "",
	       *failed != '\0' ? " (not told yet: " : "", failed, *failed != '\0' ? ")" : "");
}

static int status_of(enum channel_result result)
{
	return result == CHANNEL_TOLD ? EX_OK : result == CHANNEL_LATER ? EX_TEMPFAIL : EX_NOPERM;
}

/* Tells one channel of an alert. The reason why it stays pending has been reported. */
static int tell(struct delivery *d, const struct alert *a, struct alert_channel *c, bool doubt)
{
	struct channel_outcome out;
	struct channel_word w;
	char head[HEADLINE], until[CLOCK_TEXT];
	enum channel_result result;
	int64_t held = alert_held_until(c, clock_wall());

	word_of(a, head, &w);
	if (held != 0)
		snprintf(w.note, sizeof w.note, "the %dth message within an hour; the next, unless critical, not before %s",
			 ALERT_BURST, clock_text(until, held));
	result = channel_tell(d->http, c->name, &w, &out);
	if (result == CHANNEL_TOLD) {
		alert_told(a, c, clock_wall());
	} else {
		alert_failed(c, clock_wall(), out.wait_s, doubt || out.doubt, out.why);
		msg_err(c->name, "%s; queued", out.why);
	}
	return status_of(result);
}

int delivery_tell(struct delivery *d, struct alertfile *r, bool changed)
{
	bool due[ALERT_CHANNELS] = { false }, doubt[ALERT_CHANNELS], any = false, held = alertfile_inhibited(d->place, &r->a);
	char told[256] = "", failed[512] = "";
	int rc = EX_OK, saved = EX_OK;

	for (size_t i = 0; i < r->a.channel_count; i++) {
		struct alert_channel *c = &r->a.channels[i];

		/* a channel that was taken out of the settings is not told any more */
		if (c->pending && channel_url(c->name) == NULL) {
			c->pending = c->doubt = false;
			c->told = STATE_OK;
			changed = true;
		}
		due[i] = !held && alert_may_tell(&r->a, c, clock_wall());
		doubt[i] = c->doubt;
		any = any || due[i];
		if (due[i])
			c->doubt = true;
		else if (c->pending && *c->why != '\0')
			rc = EX_TEMPFAIL;
	}
	if (any && open_http(d) != EX_OK)
		return EX_SOFTWARE;
	if (any || changed)
		saved = alertfile_save(r);
	for (size_t i = 0; i < r->a.channel_count; i++) {
		int one;

		if (!due[i])
			continue;
		one = stop_asked() ? EX_TEMPFAIL : tell(d, &r->a, &r->a.channels[i], doubt[i]);
		rc = rc == EX_OK ? one : rc;
		if (one == EX_OK)
			list(told, sizeof told, r->a.channels[i].name, "");
		else
			list(failed, sizeof failed, r->a.channels[i].name, r->a.channels[i].why);
	}
	if (any && r->kept)
		saved = alertfile_save(r);
	if (any || changed)
		log_line(r, told, failed);
	return saved != EX_OK ? saved : rc;
}

int delivery_take(struct delivery *d, struct alertfile *r, const struct alert_news *news)
{
	bool changed = alert_take(&r->a, news, clock_wall());
	struct alert_news at_once = *news;
	int saved;

	if (r->a.waiting == 0)
		return delivery_tell(d, r, changed);
	saved = alertfile_save(r);
	if (!r->kept) {
		at_once.after = 0;
		return delivery_tell(d, r, alert_take(&r->a, &at_once, clock_wall()));
	}
	msg_info("%s: waits to be %s", r->key, alert_word(news->state));
	return saved != EX_OK ? saved : alert_pending(&r->a) ? delivery_tell(d, r, false) : EX_OK;
}

int delivery_pulse(struct delivery *d, const struct alert_news *news, const char *const *channels, size_t count)
{
	char head[HEADLINE];
	struct channel_word w = { .state = news->state, .headline = head, .todo = news->todo };
	int rc = EX_OK;

	w.detail = split(news->text != NULL ? news->text : "", head);
	for (size_t i = 0; i < count; i++) {
		struct channel_outcome out;
		enum channel_result result;

		if (!channel_is_pulse(channels[i]) || channel_url(channels[i]) == NULL)
			continue;
		if (open_http(d) != EX_OK)
			return EX_SOFTWARE;
		result = channel_tell(d->http, channels[i], &w, &out);
		if (result != CHANNEL_TOLD)
			msg_err(channels[i], "%s", out.why);
		rc = rc == EX_OK ? status_of(result) : rc;
	}
	return rc;
}

void delivery_end(struct delivery *d)
{
	http_free(d->http);
}
