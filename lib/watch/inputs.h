/*
 * inputs.h - what the checks say, as the array of objects with an id of which the status is built (document.h). One that is
 * none is left out and reported, for the page must come.
 */
#ifndef LIB_WATCH_INPUTS_H
#define LIB_WATCH_INPUTS_H

#include "lib/json.h"

/*
 * The lines of standard input, of its first MiB: an object with an id, or `ID OBJECT`. The condition only_warns (NULL: none),
 * which comes as `ready/NAME`, is `warn/NAME`.
 */
void inputs_read(json *inputs, const char *only_warns);

/* How the last runs went, last-TASK.json of this directory, each with its task as id. */
void inputs_read_records(json *inputs, const char *dir);

/* A file of ours with one object in it, to be freed; NULL when it is not there, or none. */
json *inputs_file(const char *path);

#endif
