/*
 * dbx-auth login | whoami - authorize this host with Dropbox, or tell as whom it is
 *
 * login needs no browser on this host: it prints the page to open anywhere, reads the code that the page
 * shows, and stores the refresh token in the configuration file, whose other lines stay. Without an app
 * secret the code alone is of no use to somebody who sees it (PKCE, RFC 7636). whoami is the connection test.
 * No secret is ever an argument or printed.
 */
#include "lib/std.h"

#include <unistd.h>

#include "lib/cli.h"
#include "lib/dropbox/dropbox.h"
#include "lib/dropbox/pkce.h"
#include "lib/dropbox/scopes.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/option.h"
#include "lib/settings.h"
#include "lib/shell.h"
#include "lib/stop.h"

#define LINE_MAX_LEN 512	/* of what is pasted */
#define AUTHORIZE "https://www.dropbox.com/oauth2/authorize"

static bool as_json;
static int64_t timeout_ms;	/* 0 for none */

static const char *const fields[] = {
	"account_id", "name", "email", "used", "allocated", "left_bytes", "left_text", "scope", "credentials", NULL,
};
static struct shell account = { .names = fields };	/* of whoami */

static const struct option_row options[] = {
	{ 0, "json", NULL, option_flag, &as_json, "whoami: one JSON object" },
	{ 0, "shell", "[=PREFIX]", option_shell, &account, "whoami: assignments for a shell" },
	{ 0, "timeout", "DURATION", option_duration, &timeout_ms, "give up Dropbox's answers after this" },
	{ .name = NULL },
};

static const struct command command = {
	.usage = "login\nwhoami [--json | --shell]",
	.about = "Authorize this host with Dropbox; tell as whom it is, and whether Dropbox can be reached.",
	.options = options,
	.operands = { 1, 1, "login or whoami is needed, and nothing else", NULL },
};

/* --- whoami --- */

static int ask(struct dropbox *d, struct http *h, const char *route, json **answer)
{
	struct dropbox_call c = { .style = DROPBOX_RPC, .route = route };
	struct dropbox_answer a;
	int rc;

	dropbox_do(d, h, &c, &a);
	rc = a.rc;
	if (rc != EX_OK)
		dropbox_report("Dropbox", &a);
	*answer = rc == EX_OK ? json_copy(a.body) : NULL;
	dropbox_answer_free(&a);
	return rc;
}

/* Which credentials are at work: a file, or the environment that goes before it. */
static const char *source(void)
{
	static const char *const names[] = { "DROPBOX_ACCESS_TOKEN", "DROPBOX_REFRESH_TOKEN" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *env = getenv(names[i]);

		if (env != NULL && *env != '\0')
			return "the environment";
		/* an access token in the file goes before a refresh token in the environment */
		if (config_get(names[i]) != NULL)
			break;
	}
	return config_path();
}

static void print_line(const char *label, const char *text)
{
	char safe[1024];

	printf("%-12s %s\n", label, msg_escape(safe, sizeof safe, text));
}

static void print_account(const char *name, const char *email, const char *id, int64_t used, int64_t allocated,
			  const char *scopes)
{
	char text[768], a[NUM_TEXT], b[NUM_TEXT];
	int64_t left = used < allocated ? allocated - used : 0;

	if (as_json || shell_asked(&account)) {
		json *j = json_object();

		json_put_str(j, "account_id", id);
		json_put_str(j, "name", name);
		json_put_str(j, "email", email);
		json_put_int(j, "used", used);
		json_put_int(j, "allocated", allocated);
		json_put_int(j, "left_bytes", left);
		json_put_str(j, "left_text", num_size_text(a, (uint64_t)left));
		json_put_str(j, "scope", scopes);
		json_put_str(j, "credentials", source());
		json_answer(j, as_json, &account);
		return;
	}
	snprintf(text, sizeof text, "%.300s <%.300s>", name, email);
	print_line("account", text);
	print_line("id", id);
	snprintf(text, sizeof text, "%s of %s used (%lld %%)", num_size_text(a, (uint64_t)used),
		 num_size_text(b, (uint64_t)allocated), allocated > 0 ? (long long)(used / (allocated / 100 + 1)) : 0);
	print_line("space", text);
	print_line("scopes", scopes);
	print_line("credentials", source());
}

