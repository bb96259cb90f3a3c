#include "lib/std.h"

#include <inttypes.h>
#include <math.h>

#include "lib/sqlite/record.h"

#include "tests/unit/check.h"

#define FIELDS 4
#define BYTES(s) (const unsigned char *)(s), sizeof(s) - 1

/* ---- serial types and headers ---- */

static const struct { uint32_t type, size; enum kind kind; } types[] = {
	{ 0, 0, KIND_NULL }, { 1, 1, KIND_INT }, { 2, 2, KIND_INT }, { 3, 3, KIND_INT }, { 4, 4, KIND_INT },
	{ 5, 6, KIND_INT }, { 6, 8, KIND_INT }, { 7, 8, KIND_REAL }, { 8, 0, KIND_INT }, { 9, 0, KIND_INT },
	{ 12, 0, KIND_BLOB }, { 13, 0, KIND_TEXT }, { 14, 1, KIND_BLOB }, { 15, 1, KIND_TEXT }, { 1000013, 500000, KIND_TEXT },
	{ UINT32_MAX, 2147483641, KIND_TEXT },
};

static const struct {
	const char *what;
	const unsigned char *p;
	size_t have;
	uint32_t len;			/* of the whole record */
	enum record_result result;
	uint32_t count, header;
} headers[] = {
	{ "no columns", BYTES("\x01"), 1, RECORD_OK, 0, 1 },
	{ "NULL, 8 bits, text", BYTES("\x04\x00\x01\x11*ab"), 7, RECORD_OK, 3, 4 },
	{ "more than there is room for", BYTES("\x07\x00\x00\x00\x08\x09\x08"), 7, RECORD_OK, 6, 7 },
	{ "nothing", BYTES(""), 0, RECORD_BAD, 0, 0 },
	{ "a header of no byte", BYTES("\x00\x01*"), 3, RECORD_BAD, 0, 0 },
	{ "a header behind the end", BYTES("\x04\x00\x01"), 3, RECORD_BAD, 0, 0 },
	{ "a body that is short", BYTES("\x02\x02*"), 3, RECORD_BAD, 0, 0 },
	{ "a body that is long", BYTES("\x02\x01**"), 4, RECORD_BAD, 1, 0 },
	{ "type 10", BYTES("\x02\x0a"), 2, RECORD_BAD, 0, 0 },
	{ "type 11", BYTES("\x02\x0b"), 2, RECORD_BAD, 0, 0 },
	{ "a type over the edge of the header", BYTES("\x02\x81\x00"), 3, RECORD_BAD, 0, 0 },
	{ "a type of 33 bits", BYTES("\x06\x90\x80\x80\x80\x00"), 6, RECORD_BAD, 0, 0 },
	{ "the body is elsewhere", BYTES("\x03\x13\x13" "abc"), 9, RECORD_OK, 2, 3 },
	{ "the header goes on elsewhere", BYTES("\x09\x01\x01"), 15, RECORD_SHORT, 0, 9 },
	{ "its length goes on elsewhere", BYTES("\x81"), 300, RECORD_SHORT, 0, 0 },
};

static void test_headers(void)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		check(record_size(types[i].type) == types[i].size && record_kind(types[i].type, NULL) == types[i].kind,
		      "type %" PRIu32, types[i].type);
	check(record_kind(7, (const unsigned char *)"\x7f\xf8\0\0\0\0\0\0") == KIND_NULL, "NaN is NULL");
	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
		struct field fields[FIELDS];
		uint32_t count, header;
		enum record_result got = record_header(headers[i].p, (uint32_t)headers[i].have, headers[i].len, fields, FIELDS,
						       &count, &header);

		check(got == headers[i].result, "%s: %d", headers[i].what, (int)got);
		if (got == RECORD_OK)
			check(count == headers[i].count && header == headers[i].header, "%s: %" PRIu32 " columns",
			      headers[i].what, count);
		if (got == RECORD_SHORT)
			check(header == headers[i].header, "%s: header %" PRIu32, headers[i].what, header);
	}
}

