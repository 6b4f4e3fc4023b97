/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash table from uint64_t to a pointer; open addressing, grows by doubling
 * up to a limit.  Keys may be any number, values any pointer but NULL.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_slot { uint64_t key; void *value; };
struct hash {
	struct hash_slot *slots;
	size_t cap, used, dead, max;
};

int hash_init(struct hash *h, size_t max_entries);	/* 0 or -ENOMEM */
void hash_fini(struct hash *h);
void *hash_lookup(const struct hash *h, uint64_t key);
int hash_put(struct hash *h, uint64_t key, void *value); /* 0, -ENOMEM, -ENOSPC */
void *hash_del(struct hash *h, uint64_t key);		/* what was there */
/* Iterate: *pos starts at 0; NULL at the end.  No put while iterating. */
void *hash_next(const struct hash *h, size_t *pos, uint64_t *key);

uint64_t hash_bytes(const void *p, size_t n, uint64_t seed);

#endif
