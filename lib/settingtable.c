#include "lib/std.h"

#include <stdarg.h>
#include <strings.h>

#include "lib/exits.h"
#include "lib/expect.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/settings.h"
#include "lib/settingtable.h"

#define QUOTE(x) #x
#define TEXT(x) QUOTE(x)

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

/* ---- the kinds: each returns NULL, or what is wrong with a value -------------------------------- */

static const char *name(const char *s)
{
	return s[strspn(s, LETTERS DIGITS "._-")] == '\0' ? NULL : "not a name (letters, digits, '.', '_' and '-')";
}

static const char *path(const char *s)
{
	if (*s != '/')
		return "not an absolute path";
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == '\x7f')
			return "has a control character";
	return NULL;
}

/* Of a file: its name comes last. */
static const char *file(const char *s)
{
	return s[strlen(s) - 1] == '/' ? "not the path of a file" : path(s);
}

/* Beside a database are files named after it, of SQLite and of ours: what could not have these could not be installed. */
static const char *database(const char *s)
{
	static const char *const side[] = { "-wal", "-journal", "-shm" };
	const char *why = file(s), *base = why == NULL ? strrchr(s, '/') + 1 : "";
	size_t len = strlen(base);

	for (size_t i = 0; i < sizeof side / sizeof *side; i++)
		if (len > strlen(side[i]) && strcmp(base + len - strlen(side[i]), side[i]) == 0)
			why = "SQLite keeps files of its own under such a name";
	if (strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
		why = "not the path of a file";
	return why != NULL || len <= 200 ? why : "has a name of more than 200 bytes";
}

/* Dropbox does not tell upper from lower case. What is put there every night replaces what is there, and old files of these go. */
static const char *remote(const char *s)
{
	static const char *const own[] = { "/mirror-head.json", "/backups", "/changes" };

	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		if (strncasecmp(s, own[i], strlen(own[i])) == 0 && strchr("/", s[strlen(own[i])]) != NULL)
			return "in the place of the head record, the backups or the changes";
	return *s == '/' ? file(s) : "not the path of a file";
}

/* Behind the scheme; "" when it is not http or https. */
static const char *authority(const char *s)
{
	return strncmp(s, "http://", 7) == 0 ? s + 7 : strncmp(s, "https://", 8) == 0 ? s + 8 : "";
}

static const char *address(const char *s)
{
	const char *host = authority(s);

	if (*host == '\0' || *host == '/')
		return "not an http or https URL";
	for (; *s != '\0'; s++)
		if (*s <= ' ' || *s == '\x7f')
			return "not an http or https URL";
	return NULL;
}

/* The URL of a host that scripts ask, and show to people: it may hold no secret. */
static const char *url(const char *s)
{
	const char *why = address(s), *host = authority(s), *port;
	size_t len = strcspn(host, "/?#");
	uint64_t number;
	char digits[8];

	if (why != NULL)
		return why;
	if (memchr(host, '@', len) != NULL)
		return "holds a user name or password, which everybody could see";
	port = memchr(host, ']', len) != NULL ? memchr(host, ']', len) : host;
	port = memchr(port, ':', (size_t)(host + len - port));
	if (port == NULL)
		return NULL;
	snprintf(digits, sizeof digits, "%.*s", (int)(host + len - port - 1), port + 1);
	return num_u64(digits, 1, 65535, &number) == NULL ? NULL : "its port is none";
}

/* systemd.unit(5), "Description": the characters of a unit's name */
static const char *unit(const char *s)
{
	return *s != '.' && strlen(s) < 256 && s[strspn(s, LETTERS DIGITS ":_.@\\-")] == '\0' ? NULL : "not a unit's name";
}

static const char *duration(const char *s)
{
	int64_t ms;
	const char *why = num_duration(s, &ms);

	return why == NULL && ms == 0 ? "must be longer than 0" : why;
}

/* How often to look for changes: a duration that is no burden to Dropbox, or not at all. */
#define OFF "off"

static const char *pace(const char *s)
{
	int64_t ms = 0;
	const char *why = strcmp(s, OFF) == 0 ? NULL : duration(s);

	num_duration(s, &ms);
	return why == NULL && ms != 0 && ms < CHANGES_LEAST_S * 1000 ? "less than " TEXT(CHANGES_LEAST_S) "s" : why;
}

static const char *number(const char *s)
{
	uint64_t n;

	return num_u64(s, 0, UINT32_MAX, &n);
}

static const char *size(const char *s)
{
	uint64_t bytes;

	return num_size(s, &bytes);
}

/* NAME or NAME:ROWS, between spaces or commas. A pattern would be a file's name to the shell that takes them apart. */
#define BETWEEN " ,\t\n"

static const char *tables(const char *s)
{
	for (s += strspn(s, BETWEEN); *s != '\0'; s += strspn(s, BETWEEN)) {
		size_t len = strcspn(s, BETWEEN), rows;
		const char *colon = memrchr(s, ':', len);

		if (memchr(s, '*', len) != NULL || memchr(s, '?', len) != NULL || memchr(s, '[', len) != NULL)
			return "has a pattern, where tables are named one by one";
		rows = colon != NULL ? (size_t)(s + len - colon - 1) : 0;
		if (colon == s || (colon != NULL && (rows == 0 || strspn(colon + 1, DIGITS) != rows)))
			return "not NAME or NAME:ROWS, between spaces";
		s += len;
	}
	return NULL;
}

/* A list of pages as http-probe --pages takes it. */
static const char *pages(const char *s)
{
	struct expect_pages list;
	unsigned row;
	const char *why = expect_pages_parse(s, &list, &row);
	static char text[160];

	if (why == NULL)
		expect_pages_free(&list);
	if (row == 0 || why == NULL)
		return why;
	snprintf(text, sizeof text, "number %u: %s", row, why);
	return text;
}

static const char *yes_or_no(const char *s)
{
	return strcmp(s, "yes") == 0 || strcmp(s, "no") == 0 ? NULL : "neither yes nor no";
}

/* As libcurl takes it: a scheme of its own, or none. It may hold a password. */
static const char *proxy(const char *s)
{
	static const char *const schemes[] = { "http://", "https://", "socks4://", "socks4a://", "socks5://", "socks5h://" };
	const char *host = strstr(s, "://") == NULL ? s : "";

	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		if (strncmp(s, schemes[i], strlen(schemes[i])) == 0)
			host = s + strlen(schemes[i]);
	for (const char *c = host; *c != '\0'; c++)
		if (*c <= ' ' || *c == '\x7f')
			return "not the address of a proxy";
	return *host != '\0' && *host != '/' ? NULL : "not the address of a proxy";
}

/* Text that becomes part of an HTTP header: without a line end. */
static const char *header_text(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == '\x7f')
			return "has a control character";
	return NULL;
}

