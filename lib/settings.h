/*
 * settings.h - settings by name: the environment first, then a systemd credential of that name
 * ($CREDENTIALS_DIRECTORY/NAME, systemd.exec(5)), then the file $CTV_ENV_FILE, default
 * /etc/ctv-db-sync.env, in the syntax of systemd's EnvironmentFile= (systemd.exec(5)), parsed here and
 * never run. An empty value is an absent one. The file holds secrets: it is refused when others can
 * read it, or when others than its owner or group can write it.
 */
#ifndef LIB_SETTINGS_H
#define LIB_SETTINGS_H

#include "lib/std.h"

/*
 * Reads the file if there is one, and the credentials. EX_OK, or EX_CONFIG (reported): unreadable, too open, not a
 * line, a credential that is no text. EX_NOPERM (reported): its group came to our user after his login.
 */
int config_load(void);
/* The value, or NULL. Valid until config_free. */
const char *config_get(const char *name);
/* A likely reason why a value is not of its kind, for msg_hint; or NULL. */
const char *config_hint(const char *value);
void config_free(void);

/* The path of the file in use. */
const char *config_path(void);

/*
 * Sets one line of the file, keeping every other byte and the owner and mode; creates it 0600.
 * EX_OK, EX_CONFIG, EX_CANTCREAT, EX_IOERR (reported).
 */
int config_store(const char *name, const char *value);

#define CONFIG_MAX ((size_t)64 << 10)
struct buf;
/*
 * The parser by itself: finds name in text (the last assignment wins) and appends its value to out.
 * 1 found, 0 not, -1 with the number of the bad line in *line.
 */
int config_find(const char *text, size_t len, const char *name, struct buf *out, unsigned *line);

/*
 * Every assignment of text in its order, as systemd takes them for a service: an open quote ends with the text. For a line
 * that is no assignment, which is passed over as is all from a NUL on, name is NULL. line is the line on which either begins.
 */
typedef void config_take(const char *name, const char *value, unsigned line);
void config_each(const char *text, size_t len, config_take *take);

#endif
