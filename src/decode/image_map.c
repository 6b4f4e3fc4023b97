/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the list of mapped files of an image.  Consumer thread; memory is
 * counted in the world's own limit.
 */
#include "config.h"
#include "decode/image_map.h"
#include <stdbool.h>
#include <string.h>
#include "decode/world.h"

static bool same_file(const struct image_map *map, const struct tracer_ev_map *ev)
{
	return map->len == ev->path_len && !memcmp(map->path, ev->text, map->len) &&
	       map->build_id_len == ev->build_id_len &&
	       !memcmp(map->build_id, ev->build_id, map->build_id_len);
}

static bool is_known(const struct image *img, const struct tracer_ev_map *ev)
{
	for (uint32_t i = 0; i < img->nmaps; i++)
		if (same_file(&img->maps[i], ev))
			return true;
	return false;
}

static bool map_set(struct fd_mem *m, struct image_map *map, const struct tracer_ev_map *ev)
{
	*map = (struct image_map){ .path = shared_str_new(m, ev->text, ev->path_len), .len = ev->path_len,
				   .elf_class = ev->elf_class, .build_id_len = ev->build_id_len };
	memcpy(map->build_id, ev->build_id, sizeof(map->build_id));
	return map->path != NULL;
}

/* Room for one more.  Most images have a handful. */
static bool maps_grow(struct fd_mem *m, struct image *img)
{
	uint32_t room = img->maps_room ? img->maps_room * 4 : 4;
	struct image_map *maps;

	if (img->nmaps < img->maps_room)
		return true;
	maps = room <= IMAGE_MAPS_MAX ? fd_mem_get(m, room * sizeof(*maps)) : NULL;
	if (!maps)
		return false;
	if (img->maps) {
		memcpy(maps, img->maps, img->nmaps * sizeof(*maps));
		fd_mem_put(m, img->maps, img->maps_room * sizeof(*maps));
	}
	img->maps = maps;
	img->maps_room = room;
	return true;
}

void image_add_map(struct fd_mem *m, struct image *img, const struct tracer_ev_map *ev)
{
	if (!ev->path_len || is_known(img, ev))
		return;
	if (maps_grow(m, img) && map_set(m, &img->maps[img->nmaps], ev))
		img->nmaps++;
	else
		img->maps_refused++;
}

void image_free_maps(struct fd_mem *m, struct image *img)
{
	for (uint32_t i = 0; i < img->nmaps; i++)
		shared_str_put(m, img->maps[i].path);
	if (img->maps)
		fd_mem_put(m, img->maps, img->maps_room * sizeof(*img->maps));
	img->maps = NULL;
	img->nmaps = img->maps_room = 0;
}
