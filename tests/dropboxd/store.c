/*
 * store.c - the account: names and their revisions in memory, bytes on disk by content hash.
 *
 *   ROOT/journal   every change, one JSON object a line, appended; read again at the start
 *   ROOT/blobs/    a file per content, named by its content_hash: a copy, a move or an upload of
 *                  known bytes costs nothing
 *   ROOT/tmp/      bodies and sessions on their way
 *
 * Revisions are never changed or freed while the server runs: a pointer to one stays good without
 * the lock. Deleted entries remain as tombstones: continue and longpoll have to tell of them.
 */
#include "lib/std.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/msg.h"
#include "tests/dropboxd/dropboxd.h"

#define PATH_BYTES 8192         /* of our own; the real limit is not known */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct entry **entries;  /* by key */
static size_t entries_n, entries_cap;
static struct rev **revs;       /* in order of creation */
static size_t revs_n, revs_cap;
static uint64_t seq;
static char epoch[17];
static FILE *journal_file;
static bool replaying;

void store_lock(void)
{
	pthread_mutex_lock(&mutex);
}

void store_unlock(void)
{
	pthread_mutex_unlock(&mutex);
}

uint64_t store_seq(void)
{
	return seq;
}

const char *store_epoch(void)
{
	return epoch;
}

bool store_wait(uint64_t known, double until)
{
	while (seq <= known && mono() < until && !stopping()) {
		struct timespec t;

		/* slices, because the end of the server does not signal this condition */
		clock_gettime(CLOCK_MONOTONIC, &t);
		t.tv_nsec += 100000000;
		t.tv_sec += t.tv_nsec / 1000000000;
		t.tv_nsec %= 1000000000;
		pthread_cond_clockwait(&changed, &mutex, CLOCK_MONOTONIC, &t);
	}
	return seq > known;
}

void journal(cJSON *event)
{
	if (!replaying && journal_file != NULL) {
		char *line = json_text(event, STYLE_COMPACT, true);

		if (fprintf(journal_file, "%s\n", line) < 0 || fflush(journal_file) != 0)
			msg_errno("journal", "cannot write");
		free(line);
	}
	cJSON_Delete(event);
}

/* ---- entries and revisions ---- */

