/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arguments of calls on files: modes, struct stat, utimensat's times, fcntl.
 * Pure.
 */
#include "config.h"
#include "decode/args.h"

#include <fcntl.h>
#include <sys/stat.h>

/* --- modes --- */

void arg_format_mode(const struct arg *a)
{
	mode_format(a->out, (uint32_t)a->v, false);
}

void arg_format_mknod_mode(const struct arg *a)
{
	mode_format(a->out, (uint32_t)a->v, true);
}

/* --- struct stat: a device shows what it is, a file how large --- */

static bool is_device(const uint8_t *p, unsigned off, unsigned size)
{
	uint32_t mode = size == 2 ? load_u16(p + off) : load_u32(p + off);

	return S_ISCHR(mode) || S_ISBLK(mode);
}

void arg_format_stat(const struct arg *a)
{
	size_t n, size = layout_size(&layout_stat, a->word);
	const uint8_t *p = arg_out(a, 0, size, &n);
	bool dev = p && (a->word == 4 ? is_device(p, 8, 2) : is_device(p, 24, 4));

	arg_format_layout(a, dev ? &layout_stat_dev : &layout_stat);
}

void arg_format_stat64(const struct arg *a)
{
	size_t n, size = layout_size(&layout_stat64, a->word);
	const uint8_t *p = arg_out(a, 0, size, &n);
	bool dev = p && (a->word == 4 ? is_device(p, 16, 4) : is_device(p, 24, 4));

	arg_format_layout(a, dev ? &layout_stat64_dev : &layout_stat64);
}

/* --- [UTIME_NOW, {tv_sec=1, tv_nsec=0}] --- */

static void format_time(const struct arg *a, const struct layout *l, const uint8_t *p, bool special)
{
	const struct field_context fc = { a->word, NULL, a->o };
	size_t size = layout_size(l, a->word);
	int64_t nsec = size == 8 ? (int32_t)load_u32(p + 4) : (int64_t)load_u64(p + 8);

	if (special && nsec == UTIME_NOW)
		strbuf_add_str(a->out, "UTIME_NOW");
	else if (special && nsec == UTIME_OMIT)
		strbuf_add_str(a->out, "UTIME_OMIT");
	else
		layout_format(a->out, l, p, size, &fc);
}

static void format_times(const struct arg *a, const struct layout *l, bool special)
{
	size_t size = layout_size(l, a->word);
	const uint8_t *p = arg_any(a, 0, 2 * size, NULL);

	if (!p) {
		arg_format_address(a);
		return;
	}
	strbuf_add_char(a->out, '[');
	format_time(a, l, p, special);
	strbuf_add_str(a->out, ", ");
	format_time(a, l, p + size, special);
	strbuf_add_char(a->out, ']');
}

void arg_format_timespecs(const struct arg *a)
{
	format_times(a, a->d->args[a->i] == ARG_TIMESPECS64 ? &layout_timespec64 : &layout_timespec, true);
}

void arg_format_timevals(const struct arg *a)
{
	format_times(a, &layout_timeval, false);
}

/* --- fcntl: the third argument by the second (asm-generic/fcntl.h, linux/fcntl.h) --- */

enum fcntl_form { FORM_NONE, FORM_NUMBER, FORM_FDFLAGS, FORM_OPENFLAGS, FORM_FLOCK, FORM_FLOCK64, FORM_SIGNAL,
		  FORM_LEASE, FORM_NOTIFY, FORM_SEALS, FORM_HINT, FORM_OWNER_EX, FORM_POINTER };

static const struct { uint16_t cmd; uint8_t form; } fcntl_forms[] = {
	{ 0, FORM_NUMBER }, { 1, FORM_NONE }, { 2, FORM_FDFLAGS }, { 3, FORM_NONE }, { 4, FORM_OPENFLAGS },
	{ 5, FORM_FLOCK }, { 6, FORM_FLOCK }, { 7, FORM_FLOCK }, { 8, FORM_NUMBER }, { 9, FORM_NONE },
	{ 10, FORM_SIGNAL }, { 11, FORM_NONE }, { 12, FORM_FLOCK64 }, { 13, FORM_FLOCK64 }, { 14, FORM_FLOCK64 },
	{ 15, FORM_OWNER_EX }, { 16, FORM_OWNER_EX }, { 36, FORM_FLOCK64 }, { 37, FORM_FLOCK64 }, { 38, FORM_FLOCK64 },
	{ 1024, FORM_LEASE }, { 1025, FORM_NONE }, { 1026, FORM_NOTIFY }, { 1030, FORM_NUMBER }, { 1031, FORM_NUMBER },
	{ 1032, FORM_NONE }, { 1033, FORM_SEALS }, { 1034, FORM_NONE },
};

static enum fcntl_form fcntl_form(uint32_t cmd)
{
	for (size_t i = 0; i < sizeof(fcntl_forms) / sizeof(fcntl_forms[0]); i++)
		if (fcntl_forms[i].cmd == cmd)
			return fcntl_forms[i].form;
	return FORM_POINTER;
}

/* l_pid, the last field, is an answer of F_GETLK and F_OFD_GETLK (5, 12, 36). */
static void format_flock(const struct arg *a, const struct layout *full, uint32_t cmd)
{
	struct layout l = *full;

	l.count -= cmd != 5 && cmd != 12 && cmd != 36;
	arg_format_layout(a, &l);
}

