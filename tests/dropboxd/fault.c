/*
 * fault.c - what goes wrong on purpose. A fault waits for a call that fits it (route, text in the
 * argument, byte position, number of calls to let pass); http.c and transfer.c ask here at each
 * stage of a call. The table of kinds is the one place that says what each name means; README.md
 * tells it to people.
 */
#include "lib/std.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/dropboxd/dropboxd.h"

#define JSON "application/json"
#define TEXT "text/plain; charset=utf-8"
#define HTML "text/html"
#define PAGE                                                                                       \
	"<!DOCTYPE html>\n<html><head><title>Error</title></head><body><h1>Something went "        \
	"wrong</h1>"                                                                               \
	"</body></html>\n"
#define PORTAL "<!DOCTYPE html>\n<html><head><title>Hotel WiFi</title></head><body><form>Room: " \
	"<input name=\"room\"></form></body></html>\n"

static const struct kind {
	const char *name;
	enum fault_act act;
	int status;
	const char *type, *text;
	const char *retry_after;        /* the default; NULL: none */
	bool apply, mid;
} kinds[] = {
	/* rate limits; %r in a text is the number of Retry-After */
	{ "429", F_REPLY, 429, JSON,
		"{\"error_summary\": \"too_many_requests/..\", \"error\": {\"reason\": "
		"{\".tag\": \"too_many_requests\"}, \"retry_after\": %r}}",
		"1", false, false },
	{ "429-header-only", F_REPLY, 429, JSON,
		"{\"error_summary\": \"too_many_write_operations/..\", "
		"\"error\": {\"reason\": {\".tag\": \"too_many_write_operations\"}}}",
		"1", false, false },
	{ "429-body-only", F_REPLY, 429, JSON,
		"{\"error\":{\"reason\":{\".tag\":\"too_many_requests\"},"
		"\"retry_after\":%r},\"error_summary\":\"too_many_requests/\"}",
		"1", false, false },
	{ "429-text", F_REPLY, 429, TEXT, "Too many requests", "1", false, false },
	{ "429-html", F_REPLY, 429, HTML, PAGE, "1", false, false },
	{ "429-empty", F_REPLY, 429, NULL, "", "1", false, false },
	{ "429-noheader", F_REPLY, 429, TEXT, "Too many requests", NULL, false, false },
	/* other refusals */
	{ "400", F_REPLY, 400, TEXT, "Error in call to API function: something was wrong", NULL,
		false, false },
	{ "403", F_REPLY, 403, JSON,
		"{\"error_summary\":\"invalid_account_type/feature/..\",\"error\":"
		"{\".tag\":\"invalid_account_type\",\"invalid_account_type\":{\".tag\":\"feature\"}"
		"}}",
		NULL, false, false },
	/* a business plan's limit of uploads (developers/reference/data-transport-limit) */
	{ "403-month", F_REPLY, 403, JSON,
		"{\"error_summary\":\"invalid_account_type/feature/.\",\"error\":"
		"{\".tag\":\"invalid_account_type\",\"invalid_account_type\":{\".tag\":\"feature\"}"
		"},\"user_message\":{\"locale\":\"en\",\"text\":\"Your team has used all of its data "
		"transport API calls for the month. Your monthly limit will reset on the 1st day of "
		"every month.\"}}",
		NULL, false, false },
	{ "404-html", F_REPLY, 404, HTML, PAGE, NULL, false, false },
	{ "408", F_REPLY, 408, TEXT, "Request Timeout", NULL, false, false },
	{ "409", F_TAGS, 409, JSON, NULL, NULL, false, false },
	{ "409-too-many-writes", F_TAGS, 409, JSON, "too_many_write_operations", NULL, false,
		false },
	{ "not-found", F_TAGS, 409, JSON, "not_found", NULL, false, false },
	{ "expired-token", F_AUTH, 401, JSON, "expired_access_token", NULL, false, false },
	{ "invalid-token", F_AUTH, 401, JSON, "invalid_access_token", NULL, false, false },
	{ "missing-scope", F_AUTH, 401, JSON, "missing_scope", NULL, false, false },
	{ "invalid-grant", F_REPLY, 400, "text/javascript",
		"{\"error\": \"invalid_grant\", "
		"\"error_description\": \"refresh token is invalid or revoked\"}",
		NULL, false, false },
	/* the server or something before it is ill */
	{ "500", F_REPLY, 500, TEXT, "Internal Server Error", NULL, false, false },
	{ "500-json", F_REPLY, 500, JSON,
		"{\"error\": \"The server has either erred or is incapable of "
		"performing the requested operation.\"}",
		NULL, false, false },
	{ "502-html", F_REPLY, 502, HTML, PAGE, NULL, false, false },
	{ "503-empty", F_REPLY, 503, NULL, "", NULL, false, false },
	{ "504-html", F_REPLY, 504, HTML, PAGE, NULL, false, false },
	{ "finish-503-but-committed", F_REPLY, 503, NULL, "", NULL, true, false },
	{ "redirect", F_REPLY, 302, HTML, "", NULL, false, false },
	{ "html-200", F_REPLY, 200, HTML, PORTAL, NULL, false, false },
	{ "reply", F_REPLY, 200, TEXT, "", NULL, false, false },
	{ "early-error", F_EARLY, 503, TEXT, "Service Unavailable", NULL, false, true },
	/* the connection */
	{ "reset-before", F_RESET, 0, NULL, NULL, NULL, false, false },
	{ "reset-mid", F_RESET, 0, NULL, NULL, NULL, false, true },
	{ "reset-after", F_RESET, 0, NULL, NULL, NULL, true, false },
	{ "close-before", F_CLOSE, 0, NULL, NULL, NULL, false, false },
	{ "close-mid", F_CLOSE, 0, NULL, NULL, NULL, false, true },
	{ "close-after", F_CLOSE, 0, NULL, NULL, NULL, true, false },
	{ "stall", F_STALL, 0, NULL, NULL, NULL, false, false },
	{ "stall-mid", F_STALL, 0, NULL, NULL, NULL, false, true },
	{ "stall-after", F_STALL, 0, NULL, NULL, NULL, true, false },
	{ "delay", F_DELAY, 0, NULL, NULL, NULL, false, false },
	{ "delay-after", F_DELAY, 0, NULL, NULL, NULL, true, false },
	{ "trickle", F_TRICKLE, 0, NULL, NULL, NULL, false, false },
	{ "close-after-reply", F_RAW, 0, NULL, NULL, NULL, true, false },
	/* a download's body and its headers */
	{ "short-body", F_SHORT, 0, NULL, NULL, NULL, false, true },
	{ "truncate", F_TRUNCATE, 0, NULL, NULL, NULL, false, true },
	{ "flip-byte", F_FLIP, 0, NULL, NULL, NULL, false, true },
	{ "ignore-range", F_IGNORE_RANGE, 0, NULL, NULL, NULL, false, false },
	{ "wrong-content-range", F_WRONG_RANGE, 0, NULL, NULL, NULL, false, false },
	{ "wrong-total", F_WRONG_RANGE, 0, NULL, NULL, NULL, false, false },
	{ "no-content-range", F_WRONG_RANGE, 0, NULL, NULL, NULL, false, false },
	{ "no-api-result", F_NO_RESULT, 0, NULL, NULL, NULL, false, false },
	/* the reply's JSON */
	{ "cut-json", F_CUT_JSON, 0, NULL, NULL, NULL, true, false },
	{ "empty-200", F_EMPTY, 0, NULL, NULL, NULL, true, false },
	{ "merge", F_MERGE, 0, NULL, NULL, NULL, true, false },
	{ "wrong-hash-reply", F_MERGE, 0, NULL,
		"{\"content_hash\":"
		"\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}",
		NULL, true, false },
	{ "wrong-size-reply", F_MERGE, 0, NULL, "{\"size\":1}", NULL, true, false },
	{ "header", F_HEADER, 0, NULL, NULL, NULL, true, false },
	/* the reply's shape on the wire */
	{ "garbage", F_RAW, 0, NULL, NULL, NULL, true, false },
	{ "big-header", F_RAW, 0, NULL, NULL, NULL, true, false },
	{ "lower-case-headers", F_RAW, 0, NULL, NULL, NULL, true, false },
	{ "mixed-case-headers", F_RAW, 0, NULL, NULL, NULL, true, false },
	{ "no-reason", F_RAW, 0, NULL, NULL, NULL, true, false },
	{ "odd-reason", F_RAW, 0, NULL, NULL, NULL, true, false },
	{ "two-lengths", F_RAW, 0, NULL, NULL, NULL, true, false },
	{ "no-length", F_RAW, 0, NULL, NULL, NULL, true, false },
	{ "chunked", F_RAW, 0, NULL, NULL, NULL, true, false },
	{ "chunked-cut", F_RAW, 0, NULL, NULL, NULL, true, false },
	/* another client */
	{ "replace", F_REPLACE, 0, NULL, NULL, NULL, false, false },
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct fault *faults;

/* ---- the list ---- */

static const struct field fault_fields[] = {
	{ .name = "route", .type = T_STR, .hi = 60 },
	{ .name = "kind", .type = T_STR, .required = true }, { .name = "match", .type = T_STR },
	{ .name = "after", .type = T_UINT }, { .name = "count", .type = T_ANY },
	{ .name = "at", .type = T_UINT }, { .name = "body", .type = T_UINT },
	{ .name = "ms", .type = T_UINT, .hi = 3600000 }, { .name = "apply", .type = T_BOOL },
	{ .name = "status", .type = T_UINT, .lo = 100, .hi = 599 },
	{ .name = "type", .type = T_STR }, { .name = "text", .type = T_STR },
	{ .name = "retry_after", .type = T_ANY }, { .name = "tag", .type = T_STR, .hi = 200 },
	{ .name = "location", .type = T_STR }, { .name = "json", .type = T_ANY },
	{ .name = "name", .type = T_STR }, { .name = "value", .type = T_STR },
	{ .name = "path", .type = T_STR }, { .name = "size", .type = T_UINT },
	{ .name = "bytes", .type = T_UINT, .hi = 1 << 24 }, { .name = NULL } };

char *fault_add(const cJSON *spec)
{
	const char *name = json_str(spec, "kind", "");
	const struct kind *k = NULL;
	char *why = cJSON_IsObject(spec) ? schema_check(spec, fault_fields)
		: xstrdup("expected object");

	if (why != NULL)
		return why;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (strcmp(kinds[i].name, name) == 0)
			k = &kinds[i];
	}
	if (k == NULL)
		return xasprintf("unknown kind '%.40s'", name);
	struct fault *f = xmalloc(sizeof *f), **end;
	memset(f, 0, sizeof *f);
	f->spec = cJSON_Duplicate(spec, true);
	f->act = k->act;
	snprintf(f->kind, sizeof f->kind, "%s", k->name);
	snprintf(f->route, sizeof f->route, "%s", json_str(spec, "route", "*"));
	f->match = json_str(f->spec, "match", NULL);
	f->after = (long)json_int(spec, "after", 0);
	f->count = (long)json_int(spec, "count", 1);
	f->at = json_int(spec, "at", -1);
	f->in_body = json_int(spec, "body", -1);
	f->mid = k->mid || f->at >= 0 || f->in_body >= 0;
	f->apply = json_flag(spec, "apply", k->apply);
	f->ms = (long)json_int(spec, "ms", k->act == F_TRICKLE ? 100 : 1000);
	f->status = (int)json_int(spec, "status", k->status);
	f->type = json_str(f->spec, "type", k->type);
	f->text = json_str(f->spec, "text", json_str(f->spec, "tag", k->text));
	const cJSON *retry = json_get(spec, "retry_after");
	if (cJSON_IsNumber(retry))
		snprintf(f->retry_after, sizeof f->retry_after, "%.0f", retry->valuedouble);
	else
		snprintf(f->retry_after, sizeof f->retry_after, "%s", cJSON_IsString(retry)
			? retry->valuestring : k->retry_after != NULL ? k->retry_after : "");
	if (f->act == F_TAGS && f->text == NULL) {
		fault_free(f);
		return xstrdup("this kind needs a tag");
	}
	pthread_mutex_lock(&mutex);
	for (end = &faults; *end != NULL; end = &(*end)->next)
		;
	*end = f;
	pthread_mutex_unlock(&mutex);
	return NULL;
}

