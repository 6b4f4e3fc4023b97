/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buffered output of a sink.  Consumer thread; the buffer is the writer's, the
 * descriptor the session's.
 */
#include "config.h"
#include "sink/sink_writer.h"
#include <errno.h>
#include <poll.h>
#include <tracer/error.h>
#include <unistd.h>

#define FLUSH_BYTES 65536u

void sink_writer_init(struct sink_writer *w, const struct sink_config *cfg)
{
	*w = (struct sink_writer){ .out = cfg->out, .log = cfg->log };
	strbuf_init(&w->buf, SINK_BUFFER_MAX);
}

/* Somebody made the descriptor non-blocking (a shell, the program itself on a
 * shared terminal): wait here. */
static bool wait_writable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, -1) >= 0 || errno == EINTR;
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t put = write(fd, p, n);

		if (put >= 0) {
			p += put;
			n -= (size_t)put;
		} else if (errno != EINTR && (errno != EAGAIN || !wait_writable(fd))) {
			return -errno;
		}
	}
	return 0;
}

int sink_writer_flush(struct sink_writer *w)
{
	int err;

	if (w->buf.len && !w->error) {
		err = write_all(w->out.fd, w->buf.p, w->buf.len);
		if (err < 0) {
			w->error = err;
			log_msg(w->log, LOG_ERROR, "cannot write to %s: %s%s; this output ends here, the program goes on",
				w->out.name ? w->out.name : "output", tracer_strerror(err),
				err == -EPIPE ? " (nobody reads it any more)" : "");
		}
	}
	strbuf_reset(&w->buf);
	return w->error;
}

void sink_writer_tick(struct sink_writer *w)
{
	if (w->buf.len >= FLUSH_BYTES || w->error)
		sink_writer_flush(w);
}

int sink_writer_fini(struct sink_writer *w)
{
	int err = sink_writer_flush(w);

	strbuf_fini(&w->buf);
	return err;
}
