#include "lib/std.h"

#include <errno.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/exits.h"
#include "lib/jobgroup.h"

#define GRACE_MS 10000	/* for what a script left behind, between SIGTERM and SIGKILL */

/* Signals are read from a descriptor from now on, or held back. */
static int watch_signals(struct jobgroup *g)
{
	static const int asked[] = { SIGINT, SIGTERM, SIGHUP }, always[] = { SIGCHLD, SIGCONT }, held_back[] = {
		SIGPIPE, SIGXFSZ, SIGTTOU };
	struct sigaction old;
	sigset_t read_here, blocked;

	sigemptyset(&read_here);
	for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
		/* a signal that our parent ignores (nohup) stays ignored */
		if (sigaction(asked[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaddset(&read_here, asked[i]);
	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		sigaddset(&read_here, always[i]);
	blocked = read_here;
	/* blocked, not ignored: the script is to begin with what we began with */
	for (size_t i = 0; i < sizeof held_back / sizeof *held_back; i++)
		sigaddset(&blocked, held_back[i]);
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_BLOCK, &blocked, &g->before);
	g->signals = signalfd(-1, &read_here, SFD_CLOEXEC | SFD_NONBLOCK);
	return g->signals;
}

static void give_terminal(const struct jobgroup *g, pid_t from, pid_t to)
{
	if (g->terminal >= 0 && tcgetpgrp(g->terminal) == from)
		tcsetpgrp(g->terminal, to);
}

/* A child of ours dies with us. */
static void die_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EX_TEMPFAIL);
}

/* Leads the group, holds nothing open, and lets only what stops it through. */
static pid_t start_guard(pid_t self)
{
	sigset_t all;
	pid_t guard = fork();

	if (guard != 0)
		return guard;
	setpgid(0, 0);
	die_with(self);
	sigfillset(&all);
	sigdelset(&all, SIGTSTP);
	sigdelset(&all, SIGTTIN);
	sigdelset(&all, SIGTTOU);
	sigprocmask(SIG_SETMASK, &all, NULL);
	close_range(0, ~0U, 0);
	for (;;)
		pause();
}

pid_t jobgroup_fork(struct jobgroup *g, int terminal)
{
	pid_t self = getpid();

	*g = (struct jobgroup){ .terminal = terminal };
	/* processes that outlive the script become our children, and are waited for */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (watch_signals(g) < 0)
		return -1;
	if (terminal >= 0) {
		g->guard = start_guard(self);
		if (g->guard < 0)
			return -1;
		setpgid(g->guard, g->guard);
	}
	g->script = fork();
	if (g->script == 0) {
		setpgid(0, g->guard);
		give_terminal(g, getpgid(self), getpgrp());
		/* without us nobody would hold its locks, tell its steps or write its record */
		die_with(self);
		sigprocmask(SIG_SETMASK, &g->before, NULL);
	} else if (g->script > 0) {
		g->id = g->guard != 0 ? g->guard : g->script;
		setpgid(g->script, g->id);
	}
	return g->script;
}

static void reap(struct jobgroup *g)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		if (pid != g->script && pid != g->guard)
			continue;
		if (WIFSTOPPED(status)) {
			g->stopped = true;
		} else if (pid == g->script) {
			g->status = status;
			g->gone = true;
			g->stopped = false;
		}
	}
}

static void take_signals(struct jobgroup *g)
{
	struct signalfd_siginfo info;

	while (read(g->signals, &info, sizeof info) == (ssize_t)sizeof info) {
		switch (info.ssi_signo) {
		case SIGCHLD:
			reap(g);
			break;
		case SIGCONT:
			give_terminal(g, getpgrp(), g->id);
			kill(-g->id, SIGCONT);
			break;
		default:
			g->forwarded = true;
			kill(-g->id, (int)info.ssi_signo);
		}
	}
}

/* A stop of the script's group (Ctrl-Z) is one of the whole run: our own group stops too, and both go on together. */
static void stop_too(struct jobgroup *g)
{
	kill(0, SIGTSTP);
	give_terminal(g, getpgrp(), g->id);
	kill(-g->id, SIGCONT);
}

void jobgroup_attend(struct jobgroup *g, int out, bool (*hear)(void *to, int out), void *to)
{
	int64_t until = 0;
	bool killed = false, open = true;

	while (!g->gone || kill(-g->id, 0) == 0) {
		struct pollfd fds[] = { { .fd = g->signals, .events = POLLIN }, { .fd = open ? out : -1, .events = POLLIN } };
		int64_t left = until - clock_ms();

		poll(fds, 2, !g->gone || killed ? -1 : left > 0 ? (int)left : 0);
		if (fds[1].revents != 0)
			open = hear(to, out);
		take_signals(g);
		if (g->stopped) {
			g->stopped = false;
			/* the script may have asked a question before it was stopped */
			open = hear(to, out);
			stop_too(g);
		}
		if (g->gone && until == 0) {
			until = clock_ms() + GRACE_MS;
			if (g->guard != 0)
				kill(g->guard, SIGKILL);
			kill(-g->id, SIGTERM);
			kill(-g->id, SIGCONT);
		} else if (g->gone && !killed && clock_ms() >= until) {
			killed = true;
			kill(-g->id, SIGKILL);
		}
	}
	give_terminal(g, g->id, getpgrp());
}
