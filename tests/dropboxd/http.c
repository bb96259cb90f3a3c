/*
 * http.c - the front: from libmicrohttpd's callbacks to a route's run() and back.
 *
 * An upload is judged by its headers before its body is read, as the body goes straight to disk;
 * all other calls are judged when they are complete. A call that is refused early is still read to
 * its end (a client that waits for 100-continue gets the refusal instead), so that the reply
 * arrives rather than a connection reset. The early-error fault is the unkind variant.
 */
#include "lib/std.h"

#include <inttypes.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/msg.h"
#include "tests/dropboxd/dropboxd.h"

#define RPC_MAX (1u << 20)              /* body of anything that is not an upload */
#define READ_MAX (256u << 10)           /* one piece of a body sent through the reader */

static struct MHD_Daemon *daemons[HOSTS];
static char *pem[2];                    /* certificate, key */

/* ---- what a route sees of the request ---- */

const char *header(const struct call *c, const char *name)
{
	return MHD_lookup_connection_value(c->conn, MHD_HEADER_KIND, name);
}

bool body_length(const struct call *c, uint64_t *n)
{
	const char *s = header(c, "Content-Length");

	if (s == NULL)
		return false;
	*n = strtoull(s, NULL, 10);
	return true;
}

/* ---- replies ---- */

void reply_header(struct call *c, const char *name, const char *value)
{
	struct reply *r = &c->reply;

	if (r->headers == sizeof r->header / sizeof *r->header)
		return;
	r->header[r->headers].name = xstrdup(name);
	r->header[r->headers++].value = xstrdup(value);
}

static void reply_clear(struct reply *r)
{
	free(r->body);
	for (unsigned i = 0; i < r->headers; i++) {
		free(r->header[i].name);
		free(r->header[i].value);
	}
	if (r->fd >= 0)
		close(r->fd);
	memset(r, 0, sizeof *r);
	r->fd = -1;
}

void reply_text(struct call *c, int status, const char *type, const char *text)
{
	reply_clear(&c->reply);
	c->reply.status = status;
	c->reply.type = type;
	c->reply.body = xstrdup(text);
	c->reply.len = strlen(text);
	c->decided = true;
}

void reply_json(struct call *c, int status, cJSON *j)
{
	char *text = json_text(j, opt.style, opt.style == STYLE_SPACED || chance(2));

	reply_text(c, status, "application/json", text);
	free(text);
	cJSON_Delete(j);
}

void reply_bad(struct call *c, const char *fmt, ...)
{
	struct text t = { 0 };
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		abort();
	va_end(ap);
	text_fmt(&t, "Error in call to API function \"%s\": %s",
		c->route != NULL ? c->route->name : "?", s);
	/* a piece of hostile input must not become a control sequence on somebody's terminal */
	for (char *p = t.p; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20)
			*p = '?';
	}
	reply_text(c, 400, "text/plain; charset=utf-8", t.p);
	free(t.p);
	free(s);
}

char *error_summary(const char *tags)
{
	static const char *const dots[] = { "/", "/.", "/..", "/..." };

	return xasprintf("%s%s", tags, dots[chance(4)]);
}

void reply_error_with(struct call *c, const char *tags, cJSON *error)
{
	cJSON *j = cJSON_CreateObject();
	char *summary = error_summary(tags);

	cJSON_AddStringToObject(j, "error_summary", summary);
	cJSON_AddItemToObject(j, "error", error);
	if (chance(8) == 0)
		cJSON_AddItemToObject(j, "future_detail", cJSON_CreateObject());
	free(summary);
	reply_json(c, 409, j);
}

void reply_error(struct call *c, const char *tags)
{
	cJSON *error;

	if (c->route != NULL && strcmp(c->route->name, "files/upload") == 0
		&& strncmp(tags, "path/", 5) == 0) {
		/* the payload of this one is a struct, hence flattened */
		char *id = session_adopt(c);

		error = json_tag("path");
		cJSON_AddItemToObject(error, "reason", json_tags(tags + 5));
		cJSON_AddStringToObject(error, "upload_session_id", id);
		free(id);
	} else {
		error = json_tags(tags);
	}
	reply_error_with(c, tags, error);
}

/* ---- the argument ---- */

static const char *const RPC_TYPES[] = { "application/json", "application/json; charset=utf-8",
	"application/json;charset=utf-8", "text/plain; charset=dropbox-cors-hack", NULL };
