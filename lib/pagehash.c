#include "lib/std.h"

#include <inttypes.h>
#include <xxhash.h>

#include "lib/pagehash.h"

struct pagehash pagehash_of(const void *page, uint32_t size, uint32_t number)
{
	XXH128_hash_t h = XXH3_128bits_withSeed(page, size, number);

	return (struct pagehash){ .high = h.high64, .low = h.low64 };
}

void pagehash_add(struct pagehash *sum, struct pagehash page)
{
	sum->high += page.high;
	sum->low += page.low;
}

void pagehash_take(struct pagehash *sum, struct pagehash page)
{
	sum->high -= page.high;
	sum->low -= page.low;
}

void pagehash_store(unsigned char bytes[PAGEHASH_LEN], struct pagehash h)
{
	for (int i = 0; i < 8; i++) {
		bytes[i] = (unsigned char)(h.high >> (56 - 8 * i));
		bytes[8 + i] = (unsigned char)(h.low >> (56 - 8 * i));
	}
}

struct pagehash pagehash_load(const unsigned char bytes[PAGEHASH_LEN])
{
	struct pagehash h = { 0, 0 };

	for (int i = 0; i < 8; i++) {
		h.high = h.high << 8 | bytes[i];
		h.low = h.low << 8 | bytes[8 + i];
	}
	return h;
}

char *pagehash_text(char text[PAGEHASH_TEXT], struct pagehash h)
{
	snprintf(text, PAGEHASH_TEXT, "%016" PRIx64 "%016" PRIx64, h.high, h.low);
	return text;
}

bool pagehash_parse(const char *text, struct pagehash *out)
{
	char half[17] = "";

	if (strlen(text) != PAGEHASH_TEXT - 1 || strspn(text, "0123456789abcdef") != PAGEHASH_TEXT - 1)
		return false;
	memcpy(half, text, 16);
	*out = (struct pagehash){ .high = strtoull(half, NULL, 16), .low = strtoull(text + 16, NULL, 16) };
	return true;
}
