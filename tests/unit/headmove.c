#include "lib/std.h"

#include "lib/dropbox/headmove.h"

#include "tests/unit/check.h"

#define A "aa"
#define B "bb"
#define C "cc"
#define D "dd"

/* number 2.5 of a, at /database.db, revision r5: head is of no state, or state 7 (object A), the change of state 9 (B) */
#define PLAIN .epoch = 2, .seq = 5, .owner = "a", .path = "/d", .rev = "r5", .size = 7, .verified = "none"
#define NIGHT PLAIN, .n = 7, .object = A, .snapshot_at = 70
static const struct head nothing = { .epoch = 0 }, plain = { PLAIN }, night = { NIGHT },
	minutes = { NIGHT, .change = { .n = 9, .content_hash = B, .snapshot_at = 90, .more = "{}" }, .confirmed_at = 90 },
	doubted = { NIGHT, .suspect_n = 7, .suspect_why = "bad" },
	slow = { NIGHT, .confirmed_at = 70, .pace_s = 600, .pace_why = "x" };

#define SNAPSHOT .snapshot = { .path = "/d", .rev = "r6", .size = 8, .verified = "quick" }
#define SOUND .snapshot = { .path = "/d", .rev = "r6", .size = 8, .verified = "full" }
#define OF(number, e, hash, before, is_base) .state = { .n = number, .epoch = e, .object = hash, .parent = before, \
	.base = is_base, .snapshot_at = 10 * (number) }

