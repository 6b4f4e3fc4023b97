/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session: the gate of the library.  It turns options into parts, starts
 * the consumer thread, lets the engine run on the calling thread (the
 * supervisor), and ends everything in order under one deadline:
 *
 *   engine ends -> rings drained -> last folds and process spans -> flush ->
 *   root span -> exporter shutdown -> outputs closed -> exit line
 *
 * The struct is the supervisor's; fields that signal handlers read are atomic.
 */
#include "config.h"
#include <tracer/session.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/open_fds.h"
#include "base/parse.h"
#include "session/parts.h"

#define RINGS_MAX 8192u
#define PATH_LIMIT 4096u
#define VECTOR_LIMIT 64u
#define CALL_LIMIT 16384u

/* --- open ------------------------------------------------------------------------------------------- */

static int fail(struct tracer_session *s, int err, const char *why)
{
	const char *advice = err_advice(err);

	log_msg(&s->log, LOG_ERROR, "%s%s%s", why[0] ? why : tracer_strerror(err), advice ? "; " : "",
		advice ? advice : "");
	return err;
}

static int load_pids(struct tracer_session *s, char *why, size_t whylen)
{
	const struct option_value *list = &s->options->v[OPT_ATTACH];
	uint64_t pid;

	for (uint32_t i = 0; i < list->nlist; i++) {
		for (const char *p = list->list[i]; p;) {
			char word[24];
			size_t n = strcspn(p, ", \t\n");
			snprintf(word, sizeof(word), "%.*s", (int)(n < sizeof(word) ? n : 0), p);
			if (parse_u64(word, 1, INT32_MAX, &pid) || s->npids == SESSION_PIDS_MAX) {
				snprintf(why, whylen,
					 "-p %s: it takes process ids: -p 4242,4243 (at most %u)",
					 list->list[i], SESSION_PIDS_MAX);
				return -TRACER_ERR_USAGE;
			}
			s->pids[s->npids++] = (pid_t)pid;
			p = p[n] ? p + n + strspn(p + n, ", \t\n") : NULL;
			if (p && !*p)
				p = NULL;
		}
	}
	return 0;
}

/* Spans are built, and the program may know where it belongs. */
static bool gives_context(const struct tracer_session *s)
{
	return s->delivery.traced && s->delivery.propagators & PROPAGATE_TRACECONTEXT;
}

static int load_program(struct tracer_session *s, const struct tracer_session_config *cfg, char *why,
			size_t whylen)
{
	int r;

	if (!cfg->argv)
		return s->npids || option_str(s->options, OPT_RECORDING) ? 0 : -TRACER_ERR_USAGE;
	r = program_load(&s->program, s->options, cfg->argv, cfg->envp, why, whylen);
	if (r < 0)
		return r;
	s->name = strrchr(cfg->argv[0], '/') ? strrchr(cfg->argv[0], '/') + 1 : cfg->argv[0];
	s->envp = s->program.envp;
	s->delivery.program = s->program.file;
	if (!gives_context(s))
		return 0;
	s->environ = propagator_environ(s->program.envp, &s->delivery.context, s->delivery.root_span_id);
	s->envp = s->environ;
	return s->environ ? 0 : -ENOMEM;
}

/* Rings are a power of two. */
static uint64_t ring_size(const struct tracer_options *o)
{
	uint64_t want = option_num(o, OPT_RING_SIZE), size = 65536;

	while (size < want)
		size *= 2;
	return size;
}

static const char *baggage_lookup(char *const *envp)
{
	for (; envp && *envp; envp++)
		if (!strncmp(*envp, "BAGGAGE=", 8))
			return *envp + 8;
	return NULL;
}

static void load_context(struct tracer_session *s)
{
	const struct delivery *d = &s->delivery;

	if (!gives_context(s))
		return;
	s->context = (struct engine_context){ .trace_flags = d->context.trace_flags };
	memcpy(s->context.trace_id, d->context.trace_id, sizeof(s->context.trace_id));
	memcpy(s->context.span_id, d->root_span_id, sizeof(s->context.span_id));
	s->context.trace_state = d->context.trace_state;
	if (d->propagators & PROPAGATE_BAGGAGE)
		s->context.baggage = baggage_lookup(s->envp);
	s->engine_config.context = &s->context;
	s->engine_config.propagate = option_num(s->options, OPT_PROPAGATE) != 0;
}

