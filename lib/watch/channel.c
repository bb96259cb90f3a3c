#include "lib/std.h"

#include <ctype.h>

#include "lib/buf.h"
#include "lib/watch/channel.h"
#include "lib/clock.h"
#include "lib/settings.h"
#include "lib/http.h"
#include "lib/json.h"
#include "lib/retry.h"

#define TRY_MS INT64_C(10000)
#define CONNECT_MS INT64_C(5000)
#define ANSWER_MAX ((size_t)4 << 10)
#define BODY_MAX ((size_t)16 << 10)	/* half of what Teams takes after its own expansion */
#define NTFY_MAX ((size_t)4000)		/* beyond 4096 bytes ntfy makes a message a file */
#define PULSE_MAX ((size_t)250)
#define REFUSED_S 3600			/* an address that is wrong is not worth asking every few minutes */
#define URL_MAX ((size_t)8 << 10)

enum kind { TEAMS, SLACK, NTFY, KUMA, HEALTHCHECKS, NONE };
static const char *const kinds[] = { "teams", "slack", "ntfy", "kuma", "healthchecks" };	/* by enum kind */
const char *const channel_events[] = { "teams", "slack", "ntfy", NULL };

/* How each service shows a state; by enum state. */
static const char *const labels[] = { "RESOLVED", "WARNING", "CRITICAL", "UNKNOWN" };
static const char *const colours[] = { "Good", "Warning", "Attention", "Default" };
static const char *const tags[] = { "white_check_mark", "warning", "rotating_light", "question" };
static const int priorities[] = { 3, 3, 5, 3 };

static enum kind kind_of(const char *name)
{
	for (size_t i = 0; i < NONE; i++) {
		size_t n = strlen(kinds[i]);

		if (strncmp(name, kinds[i], n) == 0 && (name[n] == '\0' || name[n] == '-'))
			return (enum kind)i;
	}
	return NONE;
}

bool channel_valid(const char *name)
{
	enum kind kind = kind_of(name);
	const char *own = kind != NONE ? name + strlen(kinds[kind]) : "";
	size_t n = strspn(own + (*own == '-'), "abcdefghijklmnopqrstuvwxyz0123456789");

	return kind != NONE && (*own == '\0' || (n > 0 && n <= 16 && own[1 + n] == '\0'));
}

bool channel_is_pulse(const char *name)
{
	enum kind kind = kind_of(name);

	return kind == KUMA || kind == HEALTHCHECKS;
}

const char *channel_url(const char *name)
{
	char setting[64];

	snprintf(setting, sizeof setting, "CTV_%s_URL", name);
	for (char *c = setting; *c != '\0'; c++)
		*c = (char)(*c == '-' ? '_' : toupper((unsigned char)*c));
	return config_get(setting);
}

/* ---- what is sent ---- */

static void title(const struct channel_word *w, char *out, size_t size)
{
	snprintf(out, size, "%s: %s", labels[w->state], w->headline);
}

static void add_fact(json *facts, const char *name, const char *value)
{
	json *fact;

	if (*value == '\0')
		return;
	fact = json_object();
	json_put_str(fact, "title", name);
	json_put_str(fact, "value", value);
	json_push(facts, fact);
}

static json *facts_of(const struct channel_word *w)
{
	json *facts = json_array();

	add_fact(facts, "Since", w->since);
	add_fact(facts, "Lasted", w->lasted);
	add_fact(facts, "Check", w->detail);
	add_fact(facts, "Do", w->todo);
	add_fact(facts, "Note", w->note);
	return facts;
}

/* The facts as lines, for the services that have no table. */
static void lines_of(const struct channel_word *w, struct buf *out)
{
	json *facts = facts_of(w);

	for (const json *f = json_first(facts); f != NULL; f = json_next(f)) {
		if (out->len > 0)
			buf_adds(out, "\n");
		buf_adds(out, json_str(f, "title"));
		buf_adds(out, ": ");
		buf_adds(out, json_str(f, "value"));
	}
	json_free(facts);
}

