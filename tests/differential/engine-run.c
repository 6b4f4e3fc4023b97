/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a command under an engine and tells what came out of the rings, in a
 * form that two runs can be compared by.  For tests alone.
 *
 *	engine-run [-o FILE] [-c] [-d] [-s] [-r BYTES] [-L RECORD] ENGINE COMMAND...
 *
 * -c counts calls by name; without it every call is a line, and every birth, exec, mapping of
 * code, signal, context and end (in a column of their own: those and calls come from different
 * rings); tasks are numbered by their birth and addresses are masked, where a call was made is
 * told by the file and the offset in it.  -d lets go what is left when
 * the command ends.  -s: the engine is
 * inproc:shadow; every call must have come twice, from the agent and from the
 * stops, with the same content; the exit status is 99 where not.  -L loses one
 * record of the agent, which must be noticed.
 */
#include "config.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#define AGENT_HOST
#include "agent/agent_abi.h"
#include "base/clock.h"
#include "engine/engine.h"
#include "syscalls/syscalls.h"

#define TASKS_MAX 65536
#define NUMBERS 1024

struct entry { struct entry *next; uint32_t size; _Alignas(8) uint8_t bytes[]; };

/* Code of a file that a process has mapped. */
struct place { uint64_t addr, len, offset, ino; };

/* Records of one task that wait for their twins. */
struct side { struct entry *first, **last; unsigned long n; };
struct seen {
	int tid, pid;
	unsigned number;
	bool cut, again;
	bool killed;			/* by a signal, or by another thread's execve */
	unsigned restarts;		/* calls that were begun again */
	/* of a process, in its leader's entry */
	struct place *places;
	unsigned nplaces;
	int group_exit;			/* who called exit_group */
	bool signals;			/* one came, to whomever of its tasks */
	struct side agent, stops;
};

struct run {
	struct ring_set *rings;
	FILE *out;
	bool counts, shadow, finished;
	struct seen *tasks;
	unsigned ntasks;
	unsigned long calls[NUMBERS], enters[NUMBERS], inproc, stops, differ, helper, restarts, cut;
	unsigned long lose;		/* tests of the comparison: the record of the agent that gets lost */
};

static struct seen *seen_of(struct run *r, int tid)
{
	for (unsigned i = r->ntasks; i-- > 0;)
		if (r->tasks[i].tid == tid)
			return &r->tasks[i];
	if (r->ntasks == TASKS_MAX)
		abort();
	r->tasks[r->ntasks] = (struct seen){ .tid = tid, .number = r->ntasks };
	r->tasks[r->ntasks].agent.last = &r->tasks[r->ntasks].agent.first;
	r->tasks[r->ntasks].stops.last = &r->tasks[r->ntasks].stops.first;
	return &r->tasks[r->ntasks++];
}

static int task_number(struct run *r, int64_t tid)
{
	for (unsigned i = 0; i < r->ntasks; i++)
		if (r->tasks[i].tid == tid)
			return (int)r->tasks[i].number;
	return -1;
}

/* Numbers of tasks differ from run to run; flags and sizes may be equal to one. */
static void print_value(struct run *r, int64_t v, bool pid)
{
	int task = pid && v > 1 ? task_number(r, v) : -1;

	if (v >= 1ll << 32 && v < 1ll << 47)
		fprintf(r->out, "P");
	else if (task >= 0)
		fprintf(r->out, "T%d", task);
	else
		fprintf(r->out, "%lld", (long long)v);
}

static void print_bytes(struct run *r, const uint8_t *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint64_t w = 0;

		if (i % 8 == 0 && i + 8 <= n) {
			memcpy(&w, p + i, 8);
			if (w >= 1ull << 40 && w < 1ull << 47 && w >> 40 >= 0x55) {
				fputs("<P>", r->out);
				i += 7;
				continue;
			}
		}
		if (p[i] >= ' ' && p[i] < 127)
			fputc(p[i], r->out);
		else
			fprintf(r->out, "\\%02x", p[i]);
	}
}

/* ---- where calls are made ---- */

static struct seen *leader_of(struct run *r, const struct seen *s)
{
	return seen_of(r, s->pid ? s->pid : s->tid);
}

