#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/dataof.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/installed.h"
#include "lib/msg.h"

int dataof_keep(const char *state, const char *live, bool served)
{
	static const char word[] = "served\n";
	json *record = installed_read(state);
	const char *data_at = NULL;
	int64_t at;
	size_t len = served ? strlen(word) : 0;
	struct timespec times[2];
	struct stat st;
	char *path, *tmp = NULL;
	int fd, rc = EX_OK;

	if (asprintf(&path, "%s/data-of", state) < 0)
		abort();
	if (lstat(path, &st) == 0) {
		if (st.st_size > 0 || !served)
			goto done;
	} else if (stat(live, &st) != 0) {
		goto done;
	/* the record has it also of a file whose time nobody could set */
	} else {
		data_at = json_str(installed_entry(record, &st), "snapshot_at");
	}
	if (data_at != NULL && clock_parse(data_at, &at) == NULL)
		st.st_mtim = (struct timespec){ .tv_sec = (time_t)at };
	tmp = file_sibling(path, ".tmp");
	if (tmp == NULL) {
		rc = EX_IOERR;
		goto done;
	}
	/* a killed run's may be another user's, who alone can set its time */
	unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	times[0] = times[1] = st.st_mtim;
	if (fd < 0 || file_write(fd, word, len) != 0 || futimens(fd, times) != 0) {
		msg_errno(path, "cannot write");
		rc = file_write_status(errno);
	} else {
		rc = file_commit(fd, tmp, path);
	}
	if (fd >= 0)
		close(fd);
	if (rc != EX_OK)
		unlink(tmp);
done:
	json_free(record);
	free(tmp);
	free(path);
	return rc;
}
