#include "lib/std.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/dropbox/resume.h"

#include "tests/unit/check.h"

#define HEAD "ctv 1 /a rev:123456789"
#define TEXT(s) s, sizeof s - 1

/*
 * What a file becomes when it is opened with HEAD, and the records that are replayed, each followed by a semicolon.
 * The reader refuses a record that begins with '!'. Fresh: the head was not there.
 */
static const struct { const char *what, *in; size_t len; const char *records; bool fresh; const char *out; } files[] = {
	{ "nothing", TEXT(""), "", true, HEAD "\n" },
	{ "the head alone", TEXT(HEAD "\n"), "", false, HEAD "\n" },
	{ "records", TEXT(HEAD "\n1 a\n2 b\n"), "1 a;2 b;", false, HEAD "\n1 a\n2 b\n" },
	{ "an empty record", TEXT(HEAD "\n\n2\n"), ";2;", false, HEAD "\n\n2\n" },
	{ "the head twice", TEXT(HEAD "\n" HEAD "\n"), HEAD ";", false, HEAD "\n" HEAD "\n" },
	{ "a torn last record", TEXT(HEAD "\n1 a\n2 "), "1 a;", false, HEAD "\n1 a\n" },
	{ "a torn only record", TEXT(HEAD "\n1"), "", false, HEAD "\n" },
	{ "a torn head", TEXT("ctv 1 /a re"), "", true, HEAD "\n" },
	{ "a head without its line end", TEXT(HEAD), "", true, HEAD "\n" },
	{ "another head", TEXT("ctv 1 /b rev:123456789\n1 a\n"), "", true, HEAD "\n" },
	{ "a longer head", TEXT(HEAD "0\n1 a\n"), "", true, HEAD "\n" },
	{ "a shorter head", TEXT("ctv 1\n1 a\n"), "", true, HEAD "\n" },
	{ "a head of DOS", TEXT(HEAD "\r\n1 a\r\n"), "", true, HEAD "\n" },
	{ "an empty first line", TEXT("\n" HEAD "\n1\n"), "", true, HEAD "\n" },
	{ "garbage in the middle", TEXT(HEAD "\n1 a\n!\xff\x01\n3 c\n"), "1 a;", false, HEAD "\n1 a\n" },
	{ "garbage as the first record", TEXT(HEAD "\n!\n3 c\n"), "", false, HEAD "\n" },
	{ "garbage at the end", TEXT(HEAD "\n1 a\n!"), "1 a;", false, HEAD "\n1 a\n" },
	/* a power cut can leave zeros where data was to come */
	{ "zeros at the end", TEXT(HEAD "\n1 a\n\0\0\0\0"), "1 a;", false, HEAD "\n1 a\n" },
	{ "zeros in a record", TEXT(HEAD "\n1 a\n2 b\0\0\n3 c\n"), "1 a;", false, HEAD "\n1 a\n" },
	{ "zeros for a record", TEXT(HEAD "\n1 a\n\0\0\0\n3 c\n"), "1 a;", false, HEAD "\n1 a\n" },
	{ "zeros behind the head", TEXT(HEAD "\0\0\n1 a\n"), "", true, HEAD "\n" },
	{ "nothing but zeros", TEXT("\0\0\0\0"), "", true, HEAD "\n" },
};

static int record(void *ctx, const char *line)
{
	if (*line == '!')
		return -1;
	return buf_adds(ctx, line) != 0 || buf_adds(ctx, ";") != 0;
}

static bool put(const char *path, const char *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	bool ok = fd >= 0 && file_write(fd, data, len) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

static void check_content(const char *path, const char *want, const char *what)
{
	struct buf b = BUF_INIT(1 << 16);

	check(file_slurp(path, &b) == EX_OK && b.len == strlen(want) && strcmp(buf_text(&b), want) == 0, "%s: '%s'", what,
	      buf_text(&b));
	buf_free(&b);
}

static void check_files(const char *path)
{
	struct journal *j;

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		struct buf seen = BUF_INIT(1000);
		char want[200];
		bool fresh = !files[i].fresh;

		check(put(path, files[i].in, files[i].len), "%s: written", files[i].what);
		check(journal_open(&j, path, HEAD, record, &seen, &fresh) == EX_OK && fresh == files[i].fresh, "%s: %s",
		      files[i].what, fresh ? "fresh" : "not fresh");
		check(strcmp(buf_text(&seen), files[i].records) == 0, "%s: replayed %s", files[i].what, buf_text(&seen));
		check_content(path, files[i].out, files[i].what);
		/* what comes next stands behind the last good line */
		check(journal_add(j, "%d %s", 9, "z") == EX_OK, "%s: added", files[i].what);
		snprintf(want, sizeof want, "%s9 z\n", files[i].out);
		journal_close(j, false);
		check_content(path, want, files[i].what);
		buf_free(&seen);
	}
}

