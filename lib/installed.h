/*
 * installed.h - installed.json, the record of what is installed on a standby, and the role that has to allow it. The
 * record is written before the database changes (with next_content_hash: what is about to be installed; what was there
 * stays on record) and after, so that a run that was killed in between is known by the next one. Its members, schema 1:
 *
 *	schema, epoch, seq (null without a head record), rev, size, content_hash, snapshot_at, installed_at, verified_by,
 *	path, n (its number in the chain of states, or null), digest (of a state that was followed, whose rev and content_hash
 *	are not known), stamp (the file as it was left: INODE.SIZE.MTIME.CTIME); previous, the same of LIVE.prev, or null; and while
 *	it is being replaced next, the same of what comes, and next_content_hash
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
	const char *rev, *content_hash;	/* of what is to be installed; or */
	const char *digest;		/* this */
	int64_t data_at;		/* and the time of its data */
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
 * The entry of a record (NULL is fine) for the file that st is of: the record itself, its next or its previous, whichever has
 * the file's stamp, which any write changes. NULL: there is none, or the file was written to since. A link changes the time of a
 * file's inode, and so does the rename that makes next the live one: for these two the time of the content decides.
 */
const json *installed_entry(const json *record, const struct stat *st);

/* The record in this state directory, to be freed; NULL without a sound one. */
json *installed_read(const char *state);

/* Is this the content_hash of what the record names, or of what a killed run was about to install? False without a record. */
bool installed_hash_is(const struct installed *i, const char *content_hash);

/*
 * Where nothing says what is to be installed: what the record knows of the file that st is of. EX_OK; EX_DATAERR
 * (reported with path) when it knows nothing. Texts are of before.
 */
int installed_recall(struct installed *i, const char *path, const struct stat *st);

/* Says that live is about to be replaced by the file that st is of. EX_OK, EX_IOERR, EX_CANTCREAT (reported). */
int installed_next(struct installed *i, const struct stat *st);

/*
 * Says that live is installed, as the file at real, and that what this host has entered itself is gone: data-of. What the record
 * knew of the file at prev, it keeps. EX_OK, EX_IOERR, EX_CANTCREAT (reported).
 */
int installed_done(struct installed *i, const char *live, const char *real, const char *prev);

void installed_end(struct installed *i);

#endif
