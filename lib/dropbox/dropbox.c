#include "lib/std.h"

#include <pthread.h>
#include <stdarg.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/settings.h"
#include "lib/dropbox/dropbox.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/stop.h"

#define TEXT_MAX ((size_t)4 << 20)	/* a list_folder page of 2000 long names is under 3 MiB */
#define STALL_MS INT64_C(60000)
#define TRIES 8u			/* without progress: about three minutes */
#define BACKOFF_MS INT64_C(1000)
#define SLOW_ROUTE 10			/* times the stall limit: to finish a large file takes Dropbox minutes */

struct dropbox {
	char *api, *content, *notify, *token_url;	/* without a trailing slash */
	const char *key, *secret, *refresh;	/* the configuration owns them; NULL when not set */
	const char *ca_file;
	int64_t deadline_ms, backoff_ms, stall_ms;
	pthread_mutex_t lock;			/* guards what follows */
	char *access;				/* NULL when one is still to be fetched */
	int64_t expires_ms;			/* clock_ms() from which access is too old to use */
	int64_t rate_limited_until_ms;			/* clock_ms(); until then Dropbox takes no request (429) */
};

static char *copy(const char *s)
{
	char *out = strdup(s != NULL ? s : "");

	if (out == NULL)
		abort();
	return out;
}

static void report_hint(const char *value)
{
	const char *hint = config_hint(value);

	if (hint != NULL)
		msg_hint("%s", hint);
}

/* The configuration's duration name, or fallback; false (reported) when it is none. */
static bool conf_duration(const char *name, int64_t fallback, int64_t *out)
{
	const char *text = config_get(name), *why;

	*out = fallback;
	if (text == NULL || (why = num_duration(text, out)) == NULL)
		return true;
	msg_err(name, "%s", why);
	report_hint(text);
	return false;
}

static char *conf_url(const char *name, const char *fallback)
{
	const char *text = config_get(name);
	char *url = strdup(text != NULL ? text : fallback);

	if (url == NULL)
		return NULL;
	for (size_t n = strlen(url); n > 0 && url[n - 1] == '/'; n--)
		url[n - 1] = '\0';
	if (http_url_is_safe(url))
		return url;
	msg_err(name, "must be an https URL (plain http only to a loopback address)");
	report_hint(url);
	free(url);
	return NULL;
}

/* All but the credentials. */
static int prepare(struct dropbox **out, int64_t timeout_ms)
{
	struct dropbox *d = calloc(1, sizeof *d);
	char *token_default = NULL;
	int64_t now = clock_ms();

	*out = NULL;
	if (d == NULL || http_global_init() != 0) {
		msg_err(NULL, "out of memory");
		free(d);
		return EX_SOFTWARE;
	}
	/* the tokens are in our memory from here on: no core dump, no ptrace by others of this user */
#ifndef __SANITIZE_ADDRESS__	/* whose leak check is a ptrace of itself */
	prctl(PR_SET_DUMPABLE, 0);
#endif
	pthread_mutex_init(&d->lock, NULL);
	d->api = conf_url("DROPBOX_API_URL", "https://api.dropboxapi.com");
	d->content = conf_url("DROPBOX_CONTENT_URL", "https://content.dropboxapi.com");
	d->notify = conf_url("DROPBOX_NOTIFY_URL", "https://notify.dropboxapi.com");
	if (d->api == NULL || d->content == NULL || d->notify == NULL || asprintf(&token_default, "%s/oauth2/token", d->api) < 0)
		goto fail;
	d->token_url = conf_url("DROPBOX_TOKEN_URL", token_default);
	if (d->token_url == NULL || !conf_duration("CTV_BACKOFF", BACKOFF_MS, &d->backoff_ms) ||
	    !conf_duration("CTV_STALL", STALL_MS, &d->stall_ms))
		goto fail;
	d->ca_file = config_get("DROPBOX_CA_FILE");
	if (d->ca_file != NULL && access(d->ca_file, R_OK) != 0) {
		msg_errno("DROPBOX_CA_FILE", "%s", d->ca_file);
		goto fail;
	}
	d->deadline_ms = timeout_ms > 0 ? now + timeout_ms : INT64_MAX;
	free(token_default);
	*out = d;
	return EX_OK;
fail:
	free(token_default);
	dropbox_close(d);
	return EX_CONFIG;
}

/* A credential, or NULL: neither a key nor a token has white space. */
static bool in_one_word(const char *name, const char *value)
{
	if (value == NULL || strpbrk(value, " \t\r\n") == NULL)
		return true;
	msg_err(name, "has white space, so it is no token");
	report_hint(value);
	return false;
}

