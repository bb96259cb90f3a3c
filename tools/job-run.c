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
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/jobrecord.h"
#include "lib/jobstream.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/settings.h"
#include "lib/settingtable.h"
#include "lib/shell.h"

#define TEXT 4096		/* of one line; msg.h's have 1024 */
#define LOCKS 4
#define LOCK_FD 20		/* locks are left to the script above the descriptors that it may use itself */
#define LOCK_WAIT_MS 1000	/* the status round takes a lock for a moment, to see whether it is held */
#define STEPS 64
#define HELD 32			/* lines that wait for the end of their step */
#define GRACE_MS 10000		/* for what a script left behind, between SIGTERM and SIGKILL */

static const char help[] =
"usage: job-run TASK [-n] [--lock NAME[:WAIT[:HOLDER]]]... [--log FILE]\n"
"               [--steps N] -- SCRIPT [ARG...]\n"
"       job-run --last[=PREFIX] TASK\n"
"Run SCRIPT as a job: under its locks, with a log, with its steps on the screen,\n"
"and with a record of how it went, last-TASK.json in the state directory.\n"
"\n"
"      --lock NAME[:WAIT[:HOLDER]]  hold this lock; wait so long for it, 1s by\n"
"                     default, and so long only for HOLDER, if that is given\n"
"      --log FILE     the log; CTV_LOG_DIR takes the place of its directory\n"
"      --steps N      how many steps there will be\n"
"      --last[=PREFIX]  run nothing: how the last run went, as assignments for a\n"
"                     shell\n"
"  -n, --dry-run      no lock, no log, no record: just the steps\n"
"  -h, --help         this text\n"
"  -V, --version      the version\n";

/* --- what was asked for --- */

struct lock {
	char name[64];
	int64_t wait_ms;
	const char *brief;	/* who holds it for moments: only for this one wait_ms counts; NULL for everybody */
	int fd;
};

static const char *task, *log_default, *script;	/* script: its name as people know it */
static bool dry;
static uint64_t steps_in_all;
static struct lock locks[LOCKS];
static size_t lock_count;

/* --- where it is told --- */

static int log_fd = -1;
static int terminal = -1;	/* what lines that are drawn again are drawn on, -1 for nothing */
static bool drawn;		/* such a line stands there */
static bool utf8;
static char outer[64];		/* the token of the run that this one is a part of, "" for none */

/* --- the run --- */

enum held_kind { MORE, COMPLAINT, HINT };

static struct held {
	enum held_kind kind;
	char *text;
} held[HELD];
static size_t held_count;

static struct step {
	char name[32], note[1024];
	bool open, warned, refused;
	size_t number;
	int64_t began_ms;
} step;
static char names[STEPS][sizeof step.name];
static size_t name_count;

static struct jobrecord job;
static const char *result = "failed";
static char message[TEXT], hint[TEXT], said_result[32];
static bool failed;	/* it has been told why */
static bool said_done;
static bool asking;	/* a question stands on the screen */
static int fail_code;
static bool forwarded;	/* a signal came to us, and went on to the script */

/* --- the screen and the log --- */

static void __attribute__((format(printf, 1, 2))) log_line(const char *fmt, ...)
{
	char text[TEXT], escaped[TEXT], now[CLOCK_TEXT], line[TEXT + 128];
	int n, name = (int)strlen(script);
	va_list ap;

	if (log_fd < 0)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (name > 3 && strcmp(script + name - 3, ".sh") == 0)
		name -= 3;
	n = snprintf(line, sizeof line, "%s %.*s[%ld]: %s\n", clock_text(now, clock_wall()), name, script, (long)getpid(),
		     msg_escape(escaped, sizeof escaped, text));
	if (n < 0 || file_write(log_fd, line, (size_t)n) == 0)
		return;
	close(log_fd);
	log_fd = -1;
	msg_errno("the log", "goes on without it");
}

/* Takes away the line that is drawn again. */
static void erase(void)
{
	if (drawn && outer[0] == '\0')
		file_write(terminal, "\r\033[K", 4);
	drawn = false;
}

static void draw(const char *text)
{
	char line[TEXT + 8], escaped[TEXT];
	int n;

	if (terminal < 0)
		return;
	n = snprintf(line, sizeof line, "\r%s\033[K", msg_escape(escaped, 256, text));
	if (n > 0)
		file_write(terminal, line, (size_t)n);
	drawn = *text != '\0';
}

