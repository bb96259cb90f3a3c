#include "lib/std.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/jobwords.h"
#include "lib/num.h"

static void __attribute__((format(printf, 2, 3))) complain(struct jobwords *w, const char *fmt, ...)
{
	char line[JOBSCREEN_TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	jobsteps_hold(w->steps, JOBSTEPS_COMPLAINT, line);
}

static void word_step(struct jobwords *w, const char *const *field)
{
	jobsteps_begin(w->steps, field[0]);
}

static void word_skip(struct jobwords *w, const char *const *field)
{
	jobsteps_begin(w->steps, field[0]);
	jobsteps_note(w->steps, field[1]);
	jobsteps_end(w->steps, "skipped");
}

static void word_note(struct jobwords *w, const char *const *field)
{
	jobsteps_note(w->steps, field[0]);
}

static void word_say(struct jobwords *w, const char *const *field)
{
	jobscreen_say(w->steps->screen, "", field[0]);
}

static void word_warn(struct jobwords *w, const char *const *field)
{
	jobsteps_warn(w->steps, field[0]);
}

static void word_refuse(struct jobwords *w, const char *const *field)
{
	jobsteps_refuse(w->steps, field[0]);
}

static void word_more(struct jobwords *w, const char *const *field)
{
	jobsteps_more(w->steps, field[0]);
}

static void word_ask(struct jobwords *w, const char *const *field)
{
	jobscreen_ask(w->steps->screen, field[0]);
}

static void word_answer(struct jobwords *w, const char *const *field)
{
	jobscreen_answer(w->steps->screen, field[0], field[1]);
}

static void word_fact(struct jobwords *w, const char *const *field)
{
	if (!jobrecord_fact(w->steps->record, field[0], field[1]))
		complain(w, "job-run: %s: not a fact for the record: %s", field[0], field[1]);
}

static void word_mark(struct jobwords *w, const char *const *field)
{
	jobmark_set(&w->marks, field[0], clock_ms() - w->steps->record->started_ms);
}

static void word_unlock(struct jobwords *w, const char *const *field)
{
	joblock_release(w->locks, field[0]);
}

static void word_undo(struct jobwords *w, const char *const *field)
{
	(void)field;
	jobsteps_fail(w->steps, "", "", "unexpected end in step %s", w->steps->step.name);
}

static void word_fail(struct jobwords *w, const char *const *field)
{
	uint64_t code;

	if (num_u64(field[0], 1, 255, &code) == NULL)
		w->fail_code = (int)code;
	jobsteps_fail(w->steps, field[1], field[2], "ended with status %s in step %s", field[0], w->steps->step.name);
}

static void word_interrupted(struct jobwords *w, const char *const *field)
{
	char line[64];

	w->interrupted = true;
	snprintf(line, sizeof line, "interrupted by SIG%s", field[0]);
	jobsteps_fail(w->steps, line, "run it again: it goes on from where it was", "%s", line);
	/* Ctrl-C reached this run's group alone, which had the terminal; it was meant for the outer run, too */
	if (w->steps->screen->outer[0] != '\0' && strcmp(field[0], "INT") == 0 && !w->group->forwarded)
		kill(0, SIGINT);
}

static void word_done(struct jobwords *w, const char *const *field)
{
	jobsteps_end(w->steps, NULL);
	snprintf(w->result, sizeof w->result, "%s", field[0]);
	snprintf(w->steps->message, sizeof w->steps->message, "%s", field[1]);
	w->done = true;
}

static const struct {
	const char *word;
	void (*obey)(struct jobwords *w, const char *const *field);
} words[] = {
	{ "step", word_step }, { "skip", word_skip }, { "note", word_note }, { "warn", word_warn }, { "refuse", word_refuse },
	{ "more", word_more }, { "say", word_say }, { "ask", word_ask }, { "answer", word_answer }, { "fact", word_fact },
	{ "mark", word_mark }, { "unlock", word_unlock }, { "undo", word_undo }, { "fail", word_fail },
	{ "interrupted", word_interrupted }, { "done", word_done },
};

static void obey(struct jobwords *w, const char *word, const char *const *said)
{
	char text[2][JOBSCREEN_TEXT];
	const char *field[JOBSTREAM_FIELDS] = { said[0], said[1], said[2] };

	for (size_t i = 0; i < 2 && w->marks.count > 0; i++)
		field[i] = jobmark_text(&w->marks, text[i], sizeof text[i], said[i]);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strcmp(words[i].word, word) == 0) {
			words[i].obey(w, field);
			return;
		}
	}
	complain(w, "job-run: %s: no such word", word);
}

static void hear_piece(struct jobwords *w, const struct jobpiece *p)
{
	static const char hint_is[] = "hint: ";

	switch (p->kind) {
	case JOBPIECE_WORD:
		obey(w, p->word, p->field);
		break;
	case JOBPIECE_LINE:
		if (strncmp(p->text, hint_is, strlen(hint_is)) == 0)
			jobsteps_hold(w->steps, JOBSTEPS_HINT, p->text + strlen(hint_is));
		else if (*p->text != '\0')
			jobsteps_hold(w->steps, JOBSTEPS_COMPLAINT, p->text);
		break;
	case JOBPIECE_TRANSIENT:
		if (*p->text != '\0')
			jobscreen_draw(w->steps->screen, p->text);
		else
			jobscreen_erase(w->steps->screen);
		break;
	}
}

bool jobwords_hear(struct jobwords *w, int out, bool at_end)
{
	struct jobpiece piece;
	size_t room;
	char *to = jobstream_room(&w->stream, &room);
	ssize_t n = read(out, to, room);

	if (n > 0)
		jobstream_added(&w->stream, (size_t)n);
	while (jobstream_next(&w->stream, at_end && n <= 0, &piece))
		hear_piece(w, &piece);
	jobsteps_draw(w->steps);
	return n > 0 || (n < 0 && errno == EAGAIN && !at_end);
}