/* n, object and so on of the record afterwards; what: the verdict where it is not written */
static const struct {
	const char *name;
	head_move *move;
	const struct head *now;
	struct head_wish w;
	enum head_verdict verdict;
	const char *why;		/* part of it */
	int64_t epoch, seq, n, change_n, confirmed_at, suspect_n;
} rows[] = {
	/* a snapshot */
	{ "the first of all", head_move_publish, &nothing, { .owner = "a", SNAPSHOT }, HEAD_WRITE, NULL, 1, 1, 0, 0, 0, 0 },
	{ "the first of all, a base", head_move_publish, &nothing, { .owner = "a", SNAPSHOT, OF(3, 1, C, "", true) }, HEAD_WRITE, NULL,
	  1, 1, 3, 0, 30, 0 },
	{ "another's", head_move_publish, &minutes, { .owner = "b", SNAPSHOT }, HEAD_REFUSED, "a is the owner since epoch 2: b must not",
	  0, 0, 0, 0, 0, 0 },
	{ "of no state: the chain ends", head_move_publish, &minutes, { .owner = "a", SNAPSHOT }, HEAD_WRITE, NULL, 2, 6, 0, 0, 0, 0 },
	{ "a base after no chain", head_move_publish, &plain, { .owner = "a", SNAPSHOT, OF(1, 2, C, "", true) }, HEAD_WRITE, NULL,
	  2, 6, 1, 0, 10, 0 },
	{ "a base above the chain", head_move_publish, &minutes, { .owner = "a", SNAPSHOT, OF(10, 2, C, B, true) }, HEAD_WRITE, NULL,
	  2, 6, 10, 0, 100, 0 },
	{ "a base with any parent", head_move_publish, &minutes, { .owner = "a", SNAPSHOT, OF(12, 2, C, D, true) }, HEAD_WRITE, NULL,
	  2, 6, 12, 0, 120, 0 },
	{ "a base that the chain has passed", head_move_publish, &minutes, { .owner = "a", SNAPSHOT, OF(9, 2, C, B, true) }, HEAD_PASSED,
	  "names state 9 already: a base has a greater number than 9", 0, 0, 0, 0, 0, 0 },
	{ "a base of another epoch", head_move_publish, &minutes, { .owner = "a", SNAPSHOT, OF(10, 1, C, B, true) }, HEAD_PASSED,
	  "is of epoch 2, state 10 of epoch 1", 0, 0, 0, 0, 0, 0 },
	{ "a night, the newest state", head_move_publish, &minutes, { .owner = "a", SNAPSHOT, OF(9, 2, B, A, false) }, HEAD_WRITE, NULL,
	  2, 6, 9, 0, 90, 0 },
	{ "a night that the chain has passed", head_move_publish, &minutes, { .owner = "a", SNAPSHOT, OF(8, 2, C, A, false) },
	  HEAD_WRITE, NULL, 2, 6, 8, 9, 90, 0 },
	{ "a night not on record", head_move_publish, &minutes, { .owner = "a", SNAPSHOT, OF(10, 2, C, B, false) }, HEAD_PASSED,
	  "does not have this state 10", 0, 0, 0, 0, 0, 0 },
	{ "a night, another than that on record", head_move_publish, &minutes, { .owner = "a", SNAPSHOT, OF(9, 2, C, A, false) },
	  HEAD_PASSED, "does not have this state 9", 0, 0, 0, 0, 0, 0 },
	{ "a night before head", head_move_publish, &minutes, { .owner = "a", SNAPSHOT, OF(6, 2, C, A, false) }, HEAD_PASSED,
	  "does not have this state 6", 0, 0, 0, 0, 0, 0 },
	{ "a night of another epoch", head_move_publish, &minutes, { .owner = "a", SNAPSHOT, OF(9, 1, B, A, false) }, HEAD_PASSED,
	  "is of epoch 2", 0, 0, 0, 0, 0, 0 },
	{ "a night where there is no chain", head_move_publish, &plain, { .owner = "a", SNAPSHOT, OF(9, 2, B, A, false) }, HEAD_PASSED,
	  "no chain", 0, 0, 0, 0, 0, 0 },
	{ "the same base once more, when the chain has gone on", head_move_publish, &minutes,
	  { .owner = "a", SNAPSHOT, OF(7, 2, A, "", true) }, HEAD_WRITE, NULL, 2, 6, 7, 9, 90, 0 },
	{ "what it says already", head_move_publish, &minutes, { .owner = "a", .snapshot = { NIGHT }, OF(7, 2, A, "", true) },
	  HEAD_NOTHING, NULL, 0, 0, 0, 0, 0, 0 },
	{ "the snapshot it has, of a state", head_move_publish, &plain, { .owner = "a", .snapshot = { PLAIN }, OF(1, 2, A, "", true) },
	  HEAD_WRITE, NULL, 2, 6, 1, 0, 10, 0 },
	{ "a night that was read in full ends a suspicion", head_move_publish, &doubted, { .owner = "a", SOUND, OF(7, 2, A, "", false) },
	  HEAD_WRITE, NULL, 2, 6, 7, 0, 70, 0 },
	{ "one that was not leaves it", head_move_publish, &doubted, { .owner = "a", SNAPSHOT, OF(7, 2, A, "", false) },
	  HEAD_WRITE, NULL, 2, 6, 7, 0, 70, 7 },
	/* a change */
	{ "the next change", head_move_change, &minutes, { .owner = "a", OF(10, 2, C, B, false) }, HEAD_WRITE, NULL, 2, 5, 7, 10, 100, 0 },
	{ "the first after a night", head_move_change, &night, { .owner = "a", OF(8, 2, C, A, false) }, HEAD_WRITE, NULL, 2, 5, 7, 8, 80, 0 },
	{ "the newest once more", head_move_change, &minutes, { .owner = "a", OF(9, 2, B, A, false) }, HEAD_NOTHING, NULL, 0, 0, 0, 0, 0, 0 },
	{ "another's change", head_move_change, &minutes, { .owner = "b", OF(10, 2, C, B, false) }, HEAD_REFUSED, "a is the owner",
	  0, 0, 0, 0, 0, 0 },
	{ "a change of another parent", head_move_change, &minutes, { .owner = "a", OF(10, 2, C, D, false) }, HEAD_PASSED,
	  "names state 9: this state 10 does not follow it", 0, 0, 0, 0, 0, 0 },
	{ "another change of this number", head_move_change, &minutes, { .owner = "a", OF(9, 2, C, A, false) }, HEAD_PASSED,
	  "does not follow", 0, 0, 0, 0, 0, 0 },
	{ "a change too far", head_move_change, &minutes, { .owner = "a", OF(11, 2, C, B, false) }, HEAD_PASSED, "does not follow",
	  0, 0, 0, 0, 0, 0 },
	{ "a change of an epoch before", head_move_change, &minutes, { .owner = "a", OF(10, 1, C, B, false) }, HEAD_PASSED,
	  "is of epoch 2, state 10 of epoch 1", 0, 0, 0, 0, 0, 0 },
	{ "a base is no change", head_move_change, &minutes, { .owner = "a", OF(10, 2, C, B, true) }, HEAD_PASSED,
	  "only by the publication of its file", 0, 0, 0, 0, 0, 0 },
	{ "a change without a chain", head_move_change, &plain, { .owner = "a", OF(10, 2, C, B, false) }, HEAD_PASSED, "no chain",
	  0, 0, 0, 0, 0, 0 },
	{ "a change without a record", head_move_change, &nothing, { .owner = "a", OF(1, 1, C, "", false) }, HEAD_PASSED, "no chain",
	  0, 0, 0, 0, 0, 0 },
	/* what stands beside it */
	{ "nothing newer", head_move_confirm, &minutes, { .owner = "a", .confirmed_at = 95, .state = { .object = B } }, HEAD_WRITE, NULL,
	  2, 5, 7, 9, 95, 0 },
	{ "the same once more", head_move_confirm, &minutes, { .owner = "a", .confirmed_at = 90, .state = { .object = B } },
	  HEAD_NOTHING, NULL, 0, 0, 0, 0, 0, 0 },
	{ "than another state", head_move_confirm, &minutes, { .owner = "a", .confirmed_at = 95, .state = { .object = A } },
	  HEAD_PASSED, "another state", 0, 0, 0, 0, 0, 0 },
	{ "by another", head_move_confirm, &minutes, { .owner = "b", .confirmed_at = 95, .state = { .object = B } },
	  HEAD_REFUSED, "a is the owner", 0, 0, 0, 0, 0, 0 },
	{ "nobody looks any more", head_move_confirm, &minutes, { .owner = "a" }, HEAD_WRITE, NULL, 2, 5, 7, 9, 0, 0 },
	{ "nobody looked before", head_move_confirm, &night, { .owner = "a" }, HEAD_NOTHING, NULL, 0, 0, 0, 0, 0, 0 },
	{ "no record to confirm", head_move_confirm, &nothing, { .owner = "a" }, HEAD_NOTHING, NULL, 0, 0, 0, 0, 0, 0 },
	{ "suspect", head_move_suspect, &minutes, { .owner = "a", .suspect_n = 8, .suspect_why = "bad" }, HEAD_WRITE, NULL,
	  2, 5, 7, 9, 90, 8 },
	{ "suspect already", head_move_suspect, &doubted, { .owner = "a", .suspect_n = 7, .suspect_why = "bad" }, HEAD_NOTHING, NULL,
	  0, 0, 0, 0, 0, 0 },
	{ "not suspect any more", head_move_suspect, &doubted, { .owner = "a", .suspect_why = "" }, HEAD_WRITE, NULL, 2, 5, 7, 0, 0, 0 },
	{ "suspect to another", head_move_suspect, &doubted, { .owner = "b", .suspect_why = "" }, HEAD_REFUSED, "a is the owner",
	  0, 0, 0, 0, 0, 0 },
	/* the owner */
	{ "a claim keeps the chain", head_move_claim, &minutes, { .owner = "b" }, HEAD_WRITE, NULL, 3, 5, 7, 9, 90, 0 },
	{ "what one owns", head_move_claim, &minutes, { .owner = "a" }, HEAD_NOTHING, NULL, 0, 0, 0, 0, 0, 0 },
	{ "settled from another", head_move_settle, &minutes, { .owner = "b", .from = "c" }, HEAD_NOTHING, NULL, 0, 0, 0, 0, 0, 0 },
	{ "settled", head_move_settle, &minutes, { .owner = "b", .from = "a" }, HEAD_WRITE, NULL, 3, 5, 7, 9, 90, 0 },
	{ "nothing to settle", head_move_settle, &nothing, { .owner = "b" }, HEAD_NOTHING, NULL, 0, 0, 0, 0, 0, 0 },
	{ "anew, above what was seen", head_move_anew, &night, { .owner = "a" }, HEAD_WRITE, NULL, 3, 6, 7, 9, 90, 0 },
	{ "anew, where all is gone", head_move_anew, &nothing, { .owner = "a" }, HEAD_WRITE, NULL, 3, 6, 7, 9, 90, 0 },
};