/* The longest record comes back; one that is longer is not written, and a longer line in the file ends the replay. */
static void check_long(const char *path)
{
	static char line[8192 + 1];
	struct buf seen = BUF_INIT(1 << 14), data = BUF_INIT(1 << 15);
	struct journal *j;
	bool fresh;

	memset(line, 'x', 8190);
	unlink(path);
	check(journal_open(&j, path, HEAD, record, &seen, &fresh) == EX_OK && fresh, "a new file");
	check(journal_add(j, "%s", line) == EX_OK, "the longest record");
	journal_close(j, false);
	check(journal_open(&j, path, HEAD, record, &seen, &fresh) == EX_OK && !fresh && seen.len == 8191 &&
	      strncmp(buf_text(&seen), line, 8190) == 0, "the longest record, replayed: %zu", seen.len);
	/* dropped */
	check(journal_reset(j, HEAD) == EX_OK && journal_add(j, "1") == EX_OK, "a reset");
	journal_close(j, false);
	check_content(path, HEAD "\n1\n", "a reset");

	memset(line, 'x', 8192);
	check(buf_adds(&data, HEAD "\n1\n") == 0 && buf_adds(&data, line) == 0 && buf_adds(&data, "\n2\n") == 0 &&
	      put(path, data.data, data.len), "a long line");
	buf_clear(&seen);
	check(journal_open(&j, path, HEAD, record, &seen, &fresh) == EX_OK && !fresh && strcmp(buf_text(&seen), "1;") == 0,
	      "a long line: replayed %zu", seen.len);
	journal_close(j, false);
	check_content(path, HEAD "\n1\n", "a long line");
	buf_free(&seen);
	buf_free(&data);
}

/* The file itself: whose it is, and when it goes. What it reports goes nowhere meanwhile. */
static void check_file(const char *path, const char *link)
{
	struct journal *j, *other;
	struct buf seen = BUF_INIT(100);
	struct stat st;
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC), saved = dup(STDERR_FILENO);
	bool fresh;

	check(dup2(null, STDERR_FILENO) == STDERR_FILENO, "/dev/null");
	unlink(path);
	check(journal_open(&j, path, HEAD, record, &seen, &fresh) == EX_OK && stat(path, &st) == 0 &&
	      (st.st_mode & 0777) == 0600, "a new file's mode");
	check(journal_open(&other, path, HEAD, record, &seen, &fresh) == EX_CANTCREAT && other == NULL, "in use");
	check_content(path, HEAD "\n", "in use");
	journal_close(j, false);
	check(stat(path, &st) == 0, "closed, not done");
	check(symlink(path, link) == 0 && journal_open(&other, link, HEAD, record, &seen, &fresh) != EX_OK && other == NULL,
	      "a symbolic link");
	check(unlink(link) == 0 && mkfifo(link, 0600) == 0 &&
	      journal_open(&other, link, HEAD, record, &seen, &fresh) == EX_CANTCREAT && other == NULL, "a pipe");
	check(stat(link, &st) == 0 && unlink(link) == 0, "a pipe that stays");
	check(journal_open(&j, path, HEAD, record, &seen, &fresh) == EX_OK && !fresh, "free again");
	journal_close(j, true);
	check(stat(path, &st) != 0, "closed, done");
	journal_close(NULL, true);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(null);
	buf_free(&seen);
}

int main(void)
{
	char dir[] = "/tmp/ctv-journal.XXXXXX", path[sizeof dir + 2], link[sizeof dir + 2];

	check(mkdtemp(dir) != NULL, "a directory");
	snprintf(path, sizeof path, "%s/j", dir);
	snprintf(link, sizeof link, "%s/l", dir);
	check_files(path);
	check_long(path);
	check_file(path, link);
	check(rmdir(dir) == 0, "files left behind in %s", dir);
	return check_done();
}
