#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/exits.h"
#include "lib/file.h"
#include "lib/dropbox/resume.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/dropbox/partfile.h"

#define WORK_MOST 32	/* blocks in one request: 128 MiB */

enum block { MISSING, LISTED, BUSY, DONE };

struct part {
	char *path, *name;	/* the file to be, and the part */
	struct journal *map;
	char head[128];
	int fd;
	uint64_t size, missing, done;	/* missing: MISSING blocks; done: DONE ones */
	size_t blocks;
	char content_hash[HASH_TEXT];
	unsigned char *state;			/* enum block, one a block */
	unsigned char (*digest)[HASH_LEN];	/* of LISTED and DONE blocks */
	pthread_mutex_t lock;			/* state, digest, missing, done, map */
	pthread_mutex_t writer;
	bool named;				/* the part has become path */
	bool dropped;				/* or shall go */
};

uint64_t part_block_len(const struct part *p, uint64_t block)
{
	uint64_t left = p->size - block * HASH_BLOCK;

	return left < HASH_BLOCK ? left : HASH_BLOCK;
}

/* c is a hex digit: hash_valid has looked */
static unsigned hex_digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* A line of the map: `BLOCK DIGEST`. */
static int take_line(void *ctx, const char *line)
{
	struct part *p = ctx;
	const char *hex = strchr(line, ' ');
	char number[21];
	uint64_t block;

	if (hex == NULL || hex - line >= (ptrdiff_t)sizeof number || !hash_valid(hex + 1))
		return -1;
	snprintf(number, sizeof number, "%.*s", (int)(hex - line), line);
	if (p->blocks == 0 || num_u64(number, 0, p->blocks - 1, &block) != NULL)
		return -1;
	for (size_t i = 0; i < HASH_LEN; i++)
		p->digest[block][i] = (unsigned char)(hex_digit(hex[1 + 2 * i]) << 4 | hex_digit(hex[2 + 2 * i]));
	if (p->state[block] == MISSING) {
		p->state[block] = LISTED;
		p->missing--;
	}
	return 0;
}

/* The whole size now rather than a full disk at 3 a.m. in the last block. */
static int reserve(struct part *p)
{
	char size[NUM_TEXT];

	if (ftruncate(p->fd, (off_t)p->size) == 0 &&
	    (p->size == 0 || fallocate(p->fd, 0, 0, (off_t)p->size) == 0 || errno == EOPNOTSUPP))
		return EX_OK;
	msg_errno(p->path, "cannot reserve %s", num_size_text(size, p->size));
	return file_write_status(errno);
}

/* Forgets every block. */
static int reset(struct part *p)
{
	memset(p->state, MISSING, p->blocks);
	p->missing = p->blocks;
	p->done = 0;
	return journal_reset(p->map, p->head);
}

static int open_files(struct part *p)
{
	char *map = file_sibling(p->path, ".part.map");
	struct stat st;
	bool fresh;
	int rc;

	p->name = file_sibling(p->path, ".part");
	if (p->name == NULL || map == NULL) {
		rc = EX_SOFTWARE;
		goto out;
	}
	if (lstat(p->path, &st) == 0 && !S_ISREG(st.st_mode)) {
		msg_err(p->path, "not a regular file");
		rc = EX_CANTCREAT;
		goto out;
	}
	if (file_creatable(map) != 0) {
		msg_errno(p->path, "cannot create");
		rc = EX_CANTCREAT;
		goto out;
	}
	/* the map's lock guards the part too: it is taken first and released last */
	rc = journal_open(&p->map, map, p->head, take_line, p, &fresh);
	if (rc != EX_OK)
		goto out;
	/* only the owner of a file can give it its time and mode in the end */
	if (!fresh && geteuid() != 0 && lstat(p->name, &st) == 0 && st.st_uid != geteuid()) {
		msg_info("%s: another user's, begun anew", p->name);
		rc = reset(p);
		if (rc != EX_OK)
			goto out;
		fresh = true;
	}
	if (fresh && unlink(p->name) != 0 && errno != ENOENT) {
		msg_errno(p->name, "cannot remove");
		rc = EX_CANTCREAT;
		goto out;
	}
	p->fd = open(p->name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, file_work_mode());
	if (p->fd < 0) {
		msg_errno(p->path, "cannot create");
		rc = file_write_status(errno);
		goto out;
	}
	rc = reserve(p);
	/* the names have to survive a power cut as well as the bytes */
	if (rc == EX_OK && file_sync_parent(p->path) != 0) {
		msg_errno(p->path, "cannot write to disk");
		rc = EX_IOERR;
	}
	/* a part that could not be begun is removed */
	p->dropped = rc != EX_OK && fresh;
out:
	free(map);
	return rc;
}

