/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an event record to what people read.  Pure: no pid, no clock, no I/O.
 * A struct call is a view that lives while its record does; arguments are
 * formatted only when a sink asks for them.
 */
#ifndef DECODE_H
#define DECODE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/strbuf.h"
#include "decode/world.h"

struct call {
	const struct tracer_ev_call *ev;
	const struct syscall_desc *desc;	/* never NULL: unknown numbers get a generic row */
	const struct task *task;
	const struct image *image;		/* image that made the call */
	uint64_t start_ns, end_ns;		/* Unix time */
	int err;				/* errno of a failure, else 0 */
	bool finished;				/* false: TRACER_EV_ENTER */
	char name_buf[24];
	const char *name;
};

struct decode_options {
	uint32_t string_max;	/* -s */
	bool fd_paths;		/* -y: 3</etc/passwd> */
	bool fd_details;	/* -yy */
	bool verbose;		/* -v: no abbreviation of structures */
	uint8_t strings_hex;	/* -x: 1 non-ASCII strings, 2 all */
	bool raw;		/* -X raw */
	bool no_buffers;	/* privacy: user data is shown as a length only */
	bool no_argv;		/* privacy: argv of execve is shown as a count only */
};

/* Fill c from a checked record; the world must know the task already. */
void call_init(struct call *c, const struct tracer_ev_call *ev, struct world *w,
	       const struct clock_map *clock);

/* One argument, as text: AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC.  False, and nothing added,
 * where the call does not take it: the mode of an open that creates nothing. */
bool call_format_arg(const struct call *c, unsigned i, const struct decode_options *o,
		     struct strbuf *out);
/* All, joined with ", ". */
void call_format_args(const struct call *c, const struct decode_options *o, struct strbuf *out);
/* " = 3", " = -1 ENOENT (No such file or directory)", " = ?": without the leading space. */
void call_format_ret(const struct call *c, const struct decode_options *o, struct strbuf *out);
/* Delivered signal: "SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=NULL}". */
void signal_format(const struct tracer_ev_signal *ev, struct strbuf *out);

/* Facts for spans and filters; false/0/-1 where the call has none. */
bool call_path(const struct call *c, struct strbuf *out);	/* first path, made absolute by cwd/dirfd */
int call_fd(const struct call *c);				/* first descriptor argument, or -1 */
const struct fd_entry *call_fd_entry(const struct call *c);
struct call_peer { char address[112]; uint32_t address_len; uint16_t port; uint8_t family; };
bool call_peer(const struct call *c, struct call_peer *out);	/* from a captured sockaddr */
int64_t call_bytes(const struct call *c);			/* transferred, or -1 */

#endif
