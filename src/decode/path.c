/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Path arithmetic by text alone: nothing is looked up, so a symbolic link in
 * the middle stays what the program wrote.  Pure functions.
 */
#include "config.h"
#include "decode/path.h"

#include <fcntl.h>
#include <string.h>
#include "decode/arg_data.h"

/* Length of "./", "../" or the like at the start of a relative path; up counts ".." */
static size_t dots(const char *p, size_t n, bool *up)
{
	size_t len = 0;

	*up = n >= 2 && p[0] == '.' && p[1] == '.' && (n == 2 || p[2] == '/');
	if (*up)
		len = 2;
	else if (n >= 1 && p[0] == '.' && (n == 1 || p[1] == '/'))
		len = 1;
	else if (n && p[0] == '/')
		len = 0;
	else
		return 0;
	while (len < n && p[len] == '/')
		len++;
	return len;
}

static size_t parent_len(const char *base, size_t n)
{
	while (n > 1 && base[n - 1] != '/')
		n--;
	while (n > 1 && base[n - 1] == '/')
		n--;
	return n;
}

bool path_format_absolute(struct strbuf *out, const char *base, size_t base_len, const char *path, size_t n)
{
	size_t skip;
	bool up;

	if ((n && path[0] == '/') || !base || !base_len || base[0] != '/') {
		strbuf_add(out, path, n);
		return n && path[0] == '/';
	}
	while ((skip = dots(path, n, &up))) {
		if (up)
			base_len = parent_len(base, base_len);
		path += skip;
		n -= skip;
	}
	strbuf_add(out, base, base_len);
	if (n && base[base_len - 1] != '/')
		strbuf_add_char(out, '/');
	strbuf_add(out, path, n);
	return true;
}

bool call_path_arg(const struct tracer_ev_call *c, unsigned i, const char **path, size_t *n)
{
	const struct tracer_capture *cap = call_capture(c, i, 0, TRACER_CAP_IN);

	*path = "";
	*n = 0;
	if (!cap || (cap->flags & TRACER_CAP_FAULT && !cap->len))
		return false;
	*path = (const char *)cap->bytes;
	*n = capture_strlen(cap);
	return true;
}

bool call_format_path(struct strbuf *out, const struct task *t, const struct tracer_ev_call *c,
		      const struct syscall_desc *d, unsigned i)
{
	const struct fd_entry *dir;
	const char *path, *base = t->fs ? t->fs->cwd : NULL;
	size_t n, base_len = t->fs ? t->fs->len : 0;

	if (!call_path_arg(c, i, &path, &n))
		return false;
	if (i > 0 && d->args[i - 1] == ARG_DIRFD && (int32_t)call_arg(c, i - 1) != AT_FDCWD) {
		dir = task_fd(t, (int32_t)call_arg(c, i - 1));
		base = dir ? dir->target : NULL;
		base_len = dir ? dir->len : 0;
		if (n == 0 && dir) {
			strbuf_add(out, base, base_len);
			return true;
		}
	}
	return path_format_absolute(out, base, base_len, path, n);
}
