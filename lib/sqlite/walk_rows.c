#include "lib/std.h"

#include <inttypes.h>

#include "lib/sqlite/walk_inner.h"

/* ---- entries ---- */

/* An entry that a row should have, or that an index has; n is its place in sums. */
static inline void count_entry(struct worker *k, uint32_t n, uint64_t hash)
{
	k->sums[n].count++;
	k->sums[n].sum += hash;
}

static void add_sum(struct tally *t, const struct sum *s)
{
	t->count += s->count;
	t->sum += s->sum;
}

void walk_hand_in_sums(struct worker *k)
{
	if (k->w->sift != NULL)
		return;
	if (k->tree->table == NULL) {
		add_sum(&k->tree->index->found, &k->sums[0]);
		return;
	}
	for (struct index *i = k->tree->table->indexes; i != NULL; i = i->next)
		add_sum(&i->expected, &k->sums[i->number]);
}

static bool make_fields(struct walk *w, struct field **fields, uint32_t *room, uint32_t wanted)
{
	struct field *more;

	if (wanted <= *room)
		return true;
	more = realloc(*fields, wanted * sizeof *more);
	if (more == NULL) {
		walk_out_of_memory(w);
		return false;
	}
	*fields = more;
	*room = wanted;
	return true;
}

bool walk_prepare(struct worker *k)
{
	const struct index *i = k->tree->index;
	const struct table *t = k->tree->table;
	uint32_t room = k->key_room, sums = t != NULL ? t->index_count : 1;

	k->has_low = k->has_before = false;
	if (sums > k->sum_room) {
		free(k->sums);
		k->sums = malloc(sums * sizeof *k->sums);
		k->sum_room = k->sums != NULL ? sums : 0;
		if (k->sums == NULL) {
			walk_out_of_memory(k->w);
			return false;
		}
	}
	if (sums > 0)
		memset(k->sums, 0, sums * sizeof *k->sums);
	if (i != NULL && (!make_fields(k->w, &k->key_fields[0], &room, i->columns) ||
			  !make_fields(k->w, &k->key_fields[1], &k->key_room, i->columns)))
		return false;
	if (t == NULL)
		return true;
	if (!make_fields(k->w, &k->fields, &k->field_room, t->stored_count))
		return false;
	if (t->slots > k->hash_room) {
		free(k->hashes);
		k->hashes = calloc(t->slots, sizeof *k->hashes);
		k->hash_room = k->hashes != NULL ? t->slots : 0;
		if (k->hashes == NULL)
			walk_out_of_memory(k->w);
	}
	return k->hash_room >= t->slots;
}

/*
 * Is the order of two keys the same for every SQLite? Texts that a collation other than BINARY compares may be in
 * another order for an application that has its own, also under the names NOCASE and RTRIM. Columns 0..last decided.
 */
static bool is_certain(const struct index *i, const struct key *a, const struct key *b, uint32_t last)
{
	for (uint32_t j = 0; j <= last; j++) {
		const struct field *x = &a->fields[j], *y = &b->fields[j];

		if (i->order[j].collation != COLLATE_BINARY && record_kind(x->type, NULL) == KIND_TEXT &&
		    record_kind(y->type, NULL) == KIND_TEXT &&
		    (x->type != y->type || memcmp(a->p + x->at, b->p + y->at, record_size(x->type)) != 0))
			return false;
	}
	return true;
}

/* Damage when it is certain; a doubt when not, which was told already for a collation that we do not know. */
static void tell_order(struct worker *k, bool certain, enum damage_kind damage, enum damage_kind doubt, uint32_t page)
{
	if (certain)
		bad(k, damage, page, "on page %" PRIu32, page);
	else if (k->tree->index->own_collation == NULL)
		bad(k, doubt, page, "on page %" PRIu32, page);
}

void walk_check_order(struct worker *k, const struct key *key, uint32_t page)
{
	const struct index *i = k->tree->index;
	/* a row of a WITHOUT ROWID table is in order by its primary key alone */
	uint32_t n = k->tree->table != NULL ? i->key_columns : i->columns, same, last;
	bool null = false;
	int c;

	if (!k->has_before || k->w->sift != NULL)
		return;
	c = record_compare(&k->before, key, i->order, n, k->w->o->plan->encoding, &same);
	last = same < n ? same : n - 1;
	if (c > 0) {
		tell_order(k, is_certain(i, &k->before, key, last), DAMAGE_ORDER, DOUBT_ORDER, page);
	} else if (same >= i->key_columns && (i->unique || c == 0)) {
		for (uint32_t j = 0; j < i->key_columns && i->unique && same < n; j++)
			null = null || record_kind(key->fields[j].type, key->p + key->fields[j].at) == KIND_NULL;
		last = same < n ? i->key_columns - 1 : last;
		if (!null)
			tell_order(k, is_certain(i, &k->before, key, last), DAMAGE_UNIQUE, DOUBT_UNIQUE, page);
	}
}

