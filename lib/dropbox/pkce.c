#include "lib/std.h"

#include <sys/random.h>

#include "lib/hash.h"
#include "lib/dropbox/pkce.h"

/* RFC 4648, 5, without padding. */
static void base64url(const unsigned char in[HASH_LEN], char out[PKCE_TEXT])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	unsigned bits = 0, have = 0;
	size_t i = 0;

	for (size_t n = 0; n < PKCE_TEXT - 1; n++) {
		if (have < 6) {
			bits = bits << 8 | (i < HASH_LEN ? in[i] : 0);
			i++;
			have += 8;
		}
		have -= 6;
		out[n] = digits[bits >> have & 63];
	}
	out[PKCE_TEXT - 1] = '\0';
}

int pkce_verifier(char verifier[PKCE_TEXT])
{
	unsigned char bytes[HASH_LEN];

	if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
		return -1;
	base64url(bytes, verifier);
	explicit_bzero(bytes, sizeof bytes);
	return 0;
}

int pkce_challenge(const char *verifier, char challenge[PKCE_TEXT])
{
	unsigned char digest[HASH_LEN];
	struct sha256 *s = sha256_new();

	if (s == NULL)
		return -1;
	sha256_add(s, verifier, strlen(verifier));
	sha256_end(s, digest);
	sha256_free(s);
	base64url(digest, challenge);
	return 0;
}