void fault_free(struct fault *f)
{
	cJSON_Delete(f->spec);
	free(f);
}

void faults_clear(void)
{
	pthread_mutex_lock(&mutex);
	while (faults != NULL) {
		struct fault *f = faults;

		faults = f->next;
		fault_free(f);
	}
	pthread_mutex_unlock(&mutex);
}

cJSON *faults_json(void)
{
	cJSON *list = cJSON_CreateArray();

	pthread_mutex_lock(&mutex);
	for (const struct fault *f = faults; f != NULL; f = f->next) {
		cJSON *j = cJSON_Duplicate(f->spec, true);

		cJSON_AddNumberToObject(j, "fired", (double)f->fired);
		cJSON_AddNumberToObject(j, "left", (double)f->count);
		cJSON_AddItemToArray(list, j);
	}
	pthread_mutex_unlock(&mutex);
	return list;
}

static bool route_fits(const char *pattern, const struct route *r)
{
	size_t n = strlen(pattern);

	if (n > 0 && pattern[n - 1] == '*')
		return r == NULL ? n == 1 : strncmp(pattern, r->name, n - 1) == 0;
	return r != NULL && strcmp(pattern, r->name) == 0;
}

void fault_pick(struct call *c, uint64_t base, bool has_end, uint64_t end)
{
	const char *arg = c->argtext != NULL ? c->argtext : header(c, "Dropbox-API-Arg");

	if (arg == NULL)
		arg = c->body.n > 0 ? c->body.p : "";
	pthread_mutex_lock(&mutex);
	for (struct fault *f = faults; f != NULL && c->fault == NULL; f = f->next) {
		if (f->count == 0 || !route_fits(f->route, c->route)
			|| (f->match != NULL && strstr(arg, f->match) == NULL)
			|| (f->at >= 0
				&& ((uint64_t)f->at < base || (has_end && (uint64_t)f->at >= end))))
			continue;
		if (f->after > 0) {
			f->after--;
			continue;
		}
		if (f->count > 0)
			f->count--;
		f->fired++;
		c->fault = xmalloc(sizeof *c->fault);
		*c->fault = *f;
		/* a copy with a specification of its own: the list may be cleared meanwhile */
		struct fault *mine = c->fault;
		mine->spec = cJSON_Duplicate(f->spec, true);
		mine->match = NULL;
		if (json_str(f->spec, "type", NULL) != NULL)
			mine->type = json_str(mine->spec, "type", NULL);
		if (json_str(f->spec, "text", json_str(f->spec, "tag", NULL)) != NULL)
			mine->text =
				json_str(mine->spec, "text", json_str(mine->spec, "tag", NULL));
		snprintf(c->fault_name, sizeof c->fault_name, "%s", f->kind);
	}
	pthread_mutex_unlock(&mutex);
}

