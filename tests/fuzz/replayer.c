/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target without libFuzzer: on the files named, or, with none, on
 * its seeds and on FUZZ_RUNS (default 50000) mutations of them that are the
 * same each time.
 */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fuzz.h"

#define INPUT_MAX 70000u

static uint64_t state = 88172645463325252ull;

static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static size_t mutate(uint8_t *p, size_t n)
{
	static const uint64_t odd[] = { 0, 1, 7, 8, 0xff, 0xffff, 0x7fffffff, 0xffffffff, 0xfffffff8,
					0x8000000000000000, UINT64_MAX };
	uint64_t r = next_random();
	size_t at = n ? r % n : 0;
	size_t width = (size_t)1 << (r >> 40 & 3);

	switch (r >> 32 & 7) {
	case 0:
		return at;
	case 1:
		if (n + 8 <= INPUT_MAX)
			memset(p + n, (int)(r >> 50), 8);
		return n + 8 <= INPUT_MAX ? n + 8 : n;
	case 2:
	case 3:
		if (n)
			p[at] ^= (uint8_t)(1u << (r >> 50 & 7));
		return n;
	case 4:
		if (n)
			p[at]++;
		return n;
	default:
		at = at / width * width;
		if (at + width <= n)
			memcpy(p + at, &odd[(r >> 50) % (sizeof(odd) / sizeof(odd[0]))], width);
		return n;
	}
}

static int run_file(const char *name)
{
	static uint8_t buf[INPUT_MAX];
	FILE *f = fopen(name, "rb");
	size_t n;

	if (!f) {
		perror(name);
		return 1;
	}
	n = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	LLVMFuzzerTestOneInput(buf, n);
	return 0;
}

int main(int argc, char **argv)
{
	const char *runs = getenv("FUZZ_RUNS");
	static uint8_t buf[INPUT_MAX];
	unsigned seeds = 0;
	int bad = 0;

	for (int i = 1; i < argc; i++)
		bad |= run_file(argv[i]);
	if (argc > 1)
		return bad;
	for (; fuzz_seed(seeds).n; seeds++)
		LLVMFuzzerTestOneInput(fuzz_seed(seeds).p, fuzz_seed(seeds).n);
	for (long i = runs ? atol(runs) : 50000; i > 0 && seeds; i--) {
		struct fuzz_seed s = fuzz_seed((unsigned)(next_random() % seeds));
		size_t n = s.n < INPUT_MAX ? s.n : INPUT_MAX;

		memcpy(buf, s.p, n);
		for (uint64_t k = 1 + next_random() % 4; k; k--)
			n = mutate(buf, n);
		LLVMFuzzerTestOneInput(buf, n);
	}
	return seeds ? 0 : 1;
}
