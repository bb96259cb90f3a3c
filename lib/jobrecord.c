#include "lib/std.h"

#include <errno.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/jobrecord.h"
#include "lib/msg.h"
#include "lib/num.h"

#define RECORD_MAX ((size_t)256 << 10)
#define NIGHT_BEGINS (2 * 60 + 5)	/* minutes of the local clock */
#define COUNT_MOST INT64_C(999999999)
#define MOST (INT64_C(1) << 53)	/* what JSON's readers take exactly */

static const char *const own[] = {
	"schema", "task", "node", "result", "exit", "step", "message", "hint", "started_at", "finished_at", "seconds",
	"last_ok_at", "runs_ok", "runs_failed", "steps",
};

/* Is nothing there, or a regular file of one name? By a link or a second name it could be another user's file. */
static bool is_plain(const char *path)
{
	struct stat st;

	if (lstat(path, &st) != 0) {
		if (errno == ENOENT)
			return true;
		msg_errno(path, "cannot be looked at");
		return false;
	}
	if (S_ISREG(st.st_mode) && st.st_nlink == 1)
		return true;
	msg_err(path, "not a plain file, so no record can be kept there");
	return false;
}

bool jobrecord_begin(struct jobrecord *r)
{
	struct buf text = BUF_INIT(RECORD_MAX);
	json *last = NULL;
	const char *ok;

	r->facts = json_object();
	r->steps = json_array();
	if (!is_plain(r->path))
		return false;
	/* a record that cannot be read is replaced all the same, where that is possible */
	if (access(r->path, F_OK) == 0 && file_slurp(r->path, &text) == EX_OK)
		last = json_parse(buf_text(&text), text.len);
	if (!json_int(last, "runs_ok", 0, COUNT_MOST, &r->runs_ok))
		r->runs_ok = 0;
	if (!json_int(last, "runs_failed", 0, COUNT_MOST, &r->runs_failed))
		r->runs_failed = 0;
	ok = json_str(last, "last_ok_at");
	if (ok != NULL && clock_parse(ok, &(int64_t){ 0 }) == NULL)
		r->last_ok_at = strdup(ok);
	json_free(last);
	buf_free(&text);
	return true;
}

void jobrecord_step(struct jobrecord *r, const char *name, const char *result, int64_t tenths)
{
	json *step = json_object();

	json_put_str(step, "name", name);
	json_put_str(step, "result", result);
	json_put_tenths(step, "seconds", tenths);
	json_push(r->steps, step);
}

bool jobrecord_fact(struct jobrecord *r, const char *name_kind, const char *value)
{
	const char *kind = strchr(name_kind, ':');
	char name[32];
	uint64_t n = 0;

	if (kind == NULL || kind == name_kind || (size_t)(kind - name_kind) >= sizeof name)
		return false;
	snprintf(name, sizeof name, "%.*s", (int)(kind - name_kind), name_kind);
	if (name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] != '\0')
		return false;
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		if (strcmp(name, own[i]) == 0)
			return false;
	kind++;
	if (strcmp(kind, "int") == 0 ? *value != '\0' && num_u64(value, 0, MOST, &n) != NULL :
	    strcmp(kind, "bool") != 0 && strcmp(kind, "text") != 0)
		return false;
	json_remove(r->facts, name);
	if (*kind == 'b')
		json_put_bool(r->facts, name, strcmp(value, "yes") == 0);
	else if (*value == '\0')
		json_put_null(r->facts, name);
	else if (*kind == 'i')
		json_put_int(r->facts, name, (int64_t)n);
	else
		json_put_str(r->facts, name, value);
	return true;
}

