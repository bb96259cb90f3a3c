#include "lib/std.h"

#include "lib/dropbox/headlines.h"

#include "tests/unit/check.h"

#define HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HEAD "{\"path\":\"/database.db\",\"rev\":\"196576c68d6\",\"size\":4096,\"content_hash\":\"" HASH "\"," \
	     "\"snapshot_at\":\"2026-11-24T02:05:00Z\",\"page_size\":4096,\"page_count\":1,\"verified\":\"full\"}"
#define RECORD(schema, epoch, owner, seq, nonce, head) \
	"{\"schema\":" schema ",\"epoch\":" epoch ",\"owner\":" owner ",\"seq\":" seq ",\"nonce\":" nonce \
	",\"head\":" head "}"

#define DIGEST "0123456789abcdef0123456789abcdef"
#define CHANGES "/changes/20261124/000000007-20261124T020500Z.wal.zst"
/* a record with a chain: what head has, and what stands beside it */
#define CHAIN(state, beside) "{\"schema\":1,\"epoch\":3,\"owner\":\"a\",\"seq\":17,\"nonce\":\"00ff\",\"head\":{" \
	"\"path\":\"/database.db\",\"rev\":\"196576c68d6\",\"size\":4096,\"content_hash\":\"" HASH "\"," \
	"\"snapshot_at\":\"2026-11-24T02:05:00Z\"" state "}" beside "}"
#define STATE ",\"n\":7,\"digest\":\"" DIGEST "\",\"object\":{\"path\":\"" CHANGES "\",\"content_hash\":\"" HASH "\"}"
#define CHANGE_REST ",\"path\":\"" CHANGES "\",\"rev\":\"196576c68d7\",\"size\":5,\"content_hash\":\"" HASH "\"," \
	"\"snapshot_at\":\"2026-11-24T02:06:00Z\",\"page_count\":2,\"digest\":\"" DIGEST "\"}"
#define CHANGE(n) ",\"change\":{\"n\":" n CHANGE_REST

