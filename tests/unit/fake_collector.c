/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scripted HTTP/1.1 server for the exporter's tests.  Its thread owns the
 * sockets; requests are appended under the lock and do not change afterwards.
 */
#include "config.h"
#include "fake_collector.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>
#include "base/clock.h"
#include "export/proto/trace_service.pb-c.h"

#define PLAIN_MAX (80u << 20)

/* Not an assertion of Check: programs without it use this file, too. */
static void require(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

static size_t count_spans(const uint8_t *p, size_t n, bool *valid)
{
	Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceRequest *q =
		opentelemetry__proto__collector__trace__v1__export_trace_service_request__unpack(NULL, n, p);
	size_t spans = 0;

	*valid = q != NULL;
	if (!q)
		return 0;
	for (size_t i = 0; i < q->n_resource_spans; i++)
		for (size_t k = 0; k < q->resource_spans[i]->n_scope_spans; k++)
			spans += q->resource_spans[i]->scope_spans[k]->n_spans;
	opentelemetry__proto__collector__trace__v1__export_trace_service_request__free_unpacked(q, NULL);
	return spans;
}

static void decompress(struct fake_request *r)
{
	z_stream z = { .next_in = r->body, .avail_in = (uInt)r->len };
	size_t cap = r->len * 20 + 4096;

	if (!fake_header(r, "content-encoding")) {
		r->plain = malloc(r->len + 1);
		memcpy(r->plain, r->body, r->len);
		r->plain_len = r->len;
		return;
	}
	if (inflateInit2(&z, 31) != Z_OK)
		return;
	r->plain = malloc(cap);
	for (;;) {
		int rc;

		z.next_out = r->plain + z.total_out;
		z.avail_out = (uInt)(cap - z.total_out);
		rc = inflate(&z, Z_FINISH);
		if (rc != Z_BUF_ERROR || cap > PLAIN_MAX)
			break;
		cap *= 2;
		r->plain = realloc(r->plain, cap);
	}
	r->plain_len = z.total_out;
	inflateEnd(&z);
}

/* Waits for input or the end: false at the end. */
static bool wait_input(struct fake_collector *f, int fd)
{
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = f->stop_fd, .events = POLLIN } };

	while (poll(p, 2, -1) < 0 && errno == EINTR)
		;
	return !(p[1].revents & POLLIN);
}

static bool read_exact(struct fake_collector *f, int fd, uint8_t *p, size_t n)
{
	while (n) {
		ssize_t got;

		if (!wait_input(f, fd))
			return false;
		got = recv(fd, p, n, 0);
		if (got <= 0)
			return false;
		p += got;
		n -= (size_t)got;
	}
	return true;
}

static bool read_request(struct fake_collector *f, int fd, struct fake_request *r)
{
	size_t n = 0;
	const char *length;

	do {
		if (n + 1 >= sizeof(r->head) || !read_exact(f, fd, (uint8_t *)r->head + n, 1))
			return false;
		r->head[++n] = '\0';
	} while (n < 4 || memcmp(r->head + n - 4, "\r\n\r\n", 4) != 0);
	length = fake_header(r, "content-length");
	r->len = length ? strtoul(length, NULL, 10) : 0;
	r->body = malloc(r->len + 1);
	if (!read_exact(f, fd, r->body, r->len))
		return false;
	decompress(r);
	r->time = clock_mono_ns();
	r->spans = count_spans(r->plain, r->plain_len, &r->valid);
	return true;
}

static bool send_all(int fd, const void *p, size_t n)
{
	while (n) {
		ssize_t put = send(fd, p, n, MSG_NOSIGNAL);

		if (put <= 0)
			return false;
		p = (const char *)p + put;
		n -= (size_t)put;
	}
	return true;
}

static void sleep_ms(unsigned ms)
{
	nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000L }, NULL);
}

/* True: the connection goes on. */
static bool answer(struct fake_collector *f, int fd, const struct fake_step *s)
{
	static const char interim[] =
	    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
	static const char filler[16384];
	char text[1024];
	int n = snprintf(text, sizeof(text), "HTTP/1.1 %d Fake\r\n%sContent-Length: %zu\r\n\r\n",
			 s->status ? s->status : 200,
			 s->headers ? s->headers : "Content-Type: application/x-protobuf\r\n",
			 s->act == FAKE_BOMB ? (size_t)1 << 40 : s->len);

	switch (s->act) {
	case FAKE_HANG:
		wait_input(f, fd);
		return false;
	case FAKE_RESET:
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
		return false;
	case FAKE_HALF:
		send_all(fd, text, (size_t)n);
		send_all(fd, s->body, s->len / 2);
		return false;
	case FAKE_BOMB:
		send_all(fd, text, (size_t)n);
		while (send_all(fd, filler, sizeof(filler)))
			;
		return false;
	case FAKE_DRIP:
		for (int i = 0; i < n; i++, sleep_ms(1))
			if (!send_all(fd, text + i, 1))
				return false;
		return send_all(fd, s->body, s->len);
	case FAKE_INTERIM:
		if (!send_all(fd, interim, sizeof(interim) - 1))
			return false;
		return send_all(fd, text, (size_t)n) && send_all(fd, s->body, s->len);
	default:
		return send_all(fd, text, (size_t)n) && (s->len == 0 || send_all(fd, s->body, s->len));
	}
}

