#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sqlite3.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/sqlite/syscalls.h"

#include "tests/unit/check.h"

static char dir[PATH_MAX];
static int (*sqlite_opens)(const char *, int, int);
static int (*sqlite_unlinks)(const char *);

static const char *in(const char *name)
{
	static char path[PATH_MAX + 64];

	snprintf(path, sizeof path, "%s%s%s", name[0] == '/' ? "" : dir, name[0] == '/' || *name == '\0' ? "" : "/", name);
	return path;
}

static void make(const char *name)
{
	int fd = open(in(name), O_WRONLY | O_CREAT, 0600);

	check(fd >= 0, "%s: %s", name, strerror(errno));
	close(fd);
}

/* What SQLite's open of each name comes to; `why` is part of the refusal, NULL where it is let through. */
static const struct { const char *name; int flags; const char *why; } opens[] = {
	{ "d/db", O_RDWR, NULL },
	{ "d/db-journal", O_RDWR | O_CREAT, NULL },
	{ "d/db-wal", O_RDWR | O_CREAT, NULL },
	{ "d/db-shm", O_RDWR | O_CREAT, NULL },
	{ "d", O_RDONLY, NULL },
	{ "/dev/null", O_RDONLY, NULL },
	{ "/dev/urandom", O_RDONLY, NULL },
	{ "d", O_RDWR, "another file" },
	{ "d/new", O_RDONLY | O_CREAT, "another file" },
	{ "d/db-mj12345690A", O_RDONLY, "another file" },
	{ "d/db-journal-wal", O_RDWR, "another file" },
	{ "d/db-journalx", O_RDWR, "another file" },
	{ "d/other", O_RDWR, "another file" },
	{ "d/other-journal", O_RDWR, "another file" },
	{ "d/../d/db", O_RDWR, "another file" },
	{ "", O_RDONLY, "another file" },
	{ "/etc/passwd", O_RDONLY, "another file" },
	{ "/", O_RDONLY, "another file" },
	{ "d/fifo", O_RDONLY, "not a regular file" },
	{ "d/fifo-journal", O_RDWR, "not a regular file" },
	{ "d/fifo-wal", O_WRONLY, "not a regular file" },
	{ "d/link", O_RDWR, "a symbolic link" },
	{ "d/link-journal", O_RDWR | O_CREAT, "a symbolic link" },
	{ "d/twice-journal", O_RDWR, "has a second name" },
	{ "d/twice", O_RDWR, NULL },	/* as db-install leaves LIVE when it is killed */
	{ "dlink/db", O_RDWR, "a symbolic link" },
	{ "dlink/db-journal", O_RDWR | O_CREAT, "a symbolic link" },
};

static void check_opens(void)
{
	for (size_t i = 0; i < sizeof opens / sizeof *opens; i++) {
		const char *why;
		int fd;

		check(syscalls_admit(in("d/db")), "admitted");	/* again: forgets the last refusal */
		fd = sqlite_opens(in(opens[i].name), opens[i].flags, 0600);
		why = syscalls_refusal();
		if (opens[i].why == NULL)
			check(fd >= 0 && why == NULL, "%s: let through: %s", opens[i].name, why != NULL ? why : strerror(errno));
		else
			check(fd < 0 && why != NULL && strncmp(why, in(opens[i].name), strlen(in(opens[i].name))) == 0 &&
			      strstr(why, opens[i].why) != NULL, "%s: %s", opens[i].name, why != NULL ? why : "let through");
		if (fd >= 0)
			close(fd);
	}
}

static void check_unlinks(void)
{
	static const struct { const char *name; bool goes; } table[] = {
		{ "d/db-journal", true }, { "d/db-wal", true }, { "d/db-shm", true }, { "d/db", false },
		{ "d/other", false }, { "d/db-mj12345690A", false }, { "dlink/db-journal", false }, { "/dev/null", false },
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct stat st;

		if (table[i].name[0] != '/')
			make(table[i].name);
		check(syscalls_admit(in("d/db")), "admitted");
		check((sqlite_unlinks(in(table[i].name)) == 0) == table[i].goes, "unlink %s", table[i].name);
		check((lstat(in(table[i].name), &st) != 0) == table[i].goes, "%s afterwards", table[i].name);
		check((syscalls_refusal() == NULL) == table[i].goes, "%s: told", table[i].name);
	}
	check(syscalls_admit(in("d/db")), "admitted");
	check(sqlite_unlinks(in("d/db-wal")) != 0 && errno == ENOENT && syscalls_refusal() == NULL, "one that is gone");
}

