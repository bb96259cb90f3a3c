/*
 * delivery.h - an alert on its way to people: recorded before it is sent and after, so that a run which is killed in
 * between tells twice, never not at all; what could not be told stays in the record, and each delivery has its line in the
 * journal of this host, whatever else fails.
 */
#ifndef LIB_WATCH_DELIVERY_H
#define LIB_WATCH_DELIVERY_H

#include "lib/watch/alertfile.h"

struct http;

struct delivery {
	const struct alertplace *place;	/* of the records, the caller's */
	struct http *http;		/* NULL until something is to be sent; freed by delivery_end */
};

/*
 * Tells whoever is due. changed: the record is another than on disk. EX_OK; EX_TEMPFAIL, EX_NOPERM when a channel could not
 * be told, now or never; EX_IOERR, EX_CANTCREAT when it could not be recorded; EX_SOFTWARE; the first one, reported.
 */
int delivery_tell(struct delivery *d, struct alertfile *r, bool changed);

/*
 * Takes the news of an alert, and tells it. A problem that is not old enough is noted and nobody is told, but for what is
 * queued; one that cannot be noted would never grow old, and is told at once. As delivery_tell.
 */
int delivery_take(struct delivery *d, struct alertfile *r, const struct alert_news *news);

/*
 * Of the channels those that want the state each time, and keep no queue: the next call says what is true then. Of the news
 * state, text and todo. As delivery_tell.
 */
int delivery_pulse(struct delivery *d, const struct alert_news *news, const char *const *channels, size_t count);

void delivery_end(struct delivery *d);

#endif
