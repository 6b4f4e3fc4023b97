/* SPDX-License-Identifier: Apache-2.0 */
/* The command: entry point.  Main thread; becomes the supervisor. */
#include "config.h"
#include <stdio.h>
#include <tracer/tracer.h>

int main(void)
{
	puts("tracer " TRACER_VERSION);
	return 0;
}