static void place_add(struct seen *leader, const struct place *new)
{
	leader->places = realloc(leader->places, (leader->nplaces + 1) * sizeof(*new));
	leader->places[leader->nplaces++] = *new;
}

static void places_birth(struct run *r, const struct tracer_ev_task *ev)
{
	struct seen *s = seen_of(r, ev->head.tid), *from;

	s->pid = ev->pid;
	if (ev->pid != ev->head.tid)
		return;
	s->nplaces = 0;
	from = ev->parent_tid ? leader_of(r, seen_of(r, ev->parent_tid)) : NULL;
	for (unsigned i = 0; from && i < from->nplaces; i++)
		place_add(s, &from->places[i]);
}

/* The latest mapping there counts. */
static void print_place(struct run *r, const struct tracer_ev_call *c)
{
	const struct seen *s = leader_of(r, seen_of(r, c->head.tid));

	for (unsigned i = s->nplaces; i-- > 0;) {
		const struct place *p = &s->places[i];

		if (c->ip - p->addr >= p->len)
			continue;
		fprintf(r->out, " @%llu+%llx", (unsigned long long)p->ino,
			(unsigned long long)(c->ip - p->addr + p->offset));
		return;
	}
	fputs(c->ip ? " @?" : " @0", r->out);
}

/* ---- records as text ---- */

static void print_call(struct run *r, const struct tracer_ev_call *c)
{
	char name[24];
	const uint8_t *p = (const uint8_t *)&c->args[c->nargs];
	const struct syscall_desc *d = syscall_lookup(c->head.abi, c->head.nr);

	fprintf(r->out, "T%d %s%s(", task_number(r, c->head.tid), syscall_name(c->head.abi, c->head.nr, name),
		c->head.kind == TRACER_EV_ENTER ? "!" : "");
	for (unsigned i = 0; i < c->nargs; i++) {
		fputs(i ? "," : "", r->out);
		print_value(r, (int64_t)c->args[i], d && d->args[i] == ARG_PID);
	}
	fputs(")=", r->out);
	print_value(r, c->ret, d && d->ret == RET_PID);
	for (unsigned i = 0; i < c->ncaptures; i++) {
		const struct tracer_capture *cap = (const void *)p;

		fprintf(r->out, " [%u.%u/%x:", cap->arg, cap->index, cap->flags);
		print_bytes(r, cap->bytes, cap->len);
		fputc(']', r->out);
		p += sizeof(*cap) + TRACER_ALIGN8(cap->len);
	}
	print_place(r, c);
	fputc('\n', r->out);
}

static void print_task(struct run *r, const struct tracer_ev_task *ev)
{
	int number = task_number(r, ev->head.tid);

	fprintf(r->out, "E%d born: of T%d, in T%d, flags %llx, uid %d, '%s'\n", number, task_number(r, ev->parent_tid),
		task_number(r, ev->pid), (unsigned long long)ev->clone_flags, ev->uid, ev->comm);
}

static void print_id(struct run *r, const uint8_t *id, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		fprintf(r->out, "%02x", id[i]);
}

static void print_exec(struct run *r, const struct tracer_ev_exec *ev)
{
	fprintf(r->out, "E%d exec: by T%d, class %d, dumpable %d, '%s', %u strings ", task_number(r, ev->head.tid),
		task_number(r, ev->former_tid), ev->elf_class, ev->dumpable, ev->comm, ev->argc);
	print_bytes(r, (const uint8_t *)ev->text, ev->exe_len + ev->argv_len);
	fputs(" id ", r->out);
	print_id(r, ev->build_id, ev->build_id_len);
	fputc('\n', r->out);
}

static void print_map(struct run *r, const struct tracer_ev_map *ev)
{
	fprintf(r->out, "E%d map: %llu bytes at %llu of %llu class %d ", task_number(r, ev->head.tid),
		(unsigned long long)ev->len, (unsigned long long)ev->offset, (unsigned long long)ev->ino, ev->elf_class);
	print_bytes(r, (const uint8_t *)ev->text, ev->path_len);
	fputs(" id ", r->out);
	print_id(r, ev->build_id, ev->build_id_len);
	fputc('\n', r->out);
}