int64_t fault_spot(const struct fault *f, uint64_t base, uint64_t n)
{
	int64_t spot = f->in_body >= 0 ? f->in_body : f->at >= 0 ? f->at - (int64_t)base
		: f->mid ? (int64_t)(n / 2) : -1;

	return spot >= 0 && ((uint64_t)spot < n || n == 0) ? spot : -1;
}

/* ---- stages of a call ---- */

/* The route's own way to say these two. */
static const char *shaped(const struct call *c, const char *tags)
{
	const char *r = c->route != NULL ? c->route->name : "";

	if (strcmp(tags, "too_many_write_operations") == 0 && (strcmp(r, "files/upload") == 0
		|| strcmp(r, "files/create_folder_v2") == 0))
		return "path/too_many_write_operations";
	if (strcmp(tags, "not_found") == 0) {
		if (strstr(r, "move") != NULL || strstr(r, "copy") != NULL)
			return "from_lookup/not_found";
		if (strstr(r, "delete") != NULL || strstr(r, "restore") != NULL)
			return "path_lookup/not_found";
		if (strstr(r, "finish") != NULL)
			return "lookup_failed/not_found";
		if (strstr(r, "append") == NULL)
			return "path/not_found";
	}
	return tags;
}

void fault_reply(struct call *c)
{
	const struct fault *f = c->fault;
	struct text t = { 0 };

	if (f->act == F_TAGS) {
		reply_error(c, shaped(c, f->text));
		return;
	}
	if (f->act == F_AUTH) {
		if (strcmp(f->text, "expired_access_token") == 0)
			auth_expire(c);
		auth_refuse(c, f->text);
		return;
	}
	const char *r = f->text != NULL ? strstr(f->text, "%r") : NULL;
	if (r != NULL) {
		text_add(&t, f->text, (size_t)(r - f->text));
		text_str(&t, f->retry_after[0] != '\0' ? f->retry_after : "1");
		text_str(&t, r + 2);
	} else {
		text_str(&t, f->text != NULL ? f->text : "");
	}
	reply_text(c, f->status, f->type, t.p);
	free(t.p);
	if (f->retry_after[0] != '\0' && strcmp(f->kind, "429-body-only") != 0)
		reply_header(c, "Retry-After", f->retry_after);
	if (f->status >= 300 && f->status < 400) {
		char *to = xasprintf("%s%s", base_url[HOST_NOTIFY], c->url);

		reply_header(c, "Location", json_str(f->spec, "location", to));
		free(to);
	}
}