static const struct { uint32_t type; const char *bytes; int64_t value; } ints[] = {
	{ 1, "\x7f", 127 }, { 1, "\x80", -128 }, { 2, "\x80\x00", -32768 }, { 3, "\x7f\xff\xff", 8388607 },
	{ 3, "\x80\x00\x00", -8388608 }, { 4, "\x80\x00\x00\x00", INT32_MIN }, { 4, "\x00\x00\x01\x00", 256 },
	{ 5, "\x80\x00\x00\x00\x00\x00", -140737488355328 }, { 5, "\x7f\xff\xff\xff\xff\xff", 140737488355327 },
	{ 5, "\xff\xff\xff\xff\xff\xfe", -2 }, { 6, "\x80\x00\x00\x00\x00\x00\x00\x00", INT64_MIN },
	{ 6, "\x7f\xff\xff\xff\xff\xff\xff\xff", INT64_MAX }, { 8, "", 0 }, { 9, "", 1 }, { 0, "", 0 },
};

/* ---- order ---- */

/* A value as it stands in a record. */
struct value {
	uint32_t type;
	const char *bytes;
};

#define NIL { 0, "" }
#define INT8(c) { 1, c }
#define TEXT(s) { 13 + 2 * (sizeof(s) - 1), s }
#define BLOB(s) { 12 + 2 * (sizeof(s) - 1), s }
#define MIN64 { 6, "\x80\0\0\0\0\0\0\0" }
#define MAX64 { 6, "\x7f\xff\xff\xff\xff\xff\xff\xff" }
#define REAL(s) { 7, s }
#define TWO_63 REAL("\x43\xe0\0\0\0\0\0\0")		/* 2^63, one more than MAX64 */
#define MINUS_TWO_63 REAL("\xc3\xe0\0\0\0\0\0\0")	/* exactly MIN64 */
#define INF REAL("\x7f\xf0\0\0\0\0\0\0")
#define NAN64 REAL("\x7f\xf8\0\0\0\0\0\0")
#define HALF REAL("\x3f\xe0\0\0\0\0\0\0")
#define THREE REAL("\x40\x08\0\0\0\0\0\0")
#define TWO_53 REAL("\x43\x40\0\0\0\0\0\0")		/* 9007199254740992 */
#define TWO_53_AND_1 { 6, "\0\x20\0\0\0\0\0\1" }	/* which no real is */

