/*
 * env-exec FILE COMMAND [ARGUMENT...] - becomes COMMAND, with the settings of FILE in its environment
 *
 * systemd reads an EnvironmentFile= itself, as root and before the sandbox is made: where the service's user may write, a
 * link there brings him any file of root's, and a FIFO stops the whole of systemd. This reads the same syntax as the
 * service's user, in his sandbox. What would start with EnvironmentFile=-FILE starts with this too; only something other
 * than a regular file in its place is refused.
 */
#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cli.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/option.h"
#include "lib/settings.h"
#include "lib/utf8.h"

#define LARGEST ((size_t)4 << 20)	/* systemd's own limit, READ_FULL_BYTES_MAX */

static const char *path;

/* FILE may belong to any user, so the hint has the commands for its owner. */
static int cannot_open(int error)
{
	const struct group *group;

	if (error == ENOENT || error == ENOTDIR)
		return EX_OK;
	if (error == ELOOP || error == ENXIO) {
		msg_err(path, "not a regular file");
		return EX_CONFIG;
	}
	errno = error;
	msg_errno(path, "cannot open, so its settings are missing");
	group = getgrgid(getegid());
	if (error == EACCES && group != NULL)
		msg_hint("as its owner: chgrp %s %s; chmod 640 %s", group->gr_name, path, path);
	return EX_OK;
}

/* Leaves text empty where there is nothing to be had. EX_CONFIG (reported) for anything but a file. */
static int read_file(struct buf *text)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC), rc = EX_OK;
	char chunk[4096];
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return cannot_open(errno);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		msg_err(path, "not a regular file");
		rc = EX_CONFIG;
		goto out;
	}
	while ((n = file_read(fd, chunk, sizeof chunk)) > 0) {
		if (buf_add(text, chunk, (size_t)n) != 0) {
			msg_err(path, "larger than %zu bytes, so its settings are missing", LARGEST);
			buf_clear(text);
			goto out;
		}
	}
	if (n < 0) {
		msg_errno(path, "cannot read, so its settings are missing");
		buf_clear(text);
	}
out:
	close(fd);
	return rc;
}

static void take(const char *name, const char *value, unsigned line)
{
	if (name == NULL || !utf8_valid(value))
		msg_err(path, "line %u is no assignment, and passed over", line);
	else if (setenv(name, value, 1) != 0)
		msg_errno(name, "cannot be set");
}

static const struct option_row options[] = { { .name = NULL } };

static const struct command command = {
	.usage = "FILE COMMAND [ARGUMENT...]",
	.about = "Become COMMAND, with the settings of FILE in its environment. FILE is read as\n"
		 "systemd reads an EnvironmentFile=-FILE, but as the user who runs this.",
	.options = options,
	.operands = { 2, OPERANDS_ANY, "wants a file and a command", NULL },
	.runs = true,
};

int main(int argc, char **argv)
{
	struct buf text = BUF_INIT(LARGEST);
	int rc;

	msg_init(argv[0]);
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	path = argv[optind];
	rc = read_file(&text);
	if (rc == EX_OK)
		config_each(buf_text(&text), text.len, take);
	buf_free(&text);
	if (rc != EX_OK)
		return rc;
	execvp(argv[optind + 1], argv + optind + 1);
	msg_errno(argv[optind + 1], "cannot run");
	return errno == ENOENT ? EX_NOINPUT : EX_NOPERM;
}