/* $XDG_CACHE_HOME/tracer, where the user names nothing else; NULL: none. */
static const char *site_cache_path(struct tracer_session *s)
{
	const char *dir = option_str(s->options, OPT_SITE_CACHE), *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int n;

	if (dir && *dir)
		return strcmp(dir, "none") ? dir : NULL;
	if (cache && cache[0] == '/')
		n = snprintf(s->site_cache, sizeof(s->site_cache), "%s/tracer", cache);
	else if (home && home[0] == '/')
		n = snprintf(s->site_cache, sizeof(s->site_cache), "%s/.cache/tracer", home);
	else
		return NULL;
	return n < (int)sizeof(s->site_cache) ? s->site_cache : NULL;
}

/* Calls outside the selection that have to be seen for what is told of those inside it. */
static uint32_t state_ops(const struct tracer_session *s, bool reads)
{
	bool targets = s->outputs.wants_targets || s->delivery.wanted || s->selection.paths.count ||
		       option_num(s->options, OPT_DECODE_FDS) > 0;

	return reads ? selection_state_ops(&s->selection, targets) : 0;
}

static void load_engine_config(struct tracer_session *s, const struct tracer_session_config *cfg)
{
	const struct tracer_options *o = s->options;
	bool reads = s->outputs.wants_calls || s->outputs.wants_outside || s->delivery.wanted ||
		     selection_reads_calls(&s->selection);

	s->engine_config = (struct engine_config){
		.file = s->program.file,
		.argv = s->program.argv,
		.envp = s->envp,
		.pids = s->npids ? s->pids : NULL,
		.npids = s->npids,
		.recording = option_str(o, OPT_RECORDING),
		.follow = option_num(o, OPT_FOLLOW_FORKS) != 0,
		.wait_all = option_num(o, OPT_WAIT_ALL) != 0,
		.state_ops = state_ops(s, reads),
		.maps = s->outputs.wants_maps || s->delivery.wanted,
		.counts_only = !reads && !s->outputs.wants_tasks && !s->outputs.wants_events && !s->metering.wanted,
		.selection = &s->engine_selection,
		.results_only = !reads && !s->metering.wanted,
		.limits = { .string_max = reads ? (uint32_t)option_num(o, OPT_STRING_LIMIT) : 0, .path_max = PATH_LIMIT,
			    .vector_max = VECTOR_LIMIT, .total_max = CALL_LIMIT },
		.ring_size = ring_size(o),
		.overflow = option_num(o, OPT_OVERFLOW) == OVERFLOW_DROP ? ENGINE_DROP : ENGINE_BLOCK,
		.clock = clock_probe(),
		.seccomp_filter = true,
		.job_control = cfg->job_control,
		.pin = true,
		.run_as = s->program.run_as,
		.run_uid = s->program.uid,
		.run_gid = s->program.gid,
		.run_user = s->program.user,
		.site_cache = site_cache_path(s),
		.site_cache_named = option_str(o, OPT_SITE_CACHE) && *option_str(o, OPT_SITE_CACHE),
		.log = &s->log,
		.rings = s->rings,
	};
	load_context(s);
	s->inherit = (struct engine_inherit){ .fds = s->fds, .nfds = s->nfds };
	if (cfg->inherit) {
		s->inherit.signals = true;
		s->inherit.mask = cfg->inherit->mask;
		s->inherit.changed = cfg->inherit->changed;
		s->inherit.ignored = cfg->inherit->ignored;
	}
	s->engine_config.inherit = &s->inherit;
}

/* What auto has chosen could not be opened, for a reason that its probe does not know. */
static int open_instead(struct tracer_session *s, int failed, char *why, size_t whylen)
{
	bool quiet = s->engine_config.chosen;
	char first[256];
	int r;

	snprintf(first, sizeof(first), "%s", why);
	r = engine_choose_behind(s->ops, &s->engine_config, &s->ops, why, whylen);
	if (r < 0) {
		snprintf(why, whylen, "%s", first);
		return failed;
	}
	s->engine_config.chosen = quiet;
	if (!quiet)
		log_msg(&s->log, LOG_INFO, "engine %s: %s", s->ops->name, first);
	r = s->ops->open(&s->engine_config, &s->engine);
	if (r < 0)
		snprintf(why, whylen, "the %s engine could not be opened: %s", s->ops->name, tracer_strerror(r));
	return r;
}

