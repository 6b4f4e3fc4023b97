/* SPDX-License-Identifier: Apache-2.0 */
/* Huffman codes as deflate wants them: canonical, of limited length, bits reversed. */
#ifndef HUFFMAN_H
#define HUFFMAN_H

#include <stdint.h>

#define HUFFMAN_MAX 288u

struct huffman { uint16_t bits[HUFFMAN_MAX]; uint8_t len[HUFFMAN_MAX]; };

/* Codes for n <= HUFFMAN_MAX symbols by how often they are used, none longer than
 * limit (which must give room for all).  Symbols that are not used have length 0,
 * but at least two always have a code: not all decoders take fewer. */
void huffman_build(struct huffman *h, const uint32_t *freq, unsigned n, unsigned limit);

#endif
