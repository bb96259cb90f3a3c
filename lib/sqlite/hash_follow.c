#include "lib/std.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "lib/exits.h"
#include "lib/file.h"
#include "lib/sqlite/hash_follow.h"
#include "lib/msg.h"

#define CHUNK ((size_t)64 << 10)

struct follow {
	pthread_t thread;
	bool running;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t ready;		/* under the lock */
	bool stop;		/* under the lock */
	int fd;
	uint64_t size, blocks;
	const char *path;
	int error;		/* errno of the first failure */
	unsigned char *digests;	/* HASH_LEN for each block */
	unsigned char chunk[CHUNK];
};

static uint64_t end_of(const struct follow *f, uint64_t block)
{
	return block + 1 < f->blocks ? (block + 1) * HASH_BLOCK : f->size;
}

static void hash_block(struct follow *f, struct sha256 *sha, uint64_t block)
{
	uint64_t end = end_of(f, block);

	for (uint64_t at = block * HASH_BLOCK; at < end && f->error == 0; at += CHUNK) {
		size_t want = end - at < CHUNK ? (size_t)(end - at) : CHUNK;
		ssize_t n = file_pread(f->fd, f->chunk, want, (off_t)at);

		if (n == (ssize_t)want)
			sha256_add(sha, f->chunk, want);
		else
			f->error = n < 0 ? errno : EIO;
	}
	sha256_end(sha, f->digests + block * HASH_LEN);
}

/* False when the writer gave up. */
static bool wait_for(struct follow *f, uint64_t bytes)
{
	bool go;

	pthread_mutex_lock(&f->lock);
	while (f->ready < bytes && !f->stop)
		pthread_cond_wait(&f->changed, &f->lock);
	go = !f->stop;
	pthread_mutex_unlock(&f->lock);
	return go;
}

/* Block 0 last: a database's header is written when all else is. */
static void *run(void *arg)
{
	struct follow *f = arg;
	struct sha256 *sha = sha256_new();

	if (sha == NULL)
		f->error = ENOMEM;
	for (uint64_t b = 1; b < f->blocks && f->error == 0 && wait_for(f, end_of(f, b)); b++)
		hash_block(f, sha, b);
	if (f->blocks > 0 && f->error == 0 && wait_for(f, UINT64_MAX))
		hash_block(f, sha, 0);
	sha256_free(sha);
	return NULL;
}

struct follow *follow_new(int fd, uint64_t size, const char *path)
{
	struct follow *f = calloc(1, sizeof *f);
	sigset_t all, old;

	if (f == NULL)
		goto fail;
	f->fd = fd;
	f->size = size;
	f->path = path;
	f->blocks = (size + HASH_BLOCK - 1) / HASH_BLOCK;
	f->digests = malloc((size_t)f->blocks * HASH_LEN + 1);
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	/* signals are the main thread's, whose system calls they shall interrupt */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	f->running = f->digests != NULL && pthread_create(&f->thread, NULL, run, f) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (f->running)
		return f;
fail:
	msg_err(path, "out of memory");
	follow_free(f);
	return NULL;
}

void follow_ready(struct follow *f, uint64_t bytes)
{
	pthread_mutex_lock(&f->lock);
	f->ready = bytes;
	pthread_cond_signal(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

int follow_end(struct follow *f, char text[HASH_TEXT])
{
	follow_ready(f, UINT64_MAX);
	pthread_join(f->thread, NULL);
	f->running = false;
	if (f->error != 0) {
		errno = f->error;
		msg_errno(f->path, "cannot read back");
		return EX_IOERR;
	}
	content_hash_of_blocks(f->digests, (size_t)f->blocks, text);
	return EX_OK;
}

void follow_free(struct follow *f)
{
	if (f == NULL)
		return;
	if (f->running) {
		pthread_mutex_lock(&f->lock);
		f->stop = true;
		pthread_cond_signal(&f->changed);
		pthread_mutex_unlock(&f->lock);
		pthread_join(f->thread, NULL);
	}
	free(f->digests);
	free(f);
}
