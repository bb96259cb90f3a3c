/*
 * utf8.h - is it UTF-8? Names come from file systems, servers and operators; JSON, messages and Dropbox's
 * paths take nothing else.
 */
#ifndef LIB_UTF8_H
#define LIB_UTF8_H

#include "lib/std.h"

/*
 * The character at s, which ends with a NUL: its bytes (1 to 4), and *c; 0 when there is none by RFC 3629
 * (overlong forms and surrogates are none). At the NUL itself 1, and *c is 0.
 */
size_t utf8_next(const char *s, uint32_t *c);

bool utf8_valid(const char *s);

#endif
