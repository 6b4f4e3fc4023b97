/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resource attributes after OpenTelemetry's semantic conventions (service,
 * telemetry, process, host, os, container).  The machine is read once, at the
 * start of a run; building the resource of an image reads nothing.  Runs on
 * the consumer thread; the result is the caller's.
 */
#include "config.h"
#include "span/resource_build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <tracer/version.h>
#include <unistd.h>

#include "base/proto_reader.h"
#include "base/utf8.h"
#include "span/propagator.h"

#define CONTEXT_ATTRS_MAX 64u		/* of what a program tells of itself */
#define CONTEXT_TOTAL_MAX 192u		/* and no more where there are so many: ours have to find room */
#define CONTEXT_KEY_MAX 255u
/* Enough for every file read here; mountinfo of a container host can be long. */
#define FILE_MAX 65536u

/* The file's beginning, NUL-terminated; empty when it cannot be read. */
static void file_load(const char *root, const char *path, char *buf, size_t size)
{
	char full[4096];
	size_t len = 0;
	ssize_t n = 1;
	int fd = -1;

	if (snprintf(full, sizeof(full), "%s%s", root, path) < (int)sizeof(full))
		fd = open(full, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && len < size - 1 && n > 0) {
		n = read(fd, buf + len, size - 1 - len);
		if (n > 0)
			len += (size_t)n;
	}
	if (fd >= 0)
		close(fd);
	buf[len] = '\0';
}

static void copy_word(char *out, size_t size, const char *p, size_t n)
{
	if (n >= size)
		n = size - 1;
	memcpy(out, p, n);
	out[n] = '\0';
}

/* KEY=value or KEY="value" of os-release(5); shell escapes but \" are not used in practice. */
static void release_field(const char *text, const char *key, char *out, size_t size)
{
	size_t klen = strlen(key);

	for (const char *p = text; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL) {
		if (strncmp(p, key, klen) || p[klen] != '=')
			continue;
		p += klen + 1;
		size_t n = strcspn(p, "\n");
		if (n >= 2 && (*p == '"' || *p == '\'') && p[n - 1] == *p)
			p++, n -= 2;
		copy_word(out, size, p, n);
		return;
	}
}

static void os_probe(struct resource_host *h, const char *root, char *buf)
{
	file_load(root, "/etc/os-release", buf, FILE_MAX);
	if (!*buf)
		file_load(root, "/usr/lib/os-release", buf, FILE_MAX);
	release_field(buf, "NAME", h->os_name, sizeof(h->os_name));
	release_field(buf, "VERSION_ID", h->os_version, sizeof(h->os_version));
	release_field(buf, "PRETTY_NAME", h->os_description, sizeof(h->os_description));
	release_field(buf, "BUILD_ID", h->os_build, sizeof(h->os_build));
}

static void uname_probe(struct resource_host *h)
{
	static const char *const arch[][2] = { { "x86_64", "amd64" }, { "aarch64", "arm64" }, { "i686", "x86" },
					       { "armv7l", "arm32" }, { "ppc64le", "ppc64" } };
	struct utsname u;

	if (uname(&u) < 0)
		return;
	copy_word(h->name, sizeof(h->name), u.nodename, strlen(u.nodename));
	/* Of the running kernel, unless the distribution numbers its builds (os_probe). */
	copy_word(h->os_build, sizeof(h->os_build), u.release, strlen(u.release));
	copy_word(h->arch, sizeof(h->arch), u.machine, strlen(u.machine));
	for (size_t i = 0; i < sizeof(arch) / sizeof(arch[0]); i++)
		if (strcmp(u.machine, arch[i][0]) == 0)
			copy_word(h->arch, sizeof(h->arch), arch[i][1], strlen(arch[i][1]));
}

static bool hex_run(const char *p, size_t n)
{
	return strspn(p, "0123456789abcdef") == n;
}

/* Container runtimes name a cgroup (v1) or the source of a bind mount (v2)
 * after the container: 64 hex digits. */
static bool container_find(const char *text, char *out, size_t size)
{
	for (const char *p = text; *p;) {
		size_t n = strspn(p, "0123456789abcdef");

		if (n == 64) {
			copy_word(out, size, p, 64);
			return true;
		}
		p += n ? n : 1;
	}
	return false;
}

