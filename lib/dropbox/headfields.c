#include "lib/std.h"

#include <stddef.h>

#include "lib/clock.h"
#include "lib/dropbox/headfields.h"

/* Where a value stands, and what it is. */
struct source {
	struct headreg reg;
	struct head_newest newest;
};

enum kind {
	TEXT,		/* in place */
	LINK,		/* a pointer to it */
	LIST,		/* JSON; nothing is [] */
	NUMBER,
	TIME,
	/* 0 is nothing */
	SOME_NUMBER,
	SOME_TIME,
};

#define H(member) offsetof(struct source, reg.head.member)
#define C(member) offsetof(struct source, reg.head.change.member)
#define N(member) offsetof(struct source, newest.member)

static const struct row {
	const char *name;
	enum kind kind;
	size_t offset;
} rows[] = {
	{ "epoch", NUMBER, H(epoch) },
	{ "owner", TEXT, H(owner) },
	{ "seq", NUMBER, H(seq) },
	{ "nonce", TEXT, H(nonce) },
	{ "path", TEXT, H(path) },
	{ "rev", TEXT, H(rev) },
	{ "size", NUMBER, H(size) },
	{ "content_hash", TEXT, H(content_hash) },
	{ "snapshot_at", TIME, H(snapshot_at) },
	{ "page_size", NUMBER, H(page_size) },
	{ "page_count", NUMBER, H(page_count) },
	{ "verified", TEXT, H(verified) },
	{ "not_judged", LIST, H(not_judged) },
#define OLD_FIELDS 13
	{ "n", SOME_NUMBER, H(n) },
	{ "digest", TEXT, H(digest) },
	{ "object_path", TEXT, H(object_path) },
	{ "object", TEXT, H(object) },
	{ "change_n", SOME_NUMBER, C(n) },
	{ "change_path", TEXT, C(path) },
	{ "change_rev", TEXT, C(rev) },
	{ "change_size", SOME_NUMBER, C(size) },
	{ "change_object", TEXT, C(content_hash) },
	{ "change_snapshot_at", SOME_TIME, C(snapshot_at) },
	{ "change_page_count", SOME_NUMBER, C(page_count) },
	{ "change_digest", TEXT, C(digest) },
	{ "newest_n", SOME_NUMBER, N(n) },
	{ "newest_snapshot_at", SOME_TIME, N(snapshot_at) },
	{ "newest_digest", LINK, N(digest) },
	{ "newest_object", LINK, N(object) },
	{ "newest_path", LINK, N(path) },
	{ "confirmed_at", SOME_TIME, H(confirmed_at) },
	{ "suspect_n", SOME_NUMBER, H(suspect_n) },
	{ "suspect_why", TEXT, H(suspect_why) },
	{ "pace_seconds", SOME_NUMBER, H(pace_s) },
	{ "pace_why", TEXT, H(pace_why) },
#define LISTED_FIELDS 35
	{ "server_modified", SOME_TIME, offsetof(struct source, reg.server_modified) },
	{ "asked_at", SOME_TIME, offsetof(struct source, reg.asked_at) },
	{ "record_rev", TEXT, offsetof(struct source, reg.rev) },
};

#define ROWS (sizeof rows / sizeof *rows)
#define FIRST_OF_SNAPSHOT 4

const char *const *headfield_names(void)
{
	static const char *names[ROWS + 3];

	for (size_t i = 0; i < ROWS; i++)
		names[i] = rows[i].name;
	names[ROWS] = "size_text";
	names[ROWS + 1] = "base";
	return names;
}

int headfield_find(const char *name)
{
	for (size_t i = 0; i < ROWS; i++)
		if (strcmp(rows[i].name, name) == 0)
			return (int)i;
	return -1;
}

const char *headfield_value(const struct headreg *r, int field, char buf[HEADFIELD_TEXT])
{
	const struct row *row = &rows[field];
	const struct source from = { *r, head_newest(&r->head) };
	const char *in_place = (const char *)r + (row->offset - offsetof(struct source, reg)), *link = "";
	int64_t number = 0;

	/* before anything has been published there is no snapshot to speak of */
	if (field >= FIRST_OF_SNAPSHOT && field < OLD_FIELDS && r->head.path[0] == '\0')
		return "";
	switch (row->kind) {
	case TEXT:
		return in_place;
	case LIST:
		return *in_place != '\0' ? in_place : "[]";
	case LINK:
		memcpy(&link, (const char *)&from + row->offset, sizeof link);
		return link;
	default:
		memcpy(&number, (const char *)&from + row->offset, sizeof number);
	}
	if (number == 0 && (row->kind == SOME_NUMBER || row->kind == SOME_TIME))
		return "";
	if (row->kind == TIME || row->kind == SOME_TIME)
		return clock_text(buf, number);
	snprintf(buf, HEADFIELD_TEXT, "%lld", (long long)number);
	return buf;
}

/* Is it in the list that people read: of the record itself, and there, or of what every record has? */
static bool is_listed(size_t field, const char *value)
{
	return field < OLD_FIELDS || (field < LISTED_FIELDS && *value != '\0');
}

void headfield_list(const struct headreg *r, struct shell *s)
{
	char buf[HEADFIELD_TEXT];

	if (r->head.path[0] != '\0' && shell_asked(s))
		shell_size(s, "size_text", (uint64_t)r->head.size);
	for (size_t i = 0; i < ROWS; i++) {
		const char *text = headfield_value(r, (int)i, buf);

		if (shell_asked(s))
			shell_set(s, rows[i].name, text);
		else if (is_listed(i, text))
			printf("%s=%s\n", rows[i].name, text);
	}
}
