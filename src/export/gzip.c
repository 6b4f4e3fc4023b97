/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compression of batches: which library, and the output buffers.  Runs on the
 * thread that owns the struct (the exporter's); state and buffers live as long
 * as it does.
 */
#include "config.h"
#include "export/gzip.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct gzip {
	const struct gzip_ops *ops;
	void *state;
	struct { uint8_t *mem; size_t cap; } out[2];
	unsigned turn;
};

const struct gzip_ops *const gzip_libraries[] = {
#ifdef HAVE_ISAL
	&gzip_isal,
#endif
#ifdef HAVE_LIBDEFLATE
	&gzip_libdeflate,
#endif
	&gzip_zlib,
	NULL
};

/* ISA-L has only fast levels: who asks for more than 2 wants small output. */
static const struct gzip_ops *gzip_choose(const char *library, int level)
{
	for (const struct gzip_ops *const *l = gzip_libraries; *l; l++) {
		if (library && strcmp((*l)->name, library) == 0)
			return *l;
		if (!library && !(level > 2 && strcmp((*l)->name, "isal") == 0))
			return *l;
	}
	return NULL;
}

int gzip_new(struct gzip **out, const char *library, int level)
{
	const struct gzip_ops *ops = gzip_choose(library, level);
	struct gzip *g;
	int err;

	if (!ops || level < GZIP_LEVEL_MIN || level > GZIP_LEVEL_MAX)
		return -EINVAL;
	g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->ops = ops;
	err = ops->new(&g->state, level);
	if (err) {
		free(g);
		return err;
	}
	*out = g;
	return 0;
}

void gzip_free(struct gzip *g)
{
	if (!g)
		return;
	g->ops->free(g->state);
	free(g->out[0].mem);
	free(g->out[1].mem);
	free(g);
}

/* The output buffer whose turn it is, with that much room; NULL: no memory. */
static uint8_t *output_get(struct gzip *g, size_t room)
{
	g->turn ^= 1;
	if (room > g->out[g->turn].cap) {
		/* Half as much again: batches differ a little. */
		uint8_t *mem = malloc(GZIP_HEADROOM + room + room / 2);

		if (!mem)
			return NULL;
		free(g->out[g->turn].mem);
		g->out[g->turn].mem = mem;
		g->out[g->turn].cap = room + room / 2;
	}
	return g->out[g->turn].mem + GZIP_HEADROOM;
}

int gzip_encode(struct gzip *g, const uint8_t *in, size_t n, const uint8_t **out, size_t *len)
{
	uint8_t *mem = output_get(g, g->ops->bound(g->state, n));
	int64_t got;

	if (!mem)
		return -ENOMEM;
	got = g->ops->encode(g->state, in, n, mem, g->out[g->turn].cap);
	if (got < 0)
		return (int)got;
	*out = mem;
	*len = (size_t)got;
	return 0;
}

const char *gzip_name(const struct gzip *g)
{
	return g->ops->name;
}
