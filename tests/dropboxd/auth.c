/*
 * auth.c - one account, one app, its tokens and their scopes, and the OAuth 2 token endpoint.
 * The user's browser is played by a control route, which hands out the code.
 */
#include "lib/std.h"

#include <openssl/crypto.h>
#include <pthread.h>

#include "tests/dropboxd/dropboxd.h"

#define ALL_SCOPES "account_info.read files.content.read files.content.write files.metadata.read"
/* of RFC 7636 */
#define UNRESERVED "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
#define CODE_LIFE 600           /* seconds */

struct grant {                  /* a refresh token, an access token or a code */
	enum { CODE, REFRESH, ACCESS } kind;
	char *token, *scopes;
	char id[8];             /* what the log calls it */
	int64_t expires;        /* 0: never */
	bool revoked;           /* or used up */
	bool pkce;              /* given to a client without a secret */
	bool offline;
	char *challenge, *redirect;
	struct grant *parent, *next;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct grant *grants;
static unsigned grants_n;
static char app_key[32], app_secret[32];

const char *auth_key(void)
{
	return app_key;
}

const char *auth_secret(void)
{
	return app_secret;
}

static struct grant *grant_find(int kind, const char *token)
{
	for (struct grant *g = grants; g != NULL && token != NULL; g = g->next) {
		if ((int)g->kind == kind && strcmp(g->token, token) == 0)
			return g;
	}
	return NULL;
}

static struct grant *grant_add(int kind, const char *token, const char *scopes)
{
	struct grant *g = xmalloc(sizeof *g);

	memset(g, 0, sizeof *g);
	g->kind = kind;
	g->token = xstrdup(token);
	g->scopes = xstrdup(scopes);
	snprintf(g->id, sizeof g->id, "%c%u", "cra"[kind], ++grants_n);
	g->next = grants;
	grants = g;
	return g;
}

/* A token as opaque and as long as real ones: some pass 1 KiB. */
static struct grant *grant_new(int kind, const char *scopes)
{
	char token[1400];
	size_t n = kind == CODE ? 43 : kind == REFRESH ? 64 : chance(4) == 0 ? 1300 : 150;
	size_t prefix = 0;

