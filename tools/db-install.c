/*
 * db-install - make a database the live one
 *
 *	db-install [--owner USER[:GROUP]] [--mode MODE] [--as-of TIME] [-k] [-n] [--quarantine] [--json] CANDIDATE LIVE
 *	db-install --state DIR [--rev REV --content-hash HASH | --digest HEX] [--epoch N --seq N] ... CANDIDATE LIVE
 *
 * LIVE is at every instant a complete database, the old one or the new one, and never beside another's -wal
 * or -journal. Nobody has it open while it changes. What a crashed application had committed is recovered
 * into the old database before that is put away as LIVE.prev. On any failure the old one stays.
 */
#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cli.h"
#include "lib/clock.h"
#include "lib/copy.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/hash.h"
#include "lib/sqlite/alone.h"
#include "lib/sqlite/holders.h"
#include "lib/sqlite/keep.h"
#include "lib/installed.h"
#include "lib/json.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/option.h"
#include "lib/sqlite/retire.h"
#include "lib/rights.h"
#include "lib/shell.h"
#include "lib/sqlite/sqlite.h"
#include "lib/stop.h"

#define NUMBER_MOST (UINT64_C(1) << 53)	/* what JSON's readers take exactly */

static const char *const names[] = {
	"path", "dry_run", "unchanged", "size", "size_text", "data_at", "previous", "kept", "quarantine", "processes", NULL,
};

static struct {
	uid_t owner;
	gid_t group;
	mode_t mode;			/* (mode_t)-1: not given */
	int64_t as_of;			/* seconds since the epoch; INT64_MIN: the candidate's own time */
	uint64_t epoch, seq, n;		/* UINT64_MAX: not given */
	bool keep, dry, quarantine, quick, group_writes, json;
	struct shell shell;
	struct installed record;
} opt = {
	.owner = RIGHTS_UID_KEEP, .group = RIGHTS_GID_KEEP, .mode = (mode_t)-1, .as_of = INT64_MIN, .epoch = UINT64_MAX,
	.seq = UINT64_MAX, .n = UINT64_MAX, .shell = { .names = names }, .record = { .lock = -1 },
};

struct install {
	const char *candidate, *live;	/* as the operator named them */
	struct keep names;		/* live without symbolic links, and what it may be called when it is replaced */
	char aside[RETIRE_PATH];
	int lock;			/* of names.work, -1 without */
	int fd;				/* of what is installed */
	const char *source;		/* its path: candidate or names.work */
	struct stat st, old;		/* of candidate and live */
	bool have_old, alike;		/* there is a LIVE; its content is what is to be installed */
	bool same;			/* so there is nothing to replace */
	bool from_prev;			/* the candidate is LIVE.prev: they change places */
	bool put_aside;			/* the old one, as it was */
	const char *kept_as;		/* NULL, or the name that the old one has now */
	struct alone alone;
};

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static int64_t data_at(const struct install *in)
{
	return opt.as_of != INT64_MIN ? opt.as_of : (int64_t)in->st.st_mtim.tv_sec;
}

/* ---- what is there ---- */

