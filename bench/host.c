/* SPDX-License-Identifier: Apache-2.0 */
/* Host description for benchmark results.  Reads /proc once per call; no state. */
#include "config.h"
#include "host.h"
#include <gnu/libc-version.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "base/hash.h"

static void read_field(const char *file, const char *field, char *out, size_t size)
{
	FILE *f = fopen(file, "re");
	char line[512];

	snprintf(out, size, "unknown");
	while (f && fgets(line, sizeof(line), f)) {
		char *colon = strchr(line, ':');

		if (!colon || strncmp(line, field, strlen(field)) != 0)
			continue;
		colon += strspn(colon, ": \t");
		colon[strcspn(colon, "\n")] = '\0';
		snprintf(out, size, "%s", colon);
		break;
	}
	if (f)
		fclose(f);
}

static void add(struct json_writer *w, const char *key, const char *value)
{
	json_add_str(w, key, value, strlen(value));
}

void host_fingerprint(char out[17])
{
	char cpu[256], text[1024];
	struct utsname u;

	uname(&u);
	read_field("/proc/cpuinfo", "model name", cpu, sizeof(cpu));
	snprintf(text, sizeof(text), "%s|%ld|%s|%s", cpu, sysconf(_SC_NPROCESSORS_ONLN), u.release,
		 __VERSION__);
	snprintf(out, 17, "%016" PRIx64, hash_bytes(text, strlen(text), 0));
}

void host_format(struct json_writer *w)
{
	char cpu[256], mem[64], fp[17];
	struct utsname u;

	uname(&u);
	read_field("/proc/cpuinfo", "model name", cpu, sizeof(cpu));
	read_field("/proc/meminfo", "MemTotal", mem, sizeof(mem));
	host_fingerprint(fp);
	json_open_object(w, "host");
	add(w, "fingerprint", fp);
	add(w, "cpu", cpu);
	json_add_i64(w, "cpus", sysconf(_SC_NPROCESSORS_ONLN));
	add(w, "memory", mem);
	add(w, "kernel", u.release);
	add(w, "machine", u.machine);
	add(w, "libc", gnu_get_libc_version());
	add(w, "compiler", __VERSION__);
	json_close_object(w);
}
