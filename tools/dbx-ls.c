/*
 * dbx-ls [-l] [-R] [--json] [REMOTE...] - list a folder of Dropbox, or show a file
 *
 * Every page of a listing is read before its first line is printed: the names come sorted, and a listing
 * that could not be read whole prints nothing of that folder.
 */
#include "lib/std.h"

#include <getopt.h>

#include "lib/cli.h"
#include "lib/dropbox.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/stop.h"

#define RESETS_MOST 3	/* how often Dropbox may ask to begin a listing afresh */

static const char help[] =
"usage: dbx-ls [options] [REMOTE...]\n"
"List folders of Dropbox, or show files; / or nothing is the root.\n"
"\n"
"  -l, --long           size, time, content_hash and path of each\n"
"  -R, --recursive      folders in folders too\n"
"      --json           one object a line, with the field names of the API\n"
"      --timeout D      give up after D\n"
"  -v, --verbose        say what is done\n"
"  -h, --help           this text\n"
"  -V, --version        the version\n";

static bool as_list;
static bool recursive;
static bool as_json;
static int64_t timeout_ms;	/* 0 for none */

/* The entries of a listing; owned. */
struct entries {
	json **at;
	size_t count, room;
};

static void entries_free(struct entries *e)
{
	for (size_t i = 0; i < e->count; i++)
		json_free(e->at[i]);
	free(e->at);
	*e = (struct entries){ .at = NULL };
}

static const char *text_of(const json *entry, const char *member)
{
	const char *text = json_str(entry, member);

	return text != NULL ? text : "";
}

static int by_path(const void *a, const void *b)
{
	const json *const *x = a, *const *y = b;

	return strcmp(text_of(*x, "path_lower"), text_of(*y, "path_lower"));
}

/* Takes the entries of one page, without what is deleted. */
static int take_page(struct entries *e, const json *page)
{
	for (const json *j = json_first(json_get(page, "entries")); j != NULL; j = json_next(j)) {
		if (strcmp(json_tag(j), "file") != 0 && strcmp(json_tag(j), "folder") != 0)
			continue;
		if (e->count == e->room) {
			size_t room = e->room > 0 ? 2 * e->room : 64;
			json **more = reallocarray(e->at, room, sizeof *more);

			if (more == NULL) {
				msg_err(NULL, "out of memory");
				return EX_SOFTWARE;
			}
			e->at = more;
			e->room = room;
		}
		e->at[e->count++] = json_copy(j);
	}
	return EX_OK;
}

/* One listing to its last page. a->tag is `reset` when it must begin afresh; reports nothing of that. */
static int read_listing(struct dropbox *d, struct http *h, const char *remote, struct entries *e, bool *reset)
{
	json *arg = json_object();
	struct dropbox_call c = { .style = DROPBOX_RPC, .route = "files/list_folder", .arg = arg };
	bool more = true;
	int rc = EX_OK;

	*reset = false;
	json_put_str(arg, "path", strcmp(remote, "/") == 0 ? "" : remote);
	json_put_bool(arg, "recursive", recursive);
	while (more && rc == EX_OK) {
		struct dropbox_answer a;
		const char *cursor;

		dropbox_do(d, h, &c, &a);
		rc = a.rc;
		cursor = json_str(a.body, "cursor");
		if (rc == EX_OK && (cursor == NULL || !json_is_array(json_get(a.body, "entries")))) {
			msg_err(remote, "the answer is not a listing");
			rc = EX_PROTOCOL;
		} else if (rc == EX_OK) {
			rc = take_page(e, a.body);
			/* a page may be empty and still not be the last */
			more = json_bool(a.body, "has_more", false);
			json_free(arg);
			arg = json_object();
			json_put_str(arg, "cursor", cursor);
			c.arg = arg;
			c.route = "files/list_folder/continue";
		} else if (strcmp(a.tag, "reset") == 0) {
			*reset = true;
		} else {
			dropbox_report(remote, &a);
		}
		dropbox_answer_free(&a);
	}
	json_free(arg);
	return rc;
}

static int list(struct dropbox *d, struct http *h, const char *remote, struct entries *e)
{
	bool reset = true;
	int rc = EX_OK;

	for (int i = 0; i < RESETS_MOST && reset; i++) {
		entries_free(e);
		rc = read_listing(d, h, remote, e, &reset);
	}
	if (reset)
		msg_err(remote, "Dropbox begins the listing afresh again and again");
	if (rc == EX_OK && e->count > 0)
		qsort(e->at, e->count, sizeof *e->at, by_path);
	return rc;
}

