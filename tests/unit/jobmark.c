#include "lib/std.h"

#include "lib/jobmark.h"

#include "tests/unit/check.h"

/* Marked are: begun 0, there 1240 ms, here 300, here 2450 (which counts), and one too many. */
static const struct { const char *text, *out; } rows[] = {
	{ "", "" }, { "no mark", "no mark" }, { "%{begun}", "0.0" }, { "after %{there} s", "after 1.2 s" }, { "%{here}", "2.5" },
	{ "%{here}%{there}", "2.51.2" }, { "%{late}", "%{late}" }, { "%{nowhere}", "%{nowhere}" }, { "%{}", "%{}" },
	{ "%{her}", "%{her}" }, { "%{heree}", "%{heree}" }, { "%{there", "%{there" }, { "5 %", "5 %" }, { "%{", "%{" },
	{ "%%{here}", "%2.5" }, { "%{%{here}}", "%{2.5}" }, { "{here}", "{here}" },
};

int main(void)
{
	struct jobmarks marks = { .count = 0 };
	char text[64];

	check(strcmp(jobmark_text(&marks, text, sizeof text, "%{here}"), "%{here}") == 0, "without any: %s", text);
	jobmark_set(&marks, "begun", 0);
	jobmark_set(&marks, "there", 1240);
	jobmark_set(&marks, "here", 300);
	jobmark_set(&marks, "here", 2450);
	jobmark_set(&marks, "late", 1);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		check(strcmp(jobmark_text(&marks, text, sizeof text, rows[i].text), rows[i].out) == 0, "%s: %s", rows[i].text, text);
	for (size_t size = 1; size <= 12; size++) {
		memset(text, 'x', sizeof text);
		jobmark_text(&marks, text, size, "after %{there}");
		check(strlen(text) < size && strncmp(text, "after 1.2", size - 1) == 0 && text[size] == 'x', "in %zu bytes: %s", size, text);
	}
	return check_done();
}
