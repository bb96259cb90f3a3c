/*
 * ctv-conf NAME [DEFAULT [NAME DEFAULT]...] - settings, as every tool of the suite reads them
 *
 * For the scripts: the environment first, then a credential, then the configuration file, by the one parser
 * that we have (lib/settings), so that a script and a tool never read one file in two ways.
 */
#include "lib/std.h"

#include <getopt.h>

#include "lib/cli.h"
#include "lib/settings.h"
#include "lib/exits.h"
#include "lib/msg.h"

static const char help[] =
"usage: ctv-conf NAME [DEFAULT [NAME DEFAULT]...]\n"
"Print the value of the setting NAME, or DEFAULT when it is absent or empty; of\n"
"several, each on a line.\n"
"\n"
"  -h, --help           this text\n"
"  -V, --version        the version\n";

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

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'V' }, { NULL, 0, NULL, 0 },
	};
	int opt;

	msg_init(argv[0]);
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":hV", options, NULL)) != -1) {
		switch (opt) {
		case 'h': return cli_help(help);
		case 'V': return cli_version();
		default: return cli_bad_option(opt, argv);
		}
	}
	if (argc == optind || (argc - optind > 2 && (argc - optind) % 2 != 0))
		return cli_usage("NAME is needed, and with several names a DEFAULT for each");
	for (int i = optind; i < argc; i += 2)
		if (!is_name(argv[i]))
			return cli_usage("%s: not the name of a setting", argv[i]);
	return cli_close(print_settings(argv + optind, argc - optind > 2));
}
