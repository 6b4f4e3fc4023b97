/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The micro-benchmark program.  Main thread; owns all cases and samples.
 *   bench --list | bench [--quick] [--filter TEXT] [--samples N] [--json FILE]
 *   bench --host (what this machine is, as JSON)
 *   bench --exact CASE --iterations N     (for instruction counters; prints the allocations)
 */
#include "config.h"
#include "bench.h"
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "base/parse.h"
#include "host.h"
#include "stat.h"

#define CASES_MAX 256
#define SAMPLES_MAX 4096

struct measured {
	const struct bench_suite *suite;
	const struct bench_case *c;
	void *state;
	uint64_t iterations, taken;
	double *samples;		/* ns per iteration */
	double allocs, alloc_bytes;	/* per iteration, of the last sample */
	bool skipped;
};

struct options {
	const char *filter, *exact, *json;
	uint64_t samples, sample_ns, iterations;
	bool list, host;
};

static uint64_t run_timed(const struct measured *m, uint64_t n)
{
	uint64_t begin = clock_mono_ns();

	m->c->run(m->state, n);
	return clock_mono_ns() - begin;
}

/* The best of up to three: one that was disturbed says nothing. */
static uint64_t run_calm(const struct measured *m, uint64_t n, uint64_t enough_ns)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 3; i++) {
		uint64_t ns = run_timed(m, n);

		best = ns < best ? ns : best;
		if (best < enough_ns)
			break;
	}
	return best;
}

/* Doubles until a run lasts a quarter of a sample, then scales: that is the warm-up, too. */
static void calibrate(struct measured *m, uint64_t sample_ns)
{
	uint64_t n = 1, ns;

	while ((ns = run_calm(m, n, sample_ns / 4)) < sample_ns / 4 && n < (1ull << 40))
		n *= 2;
	m->iterations = (uint64_t)((double)n * (double)sample_ns / (double)(ns ? ns : 1));
	if (!m->iterations)
		m->iterations = 1;
}

static void take_sample(struct measured *m)
{
	uint64_t c0, b0, c1, b1, ns;

	/* What the case before has left in caches and scheduler is not to be ours. */
	m->c->run(m->state, m->iterations / 8 + 1);
	bench_allocs(&c0, &b0);
	ns = run_timed(m, m->iterations);
	bench_allocs(&c1, &b1);
	m->samples[m->taken++] = (double)ns / (double)m->iterations;
	m->allocs = (double)(c1 - c0) / (double)m->iterations;
	m->alloc_bytes = (double)(b1 - b0) / (double)m->iterations;
}

/* False: the case cannot run here. */
static bool setup_case(struct measured *m)
{
	if (m->c->setup_with)
		m->state = m->c->setup_with(m->c->arg);
	else if (m->c->setup)
		m->state = m->c->setup();
	return m->state || (!m->c->setup && !m->c->setup_with);
}

static int open_case(struct measured *m, const struct options *o)
{
	m->samples = calloc(SAMPLES_MAX, sizeof(double));
	if (!m->samples)
		return -ENOMEM;
	if (!setup_case(m)) {
		m->skipped = true;
		return 0;
	}
	if (m->c->latencies)
		m->taken = m->c->latencies(m->state, m->samples,
					   o->samples * 20 < SAMPLES_MAX ? o->samples * 20 : SAMPLES_MAX);
	else
		calibrate(m, o->sample_ns);
	return 0;
}

static void close_case(struct measured *m)
{
	if (m->state && m->c->teardown)
		m->c->teardown(m->state);
	free(m->samples);
}

static unsigned select_cases(struct measured *out, const struct options *o)
{
	unsigned n = 0;

	for (unsigned i = 0; bench_suites[i]; i++)
		for (const struct bench_case *c = bench_suites[i]->cases; c->name && n < CASES_MAX; c++) {
			if (o->filter && !strstr(c->name, o->filter) &&
			    !strstr(bench_suites[i]->name, o->filter))
				continue;
			if (o->exact && strcmp(c->name, o->exact) != 0)
				continue;
			out[n++] = (struct measured){ .suite = bench_suites[i], .c = c };
		}
	return n;
}

static void print_row(const struct measured *m, const struct stat_result *r)
{
	double items = m->c->items > 0 ? m->c->items : 1;

	printf("%-32s %11.1f ns  +-%5.1f %%  p95 %11.1f  p99 %11.1f  %12.0f %s/s  %6.2f allocs\n", m->c->name,
	       r->median, r->median > 0 ? 100 * r->mad / r->median : 0, r->p95, r->p99,
	       r->median > 0 ? 1e9 * items / r->median : 0, m->c->unit ? m->c->unit : "op", m->allocs);
}

