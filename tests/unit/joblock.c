#include "lib/std.h"

#include "lib/joblock.h"

#include "tests/unit/check.h"

/* A lock as the command line has it; wait -1: it is none. */
static const struct { const char *text, *name; int64_t wait_ms; const char *brief; } rows[] = {
	{ "job.lock", "job.lock", 1000, NULL }, { "a:20s", "a", 20000, NULL }, { "a:0", "a", 0, NULL },
	{ "a:1h:page.sh", "a", 3600000, "page.sh" }, { "a:1h:b:c", "a", 3600000, "b:c" }, { "a:1h:", "a", 3600000, "" },
	{ "", "", -1, NULL }, { ":1s", "", -1, NULL }, { "a:", "", -1, NULL }, { "a:soon", "", -1, NULL }, { "a::b", "", -1, NULL },
	{ "../a", "", -1, NULL }, { "a/b", "", -1, NULL }, { ".a", "", -1, NULL }, { "-a", "", -1, NULL }, { "A", "", -1, NULL },
	{ "a b", "", -1, NULL }, { "a:99999999999999999999999999999999999999s", "", -1, NULL },
	{ "a23456789012345678901234567890123456789012345678901234567890123",
	  "a23456789012345678901234567890123456789012345678901234567890123", 1000, NULL },
	{ "a234567890123456789012345678901234567890123456789012345678901234", "", -1, NULL },
};

int main(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct joblock l;
		const char *why = joblock_parse(rows[i].text, &l);

		check((why == NULL) == (rows[i].wait_ms >= 0), "%s: %s", rows[i].text, why != NULL ? why : "taken");
		if (why != NULL || rows[i].wait_ms < 0)
			continue;
		check(strcmp(l.name, rows[i].name) == 0 && l.wait_ms == rows[i].wait_ms && l.fd == -1, "%s: %s, %lld ms", rows[i].text,
		      l.name, (long long)l.wait_ms);
		check(l.brief == NULL ? rows[i].brief == NULL : rows[i].brief != NULL && strcmp(l.brief, rows[i].brief) == 0, "%s: %s",
		      rows[i].text, l.brief);
	}
	return check_done();
}
