/*
 * rights.h - who may use a file: owner, group, mode, access control list and extended attributes, so that a
 * file which takes another's place can be used by those who used that one.
 */
#ifndef LIB_RIGHTS_H
#define LIB_RIGHTS_H

#include "lib/std.h"

#define RIGHTS_UID_KEEP ((uid_t)-1)
#define RIGHTS_GID_KEEP ((gid_t)-1)

struct rights {
	uid_t uid;		/* RIGHTS_UID_KEEP: as it is */
	gid_t gid;		/* RIGHTS_GID_KEEP: as it is */
	mode_t mode;		/* 0..0777 */
	const char *like;	/* the file whose ACL and attributes it gets, NULL: no ACL, its own attributes */
	bool share;		/* where this user may not give it to uid: to gid, if uid is in it, with the owner's rights */
};

/* `USER` or `USER:GROUP`, names or numbers; without GROUP *gid stays. NULL, or the reason. */
const char *rights_parse_owner(const char *s, uid_t *uid, gid_t *gid);
/* Three or four octal digits, at most 777. NULL, or the reason. */
const char *rights_parse_mode(const char *s, mode_t *mode);

/* EX_OK, EX_NOPERM (this user may not give it away) or EX_IOERR; reported with path, the name of fd. */
int rights_apply(int fd, const char *path, const struct rights *r);

#endif
