/*
 * mutate - damages small databases and has each copy judged by SQLite and by us
 *
 *	mutate [-n CASES] [-s SEED] [-k] DIR
 *
 * First every sound database of the corpus must be OK at both levels. Then CASES copies are damaged, each in a
 * way that follows from SEED and its number alone. What PRAGMA integrity_check calls corrupt or cannot judge
 * must not be OK for db-verify's full level, nor what quick_check does for its quick level. Ends with 1 when that
 * does not hold; the copy stays in DIR as case-N.db (-k keeps also those that only we find damaged).
 */
#include "lib/std.h"

#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/sqlite/btree.h"
#include "lib/clock.h"
#include "lib/sqlite/verify.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/num.h"

#include "tests/fault/corpus.h"

#define FILE_MAX (4u << 20)
#define LIMIT_MS 20000		/* for one copy; a hang ends the process by SIGALRM */
#define CORPUS_MAX 64

static unsigned char file[FILE_MAX], sound[FILE_MAX];
static size_t file_len, sound_len;
static uint32_t page_size, pages;

/* ---- chance ---- */

static uint64_t state;

/* splitmix64 */
static uint64_t draw(void)
{
	uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static uint32_t below(uint64_t n)
{
	return n > 0 ? (uint32_t)(draw() % n) : 0;
}

/* ---- the copy at hand ---- */

static unsigned char *page_at(uint32_t number)
{
	return file + (size_t)(number - 1) * page_size;
}

static uint32_t any_page(void)
{
	return 1 + below(pages);
}

static void put16(unsigned char *p, uint32_t v)
{
	p[0] = (unsigned char)(v >> 8);
	p[1] = (unsigned char)v;
}

static void put32(unsigned char *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

/* A b-tree page with at least `cells` cells, of any page or only a leaf. False when chance finds none. */
static bool find_page(struct btree_page *p, uint32_t *number, uint32_t cells, bool leaf)
{
	for (int tries = 0; tries < 200; tries++) {
		*number = any_page();
		if (btree_page(p, page_at(*number), page_size - file[20], *number) == NULL && p->cells >= cells &&
		    (!leaf || p->leaf))
			return true;
	}
	return false;
}

static unsigned char *pointer(const struct btree_page *p, uint32_t i)
{
	return file + (p->data - file) + p->array + 2 * i;
}

static unsigned char *header_of(const struct btree_page *p)
{
	return file + (p->data - file) + p->array - (p->leaf ? 8 : 12);
}

/* ---- ways to damage it; each returns false when this database has nothing to damage so ---- */

static bool flip_bit(void)
{
	file[below(file_len)] ^= (unsigned char)(1u << below(8));
	return true;
}

static bool set_byte(void)
{
	static const unsigned char favourites[] = { 0, 1, 0x7f, 0x80, 0xff, 5, 13, 10, 2 };
	size_t at = (size_t)(any_page() - 1) * page_size;

	/* half of them near the beginning of a page, where its header is */
	at += below(2) == 0 ? below(page_size) : below(page_size < 24 ? page_size : 24);
	file[at] = below(2) == 0 ? (unsigned char)draw() : favourites[below(sizeof favourites)];
	return true;
}

static bool zero_page(void)
{
	memset(page_at(any_page()), 0, page_size);
	return true;
}

static bool zero_sector(void)
{
	memset(file + (size_t)below(file_len / 512) * 512, 0, 512);
	return true;
}

static bool swap_pages(void)
{
	uint32_t a = any_page(), b = any_page();
	static unsigned char t[BTREE_PAGE_MAX];

	if (a == b)
		return false;
	memcpy(t, page_at(a), page_size);
	memcpy(page_at(a), page_at(b), page_size);
	memcpy(page_at(b), t, page_size);
	return true;
}

static bool copy_page(void)
{
	uint32_t a = any_page(), b = any_page();

	memmove(page_at(a), page_at(b), page_size);
	return a != b;
}

static bool tear_sector(void)
{
	size_t a = (size_t)below(file_len / 512) * 512, b = (size_t)below(file_len / 512) * 512;

	memmove(file + a, file + b, 512);
	return a != b;
}

static bool truncate_file(void)
{
	file_len -= below(2) == 0 ? page_size * (1 + (size_t)below(pages - 1)) : 1 + below(page_size);
	return true;
}

/* As truncated, but the header agrees. */
static bool truncate_quietly(void)
{
	if (pages < 3)
		return false;
	pages -= 1 + below(pages / 2);
	file_len = (size_t)pages * page_size;
	put32(file + 28, pages);
	return true;
}

static bool append_page(void)
{
	if (file_len + page_size > FILE_MAX)
		return false;
	memset(file + file_len, below(2) == 0 ? 0 : 0xaa, page_size);
	file_len += page_size;
	put32(file + 28, ++pages);
	return true;
}

/* A byte of a cell: its length, rowid, record header or body. */
static bool edit_cell(void)
{
	struct btree_page p;
	struct btree_cell c;
	uint32_t number;

	if (!find_page(&p, &number, 1, false) || btree_cell(&p, below(p.cells), &c) != NULL)
		return false;
	page_at(number)[c.at + below(below(2) == 0 ? c.size : 6)] = (unsigned char)draw();
	return true;
}

static bool drop_cell(void)
{
	struct btree_page p;
	uint32_t number, i;

	if (!find_page(&p, &number, 2, false))
		return false;
	i = below(p.cells);
	memmove(pointer(&p, i), pointer(&p, i + 1), 2 * (p.cells - i - 1));
	put16(header_of(&p) + 3, p.cells - 1);
	return true;
}

/* The cell goes, and its bytes become a free block or fragment, as if it had been deleted by the book. */
static bool delete_cell(void)
{
	struct btree_page p;
	struct btree_cell c;
	uint32_t number, i, next, before = 0;

	if (!find_page(&p, &number, 2, true))
		return false;
	i = below(p.cells);
	if (btree_cell(&p, i, &c) != NULL || c.at == p.content)
		return false;
	for (next = p.freeblock; next != 0 && next < c.at; next = btree_u16(p.data + next))
		before = next;
	if ((before != 0 && before + btree_u16(p.data + before + 2) + 4 > c.at) || (next != 0 && c.at + c.size + 4 > next))
		return false;
	memmove(pointer(&p, i), pointer(&p, i + 1), 2 * (p.cells - i - 1));
	put16(header_of(&p) + 3, p.cells - 1);
	put16(page_at(number) + c.at, next);
	put16(page_at(number) + c.at + 2, c.size);
	put16(before != 0 ? page_at(number) + before : header_of(&p) + 1, c.at);
	return true;
}

static bool double_cell(void)
{
	struct btree_page p;
	uint32_t number, i, j;

	if (!find_page(&p, &number, 2, false))
		return false;
	i = below(p.cells);
	j = below(p.cells);
	memcpy(pointer(&p, i), pointer(&p, j), 2);
	return i != j;
}

static bool swap_cells(void)
{
	struct btree_page p;
	unsigned char t[2];
	uint32_t number, i, j;

	if (!find_page(&p, &number, 2, false))
		return false;
	i = below(p.cells);
	j = below(2) == 0 ? below(p.cells) : (i + 1) % p.cells;
	memcpy(t, pointer(&p, i), 2);
	memcpy(pointer(&p, i), pointer(&p, j), 2);
	memcpy(pointer(&p, j), t, 2);
	return i != j;
}

/* The rowid of a leaf cell of a table, or the last byte of an index entry, which often is the rowid. */
static bool change_rowid(void)
{
	struct btree_page p;
	struct btree_cell c;
	uint32_t number;

	if (!find_page(&p, &number, 1, true) || btree_cell(&p, below(p.cells), &c) != NULL || c.local == p.data + c.at)
		return false;
	if (p.table)
		page_at(number)[(size_t)(c.local - p.data) - 1] ^= (unsigned char)(1 + below(3));
	else
		page_at(number)[(size_t)(c.local - p.data) + c.local_len - 1] ^= (unsigned char)(1 + below(3));
	return true;
}

/* Two leaves of the same kind exchange one cell of the same size. */
static bool exchange_cells(void)
{
	struct btree_page p, q;
	struct btree_cell c, d;
	static unsigned char t[BTREE_PAGE_MAX];
	uint32_t a, b;

	if (!find_page(&p, &a, 1, true) || !find_page(&q, &b, 1, true) || p.table != q.table || a == b)
		return false;
	for (int tries = 0; tries < 50; tries++) {
		if (btree_cell(&p, below(p.cells), &c) != NULL || btree_cell(&q, below(q.cells), &d) != NULL)
			return false;
		if (c.size == d.size) {
			memcpy(t, p.data + c.at, c.size);
			memcpy(page_at(a) + c.at, q.data + d.at, c.size);
			memcpy(page_at(b) + d.at, t, c.size);
			return true;
		}
	}
	return false;
}

/* A child, the rightmost child or an overflow pointer of one cell goes to another page. */
static bool redirect(void)
{
	struct btree_page p;
	struct btree_cell c;
	uint32_t number;

	if (!find_page(&p, &number, 1, false) || btree_cell(&p, below(p.cells), &c) != NULL)
		return false;
	if (c.overflow != 0)
		put32(page_at(number) + (size_t)(c.local - p.data) + c.local_len, below(4) == 0 ? (uint32_t)draw() : any_page());
	else if (!p.leaf && below(2) == 0)
		put32(page_at(number) + c.at, any_page());
	else if (!p.leaf)
		put32(header_of(&p) + 8, any_page());
	else
		return false;
	return true;
}

/* Two overflowing cells share a chain. */
static bool cross_link(void)
{
	struct btree_page p, q;
	struct btree_cell c, d;
	uint32_t a, b;

	for (int tries = 0; tries < 100; tries++) {
		if (!find_page(&p, &a, 1, false) || !find_page(&q, &b, 1, false))
			return false;
		if (btree_cell(&p, below(p.cells), &c) != NULL || btree_cell(&q, below(q.cells), &d) != NULL ||
		    c.overflow == 0 || d.overflow == 0 || c.overflow == d.overflow)
			continue;
		put32(page_at(a) + (size_t)(c.local - p.data) + c.local_len, d.overflow);
		return true;
	}
	return false;
}

/* The link of an overflow page: the chain becomes shorter, longer, or a circle. */
static bool relink_overflow(void)
{
	struct btree_page p;
	struct btree_cell c;
	uint32_t number, at;

	for (int tries = 0; tries < 100; tries++) {
		if (!find_page(&p, &number, 1, false))
			return false;
		if (btree_cell(&p, below(p.cells), &c) != NULL || c.overflow == 0 || c.overflow > pages)
			continue;
		at = c.overflow;
		for (uint32_t hops = below(4); hops > 0; hops--)
			if (btree_u32(page_at(at)) != 0 && btree_u32(page_at(at)) <= pages)
				at = btree_u32(page_at(at));
		put32(page_at(at), below(3) == 0 ? 0 : any_page());
		return true;
	}
	return false;
}

static bool edit_freelist(void)
{
	uint32_t trunk = btree_u32(file + 32);

	if (trunk == 0 || trunk > pages || below(4) == 0)
		put32(file + 36, btree_u32(file + 36) + below(5) - 2);
	else if (below(3) == 0)
		put32(page_at(trunk) + 4, btree_u32(page_at(trunk) + 4) + below(5) - 2);
	else if (below(2) == 0)
		put32(page_at(trunk) + 8 + 4 * below(btree_u32(page_at(trunk) + 4) % 64 + 1), any_page());
	else
		put32(page_at(trunk), below(2) == 0 ? 0 : any_page());
	return true;
}

static bool edit_pointer_map(void)
{
	unsigned char *entry;

	if (btree_u32(file + 52) == 0 || pages < 3)
		return false;
	entry = page_at(2) + 5 * below(pages - 2);
	if (below(2) == 0)
		entry[0] = (unsigned char)(1 + below(5));
	else
		put32(entry + 1, below(3) == 0 ? 0 : any_page());
	return true;
}

static bool edit_file_header(void)
{
	file[16 + below(84)] = below(2) == 0 ? (unsigned char)draw() : (unsigned char)below(5);
	return true;
}

/* Text of the schema: other names, types, constraints, roots. */
static bool edit_schema(void)
{
	struct btree_page p;
	struct btree_cell c;

	if (btree_page(&p, file, page_size - file[20], 1) != NULL || !p.leaf || p.cells == 0 ||
	    btree_cell(&p, below(p.cells), &c) != NULL)
		return false;
	file[c.at + below(c.size)] = (unsigned char)(32 + below(95));
	return true;
}

/* ---- damage by SQL: rows change while an index is hidden from SQLite ---- */

static bool run(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static char *ask(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *s = NULL;
	char *out = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW &&
	    sqlite3_column_text(s, 0) != NULL)
		out = strdup((const char *)sqlite3_column_text(s, 0));
	sqlite3_finalize(s);
	return out;
}

static const char *sql_path;

static bool write_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && file_write(fd, file, file_len) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? file_read(fd, file, sizeof file) : -1;

	if (fd >= 0)
		close(fd);
	file_len = n > 0 ? (size_t)n : 0;
	return n > 0;
}

static bool hide_index(void)
{
	static const char *const changes[] = {
		"DELETE FROM main.\"%w\" WHERE rowid = (SELECT min(rowid) + %u FROM main.\"%w\")",
		"INSERT INTO main.\"%w\" SELECT * FROM main.\"%w\" LIMIT 1 OFFSET %u",
		"UPDATE main.\"%w\" SET \"%w\" = %u WHERE rowid %% 50 = 1",
		"UPDATE main.\"%w\" SET \"%w\" = \"%w\" || 'x' WHERE rowid %% 70 = %u",
	};
	sqlite3 *db = NULL;
	char *table = NULL, *column = NULL, *pick = NULL, *change = NULL;
	unsigned which = below(4);
	bool done = false;

	if (!write_file(sql_path) || sqlite3_open(sql_path, &db) != SQLITE_OK)
		goto out;
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
	run(db, "PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF; PRAGMA ignore_check_constraints=ON; PRAGMA writable_schema=ON");
	pick = sqlite3_mprintf("CREATE TEMP TABLE was AS SELECT * FROM main.sqlite_schema WHERE type = 'index' AND sql "
			       "IS NOT NULL ORDER BY rowid LIMIT 1 OFFSET %u", below(4));
	if (!run(db, pick) || (table = ask(db, "SELECT tbl_name FROM was")) == NULL)
		goto out;
	sqlite3_free(pick);
	pick = sqlite3_mprintf("SELECT name FROM pragma_table_info('%q') LIMIT 1 OFFSET %u", table, below(3));
	column = ask(db, pick);
	if (column == NULL || !run(db, "DELETE FROM main.sqlite_schema WHERE name = (SELECT name FROM was);"
				       "PRAGMA writable_schema = RESET"))
		goto out;
	if (which == 0)
		change = sqlite3_mprintf(changes[0], table, below(40), table);
	else if (which == 1)
		change = sqlite3_mprintf(changes[1], table, table, below(40));
	else if (which == 2)
		change = sqlite3_mprintf(changes[2], table, column, below(3));
	else
		change = sqlite3_mprintf(changes[3], table, column, column, below(70));
	done = run(db, change) && sqlite3_changes(db) > 0;
	done = run(db, "PRAGMA writable_schema = ON; INSERT INTO main.sqlite_schema SELECT * FROM was") && done;
out:
	sqlite3_free(pick);
	sqlite3_free(change);
	free(table);
	free(column);
	sqlite3_close(db);
	return done && read_file(sql_path);
}

/* What a constraint demands changes, the rows stay. */
static bool tighten_schema(void)
{
	static const char *const changes[][2] = {
		{ "CREATE INDEX", "CREATE UNIQUE INDEX" }, { " INT", " TEXT" }, { " TEXT", " INT" }, { " REAL", " TEXT" },
		{ "< 1000", "< 77" }, { "> 1)", "> 9)" }, { " INT ", " INT NOT NULL " }, { ", c)", ", c NOT NULL)" },
		{ ", b REAL, c)", ", b REAL, c, CHECK (c <> 5))" }, { " DESC", "" }, { "NOCASE", "BINARY" },
		{ "upper(a)", "lower(a)" }, { "b > 50", "b > 51" }, { "(a, b)", "(b, a)" }, { "RTRIM", "NOCASE" },
		{ "b * 2", "b * 3" }, { "(b AS ", "(c AS " }, { "DEFAULT 5", "DEFAULT 6" }, { "'added'", "'addex'" },
		{ " NUMERIC", " BLOB" }, { " BLOB", " NUMERIC" }, { " ANY", " INT" },
	};
	sqlite3 *db = NULL;
	unsigned i = below(sizeof changes / sizeof *changes);
	char *sql = NULL;
	bool done = false;

	if (!write_file(sql_path) || sqlite3_open(sql_path, &db) != SQLITE_OK)
		goto out;
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
	sql = sqlite3_mprintf("UPDATE main.sqlite_schema SET sql = replace(sql, %Q, %Q) WHERE instr(sql, %Q)", changes[i][0],
			      changes[i][1], changes[i][0]);
	done = run(db, "PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF; PRAGMA writable_schema=ON") && run(db, sql) &&
	       sqlite3_changes(db) > 0;
out:
	sqlite3_free(sql);
	sqlite3_close(db);
	return done && read_file(sql_path);
}

static struct way {
	const char *name;
	bool (*apply)(void);
	unsigned cases, both, ours, none, missed;
} ways[] = {
	{ "bit flipped", flip_bit, 0, 0, 0, 0, 0 }, { "byte set", set_byte, 0, 0, 0, 0, 0 },
	{ "page zeroed", zero_page, 0, 0, 0, 0, 0 }, { "sector zeroed", zero_sector, 0, 0, 0, 0, 0 },
	{ "pages swapped", swap_pages, 0, 0, 0, 0, 0 }, { "page copied over another", copy_page, 0, 0, 0, 0, 0 },
	{ "sector torn", tear_sector, 0, 0, 0, 0, 0 }, { "file truncated", truncate_file, 0, 0, 0, 0, 0 },
	{ "truncated, header agrees", truncate_quietly, 0, 0, 0, 0, 0 }, { "page appended", append_page, 0, 0, 0, 0, 0 },
	{ "cell edited", edit_cell, 0, 0, 0, 0, 0 }, { "cell dropped", drop_cell, 0, 0, 0, 0, 0 },
	{ "cell deleted by the book", delete_cell, 0, 0, 0, 0, 0 }, { "cell doubled", double_cell, 0, 0, 0, 0, 0 },
	{ "cells swapped", swap_cells, 0, 0, 0, 0, 0 }, { "rowid changed", change_rowid, 0, 0, 0, 0, 0 },
	{ "cells exchanged", exchange_cells, 0, 0, 0, 0, 0 }, { "child redirected", redirect, 0, 0, 0, 0, 0 },
	{ "overflow cross-linked", cross_link, 0, 0, 0, 0, 0 }, { "overflow relinked", relink_overflow, 0, 0, 0, 0, 0 },
	{ "freelist edited", edit_freelist, 0, 0, 0, 0, 0 }, { "pointer map edited", edit_pointer_map, 0, 0, 0, 0, 0 },
	{ "file header edited", edit_file_header, 0, 0, 0, 0, 0 }, { "schema edited", edit_schema, 0, 0, 0, 0, 0 },
	{ "row changed without index", hide_index, 0, 0, 0, 0, 0 }, { "schema tightened", tighten_schema, 0, 0, 0, 0, 0 },
};
#define WAYS (sizeof ways / sizeof *ways)

/* ---- judges ---- */

/*
 * SQLite's verdict; on a writable copy, because it forgets CHECK constraints of a database it cannot write. Without
 * modules it does not look into virtual tables, which SQLite's quick check does since 3.44 and ours leaves to the full one.
 */
static bool sqlite_finds(const char *path, const char *pragma, bool modules, char *why, size_t size)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_open(path, &db), rows = 0;
	bool found = false;

	snprintf(why, size, "ok");
	if (rc == SQLITE_OK && !modules)
		rc = sqlite3_drop_modules(db, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(db, pragma, -1, &s, NULL);
	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		rc = sqlite3_step(s);
		if (rc != SQLITE_ROW)
			break;
		rows++;
		if (strcmp((const char *)sqlite3_column_text(s, 0), "ok") != 0 && !found) {
			found = true;
			snprintf(why, size, "%s", (const char *)sqlite3_column_text(s, 0));
		}
	}
	/* what it cannot judge at all (a collation that only some application knows) must not be OK either */
	if (rc != SQLITE_DONE || rows == 0) {
		found = true;
		snprintf(why, size, "%s", sqlite3_errmsg(db));
	}
	sqlite3_finalize(s);
	sqlite3_close(db);
	return found;
}

