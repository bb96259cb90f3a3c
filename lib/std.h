/*
 * std.h - included first in every file: feature macros, the C headers that everybody needs, and a
 * poison list. The poisoned functions have no bound, no error report, or start a shell.
 */
#ifndef LIB_STD_H
#define LIB_STD_H

#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#define _TIME_BITS 64	/* where a long has 32 bits */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#ifndef __clang__	/* where some of them are macros; one compiler is enough to find them */
#pragma GCC poison sprintf vsprintf strcpy stpcpy strcat strncpy strncat strtok
#pragma GCC poison atoi atol atoll atof gets system popen tmpnam mktemp
#endif

#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))

#endif
