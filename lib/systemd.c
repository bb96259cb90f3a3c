#include "lib/std.h"

#include <errno.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/exits.h"
#include "lib/msg.h"
#include "lib/systemd.h"

#define SYSTEMD "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER SYSTEMD ".Manager"
#define PROPERTIES "org.freedesktop.DBus.Properties"
#define PRIVATE "unix:path=/run/systemd/private"

struct unit {
	const char *name, *verb;
	int64_t deadline_ms;
	sd_bus *bus;
	char *path;		/* its object */
	char job[64];		/* the object of our job */
	char ended[UNIT_WORD];	/* its result, once it has one */
	bool changed;		/* systemd has told of a change */
	struct unit_look told;	/* as it told; since_us is 0 when it has not */
};

static const struct property {
	const char *iface, *name;
	char type;
	size_t at;
} properties[] = {
#define AT(member) offsetof(struct unit_look, member)
	/* the process first: when it is seen gone, the state that is read after it says why */
	{ "Service", "MainPID", 'u', AT(pid) },
	{ "Service", "NRestarts", 'u', AT(restarts) },
	{ "Unit", "LoadState", 's', AT(load) },
	{ "Unit", "ActiveState", 's', AT(active) },
	{ "Unit", "SubState", 's', AT(sub) },
	{ "Unit", "UnitFileState", 's', AT(enabled) },
	{ "Unit", "StateChangeTimestamp", 't', AT(since_us) },
	{ "Unit", "ConditionResult", 'b', AT(condition) },
	{ "Service", "Result", 's', AT(result) },
	{ "Service", "Type", 's', AT(type) },
	{ "Service", "ExecMainStatus", 'i', AT(exit_status) },
	{ "Timer", "NextElapseUSecRealtime", 't', AT(next_us) },
#undef AT
};

/* Errors of systemd and the bus: our exit status for each, and our words. */
static const struct cause {
	const char *name;
	int status;
	const char *text;	/* NULL: as systemd says it */
} causes[] = {
	{ SYSTEMD ".NoSuchUnit", EX_NOINPUT, "no such unit" },
	{ SYSTEMD ".UnitMasked", EX_CONFIG, "the unit is masked" },
	{ SYSTEMD ".BadUnitSetting", EX_CONFIG, "the unit file is wrong" },
	{ SYSTEMD ".LoadFailed", EX_CONFIG, NULL },
	{ SYSTEMD ".OnlyByDependency", EX_NOPERM, NULL },
	{ SD_BUS_ERROR_ACCESS_DENIED, EX_NOPERM, "not permitted" },
	{ SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, EX_NOPERM, "not permitted" },
	{ SD_BUS_ERROR_TIMEOUT, EX_TEMPFAIL, "systemd does not answer" },
	{ SD_BUS_ERROR_NO_REPLY, EX_TEMPFAIL, "systemd does not answer" },
};