static const struct {
	enum collation collation;
	uint32_t encoding;
	struct value a, b;
	int order;		/* of a and b */
} orders[] = {
	/* NULL, numbers, texts, blobs */
	{ COLLATE_BINARY, 1, NIL, NIL, 0 },
	{ COLLATE_BINARY, 1, NIL, MIN64, -1 },
	{ COLLATE_BINARY, 1, NIL, REAL("\xff\xf0\0\0\0\0\0\0"), -1 },
	{ COLLATE_BINARY, 1, NAN64, NIL, 0 },
	{ COLLATE_BINARY, 1, NAN64, MIN64, -1 },
	{ COLLATE_BINARY, 1, INF, TEXT(""), -1 },
	{ COLLATE_BINARY, 1, MAX64, TEXT("0"), -1 },
	{ COLLATE_BINARY, 1, TEXT("\xff"), BLOB(""), -1 },
	{ COLLATE_NOCASE, 1, TEXT("a"), BLOB("A"), -1 },
	/* numbers of any storage */
	{ COLLATE_BINARY, 1, { 8, "" }, { 1, "\0" }, 0 },
	{ COLLATE_BINARY, 1, { 9, "" }, { 6, "\0\0\0\0\0\0\0\1" }, 0 },
	{ COLLATE_BINARY, 1, INT8("\xff"), { 8, "" }, -1 },
	{ COLLATE_BINARY, 1, INT8("\x03"), THREE, 0 },
	{ COLLATE_BINARY, 1, { 8, "" }, HALF, -1 },
	{ COLLATE_BINARY, 1, { 9, "" }, HALF, 1 },
	{ COLLATE_BINARY, 1, { 8, "" }, REAL("\x80\0\0\0\0\0\0\0"), 0 },
	{ COLLATE_BINARY, 1, INT8("\xff"), REAL("\xbf\xe0\0\0\0\0\0\0"), -1 },
	{ COLLATE_BINARY, 1, MAX64, TWO_63, -1 },
	{ COLLATE_BINARY, 1, MIN64, MINUS_TWO_63, 0 },
	{ COLLATE_BINARY, 1, MAX64, INF, -1 },
	{ COLLATE_BINARY, 1, TWO_53_AND_1, TWO_53, 1 },
	{ COLLATE_BINARY, 1, HALF, THREE, -1 },
	/* texts */
	{ COLLATE_BINARY, 1, TEXT("a"), TEXT("aa"), -1 },
	{ COLLATE_BINARY, 1, TEXT("a"), TEXT("B"), 1 },
	{ COLLATE_BINARY, 1, TEXT("a\0b"), TEXT("a\0c"), -1 },
	{ COLLATE_BINARY, 1, TEXT("\x7f"), TEXT("\x80"), -1 },
	{ COLLATE_NOCASE, 1, TEXT("a"), TEXT("B"), -1 },
	{ COLLATE_NOCASE, 1, TEXT("ABC"), TEXT("abc"), 0 },
	{ COLLATE_NOCASE, 1, TEXT("ab"), TEXT("ABC"), -1 },
	{ COLLATE_NOCASE, 1, TEXT("_"), TEXT("A"), -1 },	/* 95 is before 97 */
	{ COLLATE_NOCASE, 1, TEXT("\xc3\x84"), TEXT("\xc3\xa4"), -1 },	/* ASCII alone has cases */
	{ COLLATE_NOCASE, 1, TEXT("a\0x"), TEXT("A\0b"), 0 },	/* a NUL ends it */
	{ COLLATE_NOCASE, 1, TEXT("a\0x"), TEXT("A\0bc"), -1 },	/* but for the length */
	{ COLLATE_RTRIM, 1, TEXT("a  "), TEXT("a"), 0 },
	{ COLLATE_RTRIM, 1, TEXT("a b"), TEXT("a"), 1 },
	{ COLLATE_RTRIM, 1, TEXT("   "), TEXT(""), 0 },
	{ COLLATE_RTRIM, 1, TEXT("a\t"), TEXT("a"), 1 },
	/* UTF-16: BINARY by bytes, the others as if it were UTF-8 */
	{ COLLATE_BINARY, 2, TEXT("\x01\x02"), TEXT("\x02\x01"), -1 },
	{ COLLATE_NOCASE, 2, TEXT("\x01\x02"), TEXT("\x02\x01"), 1 },
	{ COLLATE_NOCASE, 2, TEXT("A\0"), TEXT("a\0"), 0 },
	/* behind a NUL the length counts, in UTF-8 */
	{ COLLATE_NOCASE, 2, TEXT("\0\0\0\x06"), TEXT("\0\0\0\0"), 1 },
	{ COLLATE_NOCASE, 2, TEXT("\0\0\0\x06"), TEXT("\0\0\x01\x06"), 0 },
	{ COLLATE_NOCASE, 3, TEXT("\0A"), TEXT("\0a"), 0 },
	{ COLLATE_NOCASE, 2, TEXT("\x41\x01"), TEXT("\x61\x01"), -1 },
	{ COLLATE_RTRIM, 2, TEXT("a\0 \0"), TEXT("a\0"), 0 },
	{ COLLATE_RTRIM, 3, TEXT("\0a\0 "), TEXT("\0a"), 0 },
	{ COLLATE_RTRIM, 3, TEXT("\0a \0"), TEXT("\0a"), 1 },
	/* a pair of surrogates is one character behind all that need none */
	{ COLLATE_NOCASE, 3, TEXT("\xd8\x3d\xde\0"), TEXT("\xff\xfd"), 1 },
	{ COLLATE_NOCASE, 2, TEXT("\x3d\xd8\0\xde"), TEXT("\xfd\xff"), 1 },
	/* blobs know no collation */
	{ COLLATE_NOCASE, 1, BLOB("A"), BLOB("a"), -1 },
	{ COLLATE_RTRIM, 1, BLOB("a "), BLOB("a"), 1 },
	{ COLLATE_BINARY, 1, BLOB("\0"), BLOB(""), 1 },
};

