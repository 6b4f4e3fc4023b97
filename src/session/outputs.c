/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outputs: choice by suffix or --format, opening, closing.  The choice is made
 * on the main thread before anything starts; the rest runs on the consumer
 * thread, which owns descriptors, sinks and commands.
 */
#include "config.h"
#include "session/outputs.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <tracer/error.h>

extern char **environ;

/* --- choice ---------------------------------------------------------------------------------------- */

static int unknown_format(const char *name, char *why, size_t whylen)
{
	unsigned best = nearest_limit(name) + 1;
	const char *near = NULL;
	struct strbuf sb;
	char mem[256];

	strbuf_init_fixed(&sb, mem, sizeof(mem));
	for (const struct sink_ops *const *s = sinks; *s; s++) {
		unsigned d = nearest_distance(name, (*s)->name);
		strbuf_add_fmt(&sb, "%s%s", s == sinks ? "" : ", ", (*s)->name);
		if (d < best) {
			best = d;
			near = (*s)->name;
		}
	}
	snprintf(why, whylen, "--format %s: unknown; %s%s%sthere are %s", name, near ? "did you mean " : "",
		 near ? near : "", near ? "? " : "", mem);
	return -TRACER_ERR_USAGE;
}

static int choose_one(struct outputs *outs, const char *target, const struct sink_ops *ops, char *why,
		      size_t whylen)
{
	if (outs->n == OUTPUTS_MAX) {
		snprintf(why, whylen, "-o: at most %u outputs", OUTPUTS_MAX);
		return -TRACER_ERR_USAGE;
	}
	outs->list[outs->n++] = (struct output){ .target = target, .ops = ops, .out.fd = -1 };
	return 0;
}

static void note_wants(struct outputs *outs)
{
	for (unsigned i = 0; i < outs->n; i++) {
		const struct sink_ops *ops = outs->list[i].ops;
		if (!ops)
			continue;
		outs->wants_calls |= ops->on_call != NULL;
		outs->wants_spans |= ops->on_span != NULL;
		outs->wants_events |= ops->on_event != NULL;
		outs->wants_tasks |= ops->on_task != NULL;
		outs->wants_outside |= ops->wants_outside;
		outs->wants_targets |= ops->wants_targets;
		outs->wants_maps |= ops->wants_maps;
	}
}

static bool is_text(const struct output *out)
{
	return !out->ops || !strcmp(out->ops->name, "text");
}

static bool takes_summary(const struct outputs *outs)
{
	for (unsigned i = 0; i < outs->n; i++)
		if (is_text(&outs->list[i]))
			return true;
	return false;
}

/* -ff: text becomes one file for each task; what is no file or no text cannot. */
static int choose_separate(struct outputs *outs, char *why, size_t whylen)
{
	const char *target;

	for (unsigned i = 0; i < outs->n; i++) {
		struct output *out = &outs->list[i];

		target = out->target;
		if (!target || !strcmp(target, "-") || target[0] == '|') {
			snprintf(why, whylen, "-ff writes a file for each task: name it with -o FILE%s%s",
				 target ? ", not -o " : "", target ? target : "");
			return -TRACER_ERR_USAGE;
		}
		if (!is_text(out)) {
			snprintf(why, whylen, "-ff writes text, a file for each task; -o %s is %s, where each line has its task: leave out -ff",
				 target, out->ops->name);
			return -TRACER_ERR_USAGE;
		}
		out->ops = &sink_split;
	}
	if (!outs->n) {
		snprintf(why, whylen, "-ff writes a file for each task: name it with -o FILE");
		return -TRACER_ERR_USAGE;
	}
	return 0;
}

