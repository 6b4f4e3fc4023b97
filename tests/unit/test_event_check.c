/* SPDX-License-Identifier: Apache-2.0 */
/* The trust boundary: good records pass, each kind of lie does not. */
#include "config.h"
#include <errno.h>
#include <string.h>
#include "ring/ring.h"
#include "unit.h"

static union { uint64_t align; uint8_t b[TRACER_EVENT_MAX + 64]; } mem;
#define EV ((struct tracer_event *)(void *)mem.b)

static struct tracer_ev_call *make_call(unsigned nargs, unsigned ncaptures, uint32_t len)
{
	struct tracer_ev_call *c = (void *)mem.b;
	uint8_t *p = (uint8_t *)&c->args[nargs];

	memset(mem.b, 0, sizeof(mem.b));
	c->head = (struct tracer_event){ .kind = TRACER_EV_CALL, .tid = 7, .nr = 1, .time = 20 };
	c->start = 10;
	c->nargs = (uint8_t)nargs;
	c->ncaptures = (uint8_t)ncaptures;
	for (unsigned i = 0; i < ncaptures; i++) {
		struct tracer_capture *cap = (void *)p;

		*cap = (struct tracer_capture){ .arg = 0, .flags = TRACER_CAP_IN, .len = len + i };
		p += sizeof(*cap) + TRACER_ALIGN8(cap->len);
	}
	c->head.size = (uint32_t)(p - mem.b);
	return c;
}

#define GOOD() ck_assert_int_eq(event_check(EV, EV->size), 0)
#define BAD() ck_assert_int_eq(event_check(EV, EV->size), -EBADMSG)

START_TEST(calls)
{
	struct tracer_ev_call *c = make_call(6, 16, 5);

	GOOD();
	ck_assert_int_eq(event_check(EV, EV->size - 8), -EBADMSG);
	ck_assert_int_eq(event_check(EV, 8), -EBADMSG);
	for (unsigned i = 0; i < 16; i++)
		ck_assert_uint_eq(event_capture(c, i)->len, 5 + i);
	ck_assert_ptr_null(event_capture(c, 16));
	c->nargs = 7;
	BAD();
	c = make_call(1, 16, 0);
	c->ncaptures = 17;
	BAD();
	c = make_call(1, 1, 8);
	((struct tracer_capture *)(void *)&c->args[1])->arg = 1;
	BAD();
	c = make_call(1, 1, 8);
	((struct tracer_capture *)(void *)&c->args[1])->flags = 0x10;
	BAD();
	c = make_call(1, 1, 8);
	((struct tracer_capture *)(void *)&c->args[1])->len = 0xffffffff;
	BAD();
	c = make_call(1, 1, 8);
	((struct tracer_capture *)(void *)&c->args[1])->len = 9;
	BAD();
	c = make_call(2, 0, 0);
	GOOD();
	c->start = 21;
	BAD();
	c = make_call(2, 0, 0);
	c->head.size += 8;
	BAD();
	c = make_call(2, 0, 0);
	c->head.size -= 4;
	BAD();
	c = make_call(2, 0, 0);
	c->head.tid = 0;
	BAD();
	c = make_call(2, 0, 0);
	c->head.kind = TRACER_EV_KINDS;
	BAD();
	c->head.kind = TRACER_EV_NONE;
	BAD();
	c = make_call(2, 0, 0);
	c->head.abi = TRACER_ABIS;
	BAD();
	c = make_call(2, 0, 0);
	c->head.flags = TRACER_EVF_PENDING;
	BAD();
	c->head.flags = 0x0800;
	BAD();
	c->head.flags = TRACER_EVF_ERROR | TRACER_EVF_HIDDEN;
	GOOD();
}
END_TEST

START_TEST(execs)
{
	static const char text[] = "/bin/lsls\0-l";	/* and its NUL */
	struct tracer_ev_exec *e = (void *)mem.b;

	memset(mem.b, 0, sizeof(mem.b));
	e->head = (struct tracer_event){ .kind = TRACER_EV_EXEC, .tid = 7,
					 .size = TRACER_ALIGN8(sizeof(*e) + sizeof(text)) };
	e->former_tid = 7;
	e->exe_len = 7;
	e->argv_len = 6;
	e->argc = 2;
	memcpy(e->text, text, sizeof(text));
	GOOD();
	e->argc = 3;
	BAD();
	e->argc = 2;
	e->argv_len = 5;
	BAD();
	e->argv_len = 0xffffffff;
	BAD();
	e->argv_len = 6;
	e->exe_len = 0xfffffff9;
	BAD();
	e->exe_len = 7;
	e->text[3] = '\0';
	BAD();
	e->text[3] = 'n';
	memset(e->comm, 'x', 16);
	BAD();
	e->comm[15] = '\0';
	GOOD();
	e->build_id_len = 21;
	BAD();
	e->build_id_len = 20;
	e->elf_class = 3;
	BAD();
}
END_TEST

