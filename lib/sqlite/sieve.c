#include "lib/std.h"

#include "lib/sqlite/sieve.h"

/* Each element is in one cell of each of three parts; 12288 cells list some 9000 elements. */
#define PARTS 3
#define PART_CELLS 4096u

/* Sums over the elements in it. Where count is 1 or -1 and proof agrees with hash, it is that one element. */
struct cell {
	int64_t count;
	uint64_t hash, proof, mark;
};

struct sieve {
	struct cell cells[PARTS * PART_CELLS];
};

struct sieve *sieve_new(void)
{
	return calloc(1, sizeof(struct sieve));
}

void sieve_free(struct sieve *s)
{
	free(s);
}

/* The cell of an element in a part, by bits of its hash that are independent of the other parts'. */
static struct cell *cell_of(struct sieve *s, uint64_t hash, unsigned part)
{
	return &s->cells[part * PART_CELLS + (hash >> (12 * part)) % PART_CELLS];
}

static uint64_t proof_of(uint64_t hash)
{
	return (hash ^ hash >> 32) * UINT64_C(0x9e3779b97f4a7c15);
}

void sieve_add(struct sieve *s, uint64_t hash, int64_t mark, int count)
{
	for (unsigned part = 0; part < PARTS; part++) {
		struct cell *c = cell_of(s, hash, part);

		c->count += count;
		c->hash += count > 0 ? hash : -hash;
		c->proof += count > 0 ? proof_of(hash) : -proof_of(hash);
		c->mark += count > 0 ? (uint64_t)mark : -(uint64_t)mark;
	}
}

static bool is_single(const struct cell *c, uint64_t *hash)
{
	*hash = c->count == 1 ? c->hash : -c->hash;
	return (c->count == 1 || c->count == -1) && c->proof == (c->count == 1 ? proof_of(*hash) : -proof_of(*hash));
}

bool sieve_list(struct sieve *s, void (*tell)(void *ctx, int count, uint64_t hash, int64_t mark), void *ctx)
{
	bool more = true;

	/* taking one element out may leave another one single */
	while (more) {
		more = false;
		for (unsigned i = 0; i < PARTS * PART_CELLS; i++) {
			const struct cell *c = &s->cells[i];
			uint64_t hash;

			if (is_single(c, &hash)) {
				int count = (int)c->count;
				int64_t mark = (int64_t)(count == 1 ? c->mark : -c->mark);

				tell(ctx, count, hash, mark);
				sieve_add(s, hash, mark, -count);
				more = true;
			}
		}
	}
	for (unsigned i = 0; i < PARTS * PART_CELLS; i++)
		if (s->cells[i].count != 0 || s->cells[i].hash != 0)
			return false;
	return true;
}
