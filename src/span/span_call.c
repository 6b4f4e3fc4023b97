/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The span of one call, and the span of the time a program computed between
 * two calls.  Only calls that keep a span of their own are decoded here.
 * Consumer thread.  Private by default: no buffer contents and no argv.
 */
#include "config.h"
#include "span/builder.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define MAP_JITTER_NS 1000u

bool call_unexpected(const struct span_builder *b, const struct call *c)
{
	if (b->cfg.errors == ERRORS_ALL)
		return true;
	return b->cfg.errors == ERRORS_UNEXPECTED && !syscall_ordinary(c->desc, c->ev, c->err);
}

/* By design, or because of what it reads from: that time is waiting, not slowness. */
bool call_waits(const struct call *c)
{
	const struct fd_entry *e;

	if (c->desc->flags & SYSCALL_F_WAITS)
		return true;
	e = call_fd_entry(c);
	if (!e)
		return false;
	return e->kind == FD_PIPE || e->kind == FD_SOCKET ||
	       (e->target && (!strncmp(e->target, "/dev/pts/", 9) || !strncmp(e->target, "/dev/tty", 8)));
}

static void add_thread(struct span *s, const struct task *t)
{
	span_add_int(s, SPAN_KEY_THREAD_ID, t->tid);
	if (t->comm[0])
		span_add_str(s, SPAN_KEY_THREAD_NAME, t->comm, strnlen(t->comm, sizeof(t->comm)));
}

static void add_arguments(struct span_builder *b, struct span *s, const struct call *c)
{
	unsigned n = c->desc->nargs < c->ev->nargs ? c->desc->nargs : c->ev->nargs;

	span_open_array(s, SPAN_KEY_SYSCALL_ARGUMENTS);
	for (unsigned i = 0; i < n; i++) {
		if (c->desc->args[i] == ARG_ARGV && !b->cfg.args) {
			span_add_element(s, "[...]", 5);
			continue;
		}
		strbuf_reset(&b->text);
		if (call_format_arg(c, i, &b->decode, &b->text))
			span_add_element(s, b->text.p, b->text.len);
	}
	span_close_array(s);
}

static void add_error(struct span *s, const struct call *c, bool unexpected)
{
	const char *name, *text;
	char num[16];

	span_add_int(s, SPAN_KEY_SYSCALL_ERRNO, c->err);
	if (!unexpected)
		return;
	name = errno_name(c->err);
	if (!name) {
		snprintf(num, sizeof(num), "%d", c->err);
		name = num;
	}
	text = errno_text(c->err);
	span_add_str(s, SPAN_KEY_ERROR_TYPE, name, strlen(name));
	span_set_status(s, SPAN_ERROR, text, text ? strlen(text) : 0);
}

static void add_descriptor(struct span *s, const struct call *c)
{
	const struct fd_entry *e;
	int fd = call_fd(c);

	if (fd < 0)
		return;
	span_add_int(s, SPAN_KEY_SYSCALL_FD, fd);
	e = task_fd(c->task, fd);
	if (e && e->target)
		span_add_str(s, SPAN_KEY_SYSCALL_FD_TARGET, e->target, e->len);
}

static const char *transport_of(const struct call *c, int family)
{
	const struct fd_entry *e = call_fd_entry(c);

	if (family == AF_UNIX)
		return "unix";
	if (!e || e->kind != FD_SOCKET)
		return NULL;
	return e->type == SOCK_STREAM ? "tcp" : e->type == SOCK_DGRAM ? "udp" : NULL;
}

static void add_peer(struct span *s, const struct call *c)
{
	struct call_peer peer;
	const char *transport;

	if (c->desc->peer_arg < 0 || !call_peer(c, &peer))
		return;
	if (peer.address_len)
		span_add_str(s, SPAN_KEY_NETWORK_PEER_ADDRESS, peer.address, peer.address_len);
	if (peer.family == AF_INET || peer.family == AF_INET6) {
		span_add_int(s, SPAN_KEY_NETWORK_PEER_PORT, peer.port);
		span_add_str(s, SPAN_KEY_NETWORK_TYPE, peer.family == AF_INET ? "ipv4" : "ipv6", 4);
	}
	transport = transport_of(c, peer.family);
	if (transport)
		span_add_str(s, SPAN_KEY_NETWORK_TRANSPORT, transport, strlen(transport));
}

static void add_path(struct span_builder *b, struct span *s, const struct call *c)
{
	strbuf_reset(&b->text);
	if (call_path(c, &b->text) && b->text.len)
		span_add_str(s, SPAN_KEY_FILE_PATH, b->text.p, b->text.len);
}

static void add_result(struct span *s, const struct call *c, bool unexpected)
{
	int64_t bytes = call_bytes(c);

	if (c->finished)
		span_add_int(s, SPAN_KEY_SYSCALL_RETURN_VALUE, c->ev->ret);
	else if (!(c->desc->flags & SYSCALL_F_NORETURN))
		span_add_bool(s, SPAN_KEY_SYSCALL_UNFINISHED, true);
	if (c->ev->head.flags & TRACER_EVF_RESTARTED)
		span_add_bool(s, SPAN_KEY_SYSCALL_RESTARTED, true);
	if (bytes >= 0)
		span_add_int(s, SPAN_KEY_SYSCALL_BYTES, bytes);
	if (c->err)
		add_error(s, c, unexpected);
}

static void add_call(struct span *s, int abi, int nr, const char *name)
{
	static const char *const abis[TRACER_ABIS] = {
		[TRACER_ABI_X86_64] = "x86_64", [TRACER_ABI_I386] = "i386", [TRACER_ABI_AARCH64] = "arm64",
	};

	span_set_name(s, name, strlen(name));
	span_add_name(s, SPAN_KEY_SYSCALL_NAME);
	span_add_int(s, SPAN_KEY_SYSCALL_NUMBER, nr);
	if (abi >= 0 && abi < TRACER_ABIS)
		span_add_str(s, SPAN_KEY_SYSCALL_ABI, abis[abi], strlen(abis[abi]));
}

