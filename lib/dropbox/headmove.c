#include "lib/std.h"

#include <stdarg.h>

#include "lib/dropbox/headmove.h"

static enum head_verdict no(enum head_verdict verdict, char why[HEADMOVE_WHY], const char *fmt, ...) PRINTF_LIKE(3, 4);

static enum head_verdict no(enum head_verdict verdict, char why[HEADMOVE_WHY], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, HEADMOVE_WHY, fmt, ap);
	va_end(ap);
	return verdict;
}

static bool exists(const struct head *h)
{
	return h->epoch > 0;
}

/* Only the owner writes anything but the owner. HEAD_WRITE: it is. */
static enum head_verdict as_owner(const struct head_wish *w, const struct head *now, char why[HEADMOVE_WHY])
{
	if (!exists(now) || strcmp(now->owner, w->owner) == 0)
		return HEAD_WRITE;
	return no(HEAD_REFUSED, why, "%s is the owner since epoch %lld: %s must not publish", now->owner,
		  (long long)now->epoch, w->owner);
}

/* Passes over a state of another epoch: another host has owned the record in between, so it may be older than the one on record. */
static enum head_verdict of_epoch(const struct head_state *s, const struct head *now, char why[HEADMOVE_WHY])
{
	return no(HEAD_PASSED, why, "is of epoch %lld, state %lld of epoch %lld", (long long)now->epoch, (long long)s->n,
		  (long long)s->epoch);
}

static bool same_snapshot(const struct head *a, const struct head *b)
{
	return strcmp(a->path, b->path) == 0 && strcmp(a->rev, b->rev) == 0 && a->size == b->size &&
	       strcmp(a->content_hash, b->content_hash) == 0 && a->snapshot_at == b->snapshot_at &&
	       strcmp(a->verified, b->verified) == 0 && strcmp(a->not_judged, b->not_judged) == 0;
}

/* ---- a snapshot ---- */

static void take_snapshot(struct head *next, const struct head *s)
{
	memcpy(next->path, s->path, sizeof next->path);
	memcpy(next->rev, s->rev, sizeof next->rev);
	next->size = s->size;
	memcpy(next->content_hash, s->content_hash, sizeof next->content_hash);
	next->snapshot_at = s->snapshot_at;
	next->page_size = s->page_size;
	next->page_count = s->page_count;
	memcpy(next->verified, s->verified, sizeof next->verified);
	memcpy(next->not_judged, s->not_judged, sizeof next->not_judged);
	next->head_more[0] = '\0';
}

static void take_state(struct head *next, const struct head_state *s)
{
	next->n = s->n;
	memcpy(next->digest, s->digest, sizeof next->digest);
	memcpy(next->object_path, s->path, sizeof next->object_path);
	memcpy(next->object, s->object, sizeof next->object);
}

static void take_pace(struct head *next, int64_t seconds, const char *why)
{
	next->pace_s = seconds;
	snprintf(next->pace_why, sizeof next->pace_why, "%s", why);
}

/* The chain of states ends here: how the snapshot differs from the state published before is not known. */
static void end_chain(struct head *next)
{
	const struct head_state none = { 0 };

	take_state(next, &none);
	next->change = (struct head_change){ 0 };
	next->confirmed_at = 0;
	take_pace(next, 0, "");
}

/* A base begins above all that there was. */
static enum head_verdict begin_at_base(const struct head_state *s, const struct head *now, struct head *next,
				       char why[HEADMOVE_WHY])
{
	struct head_newest newest = head_newest(now);

	if (s->n <= newest.n)
		return no(HEAD_PASSED, why, "names state %lld already: a base has a greater number than %lld", (long long)newest.n,
			  (long long)s->n);
	take_state(next, s);
	next->change = (struct head_change){ 0 };
	next->confirmed_at = s->snapshot_at;
	/* whatever it waited for is over */
	take_pace(next, 0, "");
	return HEAD_WRITE;
}

