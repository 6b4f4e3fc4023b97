/* SPDX-License-Identifier: Apache-2.0 */
/* The span builder: the tree of a run, what a span says, and what it must not
 * say.  Budget and folding are in test_span_fold.c. */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "span_sim.h"
#include "unit.h"

static const char *text_of(const struct span *s, enum span_key k)
{
	static char buf[4][1500];
	static unsigned turn;
	const struct span_attr *a = span_lookup(s, k);

	if (!a || (a->type != SPAN_STR && a->type != SPAN_BYTES))
		return "";
	turn = (turn + 1) % 4;
	snprintf(buf[turn], sizeof(buf[0]), "%.*s", (int)a->len, s->text + a->v.off);
	return buf[turn];
}

/* One that has to be there. */
static const struct span *find(const struct sim *m, enum span_type type, const char *name, unsigned n)
{
	const struct span *s = sim_find(m, type, name, n);

	if (!s)
		ck_abort_msg("no span of type %d named %s", type, name);
	return s;
}

static bool child_of(const struct span *s, const struct span *parent)
{
	return !memcmp(s->parent_id, parent->span_id, 8) && !memcmp(s->trace_id, parent->trace_id, 16);
}

/* sh (root) opens a file, forks 20 which execs make; sh -> exec ls at the end. */
static void run_tree(struct sim *m)
{
	sim_task(m, 1000, 10, 10, 0, TRACER_EVF_ROOT);
	sim_exec(m, 2000, 10, "/bin/sh", "sh");
	sim_plain(m, 10, SIM_EXECVE, 1500, 2100, 0);
	sim_path(m, 10, 3000, 4000, "/etc/profile", O_RDONLY, 3);
	sim_task(m, 5000, 20, 20, 10, 0);
	sim_plain(m, 20, SIM_CLOSE, 5100, 5200, 0);
	sim_exec(m, 6000, 20, "/usr/bin/make", "make");
	sim_plain(m, 20, SIM_EXECVE, 5300, 6100, 0);
	sim_plain(m, 20, SIM_GETPID, 6200, 6300, 20);
	sim_call(m, &(struct sim_call){
			.tid = 20, .nr = SIM_EXIT_GROUP, .start = 7000, .end = 7000, .enter = true});
	sim_exit(m, 7500, 20, 20, 2 << 8, 0);
	sim_exec(m, 8000, 10, "/bin/ls", "ls");
	sim_plain(m, 10, SIM_EXECVE, 7600, 8100, 0);
	sim_plain(m, 10, SIM_GETPID, 8200, 8300, 10);
	sim_exit(m, 9000, 10, 10, 11, 0);
	sim_finish(m, 9500);
}

