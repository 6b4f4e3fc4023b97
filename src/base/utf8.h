/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, up to U+10FFFF. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the code point at p, 0 when there is no valid one. */
size_t utf8_next(const void *p, size_t n);
bool utf8_valid(const void *p, size_t n);
/* Longest prefix of at most max bytes that cuts no code point. */
size_t utf8_prefix(const void *p, size_t n, size_t max);

#endif
