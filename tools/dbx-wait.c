/*
 * dbx-wait [-t DURATION] [--not REV] [--shell] REMOTE - wait until a file in Dropbox is another one
 *
 * A program that follows a file waits here rather than ask every few seconds: Dropbox keeps its answer back (longpoll) until
 * something changes in the file's folder. The cursor from which it is asked is always taken before the file is
 * looked at, so that no change falls between the two; and the file is looked at now and then whatever is said.
 */
#include "lib/std.h"

#include <unistd.h>

#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/dropbox/dropbox.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/option.h"
#include "lib/shell.h"
#include "lib/stop.h"

#define POLL_S 120	/* one longpoll, 30 to 480; Dropbox adds up to 90, to spread its clients */
#define SPREAD_MS INT64_C(95000)
#define BACKOFF_MOST 3600	/* seconds; the longest pause that Dropbox may ask for */

static int64_t timeout_ms;	/* 0: for ever */
static const char *known;	/* the revision that is not waited for; NULL: any is good */
static const char *remote;
static const char *const names[] = {
	"path", "rev", "size", "size_text", "content_hash", "client_modified", "server_modified", "id", NULL,
};
static struct shell answer = { .names = names };

static const struct option_row options[] = {
	{ 't', "timeout", "DURATION", option_positive, &timeout_ms, "give up after this" },
	{ 0, "not", "REV", dropbox_take_rev, &known, "wait for another revision than this; default: for any" },
	{ 0, "shell", "[=PREFIX]", option_shell, &answer, "what the file is now, as assignments for a shell" },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};

static const struct command command = {
	.usage = "[-t DURATION] [--not REV] [--shell] REMOTE",
	.about = "Wait until the file REMOTE in Dropbox is there, or is another revision; print it.",
	.options = options,
	.operands = { 1, 1, "one REMOTE is needed", dropbox_path_fault },
};

/* The watch on a folder: its connection, and where the last look at it ended. */
struct watch {
	struct dropbox *dropbox;
	struct http *http;
	json *cursor;		/* {"cursor":...} of the folder before the last look; NULL without one */
	struct retry pace;
	int64_t end;		/* on clock_ms, when to give up */
};

/* A pause, but never beyond the end. */
static void rest(const struct watch *w, int64_t ms)
{
	int64_t left = w->end - clock_ms();

	clock_sleep(ms < left ? ms : left > 0 ? left : 0);
}

/* Takes the cursor of REMOTE's folder, not recursive; none while there is no such folder. */
static int take_cursor(struct watch *w)
{
	json *arg = json_object();
	struct dropbox_call c = { .style = DROPBOX_RPC, .route = "files/list_folder/get_latest_cursor", .arg = arg };
	char *folder = strndup(remote, (size_t)(strrchr(remote, '/') - remote));
	struct dropbox_answer a;
	const char *text;
	int rc;

	if (folder == NULL)
		abort();
	json_put_str(arg, "path", folder);
	json_put_bool(arg, "recursive", false);
	dropbox_do(w->dropbox, w->http, &c, &a);
	rc = a.rc;
	text = json_str(a.body, "cursor");
	json_free(w->cursor);
	w->cursor = NULL;
	if (rc == EX_OK && text != NULL) {
		w->cursor = json_object();
		json_put_str(w->cursor, "cursor", text);
	} else if (rc == EX_OK) {
		msg_err(remote, "the answer has no cursor");
		rc = EX_PROTOCOL;
	} else if (rc == EX_NOINPUT) {
		rc = EX_OK;
	} else {
		dropbox_report(remote, &a);
	}
	dropbox_answer_free(&a);
	json_free(arg);
	free(folder);
	return rc;
}

static void print_answer(const struct dropbox_meta *m)
{
	if (!shell_asked(&answer)) {
		puts(m->rev);
		return;
	}
	shell_size(&answer, "size_text", (uint64_t)m->size);
	json_answer(dropbox_meta_json(m), false, &answer);
}

/* Is another revision there? Printed then. EX_OK, EX_NOINPUT when there is none (silent), or an exit status. */
static int look(struct watch *w)
{
	struct dropbox_meta m;
	int rc = dropbox_metadata(w->dropbox, w->http, remote, &m);

	if (rc == EX_OK && m.kind != 'f') {
		msg_err(remote, "a folder, and only a file is waited for");
		rc = EX_DATAERR;
	} else if (rc == EX_OK && known != NULL && strcmp(m.rev, known) == 0) {
		rc = EX_NOINPUT;
	} else if (rc == EX_OK) {
		print_answer(&m);
	}
	dropbox_meta_free(&m);
	return rc;
}

/* Until something changes in the folder, or for a while. EX_OK: it is worth a look. */
static int wait_for_change(struct watch *w)
{
	struct dropbox_call c = { .style = DROPBOX_NOTIFY, .route = "files/list_folder/longpoll", .arg = w->cursor,
				  .hold_ms = POLL_S * 1000 + SPREAD_MS };
	struct dropbox_answer a;
	int64_t backoff = 0;
	int rc = EX_OK;

	if (w->cursor == NULL) {
		rest(w, POLL_S * 1000);
		return EX_OK;
	}
	json_remove(w->cursor, "timeout");
	json_put_int(w->cursor, "timeout", POLL_S);
	dropbox_try(w->dropbox, w->http, &c, &a);
	if (a.rc == EX_OK) {
		retry_progress(&w->pace);
		json_int(a.body, "backoff", 1, BACKOFF_MOST, &backoff);
		msg_info("%s", json_bool(a.body, "changes", true) ? "something has changed" : "nothing has changed");
	} else if (strcmp(a.tag, "reset") == 0) {
		/* a new cursor is taken for the next try, of which there is not an endless number */
		a.again = true;
	}
	if (a.rc != EX_OK && !dropbox_again(&w->pace, &a))
		rc = dropbox_report(remote, &a);
	dropbox_answer_free(&a);
	/* the backoff is the time for which Dropbox wants no further longpoll */
	rest(w, backoff * 1000);
	return rc;
}

static int wait_for_file(void)
{
	struct watch w = { .end = timeout_ms > 0 ? clock_ms() + timeout_ms : INT64_MAX };
	int rc = dropbox_begin(&w.dropbox, &w.http, timeout_ms);
	char text[NUM_TEXT];

	if (rc == EX_OK)
		w.pace = dropbox_pace(w.dropbox);
	while (rc == EX_OK && (rc = take_cursor(&w)) == EX_OK && (rc = look(&w)) == EX_NOINPUT) {
		rc = wait_for_change(&w);
		if (rc == EX_OK && clock_ms() >= w.end) {
			msg_err(remote, "no other revision within %s", num_duration_text(text, timeout_ms));
			rc = EX_TEMPFAIL;
		} else if (rc == EX_OK && stop_asked()) {
			msg_err(remote, "interrupted");
			rc = EX_TEMPFAIL;
		}
	}
	json_free(w.cursor);
	dropbox_end(w.dropbox, w.http);
	return rc;
}

int main(int argc, char **argv)
{
	int rc;

	msg_init(argv[0]);
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	remote = argv[optind];
	stop_init();
	return shell_end(&answer, cli_close(wait_for_file()));
}
