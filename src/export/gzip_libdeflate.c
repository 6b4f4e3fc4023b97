/* SPDX-License-Identifier: Apache-2.0 */
/* gzip by libdeflate: whole buffers, one compressor.  Runs on the owner's thread. */
#include "config.h"
#include "export/gzip.h"
#ifdef HAVE_LIBDEFLATE
#include <errno.h>
#include <libdeflate.h>

static int deflate_new(void **state, int level)
{
	*state = libdeflate_alloc_compressor(level);
	return *state ? 0 : -ENOMEM;
}

static void deflate_free(void *state)
{
	if (state)
		libdeflate_free_compressor(state);
}

static size_t deflate_bound(void *state, size_t n)
{
	return libdeflate_gzip_compress_bound(state, n);
}

static int64_t deflate_encode(void *state, const uint8_t *in, size_t n, uint8_t *out, size_t room)
{
	size_t got = libdeflate_gzip_compress(state, in, n, out, room);

	return got ? (int64_t)got : -EIO;
}

const struct gzip_ops gzip_libdeflate = {
	.name = "libdeflate",
	.new = deflate_new,
	.free = deflate_free,
	.bound = deflate_bound,
	.encode = deflate_encode,
};
#endif