/* Into the half of the pair that is free. */
bool walk_take_key(struct worker *k, const unsigned char *p, uint32_t len, uint32_t page, struct key *key)
{
	const struct index *i = k->tree->index;
	struct field *fields = k->key_fields[k->turn];
	uint32_t least = k->tree->table != NULL ? i->key_columns : i->columns, header;

	*key = (struct key){ .p = p, .fields = fields };
	if (record_header(p, len, len, fields, i->columns, &key->count, &header) != RECORD_OK) {
		bad(k, DAMAGE_RECORD, page, "on page %" PRIu32, page);
		return false;
	}
	if (key->count < least || key->count > i->columns) {
		bad(k, DAMAGE_RECORD, page, "on page %" PRIu32 ": %" PRIu32 " columns, not %" PRIu32, page, key->count,
		    i->columns);
		return false;
	}
	return true;
}

void walk_keep_key(struct worker *k, const struct key *key)
{
	k->before = *key;
	k->has_before = true;
	k->turn ^= 1;
}

/* An entry of an index: a cell of a leaf or of an interior page. */
static void check_entry(struct worker *k, const struct btree_cell *c, uint32_t page)
{
	const struct secret *secret = &k->w->o->plan->secret;
	const unsigned char *p;
	struct key key;
	uint64_t hash;

	if (!k->w->o->full) {
		if (c->overflow != 0)
			walk_payload(k, c, page, 0, NULL, false);
		return;
	}
	p = walk_payload(k, c, page, c->payload, &k->key_bytes[k->turn], false);
	if (p == NULL || !walk_take_key(k, p, c->payload, page, &key))
		return;
	walk_check_order(k, &key, page);
	if (k->w->sift != NULL) {
		walk_sift_entry(k, &key);
	} else {
		hash = hash_start(secret);
		for (uint32_t j = 0; j < key.count; j++)
			hash = hash_column(secret, hash, walk_hash_column(secret, k->tree->index, &key, j));
		count_entry(k, 0, hash);
	}
	walk_keep_key(k, &key);
}

/* ---- rows ---- */

/* How much of a row that overflows its page must be in memory. */
static uint32_t needed_bytes(const struct table *t, const struct field *fields, uint32_t count)
{
	uint32_t need = 0;

	for (uint32_t i = 0; i < count && i < t->last_needed; i++) {
		const struct stored *s = &t->stored[i];
		uint32_t end = fields[i].at + record_size(fields[i].type);

		if (s->slot >= 0 || (s->numeric && record_kind(fields[i].type, NULL) == KIND_TEXT) ||
		    (s->not_null && record_kind(fields[i].type, NULL) == KIND_REAL))
			need = end > need ? end : need;
	}
	return need;
}

/* Compares a value of a row with what its column may hold; p are its bytes. */
static void check_value(struct worker *k, const struct stored *s, uint32_t type, const unsigned char *p, int64_t where)
{
	enum kind kind = record_kind(type, s->not_null ? p : NULL);

	if ((kind & s->forbidden) != 0)
		bad(k, kind == KIND_NULL ? DAMAGE_NULL : DAMAGE_TYPE, where, "column %.60s, row %" PRId64, s->name, where);
	else if (s->numeric && kind == KIND_TEXT &&
		 record_numeric_text(p, record_size(type), k->w->o->plan->encoding))
		bad(k, DAMAGE_TYPE, where, "a number as text in column %.60s, row %" PRId64, s->name, where);
}

/* The entries that the indexes should have for this row. */
static void count_row(struct worker *k, const struct table *t)
{
	const struct secret *secret = &k->w->o->plan->secret;

	for (const struct index *i = t->indexes; i != NULL; i = i->next) {
		uint64_t hash = hash_start(secret);

		if (i->slots == NULL)
			continue;
		for (uint32_t j = 0; j < i->columns; j++)
			hash = hash_column(secret, hash, k->hashes[i->slots[j]]);
		count_entry(k, i->number, hash);
	}
}

