/*
 * shortrow.h - what does a row from before ALTER TABLE ADD COLUMN hold in the columns that were added? Only SQLite
 * itself can say: neither an ALTER in memory nor the default that INSERT fills in is always that value. So SQLite is
 * shown such a row: a table in memory gets one with the first columns alone, and then the real definition in the schema.
 */
#ifndef LIB_SQLITE_SHORTROW_H
#define LIB_SQLITE_SHORTROW_H

#include "lib/sqlite/plan.h"
#include "lib/std.h"

struct shortrow;

/*
 * name and sql are the table's; keys is the number of columns of the primary key of a WITHOUT ROWID table, 0 for any
 * other; encoding is the file's. NULL when SQLite does not take the table. name must live as long.
 */
struct shortrow *shortrow_new(const char *name, const char *sql, uint32_t keys, uint32_t encoding);
void shortrow_free(struct shortrow *row);

/*
 * The hash of what an index on that column holds for the row; real: the column has REAL affinity. Left as it is when
 * SQLite cannot say.
 */
void shortrow_hash(struct shortrow *row, const struct plan *p, const char *column, bool real, uint64_t *hash);

#endif
