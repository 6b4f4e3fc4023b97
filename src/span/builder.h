/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the span builder: shared by its files, included by nobody else.
 * Everything here belongs to the consumer thread.
 *
 * Order.  Spans of a process are handed on in order of their end.  Calls come
 * in that order, so a span that is certain goes out at once.  A candidate for
 * the slowest of its group is certain only at the next flush of its process
 * (fold interval, end of the process, start of a new trace); while a process
 * has one, all its spans are held behind it, and the flush sorts them.
 * Summaries end when their latest call did, or where the latest span that is
 * out already did, whichever is later.  Compute spans go out with the call
 * that ends them; among several threads they may be earlier than their
 * predecessor.
 */
#ifndef BUILDER_H
#define BUILDER_H

#include "base/hash.h"
#include "base/strbuf.h"
#include "span/budget.h"
#include "span/resource_build.h"
#include "span/span_builder.h"
#include "stats/group.h"

#define BUILDER_TRACE_NS (3600 * (uint64_t)1000000000)	/* a trace is at most this old */
#define BUILDER_SHARED_MAX 64u		/* executables whose processes are folded */
#define BUILDER_THREADS_MAX 16384u	/* group tables of threads */
#define BUILDER_HELD_MAX 4096u		/* spans held back in all */
#define BUILDER_ERRORS_MAX 4096u	/* distinct unexpected errors remembered */
#define BUILDER_GROUPS_THREAD 512u
#define BUILDER_GROUPS_REST 4096u
#define BUILDER_CALL_BYTES 400u		/* first guesses of sizes on the wire */
#define BUILDER_PROCESS_BYTES 500u
#define BUILDER_SUMMARY_BYTES 700u
/* A call is called slow from here on if it took twice the mean of its group ... */
#define BUILDER_SLOW_NS 20000u
/* ... and from here on in any case. */
#define BUILDER_SLOW_ALWAYS_NS 1000000u

#define BUILDER_FLAG_LOCAL 0x100u	/* trace.proto: whether the parent is remote is known ... */
#define BUILDER_FLAG_REMOTE 0x200u	/* ... and it is */

struct trace {
	uint32_t serial;		/* 1.. in this run */
	uint8_t id[16];
	uint8_t flags;			/* W3C */
	uint64_t start_ns;		/* Unix time */
	uint64_t spans;			/* of it, handed on */
	uint64_t processes;		/* process spans promised, of the frame's share */
	struct budget budget;
};

/* What stands for a process in a later trace than the one it started in. */
struct segment { uint32_t trace; uint8_t id[8]; uint64_t start_ns; };

struct fold_thread;

/* A process span to be: of one image, of all images of an executable
 * (shared), or the root. */
struct pspan {
	struct pspan *prev, *next;
	struct resource *resource;
	uint32_t references;		/* to the resource, taken in advance for spans */
	const struct image *image;	/* latest one; NULL when shared */
	uint32_t trace;			/* where it belongs */
	uint8_t trace_id[16], span_id[8], parent_id[8];
	struct segment seg;
	uint64_t start_ns;
	uint64_t last_ns;		/* end of its latest call */
	uint64_t out_ns;		/* latest end that was handed on */
	struct fold_thread *threads;
	struct group_table own;		/* of threads that are gone */
	struct group lives;		/* shared: how long its processes lived */
	struct span *held, **held_tail;
	uint32_t candidates;
	uint32_t live;			/* images that point here */
	uint32_t resource_id;		/* shared: no image's id */
	uint64_t calls;
	bool shared, root, named;
	uint8_t name_len;
	char name[64];
};

/* What every span of a thread's calls of one number begins with: name, number, thread. */
#define BUILDER_HEADS 64u
#define BUILDER_HEAD_ATTRS 5u
#define BUILDER_HEAD_TEXT 96u
struct call_head {
	int32_t tid, nr;
	char comm[16];
	uint8_t abi;
	uint8_t nattrs;			/* 0: free */
	uint16_t used, name_off, name_len;
	uint32_t attrs_size;
	struct span_attr attrs[BUILDER_HEAD_ATTRS];
	char text[BUILDER_HEAD_TEXT];
};

