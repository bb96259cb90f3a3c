/*
 * alert-post - tell people once, and again when it must be
 *
 *	alert-post --key KEY [--state STATE] [--to CHANNEL]... [--after D] [--repeat WHEN]
 *		[--inhibited-by KEY]... [--do TEXT] [--shell] [TEXT]
 *	alert-post --to kuma|healthchecks [--state STATE] TEXT
 *	alert-post --flush | --list [--json | --as ID]
 *
 * An alert is recorded before it is sent and after: a run that is killed in between tells twice, never not at all.
 * While its disk takes no record (full, read-only) it is told all the same, and the record is kept in /run. What
 * could not be delivered stays in the record and is tried again by the next call for this key or by --flush.
 * Addresses are secrets: they come from the settings only and are printed nowhere.
 */
#include "lib/std.h"

#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/exits.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/option.h"
#include "lib/settings.h"
#include "lib/shell.h"
#include "lib/stop.h"
#include "lib/watch/alert.h"
#include "lib/watch/alertfile.h"
#include "lib/watch/alertlist.h"
#include "lib/watch/channel.h"
#include "lib/watch/delivery.h"

static const char *key;
static const char *addressees[ALERT_CHANNELS];	/* of --to */
static size_t addressee_count;
static const char *inhibitors[ALERT_INHIBITORS];
static struct alert_news news = { .state = STATE_CRITICAL, .todo = "", .inhibitors = inhibitors };
static bool stated;	/* by --state */
static bool flush, listing;
static struct check_form form;	/* of --list */
static const char *const names[] = { "stands", "severity", "since", "lasted", NULL };
static struct shell answer = { .names = names };
static struct alertplace place;	/* of the records */
static struct delivery delivery = { .place = &place };

/* ---- the three jobs ---- */

/* The channels that were asked for, or all that are there to be told changes. */
static int choose(const char *chosen[ALERT_CHANNELS], size_t *count)
{
	int rc = EX_OK;

	*count = 0;
	for (size_t i = 0; i < addressee_count; i++) {
		if (channel_url(addressees[i]) == NULL) {
			msg_err(addressees[i], "has no address in the settings");
			rc = EX_CONFIG;
		} else if (!channel_is_pulse(addressees[i])) {
			chosen[(*count)++] = addressees[i];
		}
	}
	for (size_t i = 0; addressee_count == 0 && channel_events[i] != NULL; i++)
		if (channel_url(channel_events[i]) != NULL)
			chosen[(*count)++] = channel_events[i];
	if (addressee_count == 0 && *count == 0 && news.state != STATE_OK) {
		msg_err(NULL, "%s: nobody is told: no channel is configured", key);
		msg_hint("CTV_TEAMS_URL, CTV_SLACK_URL or CTV_NTFY_URL in %s", config_path());
		rc = EX_CONFIG;
	}
	return rc;
}

/* How the alert stands now, for a script. */
static void say_how(const struct alert *a)
{
	char since[CLOCK_TEXT], lasted[NUM_TEXT];
	int64_t now = clock_wall();

	if (a->state == STATE_OK)
		return;
	shell_bool(&answer, "stands", true);
	shell_set(&answer, "severity", alert_word(a->state));
	shell_set(&answer, "since", clock_text(since, a->since));
	shell_set(&answer, "lasted", num_duration_text(lasted, now > a->since ? (now - a->since) * 1000 : 0));
}

static int raise_alert(void)
{
	const char *chosen[ALERT_CHANNELS];
	struct alertfile r;
	int configured = choose(chosen, &news.channel_count), opened = EX_OK, told = EX_OK, pulsed;

	news.channels = chosen;
	if (key != NULL) {
		/* without a lock or a record it is told all the same */
		opened = alertfile_open(&r, &place, key, true);
		told = delivery_take(&delivery, &r, &news);
		say_how(&r.a);
		alertfile_close(&r);
	}
	pulsed = delivery_pulse(&delivery, &news, addressees, addressee_count);
	return opened != EX_OK ? opened : told != EX_OK ? told : pulsed != EX_OK ? pulsed : configured;
}

static int flush_one(const char *of)
{
	struct alertfile r;
	int rc = alertfile_open(&r, &place, of, false);

	/* the process that holds the lock is delivering this alert just now */
	if (rc == EX_TEMPFAIL)
		rc = EX_OK;
	else if (alert_pending(&r.a))
		rc = delivery_tell(&delivery, &r, false);
	alertfile_close(&r);
	return rc;
}

/* The settings that every job needs. */
static int begin(void)
{
	const char *state, *run;
	char *path;
	int rc = config_load();

	if (rc != EX_OK)
		return rc;
	state = config_get("CTV_STATE_DIR");
	if (state == NULL)
		state = "/var/lib/ctv-mirror";
	if (asprintf(&path, "%s/alerts", state) < 0)
		abort();
	place.dir = path;
	run = config_get("CTV_RUN_DIR");
	if (asprintf(&path, "%s/alerts", run != NULL ? run : "/run/ctv-mirror") < 0)
		abort();
	place.spare = path;
	openlog("alert-post", LOG_PID, LOG_DAEMON);
	stop_init();
	return EX_OK;
}

