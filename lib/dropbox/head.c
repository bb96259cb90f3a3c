#include "lib/std.h"

#include "lib/clock.h"
#include "lib/dropbox/head.h"
#include "lib/dropbox/path.h"

#define PACE_MOST (INT64_C(40) * 86400)	/* no owner plans for longer than a month */
#define PAGES_MOST INT64_C(4294967294)	/* https://www.sqlite.org/limits.html, 12 */

bool head_owner_valid(const char *s)
{
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

	return n > 0 && n < HEAD_NAME && s[n] == '\0';
}

static bool hex(const char *s, size_t least, size_t most)
{
	size_t n = strspn(s, "0123456789abcdef");

	return n >= least && n <= most && s[n] == '\0';
}

static bool is_level(const char *s)
{
	static const char *const levels[] = { "none", "header", "quick", "full" };

	for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
		if (strcmp(s, levels[i]) == 0)
			return true;
	return false;
}

static bool no(char why[HEAD_WHY], const char *name, const char *fault)
{
	snprintf(why, HEAD_WHY, "%s is %s", name, fault);
	return false;
}

/* A string member into a field of size bytes; absent, of a wrong type and too long are all "". */
static void take(const json *j, const char *name, char *out, size_t size)
{
	const char *s = json_str(j, name);

	snprintf(out, size, "%s", s != NULL && strlen(s) < size ? s : "");
}

/* 0 when absent; false when it is there and not a whole number of 0..most. */
static bool optional(const json *j, const char *name, int64_t most, int64_t *out)
{
	*out = 0;
	return json_get(j, name) == NULL || json_is_null(json_get(j, name)) || json_int(j, name, 0, most, out);
}

/* Members of an object with others than the names, which end with NULL; as text, "" when there are none. */
static bool keep_others(const json *j, const char *const *names, char out[HEAD_TEXT], char why[HEAD_WHY])
{
	json *others = json_copy(j);
	char *text;
	bool fits = true;

	for (; *names != NULL; names++)
		json_remove(others, *names);
	out[0] = '\0';
	if (json_first(others) != NULL) {
		text = json_text(others);
		fits = strlen(text) < HEAD_TEXT;
		if (fits)
			snprintf(out, HEAD_TEXT, "%s", text);
		else
			snprintf(why, HEAD_WHY, "holds more of a newer version of this software than can be kept");
		free(text);
	}
	json_free(others);
	return fits;
}

static void put_others(json *j, const char *text)
{
	json *others = *text != '\0' ? json_parse(text, strlen(text)) : NULL;

	for (const json *m = json_first(others); m != NULL; m = json_next(m))
		json_put(j, json_name(m), json_copy(m));
	json_free(others);
}

/* Its first few elements, as far as there is room. */
static void take_not_judged(const json *list, char out[HEAD_TEXT])
{
	json *few = json_array();
	size_t taken = 0;

	out[0] = '\0';
	for (const json *e = json_first(list); json_is_array(list) && e != NULL && taken < HEAD_NOT_JUDGED; e = json_next(e)) {
		char *text;

		json_push(few, json_copy(e));
		text = json_text(few);
		if (strlen(text) < HEAD_TEXT)
			snprintf(out, HEAD_TEXT, "%s", text);
		else
			taken = HEAD_NOT_JUDGED;
		free(text);
		taken++;
	}
	json_free(few);
}

bool head_snapshot_read(const json *j, struct head *out, char why[HEAD_WHY])
{
	const char *at = json_str(j, "snapshot_at"), *fault;

	if (at == NULL)
		at = json_str(j, "client_modified");
	take(j, "path", out->path, sizeof out->path);
	take(j, "rev", out->rev, sizeof out->rev);
	take(j, "content_hash", out->content_hash, sizeof out->content_hash);
	fault = dropbox_path_fault(out->path);
	if (fault != NULL) {
		snprintf(why, HEAD_WHY, "path is absent or not a path: %s", fault);
		return false;
	}
	if (!hex(out->rev, 9, HEAD_REV - 1))
		return no(why, "rev", "absent or not a revision");
	if (!json_int(j, "size", 0, INT64_MAX, &out->size))
		return no(why, "size", "absent or not a size");
	if (!hash_valid(out->content_hash))
		return no(why, "content_hash", "absent or not a hash");
	if (at == NULL || clock_parse(at, &out->snapshot_at) != NULL)
		return no(why, "snapshot_at", "absent or not a time");
	if (!optional(j, "page_size", 65536, &out->page_size))
		return no(why, "page_size", "not a page size");
	if (!optional(j, "page_count", PAGES_MOST, &out->page_count))
		return no(why, "page_count", "not a number of pages");
	take(j, "verified", out->verified, sizeof out->verified);
	if (json_get(j, "verified") == NULL)
		snprintf(out->verified, sizeof out->verified, "none");
	if (!is_level(out->verified))
		return no(why, "verified", "not a level of db-verify");
	take_not_judged(json_get(j, "not_judged"), out->not_judged);
	return true;
}

bool head_digest_valid(const char *s)
{
	return hex(s, HEAD_DIGEST - 1, HEAD_DIGEST - 1);
}

