/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An engine turns a running program into event records.  It owns the
 * supervisor: every function but probe() is called on one thread, the one
 * that calls run().  Engines write to rings only; they know nothing of
 * decoding, spans or files.
 *
 * That thread waits for all of its children.  Whoever forks helpers of another
 * kind does so from another thread, one that lives as long as they do.
 */
#ifndef ENGINE_H
#define ENGINE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/log.h"
#include "capture/capture_abi.h"
#include "ring/ring_set.h"

/* Calls that the user wants, per ABI and number; bit clear: not wanted. */
#define ENGINE_CALLS_MAX 1024
struct engine_selection {
	bool all;			/* nothing left out */
	uint64_t bits[TRACER_ABIS][ENGINE_CALLS_MAX / 64];
};

/* What the program inherits where the tracer's own state differs: the child applies it between
 * fork and exec. */
struct engine_inherit {
	bool signals;			/* the next three are set; else as ours are */
	sigset_t mask;			/* signal mask */
	uint64_t changed;		/* bit sig-1: we changed the disposition of sig; the child sets it ... */
	uint64_t ignored;		/* bit sig-1: ... to SIG_IGN where set here, else to SIG_DFL */
	const int *fds;			/* descriptors, ascending; all others are closed at exec; NULL: none of them is */
	int nfds;
};

/* Where programs write without an engine's begin and end.  close: from true on who is about to write is told by begin
 * first; false: somebody writes, or has since the latest look.  open: as before.  Called under the lock that begin and
 * end take, any thread. */
struct engine_gate {
	bool (*close)(void *ctx);
	void (*open)(void *ctx);
	void *ctx;
};

/* The program may share its terminal with somebody who draws on it.  begin and end: around each call that
 * may write to a terminal, before it can and after it has.  watch: whether all of them are told, or kept from
 * writing by the gate.  set_gate: NULL takes it away, and nobody is behind it then. */
struct engine_screen {
	void (*begin)(void *ctx);
	void (*end)(void *ctx);
	void (*watch)(void *ctx, bool on);
	void (*set_gate)(void *ctx, const struct engine_gate *gate);
	void *ctx;
};

/* Trace context of the run, as the root program has it in its environment. */
struct engine_context {
	uint8_t trace_id[16];
	uint8_t span_id[8];		/* the root span */
	uint8_t trace_flags;
	const char *trace_state;	/* NULL none */
	const char *baggage;		/* for an environment that has none; NULL none */
};

struct engine_config {
	/* What to run: argv != NULL, or pids. */
	const char *file;		/* resolved path to execute */
	char *const *argv;
	char *const *envp;
	const struct engine_inherit *inherit;	/* NULL: the program inherits what we have */
	const pid_t *pids;
	unsigned npids;
	const char *recording;		/* replay: file name */

	bool follow;			/* forks are followed */
	bool wait_all;			/* stay until the last tracee is gone */
	uint32_t state_ops;		/* bit enum state_op: calls that do this are recorded HIDDEN when not selected */
	bool maps;			/* files mapped with PROT_EXEC are told of (TRACER_EV_MAP) */
	bool counts_only;		/* nobody asks what is executed and open: births and execs are told without names */
	const struct engine_selection *selection;
	bool results_only;		/* nobody asks for arguments, nor for what they point to */
	struct capture_limits limits;
	uint64_t ring_size;
	uint32_t overflow;		/* enum engine_overflow */
	enum tracer_clock_source clock;
	const char *variant;		/* "inproc:sud-prctl" -> "sud-prctl"; NULL: choose */
	bool named;			/* the user named the engine: it was not found by auto */
	bool seccomp_filter;		/* allowed to use one (probe and conditions still decide) */
	bool job_control;		/* stopped by the terminal, the program takes us along (SIGSTOP to our own process) */
	bool pin;			/* keep the supervisor beside its tracee's CPU where that pays */
	uid_t run_uid; gid_t run_gid; bool run_as;	/* -u */
	const char *run_user;
	const struct engine_context *context;	/* NULL: programs are given none */
	const struct engine_screen *screen;	/* NULL: nobody draws */
	bool propagate;			/* TRACEPARENT is changed at each exec */
	const char *site_cache;		/* directory for what is known of call sites, NULL: none */
	bool site_cache_named;		/* by the user */
	bool chosen;			/* by "auto": processes that it leaves to stops are no news */
	const struct log *log;
	struct ring_set *rings;
};

