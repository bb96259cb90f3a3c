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
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/jobgroup.h"
#include "lib/joblock.h"
#include "lib/jobmark.h"
#include "lib/jobrecord.h"
#include "lib/jobscreen.h"
#include "lib/jobsteps.h"
#include "lib/jobstream.h"
#include "lib/msg.h"
#include "lib/news.h"
#include "lib/num.h"
#include "lib/option.h"
#include "lib/settings.h"
#include "lib/settingtable.h"
#include "lib/shell.h"

#define TEXT JOBSCREEN_TEXT
#define LOCKS 4

/* --- what was asked for --- */

static bool dry;
static const char *log_path;
static struct joblock locks[LOCKS];
static size_t lock_count;
static struct shell last = { .names = jobrecord_last_names };

/* --- the run --- */

static struct jobscreen screen;
static struct jobrecord job;
static struct jobsteps steps = { .screen = &screen, .record = &job };
static struct jobmarks marks;
static struct jobstream stream;
static struct jobgroup group;
static const char *result = "failed";	/* for the record */
static char said_result[32];
static bool said_done;
static int fail_code;

static const char *take_lock(const char *text, void *to)
{
	const char *why;

	(void)to;
	if (lock_count == LOCKS)
		return "one too many";
	why = joblock_parse(text, &locks[lock_count]);
	if (why == NULL)
		lock_count++;
	return why;
}

