/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session runs (or attaches to) one program and delivers what it did.
 *
 * The thread that calls tracer_session_run() becomes the supervisor: it forks
 * and traces, and it must not wait for other children meanwhile.  Messages
 * come through the log callback, from any thread; the library never prints.
 * docs/embed.c is a whole program; what a program can notice of being traced
 * is in docs/LIMITS.md.
 *
 * Functions return 0, or a negative number (see <tracer/error.h>) whose reason
 * has gone to the log.  A session is used by one thread at a time, but for the
 * three functions at the end.  The library makes threads of its own, with all
 * signals blocked, and ends them by tracer_session_close().
 */
#ifndef TRACER_SESSION_H
#define TRACER_SESSION_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <tracer/error.h>
#include <tracer/options.h>

#ifdef __cplusplus
extern "C" {
#endif

enum tracer_log_level { TRACER_LOG_ERROR, TRACER_LOG_WARN, TRACER_LOG_INFO, TRACER_LOG_DEBUG };
/* One line without a newline, gone when it returns.  From any thread, also at once. */
typedef void (*tracer_log_fn)(void *ctx, int level, const char *message);

/* Draws a line for who waits, or (NULL) takes it away; true: it is there.  From any thread, one at a
 * time, and never while a traced program writes. */
typedef bool (*tracer_progress_fn)(void *ctx, const char *line);

/* Signal state that the program is to have, where the caller changed its own. */
struct tracer_inherit {
	sigset_t mask;
	uint64_t changed;	/* bit sig-1: the caller changed the disposition of sig */
	uint64_t ignored;	/* bit sig-1: it was ignored before */
};

/* What is pointed to is the caller's and has to stay until tracer_session_close(). */
struct tracer_session_config {
	const struct tracer_options *options;	/* behind tracer_options_check() */
	char *const *argv;	/* program and arguments, ended by NULL; NULL: attach, or replay */
	char *const *envp;	/* environment before -E and TRACEPARENT */
	const struct tracer_inherit *inherit;	/* NULL: nothing was changed */
	/* The caller is a command in a shell's job: when the terminal has stopped all of the program
	 * (SIGTSTP, SIGTTIN, SIGTTOU) and it is in our process group, our process stops, too. */
	bool job_control;
	tracer_log_fn log;	/* NULL: silent */
	void *log_ctx;
	tracer_progress_fn progress;		/* NULL: none */
	void *progress_ctx;
};

struct tracer_result {
	bool have_status;	/* a program was run to its end: */
	int status;		/* its wait status, as of waitpid() */
	bool export_failed;	/* spans were wanted and not all of them arrived */
	bool output_failed;	/* an output could not be written to its end */
	unsigned detached;	/* processes let go alive */
	uint64_t calls;		/* recorded */
	uint64_t spans;		/* that the collector has taken */
	uint64_t folded;	/* calls that are in summary spans */
	uint64_t dropped;	/* spans that arrived nowhere */
	uint64_t lost;		/* records that found no room: calls of which nothing is known */
};

struct tracer_session;

/* The program inherits the descriptors that are open at this moment and not close-on-exec; those
 * that are opened later, by anybody, it does not.  Nothing runs yet.  -TRACER_ERR_USAGE, _NOTFOUND, _NOEXEC,
 * _ENGINE: options or program are at fault; -TRACER_ERR_PTRACE: nobody may trace here; else -errno. */
TRACER_API int tracer_session_open(struct tracer_session **out, const struct tracer_session_config *cfg);
/* Runs to the end of the program, then delivers what is left within the flush timeout (--otlp-flush-timeout).
 * Once for each session.  *res is complete also where it returns an error; what the program and the exports
 * did is no error of this function. */
TRACER_API int tracer_session_run(struct tracer_session *s, struct tracer_result *res);
/* After run, or instead of it.  NULL is legal. */
TRACER_API void tracer_session_close(struct tracer_session *s);

/* Async-signal-safe, from any thread. */
TRACER_API void tracer_session_forward(struct tracer_session *s, int sig);	/* to the program */
TRACER_API void tracer_session_stop(struct tracer_session *s);	/* detach and return from run */
TRACER_API void tracer_session_abort(struct tracer_session *s);	/* give up the last flush */

#ifdef __cplusplus
}
#endif

#endif
