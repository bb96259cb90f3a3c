#include "lib/std.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/config.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/msg.h"

#define DEFAULT_PATH "/etc/ctv-db-sync.env"

/* A value that was asked for: kept so that config_get can return a plain pointer. */
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

/*
 * Reads the value at p (behind the '=') up to its end of line into out, or only skips it when out is
 * NULL. systemd.exec(5): unquoted text ends at the line's end with outer white space removed and a
 * backslash keeping the next character; '...' is literal; "..." knows \" \\ \` \$; a backslash at the
 * end of a line continues it. Returns the place behind the line's end, or NULL for an open quote.
 */
static const char *value(const char *p, const char *end, struct buf *out)
{
	size_t keep = out != NULL ? out->len : 0;	/* trailing white space beyond this is dropped */

	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	while (p < end && *p != '\n') {
		char quote = *p == '"' || *p == '\'' ? *p : '\0';

		if (quote != '\0') {
			for (p++; p < end && *p != quote; p++) {
				if (quote == '"' && *p == '\\' && p + 1 < end && p[1] == '\n') {
					p++;
					continue;
				}
				if (quote == '"' && *p == '\\' && p + 1 < end && strchr("\"\\`$", p[1]) != NULL)
					p++;
				if (out != NULL && buf_add(out, p, 1) != 0)
					return NULL;
			}
			if (p == end)
				return NULL;
			p++;
			keep = out != NULL ? out->len : 0;
			continue;
		}
		if (*p == '\\' && p + 1 < end) {
			p++;
			if (*p == '\n') {
				p++;
				continue;
			}
			if (out != NULL && buf_add(out, p, 1) != 0)
				return NULL;
			keep = out != NULL ? out->len : 0;
			p++;
			continue;
		}
		if (out != NULL && buf_add(out, p, 1) != 0)
			return NULL;
		if (*p != ' ' && *p != '\t' && *p != '\r')
			keep = out != NULL ? out->len : 0;
		p++;
	}
	if (out != NULL && out->data != NULL) {
		out->len = keep;
		out->data[keep] = '\0';
	}
	return p < end ? p + 1 : p;
}

int config_find(const char *text, size_t len, const char *name, struct buf *out, unsigned *line)
{
	const char *p = text, *end = text + len;
	size_t name_len = strlen(name), start = out->len;
	int found = 0;

	*line = 0;
	if (memchr(text, '\0', len) != NULL) {
		*line = 1;
		return -1;
	}
	while (p < end) {
		const char *key, *begin = p;

		(*line)++;
		while (p < end && (*p == ' ' || *p == '\t' || *p == '\r'))
			p++;
		if (p == end || *p == '\n' || *p == '#' || *p == ';') {
			while (p < end && *p != '\n')
				p++;
			p += p < end;
			continue;
		}
		key = p;
		while (p < end && name_char(*p, p == key))
			p++;
		if (p == key || p == end || *p != '=')
			return -1;
		if ((size_t)(p - key) == name_len && memcmp(key, name, name_len) == 0) {
			out->len = start;
			found = 1;
			p = value(p + 1, end, out);
		} else {
			p = value(p + 1, end, NULL);
		}
		if (p == NULL)
			return -1;
		/* a continued line counts as the lines it spans */
		for (const char *q = begin; q + 1 < p; q++)
			*line += *q == '\n';
	}
	return found;
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

int config_load(void)
{
	struct buf ignored = BUF_INIT(CONFIG_MAX);
	unsigned line;
	int rc;

	config_free();
	rc = read_checked(config_path(), &file);
	if (rc == EX_NOINPUT)
		return EX_OK;
	if (rc == EX_OK && config_find(buf_text(&file), file.len, "", &ignored, &line) < 0) {
		msg_err(config_path(), "line %u is not NAME=VALUE", line);
		rc = EX_CONFIG;
	}
	buf_free(&ignored);
	return rc;
}

const char *config_get(const char *name)
{
	const char *env = getenv(name);
	struct value *v;
	unsigned line;

	if (env != NULL && *env != '\0')
		return env;
	for (v = values; v != NULL; v = v->next)
		if (strcmp(v->name, name) == 0)
			return v->text.len > 0 ? v->text.data : NULL;
	v = calloc(1, sizeof *v);
	if (v == NULL || (v->name = strdup(name)) == NULL)
		abort();
	v->text.max = CONFIG_MAX;
	config_find(buf_text(&file), file.len, name, &v->text, &line);
	v->next = values;
	values = v;
	return v->text.len > 0 ? v->text.data : NULL;
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

/* The bytes of the assignments of name in text, one after the other: [*from, *to). False when there is none. */
static bool assignment(const char *text, size_t len, const char *name, size_t *from, size_t *to)
{
	const char *p = text, *end = text + len;
	size_t name_len = strlen(name);

	while (p < end) {
		const char *begin = p, *key;

		while (p < end && (*p == ' ' || *p == '\t'))
			p++;
		key = p;
		while (p < end && name_char(*p, p == key))
			p++;
		if (p > key && p < end && *p == '=') {
			bool ours = (size_t)(p - key) == name_len && memcmp(key, name, name_len) == 0;

			p = value(p + 1, end, NULL);
			if (p == NULL)
				return false;
			if (ours) {
				*from = (size_t)(begin - text);
				*to = (size_t)(p - text);
				return true;
			}
			continue;
		}
		while (p < end && *p != '\n')
			p++;
		p += p < end;
	}
	return false;
}

int config_store(const char *name, const char *value_text)
{
	struct buf old = BUF_INIT(CONFIG_MAX), new = BUF_INIT(CONFIG_MAX);
	const char *path = config_path();
	char *real = NULL, *tmp = NULL;
	size_t from = 0, to = 0;
	struct stat st = { .st_mode = 0600 };
	bool exists, full;
	int fd = -1, rc;

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
	if (!assignment(buf_text(&old), old.len, name, &from, &to))
		from = to = old.len;
	full = buf_add(&new, buf_text(&old), from) != 0 ||
	       (from > 0 && old.data[from - 1] != '\n' && buf_adds(&new, "\n") != 0) ||
	       buf_adds(&new, name) != 0 || buf_adds(&new, "=") != 0 || buf_adds(&new, value_text) != 0 ||
	       buf_adds(&new, "\n") != 0 || buf_add(&new, buf_text(&old) + to, old.len - to) != 0;
	if (full) {
		msg_err(path, "would be larger than %zu bytes", CONFIG_MAX);
		goto out;
	}
	tmp = file_sibling(real, ".tmp");
	if (tmp == NULL)
		goto out;
	unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		msg_errno(path, "cannot create");
		goto out;
	}
	if (file_write(fd, new.data, new.len) != 0 || (exists && fchown(fd, st.st_uid, st.st_gid) != 0) ||
	    fchmod(fd, st.st_mode & 07777) != 0) {
		msg_errno(path, "cannot write");
		rc = EX_IOERR;
	} else {
		rc = file_commit(fd, tmp, real);
	}
	if (rc != EX_OK)
		unlink(tmp);
out:
	if (fd >= 0)
		close(fd);
	free(tmp);
	free(real);
	buf_free(&old);
	buf_free(&new);
	return rc;
}
