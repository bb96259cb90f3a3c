/*
 * sqltext.h - what SQLite knows of a table but tells nobody: the text of its CHECK constraints, of the
 * expressions and the WHERE clause of an index, and its options. Taken from the CREATE statement in the schema,
 * which SQLite has parsed before, so that it is known to be well-formed; only tokens and brackets are looked at
 * (https://www.sqlite.org/lang_createtable.html, lang_createindex.html). Pure.
 */
#ifndef LIB_SQLITE_SQLTEXT_H
#define LIB_SQLITE_SQLTEXT_H

#include "lib/std.h"

/* A piece of the statement, not ended by a NUL. */
struct sqltext {
	const char *p;
	size_t len;
};

/* The words behind the column list of CREATE TABLE. */
void sqltext_options(const char *sql, bool *without_rowid, bool *strict);

/* The next CHECK expression at or behind *at (start with sql), without its brackets. False when none is left. */
bool sqltext_next_check(const char **at, unsigned *depth, struct sqltext *out);

/* Column i of CREATE INDEX, without ASC or DESC. False when there is none. */
bool sqltext_index_column(const char *sql, unsigned i, struct sqltext *out);

/* The WHERE clause of CREATE INDEX. False when there is none. */
bool sqltext_index_where(const char *sql, struct sqltext *out);

#endif
