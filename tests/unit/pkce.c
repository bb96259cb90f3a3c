#include "lib/std.h"

#include "lib/dropbox/pkce.h"

#include "tests/unit/check.h"

int main(void)
{
	char verifier[PKCE_TEXT], again[PKCE_TEXT], challenge[PKCE_TEXT];

	/* RFC 7636, appendix B */
	check(pkce_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", challenge) == 0 &&
	      strcmp(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM") == 0, "the RFC's example: %s", challenge);
	check(pkce_verifier(verifier) == 0 && strlen(verifier) == 43, "length of %s", verifier);
	check(strspn(verifier, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == 43,
	      "characters of %s", verifier);
	check(pkce_verifier(again) == 0 && strcmp(verifier, again) != 0, "twice the same verifier");
	return check_done();
}