static json *teams(const struct channel_word *w)
{
	json *message = json_object(), *attachments = json_array(), *attachment = json_object();
	json *card = json_object(), *body = json_array(), *block = json_object(), *set = json_object();
	char text[512];

	title(w, text, sizeof text);
	json_put_str(block, "type", "TextBlock");
	json_put_str(block, "text", text);
	json_put_str(block, "weight", "Bolder");
	json_put_str(block, "size", "Medium");
	json_put_str(block, "color", colours[w->state]);
	json_put_bool(block, "wrap", true);
	json_push(body, block);
	json_put_str(set, "type", "FactSet");
	json_put(set, "facts", facts_of(w));
	json_push(body, set);
	json_put_str(card, "$schema", "http://adaptivecards.io/schemas/adaptive-card.json");
	json_put_str(card, "type", "AdaptiveCard");
	json_put_str(card, "version", "1.2");
	json_put(card, "body", body);
	if (w->link != NULL) {
		json *actions = json_array(), *action = json_object();

		json_put_str(action, "type", "Action.OpenUrl");
		json_put_str(action, "title", "Dashboard");
		json_put_str(action, "url", w->link);
		json_push(actions, action);
		json_put(card, "actions", actions);
	}
	json_put_str(attachment, "contentType", "application/vnd.microsoft.card.adaptive");
	json_put_null(attachment, "contentUrl");
	json_put(attachment, "content", card);
	json_push(attachments, attachment);
	json_put_str(message, "type", "message");
	json_put(message, "attachments", attachments);
	return message;
}

static json *slack(const struct channel_word *w)
{
	struct buf plain = BUF_INIT(BODY_MAX), text = BUF_INIT(BODY_MAX);
	json *message = json_object();
	char head[512];

	title(w, head, sizeof head);
	buf_adds(&plain, head);
	lines_of(w, &plain);
	if (w->link != NULL) {
		buf_adds(&plain, "\n");
		buf_adds(&plain, w->link);
	}
	/* Slack's three control characters (api.slack.com, "Escaping text"): <!channel> is none of ours */
	for (const char *p = buf_text(&plain); *p != '\0'; p++) {
		if (*p == '&')
			buf_adds(&text, "&amp;");
		else if (*p == '<')
			buf_adds(&text, "&lt;");
		else if (*p == '>')
			buf_adds(&text, "&gt;");
		else
			buf_add(&text, p, 1);
	}
	json_put_str(message, "text", buf_text(&text));
	buf_free(&plain);
	buf_free(&text);
	return message;
}

static json *ntfy(const char *url, const struct channel_word *w)
{
	struct buf text = BUF_INIT(NTFY_MAX);
	json *message = json_object(), *list = json_array();
	const char *topic = strrchr(url, '/');
	char head[512];

	title(w, head, sizeof head);
	lines_of(w, &text);
	json_put_str(message, "topic", topic != NULL ? topic + 1 : "");
	json_put_str(message, "title", head);
	json_put_str(message, "message", buf_text(&text));
	json_put_int(message, "priority", priorities[w->state]);
	json_push_str(list, tags[w->state]);
	json_put(message, "tags", list);
	if (w->link != NULL)
		json_put_str(message, "click", w->link);
	buf_free(&text);
	return message;
}

char *channel_body(const char *name, const char *url, const struct channel_word *w)
{
	json *message = NULL;
	struct buf text = BUF_INIT(BODY_MAX);
	char *body = NULL;

	switch (kind_of(name)) {
	case TEAMS:
		message = teams(w);
		break;
	case SLACK:
		message = slack(w);
		break;
	case NTFY:
		message = ntfy(url, w);
		break;
	case HEALTHCHECKS:
		buf_adds(&text, w->headline);
		lines_of(w, &text);
		body = strdup(buf_text(&text));
		buf_free(&text);
		return body;
	default:
		return NULL;
	}
	body = json_text(message);
	json_free(message);
	return body;
}

/* Is it bad enough for a service that knows only up and down? A warning is told in words. */
static bool down(enum state s)
{
	return s == STATE_CRITICAL || s == STATE_UNKNOWN;
}