static const struct option_row options[] = {
	{ 0, "lock", "NAME[:WAIT[:HOLDER]]", take_lock, NULL,
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

/* The end before the beginning: EX_SOFTWARE, EX_CANTCREAT, with the cause in the log as well. */
static int __attribute__((format(printf, 2, 3))) refuse(int rc, const char *fmt, ...)
{
	char cause[TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cause, sizeof cause, fmt, ap);
	va_end(ap);
	jobscreen_cause(&screen, cause, "");
	return rc;
}

/* --- the words of the script --- */

static void __attribute__((format(printf, 1, 2))) complain(const char *fmt, ...)
{
	char line[TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	jobsteps_hold(&steps, JOBSTEPS_COMPLAINT, line);
}

static void word_step(const char *const *field)
{
	jobsteps_begin(&steps, field[0]);
}

static void word_skip(const char *const *field)
{
	jobsteps_begin(&steps, field[0]);
	jobsteps_note(&steps, field[1]);
	jobsteps_end(&steps, "skipped");
}

static void word_note(const char *const *field)
{
	jobsteps_note(&steps, field[0]);
}

static void word_say(const char *const *field)
{
	jobscreen_say(&screen, "", field[0]);
}

static void word_warn(const char *const *field)
{
	jobsteps_warn(&steps, field[0]);
}

static void word_refuse(const char *const *field)
{
	jobsteps_refuse(&steps, field[0]);
}

static void word_more(const char *const *field)
{
	jobsteps_more(&steps, field[0]);
}

static void word_ask(const char *const *field)
{
	jobscreen_ask(&screen, field[0]);
}

static void word_answer(const char *const *field)
{
	jobscreen_answer(&screen, field[0], field[1]);
}

static void word_fact(const char *const *field)
{
	if (!jobrecord_fact(&job, field[0], field[1]))
		complain("job-run: %s: not a fact for the record: %s", field[0], field[1]);
}

static void word_mark(const char *const *field)
{
	jobmark_set(&marks, field[0], clock_ms() - job.started_ms);
}

static void word_unlock(const char *const *field)
{
	for (size_t i = 0; i < lock_count; i++)
		if (strcmp(locks[i].name, field[0]) == 0)
			joblock_release(&locks[i]);
}

static void word_undo(const char *const *field)
{
	(void)field;
	jobsteps_fail(&steps, "", "", "unexpected end in step %s", steps.step.name);
}

static void word_fail(const char *const *field)
{
	uint64_t code;

	if (num_u64(field[0], 1, 255, &code) == NULL)
		fail_code = (int)code;
	jobsteps_fail(&steps, field[1], field[2], "ended with status %s in step %s", field[0], steps.step.name);
}

static void word_interrupted(const char *const *field)
{
	char line[64];

	result = "interrupted";
	snprintf(line, sizeof line, "interrupted by SIG%s", field[0]);
	jobsteps_fail(&steps, line, "run it again: it goes on from where it was", "%s", line);
	/* Ctrl-C reached this run's group alone, which had the terminal; it was meant for the outer run, too */
	if (screen.outer[0] != '\0' && strcmp(field[0], "INT") == 0 && !group.forwarded)
		kill(0, SIGINT);
}

static void word_done(const char *const *field)
{
	jobsteps_end(&steps, NULL);
	snprintf(said_result, sizeof said_result, "%s", field[0]);
	snprintf(steps.message, sizeof steps.message, "%s", field[1]);
	said_done = true;
}

static const struct {
	const char *word;
	void (*obey)(const char *const *field);
} words[] = {
	{ "step", word_step }, { "skip", word_skip }, { "note", word_note }, { "warn", word_warn }, { "refuse", word_refuse },
	{ "more", word_more }, { "say", word_say }, { "ask", word_ask }, { "answer", word_answer }, { "fact", word_fact },
	{ "mark", word_mark }, { "unlock", word_unlock }, { "undo", word_undo }, { "fail", word_fail },
	{ "interrupted", word_interrupted }, { "done", word_done },
};

static void obey(const char *word, const char *const *said)
{
	char text[2][TEXT];
	const char *field[JOBSTREAM_FIELDS] = { said[0], said[1], said[2] };

	for (size_t i = 0; i < 2 && marks.count > 0; i++)
		field[i] = jobmark_text(&marks, text[i], sizeof text[i], said[i]);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strcmp(words[i].word, word) == 0) {
			words[i].obey(field);
			return;
		}
	}
	complain("job-run: %s: no such word", word);
}

static void hear_piece(const struct jobpiece *p)
{
	static const char hint_is[] = "hint: ";

	switch (p->kind) {
	case JOBPIECE_WORD:
		obey(p->word, p->field);
		break;
	case JOBPIECE_LINE:
		if (strncmp(p->text, hint_is, strlen(hint_is)) == 0)
			jobsteps_hold(&steps, JOBSTEPS_HINT, p->text + strlen(hint_is));
		else if (*p->text != '\0')
			jobsteps_hold(&steps, JOBSTEPS_COMPLAINT, p->text);
		break;
	case JOBPIECE_TRANSIENT:
		if (*p->text != '\0')
			jobscreen_draw(&screen, p->text);
		else
			jobscreen_erase(&screen);
		break;
	}
}

/* What has been said meanwhile; false at the end of the pipe, or when at its end nothing more is there. */
static bool listen_to(int out, bool at_end)
{
	struct jobpiece piece;
	size_t room;
	char *to = jobstream_room(&stream, &room);
	ssize_t n = read(out, to, room);

	if (n > 0)
		jobstream_added(&stream, (size_t)n);
	while (jobstream_next(&stream, at_end && n <= 0, &piece))
		hear_piece(&piece);
	jobsteps_draw(&steps);
	return n > 0 || (n < 0 && errno == EAGAIN && !at_end);
}

static bool hear(int out)
{
	return listen_to(out, false);
}

/* --- before the script --- */

/* The log, the locks and the record, in this order; of a dry run nothing. */
static int begin(const char *state, const char *record)
{
	char line[TEXT];
	int rc = EX_OK;

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
		return refuse(EX_CANTCREAT, "%s: cannot create: %s", state, strerror(errno));
	for (size_t i = 0; i < lock_count && rc == EX_OK; i++)
		rc = joblock_take(&locks[i], state, &screen);
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

/* --- the script --- */

/* The child, until it is the script. */
static void become_script(char **argv, int out, const char *token)
{
	char text[96];

	/* a question that nobody would see is not asked: the answer is no */
	if (screen.outer[0] == '\0' && !isatty(STDERR_FILENO)) {
		close(STDIN_FILENO);
		open("/dev/null", O_RDONLY);
	}
	if (screen.outer[0] == '\0' && screen.terminal >= 0)
		setenv("CTV_PROGRESS", strrchr(token, '-') + 1, 1);
	else if (screen.outer[0] == '\0')
		unsetenv("CTV_PROGRESS");
	snprintf(text, sizeof text, "%s:%ld", token, (long)getpid());
	setenv("CTV_JOB", text, 1);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execvp(argv[0], argv);
	msg_errno(argv[0], "cannot be run");
	_exit(EX_SOFTWARE);
}

/* The terminal that the script gets while it is ours; -1 without one. */
static int terminal_to_give(void)
{
	if (isatty(STDERR_FILENO))
		return STDERR_FILENO;
	return screen.outer[0] != '\0' && isatty(STDIN_FILENO) ? STDIN_FILENO : -1;
}

/* Starts the script and stays with it to its end; EX_OK, or EX_SOFTWARE without one (reported). */
static int run(char **argv)
{
	uint64_t random;
	char token[64];
	struct stat st;
	pid_t pid;
	int out[2];

	if (pipe2(out, O_CLOEXEC) != 0 || fstat(out[0], &st) != 0 || getrandom(&random, sizeof random, 0) < 0)
		return refuse(EX_SOFTWARE, "no pipe: %s", strerror(errno));
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	/* the pipe is named, so that a run within this one knows whether it speaks to it */
	snprintf(token, sizeof token, "%016llx-%llu", (unsigned long long)random, (unsigned long long)st.st_ino);
	jobstream_init(&stream, token);
	pid = jobgroup_fork(&group, terminal_to_give());
	if (pid == 0)
		become_script(argv, out[1], token);
	if (pid < 0)
		return refuse(EX_SOFTWARE, "no process: %s", strerror(errno));
	close(out[1]);
	jobgroup_attend(&group, out[0], hear);
	while (listen_to(out[0], true))
		;
	return EX_OK;
}

/* --- its end --- */

/* The exit status of the run: the script's own, if ctv-mirror(7) has it. */
static int settle_status(void)
{
	static const int known[] = { EX_OK, EX_USAGE, EX_DATAERR, EX_NOINPUT, EX_UNAVAILABLE, EX_SOFTWARE, EX_CANTCREAT,
		EX_IOERR, EX_TEMPFAIL, EX_PROTOCOL, EX_NOPERM, EX_CONFIG };
	const char *in = steps.step.open ? " in step " : "", *name = steps.step.name;
	int code = WIFEXITED(group.status) ? WEXITSTATUS(group.status) : -1;

	if (code < 0) {
		int sig = WTERMSIG(group.status);

		if (sig == SIGINT || sig == SIGTERM || sig == SIGHUP)
			result = "interrupted";
		jobsteps_fail(&steps, "", "", "ended by signal %d%s%s", sig, in, name);
		return strcmp(result, "interrupted") == 0 ? EX_TEMPFAIL : EX_SOFTWARE;
	}
	if (code == 0 && steps.failed)
		code = fail_code;
	else if (code != 0 || !said_done)
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
	char line[TEXT + 64];

	if (!steps.failed) {
		jobsteps_release(&steps);
		result = said_result;
	}
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
		rc = run(argv);
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
	/* all of the settings: a script that finds one of them wrong is no run yet */
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
