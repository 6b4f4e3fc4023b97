#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Shadow mode over real programs.
exec "$srcdir/tests/differential/shadow.sh" --programs
