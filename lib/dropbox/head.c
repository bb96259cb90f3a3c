#include "lib/std.h"

#include "lib/clock.h"
#include "lib/dropbox/dropbox.h"
#include "lib/dropbox/head.h"

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

static bool read_snapshot(const json *j, struct head *out, char why[HEAD_WHY])
{
	const char *at = json_str(j, "snapshot_at"), *fault;

	if (at == NULL)
		at = json_str(j, "client_modified");
	take(j, "path", out->path, sizeof out->path);
	take(j, "rev", out->rev, sizeof out->rev);
	take(j, "content_hash", out->content_hash, sizeof out->content_hash);
	fault = dropbox_path_fault(out->path, false);
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

static bool read_head(const json *j, struct head *out, char why[HEAD_WHY])
{
	static const char *const names[] = { "path", "rev", "size", "content_hash", "snapshot_at", "page_size", "page_count",
					     "verified", "not_judged", NULL };

	return json_is_null(j) || (read_snapshot(j, out, why) && keep_others(j, names, out->head_more, why));
}

bool head_parse(const char *text, size_t len, struct head *out, char why[HEAD_WHY])
{
	static const char *const names[] = { "schema", "epoch", "owner", "seq", "nonce", "head", NULL };
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
			good = read_head(json_get(j, "head"), out, why) && keep_others(j, names, out->more, why);
	}
	json_free(j);
	return good;
}

json *head_json(const struct head *h)
{
	json *j = json_object(), *head;
	char time[CLOCK_TEXT];

	json_put_int(j, "schema", HEAD_SCHEMA);
	json_put_int(j, "epoch", h->epoch);
	json_put_str(j, "owner", h->owner);
	json_put_int(j, "seq", h->seq);
	json_put_str(j, "nonce", h->nonce);
	put_others(j, h->more);
	if (h->path[0] == '\0') {
		json_put_null(j, "head");
		return j;
	}
	head = json_object();
	json_put_str(head, "path", h->path);
	json_put_str(head, "rev", h->rev);
	json_put_int(head, "size", h->size);
	json_put_str(head, "content_hash", h->content_hash);
	json_put_str(head, "snapshot_at", clock_text(time, h->snapshot_at));
	json_put_int(head, "page_size", h->page_size);
	json_put_int(head, "page_count", h->page_count);
	json_put_str(head, "verified", h->verified);
	if (h->not_judged[0] != '\0')
		json_put(head, "not_judged", json_parse(h->not_judged, strlen(h->not_judged)));
	put_others(head, h->head_more);
	json_put(j, "head", head);
	return j;
}

/* What two lines say about the same thing must agree: else what was uploaded is not what was looked at. */
static bool agrees(const json *all, const json *line, const char *name)
{
	/* `all` holds no null; in a line null means that this tool did not look */
	const json *a = json_get(all, name), *b = json_get(line, name);
	char *x = a != NULL ? json_value_text(a) : NULL, *y = b != NULL ? json_value_text(b) : NULL;
	bool same = a == NULL || b == NULL || json_is_null(b) || (x != NULL && y != NULL && strcmp(x, y) == 0);

	free(x);
	free(y);
	return same;
}

/* Of a file that db-verify could not fault it may have left something out, which goes on record. */
static bool merge_verification(json *all, const json *line, char why[HEAD_WHY])
{
	const char *state = json_str(line, "state"), *level = json_str(line, "level");
	const json *list = json_get(line, "not_judged");
	bool left_out = json_is_array(list) && json_first(list) != NULL;

	if (state == NULL || (strcmp(state, "ok") != 0 && !(strcmp(state, "warning") == 0 && left_out))) {
		snprintf(why, HEAD_WHY, "db-verify says %.20s: not to be published", state != NULL ? state : "nothing");
		return false;
	}
	json_remove(all, "verified");
	json_put_str(all, "verified", level != NULL ? level : "none");
	json_remove(all, "not_judged");
	if (left_out)
		json_put(all, "not_judged", json_copy(list));
	return true;
}

static bool merge(json *all, const json *line, char why[HEAD_WHY])
{
	static const char *const facts[] = { "size", "content_hash", "page_size", "page_count" };
	/* the rest of a line (object, text, at ...) is about other things */
	static const char *const members[] = { "path", "rev", "size", "content_hash", "snapshot_at",
					       "client_modified", "page_size", "page_count" };
	const char *check = json_str(line, "check");

	if (check != NULL && strcmp(check, "db-verify") == 0 && !merge_verification(all, line, why))
		return false;
	for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
		if (!agrees(all, line, facts[i])) {
			snprintf(why, HEAD_WHY, "two lines disagree about %s", facts[i]);
			return false;
		}
	}
	for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
		const json *value = json_get(line, members[i]);

		/* a path in Dropbox comes with a revision, another is a local file's */
		if (value == NULL || json_is_null(value) ||
		    (strcmp(members[i], "path") == 0 && json_get(line, "rev") == NULL))
			continue;
		json_remove(all, members[i]);
		json_put(all, members[i], json_copy(value));
	}
	return true;
}

bool head_read_lines(const char *text, size_t len, struct head *out, char why[HEAD_WHY])
{
	const char *p = text, *end = text + len;
	json *all = json_object();
	bool good = true;

	for (int number = 1; p < end && good; number++) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((nl != NULL ? nl : end) - p), blank = 0;
		json *line = json_parse(p, n);

		while (blank < n && strchr(" \t\r", p[blank]) != NULL)
			blank++;
		if (json_is_object(line)) {
			good = merge(all, line, why);
		} else if (blank < n) {
			snprintf(why, HEAD_WHY, "line %d is not a JSON object", number);
			good = false;
		}
		json_free(line);
		p += n + (nl != NULL);
	}
	good = good && read_snapshot(all, out, why);
	json_free(all);
	return good;
}
