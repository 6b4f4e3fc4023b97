/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Effects of completed calls on descriptor tables and working directories:
 * one small function per enum state_op, in a table.  Runs on the consumer
 * thread; everything it changes belongs to the world.
 */
#include "config.h"
#include "decode/effects.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include "decode/arg_data.h"
#include "decode/path.h"
#include "decode/sockaddr.h"
#include "decode/target.h"

#define F_DUPFD_CLOEXEC_NR 1030		/* F_LINUX_SPECIFIC_BASE + 6 */

struct fs_state *fs_state_new(struct fd_mem *m, const struct fs_state *from)
{
	struct fs_state *fs = fd_mem_get(m, sizeof(*fs));

	if (!fs)
		return NULL;
	fs->refs = 1;
	if (from) {
		fs->cwd = shared_str_get(from->cwd);
		fs->len = from->len;
	}
	return fs;
}

void fs_state_put(struct fd_mem *m, struct fs_state *fs)
{
	if (!fs || --fs->refs)
		return;
	shared_str_put(m, fs->cwd);
	fd_mem_put(m, fs, sizeof(*fs));
}

void fs_state_set(struct fd_mem *m, struct fs_state *fs, const void *path, size_t n)
{
	if (!fs)
		return;
	if (n > m->max_path) {
		m->refused++;
		n = 0;
	}
	fs->cwd = shared_str_set(m, fs->cwd, path, n);
	fs->len = fs->cwd ? (uint32_t)n : 0;
}

/* --- one function per operation --- */

struct effect {
	const struct effects *fx;
	struct task *t;
	const struct tracer_ev_call *c;
	const struct syscall_desc *d;
};
typedef void (*effect_fn)(const struct effect *e);

static int64_t arg_fd(const struct effect *e, unsigned i)
{
	return (int32_t)call_arg(e->c, i);
}

static struct fd_entry *set_target(const struct effect *e, int64_t fd, const struct target *info)
{
	struct fd_entry *entry = fd_table_set(e->fx->mem, e->t->fds, fd, e->fx->text->p, e->fx->text->len,
					      info->kind, info->cloexec);

	if (entry) {
		entry->family = info->family;
		entry->type = info->type;
	}
	return entry;
}

static void run_open(const struct effect *e)
{
	struct target info;

	strbuf_reset(e->fx->text);
	if (target_format(e->fx->text, &info, e->t, e->c, e->d))
		set_target(e, e->c->ret, &info);
	else if (e->c->ret >= 0)
		fd_table_del(e->fx->mem, e->t->fds, (uint64_t)e->c->ret, (uint64_t)e->c->ret);
}

static void run_close(const struct effect *e)
{
	uint32_t fd = (uint32_t)call_arg(e->c, 0);

	fd_table_del(e->fx->mem, e->t->fds, fd, fd);
}

static void run_close_range(const struct effect *e)
{
	uint32_t first = (uint32_t)call_arg(e->c, 0), last = (uint32_t)call_arg(e->c, 1);

	if (call_arg(e->c, 2) & 4)	/* CLOSE_RANGE_CLOEXEC */
		fd_table_set_cloexec(e->fx->mem, e->t->fds, first, last, true);
	else
		fd_table_del(e->fx->mem, e->t->fds, first, last);
}

static void run_dup(const struct effect *e)
{
	bool cloexec = e->c->nargs > 2 && call_arg(e->c, 2) & O_CLOEXEC;	/* dup3 */

	fd_table_add_dup(e->fx->mem, e->t->fds, arg_fd(e, 0), e->c->ret, cloexec);
}

static void run_fcntl(const struct effect *e)
{
	uint32_t cmd = (uint32_t)call_arg(e->c, 1), fd = (uint32_t)call_arg(e->c, 0);

	if (cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC_NR)
		fd_table_add_dup(e->fx->mem, e->t->fds, (int32_t)fd, e->c->ret, cmd == F_DUPFD_CLOEXEC_NR);
	else if (cmd == F_SETFD)
		fd_table_set_cloexec(e->fx->mem, e->t->fds, fd, fd, call_arg(e->c, 2) & FD_CLOEXEC);
}

static void run_chdir(const struct effect *e)
{
	int i = desc_arg(e->d, ARG_PATH);

	strbuf_reset(e->fx->text);
	if (i >= 0 && call_format_path(e->fx->text, e->t, e->c, e->d, (unsigned)i))
		fs_state_set(e->fx->mem, e->t->fs, e->fx->text->p, e->fx->text->len);
	else
		fs_state_set(e->fx->mem, e->t->fs, "", 0);
}

static void run_fchdir(const struct effect *e)
{
	const struct fd_entry *dir = task_fd(e->t, arg_fd(e, 0));

	if (dir && dir->len && dir->target[0] == '/')
		fs_state_set(e->fx->mem, e->t->fs, dir->target, dir->len);
	else
		fs_state_set(e->fx->mem, e->t->fs, "", 0);
}

