/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where patched call sites come in: %rcx = where to go on, %r11 = address
 * behind the original instruction, everything else as at the instruction.
 * Runs on the traced thread, on the agent's stack but for the call itself.
 * All registers but rax, rcx and r11 leave as they came, the flags, too.  The
 * labels are landmarks: from the instruction pointer alone the tracer tells
 * what has been saved so far (struct agent_image).
 *
 * The C code is compiled not to use rbx, rbp and r12 to r15 at all, so the
 * program's values are in place at each instruction in here.
 */
#define B_ENTRY 0
#define B_STACK 8
#define B_SP 16
#define B_CONT 24
#define B_IP 32
#define B_RAX 40
#define B_RDI 48
#define B_RSI 56
#define B_RDX 64
#define B_R10 72
#define B_R8 80
#define B_R9 88
#define B_FLAGS 96
#define B_SELF 104
#define B_CUR 112
#define B_CONTROL 184
#define B_OPEN 304
#define C_TRAP 28
#define C_TRACER 32

	.section .text.entry, "ax", @progbits
	.globl agent_entry, agent_pivot, agent_number, agent_trap, agent_saved, agent_entered, agent_call, agent_after
	.globl agent_result, agent_left, agent_end, agent_child, agent_child_call
	.globl agent_watched, agent_swapped, agent_watched_end
	.globl agent_boot, agent_boot_failed, agent_copy, agent_copy_end, agent_copy_fault
	.globl agent_copy_bytes, agent_copy_string, agent_thread_pointer, agent_syscall

	.macro LOAD_ARGS
	mov	%gs:B_RDI, %rdi
	mov	%gs:B_RSI, %rsi
	mov	%gs:B_RDX, %rdx
	mov	%gs:B_R10, %r10
	mov	%gs:B_R8, %r8
	mov	%gs:B_R9, %r9
	.endm

	.macro LOAD_FLAGS
	mov	%gs:B_FLAGS, %rax
	add	$0x7f, %al
	sahf
	.endm

	.p2align 6
agent_entry:
	mov	%rsp, %gs:B_SP
agent_pivot:
	mov	%rcx, %gs:B_CONT
	mov	%r11, %gs:B_IP
	mov	%rax, %gs:B_RAX
agent_number:
	mov	%rdi, %gs:B_RDI
	mov	%rsi, %gs:B_RSI
	mov	%rdx, %gs:B_RDX
	mov	%r10, %gs:B_R10
	mov	%r8, %gs:B_R8
	mov	%r9, %gs:B_R9
	lahf
	seto	%al
	mov	%rax, %gs:B_FLAGS
agent_saved:
	mov	%gs:B_STACK, %rsp
	mov	%gs:B_SELF, %rdi
	call	agent_enter
agent_entered:
	test	%eax, %eax
	jnz	agent_trap
	.nops	16			/* what is behind the call begins in the middle of a line: 3 ns */
	LOAD_ARGS
	mov	%gs:B_SP, %rsp
	mov	%gs:B_RAX, %rax
agent_call:
	syscall
agent_after:
	mov	%rax, %gs:B_RAX
agent_result:
	cmpq	$0, %gs:B_CUR
	je	1f
	mov	%gs:B_STACK, %rsp
	mov	%gs:B_SELF, %rdi
	call	agent_exit
agent_left:
	LOAD_ARGS
	mov	%gs:B_SP, %rsp
1:	LOAD_FLAGS
	mov	%gs:B_CONT, %rcx
	mov	%gs:B_RAX, %rax
	jmp	*%rcx
/* The tracer has to see this call: run the instruction before the continuation,
 * which the dispatch does not allow. */
agent_trap:
	cmp	$2, %eax
	je	2f
	mov	%gs:B_CONT, %rcx
	cmpw	$0x050f, -2(%rcx)
	LOAD_ARGS
	mov	%gs:B_SP, %rsp
	jne	3f
	LOAD_FLAGS
	mov	%gs:B_CONT, %rcx
	lea	-2(%rcx), %rcx
	mov	%gs:B_RAX, %rax
	jmp	*%rcx
/* It is replaced itself, by a short jump: one of ours, in whose place the tracer looks at the block. */
3:	LOAD_FLAGS
	mov	%gs:B_RAX, %rax
	jmp	agent_control_begin + C_TRAP
/* A call that may not come back: its record stays open.  Whether it is this call's or still the one's
 * before is told by whether a signal finds us up to agent_entered, or from there on. */
2:	movl	$1, %gs:B_OPEN
	LOAD_ARGS
	mov	%gs:B_SP, %rsp
	mov	%gs:B_RAX, %rax
	jmp	agent_call
agent_end:

/* The same for a program that was attached to, which lives on when the tracer is killed: then it makes its calls
 * itself, by the instruction before the continuation, which the dispatch allows from then on.  Nothing but r11 and
 * rcx is touched, since nobody takes calls out of here any more when a handler makes another one.  In such a
 * program both are the same (patch_choose_single).  Where the instruction itself is replaced the agent makes the
 * call, whose record finds no room. */
	.p2align 4
agent_watched:
	mov	%gs:B_CONTROL, %r11
	movzwl	C_TRACER(%r11), %r11d
	xchg	%rcx, %r11
agent_swapped:
	jrcxz	1f
	mov	%r11, %rcx
	jmp	agent_entry
1:	movzwl	-2(%r11), %ecx
	lea	-0x050f(%rcx), %ecx
	jrcxz	2f
	mov	%r11, %rcx
	jmp	agent_entry
2:	lea	-2(%r11), %r11
	jmp	*%r11
