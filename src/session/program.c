/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the words of the command line to what execve() gets.  Runs once, on the
 * main thread, before the engine starts.  A struct program owns its file,
 * argument vector and environment vector; strings of the caller are borrowed.
 */
#include "config.h"
#include "session/program.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/parse.h"
#include "session/options.h"

#define SUGGEST_MAX 20000u		/* directory entries looked at for "did you mean" */

static const char *env_lookup(char *const *envp, const char *name, size_t n)
{
	for (; *envp; envp++)
		if (!strncmp(*envp, name, n) && (*envp)[n] == '=')
			return *envp + n + 1;
	return NULL;
}

/* --- environment ------------------------------------------------------------------------------ */

/* edit: "VAR=VALUE" or "VAR"; envp has room for one more. */
static void env_edit(char **envp, char *edit)
{
	size_t n = strcspn(edit, "=");
	char **to = envp;

	for (char **p = envp; *p; p++)
		if (strncmp(*p, edit, n) || (*p)[n] != '=')
			*to++ = *p;
	if (edit[n])
		*to++ = edit;
	*to = NULL;
}

static int load_environ(struct program *p, const struct tracer_options *o, char *const *envp, char *why,
			size_t whylen)
{
	const struct option_value *edits = &o->v[OPT_ENV];
	size_t n = 0;

	while (envp[n])
		n++;
	p->envp = calloc(n + edits->nlist + 1, sizeof(char *));
	if (!p->envp)
		return -ENOMEM;
	memcpy(p->envp, envp, n * sizeof(char *));
	for (uint32_t i = 0; i < edits->nlist; i++) {
		if (!edits->list[i][0] || edits->list[i][0] == '=') {
			snprintf(why, whylen, "-E '%s': a variable needs a name: -E VAR=VALUE",
				 edits->list[i]);
			return -TRACER_ERR_USAGE;
		}
		env_edit(p->envp, edits->list[i]);
	}
	return 0;
}

/* --- user --------------------------------------------------------------------------------------- */

static int load_user(struct program *p, const char *name, char *why, size_t whylen)
{
	struct passwd *pw;
	uint64_t uid, gid;
	char number[24];
	const char *colon = strchr(name, ':');

	if (geteuid()) {
		snprintf(why, whylen, "-u %s: only root may run a program as somebody else", name);
		return -TRACER_ERR_USAGE;
	}
	p->run_as = true;
	if (colon && (size_t)(colon - name) < sizeof(number)) {
		snprintf(number, sizeof(number), "%.*s", (int)(colon - name), name);
		if (parse_u64(number, 0, UINT32_MAX - 1, &uid) ||
		    parse_u64(colon + 1, 0, UINT32_MAX - 1, &gid)) {
			snprintf(why, whylen, "-u %s: not understood; it takes a user name or UID:GID", name);
			return -TRACER_ERR_USAGE;
		}
		p->uid = (uid_t)uid;
		p->gid = (gid_t)gid;
		return 0;
	}
	pw = getpwnam(name);
	if (!pw) {
		snprintf(why, whylen, "-u %s: there is no such user", name);
		return -TRACER_ERR_USAGE;
	}
	p->uid = pw->pw_uid;
	p->gid = pw->pw_gid;
	p->user = name;
	return 0;
}

/* --- finding the file -------------------------------------------------------------------------- */

/* 0 usable, else -errno: ENOENT, EISDIR, EACCES ... */
static int file_check(const char *file)
{
	struct stat st;

	if (stat(file, &st))
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode) || faccessat(AT_FDCWD, file, X_OK, AT_EACCESS))
		return -EACCES;
	return 0;
}

/* Runs visit() for "DIR/" of every element of a search path until it returns non-zero. */
static int path_walk(const char *path, int (*visit)(void *ctx, const char *dir), void *ctx)
{
	char dir[4096];
	int r = 0;

	for (const char *p = path; !r && p;) {
		size_t n = strcspn(p, ":");
		if (n + 2 < sizeof(dir)) {
			snprintf(dir, sizeof(dir), "%.*s%s", (int)n, p, n ? "/" : "./");
			r = visit(ctx, dir);
		}
		p = p[n] ? p + n + 1 : NULL;
	}
	return r;
}

struct path_search { const char *name; char *found; int denied; };

static int visit_search(void *ctx, const char *dir)
{
	struct path_search *s = ctx;
	char file[8192];
	int r;

	if (snprintf(file, sizeof(file), "%s%s", dir, s->name) >= (int)sizeof(file))
		return 0;
	r = file_check(file);
	if (r == -EACCES)
		s->denied = r;
	if (r)
		return 0;
	s->found = strdup(file);
	return s->found ? 1 : -ENOMEM;
}

struct path_suggestion { const char *name; char best[256]; unsigned distance, seen; };

