/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads /proc/PID/...  Runs on the supervisor thread (and in tests from given
 * text); no state.  Source: proc(5).
 */
#include "config.h"
#include "tracee/proc_fs.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_LEN 64
#define TARGET_LEN 4096

/* The link is read in /proc's own PID namespace. */
bool proc_own(void)
{
	char text[24];
	ssize_t n = readlink("/proc/self", text, sizeof(text) - 1);

	if (n <= 0)
		return false;
	text[n] = '\0';
	return atoi(text) == getpid();
}

int proc_path_format(char *buf, size_t len, pid_t tid, const char *name)
{
	if (!proc_own())
		return -ENOENT;
	return snprintf(buf, len, "/proc/%d/%s", (int)tid, name) < (int)len ? 0 : -ENAMETOOLONG;
}

ssize_t proc_file_read(pid_t tid, const char *name, void *buf, size_t len)
{
	char path[PATH_LEN];
	size_t got = 0;
	ssize_t n = proc_path_format(path, sizeof(path), tid, name);
	int fd;

	if (n < 0)
		return n;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (got < len && (n = read(fd, (char *)buf + got, len - got)) != 0) {
		if (n < 0) {
			n = -errno;
			close(fd);
			return n;
		}
		got += (size_t)n;
	}
	close(fd);
	return (ssize_t)got;
}

