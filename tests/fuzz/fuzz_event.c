/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trust boundary: whatever event_check() lets through can be read to its
 * last byte by those who rely on it.  The input ends at a page that can't be
 * read, so that one byte too far is a crash with or without a sanitizer.
 */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "fuzz.h"
#include "ring/ring.h"

#define ROOM (2 * TRACER_EVENT_MAX)

static volatile uint64_t sink;

static void read_all(const void *p, size_t n)
{
	const uint8_t *b = p;
	uint64_t sum = 0;

	while (n--)
		sum += *b++;
	sink += sum;
}

static void require(int ok)
{
	if (!ok)
		abort();
}

static void use_call(const struct tracer_ev_call *c)
{
	const struct tracer_capture *cap;

	read_all(c->args, c->nargs * sizeof(c->args[0]));
	for (unsigned i = 0; (cap = event_capture(c, i)); i++) {
		read_all(&c->args[cap->arg], sizeof(c->args[0]));
		read_all(cap->bytes, cap->len);
		require((const uint8_t *)cap + sizeof(*cap) + cap->len <= (const uint8_t *)c + c->head.size);
	}
	require(c->head.time >= c->start);
}

static void use_exec(const struct tracer_ev_exec *e)
{
	const char *p = e->text + e->exe_len;

	read_all(e->text, e->exe_len);
	read_all(e->build_id, e->build_id_len);
	require(strlen(e->comm) < sizeof(e->comm));
	for (uint32_t i = 0; i < e->argc; i++)
		p += strlen(p) + 1;
	require(p == e->text + e->exe_len + e->argv_len);
}

static void use_map(const struct tracer_ev_map *m)
{
	read_all(m->text, m->path_len);
	read_all(m->build_id, m->build_id_len);
	require(!memchr(m->text, '\0', m->path_len));
}

static void use(const struct tracer_event *ev)
{
	const void *p = ev;

	read_all(p, ev->size);
	switch (ev->kind) {
	case TRACER_EV_CALL:
	case TRACER_EV_ENTER:
		use_call(p);
		break;
	case TRACER_EV_MAP:
		use_map(p);
		break;
	case TRACER_EV_EXEC:
		use_exec(p);
		break;
	case TRACER_EV_TASK:
		require(strlen(((const struct tracer_ev_task *)p)->comm) < 16);
		break;
	case TRACER_EV_SIGNAL:
		read_all(((const struct tracer_ev_signal *)p)->info,
			 ((const struct tracer_ev_signal *)p)->info_len);
		break;
	case TRACER_EV_FD:
		read_all(((const struct tracer_ev_fd *)p)->target, ((const struct tracer_ev_fd *)p)->len);
		break;
	case TRACER_EV_CONTEXT:
		read_all(((const struct tracer_ev_context *)p)->payload,
			 ((const struct tracer_ev_context *)p)->len);
		break;
	case TRACER_EV_CWD:
	case TRACER_EV_COMM:
	case TRACER_EV_ENGINE:
		read_all(((const struct tracer_ev_text *)p)->text, ((const struct tracer_ev_text *)p)->len);
		break;
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t *room;
	size_t n = (size < ROOM ? size : ROOM) & ~(size_t)7;
	struct tracer_event *ev;

	if (!room) {
		room = mmap(NULL, ROOM + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		require(room != MAP_FAILED && mprotect(room + ROOM, 4096, PROT_NONE) == 0);
	}
	ev = (void *)(room + ROOM - n);
	memcpy(ev, data, n);
	if (event_check(ev, n) == 0)
		use(ev);
	return 0;
}

struct fuzz_seed fuzz_seed(unsigned i)
{
	static struct {
		struct tracer_ev_call c;
		uint64_t args[2];
		struct tracer_capture cap;
		uint8_t bytes[16];
		struct tracer_capture cap2;
	} call = {.c = {.head = {sizeof(call), TRACER_EV_CALL, 0, 0, 5, 2, 9}, .nargs = 2, .ncaptures = 2},
		  .cap = {.arg = 1, .flags = TRACER_CAP_IN, .len = 11},
		  .bytes = "/etc/passwd"};
	static struct {
		struct tracer_ev_exec e;
		char text[16];
	} exec = { .e = { .head = { sizeof(exec), TRACER_EV_EXEC, 0, 0, 5, 0, 9 }, .former_tid = 5, .exe_len = 7,
			  .argv_len = 6, .argc = 2, .comm = "ls" }, .text = "/bin/lsls\0-l" };
	static struct tracer_ev_task task = { .head = { sizeof(task), TRACER_EV_TASK, 0, 0, 5, 0, 9 }, .pid = 5 };
	static struct {
		struct tracer_ev_signal s;
		uint8_t info[128];
	} signal = { .s = { .head = { sizeof(signal), TRACER_EV_SIGNAL, 0, 0, 5, 11, 9 }, .info_len = 128 } };
	static struct {
		struct tracer_ev_fd f;
		char target[8];
	} fd = { .f = { .head = { sizeof(fd), TRACER_EV_FD, 0, 0, 5, 0, 9 }, .fd = 3, .len = 4 }, .target = "/tmp" };
	const struct fuzz_seed seeds[] = {
		{ &call, sizeof(call) }, { &exec, sizeof(exec) }, { &task, sizeof(task) }, { &signal, sizeof(signal) },
		{ &fd, sizeof(fd) },
	};

	if (i < sizeof(seeds) / sizeof(seeds[0])) {
		require(event_check(seeds[i].p, seeds[i].n) == 0);
		return seeds[i];
	}
	return (struct fuzz_seed){ NULL, 0 };
}
