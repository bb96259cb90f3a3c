#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <unistd.h>

#include "lib/exits.h"
#include "lib/file.h"
#include "lib/dropbox/resume.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/dropbox/uploadpieces.h"

#define CHUNK ((size_t)64 << 10)

enum work { TO_DO, TAKEN };

struct pieces {
	int fd;
	const char *local;
	struct stat st;				/* when it was opened */
	uint64_t size;
	size_t count;
	char head[4608];			/* of the journal: what it is about */
	struct journal *journal;		/* NULL: nothing is noted */
	char *session;
	pthread_mutex_t lock;			/* state, sent, journal */
	unsigned char *state;			/* enum work, one a piece */
	char (*sent)[HASH_TEXT];		/* "" when the session does not have the piece */
	unsigned char (*digest)[HASH_LEN];	/* of each block, known once its piece was hashed */
};

uint64_t pieces_count(const struct pieces *p)
{
	return p->count;
}

uint64_t pieces_len(const struct pieces *p, uint64_t piece)
{
	uint64_t left = p->size - piece * PIECE;

	return left < PIECE ? left : PIECE;
}

const char *pieces_session(const struct pieces *p)
{
	return p->session;
}

/* --- the journal --- */

/* A record: `session ID` first, then `piece N HASH`. */
static int take_line(void *ctx, const char *line)
{
	struct pieces *p = ctx;
	const char *space;
	char number[21];
	uint64_t piece;

	if (strncmp(line, "session ", 8) == 0 && p->session == NULL && line[8] != '\0') {
		p->session = strdup(line + 8);
		return p->session != NULL ? 0 : -1;
	}
	if (strncmp(line, "piece ", 6) != 0 || p->session == NULL)
		return -1;
	line += 6;
	space = strchr(line, ' ');
	if (space == NULL || space - line >= (ptrdiff_t)sizeof number || !hash_valid(space + 1))
		return -1;
	snprintf(number, sizeof number, "%.*s", (int)(space - line), line);
	if (num_u64(number, 0, p->count - 1, &piece) != NULL)
		return -1;
	snprintf(p->sent[piece], HASH_TEXT, "%s", space + 1);
	return 0;
}

/* malloc'ed; NULL without memory (reported) */
static char *journal_name(const char *local, const char *remote)
{
	char hex[HASH_TEXT], suffix[32];

	snprintf(suffix, sizeof suffix, ".%.8s.upload", hash_of(remote, strlen(remote), hex));
	return file_sibling(local, suffix);
}

/* Notes nothing from now on, and says why not. */
static void do_without(struct pieces *p)
{
	msg_info("%s: nothing can be noted beside it, an interrupted upload will start over", p->local);
	journal_close(p->journal, true);
	p->journal = NULL;
}

static int open_journal(struct pieces *p, const char *remote)
{
	char *name = journal_name(p->local, remote);
	bool fresh;
	int rc = EX_IOERR;

	if (name == NULL)
		return EX_SOFTWARE;
	snprintf(p->head, sizeof p->head, "upload 1 %llu %s", (unsigned long long)p->size, remote);
	if (file_creatable(name) == 0)
		rc = journal_open(&p->journal, name, p->head, take_line, p, &fresh);
	if (rc == EX_IOERR) {
		do_without(p);
		rc = EX_OK;
	}
	free(name);
	return rc;
}

int pieces_open(struct pieces **out, int fd, const char *local, const struct stat *st, const char *remote)
{
	uint64_t count = ((uint64_t)st->st_size + PIECE - 1) / PIECE;
	struct pieces *p = calloc(1, sizeof *p);
	int rc = EX_SOFTWARE;

	*out = NULL;
	if (p == NULL)
		goto memory;
	p->fd = fd;
	p->local = local;
	p->st = *st;
	p->size = (uint64_t)st->st_size;
	p->count = (size_t)count;
	pthread_mutex_init(&p->lock, NULL);
	p->state = calloc(p->count + 1, 1);
	p->sent = calloc(p->count + 1, HASH_TEXT);
	p->digest = calloc(p->count + 1, PIECE / HASH_BLOCK * HASH_LEN);
	/* more than 32 bits can count */
	if (count >= SIZE_MAX || p->state == NULL || p->sent == NULL || p->digest == NULL)
		goto memory;
	/* an upload of a single request is done or not, and needs no journal */
	rc = p->count > 1 ? open_journal(p, remote) : EX_OK;
	if (rc == EX_OK)
		*out = p;
	else
		pieces_close(p, false);
	return rc;
memory:
	msg_err(local, "out of memory");
	pieces_close(p, false);
	return rc;
}

