/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that an image executes code of, each once, in order of their
 * mapping; bounded.  Consumer thread; owned by the image.
 */
#ifndef DECODE_IMAGE_MAP_H
#define DECODE_IMAGE_MAP_H

#include <stdint.h>
#include <tracer/event.h>

#define IMAGE_MAPS_MAX 64u

struct fd_mem;
struct image;
struct image_map {
	char *path;			/* shared string, len bytes */
	uint32_t len;
	uint8_t elf_class, build_id_len, build_id[24];
};

/* A mapping of a file that the image has already is no news; one too many, or one for which there is
 * no memory, is counted in image.maps_refused. */
void image_add_map(struct fd_mem *m, struct image *img, const struct tracer_ev_map *ev);
void image_free_maps(struct fd_mem *m, struct image *img);

#endif
