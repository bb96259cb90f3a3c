/*
 * svc-ctl - start, stop or look at one systemd unit
 *
 *	svc-ctl [-t DURATION] [--settle DURATION] [--json | --shell]
 *		start|stop|restart|watch|is-active|is-enabled|status UNIT
 *	svc-ctl check [--active] [--json | --as ID | --shell] UNIT
 *	svc-ctl [-t DURATION] watch UNIT -- COMMAND...
 *
 * Success means that the unit is as asked, not that a job was queued; with --settle also that it stayed
 * so. Every run ends in time. It works for root and, through polkit, for users who may manage this unit. It
 * holds no state, so a signal may simply kill it; systemd's job goes on.
 */
#include "lib/std.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/exits.h"
#include "lib/json.h"
#include "lib/msg.h"
#include "lib/option.h"
#include "lib/shell.h"
#include "lib/systemd.h"
#include "lib/unitjob.h"

static int64_t timeout_ms = 120000;	/* for everything, the settling included */
static int64_t settle_ms;		/* how long the unit must stay up after its start */
static bool must_be_active;		/* of a check */
static const char *const names[] = {
	CHECK_NAMES, "unit", "load", "active", "sub", "up", "result", "enabled", "main_pid", "restarts", "missing", "since",
	"next_at", NULL,
};
static struct check_form form = { .shell.names = names };
static const char *verb;
static char name[UNIT_NAME_MAX + 1];

/* missing: the program that a start would not find, or "". */
static void print_answer(const struct unit_look *l, const char *missing)
{
	char since[CLOCK_TEXT], next[CLOCK_TEXT];
	json *o = json_object();

	json_put_str(o, "unit", name);
	json_put_str(o, "load", l->load);
	json_put_str(o, "active", l->active);
	json_put_str(o, "sub", l->sub);
	json_put_str(o, "result", l->result);
	json_put_str(o, "enabled", l->enabled);
	json_put_int(o, "main_pid", l->pid);
	json_put_int(o, "restarts", l->restarts);
	json_put_text(o, "missing", *missing != '\0' ? missing : NULL);
	json_put_text(o, "since", l->since_us > 0 ? clock_text(since, (int64_t)(l->since_us / 1000000)) : NULL);
	json_put_text(o, "next_at", l->next_us > 0 ? clock_text(next, (int64_t)(l->next_us / 1000000)) : NULL);
	shell_bool(&form.shell, "up", unit_is_up(l));
	json_answer(o, form.json, &form.shell);
}

/* flaskapp.service: active (running) since 2026-11-24T06:40:00Z, pid 4711, enabled */
static void print_status(const struct unit_look *l, const char *missing)
{
	char since[CLOCK_TEXT];

	printf("%s: %s (%s)", name, l->active, l->sub);
	if (l->since_us > 0)
		printf(" since %s", clock_text(since, (int64_t)(l->since_us / 1000000)));
	if (l->pid > 0)
		printf(", pid %u", l->pid);
	if (l->restarts > 0)
		printf(", %u restarts", l->restarts);
	if (l->result[0] != '\0' && strcmp(l->result, "success") != 0)
		printf(", %s", l->result);
	printf(", %s", l->enabled);
	if (*missing != '\0')
		printf(", %s is not there", missing);
	putchar('\n');
}

/* The program that a start would not find; none when this user may not look there. */
static void look_for_program(struct unit *u, char missing[PATH_MAX])
{
	unit_program(u, missing);
	if (access(missing, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR))
		*missing = '\0';
}

/* Answers a question; the exit status is that of systemctl's question of the same name. */
static int answer(struct unit *u, struct unit_look *l)
{
	static const char good[] = " enabled enabled-runtime static alias indirect generated"
				   " transient ";
	bool file = strcmp(verb, "is-enabled") == 0;
	char word[UNIT_WORD + 2], missing[PATH_MAX] = "";
	int rc = unit_look(u, l);

	if (rc != EX_OK)
		return rc;
	/* a unit without a file: not-found, or a mount that the kernel told of */
	if (l->enabled[0] == '\0')
		snprintf(l->enabled, sizeof l->enabled, "%s", l->load);
	if (strcmp(verb, "status") == 0)
		look_for_program(u, missing);
	if (form.json || shell_asked(&form.shell))
		print_answer(l, missing);
	else if (strcmp(verb, "status") == 0)
		print_status(l, missing);
	else
		puts(file ? l->enabled : l->active);
	if (strcmp(l->load, "not-found") == 0)
		return 4;
	snprintf(word, sizeof word, " %s ", l->enabled);
	return file ? strstr(good, word) == NULL : unit_is_up(l) ? 0 : 3;
}

/* Would a start find all that it needs? With --active: does it run? */
static int check(struct unit *u)
{
	char missing[PATH_MAX] = "", next[CLOCK_TEXT];
	struct unit_look l;
	struct check c;
	int rc = unit_look(u, &l);

	check_init(&c, "UNIT", name, &form);
	if (rc != EX_OK)
		return check_done(&c, STATE_UNKNOWN, "%s: systemd gives no answer", name);
	if (l.enabled[0] == '\0')
		snprintf(l.enabled, sizeof l.enabled, "%s", l.load);
	look_for_program(u, missing);
	check_text(&c, "unit", name);
	check_text(&c, "load", l.load);
	check_text(&c, "active", l.active);
	check_text(&c, "sub", l.sub);
	check_bool(&c, "up", unit_is_up(&l));
	check_text(&c, "enabled", l.enabled);
	check_text(&c, "missing", *missing != '\0' ? missing : NULL);
	check_text(&c, "next_at", l.next_us > 0 ? clock_text(next, (int64_t)(l.next_us / 1000000)) : NULL);
	if (strcmp(l.load, "not-found") == 0)
		return check_done(&c, STATE_CRITICAL, "%s: no such unit", name);
	if (strcmp(l.load, "loaded") != 0)
		return check_done(&c, STATE_CRITICAL, "%s is %s", name, l.load);
	if (*missing != '\0')
		return check_done(&c, STATE_CRITICAL, "%s: %s is not there", name, missing);
	return check_done(&c, must_be_active && !unit_is_up(&l) ? STATE_CRITICAL : STATE_OK, "%s is %s (%s), %s", name, l.active,
			  l.sub, l.enabled);
}

