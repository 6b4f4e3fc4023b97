/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a spool segment; little endian, fixed width. */
#ifndef SPOOL_FORMAT_H
#define SPOOL_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define SPOOL_FILE_MAGIC "tracer-spool-v1"
#define SPOOL_RECORD_MAGIC { 'T', 'R', 0xf7, 'S' }	/* not UTF-8, not gzip: seldom found by chance */
#define SPOOL_UNSENT 'Q'
#define SPOOL_SENT 'S'

struct spool_file_head { char magic[16]; };

/* The state is outside the checksum: it is changed in place, one byte. */
struct spool_record_head {
	uint8_t magic[4];
	uint8_t state, reserved[3];
	uint32_t len, spans;
	uint64_t time_ns;
	uint32_t crc;			/* zlib's crc32 of len, spans, time_ns and the payload */
	uint32_t reserved1;
};
#define SPOOL_CRC_BYTES (offsetof(struct spool_record_head, crc) - offsetof(struct spool_record_head, len))

_Static_assert(sizeof(struct spool_file_head) == 16, "on disk");
_Static_assert(sizeof(struct spool_record_head) == 32 && SPOOL_CRC_BYTES == 16, "on disk");

#endif
