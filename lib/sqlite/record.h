/*
 * record.h - SQLite's records (https://www.sqlite.org/fileformat2.html, 2.1): decoding their headers,
 * comparing two index keys as SQLite does, and hashing values so that a table and its index can be compared
 * without sorting. Pure, and safe on any bytes.
 */
#ifndef LIB_SQLITE_RECORD_H
#define LIB_SQLITE_RECORD_H

#include "lib/std.h"

/* A value in a record: its serial type and where its bytes are. */
struct field {
	uint32_t type;
	uint32_t at;	/* offset in the record */
};

/* The kinds of value that a column may hold, as bits. */
enum kind {
	KIND_NULL = 1, KIND_INT = 2, KIND_REAL = 4, KIND_TEXT = 8, KIND_BLOB = 16,
};

enum record_result {
	RECORD_OK,
	RECORD_BAD,	/* no record */
	RECORD_SHORT,	/* the header goes on behind the first have bytes; *header says how long it is */
};

/*
 * The header of a record of len bytes, of which the first have are at p. Fills at most room fields; *count is
 * how many there are (it may be more than room). When it is RECORD_OK, every field lies within len, but its
 * bytes may be behind have.
 */
enum record_result record_header(const unsigned char *p, uint32_t have, uint32_t len, struct field *fields,
				 uint32_t room, uint32_t *count, uint32_t *header);

/* How many bytes a value of this serial type has in the body. */
uint32_t record_size(uint32_t type);

/* The value of an integer's serial type, 0 for any other. */
int64_t record_int(uint32_t type, const unsigned char *p);

/* Of the 8 bytes of a value of type 7. */
bool record_is_nan(const unsigned char *p);

/* NaN, which SQLite reads as NULL, needs the bytes; without them (p NULL) type 7 is a real. */
static inline enum kind record_kind(uint32_t type, const unsigned char *p)
{
	if (type > 11)
		return type % 2 == 0 ? KIND_BLOB : KIND_TEXT;
	if (type == 7)
		return p != NULL && record_is_nan(p) ? KIND_NULL : KIND_REAL;
	return type == 0 ? KIND_NULL : KIND_INT;
}

/* Does the text look like a number all through, so that NUMERIC affinity would have made it one? */
bool record_numeric_text(const unsigned char *p, uint32_t len, uint32_t encoding);

/* How to compare one column of an index. */
enum collation { COLLATE_BINARY, COLLATE_NOCASE, COLLATE_RTRIM, COLLATE_UNKNOWN };

struct column_order {
	enum collation collation;
	bool descending;
};

/* An index key: a record that is wholly in memory, with its header decoded. */
struct key {
	const unsigned char *p;
	const struct field *fields;
	uint32_t count;
};

/*
 * Below, at or above zero as a sorts before, with or behind b, by the first n columns of order.
 * *same is the number of leading columns that are equal.
 */
int record_compare(const struct key *a, const struct key *b, const struct column_order *order, uint32_t n,
		   uint32_t encoding, uint32_t *same);

/*
 * Hashing. The secret is drawn for each run: whoever made the file could not know it, so that two different
 * multisets of entries have the same sum of hashes with a probability of about 2^-64.
 */
struct secret {
	uint64_t k[8];
};

/* 0, or -1 with errno. */
int secret_draw(struct secret *s);

/* The hash of a value at p of this serial type. Equal numbers hash alike, however they are stored. */
uint64_t hash_field(const struct secret *s, uint32_t type, const unsigned char *p);
/* The same for values that SQLite computed. */
uint64_t hash_null(const struct secret *s);
uint64_t hash_int(const struct secret *s, int64_t v);
uint64_t hash_real(const struct secret *s, double v);
uint64_t hash_bytes(const struct secret *s, enum kind kind, const unsigned char *p, uint32_t len);

/* The upper half of a product, for processors without a type that holds it. */
static inline uint64_t upper_half(uint64_t a, uint64_t b)
{
	uint64_t low = (a & UINT32_MAX) * (b & UINT32_MAX), one = (a >> 32) * (b & UINT32_MAX), other = (a & UINT32_MAX) * (b >> 32);
	uint64_t carried = (low >> 32) + (one & UINT32_MAX) + (other & UINT32_MAX);

	return (a >> 32) * (b >> 32) + (one >> 32) + (other >> 32) + (carried >> 32);
}

#ifdef __SIZEOF_INT128__
__extension__ typedef unsigned __int128 record_u128;
#define UPPER_HALF(a, b) ((uint64_t)((record_u128)(a) * (b) >> 64))
#else
#define UPPER_HALF(a, b) upper_half(a, b)
#endif

/* One step of the hash: not linear in a, so that values cannot move between entries without changing the sum. */
static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
	return (a * b) ^ UPPER_HALF(a, b);
}

/* The hash of an entry: start, then one step for each of its columns in order. */
static inline uint64_t hash_start(const struct secret *s)
{
	return s->k[0];
}

static inline uint64_t hash_column(const struct secret *s, uint64_t entry, uint64_t value)
{
	return hash_mix(entry ^ value, s->k[1]) + s->k[2];
}

#endif
