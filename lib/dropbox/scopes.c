#include "lib/std.h"

#include "lib/dropbox/scopes.h"
#include "lib/exits.h"
#include "lib/json.h"
#include "lib/msg.h"

/* The scopes that are needed beside account_info.read, each with a call that needs it. */
static const struct use {
	const char *scope, *route, *rev;
	enum dropbox_style style;
} uses[] = {
	{ "files.metadata.read", "files/get_metadata", NULL, DROPBOX_RPC },
	{ "files.content.read", "files/download", NULL, DROPBOX_DOWNLOAD },
	{ "files.content.write", "files/delete_v2", "000000000", DROPBOX_RPC },
};

static int is_there(void *ctx, const struct dropbox_meta *m)
{
	(void)ctx;
	(void)m;
	return EX_CANTCREAT;
}

/* EX_OK, or an exit status (reported) when it cannot be told. */
static int try_use(struct dropbox *d, struct http *h, const struct use *u, bool *may)
{
	json *arg = json_object();
	struct dropbox_call c = { .style = u->style, .route = u->route, .arg = arg, .begin = is_there };
	struct dropbox_answer a;
	int rc = EX_OK;

	json_put_str(arg, "path", "/.ctv-mirror-nothing");
	if (u->rev != NULL)
		json_put_str(arg, "parent_rev", u->rev);
	dropbox_do(d, h, &c, &a);
	*may = a.rc == EX_OK || a.rc == EX_NOINPUT || a.rc == EX_CANTCREAT;
	if (!*may && strcmp(a.tag, "missing_scope") != 0)
		rc = dropbox_report("Dropbox", &a);
	dropbox_answer_free(&a);
	json_free(arg);
	return rc;
}

int scopes_try(struct dropbox *d, struct http *h, char scopes[SCOPES_TEXT])
{
	int rc = EX_OK;

	snprintf(scopes, SCOPES_TEXT, "account_info.read");
	for (size_t i = 0; rc == EX_OK && i < sizeof uses / sizeof *uses; i++) {
		size_t n = strlen(scopes);
		bool may;

		rc = try_use(d, h, &uses[i], &may);
		if (rc == EX_OK && may)
			snprintf(scopes + n, SCOPES_TEXT - n, " %s", uses[i].scope);
		else if (rc == EX_OK)
			msg_hint("the app may not do %s; to change that, tick it in the app's settings and "
				 "log in again", uses[i].scope);
	}
	return rc;
}