	if (kind == ACCESS) {
		memcpy(token, "sl.u.", 5);
		prefix = 5;
	}
	chance_text(token + prefix, n, URLSAFE);
	return grant_add(kind, token, scopes);
}

static void grant_journal(const struct grant *g)
{
	cJSON *j = cJSON_CreateObject();

	cJSON_AddStringToObject(j, "op", "grant");
	cJSON_AddNumberToObject(j, "kind", (double)g->kind);
	cJSON_AddStringToObject(j, "token", g->token);
	cJSON_AddStringToObject(j, "scopes", g->scopes);
	cJSON_AddNumberToObject(j, "expires", (double)g->expires);
	cJSON_AddBoolToObject(j, "pkce", g->pkce);
	if (g->parent != NULL)
		cJSON_AddStringToObject(j, "parent", g->parent->token);
	journal(j);
}

static void grant_revoke(struct grant *g)
{
	cJSON *j = cJSON_CreateObject();

	g->revoked = true;
	cJSON_AddStringToObject(j, "op", "revoke");
	cJSON_AddStringToObject(j, "token", g->token);
	journal(j);
}

void auth_replay(const cJSON *j)
{
	const char *op = json_str(j, "op", ""), *token = json_str(j, "token", "");

	if (strcmp(op, "app") == 0) {
		snprintf(app_key, sizeof app_key, "%s", json_str(j, "key", ""));
		snprintf(app_secret, sizeof app_secret, "%s", json_str(j, "secret", ""));
	} else if (strcmp(op, "grant") == 0) {
		struct grant *g = grant_add(json_num(j, "kind", 0) > REFRESH ? ACCESS : REFRESH,
			token, json_str(j, "scopes", ""));

		g->expires = json_int(j, "expires", 0);
		g->pkce = json_flag(j, "pkce", false);
		g->parent = grant_find(REFRESH, json_str(j, "parent", NULL));
	} else if (strcmp(op, "revoke") == 0) {
		for (int kind = REFRESH; kind <= ACCESS; kind++) {
			struct grant *g = grant_find(kind, token);

			if (g != NULL)
				g->revoked = true;
		}
	}
}

/* After the journal was read: a new store gets an app and a user who has authorized it. */
void auth_init(void)
{
	if (app_key[0] != '\0')
		return;
	cJSON *j = cJSON_CreateObject();
	chance_text(app_key, 15, "0123456789abcdefghijklmnopqrstuvwxyz");
	chance_text(app_secret, 15, "0123456789abcdefghijklmnopqrstuvwxyz");
	cJSON_AddStringToObject(j, "op", "app");
	cJSON_AddStringToObject(j, "key", app_key);
	cJSON_AddStringToObject(j, "secret", app_secret);
	journal(j);
	struct grant *g = grant_new(REFRESH, ALL_SCOPES);
	g->pkce = true;         /* works with and without the secret */
	grant_journal(g);
}

void auth_close(void)
{
	while (grants != NULL) {
		struct grant *g = grants;

		grants = g->next;
		OPENSSL_cleanse(g->token, strlen(g->token));
		free(g->token);
		free(g->scopes);
		free(g->challenge);
		free(g->redirect);
		free(g);
	}
}

/* The oldest refresh token that still works: the one of the env file. */
const char *auth_refresh(void)
{
	const char *token = "";

	for (struct grant *g = grants; g != NULL; g = g->next) {
		if (g->kind == REFRESH && !g->revoked)
			token = g->token;
	}
	return token;
}

/* ---- scopes: words between single blanks ---- */

static bool has_word(const char *words, const char *word, size_t n)
{
	for (const char *p = words; *p != '\0'; p += strcspn(p, " "), p += *p == ' ') {
		if (strcspn(p, " ") == n && strncmp(p, word, n) == 0)
			return true;
	}
	return false;
}

static bool words_within(const char *some, const char *all)
{
	for (const char *p = some; *p != '\0'; p += strcspn(p, " "), p += *p == ' ') {
		if (!has_word(all, p, strcspn(p, " ")))
			return false;
	}
	return true;
}

/* ---- every call's Authorization ---- */

static bool refuse(struct call *c, cJSON *error)
{
	cJSON *j = cJSON_CreateObject();
	char *summary = error_summary(json_tag_of(error));

	cJSON_AddStringToObject(j, "error_summary", summary);
	cJSON_AddItemToObject(j, "error", error);
	free(summary);
	reply_json(c, 401, j);
	reply_header(c, "WWW-Authenticate", "Bearer realm=\"Dropbox-API\"");
	return false;
}

/* The token of a call, from its header or its URL; NULL: there is none. */
static const char *bearer(struct call *c, bool *malformed)
{
	const char *s = header(c, "Authorization");

	*malformed = false;
	if (s == NULL && c->route != NULL && c->route->style == DOWNLOAD)
		s = MHD_lookup_connection_value(c->conn, MHD_GET_ARGUMENT_KIND, "authorization");
	if (s == NULL)
		return NULL;
	if (strncasecmp(s, "Bearer ", 7) != 0 || s[7] == '\0') {
		*malformed = true;
		return s;
	}
	return s + 7;
}

void auth_note(struct call *c)
{
	bool malformed;
	const char *token = bearer(c, &malformed);

	if (token == NULL)
		return;
	pthread_mutex_lock(&mutex);
	const struct grant *g = malformed ? NULL : grant_find(ACCESS, token);
	c->token_state = malformed ? "malformed" : g == NULL ? "unknown"
		: g->revoked || (g->parent != NULL && g->parent->revoked) ? "revoked"
		: g->expires <= server_now() ? "expired" : "valid";
	if (g != NULL)
		snprintf(c->token_id, sizeof c->token_id, "%s", g->id);
	pthread_mutex_unlock(&mutex);
}

bool auth_check(struct call *c)
{
	const char *scope = c->route->scope;
	bool malformed, scope_ok = true;
	const char *token = bearer(c, &malformed);

	if (scope == NULL)
		return true;
	if (malformed) {
		reply_bad(c,
			"Invalid authorization value in HTTP header \"Authorization\": \"%.20s\".  "
			"Expecting \"Bearer <oauth2-access-token>\".",
			token);
		return false;
	}
	if (token == NULL || strcmp(c->token_state, "unknown") == 0
		|| strcmp(c->token_state, "revoked") == 0)
		return refuse(c, json_tag("invalid_access_token"));
	if (strcmp(c->token_state, "expired") == 0)
		return refuse(c, json_tag("expired_access_token"));
	pthread_mutex_lock(&mutex);
	const struct grant *g = grant_find(ACCESS, token);
	if (g != NULL && *scope != '\0')
		scope_ok = has_word(g->scopes, scope, strlen(scope));
	pthread_mutex_unlock(&mutex);
	if (scope_ok)
		return true;
	cJSON *error = json_tag("missing_scope");
	cJSON_AddStringToObject(error, "required_scope", scope);
	return refuse(c, error);
}

void auth_refuse(struct call *c, const char *tag)
{
	cJSON *error = json_tag(tag);

	if (strcmp(tag, "missing_scope") == 0)
		cJSON_AddStringToObject(error, "required_scope",
			c->route->scope != NULL ? c->route->scope : "files.content.read");
	refuse(c, error);
}

void auth_expire(struct call *c)
{
	bool malformed;
	const char *token = bearer(c, &malformed);

	pthread_mutex_lock(&mutex);
	struct grant *g = grant_find(ACCESS, token);
	if (g != NULL) {
		g->expires = 1;
		c->token_state = "expired";
	}
	pthread_mutex_unlock(&mutex);
}

/* ---- control ---- */

cJSON *auth_mint(const cJSON *spec)
{
	bool refresh = strcmp(json_str(spec, "kind", "access"), "refresh") == 0;
	cJSON *j = cJSON_CreateObject();

	pthread_mutex_lock(&mutex);
	struct grant *g =
		grant_new(refresh ? REFRESH : ACCESS, json_str(spec, "scope", ALL_SCOPES));
	if (!refresh)
		g->expires = server_now()
			+ json_int(spec, "expires_in", (int64_t)opt.token_life);
	g->pkce = json_flag(spec, "pkce", true);
	grant_journal(g);
	cJSON_AddStringToObject(j, refresh ? "refresh_token" : "access_token", g->token);
	cJSON_AddStringToObject(j, "id", g->id);
	pthread_mutex_unlock(&mutex);
	return j;
}

/* control: what an administrator or the user does on the web site */
unsigned auth_revoke(const char *token)
{
	unsigned n = 0;

	pthread_mutex_lock(&mutex);
	for (struct grant *g = grants; g != NULL; g = g->next) {
		if (!g->revoked && (token == NULL || strcmp(g->token, token) == 0)) {
			grant_revoke(g);
			n++;
		}
	}
	pthread_mutex_unlock(&mutex);
	return n;
}

/* One parameter of an application/x-www-form-urlencoded text, decoded; NULL if absent. */
static char *form_get(const char *form, const char *name)
{
	size_t n = strlen(name);
	const char *p = form;

	while (p != NULL && !(strncmp(p, name, n) == 0 && p[n] == '=')) {
		p = strchr(p, '&');
		p = p != NULL ? p + 1 : NULL;
	}
	if (p == NULL)
		return NULL;
	p += n + 1;
	char *out = xmalloc(strlen(p) + 1), *o = out;
	for (; *p != '\0' && *p != '&'; p++) {
		unsigned v;

		if (*p == '%' && sscanf(p + 1, "%2x", &v) == 1
			&& strspn(p + 1, "0123456789abcdefABCDEF") >= 2 && v != 0) {
			*o++ = (char)v;
			p += 2;
		} else {
			*o++ = *p == '+' ? ' ' : *p;
		}
	}
	*o = '\0';
	return out;
}

cJSON *auth_authorize(const cJSON *spec)
{
	const char *url = json_str(spec, "url", ""), *query = strchr(url, '?'), *why = NULL;
	static const char *const names[] = { "client_id", "response_type", "token_access_type",
		"code_challenge", "code_challenge_method", "scope", "redirect_uri" };
	char *v[7];
	cJSON *j = cJSON_CreateObject();

	for (size_t i = 0; i < 7; i++)
		v[i] = form_get(query != NULL ? query + 1 : "", names[i]);
	if (query == NULL || strstr(url, "/oauth2/authorize?") == NULL)
		why = "not an authorize URL";
	else if (v[0] == NULL || strcmp(v[0], app_key) != 0)
		why = "unknown client_id";
	else if (v[1] == NULL || strcmp(v[1], "code") != 0)
		why = "response_type must be code";
	else if (v[2] != NULL && strcmp(v[2], "offline") != 0 && strcmp(v[2], "online") != 0
		&& strcmp(v[2], "legacy") != 0)
		why = "unknown token_access_type";
	else if (v[3] != NULL && (v[4] == NULL || (strcmp(v[4], "S256") != 0
		&& strcmp(v[4], "plain") != 0)))
		why = "unknown code_challenge_method";
	else if (v[3] != NULL && (strlen(v[3]) < 43 || strlen(v[3]) > 128
		|| v[3][strspn(v[3], UNRESERVED)] != '\0'))
		why = "malformed code_challenge";
	else if (v[5] != NULL && !words_within(v[5], ALL_SCOPES))
		why = "unknown scope";
	if (why != NULL) {
		cJSON_AddStringToObject(j, "error", why);
	} else {
		pthread_mutex_lock(&mutex);
		struct grant *g = grant_new(CODE, v[5] != NULL ? v[5]
			: json_str(spec, "scope", ALL_SCOPES));
		g->expires = server_now() + CODE_LIFE;
		g->offline = v[2] != NULL && strcmp(v[2], "offline") == 0;
		if (v[3] != NULL)
			g->challenge = xasprintf("%s %s", v[4], v[3]);
		g->redirect = v[6] != NULL ? xstrdup(v[6]) : NULL;
		cJSON_AddStringToObject(j, "code", g->token);
		pthread_mutex_unlock(&mutex);
	}
	for (size_t i = 0; i < 7; i++)
		free(v[i]);
	return j;
}

/* ---- /oauth2/token ---- */

static void oauth_error(struct call *c, const char *error, const char *text)
{
	cJSON *j = cJSON_CreateObject();

	cJSON_AddStringToObject(j, "error", error);
	if (text != NULL)
		cJSON_AddStringToObject(j, "error_description", text);
	reply_json(c, 400, j);
}

static bool proves(const char *challenge, const char *verifier)
{
	unsigned char sum[32];

	if (verifier == NULL || strlen(verifier) < 43 || strlen(verifier) > 128)
		return false;
	if (strncmp(challenge, "plain ", 6) == 0)
		return strcmp(challenge + 6, verifier) == 0;
	EVP_Digest(verifier, strlen(verifier), sum, NULL, EVP_sha256(), NULL);
	char *b64 = base64url(sum, sizeof sum);
	bool same = strcmp(challenge + 5, b64) == 0;
	free(b64);
	return same;
}

/* Who calls? 0: nobody we know; 1: the app without its secret; 2: with it. */
static int client_of(struct call *c, const char *id, const char *secret)
{
	const char *basic = header(c, "Authorization");
	unsigned char text[256];

	if (basic != NULL) {
		ssize_t n = strncasecmp(basic, "Basic ", 6) == 0
			? base64_decode(basic + 6, text, sizeof text - 1) : -1;
		char want[80];

		if (n < 0)
			return 0;
		text[n] = '\0';
		snprintf(want, sizeof want, "%s:%s", app_key, app_secret);
		return strcmp((char *)text, want) == 0 ? 2 : 0;
	}
	if (id == NULL || strcmp(id, app_key) != 0)
		return 0;
	return secret == NULL ? 1 : strcmp(secret, app_secret) == 0 ? 2 : 0;
}

static void issue(struct call *c, struct grant *parent, const char *scopes, bool whole)
{
	cJSON *j = cJSON_CreateObject();
	struct grant *g = grant_new(ACCESS, scopes);

	g->expires = server_now() + opt.token_life;
	g->parent = parent;
	grant_journal(g);
	if (whole)
		cJSON_AddStringToObject(j, "uid", "44076342");
	cJSON_AddStringToObject(j, "access_token", g->token);
	cJSON_AddNumberToObject(j, "expires_in", (double)opt.token_life - (whole ? 1 : 0));
	cJSON_AddStringToObject(j, "token_type", "bearer");
	if (whole) {
		cJSON_AddStringToObject(j, "scope", g->scopes);
		if (parent != NULL)
			cJSON_AddStringToObject(j, "refresh_token", parent->token);
		cJSON_AddStringToObject(
			j, "account_id", "dbid:AABOLtA1rT6rRK4vajKZrWqLZ7wVnV863u4");
	}
	reply_json(c, 200, j);
}

void route_token(struct call *c)
{
	static const char *const names[] = { "grant_type", "client_id", "client_secret", "code",
		"code_verifier", "redirect_uri", "refresh_token", "scope" };
	const char *type = header(c, "Content-Type");
	char *v[8];
	struct grant *g;

	if (type == NULL || strncasecmp(type, "application/x-www-form-urlencoded", 33) != 0) {
		reply_text(
			c, 400, "text/plain; charset=utf-8", "Bad HTTP \"Content-Type\" header.");
		return;
	}
	for (size_t i = 0; i < 8; i++)
		v[i] = form_get(c->body.n > 0 ? c->body.p : "", names[i]);
	int who = client_of(c, v[1], v[2]);
	pthread_mutex_lock(&mutex);
	if (v[0] == NULL) {
		oauth_error(c, "invalid_request", "No grant_type parameter");
	} else if (who == 0) {
		oauth_error(c, "invalid_client: Invalid client_id or client_secret", NULL);
	} else if (strcmp(v[0], "refresh_token") == 0) {
		g = grant_find(REFRESH, v[6]);
		if (v[6] == NULL)
			oauth_error(c, "invalid_request", "No refresh_token parameter");
		else if (strlen(v[6]) != 64)
			oauth_error(c, "invalid_grant", "refresh token is malformed");
		else if (g == NULL || g->revoked)
			oauth_error(c, "invalid_grant", "refresh token is invalid or revoked");
		else if (who == 1 && !g->pkce)
			oauth_error(c, "invalid_client: Invalid client_id or client_secret", NULL);
		else if (v[7] != NULL && !words_within(v[7], g->scopes))
			oauth_error(c, "invalid_scope", "more than was granted");
		else
			issue(c, g, v[7] != NULL ? v[7] : g->scopes, false);
	} else if (strcmp(v[0], "authorization_code") == 0) {
		g = grant_find(CODE, v[3]);
		if (v[3] == NULL)
			oauth_error(c, "invalid_request", "No code parameter");
		else if (g == NULL || g->revoked || g->expires <= server_now())
			oauth_error(c, "invalid_grant", "code doesn't exist or has expired");
		else if (g->challenge != NULL ? !proves(g->challenge, v[4])
			: who == 1 || v[4] != NULL)
			oauth_error(c, "invalid_grant", "invalid code verifier or missing secret");
		else if ((g->redirect == NULL) != (v[5] == NULL)
			|| (v[5] != NULL && strcmp(v[5], g->redirect) != 0))
			oauth_error(c, "invalid_grant", "redirect_uri mismatch");
		else {
			struct grant *parent = NULL;

			g->revoked = true;
			if (g->offline) {
				parent = grant_new(REFRESH, g->scopes);
				parent->pkce = g->challenge != NULL;
				grant_journal(parent);
			}
			issue(c, parent, g->scopes, true);
		}
	} else {
		oauth_error(c, "unsupported_grant_type", NULL);
	}
	pthread_mutex_unlock(&mutex);
	c->reply.type = "text/javascript";
	for (size_t i = 0; i < 8; i++)
		free(v[i]);
}

void route_revoke(struct call *c)
{
	bool malformed;

	pthread_mutex_lock(&mutex);
	struct grant *g = grant_find(ACCESS, bearer(c, &malformed));
	if (g != NULL) {
		grant_revoke(g);
		/* the app is unlinked: its refresh token goes with it */
		if (g->parent != NULL)
			grant_revoke(g->parent);
	}
	pthread_mutex_unlock(&mutex);
	reply_text(c, 200, "application/json", "null");
}

/* ---- users, check ---- */

void route_account(struct call *c)
{
	cJSON *j = cJSON_CreateObject(), *name = cJSON_CreateObject(), *root = json_tag("user");

	cJSON_AddStringToObject(j, "account_id", "dbid:AABOLtA1rT6rRK4vajKZrWqLZ7wVnV863u4");
	cJSON_AddStringToObject(name, "given_name", "Zo\303\253");
	cJSON_AddStringToObject(name, "surname", "Mirror");
	cJSON_AddStringToObject(name, "familiar_name", "Zo\303\253");
	cJSON_AddStringToObject(name, "display_name", "Zo\303\253 Mirror");
	cJSON_AddStringToObject(name, "abbreviated_name", "ZM");
	cJSON_AddItemToObject(j, "name", name);
	cJSON_AddStringToObject(j, "email", "operator@example.com");
	cJSON_AddTrueToObject(j, "email_verified");
	cJSON_AddFalseToObject(j, "disabled");
	cJSON_AddStringToObject(j, "country", "US");
	cJSON_AddStringToObject(j, "locale", "en");
	cJSON_AddStringToObject(j, "referral_link", "https://db.tt/example");
	cJSON_AddFalseToObject(j, "is_paired");
	cJSON_AddItemToObject(j, "account_type", json_tag("basic"));
	cJSON_AddStringToObject(root, "root_namespace_id", "70721710");
	cJSON_AddStringToObject(root, "home_namespace_id", "70721710");
	cJSON_AddItemToObject(j, "root_info", root);
	reply_json(c, 200, j);
}

void route_space(struct call *c)
{
	cJSON *j = cJSON_CreateObject(), *allocation = json_tag("individual");

	store_lock();
	cJSON_AddNumberToObject(j, "used", (double)store_used());
	store_unlock();
	cJSON_AddNumberToObject(allocation, "allocated", (double)opt.quota);
	cJSON_AddItemToObject(j, "allocation", allocation);
	reply_json(c, 200, j);
}

void route_check_user(struct call *c)
{
	cJSON *j = cJSON_CreateObject();

	cJSON_AddStringToObject(j, "result", json_str(c->arg, "query", ""));
	reply_json(c, 200, j);
}
