/*
 * dbx-ls [-l] [-R] [--json | --shell] [--may-lack] [REMOTE...] - list a folder of Dropbox, or show a file
 *
 * Every page of a listing is read before its first line is printed: the names come sorted, and a listing
 * that could not be read whole prints nothing of that folder.
 */
#include "lib/option.h"
#include "lib/shell.h"
#include "lib/std.h"

#include <unistd.h>

#include "lib/cli.h"
#include "lib/dropbox/dropbox.h"
#include "lib/dropbox/listing.h"
#include "lib/msg.h"
#include "lib/stop.h"

static bool as_list;
static bool recursive;
static bool as_json;
static bool may_lack;
static const char *const names[] = {
	"tag", "name", "path_display", "id", "rev", "size", "size_text", "content_hash", "client_modified",
	"server_modified", NULL,
};
static struct shell answer = { .names = names };
static int64_t timeout_ms;	/* 0 for none */

static const char *text_of(const json *entry, const char *member)
{
	const char *text = json_str(entry, member);

	return text != NULL ? text : "";
}

/* The members that others may rely on. */
static void answer_entry(const json *entry)
{
	static const char *const members[] = { ".tag", "name", "path_lower", "path_display", "id", "rev", "size",
					       "content_hash", "client_modified", "server_modified" };
	json *j = json_object();
	int64_t size;

	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		if (json_get(entry, members[i]) != NULL)
			json_put(j, members[i], json_copy(json_get(entry, members[i])));
	if (json_int(entry, "size", 0, INT64_MAX, &size))
		shell_size(&answer, "size_text", (uint64_t)size);
	shell_set(&answer, "tag", json_tag(entry));
	json_answer(j, as_json, &answer);
}

/* Names come from others: for a terminal and for a line-based reader they are escaped. */
static void print_entry(const json *entry)
{
	const char *path = text_of(entry, "path_display");
	char name[4096], time[128], hash[512];
	int64_t size = 0;

	if (as_json || shell_asked(&answer)) {
		answer_entry(entry);
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
		       msg_escape(time, sizeof time, text_of(entry, "client_modified")),
		       msg_escape(hash, sizeof hash, text_of(entry, "content_hash")), name);
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
	if (rc != EX_OK && !(rc == EX_NOINPUT && may_lack))
		dropbox_report(remote, &a);
	/* a script that asks whether a file is there goes by the exit status */
	if (rc == EX_OK && strcmp(json_tag(a.body), "file") != 0 && strcmp(json_tag(a.body), "folder") != 0) {
		msg_err(remote, "the answer is not Dropbox's metadata");
		rc = EX_PROTOCOL;
	}
	*entry = rc == EX_OK ? json_copy(a.body) : NULL;
	dropbox_answer_free(&a);
	json_free(arg);
	return rc;
}

static int list_one(struct dropbox *d, struct http *h, const char *remote)
{
	struct listing l = { .at = NULL };
	json *entry = NULL;
	int rc = strcmp(remote, "/") == 0 ? EX_OK : show(d, h, remote, &entry);

	if (rc == EX_OK && entry != NULL && (shell_asked(&answer) || strcmp(json_tag(entry), "folder") != 0)) {
		print_entry(entry);
	} else if (rc == EX_OK) {
		rc = listing_read(d, h, remote, recursive, &l);
		if (rc == EX_NOINPUT)
			msg_err(remote, "not found in Dropbox");
		for (size_t i = 0; rc == EX_OK && i < l.count; i++)
			print_entry(l.at[i]);
	}
	listing_free(&l);
	json_free(entry);
	return rc;
}

static const char *operand_fault(const char *remote)
{
	return strcmp(remote, "/") == 0 ? NULL : dropbox_ref_fault(remote);
}

static const struct option_row options[] = {
	{ 'l', "long", NULL, option_flag, &as_list, "size, time, content_hash and path of each" },
	{ 'R', "recursive", NULL, option_flag, &recursive, "folders in folders too" },
	{ 0, "json", NULL, option_flag, &as_json, "one object a line, with the field names of the API" },
	{ 0, "shell", "[=PREFIX]", option_shell, &answer, "what REMOTE is, a folder too, as assignments for a shell" },
	{ 0, "may-lack", NULL, option_flag, &may_lack, "what is not there is told by the exit status alone" },
	{ 0, "timeout", "DURATION", option_duration, &timeout_ms, "give up after this" },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};

static const struct command command = {
	.usage = "[-l] [-R] [--json | --shell] [--may-lack] [REMOTE...]",
	.about = "List folders of Dropbox, or show files; / or nothing is the root.",
	.options = options,
	.operands = { .fault = operand_fault },
};

int main(int argc, char **argv)
{
	static char root[] = "/", *only_root[] = { root };
	int rc;

	msg_init(argv[0]);
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	if (as_list && as_json)
		return cli_usage("-l and --json exclude each other");
	if (shell_asked(&answer) && (as_list || as_json || recursive || argc - optind != 1 || strcmp(argv[optind], "/") == 0))
		return cli_usage("--shell is for one REMOTE, and for itself: a list is lines");
	stop_init();
	rc = optind < argc ? dropbox_each(argv + optind, argc - optind, timeout_ms, list_one) :
			     dropbox_each(only_root, 1, timeout_ms, list_one);
	return shell_end(&answer, cli_close(rc));
}
