/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor: seizes tasks, waits for their stops and turns them into
 * records.  It is the whole of the ptrace engine and the ground that the
 * in-process engine stands on, which puts struct supervisor first into its
 * own structure and hooks in (struct sup_hooks).  One thread, the one that
 * calls engine_ops.run.
 *
 *	supervisor.c        the run: open, start, the wait loop, end
 *	sup_stop.c          a wait status goes to whom it concerns
 *	sup_call.c          entry and exit of calls
 *	sup_task.c          birth, exec, death
 *	sup_attach.c        attach and detach
 *	sup_events.c        records about tasks from /proc
 *	sup_environ.c       TRACEPARENT of new images
 *	sup_context.c       what a program's own SDK publishes
 *	sup_maps.c          records about mapped files
 *	sup_pin.c           keeps us beside our tracee
 */
#ifndef ENGINE_SUPERVISOR_H
#define ENGINE_SUPERVISOR_H

#include <sched.h>
#include <time.h>
#include "arch/arch.h"
#include "capture/capture.h"
#include "engine/emitter.h"
#include "engine/engine.h"
#include "engine/seccomp_filter.h"
#include "symbol/elf_id.h"
#include "syscalls/syscalls.h"
#include "tracee/spawn.h"
#include "tracee/stop.h"
#include "tracee/task_table.h"
#include "tracee/tracee.h"

/* Calls that the supervisor itself has to know. */
enum sup_special {
	SUP_PLAIN = 0, SUP_EXECVE, SUP_FORK, SUP_VFORK, SUP_CLONE, SUP_CLONE3,
	SUP_SECCOMP, SUP_PRCTL, SUP_SETUID, SUP_OUTPUT
};

/* What a call stop of a task waits for while the ring is full. */
enum sup_parked { SUP_NOT_PARKED = 0, SUP_PARKED_ENTRY, SUP_PARKED_EXIT };

/* How a process publishes the active span of its threads (sup_context.c). */
enum sup_context_how { SUP_CONTEXT_NONE = 0, SUP_CONTEXT_STATIC, SUP_CONTEXT_MODULE };
struct sup_context {
	uint8_t how;			/* enum sup_context_how */
	uint64_t module;		/* MODULE: index of the thread-local block */
	uint64_t offset;		/* of the variable: in that block, or from the thread pointer */
};

/* A thread. */
struct sup_task {
	struct tracee base;
	/* the call that it is in */
	bool in_call;
	bool record;			/* it is to be recorded ... */
	bool recorded;			/* ... and was, at its entry (exit, rt_sigreturn) */
	bool hidden;			/* recorded for the state alone */
	uint8_t special;		/* enum sup_special */
	uint8_t abi;
	int nr;
	const struct syscall_desc *desc;	/* NULL: no row */
	uint64_t start, end, ip;
	uint64_t args[TRACER_ARGS_MAX];
	int64_t ret;
	bool error;
	/* pieces captured at its entry */
	uint8_t *enter;
	uint32_t enter_len, enter_cap;
	uint8_t enter_pieces;
	/* other */
	uint8_t parked;			/* enum sup_parked */
	bool all_calls;			/* stops at every call although there is a filter */
	bool forking;			/* in a call that makes a task, no event yet */
	bool writing;			/* in a call that may write to a terminal, and that was told */
	bool let_go;			/* to be detached at its next stop */
	bool interrupted;		/* we sent PTRACE_INTERRUPT and no trap was seen yet */
	int status;			/* UNTOLD: its first wait status */
	uint64_t parked_at;
	/* its active span, as told last; 0 none */
	uint8_t context_trace[16], context_span[8];
	uint64_t context_at;		/* address of its variable, 0 unknown */
	struct sup_task *park_next;
	void *hook;			/* the hooks' own */
};

/* A process. */
struct sup_group {
	struct tgroup base;
	pid_t ppid;
	int64_t uid;			/* -1: ask again */
	bool root;
	bool told_unreadable, told_x32;
	bool exec_pending;		/* a thread of it is in execve */
	struct sup_context context;
	uint8_t span_id[8];		/* in the TRACEPARENT that it was given, 0 none */
	void *hook;			/* the hooks' own */
};

struct supervisor;

