/*
 * rate.h - so many bytes a second in all, however many threads move them. libcurl's own limit is one of each
 * connection, and a loose one.
 */
#ifndef LIB_RATE_H
#define LIB_RATE_H

#include <pthread.h>

#include "lib/std.h"

struct rate {
	uint64_t per_s;		/* bytes a second, 0 for no limit */
	pthread_mutex_t lock;
	int64_t free_us;	/* when all that was taken so far has had its time; clock_ms() in microseconds */
};

#define RATE_INIT(bytes_per_s) { .per_s = (bytes_per_s), .lock = PTHREAD_MUTEX_INITIALIZER }

/* Takes n bytes at the time now_ms. Returns the milliseconds to wait before they move. */
int64_t rate_take(struct rate *r, uint64_t n, int64_t now_ms);

#endif
