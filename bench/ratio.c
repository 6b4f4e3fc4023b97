/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole-process benchmark: wall time of a command natively and under tools,
 * interleaved, compared pair by pair within a repetition.
 *
 *   ratio [--reps N] [--json FILE] [--name TEXT]
 *         [--variant NAME=PREFIX...] [--post NAME=SHELL-COMMAND...] [--err NAME=FILE...]
 *         [--count NAME=SHELL-COMMAND...] [--expect N] -- COMMAND [ARG...]
 *
 * PREFIX is split at spaces and put before the command.  After each run of
 * variant NAME its --post command is run by sh; a failure counts as "bad"
 * (that is where the counts of a timed run are checked).  A --count command
 * prints how many events that run has recorded; what is missing from --expect
 * is reported as lost.  stdout and stderr of the runs go to /dev/null, stderr
 * to its --err file where there is one.  Exit 1 where a run failed or a check
 * was bad.
 */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/parse.h"
#include "host.h"
#include "stat.h"

#define VARIANTS_MAX 32
#define WORDS_MAX 256
#define REPS_MAX 1000

extern char **environ;

struct variant {
	const char *name, *post, *err, *count;
	char *argv[WORDS_MAX];
	double wall_ms[REPS_MAX], ratio[REPS_MAX];
	uint64_t reps, bad, counted, lost[REPS_MAX];
	bool has_counts;
	long maxrss_kib;
	int status;
};

struct options {
	uint64_t reps;
	const char *json, *name;
	uint64_t expect;
};

/* Wall nanoseconds of one run; its wait status and peak RSS. */
static uint64_t run_once(char *const argv[], const char *err, int *status, long *maxrss)
{
	posix_spawn_file_actions_t fa;
	struct rusage ru;
	uint64_t begin;
	pid_t pid;
	int rc;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&fa, 2, err ? err : "/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	begin = clock_mono_ns();
	rc = posix_spawnp(&pid, argv[0], &fa, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	if (rc != 0) {
		*status = 127 << 8;
		return 0;
	}
	while (wait4(pid, status, 0, &ru) < 0 && errno == EINTR)
		;
	*maxrss = ru.ru_maxrss;
	return clock_mono_ns() - begin;
}

/* How many events the run's count command says there were; what is missing is lost. */
static void add_count(struct variant *v, uint64_t rep, uint64_t expect)
{
	FILE *f = popen(v->count, "re");
	char line[64];
	uint64_t n = 0;

	if (!f || !fgets(line, sizeof(line), f) || parse_u64(strtok(line, " \n"), 0, UINT64_MAX, &n) < 0)
		v->bad++;
	if (f && pclose(f) != 0)
		v->bad++;
	v->counted = n;
	v->lost[rep] = n < expect ? expect - n : 0;
	v->has_counts = true;
}

static void run_variant(struct variant *v, uint64_t rep, double native_ms, uint64_t expect)
{
	long rss = 0;
	int status = 0;
	double ms = (double)run_once(v->argv, v->err, &status, &rss) / 1e6;

	if (v->post && system(v->post) != 0)
		v->bad++;
	if (v->count)
		add_count(v, rep, expect);
	v->wall_ms[rep] = ms;
	v->ratio[rep] = native_ms > 0 ? ms / native_ms : 0;
	v->reps = rep + 1;
	v->status = status ? status : v->status;
	v->maxrss_kib = rss > v->maxrss_kib ? rss : v->maxrss_kib;
}

/* Native, tools, native: the mean of the two natives is what the tools of
 * this repetition are compared with. */
static void run_rep(struct variant *vs, unsigned n, uint64_t rep, uint64_t expect)
{
	long rss = 0;
	int status = 0;
	double before = (double)run_once(vs[0].argv, NULL, &status, &rss) / 1e6, after;

	for (unsigned i = 1; i < n; i++)
		run_variant(&vs[i], rep, before, expect);
	after = (double)run_once(vs[0].argv, NULL, &status, &rss) / 1e6;
	vs[0].wall_ms[rep] = (before + after) / 2;
	vs[0].ratio[rep] = before > 0 ? after / before : 0;
	vs[0].reps = rep + 1;
	vs[0].status = status ? status : vs[0].status;
	vs[0].maxrss_kib = rss > vs[0].maxrss_kib ? rss : vs[0].maxrss_kib;
	for (unsigned i = 1; i < n; i++)
		vs[i].ratio[rep] = vs[0].wall_ms[rep] > 0 ? vs[i].wall_ms[rep] / vs[0].wall_ms[rep] : 0;
}

static unsigned split(char *words, char **argv, unsigned max)
{
	unsigned n = 0;
	char *save = NULL;

	for (char *w = strtok_r(words, " ", &save); w && n + 1 < max; w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	return n;
}

static int add_variant(struct variant *vs, unsigned *n, char *arg)
{
	char *eq = strchr(arg, '=');

	if (!eq || *n >= VARIANTS_MAX)
		return -EINVAL;
	*eq = '\0';
	vs[*n] = (struct variant){ .name = arg };
	split(eq + 1, vs[*n].argv, WORDS_MAX / 2);
	++*n;
	return 0;
}

/* NAME=TEXT belongs to the variant of that name. */
static int add_text(struct variant *vs, unsigned n, char *arg, int option)
{
	char *eq = strchr(arg, '=');

	for (unsigned i = 1; eq && i < n; i++)
		if (strlen(vs[i].name) == (size_t)(eq - arg) && strncmp(vs[i].name, arg, (size_t)(eq - arg)) == 0) {
			vs[i].post = option == 'p' ? eq + 1 : vs[i].post;
			vs[i].err = option == 'e' ? eq + 1 : vs[i].err;
			vs[i].count = option == 'c' ? eq + 1 : vs[i].count;
			return 0;
		}
	return -EINVAL;
}

static void add_command(struct variant *v, char **command)
{
	unsigned n = 0;

	while (v->argv[n])
		n++;
	while (*command && n + 1 < WORDS_MAX)
		v->argv[n++] = *command++;
	v->argv[n] = NULL;
}

static int parse_options(struct options *o, struct variant *vs, unsigned *n, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "reps", required_argument, NULL, 'r' }, { "json", required_argument, NULL, 'j' },
		{ "name", required_argument, NULL, 'n' }, { "variant", required_argument, NULL, 'v' },
		{ "post", required_argument, NULL, 'p' },
		{ "err", required_argument, NULL, 'e' }, { "count", required_argument, NULL, 'c' },
		{ "expect", required_argument, NULL, 'x' }, { 0 } };
	int c;

	*o = (struct options){ .reps = 7, .name = "" };
	while ((c = getopt_long(argc, argv, "+", longs, NULL)) != -1) {
		if (c == '?' || (c == 'r' && parse_u64(optarg, 1, REPS_MAX, &o->reps) < 0) ||
		    (c == 'v' && add_variant(vs, n, optarg) < 0) || ((c == 'p' || c == 'e' || c == 'c') && add_text(vs, *n, optarg, c) < 0) ||
		    (c == 'x' && parse_u64(optarg, 0, UINT64_MAX, &o->expect) < 0))
			return -EINVAL;
		o->json = c == 'j' ? optarg : o->json;
		o->name = c == 'n' ? optarg : o->name;
	}
	return optind < argc ? 0 : -EINVAL;
}

