/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table from argument kinds to formatters, and the formatters of plain
 * numbers.  A kind without a row is shown by its layout (layouts.c), or as a
 * raw value.  Pure, on the consumer thread.
 */
#include "config.h"
#include "decode/args.h"

#include <fcntl.h>
#include "decode/quote.h"

/* --- numbers --- */

static int64_t signed_word(const struct arg *a)
{
	return a->word == 4 ? (int32_t)a->v : (int64_t)a->v;
}

static void format_int(const struct arg *a)
{
	strbuf_add_i64(a->out, (int32_t)a->v);
}

static void format_uint(const struct arg *a)
{
	strbuf_add_u64(a->out, (uint32_t)a->v);
}

static void format_long(const struct arg *a)
{
	strbuf_add_i64(a->out, signed_word(a));
}

static void format_ulong(const struct arg *a)
{
	strbuf_add_u64(a->out, a->v);
}

static void format_hex(const struct arg *a)
{
	strbuf_add_hex(a->out, a->v);
}

static void format_pages(const struct arg *a)
{
	strbuf_add_hex(a->out, a->v << 12);
}

/* A 64-bit offset in two arguments of a 32-bit ABI. */
static void format_lo_hi(const struct arg *a)
{
	strbuf_add_i64(a->out, (int64_t)(arg_value(a, a->i + 1) << 32 | (uint32_t)a->v));
}

static void format_hi_lo(const struct arg *a)
{
	strbuf_add_i64(a->out, (int64_t)(a->v << 32 | (uint32_t)arg_value(a, a->i + 1)));
}

static void format_id16(const struct arg *a)
{
	strbuf_add_i64(a->out, (uint16_t)a->v == 0xffff ? -1 : (uint16_t)a->v);
}

/* An id, -1 being "leave it". */
static void format_id(const struct arg *a)
{
	if ((uint32_t)a->v == UINT32_MAX)
		strbuf_add_i64(a->out, -1);
	else
		strbuf_add_u64(a->out, (uint32_t)a->v);
}

static void format_dev(const struct arg *a)
{
	dev_format(a->out, (uint32_t)a->v);
}

/* --- constants --- */

static void format_set(const struct arg *a, uint64_t v)
{
	if (arg_set(a) && !a->o->raw)
		xlat_format(a->out, arg_set(a), v);
	else
		strbuf_add_hex(a->out, v);
}

/* int in the kernel: the upper half of the register says nothing, unless the set has 64-bit values. */
static void format_flags(const struct arg *a)
{
	format_set(a, a->v >> 32 == UINT32_MAX ? (uint32_t)a->v : a->v);
}

static void format_enum(const struct arg *a)
{
	const struct xlat *x = arg_set(a);
	uint64_t v = (uint32_t)a->v;

	/* Sets with negative members have them as 64-bit numbers. */
	if (x && !x->flags && !a->o->raw && !xlat_lookup(x, v) && xlat_lookup(x, (uint64_t)(int32_t)a->v))
		v = (uint64_t)(int32_t)a->v;
	format_set(a, v);
}

static void format_xflags(const struct arg *a)
{
	format_set(a, a->word == 4 ? arg_value(a, a->i + 1) << 32 | (uint32_t)a->v : a->v);
}

static void format_clockid(const struct arg *a)
{
	int32_t id = (int32_t)a->v;

	if (id >= 0)
		format_enum(a);
	else if ((id & 7) == 3)		/* CLOCKFD, linux/posix-timers.h */
		strbuf_add_fmt(a->out, "FD_TO_CLOCKID(%d)", ~(id >> 3));
	else
		strbuf_add_fmt(a->out, "%s(%d, %s)",
			       id & 4 ? "MAKE_THREAD_CPUCLOCK" : "MAKE_PROCESS_CPUCLOCK", ~(id >> 3),
			       (id & 3) == 0   ? "CPUCLOCK_PROF"
			       : (id & 3) == 1 ? "CPUCLOCK_VIRT"
					       : "CPUCLOCK_SCHED");
}

static void format_keyserial(const struct arg *a)
{
	static const char *const names[] = {
		"KEY_SPEC_THREAD_KEYRING", "KEY_SPEC_PROCESS_KEYRING", "KEY_SPEC_SESSION_KEYRING",
		"KEY_SPEC_USER_KEYRING", "KEY_SPEC_USER_SESSION_KEYRING", "KEY_SPEC_GROUP_KEYRING",
		"KEY_SPEC_REQKEY_AUTH_KEY", "KEY_SPEC_REQUESTOR_KEYRING",
	};
	int32_t key = (int32_t)a->v;

	if (key < 0 && key >= -8)
		strbuf_add_str(a->out, names[-key - 1]);
	else
		strbuf_add_i64(a->out, key);
}

