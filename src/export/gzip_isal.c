/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gzip by Intel's ISA-L: whole buffers, one state with its level buffer.  Runs
 * on the owner's thread.  Its levels are other ones than zlib's: 1 and 2 are
 * both faster than zlib's 1, 3 is between zlib's 1 and 2.
 */
#include "config.h"
#include "export/gzip.h"
#ifdef HAVE_ISAL
#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <limits.h>
#include <stdlib.h>

struct isal { struct isal_zstream z; uint8_t *level_buf; };

static const uint32_t level_sizes[] = { 0, ISAL_DEF_LVL1_LARGE, ISAL_DEF_LVL2_LARGE, ISAL_DEF_LVL3_LARGE };

static int isal_new(void **state, int level)
{
	struct isal *s = calloc(1, sizeof(*s));
	uint32_t l = level > 3 ? 3 : (uint32_t)level;

	if (!s)
		return -ENOMEM;
	s->level_buf = malloc(level_sizes[l]);
	if (!s->level_buf) {
		free(s);
		return -ENOMEM;
	}
	isal_deflate_stateless_init(&s->z);
	s->z.level = l;
	s->z.level_buf = s->level_buf;
	s->z.level_buf_size = level_sizes[l];
	*state = s;
	return 0;
}

static void isal_free(void *state)
{
	struct isal *s = state;

	if (!s)
		return;
	free(s->level_buf);
	free(s);
}

/* Incompressible input is stored: 5 bytes for each block of at most 64 KiB. */
static size_t isal_bound(void *state, size_t n)
{
	(void)state;
	return n + n / 1024 + 1024;
}

static int64_t isal_encode(void *state, const uint8_t *in, size_t n, uint8_t *out, size_t room)
{
	struct isal *s = state;

	if (n > UINT32_MAX || room > UINT32_MAX)
		return -E2BIG;
	isal_deflate_reset(&s->z);
	s->z.end_of_stream = 1;
	s->z.flush = NO_FLUSH;
	s->z.gzip_flag = IGZIP_GZIP;	/* the library clears it once it has written the header */
	s->z.next_in = (uint8_t *)(uintptr_t)in;
	s->z.avail_in = (uint32_t)n;
	s->z.next_out = out;
	s->z.avail_out = (uint32_t)room;
	return isal_deflate_stateless(&s->z) == COMP_OK ? (int64_t)s->z.total_out : -EIO;
}

const struct gzip_ops gzip_isal = {
	.name = "isal",
	.new = isal_new,
	.free = isal_free,
	.bound = isal_bound,
	.encode = isal_encode,
};
#endif