const char *unit_name(char out[UNIT_NAME_MAX + 1], const char *name)
{
	static const char kinds[] = " service socket target device mount automount swap timer path slice"
				    " scope ";
	static const char legal[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				    ":-_.\\@";
	const char *dot = strrchr(name, '.'), *at = strchr(name, '@');
	char kind[UNIT_NAME_MAX + 1];
	bool whole;

	if (strlen(name) > UNIT_NAME_MAX - strlen(".service"))
		return "longer than a unit's name can be";
	if (*name == '\0' || name == dot || name[strspn(name, legal)] != '\0')
		return "not a unit's name";
	snprintf(kind, sizeof kind, " %s ", dot != NULL ? dot + 1 : "-");
	whole = strstr(kinds, kind) != NULL;
	if (at != NULL && (at == name || at[1] == '\0' || (whole && at + 1 == dot)))
		return "a template needs its instance";
	snprintf(out, UNIT_NAME_MAX + 1, "%s%s", name, whole ? "" : ".service");
	return NULL;
}

/* Reports what a call came to: r as sd-bus returned it, e as the other side said it. */
static int refused(const struct unit *u, int r, const sd_bus_error *e)
{
	const char *says = e != NULL && e->message != NULL ? e->message : strerror(-r);
	const struct cause *c = NULL;

	for (size_t i = 0; e != NULL && i < sizeof causes / sizeof *causes; i++)
		if (sd_bus_error_has_name(e, causes[i].name))
			c = &causes[i];
	/* the error may be about a unit that this one needs: "Unit x.service not found." */
	if (r == -ETIMEDOUT)
		says = "systemd does not answer";
	else if (c != NULL && c->text != NULL &&
		 (strncmp(says, "Unit ", 5) != 0 || strstr(says, u->name) != NULL))
		says = c->text;
	msg_err(u->name, "%s: %s", u->verb, says);
	if (c != NULL && c->status == EX_CONFIG)
		msg_hint("systemctl status %s", u->name);
	if (c != NULL && c->status == EX_NOPERM && c->text != NULL)
		msg_hint("needs root, or a polkit rule that lets you manage this unit");
	return c != NULL ? c->status : r == -ETIMEDOUT ? EX_TEMPFAIL : EX_UNAVAILABLE;
}

/* Works on what the bus has brought, or waits for it. 0; -ETIMEDOUT when the time is up; -errno. */
static int turn(struct unit *u, int64_t until_ms)
{
	int64_t left = until_ms - clock_ms();
	int r = sd_bus_process(u->bus, NULL);

	if (r != 0)
		return r < 0 ? r : 0;
	if (left <= 0)
		return -ETIMEDOUT;
	r = sd_bus_wait(u->bus, (uint64_t)left * 1000);
	return r < 0 && r != -EINTR ? r : 0;
}

/* The calls that follow end with the time of the whole. */
static void bound_calls(struct unit *u)
{
	int64_t left = u->deadline_ms - clock_ms();

	sd_bus_set_method_call_timeout(u->bus, left > 0 ? (uint64_t)left * 1000 : 1);
}

static int on_job_removed(sd_bus_message *m, void *ctx, sd_bus_error *e)
{
	const char *job, *name, *result;
	struct unit *u = ctx;
	uint32_t id;

	(void)e;
	if (sd_bus_message_read(m, "uoss", &id, &job, &name, &result) >= 0 &&
	    strcmp(job, u->job) == 0)
		snprintf(u->ended, sizeof u->ended, "%s", result);
	return 0;
}

/* Where a property of that name goes; NULL when nobody wants it. */
static void *wanted(struct unit_look *l, const char *name, char *type)
{
	for (size_t i = 0; i < sizeof properties / sizeof *properties; i++) {
		*type = properties[i].type;
		if (strcmp(properties[i].name, name) == 0)
			return (char *)l + properties[i].at;
	}
	return NULL;
}

/* Reads one entry of a property map. Not negative when it could be read. */
static int take_property(sd_bus_message *m, struct unit_look *l)
{
	char type = 0, contents[2] = "";
	const char *name, *text;
	void *at;
	int r = sd_bus_message_read(m, "s", &name);

	if (r < 0)
		return r;
	at = wanted(l, name, &type);
	if (at == NULL)
		return sd_bus_message_skip(m, "v");
	contents[0] = type;
	r = sd_bus_message_enter_container(m, 'v', contents);
	if (r >= 0)
		r = sd_bus_message_read_basic(m, type, type == 's' ? (void *)&text : at);
	if (r >= 0 && type == 's')
		snprintf(at, UNIT_WORD, "%s", text);
	return r >= 0 ? sd_bus_message_exit_container(m) : r;
}

/*
 * A unit that is inactive again may be forgotten by systemd before we can look at it, and then be read
 * anew from its file as if it had never run. What it was at its end stands in these signals, and systemd
 * sends them before the job's.
 */
static int on_changed(sd_bus_message *m, void *ctx, sd_bus_error *e)
{
	struct unit *u = ctx;

	(void)e;
	u->changed = true;
	if (sd_bus_message_skip(m, "s") < 0 || sd_bus_message_enter_container(m, 'a', "{sv}") < 0)
		return 0;
	while (sd_bus_message_enter_container(m, 'e', "sv") > 0)
		if (take_property(m, &u->told) < 0 || sd_bus_message_exit_container(m) < 0)
			break;
	return 0;
}

static int connect_to_systemd(sd_bus **bus)
{
	int r = sd_bus_open_system(bus);

	/* root has a second way, for the day on which the bus is down */
	if (r >= 0 || geteuid() != 0 || getenv("DBUS_SYSTEM_BUS_ADDRESS") != NULL)
		return r;
	msg_info("no system bus (%s), asking systemd itself", strerror(-r));
	r = sd_bus_new(bus);
	if (r >= 0)
		r = sd_bus_set_address(*bus, PRIVATE);
	return r >= 0 ? sd_bus_start(*bus) : r;
}

int unit_open(struct unit **out, const char *name, const char *verb, int64_t deadline_ms)
{
	struct unit *u = calloc(1, sizeof *u);
	int r, ready = 0;

	*out = u;
	if (u == NULL) {
		msg_err(NULL, "out of memory");
		return EX_UNAVAILABLE;
	}
	u->name = name;
	u->verb = verb;
	u->deadline_ms = deadline_ms;
	r = sd_bus_path_encode(MANAGER_PATH "/unit", name, &u->path);
	if (r >= 0)
		r = connect_to_systemd(&u->bus);
	/* a call would wait for the handshake without a limit of ours */
	while (r >= 0 && (ready = sd_bus_is_ready(u->bus)) == 0)
		r = turn(u, deadline_ms);
	if (r >= 0 && ready > 0)
		return EX_OK;
	r = r < 0 ? r : ready;
	msg_err(name, "%s: cannot reach systemd: %s", verb, strerror(-r));
	return r == -ETIMEDOUT ? EX_TEMPFAIL : EX_UNAVAILABLE;
}

void unit_close(struct unit *u)
{
	if (u == NULL)
		return;
	sd_bus_close_unref(u->bus);
	free(u->path);
	free(u);
}

/* Reads one property into its place. As sd-bus returns. */
static int get(struct unit *u, const struct property *p, void *at, sd_bus_error *e)
{
	char iface[64], *text = NULL;
	int r;

	bound_calls(u);
	snprintf(iface, sizeof iface, SYSTEMD ".%s", p->iface);
	if (p->type != 's')
		return sd_bus_get_property_trivial(u->bus, SYSTEMD, u->path, iface, p->name, e, p->type, at);
	r = sd_bus_get_property_string(u->bus, SYSTEMD, u->path, iface, p->name, e, &text);
	if (r >= 0)
		snprintf(at, UNIT_WORD, "%s", text);
	free(text);
	return r;
}

bool unit_is_up(const struct unit_look *l)
{
	return strcmp(l->active, "active") == 0 || strcmp(l->active, "reloading") == 0;
}

int unit_look(struct unit *u, struct unit_look *l)
{
	const char *kind = strrchr(u->name, '.') + 1;	/* "service": its interface is "Service" */
	sd_bus_error e = SD_BUS_ERROR_NULL;
	int r = 0, rc = EX_OK;

	*l = (struct unit_look){ .pid = 0 };
	u->changed = false;
	for (size_t i = 0; r >= 0 && i < sizeof properties / sizeof *properties; i++)
		if (strcmp(properties[i].iface, "Unit") == 0 || strcasecmp(properties[i].iface, kind) == 0)
			r = get(u, &properties[i], (char *)l + properties[i].at, &e);
	/* systemd's infinity */
	if (l->next_us == UINT64_MAX)
		l->next_us = 0;
	/* signals that were sent before the last reply have arrived, but were not handled yet */
	while (r >= 0 && (r = sd_bus_process(u->bus, NULL)) > 0)
		continue;
	if (r < 0)
		rc = refused(u, r, &e);
	/* forgotten and read anew: the signals know more, except of the file */
	if (l->since_us == 0 && u->told.since_us != 0) {
		memcpy(u->told.load, l->load, UNIT_WORD);
		memcpy(u->told.enabled, l->enabled, UNIT_WORD);
		memcpy(u->told.type, l->type, UNIT_WORD);
		*l = u->told;
	}
	sd_bus_error_free(&e);
	return rc;
}

void unit_program(struct unit *u, char out[PATH_MAX])
{
	static const char command[] = "sasbttttuii";	/* of org.freedesktop.systemd1(5): the path first, then argv */
	sd_bus_message *m = NULL;
	char **argv = NULL;
	const char *path = "", *base;

	*out = '\0';
	bound_calls(u);
	if (sd_bus_get_property(u->bus, SYSTEMD, u->path, SYSTEMD ".Service", "ExecStart", NULL, &m,
				"a(sasbttttuii)") >= 0 &&
	    sd_bus_message_enter_container(m, 'a', "(sasbttttuii)") > 0 &&
	    sd_bus_message_enter_container(m, 'r', command) > 0 && sd_bus_message_read(m, "s", &path) >= 0 &&
	    sd_bus_message_read_strv(m, &argv) >= 0) {
		/* env-exec FILE COMMAND becomes COMMAND */
		base = strrchr(path, '/');
		if (base != NULL && strcmp(base, "/env-exec") == 0 && access(path, F_OK) == 0 && argv != NULL &&
		    argv[0] != NULL && argv[1] != NULL && argv[2] != NULL)
			path = argv[2];
		if (*path == '/' && strlen(path) < PATH_MAX)
			snprintf(out, PATH_MAX, "%s", path);
	}
	for (char **arg = argv; arg != NULL && *arg != NULL; arg++)
		free(*arg);
	free(argv);
	sd_bus_message_unref(m);
}

/* Its changes, and the ends of jobs, come to us from now on. As sd-bus returns. */
static int subscribe(struct unit *u, sd_bus_error *e)
{
	int r = sd_bus_match_signal_async(u->bus, NULL, SYSTEMD, MANAGER_PATH, MANAGER, "JobRemoved",
					  on_job_removed, NULL, u);

	if (r >= 0)
		r = sd_bus_match_signal_async(u->bus, NULL, SYSTEMD, u->path, PROPERTIES, "PropertiesChanged",
					      on_changed, NULL, u);
	/* before this, systemd sends nobody signals */
	if (r >= 0)
		r = sd_bus_call_method(u->bus, SYSTEMD, MANAGER_PATH, MANAGER, "Subscribe", e, NULL, NULL);
	return r;
}

int unit_follow(struct unit *u)
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	int r, rc;

	bound_calls(u);
	r = subscribe(u, &e);
	rc = r < 0 ? refused(u, r, &e) : EX_OK;
	sd_bus_error_free(&e);
	return rc;
}

