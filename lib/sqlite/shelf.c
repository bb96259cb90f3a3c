#include "lib/std.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/exits.h"
#include "lib/moment.h"
#include "lib/msg.h"
#include "lib/sqlite/shelf.h"

#define NAMED_MOST 5		/* states that a message names */

static int by_number(const void *a, const void *b)
{
	const struct shelf_object *x = a, *y = b;

	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

static int by_time(const void *a, const void *b)
{
	const struct shelf_copy *x = a, *y = b;

	/* of two of one time the dated one counts, which nobody replaces: the last of them */
	return x->at != y->at ? (x->at > y->at ? 1 : -1) : strcmp(y->path, x->path);
}

static void match(const struct shelf *s, struct shelf_copy *c)
{
	int64_t nearest = 0;

	c->n = c->low = 0;
	for (size_t i = 0; i < s->object_count; i++) {
		const struct shelf_object *o = &s->objects[i];

		if (o->at > c->at || o->at < c->at - SHELF_NAMES_ON)
			continue;
		if (c->low == 0)
			c->low = o->n;
		if (c->n == 0 || o->at > nearest) {
			c->n = o->n;
			nearest = o->at;
		}
	}
}

int shelf_room(struct shelf *s, size_t most)
{
	/* never of size 0, for which NULL would be no failure */
	s->objects = calloc(most + 1, sizeof *s->objects);
	s->copies = calloc(most + 1, sizeof *s->copies);
	if (s->objects != NULL && s->copies != NULL)
		return EX_OK;
	msg_err(NULL, "out of memory");
	return EX_IOERR;
}

void shelf_order(struct shelf *s)
{
	if (s->object_count > 0)
		qsort(s->objects, s->object_count, sizeof *s->objects, by_number);
	if (s->copy_count > 0)
		qsort(s->copies, s->copy_count, sizeof *s->copies, by_time);
	for (size_t i = 0; i < s->copy_count; i++)
		match(s, &s->copies[i]);
}

void shelf_free(struct shelf *s)
{
	for (size_t i = 0; i < s->object_count; i++)
		free(s->objects[i].known);
	free(s->objects);
	free(s->copies);
	*s = (struct shelf){ .objects = NULL };
}

const struct shelf_copy *shelf_copy_of(const struct shelf *s, int64_t n)
{
	for (size_t i = s->copy_count; i-- > 0;)
		if (s->copies[i].n == n)
			return &s->copies[i];
	return NULL;
}

size_t shelf_next(const struct shelf *s, size_t i)
{
	int64_t n = s->objects[i].n;

	while (i < s->object_count && s->objects[i].n == n)
		i++;
	return i;
}

bool shelf_time(const struct shelf *s, size_t i, int64_t *at)
{
	bool any = false;

	for (size_t end = shelf_next(s, i); i < end; i++) {
		if (!s->objects[i].gone) {
			*at = s->objects[i].at;
			any = true;
		}
	}
	return any;
}

/* ---- what is here ---- */

/* The first object of state n, or of the next one that there is. */
static size_t find(const struct shelf *s, int64_t n)
{
	size_t low = 0, high = s->object_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->objects[mid].n < n)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The object at path is here; one that is not on the shelf is passed over. */
static int know(struct shelf *s, const char *path)
{
	const char *name = strrchr(path, '/');
	char whole[CHANGE_PATH];
	struct shelf_known *k;
	struct change_in *in;
	struct change c = { 0 };
	struct stat st;
	int rc, fd;

	/* its folder in Dropbox is the day in its name */
	name = name != NULL ? name + 1 : path;
	if (strchr(name, '-') == NULL ||
	    snprintf(whole, sizeof whole, "/changes/%.8s/%s", strchr(name, '-') + 1, name) >= (int)sizeof whole ||
	    !change_path_parse(whole, &c))
		return EX_OK;
	for (size_t i = find(s, c.n);; i++) {
		if (i == s->object_count || s->objects[i].n != c.n)
			return EX_OK;
		if (s->objects[i].at == c.snapshot_at && s->objects[i].known == NULL) {
			s->objects[i].known = k = calloc(1, sizeof *k);
			break;
		}
	}
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (k == NULL || fd < 0 || fstat(fd, &st) != 0 || content_hash_fd(fd, 0, (uint64_t)st.st_size, k->object) != EX_OK) {
		msg_errno(path, "cannot read");
		if (fd >= 0)
			close(fd);
		return EX_IOERR;
	}
	/* a person finds it by its name in Dropbox */
	in = change_read(fd, whole, &k->c, &rc);
	change_in_free(in);
	/* a name says what is not in it */
	k->bad = rc == EX_DATAERR || (rc == EX_OK && k->c.n != c.n);
	return k->bad ? EX_OK : rc;
}

int shelf_know(struct shelf *s, const char *dir)
{
	DIR *listing = opendir(dir);
	char path[PATH_MAX];
	struct dirent *d;
	int rc = EX_OK;

	if (listing == NULL) {
		msg_errno(dir, "cannot read");
		return EX_NOINPUT;
	}
	while (rc == EX_OK && (d = readdir(listing)) != NULL)
		if (snprintf(path, sizeof path, "%s/%s", dir, d->d_name) < (int)sizeof path)
			rc = know(s, path);
	closedir(listing);
	return rc;
}

/* Are all objects first to last here? */
static bool all_known(const struct shelf *s, int64_t first, int64_t last)
{
	for (size_t i = find(s, first); i < s->object_count && s->objects[i].n <= last; i++)
		if (s->objects[i].known == NULL)
			return false;
	return true;
}

static bool is_named(const struct shelf_known *by, const struct shelf_known *k)
{
	return by != NULL && !by->bad && k != NULL && strcmp(by->c.parent, k->object) == 0;
}

/* ---- which state ---- */

/* The number of the state after the one at i, or of that itself when it is the last. */
static int64_t number_after(const struct shelf *s, size_t i, const struct shelf_wish *w)
{
	size_t next = shelf_next(s, i);

	return next < s->object_count && (w->newest == 0 || s->objects[next].n <= w->newest) ? s->objects[next].n : s->objects[i].n;
}

/* The states that were the newest at a moment: more than one, where a clock went back. Adds them to found. */
static void states_at(const struct shelf *s, int64_t at, const struct shelf_wish *w, size_t found[NAMED_MOST], int *count)
{
	size_t before = SIZE_MAX;
	int64_t time;

	for (size_t i = 0;; i = shelf_next(s, i)) {
		bool end = i >= s->object_count || (w->newest > 0 && s->objects[i].n > w->newest);

		if (!end && !shelf_time(s, i, &time))
			continue;
		if (before != SIZE_MAX && (end || time > at)) {
			bool new = true;

			for (int k = 0; k < *count && k < NAMED_MOST; k++)
				new = new && found[k] != before;
			if (new && (*count)++ < NAMED_MOST)
				found[*count - 1] = before;
		}
		if (end)
			return;
		before = time <= at ? i : SIZE_MAX;
	}
}

/* The states that the wish may mean, as one line. */
static int several(const struct shelf *s, const struct shelf_wish *w, const size_t *found, int count)
{
	char text[512], at[MOMENT_TEXT];
	size_t len = 0;
	int64_t time = 0;

	for (int i = 0; i < count && i < NAMED_MOST; i++) {
		shelf_time(s, found[i], &time);
		len += (size_t)snprintf(text + len, sizeof text - len, "%sstate %lld of %s", i > 0 ? ", or " : "",
					(long long)s->objects[found[i]].n, moment_text(at, time));
	}
	msg_err(w->time, "%s: %s%s", w->count > 1 ? "comes twice, as a clock was put back" : "a clock went back there", text,
		count > NAMED_MOST ? ", or another" : "");
	msg_hint("--state chooses one%s", w->count > 1 ? ", and so does a time with +01:00 or the like" : "");
	return EX_USAGE;
}

static int none(const struct shelf *s, const struct shelf_wish *w)
{
	char first[MOMENT_TEXT], name[32];
	int64_t at;

	for (size_t i = 0; i < s->object_count; i = shelf_next(s, i)) {
		const struct shelf_copy *c = shelf_copy_of(s, s->objects[i].n);

		if (c == NULL || !shelf_time(s, i, &at))
			continue;
		snprintf(name, sizeof name, "state %lld", (long long)w->n);
		msg_err(w->n > 0 ? name : w->time, "is not there; the first that can be had is state %lld of %s", (long long)s->objects[i].n,
			moment_text(first, at));
		return EX_NOINPUT;
	}
	msg_err(NULL, "no state can be had: no copy of one is among the backups");
	return EX_NOINPUT;
}

/* Of which objects is the wish? *at is the first of its number. */
static int pick(const struct shelf *s, const struct shelf_wish *w, struct shelf_plan *p, size_t *at)
{
	size_t found[NAMED_MOST];
	int count = 0;
	int64_t time;

	if (w->n > 0) {
		*at = find(s, w->n);
		if (*at == s->object_count || s->objects[*at].n != w->n || (w->newest > 0 && w->n > w->newest) || !shelf_time(s, *at, &time))
			return none(s, w);
		return EX_OK;
	}
	for (int i = 0; i < w->count; i++)
		states_at(s, w->at[i], w, found, &count);
	if (count == 0)
		return none(s, w);
	if (count > 1)
		return several(s, w, found, count);
	*at = found[0];
	shelf_time(s, *at, &time);
	p->later = number_after(s, *at, w) == s->objects[*at].n && w->at[0] > time;
	return EX_OK;
}

/*
 * Of the objects of one number, from i on, the one on the chain: the record names it, or the object after it does, for only a
 * state on record ever got a successor. NULL when none of them is; *unproven when nothing tells which.
 */
static struct shelf_object *on_chain(struct shelf *s, size_t i, const struct shelf_wish *w, bool *unproven)
{
	size_t end = shelf_next(s, i), last = end < s->object_count ? shelf_next(s, end) : end;
	struct shelf_object *only = NULL;
	bool passed = false;
	int living = 0;

	*unproven = false;
	for (size_t k = i; k < end; k++) {
		struct shelf_object *o = &s->objects[k];

		if (o->n == w->newest && w->newest_object != NULL) {
			if (strcmp(o->known->object, w->newest_object) == 0)
				return o;
			passed = true;
		}
		for (size_t after = end; after < last; after++)
			if (is_named(s->objects[after].known, o->known))
				return o;
		if (!o->gone) {
			only = o;
			living++;
		}
	}
	/* an object after these names one before them, so the chain passed all of these by */
	for (size_t after = end; after < last && !passed; after++)
		for (size_t k = 0; k < i && !passed; k++)
			passed = is_named(s->objects[after].known, s->objects[k].known);
	if (passed || living != 1) {
		for (size_t k = i; passed && k < end; k++)
			s->objects[k].gone = true;
		return NULL;
	}
	*unproven = w->newest_object != NULL || end < s->object_count;
	return only;
}

/* ---- the way ---- */

/* The copy where a way to state n may begin, by the names, or NULL. */
static const struct shelf_copy *begin_at(const struct shelf *s, int64_t n)
{
	const struct shelf_copy *found = NULL;

	for (size_t i = 0; i < s->copy_count; i++)
		if (s->copies[i].low > 0 && s->copies[i].low <= n && (found == NULL || s->copies[i].low >= found->low))
			found = &s->copies[i];
	return found;
}

/* first to last must be here before more can be told. */
static int want(const struct shelf *s, int64_t n, int64_t last, struct shelf_plan *p)
{
	char name[32];

	p->missing = true;
	p->last = last;
	p->base = begin_at(s, n);
	if (p->base != NULL) {
		p->first = p->base->low;
		return EX_OK;
	}
	snprintf(name, sizeof name, "state %lld", (long long)n);
	msg_err(name, "no copy of it, or of one before it, is among the backups");
	return EX_NOINPUT;
}

static const struct shelf_copy *copy_with(const struct shelf *s, const char *hash)
{
	for (size_t i = *hash != '\0' ? s->copy_count : 0; i-- > 0;)
		if (strcmp(s->copies[i].hash, hash) == 0)
			return &s->copies[i];
	return NULL;
}

static const struct shelf_object *before(const struct shelf *s, const struct shelf_known *k)
{
	for (size_t i = find(s, k->c.n - 1); i < s->object_count && s->objects[i].n == k->c.n - 1; i++)
		if (is_named(k, s->objects[i].known))
			return &s->objects[i];
	return NULL;
}

/* Back from o to a state of which there is a copy. */
static int walk(const struct shelf *s, const struct shelf_object *o, struct shelf_plan *p)
{
	char name[CHANGE_PATH];

	p->way = calloc(s->object_count + 1, sizeof(struct shelf_object *));
	if (p->way == NULL) {
		msg_err(NULL, "out of memory");
		return EX_IOERR;
	}
	for (;;) {
		const struct shelf_known *k = o->known;
		int64_t n = o->n;

		change_path(name, &(struct change){ .n = o->n, .snapshot_at = o->at });
		if (k->bad) {
			msg_err(name, "is not what a change is, and on the way");
			return EX_DATAERR;
		}
		p->way[p->steps++] = o;
		p->base = copy_with(s, k->c.content_hash);
		if (p->base != NULL)
			return EX_OK;
		if (k->c.base) {
			msg_err(name, "is a base, and no copy of it is among the backups");
			return EX_NOINPUT;
		}
		o = before(s, k);
		if (o != NULL)
			continue;
		if (find(s, n - 1) < s->object_count && !all_known(s, n - 1, n - 1))
			return want(s, n - 1, n - 1, p);
		msg_err(name, "the object of the state before it is missing");
		return EX_NOINPUT;
	}
}

int shelf_choose(struct shelf *s, const struct shelf_wish *wish, struct shelf_plan *plan)
{
	struct shelf_object *o;
	int64_t last;
	size_t at = 0;
	int rc;

	*plan = (struct shelf_plan){ .n = 0 };
	for (;;) {
		rc = pick(s, wish, plan, &at);
		if (rc != EX_OK)
			return rc;
		plan->n = s->objects[at].n;
		shelf_time(s, at, &plan->at);
		last = number_after(s, at, wish);
		if (!all_known(s, plan->n, last))
			return want(s, plan->n, last, plan);
		o = on_chain(s, at, wish, &plan->unproven);
		if (o != NULL)
			break;
		if (!s->objects[at].gone) {
			char name[32];

			snprintf(name, sizeof name, "state %lld", (long long)plan->n);
			msg_err(name, "has several objects, and the one after it, which would tell, is missing");
			return EX_DATAERR;
		}
	}
	plan->at = o->at;
	/* of its number it alone counts: its time may be another than was thought */
	for (size_t i = at; i < shelf_next(s, at); i++) {
		if (&s->objects[i] != o && !s->objects[i].gone) {
			s->objects[i].gone = true;
			return shelf_choose(s, wish, plan);
		}
	}
	return walk(s, o, plan);
}