/* A word to the run that this one is a part of. */
static void speak(const char *word, const char *a, const char *b)
{
	char line[2 * TEXT + 256];
	int n = snprintf(line, sizeof line, "\001%s %s\001%s\001%s\001\001\n", outer, word, a, b);

	if (n > 0)
		file_write(STDOUT_FILENO, line, (size_t)n);
}

/* One line on standard output; of a run within another it is something that the other one says. */
static void show_line(const char *text)
{
	char escaped[TEXT];
	size_t len;

	erase();
	msg_escape(escaped, sizeof escaped - 1, text);
	if (outer[0] != '\0') {
		speak("say", escaped, "");
		return;
	}
	len = strlen(escaped);
	escaped[len] = '\n';
	/* nobody is left to be told when the terminal is gone; the log and the record remain */
	file_write(STDOUT_FILENO, escaped, len + 1);
}

/* The script reads the answer; nothing is drawn until it has. */
static void ask(const char *question)
{
	char escaped[TEXT];
	size_t len;

	erase();
	asking = true;
	if (outer[0] != '\0') {
		speak("ask", question, "");
		return;
	}
	msg_escape(escaped, sizeof escaped - 1, question);
	len = strlen(escaped);
	escaped[len] = ' ';
	file_write(STDERR_FILENO, escaped, len + 1);
}

/* For the person and for the log, each of its lines; a margin is the person's only. */
static void say(const char *margin, const char *text)
{
	char line[TEXT + 64];
	size_t len;

	for (;; text += len + 1) {
		len = strcspn(text, "\n");
		snprintf(line, sizeof line, "%s%.*s", margin, (int)len, text);
		show_line(line);
		log_line("%s", line + strlen(margin));
		if (text[len] == '\0')
			break;
	}
}

/* `SCRIPT: text`, and the hint, on standard error and in the log. */
static void tell_cause(void)
{
	erase();
	msg_err(NULL, "%s", message);
	log_line("error: %s", message);
	if (hint[0] == '\0')
		return;
	msg_hint("%s", hint);
	log_line("hint: %s", hint);
}

/* The end before the beginning: rc, with the cause in the log as well. */
static int __attribute__((format(printf, 2, 3))) refuse(int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof message, fmt, ap);
	va_end(ap);
	tell_cause();
	return rc;
}

/* --- steps, and what is held until they end --- */

static void forget(size_t at, size_t count)
{
	for (size_t i = at; i < at + count; i++)
		free(held[i].text);
	held_count -= count;
	memmove(held + at, held + at + count, (held_count - at) * sizeof *held);
}

/* The first of the held lines are shown. */
static void release(size_t count)
{
	char line[TEXT];

	for (size_t i = 0; i < count; i++) {
		snprintf(line, sizeof line, "%s%s", held[i].kind == HINT ? "hint: " : "", held[i].text);
		say("   ", line);
	}
	forget(0, count);
}

static void hold(enum held_kind kind, const char *text)
{
	char *copy = strdup(text);

	if (held_count == HELD)
		release(1);
	if (copy != NULL)
		held[held_count++] = (struct held){ kind, copy };
	if (failed)
		release(held_count);
}

static void draw_step(void)
{
	char line[128];

	snprintf(line, sizeof line, "   %zu/%llu %-9s ...", step.number, (unsigned long long)steps_in_all, step.name);
	draw(line);
}

static void end_step(const char *how)
{
	const char *mark = utf8 ? " ✓" : "ok";
	int64_t tenths = JOBRECORD_TENTHS(clock_ms() - step.began_ms);
	char seconds[NUM_TEXT], line[TEXT];

	if (!step.open)
		return;
	step.open = false;
	if (how == NULL)
		how = step.refused ? "failed" : step.warned ? "warning" : "ok";
	if (strcmp(how, "failed") == 0)
		mark = utf8 ? " ✗" : "no";
	else if (strcmp(how, "ok") != 0)
		mark = strcmp(how, "skipped") == 0 ? " -" : " !";
	snprintf(seconds, sizeof seconds, "%lld.%lld", (long long)(tenths / 10), (long long)(tenths % 10));
	snprintf(line, sizeof line, "%s %zu/%llu %-9s %6s s  %s", mark, step.number, (unsigned long long)steps_in_all,
		 step.name, seconds, step.note);
	show_line(line);
	log_line("step %zu/%llu %s: %s, %s s%s%s", step.number, (unsigned long long)steps_in_all, step.name, how, seconds,
		 step.note[0] != '\0' ? ": " : "", step.note);
	jobrecord_step(&job, step.name, how, tenths);
	release(held_count);
}

