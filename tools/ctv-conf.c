/*
 * ctv-conf NAME [DEFAULT] - one setting, as every tool of the suite reads it
 *
 * For the scripts: the environment first, then the configuration file, by the one parser that we have
 * (lib/config), so that a script and a tool never read one file in two ways.
 */
#include "lib/std.h"

#include <getopt.h>

#include "lib/cli.h"
#include "lib/config.h"
#include "lib/exits.h"
#include "lib/msg.h"

static const char help[] =
"usage: ctv-conf NAME [DEFAULT]\n"
"Print the value of the setting NAME, or DEFAULT when it is absent or empty.\n"
"\n"
"  -h, --help           this text\n"
"  -V, --version        the version\n";

static int print_setting(const char *name, const char *fallback)
{
	int rc = config_load();
	const char *value;

	if (rc != EX_OK)
		return rc;
	value = config_get(name);
	if (value == NULL)
		value = fallback;
	if (value == NULL)
		rc = EX_NOINPUT;
	else
		puts(value);
	config_free();
	return rc;
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
	if (argc - optind < 1 || argc - optind > 2)
		return cli_usage("NAME is needed, and at most one DEFAULT");
	return cli_close(print_setting(argv[optind], argv[optind + 1]));
}