/* A user of ntfy has a password. */
static const char *ntfy_user(const char *s)
{
	return config_get("CTV_NTFY_PASSWORD") == NULL ? "has no CTV_NTFY_PASSWORD" : header_text(s);
}

/*
 * Secrets: told is whether one is set, and nothing else. They are not judged here, for a bad address of a channel
 * must not keep a failover from beginning; wrong_urls names them.
 */
static const struct { const char *field, *name; const char *(*wrong)(const char *); } secrets[] = {
	{ "access_token_set", "DROPBOX_ACCESS_TOKEN", NULL },
	{ "refresh_token_set", "DROPBOX_REFRESH_TOKEN", NULL },
	{ "teams_url_set", "CTV_TEAMS_URL", address },
	{ "slack_url_set", "CTV_SLACK_URL", address },
	{ "ntfy_url_set", "CTV_NTFY_URL", address },
	{ "ntfy_token_set", "CTV_NTFY_TOKEN", header_text },
	{ "ntfy_user_set", "CTV_NTFY_USER", ntfy_user },
	{ "ntfy_password_set", "CTV_NTFY_PASSWORD", header_text },
	{ "kuma_url_set", "CTV_KUMA_URL", address },
	{ "kuma_sync_url_set", "CTV_KUMA_SYNC_URL", address },
	{ "healthchecks_url_set", "CTV_HEALTHCHECKS_URL", address },
	{ "https_proxy_set", "HTTPS_PROXY", proxy },
	{ "all_proxy_set", "ALL_PROXY", proxy },
};

