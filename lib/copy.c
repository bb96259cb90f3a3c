#include "lib/std.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/copy.h"
#include "lib/exits.h"
#include "lib/file.h"
#include "lib/hash.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/stop.h"

#define CHUNK ((size_t)256 << 10)
#define STEP ((uint64_t)4 << 20)	/* between two looks whether we are to stop */

static int copy_bytes(int from, const char *from_name, int to, const char *to_name, uint64_t size,
		      char *chunk, struct content_hash *h)
{
	for (uint64_t at = 0; at < size; at += CHUNK) {
		size_t want = size - at < CHUNK ? (size_t)(size - at) : CHUNK;
		ssize_t n = file_pread(from, chunk, want, (off_t)at);

		if (stop_asked()) {
			msg_err(to_name, "interrupted");
			return EX_TEMPFAIL;
		}
		if (n < (ssize_t)want) {
			errno = n < 0 ? errno : EIO;
			msg_errno(from_name, "cannot read");
			return EX_IOERR;
		}
		if (file_pwrite(to, chunk, want, (off_t)at) != 0) {
			msg_errno(to_name, "cannot write a copy");
			return EX_IOERR;
		}
		content_hash_add(h, chunk, want);
	}
	return EX_OK;
}

int copy_verified(int from, const char *from_name, int to, const char *to_name, uint64_t size)
{
	struct content_hash *h = content_hash_new();
	char *chunk = malloc(CHUNK), was_read[HASH_TEXT], is_there[HASH_TEXT];
	int rc = EX_IOERR;

	if (h == NULL || chunk == NULL) {
		msg_err(to_name, "out of memory");
		goto out;
	}
	errno = posix_fallocate(to, 0, (off_t)size);
	if (errno != 0) {
		msg_errno(to_name, "no space for a copy");
		goto out;
	}
	rc = copy_bytes(from, from_name, to, to_name, size, chunk, h);
	if (rc != EX_OK)
		goto out;
	rc = EX_IOERR;
	content_hash_end(h, was_read);
	if (fsync(to) != 0) {
		msg_errno(to_name, "cannot write a copy to disk");
		goto out;
	}
	/* from the disk, not from memory */
	posix_fadvise(to, 0, 0, POSIX_FADV_DONTNEED);
	if (content_hash_fd(to, 0, size, is_there) != EX_OK)
		msg_errno(to_name, "cannot read back a copy");
	else if (strcmp(was_read, is_there) != 0)
		msg_err(to_name, "a copy is not on disk as it was written");
	else
		rc = EX_OK;
out:
	free(chunk);
	content_hash_free(h);
	return rc;
}

int copy_shared(int from, const char *from_name, int to, const char *to_name, uint64_t size)
{
	uint64_t at = 0;
	ssize_t n = 1;

	if (ioctl(to, FICLONE, from) == 0)
		return EX_OK;
	while (at < size && n > 0 && !stop_asked()) {
		n = copy_file_range(from, NULL, to, NULL, (size_t)(size - at < STEP ? size - at : STEP), 0);
		at += n > 0 ? (uint64_t)n : 0;
	}
	if (at == size)
		return EX_OK;
	if (stop_asked()) {
		msg_err(to_name, "interrupted");
		return EX_TEMPFAIL;
	}
	if (n == 0)
		errno = EIO;	/* it was cut short meanwhile */
	msg_errno(to_name, "cannot copy %s", from_name);
	return EX_IOERR;
}

bool copy_needed(int fd, const char *dir)
{
	struct statx a, b;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &a) != 0 || statx(AT_FDCWD, dir, 0, STATX_MNT_ID, &b) != 0)
		return false;	/* rename says so */
	return a.stx_dev_major != b.stx_dev_major || a.stx_dev_minor != b.stx_dev_minor ||
	       ((a.stx_mask & b.stx_mask & STATX_MNT_ID) != 0 && a.stx_mnt_id != b.stx_mnt_id);
}

int copy_room(const char *object, const char *dir, uint64_t size)
{
	char need[NUM_TEXT], have[NUM_TEXT];
	struct statvfs fs;

	if (statvfs(dir, &fs) != 0 || fs.f_bavail >= size / fs.f_frsize + 1)
		return EX_OK;
	msg_err(object, "the copy needs %s, %s are free", num_size_text(need, size),
		num_size_text(have, fs.f_bavail * fs.f_frsize));
	return EX_IOERR;
}

bool copy_is_same(int a, int b, uint64_t size)
{
	char *of_a = malloc(CHUNK), *of_b = malloc(CHUNK);
	bool same = of_a != NULL && of_b != NULL;

	for (uint64_t at = 0; same && at < size; at += CHUNK) {
		size_t want = size - at < CHUNK ? (size_t)(size - at) : CHUNK;

		same = file_pread(a, of_a, want, (off_t)at) == (ssize_t)want &&
		       file_pread(b, of_b, want, (off_t)at) == (ssize_t)want && memcmp(of_a, of_b, want) == 0;
	}
	free(of_a);
	free(of_b);
	return same;
}
