/* control.c - the routes by which a test drives the server (README.md lists them). */
#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/msg.h"
#include "tests/dropboxd/dropboxd.h"

/* ---- content put by "another client" ---- */

/* Fills fd from a local file, a text or chance; false: *why. */
static bool fill(int fd, const cJSON *spec, struct chash *h, const char **why)
{
	const char *from = json_str(spec, "from", NULL), *text = json_str(spec, "text", NULL);
	uint64_t size = (uint64_t)json_int(spec, "size", 100000);
	char *buf = xmalloc(1 << 20);
	uint64_t *word = (uint64_t *)(void *)buf;
	bool ok = true;
	ssize_t n;
	int src = -1;

	if (from != NULL && (src = open(from, O_RDONLY | O_CLOEXEC)) < 0) {
		*why = "cannot open the local file";
		free(buf);
		return false;
	}
	do {
		n = 0;
		if (src >= 0) {
			n = read(src, buf, 1 << 20);
		} else if (text != NULL) {
			n = (ssize_t)strlen(text);
			free(buf);
			buf = xstrdup(text);
		} else if (h->len < size) {
			for (size_t i = 0; i < (1 << 20) / sizeof *word; i++)
				word[i] = chance(UINT64_MAX);
			n = size - h->len < (1 << 20) ? (ssize_t)(size - h->len) : 1 << 20;
		}
		if (n > 0)
			chash_add(h, buf, (size_t)n);
		ok = n >= 0 && (n == 0 || write(fd, buf, (size_t)n) == n);
	} while (ok && n > 0 && text == NULL);
	if (!ok)
		*why = "cannot copy";
	if (src >= 0)
		close(src);
	free(buf);
	return ok;
}

const char *put_file(const char *path, const cJSON *spec)
{
	struct commit ci = { .mode = "overwrite" };
	const char *why = NULL, *when = json_str(spec, "client_modified", NULL);
	struct where w = { 0 };
	char name[40], hash[HEX_HASH];
	struct chash h;
	char *to = NULL;

	/* a revision stands for the name that it was written to */
	store_lock();
	if (!is_root(path) && where_read(path, &w, &why))
		to = xstrdup(w.display);
	store_unlock();
	where_free(&w);
	if (to == NULL)
		return why != NULL ? why : "no path";
	ci.has_time = when != NULL && parse_time(when, &ci.client);
	int fd = tmp_open(name);
	if (fd < 0) {
		free(to);
		return "cannot create a file";
	}
	chash_init(&h);
	if (fill(fd, spec, &h, &why)) {
		chash_hex(&h, 0, hash);
		store_lock();
		(void)store_commit(to, &ci, name, h.len, hash, &why);
		store_unlock();
		if (why != NULL && *why == '\0')
			why = NULL;     /* it was there already */
	}
	if (why != NULL)
		(void)unlinkat(root_fd, name, 0);
	chash_free(&h);
	close(fd);
	free(to);
	return why;
}

/* ---- the routes ---- */

static void answer(struct call *c, const char *why)
{
	cJSON *j = cJSON_CreateObject();

	cJSON_AddBoolToObject(j, "ok", why == NULL);
	if (why != NULL)
		cJSON_AddStringToObject(j, "why", why);
	char *text = cJSON_PrintUnformatted(j);
	reply_text(c, why == NULL ? 200 : 400, "application/json", text);
	cJSON_free(text);
	cJSON_Delete(j);
}

static void answer_json(struct call *c, cJSON *j)
{
	char *text = cJSON_PrintUnformatted(j);

	reply_text(c, 200, "application/json", text);
	cJSON_free(text);
	cJSON_Delete(j);
}

static void add_faults(struct call *c, const cJSON *spec)
{
	char *why = NULL;

	if (cJSON_IsArray(spec)) {
		for (const cJSON *e = spec->child; e != NULL && why == NULL; e = e->next)
			why = fault_add(e);
	} else {
		why = fault_add(spec);
	}
	answer(c, why);
	free(why);
}

