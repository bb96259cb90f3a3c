#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
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

void dbcheck(const char *path, const struct dbcheck_options *o, struct dbcheck_report *r)
{
	int64_t start = clock_ms();
	char real[PATH_MAX];	/* SQLite names its journals by it, and refuses symbolic links here */
	struct stat st;
	int fd = -1;

	*r = (struct dbcheck_report){ .state = STATE_OK };
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