/* A question that systemd cannot be asked is one without an answer, for a check. */
static int run_check(void)
{
	struct unit *u;
	struct check c;
	int rc = unit_open(&u, name, verb, clock_ms() + timeout_ms);

	if (rc == EX_OK) {
		rc = check(u);
	} else {
		check_init(&c, "UNIT", name, &form);
		rc = check_done(&c, STATE_UNKNOWN, "%s: systemd cannot be asked", name);
	}
	unit_close(u);
	return rc;
}

static int control(const char *method)
{
	struct unitjob j = { .name = name, .verb = verb };
	struct unit_look l;
	bool watches = strcmp(verb, "watch") == 0;
	/* a look at the end of the watch has time, too */
	int rc = unit_open(&j.unit, name, verb, clock_ms() + timeout_ms + (watches ? 10000 : 0));

	if (rc == EX_OK && watches) {
		rc = unitjob_watch(&j, timeout_ms);
	} else if (rc == EX_OK && method == NULL) {
		rc = answer(j.unit, &l);
	} else if (rc == EX_OK) {
		rc = unitjob_do(&j, method, settle_ms, &l);
		if (rc == EX_OK)
			print_answer(&l, "");
	}
	unit_close(j.unit);
	return shell_end(&form.shell, cli_close(rc));
}

/*
 * Becomes the command; a child watches meanwhile, and ends it when the unit is down. The child ends with the command, and
 * holds nothing of its standard output, whose reader waits for the last of those who have it.
 */
static int watch_during(char **command)
{
	pid_t self = getpid(), pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		close(STDOUT_FILENO);
		if (getppid() == self && control(NULL) != EX_OK)
			kill(self, SIGTERM);
		_exit(0);
	}
	if (pid > 0)
		execvp(command[0], command);
	msg_errno(command[0], "cannot run");
	return EX_SOFTWARE;
}

static const struct option_row options[] = {
	{ 't', "timeout", "DURATION", option_positive, &timeout_ms, "give up after this, in all (default 2m)" },
	{ 0, "settle", "DURATION", option_duration, &settle_ms, "after a start the unit must stay up for so long" },
	{ 0, "active", NULL, option_flag, &must_be_active, "of a check: CRITICAL when it is not active" },
	{ 0, "json", NULL, option_flag, &form.json, "print one object that says how the unit is" },
	{ 0, "as", "ID", check_as, &form, "of a check: the same, beginning with this id" },
	{ 0, "shell", "[=PREFIX]", option_shell, &form.shell, "the same as assignments for a shell" },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};

static const struct command command = {
	.usage = "[-t DURATION] [--settle DURATION] [--json | --shell] VERB UNIT\n[-t DURATION] watch UNIT -- COMMAND...",
	.about = "Start, stop or look at one systemd unit.\n"
		 "\n"
		 "  start, stop, restart     done when the unit is so\n"
		 "  watch                    for so long it must not go down for good; it may start again.\n"
		 "                           With -- COMMAND: that runs meanwhile, and ends when it does\n"
		 "  is-active                its state; exit status 0 active, 3 not, 4 no such unit\n"
		 "  is-enabled               its file's state; exit status 0 enabled, 1 not, 4 no such unit\n"
		 "  status                   both and more, in one line; exit status as is-active\n"
		 "  check                    would a start find all it needs? exit status 0 OK, 2 CRITICAL,\n"
		 "                           3 UNKNOWN",
	.options = options,
	.operands = { 2, OPERANDS_ANY, "wants a verb and one unit", NULL },
	.after = "UNIT without a kind is a service. DURATION is digits and ms, s, m, h or d.",
};

int main(int argc, char **argv)
{
	static const struct { const char *verb, *method; } verbs[] = {
		{ "start", "StartUnit" }, { "stop", "StopUnit" }, { "restart", "RestartUnit" },
		{ "watch", NULL }, { "is-active", NULL }, { "is-enabled", NULL }, { "status", NULL },
		{ "check", NULL },
	};
	const char *why;
	bool checking;
	size_t i = 0;
	int rc;

	msg_init(argv[0]);
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	verb = argv[optind];
	if (argc - optind > 2 && strcmp(verb, "watch") != 0)
		return cli_usage("wants a verb and one unit");
	while (i < sizeof verbs / sizeof *verbs && strcmp(verbs[i].verb, verb) != 0)
		i++;
	if (i == sizeof verbs / sizeof *verbs)
		return cli_usage("%s: no such verb", verb);
	why = unit_name(name, argv[optind + 1]);
	if (why != NULL)
		return cli_usage("%s: %s", argv[optind + 1], why);
	if (settle_ms > 0 && (verbs[i].method == NULL || strcmp(verb, "stop") == 0))
		return cli_usage("--settle is for start and restart");
	if (settle_ms >= timeout_ms)
		return cli_usage("--timeout must be longer than --settle");
	checking = strcmp(verb, "check") == 0;
	if (!checking && (must_be_active || form.id != NULL))
		return cli_usage("--active and --as are for check");
	if (argc - optind > 2)
		return watch_during(argv + optind + 2);
	return checking ? run_check() : control(verbs[i].method);
}
