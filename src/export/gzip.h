/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One gzip member per batch (RFC 1952), with the state and the output buffer
 * kept between batches.  zlib is always there; the faster libraries where
 * configure found them.  One struct gzip belongs to one thread.
 */
#ifndef GZIP_H
#define GZIP_H

#include <stddef.h>
#include <stdint.h>
#include "base/strbuf.h"

#define GZIP_LEVEL_MIN 1
#define GZIP_LEVEL_MAX 9

struct gzip_ops {
	const char *name;
	/* State for a level of 1..9 as zlib counts them. */
	int (*new)(void **state, int level);
	void (*free)(void *state);
	size_t (*bound)(void *state, size_t n);
	/* Bytes written, at most room, or negative. */
	int64_t (*encode)(void *state, const uint8_t *in, size_t n, uint8_t *out, size_t room);
};

extern const struct gzip_ops gzip_zlib, gzip_libdeflate, gzip_isal;
extern const struct gzip_ops *const gzip_libraries[];	/* NULL-terminated, only those built in */

struct gzip;
/* library: a name, or NULL for the fastest for this level. */
int gzip_new(struct gzip **out, const char *library, int level);	/* -EINVAL: no such library or level */
void gzip_free(struct gzip *g);
/* *out is valid until the next call but one: a body can be made while another is under way.  GZIP_HEADROOM bytes
 * before it may be written, too. */
#define GZIP_HEADROOM 8u
int gzip_encode(struct gzip *g, const uint8_t *in, size_t n, const uint8_t **out, size_t *len);
/* The plain bytes of one member, into sb with GZIP_HEADROOM before them; as
 * much as sb may hold.  -TRACER_ERR_FORMAT: not gzip, or damaged; -E2BIG. */
int gzip_decode(struct strbuf *sb, const uint8_t *in, size_t n, const uint8_t **out, size_t *len);
const char *gzip_name(const struct gzip *g);

#endif
