/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command.  Main thread; becomes the supervisor in tracer_session_run().
 * A client of the library like any other: it includes <tracer/...> only.
 */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cli.h"

extern char **environ;

/* Programs of their own, so that the tracer does not load what only they need
 * (the receiver's HTTP and TLS libraries are a fifth of its memory). */
static const struct { const char *name, *program; } subcommands[] = {
	{ "collect", "tracer-collect" },
	{ "send", "tracer-send" },
};

void cli_log(void *ctx, int level, const char *message)
{
	char line[2048];
	int n = snprintf(line, sizeof(line), "tracer: %s\n", message);

	(void)ctx;
	(void)level;
	if (n >= (int)sizeof(line)) {
		n = sizeof(line);
		line[n - 1] = '\n';
	}
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;		/* nobody to tell */
}

/* Files of ours must not become 0, 1 or 2.  Close-on-exec: the program finds them closed, as we did. */
static void hold_standard_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

/* The program beside this one (a build tree, a copied directory), else where it was installed. */
static int exec_subcommand(const char *program, char **argv)
{
	char self[4096], path[4352], message[512];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0) {
		self[n] = '\0';
		*strrchr(self, '/') = '\0';
		snprintf(path, sizeof(path), "%s/%s", self, program);
		execv(path, argv);
	}
	snprintf(path, sizeof(path), "%s/%s", PKGLIBEXECDIR, program);
	execv(path, argv);
	snprintf(message, sizeof(message), "%s: %s: it belongs beside tracer or into %s", program,
		 strerror(errno), PKGLIBEXECDIR);
	cli_log(NULL, TRACER_LOG_ERROR, message);
	return CLI_EXIT_FAILURE;
}

static int option_set(const struct tracer_options *o, const char *name)
{
	char value[16];

	tracer_options_format(o, name, value, sizeof(value));
	return value[0] && strcmp(value, "no") && strcmp(value, "none");
}

/* The engine that changes the program that it is attached to. */
static int in_process(const struct tracer_options *o)
{
	char value[32];

	tracer_options_format(o, "engine", value, sizeof(value));
	return !strncmp(value, "inproc", 6);
}

static int quiet(const struct tracer_options *o)
{
	char value[16];

	tracer_options_format(o, "quiet", value, sizeof(value));
	return strcmp(value, "0");
}

/* Exit status of a negative result. */
static int exit_of(int err)
{
	switch (-err) {
	case TRACER_ERR_USAGE:
		return CLI_EXIT_USAGE;
	case TRACER_ERR_NOTFOUND:
		return CLI_EXIT_NOTFOUND;
	case TRACER_ERR_NOEXEC:
		return CLI_EXIT_NOEXEC;
	default:
		return CLI_EXIT_FAILURE;
	}
}

static int exit_as_program(const struct tracer_options *o, const struct tracer_result *res)
{
	int status = 0;

	if (res->have_status && WIFSIGNALED(res->status)) {
		fflush(NULL);
		cli_die_of(WTERMSIG(res->status));
		return 128 + WTERMSIG(res->status);
	}
	if (res->have_status)
		status = WEXITSTATUS(res->status);
	if (!status && res->output_failed)
		return CLI_EXIT_FAILURE;
	if (!status && res->export_failed && option_set(o, "fail-on-export-error"))
		return CLI_EXIT_GATE;
	return status;
}

static int run(const struct tracer_options *o, char **argv)
{
	struct tracer_inherit inherit;
	struct tracer_session_config cfg = {
		.options = o, .argv = argv[0] ? argv : NULL, .envp = environ, .inherit = &inherit, .job_control = true,
		.log = cli_log, .progress = cli_progress_wanted() && !quiet(o) ? cli_progress : NULL,
	};
	struct tracer_session *s = NULL;
	struct tracer_result res = { 0 };
	int r;

	cli_signals_start(&inherit, option_set(o, "attach"));
	r = tracer_session_open(&s, &cfg);
	if (r < 0)
		return exit_of(r);
	cli_signals_set_session(s, option_set(o, "attach"));
	r = tracer_session_run(s, &res);
	cli_signals_stop();
	tracer_session_close(s);
	return r < 0 ? exit_of(r) : exit_as_program(o, &res);
}

static int usage_error(const char *message)
{
	cli_log(NULL, TRACER_LOG_ERROR, message);
	return CLI_EXIT_USAGE;
}

/* What needs no program. */
static int answer(const struct tracer_options *o, int *done)
{
	char form[16];

	*done = 1;
	if (option_set(o, "help"))
		cli_usage(o);
	else if (option_set(o, "version"))
		puts("tracer " TRACER_VERSION);
	else if (option_set(o, "print-config"))
		cli_print_config(o);
	else if (option_set(o, "print-options")) {
		tracer_options_format(o, "print-options", form, sizeof(form));
		cli_print_options(form);
	} else
		*done = 0;
	if (*done && (fflush(stdout) || ferror(stdout)))
		return CLI_EXIT_FAILURE;
	return 0;
}

static int start(const struct tracer_options *o, char **argv)
{
	int done, r = answer(o, &done);
	int attach = option_set(o, "attach"), replay = option_set(o, "replay");

	if (done)
		return r;
	if (!argv[0] && !attach && !replay)
		return usage_error("nothing to trace: tracer [OPTIONS] COMMAND [ARG...], or -p PID  (tracer --help)");
	if (argv[0] && (attach || replay))
		return usage_error(attach ? "-p attaches to what runs: it takes no command"
					  : "--replay takes no command");
	r = attach && in_process(o) ? cli_guard_start() : -1;
	return r < 0 ? run(o, argv) : r;
}

int main(int argc, char **argv)
{
	struct tracer_options *o;
	int first, r;

#ifdef M_ARENA_MAX
	/* nothing is allocated for calls or spans: a heap for each thread is start-up time */
	mallopt(M_ARENA_MAX, 1);
#endif
	hold_standard_fds();
	for (size_t i = 0; argc > 1 && i < sizeof(subcommands) / sizeof(subcommands[0]); i++)
		if (!strcmp(argv[1], subcommands[i].name))
			return exec_subcommand(subcommands[i].program, argv + 1);
	if (tracer_options_new(&o) < 0)
		return CLI_EXIT_FAILURE;
	r = cli_options_load(o, argc, argv, environ, &first);
	r = r < 0 ? CLI_EXIT_USAGE : start(o, argv + first);
	tracer_options_free(o);
	return r;
}
