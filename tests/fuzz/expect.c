/* A list of expectations: what is taken has paths and pointers that begin with a slash, and can be asked of a document. */
#include "lib/std.h"

#include "lib/expect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char body[] = "{\"n\":10,\"s\":\"20\",\"a\":[1,null,{\"~\":true}]}";
	char *text = strndup((const char *)data, len), why[384];
	json *j = json_parse(body, strlen(body));
	struct expect_pages pages;
	unsigned bad;

	if (text != NULL && j != NULL && expect_pages_parse(text, &pages, &bad) == NULL) {
		for (size_t i = 0; i < pages.count; i++) {
			if (*pages.paths[i] != '/' || *pages.wants[i].pointer != '/')
				abort();
			expect_met(&pages.wants[i], j, why);
		}
		expect_pages_free(&pages);
	}
	json_free(j);
	free(text);
	return 0;
}
