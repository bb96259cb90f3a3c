#include "lib/std.h"

#include <malloc.h>
#include <pthread.h>

#include "lib/sqlite/sqlite.h"
#include "lib/sqlite/untrusted.h"

#define CACHE_KIB 1024		/* each pass reads a page once; a cache gains nothing */
#define STEPS 5000		/* of SQLite's machine between two looks at stop: about a millisecond */

void untrusted_limit_memory(uint64_t bytes)
{
	sqlite3_hard_heap_limit64((sqlite3_int64)bytes);
	/* otherwise glibc keeps blocks of up to 32 MiB once one of that size was freed (mallopt(3)) */
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
}

/* ---- what a statement of ours may do ---- */

/* The names of the functions that it may not call, one behind the other, each ended by a NUL; an empty one ends all. */
static char *refused;
static pthread_once_t refused_once = PTHREAD_ONCE_INIT;

/* JSON functions are pure; SQLite 3.40 fails to call them innocuous. */
static bool is_json(const char *name)
{
	return sqlite3_strnicmp(name, "json", 4) == 0 || strcmp(name, "->") == 0 || strcmp(name, "->>") == 0;
}

/* Asks a connection in memory for the functions that any connection has. Nothing is allowed without memory. */
static void list_refused(void)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *s = NULL;
	sqlite3_str *names = NULL;
	int rc = sqlite3_open(":memory:", &db);

	if (rc == SQLITE_OK) {
		names = sqlite3_str_new(NULL);
		/* name, builtin, type, enc, narg, flags */
		rc = sqlite3_prepare_v2(db, "PRAGMA function_list", -1, &s, NULL);
	}
	while (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(s, 0);

		rc = SQLITE_OK;
		if (name != NULL && (sqlite3_column_int(s, 5) & SQLITE_INNOCUOUS) == 0 && !is_json(name))
			sqlite3_str_append(names, name, (int)strlen(name) + 1);
	}
	sqlite3_finalize(s);
	sqlite3_close(db);
	sqlite3_str_appendchar(names, 1, '\0');
	if (rc == SQLITE_DONE && sqlite3_str_errcode(names) == SQLITE_OK)
		refused = sqlite3_str_finish(names);
	else
		sqlite3_free(sqlite3_str_finish(names));
}

static bool is_refused(const char *function)
{
	for (const char *s = refused; *s != '\0'; s += strlen(s) + 1)
		if (sqlite3_stricmp(s, function) == 0)
			return true;
	return false;
}

static bool is_our_pragma(const char *name)
{
	static const char *const ours[] = {
		"cache_size", "table_xinfo", "index_list", "index_xinfo", "quick_check", "integrity_check",
	};

	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		if (sqlite3_stricmp(name, ours[i]) == 0)
			return true;
	return false;
}

/* Allows the statements that a check needs, and nothing that writes, attaches, or reaches outside of the file. */
static int allow(void *ctx, int action, const char *a, const char *b, const char *database, const char *trigger)
{
	(void)ctx, (void)database, (void)trigger;
	switch (action) {
	case SQLITE_SELECT:
	case SQLITE_READ:
		return SQLITE_OK;
	case SQLITE_PRAGMA:
		return a != NULL && is_our_pragma(a) ? SQLITE_OK : SQLITE_DENY;
	case SQLITE_FUNCTION:
		return b != NULL && !is_refused(b) ? SQLITE_OK : SQLITE_DENY;
	default:
		return SQLITE_DENY;
	}
}

static int allow_modules(void *ctx, int action, const char *a, const char *b, const char *database,
			 const char *trigger)
{
	if (action == SQLITE_INSERT || action == SQLITE_UPDATE || action == SQLITE_DELETE)
		return SQLITE_OK;
	/* FTS5 and FTS3 ask for these */
	if (action == SQLITE_PRAGMA && a != NULL &&
	    (sqlite3_stricmp(a, "data_version") == 0 || sqlite3_stricmp(a, "page_size") == 0))
		return SQLITE_OK;
	return allow(ctx, action, a, b, database, trigger);
}

void untrusted_allow_modules(sqlite3 *db)
{
	sqlite3_set_authorizer(db, allow_modules, NULL);
}

/* ---- the connection ---- */

/* None of this makes SQLite read the schema. */
static int harden(sqlite3 *db)
{
	static const struct { int op, value; } config[] = {
		{ SQLITE_DBCONFIG_DEFENSIVE, 1 }, { SQLITE_DBCONFIG_TRUSTED_SCHEMA, 1 },
		{ SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 }, { SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
		{ SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0 }, { SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0 },
	};
	int rc = SQLITE_OK;

	pthread_once(&refused_once, list_refused);
	if (refused == NULL)
		return SQLITE_NOMEM;
	for (size_t i = 0; rc == SQLITE_OK && i < sizeof config / sizeof *config; i++)
		rc = sqlite3_db_config(db, config[i].op, config[i].value, NULL);
	if (rc != SQLITE_OK)
		return rc;
	sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
	rc = sqlite3_exec(db, "PRAGMA mmap_size=0; PRAGMA cell_size_check=1; PRAGMA temp_store=2", NULL, NULL, NULL);
	return rc == SQLITE_OK ? sqlite3_set_authorizer(db, allow, NULL) : rc;
}

int untrusted_open(const char *path, int (*stop)(void *ctx), void *ctx, sqlite3 **db)
{
	int rc = sqlite_open(path, "immutable=1", SQLITE_OPEN_READONLY | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX, NULL, db);

	if (rc == SQLITE_OK)
		rc = harden(*db);
	if (rc == SQLITE_OK) {
		sqlite3_progress_handler(*db, STEPS, stop, ctx);
	} else {
		sqlite3_close(*db);
		*db = NULL;
	}
	return rc;
}

/* Preparing a statement makes SQLite read the schema. */
static int touch_schema(sqlite3 *db)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(db, "SELECT 1 FROM main.sqlite_schema", -1, &s, NULL);

	sqlite3_finalize(s);
	return rc;
}

int untrusted_read_schema(sqlite3 *db, char *why, size_t size)
{
	char pragma[64];
	int rc = touch_schema(db);

	snprintf(why, size, "%s", "");
	if ((rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_ERROR) {
		snprintf(why, size, "%s", sqlite3_errmsg(db));
		/* with DEFENSIVE this writes nothing, but makes SQLite skip what it cannot read */
		rc = sqlite3_db_config(db, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1, NULL);
		if (rc == SQLITE_OK)
			rc = touch_schema(db);
	}
	if (rc != SQLITE_OK)
		return rc;
	snprintf(pragma, sizeof pragma, "PRAGMA cache_size=-%d", CACHE_KIB);
	return sqlite3_exec(db, pragma, NULL, NULL, NULL);
}
