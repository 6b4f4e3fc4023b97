/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libtracer in a program of one's own: runs a command, writes its calls as JSON lines to embed.jsonl, and
 * says how many there were.  OTEL_* and TRACER_* variables hold as for the command.
 *
 *     cc embed.c $(pkg-config --cflags --libs libtracer) -o embed && ./embed ls -l
 *
 * One thread: the one that calls tracer_session_run() traces.  All objects here are main()'s.
 */
#include <stdio.h>
#include <sys/wait.h>
#include <tracer/tracer.h>

extern char **environ;

static void say(void *ctx, int level, const char *message)
{
	(void)ctx;
	if (level <= TRACER_LOG_WARN)
		fprintf(stderr, "embed: %s\n", message);
}

static void warn(void *ctx, const char *message)
{
	say(ctx, TRACER_LOG_WARN, message);
}

static int options_load(struct tracer_options *o, char *why, size_t whylen)
{
	int r = tracer_options_load_environ(o, environ, warn, NULL, why, whylen);

	if (r >= 0)
		r = tracer_options_set(o, "output", "embed.jsonl", TRACER_FROM_OPTION, why, whylen);
	return r < 0 ? r : tracer_options_check(o, warn, NULL, why, whylen);
}

int main(int argc, char **argv)
{
	struct tracer_session_config cfg = { .argv = argv + 1, .envp = environ, .log = say };
	struct tracer_options *o = NULL;
	struct tracer_session *s = NULL;
	struct tracer_result res = { 0 };
	char why[512] = "";
	int r;

	if (argc < 2)
		return 2;
	r = tracer_options_new(&o);
	if (r >= 0)
		r = options_load(o, why, sizeof(why));
	cfg.options = o;
	if (r >= 0)
		r = tracer_session_open(&s, &cfg);
	if (r >= 0)
		r = tracer_session_run(s, &res);
	if (r < 0)
		fprintf(stderr, "embed: %s\n", why[0] ? why : tracer_strerror(r));
	else
		printf("%llu calls, exit status %d\n", (unsigned long long)res.calls,
		       res.have_status && WIFEXITED(res.status) ? WEXITSTATUS(res.status) : -1);
	tracer_session_close(s);
	tracer_options_free(o);
	return r < 0;
}
