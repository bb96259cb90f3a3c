/*
 * job-run TASK [-n] [--lock NAME[:WAIT[:HOLDER]]]... [--log FILE] [--steps N] -- SCRIPT [ARG...] - one run of a script, supervised
 *
 * What always holds: of the runs that want a lock one has it, and a run that was killed holds it as long as one of its
 * tools is at work; script and tools speak on one pipe, in order, so that a complaint stands in the step in which it
 * was made; of a run that fails the cause is told once, the same on the screen, in the log and in the record; the record
 * says how the run ended only when nothing of it runs any more; a log that cannot be written ends nothing.
 *
 * job-run --last[=PREFIX] TASK - how the last run of it went, for a script that may not want another one
 *
 * The shell's part of it is scripts/lib.sh.
 */
#include "lib/std.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/jobgroup.h"
#include "lib/joblock.h"
#include "lib/jobrecord.h"
#include "lib/jobscreen.h"
#include "lib/jobscript.h"
#include "lib/jobsteps.h"
#include "lib/jobwords.h"
#include "lib/msg.h"
#include "lib/news.h"
#include "lib/option.h"
#include "lib/settings.h"
#include "lib/settingtable.h"
#include "lib/shell.h"

#define TEXT JOBSCREEN_TEXT

/* --- what was asked for --- */

static bool dry;
static const char *log_path;
static struct joblocks locks;
static struct shell last = { .names = jobrecord_last_names };

/* --- the run --- */

static struct jobscreen screen;
static struct jobrecord job;
static struct jobsteps steps = { .screen = &screen, .record = &job };
static struct jobgroup group;
static struct jobwords words = { .steps = &steps, .locks = &locks, .group = &group };

static const char *take_lock(const char *text, void *to)
{
	return joblock_add(to, text);
}

static const struct option_row options[] = {
	{ 0, "lock", "NAME[:WAIT[:HOLDER]]", take_lock, &locks,
	  "hold this lock; wait so long for it, 1s by default,\nand so long only for HOLDER, if that is given; up to four times" },
	{ 0, "log", "FILE", option_text, &log_path, "the log; CTV_LOG_DIR takes the place of its directory" },
	{ 0, "steps", "N", option_number, &(struct option_range){ &steps.announced, 1, JOBSTEPS_MOST }, "how many steps there will be" },
	{ 0, "last", "[=PREFIX]", option_shell, &last, "run nothing: how the last run went, as assignments for a shell" },
	{ 'n', "dry-run", NULL, option_flag, &dry, "no lock, no log, no record: just the steps" },
	{ .name = NULL },
};

static const struct command command = {
	.usage = "TASK [-n] [--lock NAME[:WAIT[:HOLDER]]]... [--log FILE]\n [--steps N] -- SCRIPT [ARG...]\n--last[=PREFIX] TASK",
	.about = "Run SCRIPT as a job: under its locks, with a log, with its steps on the screen,\n"
		 "and with a record of how it went, last-TASK.json in the state directory.",
	.options = options,
};

/* --- before the script --- */

/* The log, the locks and the record, in this order; of a dry run nothing. */
static int begin(const char *state, const char *record)
{
	char line[TEXT];
	int rc;

	if (dry) {
		snprintf(line, sizeof line, "%s: a dry run; nothing is changed", screen.script);
		jobscreen_line(&screen, line);
		job.facts = json_object();
		job.steps = json_array();
		return EX_OK;
	}
	if (log_path != NULL)
		jobscreen_open_log(&screen, log_path, setting("log_dir"));
	if (file_make_directory(state) != 0)
		return jobscreen_refuse(&screen, EX_CANTCREAT, "%s: cannot create: %s", state, strerror(errno));
	rc = joblock_take(&locks, state, &screen);
	if (rc != EX_OK)
		return rc;
	job.path = record;
	if (!jobrecord_begin(&job))
		return EX_CANTCREAT;
	jobscreen_log(&screen, "begins");
	rc = jobrecord_write(&job, "running", 0, "", "", "");
	if (rc == EX_OK)
		news_tell(state);
	return rc;
}

/* --- its end --- */