static int open_engine(struct tracer_session *s, char *why, size_t whylen)
{
	const char *name = s->engine_config.recording ? "replay" : option_str(s->options, OPT_ENGINE);
	int r = engine_choose(name, &s->engine_config, &s->ops, why, whylen);
	bool other = !r && s->engine_config.chosen;

	if (!r && option_num(s->options, OPT_NO_ABBREV)) {
		s->engine_config.chosen = false;
		if (why[0])
			log_msg(&s->log, LOG_INFO, "engine %s: %s", s->ops->name, why);
	}
	if (r < 0)
		return r;
	/* what auto would have preferred is no reason for what comes */
	r = s->ops->open(&s->engine_config, &s->engine);
	if (r < 0)
		snprintf(why, whylen, "the %s engine could not be opened: %s", s->ops->name, tracer_strerror(r));
	return r < 0 && other ? open_instead(s, r, why, whylen) : r;
}

static void load_consumer(struct tracer_session *s)
{
	s->consumer.options = s->options;
	s->consumer.selection = &s->selection;
	s->consumer.log = &s->log;
	s->consumer.rings = s->rings;
	s->consumer.outputs = &s->outputs;
	s->consumer.delivery = &s->delivery;
	s->consumer.metering = &s->metering;
	s->consumer.progress = s->progress.fn ? &s->progress : NULL;
	if (s->metering.wanted)
		s->delivery.instance_id = s->metering.run.instance_id;
	s->consumer.clock_source = s->engine_config.clock;
	s->consumer.replay = s->engine_config.recording != NULL;
	s->consumer.engine = s->ops->name;
}

static int open_parts(struct tracer_session *s, const struct tracer_session_config *cfg, char *why,
		      size_t whylen)
{
	int r = load_pids(s, why, whylen);

	if (!r)
		r = selection_load(&s->selection, s->options, why, whylen);
	if (!r)
		r = outputs_choose(&s->outputs, s->options, why, whylen);
	if (!r)
		r = metering_open(&s->metering, s->options, &s->outputs, &s->log, why, whylen);
	if (!r)
		r = delivery_open(&s->delivery, s->options, &s->outputs, cfg->envp, &s->log, why, whylen);
	if (!r)
		r = load_program(s, cfg, why, whylen);
	if (!r)
		r = ring_set_new(&s->rings, RINGS_MAX);
	if (r < 0)
		return r;
	selection_format_engine(&s->selection, &s->engine_selection);
	s->engine_selection.all |= s->outputs.wants_outside;
	load_engine_config(s, cfg);
	/* while the engine is opened enough time passes for the clock's rate */
	clock_point_sync(&s->consumer.clock_first, s->engine_config.clock);
	/* Text of ours on a terminal says enough. */
	progress_set_wanted(&s->progress, !outputs_use_terminal(&s->outputs));
	if (s->progress.fn && s->engine_config.recording)
		progress_watch(&s->progress, true);
	if (s->progress.fn)
		s->engine_config.screen = &s->progress.screen;
	/* The times of a recording are another clock's. */
	if (!s->engine_config.recording)
		ring_set_set_clock(s->rings, s->engine_config.clock);
	r = open_engine(s, why, whylen);
	if (r < 0)
		return r;
	load_consumer(s);
	r = consumer_start(&s->consumer);
	if (r < 0)
		snprintf(why, whylen, "%s", s->consumer.start_why);
	return r;
}

int tracer_session_open(struct tracer_session **out, const struct tracer_session_config *cfg)
{
	struct tracer_session *s = calloc(1, sizeof(*s));
	char why[600] = "";
	int r;

	if (!s)
		return -ENOMEM;
	s->options = cfg->options;
	progress_init(&s->progress, cfg);
	s->log = (struct log){ .fn = progress_log, .ctx = &s->progress, .level = LOG_INFO };
	if (option_num(s->options, OPT_QUIET) > 2)
		s->log.level = LOG_ERROR;
	s->nfds = open_fds_load(&s->fds);
	r = open_parts(s, cfg, why, sizeof(why));
	if (r < 0) {
		fail(s, r, why);
		tracer_session_close(s);
		return r;
	}
	*out = s;
	return 0;
}

/* --- run -------------------------------------------------------------------------------------------- */

