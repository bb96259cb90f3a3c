/*
 * list.c - folders page by page, and what changed since.
 *
 * A cursor is a text of ours in base64, opaque to the client: it first walks the names in order,
 * then the changes since the walk began. An entry that changes during the walk is told twice, as
 * the real service may.
 */
#include "lib/std.h"

#include <inttypes.h>

#include "tests/dropboxd/dropboxd.h"

struct cursor {
	char epoch[20];
	uint64_t seq;           /* changes up to here are known */
	int walking;            /* names after `after` are still to come */
	int recursive, deleted, limit;
	char *folder, *after;   /* keys; the root is "" */
};

static char *cursor_text(const struct cursor *k)
{
	char *plain = xasprintf("%-16s|%020" PRIu64 "|%d|%d|%d|%04d|%s\n%s", k->epoch, k->seq,
		k->walking, k->recursive, k->deleted, k->limit, k->folder, k->after);
	char *b64 = base64url(plain, strlen(plain));
	/* real ones are some hundred characters long, and no two are equal */
	char noise[121];
	chance_text(noise, 120, URLSAFE);
	char *out = xasprintf("AA%s%s", noise, b64);
	free(plain);
	free(b64);
	return out;
}

static void cursor_free(struct cursor *k)
{
	free(k->folder);
	free(k->after);
}

static bool cursor_read(const char *s, struct cursor *k)
{
	size_t n = strlen(s);
	int at = 0;

	memset(k, 0, sizeof *k);
	if (n < 122 || strncmp(s, "AA", 2) != 0)
		return false;
	char *plain = xmalloc(n);
	ssize_t got = base64_decode(s + 122, (unsigned char *)plain, n - 1);
	plain[got < 0 ? 0 : got] = '\0';
	int fields = sscanf(plain, "%16[^|]|%20" SCNu64 "|%d|%d|%d|%d|%n", k->epoch, &k->seq,
		&k->walking, &k->recursive, &k->deleted, &k->limit, &at);
	bool ok = fields == 6 && at > 0 && strchr(plain + at, '\n') != NULL && k->limit > 0;
	if (ok) {
		char *line = strchr(plain + at, '\n');

		k->after = xstrdup(line + 1);
		*line = '\0';
		k->folder = xstrdup(plain + at);
		k->epoch[strcspn(k->epoch, " ")] = '\0';
	}
	free(plain);
	return ok;
}

static bool inside(const struct cursor *k, const struct entry *e)
{
	size_t n = strlen(k->folder);

	return strncmp(e->key, k->folder, n) == 0 && e->key[n] == '/'
		&& (k->recursive || strchr(e->key + n + 1, '/') == NULL);
}

static void reply_page(struct call *c, struct cursor *k, cJSON *list, bool more)
{
	cJSON *j = cJSON_CreateObject();
	char *text = cursor_text(k);

	cJSON_AddItemToObject(j, "entries", list);
	cJSON_AddStringToObject(j, "cursor", text);
	cJSON_AddBoolToObject(j, "has_more", more);
	free(text);
	reply_json(c, 200, j);
}

/* The changed entry with the smallest number above k->seq. */
static struct entry *next_change(const struct cursor *k)
{
	struct entry *best = NULL;

	for (size_t i = 0; i < entry_count(); i++) {
		struct entry *e = entry_at(i);

		if (e->seq > k->seq && inside(k, e) && (best == NULL || e->seq < best->seq))
			best = e;
	}
	return best;
}

static void page(struct call *c, struct cursor *k)
{
	cJSON *list = cJSON_CreateArray();
	int limit = k->limit < opt.page ? k->limit : (int)opt.page, n = 0;
	bool more = false;
	struct entry *e;

	if (chance(6) == 0) {
		/* legal: a page without entries, and more to come that turns out to be nothing */
		reply_page(c, k, list, true);
		return;
	}
	if (k->walking) {
		for (size_t i = 0; i < entry_count() && !more; i++) {
			e = entry_at(i);
			if (strcmp(e->key, k->after) <= 0 || !inside(k, e)
				|| (e->kind == ENTRY_DELETED && !k->deleted))
				continue;
			if (n == limit) {
				more = true;
				break;
			}
			cJSON_AddItemToArray(list, meta_entry(e));
			free(k->after);
			k->after = xstrdup(e->key);
			n++;
		}
		if (!more) {
			k->walking = 0;
			free(k->after);
			k->after = xstrdup("");
		}
	} else {
		while ((e = next_change(k)) != NULL && n < limit) {
			cJSON_AddItemToArray(list, meta_entry(e));
			k->seq = e->seq;
			n++;
		}
		more = e != NULL;
	}
	reply_page(c, k, list, more);
}

