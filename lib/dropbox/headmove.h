/*
 * headmove.h - what may become of the head record: one function for each thing that a host may want of it, which says
 * how the record would be then, or why not. All of them are pure; who writes it is headreg's.
 */
#ifndef LIB_DROPBOX_HEADMOVE_H
#define LIB_DROPBOX_HEADMOVE_H

#include "lib/dropbox/headlines.h"

#define HEADMOVE_WHY 256

struct head_wish {
	const char *owner;		/* who writes, or becomes the owner */
	const char *from;		/* of settle: only from this owner; NULL from any */
	struct head snapshot;		/* of publish: path and what follows it */
	struct head_state state;	/* of publish where it has a state (n > 0), of change; of confirm its object */
	struct head_change change;	/* of change: the state's object as Dropbox has it */
	int64_t confirmed_at;		/* of confirm; 0 to say it no more */
	int64_t suspect_n;		/* of suspect; 0 to clear it */
	const char *suspect_why;
	int64_t pace_s;			/* of pace, and besides of change and confirm; 0: not told */
	const char *pace_why;
};

enum head_verdict {
	HEAD_WRITE,		/* next is the record to be written */
	HEAD_NOTHING,		/* it says so already */
	HEAD_REFUSED,		/* not the owner */
	HEAD_PASSED,		/* the record is not where the wish begins: look again */
};

/*
 * seen is what this host knew before, now what is there; epoch 0 is none. next is now, as the wish would have it. why is
 * a phrase for msg_err where the verdict is one of the last two.
 */
typedef enum head_verdict head_move(const struct head_wish *w, const struct head *seen, const struct head *now,
				    struct head *next, char why[HEADMOVE_WHY]);

head_move head_move_publish;	/* a snapshot as head: of a state on record, of a new base, or of none (which ends the chain) */
head_move head_move_change;	/* the next state of the chain, which has to follow the newest one */
head_move head_move_confirm;	/* nothing newer exists than the newest state */
head_move head_move_suspect;	/* the data may be damaged, or are not any more */
head_move head_move_pace;	/* how often the owner looks, and why */
head_move head_move_mend;	/* nothing, but what a program that does not know the chain dropped is put back */
head_move head_move_claim;	/* owner becomes the owner */
head_move head_move_settle;	/* the same, where there is a record, and only from the one of `from` */
head_move head_move_anew;	/* the same, above all that was seen or is there; of the two the newer snapshot */

/*
 * A program that did not know the chain has written the record again, and dropped it: where now has no chain, and is the
 * publication of seen, which had one, it is put back into now. True when it was.
 */
bool head_regain(struct head *now, const struct head *seen);

#endif
