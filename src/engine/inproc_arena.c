/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared memory of the in-process engine: one sealed memfd with the agent's
 * image, which programs map to execute, and one with all rings, which they
 * map to write.  Owned by the engine; slots are taken by the supervisor and
 * given back by the consumer when it has emptied the ring, so the map of free
 * ones is atomic.  Nothing but ring bytes is writable for two processes.
 */
#include "config.h"
#include "engine/inproc.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096u
#define RINGS_MAX ((uint64_t)1 << 32)	/* bytes of address space for rings */
#define IMAGE_MAX (1u << 20)
#define COPIES_SIZE (64u << 20)	/* address space for patched copies of files */
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4	/* linux/mman.h */
#endif
#define BEGUN_MAX (sizeof(struct tracer_ev_call) + 8 * TRACER_ARGS_MAX)	/* written before a record's first word is */
#define ROUND(n) (((n) + PAGE - 1) & ~(PAGE - 1))

static uint8_t action_of(const struct supervisor *s, int nr, const struct syscall_desc *d)
{
	bool selected = sup_selected(s, TRACER_ABI_X86_64, nr);
	uint8_t action = AGENT_RECORD;

	if (!selected && sup_keeps_state(s, d))
		action = AGENT_RECORD | AGENT_HIDDEN;
	else if (!selected)
		action = AGENT_SKIP;
	else if (d && d->flags & SYSCALL_F_NORETURN && d->ret == RET_NONE)	/* execve may fail */
		action = AGENT_ENTER;
	return action;
}

/* Calls that could take the ground from under the agent, that its mappings would be part of, or that the tracer has to
 * know of. */
static void set_checked(struct agent_control *c)
{
	static const char *const names[] = { "rt_sigaction", "arch_prctl", "prctl", "seccomp", "setrlimit", "prlimit64",
					     "mlockall", "setuid", "setreuid", "setresuid" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int nr = syscall_number(TRACER_ABI_X86_64, names[i]);

		if (nr >= 0 && nr < (int)AGENT_NR_MAX)
			c->action[nr] |= AGENT_CHECK;
	}
}

/* Calls that always look at all the memory that their rules name, where they succeed.  Not in the
 * list: what only some operations of a call use (fcntl, futex, prctl, epoll_ctl), what is written only
 * in some cases (wait4, clone), what may be larger than what was written (getxattr). */
static const char *const proven[] = {
	"open", "openat", "openat2", "creat", "stat", "lstat", "fstat", "newfstatat", "statx", "access",
	"faccessat", "faccessat2", "chdir", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "rmdir",
	"link", "linkat", "unlink", "unlinkat", "symlink", "symlinkat", "readlink", "readlinkat", "chmod",
	"fchmodat", "chown", "lchown", "fchownat", "truncate", "statfs", "fstatfs", "chroot", "read", "write",
	"pread64", "pwrite64", "sendto", "getdents", "getdents64", "getcwd", "getrandom", "epoll_wait", "poll",
	"bind", "connect", "rt_sigaction", "prlimit64", "getrlimit", "setrlimit", "clock_gettime", "uname",
	"sysinfo", "getrusage", "pipe", "pipe2",
};

static void set_proven(struct agent_control *c)
{
	for (unsigned i = 0; i < sizeof(proven) / sizeof(proven[0]); i++) {
		int nr = syscall_number(TRACER_ABI_X86_64, proven[i]);

		for (unsigned k = 0; nr >= 0 && nr < (int)AGENT_NR_MAX && k < c->plans[nr].nrules; k++)
			c->plans[nr].rules[k].reserved0 = AGENT_RULE_PROVEN;
	}
}

/* Code of files comes by mmap(): seen by the agent also where nobody wants its record. */
static void set_watched(struct agent_control *c, bool maps)
{
	int nr = syscall_number(TRACER_ABI_X86_64, "mmap");

	if ((c->action[nr] & AGENT_ACTION_MASK) == AGENT_SKIP)
		c->action[nr] = AGENT_RECORD | AGENT_HIDDEN;
	c->action[nr] |= AGENT_WATCH;
	if (!maps)
		return;
	c->action[nr] |= AGENT_TELL;
	c->bound[nr] += AGENT_MAP_BOUND;
}

