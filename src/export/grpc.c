/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC framing and status codes.  Pure functions; exporter thread.
 * Sources: grpc/grpc doc/PROTOCOL-HTTP2.md, doc/statuscodes.md,
 * doc/http-grpc-status-mapping.md.
 */
#include "config.h"
#include "export/grpc.h"

void grpc_encode_head(uint8_t *message, size_t len, bool compressed)
{
	message[-5] = compressed;
	message[-4] = (uint8_t)(len >> 24);
	message[-3] = (uint8_t)(len >> 16);
	message[-2] = (uint8_t)(len >> 8);
	message[-1] = (uint8_t)len;
}

bool grpc_decode_message(const uint8_t *body, size_t len, const uint8_t **message, size_t *message_len)
{
	size_t n;

	if (len < GRPC_FRAME || body[0] != 0)
		return false;
	n = (size_t)body[1] << 24 | (size_t)body[2] << 16 | (size_t)body[3] << 8 | body[4];
	if (n > len - GRPC_FRAME)
		return false;
	*message = body + GRPC_FRAME;
	*message_len = n;
	return true;
}

const char *grpc_status_name(int code)
{
	static const char *const names[] = {
		"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
		"PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
		"UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
	};

	return code >= 0 && (size_t)code < sizeof(names) / sizeof(names[0]) ? names[code] : names[GRPC_UNKNOWN];
}

int grpc_status_of_http(int status)
{
	switch (status) {
	case 400:
		return 13;	/* INTERNAL */
	case 401:
		return 16;	/* UNAUTHENTICATED */
	case 403:
		return 7;	/* PERMISSION_DENIED */
	case 404:
		return 12;	/* UNIMPLEMENTED */
	case 429:
	case 502:
	case 503:
	case 504:
		return 14;	/* UNAVAILABLE */
	default:
		return GRPC_UNKNOWN;
	}
}
