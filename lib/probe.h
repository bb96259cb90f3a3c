/*
 * probe.h - one GET and the judgement of its answer: what http-probe repeats until a URL is up. The
 * judgement is a function of the answer alone, so that a table can test it. Only 200 is good unless the
 * caller says otherwise: a 206 of a degraded application and a redirect to a login page are not.
 */
#ifndef LIB_PROBE_H
#define LIB_PROBE_H

#include "lib/exits.h"
#include "lib/expect.h"
#include "lib/std.h"

#define PROBE_BODY_MAX ((size_t)1 << 20)	/* bytes; a health page is small */

struct probe {
	const char *url;
	int64_t try_ms;		/* for one try, with the name lookup */
	int64_t connect_ms;	/* for its connection; 0: 20 s */
	/* what a good answer is */
	const char *statuses;	/* a list that probe_listed takes */
	int64_t warning_ms, critical_ms;	/* WARNING, CRITICAL above this; INT64_MAX for never */
	const struct expectation *expects;	/* of a JSON answer */
	size_t expect_count;
	const char *pointer;	/* where the answer has a time; NULL for no such condition */
	int64_t newer_ms;	/* it is not older than this, nor further in the future */
	const char *match;	/* text in the answer; NULL for none */
};

struct probe_finding {
	enum state state;
	char text[512];		/* why, as a phrase that may hold text of the server's */
	int status;		/* 0 without an answer */
	int64_t connect_us, first_byte_us, total_us;	/* from the start of the try */
	uint64_t body_bytes;
	int64_t at;		/* of the answer, by the clock of who gave it where he says his time */
	bool dated;		/* it had a time at the pointer, age_s seconds before `at` */
	int64_t age_s;
};

/*
 * Is status in a list such as 200,404 or 200-299? -1 when it is no such list of 100..599; with
 * status 0, which is in no list, only the list is checked.
 */
int probe_listed(const char *list, int status);

/* Fills state, text and the age from an answer: status, total_us and at in f, and the body. */
void probe_judge(const struct probe *p, const char *body, size_t len, struct probe_finding *f);

/* One GET on a connection of its own, ended by until_ms (clock_ms) too; f is overwritten. */
void probe_once(const struct probe *p, int64_t until_ms, struct probe_finding *f);

/* The URL answers as it should, if perhaps too slowly. */
bool probe_is_up(const struct probe_finding *f);

#endif