int outputs_choose(struct outputs *outs, const struct tracer_options *o, char *why, size_t whylen)
{
	const struct option_value *files = &o->v[OPT_OUTPUT];
	const char *format = option_str(o, OPT_FORMAT);
	const struct sink_ops *named = format ? sink_lookup(format) : NULL;
	bool only = option_num(o, OPT_SUMMARY_ONLY);
	int r = 0;

	*outs = (struct outputs){ 0 };
	if (format && !named)
		return unknown_format(format, why, whylen);
	for (uint32_t i = 0; i < files->nlist && !r; i++) {
		const struct sink_ops *ops = named ? named : sink_by_suffix(files->list[i]);
		if (!ops)
			ops = sink_lookup("text");
		r = choose_one(outs, files->list[i], only ? NULL : ops, why, whylen);
	}
	if (!r && !only && !outs->n &&
	    (named || !(options_want_otlp(o, false) || options_want_metrics(o, false))))
		r = choose_one(outs, NULL, named ? named : sink_lookup("text"), why, whylen);
	if (!r && (only || option_num(o, OPT_SUMMARY)) && !takes_summary(outs))
		r = choose_one(outs, NULL, NULL, why, whylen);
	if (!r && option_num(o, OPT_OUTPUT_SEPARATELY))
		r = choose_separate(outs, why, whylen);
	note_wants(outs);
	return r;
}

/* --- configuration ----------------------------------------------------------------------------------- */

void decode_options_load(struct decode_options *d, const struct tracer_options *o)
{
	*d = (struct decode_options){
		.string_max = (uint32_t)option_num(o, OPT_STRING_LIMIT),
		.fd_paths = option_num(o, OPT_DECODE_FDS) > 0,
		.fd_details = option_num(o, OPT_DECODE_FDS) > 1,
		.verbose = option_num(o, OPT_NO_ABBREV) != 0,
		.strings_hex = (uint8_t)option_num(o, OPT_STRINGS_IN_HEX),
	};
}

void sink_config_load(struct sink_config *c, const struct tracer_options *o)
{
	*c = (struct sink_config){
		.timestamps = (uint8_t)option_num(o, OPT_TIMESTAMPS),
		.relative = option_num(o, OPT_RELATIVE) != 0,
		.durations = option_num(o, OPT_SYSCALL_TIMES) != 0,
		.number = option_num(o, OPT_SYSCALL_NUMBER) != 0,
		.ip = option_num(o, OPT_INSTRUCTION_POINTER) != 0,
		.show_ids = option_num(o, OPT_DECODE_PIDS) != 0,
		.column = (uint32_t)option_num(o, OPT_COLUMNS),
		.append = option_num(o, OPT_APPEND) != 0,
		.quiet_attach = option_num(o, OPT_QUIET) > 0,
		.quiet_exit = option_num(o, OPT_QUIET) > 1,
	};
	decode_options_load(&c->decode, o);
}

static bool use_color(const struct tracer_options *o, bool terminal)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	switch (option_num(o, OPT_COLOR)) {
	case 0:
		return terminal && !(no && no[0]) && !(term && !strcmp(term, "dumb"));
	case 1:
		return true;
	default:
		return false;
	}
}

/* --- open and close ------------------------------------------------------------------------------------ */

/* sh -c COMMAND reading from a pipe.  ^C is for the traced program, not for it: it has to see
 * what that writes last. */
static int open_command(struct output *out, const char *command)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)command, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t blocked, dflt;
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGQUIT);
	sigemptyset(&dflt);
	sigaddset(&dflt, SIGPIPE);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[0], STDIN_FILENO);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &blocked);
	posix_spawnattr_setsigdefault(&attr, &dflt);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	r = posix_spawn(&out->command, "/bin/sh", &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	close(fds[0]);
	if (r) {
		out->command = 0;
		close(fds[1]);
		return -r;
	}
	out->out.fd = fds[1];
	return 0;
}

