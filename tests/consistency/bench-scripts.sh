#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Unit tests of the benchmark scripts.
srcdir=${srcdir:-.}
command -v python3 >/dev/null || { echo "no python3"; exit 77; }
PYTHONDONTWRITEBYTECODE=1 exec python3 -m unittest discover -s "$srcdir/bench/tests"