/* They go by way of the tracer while somebody has drawn; so they have to come by, recorded or not. */
static void set_output(struct agent_control *c, const struct supervisor *s)
{
	for (int nr = 0; s->cfg.screen && nr < (int)AGENT_NR_MAX && nr < ENGINE_CALLS_MAX; nr++) {
		if (s->special[TRACER_ABI_X86_64][nr] != SUP_OUTPUT)
			continue;
		if ((c->action[nr] & AGENT_ACTION_MASK) == AGENT_SKIP)
			c->action[nr] = AGENT_RECORD | AGENT_HIDDEN;
		c->action[nr] |= AGENT_OUTPUT;
	}
}

static void control_init(struct agent_control *c, const struct supervisor *s)
{
	c->magic = AGENT_MAGIC;
	c->version = AGENT_ABI_VERSION;
	c->trap = 0x050f;	/* syscall */
	c->clock = s->cfg.clock;
	c->drop = s->cfg.overflow == ENGINE_DROP;
	c->limits = s->cfg.limits;
	for (int nr = 0; nr < (int)AGENT_NR_MAX; nr++) {
		const struct syscall_desc *d = syscall_lookup(TRACER_ABI_X86_64, nr);

		if (d)
			c->plans[nr] = *sup_plan(s, d);
		else
			c->plans[nr] = (struct capture_plan){ .nargs = TRACER_ARGS_MAX, .wordsize = 8 };
		c->action[nr] = action_of(s, nr, d);
		c->bound[nr] = capture_bound(&c->plans[nr], &s->cfg.limits);
	}
	set_checked(c);
	set_proven(c);
	set_watched(c, s->cfg.maps);
	set_output(c, s);
	agent_control_finish(c);
}

static bool unlimited(int resource)
{
	struct rlimit l;

	return getrlimit(resource, &l) == 0 && l.rlim_cur == RLIM_INFINITY;
}

static void image_plan(struct inproc_arena *a)
{
	a->control_at = ROUND(agent_image.text_size);
	a->files_at = a->control_at + ROUND((uint32_t)sizeof(struct agent_control));
	a->stubs_at = a->files_at + ROUND((uint32_t)sizeof(struct agent_files));
	a->copies_at = a->copies_end = a->stubs_at + AGENT_STUBS_SIZE;
	if (unlimited(RLIMIT_AS) && unlimited(RLIMIT_FSIZE))
		a->copies_end += COPIES_SIZE;
	a->image_size = a->copies_end;
}

