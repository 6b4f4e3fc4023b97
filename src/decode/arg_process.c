/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arguments about processes: clone's flags and structure, wait status, futex,
 * prctl, CPU masks, capabilities, ioctl requests.  Pure.
 */
#include "config.h"
#include "decode/args.h"

#include <linux/sched.h>
#include <sys/wait.h>
#include "decode/path.h"
#include "decode/quote.h"

/* --- clone --- */

void arg_format_clone_flags(const struct arg *a)
{
	uint64_t flags = a->v & ~(uint64_t)CSIGNAL;
	int sig = (int)(a->v & CSIGNAL);

	if (flags)
		xlat_format(a->out, arg_set(a) ? arg_set(a) : &xlat_clone_flags, flags);
	if (flags && sig)
		strbuf_add_char(a->out, '|');
	if (sig || !flags)
		signal_format_name(a->out, sig);
}

static void format_pointer(const struct arg *a, const char *name, uint64_t v)
{
	strbuf_add_fmt(a->out, ", %s=", name);
	address_format(a->out, v);
}

/* struct clone_args (linux/sched.h): 64-bit members in every ABI; set_tid is at 64. */
void arg_format_clone_args(const struct arg *a)
{
	size_t n;
	const uint8_t *p = arg_in(a, 0, 64, &n);
	uint64_t flags;

	if (!p) {
		arg_format_address(a);
		return;
	}
	flags = load_u64(p);
	strbuf_add_str(a->out, "{flags=");
	xlat_format(a->out, &xlat_clone_flags, flags);
	if (flags & CLONE_PIDFD)
		format_pointer(a, "pidfd", load_u64(p + 8));
	if (flags & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID))
		format_pointer(a, "child_tid", load_u64(p + 16));
	if (flags & CLONE_PARENT_SETTID)
		format_pointer(a, "parent_tid", load_u64(p + 24));
	strbuf_add_str(a->out, ", exit_signal=");
	signal_format_name(a->out, (int)load_u64(p + 32));
	format_pointer(a, "stack", load_u64(p + 40));
	strbuf_add_str(a->out, ", stack_size=");
	strbuf_add_hex(a->out, load_u64(p + 48));
	if (flags & CLONE_SETTLS)
		format_pointer(a, "tls", load_u64(p + 56));
	if (n >= 80 && load_u64(p + 72))
		strbuf_add_fmt(a->out, ", set_tid=%#llx, set_tid_size=%llu",
			       (unsigned long long)load_u64(p + 64), (unsigned long long)load_u64(p + 72));
	if (n >= 88 && flags & 0x200000000ull)	/* CLONE_INTO_CGROUP */
		strbuf_add_fmt(a->out, ", cgroup=%llu", (unsigned long long)load_u64(p + 80));
	strbuf_add_char(a->out, '}');
}

/* --- wait --- */

void wait_status_format(struct strbuf *out, int status)
{
	if (WIFEXITED(status)) {
		strbuf_add_fmt(out, "{WIFEXITED(s) && WEXITSTATUS(s) == %d}", WEXITSTATUS(status));
	} else if (WIFSTOPPED(status)) {
		strbuf_add_str(out, "{WIFSTOPPED(s) && WSTOPSIG(s) == ");
		signal_format_name(out, WSTOPSIG(status) & 0x7f);
		strbuf_add_str(out, WSTOPSIG(status) & 0x80 ? " | 0x80}" : "}");
	} else if (WIFCONTINUED(status)) {
		strbuf_add_str(out, "{WIFCONTINUED(s)}");
	} else {
		strbuf_add_str(out, "{WIFSIGNALED(s) && WTERMSIG(s) == ");
		signal_format_name(out, WTERMSIG(status));
		strbuf_add_str(out, WCOREDUMP(status) ? " && WCOREDUMP(s)}" : "}");
	}
}

/* Written only where a child was found. */
void arg_format_wait_status(const struct arg *a)
{
	const uint8_t *p = a->ev->ret > 0 && !a->c->err ? arg_out(a, 0, 4, NULL) : NULL;

	if (!p) {
		arg_format_address(a);
		return;
	}
	strbuf_add_char(a->out, '[');
	wait_status_format(a->out, (int)load_u32(p));
	strbuf_add_char(a->out, ']');
}

/* --- futex (linux/futex.h) --- */

#define FUTEX_PRIVATE 128u

/* The names with _PRIVATE are what programs and manual pages use. */
void arg_format_futex_op(const struct arg *a)
{
	uint32_t op = (uint32_t)a->v, rest = op & ~(FUTEX_PRIVATE | 127u);
	const char *name = xlat_lookup(arg_set(a), op & 127);

	if (!(op & FUTEX_PRIVATE) || !name) {
		xlat_format(a->out, arg_set(a), op);
		return;
	}
	strbuf_add_fmt(a->out, "%s_PRIVATE", name);
	if (!rest)
		return;
	strbuf_add_char(a->out, '|');
	name = xlat_lookup(arg_set(a), rest);
	if (name)
		strbuf_add_str(a->out, name);
	else
		strbuf_add_hex(a->out, rest);
}

void arg_format_futex_val3(const struct arg *a)
{
	uint32_t op = (uint32_t)arg_value(a, 1) & 127;

	if ((op == 9 || op == 10) && (uint32_t)a->v == UINT32_MAX)
		strbuf_add_str(a->out, "FUTEX_BITSET_MATCH_ANY");
	else
		strbuf_add_hex(a->out, (uint32_t)a->v);
}

