/*
 * jobscript.h - the script of a run: what it begins with - one pipe for all that it says, whose name stands in CTV_JOB for
 * lib.sh and for a run within this one, a standard input that is empty where nobody would see its questions - and its
 * company to the end.
 */
#ifndef LIB_JOBSCRIPT_H
#define LIB_JOBSCRIPT_H

#include "lib/jobwords.h"
#include "lib/std.h"

/*
 * Starts argv as the group (jobgroup.h) and does what it says, until nothing of it runs any more; its exit status is
 * group->status. EX_OK, or EX_SOFTWARE without a script (reported).
 */
int jobscript_run(char **argv, struct jobgroup *group, struct jobwords *words);

#endif
