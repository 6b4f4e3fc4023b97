/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the agent: what its C files and its assembly share. */
#ifndef AGENT_H
#define AGENT_H

#include <errno.h>
#include "agent/agent_abi.h"

/* What is rare is kept out of the way of what is not. */
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define COLD __attribute__((cold, noinline))

/* entry_x86_64.S */
long agent_syscall(long nr, long a, long b, long c, long d, long e, long f);
long agent_copy_bytes(void *dst, const void *src, size_t n);
long agent_copy_string(char *dst, const char *src, size_t n);
uint64_t agent_thread_pointer(void);	/* -1 where there is none */
extern const uint8_t agent_text_begin[], agent_text_end[], agent_control_begin[];
extern const uint8_t agent_entry[];

/* agent.c, called by the assembly */
uint32_t agent_enter(struct agent_block *b);
void agent_exit(struct agent_block *b);

/* agent_boot.c, called by the assembly */
long agent_boot_run(const struct agent_boot *boot, int image_fd, uint64_t here);

/* agent_module.c: what the kernel has mapped for the program, with the patched copy in its place. */
long agent_module_add(struct agent_block *b, const struct agent_module *m);
void agent_module_map(struct agent_block *b);
/* Who maps code to run it: what others map they may read, too. */
void agent_module_set_linker(struct agent_block *b, const struct agent_module *m);

/* agent_map.c: the record of a mapping of code, behind the complete one of its mmap() that is still pending.
 * Its size, 0: there is nothing to tell. */
uint32_t agent_map_write(struct agent_block *b);

/* Path resolution got as far as to look the name up, so the kernel has read it.
 * EFAULT, ENAMETOOLONG, EINVAL and the like prove nothing. */
static inline int agent_path_was_read(int64_t ret)
{
	const uint64_t reads = 1ull << ENOENT | 1ull << ENOTDIR | 1ull << EACCES | 1ull << EEXIST |
			       1ull << EISDIR | 1ull << ELOOP | 1ull << EROFS | 1ull << ENOTEMPTY;

	return ret > -64 && reads >> -ret & 1;
}

/* agent_context.c: the thread's active span as the body of a record; 0: it is the one that was told last. */
int agent_context_load(struct agent_block *b, struct tracer_ev_context *out);
/* Whether a prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME) publishes a process context. */
int agent_context_named(struct agent_block *b);

/* agent_capture.c: memory of ours that may not be there; bytes or negative. */
long agent_read_self(struct agent_block *b, uint64_t addr, void *buf, size_t n);
/* Append what plan says to the pending record b->cur, before and after the call. */
void agent_capture_before(struct agent_block *b, const struct capture_plan *plan);
void agent_capture(struct agent_block *b, const struct capture_plan *plan);

#endif