START_TEST(tree)
{
	struct sim m;
	const struct span *root, *fork, *make, *ls;

	sim_init(&m, DETAIL_FULL);
	sim_start(&m, 16, 64);
	run_tree(&m);
	root = sim_span(&m, m.nspans - 1);
	ck_assert_int_eq(root->type, SPAN_ROOT);
	ck_assert(sim_named(root, "sh"));
	ck_assert(!memcmp(root->span_id, m.cfg.root_span_id, 8));
	ck_assert(!memcmp(root->trace_id, m.cfg.context.trace_id, 16));
	ck_assert(!memcmp(root->parent_id, (uint8_t[8]){ 0 }, 8));
	ck_assert_uint_eq(root->start_ns, SIM_EPOCH + 1000);
	ck_assert_uint_eq(root->end_ns, SIM_EPOCH + 9000);
	ck_assert_uint_eq(root->flags, 0x103);
	ck_assert(child_of(find(&m, SPAN_CALL, "openat", 0), root));
	ck_assert(child_of(find(&m, SPAN_CALL, "execve", 0), root));	/* the one that made it sh */

	fork = find(&m, SPAN_PROCESS, "sh", 0);
	ck_assert(child_of(fork, root));
	ck_assert(child_of(find(&m, SPAN_CALL, "close", 0), fork));
	ck_assert(child_of(find(&m, SPAN_CALL, "execve", 1), fork));	/* belongs to the old image */
	ck_assert_str_eq(text_of(fork, SPAN_KEY_TRACER_EXIT_REASON), "exec");
	ck_assert_uint_eq(fork->end_ns, SIM_EPOCH + 6100);
	ck_assert_int_eq(fork->status, SPAN_UNSET);

	make = find(&m, SPAN_PROCESS, "make", 0);
	ck_assert(child_of(make, root));	/* beside its first image, under the forker's */
	ck_assert(child_of(find(&m, SPAN_CALL, "getpid", 0), make));
	ck_assert(child_of(find(&m, SPAN_CALL, "exit_group", 0), make));
	ck_assert_int_eq(sim_int(make, SPAN_KEY_PROCESS_EXIT_CODE), 2);
	ck_assert_str_eq(text_of(make, SPAN_KEY_ERROR_TYPE), "2");
	ck_assert_int_eq(make->status, SPAN_ERROR);
	ck_assert_int_eq(sim_int(make, SPAN_KEY_TRACER_CALLS), 2);
	ck_assert_int_eq(sim_int(make, SPAN_KEY_PROCESS_PID), 20);
	ck_assert_uint_eq(make->start_ns, SIM_EPOCH + 6000);
	ck_assert_uint_eq(make->end_ns, SIM_EPOCH + 7500);

	ls = find(&m, SPAN_PROCESS, "ls", 0);
	ck_assert(child_of(ls, root));		/* a later image of the root */
	ck_assert(child_of(find(&m, SPAN_CALL, "getpid", 1), ls));
	ck_assert(child_of(find(&m, SPAN_CALL, "execve", 2), root));

	ck_assert_str_eq(text_of(root, SPAN_KEY_TRACER_EXIT_SIGNAL), "SIGSEGV");
	ck_assert_str_eq(text_of(root, SPAN_KEY_ERROR_TYPE), "SIGSEGV");
	ck_assert_int_eq(sim_int(root, SPAN_KEY_PROCESS_EXIT_CODE), INT64_MIN);
	ck_assert_int_eq(sim_int(root, SPAN_KEY_TRACER_CALLS), 8);
	ck_assert_int_eq(sim_int(root, SPAN_KEY_TRACER_RECORDED), 8);
	ck_assert_int_eq(sim_int(root, SPAN_KEY_TRACER_FOLDED), 0);
	ck_assert_int_eq(sim_int(root, SPAN_KEY_TRACER_LOST), 2);
	ck_assert_int_eq(sim_int(root, SPAN_KEY_TRACER_PROCESSES), 2);
	ck_assert_str_eq(text_of(root, SPAN_KEY_TRACER_DETAIL), "full");
	ck_assert_uint_eq(m.emitted[SPAN_PROCESS], 3);
	ck_assert_uint_eq(m.emitted[SPAN_CALL], 8);
	for (size_t i = 0; i < m.nspans; i++)
		ck_assert_uint_ge(sim_span(&m, i)->end_ns, sim_span(&m, i)->start_ns);
	sim_fini(&m);
}
END_TEST

START_TEST(one_resource_an_image_one_service_a_run)
{
	struct sim m;
	struct span_pool_stats st;

	sim_init(&m, DETAIL_FULL);
	sim_start(&m, 16, 64);
	run_tree(&m);
	for (size_t i = 0; i < m.nspans; i++) {
		const struct span *s = sim_span(&m, i);
		const char *exe = m.exe[i];

		if (s->type == SPAN_PROCESS || s->type == SPAN_ROOT)
			ck_assert(sim_named(s, exe));
		if (s->type == SPAN_CALL && sim_named(s, "openat"))
			ck_assert_str_eq(exe, "sh");
	}
	span_pool_stats(m.pool, &st);
	ck_assert_uint_eq(st.in_use, 0);
	ck_assert_uint_eq(st.gets, st.puts);
	sim_fini(&m);
}
END_TEST

START_TEST(remote_parent)
{
	struct sim m;
	const struct span *root, *call;

	sim_init(&m, DETAIL_FULL);
	ck_assert_int_eq(propagator_parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "ot=th:0",
					  &m.cfg.context, NULL, 0), 0);
	sim_start(&m, 16, 64);
	run_tree(&m);
	root = sim_span(&m, m.nspans - 1);
	call = find(&m, SPAN_CALL, "openat", 0);
	ck_assert(!memcmp(root->parent_id, m.cfg.context.parent_id, 8));
	ck_assert_uint_eq(root->flags, 0x301);
	ck_assert_uint_eq(call->flags, 0x101);
	ck_assert(!memcmp(call->trace_id, m.cfg.context.trace_id, 16));
	ck_assert_ptr_nonnull(root->trace_state);
	ck_assert_uint_eq(m.warnings, 0);
	sim_fini(&m);
}
END_TEST