static int run(void)
{
	char text[ALERT_TEXT], todo[ALERT_TODO];
	int rc = begin();

	if (rc != EX_OK)
		return rc;
	if (news.text != NULL)
		news.text = alert_clean(text, sizeof text, news.text);
	news.todo = alert_clean(todo, sizeof todo, news.todo);
	/* a directory that cannot be made is reported when the record in it is opened */
	if (!listing && !flush && key != NULL)
		mkdir(place.dir, 0775);
	rc = listing ? alertlist_print(&place, &form) : flush ? alertfile_each(&place, flush_one) : raise_alert();
	delivery_end(&delivery);
	config_free();
	return rc;
}

/* ---- the command line ---- */

static const char *take_key(const char *text, void *to)
{
	*(const char **)to = text;
	return alert_key_valid(text) ? NULL : "letters, digits and ._@- only, no dot first";
}

static const char *take_state(const char *text, void *to)
{
	stated = true;
	return alert_parse_state(text, to) ? NULL : "neither ok, warning, critical nor unknown";
}

/* Adds a value to one of the lists; the reason when it may not. */
static const char *add(const char *list_of[], size_t *count, size_t most, const char *value, bool valid)
{
	if (!valid)
		return "no such name";
	if (*count == most)
		return "too many";
	list_of[(*count)++] = value;
	return NULL;
}

static const char *take_channel(const char *text, void *list_of)
{
	return add(list_of, &addressee_count, ALERT_CHANNELS, text, channel_valid(text));
}

static const char *take_inhibitor(const char *text, void *list_of)
{
	return add(list_of, &news.inhibitor_count, ALERT_INHIBITORS, text, alert_key_valid(text));
}

static const char *take_after(const char *text, void *to)
{
	int64_t ms;
	const char *why = num_duration(text, &ms);

	if (why == NULL)
		*(int64_t *)to = ms / 1000;
	return why;
}

static const char *take_repeat(const char *text, void *to)
{
	return alert_parse_repeat(text, to);
}

static const struct option_row options[] = {
	{ 'k', "key", "KEY", take_key, &key, "which alert; calls with one key are one alert" },
	{ 's', "state", "STATE", take_state, &news.state, "ok, warning, critical (default) or unknown; with ok it\n"
							  "is over, and TEXT may be left out" },
	{ 0, "to", "CHANNEL", take_channel, addressees, "teams, slack, ntfy (default: all that have an address),\n"
						"or kuma, healthchecks, which are told each time" },
	{ 0, "after", "DURATION", take_after, &news.after, "only when it has lasted for so long (default 0)" },
	{ 0, "repeat", "WHEN", take_repeat, &news.repeat, "tell again while it lasts: 30m; 30m,2h,4h (from an age\n"
							  "of 2h on every 4h); 09:00 (daily). Default: never" },
	{ 0, "inhibited-by", "KEY", take_inhibitor, inhibitors, "hold it back while that alert stands" },
	{ 0, "do", "TEXT", option_text, &news.todo, "what to do next" },
	{ 0, "shell", "[=PREFIX]", option_shell, &answer, "how the alert stands then, as assignments for a shell" },
	{ 0, "flush", NULL, option_flag, &flush, "try again what could not be told, and nothing else" },
	{ 0, "list", NULL, option_flag, &listing, "the alerts that stand, and what could not be told" },
	{ 0, "json", NULL, option_flag, &form.json, "with --list: an object a line, for status-render" },
	{ 0, "as", "ID", check_as, &form, "the same, and at its end a check's answer of this id:\n"
					  "could everybody be told?" },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};

static const struct command command = {
	.usage = "--key KEY [--state STATE] [--to CHANNEL]... [--after DURATION]\n"
		 "           [--repeat WHEN] [--inhibited-by KEY]... [--do TEXT] [--shell] TEXT\n"
		 "--to kuma|healthchecks [--state STATE] TEXT\n"
		 "--flush | --list [--json | --as ID]",
	.about = "Tell people that something is wrong, once, and once more when it is over. The\n"
		 "first line of TEXT is the headline, the others are what was measured.",
	.options = options,
};

int main(int argc, char **argv)
{
	bool pulses = false;
	int rc;

	msg_init(argv[0]);
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	argc -= optind;
	argv += optind;
	for (size_t i = 0; i < addressee_count; i++)
		pulses = pulses || channel_is_pulse(addressees[i]);
	if (flush || listing) {
		if (key != NULL || stated || addressee_count > 0 || news.after > 0 || news.repeat.on || news.inhibitor_count > 0 ||
		    *news.todo != '\0' || shell_asked(&answer) || argc > 0 || (flush && listing))
			return cli_usage("--flush and --list stand alone");
		if (flush && form.json)
			return cli_usage("--json is for --list");
		return cli_close(run());
	}
	if (form.json)
		return cli_usage("--json is for --list");
	if (key == NULL && !pulses)
		return cli_usage("--key is missing");
	if (argc > 1)
		return cli_usage("TEXT is one operand");
	news.text = argc == 1 && *argv[0] != '\0' ? argv[0] : NULL;
	if (news.text == NULL && (news.state != STATE_OK || pulses))
		return cli_usage("TEXT is missing");
	return cli_close(shell_end(&answer, run()));
}
