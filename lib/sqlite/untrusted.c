#include "lib/std.h"

#include "lib/sqlite/sqlite.h"
#include "lib/sqlite/untrusted.h"

#define CACHE_KIB 1024		/* each pass reads a page once; a cache gains nothing */
#define SQL_MAX (1 << 20)
#define STEPS 5000		/* of SQLite's machine between two looks at stop: about a millisecond */

void untrusted_limit_memory(uint64_t bytes)
{
	sqlite3_hard_heap_limit64((sqlite3_int64)bytes);
}

/* What a check needs, and nothing that writes, attaches, or reaches outside of the file. */
static int allow(void *ctx, int action, const char *a, const char *b, const char *database, const char *trigger)
{
	static const char *const never[] = { "load_extension", "fts3_tokenizer" };

	(void)ctx, (void)a, (void)database, (void)trigger;
	switch (action) {
	case SQLITE_SELECT:
	case SQLITE_READ:
	case SQLITE_PRAGMA:	/* DEFENSIVE and the read-only open leave none that does harm */
		return SQLITE_OK;
	case SQLITE_FUNCTION:
		for (size_t i = 0; i < sizeof never / sizeof *never; i++)
			if (b != NULL && sqlite3_stricmp(b, never[i]) == 0)
				return SQLITE_DENY;
		return SQLITE_OK;
	default:
		return SQLITE_DENY;
	}
}

static int harden(sqlite3 *db)
{
	static const struct { int op, value; } config[] = {
		{ SQLITE_DBCONFIG_DEFENSIVE, 1 }, { SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
		{ SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 }, { SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
		{ SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0 },
	};
	char pragmas[128];
	int rc = SQLITE_OK;

	for (size_t i = 0; rc == SQLITE_OK && i < sizeof config / sizeof *config; i++)
		rc = sqlite3_db_config(db, config[i].op, config[i].value, NULL);
	if (rc != SQLITE_OK)
		return rc;
	sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_limit(db, SQLITE_LIMIT_SQL_LENGTH, SQL_MAX);
	snprintf(pragmas, sizeof pragmas, "PRAGMA mmap_size=0; PRAGMA cell_size_check=1; PRAGMA cache_size=-%d;"
		 "PRAGMA temp_store=2", CACHE_KIB);
	rc = sqlite3_exec(db, pragmas, NULL, NULL, NULL);
	return rc == SQLITE_OK ? sqlite3_set_authorizer(db, allow, NULL) : rc;
}

int untrusted_open(const char *path, int (*stop)(void *ctx), void *ctx, sqlite3 **db)
{
	char *uri = sqlite_uri(path, "immutable=1");
	int rc = SQLITE_NOMEM;

	*db = NULL;
	if (uri != NULL)
		rc = sqlite3_open_v2(uri, db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOFOLLOW |
				     SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOMUTEX, NULL);
	free(uri);
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
