#include "lib/std.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <linux/sockios.h>
#include <malloc.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/http.h"
#include "lib/num.h"
#include "lib/rate.h"
#include "lib/settings.h"
#include "lib/stop.h"

#define CONNECT_MS INT64_C(20000)
/* curl rounds its times and may end that much before a deadline which it has kept */
#define EARLY_MS   10
#define HEADER_MAX ((size_t)64 << 10)	/* all header lines of an answer, the interim answers before it included */
#define SLOW 1024u	/* bytes a second; what moves less moves nothing */
#define TEXT_STALLS 10	/* a text must be there so many stall limits after its first byte, however steadily it trickles */
#define SOCKETS_MOST 16		/* curl keeps 5 connections and tries 2 at once */
#define SHARES 32u	/* of a rate limit, for many connections */
#define TOO_LARGE 100	/* curl 8.6's CURLE_TOO_LARGE, which the headers of 7.88 do not have */
#define CA_DIR "/etc/ssl/certs"	/* Debian's ca-certificates: one file a hash, read on demand */

struct http {
	CURL *curl;
	const struct http_request *q;	/* the request under way */
	struct http_response *r;
	uint64_t sent;			/* bytes of the body handed to curl */
	size_t header_bytes;
	unsigned starts;		/* times that the request was sent */
	curl_off_t moved, mark;		/* bytes moved so far, and when we last were content with that */
	int64_t mark_ms;
	int64_t answer_ms;		/* when the answer began; 0 before */
	curl_socket_t sockets[SOCKETS_MOST];	/* open ones; a connection beyond these is taken at curl's word */
	size_t socket_count;
	struct rate *rate;		/* NULL for no limit */
	bool accepted, refused, late, stalled;
	const char *foreign;		/* why the answer is none of HTTP's, or none for us; NULL while it may be */
	char error[CURL_ERROR_SIZE];
};

/* Where https goes by a proxy, and the hosts that are asked directly. Set before any thread starts; the settings own them. */
static const char *proxy = "", *no_proxy = "";

/* The first of these settings that has a value, or "". */
static const char *first_of(const char *const names[])
{
	for (; *names != NULL; names++)
		if (config_get(*names) != NULL)
			return config_get(*names);
	return "";
}

int http_global_init(void)
{
	/* curl's own names, in its order */
	static const char *const by[] = { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", NULL };
	static const char *const not_by[] = { "no_proxy", "NO_PROXY", NULL };

	proxy = first_of(by);
	no_proxy = first_of(not_by);
	/* a heap of each thread's own would keep 0.1 MiB a connection that nobody uses */
	mallopt(M_ARENA_MAX, 1);
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : -1;
}

bool http_parse_range(const char *s, uint64_t *first, uint64_t *last, uint64_t *total)
{
	char text[3][21];
	const char *p = s;
	static const char ends[] = { '-', '/', '\0' };

	if (strncasecmp(p, "bytes ", 6) != 0)
		return false;
	p += 6;
	for (int i = 0; i < 3; i++) {
		size_t n = strspn(p, "0123456789");

		if (n == 0 || n >= sizeof text[i] || p[n] != ends[i])
			return false;
		memcpy(text[i], p, n);
		text[i][n] = '\0';
		p += n + 1;
	}
	return num_u64(text[0], 0, INT64_MAX, first) == NULL && num_u64(text[1], 0, INT64_MAX, last) == NULL &&
	       num_u64(text[2], 0, INT64_MAX, total) == NULL && *first <= *last && *last < *total;
}

static bool is_loopback(const char *host)
{
	struct in_addr a;

	/* a name such as 127.-0.0.1 is no address: whatever it resolves to may be anywhere */
	return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
	       (inet_pton(AF_INET, host, &a) == 1 && ntohl(a.s_addr) >> 24 == 127);
}

/* How a URL is spoken to: by TLS, and within this host. */
static void describe(const char *url, bool *tls, bool *loopback)
{
	CURLU *u = curl_url();
	char *scheme = NULL, *host = NULL;

	*tls = *loopback = false;
	if (u != NULL && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
		*tls = strcmp(scheme, "https") == 0;
		*loopback = (*tls || strcmp(scheme, "http") == 0) && is_loopback(host);
	}
	curl_free(scheme);
	curl_free(host);
	curl_url_cleanup(u);
}

bool http_url_is_safe(const char *url)
{
	bool tls, loopback;

	describe(url, &tls, &loopback);
	return tls || loopback;
}

/* Plain http goes to hosts of this network alone, which no proxy need know. */
static const char *proxy_for(const char *url)
{
	bool tls, loopback;

	describe(url, &tls, &loopback);
	return tls && !loopback ? proxy : "";
}

const char *http_url_wrong(const char *url)
{
	static const CURLUPart secrets[] = { CURLUPART_USER, CURLUPART_PASSWORD };
	const char *why = "not an http or https URL";
	char *part = NULL;
	CURLU *u = curl_url();

	if (u != NULL && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_SCHEME, &part, 0) == CURLUE_OK &&
	    (strcmp(part, "http") == 0 || strcmp(part, "https") == 0))
		why = NULL;
	curl_free(part);
	for (size_t i = 0; why == NULL && i < sizeof secrets / sizeof *secrets; i++) {
		part = NULL;
		if (curl_url_get(u, secrets[i], &part, 0) == CURLUE_OK)
			why = "holds a user name or password, which everybody could see";
		curl_free(part);
	}
	curl_url_cleanup(u);
	return why;
}

