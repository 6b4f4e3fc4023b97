/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlp-null-sink [PORT [DELAY_MS]]: a receiver that answers 200, after DELAY_MS,
 * and decodes nothing, for measuring what sends to it.  Prints its port; runs
 * until it is killed.
 */
#include "config.h"
#include "null_sink.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	int port = argc > 1 ? atoi(argv[1]) : 4318, fd = null_sink_listen(&port);

	if (fd < 0) {
		fprintf(stderr, "otlp-null-sink: cannot listen on port %d: %s\n", port, strerror(-fd));
		return 1;
	}
	printf("%d\n", port);
	fflush(stdout);
	null_sink_run(fd, argc > 2 ? (unsigned)atoi(argv[2]) : 0);
	return 0;
}
