/*
 * copy.h - a copy of a large file that is known to be on the disk as it was read, and whether two files
 * are the same. Bounded memory.
 */
#ifndef LIB_COPY_H
#define LIB_COPY_H

#include "lib/std.h"

/*
 * Copies size bytes of from to the start of to (empty, open for reading and writing), brings them to disk,
 * reads them back and compares the hashes. The names are for messages. EX_OK, EX_IOERR, or EX_TEMPFAIL
 * after a stop (stop.h); reported.
 */
int copy_verified(int from, const char *from_name, int to, const char *to_name, uint64_t size);

/*
 * The same, but neither read back nor brought to disk; a file system that can share the blocks has nothing to copy. EX_OK,
 * EX_IOERR, EX_TEMPFAIL; reported.
 */
int copy_shared(int from, const char *from_name, int to, const char *to_name, uint64_t size);

/* Must the file fd be copied to get a name in dir, being on another mount? */
bool copy_needed(int fd, const char *dir);
/* Is there room for size bytes in dir? EX_OK, or EX_IOERR, reported with object. */
int copy_room(const char *object, const char *dir, uint64_t size);

/* Do both hold the same size bytes? Reads up to the first difference. False also when one cannot be read. */
bool copy_is_same(int a, int b, uint64_t size);

#endif