bool fault_before(struct call *c)
{
	struct fault *f = c->fault;
	bool body = c->route != NULL && (c->route->style == UPLOAD || c->route->style == DOWNLOAD);

	if (f == NULL || f->apply)
		return true;
	if (c->route != NULL && c->route->style == UPLOAD && f->mid) {
		const cJSON *cursor = json_get(c->arg, "cursor");
		uint64_t n;

		/* the middle of a body of unknown length: near its beginning */
		if (!body_length(c, &n))
			n = 128 << 10;
		f->in_body = fault_spot(f, (uint64_t)json_int(cursor, "offset", 0), n);
		if (f->in_body >= 0)
			return true;
	}
	if (f->mid && body && f->act != F_EARLY)
		return true;
	switch (f->act) {
	case F_REPLY:
	case F_TAGS:
	case F_AUTH:
	case F_EARLY:
		fault_reply(c);
		return true;
	case F_RESET:
		hard_reset(c);
		return false;
	case F_CLOSE:
	case F_SHORT:
		return false;
	case F_STALL:
		stall(c);
		return !stopping();
	case F_DELAY:
		nap(f->ms);
		return true;
	case F_REPLACE: {
		const char *path = json_str(f->spec, "path", json_str(c->arg, "path",
			json_str(json_get(c->arg, "commit"), "path", "")));
		cJSON *arg = NULL;
		const char *text = header(c, "Dropbox-API-Arg");

		if (*path == '\0') {    /* the argument of a call that is not yet judged */
			if (text == NULL)
				text = c->body.n > 0 ? c->body.p : "";
			arg = json_parse(text, strlen(text));
			path = json_str(arg, "path", "");
		}
		(void)put_file(path, f->spec);
		cJSON_Delete(arg);
		return true;
	}
	default:
		return true;
	}
}

