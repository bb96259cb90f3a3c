/*
 * proof.h - the nightly proof: the application was started on a copy of the standby's data, and answered. Its last run is the
 * record last-proof.json, the input `proof`; beside a job's own members it has
 *   verdict      ok, failed, cannot (this application cannot be proved in this way), skipped (not tried this time); none where it
 *                was ended on its way, as a failover does
 *   n, snapshot_at, newest   of the data: those of the last night, or of the last minute
 *   answer_ms    from the application's start to its answer
 *   commit, app_said   its code, its last words
 * Its last_ok_at is when the verdict was last ok.
 */
#ifndef LIB_WATCH_PROOF_H
#define LIB_WATCH_PROOF_H

#include "lib/exits.h"
#include "lib/json.h"

#define PROOF_LATE_S (50 * 3600)	/* two nights and some hours without one */

/*
 * The part `proof` of the document, owned by the caller: state, text, verdict, message, hint, finished_at, last_ok_at,
 * answer_ms, n, snapshot_at, newest, commit, app_said. Never worse than a warning: a failover works without having been
 * proved. A run that goes on leaves it as it was. NULL, and STATE_OK, where nothing was ever to be proved.
 */
json *proof_build(const json *inputs, const json *before, int64_t now, enum state *state);

#endif
