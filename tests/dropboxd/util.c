/* util.c - memory, text, time, chance, and waiting that ends when the server does. */
#include "lib/std.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/random.h>
#include <time.h>
#include <wctype.h>

#include "tests/dropboxd/dropboxd.h"

const char HEX[] = "0123456789abcdef";
const char BASE62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const char URLSAFE[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* ---- memory and text ---- */

void *xrealloc(void *p, size_t n)
{
	p = realloc(p, n ? n : 1);
	if (p == NULL) {
		fputs("dropboxd: out of memory\n", stderr);
		abort();
	}
	return p;
}

void *xmalloc(size_t n)
{
	return xrealloc(NULL, n);
}

char *xstrdup(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(xmalloc(n), s, n);
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		abort();
	va_end(ap);
	return s;
}

void text_add(struct text *t, const void *p, size_t n)
{
	if (t->cap - t->n <= n) {
		t->cap = (t->n + n + 1) * 2;
		t->p = xrealloc(t->p, t->cap);
	}
	if (n > 0)
		memcpy(t->p + t->n, p, n);
	t->n += n;
	t->p[t->n] = '\0';
}

void text_str(struct text *t, const char *s)
{
	text_add(t, s, strlen(s));
}

void text_fmt(struct text *t, const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		abort();
	va_end(ap);
	text_str(t, s);
	free(s);
}

void hex(char *out, const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		*out++ = HEX[p[i] >> 4];
		*out++ = HEX[p[i] & 15];
	}
	*out = '\0';
}

char *base64url(const void *data, size_t n)
{
	const unsigned char *p = data;
	char *out = xmalloc(n * 4 / 3 + 5), *o = out;

	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i;
		unsigned v = (unsigned)p[i] << 16 | (left > 1 ? (unsigned)p[i + 1] << 8 : 0)
			| (left > 2 ? p[i + 2] : 0);

		for (size_t k = 0; k < (left > 2 ? 4 : left + 1); k++)
			*o++ = URLSAFE[v >> (18 - 6 * k) & 63];
	}
	*o = '\0';
	return out;
}

ssize_t base64_decode(const char *s, unsigned char *out, size_t cap)
{
	unsigned v = 0, bits = 0;
	size_t n = 0;

	for (; *s != '\0' && *s != '='; s++) {
		char c = *s == '+' ? '-' : *s == '/' ? '_' : *s;
		const char *at = strchr(URLSAFE, c);

		if (at == NULL)
			return -1;
		v = v << 6 | (unsigned)(at - URLSAFE);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			if (n == cap)
				return -1;
			out[n++] = (unsigned char)(v >> bits);
		}
	}
	return (ssize_t)n;
}

/* One code point from s (n > 0 bytes left); its length, 0 if malformed or a surrogate. */
static size_t utf8_get(const char *s, size_t n, uint32_t *cp)
{
	const unsigned char *p = (const unsigned char *)s;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xf8 ? 0 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3
		: p[0] >= 0xc0 ? 2 : 0;

	if (len == 0 || len > n)
		return 0;
	*cp = len == 1 ? p[0] : p[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | (p[i] & 0x3f);
	}
	if (*cp < least[len] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp < 0xe000))
		return 0;
	return len;
}

static void utf8_put(struct text *t, uint32_t cp)
{
	char b[4];
	size_t n = 0;

	if (cp < 0x80) {
		b[n++] = (char)cp;
	} else {
		size_t len = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;

		b[n++] = (char)(0xf00u >> len | cp >> (6 * (len - 1)));
		while (n < len) {
			b[n] = (char)(0x80 | (cp >> (6 * (len - 1 - n)) & 0x3f));
			n++;
		}
	}
	text_add(t, b, n);
}

bool utf8_ok(const char *s, size_t n)
{
	uint32_t cp;

	for (size_t i = 0, len; i < n; i += len) {
		len = utf8_get(s + i, n - i, &cp);
		if (len == 0)
			return false;
	}
	return true;
}

size_t utf8_length(const char *s, size_t n)
{
	size_t chars = 0;

	for (size_t i = 0; i < n; i++)
		chars += (s[i] & 0xc0) != 0x80;
	return chars;
}

