/*
 * lag.h - minute by minute: how far the standby is behind, and how it was in the last day. The age of what it follows is
 * now minus `confirmed_at` of the last record whose state it has: the owner knew then that nothing newer existed. Where the
 * record is ahead of what is here, that is the moment at which this was last the newest, as far as a round has seen it.
 * Clocks may be wrong, so silence is measured without them as well: by Dropbox's own, which says when the record was written
 * and what time it is, and by this host's steady clock since a round first saw that record. The worst of the three counts.
 *
 * Inputs, beside those of document.h:
 *   head      the head record: head.n, change.n, confirmed_at, nonce, pace (seconds and why: so often the owner looks),
 *             and, by Dropbox's clock, server_modified and asked_at
 *   newest    db-apply's note of the followed file: n, snapshot_at; without it nothing has been followed yet, and the
 *             data is as old as the nightly copy
 *   lag       warn_seconds, crit_seconds, and steady_seconds of the steady clock; without it nobody asks
 */
#ifndef LIB_WATCH_LAG_H
#define LIB_WATCH_LAG_H

#include "lib/exits.h"
#include "lib/json.h"

#define LAG_BUCKET_S 900
#define LAG_BUCKETS 96	/* a day */
#define LAG_CLOCK_S 60	/* two clocks that differ by more are not both right */
#define LAG_BASE_S 21600	/* so long the owner may be silent while it makes a base: its job's own limit */

/*
 * The part `lag` of the document, owned by the caller: state, text, behind (the state but for the clocks), clock_text, n, newest_n, at, seconds, silent_seconds, clock_seconds and
 * own_clock_seconds (how far the primary's clock, and ours, is ahead of Dropbox's; 0 when it is not known to be wrong),
 * period_seconds, period_why, warn_seconds, crit_seconds (never below three periods), what the next round needs, and `day`, the
 * worst of each quarter of an hour, oldest first. NULL, and STATE_OK, where nothing is to be followed: with a record that
 * confirms nothing, or none, now and before.
 */
json *lag_build(const json *inputs, const json *before, int64_t now, enum state *state);

#endif
