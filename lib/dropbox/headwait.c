#include "lib/std.h"

#include "lib/clock.h"
#include "lib/dropbox/headwait.h"
#include "lib/dropbox/headwrite.h"
#include "lib/exits.h"
#include "lib/msg.h"
#include "lib/stop.h"

static bool is_newer(const struct headreg *r, int64_t epoch, int64_t seq)
{
	return r->exists && (r->head.epoch > epoch || (r->head.epoch == epoch && r->head.seq > seq));
}

int headwait_newer(int64_t epoch, int64_t seq, int64_t every_ms, int64_t timeout_ms, struct headreg *now)
{
	int64_t end = timeout_ms > 0 ? clock_ms() + timeout_ms : INT64_MAX;

	for (;;) {
		struct headwrite w = { .dropbox = NULL };
		struct headreg seen;
		int64_t left = end - clock_ms();
		int rc = dropbox_begin(&w.dropbox, &w.http, left < every_ms && left > 0 ? left : every_ms);

		*now = (struct headreg){ .exists = false };
		if (rc == EX_OK)
			rc = headwrite_look(&w, &seen, now);
		dropbox_end(w.dropbox, w.http);
		if (rc == EX_DATAERR || rc == EX_NOPERM || rc == EX_CONFIG || (rc == EX_OK && is_newer(now, epoch, seq)))
			return rc;
		left = end - clock_ms();
		if (left > 0)
			clock_sleep(left < every_ms ? left : every_ms);
		if (stop_asked() || clock_ms() >= end) {
			msg_err(HEADREG_PATH, "nothing newer than number %lld.%lld", (long long)epoch, (long long)seq);
			return EX_TEMPFAIL;
		}
	}
}
