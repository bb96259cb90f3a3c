/*
 * pkce.h - Proof Key for Code Exchange (RFC 7636): the secret that makes a code worthless to anybody who only
 * sees it, for an app that has no secret of its own.
 */
#ifndef LIB_DROPBOX_PKCE_H
#define LIB_DROPBOX_PKCE_H

#include "lib/std.h"

#define PKCE_TEXT 44	/* 32 bytes in base64url without padding, and a NUL */

/* A fresh verifier, 256 random bits. 0, or -1 with errno. */
int pkce_verifier(char verifier[PKCE_TEXT]);
/* Its challenge, method S256. 0, or -1 without memory. */
int pkce_challenge(const char *verifier, char challenge[PKCE_TEXT]);

#endif