/* Nobody but we, through this mapping, can write to it from here on. */
static int image_fill(struct inproc_arena *a, int fd)
{
	if (ftruncate(fd, a->image_size) < 0)
		return -errno;
	a->image = mmap(NULL, a->image_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (a->image == MAP_FAILED) {
		a->image = NULL;
		return -errno;
	}
	a->control->files_at = a->files_at;
	memcpy(a->image, agent_image.text, agent_image.text_size);
	memcpy(a->image + a->control_at, a->control, sizeof(*a->control));
	return fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0 ? -errno : 0;
}

/* Whether a private mapping of the image can be put over another one and stay (Linux 5.13): where it cannot,
 * mremap() would find out too late. */
static bool remap_probe(const struct inproc_arena *a)
{
	uint8_t *from = mmap(NULL, 2 * PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, a->image_fd, 0);
	uint8_t *to = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool works = false;

	if (from != MAP_FAILED && to != MAP_FAILED)
		works = mremap(from + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to) == to &&
			!memcmp(to, a->image + PAGE, PAGE) && !memcmp(from + PAGE, to, PAGE);
	if (from != MAP_FAILED)
		munmap(from, 2 * PAGE);
	if (to != MAP_FAILED)
		munmap(to, PAGE);
	return works;
}

static int image_open(struct inproc_arena *a)
{
	char path[64];
	int fd = memfd_create("tracer-agent", MFD_CLOEXEC | MFD_ALLOW_SEALING), rc;

	if (fd < 0)
		return -errno;
	image_plan(a);
	rc = image_fill(a, fd);
	if (rc == 0) {
		/* programs that open it by our descriptor get what this one allows */
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		a->image_fd = open(path, O_RDONLY | O_CLOEXEC);
		rc = a->image_fd < 0 ? -errno : 0;
	}
	if (rc == 0 && !remap_probe(a))
		a->copies_end = a->copies_at;
	close(fd);
	return rc;
}

/* Address space for rings: every program has to map all of them, within the limits that it inherits. */
static uint64_t rings_room(void)
{
	uint64_t room = RINGS_MAX;
	struct rlimit l;

	if (getrlimit(RLIMIT_AS, &l) == 0 && l.rlim_cur != RLIM_INFINITY && l.rlim_cur / 8 < room)
		room = l.rlim_cur / 8;
	/* it holds for memfds, too, and a signal says so */
	if (getrlimit(RLIMIT_FSIZE, &l) == 0 && l.rlim_cur != RLIM_INFINITY && l.rlim_cur < room)
		room = l.rlim_cur;
	return room;
}

bool arena_probe(uint64_t ring_size)
{
	return rings_room() >= ring_bytes(ring_size) && rings_room() >= IMAGE_MAX;
}

static int rings_open(struct inproc_arena *a)
{
	uint64_t room = rings_room();

	a->ring_stride = ring_bytes(a->ring_size);
	if (!a->ring_stride)
		return -EINVAL;
	a->nslots = INPROC_SLOTS_MAX;
	if (a->nslots > room / a->ring_stride)
		a->nslots = (uint32_t)(room / a->ring_stride);
	if (!a->nslots)
		return -ENOMEM;
	a->rings_size = a->nslots * a->ring_stride;
	a->rings_fd = memfd_create("tracer-rings", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (a->rings_fd < 0 || ftruncate(a->rings_fd, (off_t)a->rings_size) < 0 ||
	    fcntl(a->rings_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	a->rings = mmap(NULL, a->rings_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, a->rings_fd, 0);
	if (a->rings == MAP_FAILED) {
		a->rings = NULL;
		return -errno;
	}
	for (uint32_t i = 0; i < a->nslots; i++)
		atomic_fetch_or_explicit(&a->free_slots[i / 64], (uint64_t)1 << (i % 64), memory_order_relaxed);
	return 0;
}

static void arena_free(struct inproc_arena *a)
{
	if (a->image_fd >= 0)
		close(a->image_fd);
	if (a->rings_fd >= 0)
		close(a->rings_fd);
	if (a->image)
		munmap(a->image, a->image_size);
	if (a->rings)
		munmap(a->rings, a->rings_size);
	free(a->control);
	free(a);
}

static void arena_put(struct inproc_arena *a)
{
	/* Release what this side did; acquire what the other did, where it is the last. */
	if (atomic_fetch_sub_explicit(&a->refs, 1, memory_order_acq_rel) == 1)
		arena_free(a);
}

static int ids_load(struct inproc_arena *a)
{
	struct stat image, rings;

	if (fstat(a->image_fd, &image) < 0 || fstat(a->rings_fd, &rings) < 0)
		return -errno;
	a->dev = image.st_dev;
	a->image_ino = image.st_ino;
	a->rings_ino = rings.st_ino;
	return image.st_dev == rings.st_dev ? 0 : -EXDEV;
}

int arena_open(struct inproc_arena **out, const struct supervisor *s)
{
	struct inproc_arena *a = calloc(1, sizeof(*a));
	int rc;

	if (!a)
		return -ENOMEM;
	a->refs = 1;
	a->image_fd = a->rings_fd = -1;
	a->set = s->cfg.rings;
	a->ring_size = s->cfg.ring_size;
	a->control = calloc(1, sizeof(*a->control));
	rc = a->control ? 0 : -ENOMEM;
	if (rc == 0) {
		control_init(a->control, s);
		rc = image_open(a);
	}
	if (rc == 0)
		rc = rings_open(a);
	if (rc == 0)
		rc = ids_load(a);
	if (rc < 0)
		arena_put(a);
	else
		*out = a;
	return rc;
}

void arena_close(struct inproc_arena *a)
{
	if (a)
		arena_put(a);
}

/* ---- when the tracer is killed ---- */

static pthread_mutex_t *mutex_of(const struct inproc_arena *a)
{
	_Static_assert(sizeof(pthread_mutex_t) <= sizeof(a->control->tracer), "room for it");

	return (pthread_mutex_t *)(void *)(a->image + a->control_at + AGENT_C_TRACER);
}

/*
 * A robust mutex that this thread holds: its first word is the thread's number.  When the thread dies in whatever way
 * the kernel clears that and sets FUTEX_OWNER_DIED (kernel/futex, handle_futex_death), in exit_mm(), which is before
 * exit_notify() lets tracees go.  So a byte of the word that is 1, where the number has one, is a selector
 * for the dispatch of these: SYSCALL_DISPATCH_FILTER_BLOCK now, SYSCALL_DISPATCH_FILTER_ALLOW (0) before the
 * first of their calls that nobody would catch.  The agent looks at both bytes.
 */
void arena_watch(struct inproc_arena *a)
{
	uint32_t tid = (uint32_t)syscall(SYS_gettid), byte = (tid & 0xff) == 1 ? 0 : 1;
	pthread_mutex_t *m = mutex_of(a);
	pthread_mutexattr_t attr;

	if (a->watched || !(tid & 0xffff) || pthread_mutexattr_init(&attr))
		return;
	a->watched = pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) == 0 &&
		     pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) == 0 &&
		     pthread_mutex_init(m, &attr) == 0 && pthread_mutex_lock(m) == 0;
	pthread_mutexattr_destroy(&attr);
	if (a->watched && (tid >> 8 * byte & 0xff) == 1)
		a->selector_at = a->control_at + AGENT_C_TRACER + byte;
	/* another library's idea of a mutex */
	if (a->watched && *(const uint32_t *)(const void *)m != tid)
		arena_unwatch(a);
}

void arena_unwatch(struct inproc_arena *a)
{
	if (!a->watched)
		return;
	a->watched = false;
	a->selector_at = 0;
	pthread_mutex_unlock(mutex_of(a));
	memset(a->image + a->control_at + AGENT_C_TRACER, 0, sizeof(a->control->tracer));
}

struct ring_header *arena_ring(const struct inproc_arena *a, uint32_t slot)
{
	return (struct ring_header *)(void *)(a->rings + slot * a->ring_stride);
}

/* Consumer: a ring was closed and is empty, which means all zero again, unless it was given up. */
static void slot_release(void *ctx, void *mem)
{
	struct inproc_arena *a = ctx;
	uint64_t at = (uint64_t)((uint8_t *)mem - a->rings);
	uint32_t slot = (uint32_t)(at / a->ring_stride);
	struct ring_header *hdr = mem;

	if (hdr->dead)
		fallocate(a->rings_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)a->ring_stride);
	/* Pairs with the acquire in slot_take(). */
	atomic_fetch_or_explicit(&a->free_slots[slot / 64], (uint64_t)1 << (slot % 64), memory_order_release);
	arena_put(a);
}

bool arena_slot_used(const struct inproc_arena *a, uint32_t slot)
{
	return !(atomic_load_explicit(&a->free_slots[slot / 64], memory_order_acquire) >> (slot % 64) & 1);
}

/* The lowest free one: its pages are most likely there already. */
static int slot_take(struct inproc_arena *a, uint32_t *slot)
{
	for (uint32_t i = 0; i < (a->nslots + 63) / 64; i++) {
		uint64_t map = atomic_load_explicit(&a->free_slots[i], memory_order_acquire);

		if (!map)
			continue;
		*slot = i * 64 + (uint32_t)__builtin_ctzll(map);
		atomic_fetch_and_explicit(&a->free_slots[i], ~((uint64_t)1 << (*slot % 64)), memory_order_relaxed);
		return 0;
	}
	return -ENOSPC;
}

int arena_slot_get(struct inproc_arena *a, uint32_t *slot, struct ring **ring)
{
	struct ring_header *hdr;
	int rc = slot_take(a, slot);

	if (rc < 0)
		return rc;
	atomic_fetch_add_explicit(&a->refs, 1, memory_order_relaxed);
	hdr = arena_ring(a, *slot);
	memset(hdr, 0, sizeof(*hdr));
	rc = ring_init_shared(hdr, a->ring_size);
	if (rc == 0)
		rc = ring_set_add(a->set, hdr, a->ring_size, slot_release, a, ring);
	if (rc < 0)
		slot_release(a, hdr);
	return rc;
}

/* ---- records of a task that cannot write them itself ---- */

static uint64_t load_word(const void *p)
{
	return atomic_load_explicit((const _Atomic uint64_t *)p, memory_order_acquire);
}

struct tracer_ev_call *arena_pending(const struct inproc_arena *a, uint32_t slot, uint64_t pos)
{
	struct ring_header *hdr = arena_ring(a, slot);
	struct tracer_ev_call *c =
		(struct tracer_ev_call *)(void *)((uint8_t *)(hdr + 1) + (pos & (a->ring_size - 1)));
	uint64_t tail = load_word(&hdr->tail), word;	/* the consumer moves it */

	/* What is behind the tail may be another lap's: not even to be looked at. */
	if (pos < tail || pos - tail >= a->ring_size)
		return NULL;
	word = load_word(c);
	if (!(word >> 48 & TRACER_EVF_PENDING))
		return NULL;
	if ((uint32_t)word < sizeof(*c) || (uint32_t)word > TRACER_EVENT_MAX || word % 8)
		return NULL;
	return c;
}

/* What is not kept: pieces, which run on into the slack, and a record behind, which does not. */
static void rest_clear(const struct inproc_arena *a, struct ring_header *hdr, uint64_t pos, uint8_t *p, uint32_t n)
{
	uint8_t *behind = (uint8_t *)(hdr + 1) + (pos & (a->ring_size - 1));

	memset(p, 0, n);
	if (behind != p)
		memset(behind, 0, n);
}

void arena_commit(const struct inproc_arena *a, uint32_t slot, struct tracer_ev_call *c, uint64_t pos, uint32_t size,
		  uint8_t kind, uint16_t flags)
{
	struct ring_header *hdr = arena_ring(a, slot);
	uint32_t reserved = (uint32_t)load_word(c);

	if (reserved > size && reserved <= TRACER_EVENT_MAX)
		rest_clear(a, hdr, pos + size, (uint8_t *)c + size, reserved - size);
	atomic_store_explicit((_Atomic uint64_t *)&hdr->head, pos + size, memory_order_release);
	/* Pairs with the consumer's acquire load of the first word. */
	atomic_store_explicit((_Atomic uint64_t *)c,
			      size | (uint64_t)kind << 32 | (uint64_t)TRACER_ABI_X86_64 << 40 | (uint64_t)flags << 48,
			      memory_order_release);
}

/* The fixed part, arguments, whole pieces. */
uint32_t arena_complete(struct tracer_ev_call *c)
{
	uint32_t reserved = (uint32_t)load_word(c);
	uint32_t at = (uint32_t)sizeof(*c) + 8u * (c->nargs <= TRACER_ARGS_MAX ? c->nargs : 0);
	unsigned n = 0;

	if (c->nargs > TRACER_ARGS_MAX)
		c->nargs = 0;
	for (; n < c->ncaptures && n < TRACER_CAPTURES_MAX; n++) {
		const struct tracer_capture *cap = (const void *)((const uint8_t *)c + at);

		if (at + sizeof(*cap) > reserved || cap->len > reserved ||
		    at + sizeof(*cap) + TRACER_ALIGN8(cap->len) > reserved)
			break;
		at += (uint32_t)sizeof(*cap) + TRACER_ALIGN8(cap->len);
	}
	c->ncaptures = (uint8_t)n;
	return at;
}

/* A task that was killed while it began a record has written behind its head, and nobody would clear that:
 * the next task of the slot may have to leave it zero. */
static void begun_clear(const struct inproc_arena *a, struct ring_header *hdr)
{
	uint64_t head = load_word(&hdr->head), used = head - load_word(&hdr->tail);
	uint64_t room = used < a->ring_size ? a->ring_size - used : 0;
	uint8_t *at = (uint8_t *)(hdr + 1) + (head & (a->ring_size - 1));

	if (room >= 8 && !load_word(at))
		memset(at + 8, 0, (room < BEGUN_MAX ? room & ~7ull : BEGUN_MAX) - 8);
}

void arena_abandon(const struct inproc_arena *a, uint32_t slot)
{
	uint64_t pos = arena_ring(a, slot)->latest, word;
	struct tracer_ev_call *c = arena_pending(a, slot, pos);

	if (!c) {
		begun_clear(a, arena_ring(a, slot));
		return;
	}
	word = load_word(c);
	if ((uint8_t)(word >> 32) != TRACER_EV_CALL) {	/* what was to be told in front of a call */
		arena_commit(a, slot, c, pos, (uint32_t)word, TRACER_EV_NONE, 0);
		return;
	}
	if (c->head.time < c->start)
		c->head.time = c->start;
	arena_commit(a, slot, c, pos, arena_complete(c), TRACER_EV_ENTER,
		     (uint16_t)((word >> 48) & ~(uint64_t)TRACER_EVF_PENDING));
}
