/*
 * verify.h - is this file a whole, uncorrupted, plausible SQLite database? From the cheapest question to the
 * dearest: a regular file, a header that adds up, the expected size, the expected content_hash, every page
 * and row in order, the tables that must be there. SQLite sees the file only after its header was found good,
 * and then hardened (untrusted.h). Nothing is written, and nothing beside the file is read but to see whether
 * a journal lies there.
 */
#ifndef LIB_SQLITE_VERIFY_H
#define LIB_SQLITE_VERIFY_H

#include "lib/exits.h"
#include "lib/hash.h"
#include "lib/progress.h"
#include "lib/std.h"

enum dbcheck_level {
	DBCHECK_HEADER,		/* the first 100 bytes and the size of the file */
	DBCHECK_QUICK,		/* what PRAGMA quick_check finds: every page, every row */
	DBCHECK_FULL,		/* what PRAGMA integrity_check finds: indexes against tables as well */
};

/* A table that must be there with at least min_rows rows. */
struct dbcheck_table {
	const char *name;
	uint64_t min_rows;
};

struct dbcheck_options {
	enum dbcheck_level level;
	uint64_t min_size;			/* bytes */
	const struct dbcheck_table *tables;
	size_t table_count;
	const char *hash;			/* content_hash as hex, or NULL */
	int64_t deadline_ms;			/* clock_ms() after which to give up; INT64_MAX for none */
	unsigned jobs;				/* threads, at least 1 */
	enum progress_when progress;
};

#define DBCHECK_NOT_JUDGED 20	/* objects that are named */

/* The findings. The first reason is in text; the others are told with -v. */
struct dbcheck_report {
	enum state state;
	char text[512];			/* why it is not OK, "" when it is */
	uint64_t errors;		/* kinds of damage and refusals */
	uint64_t not_judged_count;	/* doubts: what of a file that is sound otherwise was not judged, or only as our
					 * SQLite computes it; the first of them follow */
	struct { char object[150], why[400]; } not_judged[DBCHECK_NOT_JUDGED];
	uint64_t size;			/* bytes */
	uint32_t page_size, pages;	/* 0 when the header was not good */
	char hash[HASH_TEXT];		/* "" when it was not computed */
	int64_t spent_ms;
	bool left_behind;		/* a thread still sits in a call that does not end: see below */
};

/*
 * CRITICAL: missing, no database, damaged, or not what the options want. UNKNOWN: it could not be judged (no
 * permission, deadline, stopped by a signal, out of memory, whole only with the journal beside it). WARNING: clean, but something of it
 * could not be judged (damage.h), or a journal beside it may hold more rows, or may be about to undo some. Never reports anything but by
 * *r and, with -v, msg_info.
 *
 * It answers within a second of the deadline or a signal, whatever a thread is doing. A thread that could not be ended
 * is left behind with path and o, which must live on; the process is to be ended by _exit.
 */
void dbcheck(const char *path, const struct dbcheck_options *o, struct dbcheck_report *r);

#endif