static void remove_all(const char *path)
{
	static const char *const suffixes[] = { "", "-journal", "-wal", "-shm" };
	char name[4200];

	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
		snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
		unlink(name);
	}
}

/*
 * dbcheck has SQLite's system calls replaced (syscalls.h), once and for the whole process; the other judge is SQLite as
 * everybody has it.
 */
static void give_back_system_calls(void)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find("unix");

	vfs->xSetSystemCall(vfs, NULL, NULL);
}

static enum state judge(const char *path, enum dbcheck_level level, unsigned jobs, struct dbcheck_report *r)
{
	struct dbcheck_options o = { .level = level, .deadline_ms = clock_ms() + LIMIT_MS, .jobs = jobs,
				     .progress = PROGRESS_NEVER };

	dbcheck(path, &o, r);
	give_back_system_calls();
	return r->state;
}

static bool verbose;

/* False when SQLite finds damage that we do not. */
static bool try_case(uint64_t number, const char *dir, struct way *w, bool keep)
{
	char path[4096], kept[4096], why[300];
	struct dbcheck_report full, quick;
	bool theirs, fine = true;

	snprintf(path, sizeof path, "%s/case.db", dir);
	snprintf(kept, sizeof kept, "%s/case-%" PRIu64 ".db", dir, number);
	if (!write_file(path)) {
		perror(path);
		exit(2);
	}
	alarm(2 * LIMIT_MS / 1000);
	judge(path, DBCHECK_FULL, (unsigned)(1 + number % 3), &full);
	judge(path, DBCHECK_QUICK, 1, &quick);
	theirs = sqlite_finds(path, "PRAGMA integrity_check(1)", true, why, sizeof why);
	w->cases++;
	if (theirs && full.state == STATE_OK) {
		printf("MISSED case %" PRIu64 " (%s): integrity_check: %s\n", number, w->name, why);
		fine = false;
	}
	if (full.state == STATE_OK && quick.state != STATE_OK) {
		printf("MISSED case %" PRIu64 " (%s): full is OK, quick: %s\n", number, w->name, quick.text);
		fine = false;
	}
	if (quick.state == STATE_OK && theirs && sqlite_finds(path, "PRAGMA quick_check(1)", false, why, sizeof why)) {
		printf("MISSED case %" PRIu64 " (%s): quick_check: %s\n", number, w->name, why);
		fine = false;
	}
	alarm(0);
	if (!fine)
		w->missed++;
	else if (theirs)
		w->both++;
	else if (full.state != STATE_OK)
		w->ours++;
	else
		w->none++;
	if (verbose && !theirs && full.state != STATE_OK)
		printf("beyond, case %" PRIu64 " (%s): %s\n", number, w->name, full.text);
	remove_all(path);
	if (!fine || (keep && !theirs && full.state != STATE_OK))
		write_file(kept);
	return fine;
}

