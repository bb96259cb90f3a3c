/*
 * installed.h - installed.json, the record of what is installed on a standby, and the role that has to allow it. The
 * record is written before the database changes (with next_content_hash: what is about to be installed; what was there
 * stays on record) and after, so that a run that was killed in between is known by the next one. Its members, schema 1:
 *
 *	schema, epoch, seq (null without a head record), rev, size, content_hash, snapshot_at, installed_at, verified_by,
 *	path, n (its number in the chain of states, or null), stamp (the file as it was left: INODE.SIZE.MTIME.CTIME),
 *	and next_content_hash while it is being replaced
 *
 * All of it lies in the state directory; without one nothing is done. Times are seconds since the epoch.
 */
#ifndef LIB_INSTALLED_H
#define LIB_INSTALLED_H

#include "lib/std.h"

#include "lib/json.h"

struct installed {
	const char *state;		/* the directory of installed.json, role, role.lock and data-of; or NULL */
	int64_t epoch, seq, n;		/* -1: not known */
	const char *rev, *content_hash;	/* of what is to be installed */
	const char *verified;		/* how it was verified; NULL: as the same content was when it came */
	json *before;			/* owned: the record as it was, NULL without a sound one */
	int lock;			/* of role.lock, -1 without */
};

/*
 * Takes role.lock: until installed_end nobody changes the role. EX_OK; EX_CANTCREAT when this host serves, or the lock
 * is not to be had within a minute (reported).
 */
int installed_begin(struct installed *i);

struct stat;
/*
 * Is the live database that st is of what the record names? By the stamp of the file, which any write changes; by a
 * content_hash of it, which may also be the one that a killed run was about to install. False without a record.
 */
bool installed_stamp_is(const struct installed *i, const struct stat *st);
bool installed_hash_is(const struct installed *i, const char *content_hash);

/* Says that live is about to be replaced. EX_OK, EX_IOERR, EX_CANTCREAT (reported). */
int installed_next(struct installed *i);

/*
 * Says that live is installed, as the file at real, with data of that time, and that what this host has entered itself is gone: data-of.
 * EX_OK, EX_IOERR, EX_CANTCREAT (reported).
 */
int installed_done(struct installed *i, const char *live, const char *real, int64_t data_at);

void installed_end(struct installed *i);

#endif
