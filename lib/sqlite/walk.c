#include "lib/std.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>

#include "lib/sqlite/btree.h"
#include "lib/sqlite/walk.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/sqlite/pageuse.h"
#include "lib/sqlite/sieve.h"
#include "lib/sqlite/untrusted.h"

#define DEPTH_MAX 20			/* SQLite goes no deeper (BTCURSOR_MAX_DEPTH) */
#define LOOK_EVERY 64			/* pages between two looks at the clock */
#define OVERFLOW_MEMORY (12u << 20)	/* for keys and rows that overflow, shared out among the threads */
#define SQL_MEMORY (24u << 20)		/* for the connections of all threads, each with the schema */
#define SIEVES_MAX 24			/* at once, of some 400 KB each */
#define GIVE_LEAVES 16			/* fewer pages than this are not worth another thread's trouble */

/* 1.8: the five kinds of page in a pointer map. */
enum pointer_map { MAP_ROOT = 1, MAP_FREE, MAP_OVERFLOW_FIRST, MAP_OVERFLOW, MAP_BTREE };

/*
 * A piece of work: a whole b-tree; or, when a thread had nothing to do and another one gave it half of what it
 * still had, the children first..end-1 of one of its interior pages.
 */
struct unit {
	enum { UNIT_TREE, UNIT_CHILDREN, UNIT_SQL, UNIT_FREELIST } what;
	struct tree *tree;
	uint32_t page;			/* UNIT_CHILDREN: the interior page, */
	unsigned depth;			/* how deep it is, */
	unsigned first, end;		/* which children, */
	bool bounded;			/* and the key that all of theirs must be below (at most, for rowids) */
	int64_t high;
	unsigned char *high_key;
	uint32_t high_len;
};

struct walk {
	const struct walk_options *o;
	struct pages pages;
	uint32_t overflow_room;		/* bytes, for each buffer of a thread */
	_Atomic bool stopping, stopped;
	bool sifting;			/* the second walk: findings were told, only differences matter */
	char unjudged[256];

	pthread_mutex_t lock;		/* of what follows, and of unjudged */
	pthread_cond_t more;
	struct unit *units;		/* a stack */
	_Atomic size_t unit_count;
	struct table *sql_next;		/* the tables before it have been given to SQLite */
	size_t unit_room;
	unsigned busy;
	_Atomic unsigned idle;
};

/* Bytes that overflowed their page, put together. */
struct buffer {
	unsigned char *p;
	uint32_t room;
};

/* An interior page on the way from the root to where a thread is. */
struct frame {
	struct btree_page page;
	uint32_t number;
	unsigned child, end;		/* the child being walked, and behind the last one that is ours */
	unsigned char *bytes;
};

struct worker {
	struct walk *w;
	struct tree *tree;
	struct unit *unit;
	struct frame frames[DEPTH_MAX];
	unsigned base;			/* the frame where this unit began */
	struct btree_cover cover;
	unsigned looks;
	unsigned char *map;		/* the page of the pointer map that was read last, */
	uint32_t map_number;		/* and its number, 0 before */

	/* the order of rowids: those that follow are above low */
	bool has_low;
	int64_t low;
	/* the order of index entries: the one before, whose bytes are still in their frame or buffer */
	bool has_before;
	struct key before;
	struct field *key_fields[2];
	struct buffer key_bytes[2];
	uint32_t key_room;
	unsigned turn;			/* which of the two the next entry takes */

	/* the row being looked at */
	struct field *fields;
	uint32_t field_room;
	struct buffer row_bytes;
	uint64_t *hashes;		/* by slot */
	uint32_t hash_room;

	/* of this unit alone: of each index of a table, or of the one index that is walked */
	struct sum { uint64_t count, sum; } *sums;
	uint32_t sum_room;

	sqlite3 *db;			/* opened when it is needed first */
};

/* ---- findings ---- */

static void PRINTF_LIKE(2, 3) unjudged(struct walk *w, const char *fmt, ...)
{
	va_list ap;

	pthread_mutex_lock(&w->lock);
	if (w->unjudged[0] == '\0') {
		va_start(ap, fmt);
		vsnprintf(w->unjudged, sizeof w->unjudged, fmt, ap);
		va_end(ap);
	}
	pthread_mutex_unlock(&w->lock);
}

/* Something is wrong with the tree at hand, on a page or in a row with the number at. */
#define bad(k, kind, at, ...) \
	do { \
		if (!(k)->w->sifting) \
			damage_add((k)->w->o->damage, (k)->tree->type, (k)->tree->name, kind, 1, at, __VA_ARGS__); \
	} while (0)

static void out_of_memory(struct walk *w)
{
	unjudged(w, "out of memory");
	w->stopping = true;
}

/* ---- pages, each once ---- */

/* Asks whether to give up; also for SQLite, as its progress handler. */
static int look(void *walk)
{
	struct walk *w = walk;

	if (w->o->stop(w->o->stop_ctx) != 0)
		w->stopped = w->stopping = true;
	return w->stopping ? 1 : 0;
}

/* To be called for each page. */
static bool must_stop(struct worker *k)
{
	struct walk *w = k->w;

	if (++k->looks % LOOK_EVERY != 0)
		return w->stopping;
	progress_add(w->sifting ? NULL : w->o->progress, (uint64_t)LOOK_EVERY * w->pages.size);
	return look(w) != 0;
}

