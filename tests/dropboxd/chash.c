/*
 * chash.c - content_hash: SHA-256 of each block of 4 MiB, then SHA-256 of the digests in a row.
 * Written apart from lib/hash on purpose: this one judges what the tools computed with that one.
 */
#include "lib/std.h"

#include "tests/dropboxd/dropboxd.h"

static void start_block(struct chash *h)
{
	if (EVP_DigestInit_ex(h->block, EVP_sha256(), NULL) != 1)
		abort();
}

void chash_init(struct chash *h)
{
	memset(h, 0, sizeof *h);
	h->block = EVP_MD_CTX_new();
	if (h->block == NULL)
		abort();
	start_block(h);
}

void chash_free(struct chash *h)
{
	EVP_MD_CTX_free(h->block);
	free(h->digest);
	memset(h, 0, sizeof *h);
}

void chash_copy(struct chash *to, const struct chash *from)
{
	chash_init(to);
	to->len = from->len;
	to->blocks = to->cap = from->blocks;
	to->digest = xmalloc(from->blocks * 32);
	if (from->blocks > 0)
		memcpy(to->digest, from->digest, from->blocks * 32);
	if (EVP_MD_CTX_copy_ex(to->block, from->block) != 1)
		abort();
}

void chash_add(struct chash *h, const void *data, size_t n)
{
	const char *p = data;

	while (n > 0) {
		size_t room = BLOCK - h->len % BLOCK, take = n < room ? n : room;

		if (EVP_DigestUpdate(h->block, p, take) != 1)
			abort();
		h->len += take;
		p += take;
		n -= take;
		if (h->len % BLOCK == 0) {
			if (h->blocks == h->cap) {
				h->cap = h->cap * 2 + 8;
				h->digest = xrealloc(h->digest, h->cap * 32);
			}
			if (EVP_DigestFinal_ex(h->block, h->digest + h->blocks++ * 32, NULL) != 1)
				abort();
			start_block(h);
		}
	}
}

void chash_tail(const struct chash *h, unsigned char out[32])
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();

	if (c == NULL || EVP_MD_CTX_copy_ex(c, h->block) != 1
		|| EVP_DigestFinal_ex(c, out, NULL) != 1)
		abort();
	EVP_MD_CTX_free(c);
}

void chash_of_digests(const unsigned char *d, size_t blocks, char out[HEX_HASH])
{
	unsigned char sum[32];

	if (EVP_Digest(blocks > 0 ? (const void *)d : "", blocks * 32, sum, NULL, EVP_sha256(),
		NULL) != 1)
		abort();
	hex(out, sum, sizeof sum);
}

void chash_hex(const struct chash *h, size_t skip, char out[HEX_HASH])
{
	size_t n = h->blocks - skip;
	unsigned char *all = xmalloc((n + 1) * 32);

	if (n > 0)
		memcpy(all, h->digest + skip * 32, n * 32);
	if (h->len % BLOCK != 0)
		chash_tail(h, all + n++ * 32);
	chash_of_digests(all, n, out);
	free(all);
}
