#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/clock.h"
#include "lib/sqlite/damage.h"
#include "lib/sqlite/verify.h"
#include "lib/sqlite/plan.h"
#include "lib/sqlite/walk.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/sqlite/sqlite.h"
#include "lib/stop.h"
#include "lib/sqlite/untrusted.h"

#define GRACE_MS 500	/* from the limit or a signal to the answer, for what ends by itself */
#define WAIT_MS 3600000	/* between two looks at the clock when there is no limit */

/* One reason why the file is not OK. The worst state wins; of equal ones the first. */
static void PRINTF_LIKE(3, 4) find(struct dbcheck_report *r, enum state state, const char *fmt, ...)
{
	char text[sizeof r->text];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	msg_info("%s: %s", check_word(state), text);
	if (state == STATE_CRITICAL)
		r->errors++;
	if (check_worse(r->state, state) != r->state) {
		r->state = state;
		snprintf(r->text, sizeof r->text, "%s", text);
	}
}

/* The progress handler of SQLite: non-zero ends the statement. */
static int must_stop(void *options)
{
	const struct dbcheck_options *o = options;

	return stop_asked() || clock_ms() >= o->deadline_ms;
}

static void find_stopped(struct dbcheck_report *r)
{
	if (stop_asked())
		find(r, STATE_UNKNOWN, "interrupted before the end of the check");
	else
		find(r, STATE_UNKNOWN, "not finished within the time allowed");
}

/* SQLite's failure in our words. */
static void find_failure(struct dbcheck_report *r, sqlite3 *db, int rc)
{
	const char *why = db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(rc);

	switch (rc & 0xff) {
	case SQLITE_INTERRUPT:
		find_stopped(r);
		break;
	case SQLITE_NOMEM:
		find(r, STATE_UNKNOWN, "not judged: out of memory");
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		find(r, STATE_CRITICAL, "%s", why);
		break;
	default:
		find(r, STATE_UNKNOWN, "not judged: %s", why);
		break;
	}
}

static void tell_damage(void *report, const char *line)
{
	find(report, STATE_CRITICAL, "%s", line);
}

/* Pages and rows. The schema's own pages come first, so that SQLite reads the schema only from sound ones. */
static void check_pages(int fd, const char *path, const struct sqlite_header *header,
			const struct dbcheck_options *o, sqlite3 *db, struct dbcheck_report *r)
{
	struct damage *damage = damage_new();
	struct plan plan = { .tables = NULL };
	struct walk_options options = {
		.fd = fd, .path = path, .header = header, .plan = &plan, .damage = damage,
		.full = o->level == DBCHECK_FULL, .jobs = o->jobs, .stop = must_stop, .stop_ctx = (void *)(uintptr_t)o,
		.progress = progress_new(o->progress, "verified", r->size),
	};
	struct walk *walk = NULL;
	int rc;

	if (damage != NULL && plan_start(&plan, header->text_encoding) == 0)
		walk = walk_new(&options);
	if (walk == NULL) {
		find(r, STATE_UNKNOWN, "not judged: out of memory");
		goto out;
	}
	walk_schema(walk);
	if (damage_count(damage) == 0 && walk_unjudged(walk)[0] == '\0') {
		rc = plan_read(&plan, db, options.full);
		if (rc == SQLITE_OK)
			walk_all(walk);
		else
			find_failure(r, db, rc);
	}
	damage_tell(damage, tell_damage, r);
	if (walk_unjudged(walk)[0] != '\0')
		find(r, STATE_UNKNOWN, "not judged: %s", walk_unjudged(walk));
	if (walk_stopped(walk))
		find_stopped(r);
out:
	progress_end(options.progress);
	walk_free(walk);
	plan_free(&plan);
	damage_free(damage);
}

