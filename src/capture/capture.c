/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interpreter of capture plans (capture_abi.h says what each rule gives).
 * Runs on the supervisor thread at a stop of the task; writes into the record
 * that the engine has reserved and owns.  Everything read from the tracee -
 * pointers, counts, lengths - is untrusted and clamped before use.
 */
#include "config.h"
#include "capture/capture.h"
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define HEAD ((uint32_t)sizeof(struct tracer_capture))
#define CHUNK 256u		/* first bytes of a string: most paths fit */
#define PAGE 4096u
#define IOV_ELEMENTS_MAX 1024u	/* UIO_MAXIOV */
#define MSGHDR_MAX 56u

struct run {
	const struct capture_plan *plan;
	const struct capture_limits *lim;
	const struct mem_reader *mem;
	struct tracer_ev_call *call;
	uint32_t size;			/* of the record so far */
	uint32_t space;			/* of the whole record, multiple of 8 */
	uint32_t left;			/* of total_max */
	bool denied;			/* memory may not be read at all */
};

/* A piece under construction. */
struct piece {
	struct tracer_capture *cap;
	uint32_t room, len;
	uint8_t flags;
};

static uint32_t min_u32(uint64_t a, uint32_t b)
{
	return a < b ? (uint32_t)a : b;
}

static bool failed(const struct run *run)
{
	return run->call->head.flags & TRACER_EVF_ERROR;
}

static bool piece_open(struct run *run, struct piece *p, const struct capture_rule *rule, unsigned index)
{
	struct tracer_ev_call *c = run->call;

	if (run->denied || c->ncaptures >= TRACER_CAPTURES_MAX || run->size + HEAD + 8 > run->space)
		return false;
	p->cap = (struct tracer_capture *)((uint8_t *)c + run->size);
	p->cap->arg = rule->arg;
	p->cap->index = (uint16_t)index;
	p->flags = rule->flags & (CAP_F_IN | CAP_F_OUT);
	p->room = min_u32(run->left, run->space - run->size - HEAD);
	p->len = 0;
	return p->room > 0;
}

static void piece_close(struct run *run, struct piece *p)
{
	uint32_t padded = TRACER_ALIGN8(p->len);

	if (run->denied)
		return;
	memset(p->cap->bytes + p->len, 0, padded - p->len);
	p->cap->flags = p->flags;
	p->cap->len = p->len;
	run->size += HEAD + padded;
	run->call->ncaptures++;
	run->left -= p->len;
}

/* All n bytes, or those before the first that cannot be read. */
static uint32_t bytes_read(struct run *run, uint64_t addr, void *buf, uint32_t n)
{
	uint32_t got = 0;

	while (got < n) {
		ssize_t r = run->mem->read(run->mem->ctx, addr + got, (uint8_t *)buf + got, n - got);

		if (r <= 0) {
			run->denied |= r == -EPERM;
			break;
		}
		got += (uint32_t)r;
	}
	return got;
}

/* Adds n of want bytes at addr to the piece, as far as there is room. */
static void piece_add(struct run *run, struct piece *p, uint64_t addr, uint64_t want, uint32_t limit)
{
	uint32_t n = min_u32(want, limit < p->room ? limit : p->room), got;

	if (n < want)
		p->flags |= TRACER_CAP_TRUNCATED;
	got = bytes_read(run, addr, p->cap->bytes + p->len, n);
	if (got < n)
		p->flags |= TRACER_CAP_FAULT;
	p->len += got;
	p->room -= got;
}

/* A string at addr behind what the piece has; its NUL is read but not counted.
 * Reads in small steps that end at page boundaries: the next page may not be there. */
static void piece_add_string(struct run *run, struct piece *p, uint64_t addr, uint32_t limit)
{
	uint8_t *to = p->cap->bytes + p->len, *nul = NULL;
	uint32_t max = min_u32(limit, p->room), len = 0;

	while (!nul && len < max) {
		uint32_t n = min_u32(PAGE - ((addr + len) & (PAGE - 1)), len ? PAGE : CHUNK), got;

		n = min_u32(n, max - len);
		got = bytes_read(run, addr + len, to + len, n);
		nul = memchr(to + len, 0, got);
		len += nul ? (uint32_t)(nul - (to + len)) : got;
		if (!nul && got < n) {
			p->flags |= TRACER_CAP_FAULT;
			break;
		}
	}
	if (!nul && !(p->flags & TRACER_CAP_FAULT)) {
		uint8_t end = 1;

		/* exactly as long as the limit is not cut */
		if (bytes_read(run, addr + len, &end, 1) != 1 || end)
			p->flags |= TRACER_CAP_TRUNCATED;
	}
	p->len += len;
	p->room -= len;
}