static int look_at_candidate(struct install *in)
{
	struct sqlite_header header;
	struct holders h;
	int rc;

	in->fd = open(in->candidate, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (in->fd < 0 && errno == ELOOP) {
		msg_err(in->candidate, "a symbolic link");
		return EX_NOINPUT;
	}
	if (in->fd < 0 || fstat(in->fd, &in->st) != 0) {
		msg_errno(in->candidate, "cannot open");
		return EX_NOINPUT;
	}
	if (!S_ISREG(in->st.st_mode)) {
		msg_err(in->candidate, "not a regular file");
		return EX_NOINPUT;
	}
	in->from_prev = keep_is(in->names.prev, &in->st);
	if (in->from_prev && opt.keep)
		return cli_usage("%s: changes places with the live one, it cannot be kept", in->candidate);
	if (keep_is(in->names.work, &in->st) || keep_is(in->names.prev_tmp, &in->st))
		return cli_usage("%s: is a name for unfinished work", in->candidate);
	/* of LIVE itself, link() made the second name of a run that was killed: that is for look_at_live */
	if (in->st.st_nlink != 1 && !opt.keep && !keep_is(in->names.live, &in->st)) {
		msg_err(in->candidate, "has %lu names: under another one it could be changed", (unsigned long)in->st.st_nlink);
		return EX_DATAERR;
	}
	if (keep_is(in->names.live, &in->st))
		return EX_OK;
	rc = sqlite_header_read(in->fd, in->candidate, &header);
	if (rc != EX_OK)
		return rc;
	if (sqlite_no_side_files(in->candidate) != EX_OK) {
		msg_hint("its content may be in there: db-snapshot makes a copy that is complete by itself");
		return EX_DATAERR;
	}
	rc = holders_find(in->candidate, &h);
	if (rc == EX_OK && h.count > 0) {
		msg_err(in->candidate, "in use by %s", h.who);
		rc = EX_CANTCREAT;
	}
	return rc;
}

static int look_at_live(struct install *in)
{
	int rc = keep_look(&in->names, in->live, &in->old);

	in->have_old = rc == EX_OK;
	if (rc == EX_NOINPUT) {
		if (opt.quarantine || sqlite_no_side_files(in->live) == EX_OK)
			return EX_OK;
		msg_hint("of a database that is gone; --quarantine puts it aside");
		return EX_CANTCREAT;
	}
	if (rc == EX_OK && keep_is_linked(&in->names, &in->old) && !opt.quarantine) {
		msg_err(in->live, "has %lu names: SQLite would look for its journal under another one",
			(unsigned long)in->old.st_nlink);
		return EX_CANTCREAT;
	}
	return rc;
}

static bool is_alike(const struct install *in)
{
	bool same = false;
	int fd;

	if (!in->have_old || same_file(&in->st, &in->old))
		return in->have_old;
	if (opt.quick || in->st.st_size != in->old.st_size || retire_has_side_files(in->names.live))
		return false;
	fd = open(in->names.live, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0) {
		same = copy_is_same(in->fd, fd, (uint64_t)in->st.st_size);
		close(fd);
	}
	return same;
}

/*
 * Was the old one written to since it was installed by the record? Then it exists nowhere else. What waits in a -wal or
 * -journal is written, too; and so is what the record does not know at all.
 */
static int look_for_writes(struct install *in)
{
	const json *known;
	char hash[HASH_TEXT];
	int fd, rc = EX_OK;

	if (!in->have_old || in->old.st_size == 0 || keep_found(&in->names, &in->old) || opt.record.state == NULL)
		return EX_OK;
	if (!retire_is_pending(in->names.live)) {
		known = installed_entry(opt.record.before, &in->old);
		/* a followed state does not put another one in the place of last night's */
		if (known != NULL && opt.record.digest != NULL && json_str(known, "digest") != NULL && !in->from_prev)
			return keep_choose(&in->names, &in->old);
		if (known != NULL)
			return EX_OK;
		fd = opt.quick ? -1 : open(in->names.live, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0)
			rc = content_hash_fd(fd, 0, (uint64_t)in->old.st_size, hash);
		if (fd >= 0)
			close(fd);
		if (fd >= 0 && rc == EX_OK && installed_hash_is(&opt.record, hash))
			return EX_OK;
	}
	return keep_choose(&in->names, &in->old);
}

/* ---- the new one ---- */

/* Owner, rights and time of what will be LIVE, and all of it on disk. */
static int dress(const struct install *in, int fd)
{
	const struct stat *like = &in->old;
	struct rights r = { .uid = opt.owner, .gid = opt.group, .mode = opt.mode, .like = in->have_old ? in->names.live : NULL,
			    .share = opt.owner == RIGHTS_UID_KEEP };
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, in->st.st_mtim };
	struct stat dir;
	int rc;

	/* the first one belongs to whom its directory belongs; only root can give files away */
	if (!in->have_old) {
		if (stat(in->names.dir, &dir) != 0)
			dir.st_uid = RIGHTS_UID_KEEP, dir.st_gid = RIGHTS_GID_KEEP;
		else if (geteuid() != 0)
			dir.st_uid = RIGHTS_UID_KEEP, dir.st_gid = opt.group_writes ? dir.st_gid : RIGHTS_GID_KEEP;
		dir.st_mode = 0640;
		like = &dir;
	}
	if (r.uid == RIGHTS_UID_KEEP)
		r.uid = like->st_uid;
	if (r.gid == RIGHTS_GID_KEEP)
		r.gid = like->st_gid;
	if (r.mode == (mode_t)-1)
		r.mode = (like->st_mode & 0777) | (opt.group_writes ? 060 : 0);
	rc = rights_apply(fd, in->live, &r);
	if (rc != EX_OK)
		return rc;
	if (opt.as_of != INT64_MIN)
		times[1] = (struct timespec){ .tv_sec = (time_t)opt.as_of };
	/* of another's file the record alone has the time */
	if (futimens(fd, times) != 0 && (errno != EPERM || opt.record.state == NULL)) {
		msg_errno(in->live, "cannot set its time");
		return errno == EPERM ? EX_NOPERM : EX_IOERR;
	}
	if (fsync(fd) != 0) {
		msg_errno(in->live, "cannot write it to disk");
		return EX_IOERR;
	}
	return EX_OK;
}