START_TEST(not_sampled_builds_nothing)
{
	struct sim m;
	struct span_pool_stats st;

	sim_init(&m, DETAIL_AUTO);
	ck_assert_int_eq(propagator_parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", NULL,
					  &m.cfg.context, NULL, 0), 0);
	sim_start(&m, 16, 64);
	run_tree(&m);
	span_pool_stats(m.pool, &st);
	ck_assert_uint_eq(st.gets, 0);
	ck_assert_uint_eq(m.warnings, 1);
	sim_fini(&m);
}
END_TEST

static struct sim *begin(struct sim *m)
{
	sim_start(m, 16, 256);
	sim_task(m, 1000, 10, 10, 0, TRACER_EVF_ROOT);
	sim_exec(m, 2000, 10, "/bin/sh", "sh-secret-argument");
	return m;
}

START_TEST(attributes_of_a_call)
{
	struct sim m;
	const struct span *s;

	sim_init(&m, DETAIL_FULL);
	begin(&m);
	sim_path(&m, 10, 3000, 4000, "/etc/passwd", O_RDONLY | O_CLOEXEC, 3);
	sim_plain(&m, 10, SIM_READ, 5000, 6000, 17);
	sim_call(&m,
		 &(struct sim_call){.tid = 10, .nr = SIM_FUTEX, .start = 7000, .end = 7000, .enter = true});
	sim_call(&m, &(struct sim_call){
			 .tid = 10, .nr = SIM_READ, .start = 7500, .end = 8000, .ret = 1, .args = {3}});
	sim_plain(&m, 10, 100000, 8000, 8100, -ENOSYS);
	s = find(&m, SPAN_CALL, "openat", 0);
	ck_assert_str_eq(text_of(s, SPAN_KEY_SYSCALL_NAME), "openat");
	ck_assert_int_eq(sim_int(s, SPAN_KEY_SYSCALL_NUMBER), SIM_OPENAT);
	ck_assert_str_eq(text_of(s, SPAN_KEY_SYSCALL_ABI), "x86_64");
	ck_assert_int_eq(sim_int(s, SPAN_KEY_SYSCALL_RETURN_VALUE), 3);
	ck_assert_str_eq(text_of(s, SPAN_KEY_FILE_PATH), "/etc/passwd");
	ck_assert_int_eq(sim_int(s, SPAN_KEY_THREAD_ID), 10);
	ck_assert_str_eq(text_of(s, SPAN_KEY_THREAD_NAME), "sh");
	ck_assert_uint_eq(s->start_ns, SIM_EPOCH + 3000);
	ck_assert_uint_eq(s->end_ns, SIM_EPOCH + 4000);
	ck_assert_int_eq(s->kind, SPAN_INTERNAL);
	ck_assert_int_eq(s->status, SPAN_UNSET);
	const struct span_attr *a = span_lookup(s, SPAN_KEY_SYSCALL_ARGUMENTS);
	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_nonnull(memmem(s->text + a->v.off, a->len, "O_RDONLY|O_CLOEXEC", 18));
	s = find(&m, SPAN_CALL, "read", 0);
	ck_assert_int_eq(sim_int(s, SPAN_KEY_SYSCALL_BYTES), 17);
	s = find(&m, SPAN_CALL, "futex", 0);
	ck_assert_int_eq(sim_int(s, SPAN_KEY_SYSCALL_UNFINISHED), 1);
	ck_assert_ptr_null(span_lookup(s, SPAN_KEY_SYSCALL_RETURN_VALUE));
	s = find(&m, SPAN_CALL, "read", 1);
	ck_assert_int_eq(sim_int(s, SPAN_KEY_SYSCALL_FD), 3);
	ck_assert_str_eq(text_of(s, SPAN_KEY_SYSCALL_FD_TARGET), "/etc/passwd");
	s = find(&m, SPAN_CALL, "syscall_0x186a0", 0);
	ck_assert_int_eq(sim_int(s, SPAN_KEY_SYSCALL_ERRNO), ENOSYS);
	sim_fini(&m);
}
END_TEST

