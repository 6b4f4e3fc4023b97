/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OTLP resources: one per process image.  Immutable once built; reference
 * counted with atomics because spans carry them to the exporter thread.
 * The pre-encoded protobuf bytes and the JSON text are made once, at build.
 */
#ifndef RESOURCE_H
#define RESOURCE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct resource_attr {
	char *key;
	char *value;
	size_t value_len;
	int64_t i;
	uint8_t type;	/* enum span_value_type */
};

struct resource {
	atomic_uint refs;
	uint32_t id;			/* image id; batches are grouped by it */
	struct resource_attr *attrs;
	size_t nattrs;
	uint8_t *encoded;		/* body of the Resource message, made by the encoder at first use on
					   the exporter thread (or by the builder); NULL until then */
	size_t encoded_len;
};

struct resource *resource_new(uint32_t id);
struct resource *resource_get(struct resource *r);	/* one more reference */
void resource_put(struct resource *r);
/* The same of n references at once: each is a locked instruction on a line that two threads share. */
void resource_get_some(struct resource *r, uint32_t n);
void resource_put_some(struct resource *r, uint32_t n);
/* First value of a key stays: call in order of precedence.  0 or -ENOMEM. */
int resource_add_str(struct resource *r, const char *key, const char *p, size_t n);
int resource_add_int(struct resource *r, const char *key, int64_t v);
/* NULL where the key is not there. */
const struct resource_attr *resource_lookup(const struct resource *r, const char *key);
/* OTEL_RESOURCE_ATTRIBUTES form: k=v,k2=v2, percent-decoded.  Any error discards
 * the whole value: -EINVAL with a reason in why. */
int resource_add_list(struct resource *r, const char *list, char *why, size_t whylen);

#endif
