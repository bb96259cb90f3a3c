/*
 * http.h - HTTP requests, the only module that knows libcurl. It sets once what every request of the
 * suite needs: http and https only, no redirects (a bearer token must not follow one), certificates
 * checked, no .netrc by accident, a stall limit instead of a total one, an end of every header and text in
 * memory and in time, an orderly end on a signal. It reports nothing: the caller knows what the request was for.
 *
 * https goes by the proxy of the settings https_proxy, HTTPS_PROXY, all_proxy or ALL_PROXY, but not to this host
 * and not to those of no_proxy or NO_PROXY, through a tunnel that it cannot look into; plain http by none.
 */
#ifndef LIB_HTTP_H
#define LIB_HTTP_H

#include "lib/buf.h"

/* One connection, kept open from request to request. Not shared between threads. */
struct http;

enum http_result {
	HTTP_DONE,	/* a whole answer, whatever its status */
	HTTP_FAILED,	/* no whole answer, but another try may succeed: connection, time-out, cut body */
	HTTP_FATAL,	/* no answer, and another try is useless: certificate, URL */
	HTTP_FOREIGN,	/* what came is not HTTP, or has no end: a header or text larger or longer under way than it may be */
	HTTP_REFUSED,	/* accept or write returned non-zero */
	HTTP_STOPPED,	/* a signal asked us to stop */
	HTTP_LATE,	/* the deadline passed */
};

struct http_response {
	int status;			/* 0 before the status line */
	int64_t retry_after_ms;		/* -1 without the header */
	int64_t date;			/* Date, seconds since the epoch, 0 without it: what time it is there */
	int64_t length;			/* Content-Length, -1 without it */
	bool ranged;			/* a valid Content-Range: bytes first-last/total */
	uint64_t first, last, total;
	bool encoded;			/* a Content-Encoding that nobody asked for */
	struct buf api_result;		/* Dropbox-API-Result */
	struct buf text;		/* the body when no write was given or the status is not 2xx */
	char request_id[65];		/* X-Dropbox-Request-Id, "" without it */
	bool resent;			/* a kept connection broke, and the request was sent once more */
	char why[256];			/* the cause when the result is not HTTP_DONE */
	int64_t connect_us, first_byte_us, total_us;	/* from the start of the request */
	uint64_t body_bytes;
};

struct http_request {
	const char *url;
	bool post;
	const char *const *headers;	/* "Name: value", ended by NULL; NULL for none */
	const char *login;		/* user:password for Basic authentication (RFC 7617); NULL for none */
	/* The body of a POST: body_len bytes of body, or of read when body is NULL. */
	const char *body;
	uint64_t body_len;
	/* Fills buf with up to len bytes of the body at offset at; 0 is an error here. */
	size_t (*read)(void *ctx, uint64_t at, char *buf, size_t len);
	/* Called once after the headers of a 2xx answer; non-zero ends the request (HTTP_REFUSED). */
	int (*accept)(void *ctx, const struct http_response *r);
	/* Takes the body of a 2xx answer piece by piece; non-zero ends the request. NULL: into text. */
	int (*write)(void *ctx, const void *data, size_t len);
	void *ctx;
	int64_t deadline_ms;		/* clock_ms() at which to give up; INT64_MAX for none */
	int64_t stall_ms;		/* give up when (almost) nothing arrives on either side for so long; 0 for never */
	int64_t connect_ms;		/* give up a connection after this; 0: 20 s */
	size_t text_max;		/* a longer text ends the request (HTTP_FOREIGN) */
};

/* To be called before any thread starts, when the settings are loaded if they are to name a proxy. 0, or -1. */
int http_global_init(void);

/* ca_file is a CA to trust beside the system's, or NULL. NULL without memory. */
struct http *http_new(const char *ca_file);
void http_free(struct http *h);

/* The bodies of the requests that follow keep to the limit, in either direction. NULL for none; not owned. */
struct rate;
void http_limit_rate(struct http *h, struct rate *r);

/* One request. r is overwritten; release it by http_response_free also after a failure. */
enum http_result http_send(struct http *h, const struct http_request *q, struct http_response *r);
void http_response_free(struct http_response *r);

/* Appends s to b percent-encoded for a form (RFC 3986 unreserved stay). 0, or -1 when b is full. */
int http_urlencode(struct buf *b, const char *s);

/*
 * Content-Range of a 206 (RFC 9110, 14.4): `bytes FIRST-LAST/TOTAL`, FIRST <= LAST < TOTAL.
 * False for anything else.
 */
bool http_parse_range(const char *s, uint64_t *first, uint64_t *last, uint64_t *total);

/* NULL when url is an http or https URL without a user name or password in it, otherwise what is wrong. */
const char *http_url_wrong(const char *url);

/* Is url https, or http to a loopback address (127.0.0.0/8, ::1, localhost)? */
bool http_url_is_safe(const char *url);

#endif
