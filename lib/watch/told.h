/*
 * told.h - what the document says, as names for a script that tells people: what is wrong, in the words of one line, and how
 * the pulse is to beat. Which of it is told to whom, how often and with which advice is the script's table.
 */
#ifndef LIB_WATCH_TOLD_H
#define LIB_WATCH_TOLD_H

#include "lib/json.h"
#include "lib/shell.h"

/*
 * overall, summary
 * hindrance, problem   `NAME: DETAIL` of the first condition that keeps, or does not keep, this host from taking over; what is
 *                      not known of the primary or of the data is such a problem, too
 * stale, age_text      the age of the copy's data is in order: ok, warning, unknown; how old they are, if they
 * old                  are there, and not of the future
 * sync_late            no nightly run was good for a day and two hours; sync_ok_at, sync_message: of the last
 * sync_pulse, sync_text   for the monitor of the nightly and the minutely copy: ok or critical, and how old the data are
 * lag, lag_text, proof, proof_text   the parts of these names, empty without such a part; of the lag without what a clock says
 * clock                which clock is wrong, and by how much; empty when none is known to be
 * queued               somebody could not be told yet
 */
extern const char *const told_names[];

/* apart: a condition that is neither hindrance nor problem, or NULL. */
void told_set(struct shell *to, const json *inputs, const json *status, const char *apart, int64_t now);

#endif
