/*
 * sqlite.h - what the db-* tools share about SQLite's files: the arithmetic of the 100-byte header, which
 * is done before SQLite sees a file (SQLite itself calls a 0-byte file, trailing garbage and a wrong free
 * page count "ok" or opens them for writing), the way to open a file, and its errors in our words and exit
 * codes. Facts about the header: https://www.sqlite.org/fileformat2.html, section 1.3.
 */
#ifndef LIB_SQLITE_SQLITE_H
#define LIB_SQLITE_SQLITE_H

#include "lib/std.h"

#define SQLITE_HEADER_LEN 100
#define SQLITE_WHY 160		/* room for the reason of a refusal */

struct sqlite_header {
	uint32_t page_size;		/* 512..65536, a power of two */
	uint32_t page_count;		/* file size / page size, a whole number */
	uint32_t reserved;		/* bytes at the end of each page that SQLite leaves alone */
	bool wal;			/* opened as a write-ahead-log database: opening it makes -wal and -shm */
	bool size_in_header;		/* the header's own page count is valid (and agrees with the file) */
	uint32_t freelist_trunk;	/* page number, 0 for none */
	uint32_t freelist_count;	/* pages, trunks included */
	uint32_t change_counter;	/* no freshness test: a WAL database need not count */
	uint32_t schema_cookie;
	uint32_t schema_format;		/* 1..4, 0 in a database that never had a table */
	uint32_t text_encoding;		/* 1 UTF-8, 2 UTF-16le, 3 UTF-16be, 0 as above */
	uint32_t largest_root;		/* not 0: auto_vacuum, the file has pointer-map pages */
	bool incremental_vacuum;
	uint32_t user_version;
	uint32_t application_id;
	uint32_t sqlite_version;	/* SQLITE_VERSION_NUMBER of the last writer */
};

/*
 * Pure. head holds the first len bytes of a file of file_size bytes that nobody has open and that has no
 * -wal beside it (only then file and header must agree). Fills *out and returns true, or returns false
 * with the reason in why, as a phrase for msg_err.
 */
bool sqlite_header_parse(const unsigned char *head, size_t len, uint64_t file_size,
			 struct sqlite_header *out, char why[SQLITE_WHY]);

/*
 * The same for an open file (it is read with pread and never closed: closing a descriptor of a database
 * drops this process's locks on it). EX_OK, EX_DATAERR or EX_IOERR, reported with path.
 */
int sqlite_header_read(int fd, const char *path, struct sqlite_header *out);

/*
 * `file:` URI for a path with an optional query such as "immutable=1" (NULL for none), every byte with a
 * meaning of its own percent-encoded. malloc'ed; NULL without memory.
 */
char *sqlite_uri(const char *path, const char *query);

struct sqlite3;

/*
 * The one way in which these programs open a database file: SQLite can touch nothing but it and what belongs to it
 * (syscalls.h). path exists and names the file itself, not a symbolic link. flags as for sqlite3_open_v2,
 * extended result codes are on; query, or NULL, is that of sqlite_uri; vfs NULL is the
 * usual one. SQLite's code, unreported; *db is to be closed, whatever the code is.
 */
int sqlite_open(const char *path, const char *query, int flags, const char *vfs, struct sqlite3 **db);

/* The exit status for a result code of SQLite's. */
int sqlite_status(int rc);

/*
 * Reports `object: what: SQLite's words for rc`, with the system's error when db (NULL is fine) knows one.
 * Returns sqlite_status(rc); of a file that SQLite was kept from (syscalls.h) reports that, and returns EX_DATAERR.
 */
int sqlite_fail(struct sqlite3 *db, const char *object, const char *what, int rc);

/* Runs one statement and takes the first column of its first row. SQLite's code, SQLITE_OK when there was a row. */
int sqlite_int(struct sqlite3 *db, const char *sql, int64_t *out);

/*
 * SQLITE_VERSION_NUMBER of who wrote the database last (https://www.sqlite.org/fileformat2.html, 1.3.17), read past
 * the pager: from the newest first page that a write-ahead log holds, or the file. For a connection in a transaction,
 * which has opened both. 0 when it cannot be read.
 */
uint32_t sqlite_last_writer(struct sqlite3 *db);

/* The files that SQLite keeps beside a database, as suffixes; ends with NULL. */
extern const char *const sqlite_side_files[];

/*
 * Reports the first of them that exists beside path, and returns EX_CANTCREAT; EX_OK when there is none
 * (a name that cannot be looked at counts as one that exists).
 */
int sqlite_no_side_files(const char *path);

#endif
