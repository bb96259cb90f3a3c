/*
 * stop.h - SIGINT, SIGTERM and SIGHUP ask for an orderly end: the handler only sets a flag, the work
 * looks at it between its steps, and clean-up stays on the ordinary path. SIGPIPE is ignored (a
 * server that hangs up must not kill us); a reader that left standard output shows as EPIPE. So is
 * SIGXFSZ: a file size limit (ulimit -f) shows as EFBIG.
 */
#ifndef LIB_STOP_H
#define LIB_STOP_H

#include "lib/std.h"

void stop_init(void);
/* True once a signal came. */
bool stop_asked(void);

#endif
