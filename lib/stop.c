#include "lib/std.h"

#include <signal.h>
#include <unistd.h>

#include "lib/stop.h"

static volatile sig_atomic_t asked;

/* Rings every second from then on: a signal that comes just before a call blocks would not wake it. */
static void on_signal(int sig)
{
	(void)sig;
	asked = 1;
	alarm(1);
}

void stop_init(void)
{
	/* no SA_RESTART: a blocking read must return to see the flag */
	struct sigaction stop = { .sa_handler = on_signal }, ignore = { .sa_handler = SIG_IGN }, old;
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
		/* a signal that our parent ignores (nohup) stays ignored */
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(signals[i], &stop, NULL);
	}
	sigaction(SIGALRM, &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL);
}

bool stop_asked(void)
{
	return asked != 0;
}
