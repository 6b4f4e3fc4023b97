/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages to the user of the library, by callback: the library never prints.
 * A struct log is passed down; it is safe to use from every thread (the
 * callback must be).
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_ERROR = 0, LOG_WARN = 1, LOG_INFO = 2, LOG_DEBUG = 3 };

typedef void (*log_fn)(void *ctx, int level, const char *message);

struct log {
	log_fn fn;		/* NULL: silent */
	void *ctx;
	int level;		/* most talkative level that is passed on */
};

void log_msg(const struct log *log, int level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