START_TEST(peer_of_a_connect)
{
	struct sim m;
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(443) };
	const struct span *s;

	sim_init(&m, DETAIL_FULL);
	begin(&m);
	in.sin_addr.s_addr = htonl(0x7f000001);
	sim_call(&m, &(struct sim_call){ .tid = 10, .nr = SIM_CONNECT, .start = 3000, .end = 3100,
		.args = { 5, 0x2000, sizeof(in) }, .cap_arg = 1, .cap = &in, .cap_len = sizeof(in) });
	s = find(&m, SPAN_CALL, "connect", 0);
	ck_assert_str_eq(text_of(s, SPAN_KEY_NETWORK_PEER_ADDRESS), "127.0.0.1");
	ck_assert_int_eq(sim_int(s, SPAN_KEY_NETWORK_PEER_PORT), 443);
	ck_assert_str_eq(text_of(s, SPAN_KEY_NETWORK_TYPE), "ipv4");
	sim_fini(&m);
}
END_TEST

static bool holds(const struct sim *m, const char *needle)
{
	for (size_t i = 0; i < m->nspans; i++)
		if (memmem(sim_span(m, i)->text, sim_span(m, i)->used, needle, strlen(needle)))
			return true;
	return false;
}

static void run_secrets(struct sim *m)
{
	static const char data[] = "secret-buffer-contents";

	begin(m);
	sim_call(m, &(struct sim_call){ .tid = 10, .nr = SIM_WRITE, .start = 3000, .end = 3100,
		.ret = sizeof(data), .args = { 1, 0x2000, sizeof(data) }, .cap_arg = 1, .cap = data,
		.cap_len = sizeof(data) });
	sim_call(m, &(struct sim_call){ .tid = 10, .nr = SIM_EXECVE, .start = 3200, .end = 3300, .ret = -ENOENT,
		.args = { 0x2000, 0x3000, 0x4000 }, .cap_arg = 1, .cap = "secret-exec-argument",
		.cap_len = 21 });
	sim_exit(m, 4000, 10, 10, 0, 0);
	sim_finish(m, 5000);
}

START_TEST(private_by_default)
{
	struct sim m;

	sim_init(&m, DETAIL_FULL);
	run_secrets(&m);
	ck_assert(!holds(&m, "secret"));
	sim_fini(&m);
}
END_TEST

START_TEST(what_was_asked_for_is_shown)
{
	struct sim m;

	sim_init(&m, DETAIL_FULL);
	m.cfg.args = m.cfg.buffers = true;
	run_secrets(&m);
	ck_assert(holds(&m, "secret-buffer"));
	ck_assert(holds(&m, "sh-secret-argument"));
	sim_fini(&m);
}
END_TEST

START_TEST(arguments_can_be_left_out)
{
	struct sim m;

	sim_init(&m, DETAIL_FULL);
	m.cfg.arguments = false;
	begin(&m);
	sim_path(&m, 10, 3000, 4000, "/etc/passwd", O_RDONLY, 3);
	ck_assert_ptr_null(span_lookup(find(&m, SPAN_CALL, "openat", 0), SPAN_KEY_SYSCALL_ARGUMENTS));
	sim_fini(&m);
}
END_TEST

START_TEST(errors_policy)
{
	static const struct { enum span_errors policy; int flags, err; enum span_status want; } rows[] = {
		{ ERRORS_UNEXPECTED, O_RDONLY, ENOENT, SPAN_UNSET },	/* a search */
		{ ERRORS_UNEXPECTED, O_RDONLY, EACCES, SPAN_ERROR },
		{ ERRORS_UNEXPECTED, O_RDONLY, EINTR, SPAN_UNSET },
		{ ERRORS_ALL, O_RDONLY, ENOENT, SPAN_ERROR },
		{ ERRORS_NONE, O_RDONLY, EACCES, SPAN_UNSET },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sim m;
		const struct span *s;

		sim_init(&m, DETAIL_FULL);
		m.cfg.errors = rows[i].policy;
		begin(&m);
		sim_path(&m, 10, 3000, 4000, "/x", rows[i].flags, -rows[i].err);
		s = find(&m, SPAN_CALL, "openat", 0);
		ck_assert_msg(s->status == rows[i].want, "row %zu", i);
		ck_assert_int_eq(sim_int(s, SPAN_KEY_SYSCALL_ERRNO), rows[i].err);
		ck_assert_int_eq(span_lookup(s, SPAN_KEY_ERROR_TYPE) != NULL, rows[i].want == SPAN_ERROR);
		sim_fini(&m);
	}
}
END_TEST

