#include "lib/std.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>

#include "lib/file.h"
#include "lib/sqlite/untrusted.h"
#include "lib/sqlite/walk_inner.h"

#define LOOK_EVERY 64			/* pages between two looks at the clock */
#define OVERFLOW_MEMORY (12u << 20)	/* for keys and rows that overflow, shared out among the threads */
#define SQL_MEMORY (24u << 20)		/* for the connections of all threads, each with the schema */
#define GIVE_LEAVES 16			/* fewer pages than this are not worth another thread's trouble */

/* 1.8: the five kinds of page in a pointer map. */
enum pointer_map { MAP_ROOT = 1, MAP_FREE, MAP_OVERFLOW_FIRST, MAP_OVERFLOW, MAP_BTREE };

/* ---- what ends the walk ---- */

void walk_unjudge(struct walk *w, const char *fmt, ...)
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

void walk_out_of_memory(struct walk *w)
{
	walk_unjudge(w, "out of memory");
	w->stopping = true;
}

/* ---- pages, each once ---- */

int walk_look(void *walk)
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
	progress_add(w->sift != NULL ? NULL : w->o->progress, (uint64_t)LOOK_EVERY * w->pages.size);
	return walk_look(w) != 0;
}

/* The page at hand, or -1 after a read that failed (and ends the walk). */
static int read_at(struct worker *k, void *bytes, size_t len, uint32_t number, uint32_t offset)
{
	struct walk *w = k->w;
	ssize_t n = file_pread(w->o->fd, bytes, len, (off_t)(number - 1) * w->pages.size + offset);

	if (n == (ssize_t)len)
		return 0;
	if (n < 0)
		walk_unjudge(w, "cannot read page %" PRIu32 ": %s", number, strerror(errno));
	else
		walk_unjudge(w, "the file became shorter while it was read");
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
		walk_out_of_memory(k->w);
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

	if (w->sift != NULL || (map = pages_map(&w->pages, number, &offset)) == 0 || !read_map(k, map))
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
		walk_out_of_memory(w);
	}
	return b->p != NULL;
}

