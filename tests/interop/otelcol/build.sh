#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# build.sh DIR: makes DIR/otelcol from the pinned modules beside this script and
# prints its path.  Exit 77 where there is no Go (tests/interop/go.sh).
set -eu
src=$(cd "$(dirname "$0")" && pwd)
dir=$1
go=$("$src/../go.sh" "$dir") || exit $?
mkdir -p "$dir/otelcol-src"
cp "$src/main.go" "$src/go.mod" "$src/go.sum" "$dir/otelcol-src"
(cd "$dir/otelcol-src" && "$go" build -o "$dir/otelcol" .) >&2
echo "$dir/otelcol"