static void format_owner(const struct arg *a)
{
	const uint8_t *p = arg_any(a, 0, 8, NULL);

	if (!p) {
		arg_format_address(a);
		return;
	}
	strbuf_add_str(a->out, "{type=");
	xlat_format(a->out, &xlat_owner_type, load_u32(p));
	strbuf_add_fmt(a->out, ", pid=%d}", (int32_t)load_u32(p + 4));
}

void arg_format_fcntl_arg(const struct arg *a)
{
	uint32_t cmd = (uint32_t)arg_value(a, 1);

	switch (fcntl_form(cmd)) {
	case FORM_NUMBER:
		strbuf_add_i64(a->out, (int32_t)a->v);
		break;
	case FORM_FDFLAGS:
		xlat_format(a->out, &xlat_fd_flags, (uint32_t)a->v);
		break;
	case FORM_OPENFLAGS:
		xlat_format(a->out, &xlat_open_flags, (uint32_t)a->v);
		break;
	case FORM_FLOCK:
		format_flock(a, &layout_flock, cmd);
		break;
	case FORM_FLOCK64:
		format_flock(a, &layout_flock64, cmd);
		break;
	case FORM_SIGNAL:
		signal_format_name(a->out, (int)a->v);
		break;
	case FORM_LEASE:
		xlat_format(a->out, &xlat_flock_type, (uint32_t)a->v);
		break;
	case FORM_NOTIFY:
		xlat_format(a->out, &xlat_notify_flags, (uint32_t)a->v);
		break;
	case FORM_SEALS:
		xlat_format(a->out, &xlat_seal_flags, (uint32_t)a->v);
		break;
	case FORM_OWNER_EX:
		format_owner(a);
		break;
	default:
		arg_format_address(a);
	}
}

void ret_format_fcntl(const struct arg *a, int64_t ret)
{
	uint32_t cmd = (uint32_t)arg_value(a, 1);
	const struct xlat *x = cmd == F_GETFL ? &xlat_open_flags : cmd == F_GETFD ? &xlat_fd_flags :
			       cmd == 1034 ? &xlat_seal_flags : NULL;

	if (!x || (cmd != F_GETFL && ret == 0))
		return;
	strbuf_add_str(a->out, cmd == 1034 ? " (seals " : " (flags ");
	xlat_format(a->out, x, (uint64_t)ret);
	strbuf_add_char(a->out, ')');
}

/* --- arguments that the kernel does not look at --- */

static bool creates(const struct arg *a)
{
	int i = desc_arg_named(a->d, "flags");

	if (i < 0)
		i = desc_arg_named(a->d, "oflag");
	return i < 0 || arg_value(a, (unsigned)i) & (O_CREAT | (__O_TMPFILE & ~O_DIRECTORY));
}

/* Which of timeout (or val2), uaddr2, val3 a futex operation uses, and that its val is unused
 * (linux/futex.h). */
static bool futex_hidden(const struct arg *a)
{
	enum { TIMEOUT = 1, UADDR2 = 2, VAL3 = 4, NO_VAL = 8 };
	static const uint8_t used[] = {
		TIMEOUT, 0, 0, TIMEOUT | UADDR2, TIMEOUT | UADDR2 | VAL3, TIMEOUT | UADDR2 | VAL3, TIMEOUT | NO_VAL,
		NO_VAL, NO_VAL, TIMEOUT | UADDR2 | VAL3, VAL3, TIMEOUT | UADDR2, TIMEOUT | UADDR2 | VAL3,
		TIMEOUT | NO_VAL,
	};
	uint32_t op = (uint32_t)arg_value(a, 1) & 127;

	if (a->i < 2 || op >= sizeof(used))
		return false;
	return a->i == 2 ? used[op] & NO_VAL : !(used[op] & (1u << (a->i - 3)));
}

static bool is_futex(const struct syscall_desc *d)
{
	return d->args[1] == ARG_FUTEX_OP;
}

bool arg_hidden(const struct arg *a)
{
	switch (a->d->args[a->i]) {
	case ARG_UNUSED:
	case ARG_HALF:
		return true;
	case ARG_MODE:
		return a->d->state == STATE_OPEN && strcmp(a->d->name, "creat") && !creates(a);
	case ARG_MQ_ATTR:
		return a->d->ret == RET_FD && !creates(a);
	case ARG_DEV:
		return a->i > 0 && a->d->args[a->i - 1] == ARG_MKNOD_MODE &&
		       !S_ISCHR(arg_value(a, a->i - 1)) && !S_ISBLK(arg_value(a, a->i - 1));
	case ARG_FCNTL_ARG:
		return fcntl_form((uint32_t)arg_value(a, 1)) == FORM_NONE;
	case ARG_PRCTL_ARG:
	case ARG_PRCTL_NAME:
		return arg_hidden_prctl(a);
	case ARG_IOCTL_ARG:
		return arg_value(a, 1) == 0x5450 || arg_value(a, 1) == 0x5451;	/* FIONCLEX, FIOCLEX */
	default:
		return is_futex(a->d) && futex_hidden(a);
	}
}
