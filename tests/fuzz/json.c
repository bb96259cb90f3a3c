/* An answer of a server: any bytes are JSON or refused, and every getter takes what comes. */
#include "lib/std.h"

#include "lib/dropbox/dropbox.h"
#include "lib/watch/document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	json *j = json_parse((const char *)data, len), *status;
	struct dropbox_meta m = { .kind = 'x' };
	int64_t n;
	char *text;

	if (j == NULL)
		return 0;
	if (dropbox_meta_read(&m, j))
		json_free(dropbox_meta_json(&m));
	dropbox_meta_free(&m);
	json_tag(json_get(j, "error"));
	json_int(j, "size", INT64_MIN, INT64_MAX, &n);
	json_bool(j, "has_more", false);
	json_at(j, "/error/~1a~0/0");
	text = json_ascii(j);
	for (const char *s = text; *s != '\0'; s++)
		if (*s < 0x20 || *s > 0x7e)
			abort();
	free(text);
	/* the status page takes whatever the checks say */
	status = status_build(j, j, 1795500000);
	json_free(status);
	json_free(j);
	return 0;
}
