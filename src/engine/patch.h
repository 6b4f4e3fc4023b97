/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a call site is turned into a jump to the agent: which bytes are
 * replaced, and what the stub looks like that they jump to.  Pure: code bytes
 * in, bytes out; nobody is written to in here.
 *
 *   before  one instruction of at least 5 bytes right before the "syscall"
 *           moves into the stub; the "syscall" stays, and so does the return
 *           address.  A jump straight to the "syscall" still reaches it.
 *   far     the same with "mov $nr,%eax" a few straight-line instructions
 *           earlier; copies of those go into the stub, too.
 *   after   the "syscall" and what follows it move into the stub, which keeps
 *           a "syscall" of its own right before the moved instructions, so
 *           that the kernel can step back to restart a call.
 *
 *   short   the "syscall" becomes a jump of two bytes to padding behind the end
 *           of its code, where a long one has room
 *
 * Stub: moved instructions, then %rcx = where to go on, %r11 = address behind
 * the original instruction, then a jump through the task's block (%gs:0).
 */
#ifndef ENGINE_PATCH_H
#define ENGINE_PATCH_H

#include <stddef.h>
#include <stdint.h>

#define PATCH_STUB_MAX 112u	/* bytes that a stub can need */
#define PATCH_BYTES_MAX 24u	/* bytes that can be replaced */
#define PATCH_PAD_LEN 5u	/* of a long jump in padding */

enum patch_form { PATCH_NONE = 0, PATCH_BEFORE, PATCH_FAR, PATCH_AFTER, PATCH_SHORT };

/* A stretch of the program's code. */
struct patch_code {
	const uint8_t *bytes;
	size_t n;
	uint64_t base;		/* address of bytes[0] */
};

struct patch {
	uint64_t site;		/* address of the "syscall" */
	uint64_t at;		/* first byte replaced */
	uint64_t stub_at;
	uint64_t cont;		/* where calls through the stub go on */
	uint8_t form;		/* enum patch_form */
	uint8_t len;		/* bytes replaced */
	uint8_t moved;		/* bytes of instructions moved */
	uint8_t stub_len;
	uint8_t head;		/* before, far: bytes of the stub that are moved instructions */
	uint8_t pad;		/* short: distance of the long jump, whose bytes follow the short one's below */
	uint8_t original[PATCH_BYTES_MAX];
	uint8_t jump[PATCH_BYTES_MAX];
	uint8_t stub[PATCH_STUB_MAX];
};

/* Chooses form, place and length for the "syscall" at site, which just trapped
 * with this number in rax.  The code should reach at least 64 bytes back and
 * 32 ahead; for the form "after" all of it is searched for branches into the
 * replaced bytes.  0, or -ENOTSUP where the site can't be patched. */
int patch_choose(const struct patch_code *code, uint64_t site, uint64_t nr, struct patch *out);
/* The same for code in which somebody may stand, or come back to: one instruction is replaced, and no place
 * behind a call changes (before, far with any instruction, short). */
int patch_choose_single(const struct patch_code *code, uint64_t site, uint64_t nr, struct patch *out);
/* Form short: address of the long jump, else 0.  Who stands there is on the way to the call. */
uint64_t patch_pad(const struct patch *p);
/* The bytes of jump and stub, for a stub at stub_at.  -ERANGE: too far away. */
int patch_build(const struct patch_code *code, struct patch *p, uint64_t stub_at);

/* Where in the program's own code an interrupted stub is: ip for one inside of
 * the stub, 0 where it has no counterpart there. */
uint64_t patch_origin(const struct patch *p, uint64_t ip);

#endif
