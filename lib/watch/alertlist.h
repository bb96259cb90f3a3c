/*
 * alertlist.h - the alerts that stand, and what could not be told: a line each for people, or lines as status-render
 * takes them: `alert` (key, severity, text, since, count, queued) and, for each channel that was ever told something,
 * `deliveries` (key, channel, delivered, failed, pending, why).
 */
#ifndef LIB_WATCH_ALERTLIST_H
#define LIB_WATCH_ALERTLIST_H

#include "lib/check.h"
#include "lib/watch/alertfile.h"

/*
 * Prints it; with form->id behind it the answer of a check: could everybody be told? The status is that of
 * alertfile_each.
 */
int alertlist_print(const struct alertplace *at, struct check_form *form);

#endif