static void print_signal(struct run *r, const struct tracer_ev_signal *ev)
{
	fprintf(r->out, "E%d signal: %d code %d from T%d%s%s\n", task_number(r, ev->head.tid), ev->head.nr, ev->code,
		ev->sender ? task_number(r, ev->sender) : -1, ev->addr ? " address" : "",
		ev->head.flags & TRACER_EVF_STOP ? " stop" : "");
}

static void print_context(struct run *r, const struct tracer_ev_context *ev)
{
	/* a thread's and the process's are told by different hands */
	fprintf(r->out, "E%d.%d context: ", task_number(r, ev->head.tid), ev->what);
	print_id(r, ev->trace_id, sizeof(ev->trace_id));
	fputc(' ', r->out);
	print_id(r, ev->span_id, sizeof(ev->span_id));
	fprintf(r->out, " flags %d, %u bytes\n", ev->trace_flags, ev->len);
}

static void print_exit(struct run *r, const struct tracer_ev_exit *ev)
{
	fprintf(r->out, "E%d end: status %x of T%d%s%s\n", task_number(r, ev->head.tid), (unsigned)ev->status,
		task_number(r, ev->pid), ev->head.flags & TRACER_EVF_DETACHED ? " let go" : "",
		ev->head.flags & TRACER_EVF_SUPERSEDED ? " superseded" : "");
}

static void print_event(struct run *r, const struct tracer_event *ev)
{
	const struct tracer_ev_text *text = (const void *)ev;

	switch (ev->kind) {
	case TRACER_EV_TASK: print_task(r, (const void *)ev); break;
	case TRACER_EV_EXEC: print_exec(r, (const void *)ev); break;
	case TRACER_EV_MAP: print_map(r, (const void *)ev); break;
	case TRACER_EV_SIGNAL: print_signal(r, (const void *)ev); break;
	case TRACER_EV_CONTEXT: print_context(r, (const void *)ev); break;
	case TRACER_EV_EXIT: print_exit(r, (const void *)ev); break;
	case TRACER_EV_ENGINE: fprintf(r->out, "# %.*s\n", (int)text->len, text->text); break;
	default: break;
	}
}

static void places_load(struct run *r, const struct tracer_event *ev)
{
	const struct tracer_ev_map *m = (const void *)ev;

	if (ev->kind == TRACER_EV_TASK)
		places_birth(r, (const void *)ev);
	else if (ev->kind == TRACER_EV_EXEC)
		leader_of(r, seen_of(r, ev->tid))->nplaces = 0;
	else if (ev->kind == TRACER_EV_MAP)
		place_add(leader_of(r, seen_of(r, ev->tid)), &(struct place){ m->addr, m->len, m->offset, m->ino });
}

/* ---- shadow ---- */

static void side_add(struct side *s, const struct tracer_ev_call *c)
{
	struct entry *e = malloc(sizeof(*e) + c->head.size);

	e->next = NULL;
	e->size = c->head.size;
	memcpy(e->bytes, c, c->head.size);
	*s->last = e;
	s->last = &e->next;
	s->n++;
}

static struct tracer_ev_call *side_first(const struct side *s)
{
	return s->first ? (struct tracer_ev_call *)s->first->bytes : NULL;
}

static void side_del(struct side *s)
{
	struct entry *e = s->first;

	s->first = e->next;
	if (!s->first)
		s->last = &s->first;
	free(e);
}

/* What must be equal; time, origin and the address of the instruction are not. */
static bool same(const struct tracer_ev_call *a, const struct tracer_ev_call *b)
{
	size_t at = offsetof(struct tracer_ev_call, nargs);

	return a->head.size == b->head.size && a->head.kind == b->head.kind && a->head.nr == b->head.nr &&
	       a->ret == b->ret &&
	       (a->head.flags & (TRACER_EVF_ERROR | TRACER_EVF_RESTARTED)) ==
		       (b->head.flags & (TRACER_EVF_ERROR | TRACER_EVF_RESTARTED)) &&
	       !memcmp((const uint8_t *)a + at, (const uint8_t *)b + at, a->head.size - at);
}