static const char *const UPLOAD_TYPES[] = { "application/octet-stream",
	"text/plain; charset=dropbox-cors-hack", NULL };
static const char *const DOWNLOAD_TYPES[] = { "", "text/plain", "text/plain; charset=utf-8",
	"application/octet-stream", "application/octet-stream; charset=utf-8", NULL };

static bool type_ok(struct call *c, const char *const types[], bool may_lack)
{
	const char *type = header(c, "Content-Type");

	if (type == NULL && may_lack)
		return true;
	for (size_t i = 0; type != NULL && types[i] != NULL; i++) {
		if (strcasecmp(type, types[i]) == 0)
			return true;
	}
	reply_bad(c,
		"Bad HTTP \"Content-Type\" header: \"%.100s\".  Expecting one of \"%s\", \"%s\".",
		type != NULL ? type : "", types[0], types[1]);
	return false;
}

/* Parses and checks `text`, which came from `source`. */
static bool arg_ok(struct call *c, const char *text, size_t n, const char *source)
{
	c->argtext = xmalloc(n + 1);
	if (n > 0)
		memcpy(c->argtext, text, n);
	c->argtext[n] = '\0';
	c->arg = json_parse(text, n);
	if (c->arg == NULL) {
		reply_bad(c, "%s: could not decode input as JSON", source);
		return false;
	}
	if (c->route->arg == NULL) {
		if (cJSON_IsNull(c->arg))
			return true;
		reply_bad(c, "%s: expected null, got value", source);
		return false;
	}
	char *why = cJSON_IsObject(c->arg) ? schema_check(c->arg, c->route->arg)
		: xstrdup("expected object");
	if (why == NULL)
		return true;
	reply_bad(c, "%s: %s", source, why);
	free(why);
	return false;
}

/* The argument of the upload and download styles. */
static bool header_arg_ok(struct call *c)
{
	const char *source = "HTTP header \"Dropbox-API-Arg\"";
	const char *s = header(c, "Dropbox-API-Arg");
	const char *in_url = MHD_lookup_connection_value(c->conn, MHD_GET_ARGUMENT_KIND, "arg");

	if (s == NULL && in_url != NULL) {
		s = in_url;
		source = "URL parameter \"arg\"";
	}
	if (s == NULL) {
		reply_bad(c,
			"Must provide HTTP header \"Dropbox-API-Arg\" or URL parameter \"arg\".");
		return false;
	}
	for (const unsigned char *p = (const unsigned char *)s; *p != '\0' && s != in_url; p++) {
		if (*p < 0x20 || *p > 0x7e) {
			reply_bad(c, "%s: could not decode input as JSON", source);
			return false;
		}
	}
	return arg_ok(c, s, strlen(s), source);
}

static bool path_root_ok(struct call *c)
{
	const char *s = header(c, "Dropbox-API-Path-Root");

	if (s == NULL)
		return true;
	cJSON *j = json_parse(s, strlen(s));
	const char *tag = json_tag_of(j);
	const char *id = strcmp(tag, "home") == 0 ? "70721710"
		: json_str(j, strcmp(tag, "root") == 0 ? "root" : "namespace_id", "");
	bool bad = j == NULL, known = strcmp(id, "70721710") == 0;
	cJSON_Delete(j);
	if (bad) {
		reply_bad(
			c, "HTTP header \"Dropbox-API-Path-Root\": could not decode input as JSON");
	} else if (!known) {
		j = cJSON_CreateObject();
		cJSON_AddStringToObject(j, "error_summary", "no_permission/..");
		cJSON_AddItemToObject(j, "error", json_tag("no_permission"));
		reply_json(c, 422, j);
	}
	return !bad && known;
}