static void add_row(struct json_writer *w, const struct measured *m, const struct stat_result *r)
{
	double items = m->c->items > 0 ? m->c->items : 1;

	json_open_object(w, NULL);
	json_add_str(w, "name", m->c->name, strlen(m->c->name));
	json_add_str(w, "suite", m->suite->name, strlen(m->suite->name));
	json_add_str(w, "what", m->c->what, strlen(m->c->what));
	json_add_str(w, "unit", m->c->unit ? m->c->unit : "op", strlen(m->c->unit ? m->c->unit : "op"));
	json_add_u64(w, "samples", r->n);
	json_add_u64(w, "iterations", m->iterations);
	json_add_double(w, "median_ns", r->median);
	json_add_double(w, "mad_ns", r->mad);
	json_add_double(w, "min_ns", r->min);
	json_add_double(w, "mean_ns", r->mean);
	json_add_double(w, "p50_ns", r->p50);
	json_add_double(w, "p95_ns", r->p95);
	json_add_double(w, "p99_ns", r->p99);
	json_add_double(w, "ci95_low_ns", r->ci_low);
	json_add_double(w, "ci95_high_ns", r->ci_high);
	json_add_u64(w, "outliers", r->outliers);
	json_add_double(w, "rate_per_s", r->median > 0 ? 1e9 * items / r->median : 0);
	json_add_double(w, "allocs", m->allocs);
	json_add_double(w, "alloc_bytes", m->alloc_bytes);
	json_close_object(w);
}

static int write_file(const char *name, const struct strbuf *sb)
{
	FILE *f = fopen(name, "we");
	int rc = 0;

	if (!f || fwrite(sb->p, 1, sb->len, f) != sb->len || fputc('\n', f) == EOF)
		rc = -errno;
	if (f && fclose(f) != 0)
		rc = -errno;
	if (rc < 0)
		fprintf(stderr, "bench: cannot write %s: %s\n", name, strerror(-rc));
	return rc;
}

static int report(struct measured *ms, unsigned n, const struct options *o)
{
	struct json_writer w;
	struct strbuf sb;
	int rc = 0;

	strbuf_init(&sb, 16u << 20);
	json_init(&w, &sb);
	json_open_object(&w, NULL);
	json_add_i64(&w, "schema", 1);
	json_add_i64(&w, "time", (int64_t)time(NULL));
	host_format(&w);
	json_open_array(&w, "results");
	for (unsigned i = 0; i < n; i++) {
		struct stat_result r;

		if (ms[i].skipped) {
			printf("%-32s skipped: cannot run here\n", ms[i].c->name);
			continue;
		}
		stat_compute(ms[i].samples, ms[i].taken, 42, &r);
		print_row(&ms[i], &r);
		add_row(&w, &ms[i], &r);
	}
	json_close_array(&w);
	json_close_object(&w);
	if (o->json)
		rc = write_file(o->json, &sb);
	strbuf_fini(&sb);
	return rc;
}

static int run_exact(struct measured *m, const struct options *o)
{
	uint64_t c0, b0, c1, b1;

	if (!setup_case(m))
		return 77;
	bench_allocs(&c0, &b0);
	m->c->run(m->state, o->iterations);
	bench_allocs(&c1, &b1);
	printf("allocations %" PRIu64 " bytes %" PRIu64 "\n", c1 - c0, b1 - b0);
	close_case(m);
	return 0;
}

static int report_host(void)
{
	struct json_writer w;
	struct strbuf sb;

	strbuf_init(&sb, 65536);
	json_init(&w, &sb);
	json_open_object(&w, NULL);
	host_format(&w);
	json_close_object(&w);
	puts(sb.p);
	strbuf_fini(&sb);
	return 0;
}

static int parse_options(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "list", no_argument, NULL, 'l' }, { "quick", no_argument, NULL, 'q' },
		{ "filter", required_argument, NULL, 'f' }, { "samples", required_argument, NULL, 's' },
		{ "json", required_argument, NULL, 'j' }, { "exact", required_argument, NULL, 'e' },
		{ "iterations", required_argument, NULL, 'n' }, { "host", no_argument, NULL, 'h' }, { 0 } };
	int c;

	*o = (struct options){ .samples = 60, .sample_ns = 10000000, .iterations = 1 };
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == '?' || (c == 's' && parse_u64(optarg, 3, SAMPLES_MAX, &o->samples) < 0) ||
		    (c == 'n' && parse_u64(optarg, 1, 1ull << 40, &o->iterations) < 0))
			return -EINVAL;
		if (c == 'q') {
			o->samples = 15;
			o->sample_ns = 2000000;
		}
		o->list |= c == 'l';
		o->host |= c == 'h';
		o->filter = c == 'f' ? optarg : o->filter;
		o->exact = c == 'e' ? optarg : o->exact;
		o->json = c == 'j' ? optarg : o->json;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct measured ms[CASES_MAX];
	struct options o;
	unsigned n;
	int rc;

	if (parse_options(&o, argc, argv) < 0)
		return 2;
	if (o.host)
		return report_host();
	n = select_cases(ms, &o);
	if (!n) {
		fprintf(stderr, "bench: no such case; bench --list shows them\n");
		return 2;
	}
	if (o.list) {
		for (unsigned i = 0; i < n; i++)
			printf("%-12s %-32s %s\n", ms[i].suite->name, ms[i].c->name, ms[i].c->what);
		return 0;
	}
	if (o.exact)
		return run_exact(&ms[0], &o);
	for (unsigned i = 0; i < n; i++)
		if (open_case(&ms[i], &o) < 0)
			return 1;
	for (uint64_t s = 0; s < o.samples; s++)
		for (unsigned i = 0; i < n; i++)
			if (!ms[i].skipped && !ms[i].c->latencies)
				take_sample(&ms[i]);
	rc = report(ms, n, &o);
	for (unsigned i = 0; i < n; i++)
		close_case(&ms[i]);
	return rc < 0 ? 1 : 0;
}
