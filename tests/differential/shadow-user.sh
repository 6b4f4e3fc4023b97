#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Shadow mode over real programs, as a plain user.
SHADOW_USER=${SHADOW_USER:-65534} exec sh "${srcdir:-.}/tests/differential/shadow-programs.sh"
