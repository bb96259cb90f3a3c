#include "lib/std.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/exits.h"
#include "lib/msg.h"
#include "lib/sqlite/chain.h"

/* A change as the walk needs it, and no more of it: there may be ten thousand. */
struct link {
	char *path;
	char object[HASH_TEXT], parent[HASH_TEXT];	/* content_hash of it, and of the one before */
	struct pagehash before, after;
	int64_t n;
	uint32_t page_size, page_count;
	bool base, whole;		/* whole: it says the content_hash of its state */
	bool bad;			/* could not be read, which was reported; it matters only on the way */
};

static int read_link(char *path, struct link *l)
{
	struct change_in *in;
	struct change c;
	struct stat st;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), rc = EX_OK;

	l->path = path;
	if (fd < 0 || fstat(fd, &st) != 0 || content_hash_fd(fd, 0, (uint64_t)st.st_size, l->object) != EX_OK) {
		msg_errno(path, "cannot read");
		rc = fd < 0 && errno == ENOENT ? EX_NOINPUT : EX_IOERR;
	}
	if (fd >= 0)
		close(fd);
	if (rc != EX_OK)
		return rc;
	in = change_open(path, &c, &rc);
	change_in_free(in);
	l->bad = rc == EX_DATAERR;
	if (rc == EX_OK) {
		l->n = c.n;
		l->before = c.before;
		l->after = c.after;
		l->page_size = c.page_size;
		l->page_count = c.page_count;
		l->base = c.base;
		l->whole = c.content_hash[0] != '\0';
		memcpy(l->parent, c.parent, sizeof l->parent);
	}
	return l->bad ? EX_OK : rc;
}

static int by_object(const void *a, const void *b)
{
	return strcmp(((const struct link *)a)->object, ((const struct link *)b)->object);
}

/* Of links in order. */
static const struct link *find(const struct link *links, int count, const char *object)
{
	struct link key = { .path = NULL };

	snprintf(key.object, sizeof key.object, "%s", object);
	return bsearch(&key, links, (size_t)count, sizeof *links, by_object);
}

static bool same(struct pagehash a, struct pagehash b)
{
	return a.high == b.high && a.low == b.low;
}

/* The file is what this object leads to. */
static bool is_there(const struct chain_from *from, const struct link *l)
{
	return (from->n == 0 || from->n == l->n) && same(from->digest, l->after) && from->page_size == l->page_size &&
	       from->page_count == l->page_count;
}

/* The file is what this object begins with. */
static bool begins_there(const struct chain_from *from, const struct link *l)
{
	return !l->base && (from->n == 0 || from->n + 1 == l->n) && same(from->digest, l->before);
}

/* The way, newest first, into way. */
static int walk(const struct chain_from *from, const char *to, const struct link *links, int count, const struct link **way, int *steps)
{
	const struct link *l = find(links, count, to), *newer = NULL;

	for (*steps = 0; l != NULL; newer = l, l = find(links, count, l->parent)) {
		if (l->bad)
			return EX_NOINPUT;
		if (newer != NULL && l->n >= newer->n) {
			msg_err(newer->path, "names %s as the object before it, which is not an earlier state", l->path);
			return EX_DATAERR;
		}
		if (is_there(from, l)) {
			if (from->n == 0)
				way[(*steps)++] = l;
			return EX_OK;
		}
		way[(*steps)++] = l;
		if (begins_there(from, l))
			return EX_OK;
		if (l->base || l->parent[0] == '\0' || l->n <= from->n + 1) {
			msg_err(l->path, "%s", l->base ? "is a base: the way begins there, with the whole file" :
							   "the way to it does not begin here");
			return EX_DATAERR;
		}
	}
	if (newer == NULL)
		msg_err(to, "no object of this content_hash is among them");
	else
		msg_err(newer->path, "the object before it, %s, is not among them", newer->parent);
	return EX_NOINPUT;
}

int chain_order(const struct chain_from *from, const char *to, char **paths, int all, char ***order, int *count)
{
	struct link *links = calloc((size_t)all + 1, sizeof *links);
	const struct link **way = calloc((size_t)all + 1, sizeof *way);
	int steps = 0, used = 0, rc = EX_OK;

	*order = calloc((size_t)all + 1, sizeof **order);
	if (links == NULL || way == NULL || *order == NULL) {
		msg_err(from->name, "out of memory");
		rc = EX_IOERR;
	}
	for (int i = 0; rc == EX_OK && i < all; i++)
		rc = read_link(paths[i], &links[i]);
	if (rc == EX_OK)
		qsort(links, (size_t)all, sizeof *links, by_object);
	if (rc == EX_OK)
		rc = walk(from, to, links, all, way, &steps);
	while (rc == EX_OK && used < steps) {
		const struct link *l = way[steps - 1 - used];

		(*order)[used++] = l->path;
		if (l->whole && !is_there(from, l))
			break;
	}
	*count = used;
	free(way);
	free(links);
	return rc;
}

/* Its files into names, but not what is hidden: unfinished downloads are. */
static int add_files(const char *dir, char **names, int *count)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	if (d == NULL) {
		msg_errno(dir, "cannot open");
		return errno == ENOENT ? EX_NOINPUT : EX_IOERR;
	}
	while (*count < CHAIN_MOST && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' && asprintf(&names[(*count)++], "%s/%s", dir, e->d_name) < 0)
			abort();
	closedir(d);
	if (*count >= CHAIN_MOST) {
		msg_err(dir, "more than %d changes", CHAIN_MOST);
		return EX_DATAERR;
	}
	return EX_OK;
}

int chain_names(char **operands, int n, char ***names, int *count)
{
	int rc = EX_OK;
	struct stat st;

	*count = 0;
	*names = calloc((size_t)CHAIN_MOST + (size_t)n, sizeof **names);
	if (*names == NULL)
		abort();
	for (int i = 0; rc == EX_OK && i < n; i++) {
		if (stat(operands[i], &st) == 0 && S_ISDIR(st.st_mode))
			rc = add_files(operands[i], *names, count);
		else if (((*names)[(*count)++] = strdup(operands[i])) == NULL)
			abort();
	}
	return rc;
}

void chain_names_free(char **names, int count)
{
	while (count > 0)
		free(names[--count]);
	free(names);
}