/* Its rings are closed with it: the consumer can come to an end. */
static void close_engine(struct tracer_session *s)
{
	if (!s->engine)
		return;
	if (s->ops->stats)
		s->ops->stats(s->engine, s->engine_stats);
	s->ops->close(s->engine);
	s->engine = NULL;
}

static int run_engine(struct tracer_session *s, struct engine_result *er)
{
	int r = s->ops->start(s->engine);

	if (!r) {
		atomic_store(&s->running, true);
		session_report_attached(s);
		if (atomic_load(&s->stop_early))
			s->ops->stop(s->engine);
		r = s->ops->run(s->engine, er);
		atomic_store(&s->running, false);
	}
	close_engine(s);
	return r;
}

static void abort_delivery(struct tracer_session *s)
{
	if (s->delivery.batch)
		batch_processor_abort(s->delivery.batch);
	metering_abort(&s->metering);
}

/* One deadline for all that is left; what is not done then is given up. */
static void end_consumer(struct tracer_session *s)
{
	uint64_t deadline = clock_mono_ns() + option_num(s->options, OPT_OTLP_FLUSH_TIMEOUT);

	struct timespec cpu;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	atomic_store(&s->consumer.tracer_ns, (uint64_t)cpu.tv_sec * 1000000000u + (uint64_t)cpu.tv_nsec);
	atomic_store(&s->consumer.waited_ns, s->engine_stats[ENGINE_STAT_PARKED_NS]);
	consumer_end(&s->consumer, deadline);
	if ((s->delivery.otlp || s->metering.otlp) && consumer_wait(&s->consumer, deadline) == -ETIMEDOUT)
		abort_delivery(s);
	consumer_join(&s->consumer);
}

static void load_result(const struct tracer_session *s, const struct engine_result *er,
			struct tracer_result *res)
{
	const struct delivery *d = &s->delivery;
	const struct metering *m = &s->metering;

	*res = (struct tracer_result){
		.have_status = er->have_status,
		.status = er->status,
		.detached = er->detached,
		.output_failed = s->consumer.output_error < 0,
		.calls = s->consumer.counts.calls,
		.spans = d->final.exported + d->final.unspooled,
		.folded = d->built.folded,
		.lost = s->consumer.counts.lost,
	};
	res->dropped = d->built.dropped + d->final.failed + d->final.rejected + d->final.dropped_full +
		       d->final.dropped_shutdown;
	res->export_failed =
	    d->otlp && d->wanted &&
	    (res->dropped > 0 || (d->final.queued && !d->final.exported && !d->final.spooled));
	res->export_failed |= m->otlp && (m->final.failed || m->final.rejected || m->encode_errors);
}

int tracer_session_run(struct tracer_session *s, struct tracer_result *res)
{
	struct engine_result er = { 0 };
	int r;

	s->start_ns = clock_mono_ns();
	r = run_engine(s, &er);
	progress_stop(&s->progress);
	s->end_ns = clock_mono_ns();
	atomic_store(&s->ended, true);
	end_consumer(s);
	load_result(s, &er, res);
	if (r < 0)
		return r;
	if (s->consumer.output_error && s->consumer.output_why[0])
		log_msg(&s->log, LOG_ERROR, "%s", s->consumer.output_why);
	session_report(s, &er, res);
	return 0;
}

/* --- signals and the end ------------------------------------------------------------------------------ */

void tracer_session_forward(struct tracer_session *s, int sig)
{
	if (atomic_load(&s->running))
		s->ops->forward(s->engine, sig);
}

void tracer_session_stop(struct tracer_session *s)
{
	atomic_store(&s->stop_early, true);
	if (atomic_load(&s->running))
		s->ops->stop(s->engine);
}

void tracer_session_abort(struct tracer_session *s)
{
	if (atomic_load(&s->ended))
		abort_delivery(s);
}

void tracer_session_close(struct tracer_session *s)
{
	if (!s)
		return;
	close_engine(s);
	if (s->consumer.started) {		/* opened and never run */
		consumer_end(&s->consumer, clock_mono_ns());
		consumer_join(&s->consumer);
	}
	delivery_close(&s->delivery);
	metering_close(&s->metering);
	world_free(s->consumer.world);
	ring_set_free(s->rings);
	selection_fini(&s->selection);
	program_fini(&s->program);
	free(s->environ);
	progress_fini(&s->progress);
	free(s->fds);
	free(s);
}
