/*
 * dataof.h - data-of in the state directory, a file whose time is the time of this host's data: to serve gives the
 * database a new time, and it lacks what was entered on the primary all the same. It has content when somebody could
 * enter something here. An installation takes it away (installed.h).
 */
#ifndef LIB_DATAOF_H
#define LIB_DATAOF_H

#include "lib/std.h"

/*
 * Keeps the time of the database live in the state directory, unless it is kept already, or there is no database; and with
 * served that something could be entered. The caller has role.lock. EX_OK, EX_IOERR, EX_CANTCREAT (reported).
 */
int dataof_keep(const char *state, const char *live, bool served);

#endif
