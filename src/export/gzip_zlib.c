/* SPDX-License-Identifier: Apache-2.0 */
/* gzip by zlib: one deflate state, reset for each batch.  Runs on the owner's thread. */
#include "config.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>
#include "export/gzip.h"

#define WINDOW_GZIP (15 + 16)	/* zlib.h: +16 writes a gzip header and trailer */

static int zlib_new(void **state, int level)
{
	z_stream *z = calloc(1, sizeof(*z));

	if (!z)
		return -ENOMEM;
	if (deflateInit2(z, level, Z_DEFLATED, WINDOW_GZIP, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
		free(z);
		return -ENOMEM;
	}
	*state = z;
	return 0;
}

static void zlib_free(void *state)
{
	if (!state)
		return;
	deflateEnd(state);
	free(state);
}

static size_t zlib_bound(void *state, size_t n)
{
	return deflateBound(state, n);
}

static int64_t zlib_encode(void *state, const uint8_t *in, size_t n, uint8_t *out, size_t room)
{
	z_stream *z = state;

	if (n > UINT_MAX || room > UINT_MAX)
		return -E2BIG;
	if (deflateReset(z) != Z_OK)
		return -EIO;
	z->next_in = (Bytef *)(uintptr_t)in;
	z->avail_in = (uInt)n;
	z->next_out = out;
	z->avail_out = (uInt)room;
	return deflate(z, Z_FINISH) == Z_STREAM_END ? (int64_t)z->total_out : -EIO;
}

const struct gzip_ops gzip_zlib = {
	.name = "zlib",
	.new = zlib_new,
	.free = zlib_free,
	.bound = zlib_bound,
	.encode = zlib_encode,
};
