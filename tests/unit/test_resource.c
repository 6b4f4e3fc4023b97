/* SPDX-License-Identifier: Apache-2.0 */
/* Resources: the list of the environment is taken whole or not at all, the
 * machine is read from files that the test writes, and precedence holds. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "span/resource_build.h"
#include "span/span.h"
#include "unit.h"

static const char *text_of(const struct resource *r, const char *key)
{
	const struct resource_attr *a = resource_lookup(r, key);

	return a && a->type == SPAN_STR ? a->value : NULL;
}

START_TEST(list_table)
{
	static const struct { const char *in; int ret; size_t n; const char *key, *value; } rows[] = {
		{ "a=b", 0, 1, "a", "b" },
		{ "a=b,c=d", 0, 2, "c", "d" },
		{ " a = b , c=d ", 0, 2, "a", "b" },
		{ "a=x%2Cy%3Dz", 0, 1, "a", "x,y=z" },
		{ "a=caf%C3%A9", 0, 1, "a", "caf\xc3\xa9" },
		{ "a=", 0, 1, "a", "" },
		{ "a=b,a=c", 0, 1, "a", "b" },
		{ "", 0, 0, NULL, NULL },
		{ "  ", 0, 0, NULL, NULL },
		{ "a=b,c", -1, 0, NULL, NULL },
		{ "a=b,", -1, 0, NULL, NULL },
		{ "=b", -1, 0, NULL, NULL },
		{ "a=b=c", -1, 0, NULL, NULL },
		{ "a=b,c=%zz", -1, 0, NULL, NULL },
		{ "a=b,c=%4", -1, 0, NULL, NULL },
		{ "a=%ff", -1, 0, NULL, NULL },
		{ "a=%00", -1, 0, NULL, NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct resource *r = resource_new(1);
		char why[80] = "";
		int ret = resource_add_list(r, rows[i].in, why, sizeof(why));

		ck_assert_msg((ret < 0) == (rows[i].ret < 0), "%s", rows[i].in);
		ck_assert_int_eq(why[0] != '\0', ret < 0);
		ck_assert_uint_eq(r->nattrs, rows[i].n);
		if (rows[i].key)
			ck_assert_str_eq(text_of(r, rows[i].key), rows[i].value);
		resource_put(r);
	}
}
END_TEST

START_TEST(first_value_stays)
{
	struct resource *r = resource_new(7);

	ck_assert_int_eq(resource_add_str(r, "k", "1", 1), 0);
	ck_assert_int_eq(resource_add_str(r, "k", "2", 1), 0);
	ck_assert_int_eq(resource_add_int(r, "k", 3), 0);
	ck_assert_uint_eq(r->nattrs, 1);
	ck_assert_str_eq(text_of(r, "k"), "1");
	ck_assert_int_eq(resource_add_str(r, "bad", "\xff", 1), 0);
	ck_assert_int_eq(resource_lookup(r, "bad")->type, SPAN_BYTES);
	resource_put(r);
	resource_put(NULL);
}
END_TEST

START_TEST(number_is_limited)
{
	struct resource *r = resource_new(7);
	char key[16];
	int ret = 0, n = 0;

	for (; ret == 0 && n < 100000; n++) {
		snprintf(key, sizeof(key), "k%d", n);
		ret = resource_add_int(r, key, n);
	}
	ck_assert_int_lt(ret, 0);
	ck_assert_uint_eq(r->nattrs, 256);
	resource_put(r);
}
END_TEST

static void put_file(const char *root, const char *path, const char *text)
{
	char full[300], *p;
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (p = full + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(full, 0755);
		*p = '/';
	}
	f = fopen(full, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static void drop_tree(const char *root)
{
	char cmd[300];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", root);
	ck_assert_int_eq(system(cmd), 0);
}

#define ID64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

START_TEST(host_from_files)
{
	char root[] = "/tmp/test-resource-XXXXXX";
	struct resource_host h;

	ck_assert_ptr_nonnull(mkdtemp(root));
	put_file(root, "/etc/os-release",
		 "PRETTY_NAME=\"Debian GNU/Linux 12\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID='12'\n");
	put_file(root, "/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
	put_file(root, "/proc/stat", "cpu 1 2\nbtime 1700000000\n");
	put_file(root, "/proc/self/cgroup", "0::/user.slice\n");
	put_file(root, "/proc/self/mountinfo", "1 2 0:1 / /x rw - overlay o rw,upperdir=/x/" ID64 "/d\n");
	resource_host_probe(&h, root);
	ck_assert_str_eq(h.os_name, "Debian GNU/Linux");
	ck_assert_str_eq(h.os_version, "12");
	ck_assert_str_eq(h.os_description, "Debian GNU/Linux 12");
	ck_assert_str_eq(h.id, "0123456789abcdef0123456789abcdef");
	ck_assert_str_eq(h.container, "");	/* that hash is an overlay's, not a container's */
	ck_assert_uint_eq(h.boot_time, 1700000000);
	ck_assert_uint_gt(strlen(h.name), 0);

	put_file(root, "/proc/self/mountinfo",
		 "1 2 8:1 /docker/containers/" ID64 "/hostname /etc/hostname rw\n");
	resource_host_probe(&h, root);
	ck_assert_str_eq(h.container, ID64);
	ck_assert_str_eq(h.id, "");		/* the image's, not the host's */
	put_file(root, "/proc/self/mountinfo", "");
	put_file(root, "/proc/self/cgroup", "5:cpu:/docker-" ID64 ".scope\n");
	resource_host_probe(&h, root);
	ck_assert_str_eq(h.container, ID64);
	put_file(root, "/proc/self/cgroup", "5:cpu:/docker-" ID64 "0\n");	/* 65 digits */
	resource_host_probe(&h, root);
	ck_assert_str_eq(h.container, "");
	drop_tree(root);
	resource_host_probe(&h, root);		/* nothing there */
	ck_assert_str_eq(h.os_name, "");
	ck_assert_str_eq(h.id, "");
}
END_TEST

