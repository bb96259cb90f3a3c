/*
 * schema.c - the arguments as Dropbox's specification (Stone) types them: unknown fields, missing
 * ones, wrong types, numbers out of range and strings off their pattern are refused with a text.
 */
#include "lib/std.h"

#include <ctype.h>
#include <math.h>

#include "tests/dropboxd/dropboxd.h"

static bool all_in(const char *s, const char *set)
{
	return s[strspn(s, set)] == '\0';
}

static bool path_fits(const char *s, unsigned forms)
{
	if (*s == '\0')
		return forms & P_EMPTY;
	if (*s == '/')
		return forms & P_SLASH;
	if (strncmp(s, "id:", 3) == 0)
		return forms & P_ID;
	if (strncmp(s, "rev:", 4) == 0)
		return (forms & P_REV) && strlen(s) >= 4 + 9 && all_in(s + 4, HEX);
	if (strncmp(s, "ns:", 3) == 0) {
		size_t digits = strspn(s + 3, "0123456789");

		return (forms & P_NS) && digits > 0
			&& (s[3 + digits] == '\0' || s[3 + digits] == '/');
	}
	return false;
}

static bool tag_among(const char *tag, const char *tags)
{
	size_t n = strlen(tag);

	for (const char *p = tags; n > 0 && *p != '\0'; p += strcspn(p, "|"), p += *p == '|') {
		if (strcspn(p, "|") == n && strncmp(p, tag, n) == 0)
			return true;
	}
	return false;
}

/* A union without payload: its tag bare or in an object of its own. */
static char *check_tag(const cJSON *v, const char *tags)
{
	if (!cJSON_IsString(v) && !(cJSON_IsObject(v) && cJSON_IsString(json_get(v, ".tag"))))
		return xstrdup("expected string or object with '.tag'");
	if (!tag_among(json_tag_of(v), tags))
		return xasprintf("unknown tag '%s'", json_tag_of(v));
	if (cJSON_IsObject(v) && cJSON_GetArraySize(v) > 1)
		return xasprintf("unexpected fields beside tag '%s'", json_tag_of(v));
	return NULL;
}

static char *check_mode(const cJSON *v)
{
	if (cJSON_IsObject(v) && strcmp(json_tag_of(v), "update") == 0) {
		const char *rev = json_str(v, "update", NULL);

		if (rev == NULL)
			return xstrdup("missing required field 'update'");
		if (strlen(rev) < 9 || !all_in(rev, HEX))
			return xasprintf("update: '%.40s' did not match pattern '[0-9a-f]+'", rev);
		return cJSON_GetArraySize(v) > 2 ? xstrdup("unknown field beside 'update'") : NULL;
	}
	/* the bare string "update" falls through to here: its payload is missing */
	return check_tag(v, "add|overwrite");
}

static char *check_value(const cJSON *v, const struct field *f)
{
	const char *s = cJSON_IsString(v) ? v->valuestring : NULL;
	int64_t t;

	switch (f->type) {
	case T_ANY:
		return NULL;
	case T_BOOL:
		return cJSON_IsBool(v) ? NULL : xstrdup("expected boolean");
	case T_UINT:
		if (!cJSON_IsNumber(v) || v->valuedouble != floor(v->valuedouble))
			return xstrdup("expected integer");
		if (v->valuedouble < f->lo || (f->hi > 0 && v->valuedouble > f->hi))
			return xasprintf("%.0f is not within range %.0f..%.0f", v->valuedouble,
				f->lo, f->hi);
		return NULL;
	case T_TAG:
		return check_tag(v, f->tags);
	case T_MODE:
		return check_mode(v);
	case T_STRUCT:
		return cJSON_IsObject(v) ? schema_check(v, f->sub) : xstrdup("expected object");
	case T_LIST:
		if (!cJSON_IsArray(v))
			return xstrdup("expected list");
		if (f->hi > 0 && cJSON_GetArraySize(v) > (int)f->hi)
			return xasprintf("list has more than %.0f items", f->hi);
		for (const cJSON *e = v->child; e != NULL && f->sub != NULL; e = e->next) {
			char *why = cJSON_IsObject(e)
				? schema_check(e, f->sub) : xstrdup("expected object");

			if (why != NULL)
				return why;
		}
		return NULL;
	default:
		break;
	}
	if (s == NULL)
		return xstrdup("expected string");
	switch (f->type) {
	case T_PATH:
		if (!path_fits(s, f->paths))
			return xasprintf(
				"'%.200s' did not match pattern '%s(/(.|[\\r\\n])*)%s%s%s'", s,
				f->paths & P_EMPTY ? "()|" : "", f->paths & P_ID ? "|(id:.*)" : "",
				f->paths & P_REV ? "|(rev:[0-9a-f]{9,})" : "",
				f->paths & P_NS ? "|(ns:[0-9]+(/.*)?)" : "");
		return NULL;
	case T_REV:
		if (strlen(s) < 9 || !all_in(s, HEX))
			return xasprintf(
				"'%.40s' did not match pattern '[0-9a-f]+' of at least 9", s);
		return NULL;
	case T_HASH:
		return strlen(s) == 64 ? NULL : xstrdup("must be 64 characters");
	case T_TIME:
		if (!parse_time(s, &t))
			return xasprintf("time data '%.40s' does not match format '%s'", s,
				"%Y-%m-%dT%H:%M:%SZ");
		return NULL;
	default:
		if (strlen(s) < (size_t)f->lo)
			return xasprintf("must be at least %.0f characters", f->lo);
		if (f->hi > 0 && strlen(s) > (size_t)f->hi)
			return xasprintf("must be at most %.0f characters", f->hi);
		return NULL;
	}
}

char *schema_check(const cJSON *arg, const struct field *fields)
{
	const struct field *f;

	for (const cJSON *v = arg->child; v != NULL; v = v->next) {
		for (f = fields; f->name != NULL && strcmp(f->name, v->string) != 0; f++)
			;
		if (f->name == NULL)
			return xasprintf("unknown field '%.100s'", v->string);
		if (cJSON_IsNull(v) && !f->required && f->type != T_BOOL && f->type != T_MODE)
			continue;       /* nullable */
		char *why = check_value(v, f);
		if (why != NULL) {
			char *named = xasprintf("%s: %s", f->name, why);

			free(why);
			return named;
		}
	}
	for (f = fields; f->name != NULL; f++) {
		if (f->required && json_get(arg, f->name) == NULL)
			return xasprintf("missing required field '%s'", f->name);
	}
	return NULL;
}
