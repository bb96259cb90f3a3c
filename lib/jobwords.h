/*
 * jobwords.h - what a run says on its pipe (jobstream.h) is done here, in the order in which it was said: the words of its
 * script, which scripts/lib.sh prints, and the lines of its tools, which are complaints of the step in which they come.
 */
#ifndef LIB_JOBWORDS_H
#define LIB_JOBWORDS_H

#include "lib/jobgroup.h"
#include "lib/joblock.h"
#include "lib/jobmark.h"
#include "lib/jobsteps.h"
#include "lib/jobstream.h"
#include "lib/std.h"

struct jobwords {
	/* the caller's: on what the words act */
	struct jobsteps *steps;		/* with its screen and its record */
	struct joblocks *locks;
	const struct jobgroup *group;
	/* how the run ends, by the words done, fail and interrupted */
	bool done, interrupted;
	char result[32];		/* of `done`, for the record */
	int fail_code;			/* of `fail`; 0: none was said */
	/* its own */
	struct jobmarks marks;
	struct jobstream stream;
};

/*
 * Reads once what has been said on the descriptor `out`, which does not block, and does it; false at the end of the pipe.
 * With at_end also when nothing more is there, and the rest is taken as it is.
 */
bool jobwords_hear(struct jobwords *w, int out, bool at_end);

#endif
