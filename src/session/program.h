/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is to be run: file, arguments, environment, user; found the way a shell
 * finds it, with an answer that says what to do where it is not there.
 */
#ifndef SESSION_PROGRAM_H
#define SESSION_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <tracer/options.h>

struct program {
	char *file;		/* what is executed */
	char **argv;		/* ours; the strings are the caller's */
	char **envp;		/* ours; the strings are the caller's and the option's */
	const char *argv0;
	bool run_as;
	uid_t uid;
	gid_t gid;
	const char *user;
};

/* 0, or -TRACER_ERR_NOTFOUND, -TRACER_ERR_NOEXEC, -TRACER_ERR_USAGE, -ENOMEM with why. */
int program_load(struct program *p, const struct tracer_options *o, char *const *argv, char *const *envp,
		 char *why, size_t whylen);
void program_fini(struct program *p);

#endif
