/*
 * A whole database file, from its header to the last page: never a crash or a hang, and never OK where SQLite's
 * integrity_check finds something.
 */
#include "lib/std.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/sqlite/verify.h"
#include "lib/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static char path[64];
static int fd = -1;

static void clean(void)
{
	unlink(path);
}

static void make_file(void)
{
	snprintf(path, sizeof path, "/dev/shm/fuzz-database-%d", (int)getpid());
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		abort();
	atexit(clean);
}

/* dbcheck has SQLite's system calls replaced (syscalls.h); the other judge is SQLite as everybody has it. */
static void give_back_system_calls(void)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find("unix");

	vfs->xSetSystemCall(vfs, NULL, NULL);
}

/* On a connection that could write: SQLite forgets CHECK constraints of a database that it cannot write. */
static bool sqlite_agrees(void)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *s = NULL;
	bool ok = sqlite3_open(path, &db) == SQLITE_OK &&
		  sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &s, NULL) == SQLITE_OK &&
		  sqlite3_step(s) == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(s, 0), "ok") == 0;

	if (!ok)
		fprintf(stderr, "integrity_check: %s\n", s != NULL && sqlite3_column_text(s, 0) != NULL ?
			(const char *)sqlite3_column_text(s, 0) : sqlite3_errmsg(db));
	sqlite3_finalize(s);
	sqlite3_close(db);
	return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct dbcheck_options o = { .level = DBCHECK_FULL, .deadline_ms = clock_ms() + 10000, .jobs = 1,
				     .progress = PROGRESS_NEVER };
	struct dbcheck_report r;

	if (fd < 0)
		make_file();
	if (ftruncate(fd, 0) != 0 || file_pwrite(fd, data, len, 0) != 0)
		abort();
	dbcheck(path, &o, &r);
	give_back_system_calls();
	if (r.state != STATE_OK && r.text[0] == '\0')
		abort();
	if (r.state == STATE_OK && !sqlite_agrees())
		abort();
	return 0;
}