static uint64_t word_load(const uint8_t *p, unsigned wordsize)
{
	uint32_t w4;
	uint64_t w8;

	if (wordsize == 4) {
		memcpy(&w4, p, 4);
		return w4;
	}
	memcpy(&w8, p, 8);
	return w8;
}

static uint32_t string_limit(const struct run *run, const struct capture_rule *rule)
{
	return rule->flags & CAP_F_DATA ? run->lim->string_max : run->lim->path_max;
}

static void string_run(struct run *run, const struct capture_rule *rule, uint64_t addr)
{
	struct piece p;

	if (!piece_open(run, &p, rule, 0))
		return;
	piece_add_string(run, &p, addr, string_limit(run, rule));
	piece_close(run, &p);
}

static void buffer_run(struct run *run, const struct capture_rule *rule, uint64_t addr, uint64_t len)
{
	struct piece p;

	if (!piece_open(run, &p, rule, 0))
		return;
	piece_add(run, &p, addr, len, rule->flags & CAP_F_DATA ? run->lim->string_max : UINT32_MAX);
	piece_close(run, &p);
}

static void objects_run(struct run *run, const struct capture_rule *rule, uint64_t addr)
{
	uint64_t count = (uint64_t)run->call->ret;
	struct piece p;

	if (!rule->size || run->call->ret < 0 || !piece_open(run, &p, rule, 0))
		return;
	count = min_u32(count, TRACER_EVENT_MAX);
	piece_add(run, &p, addr, count * rule->size, p.room - p.room % rule->size);
	piece_close(run, &p);
}

/* Length of a buffer that a 32-bit word in memory tells (socklen_t *). */
static void buffer_ptr_run(struct run *run, const struct capture_rule *rule, uint64_t addr)
{
	uint64_t at = run->call->args[rule->len_arg];
	uint32_t len = 0;

	if (at && bytes_read(run, at, &len, sizeof(len)) == sizeof(len))
		buffer_run(run, rule, addr, min_u32(len, rule->size ? rule->size : CAPTURE_NAME_MAX));
}

/* One string of a vector, with a NUL even where it was cut.  False: the piece is full. */
static bool vector_element_run(struct run *run, struct piece *p, uint64_t addr, uint32_t limit)
{
	if (p->room < 2) {
		p->flags |= TRACER_CAP_TRUNCATED;
		return false;
	}
	p->room--;	/* for the NUL */
	piece_add_string(run, p, addr, limit);
	p->cap->bytes[p->len++] = '\0';
	return !(p->flags & TRACER_CAP_FAULT);
}

static void vector_run(struct run *run, const struct capture_rule *rule, uint64_t addr)
{
	unsigned word = run->plan->wordsize;
	uint8_t words[16 * 8];
	uint32_t have = 0;
	bool more = true;
	struct piece p;

	if (!piece_open(run, &p, rule, 0))
		return;
	for (uint32_t i = 0; more; i++) {
		uint64_t s;

		if (i % 16 == 0)
			have = i + bytes_read(run, addr + (uint64_t)i * word, words, 16 * word) / word;
		/* the vector itself ends at an unmapped page */
		if (i >= have) {
			p.flags |= TRACER_CAP_FAULT;
			break;
		}
		s = word_load(words + i % 16 * word, word);
		if (s && i >= run->lim->vector_max)
			p.flags |= TRACER_CAP_TRUNCATED;
		if (!s || i >= run->lim->vector_max)
			break;
		more = vector_element_run(run, &p, s, string_limit(run, rule));
	}
	piece_close(run, &p);
}

static void count_run(struct run *run, const struct capture_rule *rule, uint64_t addr)
{
	unsigned word = run->plan->wordsize;
	uint8_t words[512];
	uint64_t count = 0;
	struct piece p;
	bool more = true;

	if (!piece_open(run, &p, rule, 0) || p.room < sizeof(count))
		return;
	while (more) {
		uint32_t got = bytes_read(run, addr + count * word, words, sizeof(words)) / word;
		uint32_t i = 0;

		while (i < got && word_load(words + i * word, word))
			i++;
		count += i;
		more = i == sizeof(words) / word && count <= CAPTURE_COUNT_MAX;
		if (i == got && !more)
			p.flags |= count > CAPTURE_COUNT_MAX ? TRACER_CAP_TRUNCATED : TRACER_CAP_FAULT;
	}
	memcpy(p.cap->bytes, &count, sizeof(count));
	p.len = sizeof(count);
	piece_close(run, &p);
}