static int sign(int c)
{
	return (c > 0) - (c < 0);
}

static void test_order(void)
{
	for (size_t i = 0; i < sizeof ints / sizeof *ints; i++)
		check(record_int(ints[i].type, (const unsigned char *)ints[i].bytes) == ints[i].value, "integer %zu", i);
	for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
		const struct value *a = &orders[i].a, *b = &orders[i].b;
		struct field fa = { a->type, 0 }, fb = { b->type, 0 };
		struct key ka = { (const unsigned char *)a->bytes, &fa, 1 }, kb = { (const unsigned char *)b->bytes, &fb, 1 };
		struct column_order order = { orders[i].collation, false };
		uint32_t same;
		int c = sign(record_compare(&ka, &kb, &order, 1, orders[i].encoding, &same));

		check(c == orders[i].order && same == (c == 0), "order %zu: %d", i, c);
		c = sign(record_compare(&kb, &ka, &order, 1, orders[i].encoding, &same));
		check(c == -orders[i].order, "order %zu the other way: %d", i, c);
		order.descending = true;
		c = sign(record_compare(&ka, &kb, &order, 1, orders[i].encoding, &same));
		check(c == -orders[i].order, "order %zu, descending: %d", i, c);
	}
}

/* (1, 'b') and (1, 'a'): equal in one column, and the direction of the other one decides. */
static void test_columns(void)
{
	static const unsigned char a[] = "b", b[] = "a";
	struct field fields[] = { { 9, 0 }, { 15, 0 } };
	struct key ka = { a, fields, 2 }, kb = { b, fields, 2 };
	struct column_order order[] = { { COLLATE_BINARY, true }, { COLLATE_BINARY, false } };
	uint32_t same;

	check(record_compare(&ka, &kb, order, 2, 1, &same) > 0 && same == 1, "the second column decides");
	order[1].descending = true;
	check(record_compare(&ka, &kb, order, 2, 1, &same) < 0 && same == 1, "the second column decides, descending");
	check(record_compare(&ka, &kb, order, 1, 1, &same) == 0 && same == 1, "the first column alone");
	check(record_compare(&ka, &kb, order, 0, 1, &same) == 0 && same == 0, "no column");
}

/* ---- texts that are numbers ---- */

static const struct { const char *text; bool numeric; } numerics[] = {
	{ "1", true }, { " 1 ", true }, { "-1", true }, { "+.5", true }, { "5.", true }, { "1e5", true }, { "1E-5", true },
	{ "\t12\n", true }, { "", false }, { " ", false }, { ".", false }, { "-", false }, { "1e", false }, { "1e+", false },
	{ "1 2", false }, { "0x10", false }, { "1x", false }, { "e5", false }, { "--1", false }, { "1.2.3", false },
	{ "inf", false },
};

static void test_numeric_texts(void)
{
	for (size_t i = 0; i < sizeof numerics / sizeof *numerics; i++) {
		const char *t = numerics[i].text;
		uint32_t len = (uint32_t)strlen(t);
		unsigned char little[32], big[32];

		for (uint32_t j = 0; j < len; j++) {
			little[2 * j] = big[2 * j + 1] = (unsigned char)t[j];
			little[2 * j + 1] = big[2 * j] = 0;
		}
		check(record_numeric_text((const unsigned char *)t, len, 1) == numerics[i].numeric, "'%s'", t);
		check(record_numeric_text(little, 2 * len, 2) == numerics[i].numeric, "'%s' in UTF-16le", t);
		check(record_numeric_text(big, 2 * len, 3) == numerics[i].numeric, "'%s' in UTF-16be", t);
	}
	check(!record_numeric_text((const unsigned char *)"1\x01", 2, 2), "U+0131 is no digit");
}

