#include "lib/std.h"

#include <zstd.h>

#include "lib/exits.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/zst.h"

#define LEVEL 3
#define WINDOW_LOG 23		/* 8 MiB */
#define PIECE (64u << 10)

/* RFC 8878, 3.1.2: sixteen of them are allowed; the first is as good as any */
#define SKIP_MAGIC 0x184D2A50u

void zst_skip_make(unsigned char bytes[ZST_SKIP_LEN], uint32_t len)
{
	for (int i = 0; i < 4; i++) {
		bytes[i] = (unsigned char)(SKIP_MAGIC >> (8 * i));
		bytes[4 + i] = (unsigned char)(len >> (8 * i));
	}
}

bool zst_skip_parse(const unsigned char bytes[ZST_SKIP_LEN], uint32_t *len)
{
	uint32_t magic = 0;

	*len = 0;
	for (int i = 3; i >= 0; i--) {
		magic = magic << 8 | bytes[i];
		*len = *len << 8 | bytes[4 + i];
	}
	return magic == SKIP_MAGIC;
}

struct zst_out {
	ZSTD_CCtx *ctx;
	int fd;
	const char *path;
	unsigned char piece[PIECE];
};

struct zst_out *zst_out_new(int fd, const char *path)
{
	struct zst_out *o = calloc(1, sizeof *o);

	if (o != NULL)
		o->ctx = ZSTD_createCCtx();
	if (o == NULL || o->ctx == NULL || ZSTD_isError(ZSTD_CCtx_setParameter(o->ctx, ZSTD_c_compressionLevel, LEVEL)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(o->ctx, ZSTD_c_checksumFlag, 1))) {
		msg_err(path, "out of memory");
		zst_out_free(o);
		return NULL;
	}
	o->fd = fd;
	o->path = path;
	return o;
}

void zst_out_free(struct zst_out *o)
{
	if (o != NULL)
		ZSTD_freeCCtx(o->ctx);
	free(o);
}

static int compress(struct zst_out *o, const void *data, size_t len, ZSTD_EndDirective end)
{
	ZSTD_inBuffer in = { data, len, 0 };
	size_t left;

	do {
		ZSTD_outBuffer out = { o->piece, sizeof o->piece, 0 };

		left = ZSTD_compressStream2(o->ctx, &out, &in, end);
		if (ZSTD_isError(left)) {
			msg_err(o->path, "cannot compress: %s", ZSTD_getErrorName(left));
			return EX_IOERR;
		}
		if (out.pos > 0 && file_write(o->fd, o->piece, out.pos) != 0) {
			msg_errno(o->path, "cannot write");
			return EX_IOERR;
		}
	} while (end == ZSTD_e_end ? left > 0 : in.pos < in.size);
	return EX_OK;
}

int zst_out_add(struct zst_out *o, const void *data, size_t len)
{
	return compress(o, data, len, ZSTD_e_continue);
}

int zst_out_end(struct zst_out *o)
{
	return compress(o, NULL, 0, ZSTD_e_end);
}

struct zst_in {
	ZSTD_DCtx *ctx;
	int fd;
	const char *path;
	ZSTD_inBuffer in;
	bool inside;		/* of a frame */
	unsigned char piece[PIECE];
};

struct zst_in *zst_in_new(int fd, const char *path)
{
	struct zst_in *i = calloc(1, sizeof *i);

	if (i != NULL)
		i->ctx = ZSTD_createDCtx();
	if (i == NULL || i->ctx == NULL || ZSTD_isError(ZSTD_DCtx_setParameter(i->ctx, ZSTD_d_windowLogMax, WINDOW_LOG))) {
		msg_err(path, "out of memory");
		zst_in_free(i);
		return NULL;
	}
	i->fd = fd;
	i->path = path;
	i->in.src = i->piece;
	return i;
}

void zst_in_free(struct zst_in *i)
{
	if (i != NULL)
		ZSTD_freeDCtx(i->ctx);
	free(i);
}

int zst_in_read(struct zst_in *i, void *data, size_t len, size_t *got)
{
	ZSTD_outBuffer out = { data, len, 0 };

	while (out.pos < len) {
		size_t before = out.pos, left;

		if (i->in.pos == i->in.size) {
			ssize_t n = file_read(i->fd, i->piece, sizeof i->piece);

			if (n < 0) {
				msg_errno(i->path, "cannot read");
				return EX_IOERR;
			}
			if (n == 0 && i->inside) {
				/* the rest stands in the decoder's own buffer */
				i->in = (ZSTD_inBuffer){ i->piece, 0, 0 };
				left = ZSTD_decompressStream(i->ctx, &out, &i->in);
				if (!ZSTD_isError(left) && out.pos > before) {
					i->inside = left != 0;
					continue;
				}
				msg_err(i->path, "ends in the middle");
				return EX_DATAERR;
			}
			if (n == 0)
				break;
			i->in = (ZSTD_inBuffer){ i->piece, (size_t)n, 0 };
		}
		left = ZSTD_decompressStream(i->ctx, &out, &i->in);
		if (ZSTD_isError(left)) {
			msg_err(i->path, "cannot decompress: %s", ZSTD_getErrorName(left));
			return EX_DATAERR;
		}
		i->inside = left != 0;
	}
	*got = out.pos;
	return EX_OK;
}
