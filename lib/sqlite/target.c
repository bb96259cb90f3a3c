#include "lib/std.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cli.h"
#include "lib/exits.h"
#include "lib/msg.h"
#include "lib/sqlite/holders.h"
#include "lib/sqlite/sqlite.h"
#include "lib/sqlite/target.h"

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

int target_unfinished(const char *path, const char *tmp, const char *db)
{
	struct stat st, is;

	/* a link there is not followed */
	if (stat(db, &is) == 0 && lstat(tmp, &st) == 0 && same(&st, &is))
		return cli_usage("%s: is the name for the unfinished %s", db, path);
	return EX_OK;
}

int target_apart(const char *path, const char *tmp, const char *db)
{
	size_t len = strlen(path);
	struct stat st, is;

	for (const char *const *side = sqlite_side_files; *side != NULL; side++) {
		size_t n = strlen(*side);

		if (len >= n && strcmp(path + len - n, *side) == 0)
			return cli_usage("%s: SQLite keeps files of its own under names in %s", path, *side);
	}
	/* without it there is nothing to lose, and who opens it says so */
	if (stat(db, &is) != 0)
		return EX_OK;
	if (stat(path, &st) == 0 && same(&st, &is))
		return cli_usage("%s and %s are the same file", db, path);
	return tmp != NULL ? target_unfinished(path, tmp, db) : EX_OK;
}

int target_file(const char *path, const char *tmp, const char *db)
{
	char magic[16];
	int rc = target_apart(path, tmp, db), fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (rc == EX_OK && fd >= 0 && pread(fd, magic, sizeof magic, 0) == sizeof magic &&
	    memcmp(magic, "SQLite format 3", sizeof magic) == 0) {
		msg_err(path, "is a database, and is not replaced");
		rc = EX_CANTCREAT;
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

int target_database(const char *path, const char *tmp, const char *db)
{
	int rc = target_apart(path, tmp, db);
	struct holders holders;
	struct stat st;

	if (rc == EX_OK)
		rc = sqlite_no_side_files(path);
	/* a path that cannot be reached fails when the file is made */
	if (rc != EX_OK || lstat(path, &st) != 0)
		return rc;
	if (!S_ISREG(st.st_mode)) {
		msg_err(path, "not a regular file");
		return EX_CANTCREAT;
	}
	rc = holders_find(path, &holders);
	if (rc == EX_OK && holders.count > 0) {
		msg_err(path, "in use by %s", holders.who);
		rc = EX_CANTCREAT;
	}
	return rc;
}
