/*
 * mirror-head - the record in Dropbox that says who may publish, what the newest snapshot is, and which change came last
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

#include <unistd.h>

#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/dropbox/headdraft.h"
#include "lib/dropbox/headfields.h"
#include "lib/dropbox/headwait.h"
#include "lib/dropbox/headwrite.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/option.h"
#include "lib/shell.h"
#include "lib/stop.h"

#define EVERY_MS 60000		/* of wait */

static struct head_wish wish;
static struct {
	const char *field;		/* of show, NULL for all */
	const char *object, *confirm;	/* of publish --confirm */
	const char *draft;		/* of publish and show: the file with the lines; NULL: standard input, the record */
	const char *append;		/* of show: a file that the record is appended to, or NULL */
	int64_t newer_epoch, newer_seq;	/* of wait; -1 for not given */
	int64_t every_ms, pace_ms;	/* 0: not given */
	const char *why;		/* of the pace, or NULL */
	int64_t timeout_ms;		/* 0 for none */
	uint64_t suspect;		/* 0: not given */
	bool change, clear, json, yes, dry;
	struct shell shell;		/* of show and publish */
} opt = { .newer_epoch = -1 };

/* --- what becomes of it --- */

/* With what Dropbox says of it besides, as far as that is known. */
static int print_record(const struct headreg *r)
{
	json *j = head_json(&r->head);
	char at[CLOCK_TEXT], *text;

	if (r->server_modified != 0)
		json_put_str(j, "server_modified", clock_text(at, r->server_modified));
	if (r->asked_at != 0)
		json_put_str(j, "asked_at", clock_text(at, r->asked_at));
	text = json_text(j);
	puts(text);
	free(text);
	json_free(j);
	return EX_OK;
}

static int answer(const char *verb, const struct headreg *r)
{
	const struct headreg as_written = { .head = r->head };

	if (opt.json)
		return print_record(&as_written);
	if (shell_asked(&opt.shell))
		headfield_list(&as_written, &opt.shell);
	if (strcmp(verb, "settle") == 0 && r->exists)
		puts(r->head.owner);
	return EX_OK;
}

/* A record that this host cannot judge is replaced only by a person's word. */
static bool agreed(void)
{
	char line[16];

	if (opt.yes)
		return true;
	fprintf(stderr, "Is it certain that %s serves, and nobody else? Its data will be taken for the newest. [yes/NO] ",
		wish.owner);
	return fgets(line, sizeof line, stdin) != NULL && strcmp(line, "yes\n") == 0;
}

/* Until a record with a greater (epoch, seq) is there. */
static int wait_for_newer(void)
{
	struct headreg now;
	int rc = headwait_newer(opt.newer_epoch, opt.newer_seq, opt.every_ms > 0 ? opt.every_ms : EVERY_MS, opt.timeout_ms, &now);

	return rc == EX_OK && opt.json ? print_record(&now) : rc;
}

/* --- show --- */

/* The draft: what the nightly job has gathered of the next publication, and the epoch in which it began. */
static int show_draft(void)
{
	json *draft;
	int64_t size;
	int rc = headdraft_known(opt.draft, &draft);

	if (json_int(draft, "size", 0, INT64_MAX, &size))
		shell_size(&opt.shell, "size_text", (uint64_t)size);
	if (rc == EX_OK)
		json_answer(draft, !shell_asked(&opt.shell), &opt.shell);
	return rc;
}

/* As a line of a file that begins a draft. */
static int append_record(const struct head *h)
{
	json *j = head_json(h);
	int rc = json_append(j, opt.append);

	json_free(j);
	return rc;
}

static int show(const struct headwrite *l)
{
	char buf[HEADFIELD_TEXT];
	struct headreg seen, now;
	int rc = headwrite_look(l, &seen, &now);

	if (rc == EX_OK && !now.exists) {
		/* no complaint to a script, which has the exit status: before the first night there is no record */
		if (shell_asked(&opt.shell))
			msg_info("%s: not found in Dropbox", HEADREG_PATH);
		else
			msg_err(HEADREG_PATH, "not found in Dropbox");
		rc = EX_NOINPUT;
	}
	if (rc == EX_OK)
		rc = append_record(&now.head);
	if (rc != EX_OK)
		return rc;
	if (opt.json)
		return print_record(&now);
	if (opt.field != NULL) {
		const char *text = headfield_value(&now, headfield_find(opt.field), buf);

		if (*text != '\0')
			puts(text);
		else
			msg_err(HEADREG_PATH, "no %s: nothing has been published yet", opt.field);
		return *text != '\0' ? EX_OK : EX_NOINPUT;
	}
	headfield_list(&now, &opt.shell);
	return EX_OK;
}

/* --- the command line --- */