static void container_probe(struct resource_host *h, const char *root, char *buf)
{
	char *p;

	file_load(root, "/proc/self/cgroup", buf, FILE_MAX);
	if (container_find(buf, h->container, sizeof(h->container)))
		return;
	file_load(root, "/proc/self/mountinfo", buf, FILE_MAX);
	/* Other mounts may carry a hash, too; the runtime's own files are these. */
	p = strstr(buf, "/containers/");
	if (p)
		container_find(p, h->container, sizeof(h->container));
}

static void machine_id_probe(struct resource_host *h, const char *root, char *buf)
{
	file_load(root, "/etc/machine-id", buf, FILE_MAX);
	if (!*buf)
		file_load(root, "/var/lib/dbus/machine-id", buf, FILE_MAX);
	buf[strcspn(buf, "\n")] = '\0';
	if (strlen(buf) == 32 && hex_run(buf, 32))
		copy_word(h->id, sizeof(h->id), buf, 32);
}

static void boot_probe(struct resource_host *h, const char *root, char *buf)
{
	const char *p;

	file_load(root, "/proc/stat", buf, FILE_MAX);
	p = strstr(buf, "btime ");
	h->boot_time = p ? strtoull(p + 6, NULL, 10) : 0;
	h->ticks_per_second = sysconf(_SC_CLK_TCK);
}

void resource_host_probe(struct resource_host *h, const char *root)
{
	char *buf = malloc(FILE_MAX);

	*h = (struct resource_host){ 0 };
	uname_probe(h);
	if (!buf)
		return;
	os_probe(h, root, buf);
	container_probe(h, root, buf);
	/* In a container the machine id is the image's, and the same in all of them. */
	if (!h->container[0])
		machine_id_probe(h, root, buf);
	boot_probe(h, root, buf);
	free(buf);
}

void resource_run_init(struct resource_run *run)
{
	uint8_t u[16];

	*run = (struct resource_run){ 0 };
	id_trace(u);
	u[6] = (u[6] & 0x0f) | 0x40;	/* RFC 9562: version 4 */
	u[8] = (u[8] & 0x3f) | 0x80;
	snprintf(run->instance_id, sizeof(run->instance_id),
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1], u[2], u[3], u[4],
		 u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
}

void resource_format_creation(const struct resource_host *h, uint64_t starttime, char out[32])
{
	uint64_t hz = h->ticks_per_second > 0 ? (uint64_t)h->ticks_per_second : 100;
	time_t t = (time_t)(h->boot_time + starttime / hz);
	struct tm tm;
	size_t n;

	out[0] = '\0';
	if (!h->boot_time || !starttime || !gmtime_r(&t, &tm))
		return;
	n = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, 32 - n, ".%03uZ", (unsigned)(starttime % hz * 1000 / hz));
}

static int add_text(struct resource *r, const char *key, const char *value)
{
	return value && *value ? resource_add_str(r, key, value, strlen(value)) : 0;
}

static int list_build(struct resource *r, const struct resource_run *run)
{
	int ret = run->attributes ? resource_add_list(r, run->attributes, NULL, 0) : 0;

	return ret == -EINVAL ? 0 : ret;	/* discarded whole; whoever read it has said so */
}

static int service_build(struct resource *r, const struct resource_run *run)
{
	int ret = add_text(r, "service.name", run->fallback_name ? run->fallback_name : "unknown_service");

	return ret ? ret : add_text(r, "service.instance.id", run->instance_id);
}

static int sdk_build(struct resource *r)
{
	int ret = add_text(r, "telemetry.sdk.name", "tracer");

	if (ret == 0)
		ret = add_text(r, "telemetry.sdk.language", "c");
	return ret ? ret : add_text(r, "telemetry.sdk.version", TRACER_VERSION);
}

static int host_build(struct resource *r, const struct resource_host *h)
{
	const char *const rows[][2] = {
		{ "host.name", h->name }, { "host.arch", h->arch }, { "host.id", h->id },
		{ "os.type", "linux" }, { "os.name", h->os_name }, { "os.version", h->os_version },
		{ "os.description", h->os_description }, { "os.build_id", h->os_build },
		{ "container.id", h->container },
	};
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < sizeof(rows) / sizeof(rows[0]); i++)
		ret = add_text(r, rows[i][0], rows[i][1]);
	return ret;
}

