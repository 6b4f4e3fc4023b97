/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wait status -> stop.  A pure function; the supervisor calls it once for
 * everything that wait reports.
 */
#include "config.h"
#include "tracee/stop.h"
#include <linux/ptrace.h>
#include <signal.h>
#include <sys/wait.h>

static uint8_t event_kind(unsigned event, int sig)
{
	switch (event) {
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		return STOP_BIRTH;
	case PTRACE_EVENT_VFORK_DONE:
		return STOP_VFORK_DONE;
	case PTRACE_EVENT_EXEC:
		return STOP_EXEC;
	case PTRACE_EVENT_EXIT:
		return STOP_EXITING;
	case PTRACE_EVENT_SECCOMP:
		return STOP_SECCOMP;
	case PTRACE_EVENT_STOP:
		return sig == SIGTRAP ? STOP_TRAP : STOP_GROUP;
	default:
		return STOP_NONE;
	}
}

static void stopped_parse(int status, struct stop *out)
{
	out->sig = (uint8_t)WSTOPSIG(status);
	out->event = (uint8_t)((unsigned)status >> 16);
	if (out->event)
		out->kind = event_kind(out->event, out->sig);
	else if (out->sig == (SIGTRAP | 0x80))
		out->kind = STOP_CALL;
	else
		out->kind = STOP_SIGNAL;
}

void stop_parse(int status, struct stop *out)
{
	*out = (struct stop){ .kind = STOP_NONE };
	if (WIFSTOPPED(status)) {
		stopped_parse(status, out);
	} else if (WIFEXITED(status)) {
		out->kind = STOP_EXITED;
		out->code = (uint8_t)WEXITSTATUS(status);
	} else if (WIFSIGNALED(status)) {
		out->kind = STOP_KILLED;
		out->sig = (uint8_t)WTERMSIG(status);
	}
}
