/* An object of /changes: its description and its log are refused or read, and never believed. */
#include "lib/std.h"

#include <sys/mman.h>
#include <unistd.h>

#include "lib/msg.h"
#include "lib/sqlite/change.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static unsigned char page[65536];
	int fd = memfd_create("change", 0), rc;
	char path[40];
	struct change_in *in;
	struct change c;
	uint32_t number, last = 0;

	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (freopen("/dev/null", "w", stderr) == NULL)
		abort();
	in = change_open(path, &c, &rc);
	for (uint32_t seen = 0; in != NULL && change_next(in, &number, page) == 0 && number != 0; seen++) {
		if (number <= last || number > c.page_count || seen >= c.pages)
			abort();
		last = number;
	}
	change_in_free(in);
	close(fd);
	return 0;
}
