/*
 * html.h - the status document as a page for people.
 *
 * The page is one file without a request to anywhere: complete without JavaScript, a word and a symbol
 * beside every colour, readable at 320 px and on a wall. Its few lines of script only keep the ages
 * current and turn the page grey when its generator has died. Every value is escaped.
 */
#ifndef LIB_WATCH_HTML_H
#define LIB_WATCH_HTML_H

#include "lib/buf.h"
#include "lib/json.h"

#define PAGE_STALE_S 900	/* a page older than this says STALE: three rounds of five minutes */

/* Appends the page for a document of document.h. 0, or -1 when out is full. */
int html_page(const json *status, struct buf *out);

#endif
