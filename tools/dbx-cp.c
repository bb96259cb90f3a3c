/*
 * dbx-cp [-f] SRC DST - copy a file within Dropbox, without a transfer
 *
 * DST is at the end a file with the content that SRC had. What is there is overwritten only with -f, and
 * then the new copy is complete under another name before the old one goes. (Dropbox has no copy that
 * overwrites: for the moment between the two steps DST is absent, and the old revision is in its history.)
 */
#include "lib/option.h"
#include "lib/std.h"

#include <unistd.h>
#include <inttypes.h>
#include <sys/random.h>

#include "lib/cli.h"
#include "lib/dropbox/dropbox.h"
#include "lib/hash.h"
#include "lib/dropbox/listing.h"
#include "lib/msg.h"
#include "lib/stop.h"

static bool force;
static int64_t timeout_ms;	/* 0 for none */

/* Is path a file with that content? Reports a failure other than not found. */
static int has_content(struct dropbox *d, struct http *h, const char *path, const char *hash, bool *same)
{
	struct dropbox_meta m;
	int rc = dropbox_metadata(d, h, path, &m);

	*same = rc == EX_OK && m.kind == 'f' && *hash != '\0' && strcmp(m.content_hash, hash) == 0;
	dropbox_meta_free(&m);
	return rc == EX_NOINPUT ? EX_OK : rc;
}

/*
 * files/copy_v2 or files/move_v2 to a path where nothing is. A reply that was lost is resolved by looking;
 * a source that is there but not found yet (it was uploaded a moment ago) is tried again. Reports a failure
 * other than not found.
 */
static int relocate(struct dropbox *d, struct http *h, const char *route, const char *from, const char *to,
		    const char *hash)
{
	json *arg = json_object();
	struct dropbox_call c = { .style = DROPBOX_RPC, .route = route, .arg = arg };
	struct retry pace = dropbox_pace(d);
	struct dropbox_answer a;
	bool lost = false, same = false;
	int rc;

	json_put_str(arg, "from_path", from);
	json_put_str(arg, "to_path", to);
	json_put_bool(arg, "autorename", false);
	for (;;) {
		dropbox_do(d, h, &c, &a);
		lost = lost || a.lost;
		if (strcmp(a.tag, "from_lookup/not_found") == 0 && !lost)
			a.again = true;
		else
			break;
		if (!dropbox_again(&pace, &a))
			break;
		dropbox_answer_free(&a);
	}
	rc = a.rc;
	if (rc != EX_OK && lost && !stop_asked() && has_content(d, h, to, hash, &same) == EX_OK && same)
		rc = EX_OK;
	if (rc != EX_OK && rc != EX_NOINPUT)
		dropbox_report(strncmp(a.tag, "to/", 3) == 0 ? to : from, &a);
	dropbox_answer_free(&a);
	json_free(arg);
	return rc;
}

/* The folder of a path, "" for the root, as "%.*s" takes it. */
#define FOLDER(path) (int)(strrchr(path, '/') - (path)), path

/* The beginning of the names of all copies that are made for the path to: short, however long to is. Returns name. */
static char *prefix(const char *to, char name[64])
{
	char hash[HASH_TEXT];

	snprintf(name, 64, ".dbx-cp.%.16s.", hash_of(to, strlen(to), hash));
	return name;
}

/* A name beside to for this run's copy until it is in place; no other run has it. malloc'ed; NULL is reported. */
static char *name_of_copy(const char *to)
{
	char name[64], *tmp;
	uint64_t random;

	if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
		msg_errno(NULL, "no random numbers");
	else if (asprintf(&tmp, "%.*s/%s%016" PRIx64 ".tmp", FOLDER(to), prefix(to, name), random) < 0)
		msg_err(to, "out of memory");
	else
		return tmp;
	return NULL;
}

/*
 * The copies that killed runs left beside the path to. With remove they are deleted: to is complete, so they are of no
 * use (a run that is under way finds to replaced, or makes its copy again). Else a hint names each.
 */