/* The tables that the caller wants, counted no further than needed. */
static void check_table(sqlite3 *db, const struct dbcheck_table *t, struct dbcheck_report *r)
{
	sqlite3_stmt *s = NULL;
	char *sql = NULL;
	int rc = sqlite3_prepare_v2(db, "SELECT name FROM sqlite_schema WHERE type = 'table' AND "
				    "name = ?1 COLLATE NOCASE AND rootpage > 0", -1, &s, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(s, 1, t->name, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc == SQLITE_DONE) {
		find(r, STATE_CRITICAL, "no table %s", t->name);
		goto out;
	}
	if (rc != SQLITE_ROW) {
		find_failure(r, db, rc);
		goto out;
	}
	if (t->min_rows == 0)
		goto out;
	sqlite3_finalize(s);
	s = NULL;
	sql = sqlite3_mprintf("SELECT count(*) FROM (SELECT 1 FROM \"%w\" LIMIT %lld)", t->name,
			      (long long)t->min_rows);
	rc = sql != NULL ? sqlite3_prepare_v2(db, sql, -1, &s, NULL) : SQLITE_NOMEM;
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc != SQLITE_ROW)
		find_failure(r, db, rc);
	else if ((uint64_t)sqlite3_column_int64(s, 0) < t->min_rows)
		find(r, STATE_CRITICAL, "table %s has %lld rows, wanted %" PRIu64, t->name,
		     (long long)sqlite3_column_int64(s, 0), t->min_rows);
out:
	sqlite3_finalize(s);
	sqlite3_free(sql);
}

static void check_content(int fd, const char *path, const struct sqlite_header *header,
			  const struct dbcheck_options *o, struct dbcheck_report *r)
{
	sqlite3 *db = NULL;
	int rc;

	if (o->level == DBCHECK_HEADER && o->table_count == 0)
		return;
	rc = untrusted_open(path, must_stop, (void *)(uintptr_t)o, &db);
	if (rc != SQLITE_OK) {
		find_failure(r, NULL, rc);
		return;
	}
	if (o->level != DBCHECK_HEADER)
		check_pages(fd, path, header, o, db, r);
	for (size_t i = 0; r->state == STATE_OK && i < o->table_count; i++)
		check_table(db, &o->tables[i], r);
	sqlite3_close(db);
}

/*
 * A journal that SQLite would play into the file at the next open. An empty one, and a rollback journal
 * whose header was zeroed (journal_mode=PERSIST), is none (https://www.sqlite.org/fileformat2.html, 3).
 */
static bool has_journal(const char *path, const char *suffix)
{
	char name[PATH_MAX + 16];
	unsigned char first = 1;
	struct stat st;
	int fd;

	snprintf(name, sizeof name, "%s%s", path, suffix);
	if (lstat(name, &st) != 0)
		return errno != ENOENT;
	if (S_ISREG(st.st_mode) && st.st_size == 0)
		return false;
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (fd >= 0) {
		if (read(fd, &first, 1) != 1)
			first = 1;
		close(fd);
	}
	return first != 0;
}

static void check_siblings(const char *path, struct dbcheck_report *r)
{
	if (has_journal(path, "-wal"))
		find(r, STATE_WARNING, "a write-ahead log lies beside it, whose rows were not judged");
	if (has_journal(path, "-journal"))
		find(r, STATE_WARNING, "a rollback journal lies beside it, which was not judged");
}

static void check_hash(int fd, const char *want, struct dbcheck_report *r)
{
	if (content_hash_fd(fd, 0, r->size, r->hash) != EX_OK) {
		r->hash[0] = '\0';
		find(r, STATE_UNKNOWN, "cannot read: %s", strerror(errno));
	} else if (strcmp(r->hash, want) != 0) {
		find(r, STATE_CRITICAL, "content_hash is %s, wanted %s", r->hash, want);
	}
}

/* Each step only when those before it found nothing. */
static void judge(int fd, const char *path, const struct dbcheck_options *o, struct dbcheck_report *r)
{
	unsigned char head[SQLITE_HEADER_LEN];
	struct sqlite_header header;
	char why[SQLITE_WHY];
	ssize_t n = file_pread(fd, head, sizeof head, 0);

	if (n < 0) {
		find(r, STATE_UNKNOWN, "cannot read: %s", strerror(errno));
		return;
	}
	if (!sqlite_header_parse(head, (size_t)n, r->size, &header, why)) {
		find(r, STATE_CRITICAL, "%s", why);
		return;
	}
	r->page_size = header.page_size;
	r->pages = header.page_count;
	if (r->size < o->min_size)
		find(r, STATE_CRITICAL, "%" PRIu64 " bytes, wanted at least %" PRIu64, r->size, o->min_size);
	if (r->state == STATE_OK && o->hash != NULL)
		check_hash(fd, o->hash, r);
	if (r->state == STATE_OK)
		check_content(fd, path, &header, o, r);
	if (r->state == STATE_OK)
		check_siblings(path, r);
}

