#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/exits.h"
#include "lib/msg.h"
#include "lib/sqlite/chain.h"

struct link {
	char *path;
	char object[HASH_TEXT];		/* its content_hash */
	struct change c;
	bool bad;			/* c could not be read, which was reported; it matters only on the way */
};

static int read_link(char *path, struct link *l)
{
	struct change_in *in;
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
	in = change_open(path, &l->c, &rc);
	change_in_free(in);
	l->bad = rc == EX_DATAERR;
	return l->bad ? EX_OK : rc;
}

static const struct link *find(const struct link *links, int count, const char *object)
{
	for (int i = 0; i < count; i++)
		if (strcmp(links[i].object, object) == 0)
			return &links[i];
	return NULL;
}

static bool same(struct pagehash a, struct pagehash b)
{
	return a.high == b.high && a.low == b.low;
}

/* The file is what this object leads to. */
static bool is_there(const struct chain_from *from, const struct change *c)
{
	return (from->n == 0 || from->n == c->n) && same(from->digest, c->after) && from->page_size == c->page_size &&
	       from->page_count == c->page_count;
}

/* The file is what this object begins with. */
static bool begins_there(const struct chain_from *from, const struct change *c)
{
	return !c->base && (from->n == 0 || from->n + 1 == c->n) && same(from->digest, c->before);
}

/* The way, newest first, into way. */
static int walk(const struct chain_from *from, const char *to, const struct link *links, int count, const struct link **way, int *steps)
{
	const struct link *l = find(links, count, to), *newer = NULL;

	for (*steps = 0; l != NULL; newer = l, l = find(links, count, l->c.parent)) {
		if (l->bad)
			return EX_DATAERR;
		if (newer != NULL && l->c.n >= newer->c.n) {
			msg_err(newer->path, "names %s as the object before it, which is not an earlier state", l->path);
			return EX_DATAERR;
		}
		if (is_there(from, &l->c)) {
			if (from->n == 0)
				way[(*steps)++] = l;
			return EX_OK;
		}
		way[(*steps)++] = l;
		if (begins_there(from, &l->c))
			return EX_OK;
		if (l->c.base || l->c.parent[0] == '\0' || l->c.n <= from->n + 1) {
			msg_err(l->path, "%s", l->c.base ? "is a base: the way begins there, with the whole file" :
							   "the way to it does not begin here");
			return EX_DATAERR;
		}
	}
	if (newer == NULL)
		msg_err(to, "no object of this content_hash is among them");
	else
		msg_err(newer->path, "the object before it, %s, is not among them", newer->c.parent);
	return EX_NOINPUT;
}

int chain_order(const struct chain_from *from, const char *to, char **paths, int *count)
{
	struct link *links = calloc((size_t)*count + 1, sizeof *links);
	const struct link **way = calloc((size_t)*count + 1, sizeof *way);
	int steps = 0, used = 0, rc = EX_OK;

	if (links == NULL || way == NULL) {
		msg_err(from->name, "out of memory");
		rc = EX_IOERR;
	}
	for (int i = 0; rc == EX_OK && i < *count; i++)
		rc = read_link(paths[i], &links[i]);
	if (rc == EX_OK)
		rc = walk(from, to, links, *count, way, &steps);
	while (rc == EX_OK && used < steps) {
		const struct link *l = way[steps - 1 - used];

		paths[used++] = l->path;
		if (l->c.content_hash[0] != '\0' && !is_there(from, &l->c))
			break;
	}
	*count = used;
	free(way);
	free(links);
	return rc;
}