static int left_copies(struct dropbox *d, struct http *h, const char *to, bool remove)
{
	char begin[64], *folder;
	struct listing l;
	int rc;

	prefix(to, begin);
	if (asprintf(&folder, "%.*s", FOLDER(to)) < 0)
		abort();
	rc = listing_read(d, h, folder, false, &l);
	for (size_t i = 0; rc == EX_OK && i < l.count; i++) {
		const char *name = json_str(l.at[i], "name"), *path = json_str(l.at[i], "path_display");
		const char *rev = json_str(l.at[i], "rev");

		if (name == NULL || strncmp(name, begin, strlen(begin)) != 0 || path == NULL || rev == NULL)
			continue;
		if (remove)
			rc = dropbox_delete(d, h, path, rev);
		else
			msg_hint("dbx-cp -f %s %s restores what a killed run had copied", path, to);
		if (rc == EX_NOINPUT)
			rc = EX_OK;
	}
	listing_free(&l);
	free(folder);
	return rc == EX_NOINPUT ? EX_OK : rc;
}

/* Removes this run's copy, which is not needed any more. */
static void discard(struct dropbox *d, struct http *h, const char *tmp)
{
	struct dropbox_meta m;

	if (dropbox_metadata(d, h, tmp, &m) == EX_OK)
		dropbox_delete(d, h, tmp, m.rev);
	dropbox_meta_free(&m);
}

/* Puts the copy in the place of the revision old_rev: complete under another name first. */
static int replace(struct dropbox *d, struct http *h, const char *from, const char *hash, const char *to,
		   const char *old_rev)
{
	char *tmp = name_of_copy(to);
	int rc = tmp != NULL ? relocate(d, h, "files/copy_v2", from, tmp, hash) : EX_SOFTWARE;

	if (rc != EX_OK)
		goto out;
	rc = dropbox_delete(d, h, to, old_rev);
	if (rc == EX_OK || rc == EX_NOINPUT) {
		rc = relocate(d, h, "files/move_v2", tmp, to, hash);
		/* another run took the copy for one of a killed run, and deleted it */
		if (rc == EX_NOINPUT)
			rc = relocate(d, h, "files/copy_v2", from, to, hash);
	}
	if (rc == EX_CANTCREAT)
		discard(d, h, tmp);	/* another file is there now, and stays */
	else if (rc != EX_OK && rc != EX_NOINPUT)
		msg_hint("the copy may be at %s", tmp);
out:
	free(tmp);
	return rc;
}

static int copy(const char *from, const char *to)
{
	struct dropbox_meta src = { .kind = 'x' }, dst = { .kind = 'x' };
	struct dropbox *d;
	struct http *h;
	int rc = dropbox_begin(&d, &h, timeout_ms), there;

	if (rc != EX_OK)
		goto out;
	rc = dropbox_metadata(d, h, from, &src);
	if (rc == EX_OK && src.kind != 'f') {
		msg_err(from, "a folder, and only files are copied");
		rc = EX_DATAERR;
	}
	if (rc != EX_OK)
		goto out;
	there = dropbox_metadata(d, h, to, &dst);
	if (there == EX_NOINPUT) {
		rc = relocate(d, h, "files/copy_v2", from, to, src.content_hash);
	} else if (there != EX_OK) {
		rc = there;
	} else if (dst.kind == 'f' && *src.content_hash != '\0' && strcmp(dst.content_hash, src.content_hash) == 0) {
		msg_info("%s has this content already", to);
	} else if (dst.kind != 'f') {
		msg_err(to, "a folder is there");
		rc = EX_CANTCREAT;
	} else if (!force) {
		msg_err(to, "exists in Dropbox and is not overwritten");
		msg_hint("-f overwrites it");
		rc = EX_CANTCREAT;
	} else {
		rc = replace(d, h, from, src.content_hash, to, dst.rev);
	}
	if (rc == EX_OK && force)
		rc = left_copies(d, h, to, true);
out:
	if (rc == EX_NOINPUT) {
		msg_err(from, "not found in Dropbox");
		left_copies(d, h, to, false);
	}
	dropbox_meta_free(&src);
	dropbox_meta_free(&dst);
	dropbox_end(d, h);
	return rc;
}

static const struct option_row options[] = {
	{ 'f', "force", NULL, option_flag, &force, "overwrite what is there (default: never overwrite)" },
	{ 0, "timeout", "DURATION", option_duration, &timeout_ms, "give up after this" },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};

static const struct command command = {
	.usage = "[-f] SRC DST",
	.about = "Copy the file SRC to the path DST within Dropbox.",
	.options = options,
	.operands = { 2, 2, "SRC and DST are needed", dropbox_path_fault },
};

int main(int argc, char **argv)
{
	int rc;

	msg_init(argv[0]);
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	stop_init();
	return cli_close(copy(argv[optind], argv[optind + 1]));
}
