/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts the program that is to be traced: fork, give back what the program
 * would have inherited without us, wait in the child until the parent has
 * seized it, stop, exec.
 *
 *	spawn_open()  ->  tracee_seize(s.pid)  ->  spawn_start()  ->  SIGSTOP that it sent itself, not to be
 *	delivered: its next call is execve  ->  ... exec event
 *	... or the child's death  ->  spawn_error()  ->  spawn_close()
 */
#ifndef TRACEE_SPAWN_H
#define TRACEE_SPAWN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct spawn_plan {
	const char *file;
	char *const *argv;
	char *const *envp;
	const sigset_t *mask;		/* NULL: ours */
	uint64_t changed, ignored;	/* dispositions: bit sig-1, as struct engine_inherit says */
	bool no_handlers;		/* with these set there is no handler left */
	/* those that it inherits, ascending; NULL: all without close-on-exec */
	const int *fds;
	int nfds;
	bool run_as;
	uid_t uid;
	gid_t gid;
	const char *user;		/* its supplementary groups; NULL: gid alone */
	/* Runs in the child before it changes user and executes; async-signal-safe; 0 or -errno. */
	int (*prepare)(void *ctx);
	void *ctx;
};

/* Where the child was when it failed. */
enum spawn_step { SPAWN_NONE = 0, SPAWN_USER, SPAWN_PREPARE, SPAWN_EXEC };

struct spawn {
	pid_t pid;
	int go;			/* write end: the child may go on */
	int go_read;		/* kept open so that writing never raises SIGPIPE */
	int failed;		/* read end: which step failed; empty after an exec */
};

int spawn_open(struct spawn *s, const struct spawn_plan *plan);
int spawn_start(struct spawn *s);
/* After the child's death before exec: which step failed, and with which
 * negative errno (0: none, it was killed). */
enum spawn_step spawn_error(struct spawn *s, int *err);
void spawn_close(struct spawn *s);

#endif
