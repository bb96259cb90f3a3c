/*
 * mirror-head - the record in Dropbox that says who may publish and what the newest snapshot is
 *
 *	mirror-head show [-n] [-f FIELD] [--json | --shell] [--timeout D]
 *	mirror-head publish --owner NAME [--json] [--timeout D] < JSON-LINES
 *	mirror-head claim --owner NAME [--json] [--timeout D]
 *	mirror-head settle --owner NAME [--from NAME] [--timeout D]
 *	mirror-head anew --owner NAME [--yes] [--json] [--timeout D]
 *	mirror-head wait --newer EPOCH.SEQ [--every D] [--timeout D]
 *
 * The record is only ever written by compare-and-swap on the revision that was read, so of two writers at
 * once one wins and the other looks again: (epoch, seq) never decreases, and a publication that began
 * before a change of owner cannot end after it. There is no expiry, because a human decides who serves,
 * and no comparison of times: the clocks of two hosts differ, and one may have been wrong.
 *
 * A record that cannot have become of the one that this host saw last is not believed (headseen.h), whatever the
 * command: somebody has deleted it or brought back an old one, and only a person knows who serves. `anew` is his word.
 */
#include "lib/std.h"

#include <getopt.h>
#include <unistd.h>

#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/dropbox/headseen.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/shell.h"
#include "lib/stop.h"

#define INPUT_MAX ((size_t)256 << 10)
#define RACES 8			/* lost one after the other, before we say try again later */

static const char *owner;	/* who publishes, or is to be the owner */
static const char *from;	/* of settle: only if this is the owner; NULL for whoever is */
static const char *field;	/* of show, NULL for all */
static int64_t newer_epoch = -1, newer_seq;	/* of wait; -1 for not given */
static int64_t every_ms = 60000;
static bool as_json, yes, dry;
static struct shell shell;	/* of show */
static int64_t timeout_ms;	/* 0 for none */

struct link {
	struct dropbox *dropbox;
	struct http *http;
};

/* --- the record as it is --- */

static int not_believed(const char *why)
{
	msg_err(HEADREG_PATH, "not believed: %s", why);
	msg_hint("somebody has removed it or put back an old one; when it is certain who serves: "
		 "mirror-head anew --owner NAME");
	return EX_DATAERR;
}

/* The record, if it can be believed. seen is what this host knew before. */
static int look(const struct link *l, struct headreg *seen, struct headreg *now)
{
	char why[HEADSEEN_WHY];
	int rc = headseen_load(seen);

	if (rc == EX_OK)
		rc = headreg_read(l->dropbox, l->http, now);
	if (rc == EX_OK && !headseen_believes(seen, now, why))
		rc = not_believed(why);
	if (rc == EX_OK && now->exists && !dry)
		rc = headseen_store(now);
	return rc;
}

/* The record, whatever it is, as long as it can be replaced. */
static int look_without_belief(const struct link *l, struct headreg *seen, struct headreg *now)
{
	int rc = headseen_load(seen);

	if (rc != EX_OK && rc != EX_DATAERR)
		return rc;
	rc = headreg_read(l->dropbox, l->http, now);
	return rc == EX_DATAERR && now->exists ? EX_OK : rc;
}

/* --- what each command wants --- */

enum verdict { WRITE, NOTHING_TO_DO, REFUSE };

static bool same_snapshot(const struct head *a, const struct head *b)
{
	return strcmp(a->path, b->path) == 0 && strcmp(a->rev, b->rev) == 0 && a->size == b->size &&
	       strcmp(a->content_hash, b->content_hash) == 0 && a->snapshot_at == b->snapshot_at &&
	       strcmp(a->verified, b->verified) == 0 && strcmp(a->not_judged, b->not_judged) == 0;
}

/* next comes with the snapshot and leaves with epoch, seq and owner. */
static enum verdict want_publish(const struct headreg *seen, const struct headreg *now, struct head *next)
{
	(void)seen;
	next->epoch = now->exists ? now->head.epoch : 1;
	next->seq = now->head.seq + 1;
	snprintf(next->owner, sizeof next->owner, "%s", owner);
	if (!now->exists)
		return WRITE;
	snprintf(next->more, sizeof next->more, "%s", now->head.more);
	if (strcmp(now->head.owner, owner) != 0) {
		msg_err(HEADREG_PATH, "%s is the owner since epoch %lld: %s must not publish", now->head.owner,
			(long long)now->head.epoch, owner);
		msg_hint("nothing was published; once %s no longer serves: mirror-head claim --owner %s",
			 now->head.owner, owner);
		return REFUSE;
	}
	return same_snapshot(&now->head, next) ? NOTHING_TO_DO : WRITE;
}