int jobrecord_write(struct jobrecord *r, const char *result, int exit_status, const char *step, const char *message,
		    const char *hint)
{
	bool running = strcmp(result, "running") == 0;
	char now[CLOCK_TEXT];
	struct buf line = BUF_INIT(RECORD_MAX);
	json *j = json_object();
	char *text;
	int rc;

	/* the wall clock's, not the steady one's: a reader compares it with the time at which he reads */
	clock_text(now, clock_wall());
	if (!running && exit_status == 0) {
		free(r->last_ok_at);
		r->last_ok_at = strdup(now);
		r->runs_ok++;
	} else if (!running) {
		r->runs_failed++;
	}
	json_put_int(j, "schema", 1);
	json_put_str(j, "task", r->task);
	json_put_str(j, "node", r->node);
	json_put_str(j, "result", result);
	json_put_int(j, "exit", exit_status);
	json_put_str(j, "step", step);
	json_put_str(j, "message", message);
	json_put_str(j, "hint", hint);
	json_put_str(j, "started_at", r->started_at);
	json_put_text(j, "finished_at", running ? NULL : now);
	json_put_tenths(j, "seconds", JOBRECORD_TENTHS(clock_ms() - r->started_ms));
	json_put_text(j, "last_ok_at", r->last_ok_at);
	json_put_int(j, "runs_ok", r->runs_ok);
	json_put_int(j, "runs_failed", r->runs_failed);
	for (const json *fact = json_first(r->facts); fact != NULL; fact = json_next(fact))
		json_put(j, json_name(fact), json_copy(fact));
	json_put(j, "steps", json_copy(r->steps));
	text = json_text(j);
	if (buf_adds(&line, text) == 0 && buf_adds(&line, "\n") == 0) {
		rc = file_replace(r->path, 0644, line.data, line.len);
	} else {
		msg_err(r->path, "too large for a record");
		rc = EX_IOERR;
	}
	buf_free(&line);
	free(text);
	json_free(j);
	return rc;
}

const char *const jobrecord_last_names[] = {
	"result", "exit", "message", "hint", "finished_at", "last_ok_at", "epoch", "owner", "rev", "base", "base_exit",
	"verdict", "n", "commit", "snapshot_at",
	"ended_tonight", "ok_tonight", NULL,
};

/*
 * The night that a time belongs to, as a number. By the words of the local clock, for on some nights the moment of their
 * beginning does not exist, or does twice.
 */
static int64_t night_of(int64_t at)
{
	time_t t = (time_t)at;
	struct tm tm;

	localtime_r(&t, &tm);
	if (tm.tm_hour * 60 + tm.tm_min < NIGHT_BEGINS)
		tm.tm_mday--;
	tm.tm_hour = 12, tm.tm_min = 0, tm.tm_sec = 0, tm.tm_isdst = -1;
	mktime(&tm);
	return (int64_t)tm.tm_year * 366 + tm.tm_yday;
}

bool jobrecord_same_night(int64_t a, int64_t b)
{
	return night_of(a) == night_of(b);
}

static bool is_tonight(const char *at, int64_t now)
{
	int64_t when;

	/* a time in the future was written by a clock that was ahead: it belongs to no night to come */
	return at != NULL && clock_parse(at, &when) == NULL && when <= now && jobrecord_same_night(when, now);
}

json *jobrecord_last(const char *path, int64_t now)
{
	struct buf text = BUF_INIT(RECORD_MAX);
	json *record = NULL, *answer = json_object();

	if (access(path, F_OK) == 0 && file_slurp(path, &text) == EX_OK)
		record = json_parse(buf_text(&text), text.len);
	for (const char *const *name = jobrecord_last_names; *name != NULL; name++)
		if (json_get(record, *name) != NULL)
			json_put(answer, *name, json_copy(json_get(record, *name)));
	json_put_bool(answer, "ended_tonight", is_tonight(json_str(record, "finished_at"), now));
	json_put_bool(answer, "ok_tonight", is_tonight(json_str(record, "last_ok_at"), now));
	json_free(record);
	buf_free(&text);
	return answer;
}

void jobrecord_free(struct jobrecord *r)
{
	json_free(r->facts);
	json_free(r->steps);
	free(r->last_ok_at);
	*r = (struct jobrecord){ 0 };
}