static size_t entry_slot(const char *key, bool *found)
{
	size_t lo = 0, hi = entries_n;

	*found = false;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int c = strcmp(entries[mid]->key, key);

		if (c == 0) {
			*found = true;
			return mid;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct entry *entry_find(const char *key)
{
	bool found;
	size_t i = entry_slot(key, &found);

	return found ? entries[i] : NULL;
}

static struct entry *live(const char *key)
{
	struct entry *e = entry_find(key);

	return e != NULL && e->kind != ENTRY_DELETED ? e : NULL;
}

struct entry *entry_by_id(const char *id)
{
	for (size_t i = 0; i < entries_n; i++) {
		if (entries[i]->kind != ENTRY_DELETED && strcmp(entries[i]->id, id) == 0)
			return entries[i];
	}
	return NULL;
}

size_t entry_count(void)
{
	return entries_n;
}

struct entry *entry_at(size_t i)
{
	return entries[i];
}

struct rev *rev_at(size_t i)
{
	return i < revs_n ? revs[i] : NULL;
}

struct rev *rev_find(const char *rev)
{
	for (size_t i = revs_n; i-- > 0;) {
		if (strcmp(revs[i]->rev, rev) == 0)
			return revs[i]->gone ? NULL : revs[i];
	}
	return NULL;
}

/* The entry of a display path, made if need be; its kind and id are the caller's to set. */
static struct entry *entry_make(const char *display)
{
	char *key = lower(display);
	bool found;
	size_t i = entry_slot(key, &found);

	if (found) {
		free(key);
		return entries[i];
	}
	if (entries_n == entries_cap) {
		entries_cap = entries_cap * 2 + 64;
		entries = xrealloc(entries, entries_cap * sizeof *entries);
	}
	memmove(entries + i + 1, entries + i, (entries_n - i) * sizeof *entries);
	entries_n++;
	struct entry *e = entries[i] = xmalloc(sizeof *e);
	memset(e, 0, sizeof *e);
	e->key = key;
	e->display = xstrdup(display);
	return e;
}

static void touched(struct entry *e)
{
	e->seq = ++seq;
	pthread_cond_broadcast(&changed);
}

static void new_id(char id[32])
{
	memcpy(id, "id:", 3);
	chance_text(id + 3, 22, URLSAFE);
}

static void set_display(struct entry *e, const char *display)
{
	if (e->kind == ENTRY_DELETED && strcmp(e->display, display) != 0) {
		free(e->display);
		e->display = xstrdup(display);
	}
}

static void apply_folder(const char *display, const char *id)
{
	struct entry *e = entry_make(display);

	set_display(e, display);
	e->kind = ENTRY_FOLDER;
	e->rev = NULL;
	snprintf(e->id, sizeof e->id, "%s", id);
	touched(e);
}

static void apply_delete(struct entry *e, int64_t at)
{
	e->kind = ENTRY_DELETED;
	e->deleted = at;
	touched(e);
}

static struct rev *apply_file(const char *display, const struct rev *r)
{
	struct entry *e = entry_make(display);
	struct rev *copy = xmalloc(sizeof *copy);

	set_display(e, display);
	*copy = *r;
	copy->key = xstrdup(e->key);
	copy->display = xstrdup(e->display);
	if (revs_n == revs_cap) {
		revs_cap = revs_cap * 2 + 64;
		revs = xrealloc(revs, revs_cap * sizeof *revs);
	}
	revs[revs_n++] = copy;
	e->kind = ENTRY_FILE;
	e->rev = copy;
	memcpy(e->id, r->id, sizeof e->id);
	touched(e);
	return copy;
}

static cJSON *event(const char *op)
{
	cJSON *j = cJSON_CreateObject();

	cJSON_AddStringToObject(j, "op", op);
	return j;
}

static struct rev *add_file(const char *display, const struct rev *r)
{
	cJSON *j = event("file");

	cJSON_AddStringToObject(j, "path", display);
	cJSON_AddStringToObject(j, "id", r->id);
	cJSON_AddStringToObject(j, "rev", r->rev);
	cJSON_AddStringToObject(j, "hash", r->hash);
	cJSON_AddNumberToObject(j, "size", (double)r->size);
	cJSON_AddNumberToObject(j, "client", (double)r->client);
	cJSON_AddNumberToObject(j, "server", (double)r->server);
	journal(j);
	return apply_file(display, r);
}

struct entry *store_mkdir(const char *display)
{
	cJSON *j = event("folder");
	char id[32];

	new_id(id);
	cJSON_AddStringToObject(j, "path", display);
	cJSON_AddStringToObject(j, "id", id);
	journal(j);
	apply_folder(display, id);
	char *key = lower(display);
	struct entry *e = entry_find(key);
	free(key);
	return e;
}

void store_delete(struct entry *top)
{
	int64_t now = server_now();
	size_t n = strlen(top->key);

	for (size_t i = 0; i < entries_n; i++) {
		struct entry *e = entries[i];

		if (e->kind == ENTRY_DELETED || strncmp(e->key, top->key, n) != 0
			|| (e->key[n] != '\0' && e->key[n] != '/'))
			continue;
		cJSON *j = event("delete");
		cJSON_AddStringToObject(j, "path", e->key);
		cJSON_AddNumberToObject(j, "at", (double)now);
		journal(j);
		apply_delete(e, now);
	}
}

/* ---- paths ---- */

bool is_root(const char *path)
{
	const char *slash = strncmp(path, "ns:", 3) == 0 ? path + 3 + strspn(path + 3, "0123456789")
		: path;

	return strcmp(slash, "/") == 0 || *slash == '\0';
}

/* NULL if Dropbox would take this path as a name, else the tag of its refusal. */
static const char *path_refused(const char *path, bool writing)
{
	static const char *const never[] = { "desktop.ini", "thumbs.db", ".ds_store", "icon\r",
		".dropbox", ".dropbox.attr" };

	if (strlen(path) > PATH_BYTES)
		return "malformed_path";
	for (const char *p = path; *p != '\0';) {
		const char *name = p + 1;       /* p is at a slash */
		size_t n = strcspn(name, "/");

		if (n == 0 || utf8_length(name, n) > 255 || memchr(name, '\\', n) != NULL
			|| strchr(" \t", name[n - 1]) != NULL || (n == 1 && *name == '.')
			|| (n == 2 && memcmp(name, "..", 2) == 0))
			return "malformed_path";
		for (size_t i = 0; i < sizeof never / sizeof *never && writing; i++) {
			if (strlen(never[i]) == n && strncasecmp(never[i], name, n) == 0)
				return "disallowed_name";
		}
		for (size_t i = 0; i < n; i++) {
			if ((unsigned char)name[i] < 0x20)
				return "malformed_path";
		}
		p = name + n;
	}
	return NULL;
}

/* The text of a path with the home namespace taken off; NULL if it names another one. */
static const char *home(const char *path)
{
	if (strncmp(path, "ns:", 3) != 0)
		return path;
	char *end;
	return strtoull(path + 3, &end, 10) == 70721710 ? end : NULL;
}

/* `/a/b` in the case in which its parents are known */
static char *display_of(const char *path)
{
	char *key = lower(path), *out;
	char *cut = strrchr(key, '/');

	for (; cut != NULL && cut != key; cut = strrchr(key, '/')) {
		*cut = '\0';
		struct entry *parent = live(key);
		if (parent == NULL)
			continue;
		/* lower case may have another length: count components instead of bytes */
		const char *rest = path;
		for (const char *p = key; *p != '\0'; p++) {
			if (*p == '/')
				rest = strchr(rest + 1, '/');
		}
		out = xasprintf("%s%s", parent->display, rest);
		free(key);
		return out;
	}
	free(key);
	return xstrdup(path);
}

static bool where(const char *path, struct where *w, const char **why, bool writing)
{
	memset(w, 0, sizeof *w);
	*why = NULL;
	if (strncmp(path, "rev:", 4) == 0) {
		w->rev = rev_find(path + 4);
		if (w->rev == NULL)
			*why = "not_found";
		else
			w->entry = entry_find(w->rev->key);
	} else if (strncmp(path, "id:", 3) == 0) {
		w->entry = entry_by_id(path);
		if (w->entry == NULL)
			*why = writing ? "malformed_path" : "not_found";
	} else {
		path = home(path);
		*why = path == NULL ? (writing ? "no_write_permission" : "not_found")
			: path_refused(path, writing);
		if (*why == NULL) {
			w->key = lower(path);
			w->entry = entry_find(w->key);
			w->display = display_of(path);
		}
	}
	if (*why != NULL)
		return false;
	if (w->key == NULL) {
		w->key = xstrdup(w->rev != NULL ? w->rev->key : w->entry->key);
		w->display = xstrdup(w->rev != NULL ? w->rev->display : w->entry->display);
	}
	if (w->rev == NULL && w->entry != NULL)
		w->rev = w->entry->rev;
	if (w->entry != NULL && w->entry->kind != ENTRY_DELETED && strncmp(path, "rev:", 4) != 0) {
		free(w->display);
		w->display = xstrdup(w->entry->display);
	}
	return true;
}

bool where_read(const char *path, struct where *w, const char **why)
{
	return where(path, w, why, false);
}

bool where_write(const char *path, struct where *w, const char **why)
{
	return where(path, w, why, true);
}

void where_free(struct where *w)
{
	free(w->key);
	free(w->display);
}

const char *store_parents(const char *display)
{
	char *path = xstrdup(display);
	const char *why = NULL;

	/* first look, then make: a refusal leaves nothing behind */
	for (int make = 0; make < 2 && why == NULL; make++) {
		for (char *p = strchr(path + 1, '/'); p != NULL && why == NULL;
			p = strchr(p + 1, '/')) {
			*p = '\0';
			char *key = lower(path);
			struct entry *e = live(key);
			if (e != NULL && e->kind == ENTRY_FILE)
				why = "conflict/file_ancestor";
			else if (e == NULL && make)
				store_mkdir(path);
			free(key);
			*p = '/';
		}
	}
	free(path);
	return why;
}

char *store_autorename(const char *display, const char *suffix)
{
	const char *name = strrchr(display, '/') + 1;
	const char *dot = strrchr(name, '.');

	if (dot == NULL || dot == name)
		dot = name + strlen(name);
	for (int n = 1;; n++) {
		char *tail = suffix != NULL && n == 1 ? xstrdup(suffix)
			: suffix != NULL ? xasprintf("%s %d", suffix, n) : xasprintf("%d", n);
		char *path = xasprintf("%.*s (%s)%s", (int)(dot - display), display, tail, dot);
		char *key = lower(path);
		bool taken = live(key) != NULL;

		free(tail);
		free(key);
		if (!taken)
			return path;
		free(path);
	}
}

/* ---- committing ---- */

void commit_from(struct commit *ci, const cJSON *arg)
{
	const cJSON *mode = json_get(arg, "mode");
	const char *when = json_str(arg, "client_modified", NULL);

	memset(ci, 0, sizeof *ci);
	ci->mode = mode != NULL ? json_tag_of(mode) : "add";
	ci->update = json_str(mode, "update", NULL);
	ci->autorename = json_flag(arg, "autorename", false);
	ci->strict = json_flag(arg, "strict_conflict", false);
	ci->has_time = when != NULL && parse_time(when, &ci->client);
}

static void new_rev(char rev[32])
{
	static const size_t lengths[] = { 9, 13, 21, 31 };

	chance_text(rev, lengths[chance(4)], HEX);
	if (rev[0] == '0')
		rev[0] = '1';
}

struct rev *store_link(const char *display, const char *id, const struct rev *from)
{
	struct rev r = *from;

	if (id != NULL)
		snprintf(r.id, sizeof r.id, "%s", id);
	else
		new_id(r.id);
	new_rev(r.rev);
	r.server = server_now();
	r.gone = false;
	return add_file(display, &r);
}

/* What mode, content and what is there now come to: NULL to write, "" nothing to do, else tags. */
static const char *verdict(const struct entry *e, const struct commit *ci, const char *hash)
{
	bool update = strcmp(ci->mode, "update") == 0;

	if (e == NULL || e->kind == ENTRY_DELETED)
		return update && ci->strict ? "conflict/file" : NULL;
	if (e->kind == ENTRY_FOLDER)
		return "conflict/folder";
	bool same = strcmp(e->rev->hash, hash) == 0;
	if (strcmp(ci->mode, "overwrite") == 0 || (update && strcmp(ci->update, e->rev->rev) == 0))
		return same ? "" : NULL;
	return same && !ci->strict ? "" : "conflict/file";
}

struct rev *store_commit(const char *path, const struct commit *ci, const char *tmp, uint64_t size,
	const char *hash, const char **why)
{
	struct where w;
	struct rev r = { .size = size }, *done = NULL;
	char *renamed = NULL, blob[80];

	if (!where_write(path, &w, why)) {
		where_free(&w);
		return NULL;
	}
	*why = verdict(w.entry, ci, hash);
	if (*why != NULL && **why == '\0') {
		done = w.entry->rev;
		if (unlinkat(root_fd, tmp, 0) < 0)
			msg_errno(tmp, "cannot remove");
		goto out;
	}
	if (*why != NULL && ci->autorename) {
		renamed = store_autorename(w.display,
			strcmp(ci->mode, "update") == 0 ? "conflicted copy" : NULL);
		*why = NULL;
	}
	if (*why == NULL && store_used() + size > opt.quota)
		*why = "insufficient_space";
	if (*why == NULL)
		*why = store_parents(w.display);
	if (*why != NULL)
		goto out;
	snprintf(blob, sizeof blob, "blobs/%s", hash);
	if (renameat(root_fd, tmp, root_fd, blob) < 0) {
		msg_errno(blob, "cannot keep");
		*why = "other";
		goto out;
	}
	if (renamed == NULL && w.entry != NULL && w.entry->kind == ENTRY_FILE)
		memcpy(r.id, w.entry->id, sizeof r.id);
	else
		new_id(r.id);
	new_rev(r.rev);
	snprintf(r.hash, sizeof r.hash, "%s", hash);
	r.server = server_now();
	r.client = ci->has_time ? ci->client : r.server;
	done = add_file(renamed != NULL ? renamed : w.display, &r);
out:
	where_free(&w);
	free(renamed);
	return done;
}

uint64_t store_used(void)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < entries_n; i++)
		sum += entries[i]->kind == ENTRY_FILE ? entries[i]->rev->size : 0;
	return sum;
}