int http_urlencode(struct buf *b, const char *s)
{
	char *text = curl_easy_escape(NULL, s, 0);
	int rc = text != NULL ? buf_adds(b, text) : -1;

	if (text != NULL)
		explicit_bzero(text, strlen(text));
	curl_free(text);
	return rc;
}

static void forget_answer(struct http_response *r)
{
	r->status = 0;
	r->retry_after_ms = r->length = -1;
	r->date = 0;
	r->ranged = r->encoded = false;
	r->request_id[0] = '\0';
	buf_clear(&r->api_result);
	buf_clear(&r->text);
}

static bool good(int status)
{
	return status >= 200 && status < 300;
}

/* The value of a header line when its name is name; the white space around it is cut. */
static char *header_value(char *line, const char *name)
{
	size_t n = strlen(name);

	if (strncasecmp(line, name, n) != 0 || line[n] != ':')
		return NULL;
	for (line += n + 1; *line == ' ' || *line == '\t'; line++)
		continue;
	return line;
}

static void take_header(struct http_response *r, char *line)
{
	struct tm date = { 0 };
	uint64_t n;
	char *v;

	if ((v = header_value(line, "Content-Length")) != NULL) {
		if (num_u64(v, 0, INT64_MAX, &n) == NULL)
			r->length = (int64_t)n;
	} else if ((v = header_value(line, "Content-Range")) != NULL) {
		r->ranged = http_parse_range(v, &r->first, &r->last, &r->total);
	} else if ((v = header_value(line, "Date")) != NULL) {
		/* curl_getdate's time_t is shorter than ours on a 32-bit Debian 12 */
		r->date = strptime(v, "%a, %d %b %Y %T GMT", &date) != NULL ? timegm(&date) : 0;
		r->date = r->date > 0 ? r->date : 0;
	} else if ((v = header_value(line, "Content-Encoding")) != NULL) {
		r->encoded = strcasecmp(v, "identity") != 0;
	} else if ((v = header_value(line, "Dropbox-API-Result")) != NULL) {
		buf_clear(&r->api_result);
		buf_adds(&r->api_result, v);
	} else if ((v = header_value(line, "X-Dropbox-Request-Id")) != NULL) {
		size_t k = strspn(v, "0123456789abcdefABCDEF-");

		snprintf(r->request_id, sizeof r->request_id, "%.*s", (int)k, v);
	}
}

static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
	struct http *h = ctx;
	size_t n = size * count, len = n;
	char *line;

	if (h->answer_ms == 0)
		h->answer_ms = clock_ms();
	h->header_bytes += n;
	if (h->header_bytes >= HEADER_MAX)
		h->foreign = "the answer has a header without end";
	if (h->foreign != NULL || (line = strndup(data, len)) == NULL)
		return 0;
	len = strlen(line);
	while (len > 0 && strchr(" \t\r\n", line[len - 1]) != NULL)
		line[--len] = '\0';
	if (strncasecmp(line, "HTTP/", 5) == 0) {
		long status = 0;

		/* also after a 100 Continue: only the last answer counts */
		forget_answer(h->r);
		curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
		h->r->status = (int)status;
	} else if (len == 0 && good(h->r->status) && !h->accepted) {
		h->accepted = true;
		if (h->q->accept != NULL && h->q->accept(h->q->ctx, h->r) != 0) {
			h->refused = true;
			n = 0;
		}
	} else {
		take_header(h->r, line);
	}
	free(line);
	return n;
}