static enum verdict want_claim(const struct headreg *seen, const struct headreg *now, struct head *next)
{
	(void)seen;
	if (now->exists && strcmp(now->head.owner, owner) == 0)
		return NOTHING_TO_DO;
	*next = now->head;
	next->epoch++;
	snprintf(next->owner, sizeof next->owner, "%s", owner);
	return WRITE;
}

/* The host that serves is to be the owner; a record that is not there is nobody's to make. */
static enum verdict want_settle(const struct headreg *seen, const struct headreg *now, struct head *next)
{
	if (!now->exists || (from != NULL && strcmp(now->head.owner, from) != 0))
		return NOTHING_TO_DO;
	return want_claim(seen, now, next);
}

/* Above everything that was seen or is there, so that every host believes it; the snapshot is that of the newer of the two. */
static enum verdict want_anew(const struct headreg *seen, const struct headreg *now, struct head *next)
{
	const struct head *a = &seen->head, *b = &now->head;

	*next = a->epoch > b->epoch || (a->epoch == b->epoch && a->seq >= b->seq) ? *a : *b;
	next->epoch = (a->epoch > b->epoch ? a->epoch : b->epoch) + 1;
	next->seq = (a->seq > b->seq ? a->seq : b->seq) + 1;
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

static int answer(const char *verb, const struct headreg *r)
{
	if (as_json)
		return print_record(&r->head);
	if (strcmp(verb, "settle") == 0 && r->exists)
		puts(r->head.owner);
	return EX_OK;
}

typedef enum verdict want_fn(const struct headreg *seen, const struct headreg *now, struct head *next);

static int change(const struct link *l, const char *verb, want_fn *want, struct headreg *next)
{
	bool existed = false, won = false, anew = want == want_anew;
	struct headreg seen, now;
	int rc;

	for (int race = 0; race < RACES && !won; race++) {
		rc = anew ? look_without_belief(l, &seen, &now) : look(l, &seen, &now);
		if (rc != EX_OK)
			return rc;
		/* a record made anew would count from 1 again */
		if (existed && !now.exists) {
			msg_err(HEADREG_PATH, "was removed meanwhile");
			return EX_TEMPFAIL;
		}
		existed = now.exists;
		switch (want(&seen, &now, &next->head)) {
		case REFUSE:
			return EX_NOPERM;
		case NOTHING_TO_DO:
			msg_info("%s %s (epoch %lld, seq %lld)", HEADREG_PATH,
				 strcmp(now.head.owner, owner) == 0 ? "already says so" : "is left as it is",
				 (long long)now.head.epoch, (long long)now.head.seq);
			return answer(verb, &now);
		case WRITE:
			break;
		}
		if (next->head.epoch > HEAD_MOST || next->head.seq > HEAD_MOST) {
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
	msg_info("%s: epoch %lld, seq %lld, owner %s", HEADREG_PATH, (long long)next->head.epoch,
		 (long long)next->head.seq, next->head.owner);
	rc = anew ? headseen_replace(next) : headseen_store(next);
	return rc != EX_OK ? rc : answer(verb, next);
}

/* A record that this host cannot judge is replaced only by a person's word. */
static bool agreed(void)
{
	char line[16];

	if (yes)
		return true;
	fprintf(stderr, "Is it certain that %s serves, and nobody else? Its data will be taken for the newest. [yes/NO] ", owner);
	return fgets(line, sizeof line, stdin) != NULL && strcmp(line, "yes\n") == 0;
}

/* Until a record with a greater (epoch, seq) is there. What may pass is waited for, too. */
static int wait_for_newer(void)
{
	int64_t end = timeout_ms > 0 ? clock_ms() + timeout_ms : INT64_MAX;

	for (;;) {
		struct link l = { NULL, NULL };
		struct headreg seen, now = { .exists = false };
		int64_t left = end - clock_ms();
		int rc = dropbox_begin(&l.dropbox, &l.http, left < every_ms && left > 0 ? left : every_ms);

		if (rc == EX_OK)
			rc = look(&l, &seen, &now);
		dropbox_end(l.dropbox, l.http);
		if (rc == EX_DATAERR || rc == EX_NOPERM || rc == EX_CONFIG)
			return rc;
		if (rc == EX_OK && now.exists && (now.head.epoch > newer_epoch ||
						  (now.head.epoch == newer_epoch && now.head.seq > newer_seq)))
			return as_json ? print_record(&now.head) : EX_OK;
		left = end - clock_ms();
		if (left > 0)
			clock_sleep(left < every_ms ? left : every_ms);
		if (stop_asked() || clock_ms() >= end) {
			msg_err(HEADREG_PATH, "nothing newer than number %lld.%lld", (long long)newer_epoch,
				(long long)newer_seq);
			return EX_TEMPFAIL;
		}
	}
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
				      "snapshot_at", "page_size", "page_count", "verified", "not_judged",
				      /* of --shell alone */ "size_text", NULL };
#define FIELDS (sizeof fields / sizeof *fields - 2)

static const char *value(const struct head *h, size_t i, char *buf, size_t size)
{
	const char *const texts[FIELDS] = { [1] = h->owner, [3] = h->nonce, [4] = h->path, [5] = h->rev,
					    [7] = h->content_hash, [11] = h->verified,
					    [12] = h->not_judged[0] != '\0' ? h->not_judged : "[]" };
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
	struct headreg seen, now;
	int rc = look(l, &seen, &now);
	char buf[32];

	if (rc != EX_OK)
		return rc;
	if (!now.exists) {
		msg_err(HEADREG_PATH, "not found in Dropbox");
		return EX_NOINPUT;
	}
	if (as_json)
		return print_record(&now.head);
	if (shell_asked(&shell) && now.head.path[0] != '\0')
		shell_size(&shell, "size_text", (uint64_t)now.head.size);
	for (size_t i = 0; i < FIELDS; i++) {
		const char *text = value(&now.head, i, buf, sizeof buf);

		if (shell_asked(&shell)) {
			shell_set(&shell, fields[i], text);
		} else if (field == NULL) {
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
	"usage: mirror-head show [-n] [-f FIELD] [--json | --shell] [--timeout D]\n"
	"       mirror-head publish --owner NAME [--json] [--timeout D] < JSON-LINES\n"
	"       mirror-head claim --owner NAME [--json] [--timeout D]\n"
	"       mirror-head settle --owner NAME [--from NAME] [--json] [--timeout D]\n"
	"       mirror-head anew --owner NAME [-y] [--json] [--timeout D]\n"
	"       mirror-head wait --newer EPOCH.SEQ [--every D] [--json] [--timeout D]\n"
	"The record in Dropbox that says who may publish and what the newest snapshot is.\n"
	"\n"
	"  -n, --dry-run      remember nothing of what is read\n"
	"  -f, --field FIELD  only the value of one field\n"
	"      --owner NAME   who publishes, or becomes the owner\n"
	"      --from NAME    only if this host is the owner now\n"
	"  -y, --yes          replace a record that is not believed without asking\n"
	"      --newer E.S    wait until epoch and seq are greater than these\n"
	"      --every D      look so often (default 60s)\n"
	"      --json         the record itself, on one line\n"
	"      --shell[=PREFIX]  of show: assignments for a shell\n"
	"      --timeout D    give up after this time (ms, s, m, h, d)\n"
	"  -v, --verbose      narrate on standard error\n"
	"  -h, --help         this text\n"
	"  -V, --version      the version\n";

/* `EPOCH.SEQ`. NULL, or the fault. */
static const char *read_place(char *s)
{
	char *dot = strchr(s, '.');
	uint64_t epoch = 0, seq = 0;
	bool good = dot != NULL;

	if (good) {
		*dot = '\0';
		good = num_u64(s, 0, HEAD_MOST, &epoch) == NULL && num_u64(dot + 1, 0, HEAD_MOST, &seq) == NULL;
		*dot = '.';
	}
	newer_epoch = (int64_t)epoch;
	newer_seq = (int64_t)seq;
	return good ? NULL : "not EPOCH.SEQ";
}

static const struct verb {
	const char *name;
	want_fn *want;		/* NULL: it writes nothing */
	bool owner, from, field, yes, newer, input;
} verbs[] = {
	{ "show", .field = true },
	{ "publish", .want = want_publish, .owner = true, .input = true },
	{ "claim", .want = want_claim, .owner = true },
	{ "settle", .want = want_settle, .owner = true, .from = true },
	{ "anew", .want = want_anew, .owner = true, .yes = true },
	{ "wait", .newer = true },
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(name, verbs[i].name) == 0)
			return &verbs[i];
	return NULL;
}

/* What getopt cannot know. NULL, or the fault as cli_usage says it. */
static const char *command_line_fault(const struct verb *v)
{
	bool known = field == NULL;

	if (v == NULL)
		return "not show, publish, claim, settle, anew or wait";
	if (!v->owner && owner != NULL)
		return "takes no --owner";
	if (v->owner && owner == NULL)
		return "needs --owner NAME";
	if (owner != NULL && !head_owner_valid(owner))
		return "--owner is 1 to 64 letters, digits and . _ -";
	if (!v->from && from != NULL)
		return "takes no --from";
	if (!v->field && field != NULL)
		return "takes no --field";
	if (!v->field && dry)
		return "takes no --dry-run";
	if (!v->yes && yes)
		return "takes no --yes";
	if (v->newer != (newer_epoch >= 0))
		return v->newer ? "needs --newer EPOCH.SEQ" : "takes no --newer";
	if ((field != NULL) + as_json + shell_asked(&shell) > 1)
		return "--field, --json or --shell, not both";
	if (shell_asked(&shell) && !v->field)
		return "--shell is for show";
	for (size_t i = 0; i < FIELDS && !known; i++)
		known = strcmp(field, fields[i]) == 0;
	if (!known)
		return "--field names no field of the record";
	if (v->input && isatty(STDIN_FILENO))
		return "reads JSON lines from standard input, which is a terminal";
	if (v->yes && !yes && (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)))
		return "needs --yes, for nobody can be asked here";
	return NULL;
}

static int run(const struct verb *v)
{
	struct link l = { NULL, NULL };
	struct headreg next = { .exists = false };
	int rc = v->input ? read_snapshot(&next.head) : EX_OK;

	if (v->newer)
		return wait_for_newer();
	if (v->yes && !agreed()) {
		msg_err(HEADREG_PATH, "left as it is");
		return EX_NOPERM;
	}
	if (rc == EX_OK)
		rc = dropbox_begin(&l.dropbox, &l.http, timeout_ms);
	if (rc == EX_OK)
		rc = v->want != NULL ? change(&l, v->name, v->want, &next) : show(&l);
	dropbox_end(l.dropbox, l.http);
	return rc;
}

int main(int argc, char **argv)
{
	enum { OWNER = 256, SHELL, FROM, NEWER, EVERY, JSON, TIMEOUT };
	static const struct option options[] = {
		{ "dry-run", no_argument, NULL, 'n' }, { "field", required_argument, NULL, 'f' }, { "owner", required_argument, NULL, OWNER },
		{ "from", required_argument, NULL, FROM }, { "yes", no_argument, NULL, 'y' },
		{ "newer", required_argument, NULL, NEWER }, { "every", required_argument, NULL, EVERY },
		{ "shell", optional_argument, NULL, SHELL },
		{ "json", no_argument, NULL, JSON }, { "timeout", required_argument, NULL, TIMEOUT },
		{ "verbose", no_argument, NULL, 'v' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' }, { NULL, 0, NULL, 0 },
	};
	const struct verb *verb;
	const char *why = NULL;
	int opt;

	msg_init(argv[0]);
	shell.names = fields;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":nf:yvhV", options, NULL)) != -1) {
		switch (opt) {
		case 'f': field = optarg; break;
		case 'n': dry = true; break;
		case 'y': yes = true; break;
		case OWNER: owner = optarg; break;
		case FROM: from = optarg; break;
		case NEWER: why = read_place(optarg); break;
		case EVERY: why = num_duration(optarg, &every_ms); break;
		case SHELL: why = shell_ask(&shell, optarg); break;
		case JSON: as_json = true; break;
		case TIMEOUT: why = num_duration(optarg, &timeout_ms); break;
		case 'v': msg_verbose = true; break;
		case 'h': return cli_help(help);
		case 'V': return cli_version();
		default: return cli_bad_option(opt, argv);
		}
		if (why != NULL)
			return cli_usage("%s: %s", optarg != NULL ? optarg : "", why);
	}
	if (argc - optind != 1)
		return cli_usage("one of show, publish, claim, settle, anew and wait is needed");
	verb = find_verb(argv[optind]);
	why = command_line_fault(verb);
	if (why != NULL)
		return cli_usage("%s: %s", argv[optind], why);
	stop_init();
	return shell_end(&shell, cli_close(run(verb)));
}
