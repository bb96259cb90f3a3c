#include "lib/std.h"

#include "lib/clock.h"
#include "lib/dropbox/dropbox.h"
#include "lib/dropbox/headlines.h"

/* Two lines must agree on a member: else the file that was uploaded is not the file that was looked at. */
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

/* Only db-changes speaks of an object by its hash. */
static bool is_state(const json *line)
{
	return json_str(line, "object") != NULL && json_get(line, "n") != NULL;
}

static bool read_state(const json *j, struct head_state *out, char why[HEAD_WHY])
{
	const char *at = json_str(j, "snapshot_at"), *path = json_str(j, "path"), *digest = json_str(j, "digest");
	const char *object = json_str(j, "object"), *parent = json_str(j, "parent"), *whole = json_str(j, "content_hash");

	if (!json_int(j, "n", 1, HEAD_MOST, &out->n) || !json_int(j, "epoch", 0, HEAD_MOST, &out->epoch) ||
	    !json_int(j, "page_count", 1, UINT32_MAX, &out->page_count) || path == NULL || strlen(path) >= HEAD_OBJECT ||
	    dropbox_path_fault(path) != NULL || digest == NULL || !head_digest_valid(digest) ||
	    object == NULL || !hash_valid(object) || (parent != NULL && !hash_valid(parent)) ||
	    (whole != NULL && !hash_valid(whole)) || at == NULL || clock_parse(at, &out->snapshot_at) != NULL) {
		snprintf(why, HEAD_WHY, "the line of db-changes describes no state");
		return false;
	}
	out->base = json_bool(j, "base", false);
	snprintf(out->path, sizeof out->path, "%s", path);
	snprintf(out->digest, sizeof out->digest, "%s", digest);
	snprintf(out->object, sizeof out->object, "%s", object);
	snprintf(out->parent, sizeof out->parent, "%s", parent != NULL ? parent : "");
	snprintf(out->content_hash, sizeof out->content_hash, "%s", whole != NULL ? whole : "");
	return true;
}

/* Takes a line of db-changes, of which the facts are about the whole file, but path and size are those of the object. */
static bool merge_state(json *all, const json *line, struct head_state *state, char why[HEAD_WHY])
{
	static const char *const facts[] = { "content_hash", "page_size", "page_count" };
	int64_t page_size;

	if (state->n != 0) {
		snprintf(why, HEAD_WHY, "two lines describe a state");
		return false;
	}
	if (!read_state(line, state, why))
		return false;
	if (state->content_hash[0] == '\0') {
		snprintf(why, HEAD_WHY, "state %lld was not written whole", (long long)state->n);
		return false;
	}
	for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
		if (!agrees(all, line, facts[i])) {
			snprintf(why, HEAD_WHY, "two lines disagree about %s", facts[i]);
			return false;
		}
		json_remove(all, facts[i]);
		json_put(all, facts[i], json_copy(json_get(line, facts[i])));
	}
	json_remove(all, "snapshot_at");
	json_put_str(all, "snapshot_at", json_str(line, "snapshot_at"));
	json_put_int(all, "n", state->n);
	json_put_str(all, "digest", state->digest);
	json_put_bool(all, "base", state->base);
	/* the file has all its pages */
	if (json_get(all, "size") == NULL && json_int(line, "page_size", 512, 65536, &page_size))
		json_put_int(all, "size", state->page_count * page_size);
	return true;
}

static bool merge(json *all, const json *line, struct head_state *state, char why[HEAD_WHY])
{
	static const char *const facts[] = { "size", "content_hash", "page_size", "page_count" };
	/* the rest of a line (object, text, at ...) is about other things */
	static const char *const members[] = { "path", "rev", "size", "content_hash", "snapshot_at",
					       "client_modified", "page_size", "page_count", "epoch", "owner" };
	const char *check = json_str(line, "check");

	if (is_state(line))
		return merge_state(all, line, state, why);
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

json *head_merge_lines(const char *text, size_t len, struct head_state *state, char why[HEAD_WHY])
{
	const char *p = text, *end = text + len;
	json *all = json_object();
	bool good = true;

	*state = (struct head_state){ 0 };
	for (int number = 1; p < end && good; number++) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((nl != NULL ? nl : end) - p), blank = 0;
		json *line = json_parse(p, n);

		while (blank < n && strchr(" \t\r", p[blank]) != NULL)
			blank++;
		if (json_is_object(line)) {
			good = merge(all, line, state, why);
		} else if (blank < n) {
			snprintf(why, HEAD_WHY, "line %d is not a JSON object", number);
			good = false;
		}
		json_free(line);
		p += n + (nl != NULL);
	}
	if (good)
		return all;
	json_free(all);
	return NULL;
}

bool head_read_lines(const char *text, size_t len, struct head *out, struct head_state *state, char why[HEAD_WHY])
{
	json *all = head_merge_lines(text, len, state, why);
	bool good = all != NULL && head_snapshot_read(all, out, why);

	json_free(all);
	return good;
}

bool head_read_state(const char *text, size_t len, struct head_state *out, char why[HEAD_WHY])
{
	json *j = json_parse(text, len);
	bool good = is_state(j);

	*out = (struct head_state){ 0 };
	if (good)
		good = read_state(j, out, why);
	else
		snprintf(why, HEAD_WHY, "not one line of db-changes that describes a state");
	json_free(j);
	return good;
}
