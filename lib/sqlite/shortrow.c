#include "lib/std.h"

#include "lib/sqlite/btree.h"
#include "lib/sqlite/record.h"
#include "lib/sqlite/shortrow.h"

#define INDEX "what an index holds of the column"

struct shortrow {
	sqlite3 *db;
	const char *name;
};

/* A row of as many columns as a WITHOUT ROWID table has in its key, of one for any other. */
static int make_row(sqlite3 *db, uint32_t keys)
{
	sqlite3_str *s = sqlite3_str_new(db);
	char *sql;
	int rc;

	sqlite3_str_appendall(s, "CREATE TABLE t (c0");
	for (uint32_t i = 1; i < keys; i++)
		sqlite3_str_appendf(s, ", c%u", i);
	for (uint32_t i = 0; i < keys; i++)
		sqlite3_str_appendf(s, "%sc%u", i == 0 ? ", PRIMARY KEY (" : ", ", i);
	sqlite3_str_appendf(s, "%s; INSERT INTO t VALUES (1", keys > 0 ? ")) WITHOUT ROWID" : ")");
	for (uint32_t i = 1; i < keys; i++)
		sqlite3_str_appendall(s, ", 1");
	sqlite3_str_appendall(s, ")");
	sql = sqlite3_str_finish(s);
	rc = sql != NULL ? sqlite3_exec(db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
	sqlite3_free(sql);
	return rc;
}

/* The real definition over it. */
static int put_definition(sqlite3 *db, const char *name, const char *definition)
{
	char *sql = sqlite3_mprintf("UPDATE sqlite_schema SET name = %Q, tbl_name = %Q, sql = %Q; "
				    "PRAGMA writable_schema = RESET", name, name, definition);
	int rc = sql != NULL ? sqlite3_db_config(db, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1, NULL) : SQLITE_NOMEM;

	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
	sqlite3_free(sql);
	return rc;
}

struct shortrow *shortrow_new(const char *name, const char *sql, uint32_t keys, uint32_t encoding)
{
	static const char *const encodings[] = {
		NULL, NULL, "PRAGMA encoding='UTF-16le'", "PRAGMA encoding='UTF-16be'",
	};
	struct shortrow *row = calloc(1, sizeof *row);
	int rc;

	if (row == NULL)
		return NULL;
	row->name = name;
	rc = sqlite3_open(":memory:", &row->db);
	if (rc == SQLITE_OK && encoding > 1)
		rc = sqlite3_exec(row->db, encodings[encoding], NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = make_row(row->db, keys);
	if (rc == SQLITE_OK)
		rc = put_definition(row->db, name, sql);
	if (rc == SQLITE_OK)
		return row;
	shortrow_free(row);
	return NULL;
}

void shortrow_free(struct shortrow *row)
{
	if (row == NULL)
		return;
	sqlite3_close(row->db);
	free(row);
}

/* The value of the first column of a statement's first row. */
static void hash_selected(struct shortrow *row, const struct plan *p, const char *column, uint64_t *hash)
{
	char *sql = sqlite3_mprintf("SELECT \"%w\" FROM main.\"%w\" NOT INDEXED", column, row->name);
	sqlite3_stmt *s = NULL;
	int rc = sql != NULL ? sqlite3_prepare_v2(row->db, sql, -1, &s, NULL) : SQLITE_NOMEM;

	if (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW)
		*hash = plan_hash(p, s, 0);
	sqlite3_finalize(s);
	sqlite3_free(sql);
}

/* The first value of the only entry of an index, from the bytes of the database in memory. */
static void hash_entry(const struct plan *p, const unsigned char *file, int64_t size, uint32_t page_size, uint32_t root,
		       uint64_t *hash)
{
	struct btree_page page;
	struct btree_cell cell;
	struct field field;
	uint32_t count, header;

	if (root < 2 || (int64_t)root * page_size > size)
		return;
	if (btree_page(&page, file + (size_t)(root - 1) * page_size, page_size, root) == NULL && page.cells == 1 &&
	    btree_cell(&page, 0, &cell) == NULL && cell.overflow == 0 &&
	    record_header(cell.local, cell.local_len, cell.payload, &field, 1, &count, &header) == RECORD_OK && count > 0)
		*hash = hash_field(&p->secret, field.type, cell.local + field.at);
}

/* A number in a REAL column is kept as it was written, also in the index, while SELECT returns it rounded. */
static void hash_indexed(struct shortrow *row, const struct plan *p, const char *column, uint64_t *hash)
{
	char *sql = sqlite3_mprintf("DROP INDEX IF EXISTS main.\"" INDEX "\"; CREATE INDEX main.\"" INDEX "\" ON \"%w\" "
				    "(\"%w\" COLLATE BINARY)", row->name, column);
	int rc = sql != NULL ? sqlite3_exec(row->db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
	int64_t root = 0, page_size = 0;
	sqlite3_int64 size = 0;
	unsigned char *file = NULL;

	sqlite3_free(sql);
	if (rc == SQLITE_OK)
		rc = sqlite_int(row->db, "SELECT rootpage FROM sqlite_schema WHERE name = '" INDEX "'", &root);
	if (rc == SQLITE_OK)
		rc = sqlite_int(row->db, "PRAGMA page_size", &page_size);
	if (rc == SQLITE_OK)
		file = sqlite3_serialize(row->db, "main", &size, 0);
	if (file != NULL)
		hash_entry(p, file, size, (uint32_t)page_size, (uint32_t)root, hash);
	sqlite3_free(file);
}

void shortrow_hash(struct shortrow *row, const struct plan *p, const char *column, bool real, uint64_t *hash)
{
	if (real)
		hash_indexed(row, p, column, hash);
	else
		hash_selected(row, p, column, hash);
}
