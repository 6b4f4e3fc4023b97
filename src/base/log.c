/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages to the embedding program.  Any thread; the text lives on the
 * caller's stack while the callback runs.
 */
#include "config.h"
#include "base/log.h"
#include <stdarg.h>
#include <stdio.h>

#define LOG_MAX 2048

void log_msg(const struct log *log, int level, const char *fmt, ...)
{
	char text[LOG_MAX];
	va_list ap;

	if (!log || !log->fn || level > log->level)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log->fn(log->ctx, level, text);
}
