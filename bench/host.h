/* SPDX-License-Identifier: Apache-2.0 */
/* What machine and build a result comes from; results of different fingerprints do not compare. */
#ifndef BENCH_HOST_H
#define BENCH_HOST_H

#include "base/json_writer.h"

/* Adds an object "host": cpu, cpus, kernel, memory, libc, compiler, flags, fingerprint. */
void host_format(struct json_writer *w);
/* Hash over cpu model, cpu count, kernel release, compiler: 16 hex digits. */
void host_fingerprint(char out[17]);

#endif
