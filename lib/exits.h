/*
 * exits.h - the exit statuses of the suite (ctv-mirror(7)). Actions use the names of <sysexits.h>
 * with the meaning given here; checks use the monitoring-plugins contract.
 */
#ifndef LIB_EXITS_H
#define LIB_EXITS_H

#include <sysexits.h>

/*
 * EX_OK           0  done, or nothing to do
 * EX_USAGE       64  the command line is wrong
 * EX_DATAERR     65  data wrong: hash, corruption, refused content
 * EX_NOINPUT     66  not found
 * EX_UNAVAILABLE 69  service unreachable after all retries
 * EX_SOFTWARE    70  a bug of ours
 * EX_CANTCREAT   73  cannot create, or busy: somebody has it open, a lock is held
 * EX_IOERR       74  I/O error, disk full
 * EX_TEMPFAIL    75  try again later: rate limit, interrupted (what was done is kept)
 * EX_PROTOCOL    76  the server said something else than Dropbox does
 * EX_NOPERM      77  not allowed: token, scope, not the owner
 * EX_CONFIG      78  configuration
 */

/* https://www.monitoring-plugins.org/doc/guidelines.html, "Plugin Return Codes" */
enum state { STATE_OK = 0, STATE_WARNING = 1, STATE_CRITICAL = 2, STATE_UNKNOWN = 3 };

#endif
