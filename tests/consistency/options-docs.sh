#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# man/tracer.1 and docs/options.md say what the table of options says; the short
# help fits on a screen.  And the comparison can fail.
srcdir=${srcdir:-.} builddir=${builddir:-.}
tracer=$builddir/tracer
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
section() {
	sed -n '/^\.\\" OPTIONS BEGIN/,/^\.\\" OPTIONS END/{/^\.\\" OPTIONS/!p;}' "$1"
}
compare() {
	cmp -s "$1" "$2" || { echo "$3 does not match the table: make options-docs"; diff "$1" "$2" | head -n 5; return 1; }
}
"$tracer" --print-options=markdown >"$dir/options.md" || exit 1
"$tracer" --print-options=man >"$dir/man" || exit 1
section "$srcdir/man/tracer.1" >"$dir/man.now"
compare "$dir/options.md" "$srcdir/docs/options.md" docs/options.md || exit 1
compare "$dir/man" "$dir/man.now" man/tracer.1 || exit 1
sed 's/--otlp-batch-size/--otlp-bach-size/' "$srcdir/docs/options.md" >"$dir/wrong"
compare "$dir/options.md" "$dir/wrong" x >/dev/null && { echo "a difference is not seen"; exit 1; }

# Every option, alias and letter of the full help is in the page, and the other way round.
"$tracer" --print-options=names | while read -r name; do
	"$tracer" --help=all | grep -q -- "--$name" || { echo "--$name is not in --help=all"; exit 1; }
done || exit 1
lines=$("$tracer" --help | wc -l)
[ "$lines" -le 40 ] || { echo "--help has $lines lines"; exit 1; }
[ "$("$tracer" --help | sed -n '2,5p' | grep -c '^  tracer ')" = 4 ] || { echo "--help: four examples first"; exit 1; }
# Each option is known to the parser under its name: a wrong value or none is about it, not unknown.
"$tracer" --print-options=names | while read -r name; do
	"$tracer" "--$name" --no-such-option 2>&1 | grep -q "unknown option --$name" && { echo "--$name is unknown"; exit 1; }
	:
done || exit 1
exit 0