/* `EPOCH.SEQ` */
static const char *take_place(const char *text, void *to)
{
	char first[24];
	size_t len = strcspn(text, ".");
	uint64_t epoch, seq;

	(void)to;
	snprintf(first, sizeof first, "%.*s", (int)(len < sizeof first ? len : 0), text);
	if (text[len] != '.' || num_u64(first, 0, HEAD_MOST, &epoch) != NULL || num_u64(text + len + 1, 0, HEAD_MOST, &seq) != NULL)
		return "not EPOCH.SEQ";
	opt.newer_epoch = (int64_t)epoch;
	opt.newer_seq = (int64_t)seq;
	return NULL;
}

static const char *take_confirm(const char *text, void *to)
{
	(void)to;
	opt.confirm = text;
	return strcmp(text, "null") == 0 ? NULL : clock_parse(text, &wish.confirmed_at);
}

static const struct option_row options[] = {
	{ 'n', "dry-run", NULL, option_flag, &opt.dry, "remember nothing of what is read" },
	{ 'f', "field", "FIELD", option_text, &opt.field, "only the value of one field" },
	{ 0, "owner", "NAME", option_text, &wish.owner, "who publishes, or becomes the owner" },
	{ 0, "from", "NAME", option_text, &wish.from, "only if this host is the owner now" },
	{ 0, "change", NULL, option_flag, &opt.change, "publish the next state of the chain" },
	{ 0, "confirm", "TIME", take_confirm, NULL, "nothing newer existed at TIME; null: nobody looks any more" },
	{ 0, "object", "HASH", option_text, &opt.object, "of the state that is confirmed" },
	{ 0, "suspect", "N", option_number, &(struct option_range){ &opt.suspect, 1, (uint64_t)HEAD_MOST },
	  "from state N on the data may be damaged" },
	{ 0, "clear", NULL, option_flag, &opt.clear, "they are not" },
	{ 0, "pace", "D", option_positive, &opt.pace_ms, "how often the owner looks for changes now" },
	{ 0, "why", "WORDS", option_text, &opt.why, "why no more often" },
	{ 'y', "yes", NULL, option_flag, &opt.yes, "replace a record that is not believed without asking" },
	{ 0, "newer", "E.S", take_place, NULL, "wait until epoch and seq are greater than these" },
	{ 0, "every", "D", option_positive, &opt.every_ms, "look so often (default 60s)" },
	{ 0, "draft", "FILE", option_text, &opt.draft, "what is to be published: read it from there, or show it" },
	{ 0, "append", "FILE", option_text, &opt.append, "append the record to FILE, as a line" },
	{ 0, "json", NULL, option_flag, &opt.json, "the record itself, on one line" },
	{ 0, "shell", "[=PREFIX]", option_shell, &opt.shell, "of show and publish: assignments for a shell" },
	{ 0, "timeout", "D", option_duration, &opt.timeout_ms, "give up after this time (ms, s, m, h, d)" },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};

static const struct command command = {
	.usage = "show [-n] [-f FIELD] [--json | --shell] [--append FILE] [--timeout D]\n"
		 "show --draft FILE [--json | --shell]\n"
		 "publish --owner NAME [--draft FILE | --change] [--json | --shell]\n"
		 "           [--timeout D] < JSON-LINES\n"
		 "publish --owner NAME (--confirm TIME --object HASH |\n"
		 "           --confirm null | --suspect N WHY | --clear |\n"
		 "           --pace D [--why WORDS])\n"
		 "claim --owner NAME [--json] [--timeout D]\n"
		 "settle --owner NAME [--from NAME] [--json] [--timeout D]\n"
		 "anew --owner NAME [-y] [--json] [--timeout D]\n"
		 "wait --newer EPOCH.SEQ [--every D] [--json] [--timeout D]",
	.about = "The record in Dropbox that says who may publish, what the newest snapshot is, and which\n"
		 "change came last.",
	.options = options,
};

static const struct verb {
	const char *name;
	head_move *move;	/* NULL: it writes nothing */
	bool owner, from, field, yes, newer, publish;
} verbs[] = {
	{ "show", .field = true },
	{ "publish", .move = head_move_publish, .owner = true, .publish = true },
	{ "claim", .move = head_move_claim, .owner = true },
	{ "settle", .move = head_move_settle, .owner = true, .from = true },
	{ "anew", .move = head_move_anew, .owner = true, .yes = true },
	{ "wait", .newer = true },
};

/* Which of the things that publish does is meant. */
static head_move *meant(const struct verb *v)
{
	if (opt.change)
		return head_move_change;
	if (opt.confirm != NULL)
		return head_move_confirm;
	if (opt.suspect != 0 || opt.clear)
		return head_move_suspect;
	if (opt.pace_ms != 0)
		return head_move_pace;
	return v->move;
}

static bool reads_input(const struct verb *v)
{
	return meant(v) == head_move_publish || meant(v) == head_move_change;
}