int dropbox_open(struct dropbox **out, int64_t timeout_ms)
{
	const char *token = config_get("DROPBOX_ACCESS_TOKEN");
	struct dropbox *d;
	int rc = prepare(&d, timeout_ms);

	*out = NULL;
	if (rc != EX_OK)
		return rc;
	d->key = config_get("DROPBOX_APP_KEY");
	d->secret = config_get("DROPBOX_APP_SECRET");
	d->refresh = config_get("DROPBOX_REFRESH_TOKEN");
	if (!in_one_word("DROPBOX_ACCESS_TOKEN", token) || !in_one_word("DROPBOX_APP_KEY", d->key) ||
	    !in_one_word("DROPBOX_APP_SECRET", d->secret) || !in_one_word("DROPBOX_REFRESH_TOKEN", d->refresh)) {
		dropbox_close(d);
		return EX_CONFIG;
	}
	if (token == NULL && (d->refresh == NULL || d->key == NULL)) {
		msg_err(config_path(), "no Dropbox credentials: DROPBOX_APP_KEY and DROPBOX_REFRESH_TOKEN are needed");
		msg_hint("dbx-auth login stores them");
		dropbox_close(d);
		return EX_CONFIG;
	}
	if (token != NULL) {
		d->access = copy(token);
		d->expires_ms = INT64_MAX;
	}
	*out = d;
	return EX_OK;
}

int dropbox_open_app(struct dropbox **out, const char *key, const char *secret, int64_t timeout_ms)
{
	int rc = prepare(out, timeout_ms);

	if (rc == EX_OK) {
		(*out)->key = key;
		(*out)->secret = secret;
	}
	return rc;
}