static void serve(struct fake_collector *f, int fd)
{
	bool go_on = true;

	while (go_on) {
		struct fake_request r = { .connection = f->connections };
		size_t i;

		if (!read_request(f, fd, &r)) {
			free(r.body);
			free(r.plain);
			return;
		}
		pthread_mutex_lock(&f->lock);
		i = f->nrequests;
		if (i < FAKE_REQUESTS)
			f->requests[f->nrequests++] = r;
		pthread_cond_broadcast(&f->more);
		pthread_mutex_unlock(&f->lock);
		go_on = answer(f, fd, &f->steps[i < f->nsteps ? i : f->nsteps - 1]);
	}
}

static void *run(void *ctx)
{
	struct fake_collector *f = ctx;

	while (wait_input(f, f->listener)) {
		int fd = accept(f->listener, NULL, NULL);

		if (fd < 0)
			continue;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
		pthread_mutex_lock(&f->lock);
		f->connections++;
		pthread_mutex_unlock(&f->lock);
		serve(f, fd);
		close(fd);
	}
	return NULL;
}

static int listen_on(int port, int *bound)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	require(bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0, "bind");
	require(getsockname(fd, (struct sockaddr *)&a, &len) == 0, "getsockname");
	*bound = ntohs(a.sin_port);
	return fd;
}

void fake_collector_start(struct fake_collector *f, int port, const struct fake_step *steps, size_t nsteps)
{
	*f = (struct fake_collector){ .steps = steps, .nsteps = nsteps };
	f->requests = calloc(FAKE_REQUESTS, sizeof(*f->requests));
	f->stop_fd = eventfd(0, EFD_CLOEXEC);
	f->listener = listen_on(port, &f->port);
	require(listen(f->listener, 16) == 0, "listen");
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->more, NULL);
	require(pthread_create(&f->thread, NULL, run, f) == 0, "pthread_create");
}

void fake_collector_stop(struct fake_collector *f)
{
	uint64_t one = 1;

	if (f->listener < 0 || !f->steps)	/* never started */
		return;
	require(write(f->stop_fd, &one, sizeof(one)) == sizeof(one), "write");
	pthread_join(f->thread, NULL);
	close(f->listener);
	close(f->stop_fd);
	f->listener = -1;
}

void fake_collector_free(struct fake_collector *f)
{
	fake_collector_stop(f);
	for (size_t i = 0; i < f->nrequests; i++) {
		free(f->requests[i].body);
		free(f->requests[i].plain);
	}
	free(f->requests);
}

bool fake_collector_wait(struct fake_collector *f, size_t n)
{
	struct timespec ts;
	int err = 0;
	bool enough;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += 60;
	pthread_mutex_lock(&f->lock);
	while (f->nrequests < n && !err)
		err = pthread_cond_timedwait(&f->more, &f->lock, &ts);
	enough = f->nrequests >= n;
	pthread_mutex_unlock(&f->lock);
	return enough;
}

const char *fake_header(const struct fake_request *r, const char *name)
{
	static _Thread_local char value[1024];
	size_t n = strlen(name);

	for (const char *p = strstr(r->head, "\r\n"); p; p = strstr(p + 2, "\r\n"))
		if (strncasecmp(p + 2, name, n) == 0 && p[2 + n] == ':') {
			const char *v = p + 3 + n + strspn(p + 3 + n, " ");

			snprintf(value, sizeof(value), "%.*s", (int)strcspn(v, "\r"), v);
			return value;
		}
	return NULL;
}

int fake_free_port(void)
{
	int port, fd = listen_on(0, &port);

	close(fd);
	return port;
}

size_t fake_spans(struct fake_collector *f)
{
	size_t n = 0;

	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < f->nrequests; i++)
		n += f->requests[i].spans;
	pthread_mutex_unlock(&f->lock);
	return n;
}
