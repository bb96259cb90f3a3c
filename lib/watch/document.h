/*
 * document.h - what the checks say, put together into the one document that answers: can we fail over now,
 * who is serving, how old is the copy, did last night work? A pure function of its inputs, so that each
 * state has a test. A state that is not known is "unknown" and never OK.
 *
 * An input is a JSON object with an "id":
 *   host      node, role (standby, active, primary), version
 *   primary   http-probe's line for the primary
 *   standby   age-check's line for the live copy
 *   verify    installed-check's line: how it was verified when it was installed: level, installed_at; unchanged since?,
 *             file_mtime. While this host serves, a copy that was written to is as it should be
 *   download, upload   the records last-download.json, last-upload.json
 *   failover, failback, drill   the same, for the events
 *   ready/NAME   the check of one condition of a failover: state, text; any number of them
 *   warn/NAME    the same of one that does not block a failover: it is never worse than a warning
 *   ready     the same as ready/NAME, where the name is the member check
 *   head, newest, lag   what is followed minute by minute: lag.h
 *   proof     the nightly proof: proof.h
 * The line warn/timer_armed has the member next_at: when the nightly job is going to run.
 *   alert     an alert that is firing: key, severity, text, since; any number of them
 *   deliveries   of one alert to one channel: channel, delivered, failed; any number of them
 */
#ifndef LIB_WATCH_DOCUMENT_H
#define LIB_WATCH_DOCUMENT_H

#include "lib/exits.h"
#include "lib/json.h"
#include "lib/settingtable.h"

#define STATUS_WARN_S (DATA_LATE_H * 3600)
#define STATUS_CRIT_S (DATA_OLD_H * 3600)
#define STATUS_AHEAD_S 300	/* so far may another host's clock be ahead */
#define STATUS_DAYS 14
#define STATUS_EVENTS 10

/*
 * inputs is an array of objects; before the document of the last round, or NULL; now in seconds since the
 * epoch. Returns the document (owned by the caller), schema 1.
 */
json *status_build(const json *inputs, const json *before, int64_t now);

/* The first input of that id, NULL when there is none. */
const json *status_input(const json *inputs, const char *id);
/* "ok", "warning", "critical", "unknown". */
const char *status_word(enum state s);

/* Is what the next boot must not forget the same in both? NULL is no document. */
bool status_same_history(const json *a, const json *b);

#endif
