/*
 * headlines.h - what is to be recorded, as the tools describe it with --json: the lines that `mirror-head publish` reads.
 */
#ifndef LIB_DROPBOX_HEADLINES_H
#define LIB_DROPBOX_HEADLINES_H

#include "lib/dropbox/head.h"

/* A state of the chain as its publisher knows it: db-changes's line. */
struct head_state {
	int64_t n;			/* 0: there was no such line */
	int64_t epoch;
	bool base;
	int64_t snapshot_at, page_count;
	char digest[HEAD_DIGEST], path[HEAD_OBJECT];
	char object[HASH_TEXT];		/* content_hash of its object */
	char parent[HASH_TEXT];		/* and of the one before; "" for none */
	char content_hash[HASH_TEXT];	/* of the whole state, "" where it was not written */
};

/*
 * A snapshot, from JSON objects one a line: what db-snapshot or db-changes, db-verify and dbx-put say with --json, in any
 * order. Members are merged, but lines that disagree about size, hash or pages are refused, and so is a verification
 * that is not ok, unless it is a warning that names what was not judged. snapshot_at falls back on client_modified. Fills
 * the members of *out from path on, and *state from a line of db-changes; false with the reason in why.
 */
bool head_read_lines(const char *text, size_t len, struct head *out, struct head_state *state, char why[HEAD_WHY]);

/*
 * The same lines merged, whatever is still missing: an object with the snapshot's members that are known, and with the
 * epoch and the owner of the record (mirror-head show) among the lines. To be freed; NULL with the reason in why.
 */
json *head_merge_lines(const char *text, size_t len, struct head_state *state, char why[HEAD_WHY]);

/* A state alone: one line of db-changes. False with the reason in why. */
bool head_read_state(const char *text, size_t len, struct head_state *out, char why[HEAD_WHY]);

#endif
