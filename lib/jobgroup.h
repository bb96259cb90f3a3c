/*
 * jobgroup.h - the process group of a run's script: with all that the script starts it has the terminal while ours would
 * have it, gets the signals that come to us, stops us when it is stopped, and nothing of it is left at the end.
 *
 * A shell that has just called vfork(2) cannot be stopped until its child has become the command; and Ctrl-Z may stop
 * the child before it does. The shell then waits for a process that waits to be continued, neither is a child of ours
 * that has stopped, and nobody would give the terminal back. So at a terminal we put a child of our own into the group, the
 * guard, which does nothing but stop when the group is stopped.
 */
#ifndef LIB_JOBGROUP_H
#define LIB_JOBGROUP_H

#include "lib/std.h"

#include <signal.h>

struct jobgroup {
	int terminal;		/* the descriptor of the one that the group is to have, -1 for none */
	pid_t script, guard;	/* guard: 0 without one */
	pid_t id;		/* of the group */
	int status;		/* of the script, as wait(2) has it, once it is gone */
	bool gone, stopped;
	bool forwarded;		/* a signal came to us, and went on to the group */
	int signals;		/* the descriptor on which our signals come */
	sigset_t before;	/* what was blocked before */
};

/*
 * Begins the group, as fork(2): 0 in the process that is to become the script, whose signals are then as ours were; -1
 * with errno. terminal as in the struct.
 */
pid_t jobgroup_fork(struct jobgroup *g, int terminal);

/*
 * Stays with the group to its end, and then has the terminal back. hear(to, out) is called when there is something to read
 * on the descriptor `out`, and before we stop; false: there is nothing any more. A script that is gone leaves its group
 * some time to end on SIGTERM.
 */
void jobgroup_attend(struct jobgroup *g, int out, bool (*hear)(void *to, int out), void *to);

#endif