/* All of it, from the name on. */
static void judge_path(const char *path, const struct dbcheck_options *o, struct dbcheck_report *r)
{
	int64_t start = clock_ms();
	char real[PATH_MAX];	/* SQLite names its journals by it, and refuses symbolic links here */
	struct stat st;
	int fd = -1;

	if (realpath(path, real) != NULL)
		fd = open(real, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) != 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			find(r, STATE_CRITICAL, "missing");
		else
			find(r, STATE_UNKNOWN, "cannot open: %s", strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		find(r, STATE_CRITICAL, "not a regular file");
	} else {
		r->size = (uint64_t)st.st_size;
		judge(fd, real, o, r);
	}
	if (fd >= 0)
		close(fd);
	r->spent_ms = clock_ms() - start;
}

/* A judgement in a thread of its own, so that nothing it calls can keep the answer back. */
struct judgement {
	const char *path;
	const struct dbcheck_options *o;
	struct dbcheck_report r;
	sem_t done;
};

static void *run_judgement(void *judgement)
{
	struct judgement *j = judgement;

	judge_path(j->path, j->o, &j->r);
	sem_post(&j->done);
	return NULL;
}

/* Begins it with all signals blocked: they are for the thread that waits. */
static bool begin(struct judgement *j, pthread_t *thread)
{
	sigset_t all, before;
	bool begun;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	begun = pthread_create(thread, NULL, run_judgement, j) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return begun;
}

/*
 * False when it has not ended in time. SQLite looks at the clock between the instructions of a statement, and
 * one of them may call a function that takes hours over a long value.
 */
static bool wait_for(struct judgement *j, int64_t start)
{
	int64_t until = j->o->deadline_ms > start ? j->o->deadline_ms : start;
	bool stopped = false;

	until = until < INT64_MAX - GRACE_MS ? until + GRACE_MS : INT64_MAX;
	for (;;) {
		int64_t left = until - clock_ms();
		struct timespec at;

		/* a time of the clock that sem_clockwait takes */
		clock_gettime(CLOCK_MONOTONIC, &at);
		left = left < 0 ? 0 : left < WAIT_MS ? left : WAIT_MS;
		at.tv_sec += (time_t)((at.tv_nsec / 1000000 + left) / 1000);
		at.tv_nsec = (at.tv_nsec / 1000000 + left) % 1000 * 1000000;
		if (sem_clockwait(&j->done, CLOCK_MONOTONIC, &at) == 0)
			return true;
		if (errno != EINTR && clock_ms() >= until)
			return false;
		if (stop_asked() && !stopped) {
			stopped = true;
			until = clock_ms() + GRACE_MS;
		}
	}
}

void dbcheck(const char *path, const struct dbcheck_options *o, struct dbcheck_report *r)
{
	struct judgement *j = calloc(1, sizeof *j);
	int64_t start = clock_ms();
	pthread_t thread;

	*r = (struct dbcheck_report){ .state = STATE_OK };
	if (j == NULL || sem_init(&j->done, 0, 0) != 0) {
		find(r, STATE_UNKNOWN, "not judged: out of memory");
		free(j);
		return;
	}
	j->path = path;
	j->o = o;
	if (!begin(j, &thread)) {
		find(r, STATE_UNKNOWN, "not judged: no thread for it: %s", strerror(errno));
	} else if (wait_for(j, start)) {
		pthread_join(thread, NULL);
		*r = j->r;
	} else {
		/* its memory stays: the thread may write there yet */
		pthread_detach(thread);
		find_stopped(r);
		r->left_behind = true;
		r->spent_ms = clock_ms() - start;
		return;
	}
	sem_destroy(&j->done);
	free(j);
}