/* Turns the argument into a cursor at the beginning; false: refused. Under the store's lock. */
static bool cursor_new(struct call *c, struct cursor *k)
{
	const char *path = json_str(c->arg, "path", ""), *why;
	struct where w = { 0 };
	bool ok = true;

	memset(k, 0, sizeof *k);
	/* rclone lists `//name` below a root, in the field too: one slash is forgiven */
	if (path[0] == '/' && path[1] == '/' && path[2] != '\0')
		path++;
	if (strcmp(path, "/") == 0) {
		reply_bad(c,
			"request body: path: Specify the root folder as an empty string rather "
			"than as \"/\".");
		return false;
	}
	if (!is_root(path)) {
		char *tags = NULL;

		ok = where_read(path, &w, &why);
		if (!ok)
			tags = xasprintf("path/%s", why);
		else if (w.entry == NULL || w.entry->kind == ENTRY_DELETED)
			tags = xstrdup("path/not_found");
		else if (w.entry->kind == ENTRY_FILE)
			tags = xstrdup("path/not_folder");
		ok = tags == NULL;
		if (!ok)
			reply_error(c, tags);
		free(tags);
	}
	if (ok) {
		snprintf(k->epoch, sizeof k->epoch, "%s", store_epoch());
		k->seq = store_seq();
		k->walking = 1;
		k->recursive = json_flag(c->arg, "recursive", false);
		k->deleted = json_flag(c->arg, "include_deleted", false);
		k->limit = (int)json_int(c->arg, "limit", 2000);
		k->folder = xstrdup(w.key != NULL ? w.key : "");
		k->after = xstrdup("");
	}
	where_free(&w);
	return ok;
}

void route_list_folder(struct call *c)
{
	struct cursor k;

	store_lock();
	if (cursor_new(c, &k))
		page(c, &k);
	store_unlock();
	cursor_free(&k);
}

/* The cursor of the argument; false: refused. Under the store's lock. */
static bool cursor_given(struct call *c, struct cursor *k)
{
	if (!cursor_read(json_str(c->arg, "cursor", ""), k)) {
		reply_bad(c, "request body: cursor: unsupported cursor type");
		return false;
	}
	if (strcmp(k->epoch, store_epoch()) != 0 || k->seq > store_seq()) {
		reply_error(c, "reset");
		return false;
	}
	return true;
}

void route_list_continue(struct call *c)
{
	struct cursor k;

	store_lock();
	if (cursor_given(c, &k))
		page(c, &k);
	store_unlock();
	cursor_free(&k);
}

void route_latest_cursor(struct call *c)
{
	struct cursor k;

	store_lock();
	if (cursor_new(c, &k)) {
		cJSON *j = cJSON_CreateObject();

		k.walking = 0;
		char *text = cursor_text(&k);
		cJSON_AddStringToObject(j, "cursor", text);
		free(text);
		reply_json(c, 200, j);
	}
	store_unlock();
	cursor_free(&k);
}

void route_longpoll(struct call *c)
{
	/* the real one adds up to 90 s, to spread its clients */
	double until = mono() + json_num(c->arg, "timeout", 30);
	struct cursor k;

	store_lock();
	if (cursor_given(c, &k)) {
		bool changes = k.walking != 0;
		uint64_t known = k.seq;

		while (!changes && store_wait(known, until)) {
			changes = next_change(&k) != NULL;
			known = store_seq();
		}
		cJSON *j = cJSON_CreateObject();
		cJSON_AddBoolToObject(j, "changes", changes);
		reply_json(c, 200, j);
		reply_header(c, "X-Db-Timeout", "120");
	}
	store_unlock();
	cursor_free(&k);
}
