#include "lib/std.h"

#include "lib/hash.h"

#include "tests/unit/check.h"

/*
 * content_hash by Python's hashlib, and again by openssl dgst -sha256 -binary:
 *   sha256(b''.join(sha256(b[i:i + 4194304]).digest() for i in range(0, len(b), 4194304))).hexdigest()
 * over b = bytes((i * 31 + (i >> 8) * 7 + (i >> 16)) & 255 for i in range(size)): no two blocks are alike.
 */
static const struct { size_t size; const char *hash; } table[] = {
	{ 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ 1, "1406e05881e299367766d313e26c05564ec91bf721d31726bd6e46e60689539a" },
	{ 4194303, "9aeb6eca09f499c69fff8189b8661c2f494cffc6a50599440045ee04e4214469" },
	{ 4194304, "fde763ee47413a0ef52742952accd55279282670002b5c6fca2be641f70854af" },
	{ 4194305, "e757568cbe2010222fe71264c701117b4490c352c8d31e9687dd42c35eb9a2cb" },
	{ 8388608, "338408ff3b152eb95b3559d65afdf29d541be3fb919b25593732b434d9ec7925" },
	{ 8388613, "cb5b85aab0086bd423c0e901dd0ccddd782c9e1152d364a02e238bc5be62db1e" },
};

#define MOST 8388613

/* The first one goes through every end of a block, the last one straddles it. */
static const size_t pieces[] = { MOST, 4194304, 4194303, 1000003 };

static void check_row(struct content_hash *h, const char *data, size_t size, const char *hash)
{
	unsigned char digests[3 * HASH_LEN];
	struct sha256 *block = sha256_new();
	char text[HASH_TEXT];
	size_t count = 0;

	/* the same h throughout: the end starts afresh */
	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		for (size_t at = 0; at < size; at += pieces[i])
			content_hash_add(h, data + at, size - at < pieces[i] ? size - at : pieces[i]);
		check(strcmp(content_hash_end(h, text), hash) == 0, "%zu bytes in pieces of %zu: %s", size, pieces[i], text);
	}
	for (size_t at = 0; block != NULL && at < size; at += HASH_BLOCK) {
		sha256_add(block, data + at, size - at < HASH_BLOCK ? size - at : HASH_BLOCK);
		sha256_end(block, digests + HASH_LEN * count++);
	}
	check(strcmp(content_hash_of_blocks(digests, count, text), hash) == 0, "%zu bytes by blocks: %s", size, text);
	sha256_free(block);
}

static void check_file(const char *data)
{
	FILE *f = tmpfile();
	char text[HASH_TEXT];

	check(f != NULL && fwrite("front", 1, 5, f) == 5 && fwrite(data, 1, MOST, f) == MOST && fflush(f) == 0, "a file");
	if (f == NULL)
		return;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		check(content_hash_fd(fileno(f), 5, table[i].size, text) == 0 && strcmp(text, table[i].hash) == 0,
		      "%zu bytes of a file", table[i].size);
	check(content_hash_fd(fileno(f), 5, MOST + 1, text) != 0, "a file that is one byte shorter");
	fclose(f);
}

int main(void)
{
	struct content_hash *h = content_hash_new();
	char *data = malloc(MOST), text[HASH_TEXT];

	check(h != NULL && data != NULL, "memory");
	if (h == NULL || data == NULL)
		return check_done();
	for (size_t i = 0; i < MOST; i++)
		data[i] = (char)((i * 31 + (i >> 8) * 7 + (i >> 16)) & 255);
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		check_row(h, data, table[i].size, table[i].hash);
	check_file(data);
	/* FIPS 180-2, B.1 */
	check(strcmp(hash_of("abc", 3, text), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad") == 0,
	      "SHA-256 of abc: %s", text);
	check(hash_valid(text), "a hash");
	text[63] = 'G';
	check(!hash_valid(text), "a letter that is no digit");
	text[63] = 'A';
	check(!hash_valid(text), "an upper-case digit");
	text[63] = '\0';
	check(!hash_valid(text), "63 digits");
	check(!hash_valid("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0") && !hash_valid(""),
	      "65 digits, and none");
	free(data);
	content_hash_free(h);
	return check_done();
}