/* A night is one of the states on record; the chain may have gone on meanwhile. */
static enum head_verdict name_state(const struct head_state *s, const struct head *now, struct head *next,
				    char why[HEADMOVE_WHY])
{
	struct head_newest newest = head_newest(now);

	if (newest.n == 0)
		return no(HEAD_PASSED, why, "has no chain of states: only a base begins one");
	if (s->n < now->n || s->n > newest.n || (s->n == newest.n && strcmp(s->object, newest.object) != 0) ||
	    (s->n == now->n && strcmp(s->object, now->object) != 0))
		return no(HEAD_PASSED, why, "does not have this state %lld on record", (long long)s->n);
	take_state(next, s);
	if (now->change.n <= s->n) {
		next->change = (struct head_change){ 0 };
		if (next->confirmed_at < s->snapshot_at)
			next->confirmed_at = s->snapshot_at;
	}
	return HEAD_WRITE;
}

enum head_verdict head_move_publish(const struct head_wish *w, const struct head *seen, const struct head *now,
				    struct head *next, char why[HEADMOVE_WHY])
{
	const struct head_state *s = &w->state;
	enum head_verdict verdict = as_owner(w, now, why);

	(void)seen;
	if (verdict != HEAD_WRITE)
		return verdict;
	*next = *now;
	if (exists(now) && same_snapshot(now, &w->snapshot) && (s->n == 0 || strcmp(s->object, now->object) == 0))
		return HEAD_NOTHING;
	if (s->n == 0)
		end_chain(next);
	else if (exists(now) && s->epoch != now->epoch)
		verdict = of_epoch(s, now, why);
	else
		verdict = s->base && s->n != now->n ? begin_at_base(s, now, next, why) : name_state(s, now, next, why);
	if (verdict != HEAD_WRITE)
		return verdict;
	take_snapshot(next, &w->snapshot);
	/* a state that was suspect has now been read to its last page, and is sound */
	if (strcmp(next->verified, "full") == 0 && (s->n == 0 || next->suspect_n <= s->n))
		next->suspect_n = 0;
	if (!exists(now)) {
		next->epoch = 1;
		snprintf(next->owner, sizeof next->owner, "%s", w->owner);
	}
	next->seq++;
	return HEAD_WRITE;
}

/* ---- what stands beside it ---- */

enum head_verdict head_move_change(const struct head_wish *w, const struct head *seen, const struct head *now,
				   struct head *next, char why[HEADMOVE_WHY])
{
	struct head_newest newest = head_newest(now);
	enum head_verdict verdict = as_owner(w, now, why);
	const struct head_state *s = &w->state;

	(void)seen;
	*next = *now;
	if (verdict != HEAD_WRITE)
		return verdict;
	if (newest.n == s->n && strcmp(newest.object, s->object) == 0)
		return HEAD_NOTHING;
	if (s->base)
		return no(HEAD_PASSED, why, "takes base %lld only by the publication of its file", (long long)s->n);
	if (newest.n == 0)
		return no(HEAD_PASSED, why, "has no chain of states: only a base begins one");
	if (s->epoch != now->epoch)
		return of_epoch(s, now, why);
	if (s->n != newest.n + 1 || strcmp(s->parent, newest.object) != 0)
		return no(HEAD_PASSED, why, "names state %lld: this state %lld does not follow it", (long long)newest.n,
			  (long long)s->n);
	next->change = w->change;
	next->confirmed_at = s->snapshot_at;
	if (w->pace_s > 0)
		take_pace(next, w->pace_s, w->pace_why);
	return HEAD_WRITE;
}

enum head_verdict head_move_confirm(const struct head_wish *w, const struct head *seen, const struct head *now,
				    struct head *next, char why[HEADMOVE_WHY])
{
	enum head_verdict verdict = as_owner(w, now, why);

	(void)seen;
	*next = *now;
	if (verdict != HEAD_WRITE)
		return verdict;
	if (w->confirmed_at != 0 && strcmp(head_newest(now).object, w->state.object) != 0)
		return no(HEAD_PASSED, why, "names another state as the newest");
	if (now->confirmed_at == w->confirmed_at)
		return HEAD_NOTHING;
	next->confirmed_at = w->confirmed_at;
	if (w->confirmed_at == 0 || w->pace_s > 0)
		take_pace(next, w->pace_s, w->pace_s > 0 ? w->pace_why : "");
	return HEAD_WRITE;
}

