#include "lib/std.h"

#include <stdarg.h>

#include "lib/clock.h"
#include "lib/expect.h"
#include "lib/http.h"
#include "lib/json.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/probe.h"

int probe_listed(const char *list, int status)
{
	const char *p = list;
	int found = 0;

	for (;;) {
		unsigned from, to;

		if (strspn(p, "0123456789") != 3)
			return -1;
		from = to = (unsigned)strtoul(p, NULL, 10);
		p += 3;
		if (*p == '-') {
			if (strspn(++p, "0123456789") != 3)
				return -1;
			to = (unsigned)strtoul(p, NULL, 10);
			p += 3;
		}
		if (from < 100 || to > 599 || from > to)
			return -1;
		if (status >= (int)from && status <= (int)to)
			found = 1;
		if (*p == '\0')
			return found;
		if (*p++ != ',')
			return -1;
	}
}

static void PRINTF_LIKE(3, 4) find(struct probe_finding *f, enum state state, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->text, sizeof f->text, fmt, ap);
	va_end(ap);
	f->state = state;
}

/* Does the body, a JSON document (NULL when it is none), say what is expected? */
static bool as_expected(const json *body, const struct expectation *e, struct probe_finding *f)
{
	char why[384];
	bool good = expect_met(e, body, why);

	if (!good)
		find(f, STATE_CRITICAL, "%d, but %s", f->status, why);
	return good;
}

/* Is the time in the body near enough to now? */
static bool is_new(const json *body, const struct probe *p, struct probe_finding *f)
{
	const json *at = json_at(body, p->pointer);
	char *value = at != NULL ? json_value_text(at) : NULL;
	char age[NUM_TEXT], most[NUM_TEXT];
	int64_t then, apart;

	f->dated = value != NULL && clock_parse(value, &then) == NULL;
	f->age_s = f->dated ? f->at - then : 0;
	apart = f->age_s < 0 ? -f->age_s : f->age_s;
	num_duration_text(age, apart * 1000);
	num_duration_text(most, p->newer_ms);
	if (body == NULL)
		find(f, STATE_CRITICAL, "%d, but the answer is not JSON", f->status);
	else if (!f->dated)
		find(f, STATE_CRITICAL, "%d, but without a time at %.200s", f->status, p->pointer);
	else if (f->age_s < 0)
		find(f, STATE_CRITICAL, "%d, but %.200s is %s in the future: a clock is wrong", f->status, p->pointer, age);
	else
		find(f, STATE_CRITICAL, "%d, but %.200s is %s old, at most %s", f->status, p->pointer, age, most);
	free(value);
	return f->dated && apart * 1000 <= p->newer_ms;
}

static bool body_is_good(const struct probe *p, const char *body, size_t len, struct probe_finding *f)
{
	json *j = p->expect_count > 0 || p->pointer != NULL ? json_parse(body, len) : NULL;
	bool good = p->pointer == NULL || is_new(j, p, f);

	for (size_t i = 0; good && i < p->expect_count; i++)
		good = as_expected(j, &p->expects[i], f);
	json_free(j);
	if (good && p->match != NULL && memmem(body, len, p->match, strlen(p->match)) == NULL) {
		find(f, STATE_CRITICAL, "%d, but the answer is without \"%.200s\"", f->status, p->match);
		good = false;
	}
	return good;
}

/* A limit of 0 ms is passed by an answer of 0.9 ms, too. */
static bool later(int64_t us, int64_t limit_ms)
{
	return us / 1000 > limit_ms || (us / 1000 == limit_ms && us % 1000 > 0);
}

void probe_judge(const struct probe *p, const char *body, size_t len, struct probe_finding *f)
{
	int64_t us = f->total_us;

	if (probe_listed(p->statuses, f->status) != 1)
		find(f, STATE_CRITICAL, "%d, wanted %.200s", f->status, p->statuses);
	else if (body_is_good(p, body, len, f))
		find(f, later(us, p->critical_ms) ? STATE_CRITICAL : later(us, p->warning_ms) ? STATE_WARNING : STATE_OK,
		     "%d in %lld.%03lld s", f->status, (long long)us / 1000000, (long long)us / 1000 % 1000);
}

void probe_once(const struct probe *p, int64_t until_ms, struct probe_finding *f)
{
	int64_t begun = clock_ms(), end = begun + p->try_ms < until_ms ? begun + p->try_ms : until_ms;
	struct http_request q = { .url = p->url, .deadline_ms = end, .connect_ms = p->connect_ms,
				  .text_max = PROBE_BODY_MAX };
	struct http *h = http_new(NULL);
	struct http_response r;
	char text[NUM_TEXT];

	*f = (struct probe_finding){ .status = 0 };
	if (h == NULL) {
		find(f, STATE_UNKNOWN, "out of memory");
		return;
	}
	switch (http_send(h, &q, &r)) {
	case HTTP_DONE:
		f->status = r.status;
		f->total_us = r.total_us;
		/* the clock of who made the answer is that of the times in it; ours may be wrong */
		f->at = r.date > 0 ? r.date : clock_wall();
		probe_judge(p, buf_text(&r.text), r.text.len, f);
		break;
	case HTTP_STOPPED:
		find(f, STATE_UNKNOWN, "interrupted");
		break;
	case HTTP_FOREIGN:
		if (r.status > 0)
			find(f, STATE_CRITICAL, "%d, but %s", r.status, r.why);
		else
			find(f, STATE_CRITICAL, "%s", r.why);
		break;
	case HTTP_LATE:
		find(f, STATE_CRITICAL, "no whole answer in %s", num_duration_text(text, clock_ms() - begun));
		break;
	default:
		find(f, STATE_CRITICAL, "%s", r.why);
	}
	f->status = r.status;
	f->connect_us = r.connect_us;
	f->first_byte_us = r.first_byte_us;
	f->total_us = r.total_us;
	f->body_bytes = r.body_bytes;
	msg_info("%s: %s", p->url, f->text);
	http_response_free(&r);
	http_free(h);
}

bool probe_is_up(const struct probe_finding *f)
{
	return f->state == STATE_OK || f->state == STATE_WARNING;
}