agent_watched_end:

/* A new task whose dispatch the tracer could not set: gs_base is its block,
 * everything else as the program has to find it.  %rax = 0. */
	.p2align 4
agent_child:
	mov	%rdi, %gs:B_RDI
	mov	%rsi, %gs:B_RSI
	mov	%rdx, %gs:B_RDX
	mov	%r10, %gs:B_R10
	mov	%r8, %gs:B_R8
	mov	$157, %eax		/* prctl(PR_SET_SYSCALL_USER_DISPATCH, ON, offset, len, NULL) */
	mov	$59, %edi
	mov	$1, %esi
	lea	agent_text_begin(%rip), %rdx
	lea	agent_text_end(%rip), %r10
	sub	%rdx, %r10
	xor	%r8d, %r8d
	syscall
agent_child_call:
	mov	%gs:B_RDI, %rdi
	mov	%gs:B_RSI, %rsi
	mov	%gs:B_RDX, %rdx
	mov	%gs:B_R10, %r10
	mov	%gs:B_R8, %r8
	LOAD_FLAGS
	mov	%gs:B_CONT, %rcx
	xor	%eax, %eax
	jmp	*%rcx

/* After exec: %r13 = struct agent_boot, %rax = this address, %r8d = descriptor of the image. */
	.p2align 4
agent_boot:
	lea	-256(%r13), %rsp
	and	$-16, %rsp
	mov	%r13, %rdi
	mov	%r8d, %esi
	call	agent_boot_run
	test	%rax, %rax
	js	agent_boot_failed
	mov	(%r13), %rcx		/* entry */
	mov	8(%r13), %rsp
	mov	%rcx, %gs:B_CONT
	xor	%eax, %eax
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	xor	%r12d, %r12d
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	jmp	*%gs:B_CONT
agent_boot_failed:
	int3

/* long agent_syscall(nr, a, b, c, d, e, f) */
	.p2align 4
agent_syscall:
	mov	%rdi, %rax
	mov	%rsi, %rdi
	mov	%rdx, %rsi
	mov	%rcx, %rdx
	mov	%r8, %r10
	mov	%r9, %r8
	mov	8(%rsp), %r9
	syscall
	ret

/*
 * Loads from the program's memory.  A fault in here is mended by the tracer,
 * which sets rip to agent_copy_fault: -1 is returned.
 *
 * long agent_copy_bytes(void *dst, const void *src, size_t n): 0
 */
	.p2align 4
agent_copy:
agent_copy_bytes:
	cmp	$16, %rdx
	jb	2f
1:	mov	(%rsi), %rax
	mov	8(%rsi), %rcx
	mov	%rax, (%rdi)
	mov	%rcx, 8(%rdi)
	add	$16, %rsi
	add	$16, %rdi
	sub	$16, %rdx
	cmp	$16, %rdx
	jae	1b
2:	test	$8, %dl
	jz	3f
	mov	(%rsi), %rax
	mov	%rax, (%rdi)
	add	$8, %rsi
	add	$8, %rdi
3:	test	$4, %dl
	jz	4f
	mov	(%rsi), %eax
	mov	%eax, (%rdi)
	add	$4, %rsi
	add	$4, %rdi
4:	test	$2, %dl
	jz	5f
	movzwl	(%rsi), %eax
	mov	%ax, (%rdi)
	add	$2, %rsi
	add	$2, %rdi
5:	test	$1, %dl
	jz	6f
	movzbl	(%rsi), %eax
	mov	%al, (%rdi)
6:	xor	%eax, %eax
	ret

/* long agent_copy_string(char *dst, const char *src, size_t n): bytes copied,
 * without the NUL, at most n.  No load crosses into a page that the string
 * does not reach; dst may be written up to 7 bytes past the string, with zeros,
 * never past n rounded up to 8. */
	.p2align 4
agent_copy_string:
	xor	%eax, %eax
	movabs	$0x0101010101010101, %r8
	movabs	$0x8080808080808080, %r9
1:	lea	(%rsi,%rax), %ecx	/* words: up to the end of this page or of the room */
	or	$-4096, %ecx
	neg	%ecx
	add	%rax, %rcx
	cmp	%rdx, %rcx
	cmova	%rdx, %rcx
	sub	$8, %rcx
	jmp	3f
2:	mov	(%rsi,%rax), %r10
	mov	%r10, %r11
	sub	%r8, %r11
	test	%r9, %r11
	jnz	5f
4:	mov	%r10, (%rdi,%rax)
	add	$8, %rax
3:	cmp	%rcx, %rax
	jle	2b
7:	cmp	%rdx, %rax		/* bytes */
	jae	6f
	movzbl	(%rsi,%rax), %ecx
	test	%cl, %cl
	jz	6f
	mov	%cl, (%rdi,%rax)
	inc	%rax
	test	$7, %al
	jnz	7b
	jmp	1b
5:	not	%r10			/* a NUL, or what is not ASCII: bit 8k+7 of the first NUL, in byte k */
	and	%r10, %r11
	not	%r10
	and	%r9, %r11
	jz	4b
	lea	-1(%r11), %rcx
	and	%rcx, %r10		/* the bytes before it */
	mov	%r10, (%rdi,%rax)
	bsf	%r11, %r11
	shr	$3, %r11d
	add	%r11, %rax
6:	ret
/* What every thread's %fs points to points to itself (ELF, thread-local storage, variant II). */
agent_thread_pointer:
	mov	%fs:0, %rax
	ret
agent_copy_end:
agent_copy_fault:
	mov	$-1, %rax
	ret
	.section .note.GNU-stack, "", @progbits