ssize_t proc_link_read(pid_t tid, const char *name, char *buf, size_t len)
{
	char path[PATH_LEN];
	ssize_t n = proc_path_format(path, sizeof(path), tid, name);

	if (n < 0)
		return n;
	n = readlink(path, buf, len - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return n;
}

/* Fields 1 to 3 are "pid (comm) state"; comm may hold blanks and parentheses,
 * so the last ')' counts. */
int proc_stat_parse(const char *text, size_t len, struct proc_stat *out)
{
	const char *open = memchr(text, '(', len), *close = memrchr(text, ')', len);
	const char *p;
	char *end;
	size_t n;

	*out = (struct proc_stat){ .processor = -1 };
	if (!open || !close || close < open || (size_t)(text + len - close) < 4)
		return -EBADMSG;
	n = (size_t)(close - open) - 1;
	if (n >= sizeof(out->comm))
		n = sizeof(out->comm) - 1;
	memcpy(out->comm, open + 1, n);
	out->state = close[2];
	p = close + 3;
	for (int field = 4; field <= 39 && *p; field++, p = end) {
		unsigned long long v = strtoull(p, &end, 10);

		if (end == p)
			return field > 22 ? 0 : -EBADMSG;
		if (field == 4)
			out->ppid = (pid_t)v;
		else if (field == 22)
			out->starttime = v;
		else if (field == 39)
			out->processor = (int)v;
	}
	return out->starttime || out->processor >= 0 ? 0 : -EBADMSG;
}

int proc_stat_load(pid_t tid, struct proc_stat *out)
{
	char text[1024];
	ssize_t n = proc_file_read(tid, "stat", text, sizeof(text) - 1);

	if (n < 0)
		return (int)n;
	text[n] = '\0';
	return proc_stat_parse(text, (size_t)n, out);
}

static void status_line_parse(const char *line, struct proc_status *out)
{
	unsigned long mask;
	unsigned a, b;
	int v;

	if (sscanf(line, "Tgid: %d", &v) == 1)
		out->tgid = v;
	else if (sscanf(line, "PPid: %d", &v) == 1)
		out->ppid = v;
	else if (sscanf(line, "TracerPid: %d", &v) == 1)
		out->tracer = v;
	else if (sscanf(line, "Uid: %u %u", &a, &b) == 2)
		out->uid = a, out->euid = b;
	else if (sscanf(line, "Seccomp: %d", &v) == 1)
		out->seccomp = v, out->filters = v > 0;
	else if (sscanf(line, "Seccomp_filters: %d", &v) == 1)
		out->filters = v;
	else if (sscanf(line, "SigPnd: %lx", &mask) == 1 || sscanf(line, "ShdPnd: %lx", &mask) == 1)
		out->pending |= mask;
	else if (sscanf(line, "SigBlk: %lx", &mask) == 1)
		out->blocked = mask;
	else if (sscanf(line, "SigIgn: %lx", &mask) == 1 || sscanf(line, "SigCgt: %lx", &mask) == 1)
		out->handled |= mask;
	else if (!strncmp(line, "x86_Thread_features:", 20))
		out->shadow_stack = strstr(line, "shstk") != NULL;
	else if (sscanf(line, "Kthread: %d", &v) == 1)
		out->kernel_thread = v == 1;
}

int proc_status_parse(const char *text, size_t len, struct proc_status *out)
{
	char line[128];
	const char *end = text + len;

	*out = (struct proc_status){ .seccomp = -1 };
	while (text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		size_t n = nl ? (size_t)(nl - text) : (size_t)(end - text);

		if (n < sizeof(line)) {
			memcpy(line, text, n);
			line[n] = '\0';
			status_line_parse(line, out);
		}
		text += n + 1;
	}
	return out->tgid ? 0 : -EBADMSG;
}

int proc_status_load(pid_t tid, struct proc_status *out)
{
	char text[4096];
	ssize_t n = proc_file_read(tid, "status", text, sizeof(text));

	return n < 0 ? (int)n : proc_status_parse(text, (size_t)n, out);
}

static int number_parse(const char *name)
{
	char *end;
	long v = strtol(name, &end, 10);

	return *name && !*end ? (int)v : -1;
}

int proc_tasks_read(pid_t pid, int (*fn)(void *ctx, pid_t tid), void *ctx)
{
	char path[PATH_LEN];
	struct dirent *d;
	int r = proc_path_format(path, sizeof(path), pid, "task"), tid;
	DIR *dir;

	if (r < 0)
		return r;
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (!r && (d = readdir(dir))) {
		tid = number_parse(d->d_name);
		if (tid > 0)
			r = fn(ctx, tid);
	}
	closedir(dir);
	return r;
}

/* O_CLOEXEC as fdinfo's octal "flags:" shows it. */
static bool fd_cloexec(pid_t pid, int fd)
{
	char name[PATH_LEN], text[512], *p;
	ssize_t n;

	snprintf(name, sizeof(name), "fdinfo/%d", fd);
	n = proc_file_read(pid, name, text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	p = strstr(text, "flags:");
	return p && (strtoul(p + 6, NULL, 8) & O_CLOEXEC);
}

int proc_fds_read(pid_t pid, int (*fn)(void *ctx, const struct proc_fd *fd), void *ctx)
{
	char path[PATH_LEN], target[TARGET_LEN];
	struct proc_fd f;
	struct dirent *d;
	int r = proc_path_format(path, sizeof(path), pid, "fd");
	DIR *dir;

	if (r < 0)
		return r;
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (!r && (d = readdir(dir))) {
		ssize_t n;

		f.fd = number_parse(d->d_name);
		n = f.fd < 0 ? -1 : readlinkat(dirfd(dir), d->d_name, target, sizeof(target) - 1);
		if (n < 0)
			continue;
		target[n] = '\0';
		f.target = target;
		f.len = (size_t)n;
		f.cloexec = fd_cloexec(pid, f.fd);
		r = fn(ctx, &f);
	}
	closedir(dir);
	return r;
}

int proc_map_parse(const char *line, struct proc_map *out)
{
	char perms[5];
	int at = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*x:%*x %" SCNu64 " %n", &out->start,
		   &out->end, perms, &out->offset, &out->ino, &at) != 5 ||
	    !at)
		return -EINVAL;
	out->exec = strchr(perms, 'x') != NULL;
	out->path = line + at;
	out->len = strlen(out->path);
	return 0;
}

int proc_maps_read(pid_t pid, int (*fn)(void *ctx, const struct proc_map *map), void *ctx)
{
	char name[PATH_LEN], line[TARGET_LEN + 128];
	struct proc_map map;
	int r = proc_path_format(name, sizeof(name), pid, "maps");
	FILE *f;

	if (r < 0)
		return r;
	f = fopen(name, "re");
	if (!f)
		return -errno;
	while (!r && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (proc_map_parse(line, &map) == 0)
			r = fn(ctx, &map);
	}
	fclose(f);
	return r;
}