int part_open(struct part **out, const char *path, uint64_t size, const char *content_hash)
{
	uint64_t blocks = (size + HASH_BLOCK - 1) / HASH_BLOCK;
	struct part *p = calloc(1, sizeof *p);
	int rc = EX_SOFTWARE;

	*out = NULL;
	if (p == NULL)
		goto memory;
	p->fd = -1;
	p->size = size;
	p->missing = blocks;
	p->blocks = (size_t)blocks;
	snprintf(p->content_hash, sizeof p->content_hash, "%s", content_hash);
	snprintf(p->head, sizeof p->head, "part 1 %llu %s", (unsigned long long)size, content_hash);
	pthread_mutex_init(&p->lock, NULL);
	pthread_mutex_init(&p->writer, NULL);
	p->path = strdup(path);
	p->state = calloc(p->blocks + 1, 1);
	p->digest = calloc(p->blocks + 1, HASH_LEN);
	/* more than 32 bits can count */
	if (blocks >= SIZE_MAX || p->path == NULL || p->state == NULL || p->digest == NULL)
		goto memory;
	rc = open_files(p);
	if (rc == EX_OK)
		*out = p;
	else
		part_close(p);
	return rc;
memory:
	msg_err(path, "out of memory");
	part_close(p);
	return rc;
}

bool part_begun(const struct part *p)
{
	return p->missing < p->blocks;
}

bool part_take(struct part *p, unsigned threads, struct part_work *w)
{
	uint64_t b = 0, most;
	bool found = false;

	pthread_mutex_lock(&p->lock);
	while (b < p->blocks && p->state[b] != LISTED)
		b++;
	if (b < p->blocks) {
		*w = (struct part_work){ .first = b, .count = 1, .check = true };
		p->state[b] = BUSY;
		found = true;
	} else if (p->missing > 0) {
		/* large requests while there is much to do, small ones towards the end so that all end together */
		most = p->missing / (2 * threads);
		most = most < 1 ? 1 : most > WORK_MOST ? WORK_MOST : most;
		for (b = 0; p->state[b] != MISSING; b++)
			continue;
		*w = (struct part_work){ .first = b };
		for (; b < p->blocks && p->state[b] == MISSING && w->count < most; b++) {
			p->state[b] = BUSY;
			w->count++;
		}
		p->missing -= w->count;
		found = true;
	}
	pthread_mutex_unlock(&p->lock);
	return found;
}

void part_give_back(struct part *p, uint64_t first, uint64_t count)
{
	pthread_mutex_lock(&p->lock);
	for (uint64_t b = first; b < first + count; b++)
		p->state[b] = MISSING;
	p->missing += count;
	pthread_mutex_unlock(&p->lock);
}

int part_check(struct part *p, uint64_t block, bool *good)
{
	uint64_t at = block * HASH_BLOCK, left = part_block_len(p, block);
	struct sha256 *s = sha256_new();
	char *chunk = malloc(64 << 10);
	unsigned char digest[HASH_LEN];
	int rc = EX_IOERR;

	*good = false;
	if (s == NULL || chunk == NULL) {
		msg_err(p->name, "out of memory");
		goto out;
	}
	while (left > 0) {
		size_t want = left < 64 << 10 ? (size_t)left : 64 << 10;

		if (file_pread(p->fd, chunk, want, (off_t)at) != (ssize_t)want) {
			msg_errno(p->name, "cannot read");
			goto out;
		}
		sha256_add(s, chunk, want);
		at += want;
		left -= want;
	}
	sha256_end(s, digest);
	rc = EX_OK;
	pthread_mutex_lock(&p->lock);
	*good = memcmp(digest, p->digest[block], HASH_LEN) == 0;
	p->state[block] = *good ? DONE : MISSING;
	p->done += *good;
	p->missing += !*good;
	pthread_mutex_unlock(&p->lock);
out:
	sha256_free(s);
	free(chunk);
	return rc;
}