/* Everything about a call that is right or wrong before the route looks at it. */
static bool call_ok(struct call *c)
{
	const struct route *r = c->route;

	if (r == NULL) {
		reply_text(c, 404, "text/plain; charset=utf-8", "Not Found");
		return false;
	}
	if (strcmp(c->method, "POST") != 0
		&& !(r->style == DOWNLOAD && strcmp(c->method, "GET") == 0)
		&& r->style != CONTROL) {
		reply_text(c, 405, "text/plain; charset=utf-8", "Method Not Allowed");
		reply_header(c, "Allow", "POST");
		return false;
	}
	switch (r->style) {
	case RPC:
		if (!auth_check(c) || !type_ok(c, RPC_TYPES, r->arg == NULL && c->body.n == 0)
			|| !path_root_ok(c))
			return false;
		if (c->body.n == 0 && r->arg == NULL)
			return true;
		return arg_ok(c, c->body.n > 0 ? c->body.p : "", c->body.n, "request body");
	case UPLOAD:
		return auth_check(c) && type_ok(c, UPLOAD_TYPES, false) && path_root_ok(c)
			&& header_arg_ok(c);
	case DOWNLOAD:
		if (c->body.n > 0) {
			reply_bad(c, "request body must be empty");
			return false;
		}
		return auth_check(c) && type_ok(c, DOWNLOAD_TYPES, true) && path_root_ok(c)
			&& header_arg_ok(c);
	case LONGPOLL:
		if (header(c, "Authorization") != NULL) {
			reply_bad(c,
				"Your request includes an \"Authorization\" header, but this "
				"function does not use it.");
			return false;
		}
		return type_ok(c, RPC_TYPES, false)
			&& arg_ok(c, c->body.n > 0 ? c->body.p : "", c->body.n, "request body");
	default:
		return true;
	}
}

/* ---- sending ---- */

/* Bytes wait in the socket until the client has taken them: a reset would throw them away. */
static void drain_socket(struct call *c)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c->conn,
		MHD_CONNECTION_INFO_CONNECTION_FD);
	int queued = 0;

	for (int i = 0; i < 200; i++) {
		if (ioctl(info->connect_fd, SIOCOUTQ, &queued) < 0 || queued == 0)
			return;
		nap(5);
	}
}

/* Body of a download that is limited, encrypted or spoilt; the plain case is left to sendfile. */
static ssize_t read_body(void *cls, uint64_t pos, char *buf, size_t max)
{
	struct call *c = cls;
	struct fault *f = c->fault;
	int64_t spot = f != NULL ? f->in_body : -1;

	if (spot >= 0 && (uint64_t)spot == pos) {
		switch (f->act) {
		case F_RESET:
			drain_socket(c);
			hard_reset(c);
			return MHD_CONTENT_READER_END_WITH_ERROR;
		case F_SHORT:
		case F_CLOSE:
			return MHD_CONTENT_READER_END_WITH_ERROR;
		case F_STALL:
			stall(c);
			if (stopping())
				return MHD_CONTENT_READER_END_WITH_ERROR;
			f->in_body = spot = -1;
			break;
		default:
			break;
		}
	}
	if (f != NULL && f->act == F_TRICKLE) {
		max = 1;
		nap(f->ms);
	}
	if (max > READ_MAX)
		max = READ_MAX;
	if (opt.rate != 0 && max > (64u << 10))
		max = 64u << 10;
	if (spot > (int64_t)pos && f->act != F_FLIP && max > (uint64_t)spot - pos)
		max = (size_t)((uint64_t)spot - pos);
	ssize_t n = pread(c->reply.fd, buf, max, (off_t)(c->reply.off + pos));
	if (n <= 0) {
		msg_err(c->url, "stored content is shorter than its size");
		return MHD_CONTENT_READER_END_WITH_ERROR;
	}
	if (f != NULL && f->act == F_FLIP && spot >= (int64_t)pos && spot < (int64_t)pos + n)
		buf[spot - (int64_t)pos] ^= 1;
	rate_take((size_t)n);
	c->sent += (uint64_t)n;
	return n;
}

static bool spoils_body(const struct fault *f)
{
	return f != NULL && f->act != F_NONE && (f->in_body >= 0 || f->act == F_TRICKLE);
}

/* By the clock that the files' times are by. */
static void add_date(struct MHD_Response *m)
{
	time_t now = (time_t)server_now();
	struct tm tm;
	char text[64];

	strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
	MHD_add_response_header(m, "Date", text);
}

static enum MHD_Result send_reply(struct call *c)
{
	struct reply *r = &c->reply;
	struct MHD_Response *m;

