/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A span as it waits for export: a fixed-size record from the pool with its
 * attributes and their strings inside, so that nothing is allocated per span
 * and nothing has to outlive the call it tells of.  One owner at a time:
 * builder -> queue -> batch processor -> pool.
 *
 * Field meanings: opentelemetry/proto/trace/v1/trace.proto.
 */
#ifndef SPAN_H
#define SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPAN_SIZE 2048u
#define SPAN_ATTRS_MAX 32u
#define SPAN_STR_MAX 1024u		/* longest single string value kept */
#define SPAN_NAME_MAX 256u		/* longest name, and status message */

/* Keys are a closed list: one row in span/attrs.def each. */
enum span_key {
	SPAN_KEY_NONE = 0,
#define SPAN_ATTR(id, name) SPAN_KEY_##id,
#include "span/attrs.def"
#undef SPAN_ATTR
	SPAN_KEYS
};
extern const char *const span_key_names[SPAN_KEYS];

enum span_value_type {
	SPAN_STR = 1,	/* off,len: UTF-8 text */
	SPAN_BYTES,	/* off,len: text that is not UTF-8 */
	SPAN_INT, SPAN_BOOL, SPAN_DOUBLE,
	SPAN_STR_ARRAY,	/* off,len: elements as u32 (len | bytes-flag in bit 31) + bytes, unpadded */
	SPAN_INT_ARRAY,	/* off,len: int64_t each, unaligned */
	SPAN_DOUBLE_ARRAY
};

struct span_attr {
	uint16_t key;			/* enum span_key */
	uint8_t type;			/* enum span_value_type */
	uint8_t reserved0;
	uint32_t len;
	union { int64_t i; double d; uint32_t off; } v;
};

enum { SPAN_ARRAY_OPEN = 1, SPAN_ARRAY_FULL };

enum span_kind { SPAN_INTERNAL = 1, SPAN_SERVER, SPAN_CLIENT, SPAN_PRODUCER, SPAN_CONSUMER };
enum span_status { SPAN_UNSET = 0, SPAN_OK = 1, SPAN_ERROR = 2 };
enum span_type { SPAN_CALL = 0, SPAN_PROCESS, SPAN_COMPUTE, SPAN_SUMMARY, SPAN_ROOT };

/* state: as a span's */
struct span_link { uint8_t trace_id[16], span_id[8]; uint32_t flags; const char *trace_state; };

/* Most of each; 0 is none at all.  Lengths count characters, of what is not UTF-8 bytes. */
struct span_limits { uint32_t value_len, attrs, links; };

struct resource;			/* span/resource.h; counted */

struct span {
	struct span *next;		/* free list, queue */
	struct resource *resource;	/* counted reference */
	uint64_t start_ns, end_ns;	/* Unix time, end >= start */
	uint8_t trace_id[16];
	uint8_t span_id[8];
	uint8_t parent_id[8];		/* all zero: none */
	uint32_t flags;			/* trace.proto Span.flags */
	uint8_t kind, status, type;
	uint8_t nattrs;
	uint16_t used;			/* bytes used in text[] */
	uint16_t name_off, name_len;	/* in text[]; UTF-8 guaranteed */
	uint16_t message_off, message_len;	/* status message, 0 none */
	uint8_t has_link;
	uint8_t pooled;			/* span_pool's mark of who has it */
	uint8_t array;			/* SPAN_ARRAY_*, while one is being added */
	uint8_t dropped_links;
	uint32_t dropped_attrs;
	uint32_t encoded_size;		/* estimate or exact bytes, by the encoder */
	uint32_t attrs_size;		/* estimate of the attributes' part, kept as they are added */
	struct span_link link;
	const char *trace_state;	/* run-wide constant or NULL */
	struct span_attr attrs[SPAN_ATTRS_MAX];
	char text[];			/* SPAN_SIZE - offsetof(text) bytes */
};

#define SPAN_TEXT_MAX (SPAN_SIZE - offsetof(struct span, text))

void span_reset(struct span *s);
void span_set_name(struct span *s, const char *name, size_t n);	/* made UTF-8 */
void span_set_status(struct span *s, enum span_status st, const char *msg, size_t n);
/* Text that is not UTF-8 becomes SPAN_BYTES; longer than SPAN_STR_MAX is cut at
 * a code point; what does not fit at all counts in dropped_attrs. */
void span_add_str(struct span *s, enum span_key k, const char *p, size_t n);
void span_add_name(struct span *s, enum span_key k);	/* the name that is set, kept once */
void span_add_int(struct span *s, enum span_key k, int64_t v);
void span_add_bool(struct span *s, enum span_key k, bool v);
void span_add_double(struct span *s, enum span_key k, double v);
/* Array of strings: open, add elements, close.  Nothing else in between. */
void span_open_array(struct span *s, enum span_key k);
void span_add_element(struct span *s, const char *p, size_t n);
void span_close_array(struct span *s);
void span_add_ints(struct span *s, enum span_key k, const int64_t *v, size_t n);
void span_add_doubles(struct span *s, enum span_key k, const double *v, size_t n);
const struct span_attr *span_lookup(const struct span *s, enum span_key k);
/* Cuts a finished span to the limits; what goes is counted in the span. */
void span_set_limits(struct span *s, const struct span_limits *l);
/* Serialised size, estimated from above without encoding. */
uint32_t span_estimate(const struct span *s);

#endif