#define SECRETS (sizeof secrets / sizeof *secrets)

/* ---- what is made of a setting (NULL: it is not set) and of others; malloc'ed ------------------------ */

static char *PRINTF_LIKE(1, 2) made(const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	return text;
}

static char *settings_file(const char *set __attribute__((unused)))
{
	return made("%s", config_path());
}

/* The standby's name where nobody has named it. */
static char *standby_name(const char *set __attribute__((unused)))
{
	const char *node = setting("node");

	return made("%s", node != NULL && strcmp(node, setting("primary")) != 0 ? node : "pi2");
}

static char *live_of_app(const char *set)
{
	return set != NULL ? made("%s", set) : made("%s/data/database/production.db", setting("app"));
}

static char *directory_of_live(const char *set __attribute__((unused)))
{
	const char *live = setting("live"), *slash = strrchr(live, '/');

	return made("%.*s", slash == live ? 1 : (int)(slash != NULL ? slash - live : 0), live);
}

/* Another port at the standby's host, whose address may stand in brackets. */
static char *at_standby(int port)
{
	const char *host = authority(setting("standby_url"));
	size_t len = strcspn(host, *host == '[' ? "]" : ":/?#");

	return made("http://%.*s%s:%d", (int)len, host, *host == '[' ? "]" : "", port);
}

static char *station_at_standby(const char *set)
{
	return set != NULL ? made("%s", set) : at_standby(5001);
}

static char *kuma_at_standby(const char *set __attribute__((unused)))
{
	return at_standby(3001);
}

/* A limit below a day and two hours leaves no room for a warning. */
static char *age_to_warn(const char *set __attribute__((unused)))
{
	int64_t most_ms = 0;

	num_duration(setting("max_age"), &most_ms);
	return made("%s", most_ms < DATA_LATE_H * INT64_C(3600000) ? setting("max_age") : TEXT(DATA_LATE_H) "h");
}

/* In whole seconds, as sleep(1) takes it; "" when nobody looks. */
static char *changes_period(const char *set)
{
	/* a wrong one comes as none, too, and is no wish for the minutes */
	const char *every = config_get("CTV_CHANGES_EVERY") == NULL ? "1m" : set;
	int64_t ms = 0;

	if (every == NULL || strcmp(every, OFF) == 0)
		return made("%s", "");
	num_duration(every, &ms);
	return made("%llds", (long long)(ms / 1000));
}

/* How far the standby may be behind. What is one look late is not late: never less than three periods. */
static int64_t lag_s(int parts)
{
	const char *set = config_get("CTV_MAX_LAG"), *every = setting("changes_every");
	int64_t most = LAG_OLD_S * INT64_C(1000), period = 0;

	if (set != NULL && duration(set) == NULL)
		num_duration(set, &most);
	num_duration(every, &period);
	most /= parts * 1000;
	return most < 3 * period / 1000 ? 3 * period / 1000 : most;
}

static char *lag_most(const char *set __attribute__((unused)))
{
	return made("%llds", (long long)lag_s(1));
}

static char *lag_to_warn(const char *set __attribute__((unused)))
{
	return made("%llds", (long long)lag_s(3));
}

/* So that a confirmation that comes late is no reason to warn. */
static char *confirmation_period(const char *set __attribute__((unused)))
{
	return made("%llds", (long long)lag_s(3) / 2);
}