static void differ(struct run *r, const char *what, const struct tracer_ev_call *a, const struct tracer_ev_call *b)
{
	if (r->differ++ >= 5)
		return;
	fprintf(r->out, "DIFFER: %s\n", what);
	if (a) {
		fprintf(r->out, "  agent ");
		print_call(r, a);
	}
	if (b) {
		fprintf(r->out, "  stops ");
		print_call(r, b);
	}
}

/* The same call, whatever became of it. */
static bool same_call(const struct tracer_ev_call *a, const struct tracer_ev_call *b)
{
	return a->head.nr == b->head.nr && a->nargs == b->nargs && !memcmp(a->args, b->args, 8 * a->nargs);
}

/* A sleep that was begun again goes on as restart_syscall at a stop; for the agent it is one call. */
static bool goes_on(const struct seen *s, const struct tracer_ev_call *b)
{
	return s->again && b->head.nr == SYS_restart_syscall;
}

/* Whether there was a reason for what shadow_match() let pass. */
static void shadow_judge(struct run *r, struct seen *s)
{
	const struct seen *leader = leader_of(r, s);

	if (s->cut && !s->killed && !(leader->group_exit && leader->group_exit != s->tid)) {
		differ(r, "a call has no end, though nobody killed the task", NULL, NULL);
		fprintf(r->out, "  task %d of %d\n", s->tid, s->pid);
	}
	if (s->restarts && !leader->signals) {
		differ(r, "a call was begun again, though no signal came", NULL, NULL);
		fprintf(r->out, "  task %d of %d\n", s->tid, s->pid);
	}
}

/*
 * What may differ (shadow_judge() looks for the reason): the kernel begins a
 * call again without a signal for this task (another one of its process took
 * it), which the agent does not see; and a task is killed between the call and
 * the end of its record, which is its last one then.
 */
static void shadow_match(struct run *r, struct seen *s)
{
	struct tracer_ev_call *a, *b;

	while ((a = side_first(&s->agent)) && (b = side_first(&s->stops))) {
		if (!same(a, b) && b->head.flags & TRACER_EVF_RESTARTED && (same_call(a, b) || goes_on(s, b))) {
			r->restarts++;
			s->restarts++;
			s->again = true;
			side_del(&s->stops);
			continue;
		}
		if (goes_on(s, b) && a->ret == b->ret) {
			s->again = false;
			side_del(&s->agent);
			side_del(&s->stops);
			continue;
		}
		s->again = false;
		if (!same(a, b) && a->head.kind == TRACER_EV_ENTER && same_call(a, b) && !s->cut) {
			r->cut++;
			s->cut = true;
		} else if (!same(a, b) || s->cut) {
			differ(r, s->cut ? "after the end" : "not the same", a, b);
		}
		side_del(&s->agent);
		side_del(&s->stops);
	}
}

static void shadow_add(struct run *r, const struct tracer_ev_call *c)
{
	struct seen *s = seen_of(r, c->head.tid);

	if (!(c->head.flags & TRACER_EVF_INPROC)) {
		/* the agent's own helpers, and what runs before it is there */
		if ((c->ip & 0xfff) != (agent_image.after & 0xfff)) {
			r->helper++;
			return;
		}
		side_add(&s->stops, c);
	} else {
		side_add(&s->agent, c);
	}
	shadow_match(r, s);
}

static void shadow_end(struct run *r)
{
	for (unsigned i = 0; i < r->ntasks; i++) {
		struct seen *s = &r->tasks[i];

		/* killed before the call */
		if (s->agent.first && !s->agent.first->next && !s->cut &&
		    side_first(&s->agent)->head.kind == TRACER_EV_ENTER) {
			r->cut++;
			s->cut = true;
			side_del(&s->agent);
		}
		shadow_judge(r, s);
		while (side_first(&s->agent)) {
			differ(r, "from the agent alone", side_first(&s->agent), NULL);
			side_del(&s->agent);
		}
		while (side_first(&s->stops)) {
			differ(r, "from the stops alone", NULL, side_first(&s->stops));
			side_del(&s->stops);
		}
	}
}

