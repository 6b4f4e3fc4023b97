/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 (RFC 4648, section 4: the usual alphabet, padded). */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>

/* Characters that n bytes take. */
#define BASE64_SIZE(n) (((n) + 2) / 3 * 4)

/* Writes BASE64_SIZE(n) characters to out, no terminating zero; returns their end. */
char *base64_format(char *out, const void *data, size_t n);

#endif