/* Of a record with no chain nobody asks how often it goes on. */
enum head_verdict head_move_pace(const struct head_wish *w, const struct head *seen, const struct head *now,
				 struct head *next, char why[HEADMOVE_WHY])
{
	enum head_verdict verdict = as_owner(w, now, why);

	(void)seen;
	*next = *now;
	if (verdict != HEAD_WRITE)
		return verdict;
	if (now->n == 0 || (now->pace_s == w->pace_s && strcmp(now->pace_why, w->pace_why) == 0))
		return HEAD_NOTHING;
	take_pace(next, w->pace_s, w->pace_why);
	return HEAD_WRITE;
}

enum head_verdict head_move_mend(const struct head_wish *w, const struct head *seen, const struct head *now,
				 struct head *next, char why[HEADMOVE_WHY])
{
	(void)w;
	(void)seen;
	(void)why;
	*next = *now;
	return HEAD_NOTHING;
}

enum head_verdict head_move_suspect(const struct head_wish *w, const struct head *seen, const struct head *now,
				    struct head *next, char why[HEADMOVE_WHY])
{
	enum head_verdict verdict = as_owner(w, now, why);

	(void)seen;
	*next = *now;
	if (verdict != HEAD_WRITE)
		return verdict;
	if (!exists(now) || (now->suspect_n == w->suspect_n && strcmp(now->suspect_why, w->suspect_why) == 0))
		return HEAD_NOTHING;
	next->suspect_n = w->suspect_n;
	snprintf(next->suspect_why, sizeof next->suspect_why, "%s", w->suspect_why);
	return HEAD_WRITE;
}

/* ---- the owner ---- */

enum head_verdict head_move_claim(const struct head_wish *w, const struct head *seen, const struct head *now,
				  struct head *next, char why[HEADMOVE_WHY])
{
	(void)seen;
	(void)why;
	*next = *now;
	if (exists(now) && strcmp(now->owner, w->owner) == 0)
		return HEAD_NOTHING;
	next->epoch++;
	snprintf(next->owner, sizeof next->owner, "%s", w->owner);
	return HEAD_WRITE;
}

/* The host that serves is to be the owner; a record that is not there is nobody's to make. */
enum head_verdict head_move_settle(const struct head_wish *w, const struct head *seen, const struct head *now,
				   struct head *next, char why[HEADMOVE_WHY])
{
	*next = *now;
	if (!exists(now) || (w->from != NULL && strcmp(now->owner, w->from) != 0))
		return HEAD_NOTHING;
	return head_move_claim(w, seen, now, next, why);
}

/* Above everything that was seen or is there, so that every host believes it. */
enum head_verdict head_move_anew(const struct head_wish *w, const struct head *seen, const struct head *now,
				 struct head *next, char why[HEADMOVE_WHY])
{
	(void)why;
	*next = head_order(seen, now) >= 0 ? *seen : *now;
	next->epoch = (seen->epoch > now->epoch ? seen->epoch : now->epoch) + 1;
	next->seq = (seen->seq > now->seq ? seen->seq : now->seq) + 1;
	snprintf(next->owner, sizeof next->owner, "%s", w->owner);
	return HEAD_WRITE;
}

bool head_regain(struct head *now, const struct head *seen)
{
	if (now->n != 0 || seen->n == 0 || now->seq != seen->seq || strcmp(now->rev, seen->rev) != 0)
		return false;
	now->n = seen->n;
	memcpy(now->digest, seen->digest, sizeof now->digest);
	memcpy(now->object_path, seen->object_path, sizeof now->object_path);
	memcpy(now->object, seen->object, sizeof now->object);
	now->change = seen->change;
	now->confirmed_at = seen->confirmed_at;
	now->suspect_n = seen->suspect_n;
	memcpy(now->suspect_why, seen->suspect_why, sizeof now->suspect_why);
	take_pace(now, seen->pace_s, seen->pace_why);
	return true;
}
