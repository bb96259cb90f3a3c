/*
 * A write-ahead log beside a database: what is read raw of the two is what SQLite itself makes of them. The input is a
 * list of frames, four bytes each - page, commit, what the page is filled with, what is wrong with it - behind a byte for
 * the header; so nearly every input is a log of which something counts.
 */
#include "lib/std.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/file.h"
#include "lib/sqlite/live.h"
#include "lib/sqlite/sqlite.h"

#define SIZE 512
#define ROOM (4096 * SIZE)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static char dir[] = "/tmp/ctv-fuzz-XXXXXX";
static unsigned char base[ROOM], made[ROOM], ours[ROOM], theirs[ROOM];
static size_t base_len;

static const char *name(const char *file)
{
	static char path[4][64];
	static int turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof path[turn], "%s/%s", dir, file);
	return path[turn];
}

static void put(const char *file, const void *bytes, size_t len)
{
	int fd = open(name(file), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || file_write(fd, bytes, len) != 0)
		abort();
	close(fd);
}

static size_t get(const char *file, unsigned char *bytes)
{
	int fd = open(name(file), O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? file_read(fd, bytes, ROOM) : -1;

	if (n < 0)
		abort();
	close(fd);
	return (size_t)n;
}

static void clean(void)
{
	static const char *const files[] = { "db", "db-wal", "db-shm", "ref", "ref-wal", "ref-shm" };

	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		unlink(name(files[i]));
}

static void leave(void)
{
	clean();
	rmdir(dir);
}

static void begin(void)
{
	sqlite3 *db;

	if (mkdtemp(dir) == NULL || freopen("/dev/null", "w", stderr) == NULL)
		abort();
	atexit(leave);
	if (sqlite3_open(name("db"), &db) != SQLITE_OK ||
	    sqlite3_exec(db, "PRAGMA page_size=512; PRAGMA journal_mode=WAL; CREATE TABLE t(a);"
			 "INSERT INTO t VALUES(zeroblob(5000))", NULL, NULL, NULL) != SQLITE_OK)
		abort();
	sqlite3_close(db);
	base_len = get("db", base);
}

/* The log that the input describes. */
static size_t make_log(const uint8_t *data, size_t len)
{
	size_t all, torn = data[0] % 8 == 6 ? data[0] : 0;
	static const uint32_t salt[2] = { 1, 2 };
	unsigned char *at = made + WAL_HEADER_LEN;
	struct wal_header header;
	struct wal_mark mark;

	wal_header_make(made, SIZE, salt, &header);
	mark = header.start;
	for (size_t i = 1; i + 4 <= len && at + WAL_FRAME_LEN + SIZE <= made + ROOM; i += 4) {
		unsigned char *page = at + WAL_FRAME_LEN;

		if (data[i] == 1) {
			memcpy(page, base, SIZE);
			memset(page + SIZE - 64, data[i + 2], 64);
		} else {
			memset(page, data[i + 2], SIZE);
		}
		wal_frame_make(&header, &mark, at, page, (struct wal_frame){ data[i], data[i + 1] });
		/* a torn frame, one of an older log, one whose page is not what was summed */
		if (data[i + 3] % 16 == 15)
			at[16 + data[i + 3] / 16 % 8]++;
		else if (data[i + 3] % 16 == 14)
			at[8 + data[i + 3] / 16 % 8]++;
		else if (data[i + 3] % 16 == 13)
			page[data[i + 3]]++;
		at = page + SIZE;
	}
	if (data[0] % 8 == 7)
		made[data[0] / 8]++;
	/* it may end anywhere */
	all = (size_t)(at - made);
	return all - (torn < all ? torn : all);
}

/* The pages as live.c reads them; 0 when it refuses. */
static size_t read_raw(void)
{
	struct live l;
	enum live_since since;
	size_t size = 0;
	int rc = live_open(&l, name("db"), 0, false);

	if (rc == 0)
		rc = live_scan(&l, NULL, true, &since);
	if (rc == 0 && (uint64_t)l.page_count * l.page_size > ROOM)
		abort();
	for (uint32_t page = 1; rc == 0 && page <= l.page_count; page++)
		rc = live_read(&l, page, 1, ours + (size_t)(page - 1) * l.page_size);
	if (rc == 0)
		rc = live_end(&l);
	if (rc == 0)
		size = (size_t)l.page_count * l.page_size;
	live_close(&l);
	return size;
}

/* The same by SQLite; 0 when it refuses. */
static size_t read_by_sqlite(void)
{
	sqlite3 *db;
	int64_t ignored;
	int rc = sqlite_open(name("ref"), NULL, SQLITE_OPEN_READWRITE, NULL, &db);

	if (rc == SQLITE_OK)
		rc = sqlite_int(db, "PRAGMA user_version", &ignored);
	if (rc == SQLITE_OK)
		rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	sqlite3_close(db);
	return rc == SQLITE_OK ? get("ref", theirs) : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	size_t log, raw, reference;

	if (base_len == 0)
		begin();
	if (len == 0)
		return 0;
	log = make_log(data, len);
	clean();
	put("db", base, base_len);
	put("db-wal", made, log);
	put("ref", base, base_len);
	put("ref-wal", made, log);
	raw = read_raw();
	reference = read_by_sqlite();
	/* a log that leads to a file far larger than its frames is refused by SQLite alone: none of its writers makes one */
	if (reference != 0 && (raw != reference || memcmp(ours, theirs, raw) != 0))
		abort();
	return 0;
}
