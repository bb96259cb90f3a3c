/*
 * check.h - the whole unit test framework: check() counts and names what failed, main returns
 * check_done(). Tables are arrays in the test; each row says what it is about.
 */
#ifndef TESTS_UNIT_CHECK_H
#define TESTS_UNIT_CHECK_H

#include "lib/std.h"

static unsigned check_passed, check_failed;

#define check(ok, ...) \
	do { \
		if (ok) { \
			check_passed++; \
		} else { \
			check_failed++; \
			printf("%s:%d: ", __FILE__, __LINE__); \
			printf(__VA_ARGS__); \
			printf("\n"); \
		} \
	} while (0)

/* A suite that checked nothing has failed. */
static int check_done(void)
{
	printf("%u passed, %u failed\n", check_passed, check_failed);
	return check_failed > 0 || check_passed == 0;
}

#endif