static void forget(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

void dropbox_close(struct dropbox *d)
{
	if (d == NULL)
		return;
	forget(d->access);
	free(d->api);
	free(d->content);
	free(d->notify);
	free(d->token_url);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

struct http *dropbox_connect(struct dropbox *d)
{
	struct http *h = http_new(d->ca_file);

	if (h == NULL)
		msg_err(NULL, "out of memory");
	return h;
}

int dropbox_begin(struct dropbox **d, struct http **h, int64_t timeout_ms)
{
	int rc = config_load();

	*d = NULL;
	*h = NULL;
	if (rc == EX_OK)
		rc = dropbox_open(d, timeout_ms);
	if (rc == EX_OK && (*h = dropbox_connect(*d)) == NULL)
		rc = EX_SOFTWARE;
	return rc;
}

void dropbox_end(struct dropbox *d, struct http *h)
{
	http_free(h);
	dropbox_close(d);
	config_free();
}

int dropbox_each(char **paths, int count, int64_t timeout_ms, int (*one)(struct dropbox *d, struct http *h, const char *path))
{
	struct dropbox *d;
	struct http *h;
	int rc = dropbox_begin(&d, &h, timeout_ms);

	for (int i = 0, begun = rc; i < count && begun == EX_OK && !stop_asked(); i++) {
		int status = one(d, h, paths[i]);

		rc = rc != EX_OK ? rc : status;
	}
	dropbox_end(d, h);
	return rc;
}

/* --- metadata --- */

bool dropbox_meta_read(struct dropbox_meta *m, const json *j)
{
	const char *tag = json_str(j, ".tag"), *path = json_str(j, "path_display");
	const char *rev = json_str(j, "rev"), *hash = json_str(j, "content_hash");
	const char *client = json_str(j, "client_modified"), *server = json_str(j, "server_modified");

	*m = (struct dropbox_meta){ .kind = 'f' };
	if (tag != NULL && strcmp(tag, "folder") == 0)
		m->kind = 'd';
	else if (tag != NULL && strcmp(tag, "deleted") == 0)
		m->kind = 'x';
	else if (tag != NULL && strcmp(tag, "file") != 0)
		return false;
	if (m->kind == 'f') {
		if (rev == NULL || !json_int(j, "size", 0, INT64_MAX, &m->size) || client == NULL ||
		    clock_parse(client, &m->client_modified) != NULL || server == NULL ||
		    clock_parse(server, &m->server_modified) != NULL)
			return false;
		if (!dropbox_is_rev(rev))
			return false;
		if (hash != NULL && !hash_valid(hash))
			return false;
		snprintf(m->content_hash, sizeof m->content_hash, "%s", hash != NULL ? hash : "");
	}
	m->path = copy(path != NULL ? path : json_str(j, "name"));
	m->rev = copy(rev);
	m->id = copy(json_str(j, "id"));
	return true;
}

void dropbox_meta_free(struct dropbox_meta *m)
{
	free(m->path);
	free(m->rev);
	free(m->id);
	*m = (struct dropbox_meta){ .kind = 'x' };
}

json *dropbox_meta_json(const struct dropbox_meta *m)
{
	json *j = json_object();
	char time[CLOCK_TEXT];

	json_put_str(j, "path", m->path);
	json_put_str(j, "rev", m->rev);
	json_put_int(j, "size", m->size);
	json_put_str(j, "content_hash", m->content_hash);
	json_put_str(j, "client_modified", clock_text(time, m->client_modified));
	json_put_str(j, "server_modified", clock_text(time, m->server_modified));
	json_put_str(j, "id", m->id);
	return j;
}

/* --- what an answer means --- */

static void PRINTF_LIKE(3, 4) fail(struct dropbox_answer *a, int rc, const char *fmt, ...)
{
	va_list ap;

	a->rc = rc;
	va_start(ap, fmt);
	vsnprintf(a->cause, sizeof a->cause, fmt, ap);
	va_end(ap);
}

/*
 * Joins the tags of an error: {".tag":"path","path":{".tag":"not_found"}} is path/not_found. A struct
 * is flattened beside its tag (upload's `reason`), a union nested under a member of the tag's name.
 */
static void join_tags(const json *error, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	for (int depth = 0; error != NULL && depth < 6; depth++) {
		const char *tag = json_tag(error);
		const json *inner = json_get(error, tag);

		if (*tag == '\0' || n + strlen(tag) + 2 > size)
			return;
		n += (size_t)snprintf(out + n, size - n, "%s%s", n > 0 ? "/" : "", tag);
		error = inner != NULL && (json_is_object(inner) || *json_tag(inner) != '\0') ? inner :
			json_get(error, "reason");
	}
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

/* Our exit status for a 409, by its last tags; the first row that fits. */
static const struct {
	const char *end;
	int rc;
	bool again;
	const char *cause, *hint;
} meanings[] = {
	{ "not_found", EX_NOINPUT, false, "not found in Dropbox", NULL },
	{ "too_many_write_operations", EX_TEMPFAIL, true, "Dropbox is busy with other writes", NULL },
	{ "internal_error", EX_UNAVAILABLE, true, "Dropbox has an internal error", NULL },
	{ "in_progress", EX_TEMPFAIL, true, "Dropbox is still busy with it", NULL },
	{ "content_hash_mismatch", EX_DATAERR, true, "arrived damaged at Dropbox", NULL },
	{ "locked", EX_NOPERM, true, "locked by somebody in Dropbox", NULL },
	{ "conflict/file", EX_CANTCREAT, false, "another file is there", NULL },
	{ "conflict/folder", EX_CANTCREAT, false, "a folder is there", NULL },
	{ "conflict/file_ancestor", EX_CONFIG, false, "a file stands where a folder is needed", "give that file another name" },
	{ "conflict", EX_CANTCREAT, false, "something else is there", NULL },
	{ "insufficient_space", EX_IOERR, false, "no space left in Dropbox", "make room in Dropbox" },
	{ "insufficient_quota", EX_IOERR, false, "no space left in Dropbox", "make room in Dropbox" },
	{ "not_file", EX_DATAERR, false, "not a file", NULL },
	{ "not_folder", EX_DATAERR, false, "not a folder", NULL },
	{ "restricted_content", EX_DATAERR, false, "Dropbox refuses this content", NULL },
	{ "unsupported_file", EX_DATAERR, false, "cannot be downloaded as a file", NULL },
	{ "malformed_path", EX_DATAERR, false, "Dropbox does not take this name", NULL },
	{ "disallowed_name", EX_DATAERR, false, "Dropbox does not take this name", NULL },
	{ "no_write_permission", EX_NOPERM, false, "no permission to write there", NULL },
	{ "access_restricted", EX_NOPERM, false, "access is restricted", NULL },
	{ "team_folder", EX_NOPERM, false, "a team folder", NULL },
};

static void judge_409(struct dropbox_answer *a)
{
	/* half an answer, or a gateway's page: the next one may be whole */
	a->again = a->body == NULL;
	join_tags(json_get(a->body, "error"), a->tag, sizeof a->tag);
	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
		if (!ends_with(a->tag, meanings[i].end))
			continue;
		a->again = meanings[i].again;
		a->hint = meanings[i].hint;
		fail(a, meanings[i].rc, "%s", meanings[i].cause);
		return;
	}
	fail(a, EX_PROTOCOL, "Dropbox refuses: %s", *a->tag != '\0' ? a->tag : "an answer without a tag");
}

static void judge_auth(struct dropbox_answer *a)
{
	const json *error = json_get(a->body, "error");
	const char *tag = json_tag(error), *scope = json_str(error, "required_scope");

	snprintf(a->tag, sizeof a->tag, "%s", tag);
	if (strcmp(tag, "missing_scope") == 0) {
		fail(a, EX_NOPERM, "the token lacks the scope %s", scope != NULL ? scope : "that this needs");
		a->hint = "tick the scope in the app's settings, then dbx-auth login again: "
			  "a token keeps the scopes it was issued with";
	} else {
		fail(a, EX_NOPERM, "Dropbox does not accept the token%s%s", *tag != '\0' ? ": " : "", tag);
		a->hint = "dbx-auth login";
	}
}

/* A plan that lacks a feature, or whose month has no calls left, which only the words tell. */
static void judge_403(struct dropbox_answer *a)
{
	const char *text = json_str(json_get(a->body, "user_message"), "text");

	join_tags(json_get(a->body, "error"), a->tag, sizeof a->tag);
	fail(a, EX_NOPERM, "Dropbox does not allow that to this account%s%s%s%.300s", *a->tag != '\0' ? ": " : "", a->tag,
	     text != NULL ? ": " : "", text != NULL ? text : "");
}

static void judge_400(struct dropbox_answer *a, const struct http_response *r)
{
	const char *text = json_str(json_get(a->body, "user_message"), "text");

	if (text == NULL)
		text = r->text.len > 0 && a->body == NULL ? buf_text(&r->text) : "a request that it does not take";
	if (strstr(text, "not permitted") != NULL) {
		fail(a, EX_NOPERM, "%.300s", text);
		a->hint = "tick the scope in the app's settings, then dbx-auth login again";
	} else {
		fail(a, EX_SOFTWARE, "Dropbox does not take the request: %.300s", text);
	}
}

static void judge_status(struct dropbox_answer *a, const struct http_response *r)
{
	int64_t seconds;

	a->body = json_parse(buf_text(&r->text), r->text.len);
	if (r->status == 409) {
		judge_409(a);
	} else if (r->status == 401) {
		judge_auth(a);
	} else if (r->status == 403) {
		judge_403(a);
	} else if (r->status == 400) {
		judge_400(a, r);
	} else if (r->status == 429) {
		a->again = true;
		if (a->retry_after_ms < 0 &&
		    json_int(json_get(a->body, "error"), "retry_after", 0, INT32_MAX, &seconds))
			a->retry_after_ms = seconds * 1000;
		fail(a, EX_TEMPFAIL, "Dropbox limits the rate of requests");
	} else if (r->status >= 500 || r->status == 408 || r->status == 460) {
		a->again = true;
		a->lost = true;	/* a gateway may give up while the work goes on behind it */
		fail(a, EX_UNAVAILABLE, "Dropbox answers %d", r->status);
	} else {
		fail(a, EX_PROTOCOL, "answer %d, which is not Dropbox's", r->status);
		if (r->status >= 300 && r->status < 400)
			a->hint = "something between here and Dropbox redirects";
	}
	if (r->request_id[0] != '\0')
		snprintf(a->cause + strlen(a->cause), sizeof a->cause - strlen(a->cause), " (request %s)",
			 r->request_id);
}

static void judge_transport(struct dropbox_answer *a, enum http_result result, const struct http_response *r)
{
	a->lost = true;
	switch (result) {
	case HTTP_STOPPED:
		fail(a, EX_TEMPFAIL, "interrupted");
		break;
	case HTTP_LATE:
		fail(a, EX_TEMPFAIL, "out of time");
		break;
	case HTTP_FATAL:
		fail(a, EX_UNAVAILABLE, "%s", r->why);
		a->hint = "is the clock right, is the network Dropbox's?";
		break;
	case HTTP_FOREIGN:
		fail(a, EX_PROTOCOL, "%s", r->why);
		break;
	default:
		a->again = true;
		fail(a, EX_UNAVAILABLE, "%s", r->why);
	}
}

void dropbox_answer_free(struct dropbox_answer *a)
{
	json_free(a->body);
	a->body = NULL;
}

int dropbox_report(const char *object, const struct dropbox_answer *a)
{
	/* without a cause a callback has reported already */
	if (a->cause[0] != '\0')
		msg_err(object, "%s", a->cause);
	if (a->hint != NULL)
		msg_hint("%s", a->hint);
	return a->rc;
}

/* --- the access token (RFC 6749; https://www.dropbox.com/developers/documentation/http, /oauth2/token) --- */

/* Room for a token that is renewed while the last request with it is still under way. */
#define TOKEN_MARGIN_MS INT64_C(300000)

static void judge_token(struct dropbox_answer *a, const struct http_response *r)
{
	const char *error;

	judge_status(a, r);
	error = json_str(a->body, "error");
	if (a->again || error == NULL)
		return;
	snprintf(a->tag, sizeof a->tag, "%.100s", error);
	if (strcmp(error, "invalid_grant") == 0) {
		fail(a, EX_NOPERM, "the refresh token is revoked or wrong");
		a->hint = "dbx-auth login";
	} else if (strncmp(error, "invalid_client", 14) == 0) {
		fail(a, EX_CONFIG, "DROPBOX_APP_KEY or DROPBOX_APP_SECRET is wrong");
	} else {
		fail(a, EX_NOPERM, "no access token: %.100s", error);
	}
}

static bool form_add(struct buf *b, const char *name, const char *value)
{
	return (b->len == 0 || buf_adds(b, "&") == 0) && buf_adds(b, name) == 0 && buf_adds(b, "=") == 0 &&
	       http_urlencode(b, value) == 0;
}

/* Asks for an access token with the form, which is complete when good. The answer stays in a->body. */
static void ask_token(struct dropbox *d, struct http *h, const struct buf *form, bool good, struct dropbox_answer *a)
{
	static const char *const headers[] = { "Content-Type: application/x-www-form-urlencoded", NULL };
	struct http_response r = { .status = 0 };
	struct http_request q = { .url = d->token_url, .post = true, .headers = headers,
				  .body = form->data, .body_len = form->len,
				  .deadline_ms = d->deadline_ms, .stall_ms = d->stall_ms, .text_max = 64 << 10 };
	enum http_result result;
	const char *token;
	int64_t seconds;

	if (!good) {
		fail(a, EX_CONFIG, "the credentials are too long");
		return;
	}
	result = http_send(h, &q, &r);
	a->retry_after_ms = r.retry_after_ms;
	if (result != HTTP_DONE) {
		judge_transport(a, result, &r);
	} else if (r.status != 200) {
		judge_token(a, &r);
	} else {
		a->body = json_parse(buf_text(&r.text), r.text.len);
		token = json_str(a->body, "access_token");
		if (token == NULL || *token == '\0' || strpbrk(token, "\r\n") != NULL) {
			a->again = true;
			fail(a, EX_PROTOCOL, "the token server's answer is not Dropbox's");
			goto out;
		}
		if (!json_int(a->body, "expires_in", 1, INT32_MAX, &seconds))
			seconds = 14400;
		forget(d->access);
		d->access = copy(token);
		d->expires_ms = clock_ms() + seconds * 1000 - TOKEN_MARGIN_MS;
		msg_info("new access token, good for %lld s", (long long)seconds);
	}
out:
	http_response_free(&r);
}

/* Gets a new access token by the refresh token. Called under the lock. */
static void renew(struct dropbox *d, struct http *h, struct dropbox_answer *a)
{
	struct buf form = BUF_INIT(64 << 10);
	bool good = form_add(&form, "grant_type", "refresh_token") && form_add(&form, "refresh_token", d->refresh) &&
		    form_add(&form, "client_id", d->key) &&
		    (d->secret == NULL || form_add(&form, "client_secret", d->secret));

	ask_token(d, h, &form, good, a);
	/* the body is the token's; the route's own answer comes into the same struct */
	dropbox_answer_free(a);
	buf_free(&form);
}

void dropbox_exchange(struct dropbox *d, struct http *h, const char *code, const char *verifier,
		      struct dropbox_answer *a)
{
	struct buf form = BUF_INIT(64 << 10);
	struct retry pace = dropbox_pace(d);
	bool good = form_add(&form, "grant_type", "authorization_code") && form_add(&form, "code", code) &&
		    form_add(&form, "client_id", d->key) &&
		    (verifier != NULL ? form_add(&form, "code_verifier", verifier) :
					form_add(&form, "client_secret", d->secret));

	for (;;) {
		*a = (struct dropbox_answer){ .retry_after_ms = -1 };
		ask_token(d, h, &form, good, a);
		if (a->rc == EX_OK || !dropbox_again(&pace, a))
			break;
		dropbox_answer_free(a);
	}
	if (strcmp(a->tag, "invalid_grant") == 0) {
		fail(a, EX_NOPERM, "the code is wrong, used already, or older than a few minutes");
		a->hint = "dbx-auth login gives a new page";
	} else if (a->rc == EX_OK && json_str(a->body, "refresh_token") == NULL) {
		fail(a, EX_PROTOCOL, "the token server gives no refresh token");
	}
	buf_free(&form);
}

/*
 * The Authorization header. stale is a header that the server has just refused as expired, or NULL: the
 * token is renewed when it is too old or still that one (another thread may have renewed it already).
 * NULL when there is none; a says why.
 */
static char *authorization(struct dropbox *d, struct http *h, const char *stale, struct dropbox_answer *a)
{
	static const char prefix[] = "Authorization: Bearer ";
	char *header = NULL;
	bool old;

	pthread_mutex_lock(&d->lock);
	old = d->access == NULL || clock_ms() >= d->expires_ms ||
	      (stale != NULL && strcmp(stale + sizeof prefix - 1, d->access) == 0);
	if (old && d->refresh != NULL && d->key != NULL)
		renew(d, h, a);
	else if (old && stale != NULL)
		fail(a, EX_NOPERM, "DROPBOX_ACCESS_TOKEN has expired, and there is no refresh token");
	if (a->rc == EX_OK && asprintf(&header, "%s%s", prefix, d->access) < 0) {
		header = NULL;
		fail(a, EX_SOFTWARE, "out of memory");
	}
	pthread_mutex_unlock(&d->lock);
	a->lost = false;	/* whatever became of the token's reply: the call itself was not sent */
	return header;
}

/* --- one call --- */

/* The call under way, for the callbacks of http. */
struct exchange {
	const struct dropbox_call *call;
	struct dropbox_answer *answer;
	bool wrote;		/* a byte went to the caller */
	int refused;		/* the exit status by which a callback ended it, EX_OK while none has */
};

static size_t pass_read(void *ctx, uint64_t at, char *buf, size_t len)
{
	struct exchange *x = ctx;
	size_t n = x->call->read(x->call->ctx, at, buf, len);

	if (n == 0)
		x->refused = EX_IOERR;
	return n;
}

/* Is this answer the bytes that were asked for? Everything is known before the first of them is taken. */
static int check_download(void *ctx, const struct http_response *r)
{
	struct exchange *x = ctx;
	const struct dropbox_call *c = x->call;
	struct dropbox_meta m = { .kind = 'x' };
	json *j = json_parse(buf_text(&r->api_result), r->api_result.len);

	x->refused = EX_PROTOCOL;
	if (j == NULL || !dropbox_meta_read(&m, j)) {
		x->answer->again = true;
		fail(x->answer, EX_PROTOCOL, "the answer is not Dropbox's (no Dropbox-API-Result)");
	} else if (r->encoded) {
		fail(x->answer, EX_PROTOCOL, "the answer is compressed, which nobody asked for");
	} else if (c->ranged && r->status == 200) {
		snprintf(x->answer->tag, sizeof x->answer->tag, "range_ignored");
		fail(x->answer, EX_PROTOCOL, "the server ignores ranges");
	} else if (r->status != (c->ranged ? 206 : 200)) {
		fail(x->answer, EX_PROTOCOL, "answer %d, which is not Dropbox's", r->status);
	} else if (c->ranged && (!r->ranged || r->first != c->from || r->last != c->to ||
				 r->total != (uint64_t)m.size)) {
		x->answer->again = true;
		fail(x->answer, EX_PROTOCOL, "the answer has other bytes than were asked for");
	} else {
		x->refused = c->begin != NULL ? c->begin(c->ctx, &m) : EX_OK;
	}
	dropbox_meta_free(&m);
	json_free(j);
	return x->refused;
}

static int pass_write(void *ctx, const void *data, size_t len)
{
	struct exchange *x = ctx;

	x->wrote = true;
	x->refused = x->call->write(x->call->ctx, data, len);
	return x->refused;
}

static void judge_good(const struct dropbox_call *c, struct dropbox_answer *a, const struct http_response *r)
{
	if (c->style == DROPBOX_DOWNLOAD)
		return;
	/* append_v2 says `null`, or nothing at all */
	if (r->text.len == 0 && c->style == DROPBOX_UPLOAD && strstr(c->route, "append") != NULL)
		return;
	a->body = json_parse(buf_text(&r->text), r->text.len);
	a->length = r->text.len;
	if (a->body != NULL)
		return;
	/* a cut or foreign answer to a call that may well have been carried out */
	a->again = a->lost = true;
	fail(a, EX_PROTOCOL, "the answer is not Dropbox's (no JSON)");
}

static enum http_result exchange(struct dropbox *d, struct http *h, struct exchange *x, const char *auth,
				 struct http_response *r)
{
	const struct dropbox_call *c = x->call;
	char *arg = c->arg != NULL ? json_ascii(c->arg) : NULL, *arg_header = NULL, *url = NULL;
	char range[64];
	const char *const hosts[] = { [DROPBOX_RPC] = d->api, [DROPBOX_UPLOAD] = d->content, [DROPBOX_DOWNLOAD] = d->content,
				      [DROPBOX_NOTIFY] = d->notify };
	const char *headers[5] = { NULL };
	size_t n = 0;
	struct http_request q = { .post = c->style != DROPBOX_DOWNLOAD, .headers = headers, .ctx = x,
				  .deadline_ms = d->deadline_ms, .stall_ms = d->stall_ms, .text_max = TEXT_MAX };
	enum http_result result = HTTP_FATAL;

	if (asprintf(&url, "%s/2/%s", hosts[c->style], c->route) < 0) {
		url = NULL;
		goto out;
	}
	q.url = url;
	if (ends_with(c->route, "/finish"))
		q.stall_ms *= SLOW_ROUTE;
	if (c->style == DROPBOX_NOTIFY) {
		/* the server keeps the answer back on purpose, so silence is no stall */
		q.stall_ms = 0;
		q.deadline_ms = clock_ms() + c->hold_ms < d->deadline_ms ? clock_ms() + c->hold_ms : d->deadline_ms;
	} else {
		headers[n++] = auth;
	}
	if (c->style == DROPBOX_RPC || c->style == DROPBOX_NOTIFY) {
		headers[n++] = "Content-Type: application/json";
		q.body = arg != NULL ? arg : "null";
		q.body_len = strlen(q.body);
	} else {
		if (asprintf(&arg_header, "Dropbox-API-Arg: %s", arg != NULL ? arg : "null") < 0) {
			arg_header = NULL;
			goto out;
		}
		headers[n++] = arg_header;
	}
	if (c->style == DROPBOX_UPLOAD) {
		headers[n++] = "Content-Type: application/octet-stream";
		q.body = c->body_len == 0 ? "" : c->body;
		q.body_len = c->body_len;
		q.read = pass_read;
	}
	if (c->style == DROPBOX_DOWNLOAD) {
		q.accept = check_download;
		q.write = pass_write;
		if (c->ranged) {
			snprintf(range, sizeof range, "Range: bytes=%llu-%llu", (unsigned long long)c->from,
				 (unsigned long long)c->to);
			headers[n++] = range;
		}
	}
	result = http_send(h, &q, r);
	/* the limit of this call has passed, not that of the whole run */
	if (result == HTTP_LATE && q.deadline_ms < d->deadline_ms)
		result = HTTP_FAILED;
out:
	free(arg);
	free(arg_header);
	free(url);
	return result;
}

/* Dropbox counts what is asked meanwhile against the limit, so a 429 to one thread silences all. */
static void wait_for_rate_limit(struct dropbox *d)
{
	int64_t until;

	pthread_mutex_lock(&d->lock);
	until = d->rate_limited_until_ms < d->deadline_ms ? d->rate_limited_until_ms : d->deadline_ms;
	pthread_mutex_unlock(&d->lock);
	clock_sleep(until - clock_ms());
}

static void note_rate_limit(struct dropbox *d, int64_t ms)
{
	int64_t until = clock_ms() + retry_hint(ms);

	pthread_mutex_lock(&d->lock);
	if (until > d->rate_limited_until_ms)
		d->rate_limited_until_ms = until;
	pthread_mutex_unlock(&d->lock);
}

void dropbox_try(struct dropbox *d, struct http *h, const struct dropbox_call *c, struct dropbox_answer *a)
{
	struct exchange x = { .call = c, .answer = a };
	char *auth = NULL;

	*a = (struct dropbox_answer){ .retry_after_ms = -1 };
	/* twice at most: the second time with a new token */
	for (int turn = 0; turn < 2; turn++) {
		struct http_response r = { .status = 0 };
		char *stale = auth;
		enum http_result result;
		bool expired;

		wait_for_rate_limit(d);
		auth = c->style != DROPBOX_NOTIFY ? authorization(d, h, stale, a) : copy("");
		forget(stale);
		if (auth == NULL)
			return;
		result = exchange(d, h, &x, auth, &r);
		a->retry_after_ms = r.retry_after_ms;
		a->date = r.date;
		if (x.refused != EX_OK && result == HTTP_REFUSED) {
			if (a->rc == EX_OK)
				a->rc = x.refused;	/* the caller's callback has reported */
		} else if (result != HTTP_DONE) {
			judge_transport(a, result, &r);
		} else if (r.status < 200 || r.status > 299) {
			judge_status(a, &r);
			if (r.status == 429 && a->retry_after_ms >= 0)
				note_rate_limit(d, a->retry_after_ms);
		} else {
			judge_good(c, a, &r);
		}
		a->lost = a->lost || r.resent;
		http_response_free(&r);
		expired = a->rc == EX_NOPERM && strcmp(a->tag, "expired_access_token") == 0;
		if (!expired || x.wrote || turn == 1)
			break;
		dropbox_answer_free(a);
		*a = (struct dropbox_answer){ .retry_after_ms = -1 };
	}
	forget(auth);
}

int64_t dropbox_stall(const struct dropbox *d)
{
	return d->stall_ms;
}

struct retry dropbox_pace(const struct dropbox *d)
{
	return (struct retry){ .base_ms = d->backoff_ms, .deadline_ms = d->deadline_ms, .most = TRIES };
}

bool dropbox_again(struct retry *r, struct dropbox_answer *a)
{
	char text[NUM_TEXT];
	unsigned dice = 500;
	int64_t pause;

	if (!a->again)
		return false;
	if (getrandom(&dice, sizeof dice, GRND_NONBLOCK) != sizeof dice)
		dice = 500;
	pause = retry_next(r, clock_ms(), a->retry_after_ms, dice % 1000);
	if (pause < 0)
		return false;
	msg_info("%s; trying again in %s", a->cause, num_duration_text(text, pause));
	clock_sleep(pause);
	/* after a stop this, and not the failure before it, is why the run ends */
	if (stop_asked())
		fail(a, EX_TEMPFAIL, "interrupted");
	return !stop_asked();
}

void dropbox_do(struct dropbox *d, struct http *h, const struct dropbox_call *c, struct dropbox_answer *a)
{
	struct retry r = dropbox_pace(d);
	bool lost = false;

	for (;;) {
		dropbox_try(d, h, c, a);
		lost = lost || a->lost;
		if (a->rc == EX_OK || !dropbox_again(&r, a))
			break;
		dropbox_answer_free(a);
	}
	a->lost = lost;
}

int dropbox_metadata(struct dropbox *d, struct http *h, const char *path, struct dropbox_meta *m)
{
	json *arg = json_object();
	struct dropbox_call c = { .style = DROPBOX_RPC, .route = "files/get_metadata", .arg = arg };
	struct dropbox_answer a;
	int rc;

	*m = (struct dropbox_meta){ .kind = 'x' };
	json_put_str(arg, "path", path);
	dropbox_do(d, h, &c, &a);
	rc = a.rc;
	if (rc == EX_OK && !dropbox_meta_read(m, a.body)) {
		msg_err(path, "the answer is not Dropbox's metadata");
		rc = EX_PROTOCOL;
	} else if (rc != EX_OK && rc != EX_NOINPUT) {
		dropbox_report(path, &a);
	}
	dropbox_answer_free(&a);
	json_free(arg);
	return rc;
}

int dropbox_delete(struct dropbox *d, struct http *h, const char *path, const char *rev)
{
	json *arg = json_object();
	struct dropbox_call c = { .style = DROPBOX_RPC, .route = "files/delete_v2", .arg = arg };
	struct dropbox_answer a;
	int rc;

	json_put_str(arg, "path", path);
	if (rev != NULL)
		json_put_str(arg, "parent_rev", rev);
	dropbox_do(d, h, &c, &a);
	rc = a.rc;
	if (rc == EX_NOINPUT && a.lost)
		rc = EX_OK;	/* the first reply was lost, not the deletion */
	else if (strcmp(a.tag, "path_write/conflict/file") == 0)
		msg_err(path, "was replaced in Dropbox meanwhile, and stays");
	else if (rc != EX_OK && rc != EX_NOINPUT)
		dropbox_report(path, &a);
	dropbox_answer_free(&a);
	json_free(arg);
	return rc;
}
