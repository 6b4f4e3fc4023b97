/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event record: what an engine writes and everything behind the ring
 * reads.  One record per completed call; other kinds tell what happens to
 * tasks.  Fixed width, little endian as the host, no pointers, every record
 * a multiple of 8 bytes.  A recording file is a header and this stream.
 *
 * Records from the in-process engine lie in memory that the traced program
 * can write: a reader calls event_check() before it believes a length, an
 * index or a kind.
 *
 * Freestanding: the agent inside the tracee includes this header, so it
 * needs nothing but <stdint.h>.
 */
#ifndef TRACER_EVENT_H
#define TRACER_EVENT_H

#include <stdint.h>

#define TRACER_EVENT_VERSION 1

/* No record is larger; a ring keeps this much slack behind its end. */
#define TRACER_EVENT_MAX 65536u
#define TRACER_ARGS_MAX 6u
#define TRACER_CAPTURES_MAX 16u

enum tracer_event_kind {
	TRACER_EV_NONE = 0,	/* memory not written yet */
	TRACER_EV_CALL,		/* struct tracer_ev_call: a call that returned */
	TRACER_EV_ENTER,	/* struct tracer_ev_call: it never returned (exit, death, detach) */
	TRACER_EV_TASK,		/* struct tracer_ev_task: a task appeared (fork, clone, attach, start) */
	TRACER_EV_EXEC,		/* struct tracer_ev_exec: a process image was replaced */
	TRACER_EV_EXIT,		/* struct tracer_ev_exit: a task is gone, or was detached */
	TRACER_EV_SIGNAL,	/* struct tracer_ev_signal: a signal is delivered, or a group-stop */
	TRACER_EV_FD,		/* struct tracer_ev_fd: an open descriptor at start or attach */
	TRACER_EV_CWD,		/* struct tracer_ev_text: working directory at start or attach */
	TRACER_EV_COMM,		/* struct tracer_ev_text: thread name at start or attach */
	TRACER_EV_CLOCK,	/* struct tracer_ev_clock: calibration point */
	TRACER_EV_LOST,		/* struct tracer_ev_lost: records that were not written */
	TRACER_EV_ENGINE,	/* struct tracer_ev_text: a task changed its way of being traced, and why */
	TRACER_EV_CONTEXT,	/* struct tracer_ev_context: trace context that we gave, or a program has */
	TRACER_EV_MAP,		/* struct tracer_ev_map: code of a file was mapped */
	TRACER_EV_KINDS
};

enum tracer_abi {
	TRACER_ABI_X86_64 = 0,
	TRACER_ABI_I386 = 1,
	TRACER_ABI_AARCH64 = 2,
	TRACER_ABIS
};

/* Flags of the record head. */
#define TRACER_EVF_PENDING	0x0001u	/* reserved, not committed */
#define TRACER_EVF_RESTARTED	0x0002u	/* call: the kernel will restart it */
#define TRACER_EVF_ERROR	0x0004u	/* call: the return value is an error (as the ABI tells) */
#define TRACER_EVF_INPROC	0x0008u	/* call: recorded inside the tracee */
#define TRACER_EVF_ONESTOP	0x0010u	/* call: one stop, then recorded inside the tracee */
#define TRACER_EVF_ATTACHED	0x0020u	/* task, exec: was running before we came */
#define TRACER_EVF_DETACHED	0x0040u	/* exit: let go, it lives on */
#define TRACER_EVF_ROOT		0x0080u	/* task: the program that the user named */
#define TRACER_EVF_STOP		0x0100u	/* signal: a group-stop, not a delivery */
#define TRACER_EVF_SUPERSEDED	0x0200u	/* exit: thread gone because another one called execve */
#define TRACER_EVF_HIDDEN	0x0400u	/* call: for state alone, outside the selection; no sink sees it */

/* Head of every record, 24 bytes. */
struct tracer_event {
	uint32_t size;		/* whole record, multiple of 8 */
	uint8_t kind;		/* enum tracer_event_kind */
	uint8_t abi;		/* enum tracer_abi */
	uint16_t flags;		/* TRACER_EVF_* */
	int32_t tid;		/* kernel thread id in the tracer's pid namespace */
	int32_t nr;		/* call: number in its ABI; signal: number; else 0 */
	uint64_t time;		/* ticks (see tracer_ev_clock); a call's end */
};

