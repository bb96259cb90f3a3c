/* json.c - JSON read strictly, and written in the two styles that the real service uses. */
#include "lib/std.h"

#include "tests/dropboxd/dropboxd.h"

cJSON *json_parse(const char *s, size_t n)
{
	const char *end;

	/* cJSON would take any bytes for text, and end a string at \u0000 */
	if (!utf8_ok(s, n) || memchr(s, '\0', n) != NULL || memmem(s, n, "\\u0000", 6) != NULL)
		return NULL;
	cJSON *j = cJSON_ParseWithLengthOpts(s, n, &end, 0);
	if (j == NULL)
		return NULL;
	for (; end < s + n; end++) {
		if (strchr(" \t\r\n", *end) == NULL) {
			cJSON_Delete(j);
			return NULL;
		}
	}
	return j;
}

static void put_string(struct text *t, const char *s, bool ascii, bool html)
{
	text_add(t, "\"", 1);
	for (const unsigned char *p = (const unsigned char *)s; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\') {
			text_fmt(t, "\\%c", *p);
		} else if (*p < 0x20 || *p == 0x7f || (html && strchr("&<>", *p) != NULL)) {
			text_fmt(t, "\\u%04x", *p);
		} else if (*p < 0x80 || !ascii) {
			text_add(t, p, 1);
		} else {
			/* whole and valid: json_parse and the store let nothing else in */
			int more = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : 1;
			uint32_t cp = *p & (0x3fu >> more);

			for (int i = 0; i < more && p[1] != '\0'; i++)
				cp = cp << 6 | (*++p & 0x3f);
			if (cp > 0xffff) {
				text_fmt(t, "\\u%04x", 0xd800 + ((cp - 0x10000) >> 10));
				cp = 0xdc00 + ((cp - 0x10000) & 0x3ff);
			}
			text_fmt(t, "\\u%04x", cp);
		}
	}
	text_add(t, "\"", 1);
}

static int by_key(const void *a, const void *b)
{
	return strcmp((*(cJSON *const *)a)->string, (*(cJSON *const *)b)->string);
}

static void put(struct text *t, const cJSON *j, bool spaced, bool ascii)
{
	const char *comma = spaced ? ", " : ",";
	int n = cJSON_GetArraySize(j), i = 0;

	if (cJSON_IsString(j)) {
		put_string(t, j->valuestring, ascii, !spaced);
	} else if (cJSON_IsNumber(j)) {
		text_fmt(t, "%.17g", j->valuedouble);
	} else if (cJSON_IsArray(j)) {
		text_str(t, "[");
		for (const cJSON *e = j->child; e != NULL; e = e->next) {
			put(t, e, spaced, ascii);
			if (++i < n)
				text_str(t, comma);
		}
		text_str(t, "]");
	} else if (cJSON_IsObject(j)) {
		const cJSON **member = xmalloc((size_t)(n + 1) * sizeof *member);

		for (const cJSON *e = j->child; e != NULL; e = e->next)
			member[i++] = e;
		if (!spaced)
			qsort(member, (size_t)n, sizeof *member, by_key);
		text_str(t, "{");
		for (i = 0; i < n; i++) {
			if (i > 0)
				text_str(t, comma);
			put_string(t, member[i]->string, ascii, false);
			text_str(t, spaced ? ": " : ":");
			put(t, member[i], spaced, ascii);
		}
		text_str(t, "}");
		free(member);
	} else {
		text_str(t, cJSON_IsTrue(j) ? "true" : cJSON_IsFalse(j) ? "false" : "null");
	}
}

char *json_text(const cJSON *j, enum json_style style, bool ascii)
{
	struct text t = { 0 };

	put(&t, j, style == STYLE_RANDOM ? chance(2) : style == STYLE_SPACED, ascii);
	return t.p;
}

cJSON *json_get(const cJSON *j, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(j, key);
}

const char *json_str(const cJSON *j, const char *key, const char *dflt)
{
	const cJSON *v = json_get(j, key);

	return cJSON_IsString(v) ? v->valuestring : dflt;
}

double json_num(const cJSON *j, const char *key, double dflt)
{
	const cJSON *v = json_get(j, key);

	return cJSON_IsNumber(v) ? v->valuedouble : dflt;
}

int64_t json_int(const cJSON *j, const char *key, int64_t dflt)
{
	double v = json_num(j, key, (double)dflt);

	/* beyond 2^53 a double is no exact integer any more, and far beyond no int64_t at all */
	return v > 0x1p53 ? INT64_C(1) << 53 : v < -0x1p53 ? -(INT64_C(1) << 53) : (int64_t)v;
}

bool json_flag(const cJSON *j, const char *key, bool dflt)
{
	const cJSON *v = json_get(j, key);

	return cJSON_IsBool(v) ? cJSON_IsTrue(v) : dflt;
}

cJSON *json_tag(const char *tag)
{
	cJSON *j = cJSON_CreateObject();

	cJSON_AddStringToObject(j, ".tag", tag);
	return j;
}

const char *json_tag_of(const cJSON *j)
{
	return cJSON_IsString(j) ? j->valuestring : json_str(j, ".tag", "");
}

cJSON *json_tags(const char *tags)
{
	char *tag = xstrdup(tags);
	const char *rest = strchr(tags, '/');

	tag[strcspn(tag, "/")] = '\0';
	cJSON *j = json_tag(tag);
	if (rest != NULL)
		cJSON_AddItemToObject(j, tag, json_tags(rest + 1));
	else if (strcmp(tag, "malformed_path") == 0 && chance(2))
		cJSON_AddNullToObject(j, tag);  /* a nullable payload may be told or left out */
	free(tag);
	return j;
}