/* A step that comes again, after a way back, has the number that it had. */
static void begin_step(const char *name)
{
	size_t at = 0;

	end_step(NULL);
	release(held_count);
	if (*name == '\0')
		return;
	step = (struct step){ .open = true, .began_ms = clock_ms() };
	snprintf(step.name, sizeof step.name, "%s", name);
	while (at < name_count && strcmp(names[at], step.name) != 0)
		at++;
	if (at == name_count && name_count < STEPS)
		snprintf(names[name_count++], sizeof *names, "%s", step.name);
	step.number = at + 1;
	draw_step();
}

/* Takes the last complaint, with its hint, out of what is held. */
static bool take_complaint(void)
{
	size_t last = held_count;

	while (last > 0 && held[last - 1].kind != COMPLAINT)
		last--;
	if (last == 0)
		return false;
	last--;
	snprintf(message, sizeof message, "%s", held[last].text);
	if (last + 1 < held_count && held[last + 1].kind == HINT) {
		if (hint[0] == '\0')
			snprintf(hint, sizeof hint, "%s", held[last + 1].text);
		forget(last + 1, 1);
	}
	forget(last, 1);
	return true;
}

/* Why the run fails, once: what the script says, else the last complaint of a tool, else what fmt says. */
static void __attribute__((format(printf, 3, 4))) fail(const char *said, const char *said_hint, const char *fmt, ...)
{
	va_list ap;

	if (failed)
		return;
	snprintf(message, sizeof message, "%s", said);
	snprintf(hint, sizeof hint, "%s", said_hint);
	if (message[0] == '\0' && !take_complaint()) {
		va_start(ap, fmt);
		vsnprintf(message, sizeof message, fmt, ap);
		va_end(ap);
	}
	failed = true;
	asking = false;
	end_step("failed");
	release(held_count);
	tell_cause();
}

/* --- the words of the script --- */

/* Moments of the run, in milliseconds from its beginning: `%{NAME}` in a text is that many seconds. */
static struct mark {
	char name[24];
	int64_t ms;
} marks[4];
static size_t mark_count;

static void set_mark(const char *name)
{
	struct mark m = { .ms = clock_ms() - job.started_ms };

	snprintf(m.name, sizeof m.name, "%s", name);
	if (mark_count < sizeof marks / sizeof *marks)
		marks[mark_count++] = m;
}

/* The last moment of that name counts. */
static const char *with_marks(char *buf, size_t size, const char *text)
{
	size_t n = 0;

	while (*text != '\0' && n + 1 < size) {
		size_t len = strncmp(text, "%{", 2) == 0 ? strcspn(text, "}") : 0, at = mark_count;

		while (len > 0 && at > 0 && strncmp(marks[at - 1].name, text + 2, len - 2) != 0)
			at--;
		if (len == 0 || at == 0 || text[len] != '}') {
			buf[n++] = *text++;
			continue;
		}
		n += (size_t)snprintf(buf + n, size - n, "%lld.%lld", (long long)(JOBRECORD_TENTHS(marks[at - 1].ms) / 10),
				      (long long)(JOBRECORD_TENTHS(marks[at - 1].ms) % 10));
		text += len + 1;
		n = n < size ? n : size - 1;
	}
	buf[n] = '\0';
	return buf;
}

static void unlock(const char *name)
{
	for (size_t i = 0; i < lock_count; i++)
		if (strcmp(locks[i].name, name) == 0)
			flock(locks[i].fd, LOCK_UN);
}

static void note(const char *text, bool *flag)
{
	snprintf(step.note, sizeof step.note, "%s", text);
	if (flag != NULL)
		*flag = true;
}