/* The page at hand, or -1 after a read that failed (and ends the walk). */
static int read_at(struct worker *k, void *bytes, size_t len, uint32_t number, uint32_t offset)
{
	struct walk *w = k->w;
	ssize_t n = file_pread(w->o->fd, bytes, len, (off_t)(number - 1) * w->pages.size + offset);

	if (n == (ssize_t)len)
		return 0;
	if (n < 0)
		unjudged(w, "cannot read page %" PRIu32 ": %s", number, strerror(errno));
	else
		unjudged(w, "the file became shorter while it was read");
	w->stopping = true;
	return -1;
}

/* Neighbours are most often in the same one. */
static bool read_map(struct worker *k, uint32_t number)
{
	if (number == k->map_number)
		return true;
	k->map_number = 0;
	if (k->map == NULL && (k->map = malloc(k->w->pages.size)) == NULL) {
		out_of_memory(k->w);
		return false;
	}
	if (read_at(k, k->map, k->w->pages.size, number, 0) != 0)
		return false;
	k->map_number = number;
	return true;
}

/* In an auto_vacuum database each page's entry in the pointer map says what it is and who points to it. */
static void check_map(struct worker *k, uint32_t number, enum pointer_map type, uint32_t parent)
{
	struct walk *w = k->w;
	const unsigned char *entry;
	uint32_t map, offset;

	if (w->sifting || (map = pages_map(&w->pages, number, &offset)) == 0 || !read_map(k, map))
		return;
	entry = k->map + offset;
	if (entry[0] != type || btree_u32(entry + 1) != parent)
		bad(k, DAMAGE_POINTER_MAP, number, "page %" PRIu32 " is said to be of type %d under %" PRIu32
		    ", not %d under %" PRIu32, number, entry[0], btree_u32(entry + 1), (int)type, parent);
}

/* The only way to a page. from points to it. False when it is no page, or was used before. */
static bool claim(struct worker *k, uint32_t number, enum pointer_map type, uint32_t from)
{
	if (number == 0 || number > k->w->pages.count) {
		bad(k, DAMAGE_POINTER, from, "page %" PRIu32 " points to page %" PRIu32, from, number);
		return false;
	}
	if (!pages_claim(&k->w->pages, number)) {
		bad(k, DAMAGE_SHARED, number, "page %" PRIu32 ", from page %" PRIu32, number, from);
		return false;
	}
	check_map(k, number, type, type == MAP_ROOT || type == MAP_FREE ? 0 : from);
	return true;
}

static bool make_room(struct walk *w, struct buffer *b, uint32_t size)
{
	if (size <= b->room)
		return true;
	free(b->p);
	b->room = size < w->pages.size * 4 ? w->pages.size * 4 : size;
	b->p = malloc(b->room);
	if (b->p == NULL) {
		b->room = 0;
		out_of_memory(w);
	}
	return b->p != NULL;
}

/*
 * At least the first need bytes of a cell's payload. Follows the chain of overflow pages (1.6) to its end, and
 * claims its pages unless they are claimed already. NULL when the chain is broken (told), or when need does
 * not fit in memory (then the tree is marked).
 */
static const unsigned char *payload(struct worker *k, const struct btree_cell *c, uint32_t page, uint32_t need,
				    struct buffer *b, bool claimed)
{
	struct walk *w = k->w;
	uint32_t each = w->pages.usable - 4, left = c->payload - c->local_len, next = c->overflow, from = page;
	uint32_t have = c->local_len;
	unsigned char link[4];
	bool keep = need > have, first = true;

	if (left == 0)
		return c->local;
	if (keep && need > w->overflow_room) {
		k->tree->too_long = true;
		keep = false;
	}
	/* whole pages are read, so there must be room for the last one's end */
	if (keep && !make_room(w, b, need + w->pages.usable))
		return NULL;
	if (keep)
		memcpy(b->p, c->local, have);
	while (left > 0) {
		if (must_stop(k))
			return NULL;
		if (next == 0) {
			bad(k, DAMAGE_OVERFLOW, page, "of a cell on page %" PRIu32 ", %" PRIu32 " bytes short", page, left);
			return NULL;
		}
		if (!claimed && !claim(k, next, first ? MAP_OVERFLOW_FIRST : MAP_OVERFLOW, from))
			return NULL;
		if (claimed && (next > w->pages.count || next == 0))
			return NULL;
		if (keep && have < need) {
			/* the link goes where the content before it ends, and is overwritten by the content */
			unsigned char saved[4];

			memcpy(saved, b->p + have - 4, 4);
			if (read_at(k, b->p + have - 4, w->pages.usable, next, 0) != 0)
				return NULL;
			memcpy(link, b->p + have - 4, 4);
			memcpy(b->p + have - 4, saved, 4);
			have += each;
		} else if (read_at(k, link, 4, next, 0) != 0) {
			return NULL;
		}
		from = next;
		next = btree_u32(link);
		first = false;
		left -= left < each ? left : each;
	}
	if (next != 0 && !claimed) {
		bad(k, DAMAGE_OVERFLOW, page, "of a cell on page %" PRIu32 ", goes on at page %" PRIu32, page, next);
		return NULL;
	}
	if (need <= c->local_len)
		return c->local;
	return keep ? b->p : NULL;
}

