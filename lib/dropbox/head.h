/*
 * head.h - the head record: the one small JSON file in Dropbox that says who may publish, which revision is the newest
 * snapshot, and which change came last.
 *
 *	{"schema":1,"epoch":N,"owner":"pi-ctv","seq":N,"nonce":"...","head":{"path","rev","size",
 *	 "content_hash","snapshot_at","page_size","page_count","verified","not_judged","n","digest","object"} or null,
 *	 "change":{...} or null,"confirmed_at":TIME or null,"suspect":{"n","why"} or null,"pace":{"seconds","why"}}
 *
 * What stands behind `verified`, and all behind `head`, may be absent: a record without head.n has no chain of states,
 * whatever else it says. Parsing is pure and trusts nothing: the record decides what becomes the live database. Members
 * that this program does not know are kept when it writes the record again, but a higher schema is refused, because
 * what it means is unknown.
 */
#ifndef LIB_DROPBOX_HEAD_H
#define LIB_DROPBOX_HEAD_H

#include "lib/hash.h"
#include "lib/json.h"

#define HEAD_SCHEMA 1
#define HEAD_MOST (INT64_C(1) << 52)	/* of epoch, seq and n: exact in every JSON reader, and room to count */
#define HEAD_NAME 65			/* an owner or nonce of at most 64 characters */
#define HEAD_PATH 2048
#define HEAD_OBJECT 256			/* the path of an object in /changes */
#define HEAD_DIGEST 33
#define HEAD_REV 128
#define HEAD_WHY 160
#define HEAD_NOT_JUDGED 5		/* objects that are named in the record */
#define HEAD_TEXT 4096			/* room for JSON that is kept as it is */
#define HEAD_SUSPECT 512		/* and for the reason of a suspicion */
#define HEAD_PACE 64			/* and of a pace */

/* The change that was published last: a state, and the object that leads to it. */
struct head_change {
	int64_t n;			/* 0: there is none, and what follows is empty */
	char path[HEAD_OBJECT];
	char rev[HEAD_REV];
	int64_t size;
	char content_hash[HASH_TEXT];
	int64_t snapshot_at, page_count;	/* of the state */
	char digest[HEAD_DIGEST];
	char more[HEAD_TEXT];		/* members that this program does not know */
};

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
	int64_t n;			/* which state of the chain it is; 0: of none, then what follows is empty */
	char digest[HEAD_DIGEST];
	char object_path[HEAD_OBJECT];	/* of its object in /changes */
	char object[HASH_TEXT];		/* and the content_hash of that */
	char head_more[HEAD_TEXT];	/* a JSON object of the members of `head` that this program does not know, or "" */
	struct head_change change;
	int64_t confirmed_at;		/* when the owner last knew that nothing newer exists; 0: it does not say */
	int64_t suspect_n;		/* from this state on the data may be damaged; 0: nothing is known against them */
	char suspect_why[HEAD_SUSPECT];
	int64_t pace_s;			/* how often the owner looks for changes as it is; 0: it does not say */
	char pace_why[HEAD_PACE];	/* why not as often as it was asked to, or why nothing comes; "" for no reason */
	char more[HEAD_TEXT];		/* and of the record's */
};

/* False, with the reason in why as a phrase for msg_err, when text is not a head record of our schema. */
bool head_parse(const char *text, size_t len, struct head *out, char why[HEAD_WHY]);

/* The record as it is written. Not NULL. */
json *head_json(const struct head *h);

/* The newest state of the chain: the greater of head's and change's. Texts are h's. */
struct head_newest {
	int64_t n;			/* 0: there is no chain, and the texts are "" */
	int64_t snapshot_at;
	const char *digest, *path, *object;
};
struct head_newest head_newest(const struct head *h);

/* -1, 0 or 1: (epoch, seq, n) of the newest state; where one of the two has no chain, the pair alone. */
int head_order(const struct head *a, const struct head *b);

/* Is s a name that an owner can have: 1 to 64 of A-Z a-z 0-9 . _ -? */
bool head_owner_valid(const char *s);

/* For what else reads such members: j's into *out, which has room for size; false with the reason in why. */
bool head_snapshot_read(const json *j, struct head *out, char why[HEAD_WHY]);
bool head_digest_valid(const char *s);

#endif