static int open_fd(struct output *out, bool append)
{
	const char *t = out->target;
	int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | (append ? O_APPEND : O_TRUNC);

	if (t && t[0] == '|')
		return open_command(out, t + 1);
	if (!t || !strcmp(t, "-"))
		out->out.fd = fcntl(t ? STDOUT_FILENO : STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		out->out.fd = open(t, flags, 0666);
	return out->out.fd < 0 ? -errno : 0;
}

static int open_one(struct output *out, const struct tracer_options *o, const struct sink_config *base,
		    char *why, size_t whylen)
{
	struct sink_config cfg = *base;
	const char *name = out->target ? out->target : "stderr";
	int r = out->ops && out->ops->own_files ? 0 : open_fd(out, option_num(o, OPT_APPEND));

	if (r < 0) {
		snprintf(why, whylen, "cannot write to %s: %s", name, strerror(-r));
		return r;
	}
	out->out.name = name;
	out->out.terminal = out->out.fd >= 0 && isatty(out->out.fd);
	cfg.out = out->out;
	cfg.color = use_color(o, out->out.terminal);
	if (!out->ops)
		return 0;
	r = out->ops->open(&cfg, &out->sink);
	if (r < 0)
		snprintf(why, whylen, "cannot write %s to %s: %s", out->ops->name, name, tracer_strerror(r));
	return r;
}

int outputs_open(struct outputs *outs, const struct tracer_options *o, const struct sink_config *base,
		 char *why, size_t whylen)
{
	int r = 0;

	for (unsigned i = 0; i < outs->n && !r; i++)
		r = open_one(&outs->list[i], o, base, why, whylen);
	return r;
}

bool outputs_use_terminal(const struct outputs *outs)
{
	for (unsigned i = 0; i < outs->n; i++) {
		const struct output *out = &outs->list[i];

		if (!out->ops)
			continue;
		if (!out->target ? isatty(STDERR_FILENO) : !strcmp(out->target, "-") ? isatty(STDOUT_FILENO) :
		    out->target[0] == '|' || !strncmp(out->target, "/dev/tty", 8) || !strncmp(out->target, "/dev/pts/", 9))
			return true;
	}
	return false;
}

void outputs_flush(struct outputs *outs)
{
	for (unsigned i = 0; i < outs->n; i++)
		if (outs->list[i].sink && outs->list[i].ops->flush)
			outs->list[i].ops->flush(outs->list[i].sink);
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t w = write(fd, p, n);
		if (w < 0 && errno != EINTR)
			return -errno;
		if (w > 0) {
			p += w;
			n -= (size_t)w;
		}
	}
	return 0;
}

int outputs_write(struct outputs *outs, const struct strbuf *text)
{
	int r = 0;

	outputs_flush(outs);
	for (unsigned i = 0; i < outs->n && !r; i++)
		if (outs->list[i].out.fd >= 0 && is_text(&outs->list[i]))
			r = write_all(outs->list[i].out.fd, text->p, text->len);
	return r;
}

static int close_command(struct output *out)
{
	while (out->command && waitpid(out->command, &out->command_status, __WALL) < 0 && errno == EINTR)
		;
	out->command = 0;
	return out->command_status ? -EPIPE : 0;
}

/* Why an output is not what it should be. */
static void format_failure(const struct output *out, int err, char *why, size_t whylen)
{
	const char *name = out->out.name ? out->out.name : "output";
	int status = out->command_status;

	if (err == -EPIPE && status && WIFEXITED(status))
		snprintf(why, whylen, "the command of -o '%s' exited with status %d", name, WEXITSTATUS(status));
	else if (err == -EPIPE && status)
		snprintf(why, whylen, "the command of -o '%s' was killed by signal %d", name, WTERMSIG(status));
	else
		snprintf(why, whylen, "writing to %s: %s", name, tracer_strerror(err));
}

/* told: the sink itself has said what went wrong. */
static int close_one(struct output *out, bool *told)
{
	int r = out->sink && out->ops->close ? out->ops->close(out->sink) : 0, c;

	*told = r < 0;
	out->sink = NULL;
	if (out->out.fd >= 0 && close(out->out.fd) && !r)
		r = -errno;
	out->out.fd = -1;
	c = close_command(out);
	return r ? r : c;
}

int outputs_close(struct outputs *outs, char *why, size_t whylen)
{
	int first = 0;

	why[0] = '\0';
	for (unsigned i = 0; i < outs->n; i++) {
		bool told;
		int r = close_one(&outs->list[i], &told);

		if (r < 0 && !first) {
			first = r;
			if (!told)
				format_failure(&outs->list[i], r, why, whylen);
		}
	}
	return first;
}