/* ---- entries ---- */

/*
 * An entry that a row should have (count 1), or that an index has (-1). n is its place in sums; row is the rowid
 * in it, which both sides know, or 0 without rowids.
 */
static void count_entry(struct worker *k, const struct index *i, uint32_t n, uint64_t hash, int64_t row, int count)
{
	k->sums[n].count++;
	k->sums[n].sum += hash;
	if (k->w->sifting && i->sieve != NULL)
		sieve_add(i->sieve, hash, row, count);
}

static void add_sum(struct tally *t, const struct sum *s)
{
	t->count += s->count;
	t->sum += s->sum;
}

/* At the end of a unit, its sums are added to those of all units. */
static void hand_in_sums(struct worker *k)
{
	if (k->w->sifting)
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
		out_of_memory(w);
		return false;
	}
	*fields = more;
	*room = wanted;
	return true;
}

/* Room for the keys and rows of a tree. */
static bool prepare(struct worker *k)
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
			out_of_memory(k->w);
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
			out_of_memory(k->w);
	}
	return k->hash_room >= t->slots;
}

/* That a key comes behind the one before; and is not equal to it, as far as it must not. */
static void check_order(struct worker *k, const struct key *key, uint32_t page)
{
	const struct index *i = k->tree->index;
	/* a row of a WITHOUT ROWID table is in order by its primary key alone */
	uint32_t n = k->tree->table != NULL ? i->key_columns : i->columns, same;
	bool null = false;
	int c;

	if (!k->has_before || !i->order_known || k->w->sifting)
		return;
	c = record_compare(&k->before, key, i->order, n, k->w->o->plan->encoding, &same);
	if (c > 0) {
		bad(k, DAMAGE_ORDER, page, "on page %" PRIu32, page);
	} else if (same >= i->key_columns && (i->unique || c == 0)) {
		for (uint32_t j = 0; j < i->key_columns && i->unique && same < n; j++)
			null = null || record_kind(key->fields[j].type, key->p + key->fields[j].at) == KIND_NULL;
		if (!null)
			bad(k, DAMAGE_UNIQUE, page, "on page %" PRIu32, page);
	}
}

/* Decodes a key that is in memory into the half of the pair that is free. */
static bool take_key(struct worker *k, const unsigned char *p, uint32_t len, uint32_t page, struct key *key)
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

static void keep_key(struct worker *k, const struct key *key)
{
	k->before = *key;
	k->has_before = true;
	k->turn ^= 1;
}

/* An entry of an index: a cell of a leaf or of an interior page. */
static void check_entry(struct worker *k, const struct btree_cell *c, uint32_t page)
{
	const struct index *i = k->tree->index;
	const unsigned char *p;
	const struct field *last;
	struct key key;
	uint64_t hash;

	if (!k->w->o->full) {
		if (c->overflow != 0)
			payload(k, c, page, 0, NULL, false);
		return;
	}
	p = payload(k, c, page, c->payload, &k->key_bytes[k->turn], false);
	if (p == NULL || !take_key(k, p, c->payload, page, &key))
		return;
	check_order(k, &key, page);
	hash = hash_start(&k->w->o->plan->secret);
	for (uint32_t j = 0; j < key.count; j++)
		hash = hash_column(&k->w->o->plan->secret, hash,
				   hash_field(&k->w->o->plan->secret, key.fields[j].type, p + key.fields[j].at));
	last = &key.fields[key.count - 1];
	count_entry(k, i, 0, hash, i->has_rowid ? record_int(last->type, p + last->at) : 0, -1);
	keep_key(k, &key);
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

/* One value of a row against what its column may hold. p are its bytes. */
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
static void count_row(struct worker *k, struct table *t, int64_t where)
{
	const struct secret *secret = &k->w->o->plan->secret;

	for (const struct index *i = t->indexes; i != NULL; i = i->next) {
		uint64_t hash = hash_start(secret);

		if (i->slots == NULL)
			continue;
		for (uint32_t j = 0; j < i->columns; j++)
			hash = hash_column(secret, hash, k->hashes[i->slots[j]]);
		count_entry(k, i, i->number, hash, i->has_rowid ? where : 0, 1);
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
		p = payload(k, c, page, header, &k->row_bytes, claimed);
		if (p == NULL)
			return;
		claimed = true;
		have = header;
		got = record_header(p, have, c->payload, k->fields, t->stored_count, &count, &header);
	}
	if (got == RECORD_OK && have < c->payload)
		need = needed_bytes(t, k->fields, count);
	if (have < c->payload && (!claimed || need > have)) {
		p = payload(k, c, page, need, &k->row_bytes, claimed);
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
		}
	}
	if (t->rowid_slot >= 0)
		k->hashes[t->rowid_slot] = hash_int(secret, where);
	if (k->w->o->full)
		count_row(k, t, where);
}

/* A cell of a leaf of a table: 1.6, rowids ascend. */
static void check_rowid_cell(struct worker *k, const struct btree_cell *c, uint32_t page)
{
	if (k->has_low && c->rowid <= k->low)
		bad(k, DAMAGE_ROWID, page, "%" PRId64 " behind %" PRId64 " on page %" PRIu32, c->rowid, k->low, page);
	k->low = c->rowid;
	k->has_low = true;
	check_row(k, c, page, c->rowid, false);
}

