/*
 * replay.c - the main of a fuzz target without libFuzzer: runs it over the files named, so that every
 * `make test` replays the corpus. It prints the count; a run over nothing fails.
 */
#include "lib/std.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool replay(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t len = 0, room = 0, n = 1;

	if (f == NULL)
		return false;
	while (n > 0) {
		if (len == room) {
			room = room > 0 ? 2 * room : 4096;
			data = realloc(data, room);
			if (data == NULL)
				abort();
		}
		n = fread(data + len, 1, room - len, f);
		len += n;
	}
	fclose(f);
	/* as tight as libFuzzer gives it: a byte too far is seen by the sanitizer */
	data = realloc(data, len > 0 ? len : 1);
	LLVMFuzzerTestOneInput(data, len);
	free(data);
	return true;
}

int main(int argc, char **argv)
{
	unsigned passed = 0, failed = 0;

	for (int i = 1; i < argc; i++) {
		if (replay(argv[i]))
			passed++;
		else
			failed++;
	}
	printf("%u passed, %u failed\n", passed, failed);
	return failed > 0 || passed == 0;
}
