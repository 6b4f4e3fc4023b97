/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records for unit tests.  Calls are captured by the real plans from a small
 * arena that plays the traced program's memory, at an address that fits a
 * 32-bit program, too: so a test covers plan, capture and decoder at once.
 */
#ifndef RECORDS_H
#define RECORDS_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tracer/event.h>
#include "capture/capture.h"
#include "ring/ring.h"
#include "syscalls/syscalls.h"
#include "unit.h"

#define ARENA_BASE 0x10000u
#define ARENA_SIZE 65536u

union record {
	struct tracer_event head;
	struct tracer_ev_call call;
	struct tracer_ev_task task;
	struct tracer_ev_exec exec;
	struct tracer_ev_exit exit;
	struct tracer_ev_fd fd;
	struct tracer_ev_text text;
	struct tracer_ev_map map;
	struct tracer_ev_signal signal;
	uint8_t bytes[TRACER_EVENT_MAX];
};

static uint8_t arena[ARENA_SIZE];
static uint32_t arena_used;
static union record record;
static uint64_t record_time = 1000;
static struct capture_limits record_limits = { 4096, 4096, 64, 16384 };

/* n bytes of the program's memory; the address, in its eyes. */
static inline uint64_t mem(const void *p, size_t n)
{
	uint32_t at = arena_used;

	ck_assert_uint_le(at + n + 16, ARENA_SIZE);
	if (p)
		memcpy(arena + at, p, n);
	else
		memset(arena + at, 0, n);
	arena_used = (uint32_t)(at + n + 15) & ~15u;
	return ARENA_BASE + at;
}

static inline uint64_t str(const char *s)
{
	return mem(s, strlen(s) + 1);
}

static inline ssize_t arena_read(void *ctx, uint64_t addr, void *buf, size_t n)
{
	(void)ctx;
	if (addr < ARENA_BASE || addr >= ARENA_BASE + ARENA_SIZE)
		return -14;
	if (n > ARENA_BASE + ARENA_SIZE - addr)
		n = ARENA_BASE + ARENA_SIZE - addr;
	memcpy(buf, arena + (addr - ARENA_BASE), n);
	return (ssize_t)n;
}

static inline struct tracer_event *head(uint8_t kind, int32_t tid, size_t size)
{
	memset(record.bytes, 0, size + 8);
	record.head = (struct tracer_event){.size = TRACER_ALIGN8((uint32_t)size), .kind = kind, .tid = tid};
	record.head.time = record_time += 10;
	return &record.head;
}

/* What the kernel writes during a call: set by a test before it, run between the two captures. */
static void (*record_kernel)(void);

static inline const struct tracer_ev_call *call_of(int abi, int32_t tid, const char *name, int64_t ret, ...)
{
	static const struct mem_reader reader = { NULL, arena_read };
	int nr = syscall_number(abi, name);
	const struct syscall_desc *d = syscall_lookup(abi, nr);
	va_list ap;

	ck_assert_msg(d != NULL, "no call %s", name);
	head(TRACER_EV_CALL, tid, sizeof(record.call) + d->nargs * 8u);
	record.head.abi = (uint8_t)abi;
	record.head.nr = nr;
	record.call.start = record.head.time - 5;
	record.call.nargs = d->nargs;
	record.call.ret = ret;
	if (ret < 0 && ret > -4096)
		record.head.flags |= TRACER_EVF_ERROR;
	va_start(ap, ret);
	for (unsigned i = 0; i < d->nargs; i++)
		record.call.args[i] = va_arg(ap, uint64_t);
	va_end(ap);
	capture_run(d->capture, &record_limits, &reader, CAP_F_ENTER, &record.call, sizeof(record));
	if (record_kernel)
		record_kernel();
	record_kernel = NULL;
	capture_run(d->capture, &record_limits, &reader, 0, &record.call, sizeof(record));
	ck_assert_int_eq(event_check(&record.head, sizeof(record)), 0);
	return &record.call;
}
/* Arguments must be 64 bits wide: A(x). */
#define A(x) ((uint64_t)(x))

static inline const struct tracer_event *task_of(int32_t tid, int32_t pid, int32_t parent, uint64_t flags)
{
	head(TRACER_EV_TASK, tid, sizeof(record.task));
	record.task.pid = pid;
	record.task.parent_tid = parent;
	record.task.clone_flags = flags;
	record.task.uid = 1000;
	snprintf(record.task.comm, sizeof(record.task.comm), "task%d", tid);
	ck_assert_int_eq(event_check(&record.head, sizeof(record)), 0);
	return &record.head;
}

static inline const struct tracer_event *exec_of(int32_t tid, int32_t former, const char *exe, const char *arg)
{
	uint32_t exe_len = (uint32_t)strlen(exe), arg_len = (uint32_t)strlen(arg) + 1;

	head(TRACER_EV_EXEC, tid, sizeof(record.exec) + exe_len + arg_len);
	record.exec.former_tid = former;
	record.exec.exe_len = exe_len;
	record.exec.argv_len = arg_len;
	record.exec.argc = 1;
	record.exec.elf_class = 2;
	memcpy(record.exec.text, exe, exe_len);
	memcpy(record.exec.text + exe_len, arg, arg_len);
	snprintf(record.exec.comm, sizeof(record.exec.comm), "%.15s", arg);
	ck_assert_int_eq(event_check(&record.head, sizeof(record)), 0);
	return &record.head;
}

static inline const struct tracer_event *exit_of(int32_t tid, int32_t pid, int status, uint16_t flags)
{
	head(TRACER_EV_EXIT, tid, sizeof(record.exit));
	record.head.flags = flags;
	record.exit.pid = pid;
	record.exit.status = status;
	ck_assert_int_eq(event_check(&record.head, sizeof(record)), 0);
	return &record.head;
}

static inline const struct tracer_event *fd_of(int32_t tid, int fd, const char *target, uint32_t cloexec)
{
	uint32_t n = (uint32_t)strlen(target);

	head(TRACER_EV_FD, tid, sizeof(record.fd) + n);
	record.fd.fd = fd;
	record.fd.len = n;
	record.fd.cloexec = cloexec;
	memcpy(record.fd.target, target, n);
	ck_assert_int_eq(event_check(&record.head, sizeof(record)), 0);
	return &record.head;
}

static inline const struct tracer_event *map_of(int32_t tid, const char *path, uint8_t id)
{
	memset(record.bytes, 0, sizeof(record.map) + strlen(path) + 8);
	record.map.head = (struct tracer_event){ .kind = TRACER_EV_MAP, .tid = tid, .time = ++record_time,
		.size = TRACER_ALIGN8((uint32_t)(sizeof(record.map) + strlen(path))) };
	record.map.addr = 0x7f0000001000;
	record.map.len = 4096;
	record.map.path_len = (uint32_t)strlen(path);
	record.map.elf_class = 2;
	record.map.build_id_len = 20;
	memset(record.map.build_id, id, 20);
	memcpy(record.map.text, path, strlen(path));
	ck_assert_int_eq(event_check(&record.head, record.head.size), 0);
	return &record.head;
}

static inline const struct tracer_event *text_of(uint8_t kind, int32_t tid, const char *text)
{
	uint32_t n = (uint32_t)strlen(text);

	head(kind, tid, sizeof(record.text) + n);
	record.text.len = n;
	memcpy(record.text.text, text, n);
	ck_assert_int_eq(event_check(&record.head, sizeof(record)), 0);
	return &record.head;
}

#endif
