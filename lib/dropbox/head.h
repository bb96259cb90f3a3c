/*
 * head.h - the head record: the one small JSON file in Dropbox that says who may publish and which
 * revision is the newest snapshot.
 *
 *	{"schema":1,"epoch":N,"owner":"pi-ctv","seq":N,"nonce":"...","head":{"path","rev","size",
 *	 "content_hash","snapshot_at","page_size","page_count","verified","not_judged"} or null}
 *
 * Parsing is pure and trusts nothing: the record decides what becomes the live database. Members that this program
 * does not know are kept when it writes the record again, but a higher schema is refused, because what it means is
 * unknown.
 */
#ifndef LIB_DROPBOX_HEAD_H
#define LIB_DROPBOX_HEAD_H

#include "lib/hash.h"
#include "lib/json.h"

#define HEAD_SCHEMA 1
#define HEAD_MOST (INT64_C(1) << 52)	/* of epoch and seq: exact in every JSON reader, and room to count */
#define HEAD_NAME 65			/* an owner or nonce of at most 64 characters */
#define HEAD_PATH 2048
#define HEAD_REV 128
#define HEAD_WHY 160
#define HEAD_NOT_JUDGED 5		/* objects that are named in the record */
#define HEAD_TEXT 4096			/* room for JSON that is kept as it is */

struct head {
	int64_t epoch;			/* rises at each change of owner: the fencing token */
	int64_t seq;			/* rises at each publication, whoever makes it; 0 before the first */
	char owner[HEAD_NAME];
	char nonce[HEAD_NAME];		/* fresh at each write: whose write was it? */
	char path[HEAD_PATH];		/* "" when nothing has been published yet; then what follows is empty */
	char rev[HEAD_REV];
	int64_t size;
	char content_hash[HASH_TEXT];
	int64_t snapshot_at;		/* seconds since the epoch, by the clock of who took the snapshot */
	int64_t page_size, page_count;	/* 0 when not known */
	char verified[8];		/* "none", "header", "quick", "full": what db-verify has looked at */
	char not_judged[HEAD_TEXT];	/* a JSON array of what was not judged in a file that is sound otherwise, "" for nothing */
	char head_more[HEAD_TEXT];	/* a JSON object of the members of `head` that this program does not know, or "" */
	char more[HEAD_TEXT];		/* and of the record's */
};

/* False, with the reason in why as a phrase for msg_err, when text is not a head record of our schema. */
bool head_parse(const char *text, size_t len, struct head *out, char why[HEAD_WHY]);

/* The record as it is written. Not NULL. */
json *head_json(const struct head *h);

/*
 * What is to be published, from JSON objects one a line: what db-snapshot, db-verify and dbx-put say with
 * --json, in any order. Members are merged, but lines that disagree about size, hash or pages are refused,
 * and so is a verification that is not ok, unless it is a warning that names what was not judged. snapshot_at falls back on client_modified. Fills path and what
 * follows it; false with the reason in why.
 */
bool head_read_lines(const char *text, size_t len, struct head *out, char why[HEAD_WHY]);

/* Is s a name that an owner can have: 1 to 64 of A-Z a-z 0-9 . _ -? */
bool head_owner_valid(const char *s);

#endif