/* ---- the old one ---- */

/* In order, or aside: what lies beside LIVE is taken in or gone with it. */
static int put_old_away(struct install *in)
{
	/* with a second name (only --quarantine comes here so) its journal may be under that one: SQLite is not asked */
	bool aside = in->have_old ? keep_is_linked(&in->names, &in->old) : retire_has_side_files(in->names.live);
	int rc = EX_OK;

	if (in->have_old && !aside)
		rc = retire_database(in->names.live, in->live);
	if (rc == EX_DATAERR && !opt.quarantine)
		msg_hint("--quarantine puts it aside with all its files and installs the new one");
	if (rc == EX_DATAERR && opt.quarantine)
		aside = true;
	else if (rc != EX_OK)
		return rc;
	if (aside)
		rc = retire_aside(in->names.live, in->aside);
	in->put_aside = aside && rc == EX_OK;
	return aside ? rc : EX_OK;
}

/* ---- the exchange ---- */

/* LIVE and the file other change places; without other LIVE is replaced. */
static int take_name(struct install *in, const char *other)
{
	int rc;

	if (in->source == in->candidate && !keep_is(in->candidate, &in->st)) {
		msg_err(in->candidate, "was replaced meanwhile");
		return EX_CANTCREAT;
	}
	if (other != NULL)
		rc = renameat2(AT_FDCWD, other, AT_FDCWD, in->names.live, RENAME_EXCHANGE);
	else if (in->have_old)
		rc = rename(in->source, in->names.live);
	else	/* an application that started now has made an empty one */
		rc = renameat2(AT_FDCWD, in->source, AT_FDCWD, in->names.live, RENAME_NOREPLACE);
	if (rc != 0) {
		rc = file_write_status(errno);
		msg_errno(in->live, "cannot replace");
		return rc;
	}
	if (file_sync_parent(in->names.live) != 0) {
		msg_errno(in->live, "installed, but its directory cannot be written to disk");
		return EX_IOERR;
	}
	return EX_OK;
}

/* Whoever opened the old one in the last instant would read old data, and lose what it writes. */
static int nobody_has_old(struct install *in)
{
	const char *old = in->put_aside ? in->aside : in->kept_as != NULL ? in->kept_as : in->alike ? in->source : NULL;
	bool wanted = alone_is_wanted(&in->alone);
	struct holders h;

	/* to look for locks the file is opened */
	alone_end(&in->alone);
	if (!in->have_old || old == NULL || holders_find(old, &h) != EX_OK || (h.count == 0 && !wanted))
		return EX_OK;
	msg_err(in->live, "installed, but the old one is still open in %s", h.count > 0 ? h.who : "a process that waited for it");
	msg_hint("restart it: what it writes goes to %s", old);
	return EX_CANTCREAT;
}