static void check_rows(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct head next = { .epoch = 0 };
		char why[HEADMOVE_WHY] = "";
		enum head_verdict is = rows[i].move(&rows[i].w, &minutes, rows[i].now, &next, why);

		check(is == rows[i].verdict, "%s: %d, %s", rows[i].name, is, why);
		if (rows[i].why != NULL)
			check(strstr(why, rows[i].why) != NULL, "%s: %s", rows[i].name, why);
		if (is == HEAD_WRITE)
			check(next.epoch == rows[i].epoch && next.seq == rows[i].seq && next.n == rows[i].n &&
			      (rows[i].move == head_move_change || next.change.n == rows[i].change_n) &&
			      next.confirmed_at == rows[i].confirmed_at && next.suspect_n == rows[i].suspect_n,
			      "%s: %lld.%lld.%lld, change %lld, confirmed %lld, suspect %lld", rows[i].name, (long long)next.epoch,
			      (long long)next.seq, (long long)next.n, (long long)next.change.n, (long long)next.confirmed_at,
			      (long long)next.suspect_n);
	}
}

/* How often its owner looks. seconds: of the record afterwards */
static const struct {
	const char *name;
	head_move *move;
	const struct head *now;
	struct head_wish w;
	enum head_verdict verdict;
	int64_t seconds;
} paces[] = {
	{ "how often", head_move_pace, &minutes, { .owner = "a", .pace_s = 60, .pace_why = "" }, HEAD_WRITE, 60 },
	{ "so often for another reason", head_move_pace, &slow, { .owner = "a", .pace_s = 600, .pace_why = "y" }, HEAD_WRITE, 600 },
	{ "so often already", head_move_pace, &slow, { .owner = "a", .pace_s = 600, .pace_why = "x" }, HEAD_NOTHING, 600 },
	{ "without a chain", head_move_pace, &plain, { .owner = "a", .pace_s = 60, .pace_why = "" }, HEAD_NOTHING, 0 },
	{ "by another", head_move_pace, &slow, { .owner = "b", .pace_s = 60, .pace_why = "" }, HEAD_REFUSED, 600 },
	{ "with a change", head_move_change, &slow, { .owner = "a", OF(8, 2, C, A, false), .pace_s = 60, .pace_why = "" }, HEAD_WRITE, 60 },
	{ "a change alone", head_move_change, &slow, { .owner = "a", OF(8, 2, C, A, false) }, HEAD_WRITE, 600 },
	{ "with a confirmation", head_move_confirm, &slow,
	  { .owner = "a", .confirmed_at = 95, .state = { .object = A }, .pace_s = 60, .pace_why = "" }, HEAD_WRITE, 60 },
	{ "who looks no more looks never", head_move_confirm, &slow, { .owner = "a" }, HEAD_WRITE, 0 },
	{ "what waited for a base has it", head_move_publish, &slow, { .owner = "a", SNAPSHOT, OF(8, 2, C, A, true) }, HEAD_WRITE, 0 },
	{ "a night goes on so", head_move_publish, &slow, { .owner = "a", SNAPSHOT, OF(7, 2, A, "", false) }, HEAD_WRITE, 600 },
	{ "the end of the chain", head_move_publish, &slow, { .owner = "a", SNAPSHOT }, HEAD_WRITE, 0 },
};

