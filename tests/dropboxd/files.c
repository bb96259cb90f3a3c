/* files.c - the RPC routes on single files and folders. */
#include "lib/std.h"

#include "tests/dropboxd/dropboxd.h"

static void fail(struct call *c, const char *where, const char *why)
{
	char *tags = xasprintf("%s/%s", where, why);

	reply_error(c, tags);
	free(tags);
}

static void reply_metadata(struct call *c, cJSON *metadata)
{
	cJSON *j = cJSON_CreateObject();

	cJSON_AddItemToObject(j, "metadata", metadata);
	reply_json(c, 200, j);
}

/* The root is no path for any of these. */
static bool root_refused(struct call *c, const char *field)
{
	if (!is_root(json_str(c->arg, field, "/")))
		return false;
	reply_bad(c, "request body: %s: The root folder is unsupported.", field);
	return true;
}

void route_get_metadata(struct call *c)
{
	const char *path = json_str(c->arg, "path", ""), *why;
	bool deleted = json_flag(c->arg, "include_deleted", false);
	struct where w;

	if (root_refused(c, "path"))
		return;
	store_lock();
	if (!where_read(path, &w, &why))
		fail(c, "path", why);
	else if (strncmp(path, "rev:", 4) == 0)
		reply_json(c, 200, meta_file(w.rev, true));
	else if (w.entry == NULL || (w.entry->kind == ENTRY_DELETED && !deleted))
		fail(c, "path", "not_found");
	else
		reply_json(c, 200, meta_entry(w.entry));
	store_unlock();
	where_free(&w);
}

void route_create_folder(struct call *c)
{
	bool autorename = json_flag(c->arg, "autorename", false);
	char *display = NULL;
	const char *why;
	struct where w;

	if (root_refused(c, "path"))
		return;
	store_lock();
	if (where_write(json_str(c->arg, "path", ""), &w, &why)) {
		bool taken = w.entry != NULL && w.entry->kind != ENTRY_DELETED;

		if (taken && !autorename)
			why = w.entry->kind == ENTRY_FILE ? "conflict/file" : "conflict/folder";
		display = taken ? store_autorename(w.display, NULL) : xstrdup(w.display);
		if (why == NULL)
			why = store_parents(display);
	}
	if (why != NULL) {
		fail(c, "path", why);
	} else {
		cJSON *j = meta_entry(store_mkdir(display));

		/* a concrete type: no .tag */
		cJSON_DeleteItemFromObjectCaseSensitive(j, ".tag");
		reply_metadata(c, j);
	}
	store_unlock();
	where_free(&w);
	free(display);
}

void route_delete(struct call *c)
{
	const char *rev = json_str(c->arg, "parent_rev", NULL), *why;
	struct where w;

	if (root_refused(c, "path"))
		return;
	store_lock();
	if (!where_read(json_str(c->arg, "path", ""), &w, &why)) {
		fail(c, "path_lookup", why);
	} else if (w.entry == NULL || w.entry->kind == ENTRY_DELETED) {
		fail(c, "path_lookup", "not_found");
	} else if (rev != NULL
		&& (w.entry->kind == ENTRY_FOLDER || strcmp(w.entry->rev->rev, rev) != 0)) {
		fail(c, "path_write",
			w.entry->kind == ENTRY_FOLDER ? "conflict/folder" : "conflict/file");
	} else {
		reply_metadata(c, meta_entry(w.entry));
		store_delete(w.entry);
	}
	store_unlock();
	where_free(&w);
}

/* Puts what is at `from`, and all below it, at `to`; a move keeps the ids. */
static void relocate(const struct entry *from, const char *to, bool move)
{
	size_t n = strlen(from->key), count = entry_count();
	struct entry **all = xmalloc(count * sizeof *all);
	size_t found = 0;

	/* first collect: what is added would be seen again */
	for (size_t i = 0; i < count; i++) {
		struct entry *e = entry_at(i);

		if (e->kind != ENTRY_DELETED && strncmp(e->key, from->key, n) == 0
			&& (e->key[n] == '\0' || e->key[n] == '/'))
			all[found++] = e;
	}
	for (size_t i = 0; i < found; i++) {
		const char *rest = all[i]->display;

		/* the part of the display path below `from`: skip as many components as it has */
		for (const char *p = from->key; *p != '\0'; p++) {
			if (*p == '/')
				rest = strchr(rest + 1, '/') != NULL ? strchr(rest + 1, '/') : "";
		}
		char *path = xasprintf("%s%s", to, all[i] == from ? "" : rest);
		if (all[i]->kind == ENTRY_FILE)
			store_link(path, move ? all[i]->id : NULL, all[i]->rev);
		else
			store_mkdir(path);
		free(path);
	}
	free(all);
}