/*
 * The matches stand before the job exists, and a signal that comes before the reply stays in the
 * connection's queue until we know our job's path: its end cannot be missed.
 */
static int ask(struct unit *u, const char *method)
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	const char *job;
	int rc = EX_OK, r;

	bound_calls(u);
	r = subscribe(u, &e);
	if (r >= 0)
		r = sd_bus_call_method(u->bus, SYSTEMD, MANAGER_PATH, MANAGER, method, &e, &reply, "ss",
				       u->name, "replace");
	if (r >= 0)
		r = sd_bus_message_read(reply, "o", &job);
	if (r < 0)
		rc = refused(u, r, &e);
	else
		snprintf(u->job, sizeof u->job, "%s", job);
	sd_bus_message_unref(reply);
	sd_bus_error_free(&e);
	return rc;
}

int unit_job(struct unit *u, const char *method, char ended[UNIT_WORD])
{
	int r = 0, rc = ask(u, method);

	if (rc != EX_OK)
		return rc;
	while (u->ended[0] == '\0' && (r = turn(u, u->deadline_ms)) >= 0)
		continue;
	snprintf(ended, UNIT_WORD, "%s", u->ended);
	if (u->ended[0] != '\0')
		return EX_OK;
	if (r != -ETIMEDOUT)
		return refused(u, r, NULL);
	msg_err(u->name, "%s: not done in the time given; the job goes on", u->verb);
	msg_hint("systemctl status %s", u->name);
	return EX_TEMPFAIL;
}