static void check_paces(void)
{
	for (size_t i = 0; i < sizeof paces / sizeof *paces; i++) {
		struct head next = { .epoch = 0 };
		char why[HEADMOVE_WHY] = "";
		enum head_verdict is = paces[i].move(&paces[i].w, &minutes, paces[i].now, &next, why);

		check(is == paces[i].verdict && next.pace_s == paces[i].seconds, "%s: %d, %lld, %s", paces[i].name, is,
		      (long long)next.pace_s, why);
	}
}

static void check_regain(void)
{
	struct head now = plain;

	check(head_regain(&now, &minutes) && now.n == 7 && now.change.n == 9 && now.confirmed_at == 90 &&
	      strcmp(now.object, A) == 0, "what a program of before has dropped");
	check(!head_regain(&now, &minutes), "what is there stays");
	now = plain;
	check(head_regain(&now, &slow) && now.pace_s == 600, "and how often is looked");
	now = plain;
	now.epoch = 4;
	check(head_regain(&now, &minutes), "also after the owner has changed");
	now = plain;
	now.seq = 6;
	check(!head_regain(&now, &minutes) && now.n == 0, "not after another publication");
	now = plain;
	snprintf(now.rev, sizeof now.rev, "r7");
	check(!head_regain(&now, &minutes), "nor of another file");
	now = plain;
	check(!head_regain(&now, &plain), "nor from what had none");
}

int main(void)
{
	check_rows();
	check_paces();
	check_regain();
	return check_done();
}
