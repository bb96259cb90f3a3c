/* A whole database file, from its header to the last page: any answer, but never a crash or a hang. */
#include "lib/std.h"

#include <fcntl.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/dbcheck.h"
#include "lib/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static char path[64];
static int fd = -1;

static void clean(void)
{
	unlink(path);
}

static void make_file(void)
{
	snprintf(path, sizeof path, "/dev/shm/fuzz-database-%d", (int)getpid());
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		abort();
	atexit(clean);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct dbcheck_options o = { .level = DBCHECK_FULL, .deadline_ms = clock_ms() + 10000, .jobs = 1,
				     .progress = PROGRESS_NEVER };
	struct dbcheck_report r;

	if (fd < 0)
		make_file();
	if (ftruncate(fd, 0) != 0 || file_pwrite(fd, data, len, 0) != 0)
		abort();
	dbcheck(path, &o, &r);
	if (r.state != STATE_OK && r.text[0] == '\0')
		abort();
	return 0;
}
