/* SPDX-License-Identifier: Apache-2.0 */
/* What a call's new descriptor stands for. */
#ifndef DECODE_TARGET_H
#define DECODE_TARGET_H

#include <stdbool.h>
#include "base/strbuf.h"
#include "decode/world.h"

struct target { uint8_t kind, type; uint16_t family; bool cloexec; };

/* Target of the descriptor that a successful call returned; false where nothing is known.
 * Looks at the tables as they are before the call's effects. */
bool target_format(struct strbuf *out, struct target *info, const struct task *t,
		   const struct tracer_ev_call *c, const struct syscall_desc *d);
/* "domain, type, protocol" of socket or socketpair as a target. */
void target_format_socket(struct strbuf *out, struct target *info, const struct tracer_ev_call *c);

#endif
