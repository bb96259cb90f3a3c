/*
 * lag.h - minute by minute: how far the standby is behind, and how it was in the last day. The age of what it follows is
 * now minus `confirmed_at` of the last record whose state it has: the owner knew then that nothing newer existed. Where the
 * record is ahead of what is here, that is the moment at which this was last the newest, as far as a round has seen it.
 *
 * Inputs, beside those of document.h:
 *   head      the head record: head.n, change.n, confirmed_at
 *   newest    db-apply's note of the followed file: n, snapshot_at; without it nothing has been followed yet, and the
 *             data is as old as the nightly copy
 *   lag       warn_seconds, crit_seconds; without it nobody asks
 */
#ifndef LIB_WATCH_LAG_H
#define LIB_WATCH_LAG_H

#include "lib/exits.h"
#include "lib/json.h"

#define LAG_BUCKET_S 900
#define LAG_BUCKETS 96	/* a day */

/*
 * The part `lag` of the document, owned by the caller: state, text, n, newest_n, at, seconds, warn_seconds, crit_seconds,
 * and `day`, the worst lag of each quarter of an hour, oldest first. NULL, and STATE_OK, where nothing is to be
 * followed: with a record that confirms nothing, or none, now and before.
 */
json *lag_build(const json *inputs, const json *before, int64_t now, enum state *state);

#endif
