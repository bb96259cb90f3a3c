#include "lib/std.h"

#include <unistd.h>

#include "lib/buf.h"
#include "lib/dropbox/headdraft.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/stop.h"

#define INPUT_MAX ((size_t)256 << 10)

static int read_stdin(struct buf *input)
{
	char chunk[4096];
	ssize_t n;

	while ((n = read(STDIN_FILENO, chunk, sizeof chunk)) > 0) {
		if (buf_add(input, chunk, (size_t)n) != 0) {
			msg_err("standard input", "larger than %zu bytes", INPUT_MAX);
			return EX_DATAERR;
		}
	}
	if (n == 0)
		return EX_OK;
	msg_errno("standard input", "cannot read");
	return stop_asked() ? EX_TEMPFAIL : EX_IOERR;
}

int headdraft_read(const char *path, bool state_alone, struct head_wish *wish)
{
	struct buf input = BUF_INIT(INPUT_MAX);
	char why[HEAD_WHY];
	int rc = path != NULL ? file_slurp(path, &input) : read_stdin(&input);

	if (rc == EX_OK && !(state_alone ? head_read_state(buf_text(&input), input.len, &wish->state, why) :
					   head_read_lines(buf_text(&input), input.len, &wish->snapshot, &wish->state, why))) {
		msg_err(path != NULL ? path : "standard input", "%s", why);
		msg_hint(state_alone ? "it takes the line of db-changes with --json" :
				       "it takes the lines of db-snapshot or db-changes, db-verify and dbx-put with --json");
		rc = EX_DATAERR;
	}
	buf_free(&input);
	return rc;
}

int headdraft_known(const char *path, json **out)
{
	struct buf input = BUF_INIT(INPUT_MAX);
	struct head_state state;
	char why[HEAD_WHY];
	int rc = file_slurp(path, &input);

	*out = rc == EX_OK ? head_merge_lines(buf_text(&input), input.len, &state, why) : NULL;
	if (rc == EX_OK && *out == NULL) {
		msg_err(path, "%s", why);
		rc = EX_DATAERR;
	}
	buf_free(&input);
	return rc;
}
