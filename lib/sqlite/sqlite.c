#include "lib/std.h"

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "lib/exits.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/sqlite/sqlite.h"
#include "lib/sqlite/syscalls.h"

static uint32_t be16(const unsigned char *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t be32(const unsigned char *p)
{
	return be16(p) << 16 | be16(p + 2);
}

static bool PRINTF_LIKE(2, 3) refuse(char why[SQLITE_WHY], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, SQLITE_WHY, fmt, ap);
	va_end(ap);
	return false;
}

bool sqlite_header_parse(const unsigned char *head, size_t len, uint64_t file_size,
			 struct sqlite_header *out, char why[SQLITE_WHY])
{
	struct sqlite_header h = { 0 };
	uint32_t in_header;

	if (file_size == 0)
		return refuse(why, "empty file, not a database");
	if (len >= 16 && memcmp(head, "SQLite format 3", 16) != 0)
		return refuse(why, "not a SQLite database");
	if (len < SQLITE_HEADER_LEN || file_size < 512)
		return refuse(why, "%llu bytes are too short for a database", (unsigned long long)file_size);

	h.page_size = be16(head + 16) == 1 ? 65536 : be16(head + 16);
	if (h.page_size < 512 || (h.page_size & (h.page_size - 1)) != 0)
		return refuse(why, "page size %u in the header", h.page_size);
	if (head[18] < 1 || head[18] > 2 || head[19] < 1 || head[19] > 2)
		return refuse(why, "file format versions %d and %d in the header", head[18], head[19]);
	h.wal = head[18] == 2 || head[19] == 2;
	h.reserved = head[20];
	if (h.page_size - h.reserved < 480)
		return refuse(why, "%u of %u bytes of a page reserved", h.reserved, h.page_size);
	if (head[21] != 64 || head[22] != 32 || head[23] != 32)
		return refuse(why, "payload fractions %d, %d, %d in the header, not 64, 32, 32", head[21],
			      head[22], head[23]);

	if (file_size % h.page_size != 0)
		return refuse(why, "%llu bytes are no whole number of %u-byte pages",
			      (unsigned long long)file_size, h.page_size);
	if (file_size / h.page_size > UINT32_MAX - 1)
		return refuse(why, "%llu bytes are more pages than a database can have",
			      (unsigned long long)file_size);
	h.page_count = (uint32_t)(file_size / h.page_size);
	in_header = be32(head + 28);
	h.change_counter = be32(head + 24);
	/* 1.3.7: writers before 3.7.0 left an old count there, and did not touch version-valid-for */
	h.size_in_header = in_header != 0 && h.change_counter == be32(head + 92);
	if (h.size_in_header && in_header != h.page_count)
		return refuse(why, "%u pages in the header, %u in the file", in_header, h.page_count);

	h.freelist_trunk = be32(head + 32);
	h.freelist_count = be32(head + 36);
	if (h.freelist_count >= h.page_count || h.freelist_trunk > h.page_count || h.freelist_trunk == 1 ||
	    (h.freelist_trunk == 0) != (h.freelist_count == 0))
		return refuse(why, "%u free pages from page %u in a file of %u", h.freelist_count,
			      h.freelist_trunk, h.page_count);
	h.schema_cookie = be32(head + 40);
	h.schema_format = be32(head + 44);
	if (h.schema_format > 4)
		return refuse(why, "schema format %u in the header", h.schema_format);
	h.text_encoding = be32(head + 56);
	if (h.text_encoding > 3)
		return refuse(why, "text encoding %u in the header", h.text_encoding);
	h.largest_root = be32(head + 52);
	h.incremental_vacuum = be32(head + 64) != 0;
	if (h.largest_root > h.page_count || (h.largest_root == 0 && h.incremental_vacuum))
		return refuse(why, "auto-vacuum with largest root page %u in a file of %u", h.largest_root,
			      h.page_count);
	h.user_version = be32(head + 60);
	h.application_id = be32(head + 68);
	h.sqlite_version = be32(head + 96);
	*out = h;
	return true;
}

int sqlite_header_read(int fd, const char *path, struct sqlite_header *out)
{
	unsigned char head[SQLITE_HEADER_LEN];
	char why[SQLITE_WHY];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) != 0 || (n = file_pread(fd, head, sizeof head, 0)) < 0) {
		msg_errno(path, "cannot read");
		return EX_IOERR;
	}
	if (sqlite_header_parse(head, (size_t)n, (uint64_t)st.st_size, out, why))
		return EX_OK;
	msg_err(path, "%s", why);
	return EX_DATAERR;
}

