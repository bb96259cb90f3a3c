#include "lib/std.h"

#include "lib/http.h"

#include "tests/unit/check.h"

static const struct { const char *text; bool ok; uint64_t first, last, total; } ranges[] = {
	{ "bytes 0-0/1", true, 0, 0, 1 }, { "bytes 0-499/1234", true, 0, 499, 1234 }, { "bytes 734-1233/1234", true, 734, 1233, 1234 },
	{ "Bytes 5-9/10", true, 5, 9, 10 }, { "bytes 007-8/9", true, 7, 8, 9 },
	{ "bytes 0-9223372036854775806/9223372036854775807", true, 0, INT64_MAX - 1, INT64_MAX },
	{ "bytes 0-9223372036854775807/9223372036854775808", false, 0, 0, 0 },
	{ "bytes 0-1/18446744073709551617", false, 0, 0, 0 }, { "bytes 18446744073709551616-1/2", false, 0, 0, 0 },
	{ "bytes 0-1/000000000000000000000002", false, 0, 0, 0 },
	/* the last byte is before the first, or behind the end */
	{ "bytes 2-1/10", false, 0, 0, 0 }, { "bytes 0-10/10", false, 0, 0, 0 }, { "bytes 0-0/0", false, 0, 0, 0 },
	/* an unknown length, an answer that covers nothing, other units, several ranges */
	{ "bytes 0-1/*", false, 0, 0, 0 }, { "bytes */10", false, 0, 0, 0 }, { "pages 0-1/2", false, 0, 0, 0 },
	{ "bytes 0-1,2-3/4", false, 0, 0, 0 }, { "bytes=0-1/2", false, 0, 0, 0 }, { "bytes 0-", false, 0, 0, 0 },
	{ "bytes 0-1", false, 0, 0, 0 }, { "bytes 0-1/", false, 0, 0, 0 }, { "bytes -1/2", false, 0, 0, 0 },
	{ "bytes 0/2", false, 0, 0, 0 }, { "bytes  0-1/2", false, 0, 0, 0 }, { "bytes 0 - 1/2", false, 0, 0, 0 },
	{ "bytes 0-1/2 ", false, 0, 0, 0 }, { "bytes 0-1/2x", false, 0, 0, 0 }, { "bytes +0-1/2", false, 0, 0, 0 },
	{ "bytes 0--1/2", false, 0, 0, 0 }, { "bytes 0x0-1/2", false, 0, 0, 0 }, { "bytes", false, 0, 0, 0 },
	{ "bytes ", false, 0, 0, 0 }, { "0-1/2", false, 0, 0, 0 }, { "", false, 0, 0, 0 },
};

/* safe: a token may go there; wrong: no URL for us at all */
static const struct { const char *url; bool safe, wrong; } urls[] = {
	{ "https://api.dropboxapi.com/2", true, false }, { "https://192.0.2.1/", true, false }, { "HTTPS://example.com/", true, false },
	{ "http://127.0.0.1:8080/x", true, false }, { "http://127.255.255.254/", true, false }, { "http://localhost/", true, false },
	{ "http://LOCALHOST:1/", true, false }, { "http://[::1]:8080/", true, false },
	{ "http://example.com/", false, false }, { "http://126.0.0.1/", false, false },
	{ "http://128.0.0.1/", false, false }, { "http://12.7.0.0/", false, false },
	{ "http://localhost.example.com/", false, false }, { "http://127.0.0.1.example.com/", false, false },
	{ "http://127.0.0.example/", false, false }, { "http://127.-0.0.1/", false, false }, { "http://127.0.0.-0/", false, false },
	{ "http://[::2]/", false, false }, { "http://0.0.0.0/", false, false }, { "http://example.com/127.0.0.1", false, false },
	{ "http://127.0.0.1@example.com/", false, true }, { "http://user:pw@127.0.0.1/", true, true },
	{ "https://token@example.com/", true, true }, { "http://:pw@localhost/", true, true },
	{ "ftp://127.0.0.1/", false, true }, { "file:///etc/passwd", false, true }, { "example.com", false, true },
	{ "//example.com", false, true }, { "/x", false, true }, { "http://", false, true }, { "", false, true },
	{ "http://a b/", false, true }, { "http://127.0.0.1:99999/", false, true },
};

static const struct { const char *in, *out; } codes[] = {
	{ "", "" }, { "azAZ09-._~", "azAZ09-._~" }, { "a b+c&d=e", "a%20b%2Bc%26d%3De" }, { "/%\n", "%2F%25%0A" },
	{ "\xc3\xa9\xff", "%C3%A9%FF" },
};

int main(void)
{
	struct buf b = BUF_INIT(64);

	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
		uint64_t first = 0, last = 0, total = 0;
		bool ok = http_parse_range(ranges[i].text, &first, &last, &total);

		check(ok == ranges[i].ok && (!ok || (first == ranges[i].first && last == ranges[i].last &&
						     total == ranges[i].total)), "range '%s': %s, %llu-%llu/%llu", ranges[i].text,
		      ok ? "taken" : "refused", (unsigned long long)first, (unsigned long long)last, (unsigned long long)total);
	}
	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
		const char *why = http_url_wrong(urls[i].url);

		check(http_url_is_safe(urls[i].url) == urls[i].safe, "URL '%s': %s", urls[i].url, urls[i].safe ? "unsafe" : "safe");
		check((why != NULL) == urls[i].wrong, "URL '%s': %s", urls[i].url, why != NULL ? why : "taken");
	}
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		buf_clear(&b);
		check(http_urlencode(&b, codes[i].in) == 0 && strcmp(buf_text(&b), codes[i].out) == 0, "'%s': %s", codes[i].in,
		      buf_text(&b));
	}
	buf_free(&b);
	b.max = 2;
	check(http_urlencode(&b, " ") != 0, "a text past the limit");
	buf_free(&b);
	return check_done();
}