void pieces_lost(struct pieces *p)
{
	free(p->session);
	p->session = NULL;
}

bool pieces_noted(const struct pieces *p)
{
	return p != NULL && p->journal != NULL;
}

int pieces_begin(struct pieces *p, const char *session)
{
	free(p->session);
	p->session = strdup(session);
	if (p->session == NULL) {
		msg_err(p->local, "out of memory");
		return EX_SOFTWARE;
	}
	memset(p->state, TO_DO, p->count);
	memset(p->sent, 0, p->count * HASH_TEXT);
	if (p->journal != NULL && (journal_reset(p->journal, p->head) != EX_OK ||
				   journal_add(p->journal, "session %s", session) != EX_OK))
		do_without(p);
	return EX_OK;
}

void pieces_close(struct pieces *p, bool done)
{
	if (p == NULL)
		return;
	journal_close(p->journal, done);
	pthread_mutex_destroy(&p->lock);
	free(p->session);
	free(p->state);
	free(p->sent);
	free(p->digest);
	free(p);
}

void pieces_forget(const char *local, const char *remote)
{
	char *name = journal_name(local, remote);
	int fd = name != NULL ? open(name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		unlink(name);
	if (fd >= 0)
		close(fd);
	free(name);
}

/* --- the pieces --- */

bool pieces_take(struct pieces *p, uint64_t *piece)
{
	bool found = false;

	pthread_mutex_lock(&p->lock);
	/* first the pieces that the session may have already: if it turns out to hold other bytes, little is lost */
	for (int pass = 0; pass < 2 && !found; pass++) {
		for (uint64_t i = 0; i + 1 < p->count && !found; i++) {
			found = p->state[i] == TO_DO && (pass == 1 || p->sent[i][0] != '\0');
			*piece = i;
		}
	}
	if (found)
		p->state[*piece] = TAKEN;
	pthread_mutex_unlock(&p->lock);
	return found;
}

int pieces_hash(struct pieces *p, uint64_t piece, char hash[HASH_TEXT])
{
	uint64_t len = pieces_len(p, piece), at = piece * PIECE, first = at / HASH_BLOCK, block = first, done = 0;
	struct sha256 *s = sha256_new();
	char *chunk = malloc(CHUNK);
	int rc = EX_IOERR;

	errno = ENOMEM;
	if (s == NULL || chunk == NULL)
		goto out;
	while (done < len) {
		size_t want = len - done < CHUNK ? (size_t)(len - done) : CHUNK;
		ssize_t n = file_pread(p->fd, chunk, want, (off_t)(at + done));

		if (n < 0)
			goto out;
		if ((size_t)n < want)
			break;	/* it became shorter */
		sha256_add(s, chunk, want);
		done += want;
		if (done % HASH_BLOCK == 0 || done == len)
			sha256_end(s, p->digest[block++]);
	}
	rc = pieces_unchanged(p) ? EX_OK : EX_DATAERR;
	content_hash_of_blocks(p->digest[first], (size_t)(block - first), hash);
out:
	sha256_free(s);
	free(chunk);
	return rc;
}

const char *pieces_sent(const struct pieces *p, uint64_t piece)
{
	return p->sent[piece][0] != '\0' ? p->sent[piece] : NULL;
}

void pieces_note(struct pieces *p, uint64_t piece, const char *hash)
{
	pthread_mutex_lock(&p->lock);
	snprintf(p->sent[piece], HASH_TEXT, "%s", hash);
	if (p->journal != NULL && journal_add(p->journal, "piece %llu %s", (unsigned long long)piece, hash) != EX_OK)
		do_without(p);
	pthread_mutex_unlock(&p->lock);
}

bool pieces_unchanged(const struct pieces *p)
{
	struct stat now;

	return fstat(p->fd, &now) == 0 && now.st_size == p->st.st_size && now.st_mtim.tv_sec == p->st.st_mtim.tv_sec &&
	       now.st_mtim.tv_nsec == p->st.st_mtim.tv_nsec;
}

char *pieces_content_hash(const struct pieces *p, char hash[HASH_TEXT])
{
	return content_hash_of_blocks(p->digest, (size_t)((p->size + HASH_BLOCK - 1) / HASH_BLOCK), hash);
}
