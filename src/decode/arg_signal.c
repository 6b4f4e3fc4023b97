/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arguments about signals: numbers, sets, actions, siginfo.  Pure.  Layouts:
 * asm/signal.h, asm-generic/siginfo.h, and their compat forms.
 */
#include "config.h"
#include "decode/args.h"

#include <signal.h>

void arg_format_signal(const struct arg *a)
{
	signal_format_name(a->out, (int32_t)a->v);
}

/* --- sets: [INT TERM], or ~[KILL STOP] where most are in --- */

static bool in_set(const uint8_t *p, size_t n, int sig)
{
	size_t bit = (size_t)sig - 1;

	return bit / 8 < n && p[bit / 8] & (1u << (bit % 8));
}

void sigset_format(struct strbuf *out, const uint8_t *p, size_t n)
{
	int total = (int)(n < 8 ? n : 8) * 8, members = 0;
	const char *separator = "";
	bool invert;
	char buf[16];

	for (int sig = 1; sig <= total; sig++)
		members += in_set(p, n, sig);
	invert = members >= total * 2 / 3;
	strbuf_add_str(out, invert ? "~[" : "[");
	for (int sig = 1; sig <= total; sig++) {
		const char *name;

		if (in_set(p, n, sig) == invert)
			continue;
		name = signal_name(sig, buf);
		strbuf_add_fmt(out, "%s%s", separator, name && !strncmp(name, "SIG", 3) ? name + 3 : "?");
		separator = " ";
	}
	strbuf_add_char(out, ']');
}

void arg_format_sigset(const struct arg *a)
{
	size_t n;
	const uint8_t *p = arg_any(a, 0, 4, &n);

	if (p)
		sigset_format(a->out, p, n);
	else
		arg_format_address(a);
}

void arg_format_sigset32(const struct arg *a)
{
	const uint8_t *p = arg_any(a, 0, 4, NULL);

	if (p)
		sigset_format(a->out, p, 4);
	else
		arg_format_address(a);
}

void arg_format_sigmask32(const struct arg *a)
{
	uint32_t mask = (uint32_t)a->v;

	sigset_format(a->out, (const uint8_t *)&mask, sizeof(mask));
}

/* pselect6's last argument: a pointer to a set, and its size. */
void arg_format_sigset_pair(const struct arg *a)
{
	const uint8_t *p = arg_in(a, 0, 2 * a->word, NULL);

	if (!p) {
		arg_format_address(a);
		return;
	}
	strbuf_add_str(a->out, "{sigmask=");
	address_format(a->out, load_word(p, a->word));
	strbuf_add_fmt(a->out, ", sigsetsize=%llu}", (unsigned long long)load_word(p + a->word, a->word));
}

/* --- actions --- */

static void format_handler(struct strbuf *out, uint64_t handler)
{
	if (handler == (uintptr_t)SIG_DFL)
		strbuf_add_str(out, "SIG_DFL");
	else if (handler == (uintptr_t)SIG_IGN)
		strbuf_add_str(out, "SIG_IGN");
	else
		strbuf_add_hex(out, handler);
}

struct action { uint64_t handler, flags, restorer; const uint8_t *mask; unsigned mask_size; };

static void load_action(struct action *act, const uint8_t *p, unsigned word, bool old)
{
	act->handler = load_word(p, word);
	act->mask = p + (old ? word : 3 * word);
	act->mask_size = old ? 4 : 8;
	act->flags = load_word(p + (old ? 2 * word : word), word);
	act->restorer = load_word(p + (old ? 3 * word : 2 * word), word);
}

void arg_format_sigaction(const struct arg *a)
{
	bool old = a->d->args[a->i] == ARG_OLDSIGACTION;
	const uint8_t *p = arg_any(a, 0, old ? 4 * a->word : 3 * a->word + 8, NULL);
	struct action act;

	if (!p) {
		arg_format_address(a);
		return;
	}
	load_action(&act, p, a->word, old);
	strbuf_add_str(a->out, act.flags & SA_SIGINFO && act.handler > 1 ? "{sa_sigaction=" : "{sa_handler=");
	format_handler(a->out, act.handler);
	strbuf_add_str(a->out, ", sa_mask=");
	sigset_format(a->out, act.mask, act.mask_size);
	strbuf_add_str(a->out, ", sa_flags=");
	xlat_format(a->out, &xlat_sa_flags, act.flags);
	if (act.flags & 0x04000000u) {	/* SA_RESTORER */
		strbuf_add_str(a->out, ", sa_restorer=");
		address_format(a->out, act.restorer);
	}
	strbuf_add_char(a->out, '}');
}

/* --- siginfo --- */

struct info { int32_t signo, err, code; const uint8_t *rest; size_t n; unsigned word; };

static const struct xlat *code_set(int signo)
{
	switch (signo) {
	case SIGCHLD:
		return &xlat_si_code_chld;
	case SIGSEGV:
		return &xlat_si_code_segv;
	case SIGBUS:
		return &xlat_si_code_bus;
	case SIGFPE:
		return &xlat_si_code_fpe;
	case SIGILL:
		return &xlat_si_code_ill;
	case SIGTRAP:
		return &xlat_si_code_trap;
	case SIGPOLL:
		return &xlat_si_code_poll;
	case SIGSYS:
		return &xlat_si_code_sys;
	default:
		return NULL;
	}
}