START_TEST(maps)
{
	struct tracer_ev_map *m = (void *)mem.b;

	memset(mem.b, 0, sizeof(mem.b));
	m->head =
	    (struct tracer_event){.kind = TRACER_EV_MAP, .tid = 7, .size = TRACER_ALIGN8(sizeof(*m) + 9)};
	m->path_len = 9;
	memcpy(m->text, "/lib/c.so", 9);
	GOOD();
	m->path_len = 17;
	BAD();
	m->path_len = 0xffffffff;
	BAD();
	m->path_len = 9;
	m->text[3] = '\0';
	BAD();
	m->text[3] = 'b';
	m->build_id_len = 20;
	GOOD();
	m->build_id_len = 21;
	BAD();
	m->build_id_len = 0;
	m->elf_class = 3;
	BAD();
	m->elf_class = 2;
	GOOD();
	m->head.tid = 0;
	BAD();
}
END_TEST

START_TEST(fixed_kinds)
{
	static const struct { uint8_t kind; uint32_t size; } kinds[] = {
		{ TRACER_EV_EXIT, sizeof(struct tracer_ev_exit) },
		{ TRACER_EV_TASK, sizeof(struct tracer_ev_task) },
		{ TRACER_EV_CLOCK, sizeof(struct tracer_ev_clock) },
		{ TRACER_EV_LOST, sizeof(struct tracer_ev_lost) },
		{ TRACER_EV_COMM, sizeof(struct tracer_ev_text) },
		{ TRACER_EV_FD, sizeof(struct tracer_ev_fd) },
		{ TRACER_EV_SIGNAL, sizeof(struct tracer_ev_signal) },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		memset(mem.b, 0, sizeof(mem.b));
		*EV = (struct tracer_event){ .kind = kinds[i].kind, .size = kinds[i].size, .tid = 3, .nr = 11 };
		((struct tracer_ev_task *)(void *)mem.b)->pid =
			kinds[i].kind == TRACER_EV_TASK ? 3 : ((struct tracer_ev_task *)(void *)mem.b)->pid;
		if (kinds[i].kind == TRACER_EV_EXIT)
			((struct tracer_ev_exit *)(void *)mem.b)->pid = 3;
		GOOD();
		EV->size += 8;
		BAD();
		EV->size -= 16;
		BAD();
	}
	EV->size = kinds[6].size;
	EV->nr = 65;
	BAD();
	EV->nr = 64;
	GOOD();
	((struct tracer_ev_signal *)(void *)mem.b)->info_len = 64;
	EV->size += 64;
	BAD();
	((struct tracer_ev_signal *)(void *)mem.b)->info_len = 128;
	EV->size += 64;
	GOOD();
}
END_TEST

START_TEST(lengths_at_the_end)
{
	struct tracer_ev_text *t = (void *)mem.b;

	memset(mem.b, 0, sizeof(mem.b));
	t->head = (struct tracer_event){ .kind = TRACER_EV_CWD, .size = TRACER_EVENT_MAX, .tid = 3 };
	t->len = TRACER_EVENT_MAX - sizeof(*t);
	GOOD();
	t->head.size += 8;
	t->len += 8;
	BAD();
}
END_TEST

START_TEST(contexts)
{
	struct tracer_ev_context *c = (void *)mem.b;

	memset(mem.b, 0, sizeof(mem.b));
	c->head = (struct tracer_event){ .kind = TRACER_EV_CONTEXT, .size = sizeof(*c), .tid = 3 };
	BAD();			/* of no kind */
	c->what = TRACER_CONTEXT_THREAD;
	GOOD();
	c->what = TRACER_CONTEXTS;
	BAD();
	c->what = TRACER_CONTEXT_PROCESS;
	c->len = 9;
	BAD();
	EV->size += 16;
	GOOD();
	EV->tid = 0;
	BAD();
}
END_TEST

int main(void)
{
	return unit_run("event_check", (const TTest *const[]){ calls, execs, maps, fixed_kinds, lengths_at_the_end,
							       contexts, NULL });
}
