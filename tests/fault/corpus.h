/*
 * corpus.h - small databases that differ in everything that their file format can: page size, encoding,
 * vacuum mode, reserved bytes, kinds of table and index, overflow, free pages. Made, never checked in.
 */
#ifndef TESTS_FAULT_CORPUS_H
#define TESTS_FAULT_CORPUS_H

#include "lib/std.h"

extern const size_t corpus_count;

const char *corpus_name(size_t i);

/* Writes database i to path, which must not exist. 0, or -1 (told). */
int corpus_make(size_t i, const char *path);

#endif
