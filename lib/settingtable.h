/*
 * settingtable.h - every setting that the scripts know: its name, its kind, its default, and what follows
 * from it (the status page's address, the age at which to warn). The only place that knows a host's name, an
 * address, or how old is too old. What a setting means stands in ctv-db-sync.env(5).
 */
#ifndef LIB_SETTINGTABLE_H
#define LIB_SETTINGTABLE_H

#include "lib/std.h"

/* How old the data may be: a day and two hours to make the copy; and the runbook's limit. */
#define DATA_LATE_H 26
#define DATA_OLD_H 36
/* How often the primary may look for changes at most; and how far the standby may be behind. */
#define CHANGES_LEAST_S 5
#define LAG_OLD_S 3600

/* The name of the field number i, the same as in the answer of `ctv-conf --shell`; NULL behind the last one. */
const char *setting_field(size_t i);

/*
 * The value of a field, what is not set by its default, or NULL. Not judged, and never a secret: of one the
 * answer is whether it is set. After config_load; valid until setting_free.
 */
const char *setting(const char *field);
void setting_free(void);

/*
 * Is each value of its kind? EX_OK, or EX_CONFIG (reported with the name of the first that is not). A wrong one that only
 * the status page needs is reported, and is NULL; it ends nothing.
 */
int setting_check(void);

#endif
