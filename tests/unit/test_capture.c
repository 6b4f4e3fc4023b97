/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capture plans against memory that is a byte array: what each rule gives, and
 * every limit.  Pages of the array that are not mapped fault.
 */
#include "config.h"
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include "capture/capture.h"
#include "ring/ring.h"
#include "unit.h"

#define BASE 0x10000u
#define PAGES 4u
#define PAGE 4096u

static uint8_t memory[PAGES * PAGE];
static unsigned mapped = (1u << PAGES) - 1;	/* bit: page is there */
static bool refused;
static uint64_t record[TRACER_EVENT_MAX / 8];
static struct tracer_ev_call *const call = (struct tracer_ev_call *)record;
static struct capture_limits lim;

static ssize_t memory_read(void *ctx, uint64_t addr, void *buf, size_t n)
{
	size_t got = 0;

	(void)ctx;
	if (refused)
		return -EPERM;
	while (got < n) {
		uint64_t at = addr + got - BASE, page = at / PAGE;

		if (addr + got < BASE || page >= PAGES || !(mapped >> page & 1))
			break;
		((uint8_t *)buf)[got++] = memory[at];
	}
	return got ? (ssize_t)got : -EFAULT;
}

static const struct mem_reader reader = { NULL, memory_read };

static void begin(unsigned nargs, const uint64_t *args, int64_t ret)
{
	lim = (struct capture_limits){ .string_max = 8, .path_max = 100, .vector_max = 4, .total_max = 1000 };
	mapped = (1u << PAGES) - 1;
	refused = false;
	memset(record, 0xaa, sizeof(record));
	memset(call, 0, sizeof(*call));
	call->head.kind = TRACER_EV_CALL;
	call->head.tid = 1;
	call->nargs = (uint8_t)nargs;
	memcpy(call->args, args, 8 * nargs);
	call->head.size = (uint32_t)sizeof(*call) + 8 * nargs;
	call->ret = ret;
	if (ret < 0)
		call->head.flags = TRACER_EVF_ERROR;
}

#define BEGIN(ret, ...) begin(sizeof((uint64_t[]){ __VA_ARGS__ }) / 8, (uint64_t[]){ __VA_ARGS__ }, ret)

static void capture_one(struct capture_rule rule, unsigned phase)
{
	struct capture_plan plan = { .nrules = 1, .nargs = call->nargs, .wordsize = 8, .rules = { rule } };

	if (rule.flags & CAP_F_ENTER)
		plan.flags |= CAP_PLAN_ENTER;
	capture_run(&plan, &lim, &reader, phase, call, capture_bound(&plan, &lim));
	ck_assert_uint_le(call->head.size, capture_bound(&plan, &lim));
	ck_assert_int_eq(event_check(&call->head, call->head.size), 0);
}

static const struct tracer_capture *piece(unsigned i)
{
	const struct tracer_capture *c = event_capture(call, i);

	ck_assert_ptr_nonnull(c);
	return c;
}

static void piece_is(unsigned i, unsigned index, unsigned flags, const void *bytes, uint32_t len)
{
	const struct tracer_capture *c = piece(i);

	ck_assert_uint_eq(c->index, index);
	ck_assert_uint_eq(c->flags, flags);
	ck_assert_uint_eq(c->len, len);
	ck_assert_mem_eq(c->bytes, bytes, len);
}

static void put(uint32_t at, const void *p, size_t n)
{
	memcpy(memory + at, p, n);
}

static void put_word(uint32_t at, uint64_t v)
{
	put(at, &v, 8);
}

START_TEST(strings)
{
	struct capture_rule path = { .op = CAP_OP_STR, .arg = 1, .len_arg = 0xff, .flags = CAP_F_IN };
	struct capture_rule text = path;

	text.flags |= CAP_F_DATA;
	put(0, "0123456789", 11);
	BEGIN(0, 0, BASE);
	capture_one(path, 0);
	piece_is(0, 0, TRACER_CAP_IN, "0123456789", 10);
	/* user data: cut by -s */
	BEGIN(0, 0, BASE);
	capture_one(text, 0);
	piece_is(0, 0, TRACER_CAP_IN | TRACER_CAP_TRUNCATED, "01234567", 8);
	/* exactly as long as the limit */
	put(8, "", 1);
	BEGIN(0, 0, BASE);
	capture_one(text, 0);
	piece_is(0, 0, TRACER_CAP_IN, "01234567", 8);
	/* -s 0: none */
	BEGIN(0, 0, BASE);
	lim.string_max = 0;
	capture_one(text, 0);
	ck_assert_uint_eq(call->ncaptures, 0);
	/* NULL: none; the empty string: a piece without bytes */
	BEGIN(0, 0, 0);
	capture_one(path, 0);
	ck_assert_uint_eq(call->ncaptures, 0);
	BEGIN(0, 0, BASE + 8);
	capture_one(path, 0);
	piece_is(0, 0, TRACER_CAP_IN, "", 0);
}
END_TEST

