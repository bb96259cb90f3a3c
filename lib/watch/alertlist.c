#include "lib/watch/alertlist.h"

#include "lib/clock.h"
#include "lib/json.h"

#define HEADLINE 200	/* bytes, with the NUL */

static const struct alertplace *place;
static bool as_json;
static char untold[512];	/* the first that could not be told: `KEY, CHANNEL: cause` */

/* j is freed. */
static void print_line(json *j)
{
	char *text = json_text(j);

	puts(text);
	free(text);
	json_free(j);
}

static void print_deliveries(const char *key, const struct alert_channel *c)
{
	json *j = json_object();

	json_put_str(j, "id", "deliveries");
	json_put_str(j, "key", key);
	json_put_str(j, "channel", c->name);
	json_put_int(j, "delivered", c->delivered);
	json_put_int(j, "failed", c->failed);
	json_put_bool(j, "pending", c->pending);
	json_put_str(j, "why", c->why);
	print_line(j);
}

/* The channels that are still to be told, with the reason of a failure: `teams: it answered 503, ntfy`. */
static void queue_of(const struct alert *a, char *out, size_t size)
{
	size_t n = 0;

	*out = '\0';
	for (size_t i = 0; i < a->channel_count; i++) {
		const struct alert_channel *c = &a->channels[i];

		if (c->pending && n < size)
			n += (size_t)snprintf(out + n, size - n, "%s%s%s%s", n > 0 ? ", " : "", c->name,
					      *c->why != '\0' ? ": " : "", c->why);
	}
}

static int print_one(const char *key)
{
	char text[ALERT_TEXT], head[HEADLINE], since[CLOCK_TEXT], queue[512];
	struct alert a;
	json *j;

	alertfile_read(place, key, &a);
	for (size_t i = 0; i < a.channel_count; i++) {
		const struct alert_channel *c = &a.channels[i];

		if (as_json)
			print_deliveries(key, c);
		if (c->pending && *c->why != '\0' && *untold == '\0')
			snprintf(untold, sizeof untold, "%s, %s: %s", key, c->name, c->why);
	}
	if (a.state == STATE_OK && !alert_pending(&a))
		return EX_OK;
	snprintf(text, sizeof text, "%s", a.state == STATE_OK && *a.over != '\0' ? a.over : a.text);
	text[strcspn(text, "\n")] = '\0';
	alert_clean(head, sizeof head, text);
	clock_text(since, a.since);
	queue_of(&a, queue, sizeof queue);
	if (!as_json) {
		printf("%-8s  %s  since %s  %s%s%s\n", alert_word(a.state), key, since, head,
		       *queue != '\0' ? "  not told yet: " : "", queue);
		return EX_OK;
	}
	if (a.state == STATE_OK)
		return EX_OK;
	j = json_object();
	json_put_str(j, "id", "alert");
	json_put_str(j, "key", key);
	json_put_str(j, "severity", alert_word(a.state));
	json_put_str(j, "text", head);
	json_put_str(j, "since", since);
	json_put_int(j, "count", a.count);
	json_put_str(j, "queued", queue);
	print_line(j);
	return EX_OK;
}

int alertlist_print(const struct alertplace *at, struct check_form *form)
{
	struct check c;
	int rc;

	place = at;
	as_json = form->json;
	rc = alertfile_each(at, print_one);
	if (form->id == NULL)
		return rc;
	check_init(&c, "ALERTS", at->dir, form);
	if (rc != EX_OK)
		check_done(&c, STATE_UNKNOWN, "%s: not all of it could be read", at->dir);
	else if (*untold != '\0')
		check_done(&c, STATE_WARNING, "somebody could not be told: %s", untold);
	else
		check_done(&c, STATE_OK, "nothing that could not be told");
	return rc;
}
