/*
 * joblock.h - the locks of a run: files of the state directory, of which the script and its tools inherit the descriptor.
 * Such a lock is free only when the last of them has ended, whatever happened to job-run.
 */
#ifndef LIB_JOBLOCK_H
#define LIB_JOBLOCK_H

#include "lib/jobscreen.h"
#include "lib/std.h"

struct joblock {
	char name[64];
	int64_t wait_ms;
	const char *brief;	/* the script that may hold the lock for a moment, and is waited for; NULL: any holder is */
	int fd;			/* -1 until it is taken */
};

#define JOBLOCKS 4

struct joblocks {
	struct joblock lock[JOBLOCKS];
	size_t count;
};

/* NAME[:WAIT[:HOLDER]], which must stay: brief lies in it. NULL, or what is wrong with it. */
const char *joblock_parse(const char *text, struct joblock *out);

/* The same, as one more lock of the run. */
const char *joblock_add(struct joblocks *l, const char *text);

/* All of them, in their order: EX_OK, or EX_CANTCREAT when one is held or cannot be opened (reported). */
int joblock_take(struct joblocks *l, const char *state_dir, struct jobscreen *screen);

/* The ones of this name are free, whoever has their descriptor. */
void joblock_release(struct joblocks *l, const char *name);

/* Is it a name for a lock or a task: of small letters, digits, - and dots, and no hidden file's? */
bool joblock_is_name(const char *name);

#endif
