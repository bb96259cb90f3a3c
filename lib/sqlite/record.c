#include "lib/std.h"

#include <math.h>
#include <sys/random.h>

#include "lib/sqlite/btree.h"
#include "lib/sqlite/record.h"

/* Serial types (2.1): 0 NULL, 1-6 integers, 7 real, 8 and 9 the numbers 0 and 1, even blobs, odd texts. */
#define TYPE_REAL 7
#define TYPE_ZERO 8
#define TYPE_ONE 9
#define TYPE_BLOB 12
#define TYPE_TEXT 13

/* of the types below that of the empty blob; 10 and 11 are reserved and never written */
static const unsigned char sizes[TYPE_BLOB] = { 0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0 };

uint32_t record_size(uint32_t type)
{
	return type < TYPE_BLOB ? sizes[type] : (type - TYPE_BLOB) / 2;
}

enum record_result record_header(const unsigned char *p, uint32_t have, uint32_t len, struct field *fields,
				 uint32_t room, uint32_t *count, uint32_t *header)
{
	uint64_t n, body;
	const unsigned char *s = btree_varint(p, p + have, &n), *end;
	uint32_t i = 0;

	*count = 0;
	*header = 0;
	if (s == NULL)
		return have < len && have < 9 ? RECORD_SHORT : RECORD_BAD;
	if (n > len || n < (size_t)(s - p))
		return RECORD_BAD;
	*header = (uint32_t)n;
	if (n > have)
		return RECORD_SHORT;
	end = p + n;
	body = n;
	for (; s < end; i++) {
		uint64_t type = *s;

		/* most often a single byte */
		if (type < 0x80)
			s++;
		else if ((s = btree_varint(s, end, &type)) == NULL || type > UINT32_MAX)
			return RECORD_BAD;
		if (type == 10 || type == 11)
			return RECORD_BAD;
		if (i < room)
			fields[i] = (struct field){ (uint32_t)type, (uint32_t)body };
		body += record_size((uint32_t)type);
	}
	*count = i;
	return body == len ? RECORD_OK : RECORD_BAD;
}

