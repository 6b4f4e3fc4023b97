/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether unwinders find their way through a piece of code by its file's call
 * frame information.  Code that has none is recognised by its bytes (that of
 * signal returns is, see libgcc's x86_64_fallback_frame_state), which must
 * then stay as they are.
 */
#ifndef UNWIND_INFO_H
#define UNWIND_INFO_H

#include <stdbool.h>
#include <stdint.h>

/* One frame description covers [from, to), addresses as in the file's program headers.  False where
 * that cannot be told. */
bool unwind_info_covers(int fd, uint64_t from, uint64_t to);

#endif