/* A call.  args[nargs] follow, then ncaptures of struct tracer_capture. */
struct tracer_ev_call {
	struct tracer_event head;
	uint64_t start;		/* ticks at entry; head.time >= start */
	int64_t ret;		/* raw return value, negative errno on error */
	uint64_t ip;		/* address behind the syscall instruction, 0 unknown */
	uint64_t caller;	/* return address of the function around it, 0 unknown (as yet always) */
	uint8_t nargs;		/* <= TRACER_ARGS_MAX */
	uint8_t ncaptures;	/* <= TRACER_CAPTURES_MAX */
	uint16_t reserved0;
	uint32_t reserved1;
	uint64_t args[];
};

/* Directions and states of captured bytes. */
#define TRACER_CAP_IN		0x01u	/* as the kernel read it */
#define TRACER_CAP_OUT		0x02u	/* as the kernel left it */
#define TRACER_CAP_TRUNCATED	0x04u	/* there was more than the limit */
#define TRACER_CAP_FAULT	0x08u	/* not readable: len is what was got */

/* Captured memory of one argument; len bytes follow, padded to 8. */
struct tracer_capture {
	uint8_t arg;		/* index of the argument it belongs to */
	uint8_t flags;		/* TRACER_CAP_* */
	uint16_t index;		/* which rule of the argument (0: the object itself,
				   1...: what it points to, e.g. element of a vector) */
	uint32_t len;
	uint8_t bytes[];
};

struct tracer_ev_task {
	struct tracer_event head;	/* tid: the new task */
	int32_t pid;		/* its thread group */
	int32_t parent_tid;	/* task that made it; 0 for roots and attached ones */
	uint64_t clone_flags;	/* CLONE_* as asked for (fork: 0, vfork: CLONE_VM|CLONE_VFORK) */
	uint64_t starttime;	/* /proc/PID/stat field 22, clock ticks since boot; 0 unknown */
	int32_t ppid;		/* real parent process at that moment, 0 unknown */
	int32_t uid;		/* real uid, -1 unknown */
	char comm[16];		/* thread name, NUL-terminated */
};

/* With TRACER_EVF_ATTACHED: no exec, the image that was running when we came.
 * former_tid != tid: a thread that is not the leader executed; the leader's exit
 * (SUPERSEDED) comes before this record, the thread has the leader's tid from here on.
 * exe path bytes follow, then argv as NUL-terminated strings (argc of them). */
struct tracer_ev_exec {
	struct tracer_event head;	/* tid: the surviving task (= pid) */
	int32_t former_tid;	/* the thread that called execve */
	uint32_t exe_len;	/* bytes of the path of /proc/PID/exe */
	uint32_t argv_len;	/* bytes of captured argv, bounded */
	uint32_t argc;		/* strings in those bytes */
	uint64_t dev, ino;	/* identity of the executable */
	uint64_t mtime_ns;
	uint8_t elf_class;	/* 1: 32 bit, 2: 64 bit, 0 unknown (ELFCLASS*) */
	uint8_t build_id_len;	/* <= 20 */
	uint8_t dumpable;	/* 0: memory may not be read */
	uint8_t reserved0;
	uint32_t reserved1;
	uint8_t build_id[24];
	char comm[16];
	char text[];
};

struct tracer_ev_exit {
	struct tracer_event head;
	int32_t status;		/* wait status; meaningless with TRACER_EVF_DETACHED */
	int32_t pid;
	uint64_t utime_us, stime_us;	/* of the process, on its leader's record; else 0 */
	uint64_t maxrss_kib;
	uint64_t nvcsw, nivcsw, minflt, majflt;
};

/* The first 128 bytes of siginfo follow when captured (info_len 128, else 0). */
struct tracer_ev_signal {
	struct tracer_event head;	/* nr: signal number */
	int32_t code;		/* si_code */
	int32_t sender;		/* si_pid, 0 where it means nothing */
	int32_t sender_uid;
	uint32_t info_len;
	uint64_t addr;		/* si_addr of a fault, else 0 */
	uint8_t info[];
};

