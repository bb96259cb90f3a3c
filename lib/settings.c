#include "lib/std.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/settings.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/msg.h"

#define DEFAULT_PATH "/etc/ctv-db-sync.env"

/* A credential, or a value that was asked for: kept so that config_get can return a plain pointer. */
struct value {
	struct value *next;
	char *name;
	struct buf text;
};

static struct buf file = BUF_INIT(CONFIG_MAX);
static struct value *values;

const char *config_path(void)
{
	const char *path = getenv("CTV_ENV_FILE");

	return path != NULL && *path != '\0' ? path : DEFAULT_PATH;
}

static bool name_char(char c, bool first)
{
	return c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (!first && c >= '0' && c <= '9');
}

static bool newline(char c)
{
	return c == '\n' || c == '\r';
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

/*
 * Reads the value at p (behind the '=') up to its end of line into out, or only skips it when out is NULL, just
 * as systemd 252 does: quotes count only where a value begins, or behind a closing quote; '...' is literal; "..."
 * knows \" \\ \` \$; outside of quotes a backslash keeps the next character; a backslash at the end of a line
 * continues it; white space before, between quotes and after is dropped. Returns the place behind the line's
 * end, or NULL: an open quote (which systemd closes at the end of the file), or more than out takes.
 */
static const char *value(const char *p, const char *end, struct buf *out)
{
	enum { BEFORE, PLAIN, SINGLE = '\'', DOUBLE = '"' } state = BEFORE;
	size_t keep = out != NULL ? out->len : 0;	/* trailing white space beyond this is dropped */

	for (; p < end; p++) {
		bool quoted = state == SINGLE || state == DOUBLE, escaped = false;

		if (quoted && *p == (char)state) {
			state = BEFORE;
			continue;
		}
		if (!quoted && newline(*p))
			break;
		if (state == BEFORE && (*p == SINGLE || *p == DOUBLE)) {
			state = *p == SINGLE ? SINGLE : DOUBLE;
			continue;
		}
		if (state == BEFORE && blank(*p))
			continue;
		if (!quoted)
			state = PLAIN;
		if (state != SINGLE && *p == '\\') {
			if (++p == end)
				break;
			if (*p == '\n' || (!quoted && *p == '\r'))
				continue;
			escaped = true;
			if (quoted && strchr("\"\\`$", *p) == NULL && out != NULL && buf_add(out, "\\", 1) != 0)
				return NULL;
		}
		if (out != NULL && buf_add(out, p, 1) != 0)
			return NULL;
		if (out != NULL && (quoted || escaped || !blank(*p)))
			keep = out->len;
	}
	if (state == SINGLE || state == DOUBLE)
		return NULL;
	if (out != NULL && out->data != NULL) {
		out->len = keep;
		out->data[keep] = '\0';
	}
	return p < end ? p + 1 : end;
}

/* An assignment: from begin (the line's first byte) to next (behind its end). */
struct item {
	const char *begin, *name, *value, *next;
	size_t name_len;
};

/* The first assignment at or behind p. 1, 0 when there is none, -1 when a line at it->begin is none. */
static int next_item(const char *p, const char *end, struct item *it)
{
	for (;;) {
		it->begin = p;
		while (p < end && blank(*p))
			p++;
		if (p == end)
			return 0;
		if (newline(*p)) {
			p++;
			continue;
		}
		if (*p != '#' && *p != ';')
			break;
		/* a comment is one line, as systemd has it since 254: before, a backslash at its end took the next setting away */
		while (p < end && !newline(*p))
			p++;
	}
	it->name = p;
	while (p < end && name_char(*p, p == it->name))
		p++;
	it->name_len = (size_t)(p - it->name);
	while (p < end && blank(*p))
		p++;
	if (it->name_len == 0 || p == end || *p != '=')
		return -1;
	it->value = p + 1;
	it->next = value(it->value, end, NULL);
	return it->next != NULL ? 1 : -1;
}

/*
 * The last assignment of name, which is the one that counts. 1, 0 when there is none, -1 with the number of
 * the first line that is no assignment.
 */
static int last_item(const char *text, size_t len, const char *name, struct item *last, unsigned *line)
{
	const char *end = text + len, *nul = memchr(text, '\0', len);
	struct item it = { .begin = nul, .next = text };
	int found = 0, more = nul != NULL ? -1 : 1;

	while (more > 0 && (more = next_item(it.next, end, &it)) > 0) {
		if (it.name_len == strlen(name) && memcmp(it.name, name, it.name_len) == 0) {
			*last = it;
			found = 1;
		}
	}
	*line = 1;
	for (const char *p = text; more < 0 && p < it.begin; p++)
		*line += *p == '\n';
	return more < 0 ? -1 : found;
}

int config_find(const char *text, size_t len, const char *name, struct buf *out, unsigned *line)
{
	struct item it;
	int found = last_item(text, len, name, &it, line);

	if (found > 0 && value(it.value, text + len, out) == NULL)
		return -1;
	return found;
}

/* Behind a line that is no assignment: what systemd takes for its value, quotes and all, belongs to it. */
static const char *skip_line(const char *p, const char *end)
{
	while (p < end && *p != '=' && !newline(*p))
		p++;
	if (p < end && *p == '=')
		p = value(p + 1, end, NULL);
	return p != NULL ? p : end;
}

void config_each(const char *text, size_t len, config_take *take)
{
	const char *nul = memchr(text, '\0', len), *end = nul != NULL ? nul : text + len;
	struct item it = { .next = text };
	unsigned line = 1;
	int more;

	for (const char *p = text; (more = next_item(p, end, &it)) != 0; p = it.next, it.value = NULL) {
		while (p < it.begin)
			line += *p++ == '\n';
		if (more < 0 && it.value == NULL) {
			take(NULL, "", line);
			it.next = skip_line(it.begin, end);
		} else {
			struct buf out = BUF_INIT(len);
			char *name = strndup(it.name, it.name_len);

			if (name == NULL)
				abort();
			value(it.value, end, &out);
			take(name, buf_text(&out), line);
			free(name);
			buf_free(&out);
			it.next = more > 0 ? it.next : end;
		}
		while (p < it.next)
			line += *p++ == '\n';
	}
	if (nul != NULL)
		take(NULL, "", line);
}

/* Does our user belong to the file's group by the system's list, but not yet this process? Groups come with the login. Keeps errno. */
static bool joined_since(const char *path)
{
	struct passwd *pw;
	gid_t groups[256];
	int n = sizeof groups / sizeof *groups, error = errno;
	bool listed = false;
	struct stat st;

	pw = getpwuid(geteuid());
	if (pw != NULL && stat(path, &st) == 0 && (st.st_mode & S_IRGRP) != 0 && !group_member(st.st_gid) &&
	    getgrouplist(pw->pw_name, pw->pw_gid, groups, &n) >= 0)
		for (int i = 0; i < n && !listed; i++)
			listed = groups[i] == st.st_gid;
	errno = error;
	return listed;
}

/* Reads the file behind path into out. EX_NOINPUT (silent) when there is none. */
static int read_checked(const char *path, struct buf *out)
{
	int rc = EX_CONFIG, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char chunk[4096];
	struct stat st;
	ssize_t n;

	if (fd < 0 && errno == ENOENT)
		return EX_NOINPUT;
	if (fd < 0 && errno == EACCES && joined_since(path)) {
		msg_err(path, "cannot open: this session began before its user joined the group of that file");
		msg_hint("log in again");
		return EX_NOPERM;
	}
	if (fd < 0 || fstat(fd, &st) != 0) {
		msg_errno(path, "cannot open");
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		msg_err(path, "not a regular file");
		goto out;
	}
	if ((st.st_mode & (S_IROTH | S_IWOTH)) != 0) {
		msg_err(path, "holds secrets, but others can %s it", st.st_mode & S_IWOTH ? "write" : "read");
		msg_hint("chmod 0640 %s", path);
		goto out;
	}
	while ((n = file_read(fd, chunk, sizeof chunk)) > 0) {
		if (buf_add(out, chunk, (size_t)n) != 0) {
			msg_err(path, "larger than %zu bytes", CONFIG_MAX);
			goto out;
		}
	}
	if (n < 0)
		msg_errno(path, "cannot read");
	else
		rc = EX_OK;
	explicit_bzero(chunk, sizeof chunk);
out:
	if (fd >= 0)
		close(fd);
	return rc;
}

static struct value *add_value(const char *name)
{
	struct value *v = calloc(1, sizeof *v);

	if (v == NULL || (v->name = strdup(name)) == NULL)
		abort();
	v->text.max = CONFIG_MAX;
	v->next = values;
	values = v;
	return v;
}

/* Takes the credential name in dir, its last line end cut. */
static int take_credential(const char *dir, const char *name)
{
	struct value *v;
	char *path = NULL;
	int rc;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		abort();
	v = add_value(name);
	rc = file_slurp(path, &v->text);
	if (rc == EX_OK && v->text.len > 0 && memchr(v->text.data, '\0', v->text.len) != NULL) {
		msg_err(path, "holds a NUL byte");
		rc = EX_CONFIG;
	}
	free(path);
	if (v->text.len > 0 && v->text.data[v->text.len - 1] == '\n')
		v->text.data[--v->text.len] = '\0';
	return rc == EX_OK ? EX_OK : EX_CONFIG;
}

/* Every credential with the name of a setting; others (a certificate, say) are not for us. */
static int take_credentials(void)
{
	const char *path = getenv("CREDENTIALS_DIRECTORY");
	struct dirent *e;
	int rc = EX_OK;
	DIR *dir;

	if (path == NULL || *path == '\0')
		return EX_OK;
	dir = opendir(path);
	if (dir == NULL && errno == ENOENT)
		return EX_OK;
	if (dir == NULL) {
		msg_errno(path, "cannot open");
		return EX_CONFIG;
	}
	while (rc == EX_OK && (e = readdir(dir)) != NULL)
		if (strspn(e->d_name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == strlen(e->d_name))
			rc = take_credential(path, e->d_name);
	closedir(dir);
	return rc;
}

int config_load(void)
{
	struct buf ignored = BUF_INIT(CONFIG_MAX);
	unsigned line;
	int rc;

	config_free();
	rc = read_checked(config_path(), &file);
	if (rc == EX_OK && file.len >= 3 && memcmp(file.data, "\xef\xbb\xbf", 3) == 0) {
		msg_err(config_path(), "begins with a byte order mark, which makes the first line no NAME=VALUE");
		msg_hint("sed -i '1s/^\\xEF\\xBB\\xBF//' %s", config_path());
		rc = EX_CONFIG;
	} else if (rc == EX_OK && config_find(buf_text(&file), file.len, "", &ignored, &line) < 0) {
		msg_err(config_path(), "line %u is not NAME=VALUE", line);
		rc = EX_CONFIG;
	}
	buf_free(&ignored);
	return rc == EX_OK || rc == EX_NOINPUT ? take_credentials() : rc;
}

const char *config_get(const char *name)
{
	const char *env = getenv(name);
	struct value *v = values;
	unsigned line;

	if (env != NULL && *env != '\0')
		return env;
	while (v != NULL && strcmp(v->name, name) != 0)
		v = v->next;
	if (v == NULL)
		v = add_value(name);
	if (v->text.len == 0)
		config_find(buf_text(&file), file.len, name, &v->text, &line);
	return v->text.len > 0 ? v->text.data : NULL;
}

const char *config_hint(const char *value)
{
	const char *mark = value != NULL ? strchr(value, '#') : NULL;

	while (mark != NULL && (mark == value || !blank(mark[-1])))
		mark = strchr(mark + 1, '#');
	return mark != NULL ? "a comment behind a value is part of it: give it a line of its own" : NULL;
}

void config_free(void)
{
	while (values != NULL) {
		struct value *next = values->next;

		buf_free(&values->text);
		free(values->name);
		free(values);
		values = next;
	}
	buf_free(&file);
}

int config_store(const char *name, const char *value_text)
{
	struct buf old = BUF_INIT(CONFIG_MAX), new = BUF_INIT(CONFIG_MAX);
	const char *path = config_path();
	char *real = NULL;
	size_t from, to;
	struct stat st = { .st_mode = 0600, .st_uid = (uid_t)-1, .st_gid = (gid_t)-1 };
	struct item it;
	unsigned line;
	bool exists, full;
	int found, rc;

	if (strspn(value_text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~+/=") !=
	    strlen(value_text)) {
		msg_err(path, "%s would need quoting", name);
		return EX_CONFIG;
	}
	rc = read_checked(path, &old);
	if (rc != EX_OK && rc != EX_NOINPUT)
		goto out;
	exists = rc == EX_OK;
	/* a link (say into a secrets store) stays a link: its target is replaced */
	real = exists ? realpath(path, NULL) : strdup(path);
	rc = EX_CANTCREAT;
	if (real == NULL || (exists && stat(real, &st) != 0)) {
		msg_errno(path, "cannot open");
		goto out;
	}
	found = last_item(buf_text(&old), old.len, name, &it, &line);
	if (found < 0) {
		msg_err(path, "line %u is not NAME=VALUE", line);
		rc = EX_CONFIG;
		goto out;
	}
	from = found > 0 ? (size_t)(it.begin - old.data) : old.len;
	to = found > 0 ? (size_t)(it.next - old.data) : old.len;
	full = buf_add(&new, buf_text(&old), from) != 0 ||
	       (from > 0 && old.data[from - 1] != '\n' && buf_adds(&new, "\n") != 0) ||
	       buf_adds(&new, name) != 0 || buf_adds(&new, "=") != 0 || buf_adds(&new, value_text) != 0 ||
	       buf_adds(&new, "\n") != 0 || buf_add(&new, buf_text(&old) + to, old.len - to) != 0;
	if (full) {
		msg_err(path, "would be larger than %zu bytes", CONFIG_MAX);
		goto out;
	}
	rc = file_replace_owned(real, st.st_mode & 07777, st.st_uid, st.st_gid, new.data, new.len);
out:
	free(real);
	buf_free(&old);
	buf_free(&new);
	return rc;
}