/* What spans begin with is kept for each number and thread: calls that share a place, threads in turn, a new
 * name. */
START_TEST(beginnings_are_not_mixed_up)
{
	const struct { int nr; const char *name; } calls[] = { { SIM_GETPID, "getpid" }, { SIM_GETPID + 64, "syslog" } };
	struct sim m;

	sim_init(&m, DETAIL_FULL);
	begin(&m);
	sim_task(&m, 2500, 20, 20, 10, 0);
	for (unsigned i = 0; i < 24; i++)
		sim_plain(&m, i & 1 ? 20 : 10, calls[i / 2 & 1].nr, 3000 + 100 * i, 3050 + 100 * i, 10);
	sim_exec(&m, 6000, 20, "/usr/bin/make", "make");
	sim_plain(&m, 20, SIM_EXECVE, 5900, 6100, 0);
	sim_plain(&m, 20, SIM_GETPID, 6200, 6300, 20);
	for (unsigned i = 0, k = 0; i < 25; k++) {
		const struct span *s = sim_span(&m, k);

		if (s->type != SPAN_CALL || sim_named(s, "execve"))
			continue;
		ck_assert(sim_named(s, calls[i == 24 ? 0 : i / 2 & 1].name));
		ck_assert_str_eq(text_of(s, SPAN_KEY_SYSCALL_NAME), calls[i == 24 ? 0 : i / 2 & 1].name);
		ck_assert_int_eq(sim_int(s, SPAN_KEY_SYSCALL_NUMBER), calls[i == 24 ? 0 : i / 2 & 1].nr);
		ck_assert_int_eq(sim_int(s, SPAN_KEY_THREAD_ID), i == 24 || i & 1 ? 20 : 10);
		if (i == 24)
			ck_assert_str_eq(text_of(s, SPAN_KEY_THREAD_NAME), "make");
		else
			ck_assert_str_ne(text_of(s, SPAN_KEY_THREAD_NAME), "make");
		i++;
	}
	sim_fini(&m);
}
END_TEST

START_TEST(compute_spans)
{
	struct sim m;
	const struct span *s;
	struct span_builder_stats st;

	sim_init(&m, DETAIL_FULL);
	m.cfg.compute = true;
	m.cfg.compute_ns = 100 * SIM_NS_US;
	begin(&m);
	sim_plain(&m, 10, SIM_GETPID, 3000, 4000, 10);
	sim_plain(&m, 10, SIM_GETPID, 4000 + 99999, 104500, 10);	/* below the threshold */
	sim_plain(&m, 10, SIM_GETPID, 104500 + 100000, 300000, 10);
	s = find(&m, SPAN_COMPUTE, "compute", 0);
	ck_assert_uint_eq(s->start_ns, SIM_EPOCH + 104500);
	ck_assert_uint_eq(s->end_ns, SIM_EPOCH + 204500);
	ck_assert_uint_eq(m.emitted[SPAN_COMPUTE], 1);
	span_builder_stats(m.b, &st);
	ck_assert_uint_eq(st.calls, 3);
	ck_assert_uint_eq(st.single, 3);
	ck_assert_uint_eq(st.compute_spans, 1);
	sim_fini(&m);
}
END_TEST

START_TEST(hidden_calls_are_nobodys)
{
	struct sim m;
	struct span_builder_stats st;

	sim_init(&m, DETAIL_FULL);
	begin(&m);
	sim_call(&m, &(struct sim_call){
			 .tid = 10, .nr = SIM_GETPID, .start = 1, .end = 2, .flags = TRACER_EVF_HIDDEN});
	span_builder_stats(m.b, &st);
	ck_assert_uint_eq(st.calls, 0);
	sim_plain(&m, 10, SIM_GETPID, 3, 4, 10);
	span_builder_stats(m.b, &st);
	ck_assert_uint_eq(st.calls, 1);
	sim_fini(&m);
}
END_TEST