/* Every sound database must be OK. */
static bool try_sound(const char *path, const char *name)
{
	struct dbcheck_report r;
	bool fine = true;

	for (unsigned jobs = 1; jobs <= 3; jobs++) {
		for (enum dbcheck_level level = DBCHECK_QUICK; level <= DBCHECK_FULL; level++) {
			if (judge(path, level, jobs, &r) != STATE_OK) {
				printf("FALSE ALARM for %s, %u jobs: %s\n", name, jobs, r.text);
				fine = false;
			}
		}
	}
	return fine;
}

/* Case `number` is one database damaged in one way, sometimes in two. */
static struct way *damage_copy(uint64_t number, uint64_t seed)
{
	struct way *w;
	unsigned times;

	state = seed ^ number * UINT64_C(0xd1342543de82ef95);
	w = &ways[number % WAYS];
	times = below(8) == 0 ? 2 : 1;
	for (unsigned done = 0; done < times; done++) {
		bool ok = false;

		for (int tries = 0; tries < 8 && !ok; tries++)
			ok = w->apply();
		if (!ok)
			return NULL;
		w = times == 2 && done == 0 ? &ways[below(WAYS)] : w;
		page_size = btree_u16(file + 16) == 1 ? 65536 : btree_u16(file + 16);
		if (page_size < 512 || (page_size & (page_size - 1)) != 0 || file_len < page_size)
			break;
		pages = (uint32_t)(file_len / page_size);
	}
	return file_len == sound_len && memcmp(file, sound, file_len) == 0 ? NULL : w;
}