/* A cell of a b-tree whose keys are records: an entry, or a row of a WITHOUT ROWID table, which is both. */
static void check_key_cell(struct worker *k, const struct btree_cell *c, uint32_t page)
{
	struct key key;
	const unsigned char *p;

	if (k->tree->table == NULL) {
		check_entry(k, c, page);
		return;
	}
	if (k->w->o->full) {
		p = payload(k, c, page, c->payload, &k->key_bytes[k->turn], false);
		if (p == NULL)
			return;
		if (take_key(k, p, c->payload, page, &key)) {
			check_order(k, &key, page);
			keep_key(k, &key);
		}
	}
	check_row(k, c, page, page, k->w->o->full);
}

/* ---- b-trees ---- */

static void visit(struct worker *k, uint32_t number, uint32_t parent, unsigned depth);

static void push(struct walk *w, const struct unit *u)
{
	pthread_mutex_lock(&w->lock);
	if (w->unit_count == w->unit_room) {
		size_t room = w->unit_room > 0 ? 2 * w->unit_room : 64;
		struct unit *more = realloc(w->units, room * sizeof *more);

		if (more == NULL) {
			pthread_mutex_unlock(&w->lock);
			out_of_memory(w);
			return;
		}
		w->units = more;
		w->unit_room = room;
	}
	w->units[w->unit_count++] = *u;
	pthread_cond_signal(&w->more);
	pthread_mutex_unlock(&w->lock);
}

/*
 * The key that everything below the last children of frame d must stay below: the next separator on the way
 * up, or that of the unit. False when it is too long to be handed on.
 */
static bool bound_of(struct worker *k, unsigned d, struct unit *u)
{
	struct btree_cell c;
	const unsigned char *from = NULL;

	u->bounded = false;
	while (d-- > k->base) {
		struct frame *f = &k->frames[d];

		if (f->child >= f->page.cells)
			continue;
		if (btree_cell(&f->page, f->child, &c) != NULL || c.local_len < c.payload)
			return false;
		u->bounded = true;
		u->high = c.rowid;
		u->high_len = c.payload;
		from = c.local;
		break;
	}
	if (!u->bounded && k->unit->bounded) {
		u->bounded = true;
		u->high = k->unit->high;
		u->high_len = k->unit->high_len;
		from = k->unit->high_key;
	}
	u->high_key = NULL;
	if (u->bounded && !k->tree->rowids) {
		u->high_key = malloc(u->high_len + 1);
		if (u->high_key == NULL)
			return false;
		memcpy(u->high_key, from, u->high_len);
	}
	return true;
}

/* A thread has nothing to do: it gets half of the children that we have not begun, as near the root as any. */
static void give(struct worker *k, unsigned depth)
{
	for (unsigned d = k->base; d <= depth; d++) {
		struct frame *f = &k->frames[d];
		unsigned left = f->end - f->child - 1, mid = f->child + 1 + left / 2;
		struct unit u = { .what = UNIT_CHILDREN, .tree = k->tree, .page = f->number, .depth = d,
				  .first = mid, .end = f->end };

		if (left == 0 || (d == depth && left < GIVE_LEAVES))
			continue;
		/* a range that ends before the rightmost child ends with a separator of its own */
		if (f->end > f->page.cells && !bound_of(k, d, &u))
			continue;
		f->end = mid;
		push(k->w, &u);
		return;
	}
}

/* The separator behind child i of an interior page (1.6): of rowids just a bound, of records an entry. */
static void check_separator(struct worker *k, const struct frame *f, unsigned i)
{
	struct btree_cell c;

	if (btree_cell(&f->page, i, &c) != NULL)
		return;	/* told when the page was opened */
	if (!f->page.table) {
		k->tree->entries++;
		check_key_cell(k, &c, f->number);
		return;
	}
	if (k->has_low && c.rowid < k->low)
		bad(k, DAMAGE_ROWID, f->number, "%" PRId64 " behind %" PRId64 " on page %" PRIu32, c.rowid, k->low,
		    f->number);
	k->low = c.rowid;
	k->has_low = true;
}

/* The children from f->child on, and the separators between them. */
static void visit_children(struct worker *k, unsigned depth)
{
	struct frame *f = &k->frames[depth];
	struct btree_cell c;

	for (; f->child < f->end && !k->w->stopping; f->child++) {
		uint32_t child = f->page.right;

		if (k->w->idle > 0 && k->w->unit_count == 0)
			give(k, depth);
		if (f->child < f->page.cells)
			child = btree_cell(&f->page, f->child, &c) == NULL ? c.child : 0;
		if (child != 0 || f->child == f->page.cells)
			visit(k, child, f->number, depth + 1);
		if (f->child < f->page.cells)
			check_separator(k, f, f->child);
	}
}

/* 1.6: all leaves are equally deep; the first one that is met says how deep. */
static void check_leaf_depth(struct worker *k, uint32_t number, unsigned depth)
{
	uint32_t first = k->tree->leaf_depth;

	if (first == 0 && atomic_compare_exchange_strong(&k->tree->leaf_depth, &first, depth + 1))
		first = depth + 1;
	if (first != depth + 1)
		bad(k, DAMAGE_DEPTH, number, "page %" PRIu32, number);
}

