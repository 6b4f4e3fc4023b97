/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names for new descriptors, from the call that made them: a file's path, a
 * socket's protocol, the text that /proc/PID/fd shows for what the kernel
 * calls anonymous inodes.  Pure; used both when tables are updated and when
 * a return value is shown with its path.
 */
#include "config.h"
#include "decode/target.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include "decode/arg_data.h"
#include "decode/path.h"
#include "decode/sockaddr.h"

#define SOCK_TYPE_BITS 0xfu
#define ALWAYS 0xffu

/* Descriptors without a path: the link text, and how close-on-exec is asked for
 * (bits of an argument; ALWAYS: the kernel sets it). */
static const struct anon_row {
	const char *call, *target;
	uint8_t arg;
	uint32_t cloexec;
} anon_rows[] = {
	{ "epoll_create", "anon_inode:[eventpoll]", 0, 0 },
	{ "epoll_create1", "anon_inode:[eventpoll]", 0, O_CLOEXEC },
	{ "eventfd", "anon_inode:[eventfd]", 0, 0 },
	{ "eventfd2", "anon_inode:[eventfd]", 1, O_CLOEXEC },
	{ "timerfd_create", "anon_inode:[timerfd]", 1, O_CLOEXEC },
	{ "signalfd", "anon_inode:[signalfd]", 0, 0 },
	{ "signalfd4", "anon_inode:[signalfd]", 3, O_CLOEXEC },
	{ "inotify_init", "anon_inode:inotify", 0, 0 },
	{ "inotify_init1", "anon_inode:inotify", 0, O_CLOEXEC },
	{ "fanotify_init", "anon_inode:[fanotify]", 0, 1 },
	{ "pidfd_open", "anon_inode:[pidfd]", ALWAYS, 0 },
	{ "userfaultfd", "anon_inode:[userfaultfd]", 0, O_CLOEXEC },
	{ "io_uring_setup", "anon_inode:[io_uring]", ALWAYS, 0 },
	{ "perf_event_open", "anon_inode:[perf_event]", 4, 8 },
	{ "bpf", "anon_inode:bpf", ALWAYS, 0 },
	{ "fsopen", "anon_inode:[fscontext]", 1, 1 },
	{ "fspick", "anon_inode:[fscontext]", 2, 1 },
	{ "seccomp", "anon_inode:seccomp notify", ALWAYS, 0 },
	{ "landlock_create_ruleset", "anon_inode:[landlock-ruleset]", ALWAYS, 0 },
	{ "memfd_secret", "/secretmem (deleted)", 0, O_CLOEXEC },
	{ "memfd_create", "/memfd:", 1, 1 },
};

static bool format_anon(struct strbuf *out, struct target *info, const struct tracer_ev_call *c,
			const struct syscall_desc *d)
{
	const struct anon_row *row = NULL;
	const char *name;
	size_t n;

	for (size_t i = 0; i < sizeof(anon_rows) / sizeof(anon_rows[0]) && !row; i++)
		if (!strcmp(anon_rows[i].call, d->name))
			row = &anon_rows[i];
	if (!row)
		return false;
	info->kind = row->target[0] == '/' ? FD_FILE : FD_ANON;
	info->cloexec = row->arg == ALWAYS || call_arg(c, row->arg) & row->cloexec;
	strbuf_add_str(out, row->target);
	if (!strcmp(d->name, "memfd_create") && call_path_arg(c, 0, &name, &n)) {
		strbuf_add(out, name, n);
		strbuf_add_str(out, " (deleted)");
	}
	return true;
}

static bool open_cloexec(const struct tracer_ev_call *c, const struct syscall_desc *d)
{
	int how = desc_arg(d, ARG_OPEN_HOW), flags = desc_arg_named(d, "flags");
	const struct tracer_capture *cap = how >= 0 ? call_capture(c, (unsigned)how, 0, TRACER_CAP_IN) : NULL;

	if (cap && cap->len >= 8)
		return load_u64(cap->bytes) & O_CLOEXEC;
	return flags >= 0 && call_arg(c, (unsigned)flags) & O_CLOEXEC;
}

static bool format_open(struct strbuf *out, struct target *info, const struct task *t,
			const struct tracer_ev_call *c, const struct syscall_desc *d)
{
	int i = desc_arg(d, ARG_PATH);

	info->kind = FD_FILE;
	info->cloexec = open_cloexec(c, d);
	if (i >= 0)
		return call_format_path(out, t, c, d, (unsigned)i);
	return format_anon(out, info, c, d);
}

void target_format_socket(struct strbuf *out, struct target *info, const struct tracer_ev_call *c)
{
	info->kind = FD_SOCKET;
	info->family = (uint16_t)call_arg(c, 0);
	info->type = call_arg(c, 1) & SOCK_TYPE_BITS;
	info->cloexec = call_arg(c, 1) & SOCK_CLOEXEC;
	socket_format_name(out, info->family, info->type, (uint32_t)call_arg(c, 2));
}

/* The listener's name and address, and the peer's address where it was asked for. */
static bool format_accept(struct strbuf *out, struct target *info, const struct task *t,
			  const struct tracer_ev_call *c)
{
	const struct fd_entry *listener = task_fd(t, (int32_t)call_arg(c, 0));
	const struct tracer_capture *cap = call_capture(c, 1, 0, TRACER_CAP_OUT);
	char mem[160];
	struct strbuf peer;
	bool known;

	strbuf_init_fixed(&peer, mem, sizeof(mem));
	known = cap && sockaddr_format_short(&peer, cap->bytes, cap->len);
	info->kind = FD_SOCKET;
	info->family = listener ? listener->family : 0;
	info->type = listener ? listener->type : 0;
	info->cloexec = c->nargs > 3 && call_arg(c, 3) & SOCK_CLOEXEC;
	if (!listener || !listener->len)
		return false;
	socket_format_target(out, listener->target, NULL, known ? mem : NULL);
	return true;
}

static bool format_dup(struct strbuf *out, struct target *info, const struct task *t,
		       const struct tracer_ev_call *c)
{
	const struct fd_entry *e = task_fd(t, (int32_t)call_arg(c, 0));

	if (!e)
		return false;
	*info = (struct target){ .kind = e->kind, .type = e->type, .family = e->family };
	strbuf_add(out, e->target, e->len);
	return true;
}

bool target_format(struct strbuf *out, struct target *info, const struct task *t,
		   const struct tracer_ev_call *c, const struct syscall_desc *d)
{
	*info = (struct target){ .kind = FD_FILE };
	switch (d->state) {
	case STATE_OPEN:
		return format_open(out, info, t, c, d);
	case STATE_EPOLL:
	case STATE_EVENTFD:
	case STATE_ANONFD:
		return format_anon(out, info, c, d);
	case STATE_SOCKET:
		target_format_socket(out, info, c);
		return true;
	case STATE_ACCEPT:
		return format_accept(out, info, t, c);
	case STATE_DUP:
	case STATE_DUP2:
	case STATE_FCNTL:
		return format_dup(out, info, t, c);
	default:
		return false;
	}
}