static const char *code_name(int signo, int32_t code)
{
	const struct xlat *x = code_set(signo);
	const char *name = code > 0 && code < SI_KERNEL && x ? xlat_lookup(x, (uint64_t)code) : NULL;

	if (!name)
		name = xlat_lookup(&xlat_si_code, (uint64_t)(int64_t)code);
	return name ? name : xlat_lookup(&xlat_si_code, (uint32_t)code);
}

static void format_head(struct strbuf *out, int signo, int32_t code)
{
	const char *name = code_name(signo, code);

	strbuf_add_str(out, "{si_signo=");
	signal_format_name(out, signo);
	strbuf_add_str(out, ", si_code=");
	if (name)
		strbuf_add_str(out, name);
	else
		strbuf_add_i64(out, code);
}

static bool is_fault(int signo)
{
	return signo == SIGSEGV || signo == SIGBUS || signo == SIGFPE || signo == SIGILL || signo == SIGTRAP;
}

static void format_pid(struct strbuf *out, const struct info *si)
{
	strbuf_add_fmt(out, ", si_pid=%d, si_uid=%u", (int32_t)load_u32(si->rest), load_u32(si->rest + 4));
}

static void format_value(struct strbuf *out, const struct info *si, unsigned at)
{
	if (si->n < at + si->word)
		return;
	strbuf_add_fmt(out, ", si_int=%d, si_ptr=", (int32_t)load_u32(si->rest + at));
	address_format(out, load_word(si->rest + at, si->word));
}

static void format_child(struct strbuf *out, const struct info *si)
{
	unsigned at = si->word == 8 ? 16 : 12;
	int32_t status;

	format_pid(out, si);
	if (si->n < at + 2 * si->word)
		return;
	status = (int32_t)load_u32(si->rest + 8);
	strbuf_add_str(out, ", si_status=");
	if (si->code == CLD_EXITED)
		strbuf_add_i64(out, status);
	else
		signal_format_name(out, status);
	strbuf_add_fmt(out, ", si_utime=%lld, si_stime=%lld", (long long)load_long(si->rest + at, si->word),
		       (long long)load_long(si->rest + at + si->word, si->word));
}

static void format_kernel_sent(struct strbuf *out, const struct info *si)
{
	if (si->signo == SIGCHLD) {
		format_child(out, si);
	} else if (is_fault(si->signo) || (si->signo == SIGSYS && si->n >= 2 * si->word + 4)) {
		strbuf_add_str(out, si->signo == SIGSYS ? ", si_call_addr=" : ", si_addr=");
		address_format(out, load_word(si->rest, si->word));
		if (si->signo == SIGSYS)
			strbuf_add_fmt(out, ", si_syscall=%d", (int32_t)load_u32(si->rest + si->word));
	} else if (si->signo == SIGPOLL) {
		strbuf_add_fmt(out, ", si_band=%lld", (long long)load_long(si->rest, si->word));
	}
}

static void format_rest(struct strbuf *out, const struct info *si)
{
	if (si->n < 16)
		return;
	if (si->code == SI_TIMER) {
		strbuf_add_fmt(out, ", si_timerid=%#x, si_overrun=%d", load_u32(si->rest),
			       (int32_t)load_u32(si->rest + 4));
		format_value(out, si, 8);
	} else if (si->code == SI_QUEUE || si->code == SI_MESGQ) {
		format_pid(out, si);
		format_value(out, si, 8);
	} else if (si->code == SI_USER || si->code < 0) {
		format_pid(out, si);
	} else {
		format_kernel_sent(out, si);
	}
}

void siginfo_format(struct strbuf *out, const uint8_t *p, size_t n, unsigned word)
{
	unsigned head = word == 8 ? 16 : 12;
	struct info si;

	if (n < head) {
		strbuf_add_str(out, "{}");
		return;
	}
	si = (struct info){ (int32_t)load_u32(p), (int32_t)load_u32(p + 4), (int32_t)load_u32(p + 8),
			    p + head, n - head, word };
	if (si.signo == 0) {	/* waitid that found nothing */
		strbuf_add_str(out, "{}");
		return;
	}
	format_head(out, si.signo, si.code);
	if (si.err)
		strbuf_add_fmt(out, ", si_errno=%d", si.err);
	format_rest(out, &si);
	strbuf_add_char(out, '}');
}

void arg_format_siginfo(const struct arg *a)
{
	size_t n;
	const uint8_t *p = a->c->err ? arg_in(a, 0, 16, &n) : arg_any(a, 0, 16, &n);

	if (p)
		siginfo_format(a->out, p, n, a->word);
	else
		arg_format_address(a);
}

/* From what every record of a signal has; the whole siginfo where it was captured. */
void signal_format(const struct tracer_ev_signal *ev, struct strbuf *out)
{
	uint32_t room = ev->head.size - (uint32_t)sizeof(*ev);
	int signo = ev->head.nr;

	signal_format_name(out, signo);
	if (ev->head.flags & TRACER_EVF_STOP)
		return;
	strbuf_add_char(out, ' ');
	if (ev->info_len >= 48 && ev->info_len <= room) {
		siginfo_format(out, ev->info, ev->info_len, 8);
		return;
	}
	format_head(out, signo, ev->code);
	if (is_fault(signo) && ev->code > 0) {
		strbuf_add_str(out, ", si_addr=");
		address_format(out, ev->addr);
	} else if (ev->sender) {
		strbuf_add_fmt(out, ", si_pid=%d, si_uid=%d", ev->sender, ev->sender_uid);
	}
	strbuf_add_char(out, '}');
}
