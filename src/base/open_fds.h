/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which descriptors this process has open (Linux: /proc/self/fd).  So that a
 * program started later gets those and no others: libraries that we use open
 * some without O_CLOEXEC.
 */
#ifndef OPEN_FDS_H
#define OPEN_FDS_H

/* Ascending, on the heap (caller frees *fds; not NULL where there are none).  Count, or -errno and NULL. */
int open_fds_load(int **fds);
/* Every descriptor from 3 on that is not among fds becomes close-on-exec.
 * Async-signal-safe: for a child between fork and exec. */
void open_fds_set_private(const int *fds, int n);

#endif
