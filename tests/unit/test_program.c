/* SPDX-License-Identifier: Apache-2.0 */
/* What is run: lookup in PATH, refusals that say why, environment, argv[0]. */
#include "config.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "session/options.h"
#include "session/program.h"
#include "unit.h"

static char dir[64], path_env[200], why[512];
static struct tracer_options *o;
static struct program p;

static void make_file(const char *name, const char *text, mode_t mode)
{
	char file[200];
	int fd;

	snprintf(file, sizeof(file), "%s/%s", dir, name);
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0700);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	ck_assert_int_eq(chmod(file, mode), 0);
}

static void setup(void)
{
	strcpy(dir, "/tmp/tracer-program-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	make_file("frobnicate", "#!/bin/sh\n", 0755);
	make_file("plain", "text\n", 0644);
	make_file("orphan", "#! /no/such/interpreter -x\n", 0755);
	make_file("noshebang", "echo hello\n", 0755);
	snprintf(path_env, sizeof(path_env), "PATH=/nonexistent:%s", dir);
	ck_assert_int_eq(tracer_options_new(&o), 0);
	memset(&p, 0, sizeof(p));
}

static void teardown(void)
{
	static const char *const names[] = { "frobnicate", "plain", "orphan", "noshebang" };
	char file[200];

	program_fini(&p);
	tracer_options_free(o);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(file, sizeof(file), "%s/%s", dir, names[i]);
		unlink(file);
	}
	rmdir(dir);
}

static int load(const char *name)
{
	char *argv[] = { (char *)name, (char *)"a", (char *)"b", NULL };
	char *envp[] = { path_env, (char *)"A=1", (char *)"AB=2", NULL };

	return program_load(&p, o, argv, envp, why, sizeof(why));
}

static void set(const char *name, const char *value)
{
	ck_assert_int_eq(tracer_options_set(o, name, value, TRACER_FROM_OPTION, why, sizeof(why)), 0);
}

START_TEST(found_in_path)
{
	char want[200];

	ck_assert_int_eq(load("frobnicate"), 0);
	snprintf(want, sizeof(want), "%s/frobnicate", dir);
	ck_assert_str_eq(p.file, want);
	ck_assert_str_eq(p.argv[0], "frobnicate");
	ck_assert_str_eq(p.argv[2], "b");
	ck_assert_ptr_null(p.argv[3]);
}
END_TEST

START_TEST(no_shebang_is_left_to_exec)
{
	ck_assert_int_eq(load("noshebang"), 0);
}
END_TEST

static const struct { const char *name; int code; const char *text; bool in_dir; } refusals[] = {
	{ "frobincate", -TRACER_ERR_NOTFOUND, "not found in PATH. Did you mean 'frobnicate'?", false },
	{ "zzzzzzzzzzzzzzzz", -TRACER_ERR_NOTFOUND, "'zzzzzzzzzzzzzzzz': not found in PATH", false },
	{ "plain", -TRACER_ERR_NOEXEC, "found in PATH, but not executable", false },
	{ "", -TRACER_ERR_NOTFOUND, "empty", false },
	{ "missing", -TRACER_ERR_NOTFOUND, "no such file", true },
	{ "plain", -TRACER_ERR_NOEXEC, "not executable (chmod +x makes it so)", true },
	{ "plain/x", -TRACER_ERR_NOTFOUND, "not a directory", true },
	{ "", -TRACER_ERR_NOEXEC, "is a directory", true },
	{ "orphan", -TRACER_ERR_NOEXEC, "its interpreter '/no/such/interpreter' is not there", true },
};

START_TEST(refused)
{
	char name[200];

	snprintf(name, sizeof(name), "%s%s%s", refusals[_i].in_dir ? dir : "", refusals[_i].in_dir ? "/" : "",
		 refusals[_i].name);
	ck_assert_int_eq(load(name), refusals[_i].code);
	ck_assert_msg(strstr(why, refusals[_i].text), "%s", why);
}
END_TEST

START_TEST(environment)
{
	set("env", "NEW=x");
	set("env", "A");
	set("env", "AB=3");
	ck_assert_int_eq(load("frobnicate"), 0);
	ck_assert_str_eq(p.envp[0], path_env);
	ck_assert_str_eq(p.envp[1], "NEW=x");
	ck_assert_str_eq(p.envp[2], "AB=3");
	ck_assert_ptr_null(p.envp[3]);
}
END_TEST

START_TEST(environment_names_path)
{
	set("env", "PATH=/nonexistent");
	ck_assert_int_eq(load("frobnicate"), -TRACER_ERR_NOTFOUND);
}
END_TEST

START_TEST(environment_refused)
{
	set("env", "=x");
	ck_assert_int_eq(load("frobnicate"), -TRACER_ERR_USAGE);
}
END_TEST

START_TEST(argv0)
{
	set("argv0", "other");
	ck_assert_int_eq(load("frobnicate"), 0);
	ck_assert_str_eq(p.argv[0], "other");
	ck_assert_str_eq(p.argv[1], "a");
}
END_TEST

START_TEST(user_refused)
{
	set("user", geteuid() ? "root" : "no-such-user-here");
	ck_assert_int_eq(load("frobnicate"), -TRACER_ERR_USAGE);
	ck_assert_msg(strstr(why, geteuid() ? "only root" : "there is no such user"), "%s", why);
}
END_TEST

START_TEST(user_numbers)
{
	if (geteuid())
		return;
	set("user", "12:34");
	ck_assert_int_eq(load("frobnicate"), 0);
	ck_assert(p.run_as && p.uid == 12 && p.gid == 34);
}
END_TEST

int main(void)
{
	const struct unit_case cases[] = {
		{ found_in_path, 0 }, { no_shebang_is_left_to_exec, 0 },
		{ refused, UNIT_COUNT(refusals) }, { environment, 0 }, { environment_names_path, 0 },
		{ environment_refused, 0 }, { argv0, 0 }, { user_refused, 0 }, { user_numbers, 0 },
		{ NULL, 0 }
	};

	return unit_run_cases("program", setup, teardown, cases);
}
