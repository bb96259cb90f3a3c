/*
 * headseen.h - what this host has seen of the head record, so that a record which a person deleted or brought back on
 * dropbox.com is noticed and not believed. In Dropbox such a record looks like any other: a restored one has the very bytes of
 * a record that was good once, and only its revision is new.
 *
 * Remembered are the newest record that was read or written here, its revision and, where that was told, when it was written by
 * Dropbox's clock, {"rev","server_modified","record":{...}} in .head-seen.json in the state directory, which the application
 * cannot write. Where there is no such directory, or we may not write there, nothing is remembered, and any record is believed.
 */
#ifndef LIB_DROPBOX_HEADSEEN_H
#define LIB_DROPBOX_HEADSEEN_H

#include "lib/dropbox/headreg.h"

#define HEADSEEN_WHY 480

/*
 * The record as it was seen last; exists is false when none was. EX_OK; EX_DATAERR, EX_IOERR, EX_NOPERM (reported) when
 * there is a memory that cannot be used. After config_load.
 */
int headseen_load(struct headreg *out);

/*
 * Remembers a record that was believed or written, unless a newer one is remembered by now. EX_OK also when we may not
 * write there; EX_IOERR, EX_CANTCREAT (reported).
 */
int headseen_store(const struct headreg *r);
/* The same without a look at what is remembered. */
int headseen_replace(const struct headreg *r);

/*
 * Can now be what has become of seen? False, with the reason in why as a phrase for msg_err. seen has to be older than
 * the request by which now was read. Pure.
 */
bool headseen_believes(const struct headreg *seen, const struct headreg *now, char why[HEADSEEN_WHY]);

#endif