/* The exit status of the run: the script's own, if ctv-mirror(7) has it. */
static int settle_status(void)
{
	static const int known[] = { EX_OK, EX_USAGE, EX_DATAERR, EX_NOINPUT, EX_UNAVAILABLE, EX_SOFTWARE, EX_CANTCREAT,
		EX_IOERR, EX_TEMPFAIL, EX_PROTOCOL, EX_NOPERM, EX_CONFIG };
	const char *in = steps.step.open ? " in step " : "", *name = steps.step.open ? steps.step.name : "";
	int code = WIFEXITED(group.status) ? WEXITSTATUS(group.status) : -1;

	if (code < 0) {
		int sig = WTERMSIG(group.status);

		if (sig == SIGINT || sig == SIGTERM || sig == SIGHUP)
			words.interrupted = true;
		jobsteps_fail(&steps, "", "", "ended by signal %d%s%s", sig, in, name);
		return words.interrupted ? EX_TEMPFAIL : EX_SOFTWARE;
	}
	if (code == 0 && steps.failed)
		code = words.fail_code;
	else if (code != 0 || !words.done)
		jobsteps_fail(&steps, "", "", "unexpected end (exit status %d)%s%s", code, in, name);
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (code == known[i] && (code != EX_OK || !steps.failed))
			return code;
	return EX_SOFTWARE;
}

static int finish(const char *state)
{
	int64_t tenths = JOBRECORD_TENTHS(clock_ms() - job.started_ms);
	int code = settle_status();
	const char *result = !steps.failed ? words.result : words.interrupted ? "interrupted" : "failed";
	char line[TEXT + 64];

	if (!steps.failed)
		jobsteps_release(&steps);
	jobscreen_erase(&screen);
	if (!dry && jobrecord_write(&job, result, code, steps.step.name, steps.message, steps.hint) == EX_OK)
		news_tell(state);
	if (steps.failed) {
		jobscreen_log(&screen, "ends with exit status %d", code);
	} else {
		snprintf(line, sizeof line, "%s (%lld.%lld s)", steps.message, (long long)(tenths / 10), (long long)(tenths % 10));
		jobscreen_say(&screen, "", line);
	}
	return code;
}

/* --- both together --- */

static int supervise(const char *state, const char *record, const char *task, char **argv)
{
	const char *node = setting("node");
	int rc;

	job.task = task;
	job.node = node != NULL ? node : setting("standby");
	rc = begin(state, record);
	if (rc == EX_OK)
		rc = jobscript_run(argv, &group, &words);
	if (rc == EX_OK)
		rc = finish(state);
	jobsteps_free(&steps);
	jobrecord_free(&job);
	return rc;
}

static int tell_last(const char *record)
{
	json_answer(jobrecord_last(record, clock_wall()), false, &last);
	return shell_end(&last, cli_close(EX_OK));
}

int main(int argc, char **argv)
{
	char started[CLOCK_TEXT], record[TEXT];
	const char *task, *state, *slash;
	int rc;

	job.started_ms = clock_ms();
	job.started_at = clock_text(started, clock_wall());
	msg_init(argv[0]);
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	if (shell_asked(&last) ? argc - optind != 1 : argc - optind < 2)
		return cli_usage(shell_asked(&last) ? "--last: one TASK is needed" : "TASK and SCRIPT are needed");
	task = argv[optind];
	if (!joblock_is_name(task))
		return cli_usage("%s: not the name of a task", task);
	argv += optind + 1;
	if (!shell_asked(&last)) {
		slash = strrchr(*argv, '/');
		jobscreen_init(&screen, slash != NULL ? slash + 1 : *argv);
		msg_init(screen.script);
	}
	/* all settings are checked here: a run whose script would refuse one of them does not begin, and leaves no record */
	rc = config_load();
	if (rc == EX_OK)
		rc = setting_check();
	if (rc == EX_OK) {
		state = setting("state");
		snprintf(record, sizeof record, "%s/last-%s.json", state, task);
		rc = shell_asked(&last) ? tell_last(record) : supervise(state, record, task, argv);
	}
	setting_free();
	config_free();
	return rc;
}