static void head_store(struct call_head *h, const struct span *s, const struct call *c)
{
	h->nattrs = 0;
	if (s->nattrs > BUILDER_HEAD_ATTRS || s->used > BUILDER_HEAD_TEXT || s->dropped_attrs)
		return;
	h->tid = c->task->tid;
	h->nr = c->ev->head.nr;
	h->abi = c->ev->head.abi;
	memcpy(h->comm, c->task->comm, sizeof(h->comm));
	h->used = s->used;
	h->name_off = s->name_off;
	h->name_len = s->name_len;
	h->attrs_size = s->attrs_size;
	memcpy(h->attrs, s->attrs, s->nattrs * sizeof(h->attrs[0]));
	memcpy(h->text, s->text, s->used);
	h->nattrs = s->nattrs;
}

/* A fresh span gets what it begins with, of constant size where it is known. */
static void add_head(struct span_builder *b, struct span *s, const struct call *c)
{
	struct call_head *h = &b->heads[(uint32_t)c->ev->head.nr % BUILDER_HEADS];

	if (!h->nattrs || h->nr != c->ev->head.nr || h->tid != c->task->tid || h->abi != c->ev->head.abi ||
	    memcmp(h->comm, c->task->comm, sizeof(h->comm)) != 0) {
		add_call(s, c->ev->head.abi, c->ev->head.nr, c->name);
		add_thread(s, c->task);
		head_store(h, s, c);
		return;
	}
	s->nattrs = h->nattrs;
	s->used = h->used;
	s->name_off = h->name_off;
	s->name_len = h->name_len;
	s->attrs_size = h->attrs_size;
	memcpy(s->attrs, h->attrs, sizeof(h->attrs));
	memcpy(s->text, h->text, sizeof(h->text));
}

/*
 * Under the program's own active span, where it publishes one and that is exported: in our trace, or in
 * its own where its flags say that it is sampled.  Otherwise under the process span, with a link.
 */
static void set_parent(const struct span_builder *b, struct span *s, const struct task_context *ctx)
{
	bool ours = !memcmp(ctx->trace_id, s->trace_id, sizeof(s->trace_id));
	/* The run's first trace was ours before it was split. */
	bool exported = ours || ctx->trace_flags & 1 ||
			!memcmp(ctx->trace_id, b->cfg.context.trace_id, sizeof(s->trace_id));

	if (!ctx->set)
		return;
	if (!exported) {
		s->has_link = 1;
		memcpy(s->link.trace_id, ctx->trace_id, sizeof(s->link.trace_id));
		memcpy(s->link.span_id, ctx->span_id, sizeof(s->link.span_id));
		s->link.flags = ctx->trace_flags | BUILDER_FLAG_LOCAL;
		return;
	}
	memcpy(s->parent_id, ctx->span_id, sizeof(s->parent_id));
	if (ours)
		return;
	memcpy(s->trace_id, ctx->trace_id, sizeof(s->trace_id));
	s->flags = ctx->trace_flags | BUILDER_FLAG_LOCAL;
	s->trace_state = NULL;
}

struct span *call_span(struct span_builder *b, struct pspan *p, const struct call *c, bool unexpected)
{
	struct span *s = builder_get(b, p, SPAN_CALL);

	if (!s)
		return NULL;
	set_parent(b, s, &c->task->context);
	/* The clock's map is refined as it goes: the same instant may come out a nanosecond earlier than
	 * its process had it. */
	s->start_ns = c->start_ns < p->start_ns && p->start_ns - c->start_ns < MAP_JITTER_NS ? p->start_ns :
		c->start_ns;
	s->end_ns = later(c->end_ns, s->start_ns);
	add_head(b, s, c);
	add_result(s, c, unexpected);
	add_path(b, s, c);
	add_descriptor(s, c);
	add_peer(s, c);
	if (b->cfg.arguments)
		add_arguments(b, s, c);
	s->encoded_size = span_estimate(s);
	b->call_bytes = (7 * b->call_bytes + s->encoded_size + 7) / 8;
	return s;
}

void call_compute(struct span_builder *b, struct pspan *p, const struct call *c)
{
	uint64_t from = c->task->last_end ? clock_map_real(b->clock, c->task->last_end) : 0;
	struct span *s;

	if (!from || c->start_ns <= from || c->start_ns - from < b->cfg.compute_ns)
		return;
	if (b->cfg.detail != DETAIL_FULL && !budget_check(&b->trace.budget, BUDGET_SINGLE, 1, b->call_bytes))
		return;
	s = builder_get(b, p, SPAN_COMPUTE);
	if (!s)
		return;
	s->start_ns = from;
	s->end_ns = c->start_ns;
	span_set_name(s, "compute", 7);
	add_thread(s, c->task);
	s->encoded_size = span_estimate(s);
	budget_add(&b->trace.budget, BUDGET_SINGLE, 1, s->encoded_size);
	b->stats.compute_spans++;
	builder_emit(b, p, s);
}

void call_add_group(struct span *s, const struct group *g, const struct task *t)
{
	char buf[24];
	int abi = group_abi(g->key), nr = group_nr(g->key), err = group_errno(g->key);

	if (g->key == GROUP_OTHER) {
		span_set_name(s, "other calls", 11);
	} else {
		add_call(s, abi, nr, syscall_name(abi, nr, buf));
		if (err)
			add_error(s, &(struct call){ .err = err }, group_unexpected(g->key));
	}
	if (t)
		add_thread(s, t);
}
