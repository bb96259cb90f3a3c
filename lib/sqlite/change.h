/*
 * change.h - one object of /changes: what differs between a state and the one before it.
 *
 *	skippable zstd frame: one JSON object | zstd frame: a write-ahead log of one transaction (nothing for a base)
 *
 * By hand, with nothing of ours, beside a copy of the state before:
 *	zstd -dc CHANGE >db-wal && sqlite3 db 'PRAGMA wal_checkpoint(TRUNCATE)'
 *
 * An object comes from a server: nothing in it is believed before it was checked, and memory does not depend on it.
 */
#ifndef LIB_SQLITE_CHANGE_H
#define LIB_SQLITE_CHANGE_H

#include "lib/hash.h"
#include "lib/json.h"
#include "lib/pagehash.h"
#include "lib/sqlite/wal.h"

#define CHANGE_SCHEMA 1
#define CHANGE_MOST (INT64_C(1) << 52)	/* of n and epoch: exact in every JSON reader, and room to count */
#define CHANGE_NODE 65
#define CHANGE_PATH 80

struct change {
	int64_t n;			/* of the state that it leads to; 1 is the first there ever was */
	int64_t epoch;			/* of the owner who made it */
	char node[CHANGE_NODE];		/* and that owner's name; "" when it has none */
	int64_t snapshot_at;		/* seconds since the epoch, by that host's clock */
	uint32_t page_size, page_count;	/* of the state */
	uint32_t pages;			/* so many are in the log, by rising number */
	bool base;			/* what differs is not known: the state is published whole, elsewhere */
	struct pagehash before, after;	/* digests; before counts unless base */
	char parent[HASH_TEXT];		/* content_hash of the object before, "" for none */
	char content_hash[HASH_TEXT];	/* of the whole state, of a night or base, else "" */
};

/* Where it lies in Dropbox: /changes/YYYYMMDD/NNNNNNNNN-YYYYMMDDTHHMMSSZ.wal.zst. Returns path. */
char *change_path(char path[CHANGE_PATH], const struct change *c);
/* The inverse: n and snapshot_at into *c. False when path is not just such a one. */
bool change_path_parse(const char *path, struct change *c);

/* The members of the JSON object; the caller's. */
json *change_json(const struct change *c);

/* ---- writing: begin, add by rising page number, end ---- */

struct change_out;
/* fd is an empty file, path its name for messages. pages, after and content_hash may change until the end. */
struct change_out *change_begin(int fd, const char *path, const struct change *c);	/* NULL, reported */
int change_add(struct change_out *o, uint32_t page, const unsigned char *data);
/* c as at the beginning but for these members. EX_OK or EX_IOERR, reported. */
int change_end(struct change_out *o, const struct change *c);
void change_out_free(struct change_out *o);

/* ---- reading ---- */

struct change_in;
/* Opens an object and reads its description into *c. NULL and the exit status in *rc, reported. */
struct change_in *change_open(const char *path, struct change *c, int *rc);
/* The same of a file that is open at its beginning, and is closed with it. Messages name it by name, which is not copied. */
struct change_in *change_read(int fd, const char *name, struct change *c, int *rc);
/*
 * The next page: its number and its page_size bytes; 0 after the last one, when all was there and nothing more.
 * EX_OK, EX_DATAERR, EX_IOERR, reported.
 */
int change_next(struct change_in *i, uint32_t *page, unsigned char *data);
void change_in_free(struct change_in *i);

#endif