/* A time limit, or a count where the operation requeues or wakes twice. */
void arg_format_futex_val2(const struct arg *a)
{
	static const uint32_t counts = 1u << 3 | 1u << 4 | 1u << 5 | 1u << 12;
	uint32_t op = (uint32_t)arg_value(a, 1) & 127;

	if (op < 32 && counts & 1u << op)
		strbuf_add_u64(a->out, (uint32_t)a->v);
	else
		arg_format_layout(a, a->d->args[a->i] == ARG_FUTEX_VAL2_64 ? &layout_timespec64 :
			&layout_timespec);
}

/* --- prctl: how many arguments an option has, and the form of the first --- */

enum prctl_form { PR_HEX, PR_NUMBER, PR_STRING, PR_SIGNAL };
static const struct prctl_row { uint32_t option; uint8_t nargs, form; } prctl_rows[] = {
	{ 1, 1, PR_SIGNAL }, { 2, 1, PR_HEX }, { 3, 0, 0 }, { 4, 1, PR_NUMBER }, { 5, 1, PR_HEX }, { 6, 1, PR_HEX },
	{ 7, 0, 0 }, { 8, 1, PR_NUMBER }, { 13, 0, 0 }, { 14, 1, PR_NUMBER }, { 15, 1, PR_STRING }, { 16, 1, PR_HEX },
	{ 21, 0, 0 }, { 23, 1, PR_NUMBER }, { 24, 1, PR_NUMBER }, { 25, 1, PR_HEX }, { 26, 1, PR_NUMBER },
	{ 27, 0, 0 }, { 28, 1, PR_HEX }, { 29, 1, PR_NUMBER }, { 30, 0, 0 }, { 34, 0, 0 }, { 36, 1, PR_NUMBER },
	{ 37, 1, PR_HEX }, { 38, 4, PR_NUMBER }, { 39, 4, PR_NUMBER }, { 40, 1, PR_HEX }, { 41, 4, PR_NUMBER },
	{ 42, 4, PR_NUMBER }, { 0x59616d61, 1, PR_NUMBER },
};

static const struct prctl_row *prctl_row(uint32_t option)
{
	for (size_t i = 0; i < sizeof(prctl_rows) / sizeof(prctl_rows[0]); i++)
		if (prctl_rows[i].option == option)
			return &prctl_rows[i];
	return NULL;
}

bool arg_hidden_prctl(const struct arg *a)
{
	const struct prctl_row *row = prctl_row((uint32_t)arg_value(a, 0));

	return row && a->i > row->nargs;
}

void arg_format_prctl_arg(const struct arg *a)
{
	const struct prctl_row *row = prctl_row((uint32_t)arg_value(a, 0));
	const char *text;
	size_t n;

	if (!row || row->form == PR_HEX)
		strbuf_add_hex(a->out, a->v);
	else if (row->form == PR_SIGNAL)
		signal_format_name(a->out, (int)a->v);
	else if (row->form == PR_NUMBER)
		strbuf_add_i64(a->out, a->word == 4 ? (int32_t)a->v : (int64_t)a->v);
	else if (call_path_arg(a->ev, a->i, &text, &n))
		quote_format(a->out, text, n < 15 ? n : 15, a->o->strings_hex, false);
	else
		arg_format_address(a);
}

/* --- masks, capabilities --- */

void arg_format_cpu_mask(const struct arg *a)
{
	size_t n;
	const uint8_t *p = a->c->err ? arg_in(a, 0, 1, &n) : arg_any(a, 0, 1, &n);
	const char *separator = "";

	if (!p) {
		arg_format_address(a);
		return;
	}
	strbuf_add_char(a->out, '[');
	for (size_t bit = 0; bit < n * 8; bit++) {
		if (!(p[bit / 8] & (1u << (bit % 8))))
			continue;
		strbuf_add_fmt(a->out, "%s%zu", separator, bit);
		separator = " ";
	}
	strbuf_add_char(a->out, ']');
}

void arg_format_cap_header(const struct arg *a)
{
	const uint8_t *p = arg_in(a, 0, 8, NULL);
	uint32_t version;

	if (!p) {
		arg_format_address(a);
		return;
	}
	version = load_u32(p);
	strbuf_add_str(a->out, "{version=");
	if (version == 0x20080522)
		strbuf_add_str(a->out, "_LINUX_CAPABILITY_VERSION_3");
	else
		strbuf_add_hex(a->out, version);
	strbuf_add_fmt(a->out, ", pid=%d}", (int32_t)load_u32(p + 4));
}

/* --- ioctl: the name, or what the number says of itself (asm-generic/ioctl.h) --- */

void arg_format_ioctl_request(const struct arg *a)
{
	static const char *const directions[] = { "_IOC_NONE", "_IOC_WRITE", "_IOC_READ", "_IOC_READ|_IOC_WRITE" };
	uint32_t v = (uint32_t)a->v;
	const char *name = arg_set(a) ? xlat_lookup(arg_set(a), v) : NULL;

	if (name)
		strbuf_add_str(a->out, name);
	else
		strbuf_add_fmt(a->out, "_IOC(%s, %#x, %#x, %#x)", directions[v >> 30], v >> 8 & 0xff,
			       v & 0xff, v >> 16 & 0x3fff);
}

void arg_format_ioctl_arg(const struct arg *a)
{
	if (arg_value(a, 1) == 0x5413 || arg_value(a, 1) == 0x5414)	/* TIOCGWINSZ, TIOCSWINSZ */
		arg_format_layout(a, &layout_winsize);
	else
		arg_format_address(a);
}