char *lower(const char *s)
{
	struct text t = { 0 };
	size_t left = strlen(s);
	uint32_t cp;

	text_str(&t, "");
	while (left > 0) {
		size_t len = utf8_get(s, left, &cp);

		if (len == 0) {
			cp = '?';
			len = 1;
		}
		utf8_put(&t, (uint32_t)towlower((wint_t)cp));
		s += len;
		left -= len;
	}
	return t.p;
}

/* ---- time ---- */

static int64_t ahead;           /* seconds the server's clock is ahead of the real one */
static pthread_mutex_t clock_mutex = PTHREAD_MUTEX_INITIALIZER;

double mono(void)
{
	static struct timespec start;
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	if (start.tv_sec == 0)
		start = t;      /* first called by main, before any thread */
	return (double)(t.tv_sec - start.tv_sec) + (double)(t.tv_nsec - start.tv_nsec) / 1e9;
}

int64_t server_now(void)
{
	pthread_mutex_lock(&clock_mutex);
	int64_t t = (int64_t)time(NULL) + ahead;
	pthread_mutex_unlock(&clock_mutex);
	return t;
}

void clock_advance(int64_t seconds)
{
	pthread_mutex_lock(&clock_mutex);
	ahead += seconds;
	pthread_mutex_unlock(&clock_mutex);
}

void format_time(char out[21], int64_t t)
{
	time_t tt = (time_t)t;
	struct tm tm;

	if (gmtime_r(&tt, &tm) == NULL || strftime(out, 21, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		memcpy(out, "1970-01-01T00:00:00Z", 21);
}

bool parse_time(const char *s, int64_t *t)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:ddZ";
	struct tm tm;
	char back[21];

	if (strlen(s) != sizeof shape - 1)
		return false;
	for (size_t i = 0; shape[i] != '\0'; i++) {
		if (shape[i] == 'd' ? s[i] < '0' || s[i] > '9' : s[i] != shape[i])
			return false;
	}
	memset(&tm, 0, sizeof tm);
	if (strptime(s, "%Y-%m-%dT%H:%M:%SZ", &tm) == NULL)
		return false;
	*t = timegm(&tm);
	format_time(back, *t);
	return strcmp(back, s) == 0;
}

/* ---- chance: splitmix64, so that a run can be repeated with --seed ---- */

static uint64_t chance_state;
static pthread_mutex_t chance_mutex = PTHREAD_MUTEX_INITIALIZER;

void chance_seed(uint64_t seed)
{
	if (seed == 0 && getrandom(&seed, sizeof seed, 0) != sizeof seed)
		seed = 1;
	chance_state = seed;
}

uint64_t chance(uint64_t n)
{
	pthread_mutex_lock(&chance_mutex);
	uint64_t z = chance_state += UINT64_C(0x9e3779b97f4a7c15);
	pthread_mutex_unlock(&chance_mutex);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % n;
}

void chance_text(char *out, size_t n, const char *alphabet)
{
	size_t letters = strlen(alphabet);

	for (size_t i = 0; i < n; i++)
		out[i] = alphabet[chance(letters)];
	out[n] = '\0';
}

/* ---- waiting ---- */

static bool stopped;
static pthread_mutex_t stop_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t stop_cond = PTHREAD_COND_INITIALIZER;

void stop_all(void)
{
	pthread_mutex_lock(&stop_mutex);
	stopped = true;
	pthread_cond_broadcast(&stop_cond);
	pthread_mutex_unlock(&stop_mutex);
}

bool stopping(void)
{
	pthread_mutex_lock(&stop_mutex);
	bool is = stopped;
	pthread_mutex_unlock(&stop_mutex);
	return is;
}

void nap(long ms)
{
	struct timespec until;

	if (ms <= 0)
		return;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&stop_mutex);
	while (!stopped && pthread_cond_clockwait(&stop_cond, &stop_mutex, CLOCK_MONOTONIC, &until) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&stop_mutex);
}

void rate_take(size_t n)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	static double next;

	if (opt.rate == 0)
		return;
	pthread_mutex_lock(&mutex);
	double now = mono();
	/* a pipe that was idle may catch up for 20 ms, no more */
	if (next < now - 0.02)
		next = now - 0.02;
	next += (double)n / (double)opt.rate;
	double wait = next - now;
	pthread_mutex_unlock(&mutex);
	if (wait > 0.001)
		nap((long)(wait * 1000));
}
