/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a wait status of a PTRACE_SEIZEd task says.  Pure, tested by table.
 *
 * Source: ptrace(2), "Stopped states"; PTRACE_O_TRACESYSGOOD is set.
 */
#ifndef TRACEE_STOP_H
#define TRACEE_STOP_H

#include <stdint.h>

enum stop_kind {
	STOP_NONE = 0,		/* no stop: continued, or a status that makes no sense */
	STOP_EXITED,		/* code: exit code */
	STOP_KILLED,		/* sig: what killed it */
	STOP_CALL,		/* entry or exit of a call */
	STOP_SIGNAL,		/* about to deliver sig */
	STOP_GROUP,		/* stopped by job control, sig */
	STOP_TRAP,		/* PTRACE_INTERRUPT, first stop of a child, or news for a listener */
	STOP_BIRTH,		/* fork, vfork or clone was made; event says which */
	STOP_VFORK_DONE,
	STOP_EXEC,
	STOP_EXITING,		/* PTRACE_EVENT_EXIT */
	STOP_SECCOMP,		/* a filter returned RET_TRACE */
	STOP_KINDS
};

struct stop {
	uint8_t kind;		/* enum stop_kind */
	uint8_t event;		/* PTRACE_EVENT_*, 0 none */
	uint8_t sig;
	uint8_t code;
};

void stop_parse(int status, struct stop *out);

#endif