/* Spaces alone between them, for the shell to take apart. */
static char *tables_as_words(const char *set)
{
	char *words = made("%s", set != NULL ? set : "");

	for (char *c = words; *c != '\0'; c++)
		if (strchr(BETWEEN, *c) != NULL)
			*c = ' ';
	return words;
}

static char *unless_no(const char *set)
{
	return made("%s", set != NULL && strcmp(set, "no") == 0 ? "" : "yes");
}

static char *if_yes(const char *set)
{
	return made("%s", set != NULL && strcmp(set, "yes") == 0 ? "yes" : "");
}

/* `list NAME`, in the place of list. */
static char *longer(char *list, const char *name)
{
	char *with = made("%s%s%s", list, *list != '\0' ? " " : "", name);

	free(list);
	return with;
}

/* Of the secrets those that cannot be what they are called, by name. */
static char *wrong_addresses(const char *set __attribute__((unused)))
{
	char *list = made("%s", "");

	for (size_t i = 0; i < SECRETS; i++) {
		const char *value = secrets[i].wrong != NULL ? config_get(secrets[i].name) : NULL;

		if (value != NULL && secrets[i].wrong(value) != NULL)
			list = longer(list, secrets[i].name);
	}
	return list;
}

static char *wrong_of_proof(const char *set);

/* ---- the table ------------------------------------------------------------------------------------- */

/*
 * name: NULL for a field that only follows from others. A wrong one is told; one that not all need keeps no failover and no
 * night from beginning: of the status page's it is empty, of the minutes' and the nightly
 * proof's as if it were not set.
 */
static struct {
	const char *field, *name;
	const char *(*wrong)(const char *);
	const char *fallback;
	char *(*make)(const char *set);
	char *value;	/* what make made */
	enum { ALL, PAGE, MINUTES, PROOF } needed_by;
} table[] = {
	{ "env_file", NULL, NULL, NULL, settings_file, NULL, ALL },
	{ "node", "CTV_NODE", name, NULL, NULL, NULL, ALL },
	{ "primary", "CTV_PRIMARY_NODE", name, "pi-ctv", NULL, NULL, ALL },
	{ "standby", NULL, NULL, NULL, standby_name, NULL, ALL },
	{ "app", "CTV_APP_DIR", path, "/opt/apps/ctv-bookedbiz-db", NULL, NULL, ALL },
	{ "unit", "CTV_SERVICE", unit, "flaskapp.service", NULL, NULL, ALL },
	{ "live", "DATABASE_PATH", database, NULL, live_of_app, NULL, ALL },
	{ "live_dir", NULL, NULL, NULL, directory_of_live, NULL, ALL },
	{ "remote", "DROPBOX_DB_PATH", remote, "/database.db", NULL, NULL, ALL },
	{ "state", "CTV_STATE_DIR", path, "/var/lib/ctv-mirror", NULL, NULL, ALL },
	{ "log_dir", "CTV_LOG_DIR", path, NULL, NULL, NULL, ALL },
	{ "run_dir", "CTV_RUN_DIR", path, "/run/ctv-mirror", NULL, NULL, PAGE },
	{ "primary_url", "CTV_PRIMARY_URL", url, "http://100.81.73.46:8000", NULL, NULL, ALL },
	{ "standby_url", "CTV_STANDBY_URL", url, "http://100.96.96.109:8000", NULL, NULL, ALL },
	{ "station_url", "CTV_STATION_URL", url, NULL, station_at_standby, NULL, PAGE },
	{ "kuma_page_url", NULL, NULL, NULL, kuma_at_standby, NULL, ALL },
	{ "api_url", "DROPBOX_API_URL", url, "https://api.dropboxapi.com", NULL, NULL, ALL },
	{ "max_age", "CTV_MAX_AGE", duration, TEXT(DATA_OLD_H) "h", NULL, NULL, ALL },
	{ "warn_age", NULL, NULL, NULL, age_to_warn, NULL, ALL },
	{ "min_size", "CTV_MIN_SIZE", size, "100M", NULL, NULL, ALL },
	{ "tables", "CTV_REQUIRE_TABLES", tables, NULL, tables_as_words, NULL, ALL },
	{ "start_timeout", "CTV_START_TIMEOUT", duration, "60s", NULL, NULL, ALL },
	{ "changes_every", "CTV_CHANGES_EVERY", pace, NULL, changes_period, NULL, MINUTES },
	{ "max_lag", "CTV_MAX_LAG", duration, NULL, lag_most, NULL, MINUTES },
	{ "warn_lag", NULL, NULL, NULL, lag_to_warn, NULL, ALL },
	{ "confirm_every", NULL, NULL, NULL, confirmation_period, NULL, ALL },
	{ "monthly_calls", "CTV_MONTHLY_CALLS", number, "20000", NULL, NULL, MINUTES },
	{ "prove", "CTV_PROVE", yes_or_no, NULL, unless_no, NULL, PROOF },
	{ "prove_expect", "CTV_PROVE_EXPECT", pages, NULL, NULL, NULL, PROOF },
	{ "prove_write", "CTV_PROVE_WRITE", file, NULL, NULL, NULL, PROOF },
	{ "prove_rollback", "CTV_PROVE_ROLLBACK", yes_or_no, NULL, if_yes, NULL, PROOF },
	{ "wrong_of_proof", NULL, NULL, NULL, wrong_of_proof, NULL, ALL },
	{ "wrong_urls", NULL, NULL, NULL, wrong_addresses, NULL, ALL },
};

