/*
 * room-check - is there room in a directory, and can we write there?
 *
 *	room-check [-w SIZE] [-c SIZE] [--writable | --write] [--json | --as ID | --shell] DIR
 *
 * Free is what an ordinary user may still take; of the file system's inodes some must be left, or no file can be
 * made whatever its size. --writable looks at the rights and at the mount, and writes nothing; --write is the
 * proof: a file is made, filled, synced, renamed and removed.
 */
#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/cli.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/option.h"

#define INODES_LEAST 16		/* a run makes a handful of files */

static uint64_t warning, critical;
static bool look_writable, really_write;
static const char *const names[] = { CHECK_NAMES, "free_bytes", "free_text", "free_inodes", NULL };
static struct check_form form = { .shell.names = names };

/* What cannot be done in dir, in words, or NULL; errno says why. */
static const char *try_writing(const char *dir)
{
	static const char data[4096];
	char path[PATH_MAX], renamed[PATH_MAX + 8];
	const char *what = NULL;
	int fd, error;

	if (snprintf(path, sizeof path, "%s/.room-check-XXXXXX", dir) >= (int)sizeof path) {
		errno = ENAMETOOLONG;
		return "cannot write";
	}
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return "cannot create a file";
	snprintf(renamed, sizeof renamed, "%s.moved", path);
	if (file_write(fd, data, sizeof data) != 0 || fsync(fd) != 0)
		what = "cannot write a file";
	else if (rename(path, renamed) != 0)
		what = "cannot rename a file";
	error = errno;
	if (unlink(path) != 0 && unlink(renamed) != 0 && what == NULL) {
		what = "cannot remove a file";
		error = errno;
	}
	close(fd);
	errno = error;
	return what;
}

static int look(const char *dir)
{
	char room[NUM_TEXT], least[NUM_TEXT], number[32], limits[80];
	const char *what = NULL;
	struct check c;
	struct statvfs fs;
	struct stat st;
	uint64_t bytes;

	check_init(&c, "ROOM", dir, &form);
	if (stat(dir, &st) != 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return check_done(&c, STATE_CRITICAL, "%s: no such directory", dir);
		return check_done(&c, STATE_UNKNOWN, "%s: cannot be reached: %s", dir, strerror(errno));
	}
	if (!S_ISDIR(st.st_mode))
		return check_done(&c, STATE_CRITICAL, "%s: not a directory", dir);
	if (statvfs(dir, &fs) != 0)
		return check_done(&c, STATE_UNKNOWN, "%s: cannot be looked at: %s", dir, strerror(errno));

	bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	num_size_text(room, bytes);
	num_size_text(least, critical > 0 ? critical : warning);
	check_int(&c, "free_bytes", (int64_t)bytes);
	check_text(&c, "free_text", room);
	check_int(&c, "free_inodes", (int64_t)fs.f_favail);
	snprintf(number, sizeof number, "%" PRIu64, bytes);
	/* a range of the contract: "X:" is bad when less than X */
	snprintf(limits, sizeof limits, "%" PRIu64 ":;%" PRIu64 ":;0", warning, critical);
	check_perf(&c, "free", number, "B", limits);

	if (look_writable && (fs.f_flag & ST_RDONLY) != 0)
		return check_done(&c, STATE_CRITICAL, "%s: read-only", dir);
	if (look_writable && faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) != 0)
		return check_done(&c, STATE_CRITICAL, "%s: cannot write: %s", dir, strerror(errno));
	/* a file system without a fixed number of inodes reports 0 of them, and 0 free */
	if (fs.f_files > 0 && fs.f_favail < INODES_LEAST)
		return check_done(&c, STATE_CRITICAL, "%s: no room for another file: %" PRIu64 " inodes are free", dir,
				  (uint64_t)fs.f_favail);
	if (bytes < critical)
		return check_done(&c, STATE_CRITICAL, "%s: %s free, at least %s are needed", dir, room, least);
	if (really_write)
		what = try_writing(dir);
	if (what != NULL)
		return check_done(&c, STATE_CRITICAL, "%s: %s: %s", dir, what, strerror(errno));
	if (bytes < warning)
		return check_done(&c, STATE_WARNING, "%s: %s free, %s are wanted", dir, room, num_size_text(least, warning));
	if (critical > 0 || warning > 0)
		return check_done(&c, STATE_OK, "%s: %s free, at least %s", dir, room, least);
	return check_done(&c, STATE_OK, "%s: %s free%s", dir, room, really_write ? ", and a file was written" : "");
}

static const struct option_row options[] = {
	{ 'w', "warning", "SIZE", option_size, &warning, "WARNING when less is free" },
	{ 'c', "critical", "SIZE", option_size, &critical, "CRITICAL when less is free" },
	{ 0, "writable", NULL, option_flag, &look_writable, "CRITICAL when we may not write there, by the rights and the mount" },
	{ 0, "write", NULL, option_flag, &really_write, "CRITICAL when a file cannot be made, written, renamed and removed" },
	CHECK_OPTIONS(form, "DIR")
};

static const struct command command = {
	.usage = "[-w SIZE] [-c SIZE] [--writable | --write] [--json | --as ID | --shell] DIR",
	.about = "Is there room in DIR, and can we write there?",
	.options = options,
	.operands = { 1, 1, "wants one DIR", NULL },
	.after = "SIZE takes K, M, G or T. " CHECK_STATUSES,
	.check = true,
};

int main(int argc, char **argv)
{
	int rc;

	msg_init(argv[0]);
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	if (warning > 0 && warning < critical)
		return cli_usage("-w is less than -c: CRITICAL would come before WARNING");
	return look(argv[optind]);
}