/* Of several refusals of one opening the first is the reason of the failure. */
static void check_first_refusal_stays(void)
{
	check(syscalls_admit(in("d/db")), "admitted");
	check(syscalls_refusal() == NULL, "forgotten");
	sqlite_opens("/first", O_RDONLY, 0);
	sqlite_opens("/second", O_RDONLY, 0);
	check(strncmp(syscalls_refusal(), "/first: ", 8) == 0, "%s", syscalls_refusal());
}

/* A kernel that does not know openat2(2), as Debian's qemu-user plays one and a unit with RestrictSUIDSGID= sees one */
static void forget_openat2(void)
{
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof rules / sizeof *rules, rules };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0);
	check(syscall(SYS_openat2, AT_FDCWD, "/", NULL, 0) == -1 && errno == ENOSYS, "openat2: %s", strerror(errno));
}

/* What lies in the root directory has a parent like any other. */
static void check_root(void)
{
	int fd;

	check(syscalls_admit("/no-database"), "admitted");
	fd = sqlite_opens("/", O_RDONLY, 0);
	check(fd >= 0, "/: %s", strerror(errno));
	close(fd);
	check(sqlite_unlinks("/no-database-wal") != 0 && errno == ENOENT && syscalls_refusal() == NULL, "%s", strerror(errno));
}

static void make_links(void)
{
	char from[PATH_MAX + 64];

	make("d/twice-journal");
	snprintf(from, sizeof from, "%s", in("d/twice-journal"));
	check(link(from, in("d/once")) == 0, "a second name");
	make("d/twice");
	snprintf(from, sizeof from, "%s", in("d/twice"));
	check(link(from, in("d/again")) == 0, "a second name");
	check(symlink("other", in("d/link")) == 0 && symlink("other", in("d/link-journal")) == 0 &&
	      symlink("d", in("dlink")) == 0, "links");
}

static void remove_all(void)
{
	static const char *const names[] = {
		"d/db", "d/other", "d/twice", "d/again", "d/twice-journal", "d/once", "d/link", "d/link-journal", "d/fifo",
		"d/fifo-journal", "d/fifo-wal", "d/db-journal", "d/db-wal", "d/db-shm", "d/db-mj12345690A", "d", "dlink", "",
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		remove(in(names[i]));
	check(access(dir, F_OK) != 0, "all removed");
}

int main(void)
{
	char base[] = "/tmp/syscalls.XXXXXX";
	sqlite3_vfs *vfs;

	check(mkdtemp(base) != NULL && realpath(base, dir) != NULL && mkdir(in("d"), 0700) == 0, "a directory");
	make("d/db");
	make("d/other");
	check(mkfifo(in("d/fifo"), 0600) == 0 && mkfifo(in("d/fifo-journal"), 0600) == 0 &&
	      mkfifo(in("d/fifo-wal"), 0600) == 0, "FIFOs");
	make_links();
	check(!syscalls_admit("relative"), "a relative name");
	/* some of these a swap put there after the names were settled */
	check(syscalls_admit(in("d/db")) && syscalls_admit(in("d/fifo")) && syscalls_admit(in("d/link")) &&
	      syscalls_admit(in("d/twice")) && syscalls_admit(in("dlink/db")), "admitted");
	vfs = sqlite3_vfs_find("unix");
	sqlite_opens = (int (*)(const char *, int, int))vfs->xGetSystemCall(vfs, "open");
	sqlite_unlinks = (int (*)(const char *))vfs->xGetSystemCall(vfs, "unlink");
	check_opens();
	check_unlinks();
	check_first_refusal_stays();
	forget_openat2();
	check_opens();
	check_unlinks();
	check_root();
	remove_all();
	return check_done();
}