int64_t record_int(uint32_t type, const unsigned char *p)
{
	switch (type) {
	case 1:
		return (int8_t)p[0];
	case 2:
		return (int16_t)btree_u16(p);
	case 3:
		return (int32_t)((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8) >> 8;
	case 4:
		return (int32_t)btree_u32(p);
	case 5:
		return (int64_t)((uint64_t)(int64_t)(int16_t)btree_u16(p) << 32 | btree_u32(p + 2));
	case 6:
		return (int64_t)((uint64_t)btree_u32(p) << 32 | btree_u32(p + 4));
	default:
		return type == TYPE_ONE;
	}
}

static double get_real(const unsigned char *p)
{
	uint64_t bits = (uint64_t)btree_u32(p) << 32 | btree_u32(p + 4);
	double r;

	memcpy(&r, &bits, sizeof r);
	return r;
}

bool record_is_nan(const unsigned char *p)
{
	return isnan(get_real(p));
}

/* The ASCII character at position i of a text, 0xff for any other. */
static unsigned ascii_at(const unsigned char *p, uint32_t i, uint32_t encoding)
{
	if (encoding <= 1)
		return p[i];
	return encoding == 2 ? (p[2 * i + 1] == 0 ? p[2 * i] : 0xff) : (p[2 * i] == 0 ? p[2 * i + 1] : 0xff);
}

bool record_numeric_text(const unsigned char *p, uint32_t len, uint32_t encoding)
{
	uint32_t n = encoding <= 1 ? len : len / 2, i = 0, digits = 0;

#define AT(i) ((i) < n ? ascii_at(p, (i), encoding) : 0)
#define SPACE(c) ((c) == ' ' || ((c) >= '\t' && (c) <= '\r'))
#define DIGIT(c) ((c) >= '0' && (c) <= '9')
	while (i < n && SPACE(AT(i)))
		i++;
	if (AT(i) == '+' || AT(i) == '-')
		i++;
	for (; DIGIT(AT(i)); i++)
		digits++;
	if (AT(i) == '.')
		for (i++; DIGIT(AT(i)); i++)
			digits++;
	if (digits == 0)
		return false;
	if (AT(i) == 'e' || AT(i) == 'E') {
		i++;
		if (AT(i) == '+' || AT(i) == '-')
			i++;
		if (!DIGIT(AT(i)))
			return false;
		while (DIGIT(AT(i)))
			i++;
	}
	while (i < n && SPACE(AT(i)))
		i++;
	return i == n;
#undef AT
#undef SPACE
#undef DIGIT
}

static int sign(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

/* Exact, although a double cannot hold every integer. */
static int compare_int_real(int64_t i, double r)
{
	int64_t whole;

	if (r < -9223372036854775808.0)
		return 1;
	if (r >= 9223372036854775808.0)
		return -1;
	whole = (int64_t)r;
	if (i != whole)
		return sign(i, whole);
	return ((double)i > r) - ((double)i < r);
}

static int compare_numbers(uint32_t ta, const unsigned char *a, uint32_t tb, const unsigned char *b)
{
	double x, y;

	if (ta != TYPE_REAL && tb != TYPE_REAL)
		return sign(record_int(ta, a), record_int(tb, b));
	if (ta != TYPE_REAL)
		return compare_int_real(record_int(ta, a), get_real(b));
	if (tb != TYPE_REAL)
		return -compare_int_real(record_int(tb, b), get_real(a));
	x = get_real(a);
	y = get_real(b);
	return (x > y) - (x < y);
}

static int compare_bytes(const unsigned char *a, uint32_t na, const unsigned char *b, uint32_t nb)
{
	int c = memcmp(a, b, na < nb ? na : nb);

	return c != 0 ? c : sign(na, nb);
}

static unsigned lower(unsigned c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

/*
 * A text as a sequence of characters whose order is that of SQLite's UTF-8 bytes: the bytes themselves, or
 * the code points of UTF-16 (with SQLite's reading of lone surrogates). *at advances.
 */
static uint32_t next_char(const unsigned char *p, uint32_t len, uint32_t *at, uint32_t encoding)
{
	uint32_t hi = encoding == 2, lo = encoding != 2, c, d;	/* which byte of a unit is which */

	if (encoding <= 1)
		return p[(*at)++];
	c = (uint32_t)p[*at + hi] << 8 | p[*at + lo];
	*at += 2;
	if (c >= 0xd800 && c < 0xe000 && *at + 1 < len) {
		d = (uint32_t)p[*at + hi] << 8 | p[*at + lo];
		*at += 2;
		c = (d & 0x3ff) + ((c & 0x3f) << 10) + (((c & 0x3c0) + 0x40) << 10);
	}
	return c;
}

static uint32_t utf8_length(const unsigned char *p, uint32_t len, uint32_t encoding)
{
	uint32_t n = 0;

	if (encoding <= 1)
		return len;
	for (uint32_t at = 0; at < len;) {
		uint32_t c = next_char(p, len, &at, encoding);

		n += c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	}
	return n;
}

/* BINARY compares the bytes as stored; the other two were written for UTF-8, and UTF-16 is converted. */
static int compare_text(const unsigned char *a, uint32_t na, const unsigned char *b, uint32_t nb,
			enum collation collation, uint32_t encoding)
{
	uint32_t unit = encoding <= 1 ? 1 : 2, i = 0, j = 0;

	if (collation == COLLATE_BINARY || collation == COLLATE_UNKNOWN)
		return compare_bytes(a, na, b, nb);
	na -= na % unit;
	nb -= nb % unit;
	if (collation == COLLATE_RTRIM) {
		while (na > 0 && ascii_at(a, na / unit - 1, encoding) == ' ')
			na -= unit;
		while (nb > 0 && ascii_at(b, nb / unit - 1, encoding) == ' ')
			nb -= unit;
	}
	while (i < na && j < nb) {
		uint32_t c = next_char(a, na, &i, encoding), d = next_char(b, nb, &j, encoding);

		if (collation == COLLATE_NOCASE) {
			c = lower(c);
			d = lower(d);
			/* SQLite's loop ends at a NUL; what is behind it counts only by its length */
			if (c == 0 && d == 0)
				return sign(utf8_length(a, na, encoding), utf8_length(b, nb, encoding));
		}
		if (c != d)
			return c < d ? -1 : 1;
	}
	return sign(na, nb);
}

/* NULL before numbers before texts before blobs (https://www.sqlite.org/datatype3.html, 4.1). */
static int rank(enum kind k)
{
	return k == KIND_NULL ? 0 : k == KIND_TEXT ? 2 : k == KIND_BLOB ? 3 : 1;
}

static int compare_fields(const struct field *fa, const unsigned char *a, const struct field *fb,
			  const unsigned char *b, enum collation collation, uint32_t encoding)
{
	enum kind ka, kb;

	/* most often two integers or two texts; neither can be a NaN */
	if (fa->type < TYPE_REAL && fb->type < TYPE_REAL && fa->type > 0 && fb->type > 0)
		return sign(record_int(fa->type, a), record_int(fb->type, b));
	ka = record_kind(fa->type, a);
	kb = record_kind(fb->type, b);
	if (rank(ka) != rank(kb))
		return rank(ka) < rank(kb) ? -1 : 1;
	switch (ka) {
	case KIND_NULL:
		return 0;
	case KIND_TEXT:
		return compare_text(a, record_size(fa->type), b, record_size(fb->type), collation, encoding);
	case KIND_BLOB:
		return compare_bytes(a, record_size(fa->type), b, record_size(fb->type));
	default:
		return compare_numbers(fa->type, a, fb->type, b);
	}
}

int record_compare(const struct key *a, const struct key *b, const struct column_order *order, uint32_t n,
		   uint32_t encoding, uint32_t *same)
{
	for (uint32_t i = 0; i < n; i++) {
		int c = compare_fields(&a->fields[i], a->p + a->fields[i].at, &b->fields[i],
				       b->p + b->fields[i].at, order[i].collation, encoding);

		if (c != 0) {
			*same = i;
			return order[i].descending ? -c : c;
		}
	}
	*same = n;
	return 0;
}

int secret_draw(struct secret *s)
{
	if (getrandom(s, sizeof *s, 0) != (ssize_t)sizeof *s)
		return -1;
	/* an even factor would throw bits away */
	s->k[1] |= 1;
	s->k[3] |= 1;
	s->k[5] |= 1;
	return 0;
}

uint64_t hash_null(const struct secret *s)
{
	return s->k[7];
}

uint64_t hash_int(const struct secret *s, int64_t v)
{
	return hash_mix((uint64_t)v ^ s->k[4], s->k[3]);
}

uint64_t hash_real(const struct secret *s, double v)
{
	uint64_t bits;

	if (isnan(v))
		return hash_null(s);
	if (v >= -9223372036854775808.0 && v < 9223372036854775808.0 && (double)(int64_t)v == v)
		return hash_int(s, (int64_t)v);
	memcpy(&bits, &v, sizeof bits);
	return hash_mix(bits ^ s->k[6], s->k[5]);
}

static uint64_t load(const unsigned char *p, size_t len)
{
	uint64_t v = 0;

	if (len > 0)
		memcpy(&v, p, len);
	return v;
}

uint64_t hash_bytes(const struct secret *s, enum kind kind, const unsigned char *p, uint32_t len)
{
	uint64_t h = hash_mix(s->k[6] ^ (uint64_t)kind, s->k[3] ^ len);

	if (p == NULL)	/* SQLite's way to hand out an empty value */
		len = 0;
	for (; len > 16; len -= 16, p += 16)
		h = hash_mix(load(p, 8) ^ s->k[4] ^ h, load(p + 8, 8) ^ s->k[5]);
	if (len > 8)
		return hash_mix(load(p, 8) ^ s->k[4] ^ h, load(p + 8, len - 8) ^ s->k[5]);
	return hash_mix(load(p, len) ^ s->k[4] ^ h, s->k[5]);
}

uint64_t hash_field(const struct secret *s, uint32_t type, const unsigned char *p)
{
	if (type == 0)
		return hash_null(s);
	if (type == TYPE_REAL)
		return hash_real(s, get_real(p));
	if (type < TYPE_BLOB)
		return hash_int(s, record_int(type, p));
	return hash_bytes(s, type % 2 == 0 ? KIND_BLOB : KIND_TEXT, p, record_size(type));
}