START_TEST(strings_and_pages)
{
	struct capture_rule path = { .op = CAP_OP_STR, .arg = 0, .len_arg = 0xff, .flags = CAP_F_IN };

	/* over a page boundary */
	memset(memory, 'x', sizeof(memory));
	put(PAGE + 10, "", 1);
	BEGIN(0, BASE + PAGE - 10);
	capture_one(path, 0);
	ck_assert_uint_eq(piece(0)->len, 20);
	ck_assert_uint_eq(piece(0)->flags, TRACER_CAP_IN);
	/* the next page is not there */
	BEGIN(0, BASE + PAGE - 10);
	mapped = 1;
	capture_one(path, 0);
	piece_is(0, 0, TRACER_CAP_IN | TRACER_CAP_FAULT, "xxxxxxxxxx", 10);
	/* it ends right before a page that is not there */
	put(PAGE - 1, "", 1);
	BEGIN(0, BASE + PAGE - 10);
	mapped = 1;
	capture_one(path, 0);
	piece_is(0, 0, TRACER_CAP_IN, "xxxxxxxxx", 9);
	/* nothing is there */
	BEGIN(0, 1);
	capture_one(path, 0);
	piece_is(0, 0, TRACER_CAP_IN | TRACER_CAP_FAULT, "", 0);
	/* wraps around the end of the address space */
	BEGIN(0, UINT64_MAX - 3);
	capture_one(path, 0);
	piece_is(0, 0, TRACER_CAP_IN | TRACER_CAP_FAULT, "", 0);
}
END_TEST

START_TEST(refused_memory_gives_nothing)
{
	struct capture_rule path = { .op = CAP_OP_STR, .arg = 0, .len_arg = 0xff, .flags = CAP_F_IN };
	uint32_t size;

	BEGIN(0, BASE);
	refused = true;
	size = call->head.size;
	capture_one(path, 0);
	ck_assert_uint_eq(call->ncaptures, 0);
	ck_assert_uint_eq(call->head.size, size);
}
END_TEST

START_TEST(buffers)
{
	struct capture_rule in = { .op = CAP_OP_BUF_ARG, .arg = 0, .len_arg = 1, .flags = CAP_F_IN | CAP_F_DATA };
	struct capture_rule out = { .op = CAP_OP_BUF_RET, .arg = 0, .len_arg = 0xff, .flags = CAP_F_OUT | CAP_F_DATA };

	put(0, "abcdefghijklmnop", 16);
	BEGIN(5, BASE, 5);
	capture_one(in, 0);
	piece_is(0, 0, TRACER_CAP_IN, "abcde", 5);
	/* a failed write: the kernel may have read it */
	BEGIN(-EIO, BASE, 5);
	capture_one(in, 0);
	ck_assert_uint_eq(call->ncaptures, 1);
	BEGIN(12, BASE, 100);
	capture_one(out, 0);
	piece_is(0, 0, TRACER_CAP_OUT | TRACER_CAP_TRUNCATED, "abcdefgh", 8);
	/* end of file: no bytes, but a piece; a failed read: none */
	BEGIN(0, BASE, 100);
	capture_one(out, 0);
	piece_is(0, 0, TRACER_CAP_OUT, "", 0);
	BEGIN(-EIO, BASE, 100);
	capture_one(out, 0);
	ck_assert_uint_eq(call->ncaptures, 0);
	/* absurd length */
	BEGIN(0, BASE + PAGES * PAGE - 4, UINT64_MAX);
	capture_one(in, 0);
	ck_assert_uint_eq(piece(0)->len, 4);
	ck_assert_uint_eq(piece(0)->flags, TRACER_CAP_IN | TRACER_CAP_TRUNCATED | TRACER_CAP_FAULT);
	/* elements */
	in.flags = CAP_F_IN;
	in.size = 8;
	BEGIN(0, BASE, 2);
	capture_one(in, 0);
	ck_assert_uint_eq(piece(0)->len, 16);
	BEGIN(0, BASE, UINT64_MAX / 4);
	capture_one(in, 0);
	ck_assert_uint_eq(piece(0)->len, lim.total_max);
	ck_assert(piece(0)->flags & TRACER_CAP_TRUNCATED);
}
END_TEST

