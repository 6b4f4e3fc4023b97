/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records about tasks: birth, image, files, signals, end.  Supervisor thread;
 * rare events, so /proc is asked.  Everything is built in the emitter's
 * scratch record.
 */
#include "config.h"
#include "engine/supervisor.h"
#include "tracee/proc_fs.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXE_MAX 4096u
#define ARGV_MAX 16384u

static int64_t group_uid(struct sup_group *g)
{
	struct proc_status st;

	if (g->uid < 0 && proc_status_load(g->base.pid, &st) == 0) {
		g->uid = st.uid;
		g->ppid = g->ppid ? g->ppid : st.ppid;
	}
	return g->uid;
}

void sup_event_task(struct supervisor *s, struct sup_task *t, pid_t parent_tid, uint64_t flags,
		    uint16_t evflags, uint64_t time)
{
	struct tracer_ev_task *ev = (struct tracer_ev_task *)emitter_event(&s->out, TRACER_EV_TASK,
									   t->base.tid, sizeof(*ev));
	struct sup_group *g = sup_group_of(t);
	struct proc_stat st;

	ev->head.abi = (uint8_t)s->arch->abi;
	ev->head.flags = evflags;
	ev->head.time = time;
	ev->pid = g->base.pid;
	ev->parent_tid = parent_tid;
	ev->clone_flags = flags;
	ev->uid = (int32_t)group_uid(g);
	ev->ppid = g->ppid;
	if (!s->cfg.counts_only && proc_stat_load(t->base.tid, &st) == 0) {
		ev->starttime = st.starttime;
		memcpy(ev->comm, st.comm, sizeof(ev->comm));
		ev->ppid = ev->ppid ? ev->ppid : st.ppid;
	}
	emitter_write(&s->out, &ev->head);
}

/* ---- exec ---- */

static void exe_load(struct supervisor *s, pid_t pid, struct tracer_ev_exec *ev)
{
	char path[32];
	struct elf_id id;
	struct stat st;
	int fd;

	if (proc_path_format(path, sizeof(path), pid, "exe") < 0)
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0) {
		ev->dev = st.st_dev;
		ev->ino = st.st_ino;
		ev->mtime_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
	}
	if (elf_id_cache_get(s->elf_ids, fd, &id) == 0) {
		ev->elf_class = id.elf_class;
		ev->build_id_len = id.build_id_len;
		memcpy(ev->build_id, id.build_id, sizeof(ev->build_id));
	}
	close(fd);
	sup_elf_stats(s);
}

/* At most max strings of the n bytes at p; one that the buffer cut gets its NUL. */
static void argv_count(struct tracer_ev_exec *ev, char *p, uint32_t n, uint32_t max)
{
	uint32_t len = 0;

	while (len < n && ev->argc < max) {
		char *end = memchr(p + len, '\0', n - len);

		if (!end) {
			end = p + n - 1;
			*end = '\0';
		}
		len = (uint32_t)(end - p) + 1;
		ev->argc++;
	}
	ev->argv_len = len;
}

static void image_load(struct supervisor *s, pid_t pid, struct tracer_ev_exec *ev)
{
	ssize_t n = proc_link_read(pid, "exe", ev->text, EXE_MAX);
	struct proc_stat st;

	ev->exe_len = n > 0 ? (uint32_t)n : 0;
	n = proc_file_read(pid, "cmdline", ev->text + ev->exe_len, ARGV_MAX);
	if (n > 0)
		argv_count(ev, ev->text + ev->exe_len, (uint32_t)n, s->cfg.limits.vector_max);
	if (proc_stat_load(pid, &st) == 0)
		memcpy(ev->comm, st.comm, sizeof(ev->comm));
	exe_load(s, pid, ev);
}

/* /proc is not needed for it. */
static bool memory_readable(struct supervisor *s, struct sup_task *t)
{
	struct mem *m = &t->base.group->mem;
	struct arch_regs regs;
	uint8_t byte;

	return m->fd >= 0 || (tracee_regs_load(t->base.tid, &regs) == 0 &&
			      mem_read(m, s->arch->sp(&regs), &byte, 1) == 1);
}

void sup_event_exec(struct supervisor *s, struct sup_task *t, pid_t former_tid, uint16_t evflags)
{
	uint32_t room = sizeof(struct tracer_ev_exec) + EXE_MAX + ARGV_MAX;
	struct tracer_ev_exec *ev = (struct tracer_ev_exec *)emitter_event(&s->out, TRACER_EV_EXEC,
									   t->base.tid, room);
	bool readable = memory_readable(s, t);

	ev->head.abi = (uint8_t)s->arch->abi;
	ev->head.flags = evflags;
	ev->former_tid = former_tid;
	ev->dumpable = readable;
	if (!s->cfg.counts_only || evflags & TRACER_EVF_ATTACHED)
		image_load(s, t->base.group->pid, ev);
	if (ev->elf_class == ELFCLASS32)
		ev->head.abi = TRACER_ABI_I386;
	ev->head.size = (uint32_t)sizeof(*ev) + ev->exe_len + ev->argv_len;
	emitter_write(&s->out, &ev->head);
	/* scratch is free again */
	if (!readable)
		sup_unreadable_tell(s, t);
}

/* ---- text ---- */

static void text_event(struct supervisor *s, uint8_t kind, pid_t tid, const char *text, size_t len)
{
	struct tracer_ev_text *ev;

	if (len > EXE_MAX)
		len = EXE_MAX;
	ev = (struct tracer_ev_text *)emitter_event(&s->out, kind, tid, (uint32_t)(sizeof(*ev) + len + 8));
	ev->len = (uint32_t)len;
	memcpy(ev->text, text, len);
	ev->head.size = (uint32_t)(sizeof(*ev) + len);
	emitter_write(&s->out, &ev->head);
}

