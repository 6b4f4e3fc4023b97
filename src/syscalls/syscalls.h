/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The syscall table: what each call is called, which class it is in, what its
 * arguments are, which memory is worth copying, which errors are ordinary.
 * Rows are generated from table.def (one row a call, all ABIs), kinds.def
 * (one row an argument kind) and nr-<abi>.tbl (numbers).  Constant, shared,
 * no state.
 *
 * Sources: arch/x86/entry/syscalls/syscall_{64,32}.tbl and the uapi headers.
 */
#ifndef SYSCALLS_H
#define SYSCALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tracer/event.h>
#include "capture/capture_abi.h"

/* Argument kinds: generated as ARG_<NAME> from kinds.def (ARG_NONE = 0). */
#include "syscalls/kinds-gen.h"

/* Classes as -e trace=%name has them: generated from classes in table.def. */
#include "syscalls/classes-gen.h"

/* What a return value is. */
enum ret_kind { RET_INT = 0, RET_FD, RET_PID, RET_SIZE, RET_ADDR, RET_NONE, RET_HEX, RET_OCT, RET_UNSIGNED };

/* What the fd/cwd tables have to do after a successful call. */
enum state_op {
	STATE_NONE = 0, STATE_OPEN, STATE_CLOSE, STATE_CLOSE_RANGE, STATE_DUP, STATE_DUP2, STATE_FCNTL,
	STATE_CHDIR, STATE_FCHDIR, STATE_PIPE, STATE_SOCKET, STATE_SOCKETPAIR, STATE_ACCEPT,
	STATE_CONNECT, STATE_BIND, STATE_EPOLL, STATE_EVENTFD, STATE_ANONFD, STATE_UNSHARE, STATE_PRCTL,
	STATE_CHROOT, STATE_MMAP, STATE_MUNMAP
};

#define SYSCALL_F_WAITS		0x01u	/* blocks by design: futex, poll, nanosleep, wait4 ... */
#define SYSCALL_F_NORETURN	0x02u	/* exit, exit_group; rt_sigreturn */
#define SYSCALL_F_NOFAIL	0x04u	/* getpid and the like: never an error value */
#define SYSCALL_F_IO		0x08u	/* RET_SIZE counts bytes transferred */

/* When the errnos of ordinary_if are no news. */
enum ordinary_cond {
	ORDINARY_IF_ALWAYS = 0,
	ORDINARY_IF_READONLY,	/* opened for reading only, nothing created */
	ORDINARY_IF_NOHANG,	/* asked with WNOHANG */
	ORDINARY_IF_NSCD,	/* connect to the name service cache daemon, which few run */
	ORDINARY_IF_PROBE	/* kill with signal 0 */
};

struct xlat;
struct syscall_desc {
	const char *name;
	uint64_t classes;		/* bits of SYSCALL_CLASS_* */
	uint8_t nargs;
	uint8_t ret;			/* enum ret_kind */
	uint8_t state;			/* enum state_op */
	uint8_t flags;			/* SYSCALL_F_* */
	uint16_t id;			/* index of the name in table.def: same for all ABIs */
	uint8_t args[TRACER_ARGS_MAX];	/* enum arg_kind */
	uint8_t len_args[TRACER_ARGS_MAX];	/* argument that holds the length or count, 0xff none */
	const char *arg_names[TRACER_ARGS_MAX];
	/* kinds with a set: flags, enum, clockid ...; else NULL */
	const struct xlat *sets[TRACER_ARGS_MAX];
	const struct capture_plan *capture;	/* per ABI; never NULL */
	const int16_t *ordinary;	/* errnos that are no news, 0-terminated, may be NULL */
	const int16_t *ordinary_if;	/* the same under condition */
	uint8_t condition;		/* enum ordinary_cond */
	/* Arguments that spans and filters ask for, -1 none: the path that is acted on, the first
	 * descriptor, the socket address or message that names the peer. */
	int8_t path_arg, fd_arg, peer_arg;
};

/* NULL for a number without a row. */
const struct syscall_desc *syscall_lookup(int abi, int nr);
/* The row for numbers without one: six words, nothing captured; id is syscall_rows(). */
const struct syscall_desc *syscall_generic(int abi);
/* Number of a name in an ABI, or -ENOENT. */
int syscall_number(int abi, const char *name);
/* One past the largest number of the ABI. */
int syscall_max(int abi);
/* Name or "syscall_0x1ff" written to buf (for numbers without a row). */
const char *syscall_name(int abi, int nr, char buf[24]);
/* Nearest known name for "did you mean", or NULL. */
const char *syscall_nearest(const char *name);
unsigned syscall_rows(void);			/* distinct names */
const char *syscall_row_name(unsigned id);

/* "ENOENT" / "No such file or directory"; NULL for unknown numbers. */
const char *errno_name(int err);
const char *errno_text(int err);
/* "SIGSEGV"; real-time signals as "SIGRT_3"; buf is used for those. */
const char *signal_name(int sig, char buf[16]);
int signal_number(const char *name);		/* with or without SIG; -ENOENT */
/* True where this failure is ordinary for this call (TELEMETRY: red means broken). */
bool syscall_ordinary(const struct syscall_desc *d, const struct tracer_ev_call *c, int err);

/*
 * Constant sets, one file each in xlat/.
 *
 * An enum set names whole values; its entries are sorted by value.
 * A flags set names bits, in the order in which they are to be shown:
 * combinations come before their parts (O_SYNC before O_DSYNC), so a reader
 * takes an entry when all its bits are still there, and removes them.  The
 * bits of mask hold one number (access mode, mapping type, exit signal):
 * (v & mask) is looked up whole, among the entries that lie within mask;
 * its 0 may have a name (O_RDONLY) or not.  Without a mask an entry of value
 * 0 (PROT_NONE, F_OK) names the empty set.
 */
struct xlat_entry { uint64_t value; const char *name; };
struct xlat {
	const char *name;
	const struct xlat_entry *entries;
	unsigned count;
	bool flags;
	uint64_t mask;
	const struct xlat *base;	/* enum: what is not here is looked up there */
};
#include "syscalls/xlat-gen.h"		/* extern const struct xlat xlat_<set>; */
extern const struct xlat *const xlat_sets[];	/* all, NULL-terminated */
/* The name of exactly this value, or NULL. */
const char *xlat_lookup(const struct xlat *x, uint64_t value);
const struct xlat *xlat_set(const char *name);	/* NULL: no such set */

#endif
