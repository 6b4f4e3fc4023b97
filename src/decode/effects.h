/* SPDX-License-Identifier: Apache-2.0 */
/* What a completed call does to descriptor tables and working directories. */
#ifndef DECODE_EFFECTS_H
#define DECODE_EFFECTS_H

#include "decode/world.h"

struct effects {
	struct fd_mem *mem;
	uint64_t *pipes;	/* number of the last pipe of the run */
	struct strbuf *text;	/* scratch */
};

/* c is a call that succeeded (or a close, which always closes). */
void effects_run(const struct effects *fx, struct task *t, const struct tracer_ev_call *c,
		 const struct syscall_desc *d);

/* The call changes something when it succeeds. */
bool effects_has(const struct syscall_desc *d);

struct fs_state *fs_state_new(struct fd_mem *m, const struct fs_state *from);
void fs_state_put(struct fd_mem *m, struct fs_state *fs);
void fs_state_set(struct fd_mem *m, struct fs_state *fs, const void *path, size_t n);

#endif