static void move_or_copy(struct call *c, bool move)
{
	const char *why = NULL, *why_to = NULL;
	struct where from = { 0 }, to = { 0 };
	char *display = NULL;

	if (root_refused(c, "from_path") || root_refused(c, "to_path"))
		return;
	store_lock();
	if (!where_read(json_str(c->arg, "from_path", ""), &from, &why)) {
		fail(c, "from_lookup", why);
	} else if (from.entry == NULL || from.entry->kind == ENTRY_DELETED) {
		fail(c, "from_lookup", "not_found");
	} else if (!where_write(json_str(c->arg, "to_path", ""), &to, &why_to)) {
		fail(c, "to", why_to);
	} else if (strcmp(from.key, to.key) == 0) {
		reply_error(c, "duplicated_or_nested_paths");
	} else if (from.entry->kind == ENTRY_FOLDER
		&& strncmp(to.key, from.key, strlen(from.key)) == 0
		&& to.key[strlen(from.key)] == '/') {
		reply_error(
			c, move ? "cant_move_folder_into_itself" : "duplicated_or_nested_paths");
	} else {
		bool taken = to.entry != NULL && to.entry->kind != ENTRY_DELETED;

		if (taken && !json_flag(c->arg, "autorename", false))
			why_to = to.entry->kind == ENTRY_FILE ? "conflict/file" : "conflict/folder";
		display = taken ? store_autorename(to.display, NULL) : xstrdup(to.display);
		if (why_to == NULL)
			why_to = store_parents(display);
		if (why_to == NULL && !move && from.entry->kind == ENTRY_FILE
			&& store_used() + from.entry->rev->size > opt.quota) {
			reply_error(c, "insufficient_quota");
		} else if (why_to != NULL) {
			fail(c, "to", why_to);
		} else {
			char *key = lower(display);

			relocate(from.entry, display, move);
			if (move)
				store_delete(from.entry);
			reply_metadata(c, meta_entry(entry_find(key)));
			free(key);
		}
	}
	store_unlock();
	where_free(&from);
	where_free(&to);
	free(display);
}

void route_move(struct call *c)
{
	move_or_copy(c, true);
}

void route_copy(struct call *c)
{
	move_or_copy(c, false);
}

void route_list_revisions(struct call *c)
{
	bool by_id = strcmp(json_tag_of(json_get(c->arg, "mode")), "id") == 0;
	const char *before = json_str(c->arg, "before_rev", NULL), *why;
	double limit = json_num(c->arg, "limit", 10);
	struct where w;

	if (root_refused(c, "path"))
		return;
	store_lock();
	if (!where_read(json_str(c->arg, "path", ""), &w, &why)) {
		fail(c, "path", why);
	} else if (w.rev == NULL) {
		fail(c, "path",
			w.entry != NULL && w.entry->kind == ENTRY_FOLDER
				? "not_file" : "not_found");
	} else if (before != NULL && rev_find(before) == NULL) {
		reply_error(c, "invalid_before_rev");
	} else {
		cJSON *j = cJSON_CreateObject(), *list = cJSON_CreateArray();
		bool deleted = w.entry->kind == ENTRY_DELETED, more = false, seen = before == NULL;
		size_t n = 0;

		while (rev_at(n) != NULL)
			n++;
		while (n-- > 0) {
			const struct rev *r = rev_at(n);

			if (r->gone
				|| strcmp(by_id ? r->id : r->key, by_id ? w.rev->id : w.key) != 0)
				continue;
			if (!seen) {
				seen = strcmp(r->rev, before) == 0;
				continue;
			}
			more = cJSON_GetArraySize(list) >= (int)limit;
			if (more)
				break;
			cJSON_AddItemToArray(list, meta_file(r, false));
		}
		cJSON_AddBoolToObject(j, "is_deleted", deleted);
		if (deleted) {
			char when[21];

			format_time(when, w.entry->deleted);
			cJSON_AddStringToObject(j, "server_deleted", when);
		}
		cJSON_AddItemToObject(j, "entries", list);
		cJSON_AddBoolToObject(j, "has_more", more);
		reply_json(c, 200, j);
	}
	store_unlock();
	where_free(&w);
}

void route_restore(struct call *c)
{
	const char *why;
	struct where w;

	if (root_refused(c, "path"))
		return;
	store_lock();
	struct rev *old = rev_find(json_str(c->arg, "rev", ""));
	if (!where_write(json_str(c->arg, "path", ""), &w, &why)) {
		fail(c, "path_write", why);
	} else if (w.entry == NULL) {
		fail(c, "path_lookup", "not_found");
	} else if (old == NULL || strcmp(old->key, w.key) != 0) {
		reply_error(c, "invalid_revision");
	} else if (w.entry->kind == ENTRY_FOLDER) {
		fail(c, "path_write", "conflict/folder");
	} else if ((why = store_parents(w.display)) != NULL) {
		fail(c, "path_write", why);
	} else {
		reply_json(c, 200, meta_file(store_link(w.display, old->id, old), false));
	}
	store_unlock();
	where_free(&w);
}