int blob_open(const char *hash)
{
	char name[80];

	snprintf(name, sizeof name, "blobs/%s", hash);
	int fd = openat(root_fd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		msg_errno(name, "cannot open");
	return fd;
}

int tmp_open(char name[40])
{
	char random[25];

	chance_text(random, 24, BASE62);
	snprintf(name, 40, "tmp/%s", random);
	int fd = openat(root_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		msg_errno(name, "cannot create");
	return fd;
}

/* ---- metadata ---- */

/* A client must live with fields that it does not know. */
static void add_strange(cJSON *j)
{
	switch (chance(8)) {
	case 0:
		cJSON_AddItemToObject(j, "future_hint", json_tag("not_invented_yet"));
		break;
	case 1:
		cJSON_AddNullToObject(j, "future_note");
		break;
	case 2:
		cJSON_AddItemToObject(j, "property_groups", cJSON_CreateArray());
		break;
	default:
		break;
	}
}

static void add_names(cJSON *j, const char *key, const char *display)
{
	cJSON_AddStringToObject(j, "name", strrchr(display, '/') + 1);
	cJSON_AddStringToObject(j, "path_lower", key);
	cJSON_AddStringToObject(j, "path_display", display);
}

cJSON *meta_file(const struct rev *r, bool tag)
{
	cJSON *j = tag ? json_tag("file") : cJSON_CreateObject();
	char when[21];

	add_names(j, r->key, r->display);
	cJSON_AddStringToObject(j, "id", r->id);
	format_time(when, r->client);
	cJSON_AddStringToObject(j, "client_modified", when);
	format_time(when, r->server);
	cJSON_AddStringToObject(j, "server_modified", when);
	cJSON_AddStringToObject(j, "rev", r->rev);
	cJSON_AddNumberToObject(j, "size", (double)r->size);
	cJSON_AddTrueToObject(j, "is_downloadable");
	cJSON_AddStringToObject(j, "content_hash", r->hash);
	add_strange(j);
	return j;
}

cJSON *meta_entry(const struct entry *e)
{
	if (e->kind == ENTRY_FILE)
		return meta_file(e->rev, true);
	cJSON *j = json_tag(e->kind == ENTRY_FOLDER ? "folder" : "deleted");
	add_names(j, e->key, e->display);
	if (e->kind == ENTRY_FOLDER) {
		cJSON_AddStringToObject(j, "id", e->id);
		add_strange(j);
	}
	return j;
}

/* ---- the journal ---- */

static void new_epoch(void)
{
	cJSON *j = event("epoch");

	chance_text(epoch, 16, BASE62);
	cJSON_AddStringToObject(j, "epoch", epoch);
	journal(j);
}

static void replay(const cJSON *j)
{
	const char *op = json_str(j, "op", ""), *path = json_str(j, "path", "/?");
	struct rev r = { .size = (uint64_t)json_int(j, "size", 0) };

	if (strcmp(op, "file") == 0) {
		snprintf(r.id, sizeof r.id, "%s", json_str(j, "id", ""));
		snprintf(r.rev, sizeof r.rev, "%s", json_str(j, "rev", ""));
		snprintf(r.hash, sizeof r.hash, "%s", json_str(j, "hash", ""));
		r.client = json_int(j, "client", 0);
		r.server = json_int(j, "server", 0);
		apply_file(path, &r);
	} else if (strcmp(op, "folder") == 0) {
		apply_folder(path, json_str(j, "id", ""));
	} else if (strcmp(op, "delete") == 0) {
		struct entry *e = entry_find(path);

		if (e != NULL)
			apply_delete(e, json_int(j, "at", 0));
	} else if (strcmp(op, "gone") == 0) {
		struct rev *gone = rev_find(json_str(j, "rev", ""));

		if (gone != NULL)
			gone->gone = true;
	} else if (strcmp(op, "epoch") == 0) {
		snprintf(epoch, sizeof epoch, "%s", json_str(j, "epoch", ""));
	} else {
		auth_replay(j);
	}
}

static bool read_journal(void)
{
	int fd = openat(root_fd, "journal", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	bool ok = true;

	if (fd < 0 || (journal_file = fdopen(fd, "a+")) == NULL) {
		msg_errno("journal", "cannot open");
		return false;
	}
	replaying = true;
	rewind(journal_file);
	while (ok && (n = getline(&line, &cap, journal_file)) > 0) {
		/* the last line may be torn by a kill; what came before it is whole */
		cJSON *j = line[n - 1] == '\n' ? json_parse(line, (size_t)n) : NULL;

		if (j != NULL)
			replay(j);
		else if (line[n - 1] == '\n')
			ok = false;
		else if (ftruncate(fd, ftello(journal_file) - n) < 0)
			ok = false;
		cJSON_Delete(j);
	}
	free(line);
	replaying = false;
	if (!ok)
		msg_err("journal", "damaged");
	return ok;
}

static bool make_dir(const char *name)
{
	if (mkdirat(root_fd, name, 0700) < 0 && errno != EEXIST) {
		msg_errno(name, "cannot create");
		return false;
	}
	return true;
}

bool store_open(void)
{
	if (!make_dir("blobs") || !make_dir("tmp") || !read_journal())
		return false;
	if (epoch[0] == '\0')
		new_epoch();
	return true;
}

void store_wipe(void)
{
	for (size_t i = 0; i < entries_n; i++) {
		if (strrchr(entries[i]->key, '/') == entries[i]->key
			&& entries[i]->kind != ENTRY_DELETED)
			store_delete(entries[i]);
	}
	for (size_t i = 0; i < revs_n; i++) {
		if (revs[i]->gone)
			continue;
		cJSON *j = event("gone");
		cJSON_AddStringToObject(j, "rev", revs[i]->rev);
		journal(j);
		revs[i]->gone = true;
		char blob[80];
		snprintf(blob, sizeof blob, "blobs/%s", revs[i]->hash);
		(void)unlinkat(root_fd, blob, 0);       /* revisions may share it */
	}
	new_epoch();
}

void store_close(void)
{
	for (size_t i = 0; i < entries_n; i++) {
		free(entries[i]->key);
		free(entries[i]->display);
		free(entries[i]);
	}
	for (size_t i = 0; i < revs_n; i++) {
		free(revs[i]->key);
		free(revs[i]->display);
		free(revs[i]);
	}
	free(entries);
	free(revs);
	if (journal_file != NULL)
		fclose(journal_file);
}
