/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any generated message as OTLP/JSON: lowerCamelCase keys, enums as numbers,
 * 64-bit integers as strings, fields of the default value left out.  Not for
 * messages with trace or span ids, which OTLP has in hexadecimal.
 */
#ifndef MESSAGE_JSON_H
#define MESSAGE_JSON_H

#include <protobuf-c/protobuf-c.h>
#include "base/strbuf.h"

void message_json_format(struct strbuf *out, const ProtobufCMessage *message);

#endif