START_TEST(objects)
{
	struct capture_rule obj = { .op = CAP_OP_MEM, .arg = 0, .len_arg = 0xff, .flags = CAP_F_OUT, .size = 24 };
	struct capture_rule many = { .op = CAP_OP_OBJS_RET, .arg = 0, .len_arg = 0xff, .flags = CAP_F_OUT, .size = 12 };

	BEGIN(0, BASE);
	capture_one(obj, 0);
	ck_assert_uint_eq(piece(0)->len, 24);
	BEGIN(-EFAULT, BASE);
	capture_one(obj, 0);
	ck_assert_uint_eq(call->ncaptures, 0);
	obj.flags |= CAP_F_ALWAYS;
	BEGIN(-EFAULT, BASE);
	capture_one(obj, 0);
	ck_assert_uint_eq(call->ncaptures, 1);
	BEGIN(3, BASE);
	capture_one(many, 0);
	ck_assert_uint_eq(piece(0)->len, 36);
	/* whole objects only */
	BEGIN(1000000, BASE);
	capture_one(many, 0);
	ck_assert_uint_eq(piece(0)->len, lim.total_max - lim.total_max % 12);
	ck_assert_uint_eq(piece(0)->flags, TRACER_CAP_OUT | TRACER_CAP_TRUNCATED);
}
END_TEST

START_TEST(length_by_pointer)
{
	struct capture_rule addr = { .op = CAP_OP_BUF_PTR, .arg = 0, .len_arg = 1, .flags = CAP_F_OUT };
	uint32_t len = 16;

	put(64, &len, 4);
	BEGIN(3, BASE, BASE + 64);
	capture_one(addr, 0);
	ck_assert_uint_eq(piece(0)->len, 16);
	len = UINT32_MAX;
	put(64, &len, 4);
	BEGIN(3, BASE, BASE + 64);
	capture_one(addr, 0);
	ck_assert_uint_eq(piece(0)->len, CAPTURE_NAME_MAX);
	BEGIN(3, BASE, 0);
	capture_one(addr, 0);
	ck_assert_uint_eq(call->ncaptures, 0);
	BEGIN(3, BASE, 4);
	capture_one(addr, 0);
	ck_assert_uint_eq(call->ncaptures, 0);
}
END_TEST

START_TEST(vectors)
{
	struct capture_rule argv = { .op = CAP_OP_STRV, .arg = 0, .len_arg = 0xff, .flags = CAP_F_IN | CAP_F_ENTER };
	struct capture_rule envp = { .op = CAP_OP_COUNTV, .arg = 0, .len_arg = 0xff, .flags = CAP_F_IN | CAP_F_ENTER };
	uint64_t two = 2;

	put(512, "one\0two", 8);
	put_word(0, BASE + 512);
	put_word(8, BASE + 516);
	put_word(16, 0);
	BEGIN(0, BASE);
	capture_one(argv, CAP_F_ENTER);
	piece_is(0, 0, TRACER_CAP_IN, "one\0two", 8);
	BEGIN(0, BASE);
	capture_one(envp, CAP_F_ENTER);
	piece_is(0, 0, TRACER_CAP_IN, &two, 8);
	/* not in the other phase */
	BEGIN(0, BASE);
	capture_one(argv, 0);
	ck_assert_uint_eq(call->ncaptures, 0);
	/* the limit of strings */
	for (uint32_t i = 0; i < 10; i++)
		put_word(i * 8, BASE + 512);
	put_word(80, 0);
	BEGIN(0, BASE);
	capture_one(argv, CAP_F_ENTER);
	piece_is(0, 0, TRACER_CAP_IN | TRACER_CAP_TRUNCATED, "one\0one\0one\0one", 16);
	/* a bad string ends it, with what there was */
	put_word(8, 3);
	BEGIN(0, BASE);
	capture_one(argv, CAP_F_ENTER);
	piece_is(0, 0, TRACER_CAP_IN | TRACER_CAP_FAULT, "one\0", 5);
	/* the vector runs into a hole */
	put_word(PAGE - 8, BASE + 512);
	BEGIN(0, BASE + PAGE - 8);
	mapped = 1;
	capture_one(argv, CAP_F_ENTER);
	piece_is(0, 0, TRACER_CAP_IN | TRACER_CAP_FAULT, "one", 4);
	BEGIN(0, BASE + PAGE - 8);
	mapped = 1;
	capture_one(envp, CAP_F_ENTER);
	ck_assert(piece(0)->flags & TRACER_CAP_FAULT);
}
END_TEST

static void put_iov(uint32_t at, uint64_t base, uint64_t len)
{
	put_word(at, base);
	put_word(at + 8, len);
}