/* why: part of the reason, NULL when the record is good */
static const struct { const char *what, *text, *why; } records[] = {
	{ "good", RECORD("1", "3", "\"pi2\"", "17", "\"00ff\"", HEAD), NULL },
	{ "nothing published", RECORD("1", "1", "\"pi2\"", "0", "\"00ff\"", "null"), NULL },
	{ "unknown members", "{\"more\":[1]," "\"schema\":1,\"epoch\":1,\"owner\":\"a\",\"seq\":1,\"nonce\":\"0\","
			     "\"head\":null,\"x\":{}}", NULL },
	{ "empty", "", "not a JSON object" },
	{ "cut", "{\"schema\":1,\"epoch\":3", "not a JSON object" },
	{ "an array", "[1]", "not a JSON object" },
	{ "html", "<html>", "not a JSON object" },
	{ "two objects", "{}{}", "not a JSON object" },
	{ "no schema", "{}", "schema is absent" },
	{ "newer schema", RECORD("2", "3", "\"pi2\"", "17", "\"00ff\"", HEAD), "newer version" },
	{ "schema 0", RECORD("0", "3", "\"pi2\"", "17", "\"00ff\"", HEAD), "schema is" },
	{ "schema as text", RECORD("\"1\"", "3", "\"pi2\"", "17", "\"00ff\"", HEAD), "schema is" },
	{ "epoch 0", RECORD("1", "0", "\"pi2\"", "17", "\"00ff\"", HEAD), "epoch is" },
	{ "epoch negative", RECORD("1", "-1", "\"pi2\"", "17", "\"00ff\"", HEAD), "epoch is" },
	{ "epoch with a fraction", RECORD("1", "1.5", "\"pi2\"", "17", "\"00ff\"", HEAD), "epoch is" },
	{ "epoch huge", RECORD("1", "1e300", "\"pi2\"", "17", "\"00ff\"", HEAD), "epoch is" },
	{ "epoch past the limit", RECORD("1", "4503599627370497", "\"pi2\"", "1", "\"0\"", HEAD), "epoch is" },
	{ "seq as text", RECORD("1", "1", "\"pi2\"", "\"1\"", "\"00ff\"", HEAD), "seq is" },
	{ "owner empty", RECORD("1", "1", "\"\"", "1", "\"00ff\"", HEAD), "owner is" },
	{ "owner a number", RECORD("1", "1", "7", "1", "\"00ff\"", HEAD), "owner is" },
	{ "owner with a line end", RECORD("1", "1", "\"a\\nb\"", "1", "\"00ff\"", HEAD), "owner is" },
	{ "owner too long", RECORD("1", "1", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
				   "1", "\"00ff\"", HEAD), "owner is" },
	{ "nonce not hex", RECORD("1", "1", "\"a\"", "1", "\"xyz\"", HEAD), "nonce is" },
	{ "head absent", "{\"schema\":1,\"epoch\":1,\"owner\":\"a\",\"seq\":1,\"nonce\":\"0\"}", "head is absent" },
	{ "head a string", RECORD("1", "1", "\"a\"", "1", "\"0\"", "\"x\""), "path is" },
	{ "head empty", RECORD("1", "1", "\"a\"", "1", "\"0\"", "{}"), "path is" },
	{ "a chain", CHAIN(STATE, CHANGE("8")), NULL },
	{ "all nulls", CHAIN(STATE, ",\"change\":null,\"confirmed_at\":null,\"suspect\":null"), NULL },
	{ "confirmed and suspect", CHAIN(STATE, CHANGE("8") ",\"confirmed_at\":\"2026-11-24T02:07:00Z\","
					 "\"suspect\":{\"n\":7,\"why\":\"a b\\nc\"}"), NULL },
	{ "more in change", CHAIN(STATE, ",\"change\":{\"x\":[1],\"n\":8" CHANGE_REST), NULL },
	{ "a change whose head is of no state", CHAIN("", CHANGE("8")), NULL },
	{ "n as text", CHAIN(",\"n\":\"7\"", ""), "n is not a number" },
	{ "n without a digest", CHAIN(",\"n\":7", ""), "digest is absent" },
	{ "n without an object", CHAIN(",\"n\":7,\"digest\":\"" DIGEST "\"", ""), "object is absent" },
	{ "an object without a hash", CHAIN(",\"n\":7,\"digest\":\"" DIGEST "\",\"object\":{\"path\":\"/a\"}", ""),
	  "object is absent" },
	{ "a change that is a number", CHAIN(STATE, ",\"change\":8"), "change is without its numbers" },
	{ "change 0", CHAIN(STATE, CHANGE("0")), "change is without its numbers" },
	{ "an empty change", CHAIN(STATE, ",\"change\":{}"), "change is without" },
	{ "confirmed today", CHAIN(STATE, ",\"confirmed_at\":\"today\""), "confirmed_at is not a time" },
	{ "confirmed by a number", CHAIN(STATE, ",\"confirmed_at\":1"), "confirmed_at is not a time" },
	{ "a suspicion without a number", CHAIN(STATE, ",\"suspect\":{\"why\":\"x\"}"), "suspect is without a number" },
};

#define PUT "{\"path\":\"/database.db\",\"rev\":\"196576c68d6\",\"size\":4096,\"content_hash\":\"" HASH "\"," \
	    "\"client_modified\":\"2026-11-24T02:04:00Z\",\"server_modified\":\"2026-11-24T02:06:00Z\"}\n"
#define SNAP "{\"path\":\"/var/x.db\",\"snapshot_at\":\"2026-11-24T02:05:00Z\",\"size\":4096,\"content_hash\":\"" \
	     HASH "\",\"page_size\":4096,\"page_count\":1}\n"
#define VERIFY(state, level) "{\"check\":\"db-verify\",\"object\":\"/var/x.db\",\"state\":\"" state "\",\"level\":\"" \
	       level "\",\"size\":4096,\"content_hash\":null}\n"

#define OTHER "00b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
/* db-changes: the size is that of its object */
#define LOOK(base, whole) "{\"schema\":1,\"n\":7,\"epoch\":3,\"node\":\"a\",\"snapshot_at\":\"2026-11-24T02:06:00Z\"," \
	"\"page_size\":4096,\"page_count\":1,\"pages\":1,\"digest\":\"" DIGEST "\",\"parent\":\"" HASH "\",\"content_hash\":" whole \
	",\"base\":" base ",\"path\":\"" CHANGES "\",\"size\":77,\"object\":\"" HASH "\"}\n"

#define OBJECT(n) "{\"object\":\"index i" n "\",\"why\":\"lower() is the application's\"}"
#define DOUBT(state) "{\"check\":\"db-verify\",\"state\":\"" state "\",\"level\":\"full\",\"not_judged\":[" OBJECT("1") "," \
	OBJECT("2") "," OBJECT("3") "," OBJECT("4") "," OBJECT("5") "," OBJECT("6") "]}\n"