/* A member that may be absent or null: false only when it is there and no time. */
static bool optional_time(const json *j, const char *name, int64_t *out)
{
	const char *text = json_str(j, name);

	*out = 0;
	return json_get(j, name) == NULL || json_is_null(json_get(j, name)) || (text != NULL && clock_parse(text, out) == NULL);
}

/* Which state of the chain the snapshot is. */
static bool read_state(const json *j, struct head *out, char why[HEAD_WHY])
{
	const json *object = json_get(j, "object");

	if (!optional(j, "n", HEAD_MOST, &out->n))
		return no(why, "n", "not a number");
	if (out->n == 0)
		return true;
	take(j, "digest", out->digest, sizeof out->digest);
	take(object, "path", out->object_path, sizeof out->object_path);
	take(object, "content_hash", out->object, sizeof out->object);
	if (!head_digest_valid(out->digest))
		return no(why, "digest", "absent or not a digest");
	if (dropbox_path_fault(out->object_path) != NULL || !hash_valid(out->object))
		return no(why, "object", "absent or not a path and a hash");
	return true;
}

static bool read_head(const json *j, struct head *out, char why[HEAD_WHY])
{
	static const char *const names[] = { "path", "rev", "size", "content_hash", "snapshot_at", "page_size", "page_count",
					     "verified", "not_judged", "n", "digest", "object", NULL };

	return json_is_null(j) || (head_snapshot_read(j, out, why) && read_state(j, out, why) &&
				   keep_others(j, names, out->head_more, why));
}

static bool read_change(const json *j, struct head_change *out, char why[HEAD_WHY])
{
	static const char *const names[] = { "n", "path", "rev", "size", "content_hash", "snapshot_at", "page_count", "digest",
					     NULL };

	if (j == NULL || json_is_null(j))
		return true;
	take(j, "path", out->path, sizeof out->path);
	take(j, "rev", out->rev, sizeof out->rev);
	take(j, "content_hash", out->content_hash, sizeof out->content_hash);
	take(j, "digest", out->digest, sizeof out->digest);
	if (!json_int(j, "n", 1, HEAD_MOST, &out->n) || !json_int(j, "size", 0, INT64_MAX, &out->size) ||
	    !json_int(j, "page_count", 1, PAGES_MOST, &out->page_count))
		return no(why, "change", "without its numbers");
	if (dropbox_path_fault(out->path) != NULL || !hex(out->rev, 9, HEAD_REV - 1) || !hash_valid(out->content_hash))
		return no(why, "change", "without its object");
	if (!head_digest_valid(out->digest))
		return no(why, "change", "without a digest");
	if (!optional_time(j, "snapshot_at", &out->snapshot_at) || out->snapshot_at == 0)
		return no(why, "change", "without a time");
	return keep_others(j, names, out->more, why);
}

/* Text that is printed on a line of its own: what controls a terminal or ends the line is a blank. */
static void on_one_line(char *s)
{
	unsigned char *p = (unsigned char *)s;

	for (; *p != '\0'; p++) {
		if (*p < 0x20 || *p == 0x7f)
			*p = ' ';
		else if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			p[0] = p[1] = ' ';
	}
}

/* A pace that cannot be read counts as absent: only the limit of a warning depends on it. */
static void read_pace(const json *j, struct head *out)
{
	if (!json_int(j, "seconds", 1, PACE_MOST, &out->pace_s))
		return;
	take(j, "why", out->pace_why, sizeof out->pace_why);
	on_one_line(out->pace_why);
}

/* The members of a record with minutes that stand beside `head`. */
static bool read_minutes(const json *j, struct head *out, char why[HEAD_WHY])
{
	const json *suspect = json_get(j, "suspect");

	read_pace(json_get(j, "pace"), out);
	if (!read_change(json_get(j, "change"), &out->change, why))
		return false;
	if (!optional_time(j, "confirmed_at", &out->confirmed_at))
		return no(why, "confirmed_at", "not a time");
	if (suspect == NULL || json_is_null(suspect))
		return true;
	if (!json_int(suspect, "n", 1, HEAD_MOST, &out->suspect_n))
		return no(why, "suspect", "without a number");
	take(suspect, "why", out->suspect_why, sizeof out->suspect_why);
	on_one_line(out->suspect_why);
	return true;
}