/* Two descriptors that the kernel wrote behind an argument. */
static bool pair_of(const struct effect *e, unsigned arg, int32_t fds[2])
{
	const struct tracer_capture *cap = call_capture(e->c, arg, 0, TRACER_CAP_OUT);

	if (!cap || cap->len < 8)
		return false;
	fds[0] = (int32_t)load_u32(cap->bytes);
	fds[1] = (int32_t)load_u32(cap->bytes + 4);
	return true;
}

static void run_pipe(const struct effect *e)
{
	struct target info = { .kind = FD_PIPE };
	int32_t fds[2];

	if (!pair_of(e, 0, fds))
		return;
	info.cloexec = e->c->nargs > 1 && call_arg(e->c, 1) & O_CLOEXEC;
	strbuf_reset(e->fx->text);
	strbuf_add_fmt(e->fx->text, "pipe:[#%llu]", (unsigned long long)++*e->fx->pipes);
	set_target(e, fds[0], &info);
	set_target(e, fds[1], &info);
}

static void run_socketpair(const struct effect *e)
{
	struct target info = { 0 };
	int32_t fds[2];

	if (!pair_of(e, 3, fds))
		return;
	strbuf_reset(e->fx->text);
	target_format_socket(e->fx->text, &info, e->c);
	strbuf_add_fmt(e->fx->text, ":[#%llu]", (unsigned long long)++*e->fx->pipes);
	set_target(e, fds[0], &info);
	set_target(e, fds[1], &info);
}

/* connect, getpeername: the peer's address is known now; bind, getsockname: our own. */
static void set_address(const struct effect *e, bool peer)
{
	struct fd_entry *entry = fd_table_lookup(e->t->fds, arg_fd(e, 0));
	const struct tracer_capture *cap = call_capture(e->c, 1, 0, TRACER_CAP_IN | TRACER_CAP_OUT);
	char mem[160];
	struct strbuf address;

	strbuf_init_fixed(&address, mem, sizeof(mem));
	if (!entry || !entry->len || !cap || !sockaddr_format_short(&address, cap->bytes, cap->len))
		return;
	strbuf_reset(e->fx->text);
	socket_format_target(e->fx->text, entry->target, peer ? NULL : mem, peer ? mem : NULL);
	fd_entry_set_target(e->fx->mem, entry, e->fx->text->p, e->fx->text->len);
}

static void run_connect(const struct effect *e)
{
	set_address(e, true);
}

static void run_bind(const struct effect *e)
{
	set_address(e, false);
}

static void run_prctl(const struct effect *e)
{
	const char *name;
	size_t n;

	if (call_arg(e->c, 0) != PR_SET_NAME || !call_path_arg(e->c, 1, &name, &n))
		return;
	n = n < sizeof(e->t->comm) ? n : sizeof(e->t->comm) - 1;
	memset(e->t->comm, 0, sizeof(e->t->comm));
	memcpy(e->t->comm, name, n);
}

static void run_ioctl(const struct effect *e)
{
	uint32_t fd = (uint32_t)call_arg(e->c, 0), request = (uint32_t)call_arg(e->c, 1);

	if (request == FIOCLEX || request == FIONCLEX)
		fd_table_set_cloexec(e->fx->mem, e->t->fds, fd, fd, request == FIOCLEX);
}

static const effect_fn effect_fns[] = {
	[STATE_OPEN] = run_open,
	[STATE_CLOSE] = run_close,
	[STATE_CLOSE_RANGE] = run_close_range,
	[STATE_DUP] = run_dup,
	[STATE_DUP2] = run_dup,
	[STATE_FCNTL] = run_fcntl,
	[STATE_CHDIR] = run_chdir,
	[STATE_FCHDIR] = run_fchdir,
	[STATE_PIPE] = run_pipe,
	[STATE_SOCKET] = run_open,
	[STATE_SOCKETPAIR] = run_socketpair,
	[STATE_ACCEPT] = run_open,
	[STATE_CONNECT] = run_connect,
	[STATE_BIND] = run_bind,
	[STATE_EPOLL] = run_open,
	[STATE_EVENTFD] = run_open,
	[STATE_ANONFD] = run_open,
	[STATE_PRCTL] = run_prctl,
};

/* ioctl has no state of its own: it matters where it is recorded anyway. */
static effect_fn effect_of(const struct syscall_desc *d)
{
	if (d->args[1] == ARG_IOCTL_REQUEST)
		return run_ioctl;
	return d->state < sizeof(effect_fns) / sizeof(effect_fns[0]) ? effect_fns[d->state] : NULL;
}

bool effects_has(const struct syscall_desc *d)
{
	return effect_of(d) || d->state == STATE_UNSHARE;
}

void effects_run(const struct effects *fx, struct task *t, const struct tracer_ev_call *c,
		 const struct syscall_desc *d)
{
	const struct effect e = { fx, t, c, d };

	if (t->fds && effect_of(d))
		effect_of(d)(&e);
}
