/* A configuration file: each name is found, absent, or the file has a bad line; the same for all names. */
#include "lib/std.h"

#include "lib/buf.h"
#include "lib/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const names[] = { "A", "DROPBOX_APP_KEY", "" };
	const char *text = (const char *)data;
	bool bad[3];

	for (size_t i = 0; i < 3; i++) {
		struct buf out = BUF_INIT(CONFIG_MAX);
		unsigned line;

		bad[i] = config_find(text, len, names[i], &out, &line) < 0;
		if (out.len > len)
			abort();	/* a value is never longer than its text */
		buf_free(&out);
	}
	if (bad[0] != bad[2] || bad[1] != bad[2])
		abort();
	return 0;
}
