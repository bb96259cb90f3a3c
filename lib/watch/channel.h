/*
 * channel.h - the services that carry an alert to a person, and the ones that are told the state as a pulse. The
 * form of each message is its service's:
 *   teams         Teams Workflows: a message with one adaptive card (learn.microsoft.com/connectors/teams)
 *   slack         an incoming webhook (api.slack.com/messaging/webhooks)
 *   ntfy          JSON to the server's root, the topic is the URL's last step (docs.ntfy.sh/publish); a protected one
 *                 wants CTV_WORD_TOKEN, CTV_WORD_USER and CTV_WORD_PASSWORD, or ?auth= behind the URL
 *   kuma          Uptime Kuma's push URL: a GET, up or down (server/routers/api-router.js)
 *   healthchecks  a POST to the check's URL, or to URL/fail (healthchecks.io/docs/http_api)
 * A channel is one of these words, or the word and a name (`kuma-sync`); its address is the setting CTV_WORD_URL or
 * CTV_WORD_NAME_URL. The address is a secret: it is in no message and no file of ours.
 */
#ifndef LIB_WATCH_CHANNEL_H
#define LIB_WATCH_CHANNEL_H

#include "lib/exits.h"
#include "lib/std.h"

struct http;

/* The parts of a message, all of them safe text. */
struct channel_word {
	enum state state;
	const char *headline;		/* one line */
	const char *detail;		/* lines, "" for none */
	const char *todo;		/* what to do next, "" for none */
	const char *link;		/* a URL for people, NULL for none */
	char since[32];			/* "" for none */
	char lasted[32];		/* "" unless it is over */
	char note[160];			/* "" for none */
};

enum channel_result {
	CHANNEL_TOLD,
	CHANNEL_LATER,			/* a matter of time: no answer, 408, 429, 5xx */
	CHANNEL_REFUSED,		/* another answer, or an address that is none */
};

struct channel_outcome {
	int64_t wait_s;			/* how long not to try again; 0 */
	bool doubt;			/* it may have been told although no answer came */
	char why[128];			/* "" when it was told */
};

/* The channels that tell a change to people, ended by NULL: these keep a queue. The others take the state as it is, each time. */
extern const char *const channel_events[];

/* Is it one of the words above, perhaps with a name behind it? */
bool channel_valid(const char *name);
bool channel_is_pulse(const char *name);

/* Its address from the settings, NULL without one. Not owned. */
const char *channel_url(const char *name);

/* The body for name, NULL for kuma, which has none; malloc'ed. Pure. */
char *channel_body(const char *name, const char *url, const struct channel_word *w);
/* The address to send it to; malloc'ed, holds the secret. Pure. */
char *channel_target(const char *name, const char *url, const struct channel_word *w);

enum channel_result channel_tell(struct http *h, const char *name, const struct channel_word *w,
				 struct channel_outcome *out);

#endif