/* From here on signals only set a flag that nobody looks at: it is done, or it was not begun. */
static int exchange(struct install *in)
{
	/* an empty file is not worth the place of the one before */
	bool worth_keeping = in->have_old && in->old.st_size > 0 && !in->put_aside;
	const char *swap = !worth_keeping || *in->names.kept != '\0' ? NULL : in->from_prev ? in->names.prev :
			   in->alike ? in->source : NULL;
	int rc;

	/* the side files' absence has to be on disk before the new name is */
	if (sqlite_no_side_files(in->live) != EX_OK)
		return EX_CANTCREAT;
	if (file_sync_parent(in->names.live) != 0) {
		msg_errno(in->live, "cannot write its directory to disk");
		return EX_IOERR;
	}
	rc = alone_look(&in->alone);
	if (rc == EX_OK && in->have_old)
		rc = alone_lease(&in->alone, &in->old);
	if (rc == EX_OK && stop_asked()) {
		msg_err(in->live, "interrupted");
		rc = EX_TEMPFAIL;
	}
	if (rc == EX_OK && in->have_old)
		msg_info("%s: the old database is out of use%s", in->live, in->put_aside ? "" : " and in order");
	/* what has the same content is not the one before */
	if (rc == EX_OK && worth_keeping && swap == NULL)
		rc = keep_name(&in->names, &in->old, &in->kept_as);
	if (rc == EX_OK && alone_is_wanted(&in->alone)) {
		msg_err(in->live, "in use: a process is opening it");
		rc = EX_CANTCREAT;
	}
	if (rc == EX_OK)
		rc = take_name(in, swap);
	if (rc != EX_OK)
		return rc;
	if (swap == in->names.prev)
		in->kept_as = swap;
	msg_info("%s: installed%s%s", in->live, in->kept_as != NULL ? ", the one before is " : "",
		 in->kept_as != NULL ? in->kept_as : "");
	rc = nobody_has_old(in);
	if (rc == EX_OK && swap == in->source)
		unlink(swap);
	return rc;
}

/* It is there already: only owner, rights and time are set, and the candidate goes as it would have. */
static int already_there(struct install *in, bool copy)
{
	int fd = open(in->names.live, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), rc = EX_CANTCREAT;
	struct stat st;

	if (fd < 0)
		msg_errno(in->live, "cannot open");
	else if (fstat(fd, &st) != 0 || !same_file(&st, &in->old))
		msg_err(in->live, "was replaced meanwhile");
	/* another member of the group, who may set nothing of it: there is nothing to set */
	else if (same_file(&in->st, &in->old) && geteuid() != 0 && st.st_uid != geteuid() && st.st_mtim.tv_sec == data_at(in))
		rc = EX_OK;
	else
		rc = dress(in, fd);
	if (fd >= 0)
		close(fd);
	if (rc == EX_OK && !copy && !in->from_prev && !same_file(&in->st, &in->old))
		unlink(in->candidate);
	return rc;
}

static void put_path(json *j, const char *name, const char *path)
{
	if (path != NULL)
		json_put_str(j, name, path);
	else
		json_put_null(j, name);
}

static void answer(const struct install *in)
{
	bool written = in->kept_as == in->names.kept;
	char at[CLOCK_TEXT], size[NUM_TEXT];
	json *j;

	clock_text(at, data_at(in));
	num_size_text(size, (uint64_t)in->st.st_size);
	if (in->put_aside && in->have_old)
		msg_err(in->aside, "the old database was put aside here");
	if (written)
		msg_err(in->names.kept, "what was written here since the last installation is kept here");
	if (!opt.json && !shell_asked(&opt.shell)) {
		if (opt.dry)
			printf("%s %s: %s, as of %s, %s\n", in->same ? "nothing to do for" : "would install", in->live,
			       in->candidate, at, size);
		return;
	}
	j = json_object();
	json_put_str(j, "path", in->live);
	json_put_bool(j, "dry_run", opt.dry);
	json_put_bool(j, "unchanged", in->same);
	json_put_int(j, "size", (int64_t)in->st.st_size);
	json_put_str(j, "data_at", at);
	put_path(j, "previous", written ? NULL : in->kept_as);
	put_path(j, "kept", written ? in->kept_as : NULL);
	put_path(j, "quarantine", in->put_aside ? in->aside : NULL);
	json_put_str(j, "processes", in->alone.all_seen ? "all" : "own");
	shell_set(&opt.shell, "size_text", size);
	json_answer(j, opt.json, &opt.shell);
}

