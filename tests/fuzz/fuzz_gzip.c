/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our own compressor on any bytes: what zlib's inflate makes of its output is
 * what went in, and the output stays within its bound.  The same state goes from
 * input to input, as it does from batch to batch.
 */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "export/gzip.h"
#include "fuzz.h"

#define INPUT_MAX 300000u

static void require(int ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out[INPUT_MAX + 4096], back[INPUT_MAX + 1];
	static void *state;
	z_stream z = { 0 };
	int64_t n;

	if (!state)
		require(gzip_direct.new(&state, 1) == 0);
	if (size > INPUT_MAX)
		return 0;
	require(gzip_direct.bound(state, size) <= sizeof(out));
	n = gzip_direct.encode(state, data, size, out, sizeof(out));
	require(n > 0 && (size_t)n <= gzip_direct.bound(state, size));
	require(inflateInit2(&z, 15 + 16) == Z_OK);
	z.next_in = out;
	z.avail_in = (uInt)n;
	z.next_out = back;
	z.avail_out = sizeof(back);
	require(inflate(&z, Z_FINISH) == Z_STREAM_END && z.avail_in == 0);
	require(z.total_out == size && memcmp(back, data, size) == 0);
	inflateEnd(&z);
	return 0;
}

struct fuzz_seed fuzz_seed(unsigned i)
{
	static const char text[] = "openat read close openat /usr/include/linux/file-000123.h read close openat /usr/include/linux/file-000124.h";
	static uint8_t runs[3000];

	memset(runs, 'r', 1000);
	memcpy(runs + 1500, text, sizeof(text));
	memcpy(runs + 2500, text, sizeof(text));
	switch (i) {
	case 0:
		return (struct fuzz_seed){ text, sizeof(text) };
	case 1:
		return (struct fuzz_seed){ runs, sizeof(runs) };
	case 2:
		return (struct fuzz_seed){ "ab", 2 };
	default:
		return (struct fuzz_seed){ NULL, 0 };
	}
}