void fault_spoil(struct call *c)
{
	struct fault *f = c->fault;
	struct reply *r = &c->reply;
	cJSON *j, *e;

	if (f == NULL || !f->apply)
		return;
	switch (f->act) {
	case F_REPLY:
	case F_TAGS:
	case F_AUTH:
		fault_reply(c);
		break;
	case F_RESET:
		hard_reset(c);
		c->answered = true;
		break;
	case F_CLOSE:
		c->answered = true;
		break;
	case F_STALL:
		stall(c);
		c->answered = stopping();
		break;
	case F_DELAY:
		nap(f->ms);
		break;
	case F_CUT_JSON:
		r->len /= 2;
		break;
	case F_EMPTY:
		r->len = 0;
		break;
	case F_MERGE:
		j = r->body != NULL ? json_parse(r->body, r->len) : NULL;
		if (cJSON_IsObject(j)) {
			cJSON *more = f->text != NULL ? json_parse(f->text, strlen(f->text))
				: cJSON_Duplicate(json_get(f->spec, "json"), true);

			while (more != NULL && more->child != NULL) {
				e = cJSON_DetachItemViaPointer(more, more->child);
				cJSON_DeleteItemFromObjectCaseSensitive(j, e->string);
				cJSON_AddItemToObject(j, e->string, e);
			}
			cJSON_Delete(more);
			free(r->body);
			r->body = json_text(j, opt.style, true);
			r->len = strlen(r->body);
		}
		cJSON_Delete(j);
		break;
	case F_HEADER:
		reply_header(c, json_str(f->spec, "name", "X-Odd"), json_str(f->spec, "value", ""));
		break;
	case F_RAW:
		raw_reply(c, f->kind);
		break;
	default:
		break;
	}
}

