#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What `./bootstrap --demo` shows is true: the receiver's tree has the program,
# its children and their calls; the line counts agree; the status is the program's.
set -u
srcdir=${srcdir:-.}
builddir=${builddir:-.}
out=$(mktemp)
trap 'rm -f "$out"' EXIT
"$builddir/tracer" -q -o /dev/null true 2>"$out" || { echo "cannot trace here: $(cat "$out")"; exit 77; }
sh "$srcdir/docs/demo.sh" "$builddir/tracer" sh -c 'cat /etc/passwd | wc -l; exit 4' >"$out" 2>&1
rc=$?
[ $rc -eq 4 ] || { echo "exit $rc"; cat "$out"; exit 1; }
for want in '^trace [0-9a-f]*  [0-9]* spans, [0-9]* processes$' '^d*a*sh \[' '^|- cat \[[0-9]*\] .* exit 0' \
	'^|  |- openat .*/etc/ld.so.cache$' '^spans.jsonl: [1-9]' ', 0 dropped; trace '; do
	grep -q "$want" "$out" || { echo "nothing like: $want"; cat "$out"; exit 1; }
done