static void format_ipckey(const struct arg *a)
{
	if (a->v)
		strbuf_add_hex(a->out, (uint32_t)a->v);
	else
		strbuf_add_str(a->out, "IPC_PRIVATE");
}

/* --- descriptors --- */

static void format_fd(const struct arg *a)
{
	fd_format(a->out, a->c->task, (int32_t)a->v, a->o);
}

static void format_dirfd(const struct arg *a)
{
	const struct fs_state *fs = a->c->task->fs;

	if ((int32_t)a->v != AT_FDCWD) {
		format_fd(a);
		return;
	}
	strbuf_add_str(a->out, "AT_FDCWD");
	if ((a->o->fd_paths || a->o->fd_details) && fs && fs->len)
		fd_format_target(a->out, fs->cwd, fs->len, FD_DIR, a->o);
}

static void format_fd_pair(const struct arg *a)
{
	const uint8_t *p = a->c->err ? NULL : arg_out(a, 0, 8, NULL);

	if (!p) {
		arg_format_address(a);
		return;
	}
	strbuf_add_fmt(a->out, "[%d, %d]", (int32_t)load_u32(p), (int32_t)load_u32(p + 4));
}

/* --- pointers to numbers: [5], or [0] => [512] where the kernel changed it --- */

static bool number_signed(unsigned kind)
{
	return kind == ARG_INT_PTR || kind == ARG_LONG_PTR || kind == ARG_OFF_PTR || kind == ARG_LOFF_PTR ||
	       kind == ARG_TIME_PTR || kind == ARG_TIMER_PTR;
}

static void format_number_at(const struct arg *a, const uint8_t *p, size_t size)
{
	unsigned kind = a->d->args[a->i];
	uint64_t v = size == 2 ? load_u16(p) : load_word(p, (unsigned)size);

	strbuf_add_char(a->out, '[');
	if (kind == ARG_ADDR_PTR)
		address_format(a->out, v);
	else if (number_signed(kind))
		strbuf_add_i64(a->out, size == 8 ? (int64_t)v : (int32_t)v);
	else
		strbuf_add_u64(a->out, v);
	strbuf_add_char(a->out, ']');
}

static void format_number(const struct arg *a)
{
	size_t in_size = 0, out_size = 0;
	const uint8_t *in = arg_in(a, 0, 2, &in_size);
	const uint8_t *out = a->c->err ? NULL : arg_out(a, 0, 2, &out_size);

	if (!in && !out) {
		arg_format_address(a);
		return;
	}
	if (in)
		format_number_at(a, in, in_size);
	if (out && (!in || in_size != out_size || memcmp(in, out, in_size))) {
		strbuf_add_str(a->out, in ? " => " : "");
		format_number_at(a, out, out_size);
	}
}

/* [1, 2, 3] of a captured array. */
static void format_numbers(const struct arg *a)
{
	unsigned kind = a->d->args[a->i];
	bool words = kind == ARG_WORDS || kind == ARG_WORDS6 || kind == ARG_IOCB_PTRS;
	size_t n, size = kind == ARG_IDS16 ? 2 : words ? a->word : 4;
	const uint8_t *p = a->c->err ? arg_in(a, 0, 0, &n) : arg_any(a, 0, 0, &n);

	if (!p) {
		arg_format_address(a);
		return;
	}
	strbuf_add_char(a->out, '[');
	for (size_t i = 0; (i + 1) * size <= n; i++) {
		strbuf_add_str(a->out, i ? ", " : "");
		if (size == a->word && kind != ARG_IDS && kind != ARG_INTS)
			strbuf_add_hex(a->out, load_word(p + i * size, a->word));
		else if (size == 2)
			strbuf_add_u64(a->out, load_u16(p + i * size));
		else
			strbuf_add_i64(a->out, (int32_t)load_u32(p + i * size));
	}
	strbuf_add_char(a->out, ']');
}

static void format_sched_param(const struct arg *a)
{
	format_number(a);
}

/* --- structures by layout --- */

static void format_array(const struct arg *a, const struct layout *l, const uint8_t *p, size_t n)
{
	const struct field_context fc = { a->word, a->c->task, a->o };
	size_t size = layout_size(l, a->word);

	strbuf_add_char(a->out, '[');
	for (size_t at = 0; at + size <= n; at += size) {
		strbuf_add_str(a->out, at ? ", " : "");
		layout_format(a->out, l, p + at, size, &fc);
	}
	strbuf_add_char(a->out, ']');
}