/* Waits until n bytes may move. */
static void keep_pace(struct http *h, size_t n)
{
	int64_t now = clock_ms(), wait = h->rate != NULL ? rate_take(h->rate, n, now) : 0;

	if (wait > 0)
		clock_sleep(wait < h->q->deadline_ms - now ? wait : h->q->deadline_ms - now);
}

/* The body goes into text, not to the caller's write. */
static bool is_text(const struct http *h)
{
	return !good(h->r->status) || h->q->write == NULL;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
	struct http *h = ctx;
	size_t n = size * count, room = h->r->text.max - h->r->text.len;

	h->r->body_bytes += n;
	keep_pace(h, n);
	if (!is_text(h)) {
		if (h->q->write(h->q->ctx, data, n) == 0)
			return n;
		h->refused = true;
		return 0;
	}
	buf_add(&h->r->text, data, n < room ? n : room);
	if (n <= room)
		return n;
	h->foreign = "the answer is larger than it may be";
	return 0;
}

static size_t on_read(char *data, size_t size, size_t count, void *ctx)
{
	struct http *h = ctx;
	uint64_t left = h->q->body_len - h->sent;
	size_t want = size * count < left ? size * count : (size_t)left, n = want;

	if (want == 0)
		return 0;
	/* in steps that a limit can measure */
	if (h->rate != NULL && h->rate->per_s > 0 && want > h->rate->per_s / 8)
		n = want = (size_t)(h->rate->per_s / 8 + 1);
	keep_pace(h, want);
	if (h->q->body != NULL)
		memcpy(data, h->q->body + h->sent, want);
	else
		n = h->q->read(h->q->ctx, h->sent, data, want);
	if (n == 0) {
		h->refused = true;
		return CURL_READFUNC_ABORT;
	}
	h->sent += n;
	return n;
}

/* curl rewinds the body when a kept connection turns out to be closed */
static int on_seek(void *ctx, curl_off_t offset, int origin)
{
	struct http *h = ctx;

	if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > h->q->body_len)
		return CURL_SEEKFUNC_FAIL;
	h->sent = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

/*
 * Before the request goes out on a connection. On a kept one that breaks before the first byte of an
 * answer, curl tries again by itself on a new one: the first request may have had its effect.
 */
static int on_start(void *ctx, char *to, char *from, int to_port, int from_port)
{
	struct http *h = ctx;

	(void)to;
	(void)from;
	(void)to_port;
	(void)from_port;
	h->r->resent = ++h->starts > 1;
	return CURL_PREREQFUNC_OK;
}

/* Has enough moved since the mark? A limit that was asked for is no stall, nor is a share of it. */
static bool content(const struct http *h)
{
	uint64_t pace = SLOW;

	if (h->rate != NULL && h->rate->per_s > 0 && h->rate->per_s < SLOW * SHARES)
		pace = h->rate->per_s / SHARES;
	return h->moved - h->mark > h->q->stall_ms * (int64_t)pace / 1000;
}

/*
 * Bytes that the other side has not acknowledged, on all connections: the kept ones have none. What curl counts as
 * sent is in the kernel's hands, whose buffer takes megabytes; and curl 8.14 tries to write there once a second
 * whatever poll(2) says, so that its count grows for half a minute after the peer has stopped to read.
 */
static curl_off_t unacknowledged(const struct http *h)
{
	curl_off_t all = 0;

	for (size_t i = 0; i < h->socket_count; i++) {
		int n = 0;

		if (ioctl(h->sockets[i], SIOCOUTQ, &n) == 0)
			all += n;
	}
	return all;
}

static int on_open(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
	struct http *h = ctx;

	(void)purpose;
	if (h->socket_count < SOCKETS_MOST)
		h->sockets[h->socket_count++] = fd;
	return CURL_SOCKOPT_OK;
}

static int on_close(void *ctx, curl_socket_t fd)
{
	struct http *h = ctx;

	for (size_t i = 0; i < h->socket_count; i++)
		if (h->sockets[i] == fd)
			h->sockets[i] = h->sockets[--h->socket_count];
	return close(fd);
}

