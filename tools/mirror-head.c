/*
 * mirror-head - the record in Dropbox that says who may publish and what the newest snapshot is
 *
 *	mirror-head show [-f FIELD] [--json] [--timeout D]
 *	mirror-head publish --owner NAME [--json] [--timeout D] < JSON-LINES
 *	mirror-head claim --owner NAME [--json] [--timeout D]
 *
 * The record is only ever written by compare-and-swap on the revision that was read, so of two writers at
 * once one wins and the other looks again: (epoch, seq) never decreases, and a publication that began
 * before a change of owner cannot end after it. There is no expiry, because a human decides who serves,
 * and no comparison of times: the clocks of two hosts differ, and one may have been wrong.
 */
#include "lib/std.h"

#include <getopt.h>
#include <unistd.h>

#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/dropbox/headreg.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/stop.h"

#define INPUT_MAX ((size_t)256 << 10)
#define RACES 8			/* lost one after the other, before we say try again later */

static const char *owner;	/* who publishes or claims */
static const char *field;	/* of show, NULL for all */
static bool as_json;
static int64_t timeout_ms;	/* 0 for none */

struct link {
	struct dropbox *dropbox;
	struct http *http;
};

/* --- what publish and claim want --- */

enum verdict { WRITE, NOTHING_TO_DO, REFUSE };

static bool same_snapshot(const struct head *a, const struct head *b)
{
	return strcmp(a->path, b->path) == 0 && strcmp(a->rev, b->rev) == 0 && a->size == b->size &&
	       strcmp(a->content_hash, b->content_hash) == 0 && a->snapshot_at == b->snapshot_at &&
	       strcmp(a->verified, b->verified) == 0;
}

/* next comes with the snapshot and leaves with epoch, seq and owner. */
static enum verdict want_publish(const struct headreg *now, struct head *next)
{
	next->epoch = now->exists ? now->head.epoch : 1;
	next->seq = now->head.seq + 1;
	snprintf(next->owner, sizeof next->owner, "%s", owner);
	if (!now->exists)
		return WRITE;
	if (strcmp(now->head.owner, owner) != 0) {
		msg_err(HEADREG_PATH, "%s is the owner since epoch %lld: %s must not publish", now->head.owner,
			(long long)now->head.epoch, owner);
		msg_hint("nothing was published; once %s no longer serves: mirror-head claim --owner %s",
			 now->head.owner, owner);
		return REFUSE;
	}
	return same_snapshot(&now->head, next) ? NOTHING_TO_DO : WRITE;
}

static enum verdict want_claim(const struct headreg *now, struct head *next)
{
	if (now->exists && strcmp(now->head.owner, owner) == 0)
		return NOTHING_TO_DO;
	*next = now->head;
	next->epoch++;
	snprintf(next->owner, sizeof next->owner, "%s", owner);
	return WRITE;
}

static int print_record(const struct head *h)
{
	json *j = head_json(h);
	char *text = json_text(j);

	puts(text);
	free(text);
	json_free(j);
	return EX_OK;
}

static int change(const struct link *l, enum verdict (*want)(const struct headreg *, struct head *),
		  struct head *next)
{
	bool existed = false, won = false;
	struct headreg now;
	int rc;

	for (int race = 0; race < RACES && !won; race++) {
		rc = headreg_read(l->dropbox, l->http, &now);
		if (rc != EX_OK)
			return rc;
		/* a record made anew would count from 1 again */
		if (existed && !now.exists) {
			msg_err(HEADREG_PATH, "was removed meanwhile");
			return EX_TEMPFAIL;
		}
		existed = now.exists;
		switch (want(&now, next)) {
		case REFUSE:
			return EX_NOPERM;
		case NOTHING_TO_DO:
			msg_info("%s already says so (epoch %lld, seq %lld)", HEADREG_PATH, (long long)now.head.epoch,
				 (long long)now.head.seq);
			return as_json ? print_record(&now.head) : EX_OK;
		case WRITE:
			break;
		}
		if (next->epoch > HEAD_MOST || next->seq > HEAD_MOST) {
			msg_err(HEADREG_PATH, "cannot be counted further");
			return EX_DATAERR;
		}
		rc = headreg_swap(l->dropbox, l->http, &now, next, &won);
		if (rc != EX_OK)
			return rc;
	}
	if (!won) {
		msg_err(HEADREG_PATH, "others wrote it %d times in a row", RACES);
		return EX_TEMPFAIL;
	}
	msg_info("%s: epoch %lld, seq %lld, owner %s", HEADREG_PATH, (long long)next->epoch, (long long)next->seq,
		 next->owner);
	return as_json ? print_record(next) : EX_OK;
}

static int read_snapshot(struct head *next)
{
	struct buf input = BUF_INIT(INPUT_MAX);
	char chunk[4096], why[HEAD_WHY];
	ssize_t n;
	int rc = EX_DATAERR;

	while ((n = read(STDIN_FILENO, chunk, sizeof chunk)) > 0) {
		if (buf_add(&input, chunk, (size_t)n) != 0) {
			msg_err("standard input", "larger than %zu bytes", INPUT_MAX);
			goto out;
		}
	}
	if (n < 0) {
		msg_errno("standard input", "cannot read");
		rc = stop_asked() ? EX_TEMPFAIL : EX_IOERR;
		goto out;
	}
	if (head_read_lines(buf_text(&input), input.len, next, why)) {
		rc = EX_OK;
	} else {
		msg_err("standard input", "%s", why);
		msg_hint("it takes the lines of db-snapshot, db-verify and dbx-put with --json");
	}
out:
	buf_free(&input);
	return rc;
}