static void send_log(struct call *c)
{
	struct stat st;

	if (MHD_lookup_connection_value(c->conn, MHD_GET_ARGUMENT_KIND, "now") == NULL)
		(void)log_settle(mono() + 10);
	int fd = log_fd();
	if (fd < 0 || fstat(fd, &st) < 0) {
		answer(c, "no log");
		return;
	}
	c->reply.fd = fd;
	c->reply.status = 200;
	c->reply.type = "application/x-ndjson";
	c->reply.n = (uint64_t)st.st_size;
}

static void wait_for(struct call *c, const cJSON *spec)
{
	double until = mono() + json_num(spec, "seconds", 20);
	const cJSON *stalled = json_get(spec, "stalled");
	bool ok = true;

	if (json_get(spec, "route") != NULL)
		ok = log_wait(json_str(spec, "route", ""),
			(unsigned long)json_int(spec, "calls", 1), until);
	if (ok && cJSON_IsNumber(stalled))
		ok = stalls_wait((unsigned)stalled->valuedouble, until);
	if (ok && json_flag(spec, "quiet", false))
		ok = log_settle(until);
	answer(c, ok ? NULL : "waited in vain");
}

static const char *forget_rev(const char *rev)
{
	cJSON *j = cJSON_CreateObject();

	store_lock();
	struct rev *r = rev_find(rev);
	if (r != NULL) {
		r->gone = true;
		cJSON_AddStringToObject(j, "op", "gone");
		cJSON_AddStringToObject(j, "rev", rev);
		journal(j);
		j = NULL;
	}
	store_unlock();
	cJSON_Delete(j);
	return r != NULL ? NULL : "no such revision";
}

static void set_options(const cJSON *spec)
{
	opt.rate = (uint64_t)json_int(spec, "rate", (int64_t)opt.rate);
	opt.latency_ms = (long)json_int(spec, "latency_ms", (int64_t)opt.latency_ms);
	opt.page = (long)json_int(spec, "page", (int64_t)opt.page);
	opt.quota = (uint64_t)json_int(spec, "quota", (int64_t)opt.quota);
	opt.token_life = (long)json_int(spec, "token_life", (int64_t)opt.token_life);
	if (opt.page < 1)
		opt.page = 1;
}

void route_control(struct call *c)
{
	const char *what = c->route->name + strlen("control/");
	cJSON *spec = c->body.n > 0 ? json_parse(c->body.p, c->body.n) : NULL;

	if (c->body.n > 0 && spec == NULL) {
		answer(c, "the body is not JSON");
		return;
	}
	if (strcmp(what, "fault") == 0 && spec == NULL) {
		answer_json(c, faults_json());
	} else if (strcmp(what, "fault") == 0) {
		add_faults(c, spec);
	} else if (strcmp(what, "reset") == 0) {
		faults_clear();
		stalls_release();
		(void)log_settle(mono() + 10);
		log_clear();
		if (json_flag(spec, "data", false)) {
			store_lock();
			store_wipe();
			store_unlock();
		}
		answer(c, NULL);
	} else if (strcmp(what, "clock") == 0) {
		clock_advance(json_int(spec, "advance", 0));
		answer(c, NULL);
	} else if (strcmp(what, "authorize") == 0) {
		answer_json(c, auth_authorize(spec));
	} else if (strcmp(what, "token") == 0) {
		answer_json(c, auth_mint(spec));
	} else if (strcmp(what, "revoke") == 0) {
		answer(c, auth_revoke(json_str(spec, "token", NULL)) > 0 ? NULL : "no such token");
	} else if (strcmp(what, "log") == 0) {
		send_log(c);
	} else if (strcmp(what, "stats") == 0) {
		answer_json(c, log_stats());
	} else if (strcmp(what, "wait") == 0) {
		wait_for(c, spec);
	} else if (strcmp(what, "release") == 0) {
		stalls_release();
		answer(c, NULL);
	} else if (strcmp(what, "put") == 0) {
		answer(c, put_file(json_str(spec, "path", ""), spec));
	} else if (strcmp(what, "forget") == 0) {
		answer(c, forget_rev(json_str(spec, "rev", "")));
	} else if (strcmp(what, "option") == 0) {
		set_options(spec);
		answer(c, NULL);
	} else if (strcmp(what, "env") == 0) {
		char *text = env_text();

		reply_text(c, 200, "text/plain", text);
		free(text);
	}
	cJSON_Delete(spec);
}
