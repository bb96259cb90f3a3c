#include "lib/std.h"

#include "lib/retry.h"

#include "tests/unit/check.h"

#define FOREVER INT64_MAX

/* One more failure after `failed` of them, of at most 10; the clock says 5000. Pause: ms, or -1 to give up. */
static const struct { const char *what; int64_t base, deadline; unsigned failed; int64_t hint; unsigned dice; int64_t pause; } table[] = {
	{ "half of the base at least", 1000, FOREVER, 0, -1, 0, 500 },
	{ "the base at most", 1000, FOREVER, 0, -1, 999, 1000 },
	{ "between them", 1000, FOREVER, 0, -1, 333, 666 },
	{ "dice outside of its range", 1000, FOREVER, 0, -1, 1999, 1000 },
	{ "doubled", 1000, FOREVER, 1, -1, 999, 2000 }, { "doubled twice", 1000, FOREVER, 2, -1, 0, 2000 },
	{ "the cap just met", 1000, FOREVER, 6, -1, 999, 64000 }, { "the cap holds", 1000, FOREVER, 7, -1, 999, 64000 },
	{ "the cap's lower half", 1000, FOREVER, 8, -1, 0, 32000 },
	{ "the cap from another base", 1500, FOREVER, 8, -1, 999, 64000 },
	{ "a base above the cap", 100000, FOREVER, 0, -1, 999, 64000 },
	{ "no pause at all", 0, FOREVER, 8, -1, 999, 0 },
	{ "the last try", 1000, FOREVER, 9, -1, 0, -1 }, { "past the last try", 1000, FOREVER, 12, -1, 0, -1 },
	{ "a hint does not add tries", 1000, FOREVER, 9, 1000, 0, -1 },
	{ "a hint longer than our pause", 1000, FOREVER, 0, 30000, 0, 30000 },
	{ "a hint shorter than our pause", 1000, FOREVER, 7, 2000, 0, 2000 },
	{ "never earlier than the hint", 1000, FOREVER, 7, 2000, 999, 2249 },
	{ "a hint of nothing", 1000, FOREVER, 0, 0, 0, 1000 },
	{ "a hint of a year", 1000, FOREVER, 0, INT64_C(31536000000), 0, 900000 },
	{ "a hint without limit", 1000, FOREVER, 0, INT64_MAX, 0, 900000 },
	{ "jitter no larger than our pause", 0, FOREVER, 0, 2000, 999, 2000 },
	{ "the deadline just met", 1000, 5500, 0, -1, 0, 500 }, { "the deadline missed", 1000, 5499, 0, -1, 0, -1 },
	{ "the hint behind the deadline", 1000, 34999, 0, 30000, 0, -1 },
	{ "the deadline passed", 0, 4999, 0, -1, 0, -1 },
};

int main(void)
{
	struct retry r;
	unsigned tries = 1;
	int64_t total = 0, pause;

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		r = (struct retry){ .base_ms = table[i].base, .deadline_ms = table[i].deadline, .most = 10,
				    .failed = table[i].failed };
		pause = retry_next(&r, 5000, table[i].hint, table[i].dice);
		check(pause == table[i].pause, "%s: %lld", table[i].what, (long long)pause);
		check(r.failed == table[i].failed + 1, "%s: counted %u", table[i].what, r.failed);
	}

	/* a whole row of failures: as many tries as promised, and no pause shorter than the one before */
	r = (struct retry){ .base_ms = 1000, .deadline_ms = FOREVER, .most = 10 };
	for (int64_t last = 0; (pause = retry_next(&r, 0, -1, 999)) >= 0; last = pause) {
		check(pause >= last, "after %u failures: %lld", r.failed, (long long)pause);
		total += pause;
		tries++;
	}
	check(tries == 10 && total == 255000, "%u tries in %lld ms", tries, (long long)total);

	/* progress: the count and the pace start again, the deadline stays */
	r = (struct retry){ .base_ms = 1000, .deadline_ms = 100000, .most = 3, .failed = 2 };
	retry_progress(&r);
	check(retry_next(&r, 0, -1, 999) == 1000 && retry_next(&r, 0, -1, 999) == 2000, "the pace after progress");
	check(retry_next(&r, 0, -1, 999) == -1, "the tries after progress");
	retry_progress(&r);
	check(retry_next(&r, 99999, -1, 0) == -1, "the deadline after progress");
	/* one try is no try again */
	r = (struct retry){ .base_ms = 1000, .deadline_ms = FOREVER, .most = 1 };
	check(retry_next(&r, 0, -1, 0) == -1, "a single try");
	return check_done();
}
