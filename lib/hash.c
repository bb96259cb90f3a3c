#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>

#include "lib/exits.h"
#include "lib/file.h"
#include "lib/hash.h"

struct content_hash {
	struct sha256 *block, *total;
	uint64_t in_block;	/* bytes of the block in progress */
};

/* libcrypto fails here only without memory; a wrong digest would be worse than an end */
static void must(int ok)
{
	if (ok != 1)
		abort();
}

/* EVP_MD_CTX is struct sha256: one cast here instead of one allocation more */
static EVP_MD_CTX *ctx(struct sha256 *s)
{
	return (EVP_MD_CTX *)s;
}

struct sha256 *sha256_new(void)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();

	if (c != NULL)
		must(EVP_DigestInit_ex(c, EVP_sha256(), NULL));
	return (struct sha256 *)c;
}

void sha256_free(struct sha256 *s)
{
	EVP_MD_CTX_free(ctx(s));
}

void sha256_add(struct sha256 *s, const void *data, size_t len)
{
	must(EVP_DigestUpdate(ctx(s), data, len));
}

void sha256_end(struct sha256 *s, unsigned char digest[HASH_LEN])
{
	must(EVP_DigestFinal_ex(ctx(s), digest, NULL));
	must(EVP_DigestInit_ex(ctx(s), NULL, NULL));
}

struct content_hash *content_hash_new(void)
{
	struct content_hash *h = calloc(1, sizeof *h);

	if (h == NULL)
		return NULL;
	h->block = sha256_new();
	h->total = sha256_new();
	if (h->block == NULL || h->total == NULL) {
		content_hash_free(h);
		return NULL;
	}
	return h;
}

void content_hash_free(struct content_hash *h)
{
	if (h == NULL)
		return;
	sha256_free(h->block);
	sha256_free(h->total);
	free(h);
}

static void end_block(struct content_hash *h)
{
	unsigned char digest[HASH_LEN];

	sha256_end(h->block, digest);
	sha256_add(h->total, digest, HASH_LEN);
	h->in_block = 0;
}

void content_hash_add(struct content_hash *h, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		size_t n = len < HASH_BLOCK - h->in_block ? len : (size_t)(HASH_BLOCK - h->in_block);

		sha256_add(h->block, p, n);
		h->in_block += n;
		p += n;
		len -= n;
		if (h->in_block == HASH_BLOCK)
			end_block(h);
	}
}

char *content_hash_end(struct content_hash *h, char text[HASH_TEXT])
{
	unsigned char digest[HASH_LEN];

	if (h->in_block > 0)
		end_block(h);
	sha256_end(h->total, digest);
	return hash_hex(digest, text);
}

char *hash_of(const void *data, size_t len, char text[HASH_TEXT])
{
	unsigned char digest[HASH_LEN];

	must(EVP_Digest(data, len, digest, NULL, EVP_sha256(), NULL));
	return hash_hex(digest, text);
}

char *content_hash_of_blocks(const void *digests, size_t count, char text[HASH_TEXT])
{
	return hash_of(digests, count * HASH_LEN, text);
}

int content_hash_fd(int fd, uint64_t offset, uint64_t length, char text[HASH_TEXT])
{
	struct content_hash *h = content_hash_new();
	char *chunk = malloc(128 << 10);
	int rc = EX_IOERR;

	errno = ENOMEM;
	if (h == NULL || chunk == NULL)
		goto out;
	posix_fadvise(fd, (off_t)offset, (off_t)length, POSIX_FADV_SEQUENTIAL);
	while (length > 0) {
		size_t want = length < 128 << 10 ? (size_t)length : 128 << 10;
		ssize_t n = file_pread(fd, chunk, want, (off_t)offset);

		if (n >= 0 && (size_t)n < want)
			errno = EIO;	/* the file became shorter */
		if (n < 0 || (size_t)n < want)
			goto out;
		content_hash_add(h, chunk, want);
		offset += want;
		length -= want;
	}
	content_hash_end(h, text);
	rc = EX_OK;
out:
	free(chunk);
	content_hash_free(h);
	return rc;
}

char *hash_hex(const unsigned char digest[HASH_LEN], char text[HASH_TEXT])
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < HASH_LEN; i++) {
		text[2 * i] = hex[digest[i] >> 4];
		text[2 * i + 1] = hex[digest[i] & 15];
	}
	text[HASH_TEXT - 1] = '\0';
	return text;
}

bool hash_valid(const char *s)
{
	return strlen(s) == HASH_TEXT - 1 && strspn(s, "0123456789abcdef") == HASH_TEXT - 1;
}