int part_write(struct part *p, uint64_t at, const void *data, size_t len)
{
	int rc;

	/* the kernel lets one thread write to a file, and the others spin; those that wait for this mutex sleep */
	pthread_mutex_lock(&p->writer);
	rc = file_pwrite(p->fd, data, len, (off_t)at);
	pthread_mutex_unlock(&p->writer);
	if (rc == 0)
		return EX_OK;
	msg_errno(p->path, "cannot write");
	return EX_IOERR;
}

int part_done(struct part *p, uint64_t block, const unsigned char digest[HASH_LEN])
{
	char hex[HASH_TEXT];
	int rc;

	/* the disk starts on it now, so that the fsync at the end has little left to wait for */
	sync_file_range(p->fd, (off_t)(block * HASH_BLOCK), (off_t)part_block_len(p, block), SYNC_FILE_RANGE_WRITE);
	pthread_mutex_lock(&p->lock);
	memcpy(p->digest[block], digest, HASH_LEN);
	p->state[block] = DONE;
	p->done++;
	rc = journal_add(p->map, "%llu %s", (unsigned long long)block, hash_hex(digest, hex));
	pthread_mutex_unlock(&p->lock);
	return rc;
}

bool part_has(struct part *p, uint64_t block)
{
	bool has;

	pthread_mutex_lock(&p->lock);
	has = p->state[block] == DONE;
	pthread_mutex_unlock(&p->lock);
	return has;
}

uint64_t part_blocks(const struct part *p)
{
	return p->blocks;
}

uint64_t part_bytes(struct part *p)
{
	uint64_t bytes;

	pthread_mutex_lock(&p->lock);
	bytes = p->done * HASH_BLOCK;
	pthread_mutex_unlock(&p->lock);
	return bytes < p->size ? bytes : p->size;
}

/* The part was private while it was made; now it gets what its place expects. */
static int dress(struct part *p, int64_t mtime)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = (time_t)mtime } };
	mode_t mask = umask(0), mode = 0666 & ~mask;
	struct stat st;

	umask(mask);
	if (stat(p->path, &st) == 0) {
		mode = st.st_mode & 07777;
		/* only root can give files away; for others the owner is right as it is */
		if (fchown(p->fd, st.st_uid, st.st_gid) != 0 && errno != EPERM)
			goto fail;
	}
	if (fchmod(p->fd, mode) == 0 && futimens(p->fd, times) == 0)
		return EX_OK;
fail:
	msg_errno(p->path, "cannot set owner, mode and time");
	return EX_IOERR;
}

int part_finish(struct part *p, int64_t mtime)
{
	char hash[HASH_TEXT];
	int rc;

	content_hash_of_blocks(p->digest, p->blocks, hash);
	if (p->done != p->blocks || strcmp(hash, p->content_hash) != 0) {
		rc = reset(p);
		return rc != EX_OK ? rc : EX_DATAERR;
	}
	rc = dress(p, mtime);
	if (rc == EX_OK)
		rc = file_commit(p->fd, p->name, p->path);
	p->named = rc == EX_OK;
	return rc;
}

void part_drop(struct part *p)
{
	if (p != NULL)
		p->dropped = true;
}

void part_close(struct part *p)
{
	if (p == NULL)
		return;
	if (p->fd >= 0)
		close(p->fd);
	if (p->dropped && !p->named)
		unlink(p->name);
	journal_close(p->map, p->named || p->dropped);
	pthread_mutex_destroy(&p->lock);
	pthread_mutex_destroy(&p->writer);
	free(p->path);
	free(p->name);
	free(p->state);
	free(p->digest);
	free(p);
}
