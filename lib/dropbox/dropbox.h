/*
 * dropbox.h - calls of the Dropbox HTTP API v2 (https://www.dropbox.com/developers/documentation/http):
 * which host and calling style a route has, the access token, what each error means, and when to try
 * again. What a route is for is the tools' business.
 *
 * A struct dropbox may be used by several threads at once, each with a struct http of its own.
 */
#ifndef LIB_DROPBOX_DROPBOX_H
#define LIB_DROPBOX_DROPBOX_H

#include "lib/dropbox/path.h"
#include "lib/exits.h"
#include "lib/hash.h"
#include "lib/http.h"
#include "lib/json.h"
#include "lib/retry.h"

struct dropbox;

/*
 * Reads the configuration (config_load must have succeeded) and prepares the account; no request yet.
 * timeout_ms bounds everything that is done with it, 0 for no bound. EX_OK, or EX_CONFIG (reported):
 * no credentials, an unsafe URL.
 */
int dropbox_open(struct dropbox **out, int64_t timeout_ms);
void dropbox_close(struct dropbox *d);

/*
 * For a tool that makes one call after the other: reads the configuration, opens the account and one
 * connection. EX_OK, or an exit status (reported). dropbox_end releases all of it, also after a failure.
 */
int dropbox_begin(struct dropbox **d, struct http **h, int64_t timeout_ms);
void dropbox_end(struct dropbox *d, struct http *h);

/*
 * Does one thing with each of the paths, with an account and a connection that it begins and ends. The first failure is
 * the status, and the others are still tried; none any more after a stop.
 */
int dropbox_each(char **paths, int count, int64_t timeout_ms, int (*one)(struct dropbox *d, struct http *h, const char *path));

/*
 * For an app that nobody has authorized yet, to call dropbox_exchange. key and secret (NULL for an app that
 * has none) stay the caller's. Status as above.
 */
int dropbox_open_app(struct dropbox **out, const char *key, const char *secret, int64_t timeout_ms);

/* A connection for one thread; NULL without memory (reported). Release it by http_free. */
struct http *dropbox_connect(struct dropbox *d);

/* The metadata of a file, folder or deleted entry. Strings are owned; release by dropbox_meta_free. */
struct dropbox_meta {
	char kind;			/* 'f' file, 'd' folder, 'x' deleted */
	char *path;			/* path_display, "" when absent */
	char *rev;			/* files only, like all that follows */
	char *id;
	int64_t size;
	int64_t client_modified, server_modified;	/* seconds since the epoch */
	char content_hash[HASH_TEXT];	/* "" when absent (export-only files) */
};

/* From the API's JSON; false when a member of a file is absent or of the wrong type. */
bool dropbox_meta_read(struct dropbox_meta *m, const json *j);
void dropbox_meta_free(struct dropbox_meta *m);
/* {"path","rev","size","content_hash","client_modified","server_modified","id"}: what --json prints. */
json *dropbox_meta_json(const struct dropbox_meta *m);

enum dropbox_style {
	DROPBOX_RPC,		/* api host, argument and answer in the bodies */
	DROPBOX_UPLOAD,		/* content host, argument in a header, body is data */
	DROPBOX_NOTIFY,		/* notify host, as DROPBOX_RPC but without a token: it is refused there */
	DROPBOX_DOWNLOAD,	/* content host, GET with the argument in a header, answer's body is data */
};

struct dropbox_call {
	enum dropbox_style style;
	const char *route;		/* "files/get_metadata" */
	const json *arg;		/* NULL for a route without argument */
	int64_t hold_ms;		/* DROPBOX_NOTIFY: how long the server may keep its answer back */

	/* DROPBOX_UPLOAD: body_len bytes of body, or of read when body is NULL (see http.h) */
	const char *body;
	uint64_t body_len;
	size_t (*read)(void *ctx, uint64_t at, char *buf, size_t len);

	/*
	 * DROPBOX_DOWNLOAD: the bytes from..to (inclusive), or all without ranged. begin is called once
	 * with the whole file's metadata when the answer is just what was asked for, before the first
	 * byte; it and write end the call by returning an exit status other than EX_OK, after a report.
	 */
	bool ranged;
	uint64_t from, to;
	int (*begin)(void *ctx, const struct dropbox_meta *m);
	int (*write)(void *ctx, const void *data, size_t len);
	void *ctx;
};

struct dropbox_answer {
	int rc;			/* EX_OK, or what it would mean to give up now; nothing was reported */
	bool again;		/* time may heal it */
	bool lost;		/* no whole reply came: the effect may have happened all the same */
	int64_t retry_after_ms;	/* the server's hint, -1 without one */
	int64_t date;		/* when the answer was made, by Dropbox's clock; 0 when it does not say */
	char tag[128];		/* "path/not_found": the tags of an error joined by '/', "" for none */
	char cause[384];	/* for msg_err */
	const char *hint;	/* for msg_hint, or NULL */
	size_t length;		/* bytes of the text that body was made of */
	json *body;		/* the answer of a good call, or the error's JSON; owned, may be NULL */
};

/*
 * One try of a call. Gets an access token first where none is at hand, and replays once with a new one when the
 * server says that it has expired (a download replays only while no byte has been written).
 */
void dropbox_try(struct dropbox *d, struct http *h, const struct dropbox_call *c, struct dropbox_answer *a);

/* Tries until it is done or must be given up. a->lost: a reply was lost on the way to this answer. */
void dropbox_do(struct dropbox *d, struct http *h, const struct dropbox_call *c, struct dropbox_answer *a);

/*
 * Turns the code that a person got on Dropbox's page into tokens: a->body has the refresh_token, and the
 * calls that follow use the access token. verifier is that of PKCE (RFC 7636), or NULL to prove oneself
 * by the app's secret.
 */
void dropbox_exchange(struct dropbox *d, struct http *h, const char *code, const char *verifier,
		      struct dropbox_answer *a);

/* Milliseconds after which a connection on which nothing moves is given up. */
int64_t dropbox_stall(const struct dropbox *d);

/* The pace of this account's tries, for a caller with its own loop around dropbox_try. */
struct retry dropbox_pace(const struct dropbox *d);
/* After a failed try: waits and says true, or says false when it must be given up, for the reason in a. */
bool dropbox_again(struct retry *r, struct dropbox_answer *a);

void dropbox_answer_free(struct dropbox_answer *a);

/* Reports the failure of a call on object, unless a callback has. Returns a->rc. */
int dropbox_report(const char *object, const struct dropbox_answer *a);

/*
 * files/get_metadata of a path, `rev:...` or `id:...`. EX_OK and m filled; EX_NOINPUT (not reported)
 * when there is nothing; otherwise reported.
 */
int dropbox_metadata(struct dropbox *d, struct http *h, const char *path, struct dropbox_meta *m);

/*
 * Deletes path while it is the revision rev, or, with NULL, whatever it is: a folder goes with all in it. EX_OK;
 * EX_NOINPUT when nothing is there, not reported; else an exit status (reported), EX_CANTCREAT when it was replaced meanwhile.
 */
int dropbox_delete(struct dropbox *d, struct http *h, const char *path, const char *rev);

#endif
