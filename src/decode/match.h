/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which calls a user asked for by path or by descriptor (-P, -e fd=): looked
 * at before a call is shown, so nothing is formatted and nothing allocated.
 */
#ifndef DECODE_MATCH_H
#define DECODE_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include "decode/decode.h"
#include "syscalls/filter.h"

#define MATCH_PATHS_MAX 64u
#define MATCH_PATH_MAX 4096u

/* Paths of -P; each also as its resolved name where that differs. */
struct match_paths { unsigned count; char *paths[MATCH_PATHS_MAX]; };

void match_paths_init(struct match_paths *m);
void match_paths_fini(struct match_paths *m);
/* 0, -EINVAL (empty), -ENAMETOOLONG, -ENOSPC (too many), -ENOMEM. */
int match_paths_add(struct match_paths *m, const char *path);

/* Some path of the call, as given or made absolute, or what one of its descriptors stands
 * for (also one it returns), is one of these, byte for byte.  No paths: true. */
bool call_matches_path(const struct call *c, const struct match_paths *m);
/* Some descriptor that the call uses, or returns, is wanted. */
bool call_matches_fd(const struct call *c, const struct filter *f);

#endif
