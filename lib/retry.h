/*
 * retry.h - when to try again, as a pure function, so that a table can test it. Only causes that time
 * can heal are tried again; a server's hint wins over our own pace; a deadline bounds the whole.
 */
#ifndef LIB_RETRY_H
#define LIB_RETRY_H

#include "lib/std.h"

struct retry {
	int64_t base_ms;	/* the first pause, before jitter; doubled each time up to RETRY_CAP */
	int64_t deadline_ms;	/* clock_ms() after which nothing is tried; INT64_MAX for none */
	unsigned most;		/* tries without progress */
	unsigned failed;	/* tries that failed since the last progress */
};

#define RETRY_CAP INT64_C(64000)
#define RETRY_HINT_MOST INT64_C(900000)

/* A server's Retry-After as we take it: clamped to 1 s .. 15 min. */
int64_t retry_hint(int64_t hint_ms);

/*
 * Milliseconds to wait before the next try, or -1 to give up. hint_ms is the server's Retry-After, or
 * -1 without one; dice is 0..999 (jitter: half of the pause is fixed, half is drawn).
 * Counts the failure.
 */
int64_t retry_next(struct retry *r, int64_t now_ms, int64_t hint_ms, unsigned dice);

/* Something arrived: the count starts again, the deadline stays. */
void retry_progress(struct retry *r);

#endif
