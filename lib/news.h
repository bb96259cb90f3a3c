/*
 * news.h - something on this host has changed that the status page shows: ctv-status.path sees the file `news` in the
 * state directory and starts a round, which takes the file away before it looks, so that a change during a round starts
 * another one.
 */
#ifndef LIB_NEWS_H
#define LIB_NEWS_H

/* A file that cannot be made is no error: the timer's next round sees the change. */
void news_tell(const char *state_dir);

#endif
