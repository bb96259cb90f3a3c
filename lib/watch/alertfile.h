/*
 * alertfile.h - what is known of each alert, on the disk: DIR/KEY, a line of JSON (alert_write), replaced as a whole,
 * and DIR/.KEY.lock, which who tells it holds meanwhile. A file that is none of ours is as good as none, and said so.
 * While DIR takes no record (a disk that is full or read-only), it is in SPARE/KEY: what was told is not told each time.
 */
#ifndef LIB_WATCH_ALERTFILE_H
#define LIB_WATCH_ALERTFILE_H

#include "lib/watch/alert.h"

/* Where the records are. */
struct alertplace {
	const char *dir;
	const char *spare;	/* in memory, until the next boot; need not be there */
};

struct alertfile {
	const char *key;	/* the caller's */
	char *path, *spare;
	int failed;		/* why PATH took no record; it is not tried again. EX_OK */
	bool kept;		/* the last alertfile_save has written it to one of both */
	int lock;		/* -1 without one */
	struct alert a;
};

/*
 * Takes the lock and reads. EX_OK; EX_TEMPFAIL when another process has the lock and we do not wait; EX_CANTCREAT,
 * EX_IOERR (reported) when there can be no lock. Whatever is returned, a is what is recorded, and r is to be closed.
 */
int alertfile_open(struct alertfile *r, const struct alertplace *at, const char *key, bool wait);

/* EX_OK, or as file_replace (reported), also when it is in SPARE then. */
int alertfile_save(struct alertfile *r);
void alertfile_close(struct alertfile *r);

/* Reads without the lock. */
void alertfile_read(const struct alertplace *at, const char *key, struct alert *a);

/* Does one of the alerts that make this one needless stand? */
bool alertfile_inhibited(const struct alertplace *at, const struct alert *a);

/* Calls work for every key, in their order and those of SPARE alone last, until a signal. The first failure is returned; no directory is no key. */
int alertfile_each(const struct alertplace *at, int (*work)(const char *key));

#endif
