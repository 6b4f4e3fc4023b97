/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole-process benchmark: wall time of a command natively and under tools,
 * interleaved, compared pair by pair within a repetition.
 *
 *   ratio [--reps N] [--json FILE] [--name TEXT]
 *         [--variant NAME=PREFIX...] [--post NAME=SHELL-COMMAND...] [--err NAME=FILE...]
 *         [--count NAME=SHELL-COMMAND...] [--expect N] [--limit SECONDS] -- COMMAND [ARG...]
 *
 * PREFIX is split at spaces and put before the command.  After each run of
 * variant NAME its --post command is run by sh; a failure counts as "bad"
 * (that is where the counts of a timed run are checked).  A --count command
 * prints how many events that run has recorded; what is missing from --expect
 * is reported as lost.  stdout and stderr of the runs go to /dev/null, stderr
 * to its --err file where there is one.  A run that has not ended after --limit
 * (120) seconds is killed with its process group, and that variant is left out from then on and named
 * as hung.  Exit 1 where a run failed or a check was bad.
 */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
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
	bool has_counts, hung;
	long maxrss_kib;
	int status;
};

struct options {
	uint64_t reps, limit;
	const char *json, *name;
	uint64_t expect;
};

/* False: it has not ended within so many seconds. */
static bool ends_within(pid_t pid, uint64_t seconds)
{
	struct pollfd p = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	int rc = p.fd < 0 ? 1 : poll(&p, 1, (int)(seconds * 1000));

	if (p.fd >= 0)
		close(p.fd);
	return rc != 0;
}

static int spawn_run(pid_t *pid, char *const argv[], const char *err)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	int rc;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&fa, 2, err ? err : "/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP);
	rc = posix_spawnp(pid, argv[0], &fa, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&fa);
	return rc;
}

/* One run: wall nanoseconds, wait status, peak RSS. */
struct outcome { uint64_t ns; int status; long maxrss; bool hung; };

static struct outcome run_once(char *const argv[], const char *err, uint64_t limit)
{
	struct outcome out = { .status = 127 << 8 };
	uint64_t begin = clock_mono_ns();
	struct rusage ru;
	pid_t pid;

	if (spawn_run(&pid, argv, err) != 0)
		return out;
	out.hung = !ends_within(pid, limit);
	if (out.hung)
		kill(-pid, SIGKILL);
	while (wait4(pid, &out.status, 0, &ru) < 0 && errno == EINTR)
		;
	out.maxrss = ru.ru_maxrss;
	out.ns = clock_mono_ns() - begin;
	return out;
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

static void add_run(struct variant *v, const struct outcome *out)
{
	v->reps++;
	v->status = out->status ? out->status : v->status;
	v->maxrss_kib = out->maxrss > v->maxrss_kib ? out->maxrss : v->maxrss_kib;
}

static void run_variant(struct variant *v, double native_ms, const struct options *o)
{
	struct outcome out = run_once(v->argv, v->err, o->limit);

	if (out.hung) {
		v->hung = true;
		return;
	}
	if (v->post && system(v->post) != 0)
		v->bad++;
	if (v->count)
		add_count(v, v->reps, o->expect);
	v->wall_ms[v->reps] = (double)out.ns / 1e6;
	v->ratio[v->reps] = native_ms > 0 ? v->wall_ms[v->reps] / native_ms : 0;
	add_run(v, &out);
}

/* Native, tools, native: the mean of the two natives is what the tools of
 * this repetition are compared with. */
static void run_rep(struct variant *vs, unsigned n, uint64_t rep, const struct options *o)
{
	struct outcome first = run_once(vs[0].argv, NULL, o->limit), last;
	double native;

	for (unsigned i = 1; i < n; i++)
		if (!vs[i].hung)
			run_variant(&vs[i], (double)first.ns / 1e6, o);
	last = run_once(vs[0].argv, NULL, o->limit);
	vs[0].wall_ms[rep] = native = (double)(first.ns + last.ns) / 2e6;
	vs[0].ratio[rep] = first.ns ? (double)last.ns / (double)first.ns : 0;
	add_run(&vs[0], &last);
	for (unsigned i = 1; i < n; i++)
		if (!vs[i].hung)
			vs[i].ratio[rep] = native > 0 ? vs[i].wall_ms[rep] / native : 0;
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
		if (strlen(vs[i].name) == (size_t)(eq - arg) &&
		    strncmp(vs[i].name, arg, (size_t)(eq - arg)) == 0) {
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
		{ "expect", required_argument, NULL, 'x' }, { "limit", required_argument, NULL, 'l' }, { 0 } };
	int c;

	*o = (struct options){ .reps = 7, .limit = 120, .name = "" };
	while ((c = getopt_long(argc, argv, "+", longs, NULL)) != -1) {
		if (c == '?' || (c == 'r' && parse_u64(optarg, 1, REPS_MAX, &o->reps) < 0) ||
		    (c == 'v' && add_variant(vs, n, optarg) < 0) ||
		    ((c == 'p' || c == 'e' || c == 'c') && add_text(vs, *n, optarg, c) < 0) ||
		    (c == 'x' && parse_u64(optarg, 0, UINT64_MAX, &o->expect) < 0) ||
		    (c == 'l' && parse_u64(optarg, 1, 86400, &o->limit) < 0))
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

static void add_hung(struct json_writer *w, const struct variant *vs, unsigned n, const struct options *o)
{
	json_open_array(w, "hung");
	for (unsigned i = 1; i < n; i++) {
		if (!vs[i].hung)
			continue;
		printf("%-24s did not end within %" PRIu64 " s: killed, and left out\n", vs[i].name, o->limit);
		json_add_str(w, NULL, vs[i].name, strlen(vs[i].name));
	}
	json_close_array(w);
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
		if (vs[i].reps)
			add_result(&w, &vs[i]);
		bad |= vs[i].bad || vs[i].status != vs[0].status;
	}
	json_close_array(&w);
	add_hung(&w, vs, n, o);
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
				"             [--err NAME=FILE] [--count NAME=CMD] [--expect N]\n"
				"             [--limit SECONDS] -- COMMAND\n");
		return 2;
	}
	for (unsigned i = 0; i < n; i++)
		add_command(&vs[i], argv + optind);
	for (uint64_t rep = 0; rep < o.reps; rep++)
		run_rep(vs, n, rep, &o);
	return report(vs, n, &o, argv + optind);
}