static void add_losses(struct json_writer *w, const struct variant *v)
{
	uint64_t most = 0, runs = 0;

	for (uint64_t i = 0; i < v->reps; i++) {
		most = v->lost[i] > most ? v->lost[i] : most;
		runs += v->lost[i] != 0;
	}
	json_add_u64(w, "counted", v->counted);
	json_add_u64(w, "lost_most", most);
	json_add_u64(w, "lost_runs", runs);
	if (runs)
		printf("%-24s lost up to %" PRIu64 " events, in %" PRIu64 " of %" PRIu64 " runs\n", v->name, most, runs,
		       v->reps);
}

static void add_result(struct json_writer *w, struct variant *v)
{
	struct stat_result wall, ratio;

	stat_compute(v->wall_ms, v->reps, 42, &wall);
	stat_compute(v->ratio, v->reps, 42, &ratio);
	printf("%-24s %10.2f ms  ratio %7.3f  [%7.3f .. %7.3f]  min %7.3f  rss %ld KiB%s%s\n", v->name, wall.median,
	       ratio.median, ratio.ci_low, ratio.ci_high, ratio.min, v->maxrss_kib,
	       v->status ? "  FAILED" : "", v->bad ? "  BAD COUNT" : "");
	json_open_object(w, NULL);
	json_add_str(w, "variant", v->name, strlen(v->name));
	json_add_double(w, "wall_ms", wall.median);
	json_add_double(w, "wall_min_ms", wall.min);
	json_add_double(w, "ratio", ratio.median);
	json_add_double(w, "ratio_min", ratio.min);
	json_add_double(w, "ratio_mad", ratio.mad);
	json_add_double(w, "ratio_ci95_low", ratio.ci_low);
	json_add_double(w, "ratio_ci95_high", ratio.ci_high);
	json_add_i64(w, "maxrss_kib", v->maxrss_kib);
	json_add_u64(w, "reps", v->reps);
	json_add_i64(w, "status", v->status);
	json_add_u64(w, "bad", v->bad);
	if (v->has_counts)
		add_losses(w, v);
	json_close_object(w);
}

static int report(struct variant *vs, unsigned n, const struct options *o, char **command)
{
	struct json_writer w;
	struct strbuf sb;
	FILE *f = NULL;
	int bad = 0;

	strbuf_init(&sb, 1u << 20);
	json_init(&w, &sb);
	json_open_object(&w, NULL);
	json_add_i64(&w, "schema", 1);
	json_add_str(&w, "name", o->name, strlen(o->name));
	host_format(&w);
	json_add_u64(&w, "expect", o->expect);
	json_open_array(&w, "command");
	for (; *command; command++)
		json_add_str(&w, NULL, *command, strlen(*command));
	json_close_array(&w);
	json_open_array(&w, "results");
	for (unsigned i = 0; i < n; i++) {
		add_result(&w, &vs[i]);
		bad |= vs[i].bad || vs[i].status != vs[0].status;
	}
	json_close_array(&w);
	json_close_object(&w);
	if (o->json && (!(f = fopen(o->json, "we")) || fprintf(f, "%s\n", sb.p) < 0)) {
		fprintf(stderr, "ratio: cannot write %s: %s\n", o->json, strerror(errno));
		bad = 1;
	}
	if (f)
		fclose(f);
	strbuf_fini(&sb);
	return bad;
}

int main(int argc, char **argv)
{
	static struct variant vs[VARIANTS_MAX];
	struct options o;
	unsigned n = 1;

	vs[0].name = "native";
	if (parse_options(&o, vs, &n, argc, argv) < 0) {
		fprintf(stderr, "usage: ratio [--reps N] [--json FILE] [--variant NAME=PREFIX] [--post NAME=CMD]\n"
				"             [--err NAME=FILE] [--count NAME=CMD] [--expect N] -- COMMAND\n");
		return 2;
	}
	for (unsigned i = 0; i < n; i++)
		add_command(&vs[i], argv + optind);
	for (uint64_t rep = 0; rep < o.reps; rep++)
		run_rep(vs, n, rep, o.expect);
	return report(vs, n, &o, argv + optind);
}
