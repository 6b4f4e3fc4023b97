/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --propagate: each program image finds the id of its own process span in
 * TRACEPARENT.  Supervisor thread, at the stop of an exec, where the new stack
 * is complete and nothing of the program has run.
 *
 * A value of ours has the right length already, so 16 digits are overwritten
 * in place.  Where the variable is missing the block from argc to the end of
 * the auxiliary vector is moved down and the new strings go between it and
 * what lies behind (the kernel has mapped 128 KiB below the stack pointer:
 * fs/exec.c, setup_arg_pages()).  A value of another trace is the program's
 * own business and stays.
 */
#include "config.h"
#include "engine/supervisor.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define BLOCK_MAX (256u * 1024u)	/* argc, argv, envp, auxv: pointers alone */
#define CHUNK 4096u
#define VALUE_LEN 55u			/* of a traceparent */
#define SPAN_AT 36u			/* the span id in it */
#define STRINGS_MAX 9300u		/* of what is inserted */
#define BAGGAGE_MAX 8192u		/* longer ones are not handed on (W3C Baggage, 3.3) */

/* The new stack. */
struct block {
	struct mem *mem;
	uint64_t sp;
	unsigned word;			/* bytes of a pointer */
	uint8_t *p;
	size_t len;			/* to the end of auxv */
	size_t envp, envc;		/* first word of it, number of strings */
	uint64_t parent;		/* address of TRACEPARENT's value, 0 none */
	bool state, baggage;		/* they are there */
};

static uint64_t word_at(const struct block *b, size_t i)
{
	uint64_t v = 0;

	memcpy(&v, b->p + i * b->word, b->word);
	return v;
}

/* Until there are n words. */
static bool words_load(struct block *b, size_t n)
{
	while (b->len < n * b->word) {
		ssize_t got;

		if (b->len + CHUNK > BLOCK_MAX)
			return false;
		got = mem_read(b->mem, b->sp + b->len, b->p + b->len, CHUNK);
		if (got <= 0)
			return false;
		b->len += (size_t)got & ~(size_t)7;
		if (got < (ssize_t)CHUNK)
			return b->len >= n * b->word;
	}
	return true;
}

/* Behind the next zero word. */
static size_t skip_vector(struct block *b, size_t i)
{
	while (words_load(b, i + 1)) {
		if (!word_at(b, i++))
			return i;
	}
	return 0;
}

static int block_load(struct block *b)
{
	size_t i, argc;

	if (!words_load(b, 1))
		return -EFAULT;
	argc = (size_t)word_at(b, 0);
	if (argc > BLOCK_MAX / b->word)
		return -E2BIG;
	b->envp = argc + 2;
	i = skip_vector(b, b->envp);
	b->envc = i ? i - b->envp - 1 : 0;
	while (i && words_load(b, i + 2) && word_at(b, i))	/* AT_NULL is 0 */
		i += 2;
	if (!i || !words_load(b, i + 2))
		return -EFAULT;
	b->len = (i + 2) * b->word;
	return 0;
}

/* The variables that matter; the first of a name is the one that getenv() finds. */
static void names_look(struct block *b)
{
	for (size_t i = 0; i < b->envc; i++) {
		uint64_t at = word_at(b, b->envp + i);
		char name[13] = "";

		if (mem_read(b->mem, at, name, 12) < 9)
			continue;
		if (!strncmp(name, "TRACEPARENT=", 12) && !b->parent)
			b->parent = at + 12;
		b->state |= !strncmp(name, "TRACESTATE=", 11);
		b->baggage |= !strncmp(name, "BAGGAGE=", 8);
	}
}

/* ---- traceparent ---- */

static void hex_format(char *out, const uint8_t *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
}

static bool hex_parse(const char *text, uint8_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned v = 0;

		for (unsigned k = 0; k < 2; k++) {
			char c = text[2 * i + k];

			if (!c || !strchr("0123456789abcdef", c))
				return false;
			v = v << 4 | (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
		}
		out[i] = (uint8_t)v;
	}
	return true;
}

/* 0: of our trace, with the id of the span in it; -EINVAL: not a value for us. */
static int value_parse(const struct engine_context *ctx, const char *value, uint8_t span[8])
{
	uint8_t trace[16];

	if (strnlen(value, VALUE_LEN + 1) != VALUE_LEN || value[2] != '-' || value[35] != '-' || value[52] != '-')
		return -EINVAL;
	if (!hex_parse(value + 3, trace, 16) || memcmp(trace, ctx->trace_id, 16) || !hex_parse(value + SPAN_AT, span, 8))
		return -EINVAL;
	return 0;
}

static void span_fill(uint8_t span[8])
{
	do {
		if (getrandom(span, 8, 0) != 8)
			memset(span, 1, 8);	/* never on Linux: 8 bytes are not cut short */
	} while (!memcmp(span, "\0\0\0\0\0\0\0\0", 8));
}

static int value_replace(struct block *b, const uint8_t span[8])
{
	char text[16];

	hex_format(text, span, 8);
	return mem_write(b->mem, b->parent + SPAN_AT, text, sizeof(text));
}

/* ---- insertion ---- */

