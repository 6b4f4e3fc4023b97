/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The consumer thread on records made by hand: what reaches a sink, what the
 * selection leaves out, what is counted.
 */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "session/consumer.h"
#include "syscalls/syscalls.h"
#include "unit.h"

#define MS 1000000ull

/* A sink that counts. */
static struct { unsigned calls, tasks, events, opened, closed; bool ordered; uint64_t last_time; } seen;
static struct sink the_sink;

static int fake_open(const struct sink_config *cfg, struct sink **out)
{
	seen.opened += cfg->world && cfg->clock;
	*out = &the_sink;
	return 0;
}

static void fake_call(struct sink *s, const struct call *c)
{
	(void)s;
	seen.calls++;
	ck_assert_ptr_nonnull(c->desc);
}

static void fake_task(struct sink *s, const struct tracer_event *ev, const struct image *img)
{
	(void)s;
	(void)ev;
	(void)img;
	seen.tasks++;
}

static void fake_event(struct sink *s, const struct tracer_event *ev)
{
	(void)s;
	if (ev->kind == TRACER_EV_CLOCK)
		return;
	seen.events++;
	seen.ordered &= ev->time >= seen.last_time;
	seen.last_time = ev->time;
}

static int fake_close(struct sink *s)
{
	(void)s;
	seen.closed++;
	return 0;
}

static const struct sink_ops fake_ops = {
	.name = "fake", .open = fake_open, .on_call = fake_call, .on_task = fake_task, .on_event = fake_event,
	.close = fake_close,
};

static struct tracer_options *o;
static struct selection sel;
static struct outputs outs;
static struct delivery no_delivery;
static struct metering no_metering;
static struct ring_set *rings;
static struct ring *ring;
static struct consumer c;
static uint64_t now;
static char why[512];

static void setup(void)
{
	memset(&seen, 0, sizeof(seen));
	seen.ordered = true;
	memset(&outs, 0, sizeof(outs));
	memset(&c, 0, sizeof(c));
	memset(&no_delivery, 0, sizeof(no_delivery));
	ck_assert_int_eq(tracer_options_new(&o), 0);
	outs.list[0] = (struct output){ .target = "/dev/null", .ops = &fake_ops, .out.fd = -1 };
	outs.n = 1;
	outs.wants_calls = outs.wants_events = outs.wants_tasks = true;
	ck_assert_int_eq(ring_set_new(&rings, 4), 0);
	ck_assert_int_eq(ring_set_add(rings, NULL, 65536, NULL, NULL, &ring), 0);
	now = clock_mono_ns();
}

static void set(const char *name, const char *value)
{
	ck_assert_int_eq(tracer_options_set(o, name, value, TRACER_FROM_OPTION, why, sizeof(why)), 0);
}

static int start(void)
{
	ck_assert_int_eq(tracer_options_check(o, NULL, NULL, why, sizeof(why)), 0);
	ck_assert_msg(selection_load(&sel, o, why, sizeof(why)) == 0, "%s", why);
	c.options = o;
	c.selection = &sel;
	c.log = &(struct log){ 0 };
	c.rings = rings;
	c.outputs = &outs;
	c.delivery = &no_delivery;
	c.metering = &no_metering;
	c.clock_source = TRACER_CLOCK_MONOTONIC;
	c.engine = "test";
	return consumer_start(&c);
}

static void end(void)
{
	ring_set_close(rings, ring);
	consumer_end(&c, clock_mono_ns() + 1000 * MS);
	consumer_join(&c);
}

static void teardown(void)
{
	world_free(c.world);
	selection_fini(&sel);
	ring_set_free(rings);
	tracer_options_free(o);
}

static void *reserve(uint32_t size, int kind, int tid)
{
	struct tracer_event *ev = NULL;

	while (!ev)
		ev = ring_reserve(ring, TRACER_ALIGN8(size));
	memset(ev + 1, 0, TRACER_ALIGN8(size) - sizeof(*ev));
	ev->kind = (uint8_t)kind;
	ev->abi = TRACER_ABI_X86_64;
	ev->tid = tid;
	ev->nr = 0;
	ev->time = now += 1000;
	return ev;
}

static void add_task(int tid)
{
	struct tracer_ev_task *t = reserve(sizeof(*t), TRACER_EV_TASK, tid);

	t->pid = tid;
	ring_commit(ring, &t->head);
}

static void add_call(int tid, const char *name, int64_t ret, unsigned flags, uint64_t ns)
{
	struct tracer_ev_call *call;
	uint64_t fd = 5;

	now += ns;
	call = reserve(sizeof(*call) + 8, TRACER_EV_CALL, tid);
	call->head.nr = syscall_number(TRACER_ABI_X86_64, name);
	call->head.flags |= (uint16_t)(flags | (ret < 0 ? TRACER_EVF_ERROR : 0));
	call->start = call->head.time - ns;
	call->ret = ret;
	call->nargs = 1;
	call->args[0] = fd;
	ring_commit(ring, &call->head);
}

