#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/exits.h"
#include "lib/msg.h"
#include "lib/sqlite/retire.h"
#include "lib/sqlite/sqlite.h"

/* Sets the journal mode. SQLite's code; SQLITE_BUSY when it stayed in another one. */
static int journal_mode(sqlite3 *db, const char *wanted)
{
	char sql[64];
	sqlite3_stmt *st = NULL;
	int rc;

	snprintf(sql, sizeof sql, "PRAGMA journal_mode=%s", wanted);
	rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
	if (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW)
		rc = strcmp((const char *)sqlite3_column_text(st, 0), wanted) == 0 ? SQLITE_OK : SQLITE_BUSY;
	sqlite3_finalize(st);
	return rc;
}

/*
 * In SQLite's normal locking mode: an exclusive one would leave a -shm, and unlink at its close, by name, a
 * -journal that may be the new database's by then.
 */
int retire_database(const char *path, const char *object)
{
	sqlite3 *db = NULL;
	int64_t busy = 0;
	struct stat st;
	int rc;

	/* to SQLite such a -wal or -journal is worth nothing: it would remove it */
	if (lstat(path, &st) == 0 && st.st_size == 0 && retire_has_side_files(path)) {
		msg_err(object, "the old database is empty, but has files beside it");
		return EX_DATAERR;
	}
	rc = sqlite_open(path, NULL, SQLITE_OPEN_READWRITE, NULL, &db);
	/* when something fails, closing shall not write or remove what an operator may still need */
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	/* rolls back a hot journal, replays a -wal, finds who is in a transaction */
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "BEGIN EXCLUSIVE; ROLLBACK", NULL, NULL, NULL);
	/*
	 * The next statements read the schema. A part of it that this SQLite, being older than the application's, cannot parse is
	 * no reason to stop; so writable_schema is on, but only now, because a file that was cut short would be taken, too.
	 */
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(db, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite_int(db, "PRAGMA wal_checkpoint(TRUNCATE)", &busy);
	if (rc == SQLITE_OK && busy != 0)
		rc = SQLITE_BUSY;
	/* leaving WAL mode is the proof that no other connection is attached */
	if (rc == SQLITE_OK)
		rc = journal_mode(db, "delete");
	/* an application in journal mode PERSIST or TRUNCATE leaves a -journal: a change of mode removes it */
	if (rc == SQLITE_OK && retire_has_side_files(path)) {
		rc = journal_mode(db, "persist");
		if (rc == SQLITE_OK)
			rc = journal_mode(db, "delete");
	}
	/* and a -shm that the disk did not let go when WAL mode was left goes when it is left again */
	if (rc == SQLITE_OK && retire_has_side_files(path)) {
		/* the first read attaches the log; where no WAL is possible, the file that stays is named later */
		if (journal_mode(db, "wal") == SQLITE_OK)
			rc = sqlite_int(db, "SELECT count(*) FROM sqlite_schema", &busy);
		if (rc == SQLITE_OK)
			rc = journal_mode(db, "delete");
	}
	if (rc != SQLITE_OK) {
		rc = sqlite_fail(db, object, "cannot put the old database in order", rc);
		sqlite3_close(db);
		return rc;
	}
	rc = sqlite3_close(db);
	return rc == SQLITE_OK ? EX_OK : sqlite_fail(NULL, object, "cannot close the old database", rc);
}

bool retire_has_side_files(const char *path)
{
	char side[RETIRE_PATH];
	struct stat st;

	for (const char *const *s = sqlite_side_files; *s != NULL; s++) {
		snprintf(side, sizeof side, "%s%s", path, *s);
		if (lstat(side, &st) == 0)
			return true;
	}
	return false;
}

bool retire_is_pending(const char *path)
{
	char side[RETIRE_PATH];
	struct stat st;

	for (const char *const *s = sqlite_side_files; *s != NULL; s++) {
		snprintf(side, sizeof side, "%s%s", path, *s);
		if (strcmp(*s, "-shm") != 0 && lstat(side, &st) == 0 && st.st_size > 0)
			return true;
	}
	return false;
}

static bool is_link_of(const char *a, const char *b)
{
	struct stat of_a, of_b;

	return lstat(a, &of_a) == 0 && lstat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
	       of_a.st_ino == of_b.st_ino;
}

int retire_aside(const char *path, char aside[RETIRE_PATH])
{
	char at[CLOCK_TEXT], from[RETIRE_PATH], to[RETIRE_PATH], *end = at;

	/* 20261124T063000Z: nothing that a shell or a file system might mind */
	clock_text(at, clock_wall());
	for (const char *c = at; *c != '\0'; c++)
		if (*c != '-' && *c != ':')
			*end++ = *c;
	*end = '\0';
	if (snprintf(aside, RETIRE_PATH, "%s.quarantine-%s", path, at) > RETIRE_PATH - 16) {
		msg_err(path, "too long a name to put it aside");
		return EX_CANTCREAT;
	}
	if (link(path, aside) != 0 && errno != ENOENT && !is_link_of(path, aside)) {
		msg_errno(aside, "cannot put the old database aside");
		return EX_CANTCREAT;
	}
	for (const char *const *s = sqlite_side_files; *s != NULL; s++) {
		snprintf(from, sizeof from, "%s%s", path, *s);
		snprintf(to, sizeof to, "%s%s", aside, *s);
		if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) != 0 && errno != ENOENT) {
			msg_errno(to, "cannot put it aside");
			return EX_CANTCREAT;
		}
	}
	return EX_OK;
}
