/*
 * mirror-role - what this host is: primary, standby, or active, a standby that serves in place of the primary
 *
 *	mirror-role show [--shell]
 *	mirror-role check [--json | --as ID | --shell]
 *	mirror-role set WORD
 *	mirror-role mark [--served]
 *	mirror-role leave NAME [TEXT]
 *	mirror-role left NAME
 *
 * The role is one word in a file, the old or the new one after any crash. A host that becomes active keeps the time of
 * its data first: to serve gives the database a new time, and it lacks what was entered on the primary all the same.
 * Both happen under role.lock, which a download holds while it replaces the database: whichever is first, the other
 * sees what it did.
 *
 * Work in Dropbox that a change of roles could not do, because Dropbox is away, becomes an entry of wanted/, for settle.sh.
 */
#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/check.h"
#include "lib/cli.h"
#include "lib/dataof.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/news.h"
#include "lib/option.h"
#include "lib/settings.h"
#include "lib/settingtable.h"
#include "lib/shell.h"
#include "lib/stop.h"

#define LOCK_WAIT_MS 60000	/* it is held for moments */

static const char *const names[] = { CHECK_NAMES, "role", "hint", NULL };
static const char set_it[] = "mirror-role set standby, if that is what this host is";
static struct check_form form = { .shell.names = names };
static bool served;
static char *role_file, *role_lock, *wanted_dir, *code_note;

/* The role of this name, or NULL. */
static const char *role_of(const char *word)
{
	static const char *const roles[] = { "standby", "active", "primary" };

	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
		if (strcmp(word, roles[i]) == 0)
			return roles[i];
	return NULL;
}

/* NULL without a role file: a standby that was never told so. EX_OK, EX_CONFIG for what is no role (reported). */
static int read_role(const char **role)
{
	struct buf text = BUF_INIT(256);
	struct stat st;
	int rc = EX_CONFIG;

	*role = NULL;
	if (lstat(role_file, &st) != 0 && errno == ENOENT)
		return EX_OK;
	if (file_slurp(role_file, &text) == EX_OK) {
		char *word = text.len > 0 ? text.data : (char[]){ "" };

		word[strcspn(word, " \t\r\n")] = '\0';
		*role = role_of(word);
		if (*role != NULL) {
			rc = EX_OK;
		} else {
			msg_err(role_file, "%s: neither standby, active nor primary", word);
			msg_hint("%s", set_it);
		}
	}
	buf_free(&text);
	return rc;
}

static int show(void)
{
	const char *role;
	int rc = read_role(&role);

	shell_set(&form.shell, "role", role);
	if (rc == EX_OK && role != NULL && !shell_asked(&form.shell))
		puts(role);
	return shell_end(&form.shell, rc);
}

/* May this host take over? */
static int check(void)
{
	struct check c;
	const char *role;
	int rc;

	check_init(&c, "ROLE", role_file, &form);
	rc = read_role(&role);
	check_text(&c, "role", role);
	check_text(&c, "hint", rc != EX_OK || (role != NULL && strcmp(role, "primary") == 0) ? set_it : NULL);
	if (rc != EX_OK)
		return check_done(&c, STATE_UNKNOWN, "%s: names no role", role_file);
	if (role != NULL && strcmp(role, "primary") == 0)
		return check_done(&c, STATE_CRITICAL, "%s: this is the primary; a failover is for the standby", role_file);
	return check_done(&c, STATE_OK, "the role is %s", role != NULL ? role : "standby");
}

/* Takes role.lock, which goes with the process. */
static int take_lock(void)
{
	int fd;
	const char *cause = file_open_plain(role_lock, O_RDWR | O_CREAT, 0660, &fd);

	if (cause != NULL) {
		msg_err(role_lock, "cannot open: %s", cause);
		return EX_CANTCREAT;
	}
	if (!file_lock_wait(fd, LOCK_WAIT_MS)) {
		msg_err(role_lock, stop_asked() ? "interrupted" : "held for a minute");
		return stop_asked() ? EX_TEMPFAIL : EX_CANTCREAT;
	}
	return EX_OK;
}

static int set(const char *word)
{
	const char *was;
	char line[32];
	int rc = take_lock();

	if (rc != EX_OK)
		return rc;
	/* a file that holds no role is replaced all the same */
	if (read_role(&was) != EX_OK)
		was = NULL;
	if (strcmp(word, "active") == 0 && (was == NULL || strcmp(was, "active") != 0))
		rc = dataof_keep(setting("state"), setting("live"), served);
	snprintf(line, sizeof line, "%s\n", word);
	if (rc == EX_OK)
		rc = file_replace(role_file, 0644, line, strlen(line));
	/* a proof's request to go back to an older commit is for a standby; under this lock no new one can come */
	if (rc == EX_OK && strcmp(word, "active") == 0)
		unlink(code_note);
	if (rc == EX_OK)
		news_tell(setting("state"));
	return rc;
}

