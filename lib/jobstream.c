#include "lib/std.h"

#include "lib/jobstream.h"

#define MARK '\001'
#define ERASE "\033[K"		/* what progress.c and msg.c end such a line with */

void jobstream_init(struct jobstream *s, const char *token)
{
	snprintf(s->token, sizeof s->token, "%c%s ", MARK, token);
	s->begin = s->len = 0;
}

char *jobstream_room(struct jobstream *s, size_t *room)
{
	memmove(s->data, s->data + s->begin, s->len);
	s->begin = 0;
	*room = JOBSTREAM_MAX - s->len;
	return s->data + s->len;
}

void jobstream_added(struct jobstream *s, size_t len)
{
	s->len += len;
}

/* A copy of the bytes from `from` to `to`, which leave the stream with those before and those up to `next`. */
static char *take(struct jobstream *s, size_t from, size_t to, size_t next)
{
	char *text = s->piece;

	memcpy(text, s->data + s->begin + from, to - from);
	text[to - from] = '\0';
	/* a NUL would hide what comes after it */
	for (char *nul; (nul = memchr(text, '\0', to - from)) != NULL;)
		*nul = '?';
	s->begin += next;
	s->len -= next;
	return text;
}

/* The mark that ends the word at text, which has a line feed behind it; NULL when it has not come. */
static const char *end_of_word(const char *text, size_t len)
{
	const char *mark = text, *end = text + len;

	/* a mark stands before each field, and a field may begin with a line feed */
	for (int marks = 0; (mark = memchr(mark + 1, MARK, (size_t)(end - mark - 1))) != NULL && mark + 1 < end;)
		if (++marks > JOBSTREAM_FIELDS && mark[1] == '\n')
			return mark;
	return NULL;
}

static bool next_word(struct jobstream *s, bool at_end, struct jobpiece *out)
{
	char *text = s->data + s->begin;
	const char *close = end_of_word(text, s->len);
	size_t length = close != NULL ? (size_t)(close - text) : s->len;

	if (close == NULL && !at_end && s->len < JOBSTREAM_MAX)
		return false;
	text = take(s, strlen(s->token), length, close != NULL ? length + 2 : length);
	out->kind = JOBPIECE_WORD;
	out->word = strsep(&text, "\001");
	for (size_t i = 0; i < JOBSTREAM_FIELDS; i++) {
		const char *field = strsep(&text, "\001");

		out->field[i] = field != NULL ? field : "";
	}
	return true;
}

/* How long the text at p is, and where the next piece begins; false when its end has not come. */
static bool measure(const struct jobstream *s, const char *p, size_t len, bool at_end, size_t *length, size_t *next,
		    enum jobpiece_kind *kind)
{
	const char *feed = memchr(p, '\n', len), *back = memchr(p, '\r', len);
	const char *word = memmem(p, len, s->token, strlen(s->token)), *end = p + len;

	*kind = JOBPIECE_LINE;
	/* a tool that was killed within a line left it without an end: the script's word begins there all the same */
	if (word != NULL && (feed == NULL || word < feed) && (back == NULL || word < back)) {
		*length = *next = (size_t)(word - p);
		return true;
	}
	if (back != NULL && (feed == NULL || back < feed)) {
		*length = (size_t)(back - p);
		*next = *length;
		if (back + 1 == feed)
			*next += 2;
		else if (back + 1 == end && !at_end)
			return false;
		else
			*kind = JOBPIECE_TRANSIENT;
		return true;
	}
	*length = feed != NULL ? (size_t)(feed - p) : len;
	*next = feed != NULL ? *length + 1 : len;
	return feed != NULL || at_end || s->len == JOBSTREAM_MAX;
}

bool jobstream_next(struct jobstream *s, bool at_end, struct jobpiece *out)
{
	const char *text = s->data + s->begin, *erase;
	size_t length, next;

	memset(out, 0, sizeof *out);
	if (s->len == 0)
		return false;
	if (s->len >= strlen(s->token) && memcmp(text, s->token, strlen(s->token)) == 0)
		return next_word(s, at_end, out);
	if (*text != '\r') {
		if (!measure(s, text, s->len, at_end, &length, &next, &out->kind))
			return false;
		out->text = take(s, 0, length, next);
		return true;
	}
	/* from one return to its erasure, or to whatever else comes first */
	erase = memmem(text, s->len, ERASE, strlen(ERASE));
	if (s->len == 1 && !at_end)
		return false;
	if (!measure(s, text + 1, s->len - 1, at_end, &length, &next, &out->kind) && erase == NULL)
		return false;
	if (erase != NULL && (size_t)(erase - text - 1) <= length) {
		out->kind = JOBPIECE_TRANSIENT;
		length = (size_t)(erase - text - 1);
		next = length + strlen(ERASE);
	}
	out->text = take(s, 1, length + 1, next + 1);
	return true;
}