/* The cells of a page as bytes: each within the page, none over another, all bytes accounted for. */
static bool check_bytes(struct worker *k, const struct btree_page *p, uint32_t number)
{
	const char *why = NULL;
	struct btree_cell c;
	bool sound = true;

	btree_cover_start(&k->cover, p);
	for (uint32_t i = 0; i < p->cells; i++) {
		const char *cell_why = btree_cell(p, i, &c);

		if (cell_why == NULL) {
			btree_cover_add(&k->cover, &c);
		} else {
			why = cell_why;
			sound = false;
		}
	}
	if (sound)
		why = btree_cover_end(&k->cover, p);
	if (why != NULL)
		bad(k, DAMAGE_PAGE, number, "page %" PRIu32 ": %s", number, why);
	return why == NULL;
}

static void check_leaf(struct worker *k, const struct btree_page *p, uint32_t number)
{
	const char *why = NULL;
	struct btree_cell c;

	btree_cover_start(&k->cover, p);
	for (uint32_t i = 0; i < p->cells && !k->w->stopping; i++) {
		why = btree_cell(p, i, &c);
		if (why != NULL)
			break;
		btree_cover_add(&k->cover, &c);
		if (p->table)
			check_rowid_cell(k, &c, number);
		else
			check_key_cell(k, &c, number);
	}
	if (why == NULL)
		why = btree_cover_end(&k->cover, p);
	if (why != NULL)
		bad(k, DAMAGE_PAGE, number, "page %" PRIu32 ": %s", number, why);
	k->tree->entries += p->cells;
}

/* Reads page `number` into the frame. False when it is no page of this tree (told). */
static bool open_frame(struct worker *k, struct frame *f, uint32_t number)
{
	const char *why;

	if (f->bytes == NULL && (f->bytes = malloc(k->w->pages.size)) == NULL) {
		out_of_memory(k->w);
		return false;
	}
	if (read_at(k, f->bytes, k->w->pages.size, number, 0) != 0)
		return false;
	f->number = number;
	why = btree_page(&f->page, f->bytes, k->w->pages.usable, number);
	if (why == NULL && f->page.table != k->tree->rowids)
		why = "it is of the wrong kind of b-tree";
	if (why != NULL)
		bad(k, DAMAGE_PAGE, number, "page %" PRIu32 ": %s", number, why);
	f->child = 0;
	f->end = f->page.cells + 1;
	return why == NULL;
}

/* A page and everything below it. */
static void visit(struct worker *k, uint32_t number, uint32_t parent, unsigned depth)
{
	struct frame *f;

	if (must_stop(k))
		return;
	if (depth == DEPTH_MAX) {
		bad(k, DAMAGE_DEPTH, number, "page %" PRIu32 ", deeper than SQLite goes", number);
		return;
	}
	if (!claim(k, number, depth == 0 ? MAP_ROOT : MAP_BTREE, parent))
		return;
	f = &k->frames[depth];
	if (!open_frame(k, f, number))
		return;
	if (f->page.leaf) {
		check_leaf_depth(k, number, depth);
		check_leaf(k, &f->page, number);
	} else {
		check_bytes(k, &f->page, number);
		visit_children(k, depth);
	}
}

/* ---- units of work ---- */

static void walk_tree(struct worker *k)
{
	k->base = 0;
	visit(k, k->tree->root, 0, 0);
}

/* Children of an interior page that another thread has opened and found good. */
static void walk_children(struct worker *k)
{
	struct unit *u = k->unit;
	struct frame *f = &k->frames[u->depth];
	struct btree_cell c;
	struct key high;

	k->base = u->depth;
	if (!open_frame(k, f, u->page))
		goto out;
	f->child = u->first;
	f->end = u->end;
	/* the separator before the first of them was counted by whom we have them from */
	if (btree_cell(&f->page, u->first - 1, &c) == NULL) {
		if (f->page.table) {
			k->low = c.rowid;
			k->has_low = true;
		} else if (k->w->o->full) {
			const unsigned char *p = payload(k, &c, u->page, c.payload, &k->key_bytes[k->turn], true);
			struct key key;

			if (p != NULL && take_key(k, p, c.payload, u->page, &key))
				keep_key(k, &key);
		}
	}
	visit_children(k, u->depth);
	if (u->bounded && f->page.table && k->has_low && k->low > u->high)
		bad(k, DAMAGE_ROWID, u->page, "%" PRId64 " before %" PRId64 " on page %" PRIu32, k->low, u->high, u->page);
	if (u->bounded && !f->page.table && k->w->o->full &&
	    take_key(k, u->high_key, u->high_len, u->page, &high))
		check_order(k, &high, u->page);
out:
	free(u->high_key);
}

