/*
 * clock.h - two clocks and nothing else: a steady one for deadlines (it counts suspend, and no
 * clock setting moves it), and the wall clock for times that people and other machines read.
 */
#ifndef LIB_CLOCK_H
#define LIB_CLOCK_H

#include "lib/std.h"

/* Milliseconds of CLOCK_BOOTTIME. */
int64_t clock_ms(void);

/* Seconds since the epoch. */
int64_t clock_wall(void);

/* Sleeps ms milliseconds, less when a stop was asked for (stop.h). */
void clock_sleep(int64_t ms);

#define CLOCK_TEXT sizeof "2026-11-23T06:00:00Z"
/* RFC 3339, UTC, whole seconds: the only form Dropbox takes. buf holds CLOCK_TEXT bytes. Returns buf. */
char *clock_text(char *buf, int64_t epoch_s);

/* The inverse, strict, years 1 to 9999: a file may be of 1601 (Windows) or of the year 1 (.NET). Returns NULL and sets *out, or the reason. */
const char *clock_parse(const char *s, int64_t *out_epoch_s);

#endif
