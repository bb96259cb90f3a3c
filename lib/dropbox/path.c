#include "lib/std.h"

#include <locale.h>
#include <wctype.h>

#include "lib/dropbox/path.h"
#include "lib/utf8.h"

bool dropbox_is_rev(const char *s)
{
	size_t n = strspn(s, "0123456789abcdef");

	return s[n] == '\0' && n >= DROPBOX_REV_LEAST && n <= DROPBOX_REV_MOST;
}

bool dropbox_same_path(const char *a, const char *b)
{
	locale_t unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	uint32_t x, y;
	bool same;

	do {
		size_t n = utf8_next(a, &x), m = utf8_next(b, &y);

		same = n > 0 && m > 0 &&
		       (x == y || (unicode != (locale_t)0 && towlower_l(x, unicode) == towlower_l(y, unicode)));
		a += n;
		b += m;
	} while (same && x != 0);
	if (unicode != (locale_t)0)
		freelocale(unicode);
	return same;
}

const char *dropbox_take_rev(const char *text, void *to)
{
	*(const char **)to = text;
	return dropbox_is_rev(text) ? NULL : "not a revision (at least 9 hex digits)";
}

const char *dropbox_ref_fault(const char *ref)
{
	if (strncmp(ref, "rev:", 4) == 0)
		return dropbox_is_rev(ref + 4) ? NULL : "not a revision (rev: and at least 9 hex digits)";
	if (strncmp(ref, "id:", 3) == 0)
		return ref[3] != '\0' ? NULL : "not an id";
	return dropbox_path_fault(ref);
}

const char *dropbox_path_fault(const char *path)
{
	size_t n, component = 0;
	uint32_t c;

	if (*path != '/')
		return "a Dropbox path starts with '/'";
	if (path[1] == '\0')
		return "the root is no file";
	for (const char *s = path; *s != '\0'; s += n) {
		n = utf8_next(s, &c);
		if (n == 0)
			return "not valid UTF-8";
		if (c < 0x20 || (c >= 0x7f && c < 0xa0))
			return "has a control character";
		if (*s == '\\')
			return "has a backslash, which Dropbox does not take";
		if (*s == '/' && component == 0 && s > path)
			return "has an empty component";
		component = *s == '/' ? 0 : component + 1;
		if (component > 255)
			return "has a name of more than 255 characters";
	}
	n = strlen(path);
	if (path[n - 1] == '/')
		return "ends with '/'";
	return path[n - 1] == ' ' ? "ends with a blank" : NULL;
}