/* ---- hashes ---- */

static uint64_t entry(const struct secret *s, uint64_t a, uint64_t b)
{
	return hash_column(s, hash_column(s, hash_start(s), a), b);
}

static void test_upper_half(void)
{
	uint64_t a = 1, b = UINT64_MAX;

	check(upper_half(UINT64_MAX, UINT64_MAX) == UINT64_MAX - 1 && upper_half(UINT64_C(1) << 63, 2) == 1 &&
	      upper_half(UINT32_MAX, UINT32_MAX) == 0, "products of all bits");
	/* as the processor has it, where it has */
	for (int i = 0; i < 1000; i++, a = a * 6364136223846793005u + 1442695040888963407u, b ^= a >> 7)
		check(upper_half(a, b) == UPPER_HALF(a, b), "%" PRIx64 " * %" PRIx64, a, b);
}

static void test_hashes(void)
{
	static const unsigned char text[] = "forty characters, so that it takes steps";
	struct secret s, other;
	uint64_t h;

	check(secret_draw(&s) == 0 && secret_draw(&other) == 0 && memcmp(&s, &other, sizeof s) != 0, "two secrets");
	/* equal numbers hash alike, however they are stored */
	for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
		if (ints[i].type == 0)
			continue;
		h = hash_int(&s, ints[i].value);
		check(hash_field(&s, ints[i].type, (const unsigned char *)ints[i].bytes) == h, "integer %zu", i);
		if ((double)ints[i].value < 9e15 && (double)ints[i].value > -9e15)
			check(hash_real(&s, (double)ints[i].value) == h, "integer %zu as a real", i);
		check(hash_int(&other, ints[i].value) != h, "integer %zu with another secret", i);
	}
	check(hash_real(&s, -0.0) == hash_int(&s, 0), "minus zero");
	check(hash_real(&s, NAN) == hash_null(&s) && hash_field(&s, 0, NULL) == hash_null(&s), "NaN and NULL");
	check(hash_real(&s, 9223372036854775808.0) != hash_int(&s, INT64_MAX), "2^63 is no integer");
	check(hash_real(&s, 0.5) == hash_field(&s, 7, (const unsigned char *)"\x3f\xe0\0\0\0\0\0\0"), "a real");
	/* each length, each kind and each byte of a text counts */
	for (uint32_t n = 0; n < sizeof text - 1; n++) {
		unsigned char copy[sizeof text];

		h = hash_bytes(&s, KIND_TEXT, text, n);
		check(hash_field(&s, 13 + 2 * n, text) == h, "text of %" PRIu32, n);
		check(hash_bytes(&s, KIND_BLOB, text, n) != h, "blob of %" PRIu32, n);
		check(hash_bytes(&s, KIND_TEXT, text, n + 1) != h, "text of %" PRIu32 " and one more", n);
		memcpy(copy, text, sizeof copy);
		for (uint32_t i = 0; i < n; i++) {
			copy[i] ^= 0x20;
			check(hash_bytes(&s, KIND_TEXT, copy, n) != h, "byte %" PRIu32 " of %" PRIu32, i, n);
			copy[i] ^= 0x20;
		}
	}
	check(hash_bytes(&s, KIND_TEXT, NULL, 0) == hash_bytes(&s, KIND_TEXT, text, 0), "an empty text without bytes");
	check(hash_bytes(&s, KIND_TEXT, text, 1) != hash_int(&s, 'f'), "a text and a number");
	/* columns do not commute, and values do not move between entries without changing the sum */
	check(entry(&s, 1, 2) != entry(&s, 2, 1), "the order of columns");
	check(entry(&s, 1, 2) + entry(&s, 3, 4) != entry(&s, 1, 4) + entry(&s, 3, 2), "values that changed places");
}

int main(void)
{
	test_headers();
	test_order();
	test_columns();
	test_numeric_texts();
	test_upper_half();
	test_hashes();
	return check_done();
}
