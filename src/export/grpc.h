/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What gRPC adds to a POST over HTTP/2: the frame around a message, and its
 * status codes.  Pure.  (gRPC PROTOCOL-HTTP2.md; the transport does the rest.)
 */
#ifndef GRPC_H
#define GRPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GRPC_FRAME 5u		/* flag, length */
#define GRPC_UNKNOWN 2

/* Writes the frame's head into the GRPC_FRAME bytes before the message. */
void grpc_encode_head(uint8_t *message, size_t len, bool compressed);
/* The one message of an answer.  False: none, cut, or compressed (which was
 * not offered). */
bool grpc_decode_message(const uint8_t *body, size_t len, const uint8_t **message, size_t *message_len);
/* "UNAVAILABLE"; never NULL. */
const char *grpc_status_name(int code);
/* The code that stands for an HTTP status without a grpc-status. */
int grpc_status_of_http(int status);

#endif
