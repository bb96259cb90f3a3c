#include "lib/std.h"

#include "lib/num.h"

#include "tests/unit/check.h"

static const struct { const char *in; bool ok; int64_t out; } durations[] = {
	{ "0", true, 0 }, { "5", true, 5000 }, { "250ms", true, 250 }, { "36h", true, 129600000 },
	{ "2d", true, 172800000 }, { "10m", true, 600000 }, { "1min", true, 60000 }, { "1mi", false, 0 }, { "3s", true, 3000 },
	{ "36525d", true, INT64_C(3155760000000) }, { "36526d", false, 0 }, { "", false, 0 },
	{ "h", false, 0 }, { "-1s", false, 0 }, { "+1s", false, 0 }, { " 1s", false, 0 }, { "1s ", false, 0 },
	{ "1.5h", false, 0 }, { "1h30m", false, 0 }, { "1H", false, 0 }, { "0x10", false, 0 },
	{ "99999999999999999999", false, 0 },
}, sizes[] = {
	{ "0", true, 0 }, { "512", true, 512 }, { "100M", true, 104857600 }, { "4k", true, 4096 },
	{ "1T", true, INT64_C(1) << 40 }, { "4194304T", true, INT64_C(1) << 62 }, { "4194305T", false, 0 },
	{ "", false, 0 }, { "M", false, 0 }, { "1MB", false, 0 }, { "1Mi", false, 0 }, { "-1", false, 0 },
	{ "1.5G", false, 0 }, { "18446744073709551616", false, 0 }, { "1P", false, 0 },
};

static const struct { int64_t ms; const char *text; } texts[] = {
	{ 0, "0.0s" }, { 1234, "1.2s" }, { 59999, "59s" }, { 200000, "3m20s" }, { 50580000, "14h03m" },
	{ 187200000, "2d04h" }, { -5000, "-5.0s" },
};

int main(void)
{
	char buf[NUM_TEXT];

	for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
		int64_t ms = -1;
		const char *why = num_duration(durations[i].in, &ms);

		check((why == NULL) == durations[i].ok, "duration '%s': %s", durations[i].in, why != NULL ? why : "taken");
		check(why != NULL || ms == durations[i].out, "duration '%s': %lld", durations[i].in, (long long)ms);
	}
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		uint64_t n = 1;
		const char *why = num_size(sizes[i].in, &n);

		check((why == NULL) == sizes[i].ok, "size '%s': %s", sizes[i].in, why != NULL ? why : "taken");
		check(why != NULL || n == (uint64_t)sizes[i].out, "size '%s': %llu", sizes[i].in, (unsigned long long)n);
	}
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		check(strcmp(num_duration_text(buf, texts[i].ms), texts[i].text) == 0, "%lld ms: %s",
		      (long long)texts[i].ms, buf);
	check(strcmp(num_size_text(buf, 1503236096), "1434 MiB") == 0, "size text: %s", buf);
	check(strcmp(num_size_text(buf, 512), "512 B") == 0, "size text: %s", buf);
	return check_done();
}