/* What a larger engine adds.  Any may be NULL. */
struct sup_hooks {
	/* The program that we start gets ready for its exec; it waits for us there. */
	void (*on_launch)(struct supervisor *s);
	/* After the records of the event; the task is held and will be resumed. */
	void (*on_birth)(struct supervisor *s, struct sup_task *parent, struct sup_task *child, uint64_t flags);
	void (*on_first_stop)(struct supervisor *s, struct sup_task *t);
	/* A held child (UNTOLD): somebody lives who will tell of it, though no call of his is open. */
	bool (*expects_birth)(struct supervisor *s, const struct sup_task *child);
	void (*on_exec)(struct supervisor *s, struct sup_task *t);
	void (*on_death)(struct supervisor *s, struct sup_task *t);
	void (*on_group_free)(struct supervisor *s, struct sup_group *g);
	/* A signal is about to be delivered.  True: it was the engine's own affair; no
	 * record, no delivery, and the hook has resumed the task. */
	bool (*on_signal)(struct supervisor *s, struct sup_task *t, const siginfo_t *info);
	/* How a task goes on (default: by filter and selection). */
	enum tracee_resume (*resume_how)(const struct supervisor *s, const struct sup_task *t);
	/* Where the process of t keeps its threads' contexts was found out. */
	void (*on_context)(struct supervisor *s, struct sup_task *t);
	/* All threads of a process are seized and told of; none has stopped yet. */
	void (*on_attach)(struct supervisor *s, struct sup_task *leader);
	/* A trap of ours (PTRACE_EVENT_STOP); the task goes on after it.  False: it died meanwhile, and that was
	 * handled. */
	bool (*on_trap)(struct supervisor *s, struct sup_task *t);
	/* Right before a task is detached, with sig.  False: not now; it runs, or it died and that was handled. */
	bool (*on_detach)(struct supervisor *s, struct sup_task *t, int sig);
};

/* Where the supervisor runs (sup_pin.c). */
struct sup_pin {
	cpu_set_t allowed;		/* what we were given */
	bool on, pinned;
	int cpu;			/* while pinned */
	pid_t tid;			/* task of the latest stop */
	unsigned stops, switches, window;
};

struct supervisor {
	struct engine_config cfg;
	struct engine_selection all;	/* used where cfg names none */
	const struct arch *arch;
	const struct sup_hooks *hooks;
	struct emitter out;
	struct task_table tasks;
	struct elf_id_cache *elf_ids;
	uint8_t special[TRACER_ABIS][ENGINE_CALLS_MAX];	/* enum sup_special */
	uint64_t stats[ENGINE_STATS];
	uint64_t now;			/* ticks when the latest wait returned */
	unsigned steps;			/* waits */
	size_t turn;			/* place in the table of tasks: whose turn is next */
	uint64_t options;		/* PTRACE_O_* of new tracees */
	bool attach;			/* -p: roots were running before */
	bool filter;			/* a seccomp filter decides what stops */
	bool writes_unseen;		/* the hooks cannot say of all calls that may write to a terminal */
	struct seccomp_filter program;
	bool detaching;			/* everything that stops is let go */
	bool told_rest;			/* the end of the roots was answered */
	struct sup_task *park_first, **park_last;
	size_t parked;
	bool unreadable;		/* memory was refused in this stop; to be told behind its record */
	size_t forking;			/* tasks with .forking */
	pid_t fork_parent;		/* latest task that died in a forking call */
	/* roots */
	struct spawn spawn;
	pid_t root;			/* the program that we started, 0 none */
	int root_fd;			/* pidfd; atomic: read by forward() */
	uint64_t root_exec_at;		/* end of its first execve, until that is told */
	bool root_execed, root_dead, have_status, hold_root;
	int root_status;
	unsigned roots_left, detached;
	/* stop() */
	int stop_wanted;		/* atomic */
	timer_t timer;
	bool have_timer;		/* atomic */
	struct sigaction wake_old;
	sigset_t wake_mask;
	/* pinning */
	struct sup_pin pin;
};

/* Every part of the supervisor returns nothing where a failure can only mean
 * that the task is dying: its death will be seen. */

/* supervisor.c */
int sup_init(struct supervisor *s, const struct engine_config *cfg, const struct sup_hooks *hooks);
void sup_fini(struct supervisor *s);
int sup_start(struct supervisor *s);
int sup_run(struct supervisor *s, struct engine_result *res);
void sup_forward(struct supervisor *s, int sig);
void sup_stop(struct supervisor *s);
int sup_probe(const struct engine_config *cfg, char *why, size_t whylen);
/* Waits once and handles what came.  0, or -ECHILD where nothing is left. */
int sup_step(struct supervisor *s, bool wait);

/* sup_stop.c */
void sup_status_load(struct supervisor *s, pid_t tid, int status, const struct rusage *usage);
/* The in-process engine's dispatch has trapped, and our interrupt came before its SIGSYS, which the kernel has unblocked. */
bool sup_trap_waits(const struct sup_task *t);
void sup_resume(struct supervisor *s, struct sup_task *t, int sig);