/* A tid comes again: what it was before is judged by what is known of its process. */
static void shadow_birth(struct run *r, const struct tracer_ev_task *ev)
{
	struct seen *s = seen_of(r, ev->head.tid);

	for (unsigned i = 0; ev->pid == ev->head.tid && i < r->ntasks; i++) {
		struct seen *o = &r->tasks[i];

		if (o != s && o->pid == ev->pid) {
			shadow_judge(r, o);
			o->cut = false;
			o->restarts = 0;
		}
	}
	shadow_judge(r, s);
	s->pid = ev->pid;
	s->cut = s->killed = s->signals = false;
	s->restarts = 0;
	s->group_exit = 0;
}

static void shadow_exit(struct run *r, const struct tracer_ev_exit *ev)
{
	struct seen *s = seen_of(r, ev->head.tid);
	bool by_signal = WIFSIGNALED(ev->status);

	s->killed = by_signal || ev->head.flags & TRACER_EVF_SUPERSEDED;
	leader_of(r, s)->signals |= by_signal;
}

static void shadow_event(struct run *r, const struct tracer_event *ev)
{
	struct seen *s = seen_of(r, ev->tid);

	if (ev->kind == TRACER_EV_TASK)
		shadow_birth(r, (const void *)ev);
	else if (ev->kind == TRACER_EV_EXIT)
		shadow_exit(r, (const void *)ev);
	else if (ev->kind == TRACER_EV_SIGNAL)
		leader_of(r, s)->signals = true;
	else if (ev->kind == TRACER_EV_ENTER && ev->nr == SYS_exit_group && !leader_of(r, s)->group_exit)
		leader_of(r, s)->group_exit = ev->tid;
}

/* ---- records ---- */

static void count(struct run *r, const struct tracer_ev_call *c)
{
	unsigned nr = c->head.nr >= 0 && c->head.nr < NUMBERS ? (unsigned)c->head.nr : NUMBERS - 1;

	if (c->head.kind == TRACER_EV_ENTER)
		r->enters[nr]++;
	else if (!(c->head.flags & TRACER_EVF_RESTARTED))
		r->calls[nr]++;
	if (c->head.flags & TRACER_EVF_INPROC)
		r->inproc++;
	else
		r->stops++;
}

static void take(struct run *r, const struct tracer_event *ev)
{
	const struct tracer_ev_call *c = (const void *)ev;

	if (ev->flags & TRACER_EVF_INPROC && r->lose && --r->lose == 0)
		return;
	if (r->shadow && ev->tid)
		shadow_event(r, ev);
	else if (ev->kind == TRACER_EV_TASK)
		seen_of(r, ev->tid);	/* its number is that of its birth */
	if (!r->counts && !r->shadow) {
		places_load(r, ev);
		print_event(r, ev);
	}
	if (ev->kind != TRACER_EV_CALL && ev->kind != TRACER_EV_ENTER)
		return;
	count(r, c);
	if (r->shadow)
		shadow_add(r, c);
	else if (!r->counts)
		print_call(r, c);
}

static void *consume(void *arg)
{
	struct run *r = arg;

	while (!ring_set_done(r->rings)) {
		const struct tracer_event *ev = ring_set_next(r->rings);

		if (!ev) {
			ring_set_wait(r->rings, 1000000);
			continue;
		}
		take(r, ev);
		ring_set_consume(r->rings);
	}
	return NULL;
}

static void print_counts(struct run *r)
{
	char name[24];

	for (int nr = 0; nr < NUMBERS; nr++)
		if (r->calls[nr] || r->enters[nr])
			fprintf(r->out, "%s %lu %lu\n", syscall_name(TRACER_ABI_X86_64, nr, name), r->calls[nr],
				r->enters[nr]);
}

static void print_stats(const uint64_t stats[ENGINE_STATS], struct run *r)
{
	struct ring_set_stats rs;

	for (int i = 0; i < ENGINE_STATS; i++)
		if (stats[i])
			fprintf(stderr, "%s: %llu\n", engine_stat_names[i], (unsigned long long)stats[i]);
	ring_set_stats(r->rings, &rs);
	fprintf(stderr, "recorded in process: %lu, by stops: %lu, lost: %lu, bad rings: %llu, dropped: %llu, waits: %llu\n",
		r->inproc, r->stops, (unsigned long)rs.lost, (unsigned long long)rs.bad,
		(unsigned long long)rs.dropped, (unsigned long long)rs.waits);
}