/* The smallest part of a structure worth showing: two words, or all of it. */
static size_t layout_need(const struct arg *a, const struct layout *l)
{
	size_t size = layout_size(l, a->word);

	return l->array || size < 16 ? size : 16;
}

void arg_format_layout(const struct arg *a, const struct layout *l)
{
	const struct field_context fc = { a->word, a->c->task, a->o };
	size_t n_in = 0, n_out = 0, need = layout_need(a, l);
	const uint8_t *in = arg_in(a, 0, need, &n_in);
	const uint8_t *out = a->c->err && in ? NULL : arg_out(a, 0, need, &n_out);
	size_t n = in ? n_in : n_out;

	if (!in && !out)
		arg_format_address(a);
	else if (l->array)
		format_array(a, l, in ? in : out, n);
	else
		layout_format(a->out, l, in ? in : out, n, &fc);
	if (in && out && !l->array && (n_in != n_out || memcmp(in, out, n_in))) {
		strbuf_add_str(a->out, " => ");
		layout_format(a->out, l, out, n_out, &fc);
	}
}

static void format_by_layout(const struct arg *a)
{
	const struct layout *l = layout_lookup(a->d->args[a->i]);

	if (l)
		arg_format_layout(a, l);
	else
		arg_format_address(a);
}

/* The rest of a sleep is written only where a signal cut it short. */
static bool unwritten_rest(const struct arg *a)
{
	const char *name = a->d->arg_names[a->i];

	return (!strcmp(name, "rem") || !strcmp(name, "remain")) && (!a->c->finished || !a->c->err);
}

/* select and ppoll: what is left of the limit is shown behind the return value. */
static void format_limit(const struct arg *a)
{
	const struct layout *l = layout_lookup(a->d->args[a->i]);
	const struct field_context fc = { a->word, NULL, a->o };
	size_t n;
	const uint8_t *p = arg_in(a, 0, layout_size(l, a->word), &n);

	if (unwritten_rest(a))
		arg_format_address(a);
	else if (p && (a->d->args[0] == ARG_POLLFDS || a->d->args[1] == ARG_FDSET))
		layout_format(a->out, l, p, n, &fc);
	else
		arg_format_layout(a, l);
}

/* IPC_CREAT|0600 */
static void format_flags_mode(const struct arg *a)
{
	uint64_t bits = (uint32_t)a->v & ~0777u;

	if (bits) {
		xlat_format(a->out, a->d->sets[a->i], bits);
		strbuf_add_char(a->out, '|');
	}
	strbuf_add_fmt(a->out, "%#03o", (unsigned)a->v & 0777);
}