static void obey(const char *word, const char *const *field)
{
	const char *a = field[0], *b = field[1], *c = field[2];
	char line[TEXT], text[2][TEXT];

	if (mark_count > 0) {
		a = with_marks(text[0], sizeof *text, a);
		b = with_marks(text[1], sizeof *text, b);
	}

	if (strcmp(word, "step") == 0) {
		begin_step(a);
	} else if (strcmp(word, "skip") == 0) {
		begin_step(a);
		note(b, NULL);
		end_step("skipped");
	} else if (strcmp(word, "note") == 0) {
		note(a, NULL);
	} else if (strcmp(word, "warn") == 0 && step.open) {
		note(a, &step.warned);
	} else if (strcmp(word, "refuse") == 0 && step.open) {
		note(a, &step.refused);
	} else if (strcmp(word, "more") == 0 && step.open) {
		hold(MORE, a);
	} else if (strcmp(word, "say") == 0 || strcmp(word, "warn") == 0 || strcmp(word, "more") == 0 ||
		   strcmp(word, "refuse") == 0) {
		say("", a);
	} else if (strcmp(word, "ask") == 0) {
		ask(a);
	} else if (strcmp(word, "answer") == 0) {
		asking = false;
		log_line("%s %s", a, b);
		if (outer[0] != '\0')
			speak("answer", a, b);
	} else if (strcmp(word, "fact") == 0) {
		if (!jobrecord_fact(&job, a, b)) {
			snprintf(line, sizeof line, "job-run: %s: not a fact for the record: %s", a, b);
			hold(COMPLAINT, line);
		}
	} else if (strcmp(word, "mark") == 0) {
		set_mark(a);
	} else if (strcmp(word, "unlock") == 0) {
		unlock(a);
	} else if (strcmp(word, "undo") == 0) {
		fail("", "", "unexpected end in step %s", step.name);
	} else if (strcmp(word, "fail") == 0) {
		uint64_t code;

		if (num_u64(a, 1, 255, &code) == NULL)
			fail_code = (int)code;
		fail(b, c, "ended with status %s in step %s", a, step.name);
	} else if (strcmp(word, "interrupted") == 0) {
		result = "interrupted";
		snprintf(line, sizeof line, "interrupted by SIG%s", a);
		fail(line, "run it again: it goes on from where it was", "%s", line);
		/* Ctrl-C went to the foreground, which is ours alone: it means the run as well that we are a part of */
		if (outer[0] != '\0' && strcmp(a, "INT") == 0 && !forwarded)
			kill(0, SIGINT);
	} else if (strcmp(word, "done") == 0) {
		end_step(NULL);
		snprintf(said_result, sizeof said_result, "%s", a);
		snprintf(message, sizeof message, "%s", b);
		said_done = true;
	} else {
		snprintf(line, sizeof line, "job-run: %s: no such word", word);
		hold(COMPLAINT, line);
	}
}

static void hear(const struct jobpiece *p)
{
	static const char hint_is[] = "hint: ";

	switch (p->kind) {
	case JOBPIECE_WORD:
		obey(p->word, p->field);
		break;
	case JOBPIECE_LINE:
		if (strncmp(p->text, hint_is, strlen(hint_is)) == 0)
			hold(HINT, p->text + strlen(hint_is));
		else if (*p->text != '\0')
			hold(COMPLAINT, p->text);
		break;
	case JOBPIECE_TRANSIENT:
		if (*p->text != '\0')
			draw(p->text);
		else
			erase();
		break;
	}
}

/* --- before the script --- */

