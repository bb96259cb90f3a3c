/*
 * file.h - files that are either the old or the complete new content after any crash. The order is
 * always: hidden sibling in the same directory, write, fsync, rename, fsync of the directory
 * (rename(2), fsync(2): a rename is durable only when its directory is).
 * Functions that return an exit status have reported the failure with the path.
 */
#ifndef LIB_FILE_H
#define LIB_FILE_H

#include "lib/std.h"

/* All of it, whatever EINTR and short writes do. 0, or -1 with errno; EINTR only once a stop was asked for. */
int file_write(int fd, const void *data, size_t len);
int file_pwrite(int fd, const void *data, size_t len, off_t at);
/* Up to len bytes, fewer only at the end of the file. The count, or -1 with errno (EINTR as above). */
ssize_t file_read(int fd, void *data, size_t len);
ssize_t file_pread(int fd, void *data, size_t len, off_t at);

/* `DIR/.NAME` + suffix for a path `DIR/NAME`; malloc'ed, NULL without memory (reported). */
char *file_sibling(const char *path, const char *suffix);

/* May a file be made at path, as far as its name and its directory tell? 0, or -1 with errno. */
int file_creatable(const char *path);

/* Makes a directory with those above it, where they are not there, as the umask lets. 0, or -1 with errno. */
int file_make_directory(const char *path);

/* fsync of the directory that holds path. 0, or -1 with errno. */
int file_sync_parent(const char *path);

/*
 * The end of every atomic write: fsync(fd), rename tmp to path, fsync of the directory.
 * EX_OK, or EX_IOERR/EX_CANTCREAT; then path is as it was unless only the last step failed.
 */
int file_commit(int fd, const char *tmp, const char *path);

/* Replaces path by data, mode as given (not narrowed by the umask). */
int file_replace(const char *path, mode_t mode, const void *data, size_t len);

/* The same, of that owner and group; an owner of -1 is ours. */
int file_replace_owned(const char *path, mode_t mode, uid_t owner, gid_t group, const void *data, size_t len);

/*
 * Opens a file of the state or log directory, in which others may write too: neither a link's target, nor a file that has
 * another name, nor what would make us wait. With O_CREAT in flags one that is not there is made. NULL and *fd, or the
 * cause: `Permission denied`, `not a plain file`.
 */
const char *file_open_plain(const char *path, int flags, mode_t mode, int *fd);

/*
 * Appends a JSON object, a line, to such a file of nothing else, and is on the disk then; one that is not there is made, with
 * file_work_mode. EX_OK, EX_CANTCREAT (also where it holds something else, as a database does), EX_IOERR (reported).
 */
int file_append_object(const char *path, const void *data, size_t len);

struct buf;
/* Reads a regular file of at most out->max bytes; the path may not be a symbolic link's. EX_OK, EX_NOINPUT, EX_DATAERR, EX_IOERR. */
int file_slurp(const char *path, struct buf *out);

/*
 * Takes the lock of an open file (flock(2): it dies with the process, so there are no stale locks).
 * EX_OK, or EX_CANTCREAT: `path: in use by another process`.
 */
int file_lock(int fd, const char *path);
/* The same, but waits so long for it; false when it was not to be had. Not for threads: it uses SIGALRM. */
bool file_lock_wait(int fd, int64_t ms);

/*
 * The same on a file that is there for nothing else, made when it is not; waits up to wait_ms. No link is followed, and a
 * FIFO is no wait. EX_OK and *fd, which holds the lock until it is closed; EX_CANTCREAT, or EX_TEMPFAIL after a signal;
 * reported.
 */
int file_lock_at(const char *path, int64_t wait_ms, int *fd);

/*
 * The mode of a working file that a later run may find: 0600, or 0660 where the umask lets the group write, for then
 * that run may be another user's. Not for threads.
 */
mode_t file_work_mode(void);

/*
 * Makes a temporary file of a fixed name, empty, with file_work_mode, and takes its lock: what a killed
 * run left is swept by the next one, what a living run writes is left alone. The lock goes with the file
 * when it is renamed. EX_OK and *fd, or EX_CANTCREAT, EX_IOERR (reported).
 */
int file_claim(const char *tmp, int *fd);
/* Closes it, and removes it if tmp still is its name. No harm with fd -1. */
void file_unclaim(const char *tmp, int fd);

/* The exit status for a failed write to or creation of a file: ENOSPC, EIO ... 74, otherwise 73. */
int file_write_status(int error);

#endif
