/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Formatters of argument kinds: what one looks like, and what they share.
 * A kind's formatter is a row of the table in args.c; docs/HOWTO-ADD-DECODER.md
 * tells how to add one.
 */
#ifndef DECODE_ARGS_H
#define DECODE_ARGS_H

#include "decode/arg_data.h"
#include "decode/decode.h"
#include "decode/fields.h"

/* One argument on its way to text. */
struct arg {
	const struct call *c;
	const struct tracer_ev_call *ev;
	const struct syscall_desc *d;
	const struct decode_options *o;
	struct strbuf *out;
	unsigned i;		/* which one */
	unsigned word;		/* bytes of a word of the ABI */
	uint64_t v;		/* its value, cut to a word */
};
typedef void (*arg_fn)(const struct arg *a);

/* --- values --- */
void arg_format_address(const struct arg *a);		/* NULL, 0x7f... */
void address_format(struct strbuf *out, uint64_t v);
void xlat_format(struct strbuf *out, const struct xlat *x, uint64_t v);	/* names, rest in hexadecimal */
void fd_format(struct strbuf *out, const struct task *t, int64_t fd, const struct decode_options *o);
void fd_format_target(struct strbuf *out, const char *target, size_t n, uint8_t kind,
		      const struct decode_options *o);
void mode_format(struct strbuf *out, uint32_t mode, bool with_type);
void dev_format(struct strbuf *out, uint64_t dev);
void sigset_format(struct strbuf *out, const uint8_t *p, size_t n);
void wait_status_format(struct strbuf *out, int status);
void signal_format_name(struct strbuf *out, int sig);

/* --- captured memory --- */
/* Bytes as the kernel read (in) or left (out) them; NULL where fewer than need are there. */
const uint8_t *arg_in(const struct arg *a, unsigned index, size_t need, size_t *n);
const uint8_t *arg_out(const struct arg *a, unsigned index, size_t need, size_t *n);
/* The one that is there; the kernel's answer first. */
const uint8_t *arg_any(const struct arg *a, unsigned index, size_t need, size_t *n);
uint64_t arg_value(const struct arg *a, unsigned i);	/* another argument, cut to a word */
const struct xlat *arg_set(const struct arg *a);	/* the kind's set, may be NULL */
int64_t arg_length(const struct arg *a);		/* value of the length argument, or -1 */

/* User data with -s, -x and privacy; total: bytes that there were. */
void arg_format_data(const struct arg *a, const uint8_t *p, size_t n, uint64_t total);

/* --- one function per family, for the table --- */
void arg_format_path(const struct arg *a);
void arg_format_string(const struct arg *a);
void arg_format_path_out(const struct arg *a);
void arg_format_buf(const struct arg *a);
void arg_format_bytes(const struct arg *a);
void arg_format_dirents(const struct arg *a);
void arg_format_argv(const struct arg *a);
void arg_format_envp(const struct arg *a);
void arg_format_mode(const struct arg *a);
void arg_format_mknod_mode(const struct arg *a);
void arg_format_stat(const struct arg *a);
void arg_format_stat64(const struct arg *a);
void arg_format_statx(const struct arg *a);
void arg_format_timespecs(const struct arg *a);
void arg_format_timevals(const struct arg *a);
void arg_format_sockaddr(const struct arg *a);
void arg_format_socklen(const struct arg *a);
void arg_format_sockopt(const struct arg *a);
void arg_format_sockoptname(const struct arg *a);
void arg_format_iovec(const struct arg *a);
void arg_format_msghdr(const struct arg *a);
void arg_format_mmsghdr(const struct arg *a);
void arg_format_pollfds(const struct arg *a);
void arg_format_fdset(const struct arg *a);
void arg_format_epoll_event(const struct arg *a);
void arg_format_epoll_events(const struct arg *a);
void arg_format_signal(const struct arg *a);
void arg_format_sigset(const struct arg *a);
void arg_format_sigset32(const struct arg *a);
void arg_format_sigmask32(const struct arg *a);
void arg_format_sigset_pair(const struct arg *a);
void arg_format_sigaction(const struct arg *a);
void arg_format_siginfo(const struct arg *a);
void arg_format_wait_status(const struct arg *a);
void arg_format_clone_flags(const struct arg *a);
void arg_format_clone_args(const struct arg *a);
void arg_format_sock_protocol(const struct arg *a);
void arg_format_futex_op(const struct arg *a);
void arg_format_futex_val3(const struct arg *a);
void arg_format_futex_val2(const struct arg *a);
void arg_format_fcntl_arg(const struct arg *a);
void arg_format_ioctl_request(const struct arg *a);
void arg_format_ioctl_arg(const struct arg *a);
void arg_format_prctl_arg(const struct arg *a);
void arg_format_cpu_mask(const struct arg *a);
void arg_format_cap_header(const struct arg *a);
void arg_format_layout(const struct arg *a, const struct layout *l);

/* Any of them, by the table. */
void arg_format(const struct arg *a);
/* Arguments that the call does not use, by its other arguments (mode of an open without O_CREAT). */
bool arg_hidden(const struct arg *a);
bool arg_hidden_prctl(const struct arg *a);
/* What the return value's parentheses say: " ([{fd=3, revents=POLLIN}])", " (flags O_RDONLY)". */
void ret_format_poll(const struct arg *a, int64_t ret);
void ret_format_select(const struct arg *a, int64_t ret);
void ret_format_fcntl(const struct arg *a, int64_t ret);

void siginfo_format(struct strbuf *out, const uint8_t *p, size_t n, unsigned word);

#endif
