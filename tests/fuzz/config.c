/* A configuration file: each name is found, absent, or the file has a bad line; the same for all names. */
#include "lib/std.h"

#include "lib/buf.h"
#include "lib/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static size_t taken;

static void take(const char *name, const char *value, unsigned line)
{
	if (line == 0)
		abort();
	taken += (name != NULL ? strlen(name) : 0) + strlen(value);
}

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
	taken = 0;
	config_each(text, len, take);
	if (taken > len)
		abort();	/* nothing is taken twice */
	return 0;
}