/* Data of the elements of an iovec array that lies in the record already. */
static void iov_data_run(struct run *run, const struct capture_rule *rule, const uint8_t *array,
			 uint32_t elements, uint64_t total, unsigned index)
{
	unsigned word = run->plan->wordsize;
	uint32_t limit = run->lim->string_max;

	for (uint32_t i = 0; i < elements && limit && total; i++) {
		uint64_t base = word_load(array + i * 2 * word, word);
		uint64_t len = word_load(array + (i * 2 + 1) * word, word);
		struct piece p;

		if (len > total)
			len = total;
		if (!len)
			continue;
		if (!piece_open(run, &p, rule, index + i))
			return;
		piece_add(run, &p, base, len, limit);
		limit -= p.len;
		total -= len;
		piece_close(run, &p);
		if (p.flags & TRACER_CAP_FAULT)
			return;
	}
}

/* The array as a piece of its own, then the data. */
static void iov_run(struct run *run, const struct capture_rule *rule, uint64_t addr, uint64_t count,
		    bool by_ret, unsigned array_index, unsigned data_index)
{
	uint32_t size = 2u * run->plan->wordsize, elements;
	uint64_t total = by_ret ? (uint64_t)run->call->ret : UINT64_MAX;
	struct piece p;

	if (!addr || (by_ret && run->call->ret < 0) || !piece_open(run, &p, rule, array_index))
		return;
	elements = min_u32(count, min_u32(run->lim->vector_max, IOV_ELEMENTS_MAX));
	elements = min_u32(elements, p.room / size);
	piece_add(run, &p, addr, (uint64_t)elements * size, UINT32_MAX);
	if (elements < count)
		p.flags |= TRACER_CAP_TRUNCATED;
	elements = p.len / size;
	piece_close(run, &p);
	if (!run->denied)
		iov_data_run(run, rule, p.cap->bytes, elements, total, data_index);
}

static void sub_run(struct run *run, const struct capture_rule *rule, uint64_t addr, uint32_t len,
		    unsigned index)
{
	struct piece p;

	if (!addr || !len || !piece_open(run, &p, rule, index))
		return;
	piece_add(run, &p, addr, len, UINT32_MAX);
	piece_close(run, &p);
}

/* struct user_msghdr: name, namelen (int, padded), iov, iovlen, control, controllen, flags. */
static void msghdr_run(struct run *run, const struct capture_rule *rule, uint64_t addr, bool by_ret)
{
	unsigned word = run->plan->wordsize;
	uint32_t size = word == 4 ? 28 : MSGHDR_MAX, namelen, control;
	const uint8_t *hdr;
	struct piece p;

	if ((by_ret && run->call->ret < 0) || !piece_open(run, &p, rule, 0))
		return;
	piece_add(run, &p, addr, size, UINT32_MAX);
	piece_close(run, &p);
	if (run->denied || p.len < size)
		return;
	hdr = p.cap->bytes;
	memcpy(&namelen, hdr + word, sizeof(namelen));
	control = min_u32(word_load(hdr + 5 * word, word), CAPTURE_CONTROL_MAX);
	sub_run(run, rule, word_load(hdr, word), min_u32(namelen, CAPTURE_NAME_MAX), 1);
	iov_run(run, rule, word_load(hdr + 2 * word, word), word_load(hdr + 3 * word, word), by_ret, 2, 4);
	sub_run(run, rule, word_load(hdr + 4 * word, word), control, 3);
}

static uint64_t arg_length(const struct run *run, const struct capture_rule *rule)
{
	uint64_t n = run->call->args[rule->len_arg];

	if (!rule->size)
		return n;
	return n > UINT32_MAX ? UINT32_MAX : n * rule->size;
}

static void rule_run(struct run *run, const struct capture_rule *rule)
{
	uint64_t addr = run->call->args[rule->arg];

	switch (rule->op) {
	case CAP_OP_STR:
		string_run(run, rule, addr);
		break;
	case CAP_OP_MEM:
		buffer_run(run, rule, addr, rule->size);
		break;
	case CAP_OP_BUF_ARG:
		buffer_run(run, rule, addr, arg_length(run, rule));
		break;
	case CAP_OP_BUF_RET:
		if (run->call->ret >= 0)
			buffer_run(run, rule, addr, (uint64_t)run->call->ret);
		break;
	case CAP_OP_BUF_PTR:
		buffer_ptr_run(run, rule, addr);
		break;
	case CAP_OP_IOV:
	case CAP_OP_IOV_RET:
		iov_run(run, rule, addr, run->call->args[rule->len_arg], rule->op == CAP_OP_IOV_RET, 0, 1);
		break;
	case CAP_OP_MSGHDR:
	case CAP_OP_MSGHDR_RET:
		msghdr_run(run, rule, addr, rule->op == CAP_OP_MSGHDR_RET);
		break;
	case CAP_OP_STRV:
		vector_run(run, rule, addr);
		break;
	case CAP_OP_COUNTV:
		count_run(run, rule, addr);
		break;
	case CAP_OP_OBJS_RET:
		objects_run(run, rule, addr);
		break;
	default:
		break;
	}
}