/* 1.5: trunk pages, each with the number of the next one, a count, and so many numbers of leaves. */
static void walk_freelist(struct worker *k)
{
	const struct sqlite_header *h = k->w->o->header;
	uint32_t trunk = h->freelist_trunk, from = 1, n;
	uint64_t pages = 0;
	struct frame *f = &k->frames[0];

	if (f->bytes == NULL && (f->bytes = malloc(k->w->pages.size)) == NULL) {
		out_of_memory(k->w);
		return;
	}
	while (trunk != 0 && !must_stop(k)) {
		if (!claim(k, trunk, MAP_FREE, from) || read_at(k, f->bytes, k->w->pages.size, trunk, 0) != 0)
			return;
		pages++;
		n = btree_u32(f->bytes + 4);
		if (n > k->w->pages.usable / 4 - 2) {
			bad(k, DAMAGE_FREELIST, trunk, "trunk page %" PRIu32 " lists %" PRIu32 " leaves", trunk, n);
			return;
		}
		for (uint32_t i = 0; i < n; i++)
			claim(k, btree_u32(f->bytes + 8 + 4 * i), MAP_FREE, trunk);
		pages += n;
		from = trunk;
		trunk = btree_u32(f->bytes);
	}
	if (pages != h->freelist_count && !k->w->stopping)
		bad(k, DAMAGE_FREELIST, 1, "%" PRIu64 " pages, %" PRIu32 " in the header", pages, h->freelist_count);
}

/* SQLite could not do what it was asked to. */
static void sql_failed(struct worker *k, int rc)
{
	const char *why = k->db != NULL ? sqlite3_errmsg(k->db) : sqlite3_errstr(rc);

	if ((rc & 0xff) == SQLITE_CORRUPT)
		bad(k, DAMAGE_RECORD, 0, "SQLite: %s", why);
	else if ((rc & 0xff) != SQLITE_INTERRUPT)
		unjudged(k->w, "table %.60s: SQLite: %s", k->tree->name, why);
}

static int open_sql(struct worker *k)
{
	if (k->db != NULL)
		return SQLITE_OK;
	return untrusted_open(k->w->o->path, look, k->w, &k->db);
}

/* One row of what only SQLite can compute. */
static void take_computed(struct worker *k, struct table *t, sqlite3_stmt *s, int64_t row)
{
	const struct plan *plan = k->w->o->plan;
	int column = (int)t->demand_count;

	for (uint32_t i = 0; i < t->demand_count && !k->w->sifting; i++)
		if (sqlite3_column_int(s, (int)i) == 1)
			bad(k, t->demands[i].kind, row, "%.100s", t->demands[i].text);
	if (!k->w->o->full)
		return;
	for (struct index *i = t->indexes; i != NULL; i = i->next) {
		uint64_t hash = hash_start(&plan->secret);
		bool in = true;

		if (!i->computed)
			continue;
		/* as in a WHERE clause: any number but zero is true */
		if (i->partial)
			in = sqlite3_column_double(s, column++) != 0.0;
		for (uint32_t j = 0; j < i->columns; j++, column++)
			if (in)
				hash = hash_column(&plan->secret, hash, plan_hash(plan, s, column));
		if (in)
			count_entry(k, i, i->number, hash, i->has_rowid ? sqlite3_column_int64(s, column - 1) : 0, 1);
	}
}

/* What only SQLite can compute of a table. False when it could not. */
static bool compute(struct worker *k)
{
	struct table *t = k->tree->table;
	sqlite3_stmt *s = NULL;
	int64_t row = 0;
	int rc = open_sql(k);

	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(k->db, t->sql, -1, &s, NULL);
	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		rc = sqlite3_step(s);
		if (rc == SQLITE_ROW)
			take_computed(k, t, s, ++row);
	}
	sqlite3_finalize(s);
	if (rc == SQLITE_DONE)
		return true;
	t->sql_failed = true;
	/* too much for one statement; of SQLite's own check we need no more than that of the indexes */
	if (((rc & 0xff) == SQLITE_ERROR || (rc & 0xff) == SQLITE_TOOBIG) && t->demand_count == 0)
		t->fallback = true;
	else
		sql_failed(k, rc);
	return false;
}

/* ---- threads ---- */

/* The next table of which only SQLite can compute something; NULL when there is none left. */
static struct table *next_sql(struct walk *w)
{
	struct table *t;

	pthread_mutex_lock(&w->lock);
	for (t = w->sql_next; t != NULL && t->sql == NULL; t = t->next)
		;
	w->sql_next = t != NULL ? t->next : NULL;
	pthread_mutex_unlock(&w->lock);
	return t;
}

/* Table after table; or, when only differences matter, the one table at hand. */
static void walk_sql(struct worker *k)
{
	struct table *t = k->w->sifting ? k->tree->table : next_sql(k->w);

	for (; t != NULL && look(k->w) == 0; t = k->w->sifting ? NULL : next_sql(k->w)) {
		k->tree = &t->tree;
		if (prepare(k) && compute(k))
			hand_in_sums(k);
	}
}

static void run(struct worker *k, struct unit *u)
{
	static struct tree freelist = { .type = "free list" };

	k->unit = u;
	k->tree = u->what == UNIT_FREELIST ? &freelist : u->tree;
	if (look(k->w) != 0 || (k->tree != NULL && !prepare(k))) {
		free(u->high_key);
		return;
	}
	switch (u->what) {
	case UNIT_TREE:
		walk_tree(k);
		hand_in_sums(k);
		break;
	case UNIT_CHILDREN:
		walk_children(k);
		hand_in_sums(k);
		break;
	case UNIT_SQL:
		walk_sql(k);
		break;
	case UNIT_FREELIST:
		walk_freelist(k);
		break;
	}
}