static void say(void *ctx, int level, const char *message)
{
	(void)ctx;
	(void)level;
	fprintf(stderr, "engine-run: %s\n", message);
}

static const char *find_program(const char *name)
{
	static char path[4096];
	const char *dirs = getenv("PATH");

	if (strchr(name, '/'))
		return name;
	for (; dirs && *dirs; dirs += strcspn(dirs, ":"), dirs += *dirs == ':') {
		snprintf(path, sizeof(path), "%.*s/%s", (int)strcspn(dirs, ":"), dirs, name);
		if (access(path, X_OK) == 0)
			return path;
	}
	return name;
}

static int usage(void)
{
	fputs("usage: engine-run [-o FILE] [-c] [-d] [-s] [-v] [-r BYTES] [-S STRING_MAX] [-k SITE_CACHE]\n"
	      "                  [-L RECORD] ENGINE COMMAND...\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	struct log log = { say, NULL, LOG_INFO };
	struct run r = { .out = stdout };
	struct engine_config cfg = { .follow = true, .wait_all = true, .limits = { 32, 4096, 64, 16384 },
				     .ring_size = 1 << 20, .log = &log };
	struct engine_result res = { 0 };
	const struct engine_ops *ops;
	uint64_t stats[ENGINE_STATS];
	struct engine *e = NULL;
	bool verbose = false;
	char why[256];
	pthread_t t;
	int c, rc;

	while ((c = getopt(argc, argv, "+o:csdvr:S:k:L:")) != -1)
		switch (c) {
		case 'o': r.out = fopen(optarg, "we"); break;
		case 'c': r.counts = true; break;
		case 's': r.shadow = true; break;
		case 'd': cfg.wait_all = false; break;
		case 'v': verbose = true; log.level = LOG_DEBUG; break;
		case 'r': cfg.ring_size = strtoull(optarg, NULL, 0); break;
		case 'L': r.lose = strtoul(optarg, NULL, 0); break;
		case 'k': cfg.site_cache = optarg; break;
		case 'S': cfg.limits.string_max = (uint32_t)strtoul(optarg, NULL, 0); break;
		default: return usage();
		}
	if (argc - optind < 2 || !r.out)
		return usage();
	r.tasks = calloc(TASKS_MAX, sizeof(*r.tasks));
	cfg.argv = argv + optind + 1;
	cfg.envp = environ;
	cfg.file = find_program(argv[optind + 1]);
	cfg.clock = clock_probe();
	cfg.maps = !r.counts && !r.shadow;
	if (engine_choose(argv[optind], &cfg, &ops, why, sizeof(why)) < 0) {
		fprintf(stderr, "engine-run: %s\n", why);
		free(r.tasks);
		return 77;
	}
	rc = ring_set_new(&r.rings, 8192);
	if (rc == 0) {
		ring_set_set_clock(r.rings, cfg.clock);
		cfg.rings = r.rings;
		rc = ops->open(&cfg, &e);
	}
	if (rc == 0)
		rc = pthread_create(&t, NULL, consume, &r);
	if (rc == 0)
		rc = ops->start(e);
	if (rc == 0)
		rc = ops->run(e, &res);
	if (rc < 0) {
		fprintf(stderr, "engine-run: %s failed: %s\n", ops->name, strerror(-rc));
		return 98;
	}
	ops->stats(e, stats);
	ops->close(e);
	ring_set_finish(r.rings);
	pthread_join(t, NULL);
	if (verbose)
		print_stats(stats, &r);
	if (r.counts)
		print_counts(&r);
	if (r.shadow) {
		shadow_end(&r);
		fprintf(stderr, "shadow: %lu from the agent, %lu from stops, of these %lu not the program's; "
			"%lu begun again, %lu cut by death; %lu differ\n",
			r.inproc, r.stops, r.helper, r.restarts, r.cut, r.differ);
	}
	ring_set_free(r.rings);
	for (unsigned i = 0; i < r.ntasks; i++)
		free(r.tasks[i].places);
	free(r.tasks);
	fflush(r.out);
	if (r.differ)
		return 99;
	return WIFEXITED(res.status) ? WEXITSTATUS(res.status) : 128 + WTERMSIG(res.status);
}
