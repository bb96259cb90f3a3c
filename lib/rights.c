#include "lib/std.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/exits.h"
#include "lib/msg.h"
#include "lib/num.h"
#include "lib/rights.h"

#define ACL "system.posix_acl_access"	/* acl(5); the kernel's form is the same for every file */

const char *rights_parse_owner(const char *s, uid_t *uid, gid_t *gid)
{
	const char *colon = strchr(s, ':'), *why = NULL;
	char *user = strndup(s, colon != NULL ? (size_t)(colon - s) : strlen(s));
	const struct passwd *pw = user != NULL ? getpwnam(user) : NULL;
	const struct group *gr = colon != NULL ? getgrnam(colon + 1) : NULL;
	uint64_t n;

	/* the largest number means "as it is" to chown(2) */
	if (pw != NULL)
		*uid = pw->pw_uid;
	else if (user != NULL && num_u64(user, 0, UINT32_MAX - 1, &n) == NULL)
		*uid = (uid_t)n;
	else
		why = "no such user";
	if (gr != NULL)
		*gid = gr->gr_gid;
	else if (colon != NULL && num_u64(colon + 1, 0, UINT32_MAX - 1, &n) == NULL)
		*gid = (gid_t)n;
	else if (colon != NULL && why == NULL)
		why = "no such group";
	free(user);
	return why;
}

const char *rights_parse_mode(const char *s, mode_t *mode)
{
	size_t len = strlen(s);

	if (len < 3 || len > 4 || strspn(s, "01234567") != len || (len == 4 && *s != '0'))
		return "not a mode such as 0640";
	*mode = 0;
	for (; *s != '\0'; s++)
		*mode = *mode << 3 | (mode_t)(*s - '0');
	return NULL;
}

/* Attributes of these kinds are data or access rights; others (security.*, trusted.*) are the system's business. */
static bool is_ours(const char *name)
{
	return strcmp(name, ACL) == 0 || strncmp(name, "user.", 5) == 0;
}

static bool unsupported(int error)
{
	return error == ENOTSUP || error == ENODATA;
}

static int copy_attributes(int fd, const char *like)
{
	char names[16 << 10], value[64 << 10];
	ssize_t len = llistxattr(like, names, sizeof names), n;
	bool acl = false;

	if (len < 0 && !unsupported(errno))
		return -1;
	for (const char *name = names; name < names + len; name += strlen(name) + 1) {
		if (!is_ours(name))
			continue;
		acl = acl || strcmp(name, ACL) == 0;
		n = lgetxattr(like, name, value, sizeof value);
		if (n < 0 || fsetxattr(fd, name, value, (size_t)n, 0) != 0)
			return -1;
	}
	/* not before: like may be the same file */
	return acl || fremovexattr(fd, ACL) == 0 || unsupported(errno) ? 0 : -1;
}

static bool is_member(uid_t uid, gid_t gid)
{
	gid_t groups[256];
	int n = (int)(sizeof groups / sizeof *groups);
	const struct passwd *pw = getpwuid(uid);

	if (pw == NULL || getgrouplist(pw->pw_name, pw->pw_gid, groups, &n) < 0)
		return false;
	while (n > 0)
		if (groups[--n] == gid)
			return true;
	return false;
}

/* With an access control list the group's rights are those of an entry in it. */
static bool may_share(const struct rights *r)
{
	return r->share && is_member(r->uid, r->gid) && (r->like == NULL || lgetxattr(r->like, ACL, NULL, 0) < 0);
}

/* Only root gives files away. Whom uid shares a group with can let the whole group do what uid could. */
static int give(int fd, const char *path, const struct rights *r, gid_t now, mode_t *m)
{
	if (fchown(fd, r->uid, r->gid) == 0)
		return 0;
	if (errno != EPERM)
		return -1;
	if (!may_share(r) || (now != r->gid && fchown(fd, (uid_t)-1, r->gid) != 0)) {
		errno = EPERM;
		return -1;
	}
	*m |= (r->mode & 0700) >> 3;
	msg_info("%s: stays with user %ld, who may not give it to user %ld; group %ld may use it as that user could", path,
		 (long)geteuid(), (long)r->uid, (long)r->gid);
	return 0;
}

/* Another's file, which is so already: a member of its group may set nothing of it, and need not. */
static bool is_so(int fd, const struct rights *r, const struct stat *st)
{
	char names[1];

	return geteuid() != 0 && st->st_uid != geteuid() && (r->uid == RIGHTS_UID_KEEP || r->uid == st->st_uid) &&
	       (r->gid == RIGHTS_GID_KEEP || r->gid == st->st_gid) && r->mode == (st->st_mode & 07777) &&
	       flistxattr(fd, names, 0) <= 0 && (r->like == NULL || llistxattr(r->like, names, 0) <= 0);
}

int rights_apply(int fd, const char *path, const struct rights *r)
{
	mode_t m = r->mode;
	struct stat st;

	if (fstat(fd, &st) != 0)
		goto fail;
	if (is_so(fd, r, &st))
		return EX_OK;
	if (((r->uid != RIGHTS_UID_KEEP && r->uid != st.st_uid) || (r->gid != RIGHTS_GID_KEEP && r->gid != st.st_gid)) &&
	    give(fd, path, r, st.st_gid, &m) != 0)
		goto fail;
	if (r->like != NULL ? copy_attributes(fd, r->like) != 0 :
			      fremovexattr(fd, ACL) != 0 && !unsupported(errno))
		goto fail;
	/* last: a change of owner takes mode bits away, and with an ACL the group's bits are its mask */
	if (fchmod(fd, m) == 0)
		return EX_OK;
fail:
	msg_errno(path, "cannot give it owner %ld:%ld and mode %04o", (long)r->uid, (long)r->gid, (unsigned)r->mode);
	return errno == EPERM || errno == EACCES ? EX_NOPERM : EX_IOERR;
}
