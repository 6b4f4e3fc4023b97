/* SPDX-License-Identifier: Apache-2.0 */
/* tracer-collect: what `tracer collect` runs.  Main thread. */
#include "config.h"
#include "collect/collect.h"

int main(int argc, char **argv)
{
	return collect_main(argc, argv);
}
