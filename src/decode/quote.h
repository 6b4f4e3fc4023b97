/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as a C string literal, as strace prints them. */
#ifndef DECODE_QUOTE_H
#define DECODE_QUOTE_H

#include <stdbool.h>
#include "base/strbuf.h"

enum quote_hex { QUOTE_OCTAL = 0, QUOTE_HEX_NONASCII = 1, QUOTE_HEX_ALL = 2 };

/* "..." with escapes; more: there was more than these bytes ("..."...). */
void quote_format(struct strbuf *out, const void *p, size_t n, uint8_t hex, bool more);
/* The same without quotes, and with < and > escaped: names inside <>. */
void quote_format_bare(struct strbuf *out, const void *p, size_t n);

#endif