static int exe_build(struct resource *r, const struct resource_image *img)
{
	const char *slash;
	int ret;

	if (!img->exe || !img->exe_len)
		return 0;
	slash = memrchr(img->exe, '/', img->exe_len);
	slash = slash ? slash + 1 : img->exe;
	ret =
	    resource_add_str(r, "process.executable.name", slash, img->exe_len - (size_t)(slash - img->exe));
	if (ret || slash == img->exe)		/* a name is no path */
		return ret;
	return resource_add_str(r, "process.executable.path", img->exe, img->exe_len);
}

static int process_build(struct resource *r, const struct resource_host *h, const struct resource_image *img)
{
	char created[32], build[2 * 24 + 1] = "";
	int ret = img->pid ? resource_add_int(r, "process.pid", img->pid) : 0;

	resource_format_creation(h, img->starttime, created);
	if (ret == 0)
		ret = add_text(r, "process.creation.time", created);
	if (ret == 0)
		ret = exe_build(r, img);
	for (unsigned i = 0; i < img->build_id_len && i < 24; i++)
		sprintf(build + 2 * i, "%02x", img->build_id[i]);
	return ret ? ret : add_text(r, "process.executable.build_id.gnu", build);
}

/* AnyValue: string 1, bool 2, int 3; resources of ours have no other types. */
static int context_add_value(struct resource *r, const char *key, const struct proto_field *value)
{
	struct proto_reader in;
	struct proto_field f;

	proto_reader_init(&in, value->bytes, value->len);
	if (!proto_reader_next(&in, &f))
		return 0;
	if (f.number == 1 && f.wire == PROTO_BYTES && utf8_valid((const char *)f.bytes, f.len))
		return resource_add_str(r, key, (const char *)f.bytes, f.len);
	if ((f.number == 2 || f.number == 3) && f.wire == PROTO_VARINT)
		return resource_add_int(r, key, (int64_t)f.value);
	return 0;
}

/* KeyValue: key 1, value 2. */
static int context_add(struct resource *r, const struct proto_field *attr)
{
	struct proto_reader in;
	struct proto_field f, key = { 0 }, value = { 0 };
	char name[CONTEXT_KEY_MAX + 1];

	proto_reader_init(&in, attr->bytes, attr->len);
	while (proto_reader_next(&in, &f)) {
		if (f.number == 1 && f.wire == PROTO_BYTES)
			key = f;
		else if (f.number == 2 && f.wire == PROTO_BYTES)
			value = f;
	}
	if (!key.len || key.len > CONTEXT_KEY_MAX || memchr(key.bytes, '\0', key.len) ||
	    !utf8_valid((const char *)key.bytes, key.len))
		return 0;
	memcpy(name, key.bytes, key.len);
	name[key.len] = '\0';
	return context_add_value(r, name, &value);
}

/* ProcessContext: resource 1; Resource: attributes 1. */
static int context_build(struct resource *r, const struct resource_image *img)
{
	struct proto_reader in, attrs;
	struct proto_field f, a;
	unsigned n = 0;
	int ret = 0;

	proto_reader_init(&in, img->context, img->context_len);
	while (ret == 0 && proto_reader_next(&in, &f)) {
		if (f.number != 1 || f.wire != PROTO_BYTES)
			continue;
		proto_reader_init(&attrs, f.bytes, f.len);
		while (ret == 0 && n < CONTEXT_ATTRS_MAX && r->nattrs < CONTEXT_TOTAL_MAX &&
		       proto_reader_next(&attrs, &a)) {
			if (a.number != 1 || a.wire != PROTO_BYTES)
				continue;
			ret = context_add(r, &a);
			n++;
		}
	}
	return ret;
}

int resource_build(struct resource **out, const struct resource_host *h, const struct resource_run *run,
		   const struct resource_image *img)
{
	struct resource *r = resource_new(img->id);
	int ret = r ? add_text(r, "service.name", run->service_name) : -ENOMEM;

	/* The first value stays: what the user's list says of service, host or
	 * container beats what the program tells, and that beats what we find;
	 * what a process is we know better. */
	if (ret == 0)
		ret = sdk_build(r);
	if (ret == 0)
		ret = process_build(r, h, img);
	if (ret == 0)
		ret = list_build(r, run);
	if (ret == 0 && img->context)
		ret = context_build(r, img);
	if (ret == 0)
		ret = service_build(r, run);
	if (ret == 0)
		ret = host_build(r, h);
	if (ret < 0) {
		resource_put(r);
		return ret;
	}
	*out = r;
	return 0;
}