bool head_parse(const char *text, size_t len, struct head *out, char why[HEAD_WHY])
{
	static const char *const names[] = { "schema", "epoch", "owner", "seq", "nonce", "head", "change", "confirmed_at",
					     "suspect", "pace", NULL };
	json *j = json_parse(text, len);
	int64_t schema;
	bool good = false;

	*out = (struct head){ .epoch = 0 };
	if (!json_is_object(j)) {
		snprintf(why, HEAD_WHY, "not a JSON object");
	} else if (!json_int(j, "schema", 1, HEAD_MOST, &schema)) {
		no(why, "schema", "absent or not a number");
	} else if (schema > HEAD_SCHEMA) {
		snprintf(why, HEAD_WHY, "schema %lld is of a newer version of this software", (long long)schema);
	} else if (!json_int(j, "epoch", 1, HEAD_MOST, &out->epoch)) {
		no(why, "epoch", "absent or not a number from 1");
	} else if (!json_int(j, "seq", 0, HEAD_MOST, &out->seq)) {
		no(why, "seq", "absent or not a number");
	} else {
		take(j, "owner", out->owner, sizeof out->owner);
		take(j, "nonce", out->nonce, sizeof out->nonce);
		if (!head_owner_valid(out->owner))
			no(why, "owner", "absent or not a name");
		else if (!hex(out->nonce, 1, HEAD_NAME - 1))
			no(why, "nonce", "absent or not hexadecimal");
		else if (json_get(j, "head") == NULL)
			no(why, "head", "absent");
		else
			good = read_head(json_get(j, "head"), out, why) && read_minutes(j, out, why) &&
			       keep_others(j, names, out->more, why);
	}
	json_free(j);
	return good;
}

/* ---- writing ---- */

static json *snapshot_json(const struct head *h)
{
	json *j = json_object(), *object;
	char time[CLOCK_TEXT];

	json_put_str(j, "path", h->path);
	json_put_str(j, "rev", h->rev);
	json_put_int(j, "size", h->size);
	json_put_str(j, "content_hash", h->content_hash);
	json_put_str(j, "snapshot_at", clock_text(time, h->snapshot_at));
	json_put_int(j, "page_size", h->page_size);
	json_put_int(j, "page_count", h->page_count);
	json_put_str(j, "verified", h->verified);
	if (h->not_judged[0] != '\0')
		json_put(j, "not_judged", json_parse(h->not_judged, strlen(h->not_judged)));
	if (h->n > 0) {
		object = json_object();
		json_put_str(object, "path", h->object_path);
		json_put_str(object, "content_hash", h->object);
		json_put_int(j, "n", h->n);
		json_put_str(j, "digest", h->digest);
		json_put(j, "object", object);
	}
	put_others(j, h->head_more);
	return j;
}

static json *change_json(const struct head_change *c)
{
	json *j = json_object();
	char time[CLOCK_TEXT];

	json_put_int(j, "n", c->n);
	json_put_str(j, "path", c->path);
	json_put_str(j, "rev", c->rev);
	json_put_int(j, "size", c->size);
	json_put_str(j, "content_hash", c->content_hash);
	json_put_str(j, "snapshot_at", clock_text(time, c->snapshot_at));
	json_put_int(j, "page_count", c->page_count);
	json_put_str(j, "digest", c->digest);
	put_others(j, c->more);
	return j;
}

static json *suspect_json(const struct head *h)
{
	json *j = json_object();

	json_put_int(j, "n", h->suspect_n);
	json_put_str(j, "why", h->suspect_why);
	return j;
}

static json *pace_json(const struct head *h)
{
	json *j = json_object();

	json_put_int(j, "seconds", h->pace_s);
	json_put_str(j, "why", h->pace_why);
	return j;
}

/* child, or null where there is none and a chain is: without a chain the record is that of the programs before it */
static void put_or_null(json *j, const char *name, json *child, bool chain)
{
	if (child != NULL)
		json_put(j, name, child);
	else if (chain)
		json_put_null(j, name);
}

json *head_json(const struct head *h)
{
	json *j = json_object();
	char time[CLOCK_TEXT];

	json_put_int(j, "schema", HEAD_SCHEMA);
	json_put_int(j, "epoch", h->epoch);
	json_put_str(j, "owner", h->owner);
	json_put_int(j, "seq", h->seq);
	json_put_str(j, "nonce", h->nonce);
	put_others(j, h->more);
	if (h->path[0] != '\0')
		json_put(j, "head", snapshot_json(h));
	else
		json_put_null(j, "head");
	put_or_null(j, "change", h->change.n > 0 ? change_json(&h->change) : NULL, h->n > 0);
	if (h->confirmed_at != 0)
		json_put_str(j, "confirmed_at", clock_text(time, h->confirmed_at));
	else if (h->n > 0)
		json_put_null(j, "confirmed_at");
	put_or_null(j, "suspect", h->suspect_n > 0 ? suspect_json(h) : NULL, h->n > 0);
	if (h->pace_s > 0)
		json_put(j, "pace", pace_json(h));
	return j;
}

/* ---- what it says ---- */

struct head_newest head_newest(const struct head *h)
{
	const struct head_change *c = &h->change;

	if (h->n == 0)
		return (struct head_newest){ 0, 0, "", "", "" };
	if (c->n > h->n)
		return (struct head_newest){ c->n, c->snapshot_at, c->digest, c->path, c->content_hash };
	return (struct head_newest){ h->n, h->snapshot_at, h->digest, h->object_path, h->object };
}

int head_order(const struct head *a, const struct head *b)
{
	int64_t an = head_newest(a).n, bn = head_newest(b).n;

	if (a->epoch != b->epoch)
		return a->epoch < b->epoch ? -1 : 1;
	if (a->seq != b->seq)
		return a->seq < b->seq ? -1 : 1;
	return an == 0 || bn == 0 || an == bn ? 0 : an < bn ? -1 : 1;
}
