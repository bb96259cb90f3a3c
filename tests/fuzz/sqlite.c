/* The first bytes of a file: a header whose numbers add up, or a reason. */
#include "lib/std.h"

#include "lib/sqlite/sqlite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct sqlite_header h;
	char why[SQLITE_WHY];
	uint64_t size = len;

	/* the length of the file is part of the input */
	if (len >= 108)
		memcpy(&size, data + 100, sizeof size);
	if (!sqlite_header_parse(data, len, size, &h, why) && *why == '\0')
		abort();
	return 0;
}
