/*
 * json.h - the only module that knows cJSON. Reading never trusts the sender: a getter returns
 * "absent" for a wrong type as for a missing member, text is bounded by its caller, nesting by
 * cJSON (1000 levels), and integers are exact or absent. Writing builds objects, never pastes text.
 */
#ifndef LIB_JSON_H
#define LIB_JSON_H

#include "lib/std.h"

typedef struct cJSON json;

/* One JSON value and white space, nothing else. NULL when it is not. To be freed by json_free. */
json *json_parse(const char *text, size_t len);
void json_free(json *j);	/* NULL is fine */

/* The member of an object (exact name), NULL when j is no object or has none. Not owned. */
const json *json_get(const json *j, const char *name);
/* The value at a JSON Pointer (RFC 6901), NULL when there is none. Not owned. */
const json *json_at(const json *j, const char *pointer);
/* The first and the next element of an array or object. Not owned. */
const json *json_first(const json *j);
const json *json_next(const json *element);
/* The name of an object's element. Not owned. */
const char *json_name(const json *element);

bool json_is_object(const json *j);
bool json_is_array(const json *j);
bool json_is_null(const json *j);

/* A member as text, NULL when absent or no string. Not owned. */
const char *json_str(const json *j, const char *name);
/* A member as a whole number within min..max (at most 2^53 either side); false when it is not. */
bool json_int(const json *j, const char *name, int64_t min, int64_t max, int64_t *out);
/* The value itself as a number; false when it is none. */
bool json_number(const json *j, double *out);
/* A member as a boolean; fallback when absent. */
bool json_bool(const json *j, const char *name, bool fallback);

/*
 * The value itself as people would compare it: a string as it is, a number, true, false or null as
 * JSON writes it, objects and arrays as compact JSON. malloc'ed; NULL without memory.
 */
char *json_value_text(const json *j);

/* Dropbox's tagged unions: the tag of {".tag":"x"} or of a bare "x"; "" when there is none. */
const char *json_tag(const json *j);

/*
 * Building. json_object and json_array never return NULL (they end the process without memory: every
 * document here is small). The put functions take what they are given; json_put owns child. Text that is
 * not UTF-8 (a local file may have such a name) gets U+FFFD for each bad byte: the result is JSON always.
 */
json *json_object(void);
json *json_array(void);
void json_put(json *object, const char *name, json *child);
void json_put_str(json *object, const char *name, const char *value);
void json_put_text(json *object, const char *name, const char *value);	/* NULL is null */
void json_put_int(json *object, const char *name, int64_t value);
void json_put_tenths(json *object, const char *name, int64_t tenths);	/* a number such as 1.2 */
void json_put_bool(json *object, const char *name, bool value);
void json_put_null(json *object, const char *name);
void json_push(json *array, json *child);
void json_push_str(json *array, const char *value);
/* Drops the member, if there is one. */
void json_remove(json *object, const char *name);
json *json_copy(const json *j);

struct shell;
/*
 * The answer of a tool, which is this object; takes it. With as_json it is printed as a line; with --shell each name
 * of the tool's table takes the member of that name.
 */
void json_answer(json *object, bool as_json, struct shell *s);

/* Appends it to a file, as a line (file_append_object); a path of NULL is none. EX_OK, or what was reported. */
int json_append(const json *j, const char *path);

/* Compact text in one line of UTF-8 without a character that drives a terminal (these as \uXXXX); malloc'ed. */
char *json_text(const json *j);
/*
 * The same in printable ASCII only, \uXXXX for the rest: what an HTTP header can carry
 * (https://www.dropbox.com/developers/reference/json-encoding).
 */
char *json_ascii(const json *j);

#endif
