/*
 * dbx-rm [-n] REMOTE... - delete files in Dropbox
 *
 * Only files, and only the revision that was there a moment ago: what somebody else has replaced since
 * stays. Folders are refused; one slip of a name must not take a year of backups.
 */
#include "lib/std.h"

#include <getopt.h>

#include "lib/cli.h"
#include "lib/dropbox/dropbox.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/stop.h"

static const char help[] =
"usage: dbx-rm [-n] REMOTE...\n"
"Delete files in Dropbox.\n"
"\n"
"  -n, --dry-run        only print what would be deleted\n"
"      --timeout D      give up after D\n"
"  -v, --verbose        say what is done\n"
"  -h, --help           this text\n"
"  -V, --version        the version\n";

static bool dry;
static int64_t timeout_ms;	/* 0 for none */

static int remove_one(struct dropbox *d, struct http *h, const char *remote)
{
	struct dropbox_meta m;
	char name[4096];
	int rc = dropbox_metadata(d, h, remote, &m);

	if (rc == EX_OK && m.kind != 'f') {
		msg_err(remote, "a folder, and only files are deleted");
		rc = EX_DATAERR;
	} else if (rc == EX_OK && dry) {
		printf("%s\n", msg_escape(name, sizeof name, m.path));
	} else if (rc == EX_OK) {
		rc = dropbox_delete(d, h, remote, m.rev);
		if (rc == EX_OK)
			msg_info("%s: deleted, revision %s", remote, m.rev);
	}
	if (rc == EX_NOINPUT)
		msg_err(remote, "not found in Dropbox");
	dropbox_meta_free(&m);
	return rc;
}

/* Each operand; the first failure is the exit status, the others are still tried. */
static int remove_all(char **remotes, int count)
{
	struct dropbox *d;
	struct http *h;
	int rc = dropbox_begin(&d, &h, timeout_ms);

	for (int i = 0, failed = rc; i < count && failed == EX_OK && !stop_asked(); i++) {
		int one = remove_one(d, h, remotes[i]);

		rc = rc != EX_OK ? rc : one;
	}
	dropbox_end(d, h);
	return rc;
}

int main(int argc, char **argv)
{
	enum { TIMEOUT = 256 };
	static const struct option options[] = {
		{ "dry-run", no_argument, NULL, 'n' }, { "timeout", required_argument, NULL, TIMEOUT },
		{ "verbose", no_argument, NULL, 'v' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' }, { NULL, 0, NULL, 0 },
	};
	const char *why = NULL;
	int opt;

	msg_init(argv[0]);
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":nvhV", options, NULL)) != -1) {
		switch (opt) {
		case 'n': dry = true; break;
		case TIMEOUT: why = num_duration(optarg, &timeout_ms); break;
		case 'v': msg_verbose = true; break;
		case 'h': return cli_help(help);
		case 'V': return cli_version();
		default: return cli_bad_option(opt, argv);
		}
		if (why != NULL)
			return cli_usage("%s: %s", optarg, why);
	}
	if (optind == argc)
		return cli_usage("at least one REMOTE is needed");
	/* all names are looked at before the first file goes */
	for (int i = optind; i < argc; i++) {
		why = dropbox_path_fault(argv[i], false);
		if (why != NULL)
			return cli_usage("%s: %s", argv[i], why);
	}
	stop_init();
	return cli_close(remove_all(argv + optind, argc - optind));
}