START_TEST(creation_time)
{
	struct resource_host h = { .boot_time = 1700000000, .ticks_per_second = 100 };
	char out[32];

	resource_format_creation(&h, 12345, out);
	ck_assert_str_eq(out, "2023-11-14T22:15:23.450Z");
	resource_format_creation(&h, 0, out);
	ck_assert_str_eq(out, "");
}
END_TEST

static struct resource *build(struct resource_run *run)
{
	static const uint8_t id[] = { 0xde, 0xad, 0xbe, 0xef };
	struct resource_host h = { .name = "box", .arch = "amd64", .boot_time = 1700000000, .ticks_per_second = 100 };
	struct resource_image img = { .id = 9, .pid = 42, .starttime = 100, .exe = "/usr/bin/make", .exe_len = 13,
				      .build_id = id, .build_id_len = sizeof(id) };
	struct resource *r;

	ck_assert_int_eq(resource_build(&r, &h, run, &img), 0);
	return r;
}

START_TEST(built_with_precedence)
{
	struct resource_run run;
	struct resource *r;

	resource_run_init(&run);
	ck_assert_uint_eq(strlen(run.instance_id), 36);
	ck_assert_int_eq(run.instance_id[14], '4');
	run.fallback_name = "make";
	r = build(&run);
	ck_assert_str_eq(text_of(r, "service.name"), "make");
	ck_assert_str_eq(text_of(r, "service.instance.id"), run.instance_id);
	ck_assert_int_eq(resource_lookup(r, "process.pid")->i, 42);
	ck_assert_str_eq(text_of(r, "process.executable.name"), "make");
	ck_assert_str_eq(text_of(r, "process.executable.path"), "/usr/bin/make");
	ck_assert_str_eq(text_of(r, "process.executable.build_id.gnu"), "deadbeef");
	ck_assert_str_eq(text_of(r, "process.creation.time"), "2023-11-14T22:13:21.000Z");
	ck_assert_str_eq(text_of(r, "telemetry.sdk.name"), "tracer");
	ck_assert_str_eq(text_of(r, "telemetry.sdk.language"), "c");
	ck_assert_str_eq(text_of(r, "host.name"), "box");
	ck_assert_str_eq(text_of(r, "os.type"), "linux");
	ck_assert_ptr_null(text_of(r, "host.id"));
	resource_put(r);

	run.attributes =
	    "service.name=listed,host.name=mine,process.pid=1,telemetry.sdk.name=no,k8s.pod.name=p";
	r = build(&run);
	ck_assert_str_eq(text_of(r, "service.name"), "listed");
	ck_assert_str_eq(text_of(r, "host.name"), "mine");
	ck_assert_str_eq(text_of(r, "k8s.pod.name"), "p");
	ck_assert_str_eq(text_of(r, "telemetry.sdk.name"), "tracer");
	ck_assert_int_eq(resource_lookup(r, "process.pid")->i, 42);
	resource_put(r);

	run.service_name = "named";
	run.attributes = "service.name=listed,k=%";
	r = build(&run);
	ck_assert_str_eq(text_of(r, "service.name"), "named");
	ck_assert_ptr_null(text_of(r, "k"));
	resource_put(r);
}
END_TEST

int main(void)
{
	return unit_run("resource", (const TTest *const[]){ list_table, first_value_stays, number_is_limited,
		host_from_files, creation_time, built_with_precedence, NULL });
}
