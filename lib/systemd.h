/*
 * systemd.h - one systemd unit seen and moved over D-Bus (org.freedesktop.systemd1(5)), the only module
 * that knows sd-bus. Nothing is polled: the end of a job is systemd's signal JobRemoved, matched by the
 * path of our job. Every call ends by the deadline given at the start, whatever the bus does. Functions
 * that return an exit status have reported the failure as `unit: verb: cause`:
 *
 *	EX_NOINPUT no such unit; EX_NOPERM; EX_CONFIG masked, or its file is wrong; EX_UNAVAILABLE
 *	systemd cannot be reached, or refused; EX_TEMPFAIL the deadline passed
 */
#ifndef LIB_SYSTEMD_H
#define LIB_SYSTEMD_H

#include "lib/std.h"

#include <limits.h>

#define UNIT_NAME_MAX 255	/* systemd's own limit */
#define UNIT_WORD 48		/* the words of systemd's states are short */

struct unit;

struct unit_look {
	char load[UNIT_WORD];		/* "loaded", "not-found", "masked" ... */
	char active[UNIT_WORD], sub[UNIT_WORD];
	char enabled[UNIT_WORD];	/* the state of its file, "" when it has none */
	uint64_t since_us;		/* last change of state, epoch, microseconds; 0 for none */
	int condition;			/* its conditions held at the last start */
	/* the rest is empty or 0 when it is no service */
	char result[UNIT_WORD];		/* "success", "exit-code", "signal", "timeout" ... */
	char type[UNIT_WORD];
	uint32_t pid, restarts;
	int32_t exit_status;		/* of its last main process: a status or a signal */
	uint64_t next_us;		/* of a timer: when it elapses next by the calendar, epoch, microseconds; 0 for never */
};

/* As systemctl is-active judges. */
bool unit_is_up(const struct unit_look *l);

/* The name as systemctl would complete it. NULL, or what is wrong with it. */
const char *unit_name(char out[UNIT_NAME_MAX + 1], const char *name);

/* Reaches systemd. name is complete; both texts must outlive u. */
int unit_open(struct unit **out, const char *name, const char *verb, int64_t deadline_ms);
void unit_close(struct unit *u);	/* NULL is fine */

int unit_look(struct unit *u, struct unit_look *l);

/*
 * The program that a service would start first: an absolute path, or "" where systemd has none; where that is our env-exec, the
 * command that env-exec becomes. (systemd itself looks whether it exists at the start only.) Silent when it cannot be asked.
 */
void unit_program(struct unit *u, char out[PATH_MAX]);

/*
 * Asks for a job by a method of systemd's manager (StartUnit, StopUnit, RestartUnit) and waits for its
 * end, whose result is in ended: "done", "failed", "dependency" ... At most one job for each u.
 */
int unit_job(struct unit *u, const char *method, char ended[UNIT_WORD]);

/* Without a job: what changes about the unit is told from now on, for unit_watch. */
int unit_follow(struct unit *u);

/*
 * After a job or unit_follow: waits until something about the unit has changed since the last unit_look, or until
 * then. *changed says which.
 */
int unit_watch(struct unit *u, int64_t until_ms, bool *changed);

/*
 * Reports the last lines that the unit's own processes have written to the journal, since then (epoch), oldest first, as
 * `unit: says: LINE`; each is cut at 255 bytes. None where the journal is not ours to read: to say nothing of it is no failure.
 */
void unit_last_words(const char *name, unsigned lines, int64_t since_s);

#endif
