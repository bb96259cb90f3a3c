#include "lib/std.h"

#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/watch/document.h"
#include "lib/watch/proof.h"

/* Is the last good one recent? One in the future is by a clock that was wrong. */
static bool is_recent(const json *record, int64_t now)
{
	const char *text = json_str(record, "last_ok_at");
	int64_t at;

	return text != NULL && clock_parse(text, &at) == NULL && now - at <= PROOF_LATE_S && now - at >= -STATUS_AHEAD_S;
}

static void add(struct buf *b, const char *text)
{
	buf_put(b, text, strlen(text));
}

/* The proof in words. Times are absolute, so that the text of an alert does not change with each round. */
static void describe(struct buf *b, const json *j, bool recent)
{
	const char *verdict = json_str(j, "verdict"), *message = json_str(j, "message"), *said = json_str(j, "app_said");
	const char *last = json_str(j, "last_ok_at"), *commit = json_str(j, "commit");
	const char *back_to = json_str(j, "back_to");
	char took[64];
	int64_t ms;

	if (verdict != NULL && strcmp(verdict, "ok") == 0 && recent) {
		add(b, "the application was proved on ");
		add(b, json_bool(j, "newest", false) ? "the newest data at " : "last night's data at ");
		add(b, last);
		if (json_int(j, "answer_ms", 0, INT32_MAX, &ms)) {
			snprintf(took, sizeof took, ": it answered %d.%d s after its start", (int)(ms / 1000), (int)(ms % 1000 / 100));
			add(b, took);
		}
		return;
	}
	if (verdict != NULL && strcmp(verdict, "cannot") == 0)
		add(b, "the application cannot be proved: ");
	else if (verdict == NULL || *verdict == '\0')
		add(b, "the last proof was broken off: ");
	else if (strcmp(verdict, "skipped") == 0)
		add(b, "the last proof was left out: ");
	else if (strcmp(verdict, "ok") == 0)
		add(b, "there was no proof for two nights: ");
	else
		add(b, "the proof failed: ");
	add(b, message != NULL && *message != '\0' ? message : "nobody knows why");
	if (commit != NULL && *commit != '\0') {
		add(b, ", with the code ");
		buf_put(b, commit, strlen(commit) < 12 ? strlen(commit) : 12);
	}
	if (said != NULL && *said != '\0') {
		add(b, "; it said: ");
		add(b, said);
	}
	if (back_to != NULL && *back_to != '\0') {
		add(b, "; the code goes back to ");
		add(b, back_to);
	}
	add(b, last != NULL ? "; the last that was good: " : "; none was ever good");
	add(b, last != NULL ? last : "");
}

json *proof_build(const json *inputs, const json *before, int64_t now, enum state *state)
{
	static const char *const members[] = { "verdict", "message", "hint", "finished_at", "last_ok_at", "answer_ms", "n", "snapshot_at",
					       "newest", "commit", "back_to", "app_said" };
	const json *record = status_input(inputs, "proof"), *old = json_get(before, "proof");
	const char *result = json_str(record, "result"), *verdict;
	struct buf text = BUF_INIT(4096);
	bool recent = is_recent(record, now), running = result != NULL && strcmp(result, "running") == 0, good;
	json *j;

	*state = STATE_OK;
	if (record == NULL)
		return NULL;
	if (running && !json_is_object(old))
		return NULL;
	if (running)
		record = old;
	verdict = json_str(record, "verdict");
	j = json_object();
	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		if (json_get(record, members[i]) != NULL)
			json_put(j, members[i], json_copy(json_get(record, members[i])));
		else
			json_put_null(j, members[i]);
	/* a failover ends one that runs, and then there is no verdict: nothing is known against the application */
	good = verdict == NULL || *verdict == '\0' || strcmp(verdict, "ok") == 0 || strcmp(verdict, "skipped") == 0;
	*state = good && recent ? STATE_OK : STATE_WARNING;
	json_put_str(j, "state", status_word(*state));
	describe(&text, j, recent);
	json_put_str(j, "text", buf_text(&text));
	buf_free(&text);
	return j;
}
