/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fuzz target is one function that takes bytes, and a few good inputs to
 * start from.  With --enable-fuzzing it is linked with libFuzzer; else with
 * replayer.c, which runs files, or a fixed number of mutated seeds.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

struct fuzz_seed { const void *p; size_t n; };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* i-th seed; n 0 at the end. */
struct fuzz_seed fuzz_seed(unsigned i);

#endif