static const struct { const char *what, *text, *why, *verified, *path; int64_t at; } inputs[] = {
	{ "all three", SNAP VERIFY("ok", "full") PUT, NULL, "full", "/database.db", 1795485900 },
	{ "another order", PUT VERIFY("ok", "quick") SNAP, NULL, "quick", "/database.db", 1795485900 },
	{ "only the upload", PUT, NULL, "none", "/database.db", 1795485840 },
	{ "blank lines and no last line end", "\n \t\r\n" PUT "\n" VERIFY("ok", "header"), NULL, "header",
	  "/database.db", 1795485840 },
	{ "another check", PUT "{\"check\":\"age-check\",\"state\":\"critical\"}", NULL, "none", "/database.db",
	  1795485840 },
	{ "a failed verification", PUT VERIFY("critical", "full"), "db-verify says critical", NULL, NULL, 0 },
	{ "a level nobody knows", PUT VERIFY("ok", "deep"), "verified is", NULL, NULL, 0 },
	{ "nothing", "", "path is", NULL, NULL, 0 },
	{ "a warning without a reason", PUT VERIFY("warning", "full"), "db-verify says warning", NULL, NULL, 0 },
	{ "a warning that says what was not judged", PUT DOUBT("warning"), NULL, "full", "/database.db", 1795485840 },
	{ "damage beside what was not judged", PUT DOUBT("critical"), "db-verify says critical", NULL, NULL, 0 },
	{ "no upload", SNAP VERIFY("ok", "full"), "path is", NULL, NULL, 0 },
	{ "not JSON", PUT "oops\n", "line 2 is not", NULL, NULL, 0 },
	{ "an array", "[" "1]\n" PUT, "line 1 is not", NULL, NULL, 0 },
	{ "another size", "{\"size\":4097}\n" PUT, "disagree about size", NULL, NULL, 0 },
	{ "another hash", PUT "{\"content_hash\":\"00\"}\n", "disagree about content_hash", NULL, NULL, 0 },
	{ "a short rev", "{\"path\":\"/a\",\"rev\":\"12345678\"}\n", "rev is", NULL, NULL, 0 },
	{ "a relative path", "{\"path\":\"a\",\"rev\":\"123456789\"}\n", "path is", NULL, NULL, 0 },
	{ "a path with a line end", "{\"path\":\"/a\\nowner=x\",\"rev\":\"123456789\"}\n", "path is", NULL, NULL, 0 },
	{ "no time", "{\"path\":\"/a\",\"rev\":\"123456789\",\"size\":1,\"content_hash\":\"" HASH "\"}",
	  "snapshot_at is", NULL, NULL, 0 },
	{ "no hash", "{\"path\":\"/a\",\"rev\":\"123456789\",\"size\":1}", "content_hash is", NULL, NULL, 0 },
	{ "a negative size", "{\"path\":\"/a\",\"rev\":\"123456789\",\"size\":-1}", "size is", NULL, NULL, 0 },
	{ "a state written whole", LOOK("true", "\"" HASH "\"") VERIFY("ok", "full") PUT, NULL, "full", "/database.db", 1795485960 },
	{ "after the upload", PUT LOOK("false", "\"" HASH "\""), NULL, "none", "/database.db", 1795485960 },
	{ "a state that was not written whole", LOOK("false", "null") PUT, "not written whole", NULL, NULL, 0 },
	{ "another content than the state's", PUT LOOK("false", "\"" OTHER "\""), "disagree about content_hash", NULL, NULL, 0 },
	{ "two states", LOOK("true", "\"" HASH "\"") LOOK("true", "\"" HASH "\"") PUT, "two lines describe", NULL, NULL, 0 },
	{ "a state without a digest", "{\"n\":7,\"object\":\"" HASH "\"}\n" PUT, "describes no state", NULL, NULL, 0 },
	{ "a page size of text", PUT "{\"page_size\":\"4096\"}", "page_size is", NULL, NULL, 0 },
};

static void check_records(void)
{
	struct head h, again;
	char why[HEAD_WHY];

	for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
		bool good;

		snprintf(why, sizeof why, "taken");
		good = head_parse(records[i].text, strlen(records[i].text), &h, why);
		check(good == (records[i].why == NULL), "record, %s: %s", records[i].what, why);
		check(good || strstr(why, records[i].why) != NULL, "record, %s: %s", records[i].what, why);
		if (good) {
			json *j = head_json(&h);
			char *text = json_text(j), *twice;

			check(head_parse(text, strlen(text), &again, why), "round trip, %s: %s", records[i].what, why);
			json_free(j);
			j = head_json(&again);
			twice = json_text(j);
			check(strcmp(text, twice) == 0, "round trip, %s: %s", records[i].what, twice);
			json_free(j);
			free(text);
			free(twice);
		}
	}
	check(head_parse(records[0].text, strlen(records[0].text), &h, why) && h.epoch == 3 && h.seq == 17 &&
	      strcmp(h.owner, "pi2") == 0 && strcmp(h.rev, "196576c68d6") == 0 && h.size == 4096 &&
	      h.page_count == 1 && strcmp(h.verified, "full") == 0, "the fields of a good record");
}