char *channel_target(const char *name, const char *url, const struct channel_word *w)
{
	struct buf b = BUF_INIT(URL_MAX);
	const char *slash = strrchr(url, '/');
	char text[PULSE_MAX];
	char *target;

	switch (kind_of(name)) {
	case NTFY:
		buf_add(&b, url, slash != NULL ? (size_t)(slash - url + 1) : 0);
		break;
	case KUMA:
		/* its page shows the address with a query, which is ours to make */
		snprintf(text, sizeof text, "%s%s", w->state == STATE_OK ? "" : labels[w->state],
			 w->state == STATE_OK ? "" : " ");
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s", w->headline);
		buf_add(&b, url, strcspn(url, "?#"));
		buf_adds(&b, down(w->state) ? "?status=down&msg=" : "?status=up&msg=");
		http_urlencode(&b, text);
		buf_adds(&b, "&ping=");
		break;
	case HEALTHCHECKS:
		buf_adds(&b, url);
		if (down(w->state))
			buf_adds(&b, "/fail");
		break;
	default:
		buf_adds(&b, url);
	}
	target = strdup(buf_text(&b));
	buf_free(&b);
	return target;
}

/* ---- sending ---- */

static enum channel_result refused(struct channel_outcome *out, const char *why)
{
	snprintf(out->why, sizeof out->why, "%.100s", why);
	out->wait_s = REFUSED_S;
	return CHANNEL_REFUSED;
}

/* What the answer to a request means. A 2xx is an acceptance, whatever became of the body. */
static enum channel_result judge(enum http_result result, const struct http_response *r, bool kuma,
				 struct channel_outcome *out)
{
	json *answer;
	bool ok;

	if (r->status >= 200 && r->status < 300) {
		answer = kuma ? json_parse(buf_text(&r->text), r->text.len) : NULL;
		ok = !kuma || json_bool(answer, "ok", false);
		json_free(answer);
		return ok ? CHANNEL_TOLD : refused(out, "the answer is not Uptime Kuma's");
	}
	if (result == HTTP_FATAL || result == HTTP_FOREIGN)
		return refused(out, r->why);
	if (r->status == 0) {
		/* connected, and then nothing: the request may have arrived */
		out->doubt = r->connect_us > 0;
		snprintf(out->why, sizeof out->why, "%.100s", r->why);
		return CHANNEL_LATER;
	}
	snprintf(out->why, sizeof out->why, "it answered %d", r->status);
	if (r->status == 408 || r->status == 429 || r->status >= 500) {
		out->wait_s = r->retry_after_ms >= 0 ? retry_hint(r->retry_after_ms) / 1000 : 0;
		return CHANNEL_LATER;
	}
	out->wait_s = REFUSED_S;
	return CHANNEL_REFUSED;
}

enum channel_result channel_tell(struct http *h, const char *name, const struct channel_word *w,
				 struct channel_outcome *out)
{
	static const char *const is_json[] = { "Content-Type: application/json", NULL };
	static const char *const is_text[] = { "Content-Type: text/plain; charset=utf-8", NULL };
	const char *url = channel_url(name), *why;
	enum channel_result result;
	struct http_response r;
	struct http_request q = { .deadline_ms = clock_ms() + TRY_MS, .connect_ms = CONNECT_MS,
				  .text_max = ANSWER_MAX };
	char *body, *target;

	*out = (struct channel_outcome){ .wait_s = 0 };
	if (url == NULL)
		return refused(out, "has no address");
	why = http_url_wrong(url);
	if (why == NULL && !http_url_is_safe(url))
		why = "would send its secret in the clear: not https";
	if (why != NULL)
		return refused(out, why);
	body = channel_body(name, url, w);
	target = channel_target(name, url, w);
	q.url = target;
	if (body != NULL) {
		q.post = true;
		q.body = body;
		q.body_len = strlen(body);
		q.headers = kind_of(name) == HEALTHCHECKS ? is_text : is_json;
	}
	result = judge(http_send(h, &q, &r), &r, kind_of(name) == KUMA, out);
	http_response_free(&r);
	explicit_bzero(target, strlen(target));
	free(target);
	free(body);
	return result;
}