/* The groups of a thread, at task.user. */
struct fold_thread {
	struct fold_thread *prev, *next;	/* of its process span; next: spare list */
	struct pspan *owner;
	struct task *task;
	struct group_table table;
};

struct span_builder {
	struct span_builder_config cfg;
	struct span_pool *pool;
	struct world *world;
	const struct clock_map *clock;
	struct id_generator ids;
	struct trace trace;
	struct resource_host host;
	struct resource_run run;
	char service[256];
	struct pspan *list;		/* all but the root */
	struct pspan root;		/* trace 0: not seen yet */
	struct pspan *shared[BUILDER_SHARED_MAX];
	unsigned nshared;
	struct group_table rest;	/* what found no better place */
	struct fold_thread *spare;
	uint32_t threads;
	struct hash errors;
	struct strbuf text;
	struct call_head heads[BUILDER_HEADS];	/* by number, the latest of each place */
	struct decode_options decode;
	uint32_t call_bytes;		/* mean estimate of a call's span */
	uint64_t now_ns;		/* Unix time of the latest record */
	uint64_t fold_interval_ns, fold_due_ns, fold_mark;
	uint64_t trace_due_ns;		/* 0: at the first tick */
	int root_status;
	uint64_t root_end_ns;
	uint64_t processes;
	bool off, finishing;
	struct span_builder_stats stats;
};

/* builder.c: spans in and out */
struct span *builder_get(struct span_builder *b, struct pspan *p, enum span_type type);
void builder_emit(struct span_builder *b, struct pspan *p, struct span *s);
void builder_hold(struct span_builder *b, struct pspan *p, struct span *s);
void builder_flush(struct span_builder *b, struct pspan *p);	/* what is held, in order */
void builder_take(struct span_builder *b, struct pspan *p, struct group_table *t);	/* candidates: held */
void builder_flush_all(struct span_builder *b);
void builder_split(struct span_builder *b);			/* a new linked trace */

/* span_process.c */
int pspan_load_resource(struct span_builder *b, struct pspan *p);	/* 0 or -ENOMEM */
struct resource *pspan_resource_get(struct pspan *p);	/* a span's reference to the one that is loaded */
struct pspan *pspan_get(struct span_builder *b, const struct image *img);
void pspan_event(struct span_builder *b, const struct tracer_event *ev);
void pspan_context(struct span_builder *b, const struct tracer_ev_context *ev);	/* CONTEXT_IMAGE */
void pspan_context_resource(struct span_builder *b, int32_t tid);	/* CONTEXT_PROCESS */
void pspan_close(struct span_builder *b, struct pspan *p);	/* folds, held spans, its own span; freed */
void pspan_image_gone(void *ctx, struct image *img);
const uint8_t *pspan_parent(struct span_builder *b, struct pspan *p);	/* id for children in this trace */
void pspan_segment_end(struct span_builder *b, struct pspan *p);
void pspan_fini(struct span_builder *b, struct pspan *p);	/* no spans: just memory */
struct pspan *pspan_shared(struct span_builder *b, const struct pspan *like);
void pspan_root_finish(struct span_builder *b, const struct span_final *f);

/* span_call.c */
struct span *call_span(struct span_builder *b, struct pspan *p, const struct call *c, bool unexpected);
bool call_unexpected(const struct span_builder *b, const struct call *c);
bool call_waits(const struct call *c);
/* Name, error and thread of a summary of calls. */
void call_add_group(struct span *s, const struct group *g, const struct task *t);
void call_compute(struct span_builder *b, struct pspan *p, const struct call *c);

/* fold.c */
void fold_call(struct span_builder *b, struct pspan *p, const struct call *c, bool unexpected);
void fold_flush(struct span_builder *b, struct pspan *p);	/* the interval is over */
void fold_process_end(struct span_builder *b, struct pspan *p);
void fold_rest(struct span_builder *b);
void fold_task_gone(void *ctx, struct task *t);
void fold_thread_fini(struct span_builder *b, struct fold_thread *t);
void fold_add_group(struct span *s, const struct group *g);

/* A quarter of the frame is kept for the summaries at the end of a run. */
static inline uint64_t builder_frame_usable(const struct budget *bu)
{
	return bu->share[BUDGET_FRAME].max_spans - bu->share[BUDGET_FRAME].max_spans / 4;
}

static inline uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

#endif
