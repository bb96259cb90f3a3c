#include "lib/std.h"

#include <ctype.h>

#include "lib/buf.h"
#include "lib/watch/channel.h"
#include "lib/clock.h"
#include "lib/settings.h"
#include "lib/http.h"
#include "lib/json.h"
#include "lib/msg.h"
#include "lib/retry.h"

#define TRY_MS INT64_C(10000)
#define CONNECT_MS INT64_C(5000)
#define ANSWER_MAX ((size_t)4 << 10)
#define BODY_MAX ((size_t)16 << 10)	/* half of what Teams takes after its own expansion */
#define NTFY_MAX ((size_t)4000)		/* beyond 4096 bytes ntfy makes a message a file */
#define PULSE_MAX ((size_t)250)
#define REFUSED_S 3600			/* an address that is wrong is not worth asking every few minutes */
#define URL_MAX ((size_t)8 << 10)
#define LINES_MOST 16	/* paragraphs of a text in a card, which Teams takes up to 28 KB */
#define SAID_MAX 60	/* bytes of a service's own words in our message */

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

/* ---- what is sent ---- */

static const char *title(const struct channel_word *w, char *out, size_t size)
{
	snprintf(out, size, "%s: %s", labels[w->state], w->headline);
	return out;
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

/*
 * A paragraph of text as it is: a TextRun knows no Markdown, where a TextBlock or a fact makes [text](address) of a
 * stranger's log line a link under our own alert.
 */
static json *paragraph(const char *label, const char *text, const char *colour)
{
	json *block = json_object(), *inlines = json_array(), *run;

	if (*label != '\0') {
		run = json_object();
		json_put_str(run, "type", "TextRun");
		json_put_str(run, "text", label);
		json_put_str(run, "weight", "Bolder");
		json_push(inlines, run);
	}
	run = json_object();
	json_put_str(run, "type", "TextRun");
	json_put_str(run, "text", text);
	if (colour != NULL) {
		json_put_str(run, "weight", "Bolder");
		json_put_str(run, "size", "Medium");
		json_put_str(run, "color", colour);
	}
	json_push(inlines, run);
	json_put_str(block, "type", "RichTextBlock");
	json_put(block, "inlines", inlines);
	return block;
}

/* A paragraph for each line of text, if there is one; the last one has what is beyond LINES_MOST. */
static void push_paragraphs(json *body, const char *name, const char *text)
{
	char label[32];

	snprintf(label, sizeof label, "%s: ", name);
	for (int i = 1; *text != '\0'; i++) {
		size_t n = i < LINES_MOST ? strcspn(text, "\n") : strlen(text);
		char *line = strndup(text, n);

		if (line == NULL)
			abort();
		json_push(body, paragraph(i == 1 ? label : "", line, NULL));
		free(line);
		text += n + (text[n] == '\n');
	}
}

static json *teams(const struct channel_word *w)
{
	json *message = json_object(), *attachments = json_array(), *attachment = json_object();
	json *card = json_object(), *body = json_array(), *set = json_object(), *facts = json_array();
	char text[512];

	json_push(body, paragraph("", title(w, text, sizeof text), colours[w->state]));
	/* our own words make a table; words that may be a stranger's stand below it */
	add_fact(facts, "Since", w->since);
	add_fact(facts, "Lasted", w->lasted);
	add_fact(facts, "Check", *w->detail != '\0' ? "below" : "");
	add_fact(facts, "Note", w->note);
	json_put_str(set, "type", "FactSet");
	json_put(set, "facts", facts);
	json_push(body, set);
	push_paragraphs(body, "Check", w->detail);
	push_paragraphs(body, "Do", w->todo);
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
	/* nor is *bold* or `code` of a log line meant, nor the picture behind its link */
	json_put_bool(message, "mrkdwn", false);
	json_put_bool(message, "unfurl_links", false);
	json_put_bool(message, "unfurl_media", false);
	buf_free(&plain);
	buf_free(&text);
	return message;
}

/* Where the path of an address ends: a query (a key, or ntfy's ?auth=) and a fragment are no part of it. */
static size_t path_len(const char *url)
{
	return strcspn(url, "?#");
}

/* The last step of an address's path begins here, behind its slash. */
static size_t last_step(const char *url)
{
	size_t n = path_len(url);

	while (n > 0 && url[n - 1] != '/')
		n--;
	return n;
}

static json *ntfy(const char *url, const struct channel_word *w)
{
	struct buf text = BUF_INIT(NTFY_MAX), topic = BUF_INIT(URL_MAX);
	json *message = json_object(), *list = json_array();
	char head[512];

	title(w, head, sizeof head);
	lines_of(w, &text);
	buf_add(&topic, url + last_step(url), path_len(url) - last_step(url));
	json_put_str(message, "topic", buf_text(&topic));
	json_put_str(message, "title", head);
	json_put_str(message, "message", buf_text(&text));
	json_put_int(message, "priority", priorities[w->state]);
	json_push_str(list, tags[w->state]);
	json_put(message, "tags", list);
	if (w->link != NULL)
		json_put_str(message, "click", w->link);
	buf_free(&topic);
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
	size_t path = path_len(url);
	const char *rest = url + path;
	char text[PULSE_MAX];
	char *target;

	switch (kind_of(name)) {
	case NTFY:
		buf_add(&b, url, last_step(url));
		buf_add(&b, rest, strcspn(rest, "#"));
		break;
	case KUMA:
		/* its page shows the address with a query, which is ours to make */
		snprintf(text, sizeof text, "%s%s", w->state == STATE_OK ? "" : labels[w->state],
			 w->state == STATE_OK ? "" : " ");
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s", w->headline);
		buf_add(&b, url, path);
		buf_adds(&b, down(w->state) ? "?status=down&msg=" : "?status=up&msg=");
		http_urlencode(&b, text);
		buf_adds(&b, "&ping=");
		break;
	case HEALTHCHECKS:
		/* before a query such as ?create=1 */
		while (path > 0 && url[path - 1] == '/')
			path--;
		buf_add(&b, url, path);
		if (down(w->state))
			buf_adds(&b, "/fail");
		buf_add(&b, rest, strcspn(rest, "#"));
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
	snprintf(out->why, sizeof out->why, "%.120s", why);
	out->wait_s = REFUSED_S;
	return CHANNEL_REFUSED;
}

/* Does text hold a piece of the address that is long enough to be its secret? */
static bool tells_secret(const char *text, const char *url)
{
	bool tells = false;

	for (url += strcspn(url, ":"); !tells && *url != '\0'; ) {
		size_t n = strcspn(url, "/?&=#");
		char *step = strndup(url, n);

		if (step == NULL)
			abort();
		tells = n >= 4 && strstr(text, step) != NULL;
		free(step);
		url += n + (url[n] != '\0');
	}
	return tells;
}

/* The text of an answer, without the byte order mark and the white space that stand before many a page. */
static const char *text_of(const struct http_response *r)
{
	const char *text = buf_text(&r->text);

	if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	return text + strspn(text, " \t\r\n");
}

/*
 * The service's own words in an answer: the message of its JSON, or the first words of a plain text; not of an HTML page, and
 * nothing that holds a piece of the secret address. "" for nothing. Safe text; malloc'ed.
 */
static char *words_of(const struct http_response *r, const json *answer, const char *url)
{
	static const char *const members[] = { "msg", "error", "message", "description" };
	const json *inner = json_get(answer, "error");
	const char *text = answer == NULL ? text_of(r) : NULL;
	char said[SAID_MAX * 4], *copy;

	for (size_t i = 0; text == NULL && i < sizeof members / sizeof *members; i++)
		text = json_str(answer, members[i]);
	if (text == NULL)
		text = json_str(inner, "message");
	if (text == NULL || *text == '<' || tells_secret(text, url))
		text = "";
	msg_escape(said, sizeof said, text);
	for (size_t n = strlen(said); n > 0 && (n > SAID_MAX || said[n - 1] == ' '); )
		said[--n] = '\0';
	copy = strdup(said);
	if (copy == NULL)
		abort();
	return copy;
}

/* The number behind `HTTP error ` in a text, or 0. */
static int http_error_in(const char *text)
{
	static const char mark[] = "HTTP error ";
	const char *at = strstr(text, mark);

	return at != NULL ? (int)strtol(at + sizeof mark - 1, NULL, 10) : 0;
}

static bool passes(int status)
{
	return status == 408 || status == 429 || status >= 500;
}

/*
 * A 2xx. What each service says there although it has not taken the message:
 *   teams         a text: "Webhook message delivery failed with error: ... HTTP error 429 ..." (old connectors: "1" is good)
 *   slack         an error's word instead of "ok"; {"ok":false,"error":...} or {"success":false} of those that are like it
 *   ntfy          {"error":...}
 *   kuma          {"ok":false,"msg":...}
 *   healthchecks  "OK (not found)", "OK (rate limited)"
 * and, in front of each of them, somebody's log-in page.
 */
static enum channel_result judge_accepted(enum kind kind, const char *text, const json *answer, const char *said,
					  struct channel_outcome *out)
{
	bool object = json_is_object(answer);
	char why[sizeof out->why];
	int status;

	if (*text == '<')
		return refused(out, "a web page answers in its place");
	if (object && (!json_bool(answer, "ok", kind != KUMA) || !json_bool(answer, "success", true) || json_get(answer, "error") != NULL)) {
		snprintf(why, sizeof why, "it refuses: %s", *said != '\0' ? said : "without a reason");
		return refused(out, why);
	}
	switch (kind) {
	case TEAMS:
		if (*text == '\0' || object || strcmp(text, "1") == 0)
			return CHANNEL_TOLD;
		snprintf(why, sizeof why, "accepted, and then: %s", *said != '\0' ? said : "a text");
		status = http_error_in(text);
		if (!passes(status))
			return refused(out, why);
		snprintf(out->why, sizeof out->why, "accepted, and then: HTTP error %d", status);
		return CHANNEL_LATER;
	case SLACK:
		if (strspn(text, "abcdefghijklmnopqrstuvwxyz_") != strlen(text) || *text == '\0' || strcmp(text, "ok") == 0)
			return CHANNEL_TOLD;
		snprintf(why, sizeof why, "it refuses: %s", said);
		return refused(out, why);
	case HEALTHCHECKS:
		if (strstr(text, "(rate limited)") != NULL) {
			snprintf(out->why, sizeof out->why, "it limits the rate of pings");
			return CHANNEL_LATER;
		}
		if (strstr(text, "not found") != NULL)
			return refused(out, "it knows no such check");
		return CHANNEL_TOLD;
	case KUMA:
		return object ? CHANNEL_TOLD : refused(out, "the answer is not Uptime Kuma's");
	default:
		return CHANNEL_TOLD;
	}
}

/* Was the alert taken, is it to be tried again, or refused for good? By the answer to the request. */
static enum channel_result judge(enum kind kind, const char *url, enum http_result result, const struct http_response *r,
				 struct channel_outcome *out)
{
	json *answer = json_parse(buf_text(&r->text), r->text.len);
	char *said = words_of(r, answer, url), *text = strdup(text_of(r));
	enum channel_result told = CHANNEL_REFUSED;

	if (text == NULL)
		abort();
	for (size_t n = strlen(text); n > 0 && strchr(" \r\n", text[n - 1]) != NULL; n--)
		text[n - 1] = '\0';
	if (r->status >= 200 && r->status < 300) {
		told = judge_accepted(kind, text, answer, said, out);
	} else if (result == HTTP_FATAL || result == HTTP_FOREIGN) {
		refused(out, r->why);
	} else if (r->status == 0) {
		/* connected, and then nothing: the request may have arrived */
		out->doubt = r->connect_us > 0;
		snprintf(out->why, sizeof out->why, "%.100s", r->why);
		told = CHANNEL_LATER;
	} else {
		snprintf(out->why, sizeof out->why, "it answered %d%s%s", r->status, *said != '\0' ? ": " : "", said);
		told = passes(r->status) ? CHANNEL_LATER : CHANNEL_REFUSED;
		out->wait_s = told == CHANNEL_REFUSED ? REFUSED_S :
			r->retry_after_ms >= 0 ? retry_hint(r->retry_after_ms) / 1000 : 0;
	}
	free(text);
	free(said);
	json_free(answer);
	return told;
}

/* The setting CTV_NAME_WHAT of a channel, NULL without one. Not owned. */
static const char *setting(const char *name, const char *what)
{
	char text[64];

	snprintf(text, sizeof text, "CTV_%s_%s", name, what);
	for (char *c = text; *c != '\0'; c++)
		*c = (char)(*c == '-' ? '_' : toupper((unsigned char)*c));
	return config_get(text);
}

const char *channel_url(const char *name)
{
	return setting(name, "URL");
}

/*
 * How ntfy is told who we are (docs.ntfy.sh/publish, "Authentication"): a token, or a user and a password. NULL, or
 * what is wrong. *token is a header and *login a `user:password`, malloc'ed, or NULL.
 */
static const char *credentials(const char *name, char **token, char **login)
{
	const char *key = setting(name, "TOKEN"), *user = setting(name, "USER"), *password = setting(name, "PASSWORD");

	*token = *login = NULL;
	if (key != NULL && strpbrk(key, " \t\r\n") != NULL)
		return "its token has white space, so it is none";
	if ((user != NULL) != (password != NULL))
		return "has a user or a password without the other one";
	if (user != NULL && strchr(user, ':') != NULL)
		return "its user has a colon";
	if (key != NULL && asprintf(token, "Authorization: Bearer %s", key) < 0)
		abort();
	if (key == NULL && user != NULL && asprintf(login, "%s:%s", user, password) < 0)
		abort();
	return NULL;
}

static void forget(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

enum channel_result channel_tell(struct http *h, const char *name, const struct channel_word *w,
				 struct channel_outcome *out)
{
	const char *url = channel_url(name), *why, *headers[3] = { NULL };
	enum kind kind = kind_of(name);
	enum channel_result result;
	struct http_response r;
	struct http_request q = { .deadline_ms = clock_ms() + TRY_MS, .connect_ms = CONNECT_MS,
				  .text_max = ANSWER_MAX };
	char *body, *target, *token = NULL, *login = NULL;

	*out = (struct channel_outcome){ .wait_s = 0 };
	if (url == NULL)
		return refused(out, "has no address");
	why = http_url_wrong(url);
	if (why == NULL && !http_url_is_safe(url))
		why = "would send its secret in the clear: not https";
	if (why == NULL && kind == NTFY)
		why = last_step(url) == path_len(url) ? "its address names no topic" : credentials(name, &token, &login);
	if (why != NULL)
		return refused(out, why);
	body = channel_body(name, url, w);
	target = channel_target(name, url, w);
	q.url = target;
	q.login = login;
	if (body != NULL) {
		q.post = true;
		q.body = body;
		q.body_len = strlen(body);
		headers[0] = kind == HEALTHCHECKS ? "Content-Type: text/plain; charset=utf-8" : "Content-Type: application/json";
		headers[1] = token;
		q.headers = headers;
	}
	result = judge(kind, url, http_send(h, &q, &r), &r, out);
	http_response_free(&r);
	forget(target);
	forget(token);
	forget(login);
	free(body);
	return result;
}
