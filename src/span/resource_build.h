/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes into the Resource of a process image: what the machine says (read
 * once a run), what the run says (service.*), what the image is.
 */
#ifndef RESOURCE_BUILD_H
#define RESOURCE_BUILD_H

#include <stdint.h>
#include <time.h>
#include "span/resource.h"

/* The machine; empty string: not known, attribute left out. */
struct resource_host {
	char name[256], arch[32], id[64], os_name[128], os_version[128], os_description[256], os_build[128];
	char container[128];
	uint64_t boot_time;		/* Unix seconds, /proc/stat btime; 0 unknown */
	long ticks_per_second;		/* of starttime */
};

/* Reads /etc/os-release, /etc/machine-id, uname and /proc under root ("" for
 * the real one).  Never fails: what is not there is left out. */
void resource_host_probe(struct resource_host *h, const char *root);

/* The same for all resources of a run. */
struct resource_run {
	const char *service_name;	/* beats the list; NULL: the list, else fallback_name */
	const char *fallback_name;	/* of the root's executable */
	const char *attributes;		/* checked list form, NULL none */
	char instance_id[37];		/* UUID of the run */
};

void resource_run_init(struct resource_run *run);	/* a fresh instance id */

struct resource_image {
	uint32_t id;
	int32_t pid;
	uint64_t starttime;		/* clock ticks since boot, 0 unknown */
	const char *exe;		/* path, NULL unknown */
	size_t exe_len;
	const uint8_t *build_id;
	unsigned build_id_len;
	const void *context;		/* ProcessContext message that the program publishes, NULL none */
	size_t context_len;
};

/* 0 or -ENOMEM. */
int resource_build(struct resource **out, const struct resource_host *h, const struct resource_run *run,
		   const struct resource_image *img);

/* "2026-08-21T10:00:00.120Z" of a process, "" when unknown. */
void resource_format_creation(const struct resource_host *h, uint64_t starttime, char out[32]);

#endif
