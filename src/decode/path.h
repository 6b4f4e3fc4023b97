/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of calls made absolute by the working directory or a descriptor. */
#ifndef DECODE_PATH_H
#define DECODE_PATH_H

#include <stdbool.h>
#include "base/strbuf.h"
#include "decode/world.h"

/* base + path by text alone: an absolute path stays, "./" and leading "../" are taken off
 * (base is free of symbolic links, so that is exact), an empty path is base.  false: base is
 * needed but unknown; then out has the path as it is. */
bool path_format_absolute(struct strbuf *out, const char *base, size_t base_len, const char *path, size_t n);

/* Path argument i of a call, as it was given; length 0 and false where it is not known. */
bool call_path_arg(const struct tracer_ev_call *c, unsigned i, const char **path, size_t *n);
/* The same, made absolute with the dirfd argument before it, or the cwd. */
bool call_format_path(struct strbuf *out, const struct task *t, const struct tracer_ev_call *c,
		      const struct syscall_desc *d, unsigned i);

#endif
