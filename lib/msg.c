#include "lib/std.h"

#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

#include "lib/msg.h"

#define LINE 1024

bool msg_verbose;

static const char *program = "ctv";

void msg_init(const char *argv0)
{
	const char *slash = argv0 != NULL ? strrchr(argv0, '/') : NULL;

	if (argv0 != NULL && *argv0 != '\0')
		program = slash != NULL ? slash + 1 : argv0;
}

const char *msg_program(void)
{
	return program;
}

/* The length of the printable UTF-8 sequence at s (RFC 3629), 0 if there is none. */
static size_t utf8_printable(const unsigned char *s)
{
	size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc2 ? 2 : 0;
	uint32_t c = s[0] & (0xffu >> (n + 1));

	if (n == 0 || s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if ((n == 3 && c < 0x800) || (n == 4 && c < 0x10000) || c > 0x10ffff)
		return 0;
	/* C1 controls, surrogates, and the marks that reorder text */
	if (c < 0xa0 || (c >= 0xd800 && c < 0xe000) || (c >= 0x200e && c <= 0x200f) ||
	    (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
		return 0;
	return n;
}

char *msg_escape(char *dst, size_t size, const char *src)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *s = (const unsigned char *)src;
	size_t out = 0;

	while (*s != '\0') {
		size_t n = *s >= 0x20 && *s < 0x7f ? 1 : *s >= 0x80 ? utf8_printable(s) : 0;

		if (out + (n > 0 ? n : 4) >= size)
			break;
		if (n > 0) {
			memcpy(dst + out, s, n);
			out += n;
			s += n;
		} else {
			dst[out++] = '\\';
			dst[out++] = 'x';
			dst[out++] = hex[*s >> 4];
			dst[out++] = hex[*s & 15];
			s++;
		}
	}
	dst[out] = '\0';
	return dst;
}

static void __attribute__((format(printf, 4, 0))) say(const char *head, const char *object,
							const char *tail, const char *fmt, va_list ap)
{
	char text[LINE], raw[LINE], line[LINE];
	int n;

	/* a text that was cut is still worth printing */
	vsnprintf(text, sizeof text, fmt, ap);
	n = snprintf(raw, sizeof raw - 1, "%s: %s%s%s%s%s", head, object != NULL ? object : "",
		     object != NULL ? ": " : "", text, tail != NULL ? ": " : "", tail != NULL ? tail : "");
	if (n < 0)
		return;
	msg_escape(line, sizeof line - 1, raw);
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
