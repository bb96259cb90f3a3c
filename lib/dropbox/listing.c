#include "lib/std.h"

#include "lib/clock.h"
#include "lib/dropbox/listing.h"
#include "lib/msg.h"

#define PAGE 2000	/* entries that we ask for at a time, the most that may be; unasked some 500 come, and each page is a call */
#define RESETS_MOST 3	/* how often Dropbox may ask to begin a listing afresh */
/* A server decides how long a listing is. Ours have some thousand entries; beyond one of these it is no listing. */
#define PAGES_MOST 2000
#define TEXT_MOST ((size_t)32 << 20)	/* bytes of all pages: some 70,000 entries */
#define STALLS_MOST 60			/* stall limits from the first page to the last: an hour */

void listing_free(struct listing *l)
{
	for (size_t i = 0; i < l->count; i++)
		json_free(l->at[i]);
	free(l->at);
	*l = (struct listing){ .at = NULL };
}

static int by_path(const void *a, const void *b)
{
	const json *const *x = a, *const *y = b;
	const char *p = json_str(*x, "path_lower"), *q = json_str(*y, "path_lower");

	return strcmp(p != NULL ? p : "", q != NULL ? q : "");
}

/* Sorts, and drops what stood on two pages. */
static void put_in_order(struct listing *l)
{
	size_t kept = 0;

	if (l->count > 0)
		qsort(l->at, l->count, sizeof *l->at, by_path);
	for (size_t i = 0; i < l->count; i++) {
		if (kept > 0 && by_path(&l->at[kept - 1], &l->at[i]) == 0)
			json_free(l->at[i]);
		else
			l->at[kept++] = l->at[i];
	}
	l->count = kept;
}

/* Takes the entries of one page, without what is deleted. */
static int take_page(struct listing *l, const json *page)
{
	for (const json *j = json_first(json_get(page, "entries")); j != NULL; j = json_next(j)) {
		if (strcmp(json_tag(j), "file") != 0 && strcmp(json_tag(j), "folder") != 0)
			continue;
		if (l->count == l->room) {
			size_t room = l->room > 0 ? 2 * l->room : 64;
			json **more = reallocarray(l->at, room, sizeof *more);

			if (more == NULL) {
				msg_err(NULL, "out of memory");
				return EX_SOFTWARE;
			}
			l->at = more;
			l->room = room;
		}
		l->at[l->count++] = json_copy(j);
	}
	return EX_OK;
}

/* How much of a listing has come. */
struct bounds {
	int64_t end_ms;		/* clock_ms() at which it must be whole */
	size_t pages, bytes;
};

/* Counts the page in a, which began with the cursor before. NULL, or why there cannot be another one. */
static const char *no_more(struct bounds *b, const struct dropbox_answer *a, const char *before)
{
	b->pages++;
	b->bytes += a->length;
	/* the same question has the same answer, for ever */
	if (before != NULL && strcmp(before, json_str(a->body, "cursor")) == 0)
		return "does not go on: each page names the same next one";
	return b->pages >= PAGES_MOST || b->bytes > TEXT_MOST || clock_ms() > b->end_ms ? "has no end" : NULL;
}

/* Reads a listing to its last page, in the order in which it comes; *reset when it must begin afresh, not reported. */
static int read_pages(struct dropbox *d, struct http *h, const char *remote, bool recursive, struct listing *l,
		      bool *reset)
{
	json *arg = json_object();
	struct dropbox_call c = { .style = DROPBOX_RPC, .route = "files/list_folder", .arg = arg };
	struct bounds bounds = { .end_ms = clock_ms() + STALLS_MOST * dropbox_stall(d) };
	bool more = true;
	int rc = EX_OK;

	*reset = false;
	json_put_str(arg, "path", strcmp(remote, "/") == 0 ? "" : remote);
	json_put_bool(arg, "recursive", recursive);
	json_put_int(arg, "limit", PAGE);
	while (more && rc == EX_OK) {
		struct dropbox_answer a;
		const char *cursor, *why;

		dropbox_do(d, h, &c, &a);
		rc = a.rc;
		cursor = json_str(a.body, "cursor");
		if (rc == EX_OK && (cursor == NULL || !json_is_array(json_get(a.body, "entries")))) {
			msg_err(remote, "the answer is not a listing");
			rc = EX_PROTOCOL;
		} else if (rc == EX_OK) {
			rc = take_page(l, a.body);
			/* a page may be empty and still not be the last */
			more = json_bool(a.body, "has_more", false);
			why = more ? no_more(&bounds, &a, json_str(arg, "cursor")) : NULL;
			if (why != NULL) {
				msg_err(remote, "the listing %s", why);
				rc = EX_PROTOCOL;
			}
			json_free(arg);
			arg = json_object();
			json_put_str(arg, "cursor", cursor);
			c.arg = arg;
			c.route = "files/list_folder/continue";
		} else if (strcmp(a.tag, "reset") == 0) {
			*reset = true;
		} else if (rc != EX_NOINPUT) {
			dropbox_report(remote, &a);
		}
		dropbox_answer_free(&a);
	}
	json_free(arg);
	return rc;
}

int listing_read(struct dropbox *d, struct http *h, const char *remote, bool recursive, struct listing *l)
{
	bool reset = true;
	int rc = EX_OK;

	*l = (struct listing){ .at = NULL };
	for (int i = 0; i < RESETS_MOST && reset; i++) {
		listing_free(l);
		rc = read_pages(d, h, remote, recursive, l, &reset);
	}
	if (reset)
		msg_err(remote, "Dropbox begins the listing afresh again and again");
	put_in_order(l);
	return rc;
}