static int on_progress(void *ctx, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
	struct http *h = ctx;
	int64_t now;

	(void)down_total;
	(void)up_total;
	if (stop_asked())
		return 1;
	now = clock_ms();
	if (now > h->q->deadline_ms) {
		h->late = true;
		return 1;
	}
	h->moved = down + up - (up > 0 ? unacknowledged(h) : 0);
	if (content(h)) {
		h->mark = h->moved;
		h->mark_ms = now;
	}
	h->stalled = h->q->stall_ms > 0 && now - h->mark_ms > h->q->stall_ms;
	if (h->q->stall_ms > 0 && h->answer_ms > 0 && is_text(h) && now - h->answer_ms > TEXT_STALLS * h->q->stall_ms)
		h->foreign = "the answer does not end";
	return h->stalled || h->foreign != NULL;
}

struct http *http_new(const char *ca_file)
{
	struct http *h = calloc(1, sizeof *h);
	CURL *c;

	if (h == NULL)
		return NULL;
	c = h->curl = curl_easy_init();
	if (c == NULL) {
		free(h);
		return NULL;
	}
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->error);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	/* there is one request at a time, for which HTTP/2 would only add its framing */
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_HTTP09_ALLOWED, 0L);
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
	/* the directory, not the bundle: parsing 140 certificates costs megabytes and milliseconds */
	curl_easy_setopt(c, CURLOPT_CAPATH, CA_DIR);
	curl_easy_setopt(c, CURLOPT_CAINFO, ca_file);
	curl_easy_setopt(c, CURLOPT_NOPROXY, no_proxy);
	curl_easy_setopt(c, CURLOPT_PROXY_CAPATH, CA_DIR);
	curl_easy_setopt(c, CURLOPT_PROXY_CAINFO, ca_file);
	/* or a proxy's "200 Connection established" would be taken for the answer */
	curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	/* a name server that does not answer would hold us at the end, long after the deadline */
	curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 128L << 10);
	curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, 128L << 10);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "ctv-mirror/" CTV_VERSION);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, h);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, h);
	curl_easy_setopt(c, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(c, CURLOPT_READDATA, h);
	curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, on_seek);
	curl_easy_setopt(c, CURLOPT_SEEKDATA, h);
	curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, on_start);
	curl_easy_setopt(c, CURLOPT_PREREQDATA, h);
	curl_easy_setopt(c, CURLOPT_SOCKOPTFUNCTION, on_open);
	curl_easy_setopt(c, CURLOPT_SOCKOPTDATA, h);
	curl_easy_setopt(c, CURLOPT_CLOSESOCKETFUNCTION, on_close);
	curl_easy_setopt(c, CURLOPT_CLOSESOCKETDATA, h);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, h);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	return h;
}

void http_free(struct http *h)
{
	if (h == NULL)
		return;
	curl_easy_cleanup(h->curl);
	free(h);
}

void http_limit_rate(struct http *h, struct rate *r)
{
	h->rate = r;
}

static enum http_result judge(const struct http *h, CURLcode code)
{
	if (code == CURLE_OK)
		return HTTP_DONE;
	if (stop_asked())
		return HTTP_STOPPED;
	if (h->late)
		return HTTP_LATE;
	if (h->refused)
		return HTTP_REFUSED;
	if (h->foreign != NULL)
		return HTTP_FOREIGN;
	switch ((int)code) {
	case CURLE_PEER_FAILED_VERIFICATION: case CURLE_SSL_CACERT_BADFILE: case CURLE_SSL_CERTPROBLEM:
	case CURLE_URL_MALFORMAT:
		return HTTP_FATAL;
	/* no status line, or a header line of more than 100 kB, which curl calls out of memory; since 8.6 too large */
	case CURLE_UNSUPPORTED_PROTOCOL: case CURLE_WEIRD_SERVER_REPLY: case CURLE_OUT_OF_MEMORY:
	case TOO_LARGE:
		return HTTP_FOREIGN;
	default:
		return HTTP_FAILED;
	}
}

static void explain(struct http *h, CURLcode code)
{
	const char *why = h->error[0] != '\0' ? h->error : curl_easy_strerror(code);

	if (h->stalled)
		why = h->moved > h->mark ? "too little moved for too long" : "nothing moved for too long";
	else if (h->foreign != NULL)
		why = h->foreign;
	else if (h->late)
		why = "out of time";
	else if (stop_asked())
		why = "interrupted";
	snprintf(h->r->why, sizeof h->r->why, "%s", why);
}

