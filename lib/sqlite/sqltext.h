/*
 * sqltext.h - what SQLite knows of a table but tells nobody: the text of its CHECK constraints, of the
 * expressions and the WHERE clause of an index, and its options. Taken from the CREATE statement in the schema,
 * which SQLite has parsed before, so that it is known to be well-formed; only tokens and brackets are looked at
 * (https://www.sqlite.org/lang_createtable.html, lang_createindex.html). Of a statement that SQLite could
 * not parse, whether it is a whole one all the same. Pure.
 */
#ifndef LIB_SQLITE_SQLTEXT_H
#define LIB_SQLITE_SQLTEXT_H

#include "lib/std.h"

/* A piece of the statement, not ended by a NUL. */
struct sqltext {
	const char *p;
	size_t len;
};

/* A CREATE statement of the schema: the type of object, and the names as they are written, quotes included. */
struct sqltext_statement {
	enum sqltext_type { SQLTEXT_TABLE, SQLTEXT_VIRTUAL, SQLTEXT_INDEX, SQLTEXT_VIEW, SQLTEXT_TRIGGER } type;
	struct sqltext name;
	struct sqltext on;	/* the table of an index or a trigger */
	struct sqltext module;	/* of a virtual table */
};

/*
 * Is this text one whole CREATE statement, as far as one can tell without its grammar, which a newer SQLite may have
 * widened: its first words, its brackets and quotes, its characters and its end? It may be anything at all.
 */
bool sqltext_whole(const char *sql, struct sqltext_statement *out);

/* Is that the written form of this name? */
bool sqltext_is_name(struct sqltext written, const char *name);

/* The words behind the column list of CREATE TABLE. */
void sqltext_options(const char *sql, bool *without_rowid, bool *strict);

/* The next CHECK expression at or behind *at (start with sql), without its brackets. False when none is left. */
bool sqltext_next_check(const char **at, unsigned *depth, struct sqltext *out);

/* Column i of CREATE INDEX, without ASC or DESC. False when there is none. */
bool sqltext_index_column(const char *sql, unsigned i, struct sqltext *out);

/* The WHERE clause of CREATE INDEX. False when there is none. */
bool sqltext_index_where(const char *sql, struct sqltext *out);

#endif
