/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The in-process engine: the supervisor with an agent in every program.  The
 * program records its own calls; ptrace is left with births, execs, deaths,
 * signals, and the first call of each call site.
 *
 *	engine_inproc.c     the vtable, the probe, the supervisor's hooks
 *	inproc_arena.c      shared memory: the image of the agent, the rings
 *	inproc_boot.c       the agent goes into a new program
 *	inproc_attach.c     ... and into a running one, and out of it
 *	inproc_mm.c         what was patched in an address space
 *	inproc_file.c       files whose call sites are known, and patched copies of them
 *	inproc_cache.c      what is known of files, from run to run
 *	inproc_module.c     which of these files a program has mapped
 *	inproc_remote.c     calls that a stopped task makes for us
 *	inproc_trap.c       a call that the dispatch caught
 *	inproc_screen.c     programs write to a terminal that somebody draws on
 *	inproc_signal.c     a signal finds a task in the agent
 *
 * All of it runs on the supervisor thread, but for the release of rings, which
 * the consumer does.
 */
#ifndef ENGINE_INPROC_H
#define ENGINE_INPROC_H

#define AGENT_HOST
#include "agent/agent_abi.h"
#include "engine/patch.h"
#include "engine/supervisor.h"
#include <sys/resource.h>
#include <sys/stat.h>

#define INPROC_SLOTS_MAX 4096u
#define INPROC_MEMO 4096u	/* verdicts kept, a power of two */
#define INPROC_AREAS 8u

/* How a task is traced. */
enum inproc_mode {
	INPROC_OFF = 0,		/* two stops a call */
	INPROC_BOOTING,		/* the agent was sent; nothing heard from it yet */
	INPROC_ON
};

/* Lives until the engine is closed and the last ring is empty. */
struct inproc_arena {
	_Atomic unsigned refs;
	int image_fd, rings_fd;
	uint64_t dev, image_ino, rings_ino;	/* what these are, as fstat() tells it */
	uint32_t image_size;	/* text, control and stubs */
	uint32_t control_at, files_at, stubs_at;
	uint32_t copies_at, copies_end;	/* room for patched copies of files */
	uint8_t *image;			/* our mapping, shared with those of the programs */
	uint8_t *rings;		/* our mapping */
	uint64_t rings_size, ring_stride, ring_size;
	uint32_t nslots;
	struct ring_set *set;
	_Atomic uint64_t free_slots[INPROC_SLOTS_MAX / 64];	/* bit set: free; the consumer sets */
	struct agent_control *control;	/* our copy */
	bool watched;		/* programs see when we are killed */
	uint32_t selector_at;	/* ... and so do their kernels: offset in the image of a byte that is 1, and 0 then; 0: none */
};

/* A call site that trapped. */
struct inproc_site {
	uint64_t at;		/* address of its "syscall"; 0: free entry */
	bool planned;		/* its stub is there, and calls go on through it: others may have begun before it is patched */
	bool patched;
	bool dirty;		/* by a write to the program's pages, not in a copy */
	uint32_t traps;		/* that were let be */
	uint64_t nr;		/* of the call that it was planned for */
	struct patch patch;	/* where planned */
};

/* Room for stubs. */
struct inproc_area { uint64_t base; uint32_t size, used; };

/* Sites of an address space; shared by the copies that fork makes until one changes. */
struct inproc_sites {
	unsigned refs;
	unsigned count, size;	/* of a hash by address; size a power of two */
	unsigned pages;			/* of code that are the program's own since they were patched */
	unsigned nareas;
	bool no_room;		/* asked for more in vain */
	struct inproc_area areas[INPROC_AREAS];
	struct inproc_site *table;
};

/* An address space. */
struct inproc_mm {
	unsigned refs;			/* tasks */
	bool known;			/* the addresses below were learnt */
	bool closed;			/* what was patched before is not known: no more patches */
	bool off;			/* traced by stops from now on */
	bool attached;			/* it ran before us */
	bool pinned;			/* attached: somebody may still be in the agent */
	uint64_t insn;			/* attached: a system call instruction of the program */
	uint64_t image, slots, rings, modules;
	uint64_t text_base, text_end;	/* of the executable, where its last page has room; else 0 */
	struct inproc_sites *sites;
	struct inproc_mm *next_free;
};

/* A call site of a file, by its place in the file's mapping; patch is relative to that as well. */
struct inproc_learnt {
	uint32_t at;
	uint16_t nr;			/* of the call that was seen there */
	bool planned;			/* patch says how, form PATCH_NONE: not */
	struct patch patch;
};