START_TEST(iovecs)
{
	struct capture_rule in = { .op = CAP_OP_IOV, .arg = 0, .len_arg = 1, .flags = CAP_F_IN | CAP_F_DATA };
	struct capture_rule out = { .op = CAP_OP_IOV_RET, .arg = 0, .len_arg = 1, .flags = CAP_F_OUT | CAP_F_DATA };

	put(512, "abcdefghijklmnop", 16);
	put_iov(0, BASE + 512, 3);
	put_iov(16, 0, 0);
	put_iov(32, BASE + 515, 10);
	BEGIN(13, BASE, 3);
	capture_one(in, 0);
	ck_assert_uint_eq(call->ncaptures, 3);
	piece_is(0, 0, TRACER_CAP_IN, memory, 48);
	piece_is(1, 1, TRACER_CAP_IN, "abc", 3);
	/* what -s leaves, over all elements */
	piece_is(2, 3, TRACER_CAP_IN | TRACER_CAP_TRUNCATED, "defgh", 5);
	/* as far as the call read */
	BEGIN(5, BASE, 3);
	capture_one(out, 0);
	piece_is(1, 1, TRACER_CAP_OUT, "abc", 3);
	piece_is(2, 3, TRACER_CAP_OUT, "de", 2);
	BEGIN(-EIO, BASE, 3);
	capture_one(out, 0);
	ck_assert_uint_eq(call->ncaptures, 0);
	/* -s 0: the array alone */
	BEGIN(13, BASE, 3);
	lim.string_max = 0;
	capture_one(in, 0);
	ck_assert_uint_eq(call->ncaptures, 1);
	/* absurd count: the vector limit */
	BEGIN(13, BASE, UINT64_MAX);
	capture_one(in, 0);
	ck_assert_uint_eq(piece(0)->len, 64);
	ck_assert(piece(0)->flags & TRACER_CAP_TRUNCATED);
	/* a bad element ends the data */
	put_iov(0, 1, 3);
	BEGIN(13, BASE, 3);
	capture_one(in, 0);
	ck_assert_uint_eq(call->ncaptures, 2);
	piece_is(1, 1, TRACER_CAP_IN | TRACER_CAP_FAULT, "", 0);
}
END_TEST

START_TEST(messages)
{
	struct capture_rule in = { .op = CAP_OP_MSGHDR, .arg = 0, .len_arg = 0xff, .flags = CAP_F_IN | CAP_F_DATA };

	put(512, "name", 4);
	put(600, "control!", 8);
	put(700, "data", 4);
	memset(memory, 0, 56);
	put_word(0, BASE + 512);
	put_word(8, 4);
	put_word(16, BASE + 128);
	put_word(24, 1);
	put_word(32, BASE + 600);
	put_word(40, 8);
	put_iov(128, BASE + 700, 4);
	BEGIN(4, BASE);
	capture_one(in, 0);
	ck_assert_uint_eq(call->ncaptures, 5);
	piece_is(0, 0, TRACER_CAP_IN, memory, 56);
	piece_is(1, 1, TRACER_CAP_IN, "name", 4);
	piece_is(2, 2, TRACER_CAP_IN, memory + 128, 16);
	piece_is(3, 4, TRACER_CAP_IN, "data", 4);
	piece_is(4, 3, TRACER_CAP_IN, "control!", 8);
	/* absurd lengths */
	put_word(8, UINT32_MAX);
	put_word(40, UINT64_MAX);
	BEGIN(4, BASE);
	capture_one(in, 0);
	ck_assert_uint_eq(piece(1)->len, CAPTURE_NAME_MAX);
	ck_assert_uint_eq(piece(4)->len, CAPTURE_CONTROL_MAX);
}
END_TEST

START_TEST(words_of_four_bytes)
{
	struct capture_plan plan = { .nrules = 1, .nargs = 2, .wordsize = 4, .rules = {
		{ .op = CAP_OP_IOV, .arg = 0, .len_arg = 1, .flags = CAP_F_IN | CAP_F_DATA } } };
	uint32_t iov[2] = { BASE + 512, 4 };

	put(512, "abcd", 4);
	put(0, iov, 8);
	BEGIN(4, BASE, 1);
	capture_run(&plan, &lim, &reader, 0, call, capture_bound(&plan, &lim));
	piece_is(0, 0, TRACER_CAP_IN, iov, 8);
	piece_is(1, 1, TRACER_CAP_IN, "abcd", 4);
}
END_TEST