/* Faults that no single row of the option table can find. NULL, or the fault as cli_usage says it. */
static const char *command_line_fault(const struct verb *v, const char *operand)
{
	int kinds = opt.change + (opt.confirm != NULL) + (opt.suspect != 0) + opt.clear;

	if (v == NULL)
		return "not show, publish, claim, settle, anew or wait";
	if (!v->owner && wish.owner != NULL)
		return "takes no --owner";
	if (v->owner && wish.owner == NULL)
		return "needs --owner NAME";
	if (wish.owner != NULL && !head_owner_valid(wish.owner))
		return "--owner is 1 to 64 letters, digits and . _ -";
	if (!v->from && wish.from != NULL)
		return "takes no --from";
	if (!v->field && opt.field != NULL)
		return "takes no --field";
	if (!v->field && opt.dry)
		return "takes no --dry-run";
	if (opt.draft != NULL && (v->field ? opt.field != NULL || opt.dry || opt.append != NULL : !v->publish || kinds > 0))
		return "takes no --draft with that";
	if (opt.append != NULL && !v->field)
		return "takes no --append";
	if (!v->yes && opt.yes)
		return "takes no --yes";
	if (!v->publish && (kinds > 0 || opt.object != NULL || opt.pace_ms != 0))
		return "takes none of publish's options";
	if (kinds > 1)
		return "--change, --confirm, --suspect and --clear exclude each other";
	if ((operand != NULL) != (opt.suspect != 0))
		return operand != NULL ? "takes no operand" : "--suspect N needs a reason";
	if ((wish.confirmed_at != 0) != (opt.object != NULL))
		return "--confirm TIME and --object HASH go together";
	if (opt.pace_ms != 0 && (opt.suspect != 0 || opt.clear))
		return "--pace goes with --change and --confirm, or alone";
	if (opt.why != NULL && (opt.pace_ms == 0 || strlen(opt.why) >= HEAD_PACE))
		return opt.pace_ms == 0 ? "--why is of --pace" : "--why is too long";
	if (opt.object != NULL && !hash_valid(opt.object))
		return "--object is a content_hash";
	if (!v->newer && opt.every_ms != 0)
		return "takes no --every";
	if (v->newer != (opt.newer_epoch >= 0))
		return v->newer ? "needs --newer EPOCH.SEQ" : "takes no --newer";
	if ((opt.field != NULL) + opt.json + shell_asked(&opt.shell) > 1)
		return "--field, --json or --shell, not both";
	if (shell_asked(&opt.shell) && !v->field && !v->publish)
		return "--shell is for show and publish";
	if (opt.field != NULL && headfield_find(opt.field) < 0)
		return "--field names no field of the record";
	if (v->move != NULL && reads_input(v) && opt.draft == NULL && isatty(STDIN_FILENO))
		return "reads JSON lines from standard input, which is a terminal";
	if (v->yes && !opt.yes && (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)))
		return "needs --yes, for nobody can be asked here";
	return NULL;
}

static int run(const struct verb *v)
{
	struct headwrite l = { .dry = opt.dry, .wish = &wish };
	struct headreg is = { .exists = false };
	int rc = v->move != NULL && reads_input(v) ? headdraft_read(opt.draft, opt.change, &wish) : EX_OK;

	if (v->newer)
		return wait_for_newer();
	if (v->field && opt.draft != NULL)
		return show_draft();
	if (v->yes && !agreed()) {
		msg_err(HEADREG_PATH, "left as it is");
		return EX_NOPERM;
	}
	if (rc == EX_OK)
		rc = dropbox_begin(&l.dropbox, &l.http, opt.timeout_ms);
	if (rc == EX_OK && opt.change)
		rc = headwrite_object(&l, &wish.state, &wish.change);
	if (rc == EX_OK && v->move == NULL)
		rc = show(&l);
	else if (rc == EX_OK && (rc = headwrite_move(&l, meant(v), &is)) == EX_OK)
		rc = answer(v->name, &is);
	dropbox_end(l.dropbox, l.http);
	return rc;
}

int main(int argc, char **argv)
{
	const struct verb *verb = NULL;
	const char *why;
	int rc;

	msg_init(argv[0]);
	opt.shell.names = headfield_names();
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	argc -= optind;
	argv += optind;
	if (argc < 1 || argc > (opt.suspect != 0 ? 2 : 1))
		return cli_usage("one of show, publish, claim, settle, anew and wait is needed");
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs && verb == NULL; i++)
		if (strcmp(argv[0], verbs[i].name) == 0)
			verb = &verbs[i];
	why = command_line_fault(verb, argv[1]);
	if (why != NULL)
		return cli_usage("%s: %s", argv[0], why);
	wish.suspect_n = (int64_t)opt.suspect;
	wish.pace_s = (opt.pace_ms + 999) / 1000;
	wish.pace_why = opt.why != NULL ? opt.why : "";
	wish.suspect_why = argv[1] != NULL ? argv[1] : "";
	snprintf(wish.state.object, sizeof wish.state.object, "%s", opt.object != NULL ? opt.object : "");
	stop_init();
	return shell_end(&opt.shell, cli_close(run(verb)));
}
