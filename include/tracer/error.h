/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error codes.  Functions return 0 or a positive value on success, else a
 * negative number: -errno, or -TRACER_ERR_* for what errno has no word for.
 */
#ifndef TRACER_ERROR_H
#define TRACER_ERROR_H

#define TRACER_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

enum tracer_error {
	TRACER_ERR_BASE = 4096,		/* above every errno */
	TRACER_ERR_USAGE,		/* an option or its value is wrong */
	TRACER_ERR_NOTFOUND,		/* program not found (exit status 127) */
	TRACER_ERR_NOEXEC,		/* program found, not executable (126) */
	TRACER_ERR_PTRACE,		/* the kernel refuses to let us trace */
	TRACER_ERR_ENGINE,		/* the engine asked for cannot work here */
	TRACER_ERR_FORMAT,		/* a file is not what it should be */
	TRACER_ERR_EXPORT,		/* export failed */
	TRACER_ERR_END
};

/* Text for a negative return value of this library; never NULL, static. */
TRACER_API const char *tracer_strerror(int err);

#ifdef __cplusplus
}
#endif

#endif
