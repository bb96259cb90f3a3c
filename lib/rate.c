#include "lib/std.h"

#include "lib/rate.h"

int64_t rate_take(struct rate *r, uint64_t n, int64_t now_ms)
{
	int64_t wait;

	if (r->per_s == 0)
		return 0;
	pthread_mutex_lock(&r->lock);
	/* an allowance that was not used in time is lost: there is no burst after a pause */
	if (r->free_us < now_ms * 1000)
		r->free_us = now_ms * 1000;
	wait = r->free_us / 1000 - now_ms;
	r->free_us += (int64_t)(n * 1000000 / r->per_s);
	pthread_mutex_unlock(&r->lock);
	return wait;
}
