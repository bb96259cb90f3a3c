#include "lib/std.h"

#include <stdarg.h>

#include "lib/clock.h"
#include "lib/jobsteps.h"
#include "lib/num.h"

/* ---- what is held until the step ends ---- */

static void forget(struct jobsteps *s, size_t at, size_t count)
{
	for (size_t i = at; i < at + count; i++)
		free(s->held[i].text);
	s->held_count -= count;
	memmove(s->held + at, s->held + at + count, (s->held_count - at) * sizeof *s->held);
}

static void release(struct jobsteps *s, size_t count)
{
	char line[JOBSCREEN_TEXT];

	for (size_t i = 0; i < count; i++) {
		snprintf(line, sizeof line, "%s%s", s->held[i].kind == JOBSTEPS_HINT ? "hint: " : "", s->held[i].text);
		jobscreen_say(s->screen, "   ", line);
	}
	forget(s, 0, count);
}

void jobsteps_release(struct jobsteps *s)
{
	release(s, s->held_count);
}

void jobsteps_hold(struct jobsteps *s, enum jobsteps_kind kind, const char *text)
{
	char *copy = strdup(text);

	if (s->held_count == JOBSTEPS_HELD)
		release(s, 1);
	if (copy != NULL) {
		s->held[s->held_count].kind = kind;
		s->held[s->held_count++].text = copy;
	}
	if (s->failed)
		jobsteps_release(s);
}

void jobsteps_free(struct jobsteps *s)
{
	forget(s, 0, s->held_count);
}

/* ---- steps ---- */

static void draw(struct jobsteps *s)
{
	char line[128];

	snprintf(line, sizeof line, "   %zu/%llu %-9s ...", s->step.number, (unsigned long long)s->announced, s->step.name);
	jobscreen_draw(s->screen, line);
}

void jobsteps_draw(struct jobsteps *s)
{
	if (s->step.open && !s->screen->drawn && !s->screen->asking)
		draw(s);
}

static const char *mark_of(const char *how, bool utf8)
{
	if (strcmp(how, "ok") == 0)
		return utf8 ? " ✓" : "ok";
	if (strcmp(how, "failed") == 0)
		return utf8 ? " ✗" : "no";
	return strcmp(how, "skipped") == 0 ? " -" : " !";
}

void jobsteps_end(struct jobsteps *s, const char *how)
{
	int64_t tenths = JOBRECORD_TENTHS(clock_ms() - s->step.began_ms);
	unsigned long long all = s->announced;
	char seconds[NUM_TEXT], line[JOBSCREEN_TEXT];

	if (!s->step.open)
		return;
	s->step.open = false;
	if (how == NULL)
		how = s->step.refused ? "failed" : s->step.warned ? "warning" : "ok";
	snprintf(seconds, sizeof seconds, "%lld.%lld", (long long)(tenths / 10), (long long)(tenths % 10));
	snprintf(line, sizeof line, "%s %zu/%llu %-9s %6s s  %s", mark_of(how, s->screen->utf8), s->step.number, all,
		 s->step.name, seconds, s->step.note);
	jobscreen_line(s->screen, line);
	jobscreen_log(s->screen, "step %zu/%llu %s: %s, %s s%s%s", s->step.number, all, s->step.name, how, seconds,
		      s->step.note[0] != '\0' ? ": " : "", s->step.note);
	jobrecord_step(s->record, s->step.name, how, tenths);
	jobsteps_release(s);
}

/* The number of a name: the place of its first step. */
static size_t number_of(struct jobsteps *s, const char *name)
{
	size_t at = 0;

	while (at < s->name_count && strcmp(s->names[at], name) != 0)
		at++;
	if (at == s->name_count && s->name_count < JOBSTEPS_MOST)
		snprintf(s->names[s->name_count++], sizeof *s->names, "%s", name);
	return at + 1;
}

void jobsteps_begin(struct jobsteps *s, const char *name)
{
	jobsteps_end(s, NULL);
	jobsteps_release(s);
	if (*name == '\0')
		return;
	memset(&s->step, 0, sizeof s->step);
	s->step.open = true;
	s->step.began_ms = clock_ms();
	snprintf(s->step.name, sizeof s->step.name, "%s", name);
	s->step.number = number_of(s, s->step.name);
	draw(s);
}

void jobsteps_note(struct jobsteps *s, const char *text)
{
	snprintf(s->step.note, sizeof s->step.note, "%s", text);
}

/* There is no line then on which, or below which, text could stand: it is said at once. */
static bool between_steps(struct jobsteps *s, const char *text)
{
	if (!s->step.open)
		jobscreen_say(s->screen, "", text);
	return !s->step.open;
}

void jobsteps_warn(struct jobsteps *s, const char *text)
{
	if (between_steps(s, text))
		return;
	jobsteps_note(s, text);
	s->step.warned = true;
}

void jobsteps_refuse(struct jobsteps *s, const char *text)
{
	if (between_steps(s, text))
		return;
	jobsteps_note(s, text);
	s->step.refused = true;
}

void jobsteps_more(struct jobsteps *s, const char *text)
{
	if (!between_steps(s, text))
		jobsteps_hold(s, JOBSTEPS_MORE, text);
}

/* ---- the failure ---- */

/* Takes the last complaint, with its hint, out of what is held. */
static bool take_complaint(struct jobsteps *s)
{
	size_t last = s->held_count;

	while (last > 0 && s->held[last - 1].kind != JOBSTEPS_COMPLAINT)
		last--;
	if (last == 0)
		return false;
	last--;
	snprintf(s->message, sizeof s->message, "%s", s->held[last].text);
	if (last + 1 < s->held_count && s->held[last + 1].kind == JOBSTEPS_HINT) {
		if (s->hint[0] == '\0')
			snprintf(s->hint, sizeof s->hint, "%s", s->held[last + 1].text);
		forget(s, last + 1, 1);
	}
	forget(s, last, 1);
	return true;
}

void jobsteps_fail(struct jobsteps *s, const char *said, const char *hint, const char *fmt, ...)
{
	va_list ap;

	if (s->failed)
		return;
	snprintf(s->message, sizeof s->message, "%s", said);
	snprintf(s->hint, sizeof s->hint, "%s", hint);
	if (s->message[0] == '\0' && !take_complaint(s)) {
		va_start(ap, fmt);
		vsnprintf(s->message, sizeof s->message, fmt, ap);
		va_end(ap);
	}
	s->failed = true;
	jobsteps_end(s, "failed");
	jobsteps_release(s);
	jobscreen_cause(s->screen, s->message, s->hint);
}
