/*
 * headwait.h - waiting for the head record to become a newer one.
 */
#ifndef LIB_DROPBOX_HEADWAIT_H
#define LIB_DROPBOX_HEADWAIT_H

#include "lib/dropbox/headreg.h"

/*
 * Looks every so many milliseconds, each time over a new connection, until a record of a greater (epoch, seq) is there:
 * *now. What may pass is waited for, too. timeout_ms 0: for ever. EX_OK; EX_TEMPFAIL when nothing newer came in time, or
 * a signal; EX_DATAERR, EX_NOPERM, EX_CONFIG, which do not pass; reported.
 */
int headwait_newer(int64_t epoch, int64_t seq, int64_t every_ms, int64_t timeout_ms, struct headreg *now);

#endif
