#include "lib/std.h"

#include "lib/dropbox/headseen.h"

#include "tests/unit/check.h"

#define PLAIN { .epoch = 2, .seq = 5, .owner = "a", .nonce = "01", .path = "/d", .rev = "r5", .size = 7 }

/* what is seen after number 2.5 of a, nonce 01, under the record's revision r1; why: part of the reason, NULL if believed */
static const struct { const char *what; struct headreg now; const char *why; } rows[] = {
	{ "the same", { true, PLAIN, "r1", 0, 0 }, NULL },
	{ "gone", { false, { .epoch = 0 }, "", 0, 0 }, "it is gone" },
	{ "the same under another revision", { true, PLAIN, "r2", 0, 0 }, "was put back" },
	{ "a lower seq", { true, { .epoch = 2, .seq = 4, .owner = "a", .nonce = "02" }, "r2", 0, 0 }, "2.4 of a, and 2.5 of a" },
	{ "a lower epoch, a greater seq", { true, { .epoch = 1, .seq = 9, .owner = "b", .nonce = "02" }, "r2", 0, 0 }, "1.9 of b" },
	{ "a greater seq", { true, { .epoch = 2, .seq = 6, .owner = "a", .nonce = "02" }, "r2", 0, 0 }, NULL },
	{ "a greater epoch, a lower seq", { true, { .epoch = 3, .seq = 1, .owner = "b", .nonce = "02" }, "r2", 0, 0 }, NULL },
	{ "a greater number under the old nonce", { true, { .epoch = 3, .seq = 5, .owner = "b", .nonce = "01" }, "r2", 0, 0 },
	  NULL },
	{ "the same publication under another nonce", { true, { .epoch = 2, .seq = 5, .owner = "a", .nonce = "02",
	  .path = "/d", .rev = "r5", .size = 7 }, "r2", 0, 0 }, NULL },
	{ "another owner", { true, { .epoch = 2, .seq = 5, .owner = "b", .nonce = "02", .path = "/d", .rev = "r5",
	  .size = 7 }, "r2", 0, 0 }, "of b is another" },
	{ "another snapshot", { true, { .epoch = 2, .seq = 5, .owner = "a", .nonce = "02", .path = "/d", .rev = "r6",
	  .size = 7 }, "r2", 0, 0 }, "is another" },
	{ "another verification", { true, { .epoch = 2, .seq = 5, .owner = "a", .nonce = "02", .path = "/d", .rev = "r5",
	  .size = 7, .verified = "full" }, "r2", 0, 0 }, "is another" },
	{ "no snapshot any more", { true, { .epoch = 2, .seq = 5, .owner = "a", .nonce = "02" }, "r2", 0, 0 }, "is another" },
};

int main(void)
{
	const struct headreg seen = { true, PLAIN, "r1", 0, 0 }, none = { .exists = false };
	char why[HEADSEEN_WHY];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool good = headseen_believes(&seen, &rows[i].now, why);

		check(good == (rows[i].why == NULL), "%s: %s", rows[i].what, good ? "believed" : why);
		if (!good && rows[i].why != NULL)
			check(strstr(why, rows[i].why) != NULL, "%s: %s", rows[i].what, why);
		check(headseen_believes(&none, &rows[i].now, why), "%s: to a host that has seen none", rows[i].what);
	}
	return check_done();
}