const unsigned char *walk_overflow(struct worker *k, const struct btree_cell *c, uint32_t page, uint32_t need,
				   struct buffer *b, bool claimed)
{
	struct walk *w = k->w;
	uint32_t each = w->pages.usable - 4, left = c->payload - c->local_len, next = c->overflow, from = page;
	uint32_t have = c->local_len;
	unsigned char link[4];
	bool keep = need > have, first = true;

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

/* ---- b-trees ---- */

static void visit(struct worker *k, uint32_t number, uint32_t parent, unsigned depth);

void walk_push(struct walk *w, const struct walk_unit *u)
{
	pthread_mutex_lock(&w->lock);
	if (w->unit_count == w->unit_room) {
		size_t room = w->unit_room > 0 ? 2 * w->unit_room : 64;
		struct walk_unit *more = realloc(w->units, room * sizeof *more);

		if (more == NULL) {
			pthread_mutex_unlock(&w->lock);
			walk_out_of_memory(w);
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
static bool bound_of(struct worker *k, unsigned d, struct walk_unit *u)
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
		struct walk_unit u = { .what = UNIT_CHILDREN, .tree = k->tree, .page = f->number, .depth = d,
				  .first = mid, .end = f->end };

		if (left == 0 || (d == depth && left < GIVE_LEAVES))
			continue;
		/* a range that ends before the rightmost child ends with a separator of its own */
		if (f->end > f->page.cells && !bound_of(k, d, &u))
			continue;
		f->end = mid;
		walk_push(k->w, &u);
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
		if (k->w->sift == NULL)
			k->tree->entries++;
		walk_key_cell(k, &c, f->number);
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
			walk_rowid_cell(k, &c, number);
		else
			walk_key_cell(k, &c, number);
	}
	/* of a page that was left in its middle the sum proves nothing */
	if (why == NULL && !k->w->stopping)
		why = btree_cover_end(&k->cover, p);
	if (why != NULL)
		bad(k, DAMAGE_PAGE, number, "page %" PRIu32 ": %s", number, why);
	if (k->w->sift == NULL)
		k->tree->entries += p->cells;
}

/* Reads page `number` into the frame. False when it is no page of this tree (told). */
static bool open_frame(struct worker *k, struct frame *f, uint32_t number)
{
	const char *why;

	if (f->bytes == NULL && (f->bytes = malloc(k->w->pages.size)) == NULL) {
		walk_out_of_memory(k->w);
		return false;
	}
	if (read_at(k, f->bytes, k->w->pages.size, number, 0) != 0)
		return false;
	f->number = number;
	why = btree_page(&f->page, f->bytes, k->w->pages.usable, number);
	if (why == NULL && k->tree->opaque && number == k->tree->root)
		k->tree->rowids = f->page.table;
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
	struct walk_unit *u = k->unit;
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
		} else if (k->w->o->full && !k->tree->opaque) {
			const unsigned char *p = walk_payload(k, &c, u->page, c.payload, &k->key_bytes[k->turn], true);
			struct key key;

			if (p != NULL && walk_take_key(k, p, c.payload, u->page, &key))
				walk_keep_key(k, &key);
		}
	}
	visit_children(k, u->depth);
	if (u->bounded && f->page.table && k->has_low && k->low > u->high)
		bad(k, DAMAGE_ROWID, u->page, "%" PRId64 " before %" PRId64 " on page %" PRIu32, k->low, u->high, u->page);
	if (u->bounded && !f->page.table && k->w->o->full && !k->tree->opaque &&
	    walk_take_key(k, u->high_key, u->high_len, u->page, &high))
		walk_check_order(k, &high, u->page);
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
		walk_out_of_memory(k->w);
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

/* ---- threads ---- */

static void run(struct worker *k, struct walk_unit *u)
{
	static struct tree freelist = { .type = "free list" };

	k->unit = u;
	k->tree = u->what == UNIT_FREELIST ? &freelist : u->tree;
	if (walk_look(k->w) != 0 || (k->tree != NULL && !walk_prepare(k))) {
		free(u->high_key);
		return;
	}
	switch (u->what) {
	case UNIT_TREE:
		walk_tree(k);
		walk_hand_in_sums(k);
		break;
	case UNIT_CHILDREN:
		walk_children(k);
		walk_hand_in_sums(k);
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
	struct walk_unit u;

	if (k == NULL) {
		walk_out_of_memory(w);
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

void walk_run(struct walk *w, unsigned jobs)
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
	uint32_t room = w->overflow_room;

	/* a single thread may use the memory of all for a long statement */
	w->overflow_room = OVERFLOW_MEMORY / 3;
	w->takes_schema = true;
	walk_push(w, &(struct walk_unit){ .what = UNIT_TREE, .tree = &w->o->plan->tables->tree });
	walk_run(w, 1);
	w->takes_schema = false;
	w->overflow_room = room;
	if (schema_sort(&w->o->plan->schema) != 0)
		walk_out_of_memory(w);
}

void walk_table(struct walk *w, struct table *t)
{
	walk_push(w, &(struct walk_unit){ .what = UNIT_TREE, .tree = &t->tree });
	walk_run(w, w->o->jobs);
}

/* Computes what SQLite had not memory enough for while several threads shared it. */
static void try_again(struct walk *w)
{
	w->last_try = true;
	for (struct table *t = w->o->plan->tables; t != NULL && !w->stopping; t = t->next) {
		if (!t->again)
			continue;
		walk_push(w, &(struct walk_unit){ .what = UNIT_SQL, .tree = &t->tree });
		walk_run(w, 1);
	}
}

void walk_all(struct walk *w)
{
	/* a stack: what can be divided last is begun last */
	for (struct table *t = w->o->plan->tables->next; t != NULL; t = t->next) {
		walk_push(w, &(struct walk_unit){ .what = UNIT_TREE, .tree = &t->tree });
		for (struct index *i = t->indexes; i != NULL; i = i->next)
			walk_push(w, &(struct walk_unit){ .what = UNIT_TREE, .tree = &i->tree });
	}
	walk_push(w, &(struct walk_unit){ .what = UNIT_FREELIST });
	w->sql_next = w->o->plan->tables;
	for (unsigned i = sql_threads(w); i > 0; i--)
		walk_push(w, &(struct walk_unit){ .what = UNIT_SQL });
	walk_run(w, w->o->jobs);
	if (w->stopping)
		return;
	check_unused(w);
	check_largest_root(w);
	try_again(w);
	if (!w->stopping)
		walk_judge_indexes(w);
}

const char *walk_unjudged(const struct walk *w)
{
	return w->unjudged;
}

bool walk_stopped(const struct walk *w)
{
	return w->stopped;
}
