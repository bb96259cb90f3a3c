/*
 * alertfile.h - what is known of each alert, on the disk: DIR/KEY, a line of JSON (alert_write), replaced as a whole,
 * and DIR/.KEY.lock, which who tells it holds meanwhile. A file that is none of ours is as good as none, and said so.
 */
#ifndef LIB_WATCH_ALERTFILE_H
#define LIB_WATCH_ALERTFILE_H

#include "lib/watch/alert.h"

struct alertfile {
	const char *key;	/* the caller's */
	char *path;
	int lock;		/* -1 without one */
	struct alert a;
};

/*
 * Takes the lock and reads. EX_OK; EX_TEMPFAIL when another process has the lock and we do not wait; EX_CANTCREAT,
 * EX_IOERR (reported) when there can be no lock. Whatever is returned, a is what is recorded, and r is to be closed.
 */
int alertfile_open(struct alertfile *r, const char *dir, const char *key, bool wait);

/* EX_OK, or as file_replace (reported). */
int alertfile_save(const struct alertfile *r);
void alertfile_close(struct alertfile *r);

/* Reads without the lock. */
void alertfile_read(const char *dir, const char *key, struct alert *a);

/* Does one of the alerts that make this one needless stand? */
bool alertfile_inhibited(const char *dir, const struct alert *a);

/* Calls work for every key, in their order, until a signal. The first failure is returned; no directory is no key. */
int alertfile_each(const char *dir, int (*work)(const char *key));

#endif
