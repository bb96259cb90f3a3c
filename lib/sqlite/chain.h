/*
 * chain.h - which of many objects of /changes lead a file to a given state. Each names the one before it by content_hash, so the
 * way is walked backwards, from the newest state to where the file is; what nobody names is on no way.
 */
#ifndef LIB_SQLITE_CHAIN_H
#define LIB_SQLITE_CHAIN_H

#include "lib/sqlite/change.h"

/* The state that the file is in. n 0: only its digest is known. */
struct chain_from {
	const char *name;
	int64_t n;
	struct pagehash digest;
	uint32_t page_size, page_count;
};

#define CHAIN_MOST 200000	/* changes that are looked at together: more than a week of the shortest period */

/*
 * Of operands the changes, in new memory: a directory stands for all files in it. EX_OK, EX_NOINPUT, EX_IOERR, EX_DATAERR (too
 * many); reported.
 */
int chain_names(char **operands, int n, char ***names, int *count);
void chain_names_free(char **names, int count);

/*
 * Of `all` paths of objects those that lead from the file to the object of content_hash `to`: *count of them in *order, in new
 * memory, whose texts stay those of paths. They end at the first whole state that the file is not yet (a night, a base). An object
 * that leads to where the file is is among them only while its n is not known, for it says the number.
 * EX_NOINPUT: an object of the way is not among them, or cannot be read by us. EX_DATAERR: no way begins at the file. All reported.
 */
int chain_order(const struct chain_from *from, const char *to, char **paths, int all, char ***order, int *count);

#endif
