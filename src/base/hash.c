/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash table with linear probing.  One owner thread; values belong to the
 * caller.  A deleted slot becomes free at once when nothing is probed past
 * it, else it stays as a mark until the next rehash, so deleting while
 * iterating is safe.
 */
#include "config.h"
#include "base/hash.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_MIN 16

static const char dead_mark;
#define DEAD ((void *)&dead_mark)

/* Finaliser of splitmix64: every input bit reaches every output bit. */
static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

int hash_init(struct hash *h, size_t max_entries)
{
	*h = (struct hash){ .max = max_entries };
	h->slots = calloc(HASH_MIN, sizeof(*h->slots));
	if (!h->slots)
		return -ENOMEM;
	h->cap = HASH_MIN;
	return 0;
}

void hash_fini(struct hash *h)
{
	if (!h)
		return;
	free(h->slots);
	*h = (struct hash){ 0 };
}

/* Slot of key, or NULL. */
static struct hash_slot *find(const struct hash *h, uint64_t key)
{
	size_t i;

	if (!h->cap)
		return NULL;
	for (i = mix(key) & (h->cap - 1); h->slots[i].value; i = (i + 1) & (h->cap - 1)) {
		if (h->slots[i].key == key && h->slots[i].value != DEAD)
			return &h->slots[i];
	}
	return NULL;
}

void *hash_lookup(const struct hash *h, uint64_t key)
{
	const struct hash_slot *s = find(h, key);

	return s ? s->value : NULL;
}

/* For a key that is not in the table; there is always a free slot. */
static void insert(struct hash *h, uint64_t key, void *value)
{
	size_t i = mix(key) & (h->cap - 1);

	while (h->slots[i].value && h->slots[i].value != DEAD)
		i = (i + 1) & (h->cap - 1);
	if (h->slots[i].value == DEAD)
		h->dead--;
	h->slots[i] = (struct hash_slot){ key, value };
	h->used++;
}

static int rehash(struct hash *h)
{
	struct hash old = *h;
	size_t cap = h->cap;

	while (h->used + 1 > cap / 2)
		cap *= 2;
	h->slots = calloc(cap, sizeof(*h->slots));
	if (!h->slots) {
		h->slots = old.slots;
		return -ENOMEM;
	}
	h->cap = cap;
	h->used = h->dead = 0;
	for (size_t i = 0; i < old.cap; i++) {
		if (old.slots[i].value && old.slots[i].value != DEAD)
			insert(h, old.slots[i].key, old.slots[i].value);
	}
	free(old.slots);
	return 0;
}

int hash_put(struct hash *h, uint64_t key, void *value)
{
	struct hash_slot *s = find(h, key);
	int err;

	if (s) {
		s->value = value;
		return 0;
	}
	if (h->used >= h->max)
		return -ENOSPC;
	/* At most 3/4 of the slots are not free, so probing ends. */
	if ((h->used + h->dead + 1) * 4 > h->cap * 3) {
		err = rehash(h);
		if (err < 0)
			return err;
	}
	insert(h, key, value);
	return 0;
}

void *hash_del(struct hash *h, uint64_t key)
{
	struct hash_slot *s = find(h, key);
	size_t mask = h->cap - 1;
	size_t i;
	void *value;

	if (!s)
		return NULL;
	value = s->value;
	s->value = DEAD;
	h->used--;
	h->dead++;
	i = (size_t)(s - h->slots);
	if (h->slots[(i + 1) & mask].value)
		return value;
	for (; h->slots[i].value == DEAD; i = (i - 1) & mask) {
		h->slots[i].value = NULL;
		h->dead--;
	}
	return value;
}

void *hash_next(const struct hash *h, size_t *pos, uint64_t *key)
{
	while (*pos < h->cap) {
		const struct hash_slot *s = &h->slots[(*pos)++];

		if (s->value && s->value != DEAD) {
			if (key)
				*key = s->key;
			return s->value;
		}
	}
	return NULL;
}

uint64_t hash_bytes(const void *p, size_t n, uint64_t seed)
{
	const uint8_t *b = p;
	uint64_t h = mix(seed ^ n);
	uint64_t w;

	for (; n >= 8; n -= 8, b += 8) {
		memcpy(&w, b, 8);
		h = mix(h ^ w) + 0x9e3779b97f4a7c15ull;
	}
	w = 0;
	memcpy(&w, b, n);
	return mix(h ^ w);
}