static const arg_fn formatters[ARG_KINDS] = {
	[ARG_INT] = format_int,
	[ARG_UINT] = format_uint,
	[ARG_LONG] = format_long,
	[ARG_ULONG] = format_ulong,
	[ARG_HEX] = format_hex,
	[ARG_SIZE] = format_ulong,
	[ARG_OFF] = format_long,
	[ARG_PAGES] = format_pages,
	[ARG_LO_HI] = format_lo_hi,
	[ARG_HI_LO] = format_hi_lo,
	[ARG_FLAGS] = format_flags,
	[ARG_ENUM] = format_enum,
	[ARG_XFLAGS] = format_xflags,
	[ARG_MODE] = arg_format_mode,
	[ARG_FLAGS_MODE] = format_flags_mode,
	[ARG_MKNOD_MODE] = arg_format_mknod_mode,
	[ARG_DEV] = format_dev,
	[ARG_SIGNAL] = arg_format_signal,
	[ARG_UID] = format_id,
	[ARG_GID] = format_id,
	[ARG_UID16] = format_id16,
	[ARG_GID16] = format_id16,
	[ARG_PID] = format_int,
	[ARG_CLOCKID] = format_clockid,
	[ARG_TIMEOUT_MS] = format_int,
	[ARG_TIMERID] = format_int,
	[ARG_KEYSERIAL] = format_keyserial,
	[ARG_IPCKEY] = format_ipckey,
	[ARG_SOCKOPTNAME] = arg_format_sockoptname,
	[ARG_FD] = format_fd,
	[ARG_FD_NEW] = format_fd,
	[ARG_DIRFD] = format_dirfd,
	[ARG_FD_PAIR] = format_fd_pair,
	[ARG_PATH] = arg_format_path,
	[ARG_STRING] = arg_format_string,
	[ARG_MOUNT_DATA] = arg_format_string,
	[ARG_PATH_OUT] = arg_format_path_out,
	[ARG_ARGV] = arg_format_argv,
	[ARG_ENVP] = arg_format_envp,
	[ARG_BUF] = arg_format_buf,
	[ARG_MSGBUF] = arg_format_address,
	[ARG_BYTES] = arg_format_bytes,
	[ARG_BPF_ATTR] = arg_format_bytes,
	[ARG_DIRENTS] = arg_format_dirents,
	[ARG_DIRENTS64] = arg_format_dirents,
	[ARG_IOVEC] = arg_format_iovec,
	[ARG_MSGHDR] = arg_format_msghdr,
	[ARG_MMSGHDR] = arg_format_mmsghdr,
	[ARG_SOCKADDR] = arg_format_sockaddr,
	[ARG_SOCKLEN_PTR] = arg_format_socklen,
	[ARG_SOCKOPT] = arg_format_sockopt,
	[ARG_INT_PTR] = format_number,
	[ARG_UINT_PTR] = format_number,
	[ARG_LONG_PTR] = format_number,
	[ARG_U64_PTR] = format_number,
	[ARG_OFF_PTR] = format_number,
	[ARG_LOFF_PTR] = format_number,
	[ARG_SIZE_PTR] = format_number,
	[ARG_ADDR_PTR] = format_number,
	[ARG_UID_PTR] = format_number,
	[ARG_GID_PTR] = format_number,
	[ARG_UID16_PTR] = format_number,
	[ARG_GID16_PTR] = format_number,
	[ARG_TIME_PTR] = format_number,
	[ARG_TIMER_PTR] = format_number,
	[ARG_SCHED_PARAM] = format_sched_param,
	[ARG_IDS] = format_numbers,
	[ARG_IDS16] = format_numbers,
	[ARG_INTS] = format_numbers,
	[ARG_WORDS] = format_numbers,
	[ARG_WORDS6] = format_numbers,
	[ARG_IOCB_PTRS] = format_numbers,
	[ARG_STAT] = arg_format_stat,
	[ARG_STAT64] = arg_format_stat64,
	[ARG_FCNTL_ARG] = arg_format_fcntl_arg,
	[ARG_IOCTL_ARG] = arg_format_ioctl_arg,
	[ARG_FDSET] = arg_format_fdset,
	[ARG_POLLFDS] = arg_format_pollfds,
	[ARG_EPOLL_EVENT] = arg_format_epoll_event,
	[ARG_EPOLL_EVENTS] = arg_format_epoll_events,
	[ARG_TIMESPEC] = format_limit,
	[ARG_TIMESPEC64] = format_limit,
	[ARG_TIMEVAL] = format_limit,
	[ARG_TIMESPECS] = arg_format_timespecs,
	[ARG_TIMESPECS64] = arg_format_timespecs,
	[ARG_TIMEVALS] = arg_format_timevals,
	[ARG_WAIT_STATUS] = arg_format_wait_status,
	[ARG_SIGINFO] = arg_format_siginfo,
	[ARG_SIGSET] = arg_format_sigset,
	[ARG_SIGSET_PAIR] = arg_format_sigset_pair,
	[ARG_SIGSET32] = arg_format_sigset32,
	[ARG_SIGMASK32] = arg_format_sigmask32,
	[ARG_SIGACTION] = arg_format_sigaction,
	[ARG_OLDSIGACTION] = arg_format_sigaction,
	[ARG_CLONE_FLAGS] = arg_format_clone_flags,
	[ARG_CLONE_ARGS] = arg_format_clone_args,
	[ARG_CAP_HEADER] = arg_format_cap_header,
	[ARG_FUTEX_OP] = arg_format_futex_op,
	[ARG_FUTEX_VAL3] = arg_format_futex_val3,
	[ARG_IOCTL_REQUEST] = arg_format_ioctl_request,
	[ARG_SOCK_PROTOCOL] = arg_format_sock_protocol,
	[ARG_FUTEX_VAL2] = arg_format_futex_val2,
	[ARG_FUTEX_VAL2_64] = arg_format_futex_val2,
	[ARG_PRCTL_ARG] = arg_format_prctl_arg,
	[ARG_PRCTL_NAME] = arg_format_prctl_arg,
	[ARG_CPU_MASK] = arg_format_cpu_mask,
};

void arg_format(const struct arg *a)
{
	unsigned kind = a->d->args[a->i];

	if (a->o->raw)
		strbuf_add_hex(a->out, a->v);
	else if (kind < ARG_KINDS && formatters[kind])
		formatters[kind](a);
	else
		format_by_layout(a);
}