START_TEST(detached_and_unknown_tasks)
{
	struct sim m;
	const struct span *s;

	sim_init(&m, DETAIL_FULL);
	begin(&m);
	sim_plain(&m, 77, SIM_GETPID, 3000, 3100, 77);		/* nobody told of it */
	sim_task(&m, 3200, 20, 20, 10, 0);
	sim_plain(&m, 20, SIM_GETPID, 3300, 3400, 20);
	sim_exit(&m, 5000, 20, 20, 0, TRACER_EVF_DETACHED);
	sim_exit(&m, 6000, 10, 10, 0, 0);
	sim_finish(&m, 7000);
	s = find(&m, SPAN_PROCESS, "sh", 0);
	ck_assert_str_eq(text_of(s, SPAN_KEY_TRACER_EXIT_REASON), "detached");
	ck_assert_int_eq(s->status, SPAN_UNSET);
	for (size_t i = 0; i + 1 < m.nspans; i++)
		if (sim_span(&m, i)->type == SPAN_PROCESS)
			ck_assert(child_of(sim_span(&m, i), sim_span(&m, m.nspans - 1)));
	ck_assert_uint_eq(m.emitted[SPAN_PROCESS], 2);
	ck_assert_uint_eq(m.emitted[SPAN_ROOT], 1);
	sim_fini(&m);
}
END_TEST

START_TEST(full_counts_what_the_pool_refuses)
{
	struct sim m;
	struct span_builder_stats st;
	struct span *taken[4];

	sim_init(&m, DETAIL_FULL);
	sim_start(&m, 4, 4);
	sim_task(&m, 1000, 10, 10, 0, TRACER_EVF_ROOT);
	for (int i = 0; i < 4; i++)
		taken[i] = span_pool_get(m.pool);
	sim_plain(&m, 10, SIM_GETPID, 3, 4, 10);
	span_builder_stats(m.b, &st);
	ck_assert_uint_eq(st.dropped, 1);
	for (int i = 0; i < 4; i++)
		span_pool_put(m.pool, taken[i]);
	sim_plain(&m, 10, SIM_GETPID, 5, 6, 10);
	span_builder_stats(m.b, &st);
	ck_assert_uint_eq(st.calls, 2);
	ck_assert_uint_eq(st.single, 1);
	ck_assert_uint_eq(st.dropped, 1);
	sim_fini(&m);
}
END_TEST

/* Element i of an array of strings, or NULL. */
static const char *element(const struct span *s, enum span_key k, unsigned i)
{
	const struct span_attr *a = span_lookup(s, k);
	static char text[256];
	uint32_t at = 0, len = 0;

	for (unsigned n = 0; a && n <= i; n++, at += len) {
		if (at >= a->len)
			return NULL;
		memcpy(&len, s->text + a->v.off + at, sizeof(len));
		len &= 0x7fffffff;
		at += (uint32_t)sizeof(len);
		snprintf(text, sizeof(text), "%.*s", (int)len, s->text + a->v.off + at);
	}
	return a ? text : NULL;
}

START_TEST(mapped_files_of_an_image)
{
	struct sim m;
	const struct span *sh, *ls;
	char path[128], id[41];
	unsigned n = 0;

	sim_init(&m, DETAIL_FULL);
	sim_start(&m, 16, 64);
	sim_task(&m, 1000, 10, 10, 0, TRACER_EVF_ROOT);
	sim_exec(&m, 1100, 10, "/bin/sh", "sh");
	sim_map(&m, 1200, 10, "/bin/sh", 0xab);
	sim_map(&m, 1200, 10, "/lib/libc.so.6", 0x17);
	sim_map(&m, 1300, 10, "/tmp/text", 0);
	sim_task(&m, 2000, 20, 20, 10, 0);
	sim_exec(&m, 2100, 20, "/bin/ls", "ls");
	for (unsigned i = 0; i < 40; i++) {
		snprintf(path, sizeof(path), "/usr/lib/x86_64-linux-gnu/library-number-%02u.so", i);
		sim_map(&m, 2200, 20, path, (uint8_t)(i + 1));
	}
	sim_exit(&m, 3000, 20, 20, 0, 0);
	sim_exit(&m, 4000, 10, 10, 0, 0);
	sim_finish(&m, 5000);
	sh = sim_span(&m, m.nspans - 1);
	ck_assert_str_eq(element(sh, SPAN_KEY_TRACER_MAPPED_FILES, 1), "/lib/libc.so.6");
	ck_assert_str_eq(element(sh, SPAN_KEY_TRACER_MAPPED_BUILD_IDS, 1),
			 "1717171717171717171717171717171717171717");
	ck_assert_str_eq(element(sh, SPAN_KEY_TRACER_MAPPED_FILES, 2), "/tmp/text");
	ck_assert_str_eq(element(sh, SPAN_KEY_TRACER_MAPPED_BUILD_IDS, 2), "");
	ck_assert_ptr_null(element(sh, SPAN_KEY_TRACER_MAPPED_FILES, 3));
	/* as many as fit, and always both */
	ls = find(&m, SPAN_PROCESS, "ls", 0);
	while (element(ls, SPAN_KEY_TRACER_MAPPED_FILES, n)) {
		snprintf(path, sizeof(path), "/usr/lib/x86_64-linux-gnu/library-number-%02u.so", n);
		ck_assert_str_eq(element(ls, SPAN_KEY_TRACER_MAPPED_FILES, n), path);
		for (unsigned i = 0; i < 20; i++)
			snprintf(id + 2 * i, 3, "%02x", n + 1);
		ck_assert_str_eq(element(ls, SPAN_KEY_TRACER_MAPPED_BUILD_IDS, n), id);
		n++;
	}
	ck_assert_uint_ge(n, 5);
	ck_assert_uint_lt(n, 40);
	ck_assert_ptr_null(element(ls, SPAN_KEY_TRACER_MAPPED_BUILD_IDS, n));
	ck_assert_uint_eq(ls->dropped_attrs, 0);
	sim_fini(&m);
}
END_TEST