/* The state directory, or that of the log, where an installation did not make it. */
static int make_directory(char *path)
{
	struct stat st;

	for (char *slash = path + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		mkdir(path, 0777);
		*slash = '/';
	}
	if (mkdir(path, 0777) == 0)
		return 0;
	if (errno == EEXIST && stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		errno = ENOTDIR;
	return errno == EEXIST ? 0 : -1;
}

/* What cannot be written is said; it is no reason not to run. */
static void open_log(void)
{
	const char *dir = setting("log_dir"), *name = strrchr(log_default, '/');
	char path[TEXT], *slash;
	const char *cause;

	if (dir != NULL)
		snprintf(path, sizeof path, "%s/%s", dir, name != NULL ? name + 1 : log_default);
	else
		snprintf(path, sizeof path, "%s", log_default);
	slash = strrchr(path, '/');
	if (slash != NULL && slash != path) {
		*slash = '\0';
		make_directory(path);
		*slash = '/';
	}
	cause = file_open_plain(path, O_WRONLY | O_APPEND | O_CREAT, 0666, &log_fd);
	if (cause != NULL)
		msg_err(path, "%s, so this run has no log", cause);
}

/* `NAME, pid N, since T` of whoever holds the lock */
static const char *holder_of(int fd, char *buf, size_t size)
{
	ssize_t n = file_pread(fd, buf, size - 1, 0);

	buf[n > 0 ? n : 0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return *buf != '\0' ? buf : "somebody";
}

static int take_lock(const char *state, struct lock *l)
{
	char path[TEXT], holder[256], now[CLOCK_TEXT], line[TEXT + 512];
	const char *cause;
	int n, fd;

	snprintf(path, sizeof path, "%s/%s", state, l->name);
	cause = file_open_plain(path, O_RDWR | O_CREAT, 0666, &fd);
	if (cause != NULL)
		return refuse(EX_CANTCREAT, "%s: cannot open: %s", path, cause);
	/* the script and its tools inherit it: it is held until the last of them has ended */
	l->fd = fcntl(fd, F_DUPFD, LOCK_FD);
	close(fd);
	if (flock(l->fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK)
			return refuse(EX_CANTCREAT, "%s: cannot lock: %s", path, strerror(errno));
		holder_of(l->fd, holder, sizeof holder);
		if (l->brief != NULL && (strncmp(holder, l->brief, strlen(l->brief)) != 0 || holder[strlen(l->brief)] != ','))
			l->wait_ms = LOCK_WAIT_MS;
		if (l->wait_ms > LOCK_WAIT_MS) {
			snprintf(line, sizeof line, "   waiting for %s: held by %s", path, holder);
			show_line(line);
		}
		if (!file_lock_wait(l->fd, l->wait_ms))
			return refuse(EX_CANTCREAT, "%s: held by %s", path, holder_of(l->fd, holder, sizeof holder));
	}
	/* a full disk leaves the holder's name out, not the lock */
	n = snprintf(line, sizeof line, "%s, pid %ld, since %s\n", script, (long)getpid(), clock_text(now, clock_wall()));
	if (pwrite(l->fd, line, (size_t)n, 0) != n || ftruncate(l->fd, n) != 0)
		msg_errno(path, "does not say who holds it");
	return EX_OK;
}

/* ctv-status.path sees the file, and a round takes it away before it looks: a change during a round starts another. */
static void news(const char *state)
{
	char path[TEXT];
	int fd;

	snprintf(path, sizeof path, "%s/news", state);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (fd >= 0)
		close(fd);
}

/* The log, the locks and the record, in this order; of a dry run nothing. */
static int begin(const char *state, const char *record)
{
	char line[TEXT], path[TEXT];
	int rc = EX_OK;

	if (dry) {
		snprintf(line, sizeof line, "%s: a dry run; nothing is changed", script);
		show_line(line);
		job.facts = json_object();
		job.steps = json_array();
		return EX_OK;
	}
	if (log_default != NULL)
		open_log();
	snprintf(path, sizeof path, "%s", state);
	if (make_directory(path) != 0)
		return refuse(EX_CANTCREAT, "%s: cannot create: %s", state, strerror(errno));
	for (size_t i = 0; i < lock_count && rc == EX_OK; i++)
		rc = take_lock(state, &locks[i]);
	if (rc != EX_OK)
		return rc;
	job.path = record;
	if (!jobrecord_begin(&job))
		return EX_CANTCREAT;
	log_line("begins");
	rc = jobrecord_write(&job, "running", 0, "", "", "");
	if (rc == EX_OK)
		news(state);
	return rc;
}

/* --- the script --- */

static struct jobstream stream;
static sigset_t ours, before;	/* signals that are read by signalfd or held back here; what was blocked before */
static pid_t child;		/* the script, and its process group */
static int child_status;
static bool child_gone, child_stopped;
static int tty = -1;		/* the terminal that the script gets while it is ours, -1 without one */

static void watch_signals(int *fd)
{
	static const int asked[] = { SIGINT, SIGTERM, SIGHUP }, always[] = { SIGCHLD, SIGCONT }, held_back[] = {
		SIGPIPE, SIGXFSZ, SIGTTOU };
	struct sigaction old;
	sigset_t read_here;

	sigemptyset(&read_here);
	for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
		/* what our parent ignores (nohup) stays ignored */
		if (sigaction(asked[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaddset(&read_here, asked[i]);
	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		sigaddset(&read_here, always[i]);
	ours = read_here;
	/* blocked, not ignored: the script is to begin with what we began with */
	for (size_t i = 0; i < sizeof held_back / sizeof *held_back; i++)
		sigaddset(&ours, held_back[i]);
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_BLOCK, &ours, &before);
	*fd = signalfd(-1, &read_here, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void give_terminal(pid_t from, pid_t to)
{
	if (tty >= 0 && tcgetpgrp(tty) == from)
		tcsetpgrp(tty, to);
}

/* The child, until it is the script. */
static void become_script(char **argv, int out, const char *token, pid_t parent)
{
	char text[96];

	setpgid(0, 0);
	give_terminal(getpgid(parent), getpid());
	/* without us nobody would hold its locks, tell its steps or write its record */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EX_TEMPFAIL);
	/* nobody to ask, where nobody sees the question */
	if (outer[0] == '\0' && !isatty(STDERR_FILENO)) {
		close(STDIN_FILENO);
		open("/dev/null", O_RDONLY);
	}
	if (terminal >= 0 && outer[0] == '\0') {
		snprintf(text, sizeof text, "%s", strrchr(token, '-') + 1);
		setenv("CTV_PROGRESS", text, 1);
	}
	snprintf(text, sizeof text, "%s:%ld", token, (long)getpid());
	setenv("CTV_JOB", text, 1);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	sigprocmask(SIG_SETMASK, &before, NULL);
	execvp(argv[0], argv);
	msg_errno(argv[0], "cannot be run");
	_exit(EX_SOFTWARE);
}

/* Whoever stopped the script (Ctrl-Z) meant the run: our own group stops with it, and the script goes on with us. */
static void stop_too(void)
{
	erase();
	kill(0, SIGTSTP);
	give_terminal(getpgrp(), child);
	kill(-child, SIGCONT);
}

static void reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		if (pid != child)
			continue;
		child_stopped = WIFSTOPPED(status);
		if (!child_stopped) {
			child_status = status;
			child_gone = true;
		}
	}
}

static void take_signals(int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof info) == (ssize_t)sizeof info) {
		switch (info.ssi_signo) {
		case SIGCHLD:
			reap();
			break;
		case SIGCONT:
			give_terminal(getpgrp(), child);
			kill(-child, SIGCONT);
			break;
		default:
			forwarded = true;
			kill(-child, (int)info.ssi_signo);
		}
	}
}

/* What has been said; false at the end of the pipe. */
static bool listen_to(int fd, bool at_end)
{
	struct jobpiece piece;
	size_t room;
	char *to = jobstream_room(&stream, &room);
	ssize_t n = read(fd, to, room);

	if (n > 0)
		jobstream_added(&stream, (size_t)n);
	while (jobstream_next(&stream, at_end && n <= 0, &piece))
		hear(&piece);
	if (step.open && !drawn && !asking)
		draw_step();
	return n > 0 || (n < 0 && errno == EAGAIN && !at_end);
}

/* Until the script has ended, and what it started: its group is told to, and has some time for it. */
static void supervise(int out, int signals)
{
	int64_t until = 0;
	bool killed = false, open = true;

	while (!child_gone || kill(-child, 0) == 0) {
		struct pollfd fds[] = { { .fd = signals, .events = POLLIN }, { .fd = open ? out : -1, .events = POLLIN } };
		int64_t left = until - clock_ms();

		poll(fds, 2, !child_gone || killed ? -1 : left > 0 ? (int)left : 0);
		if (fds[1].revents != 0)
			open = listen_to(out, false);
		take_signals(signals);
		if (child_stopped) {
			child_stopped = false;
			/* it may have asked something before */
			open = listen_to(out, false);
			stop_too();
		}
		if (child_gone && until == 0) {
			until = clock_ms() + GRACE_MS;
			kill(-child, SIGTERM);
			kill(-child, SIGCONT);
		} else if (child_gone && !killed && clock_ms() >= until) {
			killed = true;
			kill(-child, SIGKILL);
		}
	}
	while (listen_to(out, true))
		;
}

/* Starts the script and stays with it to its end; EX_OK, or EX_SOFTWARE without one (reported). */
static int run(char **argv)
{
	unsigned char random[8];
	char token[64];
	int out[2], signals;
	pid_t self = getpid();
	struct stat st;

	if (pipe2(out, O_CLOEXEC) != 0 || fstat(out[0], &st) != 0 || getrandom(random, sizeof random, 0) < 0)
		return refuse(EX_SOFTWARE, "no pipe: %s", strerror(errno));
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	/* the pipe is named, so that a run within this one knows whether it speaks to it */
	snprintf(token, sizeof token, "%02x%02x%02x%02x%02x%02x%02x%02x-%llu", random[0], random[1], random[2], random[3],
		 random[4], random[5], random[6], random[7], (unsigned long long)st.st_ino);
	jobstream_init(&stream, token);
	/* what the script leaves behind is ours to wait for */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	watch_signals(&signals);
	child = fork();
	if (child == 0)
		become_script(argv, out[1], token, self);
	if (child < 0)
		return refuse(EX_SOFTWARE, "no process: %s", strerror(errno));
	setpgid(child, child);
	close(out[1]);
	supervise(out[0], signals);
	give_terminal(child, getpgrp());
	return EX_OK;
}

/* --- its end --- */

/* The exit status of the run: the script's own, if ctv-mirror(7) has it. */
static int settle_status(void)
{
	static const int known[] = { EX_OK, EX_USAGE, EX_DATAERR, EX_NOINPUT, EX_UNAVAILABLE, EX_SOFTWARE, EX_CANTCREAT,
		EX_IOERR, EX_TEMPFAIL, EX_PROTOCOL, EX_NOPERM, EX_CONFIG };
	int code = WIFEXITED(child_status) ? WEXITSTATUS(child_status) : -1;

	if (code < 0) {
		int sig = WTERMSIG(child_status);

		if (sig == SIGINT || sig == SIGTERM || sig == SIGHUP)
			result = "interrupted";
		fail("", "", "ended by signal %d%s%s", sig, step.open ? " in step " : "", step.name);
		return strcmp(result, "interrupted") == 0 ? EX_TEMPFAIL : EX_SOFTWARE;
	}
	if (code == 0 && failed)
		code = fail_code;
	else if (code != 0 || !said_done)
		fail("", "", "unexpected end (exit status %d)%s%s", code, step.open ? " in step " : "", step.name);
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (code == known[i] && (code != EX_OK || !failed))
			return code;
	return EX_SOFTWARE;
}

static int finish(const char *state)
{
	int64_t tenths = JOBRECORD_TENTHS(clock_ms() - job.started_ms);
	int code = settle_status();
	char line[TEXT + 64];

	if (!failed) {
		release(held_count);
		result = said_result;
	}
	erase();
	if (!dry && jobrecord_write(&job, result, code, step.name, message, hint) == EX_OK)
		news(state);
	if (failed) {
		log_line("ends with exit status %d", code);
	} else {
		snprintf(line, sizeof line, "%s (%lld.%lld s)", message, (long long)(tenths / 10), (long long)(tenths % 10));
		say("", line);
	}
	return code;
}

/* --- the command line --- */

static bool is_name(const char *s)
{
	return *s != '\0' && *s != '.' && *s != '-' && s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-.")] == '\0';
}

static int add_lock(char *arg)
{
	const char *name = strsep(&arg, ":"), *wait = strsep(&arg, ":"), *why = NULL;
	struct lock l = { .wait_ms = LOCK_WAIT_MS, .brief = arg, .fd = -1 };

	snprintf(l.name, sizeof l.name, "%s", name);
	if (wait != NULL)
		why = num_duration(wait, &l.wait_ms);
	if (why != NULL)
		return cli_usage("--lock: %s: %s", wait, why);
	if (!is_name(l.name))
		return cli_usage("--lock: %s: not the name of a lock", name);
	if (lock_count == LOCKS)
		return cli_usage("--lock: at most %d", LOCKS);
	locks[lock_count++] = l;
	return EX_OK;
}

/* Where this run shows itself: at a terminal, or as a part of the run that it was started by. */
static void look_around(void)
{
	const char *term = getenv("TERM"), *job_env = getenv("CTV_JOB"), *dash, *locale = getenv("LC_ALL");
	struct stat st;

	if (locale == NULL || *locale == '\0')
		locale = getenv("LC_CTYPE");
	if (locale == NULL || *locale == '\0')
		locale = getenv("LANG");
	utf8 = locale != NULL && (strcasestr(locale, "utf-8") != NULL || strcasestr(locale, "utf8") != NULL);
	dash = job_env != NULL ? strchr(job_env, '-') : NULL;
	if (dash != NULL && fstat(STDOUT_FILENO, &st) == 0 && S_ISFIFO(st.st_mode) &&
	    strtoull(dash + 1, NULL, 10) == st.st_ino) {
		snprintf(outer, sizeof outer, "%.*s", (int)strcspn(job_env, ":"), job_env);
		if (getenv("CTV_PROGRESS") != NULL)
			terminal = STDERR_FILENO;
	} else if (term != NULL && strcmp(term, "dumb") != 0) {
		terminal = isatty(STDERR_FILENO) ? STDERR_FILENO : isatty(STDOUT_FILENO) ? STDOUT_FILENO : -1;
	}
	if (outer[0] == '\0')
		unsetenv("CTV_PROGRESS");
	tty = isatty(STDERR_FILENO) ? STDERR_FILENO : outer[0] != '\0' && isatty(STDIN_FILENO) ? STDIN_FILENO : -1;
}

/* --- the last run --- */

static const char *const last_names[] = {
	"result", "exit", "message", "hint", "finished_at", "last_ok_at", "epoch", "owner", "rev", "ended_tonight", "ok_tonight", NULL,
};
static struct shell last = { .names = last_names };

/*
 * The night that a time belongs to, as a number: it begins with the timers' first try, at 02:05. By the words of the local
 * clock, for on some nights this moment does not exist, or does twice.
 */
static int64_t night_of(int64_t at)
{
	time_t t = (time_t)at;
	struct tm tm;

	localtime_r(&t, &tm);
	if (tm.tm_hour * 60 + tm.tm_min < 2 * 60 + 5)
		tm.tm_mday--;
	tm.tm_hour = 12, tm.tm_min = 0, tm.tm_sec = 0, tm.tm_isdst = -1;
	mktime(&tm);
	return (int64_t)tm.tm_year * 366 + tm.tm_yday;
}

static bool is_tonight(const char *at)
{
	int64_t when;

	return at != NULL && clock_parse(at, &when) == NULL && night_of(when) == night_of(clock_wall());
}

/* A record that is not there, or damaged, says nothing: every name is empty then. */
static int tell_last(const char *record)
{
	struct buf text = BUF_INIT((size_t)256 << 10);
	json *j = NULL, *answer = json_object();

	if (access(record, F_OK) == 0 && file_slurp(record, &text) == EX_OK)
		j = json_parse(buf_text(&text), text.len);
	for (const char *const *name = last_names; *name != NULL; name++)
		if (json_get(j, *name) != NULL)
			json_put(answer, *name, json_copy(json_get(j, *name)));
	json_put_bool(answer, "ended_tonight", is_tonight(json_str(j, "finished_at")));
	json_put_bool(answer, "ok_tonight", is_tonight(json_str(j, "last_ok_at")));
	json_answer(answer, false, &last);
	json_free(j);
	buf_free(&text);
	return EX_OK;
}

int main(int argc, char **argv)
{
	enum { LOCK = 256, LOG, STEPS_IN_ALL, LAST };
	static const struct option options[] = {
		{ "lock", required_argument, NULL, LOCK }, { "log", required_argument, NULL, LOG },
		{ "steps", required_argument, NULL, STEPS_IN_ALL }, { "last", optional_argument, NULL, LAST }, { "dry-run", no_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'V' }, { NULL, 0, NULL, 0 },
	};
	char started[CLOCK_TEXT], record[TEXT];
	const char *state, *node, *why, *slash;
	int opt, rc = EX_OK;

	job.started_ms = clock_ms();
	job.started_at = clock_text(started, clock_wall());
	msg_init(argv[0]);
	opterr = 0;
	while (rc == EX_OK && (opt = getopt_long(argc, argv, ":nhV", options, NULL)) != -1) {
		switch (opt) {
		case LOCK:
			rc = add_lock(optarg);
			break;
		case LOG:
			log_default = optarg;
			break;
		case STEPS_IN_ALL:
			why = num_u64(optarg, 1, STEPS, &steps_in_all);
			if (why != NULL)
				rc = cli_usage("--steps: %s: %s", optarg, why);
			break;
		case LAST:
			why = shell_ask(&last, optarg);
			if (why != NULL)
				rc = cli_usage("--last: %s: %s", optarg, why);
			break;
		case 'n':
			dry = true;
			break;
		case 'h': return cli_help(help);
		case 'V': return cli_version();
		default: return cli_bad_option(opt, argv);
		}
	}
	if (rc == EX_OK && (shell_asked(&last) ? argc - optind != 1 : argc - optind < 2))
		rc = cli_usage(shell_asked(&last) ? "--last: one TASK is needed" : "TASK and SCRIPT are needed");
	else if (rc == EX_OK && !is_name(argv[optind]))
		rc = cli_usage("%s: not the name of a task", argv[optind]);
	if (rc != EX_OK)
		return rc;
	task = argv[optind++];
	if (!shell_asked(&last)) {
		slash = strrchr(argv[optind], '/');
		script = slash != NULL ? slash + 1 : argv[optind];
		msg_init(script);
	}
	rc = config_load();
	/* all of them: a script that finds one of them wrong is no run yet */
	if (rc == EX_OK)
		rc = setting_check();
	if (rc != EX_OK)
		return rc;
	state = setting("state");
	node = setting("node");
	job.task = task;
	job.node = node != NULL ? node : setting("standby");
	snprintf(record, sizeof record, "%s/last-%s.json", state, task);
	if (shell_asked(&last)) {
		rc = shell_end(&last, cli_close(tell_last(record)));
	} else {
		look_around();
		rc = begin(state, record);
		if (rc == EX_OK)
			rc = run(argv + optind);
		if (rc == EX_OK)
			rc = finish(state);
	}
	jobrecord_free(&job);
	setting_free();
	config_free();
	return rc;
}
