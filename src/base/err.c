/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text for error numbers.  Any thread; the strings are constant.
 */
#include "config.h"
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
