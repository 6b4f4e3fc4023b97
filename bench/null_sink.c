/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The null receiver: one thread, epoll, a fixed table of connections.  Only
 * Content-Length bodies (what the exporter sends).
 */
#include "config.h"
#include "null_sink.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONNECTIONS 64
#define HEAD_MAX 8192

struct connection {
	int fd;
	char head[HEAD_MAX + 1];
	size_t head_len;
	uint64_t body_left;
};

static struct connection *connection_add(struct connection *table, int fd)
{
	for (size_t i = 0; i < CONNECTIONS; i++)
		if (table[i].fd < 0) {
			table[i] = (struct connection){ .fd = fd };
			return &table[i];
		}
	return NULL;
}

static uint64_t content_length(const char *head)
{
	const char *p = strcasestr(head, "\r\ncontent-length:");

	return p ? strtoull(p + 17, NULL, 10) : 0;
}

/* A slow collector is one that answers late: while it waits nobody else is served. */
static int answer(int fd, unsigned delay_ms)
{
	static const char text[] =
	    "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";

	if (delay_ms)
		poll(NULL, 0, (int)delay_ms);
	return send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(text) - 1 ? 0 : -1;
}

/* Bytes in, requests out: 0, or -1 when the connection is done. */
static int connection_add_bytes(struct connection *c, const char *p, size_t n, unsigned delay_ms)
{
	while (n) {
		size_t take;
		char *end;

		if (c->body_left) {
			take = n < c->body_left ? n : c->body_left;
			c->body_left -= take;
			p += take;
			n -= take;
			if (c->body_left == 0 && answer(c->fd, delay_ms) < 0)
				return -1;
			continue;
		}
		take = n < HEAD_MAX - c->head_len ? n : HEAD_MAX - c->head_len;
		memcpy(c->head + c->head_len, p, take);
		c->head[c->head_len + take] = '\0';
		end = strstr(c->head, "\r\n\r\n");
		if (!end && c->head_len + take == HEAD_MAX)
			return -1;
		if (end)
			take = (size_t)(end + 4 - c->head) - c->head_len;
		p += take;
		n -= take;
		c->head_len += take;
		if (!end)
			continue;
		c->body_left = content_length(c->head);
		c->head_len = 0;
		if (c->body_left == 0 && answer(c->fd, delay_ms) < 0)
			return -1;
	}
	return 0;
}

static void connection_read(struct connection *c, unsigned delay_ms)
{
	static char buf[1 << 20];
	ssize_t n = recv(c->fd, buf, sizeof(buf), 0);

	if (n > 0 && connection_add_bytes(c, buf, (size_t)n, delay_ms) == 0)
		return;
	close(c->fd);
	c->fd = -1;
}

void null_sink_run(int listener, unsigned delay_ms)
{
	static struct connection table[CONNECTIONS];
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	for (size_t i = 0; i < CONNECTIONS; i++)
		table[i].fd = -1;
	epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev);
	while (epoll_wait(ep, &ev, 1, -1) >= 0 || errno == EINTR) {
		struct connection *c = ev.data.ptr;
		int fd;

		if (c) {
			connection_read(c, delay_ms);
			continue;
		}
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		c = fd < 0 ? NULL : connection_add(table, fd);
		if (!c) {
			close(fd);
			continue;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
		ev = (struct epoll_event){ .events = EPOLLIN, .data.ptr = c };
		epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	}
}

int null_sink_listen(int *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)*port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 64) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	*port = ntohs(a.sin_port);
	return fd;
}

static void pin_to_last_cpu(void)
{
	cpu_set_t set, one;

	CPU_ZERO(&one);
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return;
	for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--)
		if (CPU_ISSET(cpu, &set)) {
			CPU_SET(cpu, &one);
			sched_setaffinity(0, sizeof(one), &one);
			return;
		}
}

int null_sink_start(struct null_sink *s)
{
	int listener;

	s->port = 0;
	listener = null_sink_listen(&s->port);
	if (listener < 0)
		return listener;
	s->pid = fork();
	if (s->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pin_to_last_cpu();
		null_sink_run(listener, 0);
		_exit(0);
	}
	close(listener);
	return s->pid < 0 ? -errno : 0;
}

void null_sink_stop(struct null_sink *s)
{
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
}