enum engine_overflow { ENGINE_BLOCK = 0, ENGINE_DROP = 1 };

/* Outcome of a run. */
struct engine_result {
	bool have_status;		/* a root program ended: */
	int status;			/* its wait status */
	unsigned detached;		/* tasks let go alive */
	pid_t root;
};

/* Counters, for --stats=engine; names in engine_stat_names[]. */
enum engine_stat {
	ENGINE_STAT_CALLS_TWO_STOPS, ENGINE_STAT_CALLS_ONE_STOP, ENGINE_STAT_CALLS_NO_STOP,
	ENGINE_STAT_STOPS, ENGINE_STAT_EVENT_STOPS, ENGINE_STAT_SIGNAL_STOPS,
	ENGINE_STAT_TASKS, ENGINE_STAT_EXECS, ENGINE_STAT_PARKED, ENGINE_STAT_PARKED_NS,
	ENGINE_STAT_FILTERED_TASKS, ENGINE_STAT_FAULTS,
	ENGINE_STAT_SITES_PATCHED, ENGINE_STAT_SITES_UNPATCHABLE, ENGINE_STAT_CALLS_NO_PAGE, ENGINE_STAT_INJECTIONS,
	ENGINE_STAT_EVICTIONS, ENGINE_STAT_FALLBACKS, ENGINE_STAT_CACHE_HITS,
	ENGINE_STAT_SITES_LEARNT, ENGINE_STAT_COPIES, ENGINE_STAT_COPIES_REFUSED,
	ENGINE_STAT_NOT_PROPAGATED, ENGINE_STAT_CONTEXTS,
	ENGINE_STAT_CACHE_IGNORED,
	ENGINE_STAT_MAPS, ENGINE_STAT_ELF_READ, ENGINE_STAT_ELF_FORGOTTEN,
	ENGINE_STATS
};
extern const char *const engine_stat_names[ENGINE_STATS];

struct engine;	/* each engine's own */

struct engine_ops {
	const char *name;
	/* 0, or negative with the reason in why (one line that says what to do). */
	int (*probe)(const struct engine_config *cfg, char *why, size_t whylen);
	int (*open)(const struct engine_config *cfg, struct engine **out);
	/* Fork and seize, or attach.  After 0 the root tracee exists and is held. */
	int (*start)(struct engine *e);
	/* Until the end of the run.  0 or negative. */
	int (*run)(struct engine *e, struct engine_result *res);
	void (*close)(struct engine *e);
	/* Async-signal-safe, callable from any thread, between start() and close(); a
	 * stop() is never lost, wherever the loop is (supervisor.c says how). */
	void (*forward)(struct engine *e, int sig);	/* send sig to the root program */
	void (*stop)(struct engine *e);			/* detach from everything (attached) and return from run */
	void (*stats)(const struct engine *e, uint64_t out[ENGINE_STATS]);
};

/* Registry: NULL-terminated, in order of preference for "auto". */
extern const struct engine_ops *const engines[];
const struct engine_ops *engine_lookup(const char *name);
/* The engine for --engine NAME[:variant] or auto; negative with why.  0 with why: what auto would have preferred
 * does not work here. */
int engine_choose(const char *name, struct engine_config *cfg,
		  const struct engine_ops **out, char *why, size_t whylen);
/* What auto takes where last (NULL: none) is not to be had; likewise. */
int engine_choose_behind(const struct engine_ops *last, struct engine_config *cfg, const struct engine_ops **out,
			 char *why, size_t whylen);

#endif