START_TEST(all_records)
{
	ck_assert_int_eq(start(), 0);
	add_task(100);
	for (int i = 0; i < 5000; i++)		/* more than the ring holds at once */
		add_call(100, "close", i % 2 ? 0 : -EBADF, 0, 10);
	end();
	ck_assert_uint_eq(seen.opened, 1);
	ck_assert_uint_eq(seen.calls, 5000);
	ck_assert_uint_eq(seen.tasks, 1);
	ck_assert_uint_eq(seen.events, 5001);
	ck_assert(seen.ordered);
	ck_assert_uint_eq(c.counts.calls, 5000);
	ck_assert_uint_eq(c.counts.processes, 1);
	ck_assert_uint_eq(c.counts.hidden, 0);
	ck_assert_uint_eq(seen.closed, 1);
	ck_assert_int_eq(c.output_error, 0);
}
END_TEST

START_TEST(hidden_calls)
{
	ck_assert_int_eq(start(), 0);
	add_task(100);
	add_call(100, "close", 0, TRACER_EVF_HIDDEN, 10);
	add_call(100, "close", 0, 0, 10);
	end();
	ck_assert_uint_eq(seen.calls, 1);
	ck_assert_uint_eq(seen.events, 3);	/* a recording keeps them */
	ck_assert_uint_eq(c.counts.calls, 1);
	ck_assert_uint_eq(c.counts.hidden, 1);
}
END_TEST

static const struct { const char *name, *value; unsigned want; } selections[] = {
	{ "expr", "trace=close", 3 }, { "expr", "trace=read", 1 }, { "expr", "trace=!close", 1 }, { "expr", "%network", 0 },
	{ "successful-only", NULL, 3 }, { "failed-only", NULL, 1 }, { "expr", "status=failed", 1 },
	{ "expr", "fd=5", 4 }, { "expr", "fd=6", 0 }, { "expr", "fd=!5", 0 },
	{ "min-duration", "1ms", 1 }, { "min-duration", "0", 4 }, { "trace-path", "/nowhere", 0 },
};

START_TEST(selected)
{
	set(selections[_i].name, selections[_i].value);
	ck_assert_int_eq(start(), 0);
	add_task(100);
	add_call(100, "close", 0, 0, 10);
	add_call(100, "close", -EBADF, 0, 10);
	add_call(100, "close", 0, 0, 5 * MS);
	add_call(100, "read", 0, 0, 10);
	end();
	ck_assert_msg(seen.calls == selections[_i].want, "--%s %s: %u calls, not %u", selections[_i].name,
		      selections[_i].value, seen.calls, selections[_i].want);
}
END_TEST

START_TEST(lost_is_counted)
{
	struct tracer_ev_lost *l;

	ck_assert_int_eq(start(), 0);
	l = reserve(sizeof(*l), TRACER_EV_LOST, 0);
	l->count = 42;
	ring_commit(ring, &l->head);
	end();
	ck_assert_uint_eq(c.counts.lost, 42);
}
END_TEST

START_TEST(summary_only_decodes_nothing)
{
	outs.list[0].ops = NULL;
	outs.wants_calls = outs.wants_events = outs.wants_tasks = false;
	set("summary-only", NULL);
	ck_assert_int_eq(start(), 0);
	ck_assert(!c.decode);
	add_task(100);
	add_call(100, "close", 0, 0, 10);
	end();
	ck_assert_uint_eq(c.counts.calls, 1);
	ck_assert_int_eq(c.output_error, 0);
}
END_TEST

START_TEST(output_that_cannot_be_opened)
{
	outs.list[0].target = "/no/such/dir/file";
	ck_assert_int_eq(start(), -ENOENT);
	ck_assert_ptr_nonnull(strstr(c.start_why, "/no/such/dir/file"));
	consumer_join(&c);
	ck_assert_uint_eq(seen.opened, 0);
}
END_TEST

START_TEST(full_disk_is_told)
{
	outs.list[0] = (struct output){ .target = "/dev/full", .ops = NULL, .out.fd = -1 };
	outs.wants_calls = false;
	set("summary-only", NULL);
	ck_assert_int_eq(start(), 0);
	add_call(100, "close", 0, 0, 10);
	end();
	ck_assert_int_eq(c.output_error, -ENOSPC);
	ck_assert_ptr_nonnull(strstr(c.output_why, "summary"));
}
END_TEST

START_TEST(command_gets_all)
{
	char file[] = "/tmp/tracer-consumer-XXXXXX", command[100], got[64] = "";
	int fd = mkstemp(file);

	ck_assert_int_ge(fd, 0);
	snprintf(command, sizeof(command), "|wc -l | tr -d ' ' >%s", file);
	outs.list[0] = (struct output){ .target = command, .ops = NULL, .out.fd = -1 };
	outs.wants_calls = false;
	set("summary-only", NULL);
	ck_assert_int_eq(start(), 0);
	add_call(100, "close", 0, 0, 10);
	end();		/* waits for the command */
	ck_assert_int_gt(read(fd, got, sizeof(got) - 1), 0);
	ck_assert_int_ge(atoi(got), 3);
	close(fd);
	unlink(file);
}
END_TEST

int main(void)
{
	const struct unit_case cases[] = {
		{ all_records, 0 }, { hidden_calls, 0 }, { selected, UNIT_COUNT(selections) },
		{ lost_is_counted, 0 }, { summary_only_decodes_nothing, 0 },
		{ output_that_cannot_be_opened, 0 }, { full_disk_is_told, 0 },
		{ command_gets_all, 0 }, { NULL, 0 }
	};

	return unit_run_cases("consumer", setup, teardown, cases);
}