static int visit_suggest(void *ctx, const char *dir)
{
	struct path_suggestion *s = ctx;
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && s->seen < SUGGEST_MAX && (e = readdir(d))) {
		unsigned n = nearest_distance(s->name, e->d_name);
		s->seen++;
		if (n < s->distance && faccessat(dirfd(d), e->d_name, X_OK, AT_EACCESS) == 0) {
			s->distance = n;
			snprintf(s->best, sizeof(s->best), "%s", e->d_name);
		}
	}
	if (d)
		closedir(d);
	return 0;
}

static int not_found(const char *name, const char *path, char *why, size_t whylen)
{
	struct path_suggestion s = { .name = name, .distance = nearest_limit(name) + 1 };
	struct stat st;

	path_walk(path, visit_suggest, &s);
	if (s.best[0])
		snprintf(why, whylen, "'%s': not found in PATH. Did you mean '%s'?", name, s.best);
	else if (!stat(name, &st) && S_ISREG(st.st_mode))
		snprintf(why, whylen, "'%s': not found in PATH. There is one here: ./%s", name, name);
	else
		snprintf(why, whylen, "'%s': not found in PATH", name);
	return -TRACER_ERR_NOTFOUND;
}

/* The words for a file that was named by its path. */
static int refuse_file(const char *file, int err, char *why, size_t whylen)
{
	if (err == -ENOENT || err == -ENOTDIR) {
		snprintf(why, whylen, "'%s': %s", file,
			 err == -ENOENT ? "no such file" : "a part of the path is not a directory");
		return -TRACER_ERR_NOTFOUND;
	}
	if (err == -EISDIR)
		snprintf(why, whylen, "'%s' is a directory", file);
	else if (err == -EACCES && !access(file, F_OK))
		snprintf(why, whylen, "'%s' is not executable (chmod +x makes it so)", file);
	else
		snprintf(why, whylen, "'%s': %s", file, strerror(-err));
	return -TRACER_ERR_NOEXEC;
}

static int load_file(struct program *p, const char *name, char *why, size_t whylen)
{
	const char *path = env_lookup(p->envp, "PATH", 4);
	struct path_search s = { .name = name };
	int r;

	if (!name[0]) {
		snprintf(why, whylen, "'': the name of the program is empty");
		return -TRACER_ERR_NOTFOUND;
	}
	if (strchr(name, '/')) {
		r = file_check(name);
		if (r)
			return refuse_file(name, r, why, whylen);
		p->file = strdup(name);
		return p->file ? 0 : -ENOMEM;
	}
	if (!path)
		path = "/bin:/usr/bin";	/* execvp(3), with no PATH */
	r = path_walk(path, visit_search, &s);
	if (r < 0)
		return r;
	p->file = s.found;
	if (p->file)
		return 0;
	if (!s.denied)
		return not_found(name, path, why, whylen);
	snprintf(why, whylen, "'%s': found in PATH, but not executable", name);
	return -TRACER_ERR_NOEXEC;
}

/* --- what kind of file ---------------------------------------------------------------------------- */

static int refuse_interpreter(const char *file, char *line, char *why, size_t whylen)
{
	char *name = line + 2 + strspn(line + 2, " \t");

	name[strcspn(name, " \t\r\n")] = '\0';
	if (!name[0] || !access(name, F_OK))
		return 0;
	snprintf(why, whylen, "'%s': its interpreter '%s' is not there", file, name);
	return -TRACER_ERR_NOEXEC;
}

/* A script without #! is the engine's affair: its child does what execvp(3) does. */
static int load_format(struct program *p, char *why, size_t whylen)
{
	char head[256] = "";
	int fd = open(p->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof(head) - 1);

	if (fd >= 0)
		close(fd);
	if (n >= 2 && !memcmp(head, "#!", 2))
		return refuse_interpreter(p->file, head, why, whylen);
	return 0;		/* executable and not readable: the kernel knows */
}

static int load_argv(struct program *p, char *const *argv)
{
	size_t n = 0;

	while (argv[n])
		n++;
	p->argv = calloc(n + 1, sizeof(char *));
	if (!p->argv)
		return -ENOMEM;
	memcpy(p->argv, argv, n * sizeof(char *));
	if (p->argv0)
		p->argv[0] = (char *)p->argv0;
	return 0;
}

int program_load(struct program *p, const struct tracer_options *o, char *const *argv, char *const *envp,
		 char *why, size_t whylen)
{
	int r;

	*p = (struct program){ .argv0 = option_str(o, OPT_ARGV0) };
	snprintf(why, whylen, "out of memory");
	r = load_environ(p, o, envp, why, whylen);
	if (!r && option_str(o, OPT_USER))
		r = load_user(p, option_str(o, OPT_USER), why, whylen);
	if (!r)
		r = load_file(p, argv[0], why, whylen);
	if (!r)
		r = load_format(p, why, whylen);
	if (!r)
		r = load_argv(p, argv);
	if (!r)
		why[0] = '\0';
	return r;
}

void program_fini(struct program *p)
{
	free(p->file);
	free(p->argv);
	free(p->envp);
	*p = (struct program){ 0 };
}