static void check_inputs(void)
{
	char why[HEAD_WHY];

	for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
		struct head h = { .epoch = 0 };
		struct head_state state;
		bool good;

		snprintf(why, sizeof why, "taken");
		good = head_read_lines(inputs[i].text, strlen(inputs[i].text), &h, &state, why);
		check(good == (inputs[i].why == NULL), "input, %s: %s", inputs[i].what, why);
		check(good || strstr(why, inputs[i].why) != NULL, "input, %s: %s", inputs[i].what, why);
		if (good)
			check(strcmp(h.verified, inputs[i].verified) == 0 && strcmp(h.path, inputs[i].path) == 0 &&
			      h.snapshot_at == inputs[i].at, "input, %s: %s %s %lld", inputs[i].what, h.verified,
			      h.path, (long long)h.snapshot_at);
	}
}

/* What another program wrote into the record is there when we write it again. */
static void check_others_members(void)
{
	static const char text[] = CHAIN(STATE ",\"a\":{\"x\":[1]}", ",\"change\":{\"y\":[2],\"n\":8" CHANGE_REST ",\"z\":null");
	struct head h;
	char why[HEAD_WHY], *out;
	json *j;

	check(head_parse(text, strlen(text), &h, why), "%s", why);
	j = head_json(&h);
	out = json_text(j);
	check(strstr(out, "\"a\":{\"x\":[1]}") && strstr(out, "\"y\":[2]") && strstr(out, "\"z\":null"), "%s", out);
	free(out);
	json_free(j);
}

/* The newest state, and which of two records is the newer. */
static void check_newest(void)
{
	static const struct { const char *text; int64_t n; } rows[] = {
		{ CHAIN(STATE, ""), 7 },
		{ CHAIN(STATE, CHANGE("8")), 8 },
		{ CHAIN(STATE, CHANGE("6")), 7 },
		{ CHAIN("", CHANGE("8")), 0 },
		{ RECORD("1", "1", "\"a\"", "1", "\"0\"", "null"), 0 },
	};
	struct head h, none = { .epoch = 3, .seq = 17 }, eight = none;
	char why[HEAD_WHY];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		check(head_parse(rows[i].text, strlen(rows[i].text), &h, why), "%s", why);
		check(head_newest(&h).n == rows[i].n, "newest, row %zu: %lld", i, (long long)head_newest(&h).n);
	}
	check(head_parse(CHAIN(STATE, CHANGE("8")), strlen(CHAIN(STATE, CHANGE("8"))), &eight, why), "%s", why);
	check(head_parse(CHAIN(STATE, ""), strlen(CHAIN(STATE, "")), &h, why), "%s", why);
	check(head_order(&h, &eight) == -1 && head_order(&eight, &h) == 1 && head_order(&h, &h) == 0, "order by n");
	check(head_order(&none, &eight) == 0 && head_order(&eight, &none) == 0, "who says no n denies none");
	none.seq = 18;
	check(head_order(&none, &eight) == 1, "seq counts before n");
}

static void check_not_judged(void)
{
	struct head h = { .epoch = 0 };
	struct head_state state;
	char why[HEAD_WHY], *out;
	json *j;

	check(head_read_lines(PUT DOUBT("warning"), strlen(PUT DOUBT("warning")), &h, &state, why), "%s", why);
	check(strstr(h.not_judged, OBJECT("5")) && !strstr(h.not_judged, OBJECT("6")), "a short list: %s", h.not_judged);
	j = head_json(&h);
	out = json_text(j);
	check(strstr(out, "\"not_judged\":[" OBJECT("1")) != NULL, "%s", out);
	free(out);
	json_free(j);
}

int main(void)
{
	check_others_members();
	check_newest();
	check_not_judged();
	check_records();
	check_inputs();
	check(head_owner_valid("pi-ctv") && head_owner_valid("a.b_C9"), "good owners");
	check(!head_owner_valid("") && !head_owner_valid("a b") && !head_owner_valid("a/b"), "bad owners");
	return check_done();
}
