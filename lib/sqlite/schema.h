/*
 * schema.h - the rows of sqlite_schema as they stand in the file, read without SQLite: which objects there are, and
 * where, also when SQLite cannot read the definition of some (https://www.sqlite.org/fileformat2.html, 2.6).
 */
#ifndef LIB_SQLITE_SCHEMA_H
#define LIB_SQLITE_SCHEMA_H

#include <sqlite3.h>

#include "lib/sqlite/damage.h"
#include "lib/sqlite/record.h"
#include "lib/std.h"

struct schema_row {
	int64_t rowid;
	const char *type, *name, *table;	/* "" for what is no text */
	const char *module;			/* of a virtual table, as written; NULL for anything else */
	bool foreign;				/* a virtual table whose arguments name a content elsewhere */
	uint32_t root;				/* 0 for none, UINT32_MAX for what can be no page */
	bool has_sql, sql_cut;			/* the statement; it is longer than was read of it */
	bool sound;				/* a whole statement, of what the other columns say */
	bool planned;				/* its pages are */
	char *why;				/* SQLite cannot read it; NULL when it can */
};

struct schema {
	struct schema_row *rows;		/* by rowid */
	size_t count, room;
	struct schema_row **by_name;		/* once schema_sort was called */
};

void schema_free(struct schema *s);

/*
 * Adds a row: a record of which the first `have` bytes are at p, its header decoded. 0, or -1 without memory.
 */
int schema_add(struct schema *s, int64_t rowid, const struct field *fields, uint32_t count, const unsigned char *p,
	       uint32_t have, uint32_t encoding);

/* Once all rows are there: makes them to be found. 0, or -1 without memory. */
int schema_sort(struct schema *s);

/* The object of this type and name, whatever its case; NULL when there is none. */
struct schema_row *schema_find(const struct schema *s, const char *type, const char *name);

/* The statement of a row as SQLite tells it; "" when it has none. To be freed, also after an error. */
int schema_statement(sqlite3 *db, const struct schema_row *r, char **out);

/*
 * SQLite could not read all of it, or nothing (db is NULL): finds the rows that are no definitions at all, and which of
 * the others SQLite cannot read. It may have read part of such a definition, and know its object as something else.
 * SQLITE_OK, or SQLite's code.
 */
int schema_judge(struct schema *s, sqlite3 *db, struct damage *damage);

#endif
