/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compression of batches: which library, and the output buffer.  Runs on the
 * thread that owns the struct (the exporter's); state and buffer live as long
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
	uint8_t *out;
	size_t cap;
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
	free(g->out);
	free(g);
}

int gzip_encode(struct gzip *g, const uint8_t *in, size_t n, const uint8_t **out, size_t *len)
{
	size_t room = g->ops->bound(g->state, n);
	int64_t got;

	if (room > g->cap) {
		/* Half as much again: batches differ a little. */
		uint8_t *mem = malloc(GZIP_HEADROOM + room + room / 2);

		if (!mem)
			return -ENOMEM;
		free(g->out);
		g->out = mem;
		g->cap = room + room / 2;
	}
	got = g->ops->encode(g->state, in, n, g->out + GZIP_HEADROOM, g->cap);
	if (got < 0)
		return (int)got;
	*out = g->out + GZIP_HEADROOM;
	*len = (size_t)got;
	return 0;
}

const char *gzip_name(const struct gzip *g)
{
	return g->ops->name;
}