static int whoami(struct dropbox *d, struct http *h)
{
	json *who = NULL, *space = NULL;
	const char *name, *email, *id;
	char scopes[SCOPES_TEXT];
	int64_t used, allocated;
	int rc = scopes_try(d, h, scopes);

	if (rc == EX_OK)
		rc = ask(d, h, "users/get_current_account", &who);
	if (rc == EX_OK)
		rc = ask(d, h, "users/get_space_usage", &space);
	if (rc != EX_OK)
		goto out;
	name = json_str(json_get(who, "name"), "display_name");
	email = json_str(who, "email");
	id = json_str(who, "account_id");
	if (name == NULL || email == NULL || id == NULL || !json_int(space, "used", 0, INT64_MAX, &used) ||
	    !json_int(json_get(space, "allocation"), "allocated", 0, INT64_MAX, &allocated)) {
		msg_err("Dropbox", "the answer is not an account");
		rc = EX_PROTOCOL;
	} else {
		print_account(name, email, id, used, allocated, scopes);
	}
out:
	json_free(who);
	json_free(space);
	return rc;
}

/* --- login --- */

/* A line of standard input, without the white space around it. The prompt is for a terminal only. */
static int read_line(const char *prompt, char line[LINE_MAX_LEN])
{
	size_t len = 0, begin;
	ssize_t n = 1;
	char c = '\0';

	if (isatty(STDIN_FILENO))
		fputs(prompt, stderr);
	while (c != '\n' && (n = read(STDIN_FILENO, &c, 1)) == 1) {
		if (len + 1 == LINE_MAX_LEN) {
			msg_err("standard input", "a line of more than %d characters", LINE_MAX_LEN - 1);
			return EX_DATAERR;
		}
		line[len++] = c;
	}
	if (n < 0 || stop_asked()) {
		if (stop_asked())
			msg_err(NULL, "interrupted, nothing is stored");
		else
			msg_errno("standard input", "cannot read");
		return stop_asked() ? EX_TEMPFAIL : EX_IOERR;
	}
	while (len > 0 && strchr(" \t\r\n", line[len - 1]) != NULL)
		len--;
	line[len] = '\0';
	begin = strspn(line, " \t");
	memmove(line, line + begin, len - (begin < len ? begin : len) + 1);
	return EX_OK;
}

/* Is s one word of 1 to 256 of the characters that keys and codes are made of? */
static bool plausible(const char *s)
{
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~");

	return n > 0 && n <= 256 && s[n] == '\0';
}

/* Where the token will go must be writable before a person is sent through the page. */
static int check_writable(void)
{
	const char *path = config_path();
	char *real = realpath(path, NULL), *dir = strdup(real != NULL ? real : path), *slash;
	int rc = EX_OK;

	if (dir == NULL)
		abort();
	slash = strrchr(dir, '/');
	if (slash != NULL)
		slash[slash == dir] = '\0';
	if (access(slash != NULL ? dir : ".", W_OK | X_OK) != 0) {
		msg_errno(path, "the refresh token cannot be stored there");
		rc = EX_CANTCREAT;
	}
	free(dir);
	free(real);
	return rc;
}

/* The key and secret that came from the environment, or were typed, must be in the file too: a job has only the file. */
static int store(const char *key, bool typed, const char *refresh)
{
	const char *env_key = getenv("DROPBOX_APP_KEY"), *env_secret = getenv("DROPBOX_APP_SECRET");
	int rc = EX_OK;

	if (typed || (env_key != NULL && *env_key != '\0'))
		rc = config_store("DROPBOX_APP_KEY", key);
	if (rc == EX_OK && env_secret != NULL && *env_secret != '\0')
		rc = config_store("DROPBOX_APP_SECRET", env_secret);
	if (rc == EX_OK)
		rc = config_store("DROPBOX_REFRESH_TOKEN", refresh);
	if (rc == EX_OK)
		msg_info("%s: the refresh token is stored", config_path());
	return rc;
}

