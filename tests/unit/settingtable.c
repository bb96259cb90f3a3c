#include "lib/std.h"

#include <fcntl.h>
#include <unistd.h>

#include "lib/exits.h"
#include "lib/msg.h"
#include "lib/settings.h"
#include "lib/settingtable.h"

#include "tests/unit/check.h"

/* What is of its kind, and what is not. */
static const struct { const char *name, *value; bool good; } kinds[] = {
	{ "CTV_NODE", "pi2", true }, { "CTV_NODE", "a.b_c-1", true }, { "CTV_NODE", "a b", false },
	{ "CTV_NODE", "a\nb", false }, { "CTV_NODE", "../x", false }, { "CTV_NODE", "a'b", false },
	{ "CTV_PRIMARY_NODE", "../x", false }, { "CTV_PRIMARY_NODE", "\xc3\xa9", false },
	{ "DATABASE_PATH", "/it's a/db", true }, { "DATABASE_PATH", "x.db", false }, { "DATABASE_PATH", "/x/", false },
	{ "DATABASE_PATH", "/a\nb", false }, { "DATABASE_PATH", "/a\x1b[2J", false },
	{ "CTV_STATE_DIR", "./state", false }, { "CTV_STATE_DIR", "/s/", true }, { "CTV_APP_DIR", "app", false },
	{ "CTV_LOG_DIR", "log", false }, { "CTV_RUN_DIR", "run", true },
	{ "CTV_PRIMARY_URL", "http://a:8000", true }, { "CTV_PRIMARY_URL", "https://a/x@?y#z", true },
	{ "CTV_PRIMARY_URL", "https://u:p@a/", false }, { "CTV_PRIMARY_URL", "http://a:500111", false },
	{ "CTV_PRIMARY_URL", "http://a:0/", false }, { "CTV_PRIMARY_URL", "http://a:x", false }, { "CTV_PRIMARY_URL", "http://a:", false },
	{ "CTV_PRIMARY_URL", "http://[::1]:65535/x", true }, { "CTV_PRIMARY_URL", "http://[::1]", true },
	{ "CTV_PRIMARY_URL", "pi-ctv:8000", false }, { "CTV_PRIMARY_URL", "http:///x", false },
	{ "CTV_PRIMARY_URL", "http://", false }, { "CTV_PRIMARY_URL", "http://a b", false },
	{ "CTV_PRIMARY_URL", "http://a\nb", false }, { "CTV_PRIMARY_URL", "HTTP://a", false },
	{ "CTV_STANDBY_URL", "file:///etc/passwd", false }, { "CTV_STATION_URL", "x", true },
	{ "DROPBOX_API_URL", "ftp://x", false },
	{ "CTV_SERVICE", "flaskapp", true }, { "CTV_SERVICE", "a@b\\x2d.service", true }, { "CTV_SERVICE", "../x", false },
	{ "CTV_SERVICE", ".service", false }, { "CTV_SERVICE", "a;reboot", false }, { "CTV_SERVICE", "a/b", false },
	{ "DROPBOX_DB_PATH", "/d/x.db", true }, { "DROPBOX_DB_PATH", "database.db", false }, { "DROPBOX_DB_PATH", "/", false },
	{ "CTV_MAX_AGE", "36h", true }, { "CTV_MAX_AGE", "5", true }, { "CTV_MAX_AGE", "soon", false },
	{ "CTV_MAX_AGE", "-1h", false }, { "CTV_MAX_AGE", "1h30m", false }, { "CTV_MAX_AGE", "0", false },
	{ "CTV_MAX_AGE", "99999999999999999999d", false }, { "CTV_START_TIMEOUT", "-1", false },
	{ "CTV_START_TIMEOUT", "1s", true }, { "CTV_MIN_SIZE", "100m", true }, { "CTV_MIN_SIZE", "0", true },
	{ "CTV_MIN_SIZE", "1.5G", false }, { "CTV_MIN_SIZE", "100MB", false },
	{ "CTV_REQUIRE_TABLES", "spots:800000, customers", true }, { "CTV_REQUIRE_TABLES", " a:b:3\tc ", true },
	{ "CTV_REQUIRE_TABLES", "spots:many", false }, { "CTV_REQUIRE_TABLES", "spots:", false },
	{ "CTV_REQUIRE_TABLES", ":3", false }, { "CTV_REQUIRE_TABLES", "*", false },
	/* what only the minutes need keeps nothing else from beginning */
	{ "CTV_CHANGES_EVERY", "5s", true }, { "CTV_CHANGES_EVERY", "1minute", true }, { "CTV_MAX_LAG", "off", true },
	{ "CTV_MONTHLY_CALLS", "many", true },
	{ "CTV_PROVE", "maybe", true }, { "CTV_PROVE_EXPECT", "/a", true }, { "CTV_PROVE_WRITE", "write", true },
	/* of a secret nobody judges the value */
	{ "CTV_TEAMS_URL", "x", true }, { "DROPBOX_ACCESS_TOKEN", "x y", true },
};