/* Takes units until there are none and nobody is at work who could give one. */
static void *work(void *walk)
{
	struct walk *w = walk;
	struct worker *k = calloc(1, sizeof *k);
	struct unit u;

	if (k == NULL) {
		out_of_memory(w);
		return NULL;
	}
	k->w = w;
	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (w->unit_count == 0 && w->busy > 0) {
			w->idle++;
			pthread_cond_wait(&w->more, &w->lock);
			w->idle--;
		}
		if (w->unit_count == 0)
			break;
		u = w->units[--w->unit_count];
		w->busy++;
		pthread_mutex_unlock(&w->lock);
		run(k, &u);
		pthread_mutex_lock(&w->lock);
		w->busy--;
	}
	pthread_cond_broadcast(&w->more);
	pthread_mutex_unlock(&w->lock);

	for (unsigned d = 0; d < DEPTH_MAX; d++)
		free(k->frames[d].bytes);
	for (int i = 0; i < 2; i++) {
		free(k->key_fields[i]);
		free(k->key_bytes[i].p);
	}
	free(k->map);
	free(k->fields);
	free(k->row_bytes.p);
	free(k->hashes);
	free(k->sums);
	sqlite3_close(k->db);
	free(k);
	return NULL;
}

static void run_units(struct walk *w, unsigned jobs)
{
	pthread_t threads[64];
	unsigned n = 0;

	while (n + 1 < jobs && n < sizeof threads / sizeof *threads &&
	       pthread_create(&threads[n], NULL, work, w) == 0)
		n++;
	work(w);
	while (n > 0)
		pthread_join(threads[--n], NULL);
}

/* ---- the whole ---- */

static void check_unused(struct walk *w)
{
	uint32_t first, unused = pages_unused(&w->pages, &first);

	if (unused > 0)
		damage_add(w->o->damage, "file", NULL, DAMAGE_UNUSED, unused, first, "page %" PRIu32, first);
}

/* 1.3.12: in an auto_vacuum database the header says which root page is the largest. */
static void check_largest_root(struct walk *w)
{
	uint32_t largest = 1, in_header = w->o->header->largest_root;

	for (struct table *t = w->o->plan->tables; t != NULL; t = t->next) {
		largest = t->tree.root > largest ? t->tree.root : largest;
		for (struct index *i = t->indexes; i != NULL; i = i->next)
			largest = i->tree.root > largest ? i->tree.root : largest;
	}
	if (in_header != 0 && in_header != largest)
		damage_add(w->o->damage, "file", NULL, DAMAGE_POINTER, 1, 1,
			   "largest root page %" PRIu32 ", %" PRIu32 " in the header", largest, in_header);
}

/* Damage that makes a comparison of entries and rows pointless: it was told, and more would only hide it. */
static bool is_broken(struct walk *w, const struct tree *t)
{
	return damage_has(w->o->damage, t->name, DAMAGE_PAGE, DAMAGE_RECORD);
}

/* Can the entries of this index be compared with what the rows demand? */
static bool is_comparable(struct walk *w, const struct table *t, const struct index *i)
{
	if (is_broken(w, &t->tree) || is_broken(w, &i->tree) || t->tree.too_long || i->tree.too_long)
		return false;
	return i->slots != NULL || (i->computed && !t->sql_failed);
}

static bool differs(const struct index *i)
{
	return i->expected.count != i->found.count || i->expected.sum != i->found.sum;
}

struct difference {
	struct walk *w;
	const struct index *index;
	bool told;
};

static void tell_difference(void *ctx, int count, int64_t row)
{
	struct difference *d = ctx;
	const struct index *i = d->index;
	enum damage_kind kind = count > 0 ? DAMAGE_MISSING : DAMAGE_EXTRA;

	d->told = true;
	if (i->has_rowid)
		damage_add(d->w->o->damage, "index", i->tree.name, kind, 1, row, "row %" PRId64, row);
	else
		damage_add(d->w->o->damage, "index", i->tree.name, kind, 1, 0, "%" PRIu64 " entries for %" PRIu64 " rows",
			   (uint64_t)i->found.count, (uint64_t)i->expected.count);
}

/* Some indexes do not agree with their tables: those are walked again, to see what differs. */
static void sift(struct walk *w)
{
	pages_clear(&w->pages);
	w->sifting = true;
	for (struct table *t = w->o->plan->tables; t != NULL; t = t->next) {
		bool by_rows = false, by_sql = false;
		unsigned sieves = 0;

		for (struct index *i = t->indexes; i != NULL && sieves < SIEVES_MAX; i = i->next) {
			if (!is_comparable(w, t, i) || !differs(i) || (i->sieve = sieve_new()) == NULL)
				continue;
			sieves++;
			by_rows = by_rows || i->slots != NULL;
			by_sql = by_sql || i->computed;
			push(w, &(struct unit){ .what = UNIT_TREE, .tree = &i->tree });
		}
		if (by_rows)
			push(w, &(struct unit){ .what = UNIT_TREE, .tree = &t->tree });
		if (by_sql)
			push(w, &(struct unit){ .what = UNIT_SQL, .tree = &t->tree });
		/* one table at a time, by one thread: sieves are large, and not shared */
		run_units(w, 1);
		for (struct index *i = t->indexes; i != NULL; i = i->next) {
			struct difference d = { w, i, false };

			if (!is_comparable(w, t, i) || !differs(i))
				continue;
			/* told in any case, listed or not */
			if (i->sieve == NULL || w->stopping || !sieve_list(i->sieve, tell_difference, &d) || !d.told)
				damage_add(w->o->damage, "index", i->tree.name, DAMAGE_COUNT, 1, 0,
					   "%" PRIu64 " entries for %" PRIu64 " rows, whose differences cannot all be listed",
					   (uint64_t)i->found.count, (uint64_t)i->expected.count);
			sieve_free(i->sieve);
			i->sieve = NULL;
		}
	}
	w->sifting = false;
}

