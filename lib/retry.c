#include "lib/std.h"

#include "lib/retry.h"

int64_t retry_hint(int64_t hint_ms)
{
	return hint_ms < 1000 ? 1000 : hint_ms > RETRY_HINT_MOST ? RETRY_HINT_MOST : hint_ms;
}

int64_t retry_next(struct retry *r, int64_t now_ms, int64_t hint_ms, unsigned dice)
{
	int64_t pause = r->base_ms;

	if (++r->failed >= r->most)
		return -1;
	for (unsigned i = 1; i < r->failed && pause < RETRY_CAP; i++)
		pause *= 2;
	if (pause > RETRY_CAP)
		pause = RETRY_CAP;
	pause = pause / 2 + pause / 2 * (int64_t)(dice % 1000) / 999;
	/* never earlier than asked; the jitter keeps several clients apart */
	if (hint_ms >= 0)
		pause = retry_hint(hint_ms) + (pause < 1000 ? pause : 1000) * (int64_t)(dice % 1000) / 4000;
	if (pause > r->deadline_ms - now_ms)
		return -1;
	return pause;
}

void retry_progress(struct retry *r)
{
	r->failed = 0;
}
