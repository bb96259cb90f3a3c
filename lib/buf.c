#include "lib/std.h"

#include "lib/buf.h"

int buf_add(struct buf *b, const void *data, size_t len)
{
	if (len > b->max - b->len)
		return -1;
	if (b->len + len + 1 > b->room) {
		size_t room = b->room < 256 ? 256 : b->room;
		char *bigger;

		while (room < b->len + len + 1)
			room *= 2;
		/* not realloc: the old bytes may be a token and must not stay behind */
		bigger = malloc(room);
		if (bigger == NULL)
			return -1;
		if (b->len > 0)
			memcpy(bigger, b->data, b->len);
		if (b->data != NULL)
			explicit_bzero(b->data, b->room);
		free(b->data);
		b->data = bigger;
		b->room = room;
	}
	if (len > 0)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
	return 0;
}

int buf_adds(struct buf *b, const char *text)
{
	return buf_add(b, text, strlen(text));
}

void buf_put(struct buf *b, const void *data, size_t len)
{
	if (buf_add(b, data, len) != 0)
		b->max = b->len;
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	if (b->data != NULL)
		b->data[0] = '\0';
}

void buf_free(struct buf *b)
{
	if (b->data != NULL)
		explicit_bzero(b->data, b->room);
	free(b->data);
	b->data = NULL;
	b->len = b->room = 0;
}

const char *buf_text(const struct buf *b)
{
	return b->data != NULL ? b->data : "";
}