/* Without its collation nobody can tell what an index ought to be. */
static void need_collations(struct walk *w, const struct index *i, const struct tree *tree)
{
	if (!i->order_known)
		unjudged(w, "%s %.60s: a collation of the application's own", tree->type, tree->name);
}

static bool compare_indexes(struct walk *w)
{
	bool differ = false;

	for (struct table *t = w->o->plan->tables; t != NULL; t = t->next) {
		if (t->tree.index != NULL)
			need_collations(w, t->tree.index, &t->tree);
		for (struct index *i = t->indexes; i != NULL; i = i->next) {
			uint64_t rows = t->tree.entries, entries = i->tree.entries;

			if (w->o->full && is_comparable(w, t, i))
				differ = differ || differs(i);
			else if (!i->partial && rows != entries && !is_broken(w, &t->tree) && !is_broken(w, &i->tree))
				damage_add(w->o->damage, "index", i->tree.name, DAMAGE_COUNT,
					   rows > entries ? rows - entries : entries - rows, 0,
					   "%" PRIu64 " entries for %" PRIu64 " rows", entries, rows);
			need_collations(w, i, &i->tree);
		}
	}
	return differ;
}

/* SQLite's own check of one table, for what we cannot do. */
static void fall_back(struct walk *w, struct table *t)
{
	struct worker k = { .w = w, .tree = &t->tree };
	const char *check = w->o->full ? "integrity_check" : "quick_check";
	char *sql = sqlite3_mprintf("PRAGMA main.%s(\"%w\")", check, t->tree.name);
	sqlite3_stmt *s = NULL;
	int rc = sql != NULL ? open_sql(&k) : SQLITE_NOMEM;

	msg_info("table %s: left to SQLite's %s", t->tree.name, check);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(k.db, sql, -1, &s, NULL);
	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		rc = sqlite3_step(s);
		if (rc == SQLITE_ROW) {
			const char *text = (const char *)sqlite3_column_text(s, 0);

			if (text == NULL || strcmp(text, "ok") != 0)
				bad(&k, DAMAGE_RECORD, 0, "SQLite: %s", text != NULL ? text : "no answer");
		}
	}
	if (rc != SQLITE_DONE)
		sql_failed(&k, rc);
	sqlite3_finalize(s);
	sqlite3_close(k.db);
	sqlite3_free(sql);
}

static bool must_fall_back(const struct table *t)
{
	bool too_long = t->tree.too_long;

	for (const struct index *i = t->indexes; i != NULL; i = i->next)
		too_long = too_long || i->tree.too_long;
	return t->fallback || too_long;
}

struct walk *walk_new(const struct walk_options *o)
{
	struct walk *w = calloc(1, sizeof *w);

	if (w == NULL)
		return NULL;
	w->o = o;
	/* two buffers for keys and one for rows */
	w->overflow_room = OVERFLOW_MEMORY / (3 * o->jobs);
	if (pages_init(&w->pages, o->header) != 0) {
		free(w);
		return NULL;
	}
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->more, NULL);
	return w;
}

void walk_free(struct walk *w)
{
	if (w == NULL)
		return;
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->more);
	free(w->units);
	pages_free(&w->pages);
	free(w);
}

/* Each thread that needs SQLite has a connection, and each connection the whole schema in memory. */
static unsigned sql_threads(const struct walk *w)
{
	uint64_t fit = SQL_MEMORY / (w->o->plan->schema_bytes + UNTRUSTED_MEMORY);

	return fit < 1 ? 1 : fit > w->o->jobs ? w->o->jobs : (unsigned)fit;
}

void walk_schema(struct walk *w)
{
	push(w, &(struct unit){ .what = UNIT_TREE, .tree = &w->o->plan->tables->tree });
	run_units(w, 1);
}

void walk_all(struct walk *w)
{
	/* a stack: what can be divided last is begun last */
	for (struct table *t = w->o->plan->tables->next; t != NULL; t = t->next) {
		push(w, &(struct unit){ .what = UNIT_TREE, .tree = &t->tree });
		for (struct index *i = t->indexes; i != NULL; i = i->next)
			push(w, &(struct unit){ .what = UNIT_TREE, .tree = &i->tree });
	}
	push(w, &(struct unit){ .what = UNIT_FREELIST });
	w->sql_next = w->o->plan->tables;
	for (unsigned i = sql_threads(w); i > 0; i--)
		push(w, &(struct unit){ .what = UNIT_SQL });
	run_units(w, w->o->jobs);
	if (w->stopping)
		return;
	check_unused(w);
	check_largest_root(w);
	for (struct table *t = w->o->plan->tables; t != NULL; t = t->next)
		if (must_fall_back(t))
			fall_back(w, t);
	if (compare_indexes(w))
		sift(w);
}

const char *walk_unjudged(const struct walk *w)
{
	return w->unjudged;
}

bool walk_stopped(const struct walk *w)
{
	return w->stopped;
}
