/*
 * stop.h - SIGINT, SIGTERM and SIGHUP ask for an orderly end: the handler only sets a flag, the work
 * looks at it between its steps, and clean-up stays on the ordinary path. Blocking calls end by EINTR, again
 * and again until the process does. SIGPIPE and SIGXFSZ are ignored (neither a server that hangs up nor a limit
 * must kill us): they show as EPIPE and EFBIG.
 */
#ifndef LIB_STOP_H
#define LIB_STOP_H

#include "lib/std.h"

void stop_init(void);
/* True once a signal came. */
bool stop_asked(void);

#endif
