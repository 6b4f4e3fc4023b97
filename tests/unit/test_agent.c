/* SPDX-License-Identifier: Apache-2.0 */
/* The agent, mapped into this very process: records, captures, registers, full ring. */
#define AGENT_HOST
#include "config.h"
#include <asm/prctl.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include "agent/agent_abi.h"
#include "capture/capture.h"
#include "ring/ring.h"
#include "unit.h"

#define RING_SIZE 8192u

static uint8_t *image;
static struct agent_control *control;
static struct agent_block *block;
static struct ring_header *ring;
static uint8_t *data;

static void setup(void)
{
	size_t image_size = agent_image.text_size + ((sizeof(struct agent_control) + 4095) & ~(size_t)4095);

	image = mmap(NULL, image_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(image, agent_image.text, agent_image.text_size);
	control = (void *)(image + agent_image.text_size);
	control->magic = AGENT_MAGIC;
	control->clock = TRACER_CLOCK_TSC;
	control->limits = (struct capture_limits){ 32, 4096, 64, 16384 };
	for (unsigned i = 0; i < AGENT_NR_MAX; i++) {
		control->plans[i].nargs = 6;
		control->plans[i].wordsize = 8;
	}
	block = (void *)((uint8_t *)mmap(NULL, AGENT_SLOT_SIZE, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) + AGENT_BLOCK_AT);
	ring = mmap(NULL, sizeof(*ring) + RING_SIZE + TRACER_EVENT_MAX, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	data = (uint8_t *)(ring + 1);
	ring->magic = RING_MAGIC;
	ring->size = RING_SIZE;
	block->entry = (uint64_t)(image + agent_image.entry);
	block->stack = block->self = (uint64_t)block;
	block->ring = (uint64_t)ring;
	block->ring_size = RING_SIZE;
	block->image = (uint64_t)image;
	block->control = (uint64_t)control;
	block->tid = 4711;
	block->magic = AGENT_MAGIC;
}

static void plan_set(unsigned nr, struct capture_plan plan)
{
	plan.wordsize = 8;
	for (unsigned i = 0; i < plan.nrules; i++)
		plan.rules[i].reserved0 = AGENT_RULE_PROVEN;
	control->plans[nr] = plan;
}

/* As a stub does: continuation in rcx, address behind the instruction in r11. */
static long call(long nr, long a, long b, long c, long d, long e, long f)
{
	static bool ready;
	long ret, flags_in = 0, flags_out = 0;
	if (!ready) {
		for (unsigned i = 0; i < AGENT_NR_MAX; i++)
			control->bound[i] = capture_bound(&control->plans[i], &control->limits);
		agent_control_finish(control);
		mprotect(image, agent_image.text_size + sizeof(struct agent_control), PROT_READ | PROT_EXEC);
		syscall(SYS_arch_prctl, ARCH_SET_GS, block);
		ready = true;
	}

	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile("lea -256(%%rsp), %%rsp\n\t"
			 "lea 1f(%%rip), %%rcx\n\t"
			 "mov %%rcx, %%r11\n\t"
			 "stc\n\t"
			 "pushfq\n\tpop %[fi]\n\t"
			 "jmp *%%gs:0\n"
			 "1: pushfq\n\tpop %[fo]\n\t"
			 "lea 256(%%rsp), %%rsp"
			 : "=a"(ret), [fi] "+r"(flags_in), [fo] "+r"(flags_out)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory", "cc");
	ck_assert_int_eq(flags_in & 0x8d5, flags_out & 0x8d5);
	return ret;
}

/* The oldest record, copied out; as the consumer does, cleared before tail moves. */
static const struct tracer_ev_call *take(void)
{
	static _Alignas(8) uint8_t copy[TRACER_EVENT_MAX];
	uint8_t *at = data + (ring->tail & (RING_SIZE - 1));
	uint32_t size;

	if (ring->tail == ring->head)
		return NULL;
	size = ((const struct tracer_event *)at)->size;
	memcpy(copy, at, size);
	memset(at, 0, size);
	ring->tail += size;
	return (const void *)copy;
}

static const struct tracer_capture *capture_at(const struct tracer_ev_call *c, unsigned n)
{
	const uint8_t *p = (const uint8_t *)&c->args[c->nargs];

	ck_assert_uint_lt(n, c->ncaptures);
	while (n--)
		p += sizeof(struct tracer_capture) + TRACER_ALIGN8(((const struct tracer_capture *)p)->len);
	return (const void *)p;
}

START_TEST(plain_record)
{
	const struct tracer_ev_call *c;

	setup();
	ck_assert_int_eq(call(SYS_getpid, 1, 2, 3, 4, 5, 6), getpid());
	c = take();
	ck_assert_ptr_nonnull(c);
	ck_assert_uint_eq(ring->tail, ring->head);
	ck_assert_int_eq(c->head.kind, TRACER_EV_CALL);
	ck_assert_int_eq(c->head.flags, TRACER_EVF_INPROC);
	ck_assert_int_eq(c->head.tid, 4711);
	ck_assert_int_eq(c->head.nr, SYS_getpid);
	ck_assert_int_eq(c->ret, getpid());
	ck_assert(c->head.time >= c->start && c->start);
	ck_assert_uint_eq(c->nargs, 6);
	for (unsigned i = 0; i < 6; i++)
		ck_assert_uint_eq(c->args[i], i + 1);
	ck_assert_int_eq(call(SYS_close, -1, 0, 0, 0, 0, 0), -EBADF);
	c = take();
	ck_assert_int_eq(c->head.flags, TRACER_EVF_INPROC | TRACER_EVF_ERROR);
	ck_assert_int_eq(call(1000, 0, 0, 0, 0, 0, 0), -ENOSYS);
	c = take();
	ck_assert_int_eq(c->head.nr, 1000);
}
END_TEST

START_TEST(actions)
{
	const struct tracer_ev_call *c;

	setup();
	control->action[SYS_getppid] = AGENT_SKIP;
	control->action[SYS_getuid] = AGENT_ENTER;
	control->action[SYS_getgid] = AGENT_RECORD | AGENT_HIDDEN;
	call(SYS_getppid, 0, 0, 0, 0, 0, 0);
	ck_assert(!take());
	/* one that does come back is a call like any other */
	call(SYS_getuid, 0, 0, 0, 0, 0, 0);
	c = take();
	ck_assert_int_eq(c->head.kind, TRACER_EV_CALL);
	ck_assert_int_eq(c->head.nr, SYS_getuid);
	call(SYS_getgid, 0, 0, 0, 0, 0, 0);
	ck_assert_int_eq(take()->head.flags, TRACER_EVF_INPROC | TRACER_EVF_HIDDEN);
}
END_TEST

START_TEST(strings)
{
	static const struct { int at, limit_flag; const char *want; int flags; } rows[] = {
		{ 0, 0, "/nonexistent/file", 0 },
		{ 0, CAP_F_DATA, "/nonexistent/file", 0 },
	};
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct tracer_capture *cap;
	const struct tracer_ev_call *c;
	static char many[4000];

	setup();
	plan_set(SYS_open, (struct capture_plan){ .nrules = 1, .nargs = 3, .rules = {
		{ .op = CAP_OP_STR, .arg = 0, .len_arg = 0xff, .flags = CAP_F_IN } } });
	munmap(page + 4096, 4096);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		/* at every distance from the end of the page, and every alignment */
		for (unsigned back = 0; back < 40; back++) {
			char *s = page + 4096 - strlen(rows[i].want) - 1 - back;

			memset(page, 'x', 4096);
			strcpy(s, rows[i].want);
			ck_assert_int_eq(call(SYS_open, (long)s, O_RDONLY, 0, 0, 0, 0), -ENOENT);
			c = take();
			ck_assert_uint_eq(c->ncaptures, 1);
			cap = capture_at(c, 0);
			ck_assert_uint_eq(cap->len, strlen(rows[i].want));
			ck_assert_mem_eq(cap->bytes, rows[i].want, cap->len);
			ck_assert_uint_eq(cap->flags, TRACER_CAP_IN);
			ck_assert_uint_eq(c->head.size % 8, 0);
		}
	/* every length from 0 on, bytes behind the string must be zero in the record */
	for (unsigned len = 1; len < 300; len++) {
		memset(many, 'a', sizeof(many));
		many[len] = 0;
		call(SYS_open, (long)many, O_RDONLY, 0, 0, 0, 0);
		c = take();
		cap = capture_at(c, 0);
		ck_assert_uint_eq(cap->len, len);
		for (unsigned i = 0; i < TRACER_ALIGN8(len); i++)
			ck_assert_int_eq(cap->bytes[i], i < len ? 'a' : 0);
	}
	/* bad pointers: what the program sees is what it saw before */
	ck_assert_int_eq(call(SYS_open, 1, O_RDONLY, 0, 0, 0, 0), -EFAULT);
	cap = capture_at(take(), 0);
	ck_assert_uint_eq(cap->flags, TRACER_CAP_IN | TRACER_CAP_FAULT);
	ck_assert_uint_eq(cap->len, 0);
	memset(page, '/', 4096);
	ck_assert_int_eq(call(SYS_open, (long)page + 4000, O_RDONLY, 0, 0, 0, 0), -EFAULT);
	cap = capture_at(take(), 0);
	ck_assert_uint_eq(cap->flags, TRACER_CAP_IN | TRACER_CAP_FAULT);
	ck_assert_uint_eq(cap->len, 96);
}
END_TEST

static ssize_t read_here(void *ctx, uint64_t addr, void *buf, size_t n)
{
	struct iovec l = { buf, n }, r = { (void *)addr, n };
	ssize_t got = process_vm_readv(getpid(), &l, 1, &r, 1, 0);

	(void)ctx;
	return got < 0 ? -errno : got;
}

/* The same call's captures by the interpreter must be the same bytes. */
static void same_captures(const struct tracer_ev_call *c)
{
	static _Alignas(8) uint8_t room[TRACER_EVENT_MAX];
	struct tracer_ev_call *twin = (void *)room;
	const struct mem_reader reader = { NULL, read_here };
	uint32_t base = (uint32_t)sizeof(*c) + 8u * c->nargs;

	memset(room, 0, sizeof(room));
	memcpy(twin, c, base);
	twin->head.size = base;
	twin->ncaptures = 0;
	capture_run(&control->plans[c->head.nr], &control->limits, &reader, 0, twin,
		    control->bound[c->head.nr]);
	ck_assert_uint_eq(twin->ncaptures, c->ncaptures);
	ck_assert_uint_eq(twin->head.size, c->head.size);
	ck_assert_mem_eq(room + base, (const uint8_t *)c + base, c->head.size - base);
}

START_TEST(buffers)
{
	int p[2];
	char text[100] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEF", in[100];
	struct iovec iov[3] = { { text, 5 }, { text + 5, 0 }, { text + 9, 20 } };
	struct stat st;
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	setup();
	munmap(page + 4096, 4096);
	plan_set(SYS_write, (struct capture_plan){ .nrules = 1, .nargs = 3, .rules = {
		{ .op = CAP_OP_BUF_ARG, .arg = 1, .len_arg = 2, .flags = CAP_F_IN | CAP_F_DATA } } });
	plan_set(SYS_read, (struct capture_plan){ .nrules = 1, .nargs = 3, .rules = {
		{ .op = CAP_OP_BUF_RET, .arg = 1, .len_arg = 2, .flags = CAP_F_OUT | CAP_F_DATA } } });
	plan_set(SYS_fstat, (struct capture_plan){ .nrules = 1, .nargs = 2, .rules = {
		{ .op = CAP_OP_MEM, .arg = 1, .len_arg = 0xff, .flags = CAP_F_OUT, .size = 144 } } });
	plan_set(SYS_writev, (struct capture_plan){ .nrules = 1, .nargs = 3, .rules = {
		{ .op = CAP_OP_IOV, .arg = 1, .len_arg = 2, .flags = CAP_F_IN | CAP_F_DATA } } });
	ck_assert_int_eq(pipe(p), 0);
	for (unsigned n = 0; n < 60; n++) {
		ck_assert_int_eq(call(SYS_write, p[1], (long)text, n, 0, 0, 0), n);
		same_captures(take());
		if (!n)
			continue;
		ck_assert_int_eq(call(SYS_read, p[0], (long)in, sizeof(in), 0, 0, 0), n);
		same_captures(take());
		ck_assert_int_eq(call(SYS_read, p[0], (long)page + 4096 - n, 0, 0, 0, 0), 0);
		same_captures(take());
	}
	ck_assert_int_eq(call(SYS_fstat, 0, (long)&st, 0, 0, 0, 0), 0);
	same_captures(take());
	ck_assert_int_eq(call(SYS_fstat, -1, (long)&st, 0, 0, 0, 0), -EBADF);
	same_captures(take());
	ck_assert_int_eq(call(SYS_fstat, 0, 8, 0, 0, 0, 0), -EFAULT);
	same_captures(take());
	ck_assert_int_eq(call(SYS_writev, p[1], (long)iov, 3, 0, 0, 0), 25);
	same_captures(take());
	p[1] = memfd_create("partial", MFD_CLOEXEC);
	ck_assert_int_eq(call(SYS_write, p[1], (long)page + 4090, 100, 0, 0, 0), 6);	/* a partial write */
	same_captures(take());
	ck_assert_int_eq(call(SYS_write, p[1], 8, 100, 0, 0, 0), -EFAULT);
	same_captures(take());
}
END_TEST

START_TEST(same_memory_for_both)
{
	uint64_t old = 0, set = 1ull << (SIGUSR1 - 1), given = set;
	const struct tracer_ev_call *c;

	setup();
	control->plans[SYS_rt_sigprocmask] = (struct capture_plan){
		.nrules = 2, .nargs = 4, .flags = CAP_PLAN_PAIRS, .wordsize = 8, .pairs = { 0 | 1 << 4 },
		.rules = { { .op = CAP_OP_MEM, .arg = 1, .len_arg = 0xff, .flags = CAP_F_IN, .size = 8 },
			   { .op = CAP_OP_MEM, .arg = 2, .len_arg = 0xff, .flags = CAP_F_OUT, .size = 8 } } };
	/* apart: nothing is taken before the call */
	ck_assert_int_eq(call(SYS_rt_sigprocmask, SIG_BLOCK, (long)&set, (long)&old, 8, 0, 0), 0);
	ck_assert_uint_eq(block->entered_pieces, 0);
	c = take();
	ck_assert_uint_eq(c->ncaptures, 2);
	ck_assert_mem_eq(capture_at(c, 0)->bytes, &given, 8);
	ck_assert_mem_eq(capture_at(c, 1)->bytes, &old, 8);
	/* together: the mask has USR1 now, and that is what the kernel writes */
	set = 1ull << (SIGUSR2 - 1);
	given = set;
	ck_assert_int_eq(call(SYS_rt_sigprocmask, SIG_BLOCK, (long)&set, (long)&set, 8, 0, 0), 0);
	ck_assert_uint_eq(block->entered_pieces, 1);
	ck_assert_uint_eq(set, old | 1ull << (SIGUSR1 - 1));
	c = take();
	ck_assert_uint_eq(c->ncaptures, 2);
	ck_assert_uint_eq(capture_at(c, 0)->flags, TRACER_CAP_IN);
	ck_assert_mem_eq(capture_at(c, 0)->bytes, &given, 8);
	ck_assert_uint_eq(capture_at(c, 1)->flags, TRACER_CAP_OUT);
	ck_assert_mem_eq(capture_at(c, 1)->bytes, &set, 8);
}
END_TEST

START_TEST(wraps_and_counts)
{
	uint64_t n = 0;

	setup();
	for (unsigned i = 0; i < 5000; i++) {
		const struct tracer_ev_call *c;

		call(SYS_getppid, i, 0, 0, 0, 0, 0);
		if (i % 7)
			continue;
		while ((c = take())) {
			ck_assert_uint_eq(c->args[0], n);
			n++;
		}
	}
	while (take())
		n++;
	ck_assert_uint_eq(n, 5000);
}
END_TEST

static void *drain(void *arg)
{
	uint64_t *n = arg;

	while (*n < 640) {
		const struct tracer_ev_call *c;

		usleep(1000);
		if (!atomic_load((_Atomic uint32_t *)&ring->waiting))
			continue;
		while (atomic_load((_Atomic uint64_t *)&ring->head) != ring->tail) {
			c = (const void *)(data + (ring->tail & (RING_SIZE - 1)));
			if (!c->head.kind || c->head.flags & TRACER_EVF_PENDING)
				break;
			ck_assert_uint_eq(c->args[0], *n);
			++*n;
			uint32_t size = c->head.size;

			memset(data + (ring->tail & (RING_SIZE - 1)), 0, size);
			atomic_fetch_add((_Atomic uint64_t *)&ring->tail, size);
		}
		atomic_fetch_add((_Atomic uint32_t *)&ring->wake, 1);
		syscall(SYS_futex, &ring->wake, 1, 1, NULL, NULL, 0);
	}
	return NULL;
}

START_TEST(waits_when_full)
{
	uint64_t n = 0;
	pthread_t t;

	setup();
	ck_assert_int_eq(pthread_create(&t, NULL, drain, &n), 0);
	for (unsigned i = 0; i < 700; i++)
		call(SYS_getppid, i, 0, 0, 0, 0, 0);
	ck_assert_int_eq(pthread_join(t, NULL), 0);
	ck_assert_uint_ge(n, 640);
	ck_assert_uint_gt(ring->waits, 0);
	ck_assert_uint_eq(ring->lost, 0);
}
END_TEST

START_TEST(drops_when_full)
{
	setup();
	control->drop = 1;
	for (unsigned i = 0; i < 700; i++)
		call(SYS_getppid, i, 0, 0, 0, 0, 0);
	ck_assert_uint_eq(ring->lost, 700 - RING_SIZE / (sizeof(struct tracer_ev_call) + 48));
	ck_assert_uint_eq(ring->waits, 0);
}
END_TEST

static void *consume(void *arg)
{
	static uint8_t copy[TRACER_EVENT_MAX] __attribute__((aligned(64)));
	const uint64_t *total = arg;
	struct ring r;
	uint64_t n = 0;

	ck_assert_int_eq(ring_open(&r, ring, ring_bytes(RING_SIZE), copy), 0);
	while (n < *total) {
		const struct tracer_ev_call *c = (const void *)ring_peek(&r);

		if (!c) {
			ck_assert(!r.bad);
			ring_publish(&r);
			continue;
		}
		ck_assert_uint_eq(c->args[0], n);
		ck_assert_uint_eq(c->ncaptures, n % 3 == 0);
		n++;
		ring_consume(&r);
	}
	return NULL;
}

/* Records that reserve far more than they keep, against the real consumer. */
START_TEST(with_the_consumer)
{
	uint64_t total = 300000;
	pthread_t t;

	setup();
	plan_set(SYS_access, (struct capture_plan){ .nrules = 1, .nargs = 3, .rules = {
		{ .op = CAP_OP_STR, .arg = 2, .len_arg = 0xff, .flags = CAP_F_IN } } });
	control->limits.path_max = 2000;
	ck_assert_int_eq(pthread_create(&t, NULL, consume, &total), 0);
	for (uint64_t i = 0; i < total; i++)
		call(SYS_access, (long)i, 0, i % 3 ? 0 : (long)"/some/path/that/is/captured", 0, 0, 0);
	ck_assert_int_eq(pthread_join(t, NULL), 0);
	ck_assert_uint_eq(ring->lost, 0);
}
END_TEST

int main(void)
{
	return unit_run("agent",
			(const TTest *const[]){plain_record, actions, strings, buffers, same_memory_for_both,
					       wraps_and_counts, waits_when_full, drops_when_full,
					       with_the_consumer, NULL});
}