struct strings { char text[STRINGS_MAX]; size_t len; size_t at[3]; unsigned n; };

static void string_add(struct strings *s, const char *name, const char *value)
{
	int n = snprintf(s->text + s->len, sizeof(s->text) - s->len, "%s=%s", name, value);

	if (n < 0 || (size_t)n >= sizeof(s->text) - s->len)
		return;
	s->at[s->n++] = s->len;
	s->len += (size_t)n + 1;
}

static void strings_fill(struct strings *s, const struct block *b, const struct engine_context *ctx, const uint8_t span[8])
{
	char value[VALUE_LEN + 1] = "00-", flags[2] = "00";
	uint8_t byte = ctx->trace_flags & 3;

	s->len = s->n = 0;
	hex_format(value + 3, ctx->trace_id, 16);
	hex_format(value + SPAN_AT, span, 8);
	hex_format(flags, &byte, 1);
	value[35] = value[52] = '-';
	memcpy(value + 53, flags, 2);
	value[VALUE_LEN] = '\0';
	string_add(s, "TRACEPARENT", value);
	if (ctx->trace_state && ctx->trace_state[0] && !b->state)
		string_add(s, "TRACESTATE", ctx->trace_state);
	if (ctx->baggage && ctx->baggage[0] && !b->baggage && strlen(ctx->baggage) <= BAGGAGE_MAX)
		string_add(s, "BAGGAGE", ctx->baggage);
}

/* argc argv 0 envp | new pointers | 0 auxv | strings: from sp down. */
static int block_write(const struct block *b, const struct strings *s, uint64_t sp)
{
	size_t before = (b->envp + b->envc) * b->word, after = b->len - before;
	uint64_t text = sp + b->len + s->n * b->word, pointer;
	int r = mem_write(b->mem, sp, b->p, before);

	for (unsigned i = 0; i < s->n && !r; i++) {
		pointer = text + s->at[i];
		r = mem_write(b->mem, sp + before + i * b->word, &pointer, b->word);
	}
	if (!r)
		r = mem_write(b->mem, sp + before + s->n * b->word, b->p + before, after);
	return r ? r : mem_write(b->mem, text, s->text, s->len);
}

static int value_insert(struct supervisor *s, struct sup_task *t, struct block *b, struct arch_regs *regs,
			const uint8_t span[8])
{
	struct strings *strings = malloc(sizeof(*strings));
	uint64_t sp;
	int r = -ENOMEM;

	if (!strings)
		return r;
	strings_fill(strings, b, s->cfg.context, span);
	sp = (b->sp - strings->n * b->word - strings->len) & ~15ull;
	/* What is overwritten is copied in b: where something fails the old stack has to be whole again. */
	r = block_write(b, strings, sp);
	if (!r) {
		s->arch->set_sp(regs, sp);
		r = tracee_regs_set(t->base.tid, regs);
	}
	if (r < 0)
		mem_write(b->mem, b->sp, b->p, b->len);
	free(strings);
	return r;
}

/* ---- exec ---- */

static int environ_change(struct supervisor *s, struct sup_task *t, uint8_t span[8], uint8_t parent[8])
{
	struct sup_group *g = sup_group_of(t);
	struct block b = { .mem = &g->base.mem };
	struct arch_regs regs;
	char value[VALUE_LEN + 2] = "";
	int r = tracee_regs_load(t->base.tid, &regs);

	if (r < 0)
		return r;
	b.sp = s->arch->sp(&regs);
	b.word = s->arch->word(&regs);
	b.p = malloc(BLOCK_MAX);
	r = b.p ? block_load(&b) : -ENOMEM;
	if (!r) {
		names_look(&b);
		if (b.parent)
			r = mem_read(b.mem, b.parent, value, VALUE_LEN + 1) > 0 ? value_parse(s->cfg.context, value, parent) : -EFAULT;
		if (!r)
			r = b.parent ? value_replace(&b, span) : value_insert(s, t, &b, &regs, span);
	}
	free(b.p);
	return r;
}

void sup_environ_exec(struct supervisor *s, struct sup_task *t)
{
	uint8_t span[8], parent[8] = { 0 };
	struct sup_group *g = sup_group_of(t);

	if (!s->cfg.context || !s->cfg.propagate)
		return;
	span_fill(span);
	if (environ_change(s, t, span, parent) < 0) {
		s->stats[ENGINE_STAT_NOT_PROPAGATED]++;
		return;
	}
	/* Given on as it was given to the process: the tree tells the parent. */
	if (!memcmp(parent, g->span_id, 8))
		memset(parent, 0, 8);
	memcpy(g->span_id, span, 8);
	sup_event_context(s, t->base.tid, TRACER_CONTEXT_IMAGE, s->cfg.context, span, parent);
}

void sup_environ_start(struct supervisor *s, struct sup_task *t)
{
	static const uint8_t none[8];

	if (!s->cfg.context)
		return;
	memcpy(sup_group_of(t)->span_id, s->cfg.context->span_id, 8);
	sup_event_context(s, t->base.tid, TRACER_CONTEXT_RUN, s->cfg.context, s->cfg.context->span_id, none);
}