START_TEST(total_limit)
{
	struct capture_plan plan = { .nrules = 3, .nargs = 1, .wordsize = 8, .rules = {
		{ .op = CAP_OP_MEM, .arg = 0, .len_arg = 0xff, .flags = CAP_F_IN, .size = 60 },
		{ .op = CAP_OP_MEM, .arg = 0, .len_arg = 0xff, .flags = CAP_F_IN, .size = 60 },
		{ .op = CAP_OP_MEM, .arg = 0, .len_arg = 0xff, .flags = CAP_F_IN, .size = 60 } } };

	BEGIN(0, BASE);
	lim.total_max = 100;
	capture_run(&plan, &lim, &reader, 0, call, capture_bound(&plan, &lim));
	/* the second is cut, the third is left out */
	ck_assert_uint_eq(call->ncaptures, 2);
	ck_assert_uint_eq(piece(1)->len, 40);
	ck_assert(piece(1)->flags & TRACER_CAP_TRUNCATED);
	/* no record is larger than a ring takes */
	lim.total_max = UINT32_MAX;
	ck_assert_uint_eq(capture_bound(&plan, &lim) % 8, 0);
	plan.rules[0].op = CAP_OP_MSGHDR;
	ck_assert_uint_le(capture_bound(&plan, &lim), TRACER_EVENT_MAX);
}
END_TEST

/* A plan whose rules name arguments that the record does not have. */
START_TEST(bad_plan)
{
	struct capture_rule rule = { .op = CAP_OP_BUF_ARG, .arg = 5, .len_arg = 1, .flags = CAP_F_IN };

	BEGIN(0, BASE, 8);
	capture_one(rule, 0);
	ck_assert_uint_eq(call->ncaptures, 0);
	rule.arg = 0;
	rule.len_arg = 0xff;
	BEGIN(0, BASE, 8);
	capture_one(rule, 0);
	ck_assert_uint_eq(call->ncaptures, 0);
}
END_TEST

/* rt_sigprocmask(how, set, oldset): set is read, oldset is written. */
static const struct capture_plan two = {
	.nrules = 2, .nargs = 3, .flags = CAP_PLAN_PAIRS, .wordsize = 8, .pairs = { 0 | 1 << 4 },
	.rules = { { .op = CAP_OP_MEM, .arg = 1, .len_arg = 0xff, .flags = CAP_F_IN, .size = 8 },
		   { .op = CAP_OP_MEM, .arg = 2, .len_arg = 0xff, .flags = CAP_F_OUT, .size = 8 } },
};

/* The call as an engine does it: what it reads is there before, what it writes behind. */
static void run_two(uint64_t set, uint64_t oldset)
{
	BEGIN(0, 2, set, oldset);
	put(set - BASE, "question", 8);
	capture_run(&two, &lim, &reader, CAP_F_ENTER, call, capture_bound(&two, &lim));
	put(oldset - BASE, "answers!", 8);
	capture_run(&two, &lim, &reader, 0, call, capture_bound(&two, &lim));
	ck_assert_int_eq(event_check(&call->head, call->head.size), 0);
	ck_assert_uint_eq(call->ncaptures, 2);
}

START_TEST(same_memory_for_both)
{
	run_two(BASE, BASE + 64);
	ck_assert(!capture_any_early(&two, call->args));
	piece_is(0, 0, TRACER_CAP_IN, "question", 8);
	piece_is(1, 0, TRACER_CAP_OUT, "answers!", 8);
	run_two(BASE, BASE);
	ck_assert(capture_any_early(&two, call->args));
	piece_is(0, 0, TRACER_CAP_IN, "question", 8);
	piece_is(1, 0, TRACER_CAP_OUT, "answers!", 8);
	/* a part of it: on either side, up to the last byte */
	for (int shift = -9; shift <= 9; shift++) {
		run_two(BASE + 64, BASE + 64 + (uint64_t)(int64_t)shift);
		ck_assert_int_eq(capture_any_early(&two, call->args), shift > -8 && shift < 8);
		piece_is(0, 0, TRACER_CAP_IN, "question", 8);
	}
	/* no set: nothing is taken before the call, and nothing goes wrong where both are NULL */
	BEGIN(0, 2, 0, 0);
	capture_run(&two, &lim, &reader, CAP_F_ENTER, call, capture_bound(&two, &lim));
	capture_run(&two, &lim, &reader, 0, call, capture_bound(&two, &lim));
	ck_assert_uint_eq(call->ncaptures, 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { strings, strings_and_pages, refused_memory_gives_nothing, buffers, objects,
				       length_by_pointer, vectors, iovecs, messages, words_of_four_bytes,
				       total_limit, bad_plan, same_memory_for_both, NULL };

	return unit_run("capture", tests);
}