static int64_t info_us(CURL *c, CURLINFO what)
{
	curl_off_t t = 0;

	curl_easy_getinfo(c, what, &t);
	return (int64_t)t;
}

/* One try of a request. */
static CURLcode perform(struct http *h)
{
	int64_t left = 0;

	h->sent = 0;
	h->header_bytes = 0;
	h->moved = h->mark = 0;
	h->mark_ms = clock_ms();
	h->answer_ms = 0;
	h->error[0] = '\0';
	/* the progress callback comes only about once a second; this one is exact, name lookup included */
	if (h->q->deadline_ms != INT64_MAX) {
		left = h->q->deadline_ms - clock_ms();
		left = left < 1 ? 1 : left > INT32_MAX ? INT32_MAX : left;
	}
	curl_easy_setopt(h->curl, CURLOPT_TIMEOUT_MS, (long)left);
	return curl_easy_perform(h->curl);
}

/*
 * Did the last try go out on a kept connection? When that breaks before the first byte of an answer, curl
 * tries again by itself; but not (7.88) when it breaks between two pieces of the request: that is ours.
 */
static bool was_kept(struct http *h)
{
	long made = 1;

	curl_easy_getinfo(h->curl, CURLINFO_NUM_CONNECTS, &made);
	return made == 0;
}

enum http_result http_send(struct http *h, const struct http_request *q, struct http_response *r)
{
	struct curl_slist *headers = NULL;
	enum http_result result = HTTP_FATAL;
	CURLcode code = CURLE_OUT_OF_MEMORY;
	curl_off_t wait = 0;

	*r = (struct http_response){ .retry_after_ms = -1, .length = -1,
				     .api_result = BUF_INIT(HEADER_MAX), .text = BUF_INIT(q->text_max) };
	h->q = q;
	h->r = r;
	h->starts = 0;
	h->accepted = h->refused = h->late = h->stalled = false;
	h->foreign = NULL;

	/* 100-continue would cost a round trip, and a second where nobody answers it */
	if (q->post)
		headers = curl_slist_append(headers, "Expect:");
	for (size_t i = 0; q->headers != NULL && q->headers[i] != NULL; i++) {
		struct curl_slist *more = curl_slist_append(headers, q->headers[i]);

		if (more == NULL)
			goto out;
		headers = more;
	}
	curl_easy_setopt(h->curl, CURLOPT_URL, q->url);
	curl_easy_setopt(h->curl, CURLOPT_USERPWD, q->login);
	curl_easy_setopt(h->curl, CURLOPT_PROXY, proxy_for(q->url));
	curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, headers);
	if (q->post) {
		curl_easy_setopt(h->curl, CURLOPT_POST, 1L);
		curl_easy_setopt(h->curl, CURLOPT_POSTFIELDS, NULL);
		curl_easy_setopt(h->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body_len);
	} else {
		curl_easy_setopt(h->curl, CURLOPT_HTTPGET, 1L);
	}
	curl_easy_setopt(h->curl, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)(q->connect_ms > 0 ? q->connect_ms : CONNECT_MS));
	code = perform(h);
	if (code == CURLE_SEND_ERROR && was_kept(h) && r->status == 0)
		code = perform(h);
	if (code == CURLE_OPERATION_TIMEDOUT && q->deadline_ms - clock_ms() <= EARLY_MS)
		h->late = true;
	result = judge(h, code);
	curl_easy_getinfo(h->curl, CURLINFO_RETRY_AFTER, &wait);
	if (wait > 0)
		r->retry_after_ms = wait < INT32_MAX ? (int64_t)wait * 1000 : INT64_C(1000) * INT32_MAX;
	r->connect_us = info_us(h->curl, CURLINFO_CONNECT_TIME_T);
	r->first_byte_us = info_us(h->curl, CURLINFO_STARTTRANSFER_TIME_T);
	r->total_us = info_us(h->curl, CURLINFO_TOTAL_TIME_T);
out:
	if (result != HTTP_DONE)
		explain(h, code);
	curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	return result;
}

void http_response_free(struct http_response *r)
{
	buf_free(&r->api_result);
	buf_free(&r->text);
}