/* What a field is when a setting is set; NULL: absent. */
static const struct { const char *name, *value, *field, *is; } derived[] = {
	{ "CTV_NODE", "", "node", NULL }, { "CTV_NODE", "", "standby", "pi2" }, { "CTV_NODE", "pi3", "standby", "pi3" },
	{ "CTV_NODE", "pi-ctv", "standby", "pi2" },
	{ "CTV_APP_DIR", "/a", "live", "/a/data/database/production.db" }, { "DATABASE_PATH", "/x/y.db", "live", "/x/y.db" },
	{ "DATABASE_PATH", "/x/y.db", "live_dir", "/x" }, { "DATABASE_PATH", "/y.db", "live_dir", "/" },
	{ "CTV_MAX_AGE", "", "max_age", "36h" }, { "CTV_MAX_AGE", "", "warn_age", "26h" },
	{ "CTV_MAX_AGE", "25h", "warn_age", "25h" }, { "CTV_MAX_AGE", "26h", "warn_age", "26h" },
	{ "CTV_MAX_AGE", "3d", "warn_age", "26h" }, { "CTV_MAX_AGE", "5ms", "warn_age", "5ms" },
	{ "CTV_STANDBY_URL", "http://a:8000", "station_url", "http://a:5001" },
	{ "CTV_STANDBY_URL", "http://a", "station_url", "http://a:5001" },
	{ "CTV_STANDBY_URL", "https://a/", "station_url", "http://a:5001" },
	{ "CTV_STANDBY_URL", "http://1.2.3.4:80/x", "station_url", "http://1.2.3.4:5001" },
	{ "CTV_STANDBY_URL", "http://[::1]:8000", "station_url", "http://[::1]:5001" },
	{ "CTV_STANDBY_URL", "http://[::1]", "kuma_page_url", "http://[::1]:3001" },
	{ "CTV_STATION_URL", "http://s/", "station_url", "http://s/" },
	/* a wrong one that only the page needs is none, and keeps no failover from beginning */
	{ "CTV_STATION_URL", "s:5001", "station_url", NULL }, { "CTV_RUN_DIR", "run", "run_dir", NULL },
	{ "CTV_CHANGES_EVERY", "", "changes_every", "60s" }, { "CTV_CHANGES_EVERY", "2m", "changes_every", "120s" },
	{ "CTV_CHANGES_EVERY", "off", "changes_every", "" }, { "CTV_CHANGES_EVERY", "5500ms", "changes_every", "5s" },
	{ "CTV_MAX_LAG", "", "max_lag", "3600s" }, { "CTV_MAX_LAG", "", "warn_lag", "1200s" },
	{ "CTV_MAX_LAG", "", "confirm_every", "600s" }, { "CTV_MAX_LAG", "6m", "warn_lag", "180s" },
	{ "CTV_MAX_LAG", "6m", "max_lag", "360s" }, { "CTV_MAX_LAG", "1m", "max_lag", "180s" },
	{ "CTV_MAX_LAG", "1m", "confirm_every", "90s" }, { "CTV_CHANGES_EVERY", "1h", "warn_lag", "10800s" },
	{ "CTV_CHANGES_EVERY", "1h", "confirm_every", "5400s" }, { "CTV_CHANGES_EVERY", "1h", "max_lag", "10800s" },
	{ "CTV_CHANGES_EVERY", "4999ms", "changes_every", "" }, { "CTV_CHANGES_EVERY", "0", "changes_every", "" },
	{ "CTV_CHANGES_EVERY", "never", "changes_every", "" }, { "CTV_CHANGES_EVERY", "2h", "changes_every", "7200s" },
	{ "CTV_MAX_LAG", "10m", "max_lag", "600s" }, { "CTV_MAX_LAG", "off", "max_lag", "3600s" }, { "CTV_MAX_LAG", "x", "warn_lag", "1200s" },
	{ "CTV_MONTHLY_CALLS", "0", "monthly_calls", "0" }, { "CTV_MONTHLY_CALLS", "-1", "monthly_calls", "20000" },
	{ "CTV_MONTHLY_CALLS", "many", "monthly_calls", "20000" },
	{ "CTV_CHANGES_EVERY", "off", "warn_lag", "1200s" }, { "CTV_MONTHLY_CALLS", "", "monthly_calls", "20000" },
	{ "CTV_REQUIRE_TABLES", "a:1,b\nc", "tables", "a:1 b c" }, { "CTV_REQUIRE_TABLES", "", "tables", "" },
	{ "CTV_LOG_DIR", "", "log_dir", NULL },
	/* the nightly proof's: a wrong one is none, and is named */
	{ "CTV_PROVE", "", "prove", "yes" }, { "CTV_PROVE", "no", "prove", "" }, { "CTV_PROVE", "off", "prove", "yes" },
	{ "CTV_PROVE", "off", "wrong_of_proof", "CTV_PROVE" }, { "CTV_PROVE", "no", "wrong_of_proof", "" },
	{ "CTV_PROVE_ROLLBACK", "", "prove_rollback", "" }, { "CTV_PROVE_ROLLBACK", "yes", "prove_rollback", "yes" },
	{ "CTV_PROVE_ROLLBACK", "on", "prove_rollback", "" },
	{ "CTV_PROVE_EXPECT", "/a /n>1;/b /s=x", "prove_expect", "/a /n>1;/b /s=x" }, { "CTV_PROVE_EXPECT", "/a", "prove_expect", NULL },
	{ "CTV_PROVE_EXPECT", ";", "wrong_of_proof", "CTV_PROVE_EXPECT" },
	{ "CTV_PROVE_WRITE", "/x/write", "prove_write", "/x/write" }, { "CTV_PROVE_WRITE", "x", "prove_write", NULL },
	{ "CTV_PROVE_WRITE", "x", "wrong_of_proof", "CTV_PROVE_WRITE" },
	{ "CTV_TEAMS_URL", "https://secret/", "teams_url_set", "yes" }, { "CTV_TEAMS_URL", "", "teams_url_set", NULL },
	{ "CTV_NTFY_TOKEN", "tk_x", "ntfy_token_set", "yes" }, { "CTV_NTFY_TOKEN", "tk\r\nX: y", "wrong_urls", "CTV_NTFY_TOKEN" },
	{ "CTV_NTFY_USER", "mirror", "wrong_urls", "CTV_NTFY_USER" }, { "CTV_NTFY_PASSWORD", "p:w s", "wrong_urls", "" },
	{ "HTTPS_PROXY", "proxy.example:3128", "wrong_urls", "" }, { "HTTPS_PROXY", "http://u:p@proxy:3128/", "wrong_urls", "" },
	{ "ALL_PROXY", "socks5h://p", "wrong_urls", "" }, { "ALL_PROXY", "ftp://p", "wrong_urls", "ALL_PROXY" },
	{ "HTTPS_PROXY", "http://", "wrong_urls", "HTTPS_PROXY" }, { "HTTPS_PROXY", "a b", "wrong_urls", "HTTPS_PROXY" },
	{ "HTTPS_PROXY", "http://u:p@x", "https_proxy_set", "yes" },
	{ "CTV_TEAMS_URL", "secret", "wrong_urls", "CTV_TEAMS_URL" }, { "CTV_NTFY_URL", "https://u:p@x/", "wrong_urls", "" },
};

/* The complaints are the tests' of ctv-conf. */
static void hush(void)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
		abort();
	close(fd);
}

int main(void)
{
	msg_init("settingtable");
	hush();
	clearenv();
	setenv("CTV_ENV_FILE", "/nonexistent", 1);
	check(config_load() == EX_OK, "without a file");
	check(setting_check() == EX_OK, "all defaults are of their kind");
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		setenv(kinds[i].name, kinds[i].value, 1);
		check((setting_check() == EX_OK) == kinds[i].good, "%s='%s'", kinds[i].name, kinds[i].value);
		unsetenv(kinds[i].name);
	}
	for (size_t i = 0; i < sizeof derived / sizeof *derived; i++) {
		const char *is;

		setenv(derived[i].name, derived[i].value, 1);
		is = setting(derived[i].field);
		check(is == NULL || derived[i].is == NULL ? is == derived[i].is : strcmp(is, derived[i].is) == 0,
		      "%s='%s': %s is '%s'", derived[i].name, derived[i].value, derived[i].field, is != NULL ? is : "NULL");
		setting_free();
		unsetenv(derived[i].name);
	}
	config_free();
	return check_done();
}