/* --- show --- */

static const char *const fields[] = { "epoch", "owner", "seq", "nonce", "path", "rev", "size", "content_hash",
				      "snapshot_at", "page_size", "page_count", "verified" };
#define FIELDS (sizeof fields / sizeof *fields)

static const char *value(const struct head *h, size_t i, char *buf, size_t size)
{
	const char *const texts[FIELDS] = { [1] = h->owner, [3] = h->nonce, [4] = h->path, [5] = h->rev,
					    [7] = h->content_hash, [11] = h->verified };
	const int64_t numbers[FIELDS] = { [0] = h->epoch, [2] = h->seq, [6] = h->size, [9] = h->page_size,
					  [10] = h->page_count };

	if (i > 3 && h->path[0] == '\0')
		return "";
	if (texts[i] != NULL)
		return texts[i];
	if (i == 8)
		clock_text(buf, h->snapshot_at);
	else
		snprintf(buf, size, "%lld", (long long)numbers[i]);
	return buf;
}

static int show(const struct link *l)
{
	struct headreg now;
	int rc = headreg_read(l->dropbox, l->http, &now);
	char buf[32];

	if (rc != EX_OK)
		return rc;
	if (!now.exists) {
		msg_err(HEADREG_PATH, "not found in Dropbox");
		return EX_NOINPUT;
	}
	if (as_json)
		return print_record(&now.head);
	for (size_t i = 0; i < FIELDS; i++) {
		const char *text = value(&now.head, i, buf, sizeof buf);

		if (field == NULL) {
			printf("%s=%s\n", fields[i], text);
		} else if (strcmp(field, fields[i]) == 0) {
			if (*text == '\0') {
				msg_err(HEADREG_PATH, "no %s: nothing has been published yet", field);
				return EX_NOINPUT;
			}
			puts(text);
		}
	}
	return EX_OK;
}

/* --- the command line --- */

static const char help[] =
	"usage: mirror-head show [-f FIELD] [--json] [--timeout D]\n"
	"       mirror-head publish --owner NAME [--json] [--timeout D] < JSON-LINES\n"
	"       mirror-head claim --owner NAME [--json] [--timeout D]\n"
	"The record in Dropbox that says who may publish and what the newest snapshot is.\n"
	"\n"
	"  -f, --field FIELD  only the value of one field\n"
	"      --owner NAME   who publishes, or becomes the owner\n"
	"      --json         the record itself, on one line\n"
	"      --timeout D    give up after this time (ms, s, m, h, d)\n"
	"  -v, --verbose      narrate on standard error\n"
	"  -h, --help         this text\n"
	"  -V, --version      the version\n";

/* What getopt cannot know. NULL, or the fault as cli_usage says it. */
static const char *command_line_fault(const char *verb)
{
	bool showing = strcmp(verb, "show") == 0, publishing = strcmp(verb, "publish") == 0;
	bool known = field == NULL;

	if (!showing && !publishing && strcmp(verb, "claim") != 0)
		return "not show, publish or claim";
	if (showing && owner != NULL)
		return "takes no --owner";
	if (!showing && owner == NULL)
		return "needs --owner NAME";
	if (owner != NULL && !head_owner_valid(owner))
		return "--owner is 1 to 64 letters, digits and . _ -";
	if (!showing && field != NULL)
		return "takes no --field";
	if (field != NULL && as_json)
		return "--field or --json, not both";
	for (size_t i = 0; i < FIELDS && !known; i++)
		known = strcmp(field, fields[i]) == 0;
	if (!known)
		return "--field names no field of the record";
	if (publishing && isatty(STDIN_FILENO))
		return "reads JSON lines from standard input, which is a terminal";
	return NULL;
}

static int run(const char *verb)
{
	struct link l = { NULL, NULL };
	struct head next = { .epoch = 0 };
	int rc = strcmp(verb, "publish") == 0 ? read_snapshot(&next) : EX_OK;

	if (rc == EX_OK)
		rc = dropbox_begin(&l.dropbox, &l.http, timeout_ms);
	if (rc != EX_OK)
		goto out;
	if (strcmp(verb, "show") == 0)
		rc = show(&l);
	else
		rc = change(&l, strcmp(verb, "claim") == 0 ? want_claim : want_publish, &next);
out:
	dropbox_end(l.dropbox, l.http);
	return rc;
}

int main(int argc, char **argv)
{
	enum { OWNER = 256, JSON, TIMEOUT };
	static const struct option options[] = {
		{ "field", required_argument, NULL, 'f' }, { "owner", required_argument, NULL, OWNER },
		{ "json", no_argument, NULL, JSON }, { "timeout", required_argument, NULL, TIMEOUT },
		{ "verbose", no_argument, NULL, 'v' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' }, { NULL, 0, NULL, 0 },
	};
	const char *why = NULL;
	int opt;

	msg_init(argv[0]);
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":f:vhV", options, NULL)) != -1) {
		switch (opt) {
		case 'f': field = optarg; break;
		case OWNER: owner = optarg; break;
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
	if (argc - optind != 1)
		return cli_usage("one of show, publish and claim is needed");
	why = command_line_fault(argv[optind]);
	if (why != NULL)
		return cli_usage("%s: %s", argv[optind], why);
	stop_init();
	return cli_close(run(argv[optind]));
}
