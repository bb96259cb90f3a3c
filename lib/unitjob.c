#include "lib/std.h"

#include <stdarg.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/exits.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/unitjob.h"

#define LAST_WORDS_S 120	/* a unit's lines of the journal that are older are about something else */

/* Results of a job other than done and failed: org.freedesktop.systemd1(5), "Signals". */
static const struct { const char *result; int status; const char *text; } results[] = {
	{ "canceled", EX_TEMPFAIL, "canceled by another request" },
	{ "timeout", EX_UNAVAILABLE, "timeout: the time limit of its job passed" },
	{ "dependency", EX_UNAVAILABLE, "dependency: a unit that it needs failed" },
	{ "assert", EX_UNAVAILABLE, "assert: an assertion of the unit is not met" },
};

/* The unit is not as asked. Its own last lines of the journal come first, for the last line of all is the message. */
static int PRINTF_LIKE(3, 4) broken(const struct unitjob *j, int status, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (status == EX_UNAVAILABLE && strcmp(j->verb, "stop") != 0)
		unit_last_words(j->name, 5, time(NULL) - (int64_t)LAST_WORDS_S);
	msg_err(j->name, "%s: %s", j->verb, text);
	msg_hint("journalctl -u %s -n 50", j->name);
	return status;
}

/* `exit-code 203`, `signal 9`, `timeout`: how the service ended. */
static const char *reason(const struct unit_look *l, char text[2 * UNIT_WORD])
{
	bool numbered = strcmp(l->result, "exit-code") == 0 || strcmp(l->result, "signal") == 0;

	snprintf(text, 2 * UNIT_WORD, numbered && l->exit_status != 0 ? "%s %d" : "%s",
		 l->result[0] != '\0' ? l->result : l->sub, l->exit_status);
	return text;
}

/* The job has ended: is the unit as asked? */
static int judge(const struct unitjob *j, const char *ended, const struct unit_look *l)
{
	char text[2 * UNIT_WORD];

	msg_info("%s: %s: %s, %s (%s)", j->name, j->verb, ended, l->active, l->sub);
	for (size_t i = 0; i < sizeof results / sizeof *results; i++)
		if (strcmp(ended, results[i].result) == 0)
			return broken(j, results[i].status, "%s", results[i].text);
	if (strcmp(ended, "done") != 0)
		return broken(j, EX_UNAVAILABLE, "%s: %s", ended, reason(l, text));
	if (strcmp(j->verb, "stop") == 0) {
		if (strcmp(l->active, "inactive") == 0 || strcmp(l->active, "failed") == 0)
			return EX_OK;
		return broken(j, EX_UNAVAILABLE, "it came back: %s (%s)", l->active, l->sub);
	}
	if (unit_is_up(l))
		return EX_OK;
	/* for systemd an unmet condition is a job well done */
	if (!l->condition)
		return broken(j, EX_UNAVAILABLE, "skipped: a condition of the unit is not met");
	/* a oneshot that has run to its good end is as well as started */
	if (strcmp(l->type, "oneshot") == 0 && strcmp(l->active, "inactive") == 0 &&
	    strcmp(l->result, "success") == 0)
		return EX_OK;
	return broken(j, EX_UNAVAILABLE, "it ended at once: %s (%s), %s", l->active, l->sub,
		      reason(l, text));
}

/* For settle_ms the unit must stay as it is: the same process, no restart, still active. */
static int settle(const struct unitjob *j, int64_t settle_ms, const struct unit_look *first)
{
	int64_t begun = clock_ms();
	char text[2 * UNIT_WORD], after[NUM_TEXT];
	bool more = unit_is_up(first);
	struct unit_look l;
	int rc = EX_OK;

	while (rc == EX_OK && more) {
		rc = unit_watch(j->unit, begun + settle_ms, &more);
		/* at the end too: a busy systemd may be late with its signals */
		if (rc == EX_OK)
			rc = unit_look(j->unit, &l);
		if (rc != EX_OK ||
		    (unit_is_up(&l) && l.pid == first->pid && l.restarts == first->restarts))
			continue;
		num_duration_text(after, clock_ms() - begun);
		if (unit_is_up(&l))
			rc = broken(j, EX_UNAVAILABLE, "it did not stay up: another main process after %s, "
				    "%u restarts", after, l.restarts);
		else
			rc = broken(j, EX_UNAVAILABLE, "it did not stay up: %s (%s) after %s, %s", l.active,
				    l.sub, after, reason(&l, text));
	}
	return rc;
}

int unitjob_do(const struct unitjob *j, const char *method, int64_t settle_ms, struct unit_look *l)
{
	char ended[UNIT_WORD];
	int rc = unit_job(j->unit, method, ended);

	if (rc == EX_OK)
		rc = unit_look(j->unit, l);
	if (rc == EX_OK)
		rc = judge(j, ended, l);
	if (rc == EX_OK && settle_ms > 0)
		rc = settle(j, settle_ms, l);
	return rc;
}

int unitjob_watch(const struct unitjob *j, int64_t for_ms)
{
	int64_t until_ms = clock_ms() + for_ms;
	char text[2 * UNIT_WORD];
	bool changed = true;
	struct unit_look l;
	int rc = unit_follow(j->unit);

	while (rc == EX_OK && changed) {
		rc = unit_look(j->unit, &l);
		if (rc == EX_OK && (strcmp(l.active, "failed") == 0 || strcmp(l.active, "inactive") == 0))
			rc = broken(j, EX_UNAVAILABLE, "it is down: %s (%s), %s", l.active, l.sub, reason(&l, text));
		if (rc == EX_OK)
			rc = unit_watch(j->unit, until_ms, &changed);
	}
	return rc;
}
