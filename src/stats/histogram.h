/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log-linear histogram of nanoseconds in constant memory: 2^HIST_SUB buckets
 * for each power of two, so a quantile is off by at most 1/2^HIST_SUB.
 */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>

#define HIST_SUB 4
#define HIST_BUCKETS ((64 - HIST_SUB + 1) << HIST_SUB)

struct histogram { uint64_t count, sum, min, max; uint32_t buckets[HIST_BUCKETS]; };

void histogram_init(struct histogram *h);
void histogram_add(struct histogram *h, uint64_t ns);
void histogram_merge(struct histogram *into, const struct histogram *from);
uint64_t histogram_quantile(const struct histogram *h, double q);	/* 0 when empty */

#endif
