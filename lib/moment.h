/*
 * moment.h - a time as a person writes it: 2026-11-30T14:03, 2026-11-30 14:03:10, with Z, +01:00 or +0100, or by the local
 * clock without. By the local clock an hour may come twice, or not at all: nothing is guessed.
 */
#ifndef LIB_MOMENT_H
#define LIB_MOMENT_H

#include "lib/std.h"

/*
 * The moments that text may mean, in order: none when no clock showed it, two when the clock was put back over it. NULL, or
 * why text is no time.
 */
const char *moment_parse(const char *text, int64_t at[2], int *count);

#define MOMENT_TEXT sizeof "2026-11-30T14:03:10+01:00"
/* By the local clock, as moment_parse takes it. Returns buf. */
char *moment_text(char buf[MOMENT_TEXT], int64_t at);

#endif
