/*
 * wal.h - the write-ahead log as bytes (https://www.sqlite.org/fileformat2.html#walformat): its header, its frames
 * and their checksums, which run on from frame to frame. Pure: no function here reads a file.
 *
 *	header 32 | frame header 24, page | frame header 24, page | ...
 *
 * A frame counts when its salts are those of the header, its checksum goes on from the one before, and a commit
 * frame follows. What is behind such frames is the rest of an older log.
 */
#ifndef LIB_SQLITE_WAL_H
#define LIB_SQLITE_WAL_H

#include "lib/std.h"

#define WAL_HEADER_LEN 32
#define WAL_FRAME_LEN 24

/* Where a log stands: what the next frame's checksum goes on from. */
struct wal_mark {
	uint32_t salt[2];
	uint32_t sum[2];
	uint32_t frames;	/* so many are before this place */
};

struct wal_header {
	uint32_t page_size;	/* 512..65536, a power of two */
	bool big_endian;	/* the words that are summed */
	struct wal_mark start;	/* before the first frame */
};

/* False when these are not the first bytes of a log that counts. */
bool wal_header_parse(const unsigned char bytes[WAL_HEADER_LEN], struct wal_header *out);
/* The header of a new log with little-endian sums. */
void wal_header_make(unsigned char bytes[WAL_HEADER_LEN], uint32_t page_size, const uint32_t salt[2], struct wal_header *out);

struct wal_frame {
	uint32_t page;		/* its number */
	uint32_t commit;	/* of the last frame of a transaction the pages of the database after it, else 0 */
};

/* The frame at `at`, whose page is data; moves `at` behind it. False, and `at` as before, when it does not count there. */
bool wal_frame_parse(const struct wal_header *wal, struct wal_mark *at, const unsigned char bytes[WAL_FRAME_LEN],
		     const unsigned char *data, struct wal_frame *out);
void wal_frame_make(const struct wal_header *wal, struct wal_mark *at, unsigned char bytes[WAL_FRAME_LEN],
		    const unsigned char *data, struct wal_frame frame);

/* Where frame i (from 0) begins in the file. */
uint64_t wal_offset(uint32_t page_size, uint32_t i);

/*
 * Which frame holds the newest committed content of which page. Memory: 16 bytes at most for each page that stands in
 * the log, however often.
 */
struct wal_map {
	struct wal_entry { uint32_t page, frame; } *entries;	/* by page once sorted; owned */
	size_t count, room;
	size_t sorted;		/* so many entries are in order, each page once */
	size_t committed;	/* so many belong to finished transactions */
};

/* 0, or -1 without memory. */
int wal_map_add(struct wal_map *m, uint32_t page, uint32_t frame);
/* The frames that were added belong to a finished transaction. */
void wal_map_commit(struct wal_map *m);
/* Forgets what was added since the last commit, and puts the rest in order: to be called before wal_map_find. */
void wal_map_close(struct wal_map *m);
/* The frame of this page by the last wal_map_close, or -1. */
int64_t wal_map_find(const struct wal_map *m, uint32_t page);
void wal_map_free(struct wal_map *m);

#endif
