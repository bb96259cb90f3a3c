#include "lib/std.h"

#include "lib/dropbox/listing.h"
#include "lib/msg.h"

#define RESETS_MOST 3	/* how often Dropbox may ask to begin a listing afresh */

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

/* One listing to its last page, in the order in which it comes; *reset when it must begin afresh, not reported. */
static int read_pages(struct dropbox *d, struct http *h, const char *remote, bool recursive, struct listing *l,
		      bool *reset)
{
	json *arg = json_object();
	struct dropbox_call c = { .style = DROPBOX_RPC, .route = "files/list_folder", .arg = arg };
	bool more = true;
	int rc = EX_OK;

	*reset = false;
	json_put_str(arg, "path", strcmp(remote, "/") == 0 ? "" : remote);
	json_put_bool(arg, "recursive", recursive);
	while (more && rc == EX_OK) {
		struct dropbox_answer a;
		const char *cursor;

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
