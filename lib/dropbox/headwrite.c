#include "lib/std.h"

#include "lib/dropbox/headseen.h"
#include "lib/dropbox/headwrite.h"
#include "lib/exits.h"
#include "lib/msg.h"

#define RACES 8			/* lost one after the other, before we say try again later */

static int not_believed(const char *why)
{
	msg_err(HEADREG_PATH, "not believed: %s", why);
	msg_hint("somebody has removed it or put back an old one; when it is certain who serves: "
		 "mirror-head anew --owner NAME");
	return EX_DATAERR;
}

int headwrite_look(const struct headwrite *w, struct headreg *seen, struct headreg *now)
{
	char why[HEADSEEN_WHY];
	int rc = headseen_load(seen);

	if (rc == EX_OK)
		rc = headreg_read(w->dropbox, w->http, now);
	if (rc == EX_OK && !headseen_believes(seen, now, why))
		rc = not_believed(why);
	if (rc == EX_OK && now->exists && !w->dry)
		rc = headseen_store(now);
	return rc;
}

/* The record, whatever it is, as long as it can be replaced. */
static int look_without_belief(const struct headwrite *w, struct headreg *seen, struct headreg *now)
{
	int rc = headseen_load(seen);

	if (rc != EX_OK && rc != EX_DATAERR)
		return rc;
	rc = headreg_read(w->dropbox, w->http, now);
	return rc == EX_DATAERR && now->exists ? EX_OK : rc;
}

static int refused(const struct headwrite *w, enum head_verdict verdict, const struct headreg *now, const char *why)
{
	msg_err(HEADREG_PATH, "%s", why);
	if (verdict == HEAD_PASSED)
		return EX_TEMPFAIL;
	msg_hint("nothing was published; once %s no longer serves: mirror-head claim --owner %s", now->head.owner, w->wish->owner);
	return EX_NOPERM;
}

int headwrite_move(const struct headwrite *w, head_move *move, struct headreg *is)
{
	bool existed = false, won = false, anew = move == head_move_anew, mended;
	struct headreg seen, now;
	char why[HEADMOVE_WHY];
	int rc;

	for (int race = 0; race < RACES && !won; race++) {
		enum head_verdict verdict;

		rc = anew ? look_without_belief(w, &seen, &now) : headwrite_look(w, &seen, &now);
		if (rc != EX_OK)
			return rc;
		/* a record made anew would count from 1 again */
		if (existed && !now.exists) {
			msg_err(HEADREG_PATH, "was removed meanwhile");
			return EX_TEMPFAIL;
		}
		existed = now.exists;
		mended = now.exists && strcmp(now.head.owner, w->wish->owner) == 0 && head_regain(&now.head, &seen.head);
		verdict = move(w->wish, &seen.head, &now.head, &is->head, why);
		if (verdict == HEAD_REFUSED || verdict == HEAD_PASSED)
			return refused(w, verdict, &now, why);
		if (verdict == HEAD_NOTHING && !mended) {
			msg_info("%s %s (epoch %lld, seq %lld)", HEADREG_PATH,
				 strcmp(now.head.owner, w->wish->owner) == 0 ? "already says so" : "is left as it is",
				 (long long)now.head.epoch, (long long)now.head.seq);
			*is = now;
			return EX_OK;
		}
		if (is->head.epoch > HEAD_MOST || is->head.seq > HEAD_MOST) {
			msg_err(HEADREG_PATH, "cannot be counted further");
			return EX_DATAERR;
		}
		rc = headreg_swap(w->dropbox, w->http, &now, is, &won);
		if (rc != EX_OK)
			return rc;
	}
	if (!won) {
		msg_err(HEADREG_PATH, "others wrote it %d times in a row", RACES);
		return EX_TEMPFAIL;
	}
	msg_info("%s: epoch %lld, seq %lld, owner %s", HEADREG_PATH, (long long)is->head.epoch, (long long)is->head.seq,
		 is->head.owner);
	return anew ? headseen_replace(is) : headseen_store(is);
}

int headwrite_object(const struct headwrite *w, const struct head_state *s, struct head_change *out)
{
	struct dropbox_meta m;
	int rc = dropbox_metadata(w->dropbox, w->http, s->path, &m);

	if (rc == EX_OK && (m.kind != 'f' || strcmp(m.content_hash, s->object) != 0 || strlen(m.rev) >= sizeof out->rev)) {
		msg_err(s->path, "not the object of state %lld", (long long)s->n);
		rc = EX_DATAERR;
	} else if (rc == EX_OK) {
		*out = (struct head_change){ .n = s->n, .size = m.size, .snapshot_at = s->snapshot_at, .page_count = s->page_count };
		memcpy(out->path, s->path, sizeof out->path);
		snprintf(out->rev, sizeof out->rev, "%s", m.rev);
		memcpy(out->content_hash, s->object, sizeof out->content_hash);
		memcpy(out->digest, s->digest, sizeof out->digest);
	} else if (rc == EX_NOINPUT) {
		msg_err(s->path, "not found in Dropbox: state %lld is not put on record", (long long)s->n);
	}
	dropbox_meta_free(&m);
	return rc;
}
