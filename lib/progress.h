/*
 * progress.h - one line on standard error that says how far a transfer is, redrawn in place. Threads
 * may add at once; a thread that finds another one drawing goes on without waiting.
 */
#ifndef LIB_PROGRESS_H
#define LIB_PROGRESS_H

#include "lib/std.h"

enum progress_when { PROGRESS_TERMINAL, PROGRESS_ALWAYS, PROGRESS_NEVER };

/* The options --progress and --no-progress, as option.h wants them; to is an enum progress_when *. */
const char *progress_always(const char *text, void *to);
const char *progress_never(const char *text, void *to);

struct progress;

/* total in bytes, 0 when unknown. NULL when there is nothing to show (or no memory): all of this takes NULL. */
struct progress *progress_new(enum progress_when when, const char *what, uint64_t total);
/* bytes that were there before: they count for the total, not for the speed. */
void progress_skip(struct progress *p, uint64_t bytes);
void progress_add(struct progress *p, uint64_t bytes);
/* Clears the line on a terminal; frees p. */
void progress_end(struct progress *p);

#endif