struct tracer_ev_fd {
	struct tracer_event head;	/* tid: the process */
	int32_t fd;
	uint32_t len;
	uint32_t cloexec;
	uint32_t reserved0;
	char target[];		/* as /proc/PID/fd/N reads: path, socket:[N], pipe:[N] */
};

/* A file that is mapped with PROT_EXEC: behind the record of the mmap that did it, behind an exec (the
 * program and its interpreter), or with TRACER_EVF_ATTACHED at an attach.  What is not known is 0. */
struct tracer_ev_map {
	struct tracer_event head;	/* tid: the task that mapped it, or whose exec it was */
	uint64_t addr, len;
	uint64_t offset;	/* in the file, bytes */
	uint64_t dev, ino;
	uint64_t mtime_ns;
	uint32_t path_len;
	uint8_t elf_class;	/* as in tracer_ev_exec; 0 also for what is not ELF */
	uint8_t build_id_len;	/* <= 20 */
	uint16_t reserved0;
	uint8_t build_id[24];
	char text[];		/* the path, as /proc tells it */
};

struct tracer_ev_text {
	struct tracer_event head;
	uint32_t len;
	uint32_t reserved0;
	char text[];
};

/* One point of the line from ticks to time.  Written by the consumer into
 * recordings; engines do not write it. */
enum tracer_clock_source { TRACER_CLOCK_MONOTONIC = 0, TRACER_CLOCK_TSC = 1 };
struct tracer_ev_clock {
	struct tracer_event head;	/* time: ticks at this point */
	uint64_t mono_ns;	/* CLOCK_MONOTONIC at this point */
	uint64_t real_ns;	/* Unix time at this point by the run's one offset */
	uint32_t source;	/* enum tracer_clock_source */
	uint32_t reserved0;
	uint64_t rate;		/* nanoseconds per tick, times 2^32 */
};

enum tracer_context_what {
	TRACER_CONTEXT_RUN = 1,	/* trace and root span of the run, as in TRACEPARENT; before all else */
	TRACER_CONTEXT_IMAGE,	/* behind an exec: the process span's id, as the new image finds it in
				   TRACEPARENT; parent_id where TRACEPARENT named another span than the
				   process was given, else 0 */
	TRACER_CONTEXT_THREAD,	/* from here on this is the thread's active span; all zero: none */
	TRACER_CONTEXT_PROCESS,	/* payload: what the process tells of itself (a ProcessContext message) */
	TRACER_CONTEXTS
};

struct tracer_ev_context {
	struct tracer_event head;
	uint8_t what;		/* enum tracer_context_what */
	uint8_t trace_flags;	/* W3C */
	uint16_t reserved0;
	uint32_t len;
	uint8_t trace_id[16];
	uint8_t span_id[8];
	uint8_t parent_id[8];
	uint8_t payload[];	/* len bytes */
};

struct tracer_ev_lost {
	struct tracer_event head;
	uint64_t count;
};

#ifndef __cplusplus
_Static_assert(sizeof(struct tracer_event) == 24, "event head is ABI");
_Static_assert(sizeof(struct tracer_ev_call) == 64, "call record is ABI");
_Static_assert(sizeof(struct tracer_capture) == 8, "capture head is ABI");
_Static_assert(sizeof(struct tracer_ev_task) == 72, "task record is ABI");
_Static_assert(sizeof(struct tracer_ev_exec) == 112, "exec record is ABI");
_Static_assert(sizeof(struct tracer_ev_exit) == 88, "exit record is ABI");
_Static_assert(sizeof(struct tracer_ev_signal) == 48, "signal record is ABI");
_Static_assert(sizeof(struct tracer_ev_context) == 64, "context record is ABI");
_Static_assert(sizeof(struct tracer_ev_map) == 104, "mapping record is ABI");
_Static_assert(sizeof(struct tracer_ev_clock) == 56, "clock record is ABI");
#endif

#define TRACER_ALIGN8(n) (((n) + 7u) & ~(uint32_t)7u)

#endif