/* Code of a file in which sites were met. */
struct inproc_file {
	struct agent_file_id id;
	uint64_t offset, length;
	uint64_t vaddr;			/* of the mapping, as the file's program headers have it */
	uint64_t head_hash;		/* of the beginning of the file */
	struct agent_file *shared;	/* what programs see of it, NULL: nothing yet */
	char *path;
	struct inproc_learnt *sites;
	unsigned nsites, room;
	unsigned copied;		/* of these in the latest copy */
	unsigned traps;			/* at the others */
	uint32_t stubs_begin, stubs;	/* where stubs begin, and where the next one goes; 0: not known yet */
	bool refused;			/* no copy is made of it */
	bool cached;			/* known from a former run */
	bool executed;			/* a program, not a library */
};

/* A patched copy; programs may have it mapped for as long as they live. */
struct inproc_copy { uint32_t at; uint16_t file, nsites; };

#define INPROC_COPIES 512u
#define INPROC_TOLD_MAX 16u
#define INPROC_HEAD 1024u	/* bytes at the beginning of a file that are compared */

/* What the kernel tells a new program. */
struct inproc_auxv { uint64_t vdso, phdr, phnum, base; };

struct inproc_files {
	struct inproc_file *files;
	unsigned nfiles;
	struct inproc_copy copies[INPROC_COPIES];
	unsigned ncopies;
	uint32_t used;			/* bytes of room for copies */
	unsigned learnt;		/* sites that are new in this run */
	bool prepared;
};

/* A process: what it does with SIGSYS, which the kernel resets when a trap finds it blocked or ignored. */
struct inproc_group {
	bool own;			/* an action that is not the default */
	uint64_t action[4];		/* struct kernel_sigaction */
};

struct inproc_task {
	bool trap_due;			/* the dispatch's SIGSYS is still to come */
	uint8_t mode;			/* enum inproc_mode */
	bool have_slot;
	uint32_t slot;
	struct ring *ring;
	struct inproc_mm *mm;
	uint64_t entry, sp;		/* BOOTING: what the kernel had set up */
	uint64_t loader;		/* ... and where the loader is */
	/* first stop of a child: from its parent's block */
	struct agent_block birth;
	/* a handler is being entered by a single step */
	uint64_t step_site, step_cont;
	bool again;			/* to be let go at the trap that it was sent to */
	/* died in the middle of a call of ours (inproc_remote.c) */
	bool gone;
	int gone_status;
	struct rusage gone_usage;
	struct inproc_task *next_free;
};

struct inproc {
	struct supervisor sup;
	struct inproc_arena *arena;
	uint32_t vdso_room;		/* offset of the loader in the vdso, 0: no room */
	uint64_t told[INPROC_TOLD_MAX];	/* hashes of reasons to go on by stops that the user was told */
	unsigned ntold;
	bool shadow;			/* tests: ptrace stops at every call, too, and records it */
	bool capable;			/* we may read the memory of who is not dumpable */
	bool by_prctl;			/* dispatch of new tasks: by the task itself */
	struct engine_gate gate;	/* the consumer's, under the screen's lock: */
	uint32_t outputs;		/* sum of all rings' counts at the latest look */
	int own_filters;		/* of seccomp, that we are under */
	rlim_t own_space, own_data;	/* our RLIMIT_AS and RLIMIT_DATA */
	struct inproc_files files;
	struct { uint64_t key; bool branch; } memo[INPROC_MEMO];	/* branches into a site's replaced bytes */
	struct inproc_mm *free_mm;
	struct inproc_task *free_task;
};

static inline struct inproc_task *inproc_of(const struct sup_task *t)
{
	return t->hook;
}

static inline struct inproc *inproc_from(struct supervisor *s)
{
	return (struct inproc *)s;
}

struct inproc_group *inproc_group_of(const struct sup_task *t);
struct inproc_task *inproc_task_new(struct inproc *e);	/* NULL: no memory */
bool inproc_slot_get(struct inproc *e, struct inproc_task *it);	/* it has one, or there is none left */

/* inproc_arena.c */
static inline uint64_t arena_slots_size(const struct inproc_arena *a)
{
	return (uint64_t)a->nslots * AGENT_SLOT_SIZE;
}

int arena_open(struct inproc_arena **out, const struct supervisor *s);
/* Whether the limits leave room for a ring at least, and for the image. */
bool arena_probe(uint64_t ring_size);
void arena_close(struct inproc_arena *a);
/* The supervisor's thread: programs will know when it is killed, where that can be arranged.  And the end of that. */
void arena_watch(struct inproc_arena *a);
void arena_unwatch(struct inproc_arena *a);
bool arena_slot_used(const struct inproc_arena *a, uint32_t slot);	/* any thread */
int arena_slot_get(struct inproc_arena *a, uint32_t *slot, struct ring **ring);
struct ring_header *arena_ring(const struct inproc_arena *a, uint32_t slot);
/* The pending record of a slot at this position of its ring, NULL where there is none. */
struct tracer_ev_call *arena_pending(const struct inproc_arena *a, uint32_t slot, uint64_t pos);
/* Publishes a record of a slot whose task stands still or is dead: its final size. */
void arena_commit(const struct inproc_arena *a, uint32_t slot, struct tracer_ev_call *c, uint64_t pos, uint32_t size,
		  uint8_t kind, uint16_t flags);
