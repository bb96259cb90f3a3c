#include "lib/std.h"

#include <inttypes.h>

#include "lib/sqlite/sieve.h"

#include "tests/unit/check.h"

#define LIST_MAX 20000

/* As the hashes that are put in: any 64 bits (splitmix64). */
static uint64_t hash_of(uint64_t i)
{
	uint64_t z = i * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* What was told: how often each of the marks 0..LIST_MAX-1 was too many or too few. */
static int told[LIST_MAX];
static unsigned tells, strange;

static void tell(void *ctx, int count, uint64_t hash, int64_t mark)
{
	(void)ctx;
	tells++;
	if (hash != hash_of((uint64_t)mark) || mark < 0 || mark >= LIST_MAX || (count != 1 && count != -1))
		strange++;
	else
		told[mark] += count;
}

static bool list(struct sieve *s)
{
	memset(told, 0, sizeof told);
	tells = strange = 0;
	return sieve_list(s, tell, NULL);
}

/* a..b-1, in or out */
static void put(struct sieve *s, uint64_t a, uint64_t b, int count)
{
	for (uint64_t i = a; i < b; i++)
		sieve_add(s, hash_of(i), (int64_t)i, count);
}

static const struct {
	const char *what;
	struct { uint64_t from, to; } in, out;
	bool listed;
	unsigned tells;
} cases[] = {
	{ "nothing", { 0, 0 }, { 0, 0 }, true, 0 },
	{ "one", { 7, 8 }, { 0, 0 }, true, 1 },
	{ "one too many", { 0, 0 }, { 7, 8 }, true, 1 },
	{ "all the same", { 0, 20000 }, { 0, 20000 }, true, 0 },
	{ "one of many is missing", { 0, 20000 }, { 0, 19999 }, true, 1 },
	{ "both have some of their own", { 0, 15000 }, { 1000, 16000 }, true, 2000 },
	{ "as many as can be listed", { 0, 8000 }, { 0, 0 }, true, 8000 },
	{ "more than can be listed", { 0, 20000 }, { 0, 0 }, false, 0 },
};

int main(void)
{
	struct sieve *s = sieve_new();

	if (s == NULL)
		return 1;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bool right = true;

		/* the order does not matter: first what goes out */
		put(s, cases[i].out.from, cases[i].out.to, -1);
		put(s, cases[i].in.from, cases[i].in.to, 1);
		check(list(s) == cases[i].listed, "%s: %slisted", cases[i].what, cases[i].listed ? "not " : "");
		check(strange == 0, "%s: %u strange ones", cases[i].what, strange);
		if (!cases[i].listed) {
			sieve_free(s);
			s = sieve_new();
			continue;
		}
		check(tells == cases[i].tells, "%s: %u told", cases[i].what, tells);
		for (uint64_t n = 0; n < LIST_MAX; n++)
			right = right && told[n] == (n >= cases[i].in.from && n < cases[i].in.to) -
						    (n >= cases[i].out.from && n < cases[i].out.to);
		check(right, "%s: wrong ones", cases[i].what);
		check(list(s) && tells == 0, "%s: not empty afterwards", cases[i].what);
	}

	/* the same element twice is no single one, and is not taken for nothing */
	put(s, 5, 6, 1);
	put(s, 5, 6, 1);
	check(!list(s) && tells == 0, "twice the same");
	put(s, 5, 6, -1);
	check(list(s) && tells == 1 && told[5] == 1, "twice the same, one taken away");
	/* marks of any sign */
	sieve_add(s, hash_of(1), INT64_MIN, 1);
	sieve_add(s, hash_of(2), -1, -1);
	check(list(s) && tells == 2 && strange == 2, "marks below zero");
	sieve_free(s);
	return check_done();
}