static void print_json(const json *entry)
{
	static const char *const members[] = { ".tag", "name", "path_lower", "path_display", "id", "rev", "size",
					       "content_hash", "client_modified", "server_modified" };
	json *j = json_object();
	char *text;

	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		if (json_get(entry, members[i]) != NULL)
			json_put(j, members[i], json_copy(json_get(entry, members[i])));
	text = json_text(j);
	puts(text);
	free(text);
	json_free(j);
}

/* Names come from others: for a terminal and for a line-based reader they are escaped. */
static void print_entry(const json *entry)
{
	const char *path = text_of(entry, "path_display");
	char name[4096];
	int64_t size = 0;

	if (as_json) {
		print_json(entry);
		return;
	}
	msg_escape(name, sizeof name, as_list || recursive ? path : text_of(entry, "name"));
	if (!as_list)
		printf("%s%s\n", name, strcmp(json_tag(entry), "folder") == 0 ? "/" : "");
	else if (strcmp(json_tag(entry), "folder") == 0)
		printf("%12s  %-20s  %-64s  %s/\n", "-", "-", "-", name);
	else
		printf("%12lld  %-20s  %-64s  %s\n",
		       json_int(entry, "size", 0, INT64_MAX, &size) ? (long long)size : -1,
		       text_of(entry, "client_modified"), text_of(entry, "content_hash"), name);
}

/* The metadata of one path as the API gives it. EX_OK, or an exit status (reported). */
static int show(struct dropbox *d, struct http *h, const char *remote, json **entry)
{
	json *arg = json_object();
	struct dropbox_call c = { .style = DROPBOX_RPC, .route = "files/get_metadata", .arg = arg };
	struct dropbox_answer a;
	int rc;

	json_put_str(arg, "path", remote);
	dropbox_do(d, h, &c, &a);
	rc = a.rc;
	*entry = rc == EX_OK ? json_copy(a.body) : NULL;
	if (rc != EX_OK)
		dropbox_report(remote, &a);
	dropbox_answer_free(&a);
	json_free(arg);
	return rc;
}

static int list_one(struct dropbox *d, struct http *h, const char *remote)
{
	struct entries e = { .at = NULL };
	json *entry = NULL;
	int rc = strcmp(remote, "/") == 0 ? EX_OK : show(d, h, remote, &entry);

	if (rc == EX_OK && entry != NULL && strcmp(json_tag(entry), "folder") != 0) {
		print_entry(entry);
	} else if (rc == EX_OK) {
		rc = list(d, h, remote, &e);
		for (size_t i = 0; rc == EX_OK && i < e.count; i++)
			/* an entry can stand on two pages */
			if (i == 0 || by_path(&e.at[i - 1], &e.at[i]) != 0)
				print_entry(e.at[i]);
	}
	entries_free(&e);
	json_free(entry);
	return rc;
}

/* Each operand; the first failure is the exit status, the others are still listed. */
static int list_all(char **remotes, int count)
{
	struct dropbox *d;
	struct http *h;
	int rc = dropbox_begin(&d, &h, timeout_ms);

	for (int i = 0, failed = rc; i < count && failed == EX_OK && !stop_asked(); i++) {
		int one = list_one(d, h, remotes[i]);

		rc = rc != EX_OK ? rc : one;
	}
	dropbox_end(d, h);
	return rc;
}

int main(int argc, char **argv)
{
	enum { JSON = 256, TIMEOUT };
	static const struct option options[] = {
		{ "long", no_argument, NULL, 'l' }, { "recursive", no_argument, NULL, 'R' },
		{ "json", no_argument, NULL, JSON }, { "timeout", required_argument, NULL, TIMEOUT },
		{ "verbose", no_argument, NULL, 'v' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' }, { NULL, 0, NULL, 0 },
	};
	static char root[] = "/", *only_root[] = { root };
	const char *why = NULL;
	int opt;

	msg_init(argv[0]);
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":lRvhV", options, NULL)) != -1) {
		switch (opt) {
		case 'l': as_list = true; break;
		case 'R': recursive = true; break;
		case JSON: as_json = true; break;
		case TIMEOUT: why = num_duration(optarg, &timeout_ms); break;
		case 'v': msg_verbose = true; break;
		case 'h': return cli_help(help);
		case 'V': return cli_version();
		default: return cli_bad_option(opt, argv);
		}
		if (why != NULL)
			return cli_usage("%s: %s", optarg, why);
	}
	if (as_list && as_json)
		return cli_usage("-l and --json exclude each other");
	for (int i = optind; i < argc; i++) {
		why = strcmp(argv[i], "/") == 0 ? NULL : dropbox_path_fault(argv[i], true);
		if (why != NULL)
			return cli_usage("%s: %s", argv[i], why);
	}
	stop_init();
	return cli_close(optind < argc ? list_all(argv + optind, argc - optind) : list_all(only_root, 1));
}
