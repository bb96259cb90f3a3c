/*
 * num.h - numbers with units from a command line or a configuration file. One strict parser a kind:
 * the whole string or an error, no sign, no white space, no silent overflow.
 * Each parser returns NULL and sets *out, or returns the reason as a constant text.
 */
#ifndef LIB_NUM_H
#define LIB_NUM_H

#include "lib/std.h"

/* Decimal digits, min <= value <= max. */
const char *num_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out);

/* Bytes: digits and one of K M G T (powers of 1024, either case) or nothing. At most 2^62. */
const char *num_size(const char *s, uint64_t *out);

/*
 * Milliseconds: digits and one of ms s m h d; a bare number is seconds, and min is m, as in systemd.time(7).
 * At most 100 years, so that sums never overflow.
 */
const char *num_duration(const char *s, int64_t *out_ms);

#define NUM_TEXT 32
/* `14h03m`, `3m20s`, `1.2s`, `2d04h`: two units, for people. buf holds NUM_TEXT bytes. Returns buf. */
char *num_duration_text(char *buf, int64_t ms);
/* `1433 MiB`, `512 B`: for people. buf holds NUM_TEXT bytes. Returns buf. */
char *num_size_text(char *buf, uint64_t bytes);

#endif
