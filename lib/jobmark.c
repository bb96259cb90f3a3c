#include "lib/std.h"

#include "lib/jobmark.h"
#include "lib/jobrecord.h"

void jobmark_set(struct jobmarks *m, const char *name, int64_t ms)
{
	if (m->count == JOBMARKS)
		return;
	snprintf(m->at[m->count].name, sizeof m->at->name, "%s", name);
	m->at[m->count++].ms = ms;
}

/* The moment of the name that is len bytes long, as a place behind the one meant; 0 when there is none. */
static size_t find(const struct jobmarks *m, const char *name, size_t len)
{
	size_t at = m->count;

	while (at > 0 && (strlen(m->at[at - 1].name) != len || memcmp(m->at[at - 1].name, name, len) != 0))
		at--;
	return at;
}

const char *jobmark_text(const struct jobmarks *m, char *buf, size_t size, const char *text)
{
	size_t n = 0;

	while (*text != '\0' && n + 1 < size) {
		size_t len = strncmp(text, "%{", 2) == 0 ? strcspn(text + 2, "}") : 0;
		size_t at = len > 0 && text[2 + len] == '}' ? find(m, text + 2, len) : 0;

		if (at == 0) {
			buf[n++] = *text++;
			continue;
		}
		n += (size_t)snprintf(buf + n, size - n, "%lld.%lld", (long long)(JOBRECORD_TENTHS(m->at[at - 1].ms) / 10),
				      (long long)(JOBRECORD_TENTHS(m->at[at - 1].ms) % 10));
		text += 2 + len + 1;
		n = n < size ? n : size - 1;
	}
	buf[n] = '\0';
	return buf;
}