static void load_sound(const char *dir, size_t i)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/%s.db", dir, corpus_name(i));
	if (!read_file(path) || file_len == sizeof file) {
		fprintf(stderr, "%s: cannot read, or too large\n", path);
		exit(2);
	}
	memcpy(sound, file, file_len);
	sound_len = file_len;
	page_size = btree_u16(file + 16) == 1 ? 65536 : btree_u16(file + 16);
	pages = (uint32_t)(file_len / page_size);
}

static int summary(void)
{
	struct way all = { "all", NULL, 0, 0, 0, 0, 0 };

	printf("%-28s %7s %9s %9s %9s %7s\n", "damage", "copies", "by both", "only ours", "by none", "missed");
	for (size_t i = 0; i < WAYS; i++) {
		const struct way *w = &ways[i];

		printf("%-28s %7u %9u %9u %9u %7u\n", w->name, w->cases, w->both, w->ours, w->none, w->missed);
		all.cases += w->cases;
		all.both += w->both;
		all.ours += w->ours;
		all.none += w->none;
		all.missed += w->missed;
	}
	printf("%-28s %7u %9u %9u %9u %7u\n", all.name, all.cases, all.both, all.ours, all.none, all.missed);
	return all.missed > 0;
}

int main(int argc, char **argv)
{
	uint64_t cases = 2000, seed = 1, first = 0;
	bool keep = false, fine = true;
	const char *dir, *why = NULL;
	char path[4096], sql[4096];
	int c;

	msg_init(argv[0]);
	while ((c = getopt(argc, argv, "n:s:f:kv")) != -1) {
		switch (c) {
		case 'n':
			why = num_u64(optarg, 0, UINT32_MAX, &cases);
			break;
		case 's':
			why = num_u64(optarg, 0, UINT64_MAX, &seed);
			break;
		case 'f':
			why = num_u64(optarg, 0, UINT32_MAX, &first);
			break;
		case 'k':
			keep = true;
			break;
		case 'v':
			verbose = true;
			break;
		default:
			return 2;
		}
		if (why != NULL) {
			fprintf(stderr, "mutate: -%c %s: %s\n", c, optarg, why);
			return 2;
		}
	}
	if (optind + 1 != argc) {
		fprintf(stderr, "usage: mutate [-n CASES] [-f FIRST] [-s SEED] [-k] [-v] DIR\n");
		return 2;
	}
	dir = argv[optind];
	snprintf(sql, sizeof sql, "%s/by-sql.db", dir);
	sql_path = sql;
	for (size_t i = 0; i < corpus_count; i++) {
		snprintf(path, sizeof path, "%s/%s.db", dir, corpus_name(i));
		remove_all(path);
		if (corpus_make(i, path) != 0)
			return 2;
		fine = try_sound(path, corpus_name(i)) && fine;
	}
	for (uint64_t n = first; n < first + cases; n++) {
		struct way *w;

		load_sound(dir, (size_t)(n / WAYS % corpus_count));
		w = damage_copy(n, seed);
		if (w != NULL)
			fine = try_case(n, dir, w, keep) && fine;
		remove_all(sql);
	}
	return summary() != 0 || !fine;
}
