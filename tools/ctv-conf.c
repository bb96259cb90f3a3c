/*
 * ctv-conf - settings, as every tool of the suite reads them
 *
 *	ctv-conf --shell[=PREFIX]
 *	ctv-conf NAME [DEFAULT [NAME DEFAULT]...]
 *
 * For the scripts all of them at once, with their defaults and what follows from them, each judged by its kind
 * (lib/settingtable); for a person one by its name. The environment first, then a credential, then the
 * configuration file, by the one parser there is (lib/settings), so that a script and a tool never read
 * the same file differently. A secret is never among the answers of --shell.
 */
#include "lib/std.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cli.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/option.h"
#include "lib/settings.h"
#include "lib/settingtable.h"
#include "lib/shell.h"

#define ROLE_MAX 4096

static const char *names[SHELL_NAMES + 1];
static struct shell answer = { .names = names };

/* Is role, which may end with a line end, this word? */
static bool is_role(const struct buf *role, const char *word)
{
	size_t len = strlen(word);

	return strncmp(buf_text(role), word, len) == 0 && (role->len == len || role->data[len] == '\n');
}

/* Two hosts of one name would both be the owner in the head record; that happens when the settings file of one host is copied to the other. */
static int check_name(void)
{
	struct buf role = BUF_INIT(ROLE_MAX);
	const char *node = setting("node"), *primary = setting("primary");
	bool named_primary = node != NULL && strcmp(node, primary) == 0;
	char path[PATH_MAX];
	struct stat st;
	int rc = EX_OK;

	snprintf(path, sizeof path, "%s/role", setting("state"));
	/* a role that cannot be read is reported by the tools that need it */
	if (node == NULL || lstat(path, &st) != 0 || !S_ISREG(st.st_mode) || access(path, R_OK) != 0 ||
	    file_slurp(path, &role) != EX_OK)
		goto out;
	if (named_primary && (is_role(&role, "standby") || is_role(&role, "active"))) {
		msg_err("CTV_NODE", "%s is the primary's name, and this host is the standby", primary);
		msg_hint("CTV_NODE=pi2, or another name of its own, in %s", config_path());
		rc = EX_CONFIG;
	} else if (!named_primary && is_role(&role, "primary")) {
		msg_err("CTV_NODE", "%s is not the primary's name, and this host is the primary", node);
		msg_hint("CTV_NODE=%s in %s; a primary of another name is CTV_PRIMARY_NODE on both hosts", primary, config_path());
		rc = EX_CONFIG;
	}
out:
	buf_free(&role);
	return rc;
}

/* All or none: where one setting is wrong all names are printed empty. */
static int print_all(void)
{
	int rc = config_load();

	if (rc == EX_OK)
		rc = setting_check();
	if (rc == EX_OK)
		rc = check_name();
	for (size_t i = 0; rc == EX_OK && setting_field(i) != NULL; i++)
		shell_set(&answer, setting_field(i), setting(setting_field(i)));
	rc = shell_end(&answer, rc);
	setting_free();
	config_free();
	return rc;
}

/* words is a list of pairs that ends with NULL; of the last the default may be missing */
static int print_settings(char **words, bool several)
{
	int rc = config_load();

	if (rc != EX_OK)
		return rc;
	for (; rc == EX_OK && *words != NULL; words += words[1] != NULL ? 2 : 1) {
		const char *value = config_get(words[0]);

		if (value == NULL)
			value = words[1];
		if (value == NULL) {
			rc = EX_NOINPUT;
		} else if (several && strchr(value, '\n') != NULL) {
			msg_err(words[0], "has more than one line");
			rc = EX_CONFIG;
		} else {
			puts(value);
		}
	}
	config_free();
	return rc;
}

/* Could a line of the settings file have this name? */
static bool is_name(const char *s)
{
	return *s != '\0' && (*s < '0' || *s > '9') &&
	       s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static const struct option_row options[] = {
	{ 0, "shell", "[=PREFIX]", option_shell, &answer, "all of them as assignments for a shell" },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};

static const struct command command = {
	.usage = "--shell[=PREFIX]\n"
		 "NAME [DEFAULT [NAME DEFAULT]...]",
	.about = "All settings of this host, judged; or the value of the setting NAME, or DEFAULT\n"
		 "when it is absent or empty; of several, each on a line.",
	.options = options,
};

int main(int argc, char **argv)
{
	int rc;

	msg_init(argv[0]);
	for (size_t i = 0; i < SHELL_NAMES && setting_field(i) != NULL; i++)
		names[i] = setting_field(i);
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	if (shell_asked(&answer))
		return optind < argc ? cli_usage("%s: --shell takes no NAME", argv[optind]) : print_all();
	if (argc == optind || (argc - optind > 2 && (argc - optind) % 2 != 0))
		return cli_usage("NAME is needed, and with several names a DEFAULT for each");
	for (int i = optind; i < argc; i += 2)
		if (!is_name(argv[i]))
			return cli_usage("%s: not the name of a setting", argv[i]);
	return cli_close(print_settings(argv + optind, argc - optind > 2));
}