static int exchange(struct dropbox *d, struct http *h, const char *key, bool typed, const char *code,
		    const char *verifier)
{
	struct dropbox_answer a;
	int rc;

	dropbox_exchange(d, h, code, verifier, &a);
	rc = a.rc != EX_OK ? dropbox_report("Dropbox", &a) : store(key, typed, json_str(a.body, "refresh_token"));
	dropbox_answer_free(&a);
	return rc;
}

static int login(struct dropbox **d, struct http **h)
{
	const char *key = config_get("DROPBOX_APP_KEY"), *secret = config_get("DROPBOX_APP_SECRET");
	bool asked = key == NULL;
	char typed[LINE_MAX_LEN], code[LINE_MAX_LEN] = "", verifier[PKCE_TEXT], challenge[PKCE_TEXT];
	int rc = check_writable();

	if (rc == EX_OK && asked)
		rc = read_line("the app's key (dropbox.com/developers/apps): ", typed);
	if (rc != EX_OK)
		return rc;
	key = asked ? typed : key;
	if (pkce_verifier(verifier) != 0 || pkce_challenge(verifier, challenge) != 0) {
		msg_errno(NULL, "no random numbers");
		return EX_SOFTWARE;
	}
	if (!plausible(key)) {
		msg_err("DROPBOX_APP_KEY", "not the key of an app");
		return EX_CONFIG;
	}
	printf("%s?client_id=%s&response_type=code&token_access_type=offline", AUTHORIZE, key);
	/* Dropbox takes either a secret or a code challenge: an app with a secret needs no challenge */
	if (secret == NULL)
		printf("&code_challenge=%s&code_challenge_method=S256", challenge);
	putchar('\n');
	rc = cli_close(EX_OK);
	if (rc == EX_OK)
		rc = read_line("open this page, allow the app, and paste the code that it shows: ", code);
	if (rc == EX_OK && !plausible(code)) {
		msg_err("standard input", "%s", *code == '\0' ? "no code" : "not a code");
		rc = EX_DATAERR;
	}
	if (rc == EX_OK)
		rc = dropbox_open_app(d, key, secret, timeout_ms);
	if (rc == EX_OK && (*h = dropbox_connect(*d)) == NULL)
		rc = EX_SOFTWARE;
	if (rc == EX_OK)
		rc = exchange(*d, *h, key, asked, code, secret == NULL ? verifier : NULL);
	explicit_bzero(code, sizeof code);
	explicit_bzero(verifier, sizeof verifier);
	if (rc == EX_OK && config_get("DROPBOX_ACCESS_TOKEN") != NULL)
		msg_hint("DROPBOX_ACCESS_TOKEN is set and goes before the new token: remove it");
	if (rc != EX_OK)
		return rc;
	rc = whoami(*d, *h);
	if (rc != EX_OK)
		msg_hint("the refresh token is stored all the same");
	return rc;
}

static int run(bool to_login)
{
	struct dropbox *d = NULL;
	struct http *h = NULL;
	int rc = to_login ? config_load() : dropbox_begin(&d, &h, timeout_ms);

	if (rc == EX_OK)
		rc = to_login ? login(&d, &h) : whoami(d, h);
	dropbox_end(d, h);
	return rc;
}

int main(int argc, char **argv)
{
	bool to_login;
	int rc;

	msg_init(argv[0]);
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	to_login = strcmp(argv[optind], "login") == 0;
	if (!to_login && strcmp(argv[optind], "whoami") != 0)
		return cli_usage("%s: not login or whoami", argv[optind]);
	if (to_login && (as_json || shell_asked(&account)))
		return cli_usage("login: takes no --json and no --shell");
	stop_init();
	return shell_end(&account, cli_close(run(to_login)));
}