/* Makes a pending record's counts true and tells the bytes of its complete part. */
uint32_t arena_complete(struct tracer_ev_call *c);
/* The task is gone: what is pending never returned. */
void arena_abandon(const struct inproc_arena *a, uint32_t slot);

/* inproc_boot.c */
uint32_t boot_vdso_room(void);
/* At the exec event.  False: the program is traced by stops (*why says it). */
bool boot_start(struct inproc *e, struct sup_task *t, const char **why);
/* A booting task stands still and is to go on without us: its program begins at once. */
void boot_settle(struct inproc *e, struct sup_task *t);
/* A trap of a booting task: it failed, and nothing of ours is left in it.  It may be dead then (gone). */
bool boot_failed(struct inproc *e, struct sup_task *t, struct arch_regs *regs);

/* inproc_mm.c */
struct inproc_mm *mm_new(struct inproc *e);
struct inproc_mm *mm_copy(struct inproc *e, const struct inproc_mm *from);
void mm_put(struct inproc *e, struct inproc_mm *mm);
struct inproc_site *mm_site_lookup(const struct inproc_mm *mm, uint64_t at);
/* A site at whose stub's own "syscall" a call trapped, or whose stub ip is in. */
struct inproc_site *mm_stub_lookup(const struct inproc_mm *mm, uint64_t ip);
/* The entry for at, fresh or known; NULL: no memory. */
struct inproc_site *mm_site_add(struct inproc_mm *mm, uint64_t at);
/* Patches the site of the call that just trapped, where that can be done. */
void mm_site_patch(struct inproc *e, struct sup_task *t, struct inproc_site *site, uint64_t nr);
/* Somebody met the int3 of a site that is being patched, or was when its process was made. */
bool mm_site_mend(struct sup_task *t, uint64_t at);
/* The program's own bytes come back everywhere. */
void mm_restore(struct inproc *e, struct sup_task *t);
/* The site whose call goes by this padding. */
struct inproc_site *mm_pad_lookup(struct sup_task *t, uint64_t ip);
/* ... in padding that was used: only when nobody can be in it. */
void mm_pads_restore(struct sup_task *t);

/* Whether the far surroundings of a place of form "after" have a branch into it; remembered by what is
 * near it.  read gets them: bytes read or negative. */
bool mm_branches_far(struct inproc *e, const struct mem_reader *reader, const struct patch_code *near,
		     const struct patch *p);
/* A site that is patched in a copy of a file. */
bool mm_site_known(struct inproc_mm *mm, const struct patch *patch);

/* inproc_file.c */
int files_init(struct inproc *e);
void files_fini(struct inproc *e);
struct inproc_file *files_lookup(struct inproc *e, const struct agent_file_id *id, uint64_t offset, uint64_t length);
/* NULL: no room, or not of a kind that is copied. */
struct inproc_file *files_add(struct inproc *e, const struct agent_file_id *id, uint64_t offset, uint64_t length,
			      const char *path);
struct inproc_learnt *files_site_add(struct inproc *e, struct inproc_file *f, uint32_t at, uint16_t nr);
/* A copy of a file that is known from a former run, where there is none yet; ... */
void files_prepare(struct inproc *e, struct inproc_file *f);
/* ... of the most common ones, before the first program. */
void files_prepare_some(struct inproc *e);
void files_id(struct agent_file_id *id, const struct stat *st);
/* A call trapped in code of a file of which t has mapped no copy that has this site.  True: copies have it. */
bool files_learn(struct inproc *e, struct sup_task *t, const struct agent_module *m, uint64_t at, uint64_t nr);
const struct inproc_copy *files_copy_lookup(const struct inproc *e, uint64_t at);
uint64_t files_hash(const void *bytes, size_t n);

/* inproc_cache.c */
void cache_load(struct inproc *e);
void cache_store(struct inproc *e);

