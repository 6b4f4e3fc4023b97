/* SPDX-License-Identifier: Apache-2.0 */
/* gzip by zlib: one deflate state, reset for each batch.  Runs on the owner's thread. */
#include "config.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>
#include <tracer/error.h>
#include "export/gzip.h"

#define INFLATE_STEP 65536u
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

static int inflate_all(z_stream *z, struct strbuf *sb)
{
	int rc = Z_OK;

	while (rc == Z_OK) {
		char *room = strbuf_reserve(sb, INFLATE_STEP);

		if (!room)
			return -E2BIG;
		z->next_out = (Bytef *)room;
		z->avail_out = INFLATE_STEP;
		rc = inflate(z, Z_NO_FLUSH);
		sb->len += INFLATE_STEP - z->avail_out;
	}
	return rc == Z_STREAM_END ? 0 : -TRACER_ERR_FORMAT;
}

int gzip_decode(struct strbuf *sb, const uint8_t *in, size_t n, const uint8_t **out, size_t *len)
{
	static const char headroom[GZIP_HEADROOM];
	z_stream z = { .next_in = (Bytef *)(uintptr_t)in, .avail_in = (uInt)n };
	int err;

	if (n > UINT_MAX)
		return -E2BIG;
	if (inflateInit2(&z, WINDOW_GZIP) != Z_OK)
		return -ENOMEM;
	strbuf_reset(sb);
	strbuf_add(sb, headroom, sizeof(headroom));
	err = inflate_all(&z, sb);
	inflateEnd(&z);
	*out = (const uint8_t *)sb->p + GZIP_HEADROOM;
	*len = sb->len - GZIP_HEADROOM;
	return err;
}

const struct gzip_ops gzip_zlib = {
	.name = "zlib",
	.new = zlib_new,
	.free = zlib_free,
	.bound = zlib_bound,
	.encode = zlib_encode,
};
