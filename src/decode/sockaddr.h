/* SPDX-License-Identifier: Apache-2.0 */
/* Socket addresses as the kernel has them in memory, and names of sockets. */
#ifndef DECODE_SOCKADDR_H
#define DECODE_SOCKADDR_H

#include <stdbool.h>
#include "base/strbuf.h"

/* {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")} */
void sockaddr_format(struct strbuf *out, const uint8_t *p, size_t n);
/* 127.0.0.1:80, [::1]:80, /run/x.sock, @abstract; false for other families. */
bool sockaddr_format_short(struct strbuf *out, const uint8_t *p, size_t n);
/* TCP, UDPv6, UNIX-STREAM, NETLINK; type without flags. */
void socket_format_name(struct strbuf *out, unsigned family, unsigned type, unsigned protocol);
/* A socket's target with its local or its peer address replaced: TCP:[local->peer]. */
void socket_format_target(struct strbuf *out, const char *old, const char *local, const char *peer);

#endif