START_TEST(split_traces_are_linked)
{
	struct sim m;
	const struct span *root, *part;
	struct span_builder_stats st;

	sim_init(&m, DETAIL_FULL);
	m.cfg.trace_split = 100;
	begin(&m);
	for (int i = 0; i < 250; i++)
		sim_plain(&m, 10, SIM_GETPID, 3000 + 10 * (uint64_t)i, 3005 + 10 * (uint64_t)i, 10);
	sim_exit(&m, 900000, 10, 10, 0, 0);
	sim_finish(&m, 900000);
	span_builder_stats(m.b, &st);
	ck_assert_uint_eq(st.traces, 3);
	ck_assert_uint_eq(st.single, 250);
	root = sim_span(&m, m.nspans - 1);
	ck_assert_int_eq(root->type, SPAN_ROOT);
	ck_assert(!memcmp(root->trace_id, m.cfg.context.trace_id, 16));
	ck_assert_uint_eq(m.emitted[SPAN_PROCESS], 2);
	for (unsigned n = 0; n < 2; n++) {
		part = find(&m, SPAN_PROCESS, "sh", n);
		ck_assert(memcmp(part->trace_id, root->trace_id, 8) != 0);
		/* what samplers look at */
		ck_assert(memcmp(part->trace_id + 8, root->trace_id + 8, 8) == 0);
		ck_assert_uint_eq(part->link.flags, 0x100u | m.cfg.context.trace_flags);
		ck_assert(part->has_link && !memcmp(part->link.trace_id, root->trace_id, 16) &&
			  !memcmp(part->link.span_id, root->span_id, 8));
		ck_assert(!memcmp(part->parent_id, (uint8_t[8]){ 0 }, 8));
		ck_assert_int_eq(sim_int(part, SPAN_KEY_TRACER_CONTINUED), 1);
	}
	/* Every call hangs under a span of its own trace. */
	ck_assert(child_of(find(&m, SPAN_CALL, "getpid", 0), root));
	ck_assert(child_of(find(&m, SPAN_CALL, "getpid", 120), find(&m, SPAN_PROCESS, "sh", 0)));
	ck_assert(child_of(find(&m, SPAN_CALL, "getpid", 249), find(&m, SPAN_PROCESS, "sh", 1)));
	sim_fini(&m);
}
END_TEST

int main(void)
{
	return unit_run("span_builder", (const TTest *const[]){ tree, one_resource_an_image_one_service_a_run,
		remote_parent, not_sampled_builds_nothing, attributes_of_a_call, peer_of_a_connect, private_by_default,
		what_was_asked_for_is_shown, arguments_can_be_left_out, errors_policy, beginnings_are_not_mixed_up, compute_spans,
		hidden_calls_are_nobodys, detached_and_unknown_tasks, full_counts_what_the_pool_refuses,
		split_traces_are_linked, mapped_files_of_an_image, NULL });
}