static int mark(void)
{
	int rc = take_lock();

	return rc == EX_OK ? dataof_keep(setting("state"), setting("live"), served) : rc;
}

/* --- what is left to be done --- */

/* Is it the name of an entry of wanted/, and not of an unfinished file that a crash left there? */
static bool is_entry(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len < 64 && *name != '.' && strchr(name, '/') == NULL &&
	       (len < 4 || strcmp(name + len - 4, ".tmp") != 0);
}

/* The entry is there, with this text, or as it was. */
static int leave(const char *name, const char *text)
{
	char *path, *line;
	int rc = EX_CANTCREAT;

	if (asprintf(&path, "%s/%s", wanted_dir, name) < 0 || asprintf(&line, "%s%s", text, *text != '\0' ? "\n" : "") < 0)
		abort();
	if (mkdir(wanted_dir, 0777) != 0 && errno != EEXIST)
		msg_errno(wanted_dir, "cannot create");
	else
		rc = file_replace(path, 0640, line, strlen(line));
	free(line);
	free(path);
	return rc;
}

static int left(const char *name)
{
	struct buf text = BUF_INIT(4096);
	char *path;
	int rc;

	if (asprintf(&path, "%s/%s", wanted_dir, name) < 0)
		abort();
	rc = file_slurp(path, &text);
	if (rc == EX_OK)
		fputs(buf_text(&text), stdout);
	buf_free(&text);
	free(path);
	return rc;
}

/* --- the command line --- */

static bool is_verb(char **words, int count, const char *verb, int wanted)
{
	return count == wanted && strcmp(words[0], verb) == 0;
}

static int act(char **words, int count)
{
	int rc;

	rc = config_load();
	if (rc == EX_OK)
		rc = setting_check();
	if (rc != EX_OK)
		return shell_end(&form.shell, is_verb(words, count, "check", 1) ? STATE_UNKNOWN : rc);
	if (asprintf(&role_file, "%s/role", setting("state")) < 0 || asprintf(&role_lock, "%s/role.lock", setting("state")) < 0 ||
	    asprintf(&wanted_dir, "%s/wanted", setting("state")) < 0 || asprintf(&code_note, "%s/ask/code", setting("state")) < 0)
		abort();
	if (is_verb(words, count, "show", 1))
		rc = show();
	else if (is_verb(words, count, "check", 1))
		rc = check();
	else if (is_verb(words, count, "set", 2))
		rc = set(words[1]);
	else if (strcmp(words[0], "leave") == 0)
		rc = leave(words[1], count == 3 ? words[2] : "");
	else if (strcmp(words[0], "left") == 0)
		rc = left(words[1]);
	else
		rc = mark();
	free(role_file);
	free(role_lock);
	free(wanted_dir);
	free(code_note);
	return rc;
}

static const struct option_row options[] = {
	{ 0, "served", NULL, option_flag, &served, "of mark: somebody could enter something here" },
	CHECK_OPTIONS(form, "host"),
};
static const struct command command = {
	.usage = "show [--shell]\ncheck [--json | --as ID | --shell]\nset WORD\nmark [--served]\nleave NAME [TEXT]\nleft NAME",
	.about = "What this host is: primary, standby, or active, a standby that serves in place of\n"
		 "the primary. check: may it take over? set also keeps the time of the data of a host\n"
		 "that becomes active; mark keeps that time alone. leave: what is left to be done\n"
		 "when Dropbox answers again becomes an entry of wanted/; left prints it.",
	.options = options,
	.after = "Exit status of check: 0 OK, 2 CRITICAL, 3 UNKNOWN.",
};

int main(int argc, char **argv)
{
	bool showing, checking, entry;
	int rc, count;
	char **words;

	msg_init(argv[0]);
	stop_init();
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	words = argv + optind;
	count = argc - optind;
	showing = is_verb(words, count, "show", 1);
	checking = is_verb(words, count, "check", 1);
	entry = is_verb(words, count, "leave", 2) || is_verb(words, count, "leave", 3) || is_verb(words, count, "left", 2);
	if (!showing && !checking && !entry && !is_verb(words, count, "mark", 1) && !is_verb(words, count, "set", 2))
		return cli_usage("one of show, check, set WORD, mark, leave NAME and left NAME is needed");
	if (entry && !is_entry(words[1]))
		return cli_usage("%s: not the name of an entry", words[1]);
	if (is_verb(words, count, "set", 2) && role_of(words[1]) == NULL)
		return cli_usage("%s: neither standby, active nor primary", words[1]);
	if ((shell_asked(&form.shell) && !showing && !checking) || ((form.json || form.id != NULL) && !checking))
		return cli_usage("--shell is for show and check, --json and --as are for check");
	if (served && !is_verb(words, count, "mark", 1))
		return cli_usage("--served is for mark");
	rc = act(words, count);
	setting_free();
	config_free();
	return cli_close(rc);
}
