/* Header values, URLs and paths: parsed or refused, and what is taken keeps its promise. */
#include "lib/std.h"

#include "lib/dropbox/dropbox.h"
#include "lib/http.h"
#include "lib/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = strndup((const char *)data, len), escaped[300];
	uint64_t first, last, total;
	struct buf b = BUF_INIT(1 << 16);

	if (text == NULL)
		return 0;
	if (http_parse_range(text, &first, &last, &total) && (first > last || last >= total))
		abort();
	http_url_is_safe(text);
	http_urlencode(&b, text);
	dropbox_path_fault(text);
	dropbox_ref_fault(text);
	msg_escape(escaped, sizeof escaped, text);
	for (const char *s = escaped; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			abort();
	buf_free(&b);
	free(text);
	return 0;
}