/*
 * A row of a table, `where` its rowid, or its page in a WITHOUT ROWID table. Of a row that overflows its page,
 * only as much is put together as somebody needs. claimed: its overflow pages are.
 */
static void check_row(struct worker *k, const struct btree_cell *c, uint32_t page, int64_t where, bool claimed)
{
	struct table *t = k->tree->table;
	const struct secret *secret = &k->w->o->plan->secret;
	const unsigned char *p = c->local;
	uint32_t count, header, have = c->local_len, need = 0;
	enum record_result got = record_header(p, have, c->payload, k->fields, t->stored_count, &count, &header);

	if (got == RECORD_SHORT && header > 0) {
		p = walk_payload(k, c, page, header, &k->row_bytes, claimed);
		if (p == NULL)
			return;
		claimed = true;
		have = header;
		got = record_header(p, have, c->payload, k->fields, t->stored_count, &count, &header);
	}
	if (got == RECORD_OK && have < c->payload)
		need = needed_bytes(t, k->fields, count);
	if (have < c->payload && (!claimed || need > have)) {
		p = walk_payload(k, c, page, need, &k->row_bytes, claimed);
		if (p == NULL)
			return;
	}
	if (got != RECORD_OK) {
		bad(k, DAMAGE_RECORD, where, k->tree->rowids ? "row %" PRId64 : "on page %" PRId64, where);
		return;
	}
	for (uint32_t i = 0; i < t->last_needed; i++) {
		const struct stored *s = &t->stored[i];

		if (i < count) {
			if ((s->suspect & record_kind(k->fields[i].type, NULL)) != 0)
				check_value(k, s, k->fields[i].type, p + k->fields[i].at, where);
			if (s->slot >= 0)
				k->hashes[s->slot] = hash_field(secret, k->fields[i].type, p + k->fields[i].at);
		} else {
			if (s->not_null && !s->has_default)
				bad(k, DAMAGE_NULL, where, "column %.60s, row %" PRId64, s->name, where);
			if (s->slot >= 0)
				k->hashes[s->slot] = s->default_hash;
			if (s->has_default && !s->defaulted)
				t->stored[i].defaulted = true;
		}
	}
	if (t->rowid_slot >= 0)
		k->hashes[t->rowid_slot] = hash_int(secret, where);
	if (k->w->sift != NULL)
		walk_sift_row(k, where, count);
	else if (k->w->o->full)
		count_row(k, t);
}

/*
 * A row of the schema is kept as well; of a statement as much as there is room for. What is wrong with the row
 * was told.
 */
static void take_schema_row(struct worker *k, const struct btree_cell *c, uint32_t page)
{
	struct walk *w = k->w;
	struct field fields[5];
	uint32_t count, header, need = c->payload < w->overflow_room ? c->payload : w->overflow_room;
	const unsigned char *p = walk_payload(k, c, page, need, &k->row_bytes, true);

	if (p == NULL || record_header(p, need, c->payload, fields, 5, &count, &header) != RECORD_OK)
		return;
	if (schema_add(&w->o->plan->schema, c->rowid, fields, count, p, need, w->o->plan->encoding) != 0)
		walk_out_of_memory(w);
}

void walk_rowid_cell(struct worker *k, const struct btree_cell *c, uint32_t page)
{
	if (k->has_low && c->rowid <= k->low)
		bad(k, DAMAGE_ROWID, page, "%" PRId64 " behind %" PRId64 " on page %" PRIu32, c->rowid, k->low, page);
	k->low = c->rowid;
	k->has_low = true;
	check_row(k, c, page, c->rowid, false);
	if (k->w->takes_schema)
		take_schema_row(k, c, page);
}

void walk_key_cell(struct worker *k, const struct btree_cell *c, uint32_t page)
{
	struct key key;
	const unsigned char *p;

	if (k->tree->table == NULL) {
		check_entry(k, c, page);
		return;
	}
	if (k->tree->opaque) {
		check_row(k, c, page, page, false);
		return;
	}
	if (k->w->o->full) {
		p = walk_payload(k, c, page, c->payload, &k->key_bytes[k->turn], false);
		if (p == NULL)
			return;
		if (walk_take_key(k, p, c->payload, page, &key)) {
			walk_check_order(k, &key, page);
			walk_keep_key(k, &key);
		}
	}
	check_row(k, c, page, page, k->w->o->full);
}

