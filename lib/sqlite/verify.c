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
#include "lib/sqlite/wal.h"
#include "lib/sqlite/walk.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/sqlite/sqlite.h"
#include "lib/stop.h"
#include "lib/sqlite/untrusted.h"

#define GRACE_MS 500	/* from the limit or a signal to the answer, for what ends by itself */
#define WAIT_MS 3600000	/* between two looks at the clock when there is no limit */

/* Of one file: what was not judged to its end is worse than what was, but for something. */
static bool is_worse(enum state than, enum state s)
{
	static const int rank[] = { [STATE_OK] = 0, [STATE_WARNING] = 1, [STATE_UNKNOWN] = 2, [STATE_CRITICAL] = 3 };

	return rank[s] > rank[than];
}

/* Notes a reason why the file is not OK. The worst state wins; of equal ones the first. */
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
	if (is_worse(r->state, state)) {
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
	/* the failure may be ours, of which the connection knows nothing */
	const char *why = db != NULL && sqlite3_errcode(db) != SQLITE_OK ? sqlite3_errmsg(db) : sqlite3_errstr(rc);

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

static bool is_sound(const struct dbcheck_report *r)
{
	return r->state == STATE_OK || r->state == STATE_WARNING;
}

static void tell_finding(void *report, bool doubt, const char *object, const char *why)
{
	struct dbcheck_report *r = report;

	find(r, doubt ? STATE_WARNING : STATE_CRITICAL, "%s: %s", object, why);
	if (!doubt)
		return;
	if (r->not_judged_count < DBCHECK_NOT_JUDGED) {
		snprintf(r->not_judged[r->not_judged_count].object, sizeof r->not_judged->object, "%s", object);
		snprintf(r->not_judged[r->not_judged_count].why, sizeof r->not_judged->why, "%s", why);
	}
	r->not_judged_count++;
}

/* The judgement of the content of a file, shared by its steps. */
struct content {
	const struct sqlite_header *header;
	const struct dbcheck_options *o;
	struct dbcheck_report *r;
	struct plan plan;
	struct damage *damage;
	struct walk *walk;
	sqlite3 *db;
	bool readable;		/* SQLite read the schema, or what it could of it */
};

/*
 * The rows of the schema, from its own pages; and then as SQLite reads them. What is no statement is damage; what SQLite
 * cannot read, or has no memory for, is left out. False when nothing can follow.
 */
static bool read_schema(struct content *c)
{
	struct dbcheck_report *r = c->r;
	int rc;

	walk_schema(c->walk);
	if (damage_count(c->damage) > 0 || walk_unjudged(c->walk)[0] != '\0' || walk_stopped(c->walk))
		return false;
	rc = untrusted_read_schema(c->db, c->plan.unread, sizeof c->plan.unread);
	c->readable = rc == SQLITE_OK;
	if (rc == SQLITE_OK && c->plan.unread[0] != '\0') {
		msg_info("schema: %s", c->plan.unread);
		rc = schema_judge(&c->plan.schema, c->db, c->damage);
	} else if ((rc & 0xff) == SQLITE_NOMEM || (rc & 0xff) == SQLITE_TOOBIG) {
		damage_add(c->damage, "schema", NULL, DOUBT_MEMORY, 1, 0, "its objects are judged as they are stored");
		rc = schema_judge(&c->plan.schema, NULL, c->damage);
	}
	if (rc != SQLITE_OK)
		find_failure(r, c->db, rc);
	return rc == SQLITE_OK && damage_count(c->damage) == 0;
}

/* Pages and rows. */
static void judge_pages(struct content *c)
{
	bool full = c->o->level == DBCHECK_FULL;
	int rc = plan_read(&c->plan, c->readable ? c->db : NULL, full, c->header, c->damage);

	if (rc == SQLITE_OK)
		walk_all(c->walk);
	else if ((rc & 0xff) == SQLITE_NOMEM)
		find(c->r, STATE_UNKNOWN, "not judged: out of memory");
	else
		find_failure(c->r, c->db, rc);
}

/* How many rows, but no more than at_least. SQLITE_OK, or SQLite's code. */
static int count_rows(sqlite3 *db, const char *name, uint64_t at_least, uint64_t *rows)
{
	char *sql = sqlite3_mprintf("SELECT count(*) FROM (SELECT 1 FROM main.\"%w\" LIMIT %lld)", name,
				    (long long)at_least);
	sqlite3_stmt *s = NULL;
	int rc = sql != NULL ? sqlite3_prepare_v2(db, sql, -1, &s, NULL) : SQLITE_NOMEM;

	if (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW)
		*rows = (uint64_t)sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	sqlite3_free(sql);
	return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/* A table of which SQLite could not read the definition: its b-tree has the rows. */
static uint64_t count_entries(struct content *c, const struct schema_row *row)
{
	struct table t = { .tree = { .type = "table", .name = row->name, .root = row->root, .opaque = true, .table = &t },
			   .rowid_slot = -1 };
	const struct table *known = c->plan.tables;

	for (; known != NULL; known = known->next)
		if (known->tree.root == row->root)
			return known->tree.entries;
	walk_table(c->walk, &t);
	return t.tree.entries;
}

/* A table that the caller wants. */
static void judge_table(struct content *c, const struct dbcheck_table *t)
{
	const struct schema_row *row = schema_find(&c->plan.schema, "table", t->name);
	uint64_t rows = 0;
	int rc = SQLITE_OK;

	if (row == NULL || row->root == 0) {
		find(c->r, STATE_CRITICAL, "no table %s", t->name);
		return;
	}
	if (t->min_rows == 0)
		return;
	if (c->readable && row->why == NULL)
		rc = count_rows(c->db, row->name, t->min_rows, &rows);
	else
		rows = count_entries(c, row);
	if (rc != SQLITE_OK)
		find_failure(c->r, c->db, rc);
	else if (rows < t->min_rows && !walk_stopped(c->walk))
		find(c->r, STATE_CRITICAL, "table %s has %" PRIu64 " rows, wanted %" PRIu64, t->name, rows, t->min_rows);
}

/* Each step only when those before it found no damage. The findings of the walk are told after the last of them. */
static void judge_content(struct content *c)
{
	bool readable = read_schema(c);

	if (readable && c->o->level != DBCHECK_HEADER)
		judge_pages(c);
	for (size_t i = 0; readable && is_sound(c->r) && damage_count(c->damage) == 0 && !walk_stopped(c->walk) &&
	     i < c->o->table_count; i++)
		judge_table(c, &c->o->tables[i]);
	damage_tell(c->damage, tell_finding, c->r);
	if (walk_unjudged(c->walk)[0] != '\0')
		find(c->r, STATE_UNKNOWN, "not judged: %s", walk_unjudged(c->walk));
	if (walk_stopped(c->walk))
		find_stopped(c->r);
}

static void check_content(int fd, const char *path, const struct sqlite_header *header,
			  const struct dbcheck_options *o, struct dbcheck_report *r)
{
	struct content c = { .header = header, .o = o, .r = r, .damage = damage_new() };
	struct walk_options options = {
		.fd = fd, .path = path, .header = header, .plan = &c.plan, .damage = c.damage,
		.full = o->level == DBCHECK_FULL, .jobs = o->jobs, .stop = must_stop, .stop_ctx = (void *)(uintptr_t)o,
		.progress = o->level == DBCHECK_HEADER ? NULL : progress_new(o->progress, "verified", r->size),
	};
	int rc;

	if (c.damage != NULL && plan_start(&c.plan, header->text_encoding) == 0)
		c.walk = walk_new(&options);
	if (c.walk == NULL) {
		find(r, STATE_UNKNOWN, "not judged: out of memory");
		goto out;
	}
	rc = untrusted_open(path, must_stop, (void *)(uintptr_t)o, &c.db);
	if (rc == SQLITE_OK)
		judge_content(&c);
	else
		find_failure(r, NULL, rc);
out:
	sqlite3_close(c.db);
	progress_end(options.progress);
	walk_free(c.walk);
	plan_free(&c.plan);
	damage_free(c.damage);
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

/* The first bytes of what lies beside path, and the first frame of a log. False when it is none that SQLite would play. */
static bool would_play(const char *path, const char *suffix)
{
	static const unsigned char magic[] = { 0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7 };
	bool is_log = strcmp(suffix, "-wal") == 0, plays = false;
	unsigned char head[WAL_HEADER_LEN + WAL_FRAME_LEN + 65536];
	struct wal_header wal;
	struct wal_frame frame;
	char name[PATH_MAX + 16];
	ssize_t n;
	int fd;

	snprintf(name, sizeof name, "%s%s", path, suffix);
	if (file_open_plain(name, O_RDONLY, 0, &fd) != NULL)
		return false;
	n = file_pread(fd, head, sizeof head, 0);
	close(fd);
	if (!is_log)
		plays = n >= (ssize_t)sizeof magic && memcmp(head, magic, sizeof magic) == 0;
	else if (n >= WAL_HEADER_LEN && wal_header_parse(head, &wal))
		plays = n >= (ssize_t)wal_offset(wal.page_size, 1) &&
			wal_frame_parse(&wal, &wal.start, head + WAL_HEADER_LEN, head + WAL_HEADER_LEN + WAL_FRAME_LEN, &frame);
	return plays;
}

/*
 * An application that was ended in the middle of a transaction, or of a checkpoint, leaves a file that is whole only with what
 * lies beside it: the file alone tells nothing then.
 */
static void look_beside(const char *path, struct dbcheck_report *r)
{
	const char *what = would_play(path, "-journal") ? "a rollback journal" : would_play(path, "-wal") ? "a write-ahead log" : NULL;
	char text[sizeof r->text];

	if (what == NULL)
		return;
	snprintf(text, sizeof text, "%s", r->text);
	r->state = STATE_UNKNOWN;
	r->errors = 0;
	snprintf(r->text, sizeof r->text, "not judged: %s lies beside it, without which it is no whole database: %.*s", what,
		 (int)(sizeof text - 100), text);
	msg_info("%s: %s", check_word(r->state), r->text);
}

/* False when it is another one: whatever lies beside it, it has other bytes. */
static bool check_hash(int fd, const char *want, struct dbcheck_report *r)
{
	if (content_hash_fd(fd, 0, r->size, r->hash) != EX_OK) {
		r->hash[0] = '\0';
		find(r, STATE_UNKNOWN, "cannot read: %s", strerror(errno));
	} else if (strcmp(r->hash, want) != 0) {
		find(r, STATE_CRITICAL, "content_hash is %s, wanted %s", r->hash, want);
		return false;
	}
	return true;
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
	if (sqlite_header_parse(head, (size_t)n, r->size, &header, why)) {
		r->page_size = header.page_size;
		r->pages = header.page_count;
		if (r->size < o->min_size)
			find(r, STATE_CRITICAL, "%" PRIu64 " bytes, wanted at least %" PRIu64, r->size, o->min_size);
		if (r->state == STATE_OK && o->hash != NULL && !check_hash(fd, o->hash, r))
			return;
		if (r->state == STATE_OK && (o->level != DBCHECK_HEADER || o->table_count > 0))
			check_content(fd, path, &header, o, r);
	} else {
		find(r, STATE_CRITICAL, "%s", why);
		if (n < 16 || memcmp(head, "SQLite format 3", 16) != 0)
			return;
	}
	if (is_sound(r))
		check_siblings(path, r);
	else if (r->state == STATE_CRITICAL)
		look_beside(path, r);
}

/* All of it, from the name on. */
static void judge_path(const char *path, const struct dbcheck_options *o, struct dbcheck_report *r)
{
	int64_t start = clock_ms();
	char real[PATH_MAX];	/* SQLite names its journals by it, and refuses symbolic links here */
	/* by /dev/stdin and the like a pipe, and a file that was removed, can be opened all the same */
	bool named = realpath(path, real) != NULL;
	int fd = open(named ? real : path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			find(r, STATE_CRITICAL, "missing");
		else
			find(r, STATE_UNKNOWN, "cannot open: %s", strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		find(r, STATE_CRITICAL, "not a regular file");
	} else if (!named) {
		find(r, STATE_UNKNOWN, "not judged: it has no name any more");
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
		at.tv_nsec = (long)((at.tv_nsec / 1000000 + left) % 1000 * 1000000);
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
