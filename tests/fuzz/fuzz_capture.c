/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capture plans over memory that a hostile program made.  The input is a plan,
 * arguments, limits and the bytes of a small address space with holes; every
 * record must pass event_check() and stay within its bound.
 */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "capture/capture.h"
#include "fuzz.h"
#include "ring/ring.h"

#define BASE 0x1000u

struct head {
	struct capture_plan plan;
	struct capture_limits lim;
	uint64_t args[TRACER_ARGS_MAX];
	int64_t ret;
	uint32_t hole;		/* addresses with this bit are not there */
	uint32_t room;		/* taken off the bound */
};

struct space { const uint8_t *p; size_t n; uint32_t hole; };

static ssize_t space_read(void *ctx, uint64_t addr, void *buf, size_t n)
{
	const struct space *s = ctx;
	size_t got = 0;

	for (; got < n && addr + got >= BASE && addr + got < BASE + s->n && !((addr + got) & s->hole); got++)
		((uint8_t *)buf)[got] = s->p[addr + got - BASE];
	return got ? (ssize_t)got : -EFAULT;
}

static void require(int ok)
{
	if (!ok)
		abort();
}

static void limits_clamp(struct head *h)
{
	h->plan.nargs = h->plan.nargs % (TRACER_ARGS_MAX + 1);
	h->plan.wordsize = h->plan.wordsize & 1 ? 4 : 8;
	h->lim.string_max %= 70000;
	h->lim.path_max %= 70000;
	h->lim.vector_max %= 2000;
	h->lim.total_max %= 70000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tracer_ev_call *c;
	struct space space;
	struct mem_reader mem = { &space, space_read };
	uint32_t bound;
	struct head h;

	if (size < sizeof(h))
		return 0;
	memcpy(&h, data, sizeof(h));
	limits_clamp(&h);
	space = (struct space){ data + sizeof(h), size - sizeof(h), h.hole };
	bound = capture_bound(&h.plan, &h.lim);
	require(bound <= TRACER_EVENT_MAX && bound % 8 == 0);
	bound -= h.room % (bound - (uint32_t)sizeof(*c) - 8 * TRACER_ARGS_MAX + 1) & ~7u;
	/* exactly as much memory as the record may take */
	c = calloc(1, bound < sizeof(*c) + 48 ? sizeof(*c) + 48 : bound);
	require(c != NULL);
	c->head.kind = TRACER_EV_CALL;
	c->head.tid = 1;
	c->head.flags = h.ret < 0 ? TRACER_EVF_ERROR : 0;
	c->ret = h.ret;
	c->nargs = h.plan.nargs;
	c->head.size = (uint32_t)sizeof(*c) + 8u * c->nargs;
	memcpy(c->args, h.args, 8u * c->nargs);
	capture_run(&h.plan, &h.lim, &mem, CAP_F_ENTER, c, bound);
	capture_run(&h.plan, &h.lim, &mem, 0, c, bound);
	require(c->head.size <= bound || c->ncaptures == 0);
	require(event_check(&c->head, c->head.size) == 0);
	free(c);
	return 0;
}

struct fuzz_seed fuzz_seed(unsigned i)
{
	static struct { struct head h; uint64_t space[512]; } seed;
	uint8_t op = (uint8_t)(i + 1);

	if (op > CAP_OP_OBJS_RET)
		return (struct fuzz_seed){ NULL, 0 };
	memset(&seed, 0, sizeof(seed));
	for (unsigned r = 0; r < 3; r++)
		seed.h.plan.rules[r] = (struct capture_rule){
			op, (uint8_t)r, (uint8_t)(r + 3), (uint8_t)(r == 1 ? CAP_F_IN | CAP_F_ENTER : CAP_F_OUT | CAP_F_DATA),
			16, 0 };
	seed.h.plan.nrules = 3;
	seed.h.plan.nargs = 6;
	seed.h.plan.flags = CAP_PLAN_ENTER;
	seed.h.lim = (struct capture_limits){ 32, 4096, 64, 16384 };
	for (unsigned a = 0; a < 3; a++)
		seed.h.args[a] = BASE + 256 * a, seed.h.args[a + 3] = BASE + 1024;
	seed.h.ret = 5;
	/* words that are addresses or small lengths, a string at the end */
	for (unsigned w = 0; w < 384; w++)
		seed.space[w] = w % 2 ? 7 : BASE + 3072 + w % 64;
	memset(&seed.space[384], 'x', 1000);
	return (struct fuzz_seed){ &seed, sizeof(seed) };
}
