#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

#include "lib/msg.h"
#include "lib/utf8.h"

#define LINE 1024

bool msg_verbose;
_Atomic bool msg_half_line;

static const char *program = "ctv";

void msg_init(const char *argv0)
{
	const char *slash = argv0 != NULL ? strrchr(argv0, '/') : NULL;

	if (argv0 != NULL && *argv0 != '\0')
		program = slash != NULL ? slash + 1 : argv0;
	/* a program that was started with one of the three closed must not open a file or a socket as that one */
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

const char *msg_program(void)
{
	return program;
}

bool msg_printable(uint32_t c)
{
	return c >= 0x20 && (c < 0x7f || c >= 0xa0) && c != 0x61c && !(c >= 0x200e && c <= 0x200f) &&
	       !(c >= 0x2028 && c <= 0x202e) && !(c >= 0x2066 && c <= 0x2069);
}

char *msg_escape(char *dst, size_t size, const char *src)
{
	static const char hex[] = "0123456789abcdef";
	size_t out = 0;

	while (*src != '\0') {
		uint32_t c;
		size_t n = utf8_next(src, &c);
		unsigned char byte = (unsigned char)*src;

		if (n > 0 && !msg_printable(c))
			n = 0;
		if (out + (n > 0 ? n : 4) >= size)
			break;
		if (n > 0) {
			memcpy(dst + out, src, n);
			out += n;
			src += n;
		} else {
			dst[out++] = '\\';
			dst[out++] = 'x';
			dst[out++] = hex[byte >> 4];
			dst[out++] = hex[byte & 15];
			src++;
		}
	}
	dst[out] = '\0';
	return dst;
}

static void __attribute__((format(printf, 4, 0))) say(const char *head, const char *object,
							const char *tail, const char *fmt, va_list ap)
{
	static const char erase[] = "\r\033[K";
	char text[LINE], raw[LINE], line[sizeof erase + LINE];
	int n, at = 0;

	/* a text that was cut is still worth printing */
	vsnprintf(text, sizeof text, fmt, ap);
	n = snprintf(raw, sizeof raw - 1, "%s: %s%s%s%s%s", head, object != NULL ? object : "",
		     object != NULL ? ": " : "", text, tail != NULL ? ": " : "", tail != NULL ? tail : "");
	if (n < 0)
		return;
	if (atomic_exchange(&msg_half_line, false)) {
		memcpy(line, erase, sizeof erase);
		at = sizeof erase - 1;
	}
	msg_escape(line + at, LINE - 1, raw);
	n = (int)strlen(line);
	line[n++] = '\n';
	/* there is nobody left to tell when standard error is gone */
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

void msg_err(const char *object, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(program, object, NULL, fmt, ap);
	va_end(ap);
}

void msg_errno(const char *object, const char *fmt, ...)
{
	int saved = errno;
	char reason[128];
	va_list ap;

	va_start(ap, fmt);
	say(program, object, strerror_r(saved, reason, sizeof reason), fmt, ap);
	va_end(ap);
	errno = saved;
}

void msg_hint(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("hint", NULL, NULL, fmt, ap);
	va_end(ap);
}

void msg_info(const char *fmt, ...)
{
	va_list ap;

	if (!msg_verbose)
		return;
	va_start(ap, fmt);
	say(program, NULL, NULL, fmt, ap);
	va_end(ap);
}
