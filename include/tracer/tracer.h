/* SPDX-License-Identifier: Apache-2.0 */
/* Umbrella header of libtracer. */
#ifndef TRACER_TRACER_H
#define TRACER_TRACER_H

#include <tracer/version.h>
#include <tracer/error.h>
#include <tracer/event.h>
#include <tracer/options.h>
#include <tracer/session.h>

#endif