	if (c->route == NULL || c->route->style != CONTROL)
		nap(opt.latency_ms);
	fault_spoil(c);
	if (c->answered)
		return MHD_NO;
	if (r->fd < 0) {
		m = MHD_create_response_from_buffer(r->len, r->body != NULL ? r->body : (char *)"",
			MHD_RESPMEM_MUST_COPY);
		rate_take(r->len);
		c->sent = r->len;
		/* before the end of the reply is out: the client may look at the log at once */
		log_call(c, true);
	} else if (opt.tls || opt.rate != 0 || spoils_body(c->fault)) {
		m = MHD_create_response_from_callback(r->n, READ_MAX, read_body, c, NULL);
	} else {
		m = MHD_create_response_from_fd_at_offset64(r->n, dup(r->fd), r->off);
	}
	if (m == NULL)
		return MHD_NO;
	if (r->type != NULL)
		MHD_add_response_header(m, "Content-Type", r->type);
	add_date(m);
	for (unsigned i = 0; i < r->headers; i++)
		MHD_add_response_header(m, r->header[i].name, r->header[i].value);
	MHD_add_response_header(m, "X-Dropbox-Request-Id", c->id);
	enum MHD_Result ok = MHD_queue_response(c->conn, (unsigned)r->status, m);
	MHD_destroy_response(m);
	return ok;
}

/* ---- the life of a call ---- */

static struct call *call_new(enum host host, struct MHD_Connection *conn, const char *url,
	const char *method)
{
	struct call *c = xmalloc(sizeof *c);

	memset(c, 0, sizeof *c);
	c->conn = conn;
	c->host = host;
	c->url = xstrdup(url);
	c->method = strcmp(method, "POST") == 0 ? "POST" : strcmp(method, "GET") == 0 ? "GET" : "?";
	c->reply.fd = -1;
	c->sink.fd = -1;
	c->token_state = "none";
	chance_text(c->id, 32, HEX);
	/* the token and control routes are outside /2; rclone asks for a token at /1 */
	const char *name = strncmp(url, "/2/", 3) == 0 ? url + 3
		: strcmp(url, "/1/oauth2/token") == 0 ? url + 3 : *url == '/' ? url + 1 : url;
	c->route = route_find(name);
	if (c->route != NULL && (c->route->host != host
		|| (url[1] == '2') != (c->route->style != FORM && c->route->style != CONTROL)))
		c->route = NULL;
	auth_note(c);
	log_arrive(c);
	return c;
}

static void call_free(struct call *c)
{
	sink_close(c);
	reply_clear(&c->reply);
	cJSON_Delete(c->arg);
	if (c->fault != NULL)
		fault_free(c->fault);
	free(c->argtext);
	free(c->body.p);
	free(c->url);
	free(c);
}

static void forget(void *cls, struct MHD_Connection *conn, void **state,
	enum MHD_RequestTerminationCode code)
{
	struct call *c = *state;

	(void)cls;
	(void)conn;
	if (c == NULL)
		return;
	bool complete = code == MHD_REQUEST_TERMINATED_COMPLETED_OK;
	if (complete && c->reply.fd >= 0)
		c->sent = c->reply.n;
	log_call(c, complete);
	sink_close(c);          /* before leaving: who waits for quiet finds the session free */
	log_leave(c);
	call_free(c);
	*state = NULL;
}

/* The headers of an upload are in. */
static enum MHD_Result begin_upload(struct call *c)
{
	uint64_t n = 0;
	bool known = body_length(c, &n);

	c->judged = true;
	if (call_ok(c)) {
		const cJSON *cursor = json_get(c->arg, "cursor");
		uint64_t base = (uint64_t)json_int(cursor, "offset", 0);

		fault_pick(c, base, known, base + n);
		if (!fault_before(c))
			return MHD_NO;
		if (!c->decided && known && n > BODY_MAX)
			reply_error(c, "payload_too_large");
		if (!c->decided && c->route->begin != NULL)
			c->route->begin(c);
	}
	if (c->decided && (header(c, "Expect") != NULL || n > BODY_MAX))
		return send_reply(c);
	return MHD_YES;
}