#define ROWS (sizeof table / sizeof *table)

/* Of the settings of the nightly proof those that are not of their kind, by name: without them it would prove less. */
static char *wrong_of_proof(const char *set __attribute__((unused)))
{
	char *list = made("%s", "");

	for (size_t i = 0; i < ROWS; i++) {
		const char *value = table[i].needed_by == PROOF ? config_get(table[i].name) : NULL;

		if (value != NULL && table[i].wrong(value) != NULL)
			list = longer(list, table[i].name);
	}
	return list;
}

const char *setting_field(size_t i)
{
	return i < ROWS ? table[i].field : i < ROWS + SECRETS ? secrets[i - ROWS].field : NULL;
}

const char *setting(const char *field)
{
	const char *value = NULL;
	size_t i = 0;

	while (setting_field(i) != NULL && strcmp(setting_field(i), field) != 0)
		i++;
	if (setting_field(i) == NULL)
		abort();
	if (i >= ROWS)
		return config_get(secrets[i - ROWS].name) != NULL ? "yes" : NULL;
	if (table[i].name != NULL)
		value = config_get(table[i].name);
	if (table[i].needed_by != ALL && value != NULL && table[i].wrong(value) != NULL) {
		if (table[i].needed_by == PAGE)
			return NULL;
		value = NULL;
	}
	if (table[i].make == NULL)
		return value != NULL ? value : table[i].fallback;
	if (table[i].value == NULL)
		table[i].value = table[i].make(value);
	return table[i].value;
}

void setting_free(void)
{
	for (size_t i = 0; i < ROWS; i++) {
		free(table[i].value);
		table[i].value = NULL;
	}
}

int setting_check(void)
{
	for (size_t i = 0; i < ROWS; i++) {
		const char *value = table[i].name != NULL ? config_get(table[i].name) : NULL;
		const char *why = value != NULL ? table[i].wrong(value) : NULL, *hint;

		if (why == NULL)
			continue;
		/* an address may hold a password */
		if (table[i].wrong == url)
			msg_err(table[i].name, "%s", why);
		else
			msg_err(table[i].name, "%s: %s", value, why);
		hint = config_hint(value);
		if (hint != NULL)
			msg_hint("%s", hint);
		if (table[i].needed_by == ALL)
			return EX_CONFIG;
	}
	return EX_OK;
}
