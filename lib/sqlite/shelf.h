/*
 * shelf.h - which published states can be had again: the objects of /changes and the whole copies, as names tell of them, and
 * which of them lead to a wished state.
 *
 * A name proves nothing: two objects may have one number (of a publisher that was killed, or was no owner any more), and a copy
 * is tied to its state by its content_hash alone, which stands in the state's object. So a choice is made in turns: from the
 * names, then from the objects that these have asked for, until nothing is missing.
 */
#ifndef LIB_SQLITE_SHELF_H
#define LIB_SQLITE_SHELF_H

#include "lib/sqlite/change.h"

/* A copy has the name of its data's time, or, when that was taken, of one of so many seconds after it. */
#define SHELF_NAMES_ON 59

/* An object that lies here. */
struct shelf_known {
	char object[HASH_TEXT];		/* its content_hash */
	struct change c;
	bool bad;			/* c could not be read, which was reported; it matters only on the way */
};

/* An object by its name. */
struct shelf_object {
	int64_t n, at;
	struct shelf_known *known;	/* owned; NULL: not here yet */
	bool gone;			/* it is on no chain */
};

/* A whole copy of a state, by the time of its data. */
struct shelf_copy {
	int64_t at, size;
	char hash[HASH_TEXT];
	char path[256];
	int64_t n, low;			/* the state nearest to that time, and the least that it may be; 0: of no state here */
};

struct shelf {
	struct shelf_object *objects;	/* by n and time */
	size_t object_count;
	struct shelf_copy *copies;	/* by time */
	size_t copy_count;
};

/* Makes room for so many objects and copies, which the caller fills in. EX_OK, or EX_IOERR, reported. */
int shelf_room(struct shelf *s, size_t most);
/* Orders both lists, and finds the copies' states by their names. */
void shelf_order(struct shelf *s);
void shelf_free(struct shelf *s);
/* The objects in dir are here; what is not on the shelf is passed over. EX_OK, EX_NOINPUT (no such directory), EX_IOERR, reported. */
int shelf_know(struct shelf *s, const char *dir);

/* The copy whose nearest state is n, or NULL. */
const struct shelf_copy *shelf_copy_of(const struct shelf *s, int64_t n);
/* Where the objects of another number than that of objects[i] begin. */
size_t shelf_next(const struct shelf *s, size_t i);
/* The newest time of the objects of one number that are on a chain; i is the first of them. False when none is. */
bool shelf_time(const struct shelf *s, size_t i, int64_t *at);

struct shelf_wish {
	int64_t n;			/* this state, or, when 0, that of a time */
	const char *time;		/* as it was written */
	int64_t at[2];			/* what it may mean */
	int count;
	int64_t newest;			/* the last state of the chain, 0: not known */
	const char *newest_object;	/* its object's content_hash, NULL: not known */
};

struct shelf_plan {
	int64_t n, at;			/* the state */
	bool later;			/* it is the last there is, and the time is later */
	bool unproven;			/* the object after it is missing, so nothing says that it is on the chain */
	bool missing;			/* the objects first to last are wanted here before more is known */
	int64_t first, last;
	const struct shelf_copy *base;	/* where the way begins, for certain unless missing; NULL: not known */
	size_t steps;			/* unless missing: the objects from the wished state's to the base's own; malloc'ed */
	const struct shelf_object **way;
};

/* EX_OK; EX_USAGE: the wish means several states; EX_DATAERR; EX_NOINPUT: there is no such state, or no way to it. Reported. */
int shelf_choose(struct shelf *s, const struct shelf_wish *wish, struct shelf_plan *plan);

#endif
