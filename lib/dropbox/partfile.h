/*
 * partfile.h - a file in the making: `.NAME.part` beside NAME, in blocks of 4 MiB that several threads
 * fetch in any order, and `.NAME.part.map`, a journal of the blocks that arrived with their SHA-256.
 * After a kill or a power cut the next run takes over the blocks whose bytes on disk still have the
 * digest of the map, so nothing depends on the order in which the disk wrote them. NAME itself
 * appears only when the digests of all blocks add up to the expected content_hash.
 *
 * All functions may be called by several threads at once, except open, finish and close.
 */
#ifndef LIB_DROPBOX_PARTFILE_H
#define LIB_DROPBOX_PARTFILE_H

#include "lib/hash.h"

struct part;

/* The next work of a thread: count blocks, from block first on. */
struct part_work {
	uint64_t first, count;
	bool check;		/* they are in the map: see whether they are on disk too (count is 1) */
};

/*
 * Takes or makes the part of path for a file of size bytes with this content_hash; reserves the disk
 * space. A part of other content is dropped.
 * EX_OK; EX_CANTCREAT (path is no regular file, no permission, another process at it); EX_IOERR (no
 * space). Reported.
 */
int part_open(struct part **out, const char *path, uint64_t size, const char *content_hash);

/* Has an earlier run left blocks of it? Of a part that was just opened. */
bool part_begun(const struct part *p);

/* Work for one of so many threads; false when there is none left. */
bool part_take(struct part *p, unsigned threads, struct part_work *w);
/* Gives back what of the work was not done, from block first on. */
void part_give_back(struct part *p, uint64_t first, uint64_t count);

/* Does a check. EX_OK, with *good saying whether the block counts as done now; EX_IOERR (reported). */
int part_check(struct part *p, uint64_t block, bool *good);

/* Stores bytes at a place in the file. EX_OK, or EX_IOERR (reported). */
int part_write(struct part *p, uint64_t at, const void *data, size_t len);
/* All bytes of the block are stored and have this digest. EX_OK, or EX_IOERR (reported). */
int part_done(struct part *p, uint64_t block, const unsigned char digest[HASH_LEN]);

/* Is the block done? */
bool part_has(struct part *p, uint64_t block);
uint64_t part_blocks(const struct part *p);

/* Bytes done so far. */
uint64_t part_bytes(struct part *p);
/* The bytes of a block: HASH_BLOCK, less for the last one. */
uint64_t part_block_len(const struct part *p, uint64_t block);

/*
 * All blocks are done: checks the content_hash, takes over owner and mode of the file that path names so
 * far (without one: the umask's mode), sets mtime, and gives the part its name.
 * EX_OK; EX_DATAERR when the hash is wrong (not reported; the part is reset); EX_IOERR, EX_CANTCREAT.
 */
int part_finish(struct part *p, int64_t mtime);

/* At its close an unfinished part goes, too. NULL is fine. */
void part_drop(struct part *p);

/* Frees p; an unfinished part stays for the next run. NULL is fine. */
void part_close(struct part *p);

#endif
