/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program performs calls and prints how each must be shown; what was
 * recorded of it must say the same, in that order.  Whole chain: ptrace
 * engine, capture, world, decoders.  Skipped (77) where ptrace is refused.
 */
#include "config.h"
#include "engine_run.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include "decode/decode.h"
#include "unit.h"

static struct engine_run r;
static char dir[64];

/* Calls as text, one a line. */
static void show_all(struct strbuf *out, struct world_stats *st)
{
	const struct decode_options o = { .string_max = 32, .fd_paths = true, .fd_details = true };
	struct world *w;

	ck_assert_int_eq(world_new(&w, NULL), 0);
	for (const struct tracer_event *ev = NULL; (ev = engine_run_next(&r, ev));) {
		struct call c;

		world_before(w, ev);
		if (ev->kind == TRACER_EV_CALL) {
			call_init(&c, (const struct tracer_ev_call *)ev, w, NULL);
			strbuf_add_fmt(out, "%s(", c.name);
			call_format_args(&c, &o, out);
			strbuf_add_str(out, ") ");
			call_format_ret(&c, &o, out);
			strbuf_add_char(out, '\n');
		}
		world_after(w, ev);
	}
	world_stats(w, st);
	world_free(w);
}

/* Every line of wanted is a line of got, in the same order. */
static void check_lines(char *wanted, const char *got)
{
	unsigned lines = 0;

	for (char *line = strtok(wanted, "\n"); line; line = strtok(NULL, "\n"), lines++) {
		size_t n = strlen(line);
		const char *at = got;

		while (at && (strncmp(at, line, n) || at[n] != '\n')) {
			at = strchr(at, '\n');
			at = at ? at + 1 : NULL;
		}
		ck_assert_msg(at != NULL, "missing: %s\nafter it should have come:\n%.600s", line, got);
		got = at + n + 1;
	}
	ck_assert_uint_ge(lines, 30);
}

static void run_fixture(const char *name)
{
	struct world_stats st;
	struct strbuf got;
	char program[64];

	snprintf(program, sizeof(program), "%s", name);
	engine_run_init(&r);
	engine_run_program(&r, (char *const[]){ program, dir, NULL });
	ck_assert_msg(r.err == 0, "engine: %d\n%s", r.err, r.log);
	ck_assert(r.result.have_status && r.result.status == 0);
	strbuf_init(&got, 1 << 20);
	show_all(&got, &st);
	check_lines(r.out, got.p);
	ck_assert_uint_eq(st.tasks, 0);
	ck_assert_uint_eq(st.fds, 0);
	ck_assert_uint_eq(st.refused, 0);
	strbuf_fini(&got);
	engine_run_fini(&r);
}

START_TEST(native)
{
	run_fixture("fx_decode");
}
END_TEST

#ifdef HAVE_FX_DECODE32
START_TEST(i386)
{
	run_fixture("fx_decode32");
}
END_TEST
#endif

static int ptrace_refused(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(ptrace(PTRACE_TRACEME, 0, 0, 0) < 0 && (errno == EPERM || errno == ENOSYS));
	return pid < 0 || waitpid(pid, &status, 0) != pid || status != 0;
}

int main(void)
{
	const TTest *const tests[] = {
		native,
#ifdef HAVE_FX_DECODE32
		i386,
#endif
		NULL
	};
	int ret;

	if (ptrace_refused()) {
		puts("SKIP: ptrace is refused here");
		return 77;
	}
	strcpy(dir, "/tmp/tracer-decode.XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	ret = unit_run("decode_live", tests);
	rmdir(dir);
	return ret;
}
