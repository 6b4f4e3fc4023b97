/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers, sizes and durations as users write them (the whole string must fit), counts as they read them. */
#ifndef BASE_PARSE_H
#define BASE_PARSE_H

#include <stdint.h>

int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out);	/* 0, -EINVAL, -ERANGE */
/* 10, 64k, 4M, 1G (powers of 1024). */
int parse_size(const char *s, uint64_t min, uint64_t max, uint64_t *out);
/* 250us, 10ms, 1.5s, 2m; a bare number is in unit_ns. */
int parse_duration(const char *s, uint64_t unit_ns, uint64_t *out_ns);
/* 0 to 1 as a decimal number, 0.25 or 1e-3; in 2^-63, so that 1 is 1 << 63. */
int parse_ratio(const char *s, uint64_t *out);
int parse_bool(const char *s, int *out);	/* true/false/yes/no/on/off/1/0 */

/* 1204331 -> 1,204,331; returns buf. */
const char *format_count(uint64_t n, char buf[32]);

#endif