/* inproc_module.c */
/* The code that ip is in, as the program has noted it. */
bool module_lookup(struct inproc *e, struct sup_task *t, uint64_t ip, struct agent_module *out);
/* Sites of a patched copy become sites of the address space: of that in one of whose stubs ip is, ... */
bool module_stub_load(struct inproc *e, struct sup_task *t, uint64_t ip);
/* ... of that in which a call has trapped; or the call's site is learnt (true: it can be patched), ... */
bool module_site_met(struct inproc *e, struct sup_task *t, uint64_t at, uint64_t nr);
/* ... of all. */
void module_sites_load_all(struct inproc *e, struct sup_task *t);
/* At the exec event: what the kernel has mapped. */
void module_boot(struct inproc *e, struct sup_task *t, const struct inproc_auxv *av, struct agent_module out[2]);

/* inproc_attach.c */
/* At the attach, before any stop.  False from the next two: the task died, and that was told. */
void attach_start(struct inproc *e, struct sup_task *t);
/* A trap of ours: a task of a program that is attached to joins those that record themselves. */
bool attach_join(struct inproc *e, struct sup_task *t);
/* The task is out of the agent and about to be let go, with sig: the last one unmaps it.  False also where it was
 * sent on to a trap for that. */
bool attach_end(struct inproc *e, struct sup_task *t, int sig);
/* All tasks of the address space have joined. */
bool attach_complete(struct inproc *e, const struct inproc_mm *mm);
bool attach_in_agent(const struct inproc *e, const struct inproc_mm *mm, uint64_t ip);

/* inproc_remote.c */
/* Calls by a task that stands in a trap of ours. */
struct remote {
	struct arch_regs saved;
	uint64_t mask, insn;
	bool stopped;			/* by job control meanwhile */
};
int remote_open(struct sup_task *t, struct remote *r, uint64_t insn);
int64_t remote_run(struct sup_task *t, struct remote *r, uint64_t nr, const uint64_t args[6]);
void remote_close(struct sup_task *t, struct remote *r);
#define REMOTE_RUN(t, r, nr, ...) remote_run(t, r, nr, (const uint64_t[6]){ __VA_ARGS__ })
/* One call by a task that stands at a signal; at: a "syscall" in its memory that the dispatch lets pass. */
int64_t remote_call(struct sup_task *t, uint64_t at, uint64_t nr, const uint64_t args[6]);
/* All of our mappings go; t is the only task of its address space, stands at a "syscall" of its own, and its
 * dispatch is off.  It may be dead then (gone). */
void remote_unmap(struct inproc *e, struct sup_task *t);
/* Maps room for stubs within reach of near: its address, or 0.  The task may be dead then (gone). */
uint64_t remote_room(struct sup_task *t, uint64_t near, uint64_t size);

/* The system call instruction in the image that stands for one which a short jump has replaced. */
static inline uint64_t arena_trap_at(const struct inproc *e, const struct inproc_mm *mm)
{
	return mm->image + e->arena->control_at + AGENT_C_TRAP;
}

/* inproc_trap.c */
bool trap_dispatch(struct inproc *e, struct sup_task *t, const siginfo_t *info);
/* Dispatch of one task on or off by ptrace. */
int trap_arm(const struct inproc *e, struct sup_task *t, bool on);
bool trap_armed(const struct sup_task *t);	/* the program itself uses it */
/* It died in a call of ours: that is told now, and t is no more. */
void trap_gone(struct inproc *e, struct sup_task *t);
/* The process goes on by stops; why is for the user. */
void trap_fall_back(struct inproc *e, struct sup_task *t, const char *why);
/* A task of a process that fell back stands still: out of the agent with it. */
void trap_leave(struct inproc *e, struct sup_task *t);
/* Addresses of the agent from the block that gs_base points to. */
bool trap_learn(struct inproc *e, struct sup_task *t, uint64_t gs_base);

/* inproc_screen.c */
void screen_open(struct inproc *e);
void screen_close(struct inproc *e);
/* A call of t that may write is over or was taken back, by us. */
void screen_output_end(struct inproc *e, const struct sup_task *t);

/* inproc_signal.c */
/* Takes a stopped task out of the agent; regs are changed.  True: *step is set, and the
 * signal is to be delivered by a single step. */
void signal_evict(struct inproc *e, struct sup_task *t, struct arch_regs *regs, bool *changed, bool *step);
/* A task that is out of the agent: the record of a call that did not come back is complete. */
void signal_settle(struct inproc *e, struct sup_task *t);
bool signal_stop(struct inproc *e, struct sup_task *t, const siginfo_t *info);

/* engine_inproc.c: small things on the memory of a task */
int task_mem_write(struct sup_task *t, uint64_t addr, const void *buf, size_t n);
bool task_block_read(struct sup_task *t, struct agent_block *b);
uint64_t task_block_at(const struct inproc_task *it);
/* Where the process keeps its threads' contexts, for a block that is made. */
void task_context_set(const struct sup_task *t, struct agent_block *b);

#endif