int unit_watch(struct unit *u, int64_t until_ms, bool *changed)
{
	int r = 0;

	while (!u->changed && (r = turn(u, until_ms)) >= 0)
		continue;
	*changed = u->changed && clock_ms() < until_ms;
	return r < 0 && r != -ETIMEDOUT ? refused(u, r, NULL) : EX_OK;
}

/* `MESSAGE=` and a text that may hold anything, but for what its length says. */
static void tell_message(sd_journal *j, const char *name)
{
	static const char field[] = "MESSAGE=";
	const void *data;
	char text[256];
	size_t n;

	if (sd_journal_get_data(j, "MESSAGE", &data, &n) < 0 || n < sizeof field)
		return;
	snprintf(text, sizeof text, "%.*s", n < INT_MAX ? (int)(n - (sizeof field - 1)) : INT_MAX,
		 (const char *)data + sizeof field - 1);
	msg_err(name, "says: %s", text);
}

void unit_last_words(const char *name, unsigned lines, int64_t since_s)
{
	char match[UNIT_NAME_MAX + sizeof "_SYSTEMD_UNIT="];
	sd_journal *j = NULL;
	uint64_t at;

	snprintf(match, sizeof match, "_SYSTEMD_UNIT=%s", name);
	if (sd_journal_open(&j, SD_JOURNAL_LOCAL_ONLY) >= 0 && sd_journal_add_match(j, match, 0) >= 0 &&
	    sd_journal_seek_tail(j) >= 0 && sd_journal_previous_skip(j, lines) > 0)
		do
			if (sd_journal_get_realtime_usec(j, &at) >= 0 && at / 1000000 >= (uint64_t)since_s)
				tell_message(j, name);
		while (sd_journal_next(j) > 0);
	sd_journal_close(j);
}
