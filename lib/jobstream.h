/*
 * jobstream.h - what a run says on its one pipe, cut into pieces in the order in which it was said: the words of its
 * script, the lines of its tools, and lines that are drawn again (progress.h). One pipe for all of them, because
 * two would lose the order: a complaint must stay in the step in which it was made.
 *
 * A word of the script's is `\001TOKEN WORD\001A\001B\001C\001\n`, in one write(2); the token is the run's, so that what
 * a tool prints cannot pass for one. Its fields may hold line feeds. Everything else is a tool's.
 */
#ifndef LIB_JOBSTREAM_H
#define LIB_JOBSTREAM_H

#include "lib/std.h"

#define JOBSTREAM_MAX ((size_t)64 << 10)	/* what is longer than this comes in several pieces */
#define JOBSTREAM_FIELDS 3

struct jobstream {
	char token[64];
	size_t begin, len;
	char data[JOBSTREAM_MAX];
	char piece[JOBSTREAM_MAX + 1];
};

enum jobpiece_kind {
	JOBPIECE_WORD,
	JOBPIECE_LINE,		/* text is a line without its end */
	JOBPIECE_TRANSIENT,	/* text is to be drawn over the line before; empty: that line goes */
};

/* The strings lie in the stream, until the next call. */
struct jobpiece {
	enum jobpiece_kind kind;
	const char *text;			/* of a line or a transient */
	const char *word, *field[JOBSTREAM_FIELDS];	/* of a word; absent fields are "" */
};

void jobstream_init(struct jobstream *s, const char *token);

/* Where the next bytes are to be read to, and how many; never 0 after jobstream_next has said false. */
char *jobstream_room(struct jobstream *s, size_t *room);
void jobstream_added(struct jobstream *s, size_t len);

/* The next piece; false when the rest is none yet. With at_end the rest is taken as it is. */
bool jobstream_next(struct jobstream *s, bool at_end, struct jobpiece *out);

#endif