static int install(struct install *in)
{
	struct stat dressed;
	bool copy;
	int rc = keep_names(&in->names, in->live);

	in->alone.path = in->names.live;
	in->alone.object = in->live;
	if (rc == EX_OK)
		rc = look_at_candidate(in);
	if (rc != EX_OK)
		return rc;
	if (!opt.dry) {
		rc = file_claim(in->names.work, &in->lock);
		if (rc != EX_OK)
			return rc;
	}
	rc = look_at_live(in);
	if (rc != EX_OK)
		return rc;
	copy = opt.keep || copy_needed(in->fd, in->names.dir);
	in->alike = is_alike(in);
	/* only its owner can set a file's mode and time: for another user it is replaced all the same */
	in->same = in->alike && (geteuid() == 0 || in->old.st_uid == geteuid() || same_file(&in->st, &in->old));
	if (!opt.dry) {
		rc = installed_begin(&opt.record);
		if (rc == EX_OK && opt.record.state != NULL && opt.record.content_hash == NULL && opt.record.digest == NULL) {
			rc = installed_recall(&opt.record, in->candidate, &in->st);
			opt.as_of = opt.record.data_at;
		}
		opt.record.data_at = data_at(in);
		if (rc != EX_OK)
			return rc;
	}
	if (in->same)
		return opt.dry ? EX_OK : already_there(in, copy);
	rc = alone_look(&in->alone);
	if (rc == EX_OK && copy)
		rc = copy_room(in->live, in->names.dir, (uint64_t)in->st.st_size);
	if (rc != EX_OK || opt.dry)
		return rc;
	if (!in->alike)
		rc = look_for_writes(in);

	if (rc == EX_OK && copy) {
		rc = copy_verified(in->fd, in->candidate, in->lock, in->live, (uint64_t)in->st.st_size);
		close(in->fd);
		in->fd = in->lock;
		in->source = in->names.work;
	}
	if (rc == EX_OK)
		rc = dress(in, in->fd);
	if (rc == EX_OK && fstat(in->fd, &dressed) != 0) {
		msg_errno(in->live, "cannot look at what is to be installed");
		rc = EX_IOERR;
	}
	if (rc == EX_OK)
		rc = installed_next(&opt.record, &dressed);
	if (rc == EX_OK)
		rc = put_old_away(in);
	return rc == EX_OK ? exchange(in) : rc;
}

static int install_on_record(struct install *in)
{
	struct installed *r = &opt.record;
	int rc;

	r->epoch = opt.epoch != UINT64_MAX ? (int64_t)opt.epoch : -1;
	r->seq = opt.seq != UINT64_MAX ? (int64_t)opt.seq : -1;
	r->n = opt.n != UINT64_MAX ? (int64_t)opt.n : -1;
	rc = install(in);
	if (rc == EX_OK && !opt.dry)
		rc = installed_done(r, in->live, in->names.live, in->names.prev);
	installed_end(r);
	if (rc == EX_OK)
		answer(in);
	alone_end(&in->alone);
	if (in->fd >= 0 && in->fd != in->lock)
		close(in->fd);
	file_unclaim(in->names.work, in->lock);
	return rc;
}

/* ---- the command line ---- */

static const char *take_owner(const char *text, void *to)
{
	(void)to;
	return rights_parse_owner(text, &opt.owner, &opt.group);
}

