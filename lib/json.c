#include "lib/std.h"

#include <cjson/cJSON.h>
#include <math.h>

#include "lib/exits.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/shell.h"
#include "lib/msg.h"
#include "lib/utf8.h"

#define REPLACEMENT 0xfffd	/* what stands for a byte that is not UTF-8 */
#define EXACT 9007199254740992.0	/* 2^53: every whole number below it is exact in a double */

static void *must(void *p)
{
	if (p == NULL) {
		msg_err(NULL, "out of memory");
		abort();
	}
	return p;
}

json *json_parse(const char *text, size_t len)
{
	const char *end = NULL;
	json *j = cJSON_ParseWithLengthOpts(text, len, &end, false);

	if (j == NULL)
		return NULL;
	for (; end < text + len; end++) {
		if (*end != ' ' && *end != '\t' && *end != '\r' && *end != '\n') {
			cJSON_Delete(j);
			return NULL;
		}
	}
	return j;
}

void json_free(json *j)
{
	cJSON_Delete(j);
}

const json *json_get(const json *j, const char *name)
{
	return cJSON_IsObject(j) ? cJSON_GetObjectItemCaseSensitive(j, name) : NULL;
}

/* Does the pointer's step of len bytes, with ~1 for / and ~0 for ~ (RFC 6901, 4), spell name? A bare ~ spells none. */
static bool step_is(const char *step, size_t len, const char *name)
{
	for (size_t i = 0; i < len; i++, name++) {
		char c = step[i];

		if (c == '~') {
			if (++i == len || (step[i] != '0' && step[i] != '1'))
				return false;
			c = step[i] == '0' ? '~' : '/';
		}
		if (*name != c)
			return false;
	}
	return *name == '\0';
}

const json *json_at(const json *j, const char *pointer)
{
	while (j != NULL && *pointer == '/') {
		size_t len = strcspn(++pointer, "/");
		const json *child = json_first(j);
		uint64_t index = 0, wanted = UINT64_MAX;
		bool array = cJSON_IsArray(j);

		/* an index is 0 or digits without a leading zero */
		if (array && len > 0 && len < 10 && strspn(pointer, "0123456789") >= len &&
		    (len == 1 || *pointer != '0'))
			wanted = strtoull(pointer, NULL, 10);
		while (child != NULL && (array ? index != wanted : !step_is(pointer, len, child->string))) {
			child = child->next;
			index++;
		}
		j = child;
		pointer += len;
	}
	return *pointer == '\0' ? j : NULL;
}

const json *json_first(const json *j)
{
	return cJSON_IsArray(j) || cJSON_IsObject(j) ? j->child : NULL;
}

const json *json_next(const json *element)
{
	return element->next;
}

const char *json_name(const json *element)
{
	return element->string;
}

bool json_is_object(const json *j)
{
	return cJSON_IsObject(j);
}

bool json_is_array(const json *j)
{
	return cJSON_IsArray(j);
}

bool json_is_null(const json *j)
{
	return cJSON_IsNull(j);
}

const char *json_str(const json *j, const char *name)
{
	return cJSON_GetStringValue(json_get(j, name));
}

bool json_int(const json *j, const char *name, int64_t min, int64_t max, int64_t *out)
{
	const json *n = json_get(j, name);

	if (!cJSON_IsNumber(n) || !(fabs(n->valuedouble) < EXACT) || floor(n->valuedouble) != n->valuedouble)
		return false;
	if ((int64_t)n->valuedouble < min || (int64_t)n->valuedouble > max)
		return false;
	*out = (int64_t)n->valuedouble;
	return true;
}

bool json_number(const json *j, double *out)
{
	if (!cJSON_IsNumber(j))
		return false;
	*out = j->valuedouble;
	return true;
}

bool json_bool(const json *j, const char *name, bool fallback)
{
	const json *b = json_get(j, name);

	return cJSON_IsBool(b) ? cJSON_IsTrue(b) : fallback;
}

char *json_value_text(const json *j)
{
	return cJSON_IsString(j) ? strdup(j->valuestring) : cJSON_PrintUnformatted(j);
}

const char *json_tag(const json *j)
{
	const char *tag = cJSON_IsString(j) ? j->valuestring : json_str(j, ".tag");

	return tag != NULL ? tag : "";
}

json *json_object(void)
{
	return must(cJSON_CreateObject());
}

json *json_array(void)
{
	return must(cJSON_CreateArray());
}