char *sqlite_uri(const char *path, const char *query)
{
	static const char hex[] = "0123456789ABCDEF";
	/* of a path that starts with two slashes the first word would be read as a host */
	const char *scheme = path[0] == '/' ? "file://" : "file:";
	size_t room = strlen(scheme) + 3 * strlen(path) + (query != NULL ? 1 + strlen(query) : 0) + 1;
	char *uri = malloc(room), *end;

	if (uri == NULL)
		return NULL;
	end = uri + snprintf(uri, room, "%s", scheme);
	for (const unsigned char *s = (const unsigned char *)path; *s != '\0'; s++) {
		if ((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') ||
		    strchr("/._-", *s) != NULL) {
			*end++ = (char)*s;
		} else {
			*end++ = '%';
			*end++ = hex[*s >> 4];
			*end++ = hex[*s & 15];
		}
	}
	snprintf(end, room - (size_t)(end - uri), "%s%s", query != NULL ? "?" : "", query != NULL ? query : "");
	return uri;
}

/* path with its directory free of symbolic links. False with errno. */
static bool settle_name(const char *path, char out[PATH_MAX + NAME_MAX])
{
	const char *slash = strrchr(path, '/'), *base = slash != NULL ? slash + 1 : path;
	char dir[PATH_MAX], real[PATH_MAX];

	snprintf(dir, sizeof dir, "%.*s", slash == NULL || slash == path ? 1 : (int)(slash - path), slash == NULL ? "." : path);
	if (strlen(path) >= PATH_MAX || strlen(base) > NAME_MAX - 8) {
		errno = ENAMETOOLONG;
		return false;
	}
	if (realpath(dir, real) == NULL)
		return false;
	snprintf(out, PATH_MAX + NAME_MAX, "%s/%s", strcmp(real, "/") == 0 ? "" : real, base);
	return true;
}

int sqlite_open(const char *path, const char *query, int flags, const char *vfs, sqlite3 **db)
{
	char settled[PATH_MAX + NAME_MAX], *uri;
	int rc;

	*db = NULL;
	if (!settle_name(path, settled))
		return SQLITE_CANTOPEN;
	uri = sqlite_uri(settled, query);
	if (uri == NULL || !syscalls_admit(settled))
		rc = SQLITE_NOMEM;
	else
		rc = sqlite3_open_v2(uri, db, flags | SQLITE_OPEN_URI | SQLITE_OPEN_EXRESCODE, vfs);
	free(uri);
	return rc;
}

int sqlite_status(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK: case SQLITE_ROW: case SQLITE_DONE:
		return EX_OK;
	case SQLITE_CORRUPT: case SQLITE_NOTADB: case SQLITE_ERROR: case SQLITE_FORMAT:
		return EX_DATAERR;
	case SQLITE_FULL: case SQLITE_IOERR: case SQLITE_NOMEM: case SQLITE_TOOBIG:
		return EX_IOERR;
	case SQLITE_BUSY: case SQLITE_LOCKED: case SQLITE_CANTOPEN: case SQLITE_READONLY: case SQLITE_PERM:
	case SQLITE_AUTH: case SQLITE_PROTOCOL:
		return EX_CANTCREAT;
	case SQLITE_INTERRUPT:
		return EX_TEMPFAIL;
	default:
		return EX_SOFTWARE;
	}
}

int sqlite_fail(sqlite3 *db, const char *object, const char *what, int rc)
{
	int error = db != NULL ? sqlite3_system_errno(db) : 0;
	/* the text of the connection says more, if it is about the same error */
	const char *text = db != NULL && (sqlite3_errcode(db) & 0xff) == (rc & 0xff) ? sqlite3_errmsg(db) :
			   sqlite3_errstr(rc);
	bool by_os = error != 0 && sqlite_status(rc) != EX_DATAERR && (rc & 0xff) != SQLITE_BUSY;
	const char *kept_from = syscalls_refusal();
	char reason[128];

	if (kept_from != NULL) {
		msg_err(object, "%s: leads SQLite to %s", what, kept_from);
		return EX_DATAERR;
	}
	msg_err(object, "%s: %s%s%s", what, text, by_os ? ": " : "",
		by_os ? strerror_r(error, reason, sizeof reason) : "");
	return sqlite_status(rc);
}

int sqlite_int(sqlite3 *db, const char *sql, int64_t *out)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

	if (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW)
		*out = sqlite3_column_int64(st, 0);
	if (rc == SQLITE_ROW)
		rc = SQLITE_OK;
	else if (rc == SQLITE_DONE || rc == SQLITE_OK)
		rc = SQLITE_ERROR;
	/* the code of the step counts, not that of finalize, which repeats or forgets it */
	sqlite3_finalize(st);
	return rc;
}

/* The write-ahead log: https://www.sqlite.org/fileformat2.html, 4.1; a frame of older salts is not of this log. */
static uint32_t last_writer_in_log(sqlite3_file *f, uint32_t before)
{
	unsigned char head[32], frame[24], version[4];
	uint32_t page_size, pending = before, settled = before;

	if (f->pMethods->xRead(f, head, sizeof head, 0) != SQLITE_OK || (be32(head) & ~1u) != 0x377f0682)
		return before;
	page_size = be32(head + 8);
	for (sqlite3_int64 at = sizeof head; f->pMethods->xRead(f, frame, sizeof frame, at) == SQLITE_OK &&
					     memcmp(frame + 8, head + 16, 8) == 0; at += (sqlite3_int64)sizeof frame + page_size) {
		if (be32(frame) == 1 && f->pMethods->xRead(f, version, sizeof version, at + 24 + 96) == SQLITE_OK)
			pending = be32(version);
		/* the last frame of a transaction */
		if (be32(frame + 4) != 0)
			settled = pending;
	}
	return settled;
}

uint32_t sqlite_last_writer(sqlite3 *db)
{
	sqlite3_file *f = NULL, *log = NULL;
	unsigned char version[4];

	if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &f) != SQLITE_OK || f == NULL || f->pMethods == NULL ||
	    f->pMethods->xRead(f, version, sizeof version, 96) != SQLITE_OK)
		return 0;
	if (sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) != SQLITE_OK || log == NULL || log->pMethods == NULL)
		return be32(version);
	return last_writer_in_log(log, be32(version));
}

const char *const sqlite_side_files[] = { "-wal", "-journal", "-shm", NULL };

int sqlite_no_side_files(const char *path)
{
	char side[PATH_MAX];
	struct stat st;

	for (const char *const *s = sqlite_side_files; *s != NULL; s++) {
		if (snprintf(side, sizeof side, "%s%s", path, *s) < (int)sizeof side &&
		    lstat(side, &st) != 0 && errno == ENOENT)
			continue;
		msg_err(path, "has a %s beside it", *s);
		return EX_CANTCREAT;
	}
	return EX_OK;
}
