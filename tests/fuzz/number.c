/* Sizes, durations and times: what is taken is in range, and a time comes back as it was written. */
#include "lib/std.h"

#include "lib/clock.h"
#include "lib/num.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = strndup((const char *)data, len), back[CLOCK_TEXT], words[NUM_TEXT];
	uint64_t n;
	int64_t t;

	if (text == NULL)
		return 0;
	if (num_size(text, &n) == NULL) {
		if (n > UINT64_C(1) << 62)
			abort();
		num_size_text(words, n);
	}
	if (num_duration(text, &t) == NULL) {
		if (t < 0)
			abort();
		num_duration_text(words, t);
	}
	if (num_u64(text, 3, 7, &n) == NULL && (n < 3 || n > 7))
		abort();
	if (clock_parse(text, &t) == NULL && strcmp(clock_text(back, t), text) != 0)
		abort();
	free(text);
	return 0;
}