static const char *take_mode(const char *text, void *to)
{
	return rights_parse_mode(text, to);
}

static const char *take_time(const char *text, void *to)
{
	return clock_parse(text, to);
}

static const struct option_row options[] = {
	{ 0, "owner", "USER[:GROUP]", take_owner, NULL, "its owner (default: that of the old one)" },
	{ 0, "mode", "MODE", take_mode, &opt.mode, "its mode, octal (default: that of the old one, or 0640)" },
	{ 0, "group-writes", NULL, option_flag, &opt.group_writes, "its group may write it, whatever the mode of the old one; of the\n"
	  "first one it is that of the directory" },
	{ 0, "as-of", "TIME", take_time, &opt.as_of, "when its data was current, such as 2026-11-23T06:00:00Z\n"
	  "(default: the modification time of CANDIDATE)" },
	{ 'k', "keep", NULL, option_flag, &opt.keep, "copy CANDIDATE instead of moving it" },
	{ 'n', "dry-run", NULL, option_flag, &opt.dry, "check everything, change nothing" },
	{ 0, "quarantine", NULL, option_flag, &opt.quarantine, "put a damaged old database aside with all its files" },
	{ 0, "quick", NULL, option_flag, &opt.quick, "read no whole file to learn whether the two differ, or whether\n"
	  "the old one was written to" },
	{ 0, "state", "DIR", option_text, &opt.record.state, "keep the record of it there, installed.json, and refuse when\n"
	  "the role there is active; what was written to the old one\nsince then is kept as LIVE.kept-TIME" },
	{ 0, "rev", "REV", option_text, &opt.record.rev, "of what is installed, for that record," },
	{ 0, "content-hash", "HASH", option_text, &opt.record.content_hash, "this," },
	{ 0, "digest", "HEX", option_text, &opt.record.digest, "or, of a state that was followed, this (default: what the record\n"
	  "knows of CANDIDATE)," },
	{ 0, "epoch", "N", option_number, &(struct option_range){ &opt.epoch, 0, NUMBER_MOST }, "its number, if it has one," },
	{ 0, "seq", "N", option_number, &(struct option_range){ &opt.seq, 0, NUMBER_MOST }, "in two parts," },
	{ 0, "number", "N", option_number, &(struct option_range){ &opt.n, 0, NUMBER_MOST }, "its number in the chain of states," },
	{ 0, "verified", "LEVEL", option_text, &opt.record.verified, "and how it was verified" },
	{ 0, "json", NULL, option_flag, &opt.json, "print what was done as a JSON object" },
	{ 0, "shell", "[=PREFIX]", option_shell, &opt.shell, "print it for a shell" },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};

static const struct command command = {
	.usage = "[--owner USER[:GROUP]] [--mode MODE] [--group-writes] [--as-of TIME] [-k]\n [-n] [--quarantine] [--quick] [--json]\n [--state DIR [--rev REV --content-hash HASH | --digest HEX] ...] CANDIDATE LIVE",
	.about = "Makes the database CANDIDATE the live one; the old one is kept as LIVE.prev.",
	.options = options,
};

int main(int argc, char **argv)
{
	struct install in = { .lock = -1, .fd = -1, .alone = { .lease = -1, .all_seen = true } };
	int rc;

	msg_init(argv[0]);
	stop_init();
	rc = option_read(&command, argc, argv);
	if (rc != OPTION_GO_ON)
		return rc;
	if ((opt.record.rev == NULL) != (opt.record.content_hash == NULL))
		return cli_usage("--rev and --content-hash go together");
	if (opt.record.digest != NULL && opt.record.content_hash != NULL)
		return cli_usage("--digest is for what has no --content-hash");
	if (argc - optind != 2 || *argv[optind] == '\0')
		return cli_usage("needs CANDIDATE and LIVE");
	in.source = in.candidate = argv[optind];
	in.live = argv[optind + 1];
	rc = cli_close(install_on_record(&in));
	return rc == EX_USAGE ? rc : shell_end(&opt.shell, rc);
}