/* ---- stalls ---- */

static unsigned long release_count;
static unsigned stalled_n;

void stall(struct call *c)
{
	struct pollfd p = { .fd = MHD_get_connection_info(c->conn,
		MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd, .events = POLLRDHUP };

	pthread_mutex_lock(&mutex);
	unsigned long seen = release_count;
	stalled_n++;
	log_stalled(1);
	while (release_count == seen && !stopping()) {
		pthread_mutex_unlock(&mutex);
		int gone = poll(&p, 1, 50);
		pthread_mutex_lock(&mutex);
		if (gone > 0)
			break;
	}
	/* a release has counted us out already */
	if (release_count == seen) {
		stalled_n--;
		log_stalled(-1);
	}
	pthread_mutex_unlock(&mutex);
}

void stalls_release(void)
{
	pthread_mutex_lock(&mutex);
	release_count++;
	/* from now on they are under way: a reset must wait for what they still do */
	log_stalled(-(int)stalled_n);
	stalled_n = 0;
	pthread_mutex_unlock(&mutex);
}

bool stalls_wait(unsigned n, double until)
{
	for (;;) {
		pthread_mutex_lock(&mutex);
		bool enough = stalled_n >= n;
		pthread_mutex_unlock(&mutex);
		if (enough || stopping() || mono() > until)
			return enough;
		nap(10);
	}
}

/* ---- by hand, past libmicrohttpd ---- */

static int socket_of(const struct call *c)
{
	return MHD_get_connection_info(c->conn, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

void hard_reset(struct call *c)
{
	/* dissolving the connection of a TCP socket sends RST, whatever is still in its buffers */
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	(void)connect(socket_of(c), &none, sizeof none);
}

static bool raw_write(struct call *c, const char *p, size_t n)
{
	int fd = socket_of(c);

	while (n > 0) {
		ssize_t w;

		if (opt.tls) {
			gnutls_session_t tls = MHD_get_connection_info(c->conn,
				MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session;
			w = gnutls_record_send(tls, p, n);
			if (w == GNUTLS_E_AGAIN || w == GNUTLS_E_INTERRUPTED)
				w = 0;
		} else {
			w = send(fd, p, n, MSG_NOSIGNAL);
			if (w < 0 && (errno == EAGAIN || errno == EINTR))
				w = 0;
		}
		if (w < 0 || stopping())
			return false;
		if (w == 0) {
			struct pollfd out = { .fd = fd, .events = POLLOUT };

			(void)poll(&out, 1, 100);
		}
		p += w;
		n -= (size_t)w;
	}
	return true;
}

static void raw_header(struct text *t, const char *kind, const char *name, const char *value)
{
	size_t from = t->n;

	text_fmt(t, "%s: %s\r\n", name, value);
	for (size_t i = 0; name[i] != '\0'; i++) {
		char *p = t->p + from + i;

		if (strcmp(kind, "lower-case-headers") == 0
			|| (strcmp(kind, "mixed-case-headers") == 0 && i % 2 == 0))
			*p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
		else if (strcmp(kind, "mixed-case-headers") == 0)
			*p = (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p);
	}
}

/* The body in pieces, each as a chunk if chunked; stops after `n` bytes. */
static bool raw_body(struct call *c, uint64_t n, bool chunked)
{
	const struct reply *r = &c->reply;
	char *buf = xmalloc(64 << 10);
	bool ok = true;

	for (uint64_t at = 0; at < n && ok;) {
		size_t want = n - at < (64 << 10) ? (size_t)(n - at) : (64 << 10);
		char head[32];

		if (r->fd >= 0) {
			ssize_t got = pread(r->fd, buf, want, (off_t)(r->off + at));
			if (got <= 0)
				break;
			want = (size_t)got;
		} else {
			memcpy(buf, r->body + at, want);
		}
		snprintf(head, sizeof head, "%zx\r\n", want);
		ok = (!chunked || raw_write(c, head, strlen(head))) && raw_write(c, buf, want)
			&& (!chunked || raw_write(c, "\r\n", 2));
		at += want;
		c->sent = at;
	}
	free(buf);
	return ok;
}

bool raw_reply(struct call *c, const char *kind)
{
	static const char noise[] =
		"\x15\x03\x01\x00\x02\x02\x28 this is not HTTP \xff\xfe\r\n\r\n";
	const struct reply *r = &c->reply;
	const struct fault *f = c->fault;
	struct text t = { 0 };
	uint64_t n = r->fd >= 0 ? r->n : r->len, stop = n;
	bool chunked = strncmp(kind, "chunked", 7) == 0, ok;
	char number[32];

	c->answered = true;
	if (strcmp(kind, "garbage") == 0)
		return raw_write(c, noise, sizeof noise - 1);
	text_fmt(&t, "HTTP/1.1 %d%s\r\n", r->status, strcmp(kind, "no-reason") == 0 ? ""
		: strcmp(kind, "odd-reason") == 0 ? " path/not_found/. (who reads this?)"
		: r->status == 200 ? " OK" : r->status == 206 ? " Partial Content" : " Whatever");
	if (r->type != NULL)
		raw_header(&t, kind, "Content-Type", r->type);
	for (unsigned i = 0; i < r->headers; i++)
		raw_header(&t, kind, r->header[i].name, r->header[i].value);
	raw_header(&t, kind, "X-Dropbox-Request-Id", c->id);
	if (strcmp(kind, "big-header") == 0) {
		size_t big = (size_t)json_int(f->spec, "bytes", 16384);
		char *fill = xmalloc(big + 1);

		chance_text(fill, big, BASE62);
		raw_header(&t, kind, "X-Big", fill);
		free(fill);
	}
	snprintf(number, sizeof number, "%" PRIu64, n);
	if (chunked)
		raw_header(&t, kind, "Transfer-Encoding", "chunked");
	else if (strcmp(kind, "no-length") != 0)
		raw_header(&t, kind, "Content-Length", number);
	if (strcmp(kind, "two-lengths") == 0) {
		snprintf(number, sizeof number, "%" PRIu64, n / 2);
		raw_header(&t, kind, "Content-Length", number);
	}
	if (strcmp(kind, "close-after-reply") != 0 && strcmp(kind, "early") != 0)
		raw_header(&t, kind, "Connection", "close");
	text_str(&t, "\r\n");
	if (strcmp(kind, "chunked-cut") == 0 || strcmp(kind, "no-length") == 0) {
		int64_t spot =
			f->at >= 0 || f->in_body >= 0 || chunked ? fault_spot(f, r->off, n) : -1;

		stop = spot >= 0 ? (uint64_t)spot : strcmp(kind, "chunked-cut") == 0 ? n / 2 : n;
	}
	ok = raw_write(c, t.p, t.n);
	free(t.p);
	ok = ok && raw_body(c, stop, chunked);
	if (ok && strcmp(kind, "chunked") == 0)
		ok = raw_write(c, "0\r\n\r\n", 5);
	return ok;
}
