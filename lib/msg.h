/*
 * msg.h - every line that a tool says to its operator. One grammar, `program: object: cause`, in
 * lower case without a full stop, on standard error. Text may come from a server or a file name:
 * what is not printable leaves as \xNN, so that nobody can forge a log line or drive a terminal.
 * Each message is one write(2) of at most 1024 bytes, so that lines of two processes do not mix.
 */
#ifndef LIB_MSG_H
#define LIB_MSG_H

#include "lib/std.h"

/*
 * Takes the program's name from argv[0], and sees to it that the descriptors 0 to 2 are taken: one that was
 * closed becomes one that fails. To be called first in main.
 */
void msg_init(const char *argv0);
const char *msg_program(void);

/* -v was given: msg_info speaks. */
extern bool msg_verbose;

/* A line stands on the terminal that is to be drawn again (progress.h): the next message takes its place. */
extern _Atomic bool msg_half_line;

/* `program: object: cause`; object may be NULL. */
void msg_err(const char *object, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The same, and `: ` with the text of errno. Keeps errno. */
void msg_errno(const char *object, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* `hint: text`, only where the operator can act. */
void msg_hint(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* `program: text`, only with -v. */
void msg_info(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Neither a C0 or C1 control nor a mark that reorders text (Unicode's Bidi_Control) or ends a line. */
bool msg_printable(uint32_t c);

/*
 * Writes src to dst with every byte that is not printable text as \xNN (valid UTF-8 above U+009F
 * stays), cut to fit size including the NUL. Returns dst.
 */
char *msg_escape(char *dst, size_t size, const char *src);

#endif
