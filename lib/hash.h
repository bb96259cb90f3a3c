/*
 * hash.h - Dropbox's content_hash (https://www.dropbox.com/developers/reference/content-hash): the
 * SHA-256 of the concatenated SHA-256 digests of the file's 4 MiB blocks, the last one short; no
 * block for an empty file. Blocks are independent, so threads can hash them as they arrive.
 * The only module that knows libcrypto's digests.
 */
#ifndef LIB_HASH_H
#define LIB_HASH_H

#include "lib/std.h"

#define HASH_BLOCK ((uint64_t)4 << 20)
#define HASH_LEN 32
#define HASH_TEXT (2 * HASH_LEN + 1)

/* The SHA-256 of len bytes as lower-case hex. Returns text. */
char *hash_of(const void *data, size_t len, char text[HASH_TEXT]);

/* A SHA-256 in progress. NULL without memory. */
struct sha256 *sha256_new(void);
void sha256_free(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *data, size_t len);
/* Writes the digest and starts afresh. */
void sha256_end(struct sha256 *s, unsigned char digest[HASH_LEN]);

/* A content_hash in progress over bytes in order. NULL without memory. */
struct content_hash *content_hash_new(void);
void content_hash_free(struct content_hash *h);
void content_hash_add(struct content_hash *h, const void *data, size_t len);
/* Writes the hash as lower-case hex with a NUL and starts afresh. Returns text. */
char *content_hash_end(struct content_hash *h, char text[HASH_TEXT]);

/* The same from the digests of all blocks, in order. */
char *content_hash_of_blocks(const void *digests, size_t count, char text[HASH_TEXT]);

/* The content_hash of length bytes of fd from offset. EX_OK, or EX_IOERR (errno set, not reported). */
int content_hash_fd(int fd, uint64_t offset, uint64_t length, char text[HASH_TEXT]);

/* Lower-case hex of a digest. */
char *hash_hex(const unsigned char digest[HASH_LEN], char text[HASH_TEXT]);
/* Is s 64 lower-case hex digits? */
bool hash_valid(const char *s);

#endif