static bool op_has_length(uint8_t op)
{
	return op == CAP_OP_BUF_ARG || op == CAP_OP_BUF_PTR || op == CAP_OP_IOV || op == CAP_OP_IOV_RET;
}

/* Structures stay, their data go (iov_data_run looks at string_max itself). */
static bool op_is_data(uint8_t op)
{
	return op != CAP_OP_IOV && op != CAP_OP_IOV_RET && op != CAP_OP_MSGHDR && op != CAP_OP_MSGHDR_RET;
}

static bool rule_wanted(const struct run *run, unsigned i, unsigned phase)
{
	const struct capture_rule *rule = &run->plan->rules[i];
	const struct tracer_ev_call *c = run->call;

	if (rule->arg >= c->nargs || !c->args[rule->arg] ||
	    capture_early(run->plan, i, c->args) != (phase == CAP_F_ENTER))
		return false;
	if (op_has_length(rule->op) && rule->len_arg >= c->nargs)
		return false;
	if (rule->flags & CAP_F_DATA && !run->lim->string_max && op_is_data(rule->op))
		return false;
	return !failed(run) || rule->flags & (CAP_F_IN | CAP_F_ALWAYS);
}

static uint32_t captured(const struct tracer_ev_call *c)
{
	const uint8_t *p = (const uint8_t *)&c->args[c->nargs];
	uint32_t sum = 0;

	for (unsigned i = 0; i < c->ncaptures; i++) {
		const struct tracer_capture *cap = (const struct tracer_capture *)p;

		sum += cap->len;
		p += HEAD + TRACER_ALIGN8(cap->len);
	}
	return sum;
}

uint32_t capture_append(const struct capture_plan *plan, const struct capture_limits *lim,
			const struct mem_reader *mem, unsigned phase, struct tracer_ev_call *c,
			uint32_t size, uint32_t space)
{
	struct run run = { .plan = plan, .lim = lim, .mem = mem, .call = c, .size = size,
			   .space = space & ~7u };
	uint32_t used;

	if (!plan->nrules || (phase && !(plan->flags & (CAP_PLAN_ENTER | CAP_PLAN_PAIRS))))
		return size;
	used = captured(c);
	run.left = lim->total_max > used ? lim->total_max - used : 0;
	for (unsigned i = 0; i < plan->nrules && i < CAPTURE_RULES_MAX && run.left && !run.denied; i++) {
		if (rule_wanted(&run, i, phase))
			rule_run(&run, &plan->rules[i]);
	}
	return run.size;
}

void capture_run(const struct capture_plan *plan, const struct capture_limits *lim,
		 const struct mem_reader *mem, unsigned phase, struct tracer_ev_call *c, uint32_t space)
{
	c->head.size = capture_append(plan, lim, mem, phase, c, c->head.size, space);
}

static uint64_t rule_bound(const struct capture_plan *plan, const struct capture_rule *rule,
			   const struct capture_limits *lim)
{
	uint64_t data = rule->flags & CAP_F_DATA ? lim->string_max : lim->total_max;

	switch (rule->op) {
	case CAP_OP_NONE:
		return 0;
	case CAP_OP_STR:
		return rule->flags & CAP_F_DATA ? lim->string_max : lim->path_max;
	case CAP_OP_MEM:
		return rule->size < data ? rule->size : data;
	case CAP_OP_BUF_PTR:
		return rule->size ? rule->size : CAPTURE_NAME_MAX;
	case CAP_OP_COUNTV:
		return 8;
	case CAP_OP_IOV:
	case CAP_OP_IOV_RET:
		return (uint64_t)lim->vector_max * 2 * plan->wordsize + lim->string_max +
		       16 * TRACER_CAPTURES_MAX;
	case CAP_OP_BUF_ARG:
	case CAP_OP_BUF_RET:
		return data;
	default:
		return lim->total_max + 16 * TRACER_CAPTURES_MAX;
	}
}

uint32_t capture_bound(const struct capture_plan *plan, const struct capture_limits *lim)
{
	uint64_t all = lim->total_max + (uint64_t)(HEAD + 8) * TRACER_CAPTURES_MAX, sum = 0;

	for (unsigned i = 0; i < plan->nrules && i < CAPTURE_RULES_MAX; i++)
		sum += rule_bound(plan, &plan->rules[i], lim) + HEAD + 16;
	if (sum > all)
		sum = all;
	sum += sizeof(struct tracer_ev_call) + 8u * plan->nargs;
	return sum < TRACER_EVENT_MAX ? TRACER_ALIGN8((uint32_t)sum) : TRACER_EVENT_MAX;
}
