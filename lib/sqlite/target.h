/*
 * target.h - may a file be written in the place of what stands under its name? A database that was named twice, or in the wrong
 * order, must not cost a database.
 */
#ifndef LIB_SQLITE_TARGET_H
#define LIB_SQLITE_TARGET_H

/*
 * PATH is to be written, by way of the unfinished TMP (NULL: there is none), while DB is read. EX_OK; EX_USAGE (reported) when
 * PATH or TMP is DB, by whatever name, or PATH is a name under which SQLite keeps a file of its own.
 */
int target_apart(const char *path, const char *tmp, const char *db);

/* The check of TMP by itself, for a tool with several working files, each of which is replaced or removed on the way. */
int target_unfinished(const char *path, const char *tmp, const char *db);

/* The same, and what stands there now is no database: EX_CANTCREAT (reported). */
int target_file(const char *path, const char *tmp, const char *db);

/*
 * The same of what will be a database itself: nothing that stands there is anything but a regular file, is in use, or has side
 * files, which would be taken for the new one's: EX_CANTCREAT (reported).
 */
int target_database(const char *path, const char *tmp, const char *db);

#endif
