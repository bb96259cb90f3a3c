#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/dropbox/headmove.h"
#include "lib/dropbox/headseen.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/settings.h"
#include "lib/settingtable.h"

#define MEMORY_MAX ((size_t)64 << 10)

static char *memory_path(void)
{
	char *path = NULL;

	if (asprintf(&path, "%s/.head-seen.json", setting("state")) < 0) {
		msg_err(NULL, "out of memory");
		return NULL;
	}
	return path;
}

static bool parse(const char *text, size_t len, struct headreg *out)
{
	char why[HEAD_WHY], *record = NULL;
	json *j = json_parse(text, len);
	const char *rev = json_str(j, "rev"), *written = json_str(j, "server_modified");

	if (rev != NULL && strlen(rev) < sizeof out->rev && json_get(j, "record") != NULL) {
		record = json_text(json_get(j, "record"));
		out->exists = head_parse(record, strlen(record), &out->head, why);
		snprintf(out->rev, sizeof out->rev, "%s", rev);
		if (written == NULL || clock_parse(written, &out->server_modified) != NULL)
			out->server_modified = 0;
	}
	free(record);
	json_free(j);
	return out->exists;
}

int headseen_load(struct headreg *out)
{
	struct buf text = BUF_INIT(MEMORY_MAX);
	char *path = memory_path();
	struct stat st;
	int rc = EX_OK;

	*out = (struct headreg){ .exists = false };
	if (path == NULL)
		return EX_IOERR;
	if (lstat(path, &st) != 0) {
		if (errno != ENOENT) {
			rc = errno == EACCES ? EX_NOPERM : EX_IOERR;
			msg_errno(path, "cannot look at");
		}
		goto out;
	}
	if (access(path, R_OK) != 0 && errno == EACCES) {
		msg_errno(path, "cannot read");
		rc = EX_NOPERM;
		goto out;
	}
	rc = file_slurp(path, &text);
	if (rc != EX_OK) {
		rc = EX_IOERR;
	} else if (!parse(buf_text(&text), text.len, out)) {
		msg_err(path, "damaged: which head record was seen last is not known");
		msg_hint("when it is certain who serves: mirror-head anew --owner NAME");
		rc = EX_DATAERR;
	}
out:
	buf_free(&text);
	free(path);
	return rc;
}

static int write_memory(const struct headreg *r)
{
	char *path = memory_path(), *text = NULL;
	char at[CLOCK_TEXT];
	json *j = json_object();
	int rc = EX_IOERR;

	json_put_str(j, "rev", r->rev);
	if (r->server_modified != 0)
		json_put_str(j, "server_modified", clock_text(at, r->server_modified));
	json_put(j, "record", head_json(&r->head));
	text = json_text(j);
	json_free(j);
	if (path != NULL) {
		if (file_creatable(path) == 0) {
			rc = file_replace(path, 0644, text, strlen(text));
		} else {
			/* somebody who may not write the state directory, or a host without one */
			msg_info("%s: not remembered: %s", path, strerror(errno));
			rc = EX_OK;
		}
	}
	free(text);
	free(path);
	return rc;
}

/* Takes the lock of the state directory itself, for moments; -1 where there is none: then nothing is written either. */
static int lock_directory(void)
{
	int fd = open(setting("state"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		while (flock(fd, LOCK_EX) != 0 && errno == EINTR)
			;
	return fd;
}

int headseen_store(const struct headreg *r)
{
	int lock = lock_directory(), rc = EX_OK;
	struct headreg seen, keep = *r;
	int order;

	rc = headseen_load(&seen);
	if (rc == EX_OK) {
		order = head_order(&seen.head, &r->head);
		/* the chain is remembered until its owner writes it again */
		head_regain(&keep.head, &seen.head);
		if (!seen.exists || order < 0 || (order == 0 && strcmp(seen.rev, r->rev) != 0))
			rc = write_memory(&keep);
	}
	if (lock >= 0)
		close(lock);
	return rc;
}

int headseen_replace(const struct headreg *r)
{
	int lock = lock_directory(), rc = write_memory(r);

	if (lock >= 0)
		close(lock);
	return rc;
}

static bool same_publication(const struct head *a, const struct head *b)
{
	return strcmp(a->owner, b->owner) == 0 && strcmp(a->path, b->path) == 0 && strcmp(a->rev, b->rev) == 0 &&
	       a->size == b->size && strcmp(a->content_hash, b->content_hash) == 0 &&
	       a->snapshot_at == b->snapshot_at && a->page_size == b->page_size && a->page_count == b->page_count &&
	       strcmp(a->verified, b->verified) == 0;
}

/* Do two records name the same newest state? One that names none contradicts nothing. */
static bool same_state(const struct head *a, const struct head *b)
{
	return a->n == 0 || b->n == 0 ||
	       (strcmp(a->object, b->object) == 0 && strcmp(head_newest(a).object, head_newest(b).object) == 0);
}

/* `3.17 of pi2`, and the state where the two have one */
static const char *number(char buf[HEADSEEN_WHY / 3], const struct head *h, const struct head *other)
{
	int64_t n = head_newest(other).n > 0 ? head_newest(h).n : 0;

	if (n > 0)
		snprintf(buf, HEADSEEN_WHY / 3, "%lld.%lld.%lld of %s", (long long)h->epoch, (long long)h->seq, (long long)n, h->owner);
	else
		snprintf(buf, HEADSEEN_WHY / 3, "%lld.%lld of %s", (long long)h->epoch, (long long)h->seq, h->owner);
	return buf;
}

bool headseen_believes(const struct headreg *seen, const struct headreg *now, char why[HEADSEEN_WHY])
{
	const struct head *was = &seen->head, *is = &now->head;
	char of_was[HEADSEEN_WHY / 3], of_is[HEADSEEN_WHY / 3];
	int order = head_order(is, was);

	if (!seen->exists)
		return true;
	number(of_was, was, is);
	number(of_is, is, was);
	if (!now->exists)
		snprintf(why, HEADSEEN_WHY, "it is gone, and number %s was seen before", of_was);
	else if (order < 0)
		snprintf(why, HEADSEEN_WHY, "it is number %s, and %s was seen before", of_is, of_was);
	else if (order == 0 && strcmp(is->nonce, was->nonce) == 0 && strcmp(now->rev, seen->rev) != 0)
		snprintf(why, HEADSEEN_WHY, "number %s was put back: what was written after it is not known", of_is);
	else if (order == 0 && (!same_publication(is, was) || !same_state(is, was)))
		snprintf(why, HEADSEEN_WHY, "number %s is another than the %s that was seen before", of_is, of_was);
	else
		return true;
	return false;
}
