/* SPDX-License-Identifier: Apache-2.0 */
/* The options that say where and how spans are sent, as the exporter takes them. */
#ifndef SESSION_OTLP_OPTIONS_H
#define SESSION_OTLP_OPTIONS_H

#include "export/otlp_exporter.h"
#include "session/options.h"

/* How an endpoint is to be read: it depends on where it was given. */
enum otlp_endpoint_kind otlp_options_kind(enum tracer_origin origin);
/* Texts stay the options'; what is no option's matter (the log) is the caller's to set. */
void otlp_options_load(struct otlp_config *out, const struct tracer_options *o);

#endif