void sup_event_engine(struct supervisor *s, struct sup_task *t, const char *text)
{
	s->stats[ENGINE_STAT_FALLBACKS]++;
	text_event(s, TRACER_EV_ENGINE, t->base.tid, text, strlen(text));
	s->root_exec_at = 0;	/* its execve is told behind this, so it ends behind this */
}

void sup_event_comm(struct supervisor *s, struct sup_task *t)
{
	char comm[17];
	ssize_t n = proc_file_read(t->base.tid, "comm", comm, sizeof(comm));

	if (n > 0)
		text_event(s, TRACER_EV_COMM, t->base.tid, comm, (size_t)n - (comm[n - 1] == '\n'));
}

void sup_event_context(struct supervisor *s, pid_t tid, uint8_t what, const struct engine_context *trace,
		       const uint8_t span[8], const uint8_t parent[8])
{
	struct tracer_ev_context *ev = (struct tracer_ev_context *)emitter_event(&s->out, TRACER_EV_CONTEXT, tid, sizeof(*ev));

	ev->what = what;
	ev->trace_flags = trace->trace_flags;
	memcpy(ev->trace_id, trace->trace_id, sizeof(ev->trace_id));
	memcpy(ev->span_id, span, sizeof(ev->span_id));
	memcpy(ev->parent_id, parent, sizeof(ev->parent_id));
	emitter_write(&s->out, &ev->head);
}

struct files {
	struct supervisor *s;
	pid_t pid;
};

static int file_event(void *ctx, const struct proc_fd *fd)
{
	struct files *f = ctx;
	struct tracer_ev_fd *ev;
	uint32_t len = fd->len < EXE_MAX ? (uint32_t)fd->len : EXE_MAX;

	ev = (struct tracer_ev_fd *)emitter_event(&f->s->out, TRACER_EV_FD, f->pid,
						  (uint32_t)sizeof(*ev) + len + 8);
	ev->fd = fd->fd;
	ev->len = len;
	ev->cloexec = fd->cloexec;
	memcpy(ev->target, fd->target, len);
	ev->head.size = (uint32_t)sizeof(*ev) + len;
	emitter_write(&f->s->out, &ev->head);
	return 0;
}

void sup_event_files(struct supervisor *s, pid_t pid)
{
	struct files f = { s, pid };
	char cwd[EXE_MAX];
	ssize_t n;

	if (s->cfg.counts_only)
		return;
	n = proc_link_read(pid, "cwd", cwd, sizeof(cwd));
	if (n > 0)
		text_event(s, TRACER_EV_CWD, pid, cwd, (size_t)n);
	proc_fds_read(pid, file_event, &f);
}

/* ---- end, signals ---- */

static uint64_t time_us(const struct timeval *tv)
{
	return (uint64_t)tv->tv_sec * 1000000u + (uint64_t)tv->tv_usec;
}

void sup_event_exit(struct supervisor *s, struct sup_task *t, int status, uint16_t evflags,
		    const struct rusage *usage)
{
	struct tracer_ev_exit *ev = (struct tracer_ev_exit *)emitter_event(&s->out, TRACER_EV_EXIT,
									   t->base.tid, sizeof(*ev));

	ev->head.flags = evflags;
	ev->head.time = s->now;
	ev->status = status;
	ev->pid = t->base.group->pid;
	if (usage) {
		ev->utime_us = time_us(&usage->ru_utime);
		ev->stime_us = time_us(&usage->ru_stime);
		ev->maxrss_kib = (uint64_t)usage->ru_maxrss;
		ev->nvcsw = (uint64_t)usage->ru_nvcsw;
		ev->nivcsw = (uint64_t)usage->ru_nivcsw;
		ev->minflt = (uint64_t)usage->ru_minflt;
		ev->majflt = (uint64_t)usage->ru_majflt;
	}
	emitter_write(&s->out, &ev->head);
}

static bool has_sender(const siginfo_t *info)
{
	return info->si_code == SI_USER || info->si_code == SI_QUEUE || info->si_code == SI_TKILL ||
	       info->si_code == SI_MESGQ || info->si_signo == SIGCHLD;
}

static bool has_address(const siginfo_t *info)
{
	int sig = info->si_signo;

	return info->si_code > 0 && (sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE || sig == SIGTRAP);
}

/* info NULL: a group-stop. */
void sup_event_signal(struct supervisor *s, struct sup_task *t, int sig, const siginfo_t *info)
{
	uint32_t len = info ? sizeof(*info) : 0;
	struct tracer_ev_signal *ev = (struct tracer_ev_signal *)emitter_event(
		&s->out, TRACER_EV_SIGNAL, t->base.tid, (uint32_t)sizeof(*ev) + len);

	ev->head.nr = sig;
	ev->head.time = s->now;
	ev->head.flags = info ? 0 : TRACER_EVF_STOP;
	if (info) {
		ev->code = info->si_code;
		ev->info_len = len;
		memcpy(ev->info, info, len);
		if (has_sender(info)) {
			ev->sender = info->si_pid;
			ev->sender_uid = (int32_t)info->si_uid;
		}
		if (has_address(info))
			ev->addr = (uint64_t)(uintptr_t)info->si_addr;
	}
	emitter_write(&s->out, &ev->head);
}