void json_put(json *object, const char *name, json *child)
{
	must(child);
	if (!cJSON_AddItemToObject(object, name, child))
		must(NULL);
}

/* value with U+FFFD for every byte that is not UTF-8; malloc'ed */
static char *mend(const char *value)
{
	char *out = must(malloc(3 * strlen(value) + 1)), *o = out;
	uint32_t c;
	size_t n;

	for (; *value != '\0'; value += n > 0 ? n : 1) {
		n = utf8_next(value, &c);
		memcpy(o, n > 0 ? value : "\xef\xbf\xbd", n > 0 ? n : 3);
		o += n > 0 ? n : 3;
	}
	*o = '\0';
	return out;
}

static json *string(const char *value)
{
	char *mended = utf8_valid(value) ? NULL : mend(value);
	json *j = cJSON_CreateString(mended != NULL ? mended : value);

	free(mended);
	return j;
}

void json_put_str(json *object, const char *name, const char *value)
{
	json_put(object, name, string(value));
}

void json_put_text(json *object, const char *name, const char *value)
{
	json_put(object, name, value != NULL ? string(value) : cJSON_CreateNull());
}

void json_put_int(json *object, const char *name, int64_t value)
{
	json_put(object, name, cJSON_CreateNumber((double)value));
}

void json_put_tenths(json *object, const char *name, int64_t tenths)
{
	json_put(object, name, cJSON_CreateNumber((double)tenths / 10));
}

void json_put_bool(json *object, const char *name, bool value)
{
	json_put(object, name, cJSON_CreateBool(value));
}

void json_put_null(json *object, const char *name)
{
	json_put(object, name, cJSON_CreateNull());
}

void json_push(json *array, json *child)
{
	must(child);
	if (!cJSON_AddItemToArray(array, child))
		must(NULL);
}

void json_push_str(json *array, const char *value)
{
	json_push(array, string(value));
}

void json_remove(json *object, const char *name)
{
	cJSON_DeleteItemFromObjectCaseSensitive(object, name);
}

json *json_copy(const json *j)
{
	return must(cJSON_Duplicate(j, true));
}

void json_answer(json *object, bool as_json, struct shell *s)
{
	for (size_t i = 0; shell_asked(s) && s->names[i] != NULL; i++) {
		const json *member = json_get(object, s->names[i]);
		char *text = member != NULL ? must(json_value_text(member)) : NULL;

		if (cJSON_IsBool(member))
			shell_bool(s, s->names[i], cJSON_IsTrue(member));
		else if (member != NULL && !cJSON_IsNull(member))
			shell_set(s, s->names[i], text);
		free(text);
	}
	if (as_json) {
		char *text = json_text(object);

		puts(text);
		free(text);
	}
	json_free(object);
}

int json_append(const json *j, const char *path)
{
	char *text = path != NULL ? json_text(j) : NULL, *line;
	int rc = EX_OK;

	if (text == NULL)
		return EX_OK;
	if (asprintf(&line, "%s\n", text) < 0)
		abort();
	rc = file_append_object(path, line, strlen(line));
	free(line);
	free(text);
	return rc;
}

/*
 * text with \\uXXXX for what not everybody takes: all but printable ASCII, or only what drives a terminal and is not
 * UTF-8. Such characters stand within strings only. malloc'ed.
 */
static char *escape(const char *text, bool ascii)
{
	char *out = must(malloc(6 * strlen(text) + 1)), *o = out;
	uint32_t c;
	size_t n;

	for (const char *s = text; *s != '\0'; s += n) {
		n = utf8_next(s, &c);
		if (n > 0 && (ascii ? n == 1 && c < 0x7f : msg_printable(c))) {
			memcpy(o, s, n);
			o += n;
			continue;
		}
		/* text that came from a server may not be UTF-8 */
		if (n == 0) {
			c = REPLACEMENT;
			n = 1;
		}
		if (c >= 0x10000) {
			o += snprintf(o, 7, "\\u%04x", 0xd800 + ((c - 0x10000) >> 10));
			c = 0xdc00 + ((c - 0x10000) & 0x3ff);
		}
		o += snprintf(o, 7, "\\u%04x", c);
	}
	*o = '\0';
	return out;
}

static char *printed(const json *j, bool ascii)
{
	char *text = must(cJSON_PrintUnformatted(j)), *out = escape(text, ascii);

	free(text);
	return out;
}

char *json_text(const json *j)
{
	return printed(j, false);
}

char *json_ascii(const json *j)
{
	return printed(j, true);
}
