#include "lib/std.h"

#include <errno.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cli.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/shell.h"

#define ANSWER_MAX ((size_t)16 << 20)

const char *shell_ask(struct shell *s, const char *prefix)
{
	s->prefix = prefix != NULL ? prefix : "";
	if (*s->prefix == '\0')
		return NULL;
	if (*s->prefix < 'a' || *s->prefix > 'z' ||
	    s->prefix[strspn(s->prefix, "abcdefghijklmnopqrstuvwxyz0123456789_")] != '\0')
		return "not the beginning of a name (small letters, digits and _)";
	return NULL;
}

bool shell_asked(const struct shell *s)
{
	return s->prefix != NULL;
}

void shell_set(struct shell *s, const char *name, const char *value)
{
	size_t i = 0;

	while (s->names[i] != NULL && strcmp(s->names[i], name) != 0)
		i++;
	if (s->names[i] == NULL || i >= SHELL_NAMES) {
		msg_err(name, "a bug: not in the table of --shell");
		abort();
	}
	free(s->values[i]);
	s->values[i] = NULL;
	if (value != NULL && (s->values[i] = strdup(value)) == NULL)
		abort();
}

void shell_int(struct shell *s, const char *name, int64_t value)
{
	char number[32];

	snprintf(number, sizeof number, "%lld", (long long)value);
	shell_set(s, name, number);
}

void shell_bool(struct shell *s, const char *name, bool value)
{
	shell_set(s, name, value ? "yes" : NULL);
}

void shell_size(struct shell *s, const char *name, uint64_t bytes)
{
	char text[NUM_TEXT];

	shell_set(s, name, num_size_text(text, bytes));
}

/* 'value', with each ' as '\'' */
static int add_quoted(struct buf *b, const char *value)
{
	int rc = buf_adds(b, "'");

	while (rc == 0 && *value != '\0') {
		size_t plain = strcspn(value, "'");

		rc = buf_add(b, value, plain);
		value += plain;
		if (rc == 0 && *value == '\'') {
			rc = buf_adds(b, "'\\''");
			value++;
		}
	}
	return rc == 0 ? buf_adds(b, "'\n") : rc;
}

int shell_end(struct shell *s, int status)
{
	struct buf b = BUF_INIT(ANSWER_MAX);
	int failed = 0;

	for (size_t i = 0; s->names[i] != NULL; i++) {
		const char *value = s->values[i] != NULL ? s->values[i] : "";

		if (s->prefix != NULL && failed == 0)
			failed = buf_adds(&b, s->prefix) != 0 || buf_adds(&b, s->names[i]) != 0 ||
				 buf_adds(&b, "=") != 0 || add_quoted(&b, value) != 0;
		free(s->values[i]);
		s->values[i] = NULL;
	}
	if (failed != 0)
		errno = EFBIG;
	else if (b.len > 0)
		failed = file_write(STDOUT_FILENO, b.data, b.len);
	buf_free(&b);
	if (failed == 0)
		return status;
	if (errno == EPIPE)
		cli_die_sigpipe();
	msg_errno("standard output", "cannot write");
	return status == EX_OK ? EX_IOERR : status;
}