static bool upload_body(struct call *c, const char *data, size_t n)
{
	struct fault *f = c->fault;
	int64_t spot = f != NULL && !f->apply ? f->in_body : -1;

	if (f != NULL && f->act == F_TRICKLE)
		nap(f->ms);
	if (spot >= (int64_t)c->got && spot < (int64_t)(c->got + n)) {
		size_t before = (size_t)(spot - (int64_t)c->got);

		switch (f->act) {
		case F_RESET:
		case F_CLOSE:
		case F_SHORT:
			sink_write(c, data, before);
			c->got += before;
			if (f->act == F_RESET)
				hard_reset(c);
			return false;
		case F_EARLY:
			fault_reply(c);
			raw_reply(c, "early");
			break;
		case F_STALL:
			stall(c);
			break;
		default:
			break;
		}
		f->in_body = -1;
	}
	rate_take(n);
	if (!c->decided)
		sink_write(c, data, n);
	c->got += n;
	if (!c->decided && c->got > BODY_MAX)
		reply_error(c, "payload_too_large");
	return !stopping();
}

static enum MHD_Result finish_call(struct call *c)
{
	if (c->answered)
		return MHD_NO;
	if (!c->judged && !c->decided) {
		uint64_t from = 0, to = 0;
		const char *range = header(c, "Range");
		int got =
			range != NULL ? sscanf(range, "bytes=%" SCNu64 "-%" SCNu64, &from, &to) : 0;

		if (c->route != NULL && c->route->style != CONTROL) {
			fault_pick(c, from, got == 2, to + 1);
			if (!fault_before(c))
				return MHD_NO;
		}
		if (!c->decided)
			(void)call_ok(c);
	}
	if (!c->decided && c->sink.failed)
		reply_text(c, 500, "text/plain", "cannot store the body");
	if (!c->decided)
		c->route->run(c);
	return send_reply(c);
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *conn, const char *url,
	const char *method, const char *version, const char *data, size_t *size, void **state)
{
	struct call *c = *state;

	(void)version;
	if (c == NULL) {
		c = *state = call_new((enum host)(intptr_t)cls, conn, url, method);
		return c->route != NULL && c->route->style == UPLOAD
				&& strcmp(c->method, "POST") == 0
			? begin_upload(c)
			: MHD_YES;
	}
	if (*size > 0) {
		size_t n = *size;

		*size = 0;
		if (c->route != NULL && c->route->style == UPLOAD)
			return upload_body(c, data, n) ? MHD_YES : MHD_NO;
		c->got += n;
		if (c->got > RPC_MAX && !c->decided)
			reply_text(c, 413, "text/plain", "Request Entity Too Large");
		if (!c->decided)
			text_add(&c->body, data, n);
		return MHD_YES;
	}
	return finish_call(c);
}

/* ---- start and stop ---- */

static char *slurp(const char *path)
{
	struct text t = { 0 };
	char buf[4096];
	size_t n;
	FILE *f = fopen(path, "re");

	if (f == NULL) {
		msg_errno(path, "cannot open");
		return NULL;
	}
	while ((n = fread(buf, 1, sizeof buf, f)) > 0)
		text_add(&t, buf, n);
	fclose(f);
	return t.p;
}

bool server_start(int listener[HOSTS], const char *cert, const char *key)
{
	unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD
		| MHD_USE_POLL | MHD_USE_ITC;
	struct MHD_OptionItem tls[] = { { MHD_OPTION_END, 0, NULL }, { MHD_OPTION_END, 0, NULL },
		{ MHD_OPTION_END, 0, NULL } };

	if (opt.tls) {
		pem[0] = slurp(cert);
		pem[1] = slurp(key);
		if (pem[0] == NULL || pem[1] == NULL)
			return false;
		flags |= MHD_USE_TLS;
		tls[0] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_CERT, 0, pem[0] };
		tls[1] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_KEY, 0, pem[1] };
	}
	for (int h = 0; h < HOSTS; h++) {
		daemons[h] = MHD_start_daemon(flags, 0, NULL, NULL, handle, (void *)(intptr_t)h,
			MHD_OPTION_LISTEN_SOCKET, listener[h],
			MHD_OPTION_NOTIFY_COMPLETED, forget, NULL,
			MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)512 << 10,
			MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)128 << 10,
			MHD_OPTION_CONNECTION_LIMIT, 500u,
			MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
		if (daemons[h] == NULL) {
			msg_err(base_url[h], "cannot start a server");
			return false;
		}
	}
	return true;
}

void server_stop(void)
{
	for (int h = 0; h < HOSTS; h++) {
		if (daemons[h] != NULL)
			MHD_stop_daemon(daemons[h]);
	}
	free(pem[0]);
	free(pem[1]);
}