/* sup_call.c */
/* What is copied of this call. */
const struct capture_plan *sup_plan(const struct supervisor *s, const struct syscall_desc *d);
void sup_call_stop(struct supervisor *s, struct sup_task *t, bool seccomp);
void sup_call_flush(struct supervisor *s, struct sup_task *t);	/* ENTER record where it is in a call */
void sup_call_reset(struct supervisor *s, struct sup_task *t);
bool sup_park_retry(struct supervisor *s);
void sup_park_del(struct supervisor *s, struct sup_task *t);
void sup_special_init(struct supervisor *s);
void sup_unreadable_tell(struct supervisor *s, struct sup_task *t);

/* sup_task.c */
void sup_birth_stop(struct supervisor *s, struct sup_task *t, unsigned event);
void sup_untold_add(struct supervisor *s, pid_t tid, int status);
void sup_untold_check(struct supervisor *s);
void sup_exec_stop(struct supervisor *s, struct sup_task *t);
void sup_death(struct supervisor *s, struct sup_task *t, int status, const struct rusage *usage);
void sup_task_del(struct supervisor *s, struct sup_task *t);
void sup_task_free(void *ctx, struct tracee *task, struct tgroup *group);
/* A root or an attached task; NULL: too many. */
struct sup_task *sup_task_start(struct supervisor *s, pid_t tid, pid_t pid, enum tracee_state state);

/* sup_attach.c */
int sup_attach(struct supervisor *s, pid_t pid);
bool sup_call_undo(struct supervisor *s, struct sup_task *t);	/* an EINTR of our making */
void sup_detach_start(struct supervisor *s);	/* let everything go */
void sup_task_detach(struct supervisor *s, struct sup_task *t, int sig);	/* a stopped one */

/* sup_events.c */
void sup_event_task(struct supervisor *s, struct sup_task *t, pid_t parent_tid, uint64_t flags,
		    uint16_t evflags, uint64_t time);
void sup_event_exec(struct supervisor *s, struct sup_task *t, pid_t former_tid, uint16_t evflags);
void sup_event_files(struct supervisor *s, pid_t pid);
void sup_event_context(struct supervisor *s, pid_t tid, uint8_t what, const struct engine_context *trace,
		       const uint8_t span[8], const uint8_t parent[8]);
void sup_event_exit(struct supervisor *s, struct sup_task *t, int status, uint16_t evflags,
		    const struct rusage *usage);
void sup_event_signal(struct supervisor *s, struct sup_task *t, int sig, const siginfo_t *info);
void sup_event_engine(struct supervisor *s, struct sup_task *t, const char *text);
void sup_event_comm(struct supervisor *s, struct sup_task *t);

/* sup_environ.c: at the exec stop of the program / of a later image, the record of the exec is out */
void sup_environ_start(struct supervisor *s, struct sup_task *t);
void sup_environ_exec(struct supervisor *s, struct sup_task *t);

/* sup_context.c: behind a prctl, whatever it returned / at the attach / before the record of a call of a
 * process that publishes / at an exec */
void sup_context_prctl(struct supervisor *s, struct sup_task *t);
void sup_context_attach(struct supervisor *s, struct sup_task *t);
void sup_context_look(struct supervisor *s, struct sup_task *t);
void sup_context_exec(struct sup_task *t);

/* sup_maps.c */
void sup_event_map(struct supervisor *s, struct sup_task *t);	/* at the end of its successful mmap */
void sup_event_maps(struct supervisor *s, struct sup_task *t, uint16_t evflags);	/* what is there already */

/* sup_pin.c */
void sup_pin_init(struct supervisor *s);
void sup_pin_fini(struct supervisor *s);
void sup_pin_tick(struct supervisor *s, pid_t tid);

static inline struct sup_group *sup_group_of(const struct sup_task *t)
{
	return (struct sup_group *)t->base.group;
}

static inline struct sup_task *sup_lookup(struct supervisor *s, pid_t tid)
{
	return (struct sup_task *)task_lookup(&s->tasks, tid);
}

static inline bool sup_selected(const struct supervisor *s, int abi, int nr)
{
	const struct engine_selection *sel = s->cfg.selection;

	if (sel->all)
		return true;
	return nr >= 0 && nr < ENGINE_CALLS_MAX && sel->bits[abi][nr / 64] >> (nr % 64) & 1;
}

static inline void sup_elf_stats(struct supervisor *s)
{
	s->stats[ENGINE_STAT_ELF_READ] = elf_id_cache_misses(s->elf_ids);
	s->stats[ENGINE_STAT_ELF_FORGOTTEN] = elf_id_cache_evictions(s->elf_ids);
}

/* What the call does to descriptors, directories or names is to be known, selected or not. */
static inline bool sup_keeps_state(const struct supervisor *s, const struct syscall_desc *d)
{
	return d && d->state != STATE_NONE && s->cfg.state_ops >> d->state & 1;
}

#endif
