/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spool's reader on segments that a crash or a bad disk has left: it ends,
 * never gives more than the file has, and gives each record at most once and
 * in order; and what lies behind damage is found again: a whole record that is
 * appended to any rubbish is the last one that comes out.
 */
#include "config.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include "export/spool.h"
#include "export/spool_format.h"
#include "fuzz.h"

static void require(int ok)
{
	if (!ok)
		abort();
}

static size_t record_put(uint8_t *out, uint8_t state, const void *payload, uint32_t len)
{
	struct spool_record_head h = { .magic = SPOOL_RECORD_MAGIC, .state = state, .len = len, .spans = 1,
				       .time_ns = 5 };

	h.crc = (uint32_t)crc32(crc32(0, (const Bytef *)&h.len, SPOOL_CRC_BYTES), payload, len);
	memcpy(out, &h, sizeof(h));
	memcpy(out + sizeof(h), payload, len);
	return sizeof(h) + len;
}

static void write_all(int fd, const void *p, size_t n)
{
	require(write(fd, p, n) == (ssize_t)n);
}

static int segment_create(const uint8_t *data, size_t size, char path[64])
{
	static const char last[] = "the last record";
	uint8_t record[128];
	int fd = memfd_create("segment", 0);

	require(fd >= 0);
	write_all(fd, SPOOL_FILE_MAGIC, sizeof(struct spool_file_head));
	write_all(fd, data, size);
	write_all(fd, record, record_put(record, SPOOL_UNSENT, last, sizeof(last)));
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t all = sizeof(struct spool_file_head) + size + sizeof(struct spool_record_head) + 16, given = 0;
	uint64_t before = 0;
	struct spool_reader r;
	struct spool_record rec;
	char path[64], end[16] = "";
	int fd, more;

	if (size > 65536)
		return 0;
	fd = segment_create(data, size, path);
	require(spool_reader_open(&r, path) == 0);
	while ((more = spool_reader_next(&r, &rec)) == 1) {
		require(rec.offset > before &&
			rec.offset + sizeof(struct spool_record_head) + rec.len <= all);
		before = rec.offset;
		given += sizeof(struct spool_record_head) + rec.len;
		memcpy(end, rec.payload, rec.len < sizeof(end) ? rec.len : sizeof(end));
	}
	require(more == 0 && given + r.damaged <= all);
	/* Rubbish may end in a head that claims the last record's bytes, but only with their checksum. */
	require(memcmp(end, "the last record", sizeof(end)) == 0);
	spool_reader_close(&r);
	close(fd);
	return 0;
}

struct fuzz_seed fuzz_seed(unsigned i)
{
	static uint8_t one[128], many[512], torn[256];
	size_t n1 = record_put(one, SPOOL_UNSENT, "abc", 3), n = 0, t;

	n += record_put(many + n, SPOOL_SENT, "first", 5);
	n += record_put(many + n, SPOOL_UNSENT, "second one", 10);
	n += record_put(many + n, SPOOL_UNSENT, "3", 1);
	n += record_put(many + n, SPOOL_SENT, "TR\xf7Sx", 5);
	t = record_put(torn, SPOOL_UNSENT, "a record that is torn off", 25) - 11;
	const struct fuzz_seed seeds[] = { { one, n1 }, { many, n }, { torn, t } };

	return i < sizeof(seeds) / sizeof(seeds[0]) ? seeds[i] : (struct fuzz_seed){ NULL, 0 };
}
