#include "lib/std.h"

#include <sys/random.h>

#include "lib/clock.h"
#include "lib/dropbox/headreg.h"
#include "lib/msg.h"

#define RECORD_MAX ((size_t)64 << 10)

struct reading {
	struct buf text;
	char rev[HEAD_REV];
	int64_t size, server_modified;
	char hash[HASH_TEXT];
};

static int begin(void *ctx, const struct dropbox_meta *m)
{
	struct reading *r = ctx;

	/* also after a cut answer: the next try starts over */
	buf_clear(&r->text);
	snprintf(r->rev, sizeof r->rev, "%s", m->rev);
	snprintf(r->hash, sizeof r->hash, "%s", m->content_hash);
	r->size = m->size;
	r->server_modified = m->server_modified;
	if (m->size <= (int64_t)RECORD_MAX)
		return EX_OK;
	msg_err(HEADREG_PATH, "too large for a head record (%lld bytes)", (long long)m->size);
	return EX_DATAERR;
}

static int take(void *ctx, const void *data, size_t len)
{
	struct reading *r = ctx;

	if (buf_add(&r->text, data, len) == 0)
		return EX_OK;
	msg_err(HEADREG_PATH, "longer than Dropbox says");
	return EX_PROTOCOL;
}

static bool content_hash(const char *data, size_t len, char text[HASH_TEXT])
{
	struct content_hash *h = content_hash_new();

	if (h == NULL) {
		msg_err(NULL, "out of memory");
		return false;
	}
	content_hash_add(h, data, len);
	content_hash_end(h, text);
	content_hash_free(h);
	return true;
}

static bool is_newer_schema(const char *text, size_t len)
{
	json *j = json_parse(text, len);
	int64_t schema;
	bool newer = json_int(j, "schema", HEAD_SCHEMA + 1, HEAD_MOST, &schema);

	json_free(j);
	return newer;
}

static int understand(const struct reading *r, struct headreg *out)
{
	char hash[HASH_TEXT], why[HEAD_WHY];

	if (!content_hash(buf_text(&r->text), r->text.len, hash))
		return EX_SOFTWARE;
	if ((int64_t)r->text.len != r->size || strcmp(hash, r->hash) != 0) {
		msg_err(HEADREG_PATH, "arrived damaged");
		return EX_DATAERR;
	}
	if (!head_parse(buf_text(&r->text), r->text.len, &out->head, why)) {
		msg_err(HEADREG_PATH, "not a head record: %s", why);
		out->head = (struct head){ .epoch = 0 };
		if (is_newer_schema(buf_text(&r->text), r->text.len))
			return EX_DATAERR;
		msg_hint("it is left as it is; when it is certain who serves: mirror-head anew --owner NAME");
	}
	memcpy(out->rev, r->rev, sizeof out->rev);
	out->server_modified = r->server_modified;
	out->exists = true;
	return out->head.epoch > 0 ? EX_OK : EX_DATAERR;
}

int headreg_read(struct dropbox *d, struct http *h, struct headreg *out)
{
	json *arg = json_object();
	struct reading r = { .text = BUF_INIT(RECORD_MAX) };
	struct dropbox_call c = { .style = DROPBOX_DOWNLOAD, .route = "files/download", .arg = arg,
				  .begin = begin, .write = take, .ctx = &r };
	struct dropbox_answer a;
	int rc;

	*out = (struct headreg){ .exists = false };
	json_put_str(arg, "path", HEADREG_PATH);
	dropbox_do(d, h, &c, &a);
	if (a.rc == EX_OK)
		rc = understand(&r, out);
	else
		rc = a.rc == EX_NOINPUT ? EX_OK : dropbox_report(HEADREG_PATH, &a);
	out->asked_at = a.date;
	dropbox_answer_free(&a);
	json_free(arg);
	buf_free(&r.text);
	return rc;
}

static int fresh_nonce(char nonce[HEAD_NAME])
{
	unsigned char random[16];

	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
		msg_errno(NULL, "no random numbers");
		return EX_SOFTWARE;
	}
	for (size_t i = 0; i < sizeof random; i++)
		snprintf(nonce + 2 * i, 3, "%02x", random[i]);
	return EX_OK;
}

/*
 * strict_conflict, because without it an update of a deleted record would write; no autorename, because
 * that would write elsewhere and call it success.
 */
int headreg_swap(struct dropbox *d, struct http *h, const struct headreg *old, struct headreg *next, bool *won)
{
	json *arg = json_object(), *mode = json_object(), *record;
	struct dropbox_call c = { .style = DROPBOX_UPLOAD, .route = "files/upload", .arg = arg };
	struct dropbox_answer a = { .rc = EX_OK };
	char hash[HASH_TEXT], *text = NULL;
	struct headreg now;
	int rc = fresh_nonce(next->head.nonce);

	*won = false;
	json_put_str(mode, ".tag", old->exists ? "update" : "add");
	if (old->exists)
		json_put_str(mode, "update", old->rev);
	json_put_str(arg, "path", HEADREG_PATH);
	json_put(arg, "mode", mode);
	json_put_bool(arg, "autorename", false);
	json_put_bool(arg, "mute", true);
	json_put_bool(arg, "strict_conflict", true);
	if (rc != EX_OK)
		goto out;
	record = head_json(&next->head);
	text = json_text(record);
	json_free(record);
	if (!content_hash(text, strlen(text), hash)) {
		rc = EX_SOFTWARE;
		goto out;
	}
	json_put_str(arg, "content_hash", hash);
	c.body = text;
	c.body_len = strlen(text);
	dropbox_do(d, h, &c, &a);
	if (a.rc == EX_OK) {
		const char *rev = json_str(a.body, "rev"), *at = json_str(a.body, "server_modified");

		*won = true;
		next->exists = true;
		if (at == NULL || clock_parse(at, &next->server_modified) != NULL)
			next->server_modified = 0;
		snprintf(next->rev, sizeof next->rev, "%s", rev != NULL ? rev : "");
	} else if (strncmp(a.tag, "path/conflict", 13) != 0) {
		rc = dropbox_report(HEADREG_PATH, &a);
		if (a.lost)
			msg_hint("it may have been written all the same; running the same again finds out");
	} else if (a.lost) {
		/* the conflict may be with our own first try, whose answer never came */
		rc = headreg_read(d, h, &now);
		*won = rc == EX_OK && now.exists && strcmp(now.head.nonce, next->head.nonce) == 0;
		if (*won)
			*next = now;
	}
out:
	dropbox_answer_free(&a);
	json_free(arg);
	free(text);
	return rc;
}
