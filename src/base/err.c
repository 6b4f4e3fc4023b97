/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text for error numbers.  Any thread; the strings are constant.
 */
#include "config.h"
#include "base/err.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <tracer/error.h>

static const char *const own_text[] = {
	[TRACER_ERR_USAGE - TRACER_ERR_BASE] = "wrong option or value",
	[TRACER_ERR_NOTFOUND - TRACER_ERR_BASE] = "program not found",
	[TRACER_ERR_NOEXEC - TRACER_ERR_BASE] = "program cannot be executed",
	[TRACER_ERR_PTRACE - TRACER_ERR_BASE] = "the kernel does not allow tracing",
	[TRACER_ERR_ENGINE - TRACER_ERR_BASE] = "the engine cannot work here",
	[TRACER_ERR_FORMAT - TRACER_ERR_BASE] = "not in the expected format",
	[TRACER_ERR_EXPORT - TRACER_ERR_BASE] = "export failed",
};
_Static_assert(sizeof(own_text) / sizeof(own_text[0]) == TRACER_ERR_END - TRACER_ERR_BASE,
	       "one text for each error");

const char *tracer_strerror(int err)
{
	const char *text = NULL;

	if (err >= 0)
		return "success";
	if (err > -TRACER_ERR_BASE)
		text = strerrordesc_np(-err);
	else if (err < -TRACER_ERR_BASE && err > -TRACER_ERR_END)
		text = own_text[-err - TRACER_ERR_BASE];
	return text ? text : "unknown error";
}

const char *err_advice(int err)
{
	switch (-err) {
	case EMFILE:
		return "raise the limit on open files (ulimit -n)";
	case ENFILE:
		return "the whole system has no open files left (fs.file-max)";
	case EAGAIN:
		return "raise the limit on processes and threads (ulimit -u, or the cgroup's pids.max)";
	case ENOMEM:
		return "free memory, or raise the limit on it (ulimit -v)";
	default:
		return NULL;
	}
}

void err_format(int err, char *buf, size_t len)
{
	const char *advice = err_advice(err);

	snprintf(buf, len, "%s%s%s", tracer_strerror(err), advice ? "; " : "", advice ? advice : "");
}
